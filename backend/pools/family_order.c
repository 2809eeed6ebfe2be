/*
 * Orders of a batch.
 */
#include "backend/pools/family_order.h"

#include "backend/base/json.h"
#include "backend/domain/tree.h"
#include "backend/store/orders.h"
#include "backend/tmf/cancellation.h"

#define TEXT_MAX ((size_t) JSON_MAX_BYTES)

/* Errors and events -------------------------------------------------------- */

/* The order's own messages: one for each item that failed, taken from the
 * item's. */
static str_t
order_error(arena_t *a, const order_change_item_t *items, int n,
            int64_t now_us)
{
    buf_t b;
    bool any = false;

    buf_init(&b, TEXT_MAX);
    buf_char(&b, '[');
    for (int i = 0; i < n; i++) {
        const json_t *first;

        if (items[i].state != ORDER_FAILED || !items[i].error.len) {
            continue;
        }
        first = json_at(json_parse(a, items[i].error, NULL), STR("/0"));
        any = true;
        json_comma(&b);
        order_error_message(
            &b, json_text(first, "code"), json_text(first, "reason"),
            json_text(first, "message"), 0, now_us, items[i].item_id);
    }
    buf_char(&b, ']');
    if (!any) {
        buf_free(&b);
        return STR_NONE;
    }
    {
        str_t s = arena_str(a, buf_view(&b));

        buf_free(&b);
        return s;
    }
}

static void
tell(outbox_t *outbox, uuid_t id, const char *type, buf_t *data,
     str_t traceparent, int64_t now_us)
{
    char text[UUID_TEXT + 1];

    uuid_print(id, text);
    outbox_add(outbox, now_us, STR("ordering"), str_of(type), str_of(text),
               buf_view(data), traceparent);
    buf_free(data);
}

void
family_order_tell(outbox_t *outbox, uuid_t id, const char *type,
                  const order_change_t *c, str_t traceparent, int64_t now_us)
{
    buf_t data;

    buf_init(&data, TEXT_MAX);
    order_change_data(&data, c);
    tell(outbox, id, type, &data, traceparent, now_us);
}

void
family_cancellation_tell(outbox_t *outbox, const cancellation_record_t *task,
                         str_t traceparent, int64_t now_us)
{
    buf_t data;

    buf_init(&data, TEXT_MAX);
    cancellation_change_data(&data, task);
    tell(outbox, task->id, "CancelServiceOrderStateChangeEvent", &data,
         traceparent, now_us);
}

/* The order has ended, and with it the task that cancelled it. */
static void
end_task(uuid_t id, uuid_t order, order_state_t state, str_t traceparent,
         int64_t now_us, arena_t *a, transition_rows_t *rows)
{
    cancellation_record_t task = {
        .id = id, .order_id = order, .effective_us = NO_TIME};

    cancellation_end(&task, a, state, now_us);
    rows_uuid(&rows->tasks, id);
    rows_text(&rows->tasks, task.state);
    rows_time(&rows->tasks, task.effective_us);
    rows_text(&rows->tasks, task.message);
    rows_some(&rows->tasks, task.error);
    family_cancellation_tell(&rows->outbox, &task, traceparent, now_us);
}

static str_t
first_pending(const order_change_item_t *items, int n)
{
    for (int i = 0; i < n; i++) {
        if (items[i].pending.len) {
            return items[i].pending;
        }
    }
    return STR_NONE;
}

static const char *
change_event(order_state_t before, order_state_t after)
{
    return before != after ? "ServiceOrderStateChangeEvent"
                           : "ServiceOrderAttributeValueChangeEvent";
}

