/*
 * New service orders: idempotency, projection, plan, one transaction for all
 * of a group, then 201 and the first hints. And the removal of old orders.
 */
#include "backend/pools/intake.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/pools/loaded.h"
#include "backend/store/activations.h"
#include "backend/store/orders.h"
#include "backend/store/services.h"
#include "backend/tmf/event.h"
#include "backend/tmf/order.h"

/* If nobody takes a hint, the keeper looks after this time. */
#define UNHINTED_US 10000000LL

/* One order of a group. */
typedef struct {
    request_t *request;
    order_t order;
    uuid_t id;
    str_t key;
    uuid_t existing; /* not nil: the key is known */
    bool same_body;
    service_now_t *services; /* one an item */
    uuid_t *service_ids;     /* as they are to be */
    plan_item_t *plan;
    bool accepted;
    str_t headers, content; /* of the 201, should it commit */
} post_t;

typedef struct {
    post_t *posts;
    int count;
    loaded_t loaded;
    hints_t hints; /* to be sent after the commit */
} posting_t;

/* Everything a segment writes. */
typedef struct {
    order_rows_t orders;
    rows_t activations, changes;
    outbox_t outbox;
} writing_t;

/* Projection --------------------------------------------------------------- */

static str_t
request_key(arena_t *a, const request_t *r)
{
    if (!r->frame.idempotency_key.len) {
        return arena_printf(a, "r:%.*s", STR_FMT(r->frame.id));
    }
    return arena_printf(a, "k:%.*s:%.*s", STR_FMT(r->frame.subject),
                        STR_FMT(r->frame.idempotency_key));
}

static bool
project(group_t *g, request_t *r, post_t *p)
{
    arena_t *a = group_arena(g);
    tmf_error_t e;
    size_t n;

    if (!r->body) {
        request_fail(g, r, 400, TMF_CODE_BODY_MISSING, "Missing body",
                     "A service order is expected");
        return false;
    }
    if (!order_from_tmf(a, r->body, &p->order, &e)) {
        request_error(g, r, &e);
        return false;
    }
    n = (size_t) p->order.item_count;
    p->request = r;
    p->id = uuid_v7(now_us() / 1000);
    p->key = request_key(a, r);
    p->services = arena_array(a, service_now_t, n);
    p->service_ids = arena_array(a, uuid_t, n);
    p->plan = arena_array(a, plan_item_t, n);
    for (size_t i = 0; i < n; i++) {
        const order_item_t *item = &p->order.items[i];

        if (item->action == ACTION_ADD) {
            p->service_ids[i] = uuid_v7(now_us() / 1000);
        } else {
            (void) uuid_parse(item->service_id, &p->service_ids[i]);
        }
    }
    return true;
}

static posting_t *
posting_create(group_t *g)
{
    arena_t *a = group_arena(g);
    posting_t *t = arena_new(a, posting_t);

    t->posts = arena_array(a, post_t, (size_t) g->count);
    t->loaded.arena = a;
    for (int i = 0; i < g->count; i++) {
        if (g->requests[i]->status == 0 &&
            project(g, g->requests[i], &t->posts[t->count])) {
            t->count++;
        }
    }
    return t;
}

/* What is there already ---------------------------------------------------- */

static void
on_keys(void *ctx, const PGresult *res)
{
    posting_t *t = ((group_t *) ctx)->data;

    for (int row = 0; row < PQntuples(res); row++) {
        str_t key = pg_text(res, row, 1);

        for (int i = 0; i < t->count; i++) {
            post_t *p = &t->posts[i];

            if (str_eq(p->key, key)) {
                p->existing = pg_uuid(res, row, 0);
                p->same_body =
                    str_eq(p->request->frame.body, pg_text(res, row, 2));
            }
        }
    }
}

static void
take_now(posting_t *t, arena_t *a, service_now_t *now)
{
    now->spec_id = arena_str(a, now->spec_id);
    now->spec_version = arena_str(a, now->spec_version);
    now->characteristics = arena_str(a, now->characteristics);
    for (int i = 0; i < t->count; i++) {
        for (int k = 0; k < t->posts[i].order.item_count; k++) {
            if (t->posts[i].order.items[k].action != ACTION_ADD &&
                uuid_eq(t->posts[i].service_ids[k], now->id)) {
                t->posts[i].services[k] = *now;
            }
        }
    }
}

