/*
 * RFC 3339 date-times, declared in proto/schema.h. Own arithmetic on the
 * proleptic Gregorian calendar: no locale, no time zone, no limit of time_t.
 */
#include "proto/schema.h"

#define US_PER_SECOND   1000000LL
#define SECONDS_PER_DAY 86400LL
#define FRACTION_MAX    9 /* digits */
#define MICROS_DIGITS   6
#define DAYS_PER_400Y   146097
#define DAYS_PER_100Y   36524
#define DAYS_PER_4Y     1461
#define DAYS_PER_YEAR   365
#define DAYS_TO_EPOCH   719162  /* 0001-01-01 to 1970-01-01 */
#define DAYS_TO_END     3652059 /* 0001-01-01 to 10000-01-01 */

#define US_MIN (-DAYS_TO_EPOCH * SECONDS_PER_DAY * US_PER_SECOND)
#define US_END \
    ((DAYS_TO_END - DAYS_TO_EPOCH) * SECONDS_PER_DAY * US_PER_SECOND)

/* Days of a common year before each month. */
static const int month_start[] = {0,   31,  59,  90,  120, 151, 181,
                                  212, 243, 273, 304, 334, 365};

static bool
is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
days_in_month(int year, int month)
{
    return month_start[month] - month_start[month - 1] +
           (month == 2 && is_leap(year));
}

/* Days since 0001-01-01. */
static long long
days_of(int year, int month, int day)
{
    int y = year - 1;
    return (long long) y * DAYS_PER_YEAR + y / 4 - y / 100 + y / 400 +
           month_start[month - 1] + (month > 2 && is_leap(year)) + day - 1;
}

/* Takes exactly `digits` digits with a value of min..max off the front. */
static bool
take_number(str_t *s, int digits, int min, int max, int *ret)
{
    int n = 0;

    if (s->len < (size_t) digits) {
        return false;
    }
    for (int i = 0; i < digits; i++) {
        char c = s->data[i];
        if (c < '0' || c > '9') {
            return false;
        }
        n = n * 10 + (c - '0');
    }
    s->data += digits;
    s->len -= (size_t) digits;
    *ret = n;
    return n >= min && n <= max;
}

static bool
take_char(str_t *s, char c)
{
    if (s->len == 0 || s->data[0] != c) {
        return false;
    }
    s->data++;
    s->len--;
    return true;
}

/* ".123456789", or nothing; what is finer than a microsecond is cut. */
static bool
take_fraction(str_t *s, long long *ret_us)
{
    int digits = 0, us = 0;

    if (take_char(s, '.')) {
        int digit;
        while (take_number(s, 1, 0, 9, &digit)) {
            if (digits++ < MICROS_DIGITS) {
                us = us * 10 + digit;
            }
        }
        if (digits == 0 || digits > FRACTION_MAX) {
            return false;
        }
        for (; digits < MICROS_DIGITS; digits++) {
            us *= 10;
        }
    }
    *ret_us = us;
    return true;
}

/* "Z", "+01:00" or "+0100" */
static bool
take_offset(str_t *s, long long *ret_seconds)
{
    int hours, minutes;

    *ret_seconds = 0;
    if (take_char(s, 'Z') || take_char(s, 'z')) {
        return true;
    }
    bool west = take_char(s, '-');
    if (!west && !take_char(s, '+')) {
        return false;
    }
    if (!take_number(s, 2, 0, 23, &hours)) {
        return false;
    }
    (void) take_char(s, ':');
    if (!take_number(s, 2, 0, 59, &minutes)) {
        return false;
    }
    *ret_seconds = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
    return true;
}

bool
rfc3339_parse(str_t s, long long *ret_us)
{
    int year, month, day, hour, minute, second;
    long long us, offset;

    if (!take_number(&s, 4, 1, 9999, &year) || !take_char(&s, '-') ||
        !take_number(&s, 2, 1, 12, &month) || !take_char(&s, '-') ||
        !take_number(&s, 2, 1, days_in_month(year, month), &day) ||
        !(take_char(&s, 'T') || take_char(&s, 't')) ||
        !take_number(&s, 2, 0, 23, &hour) || !take_char(&s, ':') ||
        !take_number(&s, 2, 0, 59, &minute) || !take_char(&s, ':') ||
        !take_number(&s, 2, 0, 60, &second) || !take_fraction(&s, &us) ||
        !take_offset(&s, &offset) || s.len != 0) {
        return false;
    }
    long long at =
        (days_of(year, month, day) - DAYS_TO_EPOCH) * SECONDS_PER_DAY +
        hour * 3600 + minute * 60 + second - offset;
    if (second == 60 && at % SECONDS_PER_DAY != 0) {
        return false; /* leap seconds stand at the end of a UTC day only */
    }
    us += at * US_PER_SECOND;
    if (us < US_MIN || us >= US_END) {
        return false;
    }
    *ret_us = us;
    return true;
}

/* days since 0001-01-01 to a date */
static void
date_of(int days, int *ret_year, int *ret_month, int *ret_day)
{
    int year = days / DAYS_PER_400Y * 400;
    days %= DAYS_PER_400Y;
    /* The last century and the last year of a cycle have a day more. */
    int centuries = days / DAYS_PER_100Y - (days / DAYS_PER_100Y == 4);
    days -= centuries * DAYS_PER_100Y;
    int fours = days / DAYS_PER_4Y;
    days %= DAYS_PER_4Y;
    int ones = days / DAYS_PER_YEAR - (days / DAYS_PER_YEAR == 4);
    days -= ones * DAYS_PER_YEAR;
    year += centuries * 100 + fours * 4 + ones + 1;

    int month = 1;
    while (days >= days_in_month(year, month)) {
        days -= days_in_month(year, month);
        month++;
    }
    *ret_year = year;
    *ret_month = month;
    *ret_day = days + 1;
}

/* Writes n with leading zeros and what comes behind it. */
static char *
put_number(char *out, int n, int digits, char behind)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char) ('0' + n % 10);
        n /= 10;
    }
    out[digits] = behind;
    return out + digits + 1;
}

void
rfc3339_print(long long us, char out[32])
{
    int year, month, day;

    if (us < US_MIN) {
        us = US_MIN;
    } else if (us >= US_END) {
        us = US_END - 1;
    }
    long long ms = (us - US_MIN) / 1000; /* never negative: rounds down */
    int in_day = (int) (ms % (SECONDS_PER_DAY * 1000));
    date_of((int) (ms / (SECONDS_PER_DAY * 1000)), &year, &month, &day);
    out = put_number(out, year, 4, '-');
    out = put_number(out, month, 2, '-');
    out = put_number(out, day, 2, 'T');
    out = put_number(out, in_day / 3600000, 2, ':');
    out = put_number(out, in_day / 60000 % 60, 2, ':');
    out = put_number(out, in_day / 1000 % 60, 2, '.');
    out = put_number(out, in_day % 1000, 3, 'Z');
    *out = '\0';
}
