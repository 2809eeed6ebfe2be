/*
 * What became of the orders, told by ids in replies and notifications.
 */
#include <stdlib.h>

#include "t/bench/orders.h"
#include "t/common/json_text.h"
#include "t/common/memory.h"

typedef struct {
    str_t id; /* its key, as spelt in JSON; the bytes follow the struct */
    bool accepted;
    fate_t fate;
    unsigned notifications;
    long long due_us;
    long long fate_us;
} order_t;

static const struct {
    const char *state; /* with quotes: as spelt in JSON */
    fate_t fate;
} fates[] = {
    {"\"completed\"", FATE_COMPLETED}, {"\"failed\"", FATE_FAILED},
    {"\"rejected\"", FATE_FAILED},     {"\"partial\"", FATE_FAILED},
    {"\"cancelled\"", FATE_FAILED},
};

void
orders_init(orders_t *o)
{
    *o = (orders_t){0};
    map_init(&o->by_id);
}

void
orders_free(orders_t *o)
{
    for (size_t i = 0; i < o->by_id.cap; i++) {
        free(o->by_id.slots[i].item);
    }
    map_free(&o->by_id);
}

/* NULL: there are too many. */
static order_t *
find(orders_t *o, str_t id)
{
    order_t *order = map_get(&o->by_id, id);

    if (!order && o->by_id.count < ORDERS_MAX) {
        order = memory_new(sizeof *order + id.len);
        memcpy(order + 1, id.data, id.len);
        order->id = (str_t){(char *) (order + 1), id.len};
        map_add(&o->by_id, order);
    }
    return order;
}

static bool
is_steady(const orders_t *o, long long us)
{
    return us >= o->steady_from_us && us < o->steady_to_us;
}

/* Both are known now: that it is ours, and how it ended. */
static void
settle(orders_t *o, const order_t *order)
{
    if (order->fate == FATE_FAILED) {
        o->failed++;
        return;
    }
    o->completed++;
    o->completed_steady += is_steady(o, order->fate_us);
    if (is_steady(o, order->due_us)) {
        histogram_add(&o->latency, order->fate_us - order->due_us);
    }
}

void
orders_accepted(orders_t *o, str_t id, long long due_us)
{
    order_t *order = find(o, id);

    o->accepted++;
    if (!order || order->accepted) {
        return;
    }
    order->accepted = true;
    order->due_us = due_us;
    if (order->fate != FATE_NONE) {
        settle(o, order);
    }
}

static fate_t
fate_of(str_t state)
{
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        if (str_is(state, fates[i].state)) {
            return fates[i].fate;
        }
    }
    return FATE_NONE;
}

/* event.serviceOrder's id and state, in whatever order they stand. */
static bool
read_notification(str_t body, str_t *id, str_t *state)
{
    str_t event = json_text_from(body, "event");
    str_t order = json_text_from(event, "serviceOrder");
    json_walk_t w = json_walk(order);
    json_member_t m;

    *id = *state = STR_NONE;
    while ((!id->len || !state->len) && json_walk_next(&w, &m) == 1) {
        if (str_is(m.name, "id")) {
            *id = m.value;
        } else if (str_is(m.name, "state")) {
            *state = m.value;
        }
    }
    return id->len > 0 && state->len > 0;
}

void
orders_notified(orders_t *o, str_t body, long long at_us)
{
    str_t id, state;
    order_t *order;
    fate_t fate;

    o->notifications++;
    if (!read_notification(body, &id, &state) || !(order = find(o, id))) {
        o->foreign++;
        return;
    }
    order->notifications++;
    fate = fate_of(state);
    if (fate == FATE_NONE) {
        o->out_of_order += order->fate != FATE_NONE;
        return;
    }
    if (order->fate == FATE_NONE) {
        order->fate = fate;
        order->fate_us = at_us;
        if (order->accepted) {
            settle(o, order);
        }
    }
}

unsigned long
orders_open(const orders_t *o)
{
    return o->accepted - o->completed - o->failed;
}

void
orders_finish(orders_t *o)
{
    for (size_t i = 0; i < o->by_id.cap; i++) {
        const order_t *order = o->by_id.slots[i].item;

        if (order && !order->accepted) {
            o->foreign += order->notifications;
        }
    }
}
