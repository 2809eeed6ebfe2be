/* rooms: proto */
/*
 * RFC 3339 date-times: what is read, what is refused, what is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/schema.h"

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static void
test_date_times(void **state)
{
    static const struct {
        const char *text;
        long long us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"1970-01-01T00:00:00.1Z", 100000},
        {"1970-01-01T00:00:00.123456789Z", 123456},
        {"1969-12-31T23:59:59.999Z", -1000},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1970-01-01T01:00:00+0100", 0},
        {"1969-12-31T18:30:00-05:30", 0},
        {"1970-01-01T00:00:00+0000", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1970-01-01t00:00:00z", 0},
        {"2000-02-29T00:00:00Z", 951782400000000},
        {"2024-02-29T12:34:56.789Z", 1709210096789000},
        {"2016-12-31T23:59:60Z", 1483228800000000},
        {"2017-01-01T00:59:60+01:00", 1483228800000000},
        {"0001-01-01T00:00:00Z", -62135596800000000},
        {"9999-12-31T23:59:59.999999Z", 253402300799999999},
        {"2100-03-01T00:00:00Z", 4107542400000000},
    };

    (void) state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        long long us = 42;
        if (!rfc3339_parse(str_of(rows[i].text), &us) || us != rows[i].us) {
            fail_msg("%s: %lld, not %lld", rows[i].text, us, rows[i].us);
        }
    }
}

static void
test_no_date_times(void **state)
{
    static const str_t rows[] = {
        STR(""),
        STR("2030"),
        STR("2030-01-01"),
        STR("2030-01-01T00:00:00"),
        STR("2030-01-01T00:00Z"),
        STR("2030-01-01 00:00:00Z"),
        STR("2030-1-01T00:00:00Z"),
        STR("30-01-01T00:00:00Z"),
        STR("0000-01-01T00:00:00Z"),
        STR("10000-01-01T00:00:00Z"),
        STR("2030-00-01T00:00:00Z"),
        STR("2030-13-01T00:00:00Z"),
        STR("2030-01-00T00:00:00Z"),
        STR("2030-01-32T00:00:00Z"),
        STR("2030-04-31T00:00:00Z"),
        STR("2030-02-29T00:00:00Z"),
        STR("2100-02-29T00:00:00Z"),
        STR("2024-02-30T00:00:00Z"),
        STR("2030-01-01T24:00:00Z"),
        STR("2030-01-01T00:60:00Z"),
        STR("2030-01-01T00:00:61Z"),
        STR("2030-01-01T12:00:60Z"),
        STR("2030-01-01T00:00:00.Z"),
        STR("2030-01-01T00:00:00,5Z"),
        STR("2030-01-01T00:00:00.1234567890Z"),
        STR("2030-01-01T00:00:00+24:00"),
        STR("2030-01-01T00:00:00+00:60"),
        STR("2030-01-01T00:00:00+1:00"),
        STR("2030-01-01T00:00:00+01"),
        STR("2030-01-01T00:00:00+01:0"),
        STR("2030-01-01T00:00:00 01:00"),
        STR("2030-01-01T00:00:00ZZ"),
        STR("2030-01-01T00:00:00Z "),
        STR(" 2030-01-01T00:00:00Z"),
        STR("2030-01-01T00:00:00Z\0"),
        STR("+030-01-01T00:00:00Z"),
        STR("2030-01--1T00:00:00Z"),
        STR("0001-01-01T00:00:00+00:01"),
        STR("9999-12-31T23:59:59-00:01"),
        STR("9999-12-31T23:59:60Z"),
    };

    (void) state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        long long us = 42;
        if (rfc3339_parse(rows[i], &us)) {
            fail_msg("%.*s: taken", STR_FMT(rows[i]));
        }
        assert_int_equal(us, 42);
    }
}

static void
test_date_times_printed(void **state)
{
    static const struct {
        long long us;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {999, "1970-01-01T00:00:00.000Z"},
        {1000, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1893456000000000, "2030-01-01T00:00:00.000Z"},
        {951782400000000, "2000-02-29T00:00:00.000Z"},
        {-62135596800000000, "0001-01-01T00:00:00.000Z"},
        {253402300799999999, "9999-12-31T23:59:59.999Z"},
        /* beyond what can be written: the nearest that can */
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0001-01-01T00:00:00.000Z"},
    };
    char text[32];

    (void) state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        rfc3339_print(rows[i].us, text);
        assert_string_equal(text, rows[i].text);
    }
}

/* Every day of four hundred years, there and back. */
static void
test_date_times_there_and_back(void **state)
{
    const long long day = 86400000000;
    char text[32], before[32] = "1799-12-31T00:00:00.000Z";

    (void) state;
    for (long long us = -62091 * day; us < 84006 * day; us += day) {
        long long back = 0;
        rfc3339_print(us, text);
        assert_int_equal(strlen(text), 24);
        assert_true(strcmp(before, text) < 0);
        assert_true(rfc3339_parse(str_of(text), &back));
        assert_true(back == us);
        memcpy(before, text, sizeof(before));
    }
    assert_string_equal(text, "2199-12-31T00:00:00.000Z");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_date_times),
        cmocka_unit_test(test_no_date_times),
        cmocka_unit_test(test_date_times_printed),
        cmocka_unit_test(test_date_times_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
