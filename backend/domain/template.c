/*
 * Templates, compiled once into literals and slots, rendered for each
 * command.
 *
 * A JSON template is read as a tree and written again without comments and
 * white space; a slot inside a string sees the unescaped text, so that
 * escapes in the source cannot hide braces from us.
 *
 * A slot has no value when its path leads nowhere or to null. In a URL also
 * an empty text, "." and "..": they would make the path that of another
 * resource (DELETE /subscriber/), so does an object or array.
 */
#include "backend/domain/template.h"

#define TEMPLATE_MAX_STEPS    16
#define TEMPLATE_MAX_BYTES    262144 /* of the literals of one template */
#define TEMPLATE_INDEX_DIGITS 5      /* below JSON_MAX_ELEMENTS */

/* Where a value lands. */
typedef enum { PLACE_TEXT, PLACE_URL, PLACE_STRING, PLACE_VALUE } place_t;

typedef struct {
    const char *name;
    size_t offset; /* in template_context_t, of the object */
} root_t;

static const root_t roots[] = {
    {"order", offsetof(template_context_t, order)},
    {"item", offsetof(template_context_t, item)},
    {"service", offsetof(template_context_t, service)},
    {"characteristic", offsetof(template_context_t, characteristic)},
    {"current", offsetof(template_context_t, current)},
    {"variable", offsetof(template_context_t, variable)},
    {"spec", offsetof(template_context_t, spec)},
};

#define ROOT_COUNT    ((int) (sizeof(roots) / sizeof(roots[0])))
#define ROOT_CALLBACK ROOT_COUNT

typedef struct {
    str_t before; /* literal in front of it */
    str_t path;
    str_t text; /* the default */
    str_t *steps;
    int step_count;
    int root;
    place_t place;
    bool has_default;
} slot_t;

struct template
{
    slot_t *slots;
    int slot_count;
    str_t tail; /* literal behind the last slot */
};

typedef struct {
    arena_t *arena;
    buf_t text;                      /* all literals, one behind the other */
    size_t ends[TEMPLATE_MAX_PATHS]; /* of the literal before each slot */
    slot_t slots[TEMPLATE_MAX_PATHS];
    int count;
    const char *err;
} builder_t;

/* s as it stands inside the quotes of a JSON string. */
static void
put_json_inside(buf_t *b, str_t s)
{
    size_t at = b->len;

    buf_json(b, s);
    if (buf_failed(b)) {
        return;
    }
    memmove(b->data + at, b->data + at + 1, b->len - at - 2);
    b->len -= 2;
    b->data[b->len] = '\0';
}

/* Text of a tree or an author cannot break a header line. */
static void
put_plain(buf_t *b, str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];

        buf_char(b, (char) (c < 0x20 || c == 0x7f ? ' ' : c));
    }
}

static void
put_escaped(buf_t *b, place_t place, str_t s)
{
    switch (place) {
    case PLACE_TEXT:
        put_plain(b, s);
        return;
    case PLACE_URL:
        buf_url(b, s);
        return;
    case PLACE_STRING:
        put_json_inside(b, s);
        return;
    case PLACE_VALUE:
        buf_json(b, s);
        return;
    }
}

static str_t
trim(str_t s)
{
    while (s.len > 0 && s.data[0] == ' ') {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && s.data[s.len - 1] == ' ') {
        s.len--;
    }
    return s;
}

static int
find_root(str_t name)
{
    for (int i = 0; i < ROOT_COUNT; i++) {
        if (str_is(name, roots[i].name)) {
            return i;
        }
    }
    return str_is(name, "callback") ? ROOT_CALLBACK : -1;
}

/* Splits slot->path at its dots; the first name is the root. */
static const char *
split_path(arena_t *a, slot_t *slot)
{
    str_t rest = slot->path;
    str_t steps[TEMPLATE_MAX_STEPS + 1];
    int n = 0;

    for (;;) {
        const char *dot = rest.len ? memchr(rest.data, '.', rest.len) : NULL;
        str_t step = {rest.data, dot ? (size_t) (dot - rest.data) : rest.len};

        if (step.len == 0) {
            return "a path with an empty name";
        }
        if (n > TEMPLATE_MAX_STEPS) {
            return "a path with too many names";
        }
        steps[n++] = step;
        if (dot == NULL) {
            break;
        }
        rest.data += step.len + 1;
        rest.len -= step.len + 1;
    }
    slot->root = find_root(steps[0]);
    if (slot->root < 0) {
        return "a path of an unknown root";
    }
    if (slot->root == ROOT_CALLBACK && !str_is(slot->path, "callback.url")) {
        return "callback has only url";
    }
    slot->step_count = n - 1;
    slot->steps = arena_array(a, str_t, (size_t) n);
    memcpy(slot->steps, steps + 1, sizeof(str_t) * (size_t) (n - 1));
    return NULL;
}

