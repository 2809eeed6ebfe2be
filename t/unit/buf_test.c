/* rooms: proto */
/*
 * The growable buffer: bounds, the sticky failure, escaping.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/buf.h"

static void
assert_text(const buf_t *b, const char *expected)
{
    assert_false(buf_failed(b));
    assert_int_equal(b->len, strlen(expected));
    assert_string_equal(b->data, expected);
}

static void
test_puts_one_behind_the_other(void **state)
{
    buf_t b;

    (void) state;
    buf_init(&b, 100);
    assert_null(buf_view(&b).data);
    assert_int_equal(buf_view(&b).len, 0);
    buf_puts(&b, "ab");
    buf_char(&b, 'c');
    buf_str(&b, STR("de"));
    buf_str(&b, STR_NONE);
    buf_put(&b, NULL, 0);
    buf_printf(&b, "-%d-%s", 42, "x");
    assert_text(&b, "abcde-42-x");
    buf_free(&b);
    assert_null(b.data);
}

static void
test_holds_exactly_its_maximum(void **state)
{
    buf_t b;

    (void) state;
    buf_init(&b, 5);
    buf_puts(&b, "abcde");
    assert_text(&b, "abcde");
    buf_char(&b, 'f');
    assert_true(buf_failed(&b));
    assert_int_equal(b.len, 5);
    assert_string_equal(b.data, "abcde");
    buf_free(&b);
}

static void
test_failure_sticks_until_reset(void **state)
{
    buf_t b;

    (void) state;
    buf_init(&b, 4);
    buf_puts(&b, "ab");
    buf_puts(&b, "too long");
    assert_true(buf_failed(&b));
    buf_char(&b, 'c');
    buf_printf(&b, "%d", 1);
    assert_int_equal(b.len, 2);
    assert_string_equal(b.data, "ab");
    buf_reset(&b);
    assert_false(buf_failed(&b));
    assert_int_equal(b.len, 0);
    buf_puts(&b, "abcd");
    assert_text(&b, "abcd");
    buf_free(&b);
}

static void
test_printf_stops_at_the_maximum(void **state)
{
    buf_t b;

    (void) state;
    buf_init(&b, 3);
    buf_printf(&b, "%d", 123);
    assert_text(&b, "123");
    buf_printf(&b, "%s", "");
    assert_text(&b, "123");
    buf_printf(&b, "%d", 4);
    assert_true(buf_failed(&b));
    assert_string_equal(b.data, "123");
    buf_free(&b);

    buf_init(&b, 300);
    buf_puts(&b, "x");
    buf_printf(&b, "%0*d", 400, 7);
    assert_true(buf_failed(&b));
    assert_string_equal(b.data, "x");
    buf_free(&b);
}

static void
test_printf_grows(void **state)
{
    buf_t b;

    (void) state;
    buf_init(&b, 100000);
    for (int i = 0; i < 1000; i++) {
        buf_printf(&b, "%04d,", i);
    }
    assert_int_equal(b.len, 5000);
    assert_memory_equal(b.data + 4995, "0999,", 6);
    buf_free(&b);
}

static void
test_of_no_size_takes_nothing(void **state)
{
    buf_t b;

    (void) state;
    buf_init(&b, 0);
    buf_puts(&b, "");
    assert_false(buf_failed(&b));
    buf_char(&b, 'x');
    assert_true(buf_failed(&b));
    buf_free(&b);
}

static void
test_huge_length_fails(void **state)
{
    buf_t b;

    (void) state;
    buf_init(&b, 1000);
    buf_puts(&b, "x");
    buf_put(&b, "y", SIZE_MAX);
    assert_true(buf_failed(&b));
    buf_free(&b);
}

static void
test_json_escapes(void **state)
{
    static const struct {
        str_t in;
        const char *out;
    } rows[] = {
        {STR(""), "\"\""},
        {STR("plain"), "\"plain\""},
        {STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {STR("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {STR("\x01\x1f\x7f"), "\"\\u0001\\u001f\x7f\""},
        {STR("a\0b"), "\"a\\u0000b\""},
        {STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        /* not UTF-8: each bad byte is replaced, the rest is kept */
        {STR("a\xff\xfe z"), "\"a\xef\xbf\xbd\xef\xbf\xbd z\""},
        {STR("\xc3"), "\"\xef\xbf\xbd\""},
        {STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_t b;
        buf_init(&b, 1000);
        buf_json(&b, rows[i].in);
        assert_text(&b, rows[i].out);
        buf_free(&b);
    }
}

static void
test_url_encodes(void **state)
{
    buf_t b;

    (void) state;
    buf_init(&b, 1000);
    buf_url(&b, STR("AZaz09-._~"));
    assert_text(&b, "AZaz09-._~");
    buf_reset(&b);
    buf_url(&b, STR("/ ?&=+%\0\xc3\xa9"));
    assert_text(&b, "%2F%20%3F%26%3D%2B%25%00%C3%A9");
    buf_free(&b);
    buf_init(&b, 2);
    buf_url(&b, STR("%"));
    assert_true(buf_failed(&b));
    buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_puts_one_behind_the_other),
        cmocka_unit_test(test_holds_exactly_its_maximum),
        cmocka_unit_test(test_failure_sticks_until_reset),
        cmocka_unit_test(test_printf_stops_at_the_maximum),
        cmocka_unit_test(test_printf_grows),
        cmocka_unit_test(test_of_no_size_takes_nothing),
        cmocka_unit_test(test_huge_length_fails),
        cmocka_unit_test(test_json_escapes),
        cmocka_unit_test(test_url_encodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
