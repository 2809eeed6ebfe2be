/*
 * A batch of transitions: decide, write in one segment, then act.
 *
 * Until the commit an activation in memory keeps its place (work.run), so a
 * batch that failed can be decided again. Its members then go one by one; a
 * member whose row was moved by somebody else (stale) is forgotten and read
 * anew.
 */
#include "backend/pools/family_batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/store/orders.h"
#include "backend/store/resources.h"
#include "backend/tmf/order.h"

#define TRIES_MAX 3
/* A second batch beside one under way has at least so many members: what
 * comes while one commits is gathered, as few small transactions cost nearly
 * what as many large ones do. */
#define BESIDE_MIN 16
#define TEXT_MAX   ((size_t) JSON_MAX_BYTES)
#define RETRY_MS   1000
#define DETAIL_MAX 500

/* Deciding ----------------------------------------------------------------- */

static const char *const event_names[EVENT_COUNT] = {
    [EVENT_START] = "start",         [EVENT_DONE] = "done",
    [EVENT_ACCEPTED] = "accepted",   [EVENT_FAILED] = "failed",
    [EVENT_EXHAUSTED] = "exhausted", [EVENT_MISMATCH] = "mismatch",
    [EVENT_DEADLINE] = "deadline",   [EVENT_CANCEL] = "cancel",
};

static bool
speaks_to(const work_t *w, const input_t *in)
{
    if (in->visit >= 0) {
        return in->visit == w->run.path_length &&
               (w->run.phase == RUN_FORWARD || w->run.phase == RUN_WAITING);
    }
    return in->seq < 0 || in->seq == w->run.seq;
}

static void
fail_input(input_t *in, const char *code, str_t what)
{
    char text[256];

    in->event = (event_t){
        .kind = EVENT_FAILED, .permanent = true, .retry_after_ms = -1};
    snprintf(in->code, sizeof(in->code), "%s", code);
    snprintf(text, sizeof(text), "no value for %.*s", STR_FMT(what));
    free(in->message);
    in->message = xstrdup(text);
}

static void
decide(batch_t *b, member_t *m)
{
    work_t *w = m->work;
    input_t *in = m->input;
    str_t missing = STR_NONE;
    double random;

    if (!in || !speaks_to(w, in)) {
        return;
    }
    if (in->body) {
        command_callback(w->machine->states[w->run.state].command, in);
        free(in->body);
        in->body = NULL;
    }
    if (in->variables) {
        work_set_variables(w, str_of(in->variables));
    }
    /* jitter is asked of the system only where a retry may follow */
    random = in->event.kind == EVENT_FAILED || in->event.kind == EVENT_MISMATCH
                 ? random_unit()
                 : 0;
    machine_step(w->machine, &w->run, &in->event, b->now_us, random, &m->d);
    if (!m->d.ignored && m->d.inventory &&
        !work_apply(w, m->d.inventory, &missing)) {
        fail_input(in, "missingValue", missing);
        machine_step(w->machine, &w->run, &in->event, b->now_us, random_unit(),
                     &m->d);
    }
    m->moves = !m->d.ignored;
}

/* The segment -------------------------------------------------------------- */

/* The columns that go to the journal. */
static void
write_journal(rows_t *r, batch_t *b, const member_t *m)
{
    const run_t *next = &m->d.next;
    const work_t *w = m->work;
    str_t detail = m->input->message ? str_of(m->input->message) : STR_NONE;

    if (detail.len > DETAIL_MAX) {
        detail.len = utf8_valid((str_t){detail.data, DETAIL_MAX});
    }
    rows_text(r, str_of(event_names[m->input->event.kind]));
    rows_text(r,
              arena_printf(b->arena, "%s:%.*s", run_phase_name(next->phase),
                           STR_FMT(next->state >= 0
                                       ? w->machine->states[next->state].name
                                       : STR(""))));
    rows_int(r, next->attempt);
    rows_some(r, detail);
}

