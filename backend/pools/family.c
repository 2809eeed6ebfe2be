/*
 * A family's pool: the process. It reads what it needs to know, keeps its slot
 * alive, and stops.
 *
 * Whose an activation is: activation.owner names the worker slot that has it
 * in memory. A slot that starts again takes up what it owned (recovery); what
 * nobody owns is due at a time and is hinted by the keeper.
 */
#include "backend/pools/family.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/store/statements.h"
#include "proto/keys.h"

#define CLAIM_IDLE_MS  10000
#define TICK_MS        1000
#define DRAIN_SECONDS  8
#define MINE_EVERY     10 /* ticks: is there something we own and forgot? */
#define CALLS_MAX      1024
#define CALLS_HOST_MAX 256

/* PostgreSQL --------------------------------------------------------------- */

pg_t *
pool_take_pg(pool_t *p, int *ret_connection)
{
    for (int i = 0; i < WORKER_CONNECTIONS; i++) {
        if (!p->pg_busy[i] && pg_up(p->worker.pg[i])) {
            p->pg_busy[i] = true;
            *ret_connection = i;
            return p->worker.pg[i];
        }
    }
    return NULL;
}

void
pool_give_pg(pool_t *p, int connection)
{
    p->pg_busy[connection] = false;
    pool_send_late(p);
    pool_kick(p);
}

int64_t
pool_now(const pool_t *p)
{
    return clock_us() + p->clock_offset_us;
}

static int
find_definition(const pool_t *p, int id)
{
    for (int i = 0; i < p->definition_count; i++) {
        if (p->definition_ids[i] == id) {
            return i;
        }
    }
    return -1;
}

const family_t *
pool_definition(const pool_t *p, int id)
{
    int i = find_definition(p, id);

    return i >= 0 ? p->definitions[i] : NULL;
}

void
pool_kick(pool_t *p)
{
    event_active(p->kick, EV_TIMEOUT, 0);
}

/* Starting ----------------------------------------------------------------- */

static const char *
environment(const char *name)
{
    return getenv(name);
}

static void
on_definitions(void *ctx, const PGresult *res)
{
    pool_t *p = ctx;

    for (int i = 0; i < PQntuples(res); i++) {
        int id = pg_int(res, i, 0), errors = 0;
        family_error_t e[FAMILY_MAX_ERRORS];
        family_t *f;

        if (find_definition(p, id) >= 0 ||
            p->definition_count == FAMILY_MAX_DEFINITIONS) {
            continue;
        }
        f = family_parse(pg_text(res, i, 4), environment, e, &errors);
        if (!f) { /* remembered too: it will not be better when read again */
            log_event(LOG_ERROR, "stored definition refused", "why",
                      errors ? e[0].message : "?", NULL);
        }
        p->definitions[p->definition_count] = f;
        p->definition_ids[p->definition_count++] = id;
    }
}

static void
on_secret(void *ctx, const PGresult *res)
{
    pool_t *p = ctx;
    str_t s = PQntuples(res) ? pg_text(res, 0, 0) : STR_NONE;

    p->secret_len = s.len < sizeof(p->secret) ? s.len : sizeof(p->secret);
    memcpy(p->secret, s.len ? s.data : "", p->secret_len);
}

static void
on_seen(void *ctx, const PGresult *res)
{
    pool_t *p = ctx;

    if (PQntuples(res)) {
        p->clock_offset_us = pg_time(res, 0, 0) - clock_us();
    }
}

static void
on_changes(void *ctx, const PGresult *res)
{
    pool_t *p = ctx;

    for (int i = 0; i < PQntuples(res); i++) {
        entity_record_t s;

        entity_read(res, i, &s);
        catalog_apply(p->catalog, &s);
    }
}

/* What this slot owns and has not in memory, or not as it is: what it had when
 * it died, has had to drop, or what was moved on while somebody else took the
 * hint. */
