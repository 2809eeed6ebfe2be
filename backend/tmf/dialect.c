/*
 * The walk between v4's form and v5's. Each function that writes tells whether
 * what it wrote differs from what it read; what does not is written as the
 * client spelt it.
 */
#include "backend/tmf/dialect.h"

#include "backend/tmf/dialect_type.h"

#define ROLE "role"

typedef struct {
    buf_t *out;
    tmf_version_t to; /* TMF_V4: as it is kept */
} walk_t;

static bool put_members(const walk_t *w, const object_schema_t *schema,
                        const json_t *object, const json_t *left_out);

/* The row that holds what v4 has flat; NULL: there is none. */
static const attr_schema_t *
nested_row(const object_schema_t *schema)
{
    for (const attr_schema_t *attr = schema->attrs; attr->name; attr++) {
        if (attr->flags & ATTR_NESTED) {
            return attr;
        }
    }
    return NULL;
}

static const json_t *
object_at(const json_t *object, const char *name)
{
    const json_t *v = json_get(object, name);

    return v && v->type == JSON_OBJECT ? v : NULL;
}

/* Writes the object's @type where v5 asks for one, and it has none or one that
 * its value has outgrown. */
static bool
put_type(const walk_t *w, const object_schema_t *schema, const json_t *object)
{
    const json_t *said = json_get(object, "@type");
    char type[DIALECT_TYPE_MAX];

    if (w->to != TMF_V5 || !dialect_type(type, schema, object) ||
        (said && dialect_type_fits(said, schema, object))) {
        return false;
    }
    json_put_text(w->out, "@type", str_of(type));
    return true;
}

static bool
put_object(const walk_t *w, const object_schema_t *schema,
           const json_t *object)
{
    const json_t *said = json_get(object, "@type");
    bool changed;

    buf_char(w->out, '{');
    changed = put_type(w, schema, object);
    changed |= put_members(w, schema, object, changed ? said : NULL);
    json_end(w->out, '}');
    return changed;
}

/* {role, nested{...}} of a flat object. */
static bool
put_nested(const walk_t *w, const object_schema_t *schema,
           const attr_schema_t *nested, const json_t *object)
{
    const json_t *role = json_get(object, ROLE);
    const json_t *said = json_get(object, "@type");
    bool of_v4 = said && dialect_type_is_flat(said);

    buf_char(w->out, '{');
    json_put_text(w->out, "@type", str_of(schema->name));
    if (role) {
        json_put_raw(w->out, ROLE, role->raw);
    }
    json_begin(w->out, nested->name, '{');
    if (!said || of_v4) {
        char type[DIALECT_TYPE_MAX];

        (void) dialect_type(type, nested->object, object);
        json_put_text(w->out, "@type", str_of(type));
    }
    json_each(m, object)
    {
        if (m != role && !(of_v4 && m == said)) {
            json_comma(w->out);
            buf_json(w->out, m->name);
            buf_char(w->out, ':');
            buf_str(w->out, m->raw);
        }
    }
    json_end(w->out, '}');
    json_end(w->out, '}');
    return true;
}

/* Can it be brought back from the flat form? */
static bool
may_be_flat(const object_schema_t *schema, const attr_schema_t *nested,
            const json_t *object)
{
    const json_t *inner = object_at(object, nested->name);

    if (!inner || json_get(inner, ROLE) || json_get(inner, nested->name)) {
        return false;
    }
    const json_t *said = json_get(inner, "@type");
    if (said && dialect_type_is_flat(said)) {
        return false;
    }
    json_each(m, object)
    {
        if (m != inner && !str_is(m->name, ROLE) &&
            !(str_is(m->name, "@type") && str_is(m->text, schema->name))) {
            return false;
        }
    }
    return true;
}

static bool
put_flat(const walk_t *w, const attr_schema_t *nested, const json_t *object)
{
    const json_t *role = json_get(object, ROLE);
    const json_t *inner = json_get(object, nested->name);
    const json_t *said = json_get(inner, "@type");
    char type[DIALECT_TYPE_MAX];
    bool derived = said && dialect_type(type, nested->object, inner) &&
                   str_is(said->text, type);

    buf_char(w->out, '{');
    if (role) {
        json_put_raw(w->out, ROLE, role->raw);
    }
    (void) put_members(w, nested->object, inner, derived ? said : NULL);
    json_end(w->out, '}');
    return true;
}

