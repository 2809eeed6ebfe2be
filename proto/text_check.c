/*
 * The check of raw JSON bytes. It need not know where strings begin: outside
 * of them a backslash or a byte above 0x7f is refused by the reader anyhow.
 */
#include "proto/text_check.h"

#define ESCAPE_BACKSLASH 1
#define ESCAPE_U         2
#define ESCAPE_END       6

#define BAD_UTF8      "invalid UTF-8"
#define BAD_SURROGATE "half a surrogate pair in a string"
#define BAD_NUL       "\\u0000 in a string"
#define BAD_SPACE     "a control character that is no white space in JSON"

/* All eight bytes of a word. */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of each byte of the word that is that byte (and maybe of the
 * byte above it). */
static uint64_t
find_byte(uint64_t word, unsigned char byte)
{
    uint64_t zero = word ^ EACH(byte);

    return (zero - EACH(0x01)) & ~zero;
}

/* yajl takes these two for white space, RFC 8259 does not. */
static bool
is_plain(unsigned char c)
{
    return c < 0x80 && c != '\\' && c != '\v' && c != '\f';
}

/* How many bytes at the start can be passed over: ASCII, no backslash. */
static size_t
plain_prefix(const char *data, size_t len)
{
    size_t i = 0;

    for (; i + sizeof(uint64_t) <= len; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, data + i, sizeof(word));
        if ((word | find_byte(word, '\\') | find_byte(word, '\v') |
             find_byte(word, '\f')) &
            EACH(0x80)) {
            break;
        }
    }
    while (i < len && is_plain((unsigned char) data[i])) {
        i++;
    }
    return i;
}

static int
hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX are there. */
static const char *
check_unit(text_check_t *t)
{
    bool low = t->unit >= 0xdc00 && t->unit <= 0xdfff;

    t->escape = 0;
    if (t->high != low) {
        return BAD_SURROGATE;
    }
    t->high = t->unit >= 0xd800 && t->unit <= 0xdbff;
    return t->unit == 0 ? BAD_NUL : NULL;
}

static const char *
check_escape(text_check_t *t, unsigned char c)
{
    if (t->escape == ESCAPE_BACKSLASH) {
        t->escape = c == 'u' ? ESCAPE_U : 0;
        t->unit = 0;
        return t->high && c != 'u' ? BAD_SURROGATE : NULL;
    }
    int digit = hex_value(c);
    if (digit < 0) {
        /* The reader will refuse this escape. */
        *t = (text_check_t){0};
        return NULL;
    }
    t->unit = t->unit << 4 | (unsigned) digit;
    t->escape++;
    return t->escape == ESCAPE_END ? check_unit(t) : NULL;
}

static const char *
check_byte(text_check_t *t, unsigned char c)
{
    if (t->utf8.need > 0) {
        return utf8_next(&t->utf8, c) ? NULL : BAD_UTF8;
    }
    if (t->escape > 0) {
        return check_escape(t, c);
    }
    if (t->high && c != '\\') {
        return BAD_SURROGATE;
    }
    if (c == '\\') {
        t->escape = ESCAPE_BACKSLASH;
        return NULL;
    }
    if (c == '\v' || c == '\f') {
        return BAD_SPACE;
    }
    return c < 0x80 || utf8_begin(&t->utf8, c) ? NULL : BAD_UTF8;
}

size_t
text_check(text_check_t *t, str_t chunk, const char **ret_reason)
{
    size_t i = 0;

    while (i < chunk.len) {
        if (t->utf8.need == 0 && t->escape == 0 && !t->high) {
            i += plain_prefix(chunk.data + i, chunk.len - i);
            if (i == chunk.len) {
                break;
            }
        }
        const char *reason = check_byte(t, (unsigned char) chunk.data[i]);
        if (reason) {
            *ret_reason = reason;
            return i;
        }
        i++;
    }
    return i;
}
