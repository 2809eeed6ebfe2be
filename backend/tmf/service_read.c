/*
 * TMF638 service as a client has written or changed it, to the inventory's
 * record. A table says what becomes of each attribute in the document that is
 * kept; what has a column is not in it, so that nothing is stored twice.
 */
#include "backend/tmf/service.h"

#include <stdio.h>

#include "backend/tmf/characteristics.h"
#include "backend/tmf/member.h"

typedef struct {
    const service_record_t *was; /* NULL, with the next two: of a POST */
    const json_t *stored;        /* was->doc */
    const json_t *shown;
    buf_t *out;
} keeper_t;

static bool
refuse(tmf_error_t *err, const char *pointer, const char *message)
{
    tmf_error_set(err, 400, TMF_CODE_FIELD_INVALID, "Invalid body field",
                  pointer, "%s", message);
    return false;
}

/* Is it as it was shown? */
static bool
is_as_shown(const keeper_t *k, const json_t *m)
{
    const json_t *shown = json_get_str(k->shown, m->name);

    return shown && json_equal(m, shown);
}

/* The member of an object that is to be written: the name, no value yet. */
static void
open_member(buf_t *out, str_t name)
{
    json_comma(out);
    buf_json(out, name);
    buf_char(out, ':');
}

/* A column holds it, unless it is empty. */
static void
keep_text(const keeper_t *k, const json_t *m)
{
    if (m->type == JSON_STRING && m->text.len == 0) {
        member_copy(k->out, m);
    }
}

/* What is shown may be a default, or derived from the state. */
static void
keep_if_sent(const keeper_t *k, const json_t *m)
{
    const json_t *sent =
        is_as_shown(k, m) ? json_get_str(k->stored, m->name) : m;

    if (sent) {
        member_copy(k->out, sent);
    }
}

/* The name and href of another specification than before, unless they are
 * new too. */
static bool
is_stale(const keeper_t *k, const json_t *spec, const json_t *m)
{
    const json_t *shown = json_get(k->shown, "serviceSpecification");
    const json_t *stored = json_get(k->stored, "serviceSpecification");
    const json_t *before = json_get_str(shown, m->name);

    return (str_is(m->name, "name") || str_is(m->name, "href")) && before &&
           json_equal(m, before) &&
           (!str_eq(json_text(spec, "id"), json_text(shown, "id")) ||
            !json_get_str(stored, m->name));
}

/* Beside id and version, which are columns. */
static void
keep_specification(const keeper_t *k, const json_t *m)
{
    static const char *const columns[] = {"id", "version", NULL};

    if (is_as_shown(k, m)) {
        keep_if_sent(k, m);
        return;
    }
    open_member(k->out, m->name);
    buf_char(k->out, '{');
    json_each(v, m)
    {
        if (!member_among(v->name, columns) && !is_stale(k, m, v)) {
            member_copy(k->out, v);
        }
    }
    json_end(k->out, '}');
}

/* What was said of the characteristics; their values are a column. */
static void
keep_described(const keeper_t *k, const json_t *m)
{
    const json_t *shown = json_get_str(k->shown, m->name);
    const json_t *stored = json_get_str(k->stored, m->name);
    const json_t *last_shown = NULL, *last_stored = NULL;

    open_member(k->out, m->name);
    buf_char(k->out, '[');
    json_each(c, m)
    {
        str_t name = json_text(c, "name");
        const json_t *before = member_described(shown, name, &last_shown);
        const json_t *entry = c;

        if (before && json_equal(c, before)) {
            entry = member_described(stored, name, &last_stored);
        }
        if (!entry) {
            continue;
        }
        json_comma(k->out);
        buf_char(k->out, '{');
        json_each(v, entry)
        {
            if (!str_is(v->name, "value")) {
                member_copy(k->out, v);
            }
        }
        json_end(k->out, '}');
    }
    json_end(k->out, ']');
}

static bool
is_shown_item(const json_t *item, const service_record_t *was)
{
    return was && service_is_order_item(item, was);
}

static bool
is_shown_key(const json_t *identifier, const service_record_t *was)
{
    (void) was;
    return service_is_key(identifier);
}

