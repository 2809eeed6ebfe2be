/* rooms: proto */
/*
 * The strict JSON reader at its limits: many members, many elements, long
 * tokens, large documents.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "t/unit/json_recorder.h"

/* `count` members m0, m1, ... and at the end `last`. */
static void
many_members(buf_t *b, int count, const char *last)
{
    buf_char(b, '{');
    for (int i = 0; i < count; i++) {
        buf_printf(b, "\"m%d\":%d,", i, i);
    }
    buf_printf(b, "%s}", last);
}

static void
test_many_members(void **state)
{
    recorder_t rec;
    json_error_t err;
    buf_t b;

    (void) state;
    setup(&rec);
    buf_init(&b, JSON_MAX_BYTES);
    many_members(&b, JSON_MAX_MEMBERS - 1, "\"x\":1");
    assert_int_equal(read_whole(&rec, buf_view(&b), &err), 0);
    buf_reset(&b);
    many_members(&b, JSON_MAX_MEMBERS, "\"x\":1");
    assert_int_equal(read_whole(&rec, buf_view(&b), &err), -1);
    assert_string_equal(err.reason, "too many members in an object");
    for (int i = 0; i < 200; i++) {
        char last[32];
        snprintf(last, sizeof(last), "\"m%d\":1", i);
        buf_reset(&b);
        many_members(&b, i + 1, last);
        assert_int_equal(read_whole(&rec, buf_view(&b), &err), -1);
        assert_string_equal(err.reason, "duplicate member name");
        snprintf(last, sizeof(last), "/m%d", i);
        assert_string_equal(err.pointer, last);
    }
    /* large objects within one another, with the same names */
    buf_reset(&b);
    for (int i = 0; i < JSON_MAX_DEPTH - 1; i++) {
        many_members(&b, 100, "\"in\":");
        b.len--;
    }
    many_members(&b, 100, "\"in\":1");
    for (int i = 0; i < JSON_MAX_DEPTH - 1; i++) {
        buf_puts(&b, ",\"out\":2}");
    }
    assert_int_equal(read_whole(&rec, buf_view(&b), &err), 0);
    buf_free(&b);
    teardown(&rec);
}

static void
test_many_elements(void **state)
{
    recorder_t rec;
    json_error_t err;
    buf_t b;

    (void) state;
    setup(&rec);
    buf_init(&b, JSON_MAX_BYTES);
    buf_puts(&b, "[[");
    for (int i = 0; i < JSON_MAX_ELEMENTS; i++) {
        buf_puts(&b, i ? ",0" : "0");
    }
    buf_puts(&b, "],[]]");
    assert_int_equal(read_whole(&rec, buf_view(&b), &err), 0);
    b.len -= 5;
    buf_puts(&b, ",[]]]");
    assert_int_equal(read_whole(&rec, buf_view(&b), &err), -1);
    assert_string_equal(err.reason, "too many array elements");
    assert_string_equal(err.pointer, "/0/65536");
    buf_free(&b);
    teardown(&rec);
}

/* A document of `len` bytes: one long string. */
static void
long_string(buf_t *b, size_t len)
{
    buf_char(b, '"');
    while (b->len < len - 1) {
        buf_char(b, 'x');
    }
    buf_char(b, '"');
}

static void
test_too_large(void **state)
{
    recorder_t rec;
    json_error_t err;
    buf_t b;

    (void) state;
    setup(&rec);
    buf_init(&b, JSON_MAX_BYTES + 2);
    long_string(&b, JSON_MAX_BYTES);
    assert_int_equal(read_whole(&rec, buf_view(&b), &err), 0);
    buf_char(&b, ' ');
    for (size_t cut = 0; cut <= JSON_MAX_BYTES; cut += JSON_MAX_BYTES / 4) {
        assert_int_equal(read_cut(&rec, buf_view(&b), &cut, 1, &err), -1);
        assert_string_equal(err.reason, JSON_TOO_LARGE);
        assert_int_equal(err.offset, JSON_MAX_BYTES);
    }
    buf_free(&b);
    teardown(&rec);
}

/* A long token in many pieces: nothing of what is held back is lost. */
static void
test_long_token_in_pieces(void **state)
{
    enum { PIECE = 1000, LENGTH = 1000 * PIECE };
    static size_t cuts[LENGTH / PIECE];
    recorder_t one, two;
    json_error_t err;
    buf_t b;

    (void) state;
    setup(&one);
    setup(&two);
    buf_init(&b, LENGTH + 100);
    buf_puts(&b, "{\"s\":");
    long_string(&b, LENGTH);
    buf_puts(&b, ",\"t\":[1,2]}");
    for (size_t i = 0; i < ROWS(cuts); i++) {
        cuts[i] = i * PIECE;
    }
    assert_int_equal(read_whole(&one, buf_view(&b), &err), 0);
    assert_int_equal(read_cut(&two, buf_view(&b), cuts, ROWS(cuts), &err), 0);
    assert_true(str_eq(buf_view(&one.trace), buf_view(&two.trace)));

    /* a fault in or behind it is found all the same */
    b.data[LENGTH / 2] = '\n';
    assert_int_equal(read_cut(&two, buf_view(&b), cuts, ROWS(cuts), &err), -1);
    assert_string_equal(err.reason, "control character in a string");
    b.data[LENGTH / 2] = '\xff';
    assert_int_equal(read_cut(&two, buf_view(&b), cuts, ROWS(cuts), &err), -1);
    assert_string_equal(err.reason, "invalid UTF-8");
    assert_int_equal(err.offset, LENGTH / 2);
    b.data[LENGTH / 2] = 'x';
    b.len = LENGTH - 10;
    assert_int_equal(read_cut(&two, buf_view(&b), cuts, ROWS(cuts) - 1, &err),
                     -1);
    assert_string_equal(err.reason, "document ends too early");
    buf_free(&b);
    teardown(&one);
    teardown(&two);
}

/* Long strings with escapes make yajl's buffers outgrow the arena. */
static void
test_long_escaped_strings(void **state)
{
    recorder_t rec;
    json_error_t err;
    buf_t b;

    (void) state;
    setup(&rec);
    buf_init(&b, 1 << 20);
    buf_char(&b, '[');
    for (int i = 1; i <= 40; i++) {
        buf_puts(&b, i > 1 ? ",\"\\n" : "\"\\n");
        for (int j = 0; j < i * 100; j++) {
            buf_puts(&b, "\\u00e9");
        }
        buf_char(&b, '"');
    }
    buf_char(&b, ']');
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_whole(&rec, buf_view(&b), &err), 0);
        size_t half = b.len / 2;
        assert_int_equal(read_cut(&rec, buf_view(&b), &half, 1, &err), 0);
    }
    buf_free(&b);
    teardown(&rec);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_many_elements),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_long_token_in_pieces),
        cmocka_unit_test(test_long_escaped_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
