/* Jobs of the catalog: what becomes of one, and documents to be imported. */
#include "t/unit/tmf_check.h"

#include "backend/tmf/job.h"

static tmf_error_t fault;
static import_t got;

static bool
import(const char *path, const char *text)
{
    fault = (tmf_error_t){0};
    return import_read(&got, arena, str_of(text),
                       path ? entity_kind(str_of(path)) : NULL, STR("new"),
                       NEW_YEAR_2030, &fault);
}

static void
reports(void **state)
{
    static const char job[] =
        "{\"id\":\"j\",\"status\":\"Running\",\"progress\":{\"total\":1},"
        "\"errorLog\":\"x\",\"url\":\"u\",\"x\":1.0}";
    job_report_t r = {.status = JOB_RUNNING, .total = 3, .done = 1};

    (void) state;
    r.completed_us = NO_TIME;
    job_to_store(&out, tree(job), &r);
    assert_string_equal(out.data,
                        "{\"id\":\"j\",\"url\":\"u\",\"x\":1.0,"
                        "\"status\":\"Running\",\"progress\":{\"total\":3,"
                        "\"done\":1,\"failed\":0}}");
    r = (job_report_t){JOB_FAILED, 3, 1, 2, STR("a\nb"), NEW_YEAR_2030};
    buf_reset(&out);
    job_to_store(&out, tree(job), &r);
    const json_t *doc = tree_of(buf_view(&out));
    assert_at(doc, "/status", "\"Failed\"");
    assert_at(doc, "/progress/failed", "2");
    assert_at(doc, "/errorLog", "\"a\\nb\"");
    assert_at(doc, "/completionDate", "\"2030-01-01T00:00:00.000Z\"");
    assert_int_equal(doc->count, 7);
}

static void
takes_documents(void **state)
{
    (void) state;
    assert_true(import(NULL, "{\"@type\":\"ServiceSpecification\",\"id\":"
                             "\"S\",\"name\":\"n\",\"version\":\"2\","
                             "\"href\":7,\"lastUpdate\":\"x\",\"y\":1.50}"));
    assert_string_equal(got.kind->resource, "serviceSpecification");
    assert_true(str_is(got.id, "S"));
    assert_true(str_is(got.version, "2"));
    const json_t *doc = tree_of(got.doc);
    assert_at(doc, "/href", NULL);
    assert_at(doc, "/y", "1.50");
    assert_at(doc, "/lastUpdate", "\"2030-01-01T00:00:00.000Z\"");

    assert_true(import(NULL, "{\"@type\":\"Own\",\"@baseType\":"
                             "\"ServiceCatalog\",\"name\":\"n\"}"));
    assert_string_equal(got.kind->resource, "serviceCatalog");
    assert_true(str_is(got.id, "new"));
    assert_int_equal(got.version.len, 0);
    assert_true(import("serviceCategory", "{\"@type\":\"Own\","
                                          "\"name\":\"n\"}"));
    assert_string_equal(got.kind->resource, "serviceCategory");
}

static void
refuses_documents(void **state)
{
    static const struct {
        const char *path, *text, *pointer;
    } cases[] = {
        {NULL, "", ""},
        {NULL, "7", "/@type"},
        {NULL, "{\"name\":\"n\"}", "/@type"},
        {NULL, "{\"@type\":\"Service\",\"name\":\"n\"}", "/@type"},
        {NULL, "{\"@type\":\"ImportJob\",\"name\":\"n\"}", "/@type"},
        {NULL, "{\"@type\":7,\"name\":\"n\"}", "/@type"},
        {"serviceCategory", "{\"@type\":\"ServiceCatalog\",\"name\":\"n\"}",
         "/@type"},
        {"serviceCategory", "7", ""},
        {"serviceCategory", "{}", "/name"},
        {"serviceCategory", "{\"name\":\"n\"", "/name"},
        {"serviceCategory", "{\"name\":\"\\u0000\"}", "/name"},
        {"serviceCategory", "{\"name\":\"n\",\"name\":\"n\"}", "/name"},
        {"serviceCategory", "{\"name\":\"n\",\"id\":\"a/b\"}", "/id"},
        {"serviceCategory",
         "{\"name\":\"n\",\"parentId\":\"p\",\"isRoot\":true}", "/isRoot"},
        {"serviceCategory", "{\"name\":\"n\",\"category\":[{}]}",
         "/category/0/id"},
        {"serviceCandidate", "{\"name\":\"n\"}", "/serviceSpecification"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (import(cases[i].path, cases[i].text) || fault.status != 400 ||
            !fault.message[0] || got.doc.len ||
            strcmp(fault.pointer, cases[i].pointer) != 0) {
            fail_msg("%s: %d %s: %s", cases[i].text, fault.status,
                     fault.pointer, fault.message);
        }
    }
    assert_false(import(NULL, "{\"@type\":\"ServiceCatalog\",\"id\":\"k\"}"));
    assert_string_equal(got.kind->resource, "serviceCatalog");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(reports),
        CHECK_TEST(takes_documents),
        CHECK_TEST(refuses_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
