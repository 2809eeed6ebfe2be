/*
 * A batch under way, for the files that fill it: one input of each of its
 * members, and the rows of the segment that is made of them.
 */
#ifndef TURNUP_POOLS_FAMILY_BATCH_H
#define TURNUP_POOLS_FAMILY_BATCH_H

#include "backend/pools/family.h"
#include "backend/pools/family_order.h"
#include "backend/store/services.h"
#include "backend/store/transitions.h"

typedef struct {
    work_t *work;
    input_t *input; /* NULL: only a store command is to be done */
    decision_t d;
    bool moves; /* there is a transition to write */
    /* the memory as it was: what writing changes in it before the commit */
    struct {
        bool in_inventory;
        service_state_t told_state;
        str_t told_operating;
        int64_t order_start_us;
        str_t error;
    } before;
    /* a store command that goes with it, and what came of it */
    const command_t *store;
    str_t claim;
    str_t resources; /* the name of the pool; empty: could not be told */
    str_t missing;   /* then: what its name lacks */
    bool no_pool;    /* there is none of that name */
    bool stored;
    char *variables; /* what it set; goes into an input */
} member_t;

typedef struct {
    pool_t *pool;
    arena_t *arena;
    pg_t *pg;
    int connection;
    member_t *members;
    int count;
    int64_t now_us;
    transition_rows_t rows;
    rows_t signals, allocations, releases;
    inventory_rows_t inventory;
    bool told;              /* somebody listens to its events */
    family_orders_t orders; /* those of several items */
    hints_t hints;
} batch_t;

/* family_report.c */
/* Has this transition something to say about a failure? */
bool report_wanted(const member_t *m);
/* Into work.error: the step, and what the target answered. */
void report_error(batch_t *b, member_t *m);
/* Adds that something was left behind. */
void report_undo_failed(batch_t *b, work_t *w);
/* Into work.pending. */
void report_pending(batch_t *b, member_t *m);
/* family_inventory.c: what a member's transition does to the inventory. */
void write_inventory(batch_t *b, member_t *m);

#endif
