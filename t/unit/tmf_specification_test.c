/*
 * TMF633 serviceSpecification: what is stored of a POST, what a patch makes
 * of it, and what is shown.
 */
#include "t/unit/tmf_check.h"

#include "backend/tmf/specification.h"

#define NOW     "\"2030-01-01T00:00:00.000Z\""
#define NOW_US  NEW_YEAR_2030
#define HOUR_US (INT64_C(3600) * 1000000)

static str_t id, version;
static tmf_error_t fault;

static bool
create(const char *body)
{
    fault = (tmf_error_t){0};
    buf_reset(&out);
    return specification_create(&out, tree(body), STR("new"), NOW_US, &id,
                                &version, arena, &fault);
}

/* A 400 that names this attribute, and nothing written. */
#define assert_refused(good, at)                \
    do {                                        \
        assert_false(good);                     \
        assert_int_equal(fault.status, 400);    \
        assert_string_equal(fault.pointer, at); \
        assert_true(fault.message[0] != '\0');  \
        assert_int_equal(out.len, 0);           \
    } while (0)

static void
fills_in(void **state)
{
    (void) state;
    assert_true(create("{\"name\":\"N\",\"href\":\"http://x/y\","
                       "\"lastUpdate\":\"1999-01-01T00:00:00Z\"}"));
    assert_string_equal(
        out.data, "{\"id\":\"new\",\"version\":\"1.0\",\"lastUpdate\":" NOW
                  ",\"lifecycleStatus\":\"Active\",\"isBundle\":false,"
                  "\"@type\":\"ServiceSpecification\",\"name\":\"N\"}");
    assert_true(str_is(id, "new"));
    assert_true(str_is(version, "1.0"));
    /* null and blank are not what the client meant to have */
    assert_true(create("{\"name\":\"N\",\"lifecycleStatus\":\"\",\"isBundle\""
                       ":null,\"@type\":null,\"version\":null,\"id\":null}"));
    const json_t *r = tree_of(buf_view(&out));
    assert_int_equal(r->count, 7);
    assert_at(r, "/lifecycleStatus", "\"Active\"");
    assert_at(r, "/isBundle", "false");
    assert_at(r, "/@type", "\"ServiceSpecification\"");
    assert_at(r, "/version", "\"1.0\"");
    assert_at(r, "/id", "\"new\"");
}

static void
keeps_the_clients(void **state)
{
    (void) state;
    assert_true(create(
        "{\"name\":\"N\",\"id\":\"My.spec_~-1\",\"version\":\"2.0-rc.1\","
        "\"isBundle\":true,\"@type\":\"T\",\"lifecycleStatus\":\"Draft\","
        "\"specCharacteristic\":[ {\"name\" : \"\\u0061\",\"n\":1.0} ],"
        "\"x\":null}"));
    const json_t *r = tree_of(buf_view(&out));
    assert_true(str_is(id, "My.spec_~-1"));
    assert_true(str_is(version, "2.0-rc.1"));
    assert_at(r, "/id", "\"My.spec_~-1\"");
    assert_at(r, "/version", "\"2.0-rc.1\"");
    assert_at(r, "/isBundle", "true");
    assert_at(r, "/@type", "\"T\"");
    assert_at(r, "/lifecycleStatus", "\"Draft\"");
    assert_at(r, "/x", "null");
    assert_at(r, "/specCharacteristic",
              "[ {\"name\" : \"\\u0061\",\"n\":1.0} ]");
}

static bool
create_with(const char *name, int length)
{
    char text[300], body[400];

    memset(text, 'a', (size_t) length);
    text[length] = '\0';
    snprintf(body, sizeof(body), "{\"name\":\"N\",\"%s\":\"%s\"}", name, text);
    return create(body);
}

static void
refuses_names(void **state)
{
    (void) state;
    static const char *const bad[] = {
        "\"\"",   "\"a/b\"", "\"a b\"", "\"\\u00e9\"", "\".\"",
        "\"..\"", "7",       "{}",      "\"a%20\"",    "true"};
    char body[100];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(body, sizeof(body), "{\"name\":\"N\",\"id\":%s}", bad[i]);
        assert_refused(create(body), "/id");
        snprintf(body, sizeof(body), "{\"name\":\"N\",\"version\":%s}",
                 bad[i]);
        assert_refused(create(body), "/version");
    }
    assert_true(create_with("id", 255));
    assert_refused(create_with("id", 256), "/id");
    assert_true(create_with("version", 255));
    assert_refused(create_with("version", 256), "/version");
    assert_refused(create("[]"), "");
    assert_refused(create("7"), "");
}

static const char stored[] =
    "{\"id\":\"S\",\"version\":\"1.0\",\"lastUpdate\":" NOW
    ",\"lifecycleStatus\":\"Active\",\"isBundle\":false,\"@type\":"
    "\"ServiceSpecification\",\"name\":\"N\",\"description\":\"d\","
    "\"specCharacteristic\":[{\"name\":\"a\",\"valueType\":\"string\","
    "\"x\":1.50}]}";

static bool
patch_as(patch_kind_t kind, const char *text)
{
    fault = (tmf_error_t){0};
    buf_reset(&out);
    return specification_patch(&out, arena, tree(stored), tree(text), kind,
                               NOW_US + HOUR_US, &fault);
}

