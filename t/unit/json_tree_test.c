/* The JSON tree: slices, look-up, comparison, writing, merge patch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/base/json.h"

static arena_t *arena;
static buf_t out;

static int
setup(void **state)
{
    (void) state;
    arena = arena_create();
    buf_init(&out, 1 << 20);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    arena_free(arena);
    buf_free(&out);
    return 0;
}

/* In memory of exactly its length, so that reading past it is found. */
static json_t *
parse(const char *text)
{
    size_t len = strlen(text);
    char *exact = arena_alloc(arena, len);

    for (size_t i = 0; i < len; i++) {
        exact[i] = text[i];
    }
    return json_parse(arena, (str_t){exact, len}, NULL);
}

static void
assert_text(str_t s, const char *expected)
{
    if (!str_is(s, expected)) {
        fail_msg("'%.*s' is not '%s'", STR_FMT(s), expected);
    }
}

static void
every_value_keeps_its_source(void **state)
{
    json_t *v = parse(" { \"a\" : 1.50e+2 ,\"b\":[ true , null,\"x\\u0041y\" "
                      "], \"c\\n\" : { } , \"d\":\"\"} ");
    const json_t *b = json_get(v, "b");

    (void) state;
    assert_non_null(v);
    assert_int_equal(v->type, JSON_OBJECT);
    assert_int_equal(v->count, 4);
    assert_text(v->raw, "{ \"a\" : 1.50e+2 ,\"b\":[ true , null,\"x\\u0041y\" "
                        "], \"c\\n\" : { } , \"d\":\"\"}");
    assert_text(json_get(v, "a")->raw, "1.50e+2");
    assert_text(json_get(v, "a")->text, "1.50e+2");
    assert_text(b->raw, "[ true , null,\"x\\u0041y\" ]");
    assert_int_equal(b->count, 3);
    assert_text(b->child->raw, "true");
    assert_text(b->child->text, "true");
    assert_int_equal(b->child->next->type, JSON_NULL);
    assert_text(b->child->next->next->raw, "\"x\\u0041y\"");
    assert_text(b->child->next->next->text, "xAy");
    assert_text(json_get(v, "c\n")->raw, "{ }");
    assert_text(json_get(v, "c\n")->name, "c\n");
    assert_int_equal(json_get(v, "c\n")->count, 0);
    assert_null(json_get(v, "c\n")->child);
    assert_text(json_get(v, "d")->raw, "\"\"");
    assert_int_equal(json_get(v, "d")->text.len, 0);
}

static void
a_document_of_one_scalar(void **state)
{
    static const struct {
        const char *text, *raw;
        json_type_t type;
    } rows[] = {
        {"5", "5", JSON_NUMBER},
        {" -0.5e-3\n", "-0.5e-3", JSON_NUMBER},
        {"\"s\"", "\"s\"", JSON_STRING},
        {"true", "true", JSON_BOOL},
        {" null ", "null", JSON_NULL},
        {"[]", "[]", JSON_ARRAY},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *v = parse(rows[i].text);

        assert_non_null(v);
        assert_int_equal(v->type, rows[i].type);
        assert_text(v->raw, rows[i].raw);
        assert_null(v->next);
    }
}

static void
refuses_and_goes_on(void **state)
{
    static const char *const bad[] = {
        "",      "{",           "{\"a\":}",          "[1,]",
        "nul",   "\"\\u0000\"", "{\"a\":1,\"a\":2}", "\"\\ud800\"",
        "1e999", "[1] x",       "// c\n1",           "\xc0\x80",
    };
    json_error_t err;

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err.reason = NULL;
        assert_null(json_parse(arena, str_of(bad[i]), &err));
        assert_non_null(err.reason);
        assert_null(json_parse(arena, str_of(bad[i]), NULL));
        assert_int_equal(parse("[1,2]")->count, 2); /* the reader recovers */
    }
    assert_null(json_parse(arena, STR("{\"a\":{\"b\":[1,tru]}}"), &err));
    assert_memory_equal(err.pointer, "/a/b", 4);
}

