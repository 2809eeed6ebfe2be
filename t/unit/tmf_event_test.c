/*
 * Event envelopes and hub subscriptions.
 */
#include "t/unit/tmf_check.h"

#include "backend/tmf/event.h"

#define ORDER_HREF                                                            \
    "\"https://api.example/tmf-api/serviceOrdering/v4/serviceOrder/" ORDER_ID \
    "\""
#define SERVICE_HREF                                                        \
    "\"https://api.example/tmf-api/serviceInventory/v4/service/" SERVICE_ID \
    "\""

static event_record_t
record(const char *type, const char *resource, const char *data)
{
    return (event_record_t){
        .id = uuid_of(EVENT_ID),
        .at_us = NEW_YEAR_2030,
        .api = STR("ordering"),
        .type = str_of(type),
        .resource_id = str_of(resource),
        .data = str_of(data),
    };
}

static const json_t *
show(const event_record_t *e, str_t resource, const tmf_view_t *v)
{
    buf_reset(&out);
    event_to_tmf(&out, arena, e, resource, v);
    assert_false(buf_failed(&out));
    return tree_of(arena_str(arena, buf_view(&out)));
}

static void
wraps_a_whole_resource(void **state)
{
    (void) state;
    event_record_t e = record("ServiceOrderCreateEvent", ORDER_ID, "");
    tmf_view_t v = view_all();

    e.correlation = STR("00-1-2-01");
    show(&e, STR("{\"id\":\"x\", \"y\":1}"), &v);
    assert_string_equal(
        out.data,
        "{\"eventId\":\"" EVENT_ID "\",\"eventTime\":"
        "\"2030-01-01T00:00:00.000Z\",\"eventType\":"
        "\"ServiceOrderCreateEvent\",\"correlationId\":\"00-1-2-01\","
        "\"domain\":\"ServiceOrdering\",\"title\":\"ServiceOrderCreate\","
        "\"description\":\"A service order was created.\",\"priority\":\"1\","
        "\"timeOcurred\":\"2030-01-01T00:00:00.000Z\",\"event\":"
        "{\"serviceOrder\":{\"id\":\"x\", \"y\":1}}}");
}

static void
makes_an_order_of_its_data(void **state)
{
    (void) state;
    event_record_t e = record(
        "ServiceOrderStateChangeEvent", ORDER_ID,
        "{\"id\":\"no\",\"href\":\"no\",\"state\":\"pendingExternal\","
        "\"pendingExternal\":{\"party\":\"p\"},\"serviceOrderItem\":["
        "{\"id\":\"1\",\"state\":\"pendingExternal\"},{\"id\":\"2\",\"state\""
        ":\"completed\",\"service\":{\"id\":\"" SERVICE_ID "\","
        "\"serviceCharacteristic\":{\"a\":1,\"b\":\"x\"}}},"
        "{\"id\":\"3\",\"service\":{\"name\":\"new\"}}]}");
    tmf_view_t v = view_all();
    const json_t *r = show(&e, STR_NONE, &v);

    assert_at(r, "/correlationId", NULL);
    r = json_at(r, STR("/event/serviceOrder"));
    assert_at(r, "/id", "\"" ORDER_ID "\"");
    assert_at(r, "/href", ORDER_HREF);
    assert_at(r, "/state", "\"pendingExternal\"");
    assert_at(r, "/pendingExternal", "{\"party\":\"p\"}");
    assert_at(r, "/serviceOrderItem/0/state", "\"pendingExternal\"");
    assert_at(r, "/serviceOrderItem/1/service",
              "{\"id\":\"" SERVICE_ID "\",\"href\":" SERVICE_HREF
              ",\"serviceCharacteristic\":[{\"name\":\"a\",\"value\":1,"
              "\"valueType\":\"integer\"},{\"name\":\"b\",\"value\":\"x\","
              "\"valueType\":\"string\"}]}");
    assert_at(r, "/serviceOrderItem/2/service", "{\"name\":\"new\"}");

    v.strict = true;
    r = json_at(show(&e, STR_NONE, &v), STR("/event/serviceOrder"));
    assert_at(r, "/state", "\"pending\"");
    assert_at(r, "/pendingExternal", "{\"party\":\"p\"}");
    assert_at(r, "/serviceOrderItem/0/state", "\"pending\"");
    assert_at(r, "/serviceOrderItem/1/state", "\"completed\"");
}

