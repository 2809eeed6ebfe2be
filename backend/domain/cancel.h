/*
 * May an order be cancelled? Only where all that was done for it can be
 * undone (TMF641 assessingCancellation).
 */
#ifndef TURNUP_DOMAIN_CANCEL_H
#define TURNUP_DOMAIN_CANCEL_H

#include "backend/domain/state.h"

typedef struct {
    bool works; /* has an activation; others change nothing by themselves */
    order_state_t state;
    bool committed; /* has been past its point of no return */
} cancel_item_t;

/* The index of the first item that stands in the way: it is completed, or runs
 * and is committed. -1: the order can be cancelled. */
int cancel_obstacle(const cancel_item_t *items, int n);

#endif
