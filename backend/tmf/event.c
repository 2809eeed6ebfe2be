/*
 * Events as TMF publishes them. The table of event types is the whole
 * vocabulary (TMF641 v4.1, TMF638 v4.0 and v5.0, TMF633 v4.0).
 */
#include "backend/tmf/event.h"

#include "backend/tmf/dialect.h"
#include "backend/tmf/member.h"

#define ORDERING(type, resource, description)                    \
    {                                                            \
        API_ORDERING, type "Event", resource, description, false \
    }
#define INVENTORY(type, description)                               \
    {                                                              \
        API_INVENTORY, type "Event", "service", description, false \
    }
#define CATALOG(type, resource, description)                    \
    {                                                           \
        API_CATALOG, type "Event", resource, description, false \
    }

static const event_type_t event_types[] = {
    ORDERING("ServiceOrderCreate", "serviceOrder",
             "A service order was created."),
    ORDERING("ServiceOrderAttributeValueChange", "serviceOrder",
             "Attributes of a service order changed."),
    ORDERING("ServiceOrderStateChange", "serviceOrder",
             "A service order changed its state."),
    ORDERING("ServiceOrderDelete", "serviceOrder",
             "A service order was deleted."),
    ORDERING("ServiceOrderInformationRequired", "serviceOrder",
             "A service order needs further information."),
    ORDERING("ServiceOrderMilestone", "serviceOrder",
             "A service order reached a milestone."),
    ORDERING("ServiceOrderJeopardy", "serviceOrder",
             "A service order is in jeopardy."),
    ORDERING("CancelServiceOrderCreate", "cancelServiceOrder",
             "The cancellation of a service order was requested."),
    ORDERING("CancelServiceOrderStateChange", "cancelServiceOrder",
             "The cancellation of a service order changed its state."),
    ORDERING("CancelServiceOrderInformationRequired", "cancelServiceOrder",
             "The cancellation of a service order needs further "
             "information."),
    INVENTORY("ServiceCreate", "A service was created."),
    INVENTORY("ServiceAttributeValueChange",
              "Attributes of a service changed."),
    INVENTORY("ServiceStateChange", "A service changed its state."),
    INVENTORY("ServiceDelete", "A service was deleted."),
    {API_INVENTORY, "ServiceOperatingStatusChangeEvent", "service",
     "A service changed its operating status.", true},
    CATALOG("ServiceCatalogCreate", "serviceCatalog",
            "A service catalog was created."),
    CATALOG("ServiceCatalogChange", "serviceCatalog",
            "A service catalog changed."),
    CATALOG("ServiceCatalogBatch", "serviceCatalog",
            "A service catalog was changed by a batch."),
    CATALOG("ServiceCatalogDelete", "serviceCatalog",
            "A service catalog was deleted."),
    CATALOG("ServiceCategoryCreate", "serviceCategory",
            "A service category was created."),
    CATALOG("ServiceCategoryChange", "serviceCategory",
            "A service category changed."),
    CATALOG("ServiceCategoryDelete", "serviceCategory",
            "A service category was deleted."),
    CATALOG("ServiceCandidateCreate", "serviceCandidate",
            "A service candidate was created."),
    CATALOG("ServiceCandidateChange", "serviceCandidate",
            "A service candidate changed."),
    CATALOG("ServiceCandidateDelete", "serviceCandidate",
            "A service candidate was deleted."),
    CATALOG("ServiceSpecificationCreate", "serviceSpecification",
            "A service specification was created."),
    CATALOG("ServiceSpecificationChange", "serviceSpecification",
            "A service specification changed."),
    CATALOG("ServiceSpecificationDelete", "serviceSpecification",
            "A service specification was deleted."),
};

#define EVENT_TYPE_COUNT (sizeof(event_types) / sizeof(event_types[0]))

_Static_assert(EVENT_TYPE_COUNT <= EVENT_TYPES_MAX, "one bit of a set a type");

static const char *const domains[API_COUNT] = {
    [API_ORDERING] = "ServiceOrdering",
    [API_INVENTORY] = "ServiceInventory",
    [API_CATALOG] = "ServiceCatalog",
};

const event_type_t *
event_type_at(int number)
{
    return number >= 0 && number < (int) EVENT_TYPE_COUNT
               ? &event_types[number]
               : NULL;
}

int
event_type_find(str_t type)
{
    for (size_t i = 0; i < EVENT_TYPE_COUNT; i++) {
        if (str_is(type, event_types[i].type)) {
            return (int) i;
        }
    }
    return -1;
}

const char *
event_resource(str_t type)
{
    int i = event_type_find(type);

    return i < 0 ? NULL : event_types[i].resource;
}