/* inside: what stands between the braces. */
static void
add_slot(builder_t *b, str_t inside, place_t place)
{
    slot_t *slot;
    const char *bar;
    str_t path;

    if (b->count == TEMPLATE_MAX_PATHS) {
        b->err = "too many paths in one template";
        return;
    }
    slot = &b->slots[b->count];
    memset(slot, 0, sizeof(*slot));
    bar = inside.len ? memchr(inside.data, '|', inside.len) : NULL;
    path = inside;
    if (bar != NULL) {
        path.len = (size_t) (bar - inside.data);
        slot->has_default = true;
        slot->text =
            arena_str(b->arena, (str_t){bar + 1, inside.len - path.len - 1});
    }
    slot->path = arena_str(b->arena, trim(path));
    slot->place = place;
    b->err = split_path(b->arena, slot);
    b->ends[b->count++] = b->text.len;
}

/* A place's literals are escaped like its values, but a URL's slashes. */
static void
add_literal(builder_t *b, str_t s, place_t place)
{
    if (place == PLACE_STRING) {
        put_json_inside(&b->text, s);
        return;
    }
    for (size_t i = 0; place == PLACE_URL && i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];

        if (c <= 0x20 || c >= 0x7f || c == '#') {
            b->err = "a URL path with a blank, '#' or such";
            return;
        }
    }
    buf_str(&b->text, s);
}

static const char *
find_pair(str_t s, char c)
{
    for (size_t i = 0; i + 1 < s.len; i++) {
        if (s.data[i] == c && s.data[i + 1] == c) {
            return s.data + i;
        }
    }
    return NULL;
}

static void
add_text(builder_t *b, str_t s, place_t place)
{
    while (b->err == NULL) {
        const char *open = find_pair(s, '{');
        const char *close;
        str_t inside;

        if (open == NULL) {
            add_literal(b, s, place);
            return;
        }
        add_literal(b, (str_t){s.data, (size_t) (open - s.data)}, place);
        inside.data = open + 2;
        inside.len = s.len - (size_t) (open + 2 - s.data);
        close = find_pair(inside, '}');
        if (close == NULL) {
            b->err = "\"{{\" without \"}}\"";
            return;
        }
        s.len = inside.len - (size_t) (close + 2 - inside.data);
        s.data = close + 2;
        inside.len = (size_t) (close - inside.data);
        if (b->err == NULL) {
            add_slot(b, inside, place);
        }
    }
}

/* Is the string one slot and nothing else? */
static bool
is_whole(str_t s)
{
    const char *close;

    if (s.len < 4 || s.data[0] != '{' || s.data[1] != '{') {
        return false;
    }
    close = find_pair((str_t){s.data + 2, s.len - 2}, '}');
    return close != NULL && close + 2 == s.data + s.len;
}

static void
add_string(builder_t *b, str_t s, bool value)
{
    if (value && is_whole(s)) {
        add_text(b, s, PLACE_VALUE);
        return;
    }
    buf_char(&b->text, '"');
    add_text(b, s, PLACE_STRING);
    buf_char(&b->text, '"');
}

/* Depth is bounded by the reader (JSON_MAX_DEPTH). */
static void
add_json(builder_t *b, const json_t *v)
{
    bool object = v->type == JSON_OBJECT;
    bool first = true;

    if (v->type == JSON_STRING) {
        add_string(b, v->text, true);
        return;
    }
    if (!object && v->type != JSON_ARRAY) {
        buf_str(&b->text, v->raw);
        return;
    }
    buf_char(&b->text, object ? '{' : '[');
    json_each(child, v)
    {
        if (!first) {
            buf_char(&b->text, ',');
        }
        first = false;
        if (object) {
            add_string(b, child->name, false);
            buf_char(&b->text, ':');
        }
        add_json(b, child);
        if (b->err != NULL) {
            return;
        }
    }
    buf_char(&b->text, object ? '}' : ']');
}

