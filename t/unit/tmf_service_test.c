/*
 * TMF638 service: what is the inventory's, what is the client's, and how both
 * become one.
 */
#include "t/unit/tmf_check.h"

#include "backend/tmf/service.h"

#define HREF                                                                \
    "\"https://api.example/tmf-api/serviceInventory/v4/service/" SERVICE_ID \
    "\""
#define DAY_US (INT64_C(86400) * 1000000)

static service_record_t
record(void)
{
    return (service_record_t){
        .id = uuid_of(SERVICE_ID),
        .key = STR("SVC-7909"),
        .created_us = NEW_YEAR_2030,
        .configuration_id = uuid_of(CONFIGURATION_ID),
        .timeline = STR("CURRENT"),
        .valid_from_us = NEW_YEAR_2030 + DAY_US,
        .valid_to_us = NO_TIME,
        .state = SERVICE_ACTIVE,
        .operating_status = STR("running"),
        .name = STR("Line"),
        .category = STR("CFS"),
        .service_type = STR("Internet"),
        .spec_id = STR("Internet.Service"),
        .spec_version = STR("1.0"),
        .spec_name = STR("Internet Service"),
        .characteristics = STR("{}"),
        .order_id = uuid_of(ORDER_ID),
        .item_id = STR("1"),
    };
}

static const json_t *
show(const service_record_t *s, const tmf_view_t *v)
{
    buf_reset(&out);
    service_to_tmf(&out, arena, s, v);
    assert_false(buf_failed(&out));
    return tree_of(arena_str(arena, buf_view(&out)));
}

static void
shows_the_inventorys(void **state)
{
    (void) state;
    service_record_t s = record();
    tmf_view_t v = view_all();

    show(&s, &v);
    assert_string_equal(
        out.data,
        "{\"id\":\"" SERVICE_ID "\",\"href\":" HREF ",\"name\":\"Line\","
        "\"category\":\"CFS\",\"serviceType\":\"Internet\",\"serviceDate\":"
        "\"2030-01-01T00:00:00.000Z\",\"startDate\":"
        "\"2030-01-02T00:00:00.000Z\",\"state\":\"active\","
        "\"operatingStatus\":\"running\",\"hasStarted\":true,"
        "\"isServiceEnabled\":true,\"isBundle\":false,\"isStateful\":true,"
        "\"serviceSpecification\":{\"id\":\"Internet.Service\",\"href\":"
        "\"https://api.example/tmf-api/serviceCatalogManagement/v4/"
        "serviceSpecification/Internet.Service\",\"version\":\"1.0\","
        "\"name\":\"Internet Service\"},\"serviceCharacteristic\":[],"
        "\"externalIdentifier\":[{\"owner\":\"turnup\","
        "\"externalIdentifierType\":\"KEY\",\"id\":\"SVC-7909\"}],"
        "\"serviceOrderItem\":[{\"serviceOrderId\":\"" ORDER_ID "\","
        "\"serviceOrderHref\":\"https://api.example/tmf-api/serviceOrdering/"
        "v4/serviceOrder/" ORDER_ID "\",\"itemId\":\"1\"}],\"version\":"
        "\"" CONFIGURATION_ID "\",\"versionStateType\":\"CURRENT\","
        "\"versionStartDate\":\"2030-01-02T00:00:00.000Z\","
        "\"versionEndDate\":null,\"@type\":\"Service\"}");
}

static void
keeps_the_clients(void **state)
{
    (void) state;
    service_record_t s = record();
    tmf_view_t v = view_all();

    s.doc = STR(
        "{\"id\":\"old\",\"href\":\"old\",\"name\":\"old\",\"state\":"
        "\"terminated\",\"serviceDate\":\"old\",\"version\":\"old\","
        "\"description\":\"<p>&\\u0041<\\/p>\",\"place\":[ {\"role\":1.0} ],"
        "\"note\":[],\"startDate\":\"2020-02-02T02:02:02+02:00\",\"endDate\":"
        "\"2040-01-01T00:00:00Z\",\"@type\":\"VersionedService\","
        "\"hasStarted\":false,\"isBundle\":true,\"isStateful\":\"yes\","
        "\"serviceSpecification\":{\"id\":\"other\",\"href\":\"x\","
        "\"version\":\"9\",\"name\":\"other\",\"@type\":\"SpecRef\"},"
        "\"supportingResource\":[{\"id\":\"r\"}]}");
    const json_t *r = show(&s, &v);
    assert_at(r, "/id", "\"" SERVICE_ID "\"");
    assert_at(r, "/href", HREF);
    assert_at(r, "/name", "\"Line\"");
    assert_at(r, "/state", "\"active\"");
    assert_at(r, "/serviceDate", "\"2030-01-01T00:00:00.000Z\"");
    assert_at(r, "/version", "\"" CONFIGURATION_ID "\"");
    assert_at(r, "/description", "\"<p>&\\u0041<\\/p>\"");
    assert_at(r, "/place", "[ {\"role\":1.0} ]");
    assert_at(r, "/note", "[]");
    assert_at(r, "/startDate", "\"2020-02-02T02:02:02+02:00\"");
    assert_at(r, "/endDate", "\"2040-01-01T00:00:00Z\"");
    assert_at(r, "/@type", "\"VersionedService\"");
    assert_at(r, "/hasStarted", "false");
    assert_at(r, "/isBundle", "true");
    assert_at(r, "/isStateful", "true");
    assert_at(r, "/serviceSpecification",
              "{\"id\":\"Internet.Service\",\"href\":\"https://api.example/"
              "tmf-api/serviceCatalogManagement/v4/serviceSpecification/"
              "Internet.Service\",\"version\":\"1.0\",\"name\":"
              "\"Internet Service\",\"@type\":\"SpecRef\"}");
    assert_at(r, "/supportingResource", "[{\"id\":\"r\"}]");

    s.spec_name = STR_NONE;
    s.name = STR_NONE;
    s.resources = STR("[{\"id\":\"ours\"}]");
    r = show(&s, &v);
    assert_at(r, "/serviceSpecification/name", "\"other\"");
    assert_at(r, "/name", "\"old\"");
    assert_at(r, "/supportingResource", "[{\"id\":\"ours\"}]");
}

