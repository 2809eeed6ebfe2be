/*
 * States over a tree of items.
 */
#include "backend/domain/tree.h"

#include "backend/domain/order.h"

/* The state derived from the children of p. *ret_any: it has some. */
static order_state_t
from_children(const order_state_t *states, const int *parent, int n, int p,
              bool *ret_any)
{
    order_state_t children[ORDER_MAX_ITEMS];
    int count = 0;

    for (int i = p + 1; i < n; i++) {
        if (parent[i] == p) {
            children[count++] = states[i];
        }
    }
    *ret_any = count > 0;
    return order_state_derive(children, count);
}

order_state_t
order_tree_derive(order_state_t *states, const int *parent, int n)
{
    bool any;

    if (n > ORDER_MAX_ITEMS) {
        n = ORDER_MAX_ITEMS; /* more are refused at intake */
    }
    for (int i = n - 1; i >= 0; i--) {
        order_state_t s = from_children(states, parent, n, i, &any);

        if (any) {
            states[i] = s;
        }
    }
    return from_children(states, parent, n, -1, &any);
}