/* An object where the table has one. */
static bool
put_known(const walk_t *w, const object_schema_t *schema, const json_t *object)
{
    const attr_schema_t *nested = nested_row(schema);

    if (nested && w->to == TMF_V5 && !json_get(object, nested->name)) {
        return put_nested(w, schema, nested, object);
    }
    if (nested && w->to == TMF_V4 && may_be_flat(schema, nested, object)) {
        return put_flat(w, nested, object);
    }
    return put_object(w, schema, object);
}

/* A value, with the row that speaks of it, or NULL. */
static bool
put_value(const walk_t *w, const attr_schema_t *row, const json_t *value)
{
    size_t start = w->out->len;
    bool changed = false;

    if (row && row->type == ATTR_OBJECT && value->type == JSON_OBJECT) {
        changed = put_known(w, row->object, value);
    } else if (row && row->type == ATTR_OBJECT && value->type == JSON_ARRAY) {
        buf_char(w->out, '[');
        json_each(element, value)
        {
            json_comma(w->out);
            changed |= put_value(w, element->type == JSON_OBJECT ? row : NULL,
                                 element);
        }
        json_end(w->out, ']');
    }
    if (!changed) {
        buf_cut(w->out, start);
        buf_str(w->out, value->raw);
    }
    return changed;
}

/* Both forms are walked along v5's rows: they know all that v4's do. */
static bool
put_member(const walk_t *w, const object_schema_t *schema, const json_t *m)
{
    json_comma(w->out);
    buf_json(w->out, m->name);
    buf_char(w->out, ':');
    return put_value(w, attr_find(schema, m->name, TMF_V5), m);
}

static bool
put_members(const walk_t *w, const object_schema_t *schema,
            const json_t *object, const json_t *left_out)
{
    bool changed = left_out != NULL;

    json_each(m, object)
    {
        if (m != left_out) {
            changed |= put_member(w, schema, m);
        }
    }
    return changed;
}

static void
put_document(buf_t *out, tmf_version_t to, const object_schema_t *schema,
             const json_t *doc)
{
    walk_t w = {out, to};
    attr_schema_t row = {.type = ATTR_OBJECT, .object = schema};

    (void) put_value(&w, &row, doc);
}

void
dialect_show(buf_t *out, const object_schema_t *schema, const json_t *doc)
{
    put_document(out, TMF_V5, schema, doc);
}

void
dialect_take(buf_t *out, const object_schema_t *schema, const json_t *doc)
{
    put_document(out, TMF_V4, schema, doc);
}

void
dialect_take_changed(buf_t *out, const object_schema_t *schema,
                     const json_t *shown, const json_t *shown_v5,
                     const json_t *after)
{
    walk_t w = {out, TMF_V4};

    if (after->type != JSON_OBJECT) {
        dialect_take(out, schema, after);
        return;
    }
    buf_char(out, '{');
    json_each(m, after)
    {
        const json_t *kept = json_get_str(shown, m->name);
        const json_t *was = json_get_str(shown_v5, m->name);

        if (kept && was && json_equal(m, was)) {
            json_comma(out);
            buf_json(out, m->name);
            buf_char(out, ':');
            buf_str(out, kept->raw);
        } else if (kept || !was || !json_equal(m, was)) {
            (void) put_member(&w, schema, m);
        } /* else: the walk put it in, and it is there again when shown */
    }
    json_end(out, '}');
}

int
dialect_path(const object_schema_t *schema, str_t *names, int n)
{
    int left = 0;

    for (int i = 0; i < n; i++) {
        const attr_schema_t *row =
            schema ? attr_find(schema, names[i], TMF_V5) : NULL;

        if (!row || !(row->flags & ATTR_NESTED) || i + 1 == n) {
            names[left++] = names[i];
        }
        schema = row && row->type == ATTR_OBJECT ? row->object : NULL;
    }
    return left;
}
