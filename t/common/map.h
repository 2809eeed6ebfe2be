/*
 * A hash map from byte strings to items that hold their own key.
 *
 * An item is any struct whose first member is a str_t, its key. The map owns
 * neither item nor key; the key must not change while the item is in it.
 */
#ifndef TURNUP_T_COMMON_MAP_H
#define TURNUP_T_COMMON_MAP_H

#include <stdint.h>

#include "proto/str.h"

typedef struct {
    uint32_t hash;
    void *item; /* NULL: free */
} map_slot_t;

typedef struct {
    map_slot_t *slots;
    size_t cap; /* a power of two, or 0 */
    size_t count;
} map_t;

void map_init(map_t *m);
/* Forgets all items and gives the memory back; usable afterwards. */
void map_free(map_t *m);
/* The item with this key, or NULL. */
void *map_get(const map_t *m, str_t key);
/* Adds an item whose key is not in the map yet. */
void map_add(map_t *m, void *item);
/* Takes an item out and returns it, or NULL. */
void *map_remove(map_t *m, str_t key);

#endif
