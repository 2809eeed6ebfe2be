/*
 * Rows of the tables as JSON Schema; see proto/json_schema.h.
 */
#include "proto/json_schema.h"

#include "proto/json_write.h"

#define URI_PATTERN  "^[Hh][Tt][Tt][Pp][Ss]?://"
#define TEXT_PATTERN "[^ \\t\\r\\n]" /* not blank */
#define UNIQUE_NOTE  "the ids of its elements differ"
#define MAX_INTEGER  "999999999999999999" /* what the validator takes */

/* What a type is called and what else it says, as JSON. */
static const struct {
    const char *type;
    const char *format;
} scalars[] = {
    [ATTR_STRING] = {"string", NULL},
    [ATTR_BOOLEAN] = {"boolean", NULL},
    [ATTR_INTEGER] = {"integer", NULL},
    [ATTR_NUMBER] = {"number", NULL},
    [ATTR_DATE_TIME] = {"string", "date-time"},
    [ATTR_URI] = {"string", "uri"},
    [ATTR_ENUM] = {"string", NULL},
};

bool
object_set_add(object_set_t *set, const object_schema_t *object,
               tmf_version_t version)
{
    for (int i = 0; i < set->count; i++) {
        if (set->objects[i] == object) {
            return true;
        }
    }
    if (set->count == OBJECT_SET_MAX) {
        return false;
    }
    set->objects[set->count++] = object;
    for (const attr_schema_t *a = object->attrs; a->name; a++) {
        if (a->object && attr_is_of(a, version) &&
            !object_set_add(set, a->object, version)) {
            return false;
        }
    }
    return true;
}

/* A request of this shape may not say it. */
static bool
is_left_out(const attr_schema_t *a, shape_t shape)
{
    return (shape == SHAPE_CREATE &&
            (a->flags & (ATTR_SERVER | ATTR_FORBIDDEN))) ||
           (shape == SHAPE_UPDATE && (a->flags & ATTR_FIXED));
}

/* Every answer has id and href, whatever fields= asks for (TMF630). */
static bool
is_required(const attr_schema_t *a, shape_t shape, tmf_version_t version)
{
    bool always = !strcmp(a->name, "id") || !strcmp(a->name, "href");

    switch (shape) {
    case SHAPE_PART:
    case SHAPE_CREATE:
        return attr_is_mandatory(a, version) && !is_left_out(a, shape);
    case SHAPE_SHOWN:
        return always;
    case SHAPE_WHOLE:
        return always || attr_is_mandatory(a, version);
    case SHAPE_UPDATE:
        return false;
    }
    return false;
}

/* Not a request's body. */
static bool
is_answer(shape_t shape)
{
    return shape == SHAPE_PART || shape == SHAPE_SHOWN || shape == SHAPE_WHOLE;
}

static bool
may_be_null(const attr_schema_t *a, shape_t shape, tmf_version_t version)
{
    return (a->flags & ATTR_NULLABLE) ||
           (shape == SHAPE_UPDATE && !attr_is_mandatory(a, version));
}

/* Not blank, or with at least one element. */
static bool
is_never_empty(const attr_schema_t *a, tmf_version_t version)
{
    return (a->flags & ATTR_NON_EMPTY) && attr_is_mandatory(a, version);
}

static void
put_values(buf_t *out, const attr_schema_t *a, shape_t shape, bool null)
{
    json_begin(out, "enum", '[');
    for (const char *const *v = a->values; *v; v++) {
        json_comma(out);
        buf_json(out, str_of(*v));
    }
    if (a->shown && is_answer(shape)) {
        json_comma(out);
        buf_json(out, str_of(a->shown));
    }
    if (null) {
        json_comma(out);
        buf_puts(out, "null");
    }
    json_end(out, ']');
}

static void
put_type(buf_t *out, const char *type, bool null,
         const schema_dialect_t *dialect)
{
    if (!null || dialect->openapi) {
        json_put_text(out, "type", str_of(type));
    } else {
        json_begin(out, "type", '[');
        buf_json(out, str_of(type));
        buf_puts(out, ",\"null\"]");
    }
    if (null && dialect->openapi) {
        json_put_bool(out, "nullable", true);
    }
}

static void
put_scalar(buf_t *out, const attr_schema_t *a, shape_t shape, bool null,
           const schema_dialect_t *dialect)
{
    if (a->type == ATTR_ANY) {
        return;
    }
    put_type(out, scalars[a->type].type, null, dialect);
    if (scalars[a->type].format) {
        json_put_text(out, "format", str_of(scalars[a->type].format));
    }
    if (a->type == ATTR_URI && !(a->flags & ATTR_FILE)) {
        json_put_text(out, "pattern", STR(URI_PATTERN));
    } else if (a->type == ATTR_INTEGER) {
        json_put_raw(out, "minimum", STR("-" MAX_INTEGER));
        json_put_raw(out, "maximum", STR(MAX_INTEGER));
    } else if (a->type == ATTR_ENUM) {
        put_values(out, a, shape, null);
    } else if (a->type == ATTR_STRING && is_never_empty(a, dialect->version)) {
        json_put_text(out, "pattern", STR(TEXT_PATTERN));
    }
}

