/*
 * Memory and time for the test programs.
 *
 * Out of memory ends the program with a message: a simulator or a load
 * generator that went on with half of its state would only lie.
 */
#ifndef TURNUP_T_COMMON_MEMORY_H
#define TURNUP_T_COMMON_MEMORY_H

#include <time.h>

#include "proto/str.h"

/* size zeroed bytes; the caller frees. */
void *memory_new(size_t size);
/* realloc() that cannot fail. */
void *memory_grow(void *old, size_t size);
/* A NUL-terminated copy of s; the caller frees. */
char *memory_copy(str_t s);

/* Microseconds of a clock that only goes forward. */
static inline long long
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static inline struct timeval
timeval_of_ms(long ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

#endif
