/*
 * The notifier's process: events of the outbox to hub listeners.
 */
#include "backend/pools/notify.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "proto/keys.h"

#define HINT_WAIT       "1" /* seconds; a lost hint costs at most as much */
#define HINT_TIMEOUT_MS 3000
#define USER_AGENT      "turnup"

static const pg_statement_t statements[] = {
    [NOTIFY_SESSION] = {"session", sql_event_session},
    [NOTIFY_LOCK] = {"lock", sql_event_lock},
    [NOTIFY_LIST] = {"subscription_list", sql_subscription_list},
    [NOTIFY_RELAX] = {"relax", sql_event_relax},
    [NOTIFY_CURSORS] = {"cursors", sql_event_cursors},
    [NOTIFY_PAGE] = {"event_page", sql_event_page},
    [NOTIFY_ORDERS] = {"event_orders", sql_event_orders},
    [NOTIFY_ORDERS_NOW] = {"event_orders_now", sql_event_orders_now},
    [NOTIFY_ORDER_ITEMS] = {"event_order_items", sql_event_order_items},
    [NOTIFY_SERVICES] = {"event_services", sql_event_services},
    {NULL, NULL},
};

static void
on_lock(void *ctx, const PGresult *res)
{
    notifier_t *n = ctx;

    n->locked = PQntuples(res) == 1 && pg_bool(res, 0, 0);
}

static void pop_hint(notifier_t *n);

static void
on_lock_end(void *ctx, pg_outcome_t outcome, const char *sqlstate,
            const char *message)
{
    notifier_t *n = ctx;

    n->locking = false;
    if (outcome == PG_REFUSED) {
        log_event(LOG_ERROR, "the notifier's lock cannot be taken", "sqlstate",
                  sqlstate, "error", message, NULL);
    }
    n->locked = n->locked && outcome == PG_OK;
    if (n->locked) {
        log_event(LOG_INFO, "notifying", NULL);
        subscribers_refresh(n);
        pop_hint(n);
    }
}

static void
take_lock(notifier_t *n)
{
    pg_t *pg = n->worker.pg[0];

    if (n->locked || n->locking || !pg_up(pg)) {
        return;
    }
    n->locking = true;
    pg_exec(pg, NOTIFY_LOCK, NULL, on_lock, n);
    pg_commit(pg, on_lock_end, n);
}

static void
on_pg(worker_t *w, int connection, bool up)
{
    notifier_t *n = w->pool_ctx;

    if (up) {
        pg_exec(w->pg[connection], NOTIFY_SESSION, NULL, NULL, NULL);
        pg_commit(w->pg[connection], NULL, NULL);
    }
    if (connection == 0) {
        n->locked = false;
        n->leading = false;
        take_lock(n);
    } else if (up) {
        read_start(n);
    }
}

static void
refresh_soon(notifier_t *n)
{
    if (n->relist && clock_mono_ms() - n->refreshed_ms >= NOTIFY_REFRESH_MS) {
        subscribers_refresh(n);
    }
}

/*
 * The list holds one element at most: pools push one a batch and cut it. It
 * is taken by who leads only; a hint that another took costs a tick.
 */
static void
on_hint(void *ctx, const redisReply *reply)
{
    notifier_t *n = ctx;

    n->popping = false;
    if (reply && reply->type == REDIS_REPLY_ARRAY) {
        n->hinted = true;
        n->gap_us = NOTIFY_READ_GAP_US;
        read_start(n);
        n->relist = true; /* it may have been a registration */
        refresh_soon(n);
    }
    /* After an error, or a loss, the tick asks again. */
    if (reply &&
        (reply->type == REDIS_REPLY_ARRAY || reply->type == REDIS_REPLY_NIL)) {
        pop_hint(n);
    }
}

static void
pop_hint(notifier_t *n)
{
    const str_t argv[] = {STR("BRPOP"), str_of(n->events_key), STR(HINT_WAIT)};

    if (n->popping || !n->locked || n->worker.stopping ||
        !redis_up(n->hints)) {
        return;
    }
    n->popping = true;
    redis_command(n->hints, on_hint, n, HINT_TIMEOUT_MS, argv, 3);
}

static void
on_hints_state(void *ctx, bool up)
{
    if (up) {
        pop_hint(ctx);
    }
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    notifier_t *n = ctx;

    (void) fd;
    (void) what;
    take_lock(n);
    subscribers_count(n);
    n->hinted = true;
    subscribers_refresh(n);
    read_start(n);
    pop_hint(n);
}

static void
on_save(evutil_socket_t fd, short what, void *ctx)
{
    notifier_t *n = ctx;

    (void) fd;
    (void) what;
    refresh_soon(n);
    subscribers_save(n, n->saves++ % NOTIFY_SAVE_LAZY == 0);
}

