/*
 * service_order, service_order_state, service_order_item: SQL only.
 */
#ifndef TURNUP_STORE_ORDERS_H
#define TURNUP_STORE_ORDERS_H

#include "backend/domain/record.h"
#include "backend/store/filter.h"
#include "backend/store/outbox.h"
#include "backend/store/rows.h"

/*
 * Orders to insert, column by column. Fill one row of orders and states for
 * each order, one of items for each item, one of activations for each item
 * that is worked on:
 *   orders: id, request key, external id, category, priority, order date,
 *           requested start, requested completion, subject, traceparent, doc,
 *           parties (a text[] literal)
 *   states: state, item count, error
 *   items:  order, item id, position, parent item, action, service, spec id,
 *           spec version, depends (a text[] literal), characteristics,
 *           activation (nil: none), state, error
 *   activations: id, order, item id, service, configuration, family,
 *           definition id, action, due
 */
typedef struct {
    rows_t orders, states, items, activations;
    outbox_t outbox;
} order_rows_t;

void order_rows_init(order_rows_t *r, arena_t *a);
/* A request key that exists already fails the segment with 23505. on_told
 * gets one bigint: how many of the events somebody listens to. */
void orders_insert(const order_rows_t *r, pg_t *pg, arena_t *a,
                   pg_result_fn on_told, void *ctx);

/* Orders by id: a row each item, an order's one after the other, depth first.
 * Read with order_item_read(), and the first of each with order_read(). */
void orders_load(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                 pg_result_fn fn, void *ctx);
/* All but the items. Slices point into res. */
void order_read(const PGresult *res, int row, order_record_t *ret);
/* *ret_order: whose. *ret_parent: the item it is inside of, or "". Slices
 * point into res. */
void order_item_read(const PGresult *res, int row, uuid_t *ret_order,
                     str_t *ret_parent, item_record_t *ret);

/* id, request key and document, as it was posted, of those that exist. */
void orders_by_key(pg_t *pg, arena_t *a, const str_t *keys, int n,
                   pg_result_fn fn, void *ctx);
/* Deletes an order in a final state with its activations and the tasks that
 * asked for its cancellation, and writes the event that says so; gives a row
 * when it did. version: the only one it may be in, 0: any. */
void order_delete(pg_t *pg, arena_t *a, uuid_t id, int version, uuid_t event,
                  str_t correlation, pg_result_fn fn, void *ctx);

/*
 * What a PATCH makes of an order. steps: the sum of its activations' seq as
 * they were read with it; NO_STEPS: whatever they are.
 *
 * begin: nothing of it has begun; what waits for its start date, or for
 * nothing, waits for start_us now. reread: workers have its facts in memory
 * (externalId, priority); they find them stale at the next step and read them
 * anew.
 */
typedef struct {
    uuid_t id;
    int version;
    int64_t steps;
    str_t doc;
    str_t external_id, priority;
    const str_t *parties;
    int party_count;
    int64_t start_us, completion_us, expected_us; /* asked for; PG_NO_TIME */
    bool begin, reread;
    str_t why; /* in the journals of the activations that are concerned */
} order_change_row_t;

#define NO_STEPS (-1)

/*
 * Guarded: unless the order still has that version, and its activations those
 * steps, the statement fails with 22012 and with it the segment. on_changed
 * gets at least one row: how many of the events somebody listens to, then
 * id and family of an activation that is to begin now, or null.
 */
void order_change(const order_change_row_t *c, const outbox_t *outbox,
                  pg_t *pg, arena_t *a, pg_result_fn on_changed, void *ctx);

/*
 * Locks orders against other callers, until the segment's end, which the
 * caller still has to give. on_orders: id, state, start, order date, external
 * id, the cancellation in force (or null), version; on_items: as
 * orders_load(), the action in column 7; it gets NULL where the locking failed
 * (pg_ask()).
 */
void orders_lock(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                 pg_result_fn on_orders, pg_result_fn on_items, void *ctx);
/* A list's statement: the ids of the page, with the count of all in the
 * second column of each row; an empty page past the end has one row with a
 * null id. false with *err (400). */
bool orders_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                     tmf_error_t *err);

#endif