static void
put_ref(buf_t *out, const object_schema_t *object,
        const schema_dialect_t *dialect)
{
    json_name(out, "$ref");
    buf_printf(out, "\"%s%s%s\"", dialect->before, object->name,
               dialect->after);
}

/* Beside a "$ref" OpenAPI 3.0 reads nothing: what else is to be said of the
 * attribute stands beside an "allOf" of it. */
static void
put_one_object(buf_t *out, const attr_schema_t *a, bool null, bool alone,
               const schema_dialect_t *dialect)
{
    const char *among = null && !dialect->openapi ? "anyOf" : "allOf";

    if (alone) {
        put_ref(out, a->object, dialect);
        return;
    }
    if (null && dialect->openapi) {
        json_put_bool(out, "nullable", true);
    }
    json_begin(out, among, '[');
    buf_char(out, '{');
    put_ref(out, a->object, dialect);
    json_end(out, '}');
    if (null && !dialect->openapi) {
        buf_puts(out, ",{\"type\":\"null\"}");
    }
    json_end(out, ']');
}

static void
put_list(buf_t *out, const attr_schema_t *a, bool null,
         const schema_dialect_t *dialect)
{
    put_type(out, "array", null, dialect);
    if (is_never_empty(a, dialect->version)) {
        json_put_int(out, "minItems", 1);
    }
    json_begin(out, "items", '{');
    if (a->type == ATTR_OBJECT) {
        put_ref(out, a->object, dialect);
    } else {
        put_scalar(out, a, SHAPE_PART, false, dialect);
    }
    json_end(out, '}');
}

/* What another attribute's values make mandatory, in words. */
static void
put_needed(buf_t *out, const attr_schema_t *a)
{
    json_name(out, "description");
    buf_puts(out, "\"mandatory with");
    for (const char *const *v = a->selected; *v; v++) {
        buf_printf(out, "%s %s", v == a->selected ? "" : ",", *v);
    }
    buf_char(out, '"');
}

static void
put_attribute(buf_t *out, const attr_schema_t *a, shape_t shape, bool selects,
              const schema_dialect_t *dialect)
{
    bool needed = selects && a->selected;
    bool null = may_be_null(a, shape, dialect->version);
    bool read_only = is_answer(shape) && (a->flags & ATTR_SERVER);
    const char *note =
        !a->note && (a->flags & ATTR_UNIQUE) ? UNIQUE_NOTE : a->note;

    json_begin(out, a->name, '{');
    if (a->flags & ATTR_LIST) {
        put_list(out, a, null, dialect);
    } else if (a->type == ATTR_OBJECT) {
        put_one_object(out, a, null, !null && !read_only && !note && !needed,
                       dialect);
    } else {
        put_scalar(out, a, shape, null, dialect);
    }
    if (read_only) {
        json_put_bool(out, "readOnly", true);
    }
    json_put_some(out, "description", str_of(note));
    if (needed) {
        put_needed(out, a);
    }
    json_end(out, '}');
}

void
json_schema_list(buf_t *out, const attr_schema_t *list,
                 const schema_dialect_t *dialect)
{
    put_list(out, list, false, dialect);
}

static void
put_required(buf_t *out, const object_schema_t *object, shape_t shape,
             tmf_version_t version)
{
    bool any = false;

    for (const attr_schema_t *a = object->attrs; a->name; a++) {
        if (!attr_is_of(a, version) || !is_required(a, shape, version)) {
            continue;
        }
        if (!any) {
            json_begin(out, "required", '[');
            any = true;
        }
        json_comma(out);
        buf_json(out, str_of(a->name));
    }
    if (any) { /* an empty list is not allowed by OpenAPI */
        json_end(out, ']');
    }
}

/* Does a value of one attribute make others mandatory? */
static bool
has_selection(const object_schema_t *object, tmf_version_t version)
{
    for (const attr_schema_t *a = object->attrs; a->name; a++) {
        if ((a->flags & ATTR_SELECTS) && attr_is_of(a, version)) {
            return true;
        }
    }
    return false;
}

void
json_schema_members(buf_t *out, const object_schema_t *object, shape_t shape,
                    const schema_dialect_t *dialect)
{
    bool selects = has_selection(object, dialect->version);

    json_put_text(out, "type", STR("object"));
    put_required(out, object, shape, dialect->version);
    json_begin(out, "properties", '{');
    for (const attr_schema_t *a = object->attrs; a->name; a++) {
        if (attr_is_of(a, dialect->version) && !is_left_out(a, shape)) {
            put_attribute(out, a, shape, selects, dialect);
        }
    }
    json_end(out, '}');
}