static bool
patch(const char *text)
{
    return patch_as(PATCH_MERGE, text);
}

static void
patches(void **state)
{
    (void) state;
    assert_true(patch("{\"name\":\"M\",\"description\":null,"
                      "\"lifecycleStatus\":null,\"extra\":{\"y\":1e2}}"));
    const json_t *r = tree_of(buf_view(&out));
    assert_at(r, "/id", "\"S\"");
    assert_at(r, "/version", "\"1.0\"");
    assert_at(r, "/name", "\"M\"");
    assert_at(r, "/description", NULL);
    assert_at(r, "/lifecycleStatus", "\"Active\"");
    assert_at(r, "/extra/y", "1e2");
    assert_at(r, "/specCharacteristic/0/x", "1.50");
    assert_at(r, "/lastUpdate", "\"2030-01-01T01:00:00.000Z\"");
    assert_int_equal(r->count, 9);
}

/* A client may send what it got. */
static void
takes_what_does_not_change(void **state)
{
    (void) state;
    assert_true(
        patch("{\"id\":\"S\",\"version\":\"1.0\",\"href\":"
              "\"https://h/serviceSpecification/S\",\"lastUpdate\":" NOW "}"));
    const json_t *r = tree_of(buf_view(&out));
    assert_at(r, "/href", NULL);
    assert_at(r, "/lastUpdate", "\"2030-01-01T01:00:00.000Z\"");
    assert_true(patch("{}"));
    assert_true(patch("{\"href\":null}"));
}

static void
refuses_changes_of_identity(void **state)
{
    (void) state;
    assert_refused(patch("{\"id\":\"T\"}"), "/id");
    assert_refused(patch("{\"id\":null}"), "/id");
    assert_refused(patch("{\"version\":\"2.0\"}"), "/version");
    assert_refused(patch("{\"version\":null}"), "/version");
    assert_refused(patch("{\"version\":1.0}"), "/version");
    assert_refused(patch("{\"href\":\"https://h/serviceSpecification/T\"}"),
                   "/href");
    assert_refused(patch("{\"href\":\"S\"}"), "/href");
    assert_refused(patch("{\"href\":\"https://h/xS\"}"), "/href");
    assert_refused(patch("{\"lastUpdate\":\"2001-01-01T00:00:00Z\"}"),
                   "/lastUpdate");
    assert_refused(patch("[]"), "");
    assert_refused(patch("null"), "");
}

static void
refuses_an_illegal_result(void **state)
{
    (void) state;
    assert_refused(patch("{\"name\":null}"), "/name");
    assert_refused(patch("{\"isBundle\":\"no\"}"), "/isBundle");
    assert_refused(patch("{\"specCharacteristic\":{}}"),
                   "/specCharacteristic");
    assert_refused(patch("{\"validFor\":{\"startDateTime\":\"soon\"}}"),
                   "/validFor/startDateTime");
}

static void
takes_all_dialects(void **state)
{
    (void) state;
    assert_true(patch_as(PATCH_JSON, "[{'op':'replace','path':'/name',"
                                     "'value':'M'}]"));
    assert_at(tree_of(buf_view(&out)), "/name", "\"M\"");
    assert_true(patch_as(PATCH_QUERY,
                         "[{'op':'replace','path':'/specCharacteristic/x?"
                         "specCharacteristic.name=a','value':2.50}]"));
    assert_at(tree_of(buf_view(&out)), "/specCharacteristic/0/x", "2.50");
    assert_refused(patch_as(PATCH_JSON, "[{'op':'remove','path':'/name'}]"),
                   "/name");
    assert_refused(patch_as(PATCH_JSON, "[{'op':'remove','path':'/id'}]"),
                   "/id");
    assert_refused(patch_as(PATCH_JSON, "[{'op':'add','path':'/specCharacter"
                                        "istic','value':{'name':''}}]"),
                   "/specCharacteristic/1/name");
}

static void
shows(void **state)
{
    (void) state;
    query_t q;
    tmf_view_t v = view_all();

    specification_to_tmf(&out, tree(stored), &v);
    const json_t *r = tree_of(arena_str(arena, buf_view(&out)));
    assert_at(r, "/href",
              "\"https://api.example/tmf-api/serviceCatalogManagement/v4/"
              "serviceSpecification/S\"");
    assert_at(r, "/name", "\"N\"");
    assert_int_equal(r->count, tree(stored)->count + 1);

    buf_reset(&out);
    v = view_with(&q, "lastUpdate,specCharacteristic.name");
    specification_to_tmf(&out, tree(stored), &v);
    assert_string_equal(
        out.data, "{\"id\":\"S\",\"href\":\"https://api.example/tmf-api/"
                  "serviceCatalogManagement/v4/serviceSpecification/S\","
                  "\"lastUpdate\":" NOW ",\"specCharacteristic\":[{\"name\":"
                  "\"a\",\"valueType\":\"string\",\"x\":1.50}]}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(fills_in),
        CHECK_TEST(keeps_the_clients),
        CHECK_TEST(refuses_names),
        CHECK_TEST(patches),
        CHECK_TEST(takes_what_does_not_change),
        CHECK_TEST(refuses_changes_of_identity),
        CHECK_TEST(refuses_an_illegal_result),
        CHECK_TEST(takes_all_dialects),
        CHECK_TEST(shows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
