/*
 * A subscription's query, read once: what it can never be sent is refused
 * here, so that nobody waits for it.
 */
#include <stdarg.h>
#include <stdio.h>

#include "backend/tmf/event_condition.h"

#define MESSAGE_MAX 512
#define SHOWN_MAX   64 /* bytes of a path or value in a message */

#define SHOWN(s) \
    (int) ((s).len < SHOWN_MAX ? (s).len : SHOWN_MAX), (s).data ? (s).data : ""

/* All that an envelope can hold; what is in event, its resource's schema says.
 * eventType is no condition on the envelope: it decides what is stored. */
static const object_schema_t envelope = {
    "Event",
    (const attr_schema_t[]){
        {.name = "eventId", .type = ATTR_STRING},
        {.name = "eventTime", .type = ATTR_DATE_TIME},
        {.name = "correlationId", .type = ATTR_STRING},
        {.name = "domain", .type = ATTR_STRING},
        {.name = "title", .type = ATTR_STRING},
        {.name = "description", .type = ATTR_STRING},
        {.name = "priority", .type = ATTR_STRING},
        {.name = "timeOcurred", .type = ATTR_DATE_TIME},
        {.name = "fieldPath", .type = ATTR_STRING, .flags = ATTR_V4},
        {.name = "timeOccurred", .type = ATTR_DATE_TIME, .flags = ATTR_V5},
        {.name = "@type", .type = ATTR_STRING, .flags = ATTR_V5},
        {.name = "@baseType", .type = ATTR_STRING, .flags = ATTR_V5},
        {.name = "event", .type = ATTR_OBJECT},
        {.name = NULL},
    },
};

typedef struct {
    arena_t *arena;
    api_t api;
    tmf_version_t version;
    const query_t *query;
    event_filter_t *filter;
    tmf_error_t *err;
} reading_t;