static void
write_transition(batch_t *b, member_t *m)
{
    work_t *w = m->work;
    const run_t *next = &m->d.next;
    bool live = next->phase == RUN_FORWARD || next->phase == RUN_UNDOING;
    buf_t run;
    rows_t *r = &b->rows.moves;

    buf_init(&run, TEXT_MAX);
    run_print(w->machine, next, &run);
    rows_uuid(r, w->id);
    rows_int(r, w->run.seq);
    rows_text(r, buf_view(&run));
    rows_some(r, m->input->variables || w->run.phase == RUN_NEW ? w->variables
                                                                : STR_NONE);
    rows_text(r, str_of(order_state_name(m->d.item_state)));
    rows_some(r, w->pending);
    rows_some(r, report_wanted(m) || next->undo_failed ? w->error : STR_NONE);
    rows_some(r, live ? str_of(b->pool->worker.slot) : STR_NONE);
    rows_time(r, next->phase == RUN_WAITING ? next->deadline_us : PG_NO_TIME);
    write_journal(r, b, m);
    rows_bool(r, run_committed(w->machine, next));
    buf_free(&run);
}

/* The next command is SQL: it goes with this segment. */
static void
write_store_command(batch_t *b, member_t *m, const run_t *at)
{
    work_t *w = m->work;
    const command_t *c = run_command(w->machine, at);
    char id[UUID_TEXT + 1];
    str_t missing = STR_NONE;
    buf_t pool, key;

    if (!c || (c->kind != COMMAND_ALLOCATE && c->kind != COMMAND_RELEASE)) {
        return;
    }
    buf_init(&pool, 4096);
    buf_init(&key, 4096);
    m->store = c;
    if (template_render(c->pool, &w->context, &pool, &missing)) {
        uuid_print(w->id, id);
        run_idempotency_key(w->machine, at, id, &key);
        m->claim = arena_str(b->arena, buf_view(&key));
        m->resources = arena_str(b->arena, buf_view(&pool));
        if (c->kind == COMMAND_ALLOCATE) {
            rows_text(&b->allocations, m->claim);
            rows_text(&b->allocations, m->resources);
            rows_uuid(&b->allocations, w->service_id);
        } else {
            rows_text(&b->releases, m->resources);
            rows_uuid(&b->releases, w->service_id);
            m->stored = true;
        }
    } else {
        m->missing = arena_str(b->arena, missing);
    }
    buf_free(&pool);
    buf_free(&key);
}

static void
write_member(batch_t *b, member_t *m)
{
    work_t *w = m->work;
    const run_t *at = m->moves ? &m->d.next : &w->run;

    if (m->input && m->input->signal) {
        rows_long(&b->signals, m->input->signal);
    }
    if (m->moves) {
        if (report_wanted(m)) {
            report_error(b, m);
        }
        if (m->d.finished && m->d.next.undo_failed) {
            report_undo_failed(b, w);
        }
        w->pending = STR_NONE;
        if (m->d.next.phase == RUN_WAITING) {
            report_pending(b, m);
        }
        write_inventory(b, m);
        write_transition(b, m);
    }
    if (m->moves ? m->d.perform && !m->d.delay_ms : w->store_command) {
        write_store_command(b, m, at);
    }
}

static void
write_order(batch_t *b, member_t *m)
{
    work_t *w = m->work;
    family_order_change_t c = {
        .order_id = w->order_id,
        .external_id = w->external_id,
        .traceparent = w->traceparent,
        .order_date_us = w->order_date_us,
        .start_us = w->order_start_us,
        .cancellation = w->cancellation,
        .item = {.item_id = w->item_id,
                 .action = action_name(w->action),
                 .state = m->d.item_state,
                 .service_id = w->service_id,
                 .characteristics = m->d.next.phase == RUN_COMPLETED
                                        ? w->characteristics
                                        : STR_NONE,
                 .error = w->error,
                 .pending = w->pending},
        .before = run_item_state(&w->run),
    };

    if (c.before == c.item.state) {
        return;
    }
    if (w->item_count == 1) {
        family_order_single(&c, b->now_us, b->arena, &b->rows);
        if (w->order_start_us == NO_TIME) {
            w->order_start_us = b->now_us;
        }
    } else {
        family_orders_add(&b->orders, &c, m->d.finished);
    }
}

