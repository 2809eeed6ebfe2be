/* rooms: proto */
/*
 * Request and reply frames: what is written is read back, and what another
 * has written does no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/frame.h"

static void
assert_str(str_t s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    if (s.len > 0) {
        assert_memory_equal(s.data, expected, s.len);
    }
}

static void
test_request_round_trip(void **state)
{
    const request_frame_t f = {
        .id = STR("i-1-7"),
        .reply_to = STR("turnup:rep:x"),
        .api = STR("ordering"),
        .version = STR("v4"),
        .method = STR("POST"),
        .resource = STR("serviceOrder"),
        .key = STR("k\0k"),
        .query = STR("a=b"),
        .base = STR("https://h"),
        .profile = STR("strict"),
        .subject = STR("s"),
        .traceparent = STR("00-x"),
        .idempotency_key = STR("ik"),
        .if_match = STR("\"a\""),
        .if_none_match = STR("W/\"b\",*"),
        .content_type = STR("application/json"),
        .deadline = STR("123"),
        .body = STR("{}\n"),
    };
    str_t argv[2 * REQUEST_FIELD_COUNT];
    request_frame_t back;

    (void) state;
    int n = request_frame_args(&f, argv);
    assert_int_equal(n, 2 * REQUEST_FIELD_COUNT);
    assert_str(argv[0], "id");
    assert_str(argv[n - 2], "body");
    assert_str(argv[26], "if-match");
    assert_str(argv[28], "if-none-match");
    assert_int_equal(request_frame_read(&back, argv, n), 0);
#define F(member, name) assert_true(str_eq(f.member, back.member));
    REQUEST_FIELDS(F)
#undef F
}

static void
test_request_leaves_empty_fields_out(void **state)
{
    const request_frame_t f = {
        .id = STR("1"), .method = STR("GET"), .key = STR("")};
    str_t argv[2 * REQUEST_FIELD_COUNT];
    request_frame_t back;

    (void) state;
    assert_int_equal(request_frame_args(&f, argv), 4);
    assert_int_equal(request_frame_read(&back, argv, 4), 0);
    assert_str(back.id, "1");
    assert_str(back.method, "GET");
    assert_int_equal(back.body.len, 0);
}

static void
test_request_any_order_and_unknown_names(void **state)
{
    const str_t argv[] = {
        STR("body"), STR("{}"), STR("colour"), STR("red"), STR(""),   STR("x"),
        STR("id"),   STR("9"),  STR("method"), STR("PUT"), STR("ID"), STR("8"),
    };
    request_frame_t f;

    (void) state;
    assert_int_equal(request_frame_read(&f, argv, 12), 0);
    assert_str(f.body, "{}");
    assert_str(f.id, "9");
    assert_str(f.method, "PUT");
}

static void
test_request_refused(void **state)
{
    const str_t argv[] = {STR("id"), STR("1"), STR("method"), STR("GET")};
    const str_t blank[] = {STR("id"), STR(""), STR("method"), STR("GET")};
    request_frame_t f;

    (void) state;
    assert_int_equal(request_frame_read(&f, argv, 4), 0);
    assert_int_equal(request_frame_read(&f, argv, 3), -1);
    assert_int_equal(request_frame_read(&f, argv, 2), -1);
    assert_int_equal(request_frame_read(&f, argv + 2, 2), -1);
    assert_int_equal(request_frame_read(&f, argv, 0), -1);
    assert_int_equal(request_frame_read(&f, argv, -2), -1);
    assert_int_equal(request_frame_read(&f, blank, 4), -1);
}

static void
reply_round_trip(int status, str_t headers, str_t body)
{
    reply_frame_t f = {status, headers, body}, back;
    buf_t b;

    buf_init(&b, 1000);
    reply_frame_write(&b, &f);
    assert_int_equal(reply_frame_read(&back, buf_view(&b)), 0);
    assert_int_equal(back.status, status);
    assert_true(str_eq(back.headers, headers));
    assert_true(str_eq(back.body, body));
    buf_free(&b);
}

static void
test_reply_round_trip(void **state)
{
    (void) state;
    reply_round_trip(204, STR_NONE, STR_NONE);
    reply_round_trip(200, STR_NONE, STR("[]"));
    reply_round_trip(201, STR("Location: /a\n"), STR("{}"));
    reply_round_trip(200, STR("X-Total-Count: 2\nX-Result-Count: 1\n"),
                     STR("\n\nbody with \0 and\n\nblank lines\n"));
    reply_round_trip(599, STR("A:\n"), STR("\n"));
}

static void
test_reply_text(void **state)
{
    reply_frame_t f = {201, STR("Location: x\n"), STR("{}")};
    buf_t b;

    (void) state;
    buf_init(&b, 100);
    reply_frame_write(&b, &f);
    assert_string_equal(b.data, "201\nLocation: x\n\n{}");
    buf_free(&b);
}

static void
test_reply_refused(void **state)
{
    static const str_t rows[] = {
        STR(""),
        STR("2"),
        STR("200"),
        STR("200\n"),
        STR("200\n\0"),
        STR("20\n\n"),
        STR("2000\n\n"),
        STR("099\n\n"),
        STR("600\n\n"),
        STR("-20\n\n"),
        STR("2x0\n\n"),
        STR(" 200\n\n"),
        STR("200 \n\n"),
        STR("200\r\n\r\n"),
        STR("200\nA: b"),
        STR("200\nA: b\n"),
        STR("200\nA\n\n"),
        STR("200\n: b\n\n"),
        STR("200\nA b: c\n\n"),
        STR("200\nA: b\r\n\n"),
        STR("200\nA: b\0c\n\n"),
        STR("200\nA\0: b\n\n"),
        STR("200\nA: b\n continued\n\n"),
        STR("200\nA: b\x7f\n\n"),
    };
    reply_frame_t f;

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (reply_frame_read(&f, rows[i]) != -1) {
            fail_msg("row %zu was taken", i);
        }
        assert_int_equal(f.status, 0);
    }
}

static void
test_headers_one_by_one(void **state)
{
    str_t rest = STR("Location: /a:b\nX-Empty:\nX-Pad: \t v w \t\n");
    str_t name, value;

    (void) state;
    assert_int_equal(reply_header_next(&rest, &name, &value), 1);
    assert_str(name, "Location");
    assert_str(value, "/a:b");
    assert_int_equal(reply_header_next(&rest, &name, &value), 1);
    assert_str(name, "X-Empty");
    assert_str(value, "");
    assert_int_equal(reply_header_next(&rest, &name, &value), 1);
    assert_str(name, "X-Pad");
    assert_str(value, "v w");
    assert_int_equal(reply_header_next(&rest, &name, &value), 0);
    assert_int_equal(reply_header_next(&rest, &name, &value), 0);
    rest = STR("no newline: x");
    assert_int_equal(reply_header_next(&rest, &name, &value), -1);
    rest = STR("no colon\n");
    assert_int_equal(reply_header_next(&rest, &name, &value), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_round_trip),
        cmocka_unit_test(test_request_leaves_empty_fields_out),
        cmocka_unit_test(test_request_any_order_and_unknown_names),
        cmocka_unit_test(test_request_refused),
        cmocka_unit_test(test_reply_round_trip),
        cmocka_unit_test(test_reply_text),
        cmocka_unit_test(test_reply_refused),
        cmocka_unit_test(test_headers_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