static void
depth_up_to_the_limit(void **state)
{
    char text[2 * JSON_MAX_DEPTH + 3];
    json_t *v;
    int depth = 0;

    (void) state;
    memset(text, '[', JSON_MAX_DEPTH);
    memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
    text[2 * JSON_MAX_DEPTH] = '\0';
    for (v = parse(text); v != NULL; v = v->child) {
        depth++;
    }
    assert_int_equal(depth, JSON_MAX_DEPTH);
    memset(text, '[', JSON_MAX_DEPTH + 1);
    memset(text + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
    text[2 * JSON_MAX_DEPTH + 2] = '\0';
    assert_null(parse(text));
}

static void
comments_in_our_own_files(void **state)
{
    static const char text[] =
        "// head\n{ /* a \" in \n it */ \"a\": 1, // x\n"
        "\"b\": \"// no /* comment */ \\\" //\",\n"
        "\"c\":[2/**/,/***/3]}// end";
    json_error_t err;
    json_t *v = json_parse_relaxed(arena, str_of(text), &err);

    (void) state;
    assert_non_null(v);
    assert_int_equal(json_int(v, "a", 0), 1);
    assert_text(json_text(v, "b"), "// no /* comment */ \" //");
    assert_int_equal(json_get(v, "c")->count, 2);
    /* places stay right, line by line */
    assert_null(json_parse_relaxed(arena, STR("/* 1\n2 */\n{x}"), &err));
    assert_in_range(err.offset, 10, 12);
    assert_null(json_parse_relaxed(arena, STR("{} /* open"), &err));
    assert_null(json_parse_relaxed(arena, STR("{} /*/"), &err));
    assert_null(json_parse_relaxed(arena, STR("{\"a // \n"), &err));
    assert_null(json_parse_relaxed(arena, STR("// only"), &err));
    assert_null(json_parse_relaxed(arena, STR("1 /"), &err));
    assert_null(json_parse_relaxed(arena, STR("\"\\"), &err));
}

static void
looks_up_by_name(void **state)
{
    json_t *v = parse("{\"s\":\"x\",\"n\":7,\"t\":true,\"f\":false,\"z\":null,"
                      "\"o\":{\"s\":\"inner\"},\"\":\"empty\"}");

    (void) state;
    assert_text(json_text(v, "s"), "x");
    assert_int_equal(json_text(v, "n").len, 0);
    assert_int_equal(json_text(v, "none").len, 0);
    assert_text(json_text(json_get(v, "o"), "s"), "inner");
    assert_text(json_text(v, ""), "empty");
    assert_true(json_is_true(v, "t"));
    assert_false(json_is_true(v, "f"));
    assert_false(json_is_true(v, "s"));
    assert_false(json_is_true(v, "none"));
    assert_null(json_get(NULL, "s"));
    assert_null(json_get(json_get(v, "s"), "s"));
    assert_null(json_get(v, "S"));
    assert_non_null(json_get_str(v, (str_t){"size", 1}));
    json_each(none, json_get(v, "none"))
    {
        fail_msg("what is not there has no members, but %p",
                 (const void *) none);
    }
}

static void
integers(void **state)
{
    static const struct {
        const char *text;
        long long n;
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"42", 42},
        {"-42", -42},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"9223372036854775808", -1}, /* too large: the default */
        {"5.0", 5},
        {"1e3", 1000},
        {"12.5e1", 125},
        {"1.5", -1},
        {"1e300", -1},
        {"1e-1", -1},
        {"\"7\"", -1},
        {"true", -1},
        {"null", -1},
        {"[7]", -1},
    };
    char text[64];

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(text, sizeof(text), "{\"n\":%s}", rows[i].text);
        assert_int_equal(json_int(parse(text), "n", -1), rows[i].n);
    }
    assert_int_equal(json_int(parse("{}"), "n", 9), 9);
    assert_int_equal(json_int(NULL, "n", 9), 9);
}

