/*
 * UTF-8 as RFC 3629 defines it: shortest form, no surrogates, nothing above
 * U+10FFFF.
 */
#include "proto/utf8.h"

#include "proto/json.h"

bool
utf8_begin(utf8_rest_t *rest, unsigned char lead)
{
    *rest = (utf8_rest_t){.low = 0x80, .high = 0xbf};
    if (lead >= 0xc2 && lead <= 0xdf) {
        rest->need = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        rest->need = 2;
        if (lead == 0xe0) {
            rest->low = 0xa0; /* less would be overlong */
        } else if (lead == 0xed) {
            rest->high = 0x9f; /* more would be a surrogate */
        }
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        rest->need = 3;
        if (lead == 0xf0) {
            rest->low = 0x90;
        } else if (lead == 0xf4) {
            rest->high = 0x8f;
        }
    } else {
        return false;
    }
    return true;
}

bool
utf8_next(utf8_rest_t *rest, unsigned char c)
{
    if (c < rest->low || c > rest->high) {
        return false;
    }
    rest->need--;
    rest->low = 0x80;
    rest->high = 0xbf;
    return true;
}

/* How many bytes at the start are ASCII; eight at a time while it lasts. */
static size_t
ascii_prefix(const char *data, size_t len)
{
    size_t i = 0;

    for (; i + sizeof(uint64_t) <= len; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, data + i, sizeof(word));
        if (word & UINT64_C(0x8080808080808080)) {
            break;
        }
    }
    while (i < len && (unsigned char) data[i] < 0x80) {
        i++;
    }
    return i;
}

size_t
utf8_valid(str_t s)
{
    size_t i = 0;

    while (i < s.len) {
        i += ascii_prefix(s.data + i, s.len - i);
        if (i == s.len) {
            break;
        }
        utf8_rest_t rest;
        if (!utf8_begin(&rest, (unsigned char) s.data[i])) {
            return i;
        }
        size_t end = i + 1;
        while (rest.need > 0) {
            if (end == s.len ||
                !utf8_next(&rest, (unsigned char) s.data[end])) {
                return i;
            }
            end++;
        }
        i = end;
    }
    return i;
}
