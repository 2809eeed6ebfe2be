/*
 * The growable byte buffer: what every writer of JSON, frames and error
 * bodies writes into.
 */
#include "proto/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/json.h"

#define BUF_FIRST_CAP 256

/* Shown in place of bytes that are not UTF-8 (U+FFFD). */
#define REPLACEMENT "\xef\xbf\xbd"

void
buf_init(buf_t *b, size_t max)
{
    *b = (buf_t){.max = max};
}

void
buf_free(buf_t *b)
{
    free(b->data);
    *b = (buf_t){.max = b->max};
}

void
buf_reset(buf_t *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data) {
        b->data[0] = '\0';
    }
}

/* Room for len more bytes and the NUL; false makes the failure stick. */
static bool
buf_reserve(buf_t *b, size_t len)
{
    if (b->failed) {
        return false;
    }
    if (len > b->max - b->len || b->max == SIZE_MAX) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + len + 1;
    if (need <= b->cap) {
        return true;
    }
    size_t cap = b->cap ? b->cap : BUF_FIRST_CAP;
    while (cap < need && cap <= b->max / 2) {
        cap *= 2;
    }
    if (cap < need || cap > b->max + 1) {
        cap = b->max + 1;
    }
    char *data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void
buf_cut(buf_t *b, size_t len)
{
    if (len < b->len) {
        b->len = len;
        b->data[len] = '\0';
    }
}

void
buf_put(buf_t *b, const void *data, size_t len)
{
    if (!buf_reserve(b, len)) {
        return;
    }
    if (len > 0) {
        memcpy(b->data + b->len, data, len);
    }
    b->len += len;
    b->data[b->len] = '\0';
}

void
buf_str(buf_t *b, str_t s)
{
    buf_put(b, s.data, s.len);
}

void
buf_puts(buf_t *b, const char *z)
{
    buf_put(b, z, strlen(z));
}

void
buf_char(buf_t *b, char c)
{
    buf_put(b, &c, 1);
}

void
buf_printf(buf_t *b, const char *fmt, ...)
{
    va_list ap;
    size_t room = b->cap - b->len;

    va_start(ap, fmt);
    int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t) n < room && !b->failed &&
               (size_t) n <= b->max - b->len) {
        b->len += (size_t) n;
        return;
    } else if (buf_reserve(b, (size_t) n)) {
        va_start(ap, fmt);
        vsnprintf(b->data + b->len, (size_t) n + 1, fmt, ap);
        va_end(ap);
        b->len += (size_t) n;
        return;
    }
    /* The first try may have left a part behind the end. */
    if (room) {
        b->data[b->len] = '\0';
    }
}

/* RFC 8259 section 7: what a string may not hold as it is. */
static void
buf_json_escape(buf_t *b, unsigned char c)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (const char *p = shorts; *p; p += 2) {
        if ((unsigned char) *p == c) {
            buf_char(b, '\\');
            buf_char(b, p[1]);
            return;
        }
    }
    buf_printf(b, "\\u%04x", c);
}

/* Valid UTF-8 with the escapes it needs; runs without one go in whole. */
static void
buf_json_text(buf_t *b, str_t s)
{
    size_t from = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        buf_put(b, s.data + from, i - from);
        buf_json_escape(b, c);
        from = i + 1;
    }
    if (from < s.len) {
        buf_put(b, s.data + from, s.len - from);
    }
}

void
buf_json(buf_t *b, str_t s)
{
    buf_char(b, '"');
    while (s.len > 0 && !b->failed) {
        size_t good = utf8_valid(s);
        buf_json_text(b, (str_t){s.data, good});
        if (good < s.len) {
            /* A JSON text that is not UTF-8 would be refused whole. */
            buf_puts(b, REPLACEMENT);
            good++;
        }
        s.data += good;
        s.len -= good;
    }
    buf_char(b, '"');
}

void
buf_url(buf_t *b, str_t s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len && !b->failed; i++) {
        unsigned char c = (unsigned char) s.data[i];
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
            (c >= 'a' && c <= 'z') || (c && strchr("-._~", c))) {
            buf_char(b, (char) c);
        } else {
            char triple[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_put(b, triple, sizeof(triple));
        }
    }
}