static template_t *
finish(builder_t *b)
{
    template_t *t = arena_new(b->arena, template_t);
    str_t all = arena_str(b->arena, buf_view(&b->text));
    size_t from = 0;

    t->slot_count = b->count;
    t->slots = arena_array(b->arena, slot_t, (size_t) b->count + 1);
    for (int i = 0; i < b->count; i++) {
        t->slots[i] = b->slots[i];
        t->slots[i].before = (str_t){all.data + from, b->ends[i] - from};
        from = b->ends[i];
    }
    t->tail = (str_t){all.data + from, all.len - from};
    return t;
}

template_t *
template_compile(arena_t *a, template_kind_t kind, str_t text,
                 const char **err)
{
    builder_t b = {.arena = a};
    template_t *t = NULL;

    buf_init(&b.text, TEMPLATE_MAX_BYTES);
    if (kind == TEMPLATE_JSON) {
        const json_t *v = json_parse_relaxed(a, text, NULL);

        if (v == NULL) {
            b.err = "not JSON";
        } else {
            add_json(&b, v);
        }
    } else {
        add_text(&b, text, kind == TEMPLATE_URL ? PLACE_URL : PLACE_TEXT);
    }
    if (b.err == NULL && buf_failed(&b.text)) {
        b.err = "a template too long";
    }
    if (b.err == NULL) {
        t = finish(&b);
    } else {
        *err = b.err;
    }
    buf_free(&b.text);
    return t;
}

/* The element of an array by its decimal index, or NULL. */
static const json_t *
element(const json_t *array, str_t step)
{
    int index = 0;

    if (step.len > TEMPLATE_INDEX_DIGITS ||
        (step.len > 1 && step.data[0] == '0')) {
        return NULL;
    }
    for (size_t i = 0; i < step.len; i++) {
        if (step.data[i] < '0' || step.data[i] > '9') {
            return NULL;
        }
        index = index * 10 + (step.data[i] - '0');
    }
    json_each(child, array)
    {
        if (index-- == 0) {
            return child;
        }
    }
    return NULL;
}

static const json_t *
look_up(const slot_t *slot, const template_context_t *c)
{
    const json_t *v;

    memcpy(&v, (const char *) c + roots[slot->root].offset, sizeof(v));
    for (int i = 0; v != NULL && i < slot->step_count; i++) {
        v = v->type == JSON_ARRAY ? element(v, slot->steps[i])
                                  : json_get_str(v, slot->steps[i]);
    }
    return v != NULL && v->type != JSON_NULL ? v : NULL;
}

static bool
fits_url(str_t s)
{
    return s.len > 0 && !str_is(s, ".") && !str_is(s, "..");
}

/* The text of a slot's value; false: none. *ret_raw: it is JSON already. */
static bool
slot_value(const slot_t *slot, const template_context_t *c, str_t *ret,
           bool *ret_raw)
{
    const json_t *v;
    bool nested;

    *ret_raw = false;
    if (slot->root == ROOT_CALLBACK) {
        *ret = c->callback;
        return c->callback.len > 0;
    }
    v = look_up(slot, c);
    if (v == NULL) {
        return false;
    }
    nested = v->type == JSON_OBJECT || v->type == JSON_ARRAY;
    *ret_raw = slot->place == PLACE_VALUE;
    *ret = *ret_raw || nested ? v->raw : v->text;
    return slot->place != PLACE_URL || (!nested && fits_url(*ret));
}

bool
template_render(const template_t *t, const template_context_t *c, buf_t *out,
                str_t *ret_missing)
{
    size_t start = out->len;

    for (int i = 0; i < t->slot_count; i++) {
        const slot_t *slot = &t->slots[i];
        str_t value;
        bool raw;

        buf_str(out, slot->before);
        if (!slot_value(slot, c, &value, &raw)) {
            if (!slot->has_default) {
                *ret_missing = slot->path;
                out->len = start;
                if (out->data != NULL) {
                    out->data[start] = '\0';
                }
                return false;
            }
            value = slot->text;
            raw = false;
        }
        if (raw) {
            buf_str(out, value);
        } else {
            put_escaped(out, slot->place, value);
        }
    }
    buf_str(out, t->tail);
    return true;
}

int
template_path_count(const template_t *t)
{
    return t->slot_count;
}

str_t
template_path(const template_t *t, int i, bool *ret_optional)
{
    *ret_optional = t->slots[i].has_default;
    return t->slots[i].path;
}

bool
template_path_known(const template_t *t, int i, const template_context_t *c)
{
    str_t value;
    bool raw;

    return t->slots[i].has_default ||
           slot_value(&t->slots[i], c, &value, &raw);
}