static void
makes_a_task_of_its_data(void **state)
{
    (void) state;
    event_record_t e =
        record("CancelServiceOrderStateChangeEvent", EVENT_ID,
               "{\"state\":\"done\",\"serviceOrder\":{\"id\":\"" ORDER_ID
               "\",\"href\":\"no\",\"name\":\"n\"}}");
    tmf_view_t v = view_all();
    const json_t *r = show(&e, STR_NONE, &v);

    assert_at(r, "/event/cancelServiceOrder",
              "{\"id\":\"" EVENT_ID "\",\"href\":\"https://api.example/"
              "tmf-api/serviceOrdering/v4/cancelServiceOrder/" EVENT_ID
              "\",\"state\":\"done\",\"serviceOrder\":{\"id\":"
              "\"" ORDER_ID "\",\"href\":" ORDER_HREF ",\"name\":\"n\"}}");
}

static void
tells_the_path_of_what_changed(void **state)
{
    (void) state;
    event_record_t e = record("ServiceOrderAttributeValueChangeEvent",
                              ORDER_ID, "{\"fieldPath\":\"note,x\\\"y\"}");
    tmf_view_t v = view_all();
    const json_t *r = show(&e, STR("{\"id\":\"whole\"}"), &v);

    assert_at(r, "/fieldPath", "\"note,x\\\"y\"");
    assert_at(r, "/event", "{\"serviceOrder\":{\"id\":\"whole\"}}");
    r = show(&e, STR_NONE, &v); /* it has been deleted */
    assert_at(r, "/fieldPath", "\"note,x\\\"y\"");
    assert_at(r, "/event",
              "{\"serviceOrder\":{\"id\":\"" ORDER_ID "\",\"href\":" ORDER_HREF
              "}}");
    e = record("ServiceOrderAttributeValueChangeEvent", ORDER_ID,
               "{\"state\":\"inProgress\"}");
    assert_at(show(&e, STR_NONE, &v), "/fieldPath", NULL);
}

static void
makes_a_service_of_its_data(void **state)
{
    (void) state;
    event_record_t e =
        record("ServiceStateChangeEvent", SERVICE_ID,
               "{\"state\":\"active\",\"operatingStatus\":\"running\","
               "\"serviceSpecification\":{\"id\":\"S\",\"version\":\"1\"},"
               "\"serviceCharacteristic\":{\"a\":null}}");
    tmf_view_t v = view_all();
    const json_t *r = show(&e, STR_NONE, &v);

    assert_at(r, "/domain", "\"ServiceInventory\"");
    assert_at(r, "/title", "\"ServiceStateChange\"");
    assert_at(r, "/event/service",
              "{\"id\":\"" SERVICE_ID "\",\"href\":" SERVICE_HREF
              ",\"state\":\"active\",\"operatingStatus\":\"running\","
              "\"serviceSpecification\":{\"id\":\"S\",\"href\":"
              "\"https://api.example/tmf-api/serviceCatalogManagement/v4/"
              "serviceSpecification/S\",\"version\":\"1\"},"
              "\"serviceCharacteristic\":[{\"name\":\"a\",\"value\":null}]}");
}

/* Where a specification is that only the client knows is its own to say; ours
 * is told with the listener's base. */