static void
shows_characteristics(void **state)
{
    (void) state;
    service_record_t s = record();
    tmf_view_t v = view_all();

    s.characteristics = STR(
        "{\"accessPort\":\"p1\",\"bw\":1.50,\"vlan\":-7,\"on\":true,"
        "\"none\":null,\"list\":[1],\"obj\":{ },\"big\":1e3,\"Bw\":\"x\"}");
    s.doc = STR("{\"serviceCharacteristic\":[{\"name\":\"Bw\",\"value\":"
                "\"old\",\"id\":\"7\"},{\"value\":1,\"name\":\"bw\","
                "\"valueType\":\"float\",\"@type\":\"T\"},{\"name\":"
                "\"gone\",\"value\":1},5]}");
    show(&s, &v);
    const json_t *r = show(&s, &v);
    assert_at(r, "/serviceCharacteristic",
              "[{\"name\":\"accessPort\",\"value\":\"p1\",\"valueType\":"
              "\"string\"},"
              "{\"name\":\"bw\",\"value\":1.50,\"valueType\":\"float\","
              "\"@type\":\"T\"},"
              "{\"name\":\"vlan\",\"value\":-7,\"valueType\":\"integer\"},"
              "{\"name\":\"on\",\"value\":true,\"valueType\":\"boolean\"},"
              "{\"name\":\"none\",\"value\":null},"
              "{\"name\":\"list\",\"value\":[1],\"valueType\":\"array\"},"
              "{\"name\":\"obj\",\"value\":{ },\"valueType\":\"object\"},"
              "{\"name\":\"big\",\"value\":1e3,\"valueType\":\"number\"},"
              "{\"name\":\"Bw\",\"value\":\"x\",\"id\":\"7\"}]");
}

static void
tells_when_it_ended(void **state)
{
    (void) state;
    service_record_t s = record();
    tmf_view_t v = view_all();

    s.state = SERVICE_TERMINATED;
    const json_t *r = show(&s, &v);
    assert_at(r, "/state", "\"terminated\"");
    assert_at(r, "/endDate", "\"2030-01-02T00:00:00.000Z\"");
    assert_at(r, "/startDate", NULL);
    assert_at(r, "/hasStarted", "false");
    assert_at(r, "/isServiceEnabled", "false");

    s.timeline = STR("HISTORY");
    s.valid_to_us = NEW_YEAR_2030 + 2 * DAY_US;
    r = show(&s, &v);
    assert_at(r, "/endDate", "\"2030-01-03T00:00:00.000Z\"");
    assert_at(r, "/versionStateType", "\"HISTORY\"");
    assert_at(r, "/versionEndDate", "\"2030-01-03T00:00:00.000Z\"");
}

static void
tells_nothing_before_it_began(void **state)
{
    (void) state;
    service_record_t s = record();
    tmf_view_t v = view_all();

    s.state = SERVICE_RESERVED;
    s.operating_status = STR_NONE;
    s.key = STR_NONE;
    const json_t *r = show(&s, &v);
    assert_at(r, "/state", "\"reserved\"");
    assert_at(r, "/startDate", NULL);
    assert_at(r, "/endDate", NULL);
    assert_at(r, "/operatingStatus", NULL);
    assert_at(r, "/externalIdentifier", NULL);
    assert_at(r, "/hasStarted", "false");
}

