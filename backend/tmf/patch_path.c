/*
 * Paths of a JSON Patch: read, then walked step by step. Where an array has
 * conditions of its own, its elements are tried one after the other with the
 * steps that are left.
 */
#include "backend/tmf/patch_path.h"

#include <stdint.h>

#define SHOWN_MAX 64 /* bytes of a client's text in a message */
#define SHOWN(s)  (int) ((s).len < SHOWN_MAX ? (s).len : SHOWN_MAX), (s).data

#define REASON "Invalid patch"

/* A walk under way. */
typedef struct {
    const patch_path_t *path;
    const patch_walk_t *how;
    tmf_error_t *err;
    str_t names[JSON_MAX_DEPTH]; /* the steps that named members */
    uint32_t used;               /* one bit a condition: it was of use */
    bool found;
} walk_t;

_Static_assert(QUERY_MAX_FILTERS <= 32, "walk_t.used has a bit for each");

/* How far the walk is. */
typedef struct {
    int step;  /* the next one */
    int named; /* of walk_t.names so far */
} reach_t;

#define REFUSE(err, pointer, ...)                                       \
    (tmf_error_set((err), 400, TMF_CODE_FIELD_INVALID, REASON, pointer, \
                   __VA_ARGS__),                                        \
     false)

/* RFC 6901: "~1" is "/", "~0" is "~". */
static bool
unescape(arena_t *a, str_t raw, str_t *ret)
{
    char *out;
    size_t len = 0;

    *ret = raw;
    if (raw.len == 0 || !memchr(raw.data, '~', raw.len)) {
        return true;
    }
    out = arena_alloc(a, raw.len);
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.data[i];

        if (c == '~') {
            if (++i == raw.len || (raw.data[i] != '0' && raw.data[i] != '1')) {
                return false;
            }
            c = raw.data[i] == '0' ? '~' : '/';
        }
        out[len++] = c;
    }
    *ret = (str_t){out, len};
    return true;
}

static bool
read_steps(patch_path_t *path, arena_t *a, str_t rest, const char *pointer,
           tmf_error_t *err)
{
    while (rest.len > 0) {
        str_t step = {rest.data + 1, rest.len - 1};

        if (rest.data[0] != '/') {
            return REFUSE(err, pointer, "\"%.*s\" does not begin with \"/\"",
                          SHOWN(path->text));
        }
        const char *slash = memchr(step.data, '/', step.len);
        if (slash) {
            step.len = (size_t) (slash - step.data);
        }
        rest.data += step.len + 1;
        rest.len -= step.len + 1;
        if (path->count == JSON_MAX_DEPTH) {
            return REFUSE(err, pointer, "the path has more than %d steps",
                          JSON_MAX_DEPTH);
        }
        if (!unescape(a, step, &path->steps[path->count++])) {
            return REFUSE(err, pointer,
                          "in \"%.*s\": a \"~\" is ~0, a \"/\" "
                          "is ~1",
                          SHOWN(path->text));
        }
    }
    return true;
}

/* The grammar is that of a list's filters; of their operators only "=" has a
 * sense here, of the other parameters none. */
static bool
read_conditions(patch_path_t *path, arena_t *a, str_t raw, const char *pointer,
                tmf_error_t *err)
{
    query_t *q = arena_new(a, query_t);

    if (query_parse(q, raw, err) < 0) {
        tmf_error_set(err, 400, TMF_CODE_FIELD_INVALID, REASON, pointer, "%s",
                      arena_z(a, str_of(err->message)));
        return false;
    }
    if (q->filter_count == 0 || q->has_fields || q->offset > 0 ||
        q->limit >= 0 || q->sort_count > 0) {
        return REFUSE(err, pointer,
                      "behind \"?\" are conditions like "
                      "note.author=John");
    }
    for (int i = 0; i < q->filter_count; i++) {
        if (q->filters[i].op != QUERY_EQ) {
            return REFUSE(err, pointer, "the condition on %.*s is not \"=\"",
                          SHOWN(q->filters[i].path));
        }
    }
    path->query = q;
    return true;
}

