/*
 * The common part of a pool process.
 *
 * The heartbeat goes to Redis (for monitoring and for the edge, which answers
 * 503 when no intake lives) and, by pools that own activations, to the table
 * worker (for the keeper, which takes work from the dead).
 */
#define _GNU_SOURCE
#include "backend/pools/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "backend/store/statements.h"
#include "proto/keys.h"

#define WORKER_VERSION    "1"
#define STOP_DEADLINE_SEC 20 /* a clean stop takes no longer */

char *
worker_key(const settings_t *s, const char *kind, const char *name)
{
    size_t n = strlen(s->prefix) + strlen(kind) + strlen(name) + 1;
    char *key = xcalloc(1, n);

    snprintf(key, n, "%s%s%s", s->prefix, kind, name);
    return key;
}

uint64_t *
worker_counter(worker_t *w, const char *name)
{
    for (int i = 0; i < w->counter_count; i++) {
        if (!strcmp(w->counters[i].name, name)) {
            return &w->counters[i].value;
        }
    }
    if (w->counter_count == WORKER_COUNTERS) {
        log_event(LOG_ERROR, "too many counters", "name", name, NULL);
        abort();
    }
    w->counters[w->counter_count].name = name;
    return &w->counters[w->counter_count++].value;
}

bool
worker_pg_up(const worker_t *w)
{
    for (int i = 0; i < WORKER_CONNECTIONS; i++) {
        if (pg_up(w->pg[i])) {
            return true;
        }
    }
    return false;
}

pg_t *
worker_pg(worker_t *w)
{
    pg_t *best = NULL;

    for (int i = 0; i < WORKER_CONNECTIONS; i++) {
        if (pg_up(w->pg[i]) && !pg_asking(w->pg[i]) &&
            (!best || pg_in_flight(w->pg[i]) < pg_in_flight(best))) {
            best = w->pg[i];
        }
    }
    return best;
}

static void
heartbeat_body(const worker_t *w, buf_t *out)
{
    buf_printf(out,
               "{\"version\":\"" WORKER_VERSION "\",\"pool\":\"%s\","
               "\"slot\":\"%s\",\"pid\":%d,\"postgres\":%s,",
               w->pool, w->slot, (int) getpid(),
               worker_pg_up(w) ? "true" : "false");
    buf_puts(out, "\"families\":");
    buf_str(out, w->fingerprints.len ? buf_view(&w->fingerprints) : STR("{}"));
    buf_puts(out, ",\"counters\":{");
    for (int i = 0; i < w->counter_count; i++) {
        buf_printf(out, "%s\"%s\":%llu", i ? "," : "", w->counters[i].name,
                   (unsigned long long) w->counters[i].value);
    }
    buf_puts(out, "}}");
}

static void
heartbeat(worker_t *w)
{
    char member[320], ttl[16], until[32];
    char *key, *set = worker_key(w->settings, KEY_WORKERS, "");
    buf_t body;

    snprintf(member, sizeof(member), "%s:%s:%d", w->pool, w->settings->host,
             (int) getpid());
    snprintf(ttl, sizeof(ttl), "%d", HEARTBEAT_TTL_MS);
    snprintf(until, sizeof(until), "%lld",
             (long long) (clock_us() / 1000) + HEARTBEAT_TTL_MS);
    key = worker_key(w->settings, KEY_WORKER, member);
    buf_init(&body, 65536);
    heartbeat_body(w, &body);
    redis_call(w->redis, NULL, NULL, "SET", key, body.data ? body.data : "{}",
               "PX", ttl, NULL);
    redis_call(w->redis, NULL, NULL, "ZADD", set, until, member, NULL);
    snprintf(until, sizeof(until), "(%lld", (long long) (clock_us() / 1000));
    redis_call(w->redis, NULL, NULL, "ZREMRANGEBYSCORE", set, "-inf", until,
               NULL);
    buf_free(&body);
    free(key);
    free(set);
}

static void
farewell(worker_t *w)
{
    char member[320];
    char *key, *set = worker_key(w->settings, KEY_WORKERS, "");

    snprintf(member, sizeof(member), "%s:%s:%d", w->pool, w->settings->host,
             (int) getpid());
    key = worker_key(w->settings, KEY_WORKER, member);
    redis_call(w->redis, NULL, NULL, "DEL", key, NULL);
    redis_call(w->redis, NULL, NULL, "ZREM", set, member, NULL);
    free(key);
    free(set);
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    (void) fd;
    (void) what;
    heartbeat(ctx);
}

