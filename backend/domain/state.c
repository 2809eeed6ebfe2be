/*
 * States and actions by name, and the moves between order states, as tables.
 */
#include "backend/domain/state.h"

#define BIT(s) (1u << (s))

typedef struct {
    const char *name;
    bool final;
    unsigned to; /* bits of the states it may go to */
} order_row_t;

/* An order that waits, for whatever reason, goes on, is cancelled, or is
 * asked to be cancelled. */
#define FROM_WAITING                                 \
    (BIT(ORDER_IN_PROGRESS) | BIT(ORDER_CANCELLED) | \
     BIT(ORDER_ASSESSING_CANCELLATION))

static const order_row_t order_rows[ORDER_STATE_COUNT] = {
    [ORDER_ACKNOWLEDGED] = {"acknowledged", false,
                            BIT(ORDER_IN_PROGRESS) | BIT(ORDER_REJECTED) |
                                BIT(ORDER_CANCELLED) |
                                BIT(ORDER_ASSESSING_CANCELLATION)},
    [ORDER_REJECTED] = {"rejected", true, 0},
    [ORDER_PENDING] = {"pending", false, FROM_WAITING},
    [ORDER_PENDING_EXTERNAL] = {"pendingExternal", false, FROM_WAITING},
    [ORDER_HELD] = {"held", false, FROM_WAITING},
    [ORDER_IN_PROGRESS] = {"inProgress", false,
                           BIT(ORDER_COMPLETED) | BIT(ORDER_PARTIAL) |
                               BIT(ORDER_FAILED) | BIT(ORDER_PENDING) |
                               BIT(ORDER_PENDING_EXTERNAL) | BIT(ORDER_HELD) |
                               BIT(ORDER_CANCELLED) |
                               BIT(ORDER_ASSESSING_CANCELLATION)},
    [ORDER_CANCELLED] = {"cancelled", true, 0},
    [ORDER_COMPLETED] = {"completed", true, 0},
    [ORDER_FAILED] = {"failed", true, 0},
    [ORDER_PARTIAL] = {"partial", true, 0},
    [ORDER_ASSESSING_CANCELLATION] = {"assessingCancellation", false,
                                      BIT(ORDER_ACKNOWLEDGED) |
                                          BIT(ORDER_IN_PROGRESS) |
                                          BIT(ORDER_PENDING) |
                                          BIT(ORDER_PENDING_EXTERNAL) |
                                          BIT(ORDER_HELD) |
                                          BIT(ORDER_PENDING_CANCELLATION)},
    [ORDER_PENDING_CANCELLATION] = {"pendingCancellation", false,
                                    BIT(ORDER_CANCELLED) | BIT(ORDER_FAILED)},
};

typedef struct {
    const char *name;
    bool initial, removable;
    unsigned to; /* its own bit: other attributes may be changed in it */
} service_row_t;

#define TO(s) BIT(SERVICE_##s)

static const service_row_t service_rows[SERVICE_STATE_COUNT] = {
    [SERVICE_FEASIBILITY_CHECKED] = {"feasibilityChecked", true, true,
                                     TO(FEASIBILITY_CHECKED) | TO(DESIGNED) |
                                         TO(RESERVED) | TO(INACTIVE) |
                                         TO(ACTIVE)},
    [SERVICE_DESIGNED] = {"designed", true, true,
                          TO(DESIGNED) | TO(RESERVED) | TO(INACTIVE) |
                              TO(ACTIVE)},
    [SERVICE_RESERVED] = {"reserved", true, true,
                          TO(RESERVED) | TO(DESIGNED) | TO(INACTIVE) |
                              TO(ACTIVE)},
    [SERVICE_INACTIVE] = {"inactive", true, true,
                          TO(INACTIVE) | TO(ACTIVE) | TO(TERMINATED)},
    [SERVICE_ACTIVE] = {"active", true, false,
                        TO(ACTIVE) | TO(INACTIVE) | TO(SUSPENDED) |
                            TO(TERMINATED)},
    [SERVICE_SUSPENDED] = {"suspended", false, false,
                           TO(SUSPENDED) | TO(ACTIVE) | TO(TERMINATED)},
    [SERVICE_TERMINATED] = {"terminated", false, true, TO(ACTIVE)},
};

