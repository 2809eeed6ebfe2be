/* rooms: proto */
/*
 * The strict JSON reader: events, exact ends, pointers, every refusal, and
 * that neither depends on where the document is cut. jansson is the second
 * opinion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* jansson uses some of our names. */
#define JSON_OBJECT  ORACLE_OBJECT
#define JSON_ARRAY   ORACLE_ARRAY
#define JSON_STRING  ORACLE_STRING
#define JSON_NULL    ORACLE_NULL
#define json_error_t oracle_error_t
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_NULL
#undef json_error_t

#include "t/unit/json_recorder.h"

static bool
oracle_takes(str_t doc)
{
    oracle_error_t err;
    json_t *json = json_loadb(doc.data, doc.len,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &err);
    bool taken = json != NULL;

    json_decref(json);
    return taken;
}

static void
test_events(void **state)
{
    recorder_t rec;
    json_error_t err;

    (void) state;
    setup(&rec);
    str_t doc = STR(" { \"a\" : [ 1.50 , -2e3 ,true,null , {} ] , "
                    "\"b~/\":\"x\\ty\\u00e9\" } ");
    assert_int_equal(read_whole(&rec, doc, &err), 0);
    assert_string_equal(rec.trace.data, "{2#1  = \n"
                                        "m6#1 /a = a\n"
                                        "[10#2 /a = \n"
                                        "n15#2 /a/0 = 1.50\n"
                                        "n22#2 /a/1 = -2e3\n"
                                        "b28#2 /a/2 = true\n"
                                        "z33#2 /a/3 = null\n"
                                        "{37#3 /a/4 = \n"
                                        "}38#3 /a/4 = \n"
                                        "]40#2 /a = \n"
                                        "m48#1 /b~0~1 = b~/\n"
                                        "s61#1 /b~0~1 = x\ty\xc3\xa9\n"
                                        "}63#1  = \n");
    assert_int_equal(json_reader_depth(rec.reader), 0);
    assert_int_equal(read_every_way(doc, &err), 0);
    teardown(&rec);
}

/* Every token ends where its text ends: a consumer may cut there. */
static void
test_ends_are_exact(void **state)
{
    static const char *const tokens[] = {
        "1",
        "-0",
        "1.25",
        "1e5",
        "123E-7",
        "true",
        "false",
        "null",
        "\"\"",
        "\"a\\\"\"",
        "\"\\n\"",
        "{}",
        "[]",
        "[[]]",
        "\"\\ud83d\\ude00\"",
        "\"\xe2\x82\xac\"",
        "{\"k\":[0]}",
    };
    static const char *const around[][2] = {
        {"", ""},         {" ", " "},
        {"[", "]"},       {"[ ", " ]"},
        {"[0,", ",1]"},   {"[0 , ", "\n,1]"},
        {"{\"m\":", "}"}, {"{\"m\": ", "\t,\"n\":0}"},
    };

    (void) state;
    for (size_t i = 0; i < ROWS(tokens); i++) {
        for (size_t j = 0; j < ROWS(around); j++) {
            recorder_t rec;
            json_error_t err;
            char text[128], mark[32];
            int len = snprintf(text, sizeof(text), "%s%s%s", around[j][0],
                               tokens[i], around[j][1]);
            str_t doc = {text, (size_t) len};
            setup(&rec);
            assert_int_equal(read_whole(&rec, doc, &err), 0);
            snprintf(mark, sizeof(mark), "%zu#",
                     strlen(around[j][0]) + strlen(tokens[i]));
            if (!strstr(rec.trace.data, mark)) {
                fail_msg("%s: no token ends at %s: %s", text, mark,
                         rec.trace.data);
            }
            assert_int_equal(read_every_way(doc, &err), 0);
            teardown(&rec);
        }
    }
}

#define DEEP_16  "[[[[[[[[[[[[[[[["
#define DEEP_END "]]]]]]]]]]]]]]]]"