static void
on_services_now(void *ctx, const PGresult *res)
{
    group_t *g = ctx;

    for (int row = 0; row < PQntuples(res); row++) {
        service_now_t now;

        service_now_read(res, row, &now);
        take_now(g->data, group_arena(g), &now);
    }
}

static bool
ask_keys(group_t *g)
{
    posting_t *t = g->data;
    str_t *keys = arena_array(group_arena(g), str_t, (size_t) t->count);
    int n = 0;

    for (int i = 0; i < t->count; i++) {
        const request_t *r = t->posts[i].request;

        if (g->careful || r->redelivered || r->frame.idempotency_key.len) {
            keys[n++] = t->posts[i].key;
        }
    }
    if (n) {
        orders_by_key(g->pg, group_arena(g), keys, n, on_keys, g);
    }
    return n > 0;
}

static bool
ask_services(group_t *g)
{
    posting_t *t = g->data;
    uuid_t *ids;
    int n = 0, most = 0;

    for (int i = 0; i < t->count; i++) {
        most += t->posts[i].order.item_count;
    }
    ids = arena_array(group_arena(g), uuid_t, (size_t) most);
    for (int i = 0; i < t->count; i++) {
        for (int k = 0; k < t->posts[i].order.item_count; k++) {
            t->posts[i].services[k] = (service_now_t){.exists = false};
            if (t->posts[i].order.items[k].action != ACTION_ADD &&
                !uuid_is_nil(t->posts[i].service_ids[k])) {
                ids[n++] = t->posts[i].service_ids[k];
            }
        }
    }
    if (n) {
        services_now(g->pg, group_arena(g), ids, n, on_services_now, g);
    }
    return n > 0;
}

/* Writing ------------------------------------------------------------------ */

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

/* A text[] literal of the leaves a leaf waits for; empty: none. */
static str_t
depends_literal(arena_t *a, const order_t *o, int leaf)
{
    buf_t b;
    bool any = false;

    buf_init(&b, 1048576);
    buf_char(&b, '{');
    for (int i = 0; i < o->item_count; i++) {
        if (i == leaf || o->items[i].has_children || !waits_for(o, leaf, i)) {
            continue;
        }
        if (any) {
            buf_char(&b, ',');
        }
        any = true;
        buf_char(&b, '"');
        for (size_t k = 0; k < o->items[i].id.len; k++) {
            char c = o->items[i].id.data[k];

            if (c == '"' || c == '\\') {
                buf_char(&b, '\\');
            }
            buf_char(&b, c);
        }
        buf_char(&b, '"');
    }
    buf_char(&b, '}');
    if (!any) {
        buf_free(&b);
        return STR_NONE;
    }
    return arena_take(a, &b);
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

    rows_uuid(&w->activations, activation);
    rows_uuid(&w->activations, p->id);
    rows_text(&w->activations, item->id);
    rows_uuid(&w->activations, p->service_ids[i]);
    rows_uuid(&w->activations, uuid_v7(now / 1000));
    rows_text(&w->activations, plan->family->name);
    rows_int(&w->activations, catalog_definition(in->catalog, plan->family));
    rows_text(&w->activations, str_of(action_name(item->action)));
    rows_time(&w->activations, waits   ? PG_NO_TIME
                               : later ? p->order.requested_start_us
                                       : now + UNHINTED_US);
    if (!waits && !later) {
        hints_add(&t->hints, activation, plan->family->name);
    }
    if (item->action != ACTION_ADD) {
        rows_uuid(&w->changes, p->service_ids[i]);
        rows_uuid(&w->changes, activation);
    }
}

static void
add_item(group_t *g, writing_t *w, post_t *p, int i, int64_t now)
{
    arena_t *a = group_arena(g);
    const order_item_t *item = &p->order.items[i];
    const plan_item_t *plan = &p->plan[i];
    str_t depends =
        item->has_children ? STR_NONE : depends_literal(a, &p->order, i);
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
    outbox_add(&w->outbox, now, STR("ordering"),
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
    outbox_add(&w->outbox, now, STR("ordering"),
               STR("ServiceOrderStateChangeEvent"), id, arena_take(a, &data),
               correlation);
}

static void
add_order(group_t *g, writing_t *w, post_t *p, int64_t now)
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
    rows_uuid(s, p->id);
    rows_text(s, str_of(order_state_name(initial_order_state(p))));
    rows_int(s, p->order.item_count);
    rows_some(s, p->accepted ? STR_NONE : order_error(a, p, now));
    for (int i = 0; i < p->order.item_count; i++) {
        add_item(g, w, p, i, now);
    }
    add_events(g, w, p, now);
}

