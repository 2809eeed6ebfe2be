/*
 * PATCH of a service order.
 *
 * The order is read, the patch judged and applied in memory, and all of it
 * written by one statement over the version that was read: where a step of the
 * order, or another client, came between, the segment fails and everything is
 * done again with what is there then. Who gives no condition is so never told
 * of a mere step.
 */
#include "backend/pools/intake.h"

#include "backend/pools/loaded.h"
#include "backend/store/orders.h"
#include "backend/tmf/order_patch.h"

#define DONE STR("patched") /* in the table of requests */

typedef struct {
    group_t *group;
    uuid_t id;
    loaded_t loaded;
    int version;   /* of the last try, */
    int64_t steps; /* and how far it was */
    order_patch_t patch;
    hints_t hints; /* to be sent after the commit */
    bool told;     /* somebody listens to its event */
} change_t;

/* Answers ------------------------------------------------------------------ */

static str_t
render(change_t *t, const order_record_t *o)
{
    arena_t *a = group_arena(t->group);
    tmf_view_t v = request_plain_view(t->group->requests[0]);
    buf_t body;

    buf_init(&body, 16 * (size_t) JSON_MAX_BYTES);
    order_to_tmf(&body, a, o, &v);
    return arena_take(a, &body);
}

static void
answer_order(change_t *t, const order_record_t *o)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    str_t body = render(t, o);

    request_answer(g->requests[0], 200,
                   entity_tag_header(a, entity_tag(a, body)), body);
}

static void
conflict(change_t *t, const char *reason, const char *pointer,
         const char *message)
{
    tmf_error_t e;

    tmf_error_set(&e, 409, TMF_CODE_CONFLICT, reason, pointer, "%s", message);
    request_error(t->group, t->group->requests[0], &e);
}

static void
answer_none(change_t *t)
{
    request_fail(t->group, t->group->requests[0], 404, TMF_CODE_NOT_FOUND,
                 "Not found", "No such service order");
}

/* Judging ------------------------------------------------------------------ */

/* An order is cancelled by a task of its own, which first finds out whether
 * it can be; a PATCH of the state would have no answer to that. */
static void
refuse_cancel(change_t *t)
{
    conflict(t, "Not by PATCH", "/state",
             "An order is cancelled with POST of a cancelServiceOrder");
}

/* What becomes of a state that the client asks for; else answered. */
static bool
state_allowed(change_t *t, const order_record_t *o)
{
    order_state_t to;

    if (!t->patch.state.len) {
        return true;
    }
    (void) order_state_parse(t->patch.state, &to); /* one of the tables' */
    switch (order_state_move(o->state, to, ORDER_BY_CLIENT)) {
    case ORDER_MOVE_CANCEL:
        refuse_cancel(t);
        return false;
    case ORDER_MOVE_DERIVED:
        conflict(t, "State is derived", "/state",
                 "The state of an order follows from its items");
        return false;
    default:
        conflict(t, "No such transition", "/state",
                 "An order in this state cannot go into that one");
        return false;
    }
}

/* What has ended has had its dates and its priority. */
static bool
history_kept(change_t *t, const order_record_t *o)
{
    static const char *const history[] = {"priority", "requestedStartDate",
                                          "requestedCompletionDate",
                                          "expectedCompletionDate", NULL};

    if (!order_state_final(o->state)) {
        return true;
    }
    for (int i = 0; history[i]; i++) {
        if (order_patch_changes(&t->patch, history[i])) {
            conflict(
                t, "Order has ended",
                arena_printf(group_arena(t->group), "/%s", history[i]).data,
                "The priority and the dates of an order that has ended "
                "cannot be changed");
            return false;
        }
    }
    return true;
}

static bool
has_begun(const order_record_t *o)
{
    return o->state != ORDER_ACKNOWLEDGED || o->start_us != NO_TIME;
}

static bool
start_allowed(change_t *t, const order_record_t *o)
{
    if (!has_begun(o) ||
        !order_patch_changes(&t->patch, "requestedStartDate")) {
        return true;
    }
    conflict(t, "Order has begun", "/requestedStartDate",
             "The order has begun: its requested start cannot be changed");
    return false;
}

/* The patched order, or answered why not. */
static bool
apply_patch(change_t *t, const order_record_t *o)
{
    group_t *g = t->group;
    request_t *r = g->requests[0];
    tmf_view_t v = request_plain_view(r);
    patch_kind_t kind;
    tmf_error_t e;

    if (!request_patch(g, r, &kind)) {
        return false;
    }
    if (!order_patch(group_arena(g), o, &v, r->body, kind, &t->patch, &e)) {
        request_error(g, r, &e);
        return false;
    }
    return true;
}

/* Writing ------------------------------------------------------------------ */

static void
on_changed(void *ctx, const PGresult *res)
{
    change_t *t = ctx;

    t->told = pg_long(res, 0, 0) > 0;
    for (int i = 0; i < PQntuples(res); i++) {
        if (!pg_is_null(res, i, 1)) {
            hints_add(&t->hints, pg_uuid(res, i, 1), pg_text(res, i, 2),
                      STR_NONE);
        }
    }
}