bool
patch_path_read(patch_path_t *path, arena_t *a, str_t text, bool conditions,
                const char *pointer, tmf_error_t *err)
{
    const char *mark = NULL;

    *path = (patch_path_t){.text = text};
    if (conditions && text.len > 0) {
        mark = memchr(text.data, '?', text.len);
    }
    if (mark) {
        size_t at = (size_t) (mark - text.data);
        str_t raw = {mark + 1, text.len - at - 1};

        text.len = at;
        if (!read_conditions(path, a, raw, pointer, err)) {
            return false;
        }
    }
    return read_steps(path, a, text, pointer, err);
}

static bool
nothing(const walk_t *w)
{
    tmf_error_set(w->err, w->how->missing,
                  w->how->missing == 409 ? TMF_CODE_CONFLICT
                                         : TMF_CODE_FIELD_INVALID,
                  REASON, w->how->pointer, "there is nothing at \"%.*s\"",
                  SHOWN(w->path->text));
    return false;
}

/* Does a condition speak of what the walk has come to, or of what is in it? */
static bool
speaks_of(const walk_t *w, const query_filter_t *f, int named)
{
    if (named == 0 || f->step_count < named) {
        return false;
    }
    for (int i = 0; i < named; i++) {
        if (!str_eq(f->steps[i], w->names[i])) {
            return false;
        }
    }
    return true;
}

/* One bit a condition that speaks of what the walk has come to. */
static uint32_t
conditions_of(const walk_t *w, int named)
{
    const query_t *q = w->path->query;
    uint32_t found = 0;

    for (int i = 0; q && i < q->filter_count; i++) {
        if (speaks_of(w, &q->filters[i], named)) {
            found |= UINT32_C(1) << i;
        }
    }
    return found;
}

/* Is there one of the values at the steps from `from` on? */
static bool
holds(const walk_t *w, const query_filter_t *f, const json_t *v, int from)
{
    const query_t *q = w->path->query;

    if (!v) {
        return false;
    }
    ++*w->how->work;
    if (v->type == JSON_ARRAY) {
        json_each(element, v)
        {
            if (holds(w, f, element, from)) {
                return true;
            }
        }
        return false;
    }
    if (from < f->step_count) {
        return holds(w, f, json_get_str(v, f->steps[from]), from + 1);
    }
    for (int i = 0; v->type != JSON_OBJECT && i < f->value_count; i++) {
        if (str_eq(v->text, q->values[f->first_value + i])) {
            return true;
        }
    }
    return false;
}

static bool
all_hold(const walk_t *w, uint32_t conditions, const json_t *element,
         int named)
{
    const query_t *q = w->path->query;

    for (int i = 0; i < q->filter_count; i++) {
        if ((conditions & UINT32_C(1) << i) &&
            !holds(w, &q->filters[i], element, named)) {
            return false;
        }
    }
    return true;
}

json_t **
patch_path_end(json_t *container)
{
    json_t **link = &container->child;

    while (*link) {
        link = &(*link)->next;
    }
    return link;
}

/* RFC 6902 takes an index that is one behind the last where it adds. NULL: no
 * such place. */
static json_t **
element_link(const walk_t *w, json_t *array, str_t step, bool adds)
{
    json_t **link = &array->child;
    int index;

    if (adds && str_is(step, "-")) {
        *w->how->work += array->count;
        return patch_path_end(array);
    }
    if (!json_index(step, &index)) {
        return NULL;
    }
    *w->how->work += index;
    while (*link && index > 0) {
        link = &(*link)->next;
        index--;
    }
    return index == 0 && (*link || adds) ? link : NULL;
}

static json_t **
member_link(const walk_t *w, json_t *object, str_t name, bool adds)
{
    json_t **link = &object->child;

    *w->how->work += object->count;
    while (*link && !str_eq((*link)->name, name)) {
        link = &(*link)->next;
    }
    return *link || adds ? link : NULL;
}

static bool enter(walk_t *w, const patch_place_t *at, reach_t r);

