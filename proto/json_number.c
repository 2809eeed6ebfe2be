/*
 * The bounds of JSON numbers.
 */
#include "proto/json_number.h"

#include <stdlib.h>

#include "proto/json.h"

/* The largest double is 1.797693134862315708e308; from these digits on the
 * nearest one is infinite. */
#define DOUBLE_LIMIT_DIGITS "1797693134862315807"
#define EXPONENT_CLAMP      100000

/* Collects the significant digits of a number; returns the exponent of the
 * first one (scientific notation), or of the number spelt when it is zero. */
static long
number_scale(str_t n, char *digits, size_t size)
{
    size_t i = 0, count = 0;
    long scale = -1, exponent = 0;
    bool fraction = false, negative = false;

    for (; i < n.len && n.data[i] != 'e' && n.data[i] != 'E'; i++) {
        char c = n.data[i];
        if (c == '.') {
            fraction = true;
        } else if (c != '-') {
            bool significant = count > 0 || c != '0';
            if (significant && count < size) {
                digits[count++] = c;
            }
            scale += !fraction && significant;
            scale -= fraction && !significant;
        }
    }
    memset(digits + count, '0', size - count);
    for (i++; i < n.len; i++) {
        if (n.data[i] == '-') {
            negative = true;
        } else if (n.data[i] != '+' && exponent < EXPONENT_CLAMP) {
            exponent = exponent * 10 + (n.data[i] - '0');
        }
    }
    exponent = negative ? -exponent : exponent;
    return count > 0 ? exponent + scale : exponent;
}

const char *
json_number_fault(str_t text)
{
    static const char limit[] = DOUBLE_LIMIT_DIGITS;
    char digits[sizeof(limit) - 1];

    if (text.len > JSON_MAX_NUMBER) {
        return "number too long";
    }
    long scale = number_scale(text, digits, sizeof(digits));
    if (labs(scale) > JSON_MAX_EXPONENT ||
        (scale == JSON_MAX_EXPONENT &&
         memcmp(digits, limit, sizeof(digits)) >= 0)) {
        return "number out of range";
    }
    return NULL;
}
