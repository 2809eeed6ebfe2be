/*
 * The validator, declared in proto/schema.h: walks a body along the tables
 * while it is read and stops at the first fault.
 *
 * Two rule sets meet in one body. An object that is created (all of a POST,
 * and whatever stands in a list of a PATCH, as merge-patch replaces lists
 * whole) must have its mandatory attributes; one that is merged into what is
 * stored must not, but may not delete them either.
 */
#include "proto/schema.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/attr.h"
#include "proto/json.h"
#include "proto/set.h"

#define STATE_ON_CREATE "acknowledged"
#define SHOWN_MAX       64  /* bytes of a client's value in a message */
#define ENUM_TEXT_MAX   256 /* a list of values in a message */
#define NO_SCOPE        (-1)

#define REASON_JSON    "Invalid body"
#define REASON_INVALID "Invalid body field"
#define REASON_MISSING "Missing body field"

/* An open object or list. */
typedef struct {
    const object_schema_t *object; /* NULL: a list */
    const attr_schema_t *attr;     /* of the value now at, or of the list's
                                      elements; NULL: it is not looked at */
    uint64_t seen;                 /* one bit a row of object->attrs */
    uint64_t needed;               /* likewise: mandatory by another's value */
    int elements;                  /* of a list */
    int ids;                       /* scope of ids in a list, or NO_SCOPE */
    bool create;
} level_t;

struct validator {
    const object_schema_t *schema; /* of the body, or */
    const attr_schema_t *list;     /* of what it is a list */
    json_reader_t *reader;
    set_t ids;
    tmf_error_t *err; /* of the call in progress */
    bool refused;     /* *err is filled */
    validate_t rules;
    tmf_version_t version;
    int unknown; /* depth within what the tables do not know */
    int depth;
    level_t levels[JSON_MAX_DEPTH];
};

static const char *const type_texts[] = {
    [ATTR_ANY] = "any value",
    [ATTR_STRING] = "a string",
    [ATTR_BOOLEAN] = "a boolean",
    [ATTR_INTEGER] = "an integer",
    [ATTR_NUMBER] = "a number",
    [ATTR_DATE_TIME] = "an RFC 3339 date-time like 2030-01-31T12:00:00Z",
    [ATTR_URI] = "an absolute http or https URL",
    [ATTR_ENUM] = "a string",
    [ATTR_OBJECT] = "an object",
};

/* What the reader is told when *err says it all. */
static const char refused_here[] = "refused by the resource's rules";

#define REFUSE(v, code, reason, ...)                                    \
    ((v)->refused = true,                                               \
     tmf_error_set((v)->err, 400, code, reason,                         \
                   json_reader_pointer((v)->reader).data, __VA_ARGS__), \
     refused_here)

static const char *
refuse_invalid(validator_t *v, const char *name, const char *expected)
{
    return REFUSE(v, TMF_CODE_FIELD_INVALID, REASON_INVALID, "%s must be %s",
                  name, expected);
}

static const char *
refuse_enum(validator_t *v, const attr_schema_t *attr)
{
    char text[ENUM_TEXT_MAX];
    size_t len = 0;

    for (const char *const *p = attr->values; *p && len < sizeof(text); p++) {
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s%s",
                                 len ? ", " : "", *p);
    }
    return REFUSE(v, TMF_CODE_FIELD_INVALID, REASON_INVALID,
                  "%s must be one of %s", attr->name, text);
}

static const char *
refuse_type(validator_t *v, const attr_schema_t *attr, bool element)
{
    if ((attr->flags & ATTR_LIST) && !element) {
        return refuse_invalid(v, attr->name, "an array");
    }
    if (attr->type == ATTR_ENUM) {
        return refuse_enum(v, attr);
    }
    if (element) {
        return REFUSE(v, TMF_CODE_FIELD_INVALID, REASON_INVALID,
                      "an element of %s must be %s", attr->name,
                      type_texts[attr->type]);
    }
    return refuse_invalid(v, attr->name, type_texts[attr->type]);
}

static level_t *
top(validator_t *v)
{
    return &v->levels[v->depth - 1];
}

