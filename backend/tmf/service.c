/*
 * TMF638 service: one contract composed of a stable instance and one of its
 * configurations (seed 2, VersionedService), and of what the order's service
 * object held beside it. A table says which attributes are the inventory's;
 * everything else in the document is the client's.
 */
#include "backend/tmf/service.h"

#include "backend/tmf/dialect.h"
#include "backend/tmf/member.h"

/* Of externalIdentifier entries that are made here. */
#define KEY_OWNER "turnup"
#define KEY_TYPE  "KEY"

typedef struct {
    buf_t *out;
    arena_t *arena;
    const service_record_t *service;
    const tmf_view_t *view;
    const json_t *doc; /* as ordered; or NULL */
} writer_t;

/* What the client said under that name, or NULL. */
static const json_t *
sent(const writer_t *w, const char *name, json_type_t type)
{
    const json_t *v = json_get(w->doc, name);

    return v && v->type == type ? v : NULL;
}

static void
put_text_or_sent(const writer_t *w, const char *name, str_t text)
{
    const json_t *v = sent(w, name, JSON_STRING);

    if (text.len > 0) {
        json_put_text(w->out, name, text);
    } else if (v) {
        json_put_raw(w->out, name, v->raw);
    }
}

static void
put_bool_or(const writer_t *w, const char *name, bool dflt)
{
    const json_t *v = sent(w, name, JSON_BOOL);

    json_put_bool(w->out, name, v ? str_is(v->text, "true") : dflt);
}

static void
put_id(const writer_t *w, const char *name)
{
    member_uuid(w->out, name, w->service->id);
}

static void
put_href(const writer_t *w, const char *name)
{
    char id[UUID_TEXT + 1];

    uuid_print(w->service->id, id);
    member_href(w->out, name, w->view, API_INVENTORY, "service", str_of(id));
}

static void
put_name(const writer_t *w, const char *name)
{
    put_text_or_sent(w, name, w->service->name);
}

static void
put_category(const writer_t *w, const char *name)
{
    put_text_or_sent(w, name, w->service->category);
}

static void
put_service_type(const writer_t *w, const char *name)
{
    put_text_or_sent(w, name, w->service->service_type);
}

static void
put_service_date(const writer_t *w, const char *name)
{
    member_time(w->out, name, w->service->created_us);
}

static bool
was_started(service_state_t s)
{
    return s == SERVICE_ACTIVE || s == SERVICE_SUSPENDED;
}

static void
put_start_date(const writer_t *w, const char *name)
{
    const json_t *v = sent(w, name, JSON_STRING);

    if (v) {
        json_put_raw(w->out, name, v->raw);
    } else if (was_started(w->service->state)) {
        member_time(w->out, name, w->service->valid_from_us);
    }
}

/* A service ends when its last configuration begins to be `terminated`. */
static void
put_end_date(const writer_t *w, const char *name)
{
    const service_record_t *s = w->service;
    const json_t *v = sent(w, name, JSON_STRING);

    if (s->valid_to_us != NO_TIME) {
        member_time(w->out, name, s->valid_to_us);
    } else if (s->state == SERVICE_TERMINATED) {
        member_time(w->out, name, s->valid_from_us);
    } else if (v) {
        json_put_raw(w->out, name, v->raw);
    }
}

static void
put_state(const writer_t *w, const char *name)
{
    json_put_text(w->out, name, str_of(service_state_name(w->service->state)));
}

static void
put_operating_status(const writer_t *w, const char *name)
{
    json_put_some(w->out, name, w->service->operating_status);
}

/* Started and enabled, until the client knows better. */
static void
put_if_active(const writer_t *w, const char *name)
{
    put_bool_or(w, name, w->service->state == SERVICE_ACTIVE);
}

static void
put_false(const writer_t *w, const char *name)
{
    put_bool_or(w, name, false);
}

static void
put_true(const writer_t *w, const char *name)
{
    put_bool_or(w, name, true);
}

/* Of a specification that is not in the catalog a client knows more: of
 * services that were activated elsewhere. */
