/*
 * List queries as SQL: the text is ours alone, the values are parameters.
 */
#include "t/unit/tmf_check.h"

#include "backend/store/filter.h"

static const filter_column_t columns[] = {
    {"id", "o.id", FILTER_UUID},
    {"state", "s.state", FILTER_TEXT},
    {"orderDate", "o.order_date", FILTER_TIME},
    {"item.action",
     "EXISTS (SELECT 1 FROM i WHERE i.action = ANY(%s) OR ANY(%s) = '%')",
     FILTER_EXISTS},
    {NULL, NULL, FILTER_TEXT},
};

static pg_params_t params;
static tmf_error_t fault;
static query_t query;

/* The SQL and its parameters as "sql | $1 | $2". */
static bool
where(const char *text)
{
    fault = (tmf_error_t){0};
    buf_reset(&out);
    pg_params(&params, arena);
    if (query_parse(&query, str_of(text), &fault) < 0) {
        fail_msg("%s: %s", text, fault.message);
    }
    return filter_where(&out, &params, &query, columns, "o.doc", &fault);
}

#define assert_where(text, wanted) \
    check_where((text), (wanted), __FILE__, __LINE__)

static void
check_where(const char *text, const char *wanted, const char *file, int line)
{
    bool good = where(text);

    for (int i = 0; i < params.n; i++) {
        /* Text format needs the NUL behind it. */
        assert_int_equal(strlen(params.value[i]), params.length[i]);
        buf_printf(&out, " | %s", params.value[i]);
    }
    if (!good || strcmp(out.data ? out.data : "", wanted) != 0) {
        print_error("%s gives\n%s\nnot\n%s\n", text, out.data, wanted);
        _fail(file, line);
    }
}

static void
writes_nothing_for_nothing(void **state)
{
    (void) state;
    assert_where("", "");
    assert_where("fields=id&limit=5&offset=1", "");
}

static void
compares_texts(void **state)
{
    (void) state;
    assert_where("state=done", " AND (s.state = $1::text) | done");
    assert_where("state=a,b&state=c",
                 " AND (s.state = $1::text OR s.state = $2::text OR "
                 "s.state = $3::text) | a | b | c");
    assert_where("state=", " AND (s.state = $1::text) | ");
    assert_where("state=%27%3B%20DROP%20TABLE%20x%3B--",
                 " AND (s.state = $1::text) | '; DROP TABLE x;--");
}

static void
compares_uuids(void **state)
{
    (void) state;
    assert_where("id=" ORDER_ID, " AND (o.id = $1::uuid) | " ORDER_ID);
    assert_where("id=42", " AND (false)");
    assert_where("id=,x," ORDER_ID "," SERVICE_ID,
                 " AND (false OR false OR o.id = $1::uuid OR o.id = $2::uuid)"
                 " | " ORDER_ID " | " SERVICE_ID);
}

static void
compares_instants(void **state)
{
    (void) state;
#define EQUAL(n) \
    "date_trunc('milliseconds', o.order_date) = $" n "::timestamptz"
    assert_where("orderDate=2030-01-01T00:00:00.000Z",
                 " AND (" EQUAL("1") ") | 2030-01-01T00:00:00.000Z");
    assert_where(
        "orderDate=2030-01-01T01:00:00%2B01:00,"
        "%222030-01-01T00:00:00.5Z%22",
        " AND (" EQUAL("1") " OR " EQUAL(
            "2") ") | "
                 "2030-01-01T00:00:00.000Z | 2030-01-01T00:00:00.500Z");
    /* finer than what is shown, and what is no time at all */
    assert_where("orderDate=2030-01-01T00:00:00.000001Z", " AND (false)");
    assert_where("orderDate=2030", " AND (false)");
    assert_where("orderDate=0000-01-01T00:00:00Z", " AND (false)");
    assert_where("orderDate=infinity", " AND (false)");
}

static void
looks_for_existence(void **state)
{
    (void) state;
    assert_where("item.action=add,modify",
                 " AND (EXISTS (SELECT 1 FROM i WHERE i.action = "
                 "ANY(ARRAY[$1::text, $2::text]) OR "
                 "ANY(ARRAY[$1::text, $2::text]) = '%')) | add | modify");
}

#define EXISTS(a, b) \
    " AND (jsonb_path_exists(o.doc::jsonb, $" a "::jsonpath, $" b "::jsonb))"

