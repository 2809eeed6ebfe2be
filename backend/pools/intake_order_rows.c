/*
 * An accepted or rejected order as rows: documents, items, activations,
 * events.
 */
#include "backend/pools/intake_orders.h"

#include "backend/pools/begin.h"
#include "backend/tmf/order.h"

/* If nobody takes a hint, the keeper looks after this time. */
#define UNHINTED_US 10000000LL
/* Bytes of an activation in its hint; a larger one is read. */
#define BEGIN_MAX 8192

static void
event_id(uuid_t id, char text[UUID_TEXT + 1], str_t *ret)
{
    uuid_print(id, text);
    *ret = (str_t){text, UUID_TEXT};
}

static str_t
item_error(arena_t *a, const plan_item_t *plan, int64_t at)
{
    buf_t b;

    if (!plan->error_code[0]) {
        return STR_NONE;
    }
    buf_init(&b, 65536);
    buf_char(&b, '[');
    order_error_message(&b, str_of(plan->error_code),
                        STR("Order item rejected"), str_of(plan->error), 0, at,
                        STR_NONE);
    buf_char(&b, ']');
    return arena_take(a, &b);
}

/* The order's error messages: one each rejected item, naming it. */
static str_t
order_error(arena_t *a, const post_t *p, int64_t at)
{
    buf_t b;

    buf_init(&b, 1048576);
    buf_char(&b, '[');
    for (int i = 0; i < p->order.item_count; i++) {
        if (p->plan[i].error_code[0]) {
            json_comma(&b);
            order_error_message(
                &b, str_of(p->plan[i].error_code), STR("Order rejected"),
                str_of(p->plan[i].error), 0, at, p->order.items[i].id);
        }
    }
    buf_char(&b, ']');
    return arena_take(a, &b);
}

static order_state_t
initial_state(const post_t *p, int i)
{
    if (!p->accepted) {
        return ORDER_REJECTED;
    }
    return p->plan[i].active || p->order.items[i].has_children
               ? ORDER_ACKNOWLEDGED
               : ORDER_COMPLETED; /* noChange */
}

static order_state_t
initial_order_state(const post_t *p)
{
    if (!p->accepted) {
        return ORDER_REJECTED;
    }
    for (int i = 0; i < p->order.item_count; i++) {
        if (p->plan[i].active) {
            return ORDER_ACKNOWLEDGED;
        }
    }
    return ORDER_COMPLETED; /* nothing to do */
}

/* Is leaf inside item (or the same)? */
static bool
is_inside(const order_t *o, int leaf, int item)
{
    for (int i = leaf; i >= 0; i = o->items[i].parent) {
        if (i == item) {
            return true;
        }
    }
    return false;
}

/* Does a leaf wait for another leaf: by itself or by one it is inside of? */
static bool
waits_for(const order_t *o, int leaf, int other)
{
    for (int i = leaf; i >= 0; i = o->items[i].parent) {
        for (int d = 0; d < o->items[i].depend_count; d++) {
            if (is_inside(o, other, o->items[i].depends[d])) {
                return true;
            }
        }
    }
    return false;
}

/* A text[] literal of the leaves a leaf waits for; empty: none. What is not to
 * be changed is completed already: nobody would tell of its end. */
static str_t
depends_literal(arena_t *a, const post_t *p, int leaf)
{
    const order_t *o = &p->order;
    str_t *ids = arena_array(a, str_t, (size_t) o->item_count);
    int n = 0;

    for (int i = 0; i < o->item_count; i++) {
        if (i != leaf && p->plan[i].active && waits_for(o, leaf, i)) {
            ids[n++] = o->items[i].id;
        }
    }
    return rows_list(a, ids, n);
}

/* For the hint of an item that adds a small service; else "". r: with its ids
 * and the order's date. */
static str_t
begin_text(group_t *g, const post_t *p, int i, activation_record_t *r)
{
    const order_item_t *item = &p->order.items[i];
    const specification_t *s = p->plan[i].specification;
    buf_t b;

    if (item->action != ACTION_ADD) {
        return STR_NONE;
    }
    r->order_id = p->id;
    r->item_id = item->id;
    r->service_id = p->service_ids[i];
    r->service = item->service->raw;
    r->characteristics = p->plan[i].characteristics;
    r->spec_id = s ? specification_id(s) : item->spec_id;
    r->spec_version = s ? specification_version(s) : item->spec_version;
    r->external_id = p->order.external_id;
    r->category = p->order.category;
    r->priority = p->order.priority;
    r->traceparent = p->request->frame.traceparent;
    r->item_count = p->order.item_count;
    buf_init(&b, BEGIN_MAX);
    begin_print(r, &b);
    if (buf_failed(&b)) {
        buf_free(&b);
        return STR_NONE;
    }
    return arena_take(group_arena(g), &b);
}

