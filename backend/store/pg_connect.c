/*
 * One attempt: libpq's steps, each waiting for the socket, and a time limit
 * for each host of the connection string.
 */
#include "backend/store/pg_connect.h"

#include <stdlib.h>

#include "backend/base/arena.h"
#include "backend/base/log.h"

enum { HOST_MS = 5000 };

struct pg_connect {
    struct event_base *base;
    PGconn *conn;
    pg_connect_fn fn;
    void *ctx;
    const char *host;     /* libpq's own pointer: which one is being tried */
    struct event *socket; /* made anew for each step: libpq may change it */
    struct event *timer;
    const char *failure; /* to be told by the timer, or NULL */
};

static void
on_notice(void *ctx, const char *message)
{
    (void) ctx;
    log_event(LOG_DEBUG, "postgresql notice", "notice", message, NULL);
}

void
pg_connect_cancel(pg_connect_t *c)
{
    if (c == NULL) {
        return;
    }
    if (c->socket != NULL) {
        event_free(c->socket);
    }
    event_free(c->timer);
    PQfinish(c->conn);
    free(c);
}

static void
arm(pg_connect_t *c, int seconds)
{
    struct timeval tv = {seconds, 0};

    (void) event_add(c->timer, &tv);
}

static void
succeed(pg_connect_t *c)
{
    PGconn *conn = c->conn;
    pg_connect_fn fn = c->fn;
    void *ctx = c->ctx;

    c->conn = NULL;
    pg_connect_cancel(c);
    fn(ctx, conn, NULL);
}

static void
fail(pg_connect_t *c, const char *why)
{
    PGconn *conn = c->conn; /* why may lie in it */
    pg_connect_fn fn = c->fn;
    void *ctx = c->ctx;

    c->conn = NULL;
    pg_connect_cancel(c);
    fn(ctx, NULL, why);
    PQfinish(conn);
}

static void on_socket(evutil_socket_t fd, short what, void *ctx);

static void
wait_for(pg_connect_t *c, short what)
{
    const char *host = PQhost(c->conn);

    if (host != c->host) {
        c->host = host;
        arm(c, HOST_MS / 1000);
    }
    if (c->socket != NULL) {
        event_free(c->socket);
    }
    c->socket = event_new(c->base, PQsocket(c->conn), what, on_socket, c);
    if (c->socket == NULL || event_add(c->socket, NULL) != 0) {
        c->failure = "no event for the socket";
        arm(c, 0);
    }
}

static void
on_socket(evutil_socket_t fd, short what, void *ctx)
{
    pg_connect_t *c = ctx;

    (void) fd;
    (void) what;
    switch (PQconnectPoll(c->conn)) {
    case PGRES_POLLING_OK:
        succeed(c);
        break;
    case PGRES_POLLING_READING:
        wait_for(c, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        wait_for(c, EV_WRITE);
        break;
    default:
        fail(c, PQerrorMessage(c->conn));
    }
}

static void
on_timer(evutil_socket_t fd, short what, void *ctx)
{
    pg_connect_t *c = ctx;

    (void) fd;
    (void) what;
    fail(c, c->failure != NULL ? c->failure : "connecting took too long");
}

/* What stands in the connection string goes before these. tcp_user_timeout
 * bounds a silent host, so that libpq goes on to the next before our own
 * limit; the rest finds a connection that died in silence. */
static PGconn *
start(const char *conninfo)
{
    static const char *const names[] = {
        "fallback_application_name",
        "tcp_user_timeout",
        "keepalives_idle",
        "keepalives_interval",
        "client_encoding",
        "dbname",
        NULL,
    };
    const char *const values[] = {
        "turnup", "3000", "10", "5", "UTF8", conninfo, NULL,
    };

    return PQconnectStartParams(names, values, 1);
}

pg_connect_t *
pg_connect_start(struct event_base *base, const char *conninfo,
                 pg_connect_fn fn, void *ctx)
{
    pg_connect_t *c = xcalloc(1, sizeof(*c));

    c->base = base;
    c->fn = fn;
    c->ctx = ctx;
    c->conn = start(conninfo);
    c->timer = event_new(base, -1, 0, on_timer, c);
    if (c->conn == NULL || c->timer == NULL) {
        abort();
    }
    (void) PQsetNoticeProcessor(c->conn, on_notice, NULL);
    if (PQstatus(c->conn) == CONNECTION_BAD) {
        c->failure = PQerrorMessage(c->conn);
        arm(c, 0);
    } else {
        wait_for(c, EV_WRITE);
    }
    return c;
}
