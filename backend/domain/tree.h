/*
 * States over a tree of items.
 */
#ifndef TURNUP_DOMAIN_TREE_H
#define TURNUP_DOMAIN_TREE_H

#include "backend/domain/state.h"

/*
 * states: of n items, depth first (a parent before its children); parent:
 * index of each item's parent, or -1. Sets the states of items that have
 * children by order_state_derive() and returns the order's.
 */
order_state_t order_tree_derive(order_state_t *states, const int *parent,
                                int n);

#endif