static const str_t good[] = {
    STR("{}"),
    STR("[]"),
    STR("0"),
    STR("-0"),
    STR(" \t\r\n1 \t\r\n"),
    STR("\"\""),
    STR("true"),
    STR("null"),
    STR("[1,\"a\",false]"),
    STR("{\"\":{\"\":1}}"),
    STR("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}"),
    STR("[{\"a\":1},{\"a\":2}]"),
    STR("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\""),
    STR("\"\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
    STR("\"\\ud83d\\ude00\\uD83D\\uDE00\\u0001\\uffff\\uD7FF\\uE000\""),
    STR("\"\\\\u0000 \\\\ud800 \\/\\b\\f\\n\\r\\t\\\"\""),
    STR("\"\\\\\\\\ud800\""),
    STR("\"\x7f\""),
    STR("1e308"),
    STR("1.7976931348623157e308"),
    STR("0.1e309"),
    STR("1000e305"),
    STR("1e-307"),
    STR("0e0"),
    STR("0.000e+5"),
    STR("1E+2"),
    STR(DEEP_16 DEEP_16 DEEP_END DEEP_END),
};

static const struct {
    str_t doc;
    const char *reason;
    const char *pointer;
} bad[] = {
    {STR(""), JSON_EMPTY, ""},
    {STR(" \n\t\r "), JSON_EMPTY, ""},
    {STR("{"), "document ends too early", ""},
    {STR("[1"), "document ends too early", "/0"},
    {STR("{\"a\":\"x"), "document ends too early", "/a"},
    {STR("{\"a\":{\"b\":1}"), "document ends too early", "/a"},
    {STR("{} {}"), "text after the end of the document", ""},
    {STR("{}x"), "text after the end of the document", ""},
    {STR("1 1"), "text after the end of the document", ""},
    {STR("{}\0"), "text after the end of the document", ""},
    {STR("{},"), "text after the end of the document", ""},
    {STR("{}\""), "text after the end of the document", ""},
    {STR("{}\"x"), "text after the end of the document", ""},
    {STR("[] \"\\"), "text after the end of the document", ""},
    {STR("{}\"\\\""), "text after the end of the document", ""},
    {STR("1\""), "text after the end of the document", ""},
    {STR("\"a\"\"b"), "text after the end of the document", ""},
    {STR("[1,]"), "unexpected token", "/0"},
    {STR("{\"a\":1,}"), "a member name must be a string", "/a"},
    {STR("{1:2}"), "a member name must be a string", ""},
    {STR("{\"a\" 1}"), "a colon is expected after a member name", "/a"},
    {STR("{\"a\":}"), "unexpected token", "/a"},
    {STR("{\"a\":1 \"b\":2}"), "a comma or } is expected after a member",
     "/a"},
    {STR("[1 2]"), "a comma or ] is expected after an element", "/0"},
    {STR("[1}"), "a comma or ] is expected after an element", "/0"},
    {STR("{\"a\":1]"), "a comma or } is expected after a member", "/a"},
    {STR("]"), "unexpected token", ""},
    {STR("// no\n1"), "comments are not JSON", ""},
    {STR("/* no */1"), "comments are not JSON", ""},
    {STR("tru"), NULL, ""},
    {STR("nul1"), NULL, ""},
    {STR("True"), NULL, ""},
    {STR("NaN"), NULL, ""},
    {STR("Infinity"), NULL, ""},
    {STR("'a'"), NULL, ""},
    {STR("01"), NULL, ""},
    {STR("-01"), NULL, ""},
    {STR("+1"), NULL, ""},
    {STR(".5"), NULL, ""},
    {STR("1."), "malformed number", ""},
    {STR("1.e5"), "malformed number", ""},
    {STR("1e"), "malformed number", ""},
    {STR("1e+"), "malformed number", ""},
    {STR("-"), "malformed number", ""},
    {STR("0x10"), NULL, ""},
    {STR("\xef\xbb\xbf{}"), NULL, ""},
    {STR("\"a\nb\""), "control character in a string", ""},
    {STR("\"a\0b\""), "control character in a string", ""},
    {STR("\"\x1f\""), "control character in a string", ""},
    {STR("\"\\x41\""), "unknown escape in a string", ""},
    {STR("\"\\u12g4\""), "broken \\u escape in a string", ""},
    {STR("\"\\u12\""), "broken \\u escape in a string", ""},
    {STR("[0,\"\\u0000\"]"), "\\u0000 in a string", "/1"},
    {STR("{\"a\\u0000\":1}"), "\\u0000 in a string", ""},
    {STR("\"\\ud800\""), "half a surrogate pair in a string", ""},
    {STR("\"\\udc00x\""), "half a surrogate pair in a string", ""},
    {STR("\"\\udbff\\ud800\""), "half a surrogate pair in a string", ""},
    {STR("\"\\ud83d\\n\""), "half a surrogate pair in a string", ""},
    {STR("\"\\ud83d\\u0041\""), "half a surrogate pair in a string", ""},
    {STR("\"\\ud83dx\\ude00\""), "half a surrogate pair in a string", ""},
    {STR("\"\\ude00\\ud83d\""), "half a surrogate pair in a string", ""},
    {STR("\"\xc0\x80\""), "invalid UTF-8", ""},
    {STR("\"\xc1\xbf\""), "invalid UTF-8", ""},
    {STR("\"\xe0\x9f\xbf\""), "invalid UTF-8", ""},
    {STR("\"\xed\xa0\x80\""), "invalid UTF-8", ""},
    {STR("\"\xed\xbf\xbf\""), "invalid UTF-8", ""},
    {STR("\"\xf0\x8f\xbf\xbf\""), "invalid UTF-8", ""},
    {STR("\"\xf4\x90\x80\x80\""), "invalid UTF-8", ""},
    {STR("\"\xf5\x80\x80\x80\""), "invalid UTF-8", ""},
    {STR("\"\xf7\xbf\xbf\xbf\""), "invalid UTF-8", ""},
    {STR("\"\x80\""), "invalid UTF-8", ""},
    {STR("\"\xbf\""), "invalid UTF-8", ""},
    {STR("\"\xc2\""), "invalid UTF-8", ""},
    {STR("\"\xe2\x82\""), "invalid UTF-8", ""},
    {STR("\"\xe2\x82\\n\""), "invalid UTF-8", ""},
    {STR("\"\xff\""), "invalid UTF-8", ""},
    {STR("{\"a\":[0,{\"b\":\"\xfe\"}]}"), "invalid UTF-8", "/a/1/b"},
    {STR("{\"a\":1,\"a\":2}"), "duplicate member name", "/a"},
    {STR("{\"a\":{\"x\":1,\"y\":[],\"x\":2}}"), "duplicate member name",
     "/a/x"},
    {STR("{\"a\":1,\"\\u0061\":2}"), "duplicate member name", "/a"},
    {STR("{\"\":1,\"\":2}"), "duplicate member name", "/"},
    {STR("{\"a\":{\"a\":1},\"b\":2,\"a\":3}"), "duplicate member name", "/a"},
    {STR("1e309"), "number out of range", ""},
    {STR("[1e999]"), "number out of range", "/0"},
    {STR("-1e309"), "number out of range", ""},
    {STR("10e308"), "number out of range", ""},
    {STR("1.7976931348623159e308"), "number out of range", ""},
    {STR("9e308"), "number out of range", ""},
    {STR("[1e99999999999999999999]"), "number out of range", "/0"},
    {STR("[1,2e+1000]"), "number out of range", "/1"},
    {STR(DEEP_16 DEEP_16 "[" DEEP_END DEEP_END "]"), "nested too deeply",
     "/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0"},
};

static void
test_good_documents(void **state)
{
    json_error_t err;

    (void) state;
    for (size_t i = 0; i < ROWS(good); i++) {
        if (read_every_way(good[i], &err) < 0) {
            fail_msg("%.*s: %s", STR_FMT(good[i]), err.reason);
        }
        if (!oracle_takes(good[i])) {
            fail_msg("%.*s: jansson refuses", STR_FMT(good[i]));
        }
    }
}

static void
test_bad_documents(void **state)
{
    json_error_t err;

    (void) state;
    for (size_t i = 0; i < ROWS(bad); i++) {
        if (read_every_way(bad[i].doc, &err) == 0) {
            fail_msg("%.*s: taken", STR_FMT(bad[i].doc));
        }
        if (bad[i].reason && strcmp(err.reason, bad[i].reason) != 0) {
            fail_msg("%.*s: %s, not %s", STR_FMT(bad[i].doc), err.reason,
                     bad[i].reason);
        }
        assert_string_equal(err.pointer, bad[i].pointer);
        /* Depth is bounded by us alone. */
        if (strcmp(err.reason, "nested too deeply") != 0 &&
            oracle_takes(bad[i].doc)) {
            fail_msg("%.*s: jansson takes it", STR_FMT(bad[i].doc));
        }
    }
}

/* What jansson takes and we do not: numbers too small for a double. */
static void
test_small_numbers(void **state)
{
    json_error_t err;

    (void) state;
    assert_int_equal(read_every_way(STR("1e-308"), &err), 0);
    assert_int_equal(read_every_way(STR("0.1e-307"), &err), 0);
    assert_int_equal(read_every_way(STR("1e-309"), &err), -1);
    assert_int_equal(read_every_way(STR("0.01e-307"), &err), -1);
    assert_int_equal(read_every_way(STR("0e-308"), &err), 0);
    assert_int_equal(read_every_way(STR("0e309"), &err), -1);
}

static void
test_number_length(void **state)
{
    char text[JSON_MAX_NUMBER + 2];
    json_error_t err;

    (void) state;
    memset(text, '7', sizeof(text));
    str_t doc = {text, JSON_MAX_NUMBER};
    assert_int_equal(read_every_way(doc, &err), 0);
    doc.len++;
    assert_int_equal(read_every_way(doc, &err), -1);
    assert_string_equal(err.reason, "number too long");
}

static void
test_offset_points_at_the_fault(void **state)
{
    recorder_t rec;
    json_error_t err;

    (void) state;
    setup(&rec);
    assert_int_equal(read_whole(&rec, STR("{\"a\":\"xy\xff\"}"), &err), -1);
    assert_int_equal(err.offset, 8);
    assert_int_equal(read_whole(&rec, STR("{\"a\":1,\"a\":2}"), &err), -1);
    assert_int_equal(err.offset, 10);
    assert_int_equal(read_whole(&rec, STR("[1,,2]"), &err), -1);
    assert_int_equal(err.offset, 4);
    teardown(&rec);
}

/* The first fault counts, whichever of the two checks finds it. */
static void
test_first_fault_first(void **state)
{
    json_error_t err;

    (void) state;
    assert_int_equal(read_every_way(STR("[1,,\"\xff\"]"), &err), -1);
    assert_string_equal(err.reason, "unexpected token");
    assert_int_equal(read_every_way(STR("[\"\xff\",,]"), &err), -1);
    assert_string_equal(err.reason, "invalid UTF-8");
    assert_int_equal(read_every_way(STR("{\"a\":1,\"a\":\"\\ud800\"}"), &err),
                     -1);
    assert_string_equal(err.reason, "duplicate member name");
}

static void
test_handler_refuses(void **state)
{
    static const struct {
        const char *doc, *refuse, *pointer;
    } rows[] = {
        {"{\"a\":[1,2,3]}", "2", "/a/1"},
        {"{\"a\":{\"b\":1}}", "b", "/a/b"},
        {"{\"a\":{\"b\":[true]}}", "true", "/a/b/0"},
        {"{\"a\":{\"b\":1}}", "", ""},
    };
    recorder_t rec;
    json_error_t err;

    (void) state;
    setup(&rec);
    for (size_t i = 0; i < ROWS(rows); i++) {
        rec.refuse = rows[i].refuse;
        assert_int_equal(read_whole(&rec, str_of(rows[i].doc), &err), -1);
        assert_string_equal(err.reason, "refused");
        assert_string_equal(err.pointer, rows[i].pointer);
        assert_int_equal(read_bytes(&rec, str_of(rows[i].doc), &err), -1);
        assert_string_equal(err.pointer, rows[i].pointer);
    }
    teardown(&rec);
}

static void
test_handlers_may_be_absent(void **state)
{
    static const json_handler_t nothing = {0};
    json_reader_t *r = json_reader_create(&nothing, NULL);
    json_error_t err;

    (void) state;
    assert_non_null(r);
    assert_int_equal(json_reader_feed(r, STR("{\"a\":[1,{}]}"), &err), 0);
    assert_int_equal(json_reader_finish(r, &err), 0);
    json_reader_free(r);
    json_reader_free(NULL);
}

static void
test_long_pointer_is_cut(void **state)
{
    recorder_t rec;
    json_error_t err;
    buf_t b;

    (void) state;
    setup(&rec);
    for (int shift = 0; shift < 4; shift++) {
        buf_init(&b, 4096);
        buf_printf(&b, "{\"%.*s", shift, "abc");
        for (int i = 0; i < 300; i++) {
            buf_puts(&b, i % 3 ? "\xe2\x82\xac" : "~");
        }
        buf_puts(&b, "\":{\"b\":tru}}");
        assert_int_equal(read_whole(&rec, buf_view(&b), &err), -1);
        size_t len = strlen(err.pointer);
        assert_in_range(len, JSON_POINTER_MAX - 5, JSON_POINTER_MAX - 1);
        assert_int_equal(utf8_valid((str_t){err.pointer, len}), len);
        assert_true(err.pointer[len - 1] != '~');
        buf_free(&b);
    }
    teardown(&rec);
}

static void
test_reset_after_everything(void **state)
{
    recorder_t rec;
    json_error_t err;

    (void) state;
    setup(&rec);
    for (size_t i = 0; i < ROWS(bad); i++) {
        assert_int_equal(read_whole(&rec, bad[i].doc, &err), -1);
        assert_int_equal(read_whole(&rec, STR("{\"a\":{\"b\":1}}"), &err), 0);
        assert_string_equal(rec.trace.data, "{1#1  = \n"
                                            "m4#1 /a = a\n"
                                            "{6#2 /a = \n"
                                            "m9#2 /a/b = b\n"
                                            "n11#2 /a/b = 1\n"
                                            "}12#2 /a = \n"
                                            "}13#1  = \n");
    }
    teardown(&rec);
}

static void
test_utf8_prefix(void **state)
{
    static const struct {
        str_t text;
        size_t valid;
    } rows[] = {
        {STR(""), 0},
        {STR("abcdefghijklmnopqrstuvwxyz"), 26},
        {STR("abcdefgh\xc3\xa9"), 10},
        {STR("abcdefg\xc3"), 7},
        {STR("abcdefgh12345\xff"
             "678"),
         13},
        {STR("\xf0\x9f\x98\x80\xf0\x9f\x98"), 4},
        {STR("\xed\x9f\xbf\xed\xa0\x80"), 3},
        {STR("\0\x7f\x80"), 2},
    };

    (void) state;
    assert_int_equal(utf8_valid(STR_NONE), 0);
    for (size_t i = 0; i < ROWS(rows); i++) {
        assert_int_equal(utf8_valid(rows[i].text), rows[i].valid);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_ends_are_exact),
        cmocka_unit_test(test_good_documents),
        cmocka_unit_test(test_bad_documents),
        cmocka_unit_test(test_small_numbers),
        cmocka_unit_test(test_number_length),
        cmocka_unit_test(test_offset_points_at_the_fault),
        cmocka_unit_test(test_first_fault_first),
        cmocka_unit_test(test_handler_refuses),
        cmocka_unit_test(test_handlers_may_be_absent),
        cmocka_unit_test(test_long_pointer_is_cut),
        cmocka_unit_test(test_reset_after_everything),
        cmocka_unit_test(test_utf8_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
