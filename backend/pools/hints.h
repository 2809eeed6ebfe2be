/*
 * Hints in Redis: what makes others look at once. Losing one costs time, not
 * work (law 1).
 */
#ifndef TURNUP_POOLS_HINTS_H
#define TURNUP_POOLS_HINTS_H

#include "backend/pools/settings.h"
#include "backend/base/uuid.h"
#include "backend/base/arena.h"

/* Activations to look at, collected, then sent. */
typedef struct {
    uuid_t id;
    str_t family;
    str_t begin; /* begin.h, or "": it is to be read */
} hint_about_t;

typedef struct {
    arena_t *arena;
    hint_about_t *about;
    int count, cap;
} hints_t;

void hints_init(hints_t *h, arena_t *a);
/* family is copied; begin (or "") has to live as long as h. */
void hints_add(hints_t *h, uuid_t activation, str_t family, str_t begin);
/* To the families' streams, some dozens in an entry: "activation" and its id,
 * or "begin" and its text. A stream is cut at HINTS_MAX entries: the keeper
 * hints again what nobody takes. */
void hints_send(const hints_t *h, redis_t *r, const settings_t *s);
/* There are new events: the notifier is to look. */
void hint_events(redis_t *r, const settings_t *s);

#endif
