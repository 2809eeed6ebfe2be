/*
 * A ring whose size is a power of two.
 */
#include "backend/base/ring.h"

#include <stdlib.h>
#include <string.h>

#include "backend/base/arena.h"

enum { ITEMS_FIRST = 64 };

void
ring_init(ring_t *r, size_t item_size)
{
    *r = (ring_t){.item_size = item_size};
}

void
ring_free(ring_t *r)
{
    free(r->items);
    ring_init(r, r->item_size);
}

static char *
place(const ring_t *r, size_t i)
{
    return r->items + ((r->head + i) & (r->size - 1)) * r->item_size;
}

static void
grow(ring_t *r)
{
    size_t size = r->size > 0 ? r->size * 2 : ITEMS_FIRST;
    char *items = xcalloc(size, r->item_size);

    for (size_t i = 0; i < r->count; i++) {
        memcpy(items + i * r->item_size, place(r, i), r->item_size);
    }
    free(r->items);
    r->items = items;
    r->size = size;
    r->head = 0;
}

void
ring_push(ring_t *r, const void *item)
{
    if (r->count == r->size) {
        grow(r);
    }
    memcpy(place(r, r->count), item, r->item_size);
    r->count++;
}

void
ring_pop(ring_t *r, void *ret_item)
{
    memcpy(ret_item, place(r, 0), r->item_size);
    r->head = (r->head + 1) & (r->size - 1);
    r->count--;
}

void *
ring_at(const ring_t *r, size_t i)
{
    return i < r->count ? place(r, i) : NULL;
}
