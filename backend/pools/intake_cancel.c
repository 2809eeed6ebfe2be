/*
 * cancelServiceOrder: a cancellation is judged by what the order's rows say,
 * and stored with all it does to them where they still say so; else it is
 * judged anew. Where everything can be undone, the families find the
 * cancellation in their activations' rows and begin to undo. Nothing is
 * provisioned here.
 */
#include "backend/pools/family_order.h"
#include "backend/pools/intake.h"
#include "backend/pools/loaded.h"

#include <stdlib.h>

#include "backend/domain/cancel.h"
#include "backend/store/cancellations.h"
#include "backend/tmf/cancellation.h"

#define TEXT_MAX ((size_t) JSON_MAX_BYTES)

typedef struct {
    group_t *group;
    cancellation_t asked;
    cancellation_record_t task;
    family_orders_t orders; /* the one */
    cancellation_fact_t *facts;
    int fact_count;
    hints_t hints;
    loaded_t loaded;
    tmf_error_t error; /* of a refusal */
} cancelling_t;

/* Answers ------------------------------------------------------------------ */

static void
answer_created(group_t *g, const cancellation_record_t *task)
{
    arena_t *a = group_arena(g);
    tmf_view_t v = request_view(g->requests[0]);
    char id[UUID_TEXT + 1];
    buf_t body;

    uuid_print(task->id, id);
    buf_init(&body, 4 * TEXT_MAX);
    cancellation_to_tmf(&body, a, task, &v);
    request_answer(g->requests[0], 201,
                   location_header(a, g->requests[0], str_of(id)),
                   arena_take(a, &body));
}

static void
on_made(void *ctx, pg_outcome_t outcome, const char *sqlstate,
        const char *message)
{
    cancelling_t *t = ctx;
    group_t *g = t->group;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (t->loaded.cancellation_count) {
        answer_created(g, &t->loaded.cancellations[0]);
    } else {
        request_fail(g, g->requests[0], 409, TMF_CODE_CONFLICT,
                     "Idempotency-Key reused",
                     "What was made with this Idempotency-Key was deleted");
    }
    group_end(g);
}

/* What this request has made before: its id. */
static void
answer_made(cancelling_t *t, str_t made)
{
    group_t *g = t->group;
    uuid_t id = {{0}};

    (void) uuid_parse(made, &id);
    cancellations_load(g->pg, group_arena(g), &id, 1, loaded_on_cancellations,
                       &t->loaded);
    pg_commit(g->pg, on_made, t);
}

/* It may be refused because of itself, carried out before under the same key.
 */
static void
refuse(group_t *g, str_t made)
{
    cancelling_t *t = g->data;

    if (made.len) {
        answer_made(t, made);
        return;
    }
    request_error(g, g->requests[0], &t->error);
    group_end(g);
}

static void
on_written(void *ctx, pg_outcome_t outcome, const char *sqlstate,
           const char *message)
{
    cancelling_t *t = ctx;
    group_t *g = t->group;
    intake_t *in = g->batch->intake;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    hints_send(&t->hints, in->worker.redis, in->worker.settings);
    hint_events(in->worker.redis, in->worker.settings);
    t->task.state = STR("acknowledged"); /* as it was taken in */
    t->task.message = STR_NONE;
    answer_created(g, &t->task);
    group_end(g);
}

/* Judging ------------------------------------------------------------------ */

static bool
is_possible(cancelling_t *t)
{
    const family_locked_t *l = t->orders.locked;

    if (t->orders.locked_count == 0) {
        cancellation_unknown_order(&t->error);
    } else if (order_state_final(l->state)) {
        tmf_error_set(&t->error, 409, TMF_CODE_CONFLICT, "Order has ended",
                      "/serviceOrder/id", "The service order is %s",
                      order_state_name(l->state));
    } else if (l->state == ORDER_PENDING_CANCELLATION) {
        tmf_error_set(&t->error, 409, TMF_CODE_CONFLICT,
                      "Order is being cancelled", "/serviceOrder/id",
                      "A cancellation of the service order is in force");
    } else {
        return true;
    }
    return false;
}

static const cancellation_fact_t *
find_fact(const cancelling_t *t, str_t item_id)
{
    for (int i = 0; i < t->fact_count; i++) {
        if (str_eq(t->facts[i].item_id, item_id)) {
            return &t->facts[i];
        }
    }
    return NULL;
}

/* The index of the item that stands in the way, or -1. */
static int
assess(const cancelling_t *t)
{
    const family_locked_t *l = t->orders.locked;
    cancel_item_t *items = arena_array(group_arena(t->group), cancel_item_t,
                                       (size_t) l->item_count + 1);

    for (int i = 0; i < l->item_count; i++) {
        const cancellation_fact_t *f = find_fact(t, l->items[i].item_id);

        items[i] = (cancel_item_t){.works = f != NULL,
                                   .state = l->items[i].state,
                                   .committed = f && f->committed};
    }
    return cancel_obstacle(items, l->item_count);
}

/* Writing ------------------------------------------------------------------ */

static void
tell_order(cancelling_t *t, outbox_t *outbox, order_state_t state, int64_t now)
{
    const family_locked_t *l = t->orders.locked;
    order_change_t c = {
        .external_id = l->external_id,
        .state = state,
        .order_date_us = l->order_date_us,
        .start_us = l->start_us,
        .completion_us = NO_TIME,
        .cancellation_reason =
            state == ORDER_PENDING_CANCELLATION ? t->asked.reason : STR_NONE,
        .items = l->items,
        .item_count = l->item_count,
    };

    for (int i = 0; i < l->item_count && !c.pending.len; i++) {
        c.pending = l->items[i].pending;
    }
    family_order_tell(outbox, l->id, "ServiceOrderStateChangeEvent", &c,
                      t->group->requests[0]->frame.traceparent, now);
}