static void
on_stop_signal(evutil_socket_t fd, short what, void *ctx)
{
    worker_t *w = ctx;
    struct timeval tv = {STOP_DEADLINE_SEC, 0};

    (void) fd;
    (void) what;
    if (w->stopping) {
        return;
    }
    w->stopping = true;
    log_event(LOG_INFO, "stopping", NULL);
    evtimer_add(w->deadline, &tv);
    if (w->on_stop) {
        w->on_stop(w);
    } else {
        worker_exit(w);
    }
}

static void
on_stop_deadline(evutil_socket_t fd, short what, void *ctx)
{
    (void) fd;
    (void) what;
    log_event(LOG_WARN, "stopped before all was done", NULL);
    event_base_loopbreak(((worker_t *) ctx)->base);
}

static void
on_redis_state(void *ctx, bool up)
{
    worker_t *w = ctx;

    log_event(up ? LOG_INFO : LOG_ERROR,
              up ? "Redis connected" : "Redis connection lost", NULL);
    if (up) {
        heartbeat(w);
    }
    if (w->on_redis) {
        w->on_redis(w, up);
    }
}

static void
on_pg_state(void *ctx, bool up)
{
    struct worker_link *link = ctx;
    worker_t *w = link->worker;

    if (!up && !w->stopping) {
        log_event(LOG_ERROR, "PostgreSQL connection lost", NULL);
    }
    if (w->redis && redis_up(w->redis)) {
        heartbeat(w);
    }
    if (w->on_pg) {
        w->on_pg(w, link->connection, up);
    }
}

static struct event_base *
base_open(void)
{
    struct event_config *cfg = event_config_new();
    struct event_base *base;

    event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK |
                                   EVENT_BASE_FLAG_PRECISE_TIMER |
                                   EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    base = event_base_new_with_config(cfg);
    event_config_free(cfg);
    if (!base) {
        abort();
    }
    return base;
}

void
worker_open(worker_t *w, const settings_t *s, const char *pool, int n,
            const pg_statement_t *statements)
{
    struct timeval second = {HEARTBEAT_EVERY_MS / 1000, 0};

    w->settings = s;
    w->pool = pool;
    snprintf(w->slot, sizeof(w->slot), "%s:%s:%d", pool, s->host, n);
    log_init(pool, s->log_level);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    buf_init(&w->fingerprints, 65536);
    w->base = base_open();
    w->sigterm = evsignal_new(w->base, SIGTERM, on_stop_signal, w);
    w->sigint = evsignal_new(w->base, SIGINT, on_stop_signal, w);
    w->deadline = evtimer_new(w->base, on_stop_deadline, w);
    w->tick = event_new(w->base, -1, EV_PERSIST, on_tick, w);
    evsignal_add(w->sigterm, NULL);
    evsignal_add(w->sigint, NULL);
    event_add(w->tick, &second);
    w->redis = redis_open(w->base, &s->redis, on_redis_state, w);
    for (int i = 0; i < WORKER_CONNECTIONS; i++) {
        w->links[i] = (struct worker_link){w, i};
        w->pg[i] = pg_open(w->base, s->postgres, statements, on_pg_state,
                           &w->links[i]);
        pg_setup(w->pg[i], store_setup);
    }
}

static void
on_farewell(void *ctx, const redisReply *reply)
{
    (void) reply;
    event_base_loopbreak(((worker_t *) ctx)->base);
}

void
worker_exit(worker_t *w)
{
    if (!redis_up(w->redis)) {
        event_base_loopbreak(w->base);
        return;
    }
    farewell(w);
    redis_call(w->redis, on_farewell, w, "PING", NULL);
}

int
worker_run(worker_t *w)
{
    int rc = event_base_dispatch(w->base);

    log_event(LOG_INFO, "stopped", NULL);
    return rc < 0 ? 1 : 0;
}

void
worker_close(worker_t *w)
{
    for (int i = 0; i < WORKER_CONNECTIONS; i++) {
        pg_close(w->pg[i]);
    }
    redis_close(w->redis);
    event_free(w->sigterm);
    event_free(w->sigint);
    event_free(w->deadline);
    event_free(w->tick);
    event_base_free(w->base);
    buf_free(&w->fingerprints);
}