/* Always false. */
static bool __attribute__((format(printf, 2, 3)))
refuse(tmf_error_t *err, const char *fmt, ...)
{
    char message[MESSAGE_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    tmf_error_set(err, 400, TMF_CODE_FIELD_INVALID, "Invalid body field",
                  "/query", "%s", message);
    return false;
}

/* The types of an API, of one resource or (NULL) of all. */
static uint32_t
types_of(api_t api, tmf_version_t version, const str_t *resource)
{
    const event_type_t *t;
    uint32_t set = 0;

    for (int i = 0; (t = event_type_at(i)) != NULL; i++) {
        if (event_type_is_of(t, api, version) &&
            (!resource || str_is(*resource, t->resource))) {
            set |= UINT32_C(1) << i;
        }
    }
    return set;
}

/* Only events of these types can meet a condition. */
static void
narrow(reading_t *r, uint32_t types)
{
    uint32_t *wanted = &r->filter->wanted;

    *wanted = r->query->any ? *wanted | types : *wanted & types;
}

/* What its value is, by the schema of the resource that the event carries. */
static attr_type_t
type_of(const reading_t *r, const query_filter_t *f)
{
    const resource_t *resource;

    if (f->step_count < 2 || !str_is(f->steps[0], "event")) {
        return schema_type(&envelope, f->steps, f->step_count);
    }
    resource = resource_find(r->api, f->steps[1]);
    return schema_type(resource ? resource->create : NULL, f->steps + 2,
                       f->step_count - 2);
}

/* Is there such a thing in an event of the API? Then only those that carry the
 * resource can be meant, but where nothing may be there as well. */
static bool
check_path(reading_t *r, const query_filter_t *f)
{
    uint32_t all = types_of(r->api, r->version, NULL), carriers;

    if (!attr_find(&envelope, f->steps[0], r->version)) {
        return refuse(r->err,
                      "an event has no \"%.*s\"; conditions begin with "
                      "eventType, eventTime ..., or event. and the resource",
                      SHOWN(f->path));
    }
    if (f->step_count < 2 || !str_is(f->steps[0], "event")) {
        narrow(r, all);
        return true;
    }
    carriers = types_of(r->api, r->version, &f->steps[1]);
    if (carriers == 0) {
        return refuse(r->err, "no event of this API holds a \"%.*s\"",
                      SHOWN(f->steps[1]));
    }
    narrow(r, f->op == QUERY_NE ? all : carriers);
    return true;
}

static event_operand_t
read_operand(arena_t *a, str_t value)
{
    event_operand_t o = {.text = arena_str(a, value)};
    const json_t *v = json_parse(a, o.text, NULL);

    if (v && v->raw.len == o.text.len &&
        (v->type == JSON_NUMBER || v->type == JSON_BOOL ||
         v->type == JSON_NULL)) {
        o.spelt = v;
    }
    if (o.spelt && v->type == JSON_NUMBER) {
        (void) event_number(o.text, &o.number);
    }
    o.is_time = rfc3339_parse(o.text, &o.us);
    return o;
}

/* Greater and less take a value of the attribute's kind; an unknown
 * attribute's kind is that of the value. */
static bool
check_order(reading_t *r, const event_condition_t *c, const query_filter_t *f,
            const event_operand_t *o)
{
    switch (c->type) {
    case ATTR_INTEGER:
    case ATTR_NUMBER:
        return (o->spelt && o->spelt->type == JSON_NUMBER) ||
               refuse(r->err, "%.*s is compared with a number, not \"%.*s\"",
                      SHOWN(f->path), SHOWN(o->text));
    case ATTR_DATE_TIME:
        return o->is_time ||
               refuse(r->err,
                      "%.*s is compared with an RFC 3339 date-time (its \"+\" "
                      "sent as %%2B), not \"%.*s\"",
                      SHOWN(f->path), SHOWN(o->text));
    case ATTR_BOOLEAN:
    case ATTR_ENUM:
    case ATTR_OBJECT:
        return refuse(r->err,
                      "%.*s has no order: only =, .eq and .ne compare it",
                      SHOWN(f->path));
    default:
        return true;
    }
}

static str_t *
copy_names(arena_t *a, const str_t *names, int n)
{
    str_t *copy = arena_array(a, str_t, (size_t) n);

    for (int i = 0; i < n; i++) {
        copy[i] = arena_str(a, names[i]);
    }
    return copy;
}

static bool
add_condition(reading_t *r, const query_filter_t *f, attr_type_t type)
{
    event_condition_t *c = &r->filter->conditions[r->filter->condition_count];
    event_operand_t *values =
        arena_array(r->arena, event_operand_t, (size_t) f->value_count);
    bool orders = f->op != QUERY_EQ && f->op != QUERY_NE;

    *c = (event_condition_t){
        .op = f->op,
        .type = type,
        .path = {copy_names(r->arena, f->steps, f->step_count), f->step_count},
        .values = values,
        .value_count = f->value_count,
    };
    for (int i = 0; i < f->value_count; i++) {
        values[i] =
            read_operand(r->arena, r->query->values[f->first_value + i]);
        if (orders && !check_order(r, c, f, &values[i])) {
            return false;
        }
    }
    r->filter->condition_count++;
    return true;
}

static bool
read_condition(reading_t *r, const query_filter_t *f)
{
    if (f->op == QUERY_REGEX) {
        return refuse(r->err,
                      "%.*s: a subscription takes no regular expressions",
                      SHOWN(f->path));
    }
    return check_path(r, f) && add_condition(r, f, type_of(r, f));
}

/* Types decide what is kept; only beside an alternative they are a condition
 * on the envelope as well. */
static bool
read_types(reading_t *r, const query_filter_t *f)
{
    uint32_t named = 0;

    if (f->op != QUERY_EQ && f->op != QUERY_NE) {
        return refuse(r->err, "eventType is a name: only =, .eq and .ne "
                              "compare it");
    }
    for (int i = 0; i < f->value_count; i++) {
        str_t value = r->query->values[f->first_value + i];

        if (!event_type_known(r->api, r->version, value)) {
            return refuse(r->err, "this API has no event type \"%.*s\"",
                          SHOWN(value));
        }
        named |= UINT32_C(1) << event_type_find(value);
    }
    narrow(r, f->op == QUERY_EQ ? named
                                : types_of(r->api, r->version, NULL) & ~named);
    return !r->query->any || add_condition(r, f, ATTR_ENUM);
}

static bool
read_field(reading_t *r, str_t field)
{
    event_path_t *p = &r->filter->fields[r->filter->field_count++];
    str_t names[QUERY_MAX_STEPS];
    size_t from = 0;

    for (size_t i = 0; i <= field.len; i++) {
        if (i < field.len && field.data[i] != '.') {
            continue;
        }
        if (i == from || p->count == QUERY_MAX_STEPS) {
            return refuse(r->err, "fields: \"%.*s\" has %s", SHOWN(field),
                          i == from ? "an empty name" : "too many names");
        }
        names[p->count++] = (str_t){field.data + from, i - from};
        from = i + 1;
    }
    p->names = copy_names(r->arena, names, p->count);
    return true;
}

static bool
read_query(reading_t *r)
{
    const query_t *q = r->query;
    event_filter_t *f = r->filter;

    if (q->limit >= 0 || q->has_offset || q->sort_count > 0) {
        return refuse(r->err, "a subscription's query takes conditions and "
                              "fields, neither offset, limit nor sort");
    }
    f->any = q->any;
    f->wanted = q->any ? 0 : types_of(r->api, r->version, NULL);
    f->conditions =
        arena_array(r->arena, event_condition_t, (size_t) q->filter_count + 1);
    for (int i = 0; i < q->filter_count; i++) {
        const query_filter_t *c = &q->filters[i];

        if (!(str_is(c->path, "eventType") ? read_types(r, c)
                                           : read_condition(r, c))) {
            return false;
        }
    }
    f->has_fields = q->has_fields;
    f->fields =
        arena_array(r->arena, event_path_t, (size_t) q->field_count + 1);
    for (int i = 0; i < q->field_count; i++) {
        if (!read_field(r, q->fields[i])) {
            return false;
        }
    }
    f->narrowed = f->wanted != types_of(r->api, r->version, NULL);
    return f->wanted != 0 ||
           refuse(r->err, "no event can be what all conditions ask for");
}

event_filter_t *
event_filter_parse(arena_t *a, api_t api, tmf_version_t version, str_t query,
                   tmf_error_t *err)
{
    event_filter_t *f = arena_new(a, event_filter_t);
    tmf_error_t fault;
    arena_t *scratch; /* a query_t is too large for a stack, and to be kept */
    query_t *q;
    bool good;

    f->wanted = types_of(api, version, NULL);
    if (query.len == 0) {
        return f;
    }
    scratch = arena_create();
    q = arena_new(scratch, query_t);
    if (query_parse(q, query, &fault) < 0) {
        good = refuse(err, "%s", fault.message);
    } else {
        good = read_query(&(reading_t){a, api, version, q, f, err});
    }
    arena_free(scratch);
    return good ? f : NULL;
}

bool
event_filter_match(const event_filter_t *f, str_t type)
{
    int i = event_type_find(type);

    return i >= 0 && (f->wanted & UINT32_C(1) << i) != 0;
}

const str_t *
event_filter_types(const event_filter_t *f, arena_t *a, int *ret_count)
{
    const event_type_t *t;
    str_t *types;

    *ret_count = 0;
    if (!f->narrowed) {
        return NULL;
    }
    types = arena_array(a, str_t, EVENT_TYPES_MAX);
    for (int i = 0; (t = event_type_at(i)) != NULL; i++) {
        if (f->wanted & UINT32_C(1) << i) {
            types[(*ret_count)++] = str_of(t->type);
        }
    }
    return types;
}

bool
event_filter_has_conditions(const event_filter_t *f)
{
    return f->condition_count > 0;
}

bool
event_filter_has_fields(const event_filter_t *f)
{
    return f->has_fields;
}
