/*
 * @type by table and value.
 */
#include "backend/tmf/dialect_type.h"

#include <stdio.h>

#include "proto/attr.h"

#define REF_OR_VALUE "RefOrValue"

/* Kinds of values, one bit each: what an array's elements are, together. */
enum {
    IS_STRING = 1 << 0,
    IS_BOOLEAN = 1 << 1,
    IS_INTEGER = 1 << 2,
    IS_NUMBER = 1 << 3,
    IS_OBJECT = 1 << 4,
    IS_OTHER = 1 << 5 /* null, or an array in an array */
};

/* What TMF's types of values take; of an array it is said of the elements.
 * The first that takes a value is its own. */
static const struct {
    const char *name;
    unsigned takes;
} kinds[] = {
    {"String", IS_STRING},   {"Boolean", IS_BOOLEAN},
    {"Integer", IS_INTEGER}, {"Number", IS_INTEGER | IS_NUMBER},
    {"Object", IS_OBJECT},   {"Float", IS_INTEGER | IS_NUMBER},
    {"Map", IS_OBJECT},
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static unsigned
kind_of(const json_t *v)
{
    switch (v->type) {
    case JSON_STRING:
        return IS_STRING;
    case JSON_BOOL:
        return IS_BOOLEAN;
    case JSON_NUMBER:
        return memchr(v->raw.data, '.', v->raw.len) ||
                       memchr(v->raw.data, 'e', v->raw.len) ||
                       memchr(v->raw.data, 'E', v->raw.len)
                   ? IS_NUMBER
                   : IS_INTEGER;
    case JSON_OBJECT:
        return IS_OBJECT;
    case JSON_ARRAY:
    case JSON_NULL:
        break;
    }
    return IS_OTHER;
}

static unsigned
kinds_of(const json_t *v)
{
    unsigned all = 0;

    if (v->type != JSON_ARRAY) {
        return kind_of(v);
    }
    json_each(element, v)
    {
        all |= kind_of(element);
    }
    return all;
}

/* "IntegerArray"; of what is all kinds at once, the widest: an object. */
static void
print_kind(char *ret, const char *of, const json_t *v)
{
    unsigned all = kinds_of(v);
    const char *name = v->type == JSON_NULL ? "" : "Object";

    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (!(all & ~kinds[i].takes)) {
            name = kinds[i].name;
            break;
        }
    }
    snprintf(ret, DIALECT_TYPE_MAX, "%s%s%s", name,
             v->type == JSON_ARRAY ? "Array" : "", of);
}

/* The value that says what kind of object it is, or NULL. */
static const json_t *
telling_value(const object_schema_t *schema, const json_t *object)
{
    for (const attr_schema_t *attr = schema->attrs; attr->name; attr++) {
        if (attr->flags & ATTR_TYPES) {
            return json_get(object, attr->name);
        }
    }
    return NULL;
}

/* No more than what refers to something? */
static bool
is_reference(const json_t *object)
{
    json_each(m, object)
    {
        if (!str_is(m->name, "id") && !str_is(m->name, "href") &&
            !str_is(m->name, "name") && !str_is(m->name, "role") &&
            !(m->name.len > 0 && m->name.data[0] == '@')) {
            return false;
        }
    }
    return json_get(object, "id") != NULL;
}

/* The letters of name before REF_OR_VALUE, or 0. */
static size_t
before_ref_or_value(const char *name)
{
    size_t len = strlen(name), end = strlen(REF_OR_VALUE);

    return len > end && !strcmp(name + len - end, REF_OR_VALUE) ? len - end
                                                                : 0;
}

/* Has it all that is asked of what has that type? */
static bool
is_whole(const object_schema_t *schema, const json_t *object, str_t type)
{
    for (const attr_schema_t *attr = schema->attrs; attr->name; attr++) {
        if (attr->selected && attr_is_of(attr, TMF_V5) &&
            attr_is_among(type, attr->selected) &&
            !json_get(object, attr->name)) {
            return false;
        }
    }
    return true;
}

/* X or XRef, where schema is XRefOrValue. */
static void
print_ref_or_value(char *ret, const object_schema_t *schema, size_t base,
                   const json_t *object)
{
    bool ref = is_reference(object) ||
               (json_get(object, "id") &&
                !is_whole(schema, object, (str_t){schema->name, base}));

    snprintf(ret, DIALECT_TYPE_MAX, "%.*s%s", (int) base, schema->name,
             ref ? "Ref" : "");
}

bool
dialect_type(char ret[DIALECT_TYPE_MAX], const object_schema_t *schema,
             const json_t *object)
{
    const attr_schema_t *row = attr_find(schema, STR("@type"), TMF_V5);
    const json_t *value = telling_value(schema, object);
    size_t base = before_ref_or_value(schema->name);

    if (!row || !attr_is_mandatory(row, TMF_V5)) {
        return false;
    }
    if (value) {
        print_kind(ret, schema->name, value);
    } else if (base > 0 && (row->flags & ATTR_SELECTS)) {
        print_ref_or_value(ret, schema, base, object);
    } else {
        snprintf(ret, DIALECT_TYPE_MAX, "%s", schema->name);
    }
    return true;
}

/* Does said name a kind, and does v not belong to it? */
static bool
contradicts(str_t said, const char *of, const json_t *v)
{
    size_t len = strlen(of);
    unsigned all = kinds_of(v);

    if (said.len < len || memcmp(said.data + said.len - len, of, len) != 0) {
        return false;
    }
    said.len -= len;
    bool array = said.len > 5 && !memcmp(said.data + said.len - 5, "Array", 5);
    said.len -= array ? 5 : 0;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (str_is(said, kinds[i].name)) {
            return array != (v->type == JSON_ARRAY) ||
                   (all & ~kinds[i].takes) != 0;
        }
    }
    return false;
}

bool
dialect_type_fits(const json_t *said, const object_schema_t *schema,
                  const json_t *object)
{
    const json_t *value = telling_value(schema, object);

    return !value || said->type != JSON_STRING ||
           !contradicts(said->text, schema->name, value);
}

bool
dialect_type_is_flat(const json_t *said)
{
    static const char *const flat[] = {"RelatedParty",
                                       "RelatedPlaceRefOrValue",
                                       "RelatedEntityRefOrValue", NULL};
    for (const char *const *p = flat; *p; p++) {
        if (said->type == JSON_STRING && str_is(said->text, *p)) {
            return true;
        }
    }
    return false;
}
