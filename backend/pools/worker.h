/*
 * What every pool process has: an event loop, PostgreSQL connections, a
 * heartbeat, counters, a clean stop.
 */
#ifndef TURNUP_POOLS_WORKER_H
#define TURNUP_POOLS_WORKER_H

#include <event2/event.h>

#include "backend/pools/settings.h"
#include "backend/store/pg.h"

#define WORKER_CONNECTIONS 2 /* batches in flight: one commits, one computes */
#define WORKER_COUNTERS    16

typedef struct worker worker_t;

typedef struct {
    const char *name; /* shown as turnup_worker_<name> */
    uint64_t value;
} counter_t;

struct worker {
    const settings_t *settings;
    const char *pool; /* "intake", "family:voip", "notify", "keeper" */
    char slot[256];   /* "<pool>:<host>:<n>": stable across restarts */
    struct event_base *base;
    redis_t *redis; /* hints, replies, heartbeats */
    pg_t *pg[WORKER_CONNECTIONS];
    struct worker_link {
        worker_t *worker;
        int connection;
    } links[WORKER_CONNECTIONS]; /* whom a connection reports to */
    counter_t counters[WORKER_COUNTERS];
    int counter_count;
    buf_t fingerprints; /* JSON object: definitions in memory */
    bool stopping;      /* SIGTERM came: take no more work */
    /* set by the pool before worker_run() */
    void *pool_ctx;
    void (*on_pg)(worker_t *w, int connection, bool up);
    void (*on_redis)(worker_t *w, bool up);
    void (*on_stop)(worker_t *w); /* take no more; call worker_exit() when
                                     what is in hand is done */
    struct event *tick, *sigterm, *sigint, *deadline;
};

/* statements: the table for all its connections. */
void worker_open(worker_t *w, const settings_t *s, const char *pool, int n,
                 const pg_statement_t *statements);
/* Runs until worker_exit(); returns the process's exit code. */
int worker_run(worker_t *w);
void worker_exit(worker_t *w);
/* The last: what else hangs on the event base is to be freed before. What
 * PostgreSQL and Redis still owe an answer to is told nothing. */
void worker_close(worker_t *w);

/* A connection that is up and has the fewest segments, or NULL. One whose
 * segment waits for pg_ask() is not given. */
pg_t *worker_pg(worker_t *w);
bool worker_pg_up(const worker_t *w);
/* The counter of that name, made at the first call (a constant string). */
uint64_t *worker_counter(worker_t *w, const char *name);

/* prefix + kind + name as a new string (xstrdup'ed). */
char *worker_key(const settings_t *s, const char *kind, const char *name);

/* The pools: run in a forked child, return its exit code. n: which process of
 * the pool. */
int intake_main(const settings_t *s, int n);
int family_main(const settings_t *s, const char *family, int n);
int notify_main(const settings_t *s, int n);
int keeper_main(const settings_t *s, int n);

#endif