/* A client may send back in a modify what it got from a GET. */
static void
merges_its_own_lists(void **state)
{
    (void) state;
    service_record_t s = record();
    tmf_view_t v = view_all();

    s.doc =
        STR("{\"externalIdentifier\":[{\"owner\":\"turnup\","
            "\"externalIdentifierType\":\"KEY\",\"id\":\"SVC-1\"},{\"owner\":"
            "\"crm\",\"id\":\"9\"}],\"serviceOrderItem\":[{\"serviceOrderId\":"
            "\"" ORDER_ID "\",\"itemId\":\"1\"},{\"serviceOrderId\":\"other\","
            "\"itemId\":\"1\"},{\"serviceOrderId\":\"" ORDER_ID "\","
            "\"itemId\":\"2\"}]}");
    const json_t *r = show(&s, &v);
    assert_int_equal(json_get(r, "externalIdentifier")->count, 2);
    assert_at(r, "/externalIdentifier/0/id", "\"SVC-7909\"");
    assert_at(r, "/externalIdentifier/1", "{\"owner\":\"crm\",\"id\":\"9\"}");
    assert_int_equal(json_get(r, "serviceOrderItem")->count, 3);
    assert_at(r, "/serviceOrderItem/0/itemId", "\"1\"");
    assert_at(r, "/serviceOrderItem/1/serviceOrderId", "\"other\"");
    assert_at(r, "/serviceOrderItem/2/itemId", "\"2\"");

    s.key = STR_NONE;
    r = show(&s, &v);
    assert_at(r, "/externalIdentifier", "[{\"owner\":\"crm\",\"id\":\"9\"}]");
}

static void
selects_fields(void **state)
{
    (void) state;
    service_record_t s = record();
    query_t q;
    tmf_view_t v = view_with(&q, "none");

    s.doc = STR("{\"place\":[],\"note\":[]}");
    show(&s, &v);
    assert_string_equal(out.data,
                        "{\"id\":\"" SERVICE_ID "\",\"href\":" HREF "}");
    v = view_with(&q, "state,place.id,nobody");
    show(&s, &v);
    assert_string_equal(out.data, "{\"id\":\"" SERVICE_ID "\",\"href\":" HREF
                                  ",\"state\":\"active\",\"place\":[]}");
}

static void
survives_broken_documents(void **state)
{
    (void) state;
    static const char *const docs[] = {"", "{", "[]", "7", "null"};
    tmf_view_t v = view_all();

    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
        service_record_t s = record();
        s.doc = str_of(docs[i]);
        s.characteristics = str_of(docs[i]);
        s.spec_id = STR_NONE;
        s.order_id = (uuid_t){{0}};
        s.configuration_id = (uuid_t){{0}};
        const json_t *r = show(&s, &v);
        assert_at(r, "/state", "\"active\"");
        assert_at(r, "/serviceSpecification", NULL);
        assert_at(r, "/serviceCharacteristic", NULL);
        assert_at(r, "/version", NULL);
        assert_at(r, "/serviceOrderItem", NULL);
    }
}

static void
escapes_texts(void **state)
{
    (void) state;
    service_record_t s = record();
    tmf_view_t v = view_all();

    s.name = STR("a\"b\\c\n");
    s.spec_id = STR("a/b");
    const json_t *r = show(&s, &v);
    assert_at(r, "/name", "\"a\\\"b\\\\c\\n\"");
    assert_at(r, "/serviceSpecification/href",
              "\"https://api.example/tmf-api/serviceCatalogManagement/v4/"
              "serviceSpecification/a%2Fb\"");
}

static void
writes_change_data(void **state)
{
    (void) state;
    service_record_t s = record();

    s.characteristics = STR("{\"bw\":1}");
    service_change_data(&out, &s, NULL);
    assert_string_equal(
        out.data, "{\"name\":\"Line\",\"state\":\"active\","
                  "\"operatingStatus\":\"running\",\"serviceSpecification\":"
                  "{\"id\":\"Internet.Service\",\"version\":\"1.0\",\"name\":"
                  "\"Internet Service\"},\"serviceCharacteristic\":"
                  "{\"bw\":1}}");
    buf_reset(&out);
    s = (service_record_t){.state = SERVICE_RESERVED};
    service_change_data(&out, &s, NULL);
    assert_string_equal(out.data, "{\"state\":\"reserved\"}");
    buf_reset(&out);
    service_change_data(&out, &s, "name");
    assert_string_equal(out.data,
                        "{\"state\":\"reserved\",\"fieldPath\":\"name\"}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(shows_the_inventorys),
        CHECK_TEST(keeps_the_clients),
        CHECK_TEST(shows_characteristics),
        CHECK_TEST(tells_when_it_ended),
        CHECK_TEST(tells_nothing_before_it_began),
        CHECK_TEST(merges_its_own_lists),
        CHECK_TEST(selects_fields),
        CHECK_TEST(survives_broken_documents),
        CHECK_TEST(escapes_texts),
        CHECK_TEST(writes_change_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