static const char *const action_names[ACTION_COUNT] = {
    [ACTION_ADD] = "add",
    [ACTION_MODIFY] = "modify",
    [ACTION_DELETE] = "delete",
    [ACTION_NO_CHANGE] = "noChange",
};

const char *
order_state_name(order_state_t s)
{
    return order_rows[s].name;
}

bool
order_state_parse(str_t name, order_state_t *ret)
{
    for (int i = 0; i < ORDER_STATE_COUNT; i++) {
        if (str_is(name, order_rows[i].name)) {
            *ret = (order_state_t) i;
            return true;
        }
    }
    return false;
}

bool
order_state_final(order_state_t s)
{
    return order_rows[s].final;
}

bool
order_state_may(order_state_t from, order_state_t to)
{
    return (order_rows[from].to & BIT(to)) != 0;
}

order_move_t
order_state_move(order_state_t from, order_state_t to, order_actor_t who)
{
    if (from == to) {
        return ORDER_MOVE_NONE;
    }
    if (!order_state_may(from, to)) {
        return ORDER_MOVE_ILLEGAL;
    }
    if (who == ORDER_BY_ENGINE) {
        return ORDER_MOVE_LEGAL;
    }
    return to == ORDER_CANCELLED || to == ORDER_ASSESSING_CANCELLATION ||
                   to == ORDER_PENDING_CANCELLATION
               ? ORDER_MOVE_CANCEL
               : ORDER_MOVE_DERIVED;
}

/* What a set of open states makes of the whole. */
static order_state_t
derive_open(unsigned seen)
{
    static const order_state_t rank[] = {
        ORDER_IN_PROGRESS, ORDER_HELD, ORDER_PENDING_EXTERNAL, ORDER_PENDING};

    for (size_t i = 0; i < sizeof(rank) / sizeof(rank[0]); i++) {
        if (seen & BIT(rank[i])) {
            return rank[i];
        }
    }
    return seen == BIT(ORDER_ACKNOWLEDGED) ? ORDER_ACKNOWLEDGED
                                           : ORDER_IN_PROGRESS;
}

order_state_t
order_state_derive(const order_state_t *items, int n)
{
    unsigned seen = 0;
    bool open = false;

    for (int i = 0; i < n; i++) {
        seen |= BIT(items[i]);
        open = open || !order_state_final(items[i]);
    }
    if (seen & BIT(ORDER_REJECTED)) {
        return ORDER_REJECTED;
    }
    if (open) {
        return derive_open(seen);
    }
    if ((seen & ~BIT(ORDER_COMPLETED)) == 0) {
        return ORDER_COMPLETED;
    }
    if (seen == BIT(ORDER_CANCELLED)) {
        return ORDER_CANCELLED;
    }
    /* An item with nested items that is partial has completed something. */
    return seen & (BIT(ORDER_COMPLETED) | BIT(ORDER_PARTIAL)) ? ORDER_PARTIAL
                                                              : ORDER_FAILED;
}

order_state_t
order_state_cancelling(order_state_t derived)
{
    return order_state_final(derived) ? derived : ORDER_PENDING_CANCELLATION;
}

const char *
service_state_name(service_state_t s)
{
    return service_rows[s].name;
}

bool
service_state_parse(str_t name, service_state_t *ret)
{
    for (int i = 0; i < SERVICE_STATE_COUNT; i++) {
        if (str_is(name, service_rows[i].name)) {
            *ret = (service_state_t) i;
            return true;
        }
    }
    return false;
}

bool
service_state_initial(service_state_t s)
{
    return service_rows[s].initial;
}

bool
service_state_may(service_state_t from, service_state_t to)
{
    return (service_rows[from].to & BIT(to)) != 0;
}

bool
service_state_removable(service_state_t s)
{
    return service_rows[s].removable;
}

bool
operating_status_known(str_t name)
{
    for (const char *const *p = tmf_operating_statuses; *p; p++) {
        if (str_is(name, *p)) {
            return true;
        }
    }
    return false;
}

const char *
action_name(action_t a)
{
    return action_names[a];
}

bool
action_parse(str_t name, action_t *ret)
{
    for (int i = 0; i < ACTION_COUNT; i++) {
        if (str_is(name, action_names[i])) {
            *ret = (action_t) i;
            return true;
        }
    }
    return false;
}