static void
put_specification(const writer_t *w, const char *name)
{
    static const char *const ours[] = {"id", "version", NULL};
    const service_record_t *s = w->service;
    const json_t *v = sent(w, name, JSON_OBJECT);
    bool known = s->spec_name.len > 0;

    if (s->spec_id.len == 0) {
        return;
    }
    json_name(w->out, name);
    buf_char(w->out, '{');
    json_put_text(w->out, "id", s->spec_id);
    if (known || !json_get(v, "href")) {
        member_href(w->out, "href", w->view, API_CATALOG,
                    "serviceSpecification", s->spec_id);
    }
    json_put_some(w->out, "version", s->spec_version);
    json_put_some(w->out, "name", s->spec_name);
    json_each(m, v)
    {
        bool catalogs =
            known && (str_is(m->name, "name") || str_is(m->name, "href"));
        if (!catalogs && !member_among(m->name, ours)) {
            member_copy(w->out, m);
        }
    }
    json_end(w->out, '}');
}

static void
put_characteristics(const writer_t *w, const char *name)
{
    member_characteristics(
        w->out, json_parse(w->arena, w->service->characteristics, NULL),
        sent(w, name, JSON_ARRAY));
}

static void
put_resources(const writer_t *w, const char *name)
{
    const json_t *v = sent(w, name, JSON_ARRAY);

    if (w->service->resources.len > 0) {
        json_put_raw(w->out, name, w->service->resources);
    } else if (v) {
        json_put_raw(w->out, name, v->raw);
    }
}

/* A client that sends back what it once got here sends ours, too. */
bool
service_is_key(const json_t *identifier)
{
    return str_is(json_text(identifier, "owner"), KEY_OWNER) &&
           str_is(json_text(identifier, "externalIdentifierType"), KEY_TYPE);
}

static void
put_identifiers(const writer_t *w, const char *name)
{
    const json_t *v = sent(w, name, JSON_ARRAY);

    if (!v && w->service->key.len == 0) {
        return;
    }
    json_name(w->out, name);
    buf_char(w->out, '[');
    if (w->service->key.len > 0) {
        buf_char(w->out, '{');
        json_put_text(w->out, "owner", STR(KEY_OWNER));
        json_put_text(w->out, "externalIdentifierType", STR(KEY_TYPE));
        json_put_text(w->out, "id", w->service->key);
        json_end(w->out, '}');
    }
    json_each(identifier, v)
    {
        if (!service_is_key(identifier)) {
            json_comma(w->out);
            buf_str(w->out, identifier->raw);
        }
    }
    json_end(w->out, ']');
}

bool
service_is_order_item(const json_t *item, const service_record_t *s)
{
    uuid_t order;

    return !uuid_is_nil(s->order_id) &&
           uuid_parse(json_text(item, "serviceOrderId"), &order) &&
           uuid_eq(order, s->order_id) &&
           str_eq(json_text(item, "itemId"), s->item_id);
}

static void
put_order_item(const writer_t *w, const char *name)
{
    const service_record_t *s = w->service;
    const json_t *v = sent(w, name, JSON_ARRAY);
    char text[UUID_TEXT + 1];
    str_t order = {text, UUID_TEXT};

    if (!v && uuid_is_nil(s->order_id)) {
        return;
    }
    uuid_print(s->order_id, text);
    json_name(w->out, name);
    buf_char(w->out, '[');
    if (!uuid_is_nil(s->order_id)) {
        buf_char(w->out, '{');
        json_put_text(w->out, "serviceOrderId", order);
        member_href(w->out, "serviceOrderHref", w->view, API_ORDERING,
                    "serviceOrder", order);
        json_put_text(w->out, "itemId", s->item_id);
        json_end(w->out, '}');
    }
    json_each(item, v)
    {
        if (!service_is_order_item(item, s)) {
            json_comma(w->out);
            buf_str(w->out, item->raw);
        }
    }
    json_end(w->out, ']');
}

static void
put_version(const writer_t *w, const char *name)
{
    if (!uuid_is_nil(w->service->configuration_id)) {
        member_uuid(w->out, name, w->service->configuration_id);
    }
}

