/*
 * The items of an accepted order in a PATCH: they stay what they are, but for
 * what the standard does not know of them.
 */
#ifndef TURNUP_TMF_ORDER_ITEMS_H
#define TURNUP_TMF_ORDER_ITEMS_H

#include "backend/tmf/order.h"

typedef struct {
    const order_record_t *order;
    bool changed; /* some attribute that the standard does not know */
    tmf_error_t *err;
} order_items_check_t;

/*
 * Holds a client's list against the items as they are shown, each by its id
 * among its brothers. What the server puts in (state, errorMessage,
 * pendingExternal, the service's id and href) may be left out, and is refused
 * when it differs (400; a state 409: it is derived). Any other difference is
 * 409 and names the item: an amendment of a running order. Attributes that
 * the standard does not know (an item's note is one) may come, go and change
 * as long as the item has not ended.
 */
bool order_items_check(order_items_check_t *c, const json_t *shown,
                       const json_t *wanted);
/*
 * "serviceOrderItem":[...] to be stored, in the order of the wanted list,
 * which was checked: everything as it is stored, with the wanted list's
 * attributes that the standard does not know.
 */
void order_items_merge(buf_t *out, const json_t *stored, const json_t *wanted);

#endif