static void
batch_rows_init(batch_t *b)
{
    transition_rows_init(&b->rows, b->arena);
    rows_init(&b->signals, b->arena, "l");
    allocation_rows_init(&b->allocations, b->arena);
    release_rows_init(&b->releases, b->arena);
    inventory_rows_init(&b->inventory, b->arena);
    hints_init(&b->hints, b->arena);
    family_orders_init(&b->orders, b->arena);
}

static void
set_allocated(member_t *m, str_t value)
{
    buf_t v;

    buf_init(&v, 65536);
    buf_char(&v, '{');
    json_comma(&v);
    buf_json(&v, m->store->variable);
    buf_char(&v, ':');
    buf_json(&v, value);
    buf_char(&v, '}');
    free(m->variables);
    m->variables = xstrdup(v.data);
    m->stored = true;
    buf_free(&v);
}

static void
on_allocated(void *ctx, const PGresult *res)
{
    batch_t *b = ctx;

    for (int i = 0; i < PQntuples(res); i++) {
        allocation_t got;

        allocation_read(res, i, &got);
        for (int k = 0; k < b->count; k++) {
            member_t *m = &b->members[k];

            if (!m->store || m->store->kind != COMMAND_ALLOCATE) {
                continue;
            }
            if (!got.claim.len) {
                m->no_pool =
                    m->no_pool || str_eq(m->resources, got.unknown_pool);
            } else if (str_eq(m->claim, got.claim)) {
                set_allocated(m, got.value);
            }
        }
    }
}

static void
on_woken(void *ctx, const PGresult *res)
{
    batch_t *b = ctx;

    for (int i = 0; i < PQntuples(res); i++) {
        hints_add(&b->hints, pg_uuid(res, i, 0), pg_text(res, i, 1), STR_NONE);
    }
}

static void
on_told(void *ctx, const PGresult *res)
{
    ((batch_t *) ctx)->told = pg_long(res, 0, 1) > 0;
}

static void batch_ended(void *ctx, pg_outcome_t outcome, const char *sqlstate,
                        const char *message);

static void
batch_write(batch_t *b)
{
    pg_t *pg = b->pg;
    arena_t *a = b->arena;

    transitions_apply(&b->rows, pg, a, on_told, b);
    inventory_apply(&b->inventory, pg, a);
    if (b->signals.count) {
        signals_delete(pg, a, &b->signals);
    }
    resources_allocate(&b->allocations, pg, a, on_allocated, b);
    resources_release(&b->releases, pg, a);
    if (b->orders.wake_count) {
        activations_wake(pg, a, b->orders.wake, b->orders.wake_count, on_woken,
                         b);
    }
    pg_commit(pg, batch_ended, b);
}

static void
on_locked_orders(void *ctx, const PGresult *res)
{
    family_orders_locked(&((batch_t *) ctx)->orders, res);
}

/* The orders are ours until the commit: what their states are to be follows
 * from their items as they are now, and from this batch. */
static void
on_locked_items(void *ctx, const PGresult *res)
{
    batch_t *b = ctx;

    if (!res) {
        pg_commit(b->pg, batch_ended, b);
        return;
    }
    family_orders_items(&b->orders, res);
    family_orders_derive(&b->orders, b->now_us, &b->rows);
    batch_write(b);
}

static void
batch_run(batch_t *b)
{
    for (int i = 0; i < b->count; i++) {
        decide(b, &b->members[i]);
        write_member(b, &b->members[i]);
        if (b->members[i].moves) {
            write_order(b, &b->members[i]);
        }
    }
    if (b->orders.count) {
        orders_lock(b->pg, b->arena, b->orders.ids, b->orders.count,
                    on_locked_orders, on_locked_items, b);
    } else {
        batch_write(b);
    }
}

/* After it ----------------------------------------------------------------- */