bool
event_type_is_of(const event_type_t *type, api_t api, tmf_version_t version)
{
    return type->api == api && (version == TMF_V5 || !type->only_v5);
}

bool
event_type_known(api_t api, tmf_version_t version, str_t type)
{
    int i = event_type_find(type);

    return i >= 0 && event_type_is_of(&event_types[i], api, version);
}

/* States are kept by their own names; the strict profile knows fewer. */
static void
put_state(buf_t *out, const json_t *state, const tmf_view_t *v)
{
    order_state_t s;

    if (order_state_parse(state->text, &s)) {
        json_put_text(out, "state", str_of(member_order_state(s, v)));
    } else {
        member_copy(out, state); /* of a service */
    }
}

/* An object with an id and the href that belongs to it, and the rest of it;
 * where it is a service, its characteristics as TMF's list. Of a specification
 * that is not in the catalog a client knows where it is. */
static void
put_reference(buf_t *out, const json_t *ref, const tmf_view_t *v, api_t api,
              const char *resource)
{
    static const char *const ours[] = {"id", "href", NULL};
    str_t id = json_text(ref, "id");
    const json_t *href = json_get(ref, "href");
    bool theirs = api == API_CATALOG && href && href->type == JSON_STRING &&
                  !member_href_leads(href->text, v, api, resource, id);

    json_comma(out);
    buf_json(out, ref->name);
    buf_puts(out, ":{");
    if (id.len > 0) {
        json_put_text(out, "id", id);
    }
    if (theirs) {
        member_copy(out, href);
    } else if (id.len > 0) {
        member_href(out, "href", v, api, resource, id);
    }
    json_each(m, ref)
    {
        if (str_is(m->name, "serviceCharacteristic") &&
            m->type == JSON_OBJECT) {
            member_characteristics(out, m, NULL);
        } else if (!member_among(m->name, ours)) {
            member_copy(out, m);
        }
    }
    json_end(out, '}');
}

static void
put_order_items(buf_t *out, const json_t *items, const tmf_view_t *v)
{
    json_name(out, "serviceOrderItem");
    buf_char(out, '[');
    json_each(item, items)
    {
        json_comma(out);
        buf_char(out, '{');
        json_each(m, item)
        {
            if (str_is(m->name, "state")) {
                put_state(out, m, v);
            } else if (str_is(m->name, "service") && m->type == JSON_OBJECT) {
                put_reference(out, m, v, API_INVENTORY, "service");
            } else {
                member_copy(out, m);
            }
        }
        json_end(out, '}');
    }
    json_end(out, ']');
}

static void
put_changed(buf_t *out, const json_t *m, const event_type_t *type,
            const tmf_view_t *v)
{
    if (str_is(m->name, "state")) {
        put_state(out, m, v);
    } else if (type->api == API_ORDERING && m->type == JSON_ARRAY &&
               str_is(m->name, "serviceOrderItem")) {
        put_order_items(out, m, v);
    } else if (type->api == API_ORDERING && m->type == JSON_OBJECT &&
               str_is(m->name, "serviceOrder")) { /* of a task */
        put_reference(out, m, v, API_ORDERING, "serviceOrder");
    } else if (type->api == API_INVENTORY && m->type == JSON_OBJECT &&
               str_is(m->name, "serviceSpecification")) {
        put_reference(out, m, v, API_CATALOG, "serviceSpecification");
    } else if (type->api == API_INVENTORY && m->type == JSON_OBJECT &&
               str_is(m->name, "serviceCharacteristic")) {
        member_characteristics(out, m, NULL);
    } else {
        member_copy(out, m);
    }
}

/* Only these have a fieldPath, by the published definitions. */
static bool
has_field_path(const event_type_t *type)
{
    return strstr(type->type, "AttributeValueChange") != NULL ||
           strstr(type->type, "InformationRequired") != NULL;
}

/* Is name one of "a,b.c,d", by its first-level attributes? */
static bool
is_on_path(str_t path, str_t name)
{
    size_t at = 0;

    while (at < path.len) {
        size_t len = 0;

        while (at + len < path.len && path.data[at + len] != ',') {
            len++;
        }
        if (len >= name.len && !memcmp(path.data + at, name.data, name.len) &&
            (len == name.len || path.data[at + name.len] == '.')) {
            return true;
        }
        at += len + 1;
    }
    return false;
}

/* What v5 is told of the resource beside id, href and @type; of other types:
 * all. */
static const struct {
    const char *end; /* of the type's name */
    const char *told[3];
    bool field_path; /* and what that names */
} sparse[] = {
    {"AttributeValueChangeEvent", {NULL}, true},
    {"OperatingStatusChangeEvent", {"operatingStatus", NULL}, false},
    {"StateChangeEvent", {"state", "serviceOrder", NULL}, false},
    {"DeleteEvent", {NULL}, false},
};