static const char *
refuse_null(validator_t *v, const char *name)
{
    return REFUSE(v, TMF_CODE_FIELD_MISSING, REASON_MISSING,
                  "%s is mandatory and must not be null", name);
}

/* The pointer is that of the object; the missing name comes behind it. */
static const char *
refuse_missing(validator_t *v, const char *name)
{
    char pointer[JSON_POINTER_MAX];

    snprintf(pointer, sizeof(pointer), "%s/%s",
             json_reader_pointer(v->reader).data, name);
    tmf_error_set(v->err, 400, TMF_CODE_FIELD_MISSING, REASON_MISSING, pointer,
                  "%s is mandatory", name);
    v->refused = true;
    return refused_here;
}

/* An id must not stand twice in the list that its object is an element of. */
static const char *
check_id(validator_t *v, const attr_schema_t *attr, str_t id)
{
    bool is_new = true;

    if (v->depth < 2 || strcmp(attr->name, "id") != 0) {
        return NULL;
    }
    const level_t *list = &v->levels[v->depth - 2];
    if (list->object || list->ids == NO_SCOPE) {
        return NULL;
    }
    if (set_add(&v->ids, list->ids, id, &is_new) < 0) {
        return JSON_NO_MEMORY;
    }
    if (is_new) {
        return NULL;
    }
    return REFUSE(v, TMF_CODE_FIELD_INVALID, REASON_INVALID,
                  "id \"%.*s\" stands twice in %s",
                  (int) (id.len < SHOWN_MAX ? id.len : SHOWN_MAX), id.data,
                  list->attr->name);
}

/* The rows that this value makes mandatory. */
static void
note_selected(level_t *level, str_t value)
{
    const attr_schema_t *attr = level->object->attrs;

    for (int i = 0; attr[i].name; i++) {
        if (attr[i].selected && attr_is_among(value, attr[i].selected)) {
            level->needed |= UINT64_C(1) << i;
        }
    }
}

static bool
is_never_empty(const validator_t *v, const attr_schema_t *attr)
{
    return (attr->flags & ATTR_NON_EMPTY) &&
           attr_is_mandatory(attr, v->version);
}

static const char *
check_scalar(validator_t *v, const attr_schema_t *attr, bool element,
             json_type_t type, str_t text)
{
    if ((attr->flags & ATTR_LIST) && !element) {
        return refuse_type(v, attr, element);
    }
    if (!attr_fits(attr, type, text)) {
        return refuse_type(v, attr, element);
    }
    if (type != JSON_STRING) {
        return NULL;
    }
    if (is_never_empty(v, attr) && attr_is_blank(text)) {
        return refuse_invalid(v, attr->name, "not blank");
    }
    if (attr->flags & ATTR_SELECTS) {
        note_selected(top(v), text);
    }
    return check_id(v, attr, text);
}

/* Order and item state on create. */
static const char *
check_forbidden(validator_t *v, json_type_t type, str_t text)
{
    if (type == JSON_STRING && str_is(text, STATE_ON_CREATE)) {
        return NULL;
    }
    return refuse_invalid(v, top(v)->attr->name,
                          "absent or \"" STATE_ON_CREATE
                          "\": the server sets it");
}

static bool
is_forbidden(const validator_t *v, const attr_schema_t *attr)
{
    return v->rules == VALIDATE_CREATE && (attr->flags & ATTR_FORBIDDEN);
}

static const char *
refuse_root(validator_t *v)
{
    return REFUSE(v, TMF_CODE_BODY_INVALID, REASON_JSON, "the body must be %s",
                  v->list ? "an array" : "an object");
}

static const char *
on_value(void *ctx, json_type_t type, str_t text, size_t end)
{
    validator_t *v = ctx;

    (void) end;
    if (v->unknown > 0) {
        return NULL;
    }
    if (v->depth == 0) {
        return refuse_root(v);
    }
    level_t *level = top(v);
    const attr_schema_t *attr = level->attr;
    bool element = level->object == NULL;
    level->elements++;
    if (!attr) {
        return NULL;
    }
    if (type == JSON_NULL && !element) {
        return attr_is_mandatory(attr, v->version) ? refuse_null(v, attr->name)
                                                   : NULL;
    }
    if (is_forbidden(v, attr)) {
        return check_forbidden(v, type, text);
    }
    return check_scalar(v, attr, element, type, text);
}