static void
log_end(const work_t *w, const decision_t *d)
{
    char id[UUID_TEXT + 1], order[UUID_TEXT + 1], trace[128];

    if (!log_enabled(LOG_INFO)) {
        return;
    }
    uuid_print(w->id, id);
    uuid_print(w->order_id, order);
    snprintf(trace, sizeof(trace), "%.*s", STR_FMT(w->traceparent));
    log_event(d->next.phase == RUN_COMPLETED ? LOG_DEBUG : LOG_INFO,
              "activation ended", "activation", id, "order", order, "state",
              run_phase_name(d->next.phase), "traceparent",
              trace[0] ? trace : NULL, NULL);
}

/* Why a store command did nothing. A pool may be filled, or made, before the
 * next attempt; a name that cannot be told will not be told then either. */
static void
fail_store(batch_t *b, const member_t *m, input_t *in)
{
    str_t text;

    if (m->missing.len) {
        fail_input(in, "missingValue", m->missing);
        return;
    }
    in->event.kind = EVENT_FAILED;
    snprintf(in->code, sizeof(in->code), "%s",
             m->no_pool ? "unknownResourcePool" : "resourceExhausted");
    text = arena_printf(b->arena, "%s \"%.*s\"",
                        m->no_pool ? "There is no resource pool"
                                   : "No free value in the resource pool",
                        STR_FMT(m->resources));
    in->message = xstrdup(text.data);
}

/* The store command of a member has an outcome: the next event. */
static void
answer_store(batch_t *b, member_t *m)
{
    work_t *w = m->work;
    input_t in = {.event = {.kind = EVENT_DONE, .retry_after_ms = -1},
                  .seq = w->run.seq,
                  .visit = -1};

    if (!m->stored) {
        fail_store(b, m, &in);
    }
    in.variables = m->variables;
    m->variables = NULL;
    w->store_command = false;
    work_input(b->pool, w, &in);
}

static void
count_end(pool_t *p, run_phase_t phase)
{
    (*(phase == RUN_COMPLETED   ? p->completed
       : phase == RUN_CANCELLED ? p->cancelled
                                : p->failed))++;
}

static void
go_on(batch_t *b, member_t *m)
{
    pool_t *p = b->pool;
    work_t *w = m->work;

    hint_release(p, w->hint);
    w->hint = NULL;
    w->in_batch = false;
    w->alone = false;
    w->tries = 0;
    if (m->moves) {
        command_cancel(p, w); /* of the place it has left */
        w->run = m->d.next;
        (*p->transitions)++;
    }
    if (m->moves && m->d.finished) {
        count_end(p, m->d.next.phase);
        log_end(w, &m->d);
        work_free(p, w);
        return;
    }
    if (work_outdated(w)) {
        free(m->variables);
        work_read_anew(p, w);
        return;
    }
    if (p->worker.stopping && list_empty(&w->inputs)) {
        free(m->variables);
        work_free(p, w); /* its row says where to go on */
        return;
    }
    if (m->store) {
        answer_store(b, m);
    } else if (m->moves && m->d.perform) {
        m->d.delay_ms ? command_later(p, w, m->d.delay_ms)
                      : command_perform(p, w);
    }
    if (!list_empty(&w->inputs)) {
        work_ready(p, w);
    } else if (w->run.phase == RUN_WAITING || w->run.phase == RUN_NEW) {
        work_free(p, w); /* a row again, until somebody calls */
    }
}

static void
on_again(evutil_socket_t fd, short what, void *ctx)
{
    work_t *w = ctx;

    (void) fd;
    (void) what;
    event_free(w->timer);
    w->timer = NULL;
    w->in_batch = false;
    work_ready(w->pool, w);
}

static void
try_again(pool_t *p, work_t *w, bool at_once)
{
    struct timeval tv = {RETRY_MS / 1000, 0};

    if (at_once || w->timer) {
        w->in_batch = false;
        work_ready(p, w);
        return;
    }
    w->timer = evtimer_new(p->worker.base, on_again, w);
    event_add(w->timer, &tv);
}

