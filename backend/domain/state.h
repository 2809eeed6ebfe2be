/*
 * States of orders, items and services, and the rules between them.
 */
#ifndef TURNUP_DOMAIN_STATE_H
#define TURNUP_DOMAIN_STATE_H

#include "proto/schema.h"

/* TMF641 ServiceOrderStateType and ServiceOrderItemStateType, and
 * pendingExternal (seed 1, lifecycle table), which the strict profile shows
 * as pending. */
typedef enum {
    ORDER_ACKNOWLEDGED,
    ORDER_REJECTED,
    ORDER_PENDING,
    ORDER_PENDING_EXTERNAL,
    ORDER_HELD,
    ORDER_IN_PROGRESS,
    ORDER_CANCELLED,
    ORDER_COMPLETED,
    ORDER_FAILED,
    ORDER_PARTIAL,
    ORDER_ASSESSING_CANCELLATION,
    ORDER_PENDING_CANCELLATION,
    ORDER_STATE_COUNT
} order_state_t;

const char *order_state_name(order_state_t s);
/* false: no such state. */
bool order_state_parse(str_t name, order_state_t *ret);
bool order_state_final(order_state_t s);
/* May an order or item go from one to the other? (TMF-FACTS 8.1: the
 * published life cycle; pendingExternal moves as pending does, and may also
 * end in failed or completed only through inProgress. Ours: from
 * pendingCancellation to failed, when not all could be undone.) */
bool order_state_may(order_state_t from, order_state_t to);

/* Who moves an order: what is done about it, or a client's PATCH. */
typedef enum { ORDER_BY_ENGINE, ORDER_BY_CLIENT } order_actor_t;

typedef enum {
    ORDER_MOVE_NONE,    /* it is there already */
    ORDER_MOVE_LEGAL,   /* may be carried out by who asks */
    ORDER_MOVE_CANCEL,  /* a cancellation: the client has to ask for it */
    ORDER_MOVE_DERIVED, /* in the life cycle, but follows from the items */
    ORDER_MOVE_ILLEGAL  /* not in the life cycle */
} order_move_t;

/* What becomes of somebody's wish to move an order: the life cycle of
 * order_state_may(), of which a client itself carries out nothing; it can ask
 * for a cancellation. */
order_move_t order_state_move(order_state_t from, order_state_t to,
                              order_actor_t who);

/*
 * The state of an order (or of an item with nested items) from its items:
 * any rejected: rejected; any open: inProgress if one is, else held, else
 * pendingExternal, else pending, else acknowledged if all are acknowledged,
 * else inProgress; none open: all completed: completed, all cancelled:
 * cancelled, none completed: failed, else partial (TMF-FACTS 8.2). n 0:
 * completed.
 */
order_state_t order_state_derive(const order_state_t *items, int n);
/* What an order of that derived state is in while a cancellation is in force:
 * pendingCancellation until every item has ended. */
order_state_t order_state_cancelling(order_state_t derived);

/* TMF638 ServiceStateType (v4; suspended is v5's). */
typedef enum {
    SERVICE_FEASIBILITY_CHECKED,
    SERVICE_DESIGNED,
    SERVICE_RESERVED,
    SERVICE_INACTIVE,
    SERVICE_ACTIVE,
    SERVICE_SUSPENDED,
    SERVICE_TERMINATED,
    SERVICE_STATE_COUNT
} service_state_t;

const char *service_state_name(service_state_t s);
bool service_state_parse(str_t name, service_state_t *ret);
/*
 * The life cycle of an inventory record as its owner may write it (TMF-FACTS
 * 8.4: TM Forum's diagram, and MEF's inactive to terminated). suspended has no
 * published moves: to and from active, and to terminated. Activations go their
 * own ways: their machines say what is deployed.
 */
/* May a record begin in it? */
bool service_state_initial(service_state_t s);
/* May it go from one to the other? From a state to itself: may its other
 * attributes be changed? (Not when it is terminated.) */
bool service_state_may(service_state_t from, service_state_t to);
/* May the record of a service in it be removed? What is active or suspended
 * is on the network, and ends first ("terminated, by delete": that of an
 * order, or a terminated that is written into the record). */
bool service_state_removable(service_state_t s);
/* TMF638 v5 ServiceOperatingStatusType, ours in v4. */
bool operating_status_known(str_t name);

/* OrderItemActionType */
typedef enum {
    ACTION_ADD,
    ACTION_MODIFY,
    ACTION_DELETE,
    ACTION_NO_CHANGE,
    ACTION_COUNT
} action_t;

const char *action_name(action_t a);
bool action_parse(str_t name, action_t *ret);

#endif
