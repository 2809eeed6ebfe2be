/*
 * cancel_service_order, and what an accepted one does to its order: SQL only.
 */
#ifndef TURNUP_STORE_CANCELLATIONS_H
#define TURNUP_STORE_CANCELLATIONS_H

#include "backend/domain/record.h"
#include "backend/store/filter.h"
#include "backend/store/rows.h"

/* An item that is worked on, as it was read. */
typedef struct {
    uuid_t activation;
    str_t item_id;
    order_state_t state;
    bool committed; /* has been past its point of no return */
} cancellation_fact_t;

/* What a cancellation is judged by. on_facts: rows for
 * cancellation_fact_read(); on_order, on_items: as of orders_lock(). */
void cancellation_facts(pg_t *pg, arena_t *a, uuid_t order,
                        pg_result_fn on_facts, pg_result_fn on_order,
                        pg_result_fn on_items, void *ctx);
/* The slice points into res. */
void cancellation_fact_read(const PGresult *res, int row,
                            cancellation_fact_t *ret);
/*
 * First in the segment that writes: takes the order's lock and holds its
 * activations, also that of an order of one item, whose transitions take no
 * other lock. Unless all is still as it was read, the segment fails with
 * SQLSTATE 22012.
 */
void cancellation_guard(pg_t *pg, arena_t *a, uuid_t order, int version,
                        const cancellation_fact_t *facts, int n);
/* requested_us: PG_NO_TIME: not given. */
void cancellation_insert(pg_t *pg, arena_t *a,
                         const cancellation_record_t *task,
                         int64_t requested_us);
/*
 * The order is pendingCancellation by this task from now on, items without an
 * activation of their own are cancelled. Open activations grow a seq, so that
 * whoever has one in memory reads it anew; those that nobody has are due. Gives
 * id and family of them.
 */
void cancellation_begin(pg_t *pg, arena_t *a,
                        const cancellation_record_t *task, str_t reason,
                        pg_result_fn fn, void *ctx);

/* rows: task, state, effective (null: not), message, error (null: none) of
 * tasks whose order has ended. */
void cancellation_rows_init(rows_t *r, arena_t *a);
void cancellations_end(const rows_t *r, pg_t *pg, arena_t *a);

void cancellations_load(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                        pg_result_fn fn, void *ctx);
/* Slices point into res. */
void cancellation_read(const PGresult *res, int row,
                       cancellation_record_t *ret);
/* As orders_list_sql(). */
bool cancellations_list_sql(buf_t *sql, pg_params_t *p, const query_t *q,
                            long cap, tmf_error_t *err);

#endif
