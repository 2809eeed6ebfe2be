/*
 * A chain of blocks that double in size; the newest is the one that is cut
 * from. What is large beside a block gets one of its own behind it, so that
 * the rest of the newest is not lost.
 *
 * Under AddressSanitizer what has not been handed out is poisoned, so that
 * an overrun or a use after arena_reset() is found as with malloc.
 */
#include "backend/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <sanitizer/asan_interface.h>

enum {
    ALIGNMENT = 16, /* of max_align_t on the machines we run on */
    BLOCK_FIRST = 4096,
    BLOCK_MAX = 1 << 20,
#ifdef __SANITIZE_ADDRESS__
    REDZONE = ALIGNMENT
#else
    REDZONE = 0
#endif
};

typedef struct block {
    struct block *next;
    size_t size; /* of data */
    size_t used;
    _Alignas(ALIGNMENT) char data[];
} block_t;

struct arena {
    block_t *head; /* never one of its own, never NULL */
    size_t used;
};

static _Noreturn void
out_of_memory(void)
{
    static const char msg[] = "turnup: out of memory\n";

    (void) !fwrite(msg, 1, sizeof(msg) - 1, stderr);
    abort();
}

void *
xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (p == NULL) {
        out_of_memory();
    }
    return p;
}

void *
xrealloc(void *p, size_t size)
{
    p = realloc(p, size ? size : 1);
    if (p == NULL) {
        out_of_memory();
    }
    return p;
}

char *
xstrdup(const char *z)
{
    char *p = strdup(z);

    if (p == NULL) {
        out_of_memory();
    }
    return p;
}

static block_t *
block_create(size_t size)
{
    block_t *b = malloc(sizeof(*b) + size);

    if (b == NULL) {
        out_of_memory();
    }
    b->next = NULL;
    b->size = size;
    b->used = 0;
    ASAN_POISON_MEMORY_REGION(b->data, size);
    return b;
}

static void
blocks_free(block_t *b)
{
    while (b != NULL) {
        block_t *next = b->next;

        free(b);
        b = next;
    }
}

arena_t *
arena_create(void)
{
    arena_t *a = xcalloc(1, sizeof(*a));

    a->head = block_create(BLOCK_FIRST);
    return a;
}

void
arena_free(arena_t *a)
{
    if (a == NULL) {
        return;
    }
    blocks_free(a->head);
    free(a);
}

void
arena_reset(arena_t *a)
{
    blocks_free(a->head->next);
    a->head->next = NULL;
    a->head->used = 0;
    ASAN_POISON_MEMORY_REGION(a->head->data, a->head->size);
    a->used = 0;
}

/* A block with room for size bytes. */
static block_t *
block_for(arena_t *a, size_t size)
{
    block_t *b = a->head;
    size_t next_size = b->size < BLOCK_MAX ? b->size * 2 : BLOCK_MAX;

    if (size <= b->size - b->used) {
        return b;
    }
    if (size > next_size / 4) {
        b = block_create(size);
        b->next = a->head->next;
        a->head->next = b;
        return b;
    }
    b = block_create(next_size);
    b->next = a->head;
    a->head = b;
    return b;
}

static void *
take(arena_t *a, size_t size)
{
    size_t cut;
    block_t *b;
    void *p;

    if (size > PTRDIFF_MAX - 2 * ALIGNMENT) {
        out_of_memory();
    }
    cut = (size + REDZONE + ALIGNMENT - 1) & ~(size_t) (ALIGNMENT - 1);
    b = block_for(a, cut);
    p = b->data + b->used;
    b->used += cut;
    a->used += size;
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    return p;
}

void *
arena_alloc(arena_t *a, size_t size)
{
    return memset(take(a, size), 0, size);
}

str_t
arena_str(arena_t *a, str_t s)
{
    return (str_t){arena_z(a, s), s.len};
}

char *
arena_z(arena_t *a, str_t s)
{
    char *p = take(a, s.len + 1);

    if (s.len > 0) {
        memcpy(p, s.data, s.len);
    }
    p[s.len] = '\0';
    return p;
}

str_t
arena_printf(arena_t *a, const char *fmt, ...)
{
    char first[256]; /* mostly enough */
    size_t size = sizeof(first);
    va_list args;
    int len;
    char *p = first;

    for (;;) {
        va_start(args, fmt);
        len = vsnprintf(p, size, fmt, args);
        va_end(args);
        if (len < 0) {
            out_of_memory();
        }
        if (p != first) {
            return (str_t){p, (size_t) len};
        }
        if ((size_t) len < size) {
            return arena_str(a, (str_t){first, (size_t) len});
        }
        size = (size_t) len + 1;
        p = take(a, size);
    }
}

size_t
arena_used(const arena_t *a)
{
    return a->used;
}
