/*
 * A growable byte buffer with a maximum given at birth.
 *
 * A failure (out of memory, maximum reached) is sticky: later writes do
 * nothing and buf_failed() says so, so that a writer checks once, at the end.
 */
#ifndef TURNUP_PROTO_BUF_H
#define TURNUP_PROTO_BUF_H

#include <stdarg.h>

#include "proto/str.h"

typedef struct {
    char *data; /* NUL-terminated whenever it is not NULL */
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
} buf_t;

/* max: the most bytes it may ever hold. Owns its memory until buf_free(). */
void buf_init(buf_t *b, size_t max);
void buf_free(buf_t *b);
/* Empties it and forgets a failure; keeps the memory. */
void buf_reset(buf_t *b);

/* Forgets what was written behind its first len bytes. */
void buf_cut(buf_t *b, size_t len);

void buf_put(buf_t *b, const void *data, size_t len);
void buf_str(buf_t *b, str_t s);
void buf_puts(buf_t *b, const char *z);
void buf_char(buf_t *b, char c);
void buf_printf(buf_t *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* s as a JSON string, quotes included (RFC 8259). */
void buf_json(buf_t *b, str_t s);
/* s percent-encoded but for RFC 3986 unreserved characters. */
void buf_url(buf_t *b, str_t s);

static inline bool
buf_failed(const buf_t *b)
{
    return b->failed;
}

static inline str_t
buf_view(const buf_t *b)
{
    return (str_t){b->data, b->len};
}

#endif