/* RFC 6901, 5, and what is no pointer. */
static void
looks_up_by_pointer(void **state)
{
    json_t *v = parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,"
                      "\"e^f\":3,\"m~n\":8,\" \":7,\"k\":{\"~1\":4}}");
    static const struct {
        const char *pointer, *raw;
    } rows[] = {
        {"/foo", "[\"bar\",\"baz\"]"},
        {"/foo/0", "\"bar\""},
        {"/foo/1", "\"baz\""},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/e^f", "3"},
        {"/m~0n", "8"},
        {"/ ", "7"},
        {"/k/~01", "4"},
        {"/foo/2", NULL},
        {"/foo/-", NULL},
        {"/foo/00", NULL},
        {"/foo/01", NULL},
        {"/foo/+1", NULL},
        {"/foo/ 1", NULL},
        {"/foo/", NULL},
        {"/foo/4294967296", NULL},
        {"/foo/99999999999999999999", NULL},
        {"/foo/0/x", NULL},
        {"/fo", NULL},
        {"/fooo", NULL},
        {"foo", NULL},
        {"/m~n", NULL},
        {"/m~2n", NULL},
        {"/m~", NULL},
        {"/a/b", NULL},
        {"/none/x", NULL},
    };

    (void) state;
    assert_ptr_equal(json_at(v, STR("")), v);
    assert_null(json_at(NULL, STR("/foo")));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const json_t *at = json_at(v, str_of(rows[i].pointer));

        if (rows[i].raw == NULL) {
            assert_null(at);
        } else {
            assert_non_null(at);
            assert_text(at->raw, rows[i].raw);
        }
    }
}

static void
equal_by_value(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"1", "1.0", true},
        {"100", "1e2", true},
        {"1E+2", "100.00", true},
        {"0.01", "1e-2", true},
        {"-0", "0", true},
        {"0e5", "0.0", true},
        {"120", "12", false},
        {"1", "-1", false},
        {"12345678901234567890123", "12345678901234567890123.0", true},
        {"12345678901234567890123", "12345678901234567890124", false},
        {"0.1", "0.10000000000000000001", false},
        {"\"a\"", "\"\\u0061\"", true},
        {"\"a\"", "\"A\"", false},
        {"\"1\"", "1", false},
        {"true", "false", false},
        {"null", "null", true},
        {"null", "false", false},
        {"[1,2]", "[1, 2]", true},
        {"[1,2]", "[2,1]", false},
        {"[1]", "[1,1]", false},
        {"{}", "[]", false},
        {"{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":3,\"a\":1,\"b\":2}", true},
        {"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
        {"{\"a\":1}", "{\"a\":1,\"b\":null}", false},
        {"{\"a\":[{\"x\":1}]}", "{\"a\":[{\"x\":1.0}]}", true},
        {"{\"a\":[{\"x\":1}]}", "{\"a\":[{\"x\":2}]}", false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *a = parse(rows[i].a), *b = parse(rows[i].b);

        assert_int_equal(json_equal(a, b), rows[i].equal);
        assert_int_equal(json_equal(b, a), rows[i].equal);
        assert_true(json_equal(a, a));
    }
    assert_true(json_equal(NULL, NULL));
    assert_false(json_equal(NULL, parse("null")));
}

static void
writes_with_commas_where_they_belong(void **state)
{
    buf_t *b = &out;

    (void) state;
    buf_char(b, '{');
    json_put_text(b, "id", STR("a\"b"));
    json_put_some(b, "none", STR_NONE);
    json_put_some(b, "some", STR(","));
    json_put_raw(b, "raw", STR("{\"x\":[1.0]}"));
    json_put_int(b, "n", -5);
    json_put_bool(b, "t", true);
    json_put_bool(b, "f", false);
    json_name(b, "list");
    buf_char(b, '[');
    for (int i = 0; i < 3; i++) {
        json_comma(b);
        buf_printf(b, "%d", i);
    }
    json_end(b, ']');
    json_begin(b, "empty\n", '{');
    json_end(b, '}');
    json_put_text(b, "last", STR_NONE);
    json_end(b, '}');
    assert_string_equal(
        b->data, "{\"id\":\"a\\\"b\",\"some\":\",\",\"raw\":{\"x\":[1.0]},"
                 "\"n\":-5,\"t\":true,\"f\":false,\"list\":[0,1,2],"
                 "\"empty\\n\":{},\"last\":\"\"}");
    assert_non_null(parse(b->data));
}

