/*
 * Events as TMF publishes them in v4. The table of event types is the whole vocabulary (TMF641 v4.1, TMF638 v4.0,
 * TMF633 v4.0).
 */
#include "backend/tmf/event.h"

#include "backend/tmf/member.h"

#define ORDERING(type, resource, description)             \
    {                                                     \
        API_ORDERING, type "Event", resource, description \
    }
#define INVENTORY(type, description)                        \
    {                                                       \
        API_INVENTORY, type "Event", "service", description \
    }
#define CATALOG(type, resource, description)             \
    {                                                    \
        API_CATALOG, type "Event", resource, description \
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
event_type_known(api_t api, str_t type)
{
    int i = event_type_find(type);

    return i >= 0 && event_types[i].api == api;
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

/* The resource with what changed in it. */
static void
put_resource(buf_t *out, const event_record_t *e, const json_t *data,
             const event_type_t *type, const tmf_view_t *v)
{
    static const char *const ours[] = {"id", "href", NULL};
    static const char *const with_path[] = {"id", "href", "fieldPath", NULL};
    const char *const *left_out = has_field_path(type) ? with_path : ours;

    buf_char(out, '{');
    json_put_text(out, "id", e->resource_id);
    member_href(out, "href", v, type->api, type->resource, e->resource_id);
    json_each(m, data)
    {
        if (!member_among(m->name, left_out)) {
            put_changed(out, m, type, v);
        }
    }
    json_end(out, '}');
}

void
event_to_tmf(buf_t *out, arena_t *a, const event_record_t *e, str_t resource,
             const tmf_view_t *v)
{
    int i = event_type_find(e->type);
    const event_type_t *type = &event_types[i < 0 ? 0 : i];
    str_t title = {type->type, strlen(type->type) - strlen("Event")};
    const json_t *data = json_parse(a, e->data, NULL);

    buf_char(out, '{');
    member_uuid(out, "eventId", e->id);
    member_time(out, "eventTime", e->at_us);
    json_put_text(out, "eventType", e->type);
    json_put_some(out, "correlationId", e->correlation);
    json_put_text(out, "domain", str_of(domains[type->api]));
    json_put_text(out, "title", title);
    json_put_text(out, "description", str_of(type->description));
    json_put_text(out, "priority", STR("1"));
    member_time(out, "timeOcurred", e->at_us);
    if (has_field_path(type)) {
        json_put_some(out, "fieldPath", json_text(data, "fieldPath"));
    }
    json_name(out, "event");
    buf_char(out, '{');
    json_name(out, type->resource);
    if (resource.len > 0) {
        buf_str(out, resource);
    } else {
        put_resource(out, e, data, type, v);
    }
    json_end(out, '}');
    json_end(out, '}');
}

void
subscription_to_tmf(buf_t *out, const subscription_record_t *s)
{
    buf_char(out, '{');
    member_uuid(out, "id", s->id);
    json_put_text(out, "callback", s->callback);
    json_put_text(out, "query", s->query);
    json_end(out, '}');
}