/* An array is walked through by an index or by conditions. */
static bool
refuse_name(const walk_t *w, str_t step)
{
    if (w->path->query) {
        return REFUSE(w->err, w->how->pointer,
                      "no condition tells which elements of the array before "
                      "\"%.*s\" are meant",
                      SHOWN(step));
    }
    return nothing(w);
}

static bool
refuse_work(const walk_t *w)
{
    tmf_error_set(w->err, 413, TMF_CODE_TOO_LARGE, "Too large",
                  w->how->pointer, "the patch looks at more than %d values",
                  PATCH_MAX_WORK);
    return false;
}

/* From the value at hand one step on. */
static bool
advance(walk_t *w, const patch_place_t *at, reach_t r)
{
    json_t *v = *at->link;
    bool last = r.step + 1 == w->path->count;
    bool adds = w->how->adds && last;
    str_t step;
    patch_place_t next = {.parent = v, .depth = at->depth + 1};

    if (r.step == w->path->count) {
        w->found = true;
        return w->how->at_place(w->how->ctx, at);
    }
    if (*w->how->work > PATCH_MAX_WORK) {
        return refuse_work(w);
    }
    step = w->path->steps[r.step++];
    if (w->how->changes) {
        v->raw = STR_NONE;
    }
    if (v->type == JSON_OBJECT) {
        next.link = member_link(w, v, step, adds);
        next.name = step;
        w->names[r.named++] = step;
    } else if (v->type == JSON_ARRAY) {
        next.link = element_link(w, v, step, adds);
    }
    if (!next.link) {
        return v->type == JSON_ARRAY ? refuse_name(w, step) : nothing(w);
    }
    if (adds) {
        w->found = true;
        return w->how->at_place(w->how->ctx, &next);
    }
    return enter(w, &next, r);
}

/* On with each element that the conditions hold for. What is done there may
 * take the element out of the list. */
static bool
select_elements(walk_t *w, const patch_place_t *at, reach_t r,
                uint32_t conditions)
{
    json_t *array = *at->link;
    patch_place_t element = {.parent = array, .depth = at->depth + 1};

    if (w->how->changes) {
        array->raw = STR_NONE;
    }
    for (element.link = &array->child; *element.link;) {
        json_t *after = (*element.link)->next;

        if (*w->how->work > PATCH_MAX_WORK) {
            return refuse_work(w);
        }
        if (all_hold(w, conditions, *element.link, r.named) &&
            !advance(w, &element, r)) {
            return false;
        }
        if (*element.link != after) {
            element.link = &(*element.link)->next;
        }
    }
    return true;
}

static bool
has_index(const walk_t *w, int step)
{
    int index;

    return step < w->path->count && (str_is(w->path->steps[step], "-") ||
                                     json_index(w->path->steps[step], &index));
}

static bool
enter(walk_t *w, const patch_place_t *at, reach_t r)
{
    uint32_t conditions = 0;

    if ((*at->link)->type == JSON_ARRAY && !has_index(w, r.step)) {
        conditions = conditions_of(w, r.named);
    }
    if (conditions == 0) {
        return advance(w, at, r);
    }
    w->used |= conditions;
    return select_elements(w, at, r, conditions);
}

bool
patch_path_walk(const patch_path_t *path, json_t **root,
                const patch_walk_t *how, tmf_error_t *err)
{
    walk_t w = {.path = path, .how = how, .err = err};
    patch_place_t at = {.link = root};
    int conditions = path->query ? path->query->filter_count : 0;

    if (!enter(&w, &at, (reach_t){0, 0})) {
        return false;
    }
    for (int i = 0; i < conditions; i++) {
        if (!(w.used & UINT32_C(1) << i)) {
            return REFUSE(err, how->pointer,
                          "the condition on %.*s is of no array on the path",
                          SHOWN(path->query->filters[i].path));
        }
    }
    return w.found || nothing(&w);
}

bool
patch_path_is_within(const patch_path_t *whole, const patch_path_t *part)
{
    if (whole->count <= part->count) {
        return false;
    }
    for (int i = 0; i < part->count; i++) {
        if (!str_eq(whole->steps[i], part->steps[i])) {
            return false;
        }
    }
    return true;
}
