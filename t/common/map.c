/*
 * A hash map: open addressing, linear probing, at most half full.
 */
#include <stdlib.h>

#include "t/common/map.h"
#include "t/common/memory.h"

#define MAP_FIRST_CAP 64

/* FNV-1a, 32 bits. */
static uint32_t
hash_of(str_t key)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < key.len; i++) {
        h = (h ^ (unsigned char) key.data[i]) * 16777619u;
    }
    return h ^ h >> 15;
}

static const str_t *
key_of(const void *item)
{
    return item;
}

void
map_init(map_t *m)
{
    *m = (map_t){0};
}

void
map_free(map_t *m)
{
    free(m->slots);
    map_init(m);
}

/* Where the key is, or the free slot where it would be. */
static size_t
find(const map_t *m, uint32_t hash, str_t key)
{
    size_t i = hash & (m->cap - 1);

    while (m->slots[i].item && (m->slots[i].hash != hash ||
                                !str_eq(*key_of(m->slots[i].item), key))) {
        i = (i + 1) & (m->cap - 1);
    }
    return i;
}

void *
map_get(const map_t *m, str_t key)
{
    return m->cap ? m->slots[find(m, hash_of(key), key)].item : NULL;
}

static void
grow(map_t *m)
{
    map_t old = *m;

    m->cap = old.cap ? old.cap * 2 : MAP_FIRST_CAP;
    m->slots = memory_new(m->cap * sizeof *m->slots);
    for (size_t i = 0; i < old.cap; i++) {
        const map_slot_t *s = &old.slots[i];

        if (s->item) {
            m->slots[find(m, s->hash, *key_of(s->item))] = *s;
        }
    }
    free(old.slots);
}

void
map_add(map_t *m, void *item)
{
    uint32_t hash = hash_of(*key_of(item));

    if (m->count * 2 >= m->cap) {
        grow(m);
    }
    m->slots[find(m, hash, *key_of(item))] = (map_slot_t){hash, item};
    m->count++;
}

/* Closes the hole at i: later members of its run move up, so that a search
 * never stops short. */
static void
close_hole(map_t *m, size_t i)
{
    size_t mask = m->cap - 1;

    for (size_t j = (i + 1) & mask; m->slots[j].item; j = (j + 1) & mask) {
        size_t home = m->slots[j].hash & mask;

        if (((j - home) & mask) >= ((j - i) & mask)) {
            m->slots[i] = m->slots[j];
            i = j;
        }
    }
    m->slots[i].item = NULL;
}

void *
map_remove(map_t *m, str_t key)
{
    if (m->cap == 0) {
        return NULL;
    }

    size_t i = find(m, hash_of(key), key);
    void *item = m->slots[i].item;

    if (item) {
        close_hole(m, i);
        m->count--;
    }
    return item;
}