/* The 201: the order as it was accepted. Made while the commit is under way.
 */
static void
render_created(group_t *g, post_t *p, int64_t now)
{
    arena_t *a = group_arena(g);
    size_t n = (size_t) p->order.item_count;
    item_record_t *items = arena_array(a, item_record_t, n);
    order_record_t o = {.id = p->id,
                        .version = 1,
                        .state = ORDER_ACKNOWLEDGED,
                        .order_date_us = now,
                        .start_us = NO_TIME,
                        .completion_us = NO_TIME,
                        .doc = p->request->frame.body,
                        .items = items,
                        .item_count = p->order.item_count};
    tmf_view_t v = request_view(p->request);
    char text[UUID_TEXT + 1];
    buf_t body, headers;

    for (size_t i = 0; i < n; i++) {
        items[i] = (item_record_t){.id = p->order.items[i].id,
                                   .state = ORDER_ACKNOWLEDGED,
                                   .service_id = p->service_ids[i]};
    }
    uuid_print(p->id, text);
    buf_init(&headers, 65536);
    buf_puts(&headers, "Location: ");
    tmf_href(&headers, &v, API_ORDERING, "serviceOrder", str_of(text));
    buf_char(&headers, '\n');
    buf_init(&body, 4 * (size_t) JSON_MAX_BYTES);
    order_to_tmf(&body, a, &o, &v);
    p->headers = arena_take(a, &headers);
    p->content = arena_take(a, &body);
}

/* A key that was used before: the same answer again, from what is stored. */
static void
answer_existing(group_t *g, const post_t *p)
{
    posting_t *t = g->data;
    const order_record_t *o = loaded_order(&t->loaded, p->existing);
    tmf_view_t v = request_view(p->request);
    buf_t body, headers;
    char text[UUID_TEXT + 1];

    if (!p->same_body) {
        request_fail(g, p->request, 409, TMF_CODE_CONFLICT,
                     "Idempotency-Key reused",
                     "The Idempotency-Key was used for another service order");
        return;
    }
    if (!o) {
        request_fail(g, p->request, 409, TMF_CODE_CONFLICT,
                     "Idempotency-Key reused",
                     "The service order of this Idempotency-Key was deleted");
        return;
    }
    uuid_print(o->id, text);
    buf_init(&headers, 65536);
    buf_puts(&headers, "Location: ");
    tmf_href(&headers, &v, API_ORDERING, "serviceOrder", str_of(text));
    buf_char(&headers, '\n');
    buf_init(&body, 4 * (size_t) JSON_MAX_BYTES);
    order_to_tmf(&body, group_arena(g), o, &v);
    request_answer(p->request, 201, arena_take(group_arena(g), &headers),
                   arena_take(group_arena(g), &body));
}

static void
on_written(void *ctx, pg_outcome_t outcome, const char *sqlstate,
           const char *message)
{
    group_t *g = ctx;
    posting_t *t = g->data;
    intake_t *in = g->batch->intake;
    bool fresh = false;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    for (int i = 0; i < t->count; i++) {
        post_t *p = &t->posts[i];

        if (!uuid_is_nil(p->existing)) {
            answer_existing(g, p);
            continue;
        }
        fresh = true;
        request_answer(p->request, 201, p->headers, p->content);
        (*(p->accepted ? in->orders : in->refused))++;
    }
    hints_send(&t->hints, in->worker.redis, in->worker.settings);
    if (fresh) {
        hint_events(in->worker.redis, in->worker.settings);
    }
    group_end(g);
}

static void
on_refreshed(void *ctx, pg_outcome_t outcome, const char *sqlstate,
             const char *message)
{
    group_t *g = ctx;

    if (group_committed(g, outcome, sqlstate, message)) {
        orders_post(g);
    }
}