static void
add_activation(group_t *g, writing_t *w, post_t *p, int i, uuid_t activation,
               bool waits, int64_t now)
{
    posting_t *t = g->data;
    intake_t *in = g->batch->intake;
    const plan_item_t *plan = &p->plan[i];
    const order_item_t *item = &p->order.items[i];
    bool later = p->order.requested_start_us > now;
    uuid_t configuration = uuid_v7(now / 1000);
    int definition = catalog_definition(in->catalog, plan->family);
    rows_t *r = &w->orders.activations;

    rows_uuid(r, activation);
    rows_uuid(r, p->id);
    rows_text(r, item->id);
    rows_uuid(r, p->service_ids[i]);
    rows_uuid(r, configuration);
    rows_text(r, plan->family->name);
    rows_int(r, definition);
    rows_text(r, str_of(action_name(item->action)));
    rows_time(r, waits   ? PG_NO_TIME
                 : later ? p->order.requested_start_us
                         : now + UNHINTED_US);
    if (!waits && !later) {
        activation_record_t about = {.id = activation,
                                     .configuration_id = configuration,
                                     .definition_id = definition,
                                     .order_date_us = now};

        hints_add(&t->hints, activation, plan->family->name,
                  begin_text(g, p, i, &about));
    }
    if (item->action != ACTION_ADD) {
        rows_uuid(&w->changes, p->service_ids[i]);
        rows_uuid(&w->changes, activation);
        rows_uuid(&w->changes, p->services[i].configuration_id);
        rows_text(&w->changes, p->services[i].version);
    }
}

static void
add_item(group_t *g, writing_t *w, post_t *p, int i, int64_t now)
{
    arena_t *a = group_arena(g);
    const order_item_t *item = &p->order.items[i];
    const plan_item_t *plan = &p->plan[i];
    str_t depends = item->has_children ? STR_NONE : depends_literal(a, p, i);
    bool active = p->accepted && plan->active;
    uuid_t activation = {{0}};
    rows_t *r = &w->orders.items;

    if (active) {
        activation = uuid_v7(now / 1000);
    }
    rows_uuid(r, p->id);
    rows_text(r, item->id);
    rows_int(r, i);
    rows_some(r,
              item->parent >= 0 ? p->order.items[item->parent].id : STR_NONE);
    rows_text(r, str_of(action_name(item->action)));
    rows_uuid(r, p->service_ids[i]);
    rows_some(r, plan->specification ? specification_id(plan->specification)
                                     : item->spec_id);
    rows_some(r, plan->specification
                     ? specification_version(plan->specification)
                     : item->spec_version);
    rows_some(r, depends);
    rows_some(r, plan->characteristics);
    rows_uuid(r, activation);
    rows_text(r, str_of(order_state_name(initial_state(p, i))));
    rows_some(r, item_error(a, plan, now));
    if (active) {
        add_activation(g, w, p, i, activation, depends.len > 0, now);
    }
}

/* Rejected at once, or completed because nothing is to be changed: said by a
 * second event, after that of the creation. */
static void
add_events(group_t *g, writing_t *w, const post_t *p, int64_t now)
{
    arena_t *a = group_arena(g);
    order_state_t state = initial_order_state(p);
    char text[UUID_TEXT + 1];
    str_t id, correlation = p->request->frame.traceparent;
    order_change_t c = {.external_id = p->order.external_id,
                        .state = state,
                        .order_date_us = now,
                        .start_us = NO_TIME,
                        .completion_us = NO_TIME};
    order_change_item_t *items;
    buf_t data;

    event_id(p->id, text, &id);
    outbox_add(&w->orders.outbox, now, STR("ordering"),
               STR("ServiceOrderCreateEvent"), id, STR_NONE, correlation);
    if (state == ORDER_ACKNOWLEDGED) {
        return;
    }
    items = arena_array(a, order_change_item_t, (size_t) p->order.item_count);
    for (int i = 0; i < p->order.item_count; i++) {
        items[i] = (order_change_item_t){
            .item_id = p->order.items[i].id,
            .action = action_name(p->order.items[i].action),
            .state = initial_state(p, i),
            .service_id = p->service_ids[i],
            .error = item_error(a, &p->plan[i], now)};
    }
    c.items = items;
    c.item_count = p->order.item_count;
    c.error = p->accepted ? STR_NONE : order_error(a, p, now);
    buf_init(&data, JSON_MAX_BYTES);
    order_change_data(&data, &c);
    outbox_add(&w->orders.outbox, now, STR("ordering"),
               STR("ServiceOrderStateChangeEvent"), id, arena_take(a, &data),
               correlation);
}

void
order_rows_add(group_t *g, writing_t *w, post_t *p, int64_t now)
{
    arena_t *a = group_arena(g);
    rows_t *r = &w->orders.orders;
    rows_t *s = &w->orders.states;
    const request_frame_t *f = &p->request->frame;
    int64_t rs = p->order.requested_start_us;
    int64_t rc = p->order.requested_completion_us;

    rows_uuid(r, p->id);
    rows_text(r, p->key);
    rows_some(r, p->order.external_id);
    rows_some(r, p->order.category);
    rows_some(r, p->order.priority);
    rows_time(r, now);
    rows_time(r, rs ? rs : PG_NO_TIME);
    rows_time(r, rc ? rc : PG_NO_TIME);
    rows_some(r, f->subject);
    rows_some(r, f->traceparent);
    rows_text(r, f->body);
    rows_some(r, rows_list(a, p->order.parties, p->order.party_count));
    rows_text(s, str_of(order_state_name(initial_order_state(p))));
    rows_int(s, p->order.item_count);
    rows_some(s, p->accepted ? STR_NONE : order_error(a, p, now));
    for (int i = 0; i < p->order.item_count; i++) {
        add_item(g, w, p, i, now);
    }
    add_events(g, w, p, now);
}
