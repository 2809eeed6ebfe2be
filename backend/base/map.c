/*
 * Linear probing in a table of a power of two, at most three quarters full;
 * a removal moves back what probed past the gap, so there are no tombstones.
 */
#include "backend/base/map.h"

#include <stdlib.h>

#include "backend/base/arena.h"

enum { SLOTS_FIRST = 64 };

typedef struct {
    uuid_t key;
    void *value; /* NULL: free */
} slot_t;

struct map {
    slot_t *slots;
    size_t mask; /* slots - 1 */
    size_t count;
};

map_t *
map_create(void)
{
    map_t *m = xcalloc(1, sizeof(*m));

    m->slots = xcalloc(SLOTS_FIRST, sizeof(*m->slots));
    m->mask = SLOTS_FIRST - 1;
    return m;
}

void
map_free(map_t *m)
{
    if (m == NULL) {
        return;
    }
    free(m->slots);
    free(m);
}

/* The key's slot, or the free one where it would go. */
static slot_t *
find(const map_t *m, uuid_t key)
{
    size_t i = uuid_hash(key) & m->mask;

    while (m->slots[i].value != NULL && !uuid_eq(m->slots[i].key, key)) {
        i = (i + 1) & m->mask;
    }
    return &m->slots[i];
}

static void
grow(map_t *m)
{
    slot_t *old = m->slots;
    size_t n = m->mask + 1;

    m->slots = xcalloc(n * 2, sizeof(*m->slots));
    m->mask = n * 2 - 1;
    for (size_t i = 0; i < n; i++) {
        if (old[i].value != NULL) {
            *find(m, old[i].key) = old[i];
        }
    }
    free(old);
}

void *
map_get(const map_t *m, uuid_t key)
{
    return find(m, key)->value;
}

void *
map_put(map_t *m, uuid_t key, void *value)
{
    slot_t *slot;
    void *was;

    if (value == NULL) {
        return map_remove(m, key);
    }
    if ((m->count + 1) * 4 > (m->mask + 1) * 3) {
        grow(m);
    }
    slot = find(m, key);
    was = slot->value;
    m->count += was == NULL;
    *slot = (slot_t){key, value};
    return was;
}

void *
map_remove(map_t *m, uuid_t key)
{
    slot_t *slot = find(m, key);
    void *was = slot->value;
    size_t gap = (size_t) (slot - m->slots);

    if (was == NULL) {
        return NULL;
    }
    for (size_t i = (gap + 1) & m->mask; m->slots[i].value != NULL;
         i = (i + 1) & m->mask) {
        size_t home = uuid_hash(m->slots[i].key) & m->mask;

        /* it may move only if its home is not behind the gap */
        if (((i - home) & m->mask) >= ((i - gap) & m->mask)) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap].value = NULL;
    m->count--;
    return was;
}

size_t
map_count(const map_t *m)
{
    return m->count;
}

void *
map_next(const map_t *m, size_t *iter)
{
    while (*iter <= m->mask) {
        void *value = m->slots[(*iter)++].value;

        if (value != NULL) {
            return value;
        }
    }
    return NULL;
}
