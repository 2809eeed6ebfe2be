/*
 * What a batch of transitions writes beside the inventory: activation,
 * activation_journal, service_order_state, event. SQL only.
 */
#ifndef TURNUP_STORE_TRANSITIONS_H
#define TURNUP_STORE_TRANSITIONS_H

#include "backend/store/outbox.h"

/*
 * Fill one row of moves for each transition, one of states for each order
 * whose state changes, one of tasks for each cancellation that is through by
 * that (cancellation_rows_init()), and the events:
 *   moves:  id, expected seq, run, variables (null: keep), item state, pending
 *           (null: none), error (null: keep), owner (null: nobody), due (null:
 *           not); for the journal: event, state after it, attempt, detail;
 *           whether it is past its point of no return
 *   states: id, state, start (null: keep), completion (null: keep), error
 *           (null: keep)
 */
typedef struct {
    rows_t moves, states, tasks;
    outbox_t outbox;
} transition_rows_t;

/* The segment's error when a row was moved by somebody else meanwhile. */
#define ACTIVATION_STALE "22012"

void transition_rows_init(transition_rows_t *r, arena_t *a);
/*
 * Guarded: unless every activation still has its expected seq, the statement
 * fails with ACTIVATION_STALE and with it the segment. A row that is let go
 * while signals came meanwhile is due at once. Nothing is sent where there is
 * no move. on_told: column 1 is a bigint, how many of the events somebody
 * listens to.
 */
void transitions_apply(const transition_rows_t *r, pg_t *pg, arena_t *a,
                       pg_result_fn on_told, void *ctx);

#endif