static void
on_again(evutil_socket_t fd, short what, void *ctx)
{
    (void) fd;
    (void) what;
    read_start(ctx);
}

/* Everything that hangs on the event base, before the worker frees it. What
 * PostgreSQL may still answer to is kept until its connections are closed. */
static void
leave(notifier_t *n)
{
    n->left = true;
    subscribers_free(n);
    http_close(n->http);
    redis_close(n->hints);
    event_free(n->tick);
    event_free(n->save);
    event_free(n->again);
    event_free(n->stop);
    worker_exit(&n->worker);
}

void
notify_stop_soon(notifier_t *n)
{
    if (n->left || n->saving || http_in_flight(n->http) > 0) {
        return;
    }
    if (!subscribers_save(n, true)) {
        leave(n);
    }
}

static void
on_stop_time(evutil_socket_t fd, short what, void *ctx)
{
    notifier_t *n = ctx;

    (void) fd;
    (void) what;
    for (list_t *at = n->subscribers.next; at != &n->subscribers;
         at = at->next) {
        send_cancel(list_entry(at, subscriber_t, node));
    }
    notify_stop_soon(n);
}

static void
on_stop(worker_t *w)
{
    notifier_t *n = w->pool_ctx;
    struct timeval tv = {NOTIFY_STOP_MS / 1000, NOTIFY_STOP_MS % 1000 * 1000};

    evtimer_add(n->stop, &tv);
    notify_stop_soon(n);
}

/* A socket a listener: more than a shell's usual limit allows. */
static void
raise_file_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < NOTIFY_FILES) {
        r.rlim_cur = r.rlim_max < NOTIFY_FILES ? r.rlim_max : NOTIFY_FILES;
        (void) setrlimit(RLIMIT_NOFILE, &r);
    }
}

static void
open_counters(notifier_t *n)
{
    worker_t *w = &n->worker;

    n->delivered = worker_counter(w, "notifications_delivered");
    n->failed = worker_counter(w, "notifications_failed");
    n->retried = worker_counter(w, "notifications_retried");
    n->skipped = worker_counter(w, "notifications_skipped");
    n->outbox_behind = worker_counter(w, "outbox_behind");
    n->subscriptions = worker_counter(w, "subscriptions");
}

static void
open_links(notifier_t *n)
{
    const settings_t *s = n->worker.settings;
    const http_options_t options = {
        .max_connections = NOTIFY_CONNECTIONS,
        .max_host_connections = NOTIFY_HOST_CALLS,
        .networks = &s->hub_networks,
        .user_agent = USER_AGENT,
    };

    n->head = (lane_t){.notifier = n, .pg = n->worker.pg[0]};
    n->behind = (lane_t){.notifier = n, .pg = n->worker.pg[1]};
    n->http = http_open(n->worker.base, &options);
    n->events_key = worker_key(s, KEY_EVENTS, "");
    n->hints = redis_open(n->worker.base, &s->redis, on_hints_state, n);
}

static void
open_timers(notifier_t *n)
{
    struct event_base *base = n->worker.base;
    struct timeval tick = {NOTIFY_TICK_MS / 1000,
                           NOTIFY_TICK_MS % 1000 * 1000};
    struct timeval save = {0, NOTIFY_SAVE_MS * 1000};

    n->tick = event_new(base, -1, EV_PERSIST, on_tick, n);
    n->save = event_new(base, -1, EV_PERSIST, on_save, n);
    n->again = evtimer_new(base, on_again, n);
    n->stop = evtimer_new(base, on_stop_time, n);
    event_add(n->tick, &tick);
    event_add(n->save, &save);
}

int
notify_main(const settings_t *s, int number)
{
    notifier_t *n = xcalloc(1, sizeof(*n));
    int rc;

    raise_file_limit();
    list_init(&n->subscribers);
    list_init(&n->views);
    n->by_id = map_create();
    n->scratch = arena_create();
    n->envelopes = arena_create();
    n->gap_us = NOTIFY_READ_GAP_US;
    worker_open(&n->worker, s, "notify", number, statements);
    n->worker.pool_ctx = n;
    n->worker.on_pg = on_pg;
    n->worker.on_stop = on_stop;
    open_counters(n);
    open_links(n);
    open_timers(n);
    rc = worker_run(&n->worker);
    worker_close(&n->worker);
    arena_free(n->head.arena);
    arena_free(n->behind.arena);
    arena_free(n->refresh);
    arena_free(n->saving);
    map_free(n->by_id);
    arena_free(n->scratch);
    arena_free(n->envelopes);
    free(n->events_key);
    free(n);
    return rc;
}
