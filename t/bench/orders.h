/*
 * What became of the orders: each is known by its id from its acceptance or
 * its first notification, whichever comes first.
 */
#ifndef TURNUP_T_BENCH_ORDERS_H
#define TURNUP_T_BENCH_ORDERS_H

#include "t/bench/histogram.h"
#include "t/common/map.h"

#define ORDERS_MAX 5000000 /* remembered; more are not looked at */

typedef enum { FATE_NONE, FATE_COMPLETED, FATE_FAILED } fate_t;

typedef struct {
    map_t by_id;
    long long steady_from_us; /* what is measured: between these two */
    long long steady_to_us;
    unsigned long accepted;
    unsigned long completed; /* of the accepted */
    unsigned long failed;    /* of the accepted: any other final state */
    unsigned long completed_steady;
    unsigned long notifications;
    unsigned long foreign;      /* about no order of ours, or not understood */
    unsigned long out_of_order; /* not final after a final one */
    histogram_t latency; /* from due to completed, of orders due in time */
} orders_t;

void orders_init(orders_t *o);
void orders_free(orders_t *o);

/* The order was accepted; due_us: when it should have been posted. */
void orders_accepted(orders_t *o, str_t id, long long due_us);
/* A notification's body came at now_us. */
void orders_notified(orders_t *o, str_t body, long long at_us);
/* Accepted and neither completed nor failed. */
unsigned long orders_open(const orders_t *o);
/* Once, at the end: notifications about orders that were never accepted here
 * move to foreign. */
void orders_finish(orders_t *o);

#endif