static void
put_back(batch_t *b, member_t *m, pg_outcome_t outcome, const char *sqlstate,
         const char *message)
{
    pool_t *p = b->pool;
    work_t *w = m->work;
    bool alone = b->count == 1;

    if (m->input) { /* the first again */
        list_t *first = &w->inputs;

        m->input->node.next = first->next;
        m->input->node.prev = first;
        first->next->prev = &m->input->node;
        first->next = &m->input->node;
    }
    free(m->variables);
    m->variables = NULL;
    w->in_inventory = m->before.in_inventory; /* it was not written */
    w->told_state = m->before.told_state;
    w->told_operating = m->before.told_operating;
    w->order_start_us = m->before.order_start_us;
    w->error = m->before.error;
    if (alone && !strcmp(sqlstate, ACTIVATION_STALE)) {
        /* moved by somebody else, or committed before the connection was lost */
        work_read_anew(p, w);
        return;
    }
    if (alone && outcome == PG_REFUSED && ++w->tries >= TRIES_MAX) {
        char id[UUID_TEXT + 1];

        uuid_print(w->id, id);
        log_event(LOG_ERROR, "transition cannot be stored", "activation", id,
                  "sqlstate", sqlstate, "why", message, NULL);
        work_free(p, w);
        return;
    }
    w->alone = outcome != PG_UNKNOWN;
    try_again(p, w, !alone || outcome != PG_REFUSED);
}

static void
batch_ended(void *ctx, pg_outcome_t outcome, const char *sqlstate,
            const char *message)
{
    batch_t *b = ctx;
    pool_t *p = b->pool;
    int connection = b->connection;

    p->batches--;
    if (outcome == PG_OK) {
        hints_send(&b->hints, p->worker.redis, p->worker.settings);
        if (b->told) {
            hint_events(p->worker.redis, p->worker.settings);
        }
    }
    for (int i = 0; i < b->count; i++) {
        member_t *m = &b->members[i];

        if (outcome == PG_OK) {
            if (m->input) {
                input_free(m->input);
            }
            go_on(b, m);
        } else {
            put_back(b, m, outcome, sqlstate, message);
        }
    }
    arena_free(b->arena);
    pool_give_pg(p, connection);
    pool_maybe_exit(p);
}

/* Gathering ---------------------------------------------------------------- */

static batch_t *
batch_create(pool_t *p, pg_t *pg, int connection, int most)
{
    arena_t *a = arena_create();
    batch_t *b = arena_new(a, batch_t);

    b->pool = p;
    b->arena = a;
    b->pg = pg;
    b->connection = connection;
    b->members = arena_array(a, member_t, (size_t) most);
    b->now_us = pool_now(p) / 1000 * 1000;
    batch_rows_init(b);
    return b;
}

static void
batch_gather(batch_t *b, int most)
{
    pool_t *p = b->pool;
    list_t *node;

    while (b->count < most && (node = list_pop(&p->ready))) {
        work_t *w = list_entry(node, work_t, ready_node);
        list_t *input;

        if (w->alone && b->count > 0) { /* not with others */
            list_append(&p->ready, &w->ready_node);
            return;
        }
        p->ready_count--;
        if (work_outdated(w)) {
            work_read_anew(p, w);
            continue;
        }
        input = list_pop(&w->inputs);
        w->in_batch = true;
        b->members[b->count++] = (member_t){
            .work = w,
            .input = input ? list_entry(input, input_t, node) : NULL,
            .before = {.in_inventory = w->in_inventory,
                       .told_state = w->told_state,
                       .told_operating = w->told_operating,
                       .order_start_us = w->order_start_us,
                       .error = w->error}};
        if (w->alone) {
            return;
        }
    }
}

void
batch_start(pool_t *p)
{
    int most = settings_batch(p->worker.settings, p->name);

    while (p->ready_count > 0) {
        int connection;
        pg_t *pg;
        batch_t *b;

        if (p->batches > 0 && p->ready_count < BESIDE_MIN) {
            return; /* the one under way comes here when it ends */
        }
        pg = pool_take_pg(p, &connection);
        if (!pg) {
            return; /* who gives one back comes here */
        }
        b = batch_create(p, pg, connection, most);
        batch_gather(b, most);
        p->batches++;
        batch_run(b);
    }
}