static void
push(validator_t *v, level_t level)
{
    v->levels[v->depth++] = level;
}

static void
push_list(validator_t *v, const attr_schema_t *attr)
{
    push(v,
         (level_t){
             .attr = attr,
             .ids = attr->flags & ATTR_UNIQUE ? set_mark(&v->ids) : NO_SCOPE,
             .create = true,
         });
}

/* The whole body. */
static const char *
open_root(validator_t *v, json_type_t type)
{
    if (type != (v->list ? JSON_ARRAY : JSON_OBJECT)) {
        return refuse_root(v);
    }
    if (v->list) {
        push_list(v, v->list);
    } else {
        push(v, (level_t){
                    .object = v->schema,
                    .ids = NO_SCOPE,
                    .create = v->rules != VALIDATE_MERGE,
                });
    }
    return NULL;
}

/* An object or list begins where one may stand, or is refused. */
static const char *
open_known(validator_t *v, json_type_t type, const level_t *parent)
{
    const attr_schema_t *attr = parent->attr;
    bool element = parent->object == NULL;
    bool as_list = (attr->flags & ATTR_LIST) && !element;

    if (as_list && type == JSON_ARRAY) {
        push_list(v, attr);
        return NULL;
    }
    if (as_list || (attr->type != ATTR_ANY &&
                    (attr->type != ATTR_OBJECT || type != JSON_OBJECT))) {
        return refuse_type(v, attr, element);
    }
    if (attr->type == ATTR_ANY) {
        v->unknown = 1;
        return NULL;
    }
    push(v, (level_t){
                .object = attr->object,
                .ids = NO_SCOPE,
                .create = parent->create,
            });
    return NULL;
}

static const char *
on_open(void *ctx, json_type_t type, size_t end)
{
    validator_t *v = ctx;

    (void) end;
    if (v->unknown > 0) {
        v->unknown++;
        return NULL;
    }
    if (v->depth == 0) {
        return open_root(v, type);
    }
    level_t *parent = top(v);
    parent->elements++;
    if (!parent->attr) {
        v->unknown = 1;
        return NULL;
    }
    if (is_forbidden(v, parent->attr)) {
        return check_forbidden(v, type, STR_NONE);
    }
    return open_known(v, type, parent);
}

/* What is not looked at: what the server sets is not used; what a PATCH may
 * not change is compared by those who have the stored value. */
static unsigned
passed_over(const validator_t *v, const level_t *level)
{
    bool is_result = v->rules == VALIDATE_RESULT && v->depth == 1;

    return level->create && !is_result ? ATTR_SERVER : ATTR_FIXED;
}

/* Sets what the value to come is measured by. */
static const char *
on_member(void *ctx, str_t name, size_t end)
{
    validator_t *v = ctx;

    (void) end;
    if (v->unknown > 0) {
        return NULL;
    }
    level_t *level = top(v);
    const attr_schema_t *attr = level->object->attrs;
    level->attr = NULL;
    for (int i = 0; attr->name && name.len > 0; attr++, i++) {
        if (attr->name[0] == name.data[0] && str_is(name, attr->name) &&
            attr_is_of(attr, v->version)) {
            level->seen |= UINT64_C(1) << i;
            level->attr = attr;
            break;
        }
    }
    if (level->attr && !is_forbidden(v, attr)) {
        if (attr->flags & passed_over(v, level)) {
            level->attr = NULL;
        }
    }
    return NULL;
}

static const char *
check_complete(validator_t *v, const level_t *level)
{
    const attr_schema_t *attr = level->object->attrs;

    for (int i = 0; level->create && attr[i].name; i++) {
        uint64_t bit = UINT64_C(1) << i;

        if (!attr_is_of(&attr[i], v->version) || (level->seen & bit)) {
            continue;
        }
        if (attr_is_mandatory(&attr[i], v->version) || (level->needed & bit)) {
            return refuse_missing(v, attr[i].name);
        }
    }
    return NULL;
}

