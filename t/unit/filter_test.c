/*
 * List queries as SQL: the text is ours alone, the values are parameters.
 */
#include "t/unit/tmf_check.h"

#include "backend/store/filter.h"

static const filter_column_t columns[] = {
    {"id", "o.id", FILTER_UUID},
    {"state", "s.state", FILTER_TEXT},
    {"mode", "s.mode", FILTER_NAME},
    {"orderDate", "o.order_date", FILTER_TIME},
    {"born", "o.born", FILTER_TIME_MS},
    {"stage", "s.stage", FILTER_NAME},
    {"party.id", "o.parties", FILTER_ARRAY},
    {"item.action",
     "EXISTS (SELECT 1 FROM i WHERE i.action = ANY(%s) OR ANY(%s) = '%')",
     FILTER_EXISTS},
    {NULL, NULL, FILTER_TEXT},
};

static const char *
stage_sql(str_t value)
{
    return str_is(value, "over") ? "s.over" : "s.open AND s.stage";
}

static const filter_index_t indexes[] = {
    {"id", NULL},       {"stage", stage_sql}, {"born", NULL},
    {"party.id", NULL}, {NULL, NULL},
};

static const object_schema_t part = {
    "Part",
    (const attr_schema_t[]){
        {.name = "size", .type = ATTR_NUMBER},
        {.name = "count", .type = ATTR_INTEGER},
        {.name = "label", .type = ATTR_STRING},
        {.name = "link", .type = ATTR_URI},
        {.name = "flag", .type = ATTR_BOOLEAN},
        {.name = "made", .type = ATTR_DATE_TIME},
        {.name = "colour", .type = ATTR_ENUM},
        {.name = "value", .type = ATTR_ANY},
        {.name = NULL},
    },
};