static void
looks_into_the_document(void **state)
{
    (void) state;
    assert_where(
        "a.b=x",
        EXISTS("1", "2") " | $.\"a\".\"b\" ? (@ == $s0) | {\"s0\":\"x\"}");
    assert_where("a=x,y",
                 EXISTS("1", "2") " | $.\"a\" ? (@ == $s0 || @ == $s1)"
                                  " | {\"s0\":\"x\",\"s1\":\"y\"}");
    assert_where(
        "a=100,true,null,-1.5e3,%22%22",
        EXISTS(
            "1",
            "2") " | $.\"a\" ? (@ == $s0 || @ == $v0 || @ == $s1 || "
                 "@ == $v1 || @ == $s2 || @ == $v2 || @ == $s3 || @ == $v3 "
                 "|| @ == $s4)"
                 " | {\"s0\":\"100\",\"v0\":100,\"s1\":\"true\",\"v1\":true,"
                 "\"s2\":\"null\",\"v2\":null,\"s3\":\"-1.5e3\","
                 "\"v3\":-1.5e3,\"s4\":\"\"}");
    /* what only looks like a number, or is larger than the reader takes */
    assert_where(
        "a=0x1,1e999999,01,[1],{},Infinity,%201",
        EXISTS(
            "1",
            "2") " | $.\"a\" ? (@ == $s0 || @ == $s1 || @ == $s2 || @ == $s3 "
                 "|| @ == $s4 || @ == $s5 || @ == $s6)"
                 " | {\"s0\":\"0x1\",\"s1\":\"1e999999\",\"s2\":\"01\","
                 "\"s3\":\"[1]\",\"s4\":\"{}\",\"s5\":\"Infinity\","
                 "\"s6\":\" 1\"}");
}

static void
escapes_for_jsonpath(void **state)
{
    (void) state;
    assert_where(
        "a%22%29%20%7C%7C.%24x%5C%0A=%22y",
        EXISTS("1", "2") " | $.\"a\\\") ||\".\"$x\\\\\\n\" ? (@ == $s0)"
                         " | {\"s0\":\"\\\"y\"}");
    assert_where(
        "@type=%C3%A9%27",
        EXISTS("1",
               "2") " | $.\"@type\" ? (@ == $s0) | {\"s0\":\"\xc3\xa9'\"}");
}

static void
joins_conditions(void **state)
{
    (void) state;
    assert_where(
        "x=1&state=done&id=" ORDER_ID,
        EXISTS("1",
               "2") " AND (s.state = $3::text) AND "
                    "(o.id = $4::uuid) | $.\"x\" ? (@ == $s0 || @ == $v0) | "
                    "{\"s0\":\"1\",\"v0\":1} | done | " ORDER_ID);
}

static void
goes_on_behind_other_parameters(void **state)
{
    (void) state;
    pg_params(&params, arena);
    pg_add_text(&params, STR("first"));
    assert_int_equal(query_parse(&query, STR("state=a"), &fault), 0);
    assert_true(filter_where(&out, &params, &query, columns, "o.doc", &fault));
    assert_string_equal(out.data, " AND (s.state = $2::text)");
}

static bool
where_many(const char *name, int n)
{
    char text[1024];
    int len = snprintf(text, sizeof(text), "%s=0", name);

    for (int i = 1; i < n; i++) {
        len += snprintf(text + len, sizeof(text) - (size_t) len, ",%d", i);
    }
    return where(text);
}

static void
bounds_parameters(void **state)
{
    (void) state;
    assert_true(where_many("state", PG_MAX_PARAMS));
    assert_int_equal(params.n, PG_MAX_PARAMS);
    assert_false(where_many("state", PG_MAX_PARAMS + 1));
    assert_int_equal(fault.status, 400);
    assert_false(where_many("item.action", PG_MAX_PARAMS + 1));
    /* one path of the document takes two, whatever the number of values */
    assert_true(where_many("a.b", QUERY_MAX_VALUES));
    assert_int_equal(params.n, 2);
    buf_t text;
    buf_init(&text, 1024);
    for (int i = 0; i < PG_MAX_PARAMS / 2; i++) {
        buf_printf(&text, "&x%d=1", i);
    }
    assert_true(where(text.data));
    assert_int_equal(params.n, PG_MAX_PARAMS);
    buf_puts(&text, "&y=1");
    assert_false(where(text.data));
    assert_int_equal(fault.status, 400);
    buf_free(&text);
}

static void
pages(void **state)
{
    (void) state;
    static const struct {
        const char *query, *sql;
    } cases[] = {
        {"", " LIMIT 100 OFFSET 0"},
        {"limit=10", " LIMIT 10 OFFSET 0"},
        {"limit=0&offset=7", " LIMIT 0 OFFSET 7"},
        {"limit=100", " LIMIT 100 OFFSET 0"},
        {"limit=101", " LIMIT 100 OFFSET 0"},
        {"offset=999999999999999999", " LIMIT 100 OFFSET 999999999999999999"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf_reset(&out);
        assert_int_equal(query_parse(&query, str_of(cases[i].query), &fault),
                         0);
        filter_page(&out, &query, 100);
        assert_string_equal(out.data, cases[i].sql);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(writes_nothing_for_nothing),
        CHECK_TEST(compares_texts),
        CHECK_TEST(compares_uuids),
        CHECK_TEST(compares_instants),
        CHECK_TEST(looks_for_existence),
        CHECK_TEST(looks_into_the_document),
        CHECK_TEST(escapes_for_jsonpath),
        CHECK_TEST(joins_conditions),
        CHECK_TEST(goes_on_behind_other_parameters),
        CHECK_TEST(bounds_parameters),
        CHECK_TEST(pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
