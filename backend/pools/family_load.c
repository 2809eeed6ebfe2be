/*
 * Activations into memory: from hints of the stream, whole or read, and from
 * what the pool asks for; then they begin or go on, as their rows say.
 */
#include "backend/pools/family.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/pools/begin.h"

/* Hints -------------------------------------------------------------------- */

void
hint_release(pool_t *p, hint_t *h)
{
    str_t id;

    if (!h || --h->waiting > 0) {
        return;
    }
    id = str_of(h->id);
    stream_done(p->stream, p->stream_key, &id, 1);
    free(h);
}

void
pool_read_on(pool_t *p)
{
    if (p->reading || p->worker.stopping || p->loads > 0 ||
        map_count(p->live) >= FAMILY_MAX_LIVE) {
        return;
    }
    p->reading = true;
    stream_credit(p->stream, 1);
}

/* Loading ------------------------------------------------------------------ */

/* One read of activations and of their signals. */
typedef struct {
    list_t node; /* in pool.late */
    pool_t *pool;
    arena_t *arena;
    uuid_t *ids;
    hint_t **hints; /* one each id, or NULL */
    int count;
} load_t;

static hint_t *
load_hint(load_t *l, uuid_t id)
{
    for (int i = 0; i < l->count; i++) {
        if (uuid_eq(l->ids[i], id) && l->hints[i]) {
            hint_t *h = l->hints[i];

            l->hints[i] = NULL;
            return h;
        }
    }
    return NULL;
}

static bool
is_cancelled(const activation_record_t *r)
{
    return !uuid_is_nil(r->cancellation);
}

/* Begins, goes on, or leaves it lying: what its row says. */
static void
resume(pool_t *p, work_t *w, const activation_record_t *r)
{
    bool forward = w->run.phase == RUN_FORWARD || w->run.phase == RUN_WAITING;

    if (is_cancelled(r) && forward && !run_committed(w->machine, &w->run)) {
        work_event(p, w, EVENT_CANCEL);
        return;
    }
    switch (w->run.phase) {
    case RUN_NEW:
        work_event(p, w,
                   is_cancelled(r) || r->failed_depends ? EVENT_CANCEL
                                                        : EVENT_START);
        break;
    case RUN_FORWARD:
    case RUN_UNDOING:
        command_perform(p, w); /* again, with the same idempotency key */
        break;
    case RUN_WAITING:
        if (w->run.deadline_us <= r->now_us) {
            work_event(p, w, EVENT_DEADLINE);
        }
        break;
    default:
        break;
    }
}

static bool
is_wanted(const pool_t *p, const activation_record_t *r)
{
    bool waits =
        r->early || (r->open_depends > 0 && !r->failed_depends && !r->run.len);
    bool blocked = waits && !is_cancelled(r);

    return !blocked && (!r->owner.len || str_is(r->owner, p->worker.slot));
}

static void
on_activations(void *ctx, const PGresult *res)
{
    load_t *l = ctx;
    pool_t *p = l->pool;

    for (int i = 0; i < PQntuples(res); i++) {
        activation_record_t r;
        work_t *w;

        activation_read(res, i, &r);
        p->clock_offset_us = r.now_us - clock_us();
        w = map_get(p->live, r.id);
        if (w) {
            work_seen(p, w, r.seq);
            continue;
        }
        w = is_wanted(p, &r) ? work_create(p, &r) : NULL;
        if (!w) {
            continue;
        }
        w->hint = load_hint(l, r.id);
        (void) map_put(p->live, r.id, w);
        resume(p, w, &r);
    }
}

static void
on_signals(void *ctx, const PGresult *res)
{
    load_t *l = ctx;

    for (int i = 0; i < PQntuples(res); i++) {
        work_t *w = map_get(l->pool->live, pg_uuid(res, i, 1));
        str_t body = pg_text(res, i, 3);
        input_t in = {.event = {.kind = EVENT_DONE, .retry_after_ms = -1},
                      .seq = -1,
                      .visit = pg_int(res, i, 2),
                      .signal = pg_long(res, i, 0)};

        if (w) {
            in.body = xcalloc(1, body.len + 1);
            memcpy(in.body, body.len ? body.data : "", body.len);
            work_input(l->pool, w, &in);
        }
    }
}

/* Those that wait for a vendor and for whom nothing has come are let go, and
 * those that have ended (a hint that came late). */
