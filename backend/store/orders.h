/*
 * service_order, service_order_state, service_order_item: SQL only.
 */
#ifndef TURNUP_STORE_ORDERS_H
#define TURNUP_STORE_ORDERS_H

#include "backend/domain/record.h"
#include "backend/store/filter.h"
#include "backend/store/rows.h"

/*
 * Orders to insert, column by column. Fill one row of orders and states for
 * each order and one of items for each item:
 *   orders: id, request key, external id, category, priority, order date,
 *           requested start, requested completion, subject, traceparent, doc
 *   states: id, state, item count, error
 *   items:  order, item id, position, parent item, action, service, spec id,
 *           spec version, depends (a text[] literal), characteristics,
 *           activation (nil: none), state, error
 */
typedef struct {
    rows_t orders, states, items;
} order_rows_t;

void order_rows_init(order_rows_t *r, arena_t *a);
/* A request key that exists already fails the segment with 23505. */
void orders_insert(const order_rows_t *r, pg_t *pg, arena_t *a);

/*
 * Orders with their items, by id, in one segment of the caller's: the result
 * handler of orders first, then that of items. Read with order_read() and
 * order_item_read().
 */
void orders_load(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                 pg_result_fn on_orders, pg_result_fn on_items, void *ctx);
/* All but the items. Slices point into res. */
void order_read(const PGresult *res, int row, order_record_t *ret);
/* *ret_order: whose. *ret_parent: index among the order's items (they come
 * depth first), or -1. Slices point into res. */
void order_item_read(const PGresult *res, int row, uuid_t *ret_order,
                     str_t *ret_parent, item_record_t *ret);

/* id, request key and document of those that exist. */
void orders_by_key(pg_t *pg, arena_t *a, const str_t *keys, int n,
                   pg_result_fn fn, void *ctx);
/* Deletes an order in a final state with its activations, and writes the
 * event that says so; gives a row when it did. */
void order_delete(pg_t *pg, arena_t *a, uuid_t id, uuid_t event,
                  str_t correlation, pg_result_fn fn, void *ctx);

/*
 * Locks orders against other callers, until the segment's end, which the
 * caller still has to give. on_orders: id, state, start, order date, external
 * id; on_items: as orders_load(), and the action in column 7; it gets NULL
 * where the locking failed (pg_ask()).
 */
void orders_lock(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                 pg_result_fn on_orders, pg_result_fn on_items, void *ctx);
/* rows: id, state, start (null: keep), completion (null: keep), error. */
void order_states_init(rows_t *r, arena_t *a);
void order_states_update(const rows_t *r, pg_t *pg, arena_t *a);

/* A list's statement: the ids of the page, with the count of all in the
 * second column of each row; an empty page past the end has one row with a
 * null id. false with *err (400). */
bool orders_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                     tmf_error_t *err);

#endif
