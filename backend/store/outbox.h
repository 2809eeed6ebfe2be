/*
 * Writing events: rows of the table event, in the transaction that changed
 * what they tell of.
 */
#ifndef TURNUP_STORE_OUTBOX_H
#define TURNUP_STORE_OUTBOX_H

#include "backend/store/rows.h"

typedef struct {
    rows_t rows;
} outbox_t;

void outbox_init(outbox_t *o, arena_t *a);
/* data: record.h, event_record_t; empty: the whole resource. */
void outbox_add(outbox_t *o, int64_t now_us, str_t api, str_t type,
                str_t resource_id, str_t data, str_t correlation);
/* In the order they were added. */
void outbox_insert(const outbox_t *o, pg_t *pg, arena_t *a);

#endif
