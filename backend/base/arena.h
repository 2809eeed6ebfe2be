/*
 * Memory that lives and dies together: one arena a batch, a document, a
 * definition. Nothing is freed singly. Out of memory aborts the process: a
 * worker holds nothing that PostgreSQL does not, and its supervisor starts
 * it again.
 */
#ifndef TURNUP_BASE_ARENA_H
#define TURNUP_BASE_ARENA_H

#include "proto/str.h"

typedef struct arena arena_t;

arena_t *arena_create(void);
/* NULL-safe. */
void arena_free(arena_t *a);
/* Forgets everything, keeps one block. */
void arena_reset(arena_t *a);
/* Zeroed, aligned for any type; never NULL. */
void *arena_alloc(arena_t *a, size_t size);
#define arena_new(a, type)      ((type *) arena_alloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *) arena_alloc((a), sizeof(type) * (n)))
/* A copy, NUL-terminated behind its length. */
str_t arena_str(arena_t *a, str_t s);
char *arena_z(arena_t *a, str_t s);
str_t arena_printf(arena_t *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Bytes asked for so far. */
size_t arena_used(const arena_t *a);

/* For long-lived things: abort instead of NULL. xcalloc zeroes. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *z);

#endif
