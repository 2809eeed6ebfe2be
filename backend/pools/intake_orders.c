/*
 * New service orders: idempotency, projection, plan, one transaction for all
 * of a group, then 201 and the first hints. And the removal of old orders.
 */
#include "backend/pools/intake_orders.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/store/activations.h"
#include "backend/store/services.h"
#include "backend/tmf/event.h"
#include "backend/tmf/order.h"
#include "backend/tmf/select.h"

/* Projection --------------------------------------------------------------- */

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
    now->version = arena_str(a, now->version);
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

/* Answers ------------------------------------------------------------------ */

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
                        .expected_us = NO_TIME,
                        .start_us = NO_TIME,
                        .completion_us = NO_TIME,
                        .doc = p->request->frame.body,
                        .items = items,
                        .item_count = p->order.item_count};
    tmf_view_t v = request_view(p->request);
    char text[UUID_TEXT + 1];
    buf_t body;

    for (size_t i = 0; i < n; i++) {
        items[i] = (item_record_t){.id = p->order.items[i].id,
                                   .state = ORDER_ACKNOWLEDGED,
                                   .service_id = p->service_ids[i]};
    }
    uuid_print(p->id, text);
    buf_init(&body, 4 * (size_t) JSON_MAX_BYTES);
    order_to_tmf(&body, a, &o, &v);
    tmf_select(&body, 0, a, &v);
    p->headers = location_header(a, p->request, str_of(text));
    p->content = arena_take(a, &body);
}

/* A key that was used before: the same answer again, from what is stored. */
static void
answer_existing(group_t *g, const post_t *p)
{
    posting_t *t = g->data;
    const order_record_t *o = loaded_order(&t->loaded, p->existing);
    tmf_view_t v = request_view(p->request);
    buf_t body;
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
    buf_init(&body, 4 * (size_t) JSON_MAX_BYTES);
    order_to_tmf(&body, group_arena(g), o, &v);
    tmf_select(&body, 0, group_arena(g), &v);
    request_answer(p->request, 201,
                   location_header(group_arena(g), p->request, str_of(text)),
                   arena_take(group_arena(g), &body));
}

static void
on_told(void *ctx, const PGresult *res)
{
    posting_t *t = ctx;

    t->told = t->told || pg_long(res, 0, 0) > 0;
}

