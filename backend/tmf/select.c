/*
 * Selection on the rendered text: it knows nothing of resources. What is kept
 * whole keeps its spelling.
 */
#include "backend/tmf/select.h"

#include "backend/tmf/member.h"

/* Paths that are still to be gone, from where the writer is. */
typedef struct {
    str_t rest[QUERY_MAX_FIELDS];
    int count;
} selection_t;

static bool
is_dotted(str_t path)
{
    return memchr(path.data, '.', path.len) != NULL;
}

/* Goes down to a member: the paths that lead on below it. true: one ends
 * there. */
static bool
step(const selection_t *s, str_t name, selection_t *ret)
{
    bool whole = false;

    ret->count = 0;
    for (int i = 0; i < s->count; i++) {
        str_t path = s->rest[i];

        if (str_eq(path, name)) {
            whole = true;
        } else if (path.len > name.len + 1 && path.data[name.len] == '.' &&
                   str_eq((str_t){path.data, name.len}, name)) {
            ret->rest[ret->count++] =
                (str_t){path.data + name.len + 1, path.len - name.len - 1};
        }
    }
    return whole;
}

static bool
is_identity(str_t name)
{
    return str_is(name, "id") || str_is(name, "href");
}

static bool
has_inside(const json_t *v)
{
    return v->type == JSON_OBJECT || v->type == JSON_ARRAY;
}

static void put_selected(buf_t *out, const json_t *v, const selection_t *s);

static void
put_member(buf_t *out, const json_t *m, const selection_t *s)
{
    selection_t below;

    if (step(s, m->name, &below) || is_identity(m->name)) {
        member_copy(out, m);
    } else if (below.count > 0 && has_inside(m)) {
        json_comma(out);
        buf_json(out, m->name);
        buf_char(out, ':');
        put_selected(out, m, &below);
    }
}

/* An object or an array. Recursion is bounded by JSON_MAX_DEPTH. */
static void
put_selected(buf_t *out, const json_t *v, const selection_t *s)
{
    bool is_object = v->type == JSON_OBJECT;

    buf_char(out, is_object ? '{' : '[');
    json_each(m, v)
    {
        if (is_object) {
            put_member(out, m, s);
        } else if (has_inside(m)) {
            json_comma(out);
            put_selected(out, m, s);
        }
    }
    json_end(out, is_object ? '}' : ']');
}

void
tmf_select(buf_t *out, size_t start, arena_t *a, const tmf_view_t *v)
{
    selection_t s = {.count = 0};
    bool dotted = false;
    const json_t *whole;

    for (int i = 0; v->query && i < v->query->field_count; i++) {
        s.rest[s.count++] = v->query->fields[i];
        dotted = dotted || is_dotted(v->query->fields[i]);
    }
    if (!dotted || buf_failed(out)) {
        return;
    }
    whole = json_parse(
        a, arena_str(a, (str_t){out->data + start, out->len - start}), NULL);
    if (whole && whole->type == JSON_OBJECT) {
        buf_cut(out, start);
        put_selected(out, whole, &s);
    }
}