/* RFC 7386, appendix A, and ours. */
static void
merges_a_patch(void **state)
{
    static const struct {
        const char *target, *patch, *result;
    } rows[] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
         "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        {NULL, "{\"a\":{\"b\":null,\"c\":1}}", "{\"a\":{\"c\":1}}"},
        {"{\"n\":1.50,\"s\":\"\\u0041\",\"x\":{\"y\": 1}}", "{\"m\":1e2}",
         "{\"n\":1.50,\"s\":\"\\u0041\",\"x\":{\"y\": 1},\"m\":1e2}"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const json_t *target =
            rows[i].target != NULL ? parse(rows[i].target) : NULL;

        buf_reset(&out);
        json_merge_patch(&out, target, parse(rows[i].patch));
        assert_string_equal(out.data, rows[i].result);
    }
}

/* The tree written out again from its texts. */
static void
dump(buf_t *b, const json_t *v)
{
    switch (v->type) {
    case JSON_STRING:
        buf_json(b, v->text);
        break;
    case JSON_ARRAY:
        buf_char(b, '[');
        json_each(element, v)
        {
            json_comma(b);
            dump(b, element);
        }
        json_end(b, ']');
        break;
    case JSON_OBJECT:
        buf_char(b, '{');
        json_each(member, v)
        {
            json_comma(b);
            buf_json(b, member->name);
            buf_char(b, ':');
            dump(b, member);
        }
        json_end(b, '}');
        break;
    default:
        buf_str(b, v->text);
    }
}

static void
random_value(buf_t *b, unsigned *seed, int depth)
{
    static const char *const scalars[] = {
        "0",      "-1.5e3",    "true",           "null",
        "\"\"",   "\"a,b:c\"", "\"\\n\\u20ac\"", "\"\xe2\x82\xac\"",
        "\"[{\"", "false",
    };
    int n = rand_r(seed) % 5;

    if (depth == 0 || rand_r(seed) % 3 == 0) {
        buf_puts(b, scalars[rand_r(seed) % 10]);
        return;
    }
    if (rand_r(seed) % 2 == 0) {
        buf_puts(b, "[ ");
        for (int i = 0; i < n; i++) {
            buf_puts(b, i > 0 ? "\n, " : "");
            random_value(b, seed, depth - 1);
        }
        buf_puts(b, " ]");
        return;
    }
    buf_puts(b, "{\t");
    for (int i = 0; i < n; i++) {
        buf_printf(b, "%s\"m%s%d\" : ", i > 0 ? " , " : "",
                   i % 2 ? "\\u0041" : "", i);
        random_value(b, seed, depth - 1);
    }
    buf_puts(b, "}");
}

/* Each slice alone is the value it stands for. */
static void
check_slices(const json_t *v)
{
    json_t *alone = json_parse(arena, v->raw, NULL);

    assert_non_null(alone);
    assert_true(json_equal(alone, v));
    assert_int_equal(alone->raw.len, v->raw.len);
    json_each(child, v)
    {
        check_slices(child);
    }
}

static void
random_documents_survive(void **state)
{
    unsigned seed = 11;

    (void) state;
    for (int i = 0; i < 300; i++) {
        json_t *v, *again;
        str_t text;

        buf_reset(&out);
        random_value(&out, &seed, 6);
        text = arena_str(arena, buf_view(&out));
        v = json_parse(arena, text, NULL);
        assert_non_null(v);
        check_slices(v);
        buf_reset(&out);
        dump(&out, v);
        again = json_parse(arena, buf_view(&out), NULL);
        assert_non_null(again);
        assert_true(json_equal(v, again));
        assert_true(json_equal(json_parse_relaxed(arena, text, NULL), v));
        arena_reset(arena);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_value_keeps_its_source),
        TEST(a_document_of_one_scalar),
        TEST(refuses_and_goes_on),
        TEST(depth_up_to_the_limit),
        TEST(comments_in_our_own_files),
        TEST(looks_up_by_name),
        TEST(integers),
        TEST(looks_up_by_pointer),
        TEST(equal_by_value),
        TEST(writes_with_commas_where_they_belong),
        TEST(merges_a_patch),
        TEST(random_documents_survive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