static void
on_written(void *ctx, pg_outcome_t outcome, const char *sqlstate,
           const char *message)
{
    group_t *g = ctx;
    posting_t *t = g->data;
    intake_t *in = g->batch->intake;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    for (int i = 0; i < t->count; i++) {
        post_t *p = &t->posts[i];

        if (!uuid_is_nil(p->existing)) {
            answer_existing(g, p);
            continue;
        }
        request_answer(p->request, 201, p->headers, p->content);
        (*(p->accepted ? in->orders : in->refused))++;
    }
    hints_send(&t->hints, in->worker.redis, in->worker.settings);
    if (t->told) {
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

/* Nobody writes the records of services that orders are going to change
 * between the look at them and the order's entry (services_lock). */
static void
lock_services(group_t *g)
{
    posting_t *t = g->data;
    uuid_t *ids;
    int n = 0, most = 0;

    for (int i = 0; i < t->count; i++) {
        most += t->posts[i].order.item_count;
    }
    ids = arena_array(group_arena(g), uuid_t, (size_t) most);
    for (int i = 0; i < t->count; i++) {
        const post_t *p = &t->posts[i];

        for (int k = 0; p->accepted && k < p->order.item_count; k++) {
            if (p->services[k].exists && p->plan[k].active) {
                ids[n++] = p->service_ids[k];
            }
        }
    }
    if (n) {
        services_lock(g->pg, group_arena(g), ids, n);
    }
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
    service_changes_init(&w.changes, a);
    hints_init(&t->hints, a);
    lock_services(g);
    for (int i = 0; i < t->count; i++) {
        if (uuid_is_nil(t->posts[i].existing)) {
            order_rows_add(g, &w, &t->posts[i], now);
            if (w.orders.items.count >= ROWS_A_STATEMENT) {
                orders_insert(&w.orders, g->pg, a, on_told, t);
                order_rows_init(&w.orders, a);
            }
        } else {
            again[n++] = t->posts[i].existing;
        }
    }
    orders_insert(&w.orders, g->pg, a, on_told, t);
    service_changes_insert(&w.changes, g->pg, a);
    if (n) {
        orders_load(g->pg, a, again, n, loaded_on_orders, &t->loaded);
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
    uuid_t id;
    int version; /* it may be deleted in; 0: any */
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

/* What stands in the way of deleting it, whatever its tag: answered. */
static bool
removal_refused(removal_t *d, const order_record_t *o)
{
    request_t *r = d->group->requests[0];

    if (!o) {
        request_fail(d->group, r, 404, TMF_CODE_NOT_FOUND, "Not found",
                     "No such service order");
    } else if (!order_state_final(o->state)) {
        request_fail(d->group, r, 409, TMF_CODE_CONFLICT, "Order is running",
                     "Only a service order in a final state can be deleted");
    }
    return r->status != 0;
}

/* Does the condition hold for what is there? Else answered. */
static bool
removal_allowed(removal_t *d, const order_record_t *o)
{
    group_t *g = d->group;
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    tmf_view_t v = request_plain_view(r);
    buf_t body;

    buf_init(&body, 16 * (size_t) JSON_MAX_BYTES);
    order_to_tmf(&body, a, o, &v);
    return request_condition(g, r, entity_tag(a, arena_take(a, &body)));
}

static void removal_write(removal_t *d);

/* By what was read last: answered, or to be deleted in that version. */
static void
removal_judge(removal_t *d)
{
    const order_record_t *o = loaded_order(&d->left, d->id);

    if (removal_refused(d, o) || !removal_allowed(d, o)) {
        group_end(d->group);
        return;
    }
    d->version = o->version;
    removal_write(d);
}

static void
on_removed(void *ctx, pg_outcome_t outcome, const char *sqlstate,
           const char *message)
{
    removal_t *d = ctx;
    group_t *g = d->group;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (!d->deleted) {
        removal_judge(d); /* it runs, is gone, or has changed meanwhile */
        return;
    }
    hint_events(g->batch->intake->worker.redis,
                g->batch->intake->worker.settings);
    request_answer(g->requests[0], 204, STR_NONE, STR_NONE);
    group_end(g);
}

static void
removal_write(removal_t *d)
{
    group_t *g = d->group;
    arena_t *a = group_arena(g);

    order_delete(g->pg, a, d->id, d->version, uuid_v7(now_us() / 1000),
                 g->requests[0]->frame.traceparent, on_deleted, d);
    orders_load(g->pg, a, &d->id, 1, on_left, d);
    pg_commit(g->pg, on_removed, d);
}

static void
on_asked(void *ctx, pg_outcome_t outcome, const char *sqlstate,
         const char *message)
{
    removal_t *d = ctx;

    if (group_committed(d->group, outcome, sqlstate, message)) {
        removal_judge(d);
    }
}

void
orders_remove(group_t *g)
{
    arena_t *a = group_arena(g);
    removal_t *d = arena_new(a, removal_t);
    request_t *r = g->requests[0];

    if (!uuid_parse(r->frame.key, &d->id)) {
        request_fail(g, r, 404, TMF_CODE_NOT_FOUND, "Not found",
                     "No such service order");
        group_end(g);
        return;
    }
    d->group = g;
    d->left.arena = a;
    if (request_conditional(r)) {
        orders_load(g->pg, a, &d->id, 1, on_left, d);
        pg_commit(g->pg, on_asked, d);
    } else {
        removal_write(d);
    }
}
