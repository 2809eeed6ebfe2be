/*
 * Memory for the test programs: all of it or the end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "t/common/memory.h"

static void *
checked(void *p)
{
    if (!p) {
        fputs("out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return p;
}

void *
memory_new(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *
memory_grow(void *old, size_t size)
{
    return checked(realloc(old, size ? size : 1));
}

char *
memory_copy(str_t s)
{
    char *p = checked(malloc(s.len + 1));

    if (s.len) {
        memcpy(p, s.data, s.len);
    }
    p[s.len] = '\0';
    return p;
}