/* The state's row, when it changes, and the order as the event shows it. */
static order_change_t
change_to(order_state_t before, order_state_t state, int64_t start_us,
          const order_change_item_t *items, int n, int64_t now_us, arena_t *a,
          uuid_t id, rows_t *states)
{
    bool begins =
        start_us == NO_TIME && before == ORDER_ACKNOWLEDGED && state != before;
    order_change_t c = {
        .state = state,
        .start_us = begins ? now_us : start_us,
        .completion_us = order_state_final(state) ? now_us : NO_TIME,
        .error = order_state_final(state) ? order_error(a, items, n, now_us)
                                          : STR_NONE,
        .pending = first_pending(items, n),
        .items = items,
        .item_count = n,
        .field_path = state == before ? "serviceOrderItem" : NULL,
    };

    if (state == before) {
        return c;
    }
    rows_uuid(states, id);
    rows_text(states, str_of(order_state_name(state)));
    rows_time(states, begins ? now_us : PG_NO_TIME);
    rows_time(states, c.completion_us);
    rows_some(states, c.error);
    return c;
}

void
family_order_single(const family_order_change_t *c, int64_t now_us, arena_t *a,
                    transition_rows_t *rows)
{
    bool cancelled = !uuid_is_nil(c->cancellation);
    order_state_t before = order_state_derive(&c->before, 1);
    order_state_t after = order_state_derive(&c->item.state, 1);
    order_change_t change;

    if (cancelled) {
        before = order_state_cancelling(before);
        after = order_state_cancelling(after);
    } else if (before == after) {
        return;
    }
    change = change_to(before, after, c->start_us, &c->item, 1, now_us, a,
                       c->order_id, &rows->states);
    change.external_id = c->external_id;
    change.order_date_us = c->order_date_us;
    family_order_tell(&rows->outbox, c->order_id, change_event(before, after),
                      &change, c->traceparent, now_us);
    if (cancelled && order_state_final(after)) {
        end_task(c->cancellation, c->order_id, after, c->traceparent, now_us,
                 a, rows);
    }
}

/* Several items ------------------------------------------------------------ */

void
family_orders_init(family_orders_t *o, arena_t *a)
{
    memset(o, 0, sizeof(*o));
    o->arena = a;
}

static void *
grown(arena_t *a, const void *old, size_t size, int count, int *cap)
{
    void *p;

    *cap = *cap ? 2 * *cap : 16;
    p = arena_alloc(a, size * (size_t) *cap);
    if (count) {
        memcpy(p, old, size * (size_t) count);
    }
    return p;
}

static bool
has_id(const uuid_t *ids, int n, uuid_t id)
{
    for (int i = 0; i < n; i++) {
        if (uuid_eq(ids[i], id)) {
            return true;
        }
    }
    return false;
}

void
family_orders_add(family_orders_t *o, const family_order_change_t *c,
                  bool ended)
{
    if (o->change_count == o->change_cap) {
        o->changes = grown(o->arena, o->changes, sizeof(*c), o->change_count,
                           &o->change_cap);
    }
    o->changes[o->change_count++] = *c;
    if (o->count == o->cap) {
        int cap = o->cap;

        o->ids = grown(o->arena, o->ids, sizeof(uuid_t), o->count, &cap);
        cap = o->cap;
        o->wake =
            grown(o->arena, o->wake, sizeof(uuid_t), o->wake_count, &cap);
        o->cap = cap;
    }
    if (!has_id(o->ids, o->count, c->order_id)) {
        o->ids[o->count++] = c->order_id;
    }
    if (ended && !has_id(o->wake, o->wake_count, c->order_id)) {
        o->wake[o->wake_count++] = c->order_id;
    }
}

void
family_orders_locked(family_orders_t *o, const PGresult *res)
{
    int n = PQntuples(res);

    o->locked = arena_array(o->arena, family_locked_t, (size_t) n + 1);
    o->locked_count = n;
    for (int i = 0; i < n; i++) {
        family_locked_t *l = &o->locked[i];

        l->id = pg_uuid(res, i, 0);
        (void) order_state_parse(pg_text(res, i, 1), &l->state);
        l->start_us = pg_time(res, i, 2);
        l->order_date_us = pg_time(res, i, 3);
        l->external_id = arena_str(o->arena, pg_text(res, i, 4));
        l->cancellation = pg_uuid(res, i, 5);
        l->version = pg_int(res, i, 6);
    }
}