static void
put_version_state(const writer_t *w, const char *name)
{
    json_put_some(w->out, name, w->service->timeline);
}

static void
put_version_start(const writer_t *w, const char *name)
{
    member_time(w->out, name, w->service->valid_from_us);
}

static void
put_version_end(const writer_t *w, const char *name)
{
    if (w->service->valid_to_us == NO_TIME) {
        json_put_raw(w->out, name, STR("null"));
    } else {
        member_time(w->out, name, w->service->valid_to_us);
    }
}

static void
put_type(const writer_t *w, const char *name)
{
    const json_t *v = sent(w, name, JSON_STRING);

    json_put_text(w->out, name, v ? v->text : STR("Service"));
}

static const struct {
    const char *name;
    void (*put)(const writer_t *w, const char *name);
} own[] = {
    {"id", put_id},
    {"href", put_href},
    {"name", put_name},
    {"category", put_category},
    {"serviceType", put_service_type},
    {"serviceDate", put_service_date},
    {"startDate", put_start_date},
    {"endDate", put_end_date},
    {"state", put_state},
    {"operatingStatus", put_operating_status},
    {"hasStarted", put_if_active},
    {"isServiceEnabled", put_if_active},
    {"isBundle", put_false},
    {"isStateful", put_true},
    {"serviceSpecification", put_specification},
    {"serviceCharacteristic", put_characteristics},
    {"supportingResource", put_resources},
    {"externalIdentifier", put_identifiers},
    {"serviceOrderItem", put_order_item},
    {"version", put_version},
    {"versionStateType", put_version_state},
    {"versionStartDate", put_version_start},
    {"versionEndDate", put_version_end},
    {"@type", put_type},
};

#define OWN_COUNT (sizeof(own) / sizeof(own[0]))

static bool
is_own(str_t name)
{
    for (size_t i = 0; i < OWN_COUNT; i++) {
        if (str_is(name, own[i].name)) {
            return true;
        }
    }
    return false;
}

void
service_to_kept(buf_t *out, arena_t *a, const service_record_t *s,
                const tmf_view_t *v)
{
    writer_t w = {out, a, s, v, json_parse(a, s->doc, NULL)};

    buf_char(out, '{');
    for (size_t i = 0; i < OWN_COUNT; i++) {
        if (member_shown(v, str_of(own[i].name))) {
            own[i].put(&w, own[i].name);
        }
    }
    json_each(m, w.doc)
    {
        if (!is_own(m->name) && member_shown(v, m->name)) {
            member_copy(out, m);
        }
    }
    json_end(out, '}');
}

void
service_change_members(buf_t *out, const service_record_t *s)
{
    json_put_some(out, "name", s->name);
    json_put_text(out, "state", str_of(service_state_name(s->state)));
    json_put_some(out, "operatingStatus", s->operating_status);
    if (s->spec_id.len > 0) {
        json_name(out, "serviceSpecification");
        buf_char(out, '{');
        json_put_text(out, "id", s->spec_id);
        json_put_some(out, "version", s->spec_version);
        json_put_some(out, "name", s->spec_name);
        json_end(out, '}');
    }
    /* An object here, TMF's list when the event is shown (event.c). */
    member_some_raw(out, "serviceCharacteristic", s->characteristics);
}

void
service_to_tmf(buf_t *out, arena_t *a, const service_record_t *s,
               const tmf_view_t *v)
{
    const object_schema_t *schema;
    const json_t *doc;
    buf_t kept;

    if (view_version(v) == TMF_V4) {
        service_to_kept(out, a, s, v);
        return;
    }
    schema = resource_find(API_INVENTORY, STR("service"))->create;
    buf_init(&kept, out->max);
    service_to_kept(&kept, a, s, v);
    doc = json_parse(a, arena_str(a, buf_view(&kept)), NULL);
    if (doc) {
        dialect_show(out, schema, doc);
    }
    buf_free(&kept);
}

void
service_change_data(buf_t *out, const service_record_t *s,
                    const char *field_path)
{
    buf_char(out, '{');
    service_change_members(out, s);
    json_put_some(out, "fieldPath", str_of(field_path));
    json_end(out, '}');
}
