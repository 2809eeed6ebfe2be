/*
 * The keeper: what nobody else remembers. Activations that are due (a
 * deadline, a hint that was lost, a start date) are hinted; work of slots
 * that died for good is taken from them; after Redis was flushed the hints are
 * made anew from PostgreSQL; partitions are made ahead of time. Beside that it
 * runs the catalog's jobs (jobs.h).
 */
#include "backend/pools/hints.h"
#include "backend/pools/jobs.h"
#include "backend/pools/worker.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/store/activations.h"
#include "backend/store/requests.h"
#include "backend/store/statements.h"

#define TICK_MS          250
#define DUE_MAX          2000 /* hinted in one turn */
#define LOST_EVERY       4    /* turns */
#define LOST_SECONDS     6    /* a slot not seen for so long is dead */
#define HOURLY           14400
#define PARTITIONS_AHEAD 2
#define REQUEST_DAYS     7 /* nobody sends a POST again after so long */
/* A key that is there as long as nobody flushed Redis. */
#define KEY_EPOCH "epoch"

typedef struct {
    worker_t worker;
    jobs_t *jobs;
    char *epoch_key;
    struct event *tick;
    unsigned turns;
    bool busy;    /* a segment is under way */
    bool asked;   /* for the epoch */
    bool rebuild; /* Redis has lost what it held */
    uint64_t *hinted, *lost;
} keeper_t;

/* One segment and the hints that come of it. */
typedef struct {
    keeper_t *keeper;
    arena_t *arena;
    hints_t hints;
    uint64_t *counter;
    bool rebuild;
} turn_t;

static void
on_rows(void *ctx, const PGresult *res)
{
    turn_t *t = ctx;

    for (int i = 0; i < PQntuples(res); i++) {
        hints_add(&t->hints, pg_uuid(res, i, 0), pg_text(res, i, 1), STR_NONE);
    }
    *t->counter += (uint64_t) PQntuples(res);
}

static void
on_lost(void *ctx, const PGresult *res)
{
    turn_t *t = ctx;
    char n[16];

    on_rows(ctx, res);
    if (PQntuples(res)) {
        *t->keeper->lost += (uint64_t) PQntuples(res);
        snprintf(n, sizeof(n), "%d", PQntuples(res));
        log_event(LOG_WARN, "activations taken from dead workers", "count", n,
                  NULL);
    }
}

static void
on_turned(void *ctx, pg_outcome_t outcome, const char *sqlstate,
          const char *message)
{
    turn_t *t = ctx;
    keeper_t *k = t->keeper;

    k->busy = false;
    if (k->worker.stopping) {
        worker_exit(&k->worker);
    }
    if (outcome == PG_OK) {
        hints_send(&t->hints, k->worker.redis, k->worker.settings);
        if (t->rebuild) {
            char n[16];

            snprintf(n, sizeof(n), "%d", t->hints.count);
            redis_call(k->worker.redis, NULL, NULL, "SET", k->epoch_key, "1",
                       NULL);
            k->rebuild = false;
            log_event(LOG_WARN, "hints made anew, Redis was empty", "count", n,
                      NULL);
        }
    } else {
        log_event(LOG_WARN, "keeper's turn failed", "sqlstate", sqlstate,
                  "why", message, NULL);
    }
    arena_free(t->arena);
}

static void
turn(keeper_t *k)
{
    pg_t *pg = worker_pg(&k->worker);
    arena_t *a;
    turn_t *t;

    if (!pg || k->busy) {
        return;
    }
    a = arena_create();
    t = arena_new(a, turn_t);
    t->keeper = k;
    t->arena = a;
    t->counter = k->hinted;
    hints_init(&t->hints, a);
    k->busy = true;
    if (k->turns % HOURLY == 0) {
        pg_params_t p;

        pg_params(&p, a);
        pg_add_int(&p, PARTITIONS_AHEAD);
        pg_exec(pg, STATEMENT_partitions, &p, NULL, NULL);
        requests_expire(pg, a, REQUEST_DAYS);
    }
    if (!k->worker.settings->paused) {
        if (k->turns % LOST_EVERY == 0) {
            activations_lost(pg, a, LOST_SECONDS, on_lost, t);
        }
        if (k->rebuild && redis_up(k->worker.redis)) {
            t->rebuild = true;
            activations_rebuild(pg, a, on_rows, t);
        }
        activations_due(pg, a, DUE_MAX, on_rows, t);
    }
    pg_commit(pg, on_turned, t);
    k->turns++;
}

static void
on_epoch(void *ctx, const redisReply *reply)
{
    keeper_t *k = ctx;

    k->asked = false;
    if (reply && reply->type == REDIS_REPLY_NIL) {
        k->rebuild = true;
    }
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    keeper_t *k = ctx;

    (void) fd;
    (void) what;
    if (redis_up(k->worker.redis) && !k->asked) {
        k->asked = true;
        redis_call(k->worker.redis, on_epoch, k, "GET", k->epoch_key, NULL);
    }
    if (k->worker.stopping) {
        return;
    }
    jobs_look(k->jobs);
    turn(k);
}

/* The segment under way is waited for: its hints are not to be lost. */
static void
on_stop(worker_t *w)
{
    keeper_t *k = w->pool_ctx;

    if (!k->busy) {
        worker_exit(w);
    }
}

int
keeper_main(const settings_t *s, int n)
{
    keeper_t *k = xcalloc(1, sizeof(*k));
    struct timeval tick = {0, TICK_MS * 1000};
    int rc;

    worker_open(&k->worker, s, "keeper", n, store_statements);
    k->worker.pool_ctx = k;
    k->worker.on_stop = on_stop;
    k->jobs = jobs_open(&k->worker);
    k->epoch_key = worker_key(s, KEY_EPOCH, "");
    k->hinted = worker_counter(&k->worker, "activations_hinted");
    k->lost = worker_counter(&k->worker, "activations_recovered");
    k->tick = event_new(k->worker.base, -1, EV_PERSIST, on_tick, k);
    event_add(k->tick, &tick);
    rc = worker_run(&k->worker);
    event_free(k->tick);
    jobs_close(k->jobs);
    worker_close(&k->worker);
    free(k->epoch_key);
    free(k);
    return rc;
}
