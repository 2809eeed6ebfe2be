/*
 * A byte slice: pointer and length, not NUL-terminated, not owned.
 */
#ifndef TURNUP_PROTO_STR_H
#define TURNUP_PROTO_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct {
    const char *data;
    size_t len;
} str_t;

#define STR(literal) ((str_t){(literal), sizeof(literal) - 1})
#define STR_NONE     ((str_t){NULL, 0})
/* for printf's "%.*s" */
#define STR_FMT(s) (int) (s).len, (s).data ? (s).data : ""

static inline str_t
str_of(const char *z)
{
    return (str_t){z, z ? strlen(z) : 0};
}

static inline bool
str_eq(str_t a, str_t b)
{
    return a.len == b.len && (a.len == 0 || !memcmp(a.data, b.data, a.len));
}

static inline bool
str_is(str_t a, const char *z)
{
    return a.len == strlen(z) && (a.len == 0 || !memcmp(a.data, z, a.len));
}

#endif