static void
on_written(void *ctx, pg_outcome_t outcome, const char *sqlstate,
           const char *message)
{
    change_t *t = ctx;
    group_t *g = t->group;
    worker_t *w = &g->batch->intake->worker;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return; /* done again with what is there then */
    }
    hints_send(&t->hints, w->redis, w->settings);
    if (t->told) {
        hint_events(w->redis, w->settings);
    }
    answer_order(t, loaded_order(&t->loaded, t->id));
    group_end(g);
}

static str_t
print_path(change_t *t)
{
    buf_t b;

    buf_init(&b, JSON_MAX_BYTES);
    order_patch_path(&b, &t->patch);
    return arena_take(group_arena(t->group), &b);
}

static void
add_event(change_t *t, str_t path, outbox_t *outbox)
{
    arena_t *a = group_arena(t->group);
    char id[UUID_TEXT + 1];
    buf_t data;

    uuid_print(t->id, id);
    buf_init(&data, 8 * (size_t) JSON_MAX_BYTES);
    buf_char(&data, '{');
    json_put_text(&data, "fieldPath", path);
    json_end(&data, '}');
    outbox_init(outbox, a);
    outbox_add(outbox, now_us(), STR("ordering"),
               STR("ServiceOrderAttributeValueChangeEvent"), str_of(id),
               arena_take(a, &data), t->group->requests[0]->frame.traceparent);
}

static int64_t
steps_of(const order_record_t *o)
{
    int64_t steps = 0;

    for (int i = 0; i < o->item_count; i++) {
        steps += o->items[i].seq;
    }
    return steps;
}

static int64_t
time_or_none(int64_t us)
{
    return us ? us : PG_NO_TIME;
}

static void
write_change(change_t *t, const order_record_t *o)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    const order_patch_t *p = &t->patch;
    str_t path = print_path(t);
    order_change_row_t row = {
        .id = t->id,
        .version = o->version,
        .steps = request_conditional(g->requests[0]) ? t->steps : NO_STEPS,
        .doc = p->doc,
        .external_id = p->order.external_id,
        .priority = p->order.priority,
        .parties = p->order.parties,
        .party_count = p->order.party_count,
        .start_us = time_or_none(p->order.requested_start_us),
        .completion_us = time_or_none(p->order.requested_completion_us),
        .expected_us = p->expected_us,
        .begin = order_patch_changes(p, "requestedStartDate"),
        .reread = order_patch_changes(p, "externalId") ||
                  order_patch_changes(p, "priority"),
        .why = path,
    };
    outbox_t outbox;

    hints_init(&t->hints, a);
    add_event(t, path, &outbox);
    once_insert(g, DONE);
    order_change(&row, &outbox, g->pg, a, on_changed, t);
    orders_load(g->pg, a, &t->id, 1, loaded_on_orders, &t->loaded);
    pg_commit(g->pg, on_written, t);
}

/* By what was read: answered, or to be written over it. */
static void
judge(change_t *t, const order_record_t *o)
{
    group_t *g = t->group;
    request_t *r = g->requests[0];

    if (request_conditional(r) &&
        !request_condition(g, r, entity_tag(group_arena(g), render(t, o)))) {
        return;
    }
    if (!apply_patch(t, o) || !state_allowed(t, o) || !history_kept(t, o) ||
        !start_allowed(t, o)) {
        return;
    }
    if (t->patch.changed_count == 0) {
        answer_order(t, o);
    }
}

static void
on_read(void *ctx, pg_outcome_t outcome, const char *sqlstate,
        const char *message)
{
    change_t *t = ctx;
    group_t *g = t->group;
    const order_record_t *o;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    o = loaded_order(&t->loaded, t->id);
    if (!o) {
        answer_none(t);
        group_end(g);
        return;
    }
    if (t->version != o->version || t->steps != steps_of(o)) {
        t->version = o->version;
        t->steps = steps_of(o);
        g->tries = 0; /* overtaken is not failed */
    }
    judge(t, o);
    if (g->requests[0]->status) {
        group_end(g);
    } else {
        write_change(t, o);
    }
}

/* Delivered once more, and carried out before. */
static void
on_done_before(void *ctx, pg_outcome_t outcome, const char *sqlstate,
               const char *message)
{
    change_t *t = ctx;
    group_t *g = t->group;
    const order_record_t *o;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    o = loaded_order(&t->loaded, t->id);
    if (o) {
        answer_order(t, o);
    } else {
        answer_none(t);
    }
    group_end(g);
}

static void
change(group_t *g, str_t known)
{
    arena_t *a = group_arena(g);
    change_t *t = g->data; /* of the last try */

    if (!t) {
        t = g->data = arena_new(a, change_t);
        t->group = g;
        t->loaded.arena = a;
    }
    if (!uuid_parse(g->requests[0]->frame.key, &t->id)) {
        answer_none(t);
        group_end(g);
        return;
    }
    orders_load(g->pg, a, &t->id, 1, loaded_on_orders, &t->loaded);
    pg_commit(g->pg, known.len ? on_done_before : on_read, t);
}

void
order_modify(group_t *g)
{
    once_start(g, change);
}
