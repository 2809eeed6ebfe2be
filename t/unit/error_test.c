/* rooms: proto */
/*
 * TMF error bodies: what stands in them, and that no input breaks them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "proto/error.h"

static char *
body_of(const tmf_error_t *e)
{
    buf_t b;

    buf_init(&b, 65536);
    tmf_error_body(&b, e);
    assert_false(buf_failed(&b));
    return b.data;
}

static void
test_body(void **state)
{
    tmf_error_t e;

    (void) state;
    tmf_error_set(&e, 400, TMF_CODE_FIELD_MISSING, "Missing body field",
                  "/serviceOrderItem", "%s is mandatory", "serviceOrderItem");
    assert_int_equal(e.status, 400);
    assert_int_equal(e.code, TMF_CODE_FIELD_MISSING);
    char *body = body_of(&e);
    assert_string_equal(body, "{\"@type\":\"Error\",\"code\":\"23\","
                              "\"reason\":\"Missing body field\","
                              "\"message\":\"serviceOrderItem is mandatory\","
                              "\"status\":\"400\","
                              "\"pointer\":\"/serviceOrderItem\"}");
    free(body);
}

static void
test_body_without_pointer(void **state)
{
    tmf_error_t e;

    (void) state;
    tmf_error_set(&e, 503, TMF_CODE_UNAVAILABLE, NULL, NULL, "%s", "");
    char *body = body_of(&e);
    assert_string_equal(body, "{\"@type\":\"Error\",\"code\":\"67\","
                              "\"reason\":\"Error\",\"message\":\"\","
                              "\"status\":\"503\"}");
    free(body);
}

static void
test_codes_have_no_leading_zero(void **state)
{
    tmf_error_t e;

    (void) state;
    tmf_error_set(&e, 500, TMF_CODE_INTERNAL, "x", NULL, "y");
    char *body = body_of(&e);
    assert_non_null(strstr(body, "\"code\":\"1\""));
    free(body);
}

static void
test_long_texts_are_cut_between_characters(void **state)
{
    char text[1001];
    tmf_error_t e;

    (void) state;
    /* "x" and then two-byte characters: 511 bytes would cut one in two */
    text[0] = 'x';
    for (int i = 1; i < 999; i += 2) {
        memcpy(text + i, "\xc3\xa9", 2);
    }
    text[999] = '\0';
    for (int shift = 0; shift < 2; shift++) {
        tmf_error_set(&e, 400, TMF_CODE_BODY_INVALID, "r", text + shift, "%s",
                      text + shift);
        assert_int_equal(strlen(e.message), shift ? 510 : 511);
        assert_string_equal(e.message, e.pointer);
        json_t *json = json_loads(e.message, JSON_DECODE_ANY, NULL);
        assert_null(json);
        char *body = body_of(&e);
        json = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(json);
        assert_string_equal(
            json_string_value(json_object_get(json, "message")), e.message);
        json_decref(json);
        free(body);
    }
}

static void
test_bad_bytes_still_make_json(void **state)
{
    tmf_error_t e;

    (void) state;
    tmf_error_set(&e, 400, TMF_CODE_QUERY_INVALID, "r", "/a\xff",
                  "\x01 \"%s\" \\", "\xc3(\xf0\x9f");
    char *body = body_of(&e);
    json_t *json = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "message")),
                        "\x01 \"\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\" \\");
    json_decref(json);
    free(body);
}

static void
test_pointer_may_be_its_own(void **state)
{
    tmf_error_t e = {.pointer = "/a/b"};

    (void) state;
    tmf_error_set(&e, 400, TMF_CODE_FIELD_INVALID, "r", e.pointer, "m");
    assert_string_equal(e.pointer, "/a/b");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_body_without_pointer),
        cmocka_unit_test(test_codes_have_no_leading_zero),
        cmocka_unit_test(test_long_texts_are_cut_between_characters),
        cmocka_unit_test(test_bad_bytes_still_make_json),
        cmocka_unit_test(test_pointer_may_be_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