static void
leaves_a_client_its_href(void **state)
{
    static const struct {
        const char *sent, *told;
    } hrefs[] = {
        {"http://their.example/S", "http://their.example/S"},
        {"", ""},
        {"S", "S"},
        {"http://other.example/tmf-api/serviceCatalogManagement/v4/"
         "serviceSpecification/S",
         "https://api.example/tmf-api/serviceCatalogManagement/v4/"
         "serviceSpecification/S"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(hrefs) / sizeof(hrefs[0]); i++) {
        str_t data = arena_printf(
            arena, "{\"serviceSpecification\":{\"id\":\"S\",\"href\":\"%s\"}}",
            hrefs[i].sent);
        str_t told = arena_printf(arena, "{\"id\":\"S\",\"href\":\"%s\"}",
                                  hrefs[i].told);
        event_record_t e =
            record("ServiceCreateEvent", SERVICE_ID, arena_z(arena, data));
        tmf_view_t v = view_all();

        assert_at(show(&e, STR_NONE, &v),
                  "/event/service/serviceSpecification", arena_z(arena, told));
    }
}

static void
makes_a_reference_of_no_data(void **state)
{
    (void) state;
    static const char *const datas[] = {"", "{}", "{", "[]", "7"};
    tmf_view_t v = view_all();

    for (size_t i = 0; i < sizeof(datas) / sizeof(datas[0]); i++) {
        event_record_t e =
            record("ServiceSpecificationDeleteEvent", "My.Spec", datas[i]);
        const json_t *r = show(&e, STR_NONE, &v);
        assert_at(r, "/domain", "\"ServiceCatalog\"");
        assert_at(r, "/event",
                  "{\"serviceSpecification\":{\"id\":\"My.Spec\",\"href\":"
                  "\"https://api.example/tmf-api/serviceCatalogManagement/v4/"
                  "serviceSpecification/My.Spec\"}}");
    }
}

/* A list where none belongs stays as it is. */
static void
leaves_other_shapes_alone(void **state)
{
    (void) state;
    event_record_t e =
        record("ServiceOrderAttributeValueChangeEvent", ORDER_ID,
               "{\"state\":7,\"serviceOrderItem\":[5,{\"state\":null,"
               "\"service\":[]}],\"note\":[ 1 ]}");
    tmf_view_t v = view_all();
    const json_t *r = show(&e, STR_NONE, &v);

    assert_at(r, "/event/serviceOrder/state", "7");
    assert_at(r, "/event/serviceOrder/note", "[ 1 ]");
    assert_at(r, "/event/serviceOrder/serviceOrderItem",
              "[{},{\"state\":null,\"service\":[]}]");
}

/* In the envelope, not in the resource; a StateChange has none. */
static void
names_the_changed_attribute(void **state)
{
    (void) state;
    event_record_t e =
        record("ServiceOrderAttributeValueChangeEvent", ORDER_ID,
               "{\"note\":[],\"fieldPath\":\"note\"}");
    tmf_view_t v = view_all();
    const json_t *r = show(&e, STR_NONE, &v);

    assert_at(r, "/fieldPath", "\"note\"");
    assert_at(r, "/event/serviceOrder/fieldPath", NULL);
    assert_at(r, "/event/serviceOrder/note", "[]");
    e.data = STR("{\"note\":[]}");
    assert_at(show(&e, STR_NONE, &v), "/fieldPath", NULL);

    e = record("CancelServiceOrderInformationRequiredEvent", ORDER_ID,
               "{\"fieldPath\":\"cancellationReason\"}");
    assert_at(show(&e, STR_NONE, &v), "/fieldPath", "\"cancellationReason\"");

    e = record("ServiceSpecificationChangeEvent", "x",
               "{\"fieldPath\":\"a client's own\"}");
    r = show(&e, STR_NONE, &v);
    assert_at(r, "/fieldPath", NULL);
    assert_at(r, "/event/serviceSpecification/fieldPath",
              "\"a client's own\"");
}

/* TMF641 v4.1, TMF638 v4.0, TMF633 v4.0: every type by its full name. */
static const struct {
    api_t api;
    const char *type;
    const char *resource;
    bool only_v5;
} types[] = {
    {API_ORDERING, "ServiceOrderCreateEvent", "serviceOrder", false},
    {API_ORDERING, "ServiceOrderAttributeValueChangeEvent", "serviceOrder",
     false},
    {API_ORDERING, "ServiceOrderStateChangeEvent", "serviceOrder", false},
    {API_ORDERING, "ServiceOrderDeleteEvent", "serviceOrder", false},
    {API_ORDERING, "ServiceOrderInformationRequiredEvent", "serviceOrder",
     false},
    {API_ORDERING, "ServiceOrderMilestoneEvent", "serviceOrder", false},
    {API_ORDERING, "ServiceOrderJeopardyEvent", "serviceOrder", false},
    {API_ORDERING, "CancelServiceOrderCreateEvent", "cancelServiceOrder",
     false},
    {API_ORDERING, "CancelServiceOrderStateChangeEvent", "cancelServiceOrder",
     false},
    {API_ORDERING, "CancelServiceOrderInformationRequiredEvent",
     "cancelServiceOrder", false},
    {API_INVENTORY, "ServiceCreateEvent", "service", false},
    {API_INVENTORY, "ServiceAttributeValueChangeEvent", "service", false},
    {API_INVENTORY, "ServiceStateChangeEvent", "service", false},
    {API_INVENTORY, "ServiceDeleteEvent", "service", false},
    {API_INVENTORY, "ServiceOperatingStatusChangeEvent", "service", true},
    {API_CATALOG, "ServiceCatalogCreateEvent", "serviceCatalog", false},
    {API_CATALOG, "ServiceCatalogChangeEvent", "serviceCatalog", false},
    {API_CATALOG, "ServiceCatalogBatchEvent", "serviceCatalog", false},
    {API_CATALOG, "ServiceCatalogDeleteEvent", "serviceCatalog", false},
    {API_CATALOG, "ServiceCategoryCreateEvent", "serviceCategory", false},
    {API_CATALOG, "ServiceCategoryChangeEvent", "serviceCategory", false},
    {API_CATALOG, "ServiceCategoryDeleteEvent", "serviceCategory", false},
    {API_CATALOG, "ServiceCandidateCreateEvent", "serviceCandidate", false},
    {API_CATALOG, "ServiceCandidateChangeEvent", "serviceCandidate", false},
    {API_CATALOG, "ServiceCandidateDeleteEvent", "serviceCandidate", false},
    {API_CATALOG, "ServiceSpecificationCreateEvent", "serviceSpecification",
     false},
    {API_CATALOG, "ServiceSpecificationChangeEvent", "serviceSpecification",
     false},
    {API_CATALOG, "ServiceSpecificationDeleteEvent", "serviceSpecification",
     false},
};

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

/* v5: typed, and no more than what has changed. */
static void
tells_v5_what_has_changed(void **state)
{
    static const char data[] =
        "{\"name\":\"N\",\"state\":\"active\",\"operatingStatus\":"
        "\"running\",\"serviceCharacteristic\":{\"a\":1},\"place\":"
        "[{\"role\":\"r\",\"id\":\"p\"}],\"fieldPath\":"
        "\"place,serviceCharacteristic\"}";
    static const struct {
        const char *type, *members;
    } cases[] = {
        {"ServiceAttributeValueChangeEvent",
         "@type id href serviceCharacteristic place"},
        {"ServiceStateChangeEvent", "@type id href state"},
        {"ServiceOperatingStatusChangeEvent", "@type id href operatingStatus"},
        {"ServiceDeleteEvent", "@type id href"},
    };
    tmf_view_t v = view_all();

    (void) state;
    v.version = STR("v5");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        event_record_t e = record(cases[i].type, SERVICE_ID, data);
        const json_t *r = show(&e, STR_NONE, &v);
        char members[256] = "";

        assert_at(r, "/timeOccurred", "\"2030-01-01T00:00:00.000Z\"");
        assert_at(r, "/timeOcurred", "\"2030-01-01T00:00:00.000Z\"");
        assert_at(r, "/@baseType", "\"Event\"");
        assert_at(r, "/fieldPath", NULL);
        assert_string_equal(arena_z(arena, json_text(r, "@type")),
                            cases[i].type);
        r = json_at(r, STR("/event/service"));
        json_each(m, r)
        {
            snprintf(members + strlen(members),
                     sizeof(members) - strlen(members), "%s%.*s",
                     m == r->child ? "" : " ", STR_FMT(m->name));
        }
        assert_string_equal(members, cases[i].members);
    }
}