/* A list in which the inventory shows an entry of its own. */
static void
keep_others(const keeper_t *k, const json_t *m,
            bool (*is_own)(const json_t *, const service_record_t *))
{
    open_member(k->out, m->name);
    buf_char(k->out, '[');
    json_each(v, m)
    {
        if (!is_own(v, k->was)) {
            json_comma(k->out);
            buf_str(k->out, v->raw);
        }
    }
    json_end(k->out, ']');
}

static void
keep_identifiers(const keeper_t *k, const json_t *m)
{
    keep_others(k, m, is_shown_key);
}

static void
keep_order_items(const keeper_t *k, const json_t *m)
{
    keep_others(k, m, is_shown_item);
}

/* What becomes of a member in the document that is kept; NULL: it is the
 * inventory's own. All that stand not here are kept as they are. */
static const struct {
    const char *name;
    json_type_t type; /* any other is kept as it is */
    void (*keep)(const keeper_t *k, const json_t *m);
} rules[] = {
    {"id", JSON_STRING, NULL},
    {"href", JSON_STRING, NULL},
    {"state", JSON_STRING, NULL},
    {"operatingStatus", JSON_STRING, NULL},
    {"serviceDate", JSON_STRING, NULL},
    {"version", JSON_STRING, NULL},
    {"versionStateType", JSON_STRING, NULL},
    {"versionStartDate", JSON_STRING, NULL},
    {"versionEndDate", JSON_STRING, NULL},
    {"supportingResource", JSON_ARRAY, NULL},
    {"name", JSON_STRING, keep_text},
    {"category", JSON_STRING, keep_text},
    {"serviceType", JSON_STRING, keep_text},
    {"endDate", JSON_STRING, keep_if_sent},
    {"hasStarted", JSON_BOOL, keep_if_sent},
    {"isServiceEnabled", JSON_BOOL, keep_if_sent},
    {"isBundle", JSON_BOOL, keep_if_sent},
    {"isStateful", JSON_BOOL, keep_if_sent},
    {"@type", JSON_STRING, keep_if_sent},
    {"serviceSpecification", JSON_OBJECT, keep_specification},
    {"serviceCharacteristic", JSON_ARRAY, keep_described},
    {"externalIdentifier", JSON_ARRAY, keep_identifiers},
    {"serviceOrderItem", JSON_ARRAY, keep_order_items},
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

static void
keep_member(const keeper_t *k, const json_t *m)
{
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (!str_is(m->name, rules[i].name)) {
            continue;
        }
        if (m->type == rules[i].type && rules[i].keep) {
            rules[i].keep(k, m);
        }
        return; /* null, or of no use: as if it were not there */
    }
    member_copy(k->out, m);
}

static str_t
keep_rest(arena_t *a, keeper_t k, const json_t *doc)
{
    str_t rest;
    buf_t out;

    buf_init(&out, 2 * (size_t) JSON_MAX_BYTES);
    k.out = &out;
    buf_char(&out, '{');
    json_each(m, doc)
    {
        keep_member(&k, m);
    }
    json_end(&out, '}');
    rest = buf_failed(&out) ? STR_NONE : arena_str(a, buf_view(&out));
    buf_free(&out);
    return rest;
}

static bool
read_operating_status(const json_t *doc, str_t *ret, tmf_error_t *err)
{
    const json_t *v = json_get(doc, "operatingStatus");

    *ret = STR_NONE;
    if (!v || v->type == JSON_NULL) {
        return true;
    }
    *ret = v->text;
    return (v->type == JSON_STRING && operating_status_known(v->text)) ||
           refuse(err, "/operatingStatus",
                  "operatingStatus is none of TMF638's");
}

static bool
read_columns(arena_t *a, const json_t *doc, service_record_t *ret,
             tmf_error_t *err)
{
    const json_t *spec = json_get(doc, "serviceSpecification");
    const json_t *list = json_get(doc, "serviceCharacteristic");
    const json_t *resources = json_get(doc, "supportingResource");

    if (!doc || doc->type != JSON_OBJECT) {
        return refuse(err, "", "a service must be an object");
    }
    if (!service_state_parse(json_text(doc, "state"), &ret->state)) {
        return refuse(err, "/state", "state must be a service's");
    }
    ret->name = json_text(doc, "name");
    ret->category = json_text(doc, "category");
    ret->service_type = json_text(doc, "serviceType");
    ret->spec_id = json_text(spec, "id");
    ret->spec_version = json_text(spec, "version");
    ret->resources =
        resources && resources->type == JSON_ARRAY ? resources->raw : STR_NONE;
    if (ret->spec_id.len == 0) {
        return refuse(err, "/serviceSpecification/id",
                      "a service is of a specification");
    }
    return read_operating_status(doc, &ret->operating_status, err) &&
           characteristics_from_tmf(
               a, list && list->type != JSON_NULL ? list : NULL,
               "/serviceCharacteristic", &ret->characteristics, err);
}

