/*
 * uuid → pointer, open addressing. Values are not owned; NULL is no value.
 */
#ifndef TURNUP_BASE_MAP_H
#define TURNUP_BASE_MAP_H

#include "backend/base/uuid.h"

typedef struct map map_t;

map_t *map_create(void);
void map_free(map_t *m);
void *map_get(const map_t *m, uuid_t key);
/* Replaces; returns what was there, or NULL. */
void *map_put(map_t *m, uuid_t key, void *value);
void *map_remove(map_t *m, uuid_t key);
size_t map_count(const map_t *m);
/* All values: for (i = 0; (v = map_next(m, &i)) != NULL;) — do not change the
 * map meanwhile. */
void *map_next(const map_t *m, size_t *iter);

#endif