static void
knows_the_types(void **state)
{
    (void) state;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        for (int api = 0; api < API_COUNT; api++) {
            assert_int_equal(
                event_type_known((api_t) api, TMF_V4, str_of(types[i].type)),
                (api_t) api == types[i].api && !types[i].only_v5);
            assert_int_equal(
                event_type_known((api_t) api, TMF_V5, str_of(types[i].type)),
                (api_t) api == types[i].api);
        }
        assert_string_equal(event_resource(str_of(types[i].type)),
                            types[i].resource);
    }
    assert_null(event_type_at((int) TYPE_COUNT));
    assert_null(event_type_at(-1));
    assert_non_null(event_type_at((int) TYPE_COUNT - 1));
    assert_null(event_resource(STR("ServiceOrderCreate")));
    assert_null(event_resource(STR("serviceOrderCreateEvent")));
    assert_null(event_resource(STR_NONE));
    assert_false(event_type_known(API_ORDERING, TMF_V4, STR("")));
}

static void
shows_subscriptions(void **state)
{
    (void) state;
    subscription_record_t s = {
        .id = uuid_of(EVENT_ID),
        .callback = STR("https://c/\"x"),
        .query = STR("eventType=A"),
    };

    subscription_to_tmf(&out, &s);
    assert_string_equal(out.data, "{\"id\":\"" EVENT_ID "\",\"callback\":"
                                  "\"https://c/\\\"x\",\"query\":"
                                  "\"eventType=A\"}");
    buf_reset(&out);
    s.query = STR_NONE;
    subscription_to_tmf(&out, &s);
    assert_at(tree_of(buf_view(&out)), "/query", "\"\"");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(wraps_a_whole_resource),
        CHECK_TEST(makes_an_order_of_its_data),
        CHECK_TEST(makes_a_task_of_its_data),
        CHECK_TEST(tells_the_path_of_what_changed),
        CHECK_TEST(makes_a_service_of_its_data),
        CHECK_TEST(leaves_a_client_its_href),
        CHECK_TEST(makes_a_reference_of_no_data),
        CHECK_TEST(leaves_other_shapes_alone),
        CHECK_TEST(names_the_changed_attribute),
        CHECK_TEST(tells_v5_what_has_changed),
        CHECK_TEST(knows_the_types),
        CHECK_TEST(shows_subscriptions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