static const filter_list_t list = {
    .columns = columns,
    .indexes = indexes,
    .schema =
        &(const object_schema_t){
            "Thing",
            (const attr_schema_t[]){
                {.name = "part", .type = ATTR_OBJECT, .object = &part},
                {.name = NULL},
            },
        },
    .doc_sql = "o.doc",
    .from = "o JOIN s WHERE true",
    .row_sql = "o.id",
    .show = "id",
    .last = "id",
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
    return filter_where(&out, &params, &query, &list, &fault);
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
#define NEXT(n) "$" n "::timestamptz + interval '1 ms'"
#define EQUAL(n)                               \
    "(o.order_date >= $" n "::timestamptz AND" \
    " o.order_date < " NEXT(n) ")"
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
orders_texts(void **state)
{
    (void) state;
    assert_where("state.gt=a", " AND (s.state COLLATE \"C\" > $1::text) | a");
    assert_where("state%3E%3Da,b",
                 " AND (s.state COLLATE \"C\" >= $1::text OR "
                 "s.state COLLATE \"C\" >= $2::text) | a | b");
    assert_where("state.gt=a&state.lte=b",
                 " AND (s.state COLLATE \"C\" > $1::text)"
                 " AND (s.state COLLATE \"C\" <= $2::text) | a | b");
}

static void
orders_instants(void **state)
{
    (void) state;
    static const struct {
        const char *op, *value, *sql;
    } cases[] = {
        {".gt", ".001Z", ">= " NEXT("1")},
        {".gte", ".001Z", ">= $1::timestamptz"},
        {".lt", ".001Z", "< $1::timestamptz"},
        {".lte", ".001Z", "< " NEXT("1")},
        {".gt", ".0015Z", ">= " NEXT("1")},
        {".gte", ".0015Z", ">= " NEXT("1")},
        {".lt", ".0015Z", "< " NEXT("1")},
        {".lte", ".0015Z", "< " NEXT("1")},
        {".gte", ".001-00:00", ">= $1::timestamptz"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[100], wanted[200];

        snprintf(text, sizeof(text), "orderDate%s=2030-01-01T00:00:00%s",
                 cases[i].op, cases[i].value);
        snprintf(wanted, sizeof(wanted),
                 " AND (o.order_date %s) | 2030-01-01T00:00:00.001Z",
                 cases[i].sql);
        assert_where(text, wanted);
    }
}

static void
takes_the_opposite(void **state)
{
    (void) state;
    assert_where("state.ne=a,b",
                 " AND (s.state = $1::text OR s.state = $2::text) IS NOT TRUE"
                 " | a | b");
    assert_where("mode.ne=a", " AND (s.mode = $1::text) IS NOT TRUE | a");
    assert_where("id.ne=42", " AND (false) IS NOT TRUE");
    assert_where("orderDate.ne=2030-01-01T00:00:00Z",
                 " AND (" EQUAL("1") ") IS NOT TRUE"
                                     " | 2030-01-01T00:00:00.000Z");
    assert_where("item.action.ne=add",
                 " AND (EXISTS (SELECT 1 FROM i WHERE i.action = "
                 "ANY(ARRAY[$1::text]) OR ANY(ARRAY[$1::text]) = '%'))"
                 " IS NOT TRUE | add");
    assert_where("part.flag.ne=true",
                 " AND (jsonb_path_exists(o.doc::jsonb, $1::jsonpath, "
                 "$2::jsonb)) IS NOT TRUE"
                 " | $.\"part\".\"flag\" ? (@ == $s0 || @ == $v0)"
                 " | {\"s0\":\"true\",\"v0\":true}");
}

static void
orders_in_the_document(void **state)
{
    (void) state;
    assert_where("x.gt=b", EXISTS("1", "2") " | $.\"x\" ? (@ > $s0)"
                                            " | {\"s0\":\"b\"}");
    assert_where(
        "part.value.lte=1,b",
        EXISTS("1", "2") " | $.\"part\".\"value\" ? (@.double() <= $v0 "
                         "|| @ <= $s1) | {\"v0\":1,\"s1\":\"b\"}");
    /* true and null are not greater than anything */
    assert_where("x.gt=true", EXISTS("1", "2") " | $.\"x\" ? (@ > $s0)"
                                               " | {\"s0\":\"true\"}");
    /* as the schema says */
    assert_where(
        "part.size.gte=1,2",
        EXISTS("1", "2") " | $.\"part\".\"size\" ? (@.double() >= $v0 || "
                         "@.double() >= $v1) | {\"v0\":1,\"v1\":2}");
    assert_where("part.label.lt=1",
                 EXISTS("1", "2") " | $.\"part\".\"label\" ? (@ < $s0)"
                                  " | {\"s0\":\"1\"}");
    assert_where("part.link.lt=1",
                 EXISTS("1", "2") " | $.\"part\".\"link\" ? (@ < $s0)"
                                  " | {\"s0\":\"1\"}");
}

static void
refuses_what_has_no_order(void **state)
{
    (void) state;
    static const struct {
        const char *query, *message;
    } cases[] = {
        {"id.gt=" ORDER_ID, "id has no order"},
        {"mode.lt=a", "mode has no order"},
        {"item.action.gte=add", "item.action has no order"},
        {"part.gt=1", "part has no order"},
        {"part.flag.gt=true", "part.flag has no order"},
        {"part.made.lt=2030-01-01T00:00:00Z", "part.made has no order"},
        {"part.colour.lte=red", "part.colour has no order"},
        {"part.size.gt=big", "part.size is compared with a number"},
        {"part.count.gt=1,", "part.count is compared with a number, not \"\""},
        {"part.count.gt=true", "part.count is compared with a number"},
        {"orderDate.gt=2030", "orderDate is compared with an RFC 3339"},
        {"orderDate.ne=2030", "orderDate is compared with an RFC 3339"},
        {"orderDate.lt=2030-01-01T00:00:00Z,x", "date-time"},
        {"orderDate%3C2030-01-01T00:00:00+01:00", "not \"2030"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (where(cases[i].query) || fault.status != 400 ||
            fault.code != TMF_CODE_QUERY_INVALID ||
            !strstr(fault.message, cases[i].message)) {
            fail_msg("%s: %d %s", cases[i].query, fault.status, fault.message);
        }
    }
}

static bool
listed(const char *text)
{
    fault = (tmf_error_t){0};
    buf_reset(&out);
    pg_params(&params, arena);
    assert_int_equal(query_parse(&query, str_of(text), &fault), 0);
    return filter_list_sql(&out, &params, &query, 100, &list, &fault);
}

#define ROWS_OF(where) " FROM o JOIN s WHERE true" where

#define LISTED(keys, where, order, limit, offset, seen)                     \
    "WITH page AS (SELECT o.id" keys ROWS_OF(                               \
        where) " ORDER BY " order " LIMIT " limit " OFFSET " offset         \
               ") SELECT page.id, t.n FROM ("                               \
               "SELECT CASE WHEN c.n <= " seen                              \
               " + c.n ELSE (SELECT nullif(count(*),"                       \
               " 100001) FROM (SELECT 1" ROWS_OF(                           \
                   where) " LIMIT 100001) AS hit) END"                      \
                          " AS n FROM (SELECT count(*) AS n FROM page) AS " \
                          "c) AS t"                                         \
                          " LEFT JOIN page ON true ORDER BY " order

static void
sorts(void **state)
{
    (void) state;
    static const struct {
        const char *query, *sql;
    } cases[] = {
        {"", LISTED("", "", "id", "101", "0", "100 AND true THEN 0")},
        {"sort=-state,orderDate&limit=5",
         LISTED(", s.state COLLATE \"C\" AS k0"
                ", date_trunc('milliseconds', o.order_date) AS k1",
                "", "k0 DESC NULLS LAST, k1 NULLS LAST, id", "6", "0",
                "5 AND true THEN 0")},
        {"sort=mode,-id&state=a&offset=7",
         LISTED(", s.mode COLLATE \"C\" AS k0, o.id AS k1",
                " AND (s.state = $1::text)", "k0 NULLS LAST, k1 DESC, id",
                "101", "7", "100 AND c.n > 0 THEN 7")},
        /* as an index has it */
        {"sort=-born&limit=0", LISTED(", o.born AS k0", "", "k0 DESC, id", "1",
                                      "0", "0 AND true THEN 0")},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(listed(cases[i].query));
        assert_string_equal(out.data, cases[i].sql);
    }
    static const char *const bad[] = {"item.action", "part.size", "x",
                                      "state;--", "k0"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[64];

        snprintf(text, sizeof(text), "sort=id,-%s", bad[i]);
        assert_false(listed(text));
        assert_int_equal(fault.status, 400);
        assert_int_equal(fault.code, TMF_CODE_QUERY_INVALID);
        snprintf(text, sizeof(text), "sorted by \"%s\"", bad[i]);
        assert_non_null(strstr(fault.message, text));
    }
    assert_false(listed("sort=party.id"));
    assert_false(listed("orderDate.gt=x"));
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
    assert_true(filter_where(&out, &params, &query, &list, &fault));
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
        const char *query;
        long size;
    } cases[] = {
        {"", 100},
        {"limit=10", 10},
        {"limit=0&offset=7", 0},
        {"limit=100", 100},
        {"limit=101", 100},
        {"offset=999999999999999999", 100},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(query_parse(&query, str_of(cases[i].query), &fault),
                         0);
        assert_int_equal(filter_page_size(&query, 100), cases[i].size);
    }
}

static void
takes_either(void **state)
{
    (void) state;
    assert_where("state=a;mode.ne=b;x=c",
                 " AND ((s.state = $1::text) OR (s.mode = $2::text)"
                 " IS NOT TRUE OR (jsonb_path_exists(o.doc::jsonb,"
                 " $3::jsonpath, $4::jsonb)))"
                 " | a | b | $.\"x\" ? (@ == $s0) | {\"s0\":\"c\"}");
    assert_where("state=a;state=b",
                 " AND (s.state = $1::text OR s.state = $2::text) | a | b");
}

static void
looks_where_the_index_is(void **state)
{
    (void) state;
    assert_where("stage=over,on",
                 " AND (s.over = $1::text OR s.open AND s.stage = $2::text)"
                 " | over | on");
    assert_where("stage.ne=over",
                 " AND (s.over = $1::text) IS NOT TRUE | over");
    assert_where("party.id=a,b",
                 " AND (o.parties && ARRAY[$1::text, $2::text]) | a | b");
    assert_where("party.id.ne=a",
                 " AND (o.parties && ARRAY[$1::text]) IS NOT TRUE | a");
    assert_where("party.id.gt=a",
                 EXISTS("1", "2") " | $.\"party\".\"id\" ? (@ > $s0)"
                                  " | {\"s0\":\"a\"}");
}

static void
matches_expressions(void **state)
{
    (void) state;
#define MATCHES(path, array)                                              \
    " AND (EXISTS (SELECT 1 FROM jsonb_path_query(o.doc::jsonb,"          \
    " $1::jsonpath) AS x(v) WHERE x.v #>> '{}' ~ ANY(ARRAY[" array "])))" \
    " | $." path "[*] ? (@.type() == \"string\" || @.type() == \"number\")"
    assert_where("state*=%5Ea;state.regex=b",
                 " AND (s.state COLLATE \"default\" ~ $1::text OR"
                 " s.state COLLATE \"default\" ~ $2::text) | ^a | b");
    assert_where("x.y=~a'%22,b",
                 MATCHES("\"x\".\"y\"", "$2::text, $3::text") " | a'\" | b");
    assert_where("party.id.regex=x",
                 MATCHES("\"party\".\"id\"", "$2::text") " | x");
    assert_where("part.label.regex=x",
                 MATCHES("\"part\".\"label\"", "$2::text") " | x");
    assert_where("part.size.regex=%5E1",
                 MATCHES("\"part\".\"size\"", "$2::text") " | ^1");
    static const char *const bad[] = {
        "id",   "mode",      "orderDate", "born",       "item.action",
        "part", "part.flag", "part.made", "part.colour"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[64];

        snprintf(text, sizeof(text), "%s.regex=x", bad[i]);
        assert_false(where(text));
        assert_int_equal(fault.status, 400);
        snprintf(text, sizeof(text), "%s is no text", bad[i]);
        assert_non_null(strstr(fault.message, text));
    }
}

/* The statement is good; the error is for the case that it takes too long. */
static void
says_what_is_slow(void **state)
{
    (void) state;
    static const struct {
        const char *query, *message;
    } cases[] = {
        {"x=1&stage=over&mode=a",
         "too long by x, mode: no index helps; narrow it by equality or a "
         "range of id, stage, born, party.id"},
        {"stage.ne=over", "by stage: no"},
        {"party.id.regex=over", "by party.id: no"},
        {"id=1;party.id=2", "by id, party.id: no"},
        {"stage=over&sort=-born,mode", "by mode: no"},
        {"stage=over&sort=born", "narrow it by further conditions"},
        {"offset=1000000", "a smaller offset"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(listed(cases[i].query));
        assert_int_equal(fault.status, 400);
        if (!strstr(fault.message, cases[i].message)) {
            fail_msg("%s: %s", cases[i].query, fault.message);
        }
    }
    buf_t text;
    buf_init(&text, QUERY_MAX_BYTES);
    for (int i = 0; i < 20; i++) {
        buf_printf(&text, "&%0200d%d=1", 0, i);
    }
    assert_true(listed(text.data));
    assert_non_null(strstr(fault.message, "too long by 000"));
    buf_free(&text);
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
        CHECK_TEST(orders_texts),
        CHECK_TEST(orders_instants),
        CHECK_TEST(takes_the_opposite),
        CHECK_TEST(orders_in_the_document),
        CHECK_TEST(refuses_what_has_no_order),
        CHECK_TEST(sorts),
        CHECK_TEST(joins_conditions),
        CHECK_TEST(goes_on_behind_other_parameters),
        CHECK_TEST(bounds_parameters),
        CHECK_TEST(pages),
        CHECK_TEST(takes_either),
        CHECK_TEST(looks_where_the_index_is),
        CHECK_TEST(matches_expressions),
        CHECK_TEST(says_what_is_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