static bool
plan(group_t *g)
{
    posting_t *t = g->data;
    plan_catalog_t catalog = catalog_for_plan(g->batch->intake->catalog);

    for (int i = 0; i < t->count; i++) {
        post_t *p = &t->posts[i];

        if (!uuid_is_nil(p->existing)) {
            continue;
        }
        memset(p->plan, 0, sizeof(p->plan[0]) * (size_t) p->order.item_count);
        p->accepted = order_plan(&p->order, p->services, &catalog,
                                 group_arena(g), p->plan);
        for (int k = 0; k < p->order.item_count && !g->refreshed; k++) {
            if (!strcmp(p->plan[k].error_code, "unknownSpecification")) {
                g->refreshed = true; /* may be newer than what we hold */
                intake_refresh(g, on_refreshed, g);
                return false;
            }
        }
    }
    return true;
}

static void
write_orders(group_t *g)
{
    posting_t *t = g->data;
    arena_t *a = group_arena(g);
    int64_t now = now_us() / 1000 * 1000; /* what the wire shows */
    uuid_t *again = arena_array(a, uuid_t, (size_t) t->count + 1);
    int n = 0;
    writing_t w;

    order_rows_init(&w.orders, a);
    activation_rows_init(&w.activations, a);
    service_changes_init(&w.changes, a);
    outbox_init(&w.outbox, a);
    hints_init(&t->hints, a);
    for (int i = 0; i < t->count; i++) {
        if (uuid_is_nil(t->posts[i].existing)) {
            add_order(g, &w, &t->posts[i], now);
        } else {
            again[n++] = t->posts[i].existing;
        }
    }
    orders_insert(&w.orders, g->pg, a);
    activations_insert(&w.activations, g->pg, a);
    service_changes_insert(&w.changes, g->pg, a);
    outbox_insert(&w.outbox, g->pg, a);
    if (n) {
        orders_load(g->pg, a, again, n, loaded_on_orders, loaded_on_items,
                    &t->loaded);
    }
    pg_commit(g->pg, on_written, g);
    for (int i = 0; i < t->count; i++) {
        if (uuid_is_nil(t->posts[i].existing)) {
            render_created(g, &t->posts[i], now);
        }
    }
}

static void
on_known(void *ctx, pg_outcome_t outcome, const char *sqlstate,
         const char *message)
{
    group_t *g = ctx;

    if (group_committed(g, outcome, sqlstate, message) && plan(g)) {
        write_orders(g);
    }
}

void
orders_post(group_t *g)
{
    posting_t *t = g->data = posting_create(g);
    bool keys, services;

    if (t->count == 0) {
        group_end(g);
        return;
    }
    keys = ask_keys(g);
    services = ask_services(g);
    if (keys || services) {
        pg_commit(g->pg, on_known, g);
    } else if (plan(g)) {
        write_orders(g);
    }
}

/* DELETE ------------------------------------------------------------------- */

typedef struct {
    group_t *group;
    bool deleted;
    loaded_t left;
} removal_t;

static void
on_deleted(void *ctx, const PGresult *res)
{
    ((removal_t *) ctx)->deleted = PQntuples(res) > 0;
}

static void
on_left(void *ctx, const PGresult *res)
{
    loaded_on_orders(&((removal_t *) ctx)->left, res);
}

static void
on_removed(void *ctx, pg_outcome_t outcome, const char *sqlstate,
           const char *message)
{
    removal_t *d = ctx;
    group_t *g = d->group;
    request_t *r = g->requests[0];

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (d->deleted) {
        hint_events(g->batch->intake->worker.redis,
                    g->batch->intake->worker.settings);
        request_answer(r, 204, STR_NONE, STR_NONE);
    } else if (d->left.order_count) {
        request_fail(g, r, 409, TMF_CODE_CONFLICT, "Order is running",
                     "Only a service order in a final state can be deleted");
    } else {
        request_fail(g, r, 404, TMF_CODE_NOT_FOUND, "Not found",
                     "No such service order");
    }
    group_end(g);
}

void
orders_remove(group_t *g)
{
    arena_t *a = group_arena(g);
    removal_t *d = arena_new(a, removal_t);
    request_t *r = g->requests[0];
    uuid_t id;

    if (!uuid_parse(r->frame.key, &id)) {
        request_fail(g, r, 404, TMF_CODE_NOT_FOUND, "Not found",
                     "No such service order");
        group_end(g);
        return;
    }
    d->group = g;
    d->left.arena = a;
    order_delete(g->pg, a, id, uuid_v7(now_us() / 1000), r->frame.traceparent,
                 on_deleted, d);
    orders_load(g->pg, a, &id, 1, on_left, NULL, d);
    pg_commit(g->pg, on_removed, d);
}
