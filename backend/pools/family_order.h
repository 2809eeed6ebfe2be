/*
 * What a batch of transitions does to the orders: states, and the events that
 * tell of them. Orders of one item follow their item; orders of several are
 * locked, read and derived, because other families change them too.
 */
#ifndef TURNUP_POOLS_FAMILY_ORDER_H
#define TURNUP_POOLS_FAMILY_ORDER_H

#include "backend/store/outbox.h"
#include "backend/tmf/order.h"

typedef struct {
    uuid_t order_id;
    str_t external_id, traceparent;
    int64_t order_date_us, start_us;
    order_change_item_t item; /* as it is to be */
    order_state_t before;     /* the item's state */
} family_order_change_t;

/* One locked order. */
typedef struct {
    uuid_t id;
    str_t external_id;
    order_state_t state;
    int64_t start_us, order_date_us;
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

/* The order of a single item: rows for its state and the event. */
void family_order_single(const family_order_change_t *c, int64_t now_us,
                         arena_t *a, rows_t *states, outbox_t *outbox);

void family_orders_init(family_orders_t *o, arena_t *a);
void family_orders_add(family_orders_t *o, const family_order_change_t *c,
                       bool ended);
/* Results of orders_lock(). */
void family_orders_locked(family_orders_t *o, const PGresult *res);
void family_orders_items(family_orders_t *o, const PGresult *res);
/* Lays the changes over what was read and derives. */
void family_orders_derive(family_orders_t *o, int64_t now_us, rows_t *states,
                          outbox_t *outbox);

#endif