static const char *
on_close(void *ctx, json_type_t type, size_t end)
{
    validator_t *v = ctx;
    const level_t *level = top(v);

    (void) end;
    if (v->unknown > 0) {
        v->unknown--;
        return NULL;
    }
    v->depth--;
    if (type == JSON_OBJECT) {
        return check_complete(v, level);
    }
    if (level->ids != NO_SCOPE) {
        set_drop(&v->ids, level->ids);
    }
    if (is_never_empty(v, level->attr) && level->elements == 0) {
        return refuse_invalid(v, level->attr->name,
                              "an array with at least one element");
    }
    return NULL;
}

static const json_handler_t handler = {on_value, on_open, on_close, on_member};

static validator_t *
create(const object_schema_t *schema, const attr_schema_t *list,
       validate_t rules, tmf_version_t version)
{
    validator_t *v = malloc(sizeof(*v));

    if (!v) {
        return NULL;
    }
    v->schema = schema;
    v->list = list;
    v->rules = rules;
    v->version = version;
    v->err = NULL;
    v->refused = false;
    v->unknown = 0;
    v->depth = 0;
    set_init(&v->ids);
    v->reader = json_reader_create(&handler, v);
    if (!v->reader) {
        free(v);
        return NULL;
    }
    return v;
}

validator_t *
validator_create(const object_schema_t *schema, validate_t rules,
                 tmf_version_t version)
{
    return create(schema, NULL, rules, version);
}

validator_t *
validator_create_list(const attr_schema_t *list)
{
    return create(NULL, list, VALIDATE_CREATE, TMF_V4);
}

void
validator_free(validator_t *v)
{
    if (v) {
        json_reader_free(v->reader);
        set_free(&v->ids);
        free(v);
    }
}

/* What the reader found, as a client is told. */
static void
report(const json_error_t *json, tmf_error_t *err)
{
    if (!strcmp(json->reason, JSON_TOO_LARGE)) {
        tmf_error_set(err, 413, TMF_CODE_TOO_LARGE, "Body too large", NULL,
                      "the body is larger than %d bytes", JSON_MAX_BYTES);
    } else if (!strcmp(json->reason, JSON_NO_MEMORY)) {
        tmf_error_set(err, 500, TMF_CODE_INTERNAL, "Internal error", NULL,
                      "the body could not be read");
    } else if (!strcmp(json->reason, JSON_EMPTY)) {
        tmf_error_set(err, 400, TMF_CODE_BODY_MISSING, "Missing body", NULL,
                      "a JSON body is mandatory");
    } else {
        tmf_error_set(err, 400, TMF_CODE_BODY_INVALID, REASON_JSON,
                      json->pointer, "%s, near byte %zu", json->reason,
                      json->offset);
    }
}

int
validator_feed(validator_t *v, str_t chunk, tmf_error_t *err)
{
    json_error_t json;

    v->err = err;
    if (json_reader_feed(v->reader, chunk, &json) < 0) {
        if (!v->refused) {
            report(&json, err);
        }
        return -1;
    }
    return 0;
}

int
validator_finish(validator_t *v, tmf_error_t *err)
{
    json_error_t json;

    v->err = err;
    if (json_reader_finish(v->reader, &json) < 0) {
        if (!v->refused) {
            report(&json, err);
        }
        return -1;
    }
    return 0;
}

bool
validator_check(const object_schema_t *schema, validate_t rules,
                tmf_version_t version, str_t body, tmf_error_t *err)
{
    validator_t *v = validator_create(schema, rules, version);

    if (!v) {
        tmf_error_set(err, 500, TMF_CODE_INTERNAL, "Internal error", "",
                      "out of memory");
        return false;
    }
    bool good =
        validator_feed(v, body, err) == 0 && validator_finish(v, err) == 0;
    validator_free(v);
    return good;
}
