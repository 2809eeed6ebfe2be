/*
 * PATCH of a serviceOrder (TMF641 v4.1; TMF-FACTS 3.1): what a client may
 * change of an order that was accepted, as far as the document goes. Whether
 * its state, or a running order, allows it is judged by those who ask.
 */
#ifndef TURNUP_TMF_ORDER_PATCH_H
#define TURNUP_TMF_ORDER_PATCH_H

#include "backend/tmf/order.h"
#include "backend/tmf/patch.h"

typedef struct {
    str_t doc;   /* to be stored; the order's own where nothing changes */
    str_t state; /* asked for, where it is not as shown; else "" */
    const str_t *changed; /* first-level attributes, of the document's order */
    int changed_count;
    order_t order;       /* what the domain makes of doc */
    int64_t expected_us; /* expectedCompletionDate, or NO_TIME */
} order_patch_t;

/*
 * Applies the patch to the order as it is shown in v (which must show all of
 * it), holds the result against the tables, and takes out of it again what is
 * the server's. false with *err: 400 for what is wrong by itself or may never
 * be changed (an equal value is fine), 409 for what would change the work of
 * an accepted order: an item added or removed, or anything in an item but
 * attributes that the standard does not know, and those where it has ended;
 * of a failed "test" (patch.h). Slices live with a and o.
 */
bool order_patch(arena_t *a, const order_record_t *o, const tmf_view_t *v,
                 const json_t *patch, patch_kind_t kind, order_patch_t *ret,
                 tmf_error_t *err);
/* Does it change that first-level attribute? */
bool order_patch_changes(const order_patch_t *p, const char *name);
/* "description,note": an event's fieldPath. */
void order_patch_path(buf_t *out, const order_patch_t *p);

#endif
