/*
 * Writing events: rows of the table event, in the transaction that changed
 * what they tell of.
 */
#ifndef TURNUP_STORE_OUTBOX_H
#define TURNUP_STORE_OUTBOX_H

#include "backend/store/rows.h"

/*
 * The insertion of events as a part of a statement that changes what they tell
 * of, with a row of told for each; the arguments are the numbers of its
 * parameters, as "$7". Only what somebody listens to is kept: a subscription
 * is told of what happens after it was made, so nobody would ever read the
 * others.
 */
#define SQL_TOLD(id, at, api, type, resource, data, correlation)            \
    "told AS (INSERT INTO event (id, at, api, type, resource_id, data,"     \
    " correlation) SELECT (" id "::uuid[])[n], (" at "::timestamptz[])[n]," \
    " (" api "::text[])[n], (" type "::text[])[n], (" resource              \
    "::text[])[n], (" data "::text[])[n]::json, (" correlation              \
    "::text[])[n] FROM generate_series(1, cardinality(" id "::uuid[]))"     \
    " AS g(n) WHERE EXISTS (SELECT 1 FROM hub_subscription h"               \
    " WHERE h.api = (" api "::text[])[n] AND (h.event_types IS NULL"        \
    " OR (" type "::text[])[n] = ANY (h.event_types))) RETURNING 1)"

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
