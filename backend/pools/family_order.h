/*
 * What a batch of transitions does to the orders: states, and the events that
 * tell of them. Orders of one item follow their item; orders of several are
 * locked, read and derived, because other families change them too.
 */
#ifndef TURNUP_POOLS_FAMILY_ORDER_H
#define TURNUP_POOLS_FAMILY_ORDER_H

#include "backend/store/transitions.h"
#include "backend/tmf/order.h"

typedef struct {
    uuid_t order_id;
    str_t external_id, traceparent;
    int64_t order_date_us, start_us;
    uuid_t cancellation;      /* in force; nil: none */
    order_change_item_t item; /* as it is to be */
    order_state_t before;     /* the item's state */
} family_order_change_t;

/* One locked order. */
typedef struct {
    uuid_t id;
    str_t external_id;
    order_state_t state;
    int64_t start_us, order_date_us;
    uuid_t cancellation; /* in force, or carried out; nil: none */
    int version;
    order_change_item_t *items;
    str_t *parents;
    int item_count;
} family_locked_t;

typedef struct {
    arena_t *arena;
    family_order_change_t *changes;
    int change_count, change_cap;
    uuid_t *ids; /* of the orders, each once */
    int count, cap;
    uuid_t *wake; /* orders of which an item has ended: others may wait */
    int wake_count;
    family_locked_t *locked;
    int locked_count;
} family_orders_t;

/* The order of a single item: rows for its state, the end of its cancellation,
 * and the events. */
void family_order_single(const family_order_change_t *c, int64_t now_us,
                         arena_t *a, transition_rows_t *rows);

void family_orders_init(family_orders_t *o, arena_t *a);
void family_orders_add(family_orders_t *o, const family_order_change_t *c,
                       bool ended);
/* Results of orders_lock(). */
void family_orders_locked(family_orders_t *o, const PGresult *res);
void family_orders_items(family_orders_t *o, const PGresult *res);
/* Lays the changes over what was read and derives. */
void family_orders_derive(family_orders_t *o, int64_t now_us,
                          transition_rows_t *rows);

/* Derives the states of items with others in them, and gives the order's. */
order_state_t family_order_derive(arena_t *a, family_locked_t *l);
/* An event of an order. */
void family_order_tell(outbox_t *outbox, uuid_t id, const char *type,
                       const order_change_t *c, str_t traceparent,
                       int64_t now_us);
/* The event that a cancellation's state has changed. */
void family_cancellation_tell(outbox_t *outbox,
                              const cancellation_record_t *task,
                              str_t traceparent, int64_t now_us);

#endif
