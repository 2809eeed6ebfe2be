/*
 * Hints in Redis: what makes others look at once. Losing one costs time, not
 * work (law 1).
 */
#ifndef TURNUP_POOLS_HINTS_H
#define TURNUP_POOLS_HINTS_H

#include "backend/pools/settings.h"
#include "backend/base/uuid.h"
#include "backend/base/arena.h"

/* Activations to look at, collected, then sent: families[i] is of ids[i]. */
typedef struct {
    arena_t *arena;
    uuid_t *ids;
    str_t *families;
    int count, cap;
} hints_t;

void hints_init(hints_t *h, arena_t *a);
/* family is copied. */
void hints_add(hints_t *h, uuid_t activation, str_t family);
/* To the families' streams, some dozens in an entry. */
void hints_send(const hints_t *h, redis_t *r, const settings_t *s);
/* There are new events: the notifier is to look. */
void hint_events(redis_t *r, const settings_t *s);

#endif
