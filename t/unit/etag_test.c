/* Lists of entity tags: which are read, and what a request makes of them.
 * rooms: proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/etag.h"

static bool
is_read(const char *list)
{
    etag_conditions_t match = {str_of(list), STR_NONE};
    etag_conditions_t none = {STR_NONE, str_of(list)};
    tmf_error_t e = {0};
    bool good = etag_check(&match, &e);

    assert_int_equal(e.status, good ? 0 : 400);
    if (!good) {
        assert_int_equal(e.code, TMF_CODE_HEADER_INVALID);
        assert_memory_equal(e.message, "If-Match ", 9);
    }
    assert_int_equal(etag_check(&none, &e), good);
    if (!good) {
        assert_memory_equal(e.message, "If-None-Match ", 14);
    }
    return good;
}

static void
test_read(void **state)
{
    static const char *const lists[] = {
        "*",       " *\t",         "\"a\"",         "\"\"",
        "W/\"a\"", "\"a\",\"b\"",  "\"a\" , \"b\"", "\"a\",,\"b\"",
        ",\"a\",", "\"a,b\"",      "\"*\"",         "\"W/\", W/\"W/\"",
        "\"!#~\"", "\"\xc3\xa9\"", "\"\\\"",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (!is_read(lists[i])) {
            fail_msg("%s is refused", lists[i]);
        }
    }
    assert_true(etag_check(&(etag_conditions_t){STR_NONE, STR_NONE}, NULL));
}

static void
test_refused(void **state)
{
    static const char *const lists[] = {
        "",         " ",          ",",           "a",        "\"a",
        "a\"",      "\"",         "W/",          "W/a",      "w/\"a\"",
        "W/ \"a\"", "\"a\"\"b\"", "\"a\" \"b\"", "\"a\" b",  "\"a b\"",
        "\"a\"b",   "\"a\x7f\"",  "\"a\t\"",     "**",       "*,\"a\"",
        "\"a\", *", "*, *",       "'a'",         "\"\\\"\"",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (is_read(lists[i])) {
            fail_msg("%s is taken", lists[i]);
        }
    }
}

static etag_verdict_t
matched(const char *list)
{
    return etag_judge(&(etag_conditions_t){str_of(list), STR_NONE},
                      STR("\"b\""), true);
}

static etag_verdict_t
none_matched(const char *list, bool reads)
{
    return etag_judge(&(etag_conditions_t){STR_NONE, str_of(list)},
                      STR("\"b\""), reads);
}

static void
test_if_match(void **state)
{
    (void) state;
    assert_int_equal(matched("*"), ETAG_PROCEED);
    assert_int_equal(matched("\"b\""), ETAG_PROCEED);
    assert_int_equal(matched("\"a\", \"b\""), ETAG_PROCEED);
    assert_int_equal(matched("W/\"b\", \"b\""), ETAG_PROCEED);
    assert_int_equal(matched("\"a\""), ETAG_FAILED);
    assert_int_equal(matched("\"B\""), ETAG_FAILED);
    assert_int_equal(matched("\"\""), ETAG_FAILED);
    assert_int_equal(matched("W/\"b\""), ETAG_FAILED);
}

static void
test_if_none_match(void **state)
{
    static const char *const same[] = {"*", "\"b\"", "W/\"b\"",
                                       "\"a\",W/\"b\""};

    (void) state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_int_equal(none_matched(same[i], true), ETAG_NOT_MODIFIED);
        assert_int_equal(none_matched(same[i], false), ETAG_FAILED);
    }
    assert_int_equal(none_matched("\"a\"", true), ETAG_PROCEED);
    assert_int_equal(none_matched("W/\"a\", \"bb\"", false), ETAG_PROCEED);
}

static void
test_both(void **state)
{
    str_t tag = STR("\"b\""), other = STR("\"a\"");

    (void) state;
    assert_int_equal(
        etag_judge(&(etag_conditions_t){STR_NONE, STR_NONE}, tag, true),
        ETAG_PROCEED);
    assert_int_equal(etag_judge(&(etag_conditions_t){tag, tag}, tag, true),
                     ETAG_NOT_MODIFIED);
    assert_int_equal(etag_judge(&(etag_conditions_t){other, tag}, tag, true),
                     ETAG_FAILED);
    assert_int_equal(etag_judge(&(etag_conditions_t){tag, other}, tag, false),
                     ETAG_PROCEED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_if_match), cmocka_unit_test(test_if_none_match),
        cmocka_unit_test(test_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