static void
tell_created(cancelling_t *t, outbox_t *outbox, int64_t now)
{
    arena_t *a = group_arena(t->group);
    cancellation_record_t task = t->task;
    char id[UUID_TEXT + 1];
    buf_t data;

    task.state = STR("acknowledged");
    uuid_print(task.id, id);
    buf_init(&data, 4 * TEXT_MAX);
    cancellation_created_data(&data, a, &task);
    outbox_add(outbox, now, STR("ordering"),
               STR("CancelServiceOrderCreateEvent"), str_of(id),
               arena_take(a, &data), t->group->requests[0]->frame.traceparent);
}

/* Items that change nothing are cancelled with the others. */
static void
show_unchanged(family_locked_t *l)
{
    for (int i = 0; i < l->item_count; i++) {
        if (str_is(str_of(l->items[i].action),
                   action_name(ACTION_NO_CHANGE))) {
            l->items[i].state = ORDER_CANCELLED;
        }
    }
}

static void
on_begun(void *ctx, const PGresult *res)
{
    cancelling_t *t = ctx;

    for (int i = 0; i < PQntuples(res); i++) {
        hints_add(&t->hints, pg_uuid(res, i, 0), pg_text(res, i, 1), STR_NONE);
    }
}

static str_t
denial(arena_t *a, const order_change_item_t *item)
{
    return arena_printf(
        a, "Denied: item \"%.*s\" is %s", STR_FMT(item->item_id),
        item->state == ORDER_COMPLETED ? "completed"
                                       : "past its point of no return");
}

/* The task, and what it does to the order, with the events in their order. */
static void
write_task(cancelling_t *t)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    str_t traceparent = g->requests[0]->frame.traceparent;
    family_locked_t *l = t->orders.locked;
    int64_t now = now_us() / 1000 * 1000; /* what the wire shows */
    int obstacle = assess(t);
    outbox_t outbox;
    char id[UUID_TEXT + 1];

    uuid_print(t->task.id, id);
    outbox_init(&outbox, a);
    tell_created(t, &outbox, now);
    (void) family_order_derive(a, l);
    tell_order(t, &outbox, ORDER_ASSESSING_CANCELLATION, now);
    if (obstacle < 0) {
        show_unchanged(l);
        (void) family_order_derive(a, l);
    }
    tell_order(t, &outbox,
               obstacle < 0 ? ORDER_PENDING_CANCELLATION : l->state, now);
    t->task.state = STR("inProgress");
    family_cancellation_tell(&outbox, &t->task, traceparent, now);
    if (obstacle >= 0) {
        t->task.state = STR("done");
        t->task.message = denial(a, &l->items[obstacle]);
        family_cancellation_tell(&outbox, &t->task, traceparent, now);
    }
    cancellation_guard(g->pg, a, l->id, l->version, t->facts, t->fact_count);
    once_insert(g, arena_str(a, str_of(id)));
    cancellation_insert(
        g->pg, a, &t->task,
        t->asked.requested_us == NO_TIME ? PG_NO_TIME : t->asked.requested_us);
    if (obstacle < 0) {
        cancellation_begin(g->pg, a, &t->task, t->asked.reason, on_begun, t);
    }
    outbox_insert(&outbox, g->pg, a);
    pg_commit(g->pg, on_written, t);
}

/* Reading ------------------------------------------------------------------ */

static void
on_facts(void *ctx, const PGresult *res)
{
    cancelling_t *t = ctx;
    arena_t *a = group_arena(t->group);
    int n = PQntuples(res);

    t->facts = arena_array(a, cancellation_fact_t, (size_t) n + 1);
    t->fact_count = n;
    for (int i = 0; i < n; i++) {
        cancellation_fact_read(res, i, &t->facts[i]);
        t->facts[i].item_id = arena_str(a, t->facts[i].item_id);
    }
}

static void
on_order(void *ctx, const PGresult *res)
{
    family_orders_locked(&((cancelling_t *) ctx)->orders, res);
}

static void
on_items(void *ctx, const PGresult *res)
{
    family_orders_items(&((cancelling_t *) ctx)->orders, res);
}

static void
on_read(void *ctx, pg_outcome_t outcome, const char *sqlstate,
        const char *message)
{
    cancelling_t *t = ctx;
    group_t *g = t->group;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (is_possible(t)) {
        write_task(t);
    } else {
        once_start(g, refuse);
    }
}

static void
carry_out(group_t *g, str_t made)
{
    arena_t *a = group_arena(g);
    cancelling_t *t = g->data = arena_new(a, cancelling_t);
    request_t *r = g->requests[0];

    t->group = g;
    t->loaded.arena = a;
    family_orders_init(&t->orders, a);
    hints_init(&t->hints, a);
    if (made.len) {
        answer_made(t, made);
        return;
    }
    if (!cancellation_from_tmf(r->body, &t->asked, &t->error)) {
        request_error(g, r, &t->error);
        group_end(g);
        return;
    }
    t->task = (cancellation_record_t){.id = uuid_v7(now_us() / 1000),
                                      .order_id = t->asked.order_id,
                                      .effective_us = NO_TIME,
                                      .doc = r->frame.body};
    cancellation_facts(g->pg, a, t->asked.order_id, on_facts, on_order,
                       on_items, t);
    pg_commit(g->pg, on_read, t);
}

void
cancellation_post(group_t *g)
{
    if (!g->requests[0]->body) {
        request_fail(g, g->requests[0], 400, TMF_CODE_BODY_MISSING,
                     "Missing body", "A cancellation is expected");
        group_end(g);
        return;
    }
    once_start(g, carry_out);
}