static void
on_mine(void *ctx, const PGresult *res)
{
    pool_t *p = ctx;
    uuid_t ids[FAMILY_LOAD_MAX];
    int count = 0, all = 0;

    for (int i = 0; i < PQntuples(res); i++) {
        uuid_t id = pg_uuid(res, i, 0);
        work_t *w = map_get(p->live, id);

        if (w) {
            work_seen(p, w, pg_int(res, i, 1));
            continue;
        }
        ids[count++] = id;
        all++;
        if (count == FAMILY_LOAD_MAX) {
            pool_load(p, ids, count, NULL);
            count = 0;
        }
    }
    if (count) {
        pool_load(p, ids, count, NULL);
    }
    if (all) {
        char text[16];

        snprintf(text, sizeof(text), "%d", all);
        log_event(LOG_INFO, "activations taken up again", "count", text, NULL);
    }
}

static void
on_prepared(void *ctx, pg_outcome_t outcome, const char *sqlstate,
            const char *message)
{
    pool_t *p = ctx;

    (void) sqlstate;
    (void) message;
    p->preparing = false;
    if (outcome == PG_OK && !p->ready_for_work) {
        p->ready_for_work = true;
        log_event(LOG_INFO, "ready", NULL);
        pool_read_on(p);
    }
}

static void
prepare(pool_t *p)
{
    pg_t *pg = worker_pg(&p->worker);
    arena_t *a;

    if (!pg || p->preparing || p->worker.settings->paused) {
        return;
    }
    p->preparing = true;
    a = arena_create();
    for (int i = 0; !p->ready_for_work && i < catalog_family_count(p->catalog);
         i++) {
        const family_t *f = catalog_family_at(p->catalog, i);

        if (str_eq(f->name, p->family)) { /* the intake may not have yet */
            definition_insert(pg, a, f->name, f->version, str_of(f->hash),
                              f->text, NULL, NULL);
        }
    }
    definitions_load(pg, a, p->family, p->definition_ids, p->definition_count,
                     on_definitions, p);
    specifications_changes(pg, a, catalog_change(p->catalog), on_changes, p);
    if (!p->ready_for_work) {
        secret_load(pg, a, on_secret, p);
    }
    if (p->turns++ % MINE_EVERY == 0) {
        activations_mine(pg, a, str_of(p->worker.slot), on_mine, p);
    }
    worker_seen(pg, a, str_of(p->worker.slot), on_seen, p);
    pg_commit(pg, on_prepared, p);
    arena_free(a);
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    pool_t *p = ctx;

    (void) fd;
    (void) what;
    prepare(p);
    pool_send_late(p);
    if (p->ready_for_work) {
        pool_read_on(p);
        pool_kick(p);
    }
}

static void
on_kick(evutil_socket_t fd, short what, void *ctx)
{
    (void) fd;
    (void) what;
    batch_start(ctx);
}

static void
on_pg(worker_t *w, int connection, bool up)
{
    pool_t *p = w->pool_ctx;

    (void) connection;
    if (up && !p->ready_for_work) {
        prepare(p);
    }
    if (up) {
        pool_send_late(p);
        pool_kick(p);
    }
}

void
pool_maybe_exit(pool_t *p)
{
    if (p->worker.stopping && p->batches == 0 && p->ready_count == 0 &&
        http_in_flight(p->http) == 0) {
        worker_exit(&p->worker);
    }
}

/* Answers of calls under way are waited for and stored; what comes next is
 * done by whoever takes this slot. */
static void
on_stop(worker_t *w)
{
    static const struct timeval most = {DRAIN_SECONDS, 0};
    pool_t *p = w->pool_ctx;

    stream_pause(p->stream);
    (void) event_add(w->deadline, &most);
    pool_maybe_exit(p);
}

