/*
 * A queue of items of one size, first in, first out, that grows as needed.
 * Its owner says how many there may be.
 */
#ifndef TURNUP_BASE_RING_H
#define TURNUP_BASE_RING_H

#include <stddef.h>

typedef struct {
    char *items;
    size_t item_size;
    size_t size; /* a power of two, or 0 */
    size_t head, count;
} ring_t;

void ring_init(ring_t *r, size_t item_size);
void ring_free(ring_t *r);
/* Copies the item in. */
void ring_push(ring_t *r, const void *item);
/* Copies the oldest one out; there must be one. */
void ring_pop(ring_t *r, void *ret_item);
/* The i-th oldest in place, or NULL; valid until the next push. */
void *ring_at(const ring_t *r, size_t i);

#endif
