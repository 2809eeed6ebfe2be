/*
 * New orders of a group, between the files that project, plan and write them.
 */
#ifndef TURNUP_POOLS_INTAKE_ORDERS_H
#define TURNUP_POOLS_INTAKE_ORDERS_H

#include "backend/pools/intake.h"
#include "backend/pools/loaded.h"
#include "backend/store/orders.h"

/* One order of a group. */
typedef struct {
    request_t *request;
    order_t order;
    uuid_t id;
    str_t key;
    uuid_t existing; /* not nil: the key is known */
    bool same_body;
    service_now_t *services; /* one an item */
    uuid_t *service_ids;     /* as they are to be */
    plan_item_t *plan;
    bool accepted;
    str_t headers, content; /* of the 201, should it commit */
} post_t;

typedef struct {
    post_t *posts;
    int count;
    loaded_t loaded;
    hints_t hints; /* to be sent after the commit */
    bool told;     /* somebody listens to its events */
} posting_t;

/* Everything a segment writes. */
typedef struct {
    order_rows_t orders;
    rows_t changes;
} writing_t;

/* intake_order_rows.c: all that an order is in the database, and the hints
 * its activations need. */
void order_rows_add(group_t *g, writing_t *w, post_t *p, int64_t now);

#endif
