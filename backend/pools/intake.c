/*
 * The intake pool: the process. Takes requests once definitions have their
 * numbers and the catalog is read, and keeps the catalog fresh.
 *
 * Everything a client waits for ends in a reply or in the client's own
 * time-out; an entry is acknowledged only when its outcome is in PostgreSQL
 * or when the client was told that it is not.
 */
#include "backend/pools/intake.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/store/statements.h"
#include "proto/keys.h"

#define TICK_MS       100
#define CATALOG_MS    1000
#define CLAIM_IDLE_MS 10000

/* The catalog -------------------------------------------------------------- */

static void
on_changes(void *ctx, const PGresult *res)
{
    intake_t *in = ctx;

    for (int i = 0; i < PQntuples(res); i++) {
        entity_record_t s;

        entity_read(res, i, &s);
        catalog_apply(in->catalog, &s);
    }
}

static void
on_group_changes(void *ctx, const PGresult *res)
{
    on_changes(((group_t *) ctx)->batch->intake, res);
}

void
intake_refresh(group_t *g, pg_end_fn then, void *ctx)
{
    specifications_changes(g->pg, group_arena(g),
                           catalog_change(g->batch->intake->catalog),
                           on_group_changes, g);
    pg_commit(g->pg, then, ctx);
}

static void
on_catalog_read(void *ctx, pg_outcome_t outcome, const char *sqlstate,
                const char *message)
{
    intake_t *in = ctx;

    (void) sqlstate;
    (void) message;
    in->preparing = false;
    if (outcome == PG_OK && !in->ready) {
        in->ready = true;
        intake_read_on(in);
        log_event(LOG_INFO, "ready", NULL);
    }
}

static void
on_secret(void *ctx, const PGresult *res)
{
    intake_t *in = ctx;
    str_t s = PQntuples(res) ? pg_text(res, 0, 0) : STR_NONE;

    in->secret_len = s.len < sizeof(in->secret) ? s.len : sizeof(in->secret);
    memcpy(in->secret, s.len ? s.data : "", in->secret_len);
}

typedef struct {
    intake_t *intake;
    int family;
} numbering_t;

static numbering_t numbering[CATALOG_MAX_FAMILIES];

static void
on_definition(void *ctx, const PGresult *res)
{
    numbering_t *n = ctx;

    if (PQntuples(res)) {
        catalog_set_definition(n->intake->catalog, n->family,
                               pg_int(res, 0, 0));
    }
}

/* Definitions get their numbers, then the catalog and the secret are read:
 * only then requests are taken. Later only the catalog. */
static void
prepare(intake_t *in)
{
    pg_t *pg = worker_pg(&in->worker);
    arena_t *a;

    if (!pg || in->preparing) {
        return;
    }
    in->preparing = true;
    a = arena_create();
    for (int i = 0; !in->ready && i < catalog_family_count(in->catalog); i++) {
        const family_t *f = catalog_family_at(in->catalog, i);

        numbering[i] = (numbering_t){in, i};
        definition_insert(pg, a, f->name, f->version, str_of(f->hash), f->text,
                          on_definition, &numbering[i]);
    }
    if (!in->ready) {
        secret_load(pg, a, on_secret, in);
    }
    specifications_changes(pg, a, catalog_change(in->catalog), on_changes, in);
    pg_commit(pg, on_catalog_read, in);
    arena_free(a);
}

/* The process -------------------------------------------------------------- */

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    static int turns;
    intake_t *in = ctx;

    (void) fd;
    (void) what;
    intake_unpark(in);
    if (++turns * TICK_MS >= CATALOG_MS || !in->ready) {
        turns = 0;
        prepare(in);
    }
}

static void
on_pg(worker_t *w, int connection, bool up)
{
    intake_t *in = w->pool_ctx;

    (void) connection;
    if (up) {
        if (!in->ready) {
            prepare(in);
        }
        intake_unpark(in);
    }
}

static void
on_redis(worker_t *w, bool up)
{
    if (up) {
        intake_unmute(w->pool_ctx);
    }
}

static void
on_lists_pg(void *ctx, bool up)
{
    if (up) {
        intake_unpark(ctx);
    }
}

static void
on_stop(worker_t *w)
{
    intake_t *in = w->pool_ctx;

    stream_pause(in->stream);
    intake_maybe_exit(in);
}

static void
open_stream(intake_t *in)
{
    const settings_t *s = in->worker.settings;
    stream_options_t o = {
        .address = &s->redis,
        .stream_count = INTAKE_STREAMS,
        .group = KEY_REQUEST_GROUP,
        .consumer = in->worker.slot,
        .batch = settings_batch(s, "intake"),
        .claim_idle_ms = CLAIM_IDLE_MS,
        .on_batch = intake_on_batch,
        .ctx = in,
    };

    for (int i = 0; i < INTAKE_STREAMS; i++) {
        in->stream_keys[i] = worker_key(s, KEY_REQUEST, api_name((api_t) i));
        o.streams[i] = in->stream_keys[i];
    }
    in->stream = stream_open(in->worker.base, &o);
}

/* Lists are planned with their values. A list gets one core, and compiling
 * one would take longer than it may. */
static void
open_lists(intake_t *in)
{
    const settings_t *s = in->worker.settings;

    snprintf(in->lists_setup, sizeof(in->lists_setup),
             "SELECT set_config('statement_timeout', '%d', false),"
             " set_config('max_parallel_workers_per_gather', '0', false),"
             " set_config('jit', 'off', false)",
             s->list_timeout_ms);
    in->lists = pg_open(in->worker.base, s->postgres, store_statements,
                        on_lists_pg, in);
    pg_setup(in->lists, in->lists_setup);
}

static intake_t *
intake_open(const settings_t *s, int n)
{
    intake_t *in = xcalloc(1, sizeof(*in));
    struct timeval tick = {0, TICK_MS * 1000};

    list_init(&in->parked);
    list_init(&in->mute);
    in->catalog = catalog_create();
    worker_open(&in->worker, s, "intake", n, store_statements);
    in->worker.pool_ctx = in;
    in->worker.on_pg = on_pg;
    in->worker.on_redis = on_redis;
    in->worker.on_stop = on_stop;
    in->requests = worker_counter(&in->worker, "requests");
    in->orders = worker_counter(&in->worker, "orders_accepted");
    in->refused = worker_counter(&in->worker, "orders_rejected");
    in->failed = worker_counter(&in->worker, "requests_failed");
    open_lists(in);
    open_stream(in);
    in->tick = event_new(in->worker.base, -1, EV_PERSIST, on_tick, in);
    event_add(in->tick, &tick);
    in->gather = evtimer_new(in->worker.base, intake_gathered, in);
    return in;
}

static void
intake_close(intake_t *in)
{
    event_free(in->tick);
    event_free(in->gather);
    stream_close(in->stream);
    pg_close(in->lists);
    worker_close(&in->worker);
    for (int i = 0; i < INTAKE_STREAMS; i++) {
        free(in->stream_keys[i]);
    }
    catalog_free(in->catalog);
    free(in);
}

int
intake_main(const settings_t *s, int n)
{
    intake_t *in = intake_open(s, n);
    char err[512];
    int rc = 2;

    if (catalog_read_families(in->catalog, s->families, err, sizeof(err))) {
        catalog_fingerprints(in->catalog, &in->worker.fingerprints);
        rc = worker_run(&in->worker);
    } else {
        log_event(LOG_ERROR, "families", "why", err, NULL);
    }
    intake_close(in);
    return rc;
}
