/*
 * TMF633's resources: what is stored of a POST, what a patch makes of it, and
 * what is shown.
 */
#include "t/unit/tmf_check.h"

#include "backend/tmf/entity.h"

#define NOW     "\"2030-01-01T00:00:00.000Z\""
#define NOW_US  NEW_YEAR_2030
#define HOUR_US (INT64_C(3600) * 1000000)

static const entity_kind_t *kind;
static str_t id, version;
static tmf_error_t fault;

/* Of specifications, unless a test says otherwise. */
static int
setup(void **state)
{
    kind = entity_kind(STR("serviceSpecification"));
    return check_setup(state);
}

static bool
create(const char *body)
{
    fault = (tmf_error_t){0};
    buf_reset(&out);
    return entity_create(&out, kind, tree(body), STR("new"), NOW_US, &id,
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

#define ENTITY_TEST(f) \
    cmocka_unit_test_setup_teardown(f, setup, check_teardown)

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
patch_as(patch_kind_t dialect, const char *text)
{
    fault = (tmf_error_t){0};
    buf_reset(&out);
    return entity_patch(&out, arena, kind, tree(stored), tree(text), dialect,
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

    entity_to_tmf(&out, kind, tree(stored), &v);
    const json_t *r = tree_of(arena_str(arena, buf_view(&out)));
    assert_at(r, "/href",
              "\"https://api.example/tmf-api/serviceCatalogManagement/v4/"
              "serviceSpecification/S\"");
    assert_at(r, "/name", "\"N\"");
    assert_int_equal(r->count, tree(stored)->count + 1);

    buf_reset(&out);
    v = view_with(&q, "lastUpdate,specCharacteristic.name");
    entity_to_tmf(&out, kind, tree(stored), &v);
    assert_string_equal(
        out.data, "{\"id\":\"S\",\"href\":\"https://api.example/tmf-api/"
                  "serviceCatalogManagement/v4/serviceSpecification/S\","
                  "\"lastUpdate\":" NOW ",\"specCharacteristic\":[{\"name\":"
                  "\"a\",\"valueType\":\"string\",\"x\":1.50}]}");
}

static void
has_kinds(void **state)
{
    int n = 0;

    (void) state;
    while (entity_kind_at(n)) {
        assert_false(entity_kind_at(n++)->job);
    }
    assert_int_equal(n, 4);
    assert_ptr_equal(entity_kind_of_path(STR("serviceCatalog")),
                     entity_kind(STR("serviceCatalog")));
    assert_ptr_equal(entity_kind_of_path(STR("http://h/v4/serviceCandidate")),
                     entity_kind(STR("serviceCandidate")));
    assert_null(entity_kind_of_path(STR("importJob")));
    assert_null(entity_kind_of_path(STR("serviceCatalog/")));
    assert_null(entity_kind_of_path(STR_NONE));
    assert_null(entity_kind(STR("serviceCategorys")));
    assert_null(entity_kind(STR("")));
    assert_null(entity_kind(STR("hub")));
    kind = entity_kind(STR("serviceCandidate"));
    assert_true(str_is(entity_event(kind, "Change", arena),
                       "ServiceCandidateChangeEvent"));
}

/* Of the three others there is one an id: their version is the client's. */
static void
fills_in_others(void **state)
{
    (void) state;
    kind = entity_kind(STR("serviceCatalog"));
    assert_true(create("{\"name\":\"N\",\"version\":\"a b\",\"href\":7}"));
    assert_string_equal(out.data,
                        "{\"id\":\"new\",\"lastUpdate\":" NOW
                        ",\"lifecycleStatus\":\"Active\","
                        "\"@type\":\"ServiceCatalog\",\"name\":\"N\","
                        "\"version\":\"a b\"}");
    assert_int_equal(version.len, 0);
    kind = entity_kind(STR("serviceCandidate"));
    assert_true(create("{\"name\":\"N\",\"isRoot\":null,\"id\":\"c\"}"));
    const json_t *r = tree_of(buf_view(&out));
    assert_at(r, "/isRoot", "null");
    assert_at(r, "/isBundle", NULL);
    assert_at(r, "/version", NULL);
    assert_at(r, "/@type", "\"ServiceCandidate\"");
    assert_true(str_is(id, "c"));
    assert_refused(create("{\"id\":\"a/b\"}"), "/id");
}

static void
a_category_is_a_root_or_has_a_parent(void **state)
{
    static const struct {
        const char *body, *root; /* NULL: refused */
    } cases[] = {
        {"{}", "true"},
        {"{\"isRoot\":null,\"parentId\":null}", "true"},
        {"{\"parentId\":\"\"}", "true"},
        {"{\"isRoot\":false}", "false"},
        {"{\"isRoot\":true}", "true"},
        {"{\"parentId\":\"p\"}", "false"},
        {"{\"parentId\":\"p\",\"isRoot\":null}", "false"},
        {"{\"parentId\":\"p\",\"isRoot\":false}", "false"},
        {"{\"parentId\":\"p\",\"isRoot\":true}", NULL},
    };

    (void) state;
    kind = entity_kind(STR("serviceCategory"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].root) {
            assert_true(create(cases[i].body));
            assert_at(tree_of(buf_view(&out)), "/isRoot", cases[i].root);
        } else {
            assert_refused(create(cases[i].body), "/isRoot");
        }
    }
    assert_refused(patch("{\"isRoot\":true,\"parentId\":\"p\"}"), "/isRoot");
    assert_true(patch("{\"parentId\":\"p\",\"version\":\"7\"}"));
    assert_at(tree_of(buf_view(&out)), "/isRoot", "false");
    assert_at(tree_of(buf_view(&out)), "/version", "\"7\"");
}

static void
a_job_begins(void **state)
{
    (void) state;
    kind = entity_kind(STR("exportJob"));
    assert_true(create("{\"url\":\"u\",\"status\":\"Succeeded\","
                       "\"creationDate\":7,\"completionDate\":7,"
                       "\"errorLog\":7,\"progress\":7,\"x\":1.0,"
                       "\"path\":\"/a/serviceCategory\",\"contentType\":"
                       "\"Application/JSON ; charset=utf-8\","
                       "\"query\":\"name=a%20b&id=c,d\"}"));
    const json_t *r = tree_of(buf_view(&out));
    assert_at(r, "/status", "\"Not Started\"");
    assert_at(r, "/creationDate", NOW);
    assert_at(r, "/@type", "\"ExportJob\"");
    assert_at(r, "/x", "1.0");
    assert_int_equal(r->count, 9);
    assert_refused(create("{\"contentType\":\"text/json\"}"), "/contentType");
    assert_refused(create("{\"contentType\":\"application/jsonx\"}"),
                   "/contentType");
    assert_refused(create("{\"path\":\"service\"}"), "/path");
    assert_refused(create("{\"path\":\"x/exportJob\"}"), "/path");
    assert_refused(create("{\"query\":\"fields=id\"}"), "/query");
    assert_refused(create("{\"query\":\"sort=id\"}"), "/query");
    assert_refused(create("{\"query\":\"limit=1\"}"), "/query");
    assert_refused(create("{\"query\":\"offset=1\"}"), "/query");
    assert_refused(create("{\"query\":\"=\"}"), "/query");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ENTITY_TEST(fills_in),
        ENTITY_TEST(keeps_the_clients),
        ENTITY_TEST(refuses_names),
        ENTITY_TEST(patches),
        ENTITY_TEST(takes_what_does_not_change),
        ENTITY_TEST(refuses_changes_of_identity),
        ENTITY_TEST(refuses_an_illegal_result),
        ENTITY_TEST(takes_all_dialects),
        ENTITY_TEST(shows),
        ENTITY_TEST(has_kinds),
        ENTITY_TEST(fills_in_others),
        ENTITY_TEST(a_job_begins),
        ENTITY_TEST(a_category_is_a_root_or_has_a_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