static void
open_stream(pool_t *p)
{
    const settings_t *s = p->worker.settings;
    char name[256];
    stream_options_t o = {
        .address = &s->redis,
        .stream_count = 1,
        .group = KEY_FAMILY_GROUP,
        .consumer = p->worker.slot,
        .batch = settings_batch(s, p->name) / 16 + 1,
        .claim_idle_ms = CLAIM_IDLE_MS,
        .on_batch = pool_on_hints,
        .ctx = p,
    };

    snprintf(name, sizeof(name), "%.*s", STR_FMT(p->family));
    p->stream_key = worker_key(s, KEY_FAMILY, name);
    o.streams[0] = p->stream_key;
    p->stream = stream_open(p->worker.base, &o);
}

static void
pool_open(pool_t *p, const settings_t *s, const char *family, int n)
{
    http_options_t http = {.max_connections = CALLS_MAX,
                           .max_host_connections = CALLS_HOST_MAX,
                           .allow_private = true,
                           .user_agent = "turnup"};
    size_t size = strlen(family) + sizeof("family:");
    struct timeval tick = {TICK_MS / 1000, 0};

    p->name = xcalloc(1, size);
    snprintf(p->name, size, "family:%s", family);
    p->family = str_of(p->name + strlen("family:"));
    p->live = map_create();
    p->catalog = catalog_create();
    list_init(&p->ready);
    list_init(&p->late);
    worker_open(&p->worker, s, p->name, n, store_statements);
    p->worker.pool_ctx = p;
    p->worker.on_pg = on_pg;
    p->worker.on_stop = on_stop;
    p->transitions = worker_counter(&p->worker, "transitions");
    p->calls = worker_counter(&p->worker, "calls");
    p->failures = worker_counter(&p->worker, "call_failures");
    p->completed = worker_counter(&p->worker, "activations_completed");
    p->failed = worker_counter(&p->worker, "activations_failed");
    p->cancelled = worker_counter(&p->worker, "activations_cancelled");
    p->stale = worker_counter(&p->worker, "transitions_stale");
    p->http = http_open(p->worker.base, &http);
    p->kick = event_new(p->worker.base, -1, 0, on_kick, p);
    p->tick = event_new(p->worker.base, -1, EV_PERSIST, on_tick, p);
    event_add(p->tick, &tick);
    open_stream(p);
}

/* Activations in memory are given up as a crash would give them up: their
 * stream entries are not acknowledged, their rows keep their owner. */
static void
forget_works(pool_t *p)
{
    size_t i = 0;
    work_t *w;

    for (int k = 0; k < p->lane_count; k++) {
        while (list_pop(&p->lanes[k].waiting)) {
            /* nobody gets the place of a call that is cancelled */
        }
    }
    while ((w = map_next(p->live, &i)) != NULL) {
        hint_t *h = w->hint;

        w->hint = NULL;
        if (h && --h->waiting == 0) {
            free(h);
        }
        work_free(p, w);
        i = 0; /* the map has changed */
    }
}

static void
pool_close(pool_t *p)
{
    forget_works(p);
    http_close(p->http);
    stream_close(p->stream);
    event_free(p->kick);
    event_free(p->tick);
    worker_close(&p->worker);
    for (int i = 0; i < p->definition_count; i++) {
        family_free(p->definitions[i]);
    }
    catalog_free(p->catalog);
    map_free(p->live);
    free(p->stream_key);
    free(p->name);
    free(p);
}

static void
show_fingerprint(pool_t *p)
{
    for (int i = 0; i < catalog_family_count(p->catalog); i++) {
        const family_t *f = catalog_family_at(p->catalog, i);

        if (str_eq(f->name, p->family)) {
            buf_printf(&p->worker.fingerprints, "{\"%.*s\":\"%s\"}",
                       STR_FMT(p->family), f->hash);
        }
    }
}

int
family_main(const settings_t *s, const char *family, int n)
{
    pool_t *p = xcalloc(1, sizeof(*p));
    char err[512];
    int rc = 2;

    pool_open(p, s, family, n);
    if (catalog_read_families(p->catalog, s->families, err, sizeof(err))) {
        show_fingerprint(p);
        rc = worker_run(&p->worker);
    } else {
        log_event(LOG_ERROR, "families", "why", err, NULL);
    }
    pool_close(p);
    return rc;
}
