/*
 * TMF641 serviceOrder ⇄ domain.
 */
#ifndef TURNUP_TMF_ORDER_H
#define TURNUP_TMF_ORDER_H

#include "backend/domain/order.h"
#include "backend/domain/record.h"
#include "backend/tmf/view.h"

/*
 * Projects a body that the edge has validated (and that is checked here
 * again as far as memory safety goes) to the domain. Characteristics arrays
 * become objects name → value. false with *err (400): broken references, a
 * dependency cycle, too many items. Slices and nodes live with doc and a.
 */
bool order_from_tmf(arena_t *a, const json_t *doc, order_t *ret,
                    tmf_error_t *err);
/*
 * The order as JSON: the client's document, in its order and spelling, with
 * what is ours put in: id, href, state, orderDate, expectedCompletionDate,
 * startDate, completionDate or cancellationDate, cancellationReason,
 * errorMessage, and in each item state, service.id,
 * service.href, errorMessage; in order and item pendingExternal.
 */
void order_to_tmf(buf_t *out, arena_t *a, const order_record_t *o,
                  const tmf_view_t *v);
/* Attributes of an order, and of an item, that are shown as the server has
 * them: what a document says under these names is not. */
bool order_attr_is_ours(str_t name);
bool order_item_attr_is_ours(str_t name);

/*
 * Sparse forms for event data (record.h): no hrefs, states by their internal
 * names. Written in the transaction that changes the state.
 */
typedef struct {
    str_t item_id;
    const char *action;
    order_state_t state;
    uuid_t service_id;
    str_t characteristics; /* shown when completed; else "" */
    str_t error;           /* JSON array, or "" */
    str_t pending;         /* JSON object, or "" */
} order_change_item_t;

typedef struct {
    str_t external_id;
    order_state_t state;
    int64_t order_date_us, start_us, completion_us; /* as in the record */
    str_t cancellation_reason;                      /* told when accepted */
    str_t error;                                    /* JSON array, or "" */
    str_t pending;                                  /* JSON object, or "" */
    const order_change_item_t *items;
    int item_count;
    const char *field_path; /* the attribute that changed, where it is told of
                               (record.h); else NULL */
} order_change_t;

void order_change_data(buf_t *out, const order_change_t *c);

/* One ServiceOrderItemErrorMessage / ServiceOrderErrorMessage as JSON:
 * {"code","reason","message","status"?,"timestamp","serviceOrderItem"?:
 * [{"itemId"}]}. status 0: none; item empty: none. */
void order_error_message(buf_t *out, str_t code, str_t reason, str_t message,
                         int status, int64_t at_us, str_t item);
/* {"party":..,"reason":..,"since":..,"until":..} */
void order_pending_external(buf_t *out, str_t party, str_t reason,
                            int64_t since_us, int64_t until_us);

#endif