static family_locked_t *
find_locked(const family_orders_t *o, uuid_t id)
{
    for (int i = 0; i < o->locked_count; i++) {
        if (uuid_eq(o->locked[i].id, id)) {
            return &o->locked[i];
        }
    }
    return NULL;
}

static const char *
action_constant(str_t name)
{
    action_t action = ACTION_ADD;

    (void) action_parse(name, &action);
    return action_name(action);
}

void
family_orders_items(family_orders_t *o, const PGresult *res)
{
    arena_t *a = o->arena;
    int n = PQntuples(res);

    for (int row = 0; row < n; row++) {
        item_record_t item;
        uuid_t order;
        str_t parent;
        family_locked_t *l;
        order_change_item_t *to;

        order_item_read(res, row, &order, &parent, &item);
        l = find_locked(o, order);
        if (!l) {
            continue;
        }
        if (!l->items) {
            size_t most = (size_t) (n - row);

            l->items = arena_array(a, order_change_item_t, most);
            l->parents = arena_array(a, str_t, most);
        }
        l->parents[l->item_count] = arena_str(a, parent);
        to = &l->items[l->item_count++];
        to->item_id = arena_str(a, item.id);
        to->action = action_constant(pg_text(res, row, 7));
        to->state = item.state;
        to->service_id = item.service_id;
        to->error = arena_str(a, item.error);
        to->pending = arena_str(a, item.pending);
    }
}

order_state_t
family_order_derive(arena_t *a, family_locked_t *l)
{
    size_t n = (size_t) l->item_count;
    order_state_t *states = arena_array(a, order_state_t, n + 1);
    int *parent = arena_array(a, int, n + 1);
    order_state_t order;

    for (size_t i = 0; i < n; i++) {
        states[i] = l->items[i].state;
        parent[i] = -1;
        for (size_t k = 0; l->parents[i].len && k < i; k++) {
            if (str_eq(l->items[k].item_id, l->parents[i])) {
                parent[i] = (int) k;
            }
        }
    }
    order = order_tree_derive(states, parent, (int) n);
    for (size_t i = 0; i < n; i++) {
        l->items[i].state = states[i];
    }
    return order;
}

static str_t
lay_over(family_orders_t *o, family_locked_t *l)
{
    str_t traceparent = STR_NONE;

    for (int i = 0; i < o->change_count; i++) {
        const family_order_change_t *c = &o->changes[i];

        if (!uuid_eq(c->order_id, l->id)) {
            continue;
        }
        traceparent = c->traceparent;
        for (int k = 0; k < l->item_count; k++) {
            if (str_eq(l->items[k].item_id, c->item.item_id)) {
                l->items[k] = c->item;
            }
        }
    }
    return traceparent;
}

static void
derive(family_orders_t *o, family_locked_t *l, int64_t now_us,
       transition_rows_t *rows)
{
    str_t traceparent = lay_over(o, l);
    order_state_t after = family_order_derive(o->arena, l);
    bool cancelled = !uuid_is_nil(l->cancellation);
    order_change_t c;

    if (cancelled) {
        after = order_state_cancelling(after);
    }
    c = change_to(l->state, after, l->start_us, l->items, l->item_count,
                  now_us, o->arena, l->id, &rows->states);
    c.external_id = l->external_id;
    c.order_date_us = l->order_date_us;
    family_order_tell(&rows->outbox, l->id, change_event(l->state, after), &c,
                      traceparent, now_us);
    if (cancelled && order_state_final(after)) {
        end_task(l->cancellation, l->id, after, traceparent, now_us, o->arena,
                 rows);
    }
}

void
family_orders_derive(family_orders_t *o, int64_t now_us,
                     transition_rows_t *rows)
{
    for (int i = 0; i < o->locked_count; i++) {
        derive(o, &o->locked[i], now_us, rows);
    }
}