static bool
too_large(tmf_error_t *err)
{
    tmf_error_set(err, 413, TMF_CODE_TOO_LARGE, "Too large", NULL,
                  "the service is too large");
    return false;
}

bool
service_from_tmf(arena_t *a, const json_t *doc, service_record_t *ret,
                 tmf_error_t *err)
{
    keeper_t k = {.was = NULL};
    const json_t *date = json_get(doc, "serviceDate");
    long long created = NO_TIME;

    if (!read_columns(a, doc, ret, err)) {
        return false;
    }
    if (date && date->type != JSON_NULL &&
        (date->type != JSON_STRING || !rfc3339_parse(date->text, &created))) {
        return refuse(err, "/serviceDate",
                      "serviceDate is no RFC 3339 date-time");
    }
    ret->created_us = created;
    ret->doc = keep_rest(a, k, doc);
    ret->party_count = member_parties(a, doc, &ret->parties);
    return ret->doc.len > 0 || too_large(err);
}

/* Ours is there as it was shown, or not at all. */
static bool
keeps_key(const service_record_t *was, const json_t *doc, tmf_error_t *err)
{
    int i = 0;

    json_each(v, json_get(doc, "externalIdentifier"))
    {
        if (service_is_key(v) && !str_eq(json_text(v, "id"), was->key)) {
            char pointer[64];

            snprintf(pointer, sizeof(pointer), "/externalIdentifier/%d/id", i);
            return refuse(err, pointer,
                          "the inventory's key cannot be "
                          "changed");
        }
        i++;
    }
    return true;
}

bool
service_from_patch(arena_t *a, const service_record_t *was,
                   const json_t *shown, const json_t *doc,
                   service_record_t *ret, tmf_error_t *err)
{
    keeper_t k = {
        .was = was, .stored = json_parse(a, was->doc, NULL), .shown = shown};

    *ret = *was;
    if (!read_columns(a, doc, ret, err) || !keeps_key(was, doc, err)) {
        return false;
    }
    ret->doc = keep_rest(a, k, doc);
    ret->party_count = member_parties(a, doc, &ret->parties);
    return ret->doc.len > 0 || too_large(err);
}

/* Is it the first name of the pointer (RFC 6901)? Its length there, or 0. */
static size_t
begins_with(const char *pointer, str_t name)
{
    const char *p = pointer + 1;

    for (size_t i = 0; i < name.len; i++) {
        char c = *p++;

        if (c == '~') {
            c = *p++ == '0' ? '~' : '/';
        } else if (c == '/') {
            return 0;
        }
        if (c != name.data[i]) {
            return 0;
        }
    }
    return *p == '/' || *p == '\0' ? (size_t) (p - pointer) : 0;
}

/* The first name of a pointer is a characteristic's; the rest is in its value.
 * One that is missing stands nowhere: then the list itself. */
void
service_characteristic_error(const json_t *doc,
                             const specification_error_t *fault,
                             tmf_error_t *err)
{
    char pointer[sizeof(fault->pointer) + 64] = "/serviceCharacteristic";
    int i = 0;

    json_each(c, json_get(doc, "serviceCharacteristic"))
    {
        size_t len = fault->pointer[0] == '/'
                         ? begins_with(fault->pointer, json_text(c, "name"))
                         : 0;

        if (len > 0) {
            snprintf(pointer, sizeof(pointer),
                     "/serviceCharacteristic/%d/value%s", i,
                     fault->pointer + len);
        }
        i++;
    }
    tmf_error_set(err, 400, TMF_CODE_FIELD_INVALID, "Invalid body field",
                  pointer, "characteristic %s: %s", fault->pointer,
                  fault->message);
}