static bool
ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);

    return len >= n && !strcmp(text + len - n, end);
}

static bool
is_told(const event_type_t *type, const json_t *data, str_t name)
{
    str_t path = json_text(data, "fieldPath");

    for (size_t i = 0; i < sizeof(sparse) / sizeof(sparse[0]); i++) {
        if (ends_with(type->type, sparse[i].end)) {
            return member_among(name, sparse[i].told) ||
                   str_is(name, "@type") ||
                   (sparse[i].field_path &&
                    (path.len == 0 || is_on_path(path, name)));
        }
    }
    return true;
}

/* The resource with what changed in it. */
static void
put_resource(buf_t *out, const event_record_t *e, const json_t *data,
             const event_type_t *type, const tmf_view_t *v)
{
    static const char *const ours[] = {"id", "href", NULL};
    static const char *const with_path[] = {"id", "href", "fieldPath", NULL};
    const char *const *left_out = has_field_path(type) ? with_path : ours;
    bool all = view_version(v) == TMF_V4;

    buf_char(out, '{');
    json_put_text(out, "id", e->resource_id);
    member_href(out, "href", v, type->api, type->resource, e->resource_id);
    json_each(m, data)
    {
        if (!member_among(m->name, left_out) &&
            (all || is_told(type, data, m->name))) {
            put_changed(out, m, type, v);
        }
    }
    json_end(out, '}');
}

/* The same in v5. */
static void
put_resource_v5(buf_t *out, arena_t *a, const event_record_t *e,
                const json_t *data, const event_type_t *type,
                const tmf_view_t *v)
{
    const resource_t *resource =
        resource_find(type->api, str_of(type->resource));
    const json_t *doc;
    buf_t kept;

    buf_init(&kept, out->max);
    put_resource(&kept, e, data, type, v);
    doc = json_parse(a, arena_str(a, buf_view(&kept)), NULL);
    if (doc && resource) {
        dialect_show(out, resource->create, doc);
    }
    buf_free(&kept);
}

static void
put_times(buf_t *out, const event_record_t *e, tmf_version_t version)
{
    member_time(out, "timeOcurred", e->at_us);
    if (version == TMF_V5) {
        member_time(out, "timeOccurred", e->at_us);
        json_put_text(out, "@type", e->type);
        json_put_text(out, "@baseType", STR("Event"));
    }
}

void
event_to_tmf(buf_t *out, arena_t *a, const event_record_t *e, str_t resource,
             const tmf_view_t *v)
{
    int i = event_type_find(e->type);
    const event_type_t *type = &event_types[i < 0 ? 0 : i];
    str_t title = {type->type, strlen(type->type) - strlen("Event")};
    const json_t *data = json_parse(a, e->data, NULL);
    tmf_version_t version = view_version(v);

    buf_char(out, '{');
    member_uuid(out, "eventId", e->id);
    member_time(out, "eventTime", e->at_us);
    json_put_text(out, "eventType", e->type);
    json_put_some(out, "correlationId", e->correlation);
    json_put_text(out, "domain", str_of(domains[type->api]));
    json_put_text(out, "title", title);
    json_put_text(out, "description", str_of(type->description));
    json_put_text(out, "priority", STR("1"));
    put_times(out, e, version);
    if (has_field_path(type) && version == TMF_V4) {
        json_put_some(out, "fieldPath", json_text(data, "fieldPath"));
    }
    json_begin(out, "event", '{');
    json_name(out, type->resource);
    if (resource.len > 0) {
        buf_str(out, resource);
    } else if (version == TMF_V5) {
        put_resource_v5(out, a, e, data, type, v);
    } else {
        put_resource(out, e, data, type, v);
    }
    json_end(out, '}');
    json_end(out, '}');
}

static api_t
api_of(str_t name)
{
    int api = 0;

    while (api < API_COUNT - 1 && !str_is(name, api_name((api_t) api))) {
        api++;
    }
    return (api_t) api;
}

void
subscription_to_tmf(buf_t *out, const subscription_record_t *s)
{
    tmf_view_t v = {.base = s->base, .version = s->version};
    char id[UUID_TEXT + 1];

    buf_char(out, '{');
    member_uuid(out, "id", s->id);
    if (view_version(&v) == TMF_V5) {
        uuid_print(s->id, id);
        member_href(out, "href", &v, api_of(s->api), "hub", str_of(id));
        json_put_text(out, "@type", STR("Hub"));
    }
    json_put_text(out, "callback", s->callback);
    json_put_text(out, "query", s->query);
    json_end(out, '}');
}