static void
drop_idle(pool_t *p, const load_t *l)
{
    for (int i = 0; i < l->count; i++) {
        work_t *w = map_get(p->live, l->ids[i]);

        if (w && !w->in_batch && list_empty(&w->inputs) &&
            (w->run.phase == RUN_WAITING || run_phase_final(w->run.phase))) {
            work_free(p, w);
        }
    }
}

static void
on_loaded(void *ctx, pg_outcome_t outcome, const char *sqlstate,
          const char *message)
{
    load_t *l = ctx;
    pool_t *p = l->pool;

    if (outcome == PG_UNKNOWN || outcome == PG_RETRY) {
        list_append(&p->late, &l->node); /* once more, when it is there */
        return;
    }
    if (outcome != PG_OK) { /* looked at again by MINE_EVERY or the keeper */
        log_event(LOG_ERROR, "activations not loaded", "sqlstate", sqlstate,
                  "why", message, NULL);
    }
    drop_idle(p, l);
    for (int i = 0; i < l->count; i++) {
        hint_release(p, l->hints[i]);
    }
    p->loads--;
    pool_kick(p);
    arena_free(l->arena);
    pool_read_on(p);
    pool_maybe_exit(p);
}

static void
load_send(load_t *l)
{
    pool_t *p = l->pool;
    pg_t *pg = worker_pg(&p->worker);

    if (!pg) { /* down, or batches have them all */
        list_append(&p->late, &l->node);
        return;
    }
    activations_load(pg, l->arena, l->ids, l->count, on_activations, l);
    signals_load(pg, l->arena, l->ids, l->count, on_signals, l);
    pg_commit(pg, on_loaded, l);
}

void
pool_send_late(pool_t *p)
{
    list_t waiting;
    list_t *node;

    list_init(&waiting);
    while ((node = list_pop(&p->late))) {
        list_append(&waiting, node);
    }
    while ((node = list_pop(&waiting))) {
        load_send(list_entry(node, load_t, node)); /* may be late again */
    }
}

static load_t *
load_create(pool_t *p, int most)
{
    arena_t *a = arena_create();
    load_t *l = arena_new(a, load_t);

    l->pool = p;
    l->arena = a;
    l->ids = arena_array(a, uuid_t, (size_t) most);
    l->hints = arena_array(a, hint_t *, (size_t) most);
    return l;
}

void
pool_load(pool_t *p, const uuid_t *ids, int n, hint_t *hint)
{
    load_t *l;

    if (p->worker.stopping) {
        return; /* whoever takes this slot reads them */
    }
    l = load_create(p, n);
    for (int i = 0; i < n; i++) {
        l->ids[i] = ids[i];
        l->hints[i] = hint;
    }
    l->count = n;
    p->loads++;
    load_send(l);
}

/* Begins what a hint carries whole. */
static void
begin(pool_t *p, str_t text, hint_t *h)
{
    arena_t *scratch = arena_create();
    activation_record_t r;
    work_t *w = NULL;

    if (begin_read(scratch, text, &r) && !map_get(p->live, r.id) &&
        !p->worker.stopping) {
        w = work_create(p, &r);
    }
    if (w) {
        h->waiting++;
        w->hint = h;
        (void) map_put(p->live, r.id, w);
        work_event(p, w, EVENT_START);
    }
    arena_free(scratch);
}

static void
take_entry(load_t *l, const stream_entry_t *e)
{
    hint_t *h = xcalloc(1, sizeof(*h));

    snprintf(h->id, sizeof(h->id), "%.*s", STR_FMT(e->id));
    h->waiting = 1;
    for (int i = 0; i + 1 < e->field_count; i += 2) {
        if (str_is(e->fields[i], "begin")) {
            begin(l->pool, e->fields[i + 1], h);
        } else if (str_is(e->fields[i], "activation") &&
                   uuid_parse(e->fields[i + 1], &l->ids[l->count])) {
            h->waiting++;
            l->hints[l->count++] = h;
        }
    }
    hint_release(l->pool, h); /* at once, when it names nothing */
}

void
pool_on_hints(void *ctx, const stream_entry_t *entries, int n)
{
    pool_t *p = ctx;
    int most = 0;
    load_t *l;

    for (int i = 0; i < n; i++) {
        most += entries[i].field_count / 2;
    }
    l = load_create(p, most);
    p->reading = false;
    for (int i = 0; i < n; i++) {
        take_entry(l, &entries[i]);
    }
    if (l->count == 0) {
        arena_free(l->arena);
        pool_read_on(p);
        return;
    }
    p->loads++;
    load_send(l);
}
