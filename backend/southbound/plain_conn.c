/*
 * A connection: one request at a time, its read event added once for life.
 */
#include "backend/southbound/plain.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/base/arena.h"

static void on_in(evutil_socket_t fd, short what, void *ctx);
static void on_out(evutil_socket_t fd, short what, void *ctx);

static void
close_socket(conn_t *conn)
{
    if (conn->fd >= 0) {
        event_free(conn->in);
        event_free(conn->out);
        (void) close(conn->fd);
        conn->fd = -1;
    }
}

void
conn_close(conn_t *conn)
{
    host_t *h = conn->host;

    close_socket(conn);
    list_remove(&conn->node);
    list_remove(&conn->idle);
    list_remove(&conn->rest);
    if (conn->call != NULL) {
        conn->call->conn = NULL;
    }
    h->connections--;
    h->plain->connections--;
    h->used_at = plain_now();
    free(conn);
}

/* A socket on its way to the address; -1 with errno. */
static int
start_socket(conn_t *conn, const resolve_address_t *a)
{
    struct event_base *base = conn->host->plain->base;
    int on = 1;
    int fd = socket(a->at.any.sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    if (connect(fd, &a->at.any, a->len) < 0 && errno != EINPROGRESS) {
        int error = errno;

        (void) close(fd);
        errno = error;
        return -1;
    }
    conn->fd = fd;
    conn->in = event_new(base, fd, EV_READ | EV_PERSIST, on_in, conn);
    conn->out = event_new(base, fd, EV_WRITE, on_out, conn);
    if (conn->in == NULL || conn->out == NULL ||
        event_add(conn->out, NULL) < 0) {
        abort();
    }
    return fd;
}

/* All addresses have been tried. */
static void
give_up(conn_t *conn, int error)
{
    host_t *h = conn->host;
    call_t *c = conn->call;

    conn_close(conn);
    if (error == 0) {
        call_fail(c, "the address is private");
        return;
    }
    if (h->resolve_after != PLAIN_NEVER) {
        h->resolve_after = 0; /* the name may have moved */
    }
    call_fail(c, "could not connect to %s:%s: %s", h->name, h->port,
              strerror(error));
}

/* The next address, each with its share of the time; false: none. */
static bool
try_address(conn_t *conn, int error)
{
    host_t *h = conn->host;
    call_t *c = conn->call;

    while (conn->tried < h->address_count) {
        const resolve_address_t *a;
        int64_t now = plain_now();

        conn->address = (conn->first + conn->tried++) % h->address_count;
        a = &h->addresses[conn->address];
        if (!http_may_connect(&h->plain->options, &a->at.any)) {
            continue;
        }
        if (start_socket(conn, a) >= 0) {
            conn->try_deadline =
                now + (c->connect_deadline - now) /
                          (h->address_count - conn->tried + 1);
            plain_wake(h->plain, conn->try_deadline);
            return true;
        }
        error = errno;
    }
    give_up(conn, error);
    return false;
}

bool
conn_try_next(conn_t *conn)
{
    close_socket(conn);
    return try_address(conn, ETIMEDOUT);
}

void
conn_open(host_t *h, call_t *c)
{
    conn_t *conn = xcalloc(1, sizeof(*conn));

    conn->host = h;
    conn->fd = -1;
    conn->first = h->preferred;
    conn->call = c;
    c->conn = conn;
    c->connect_deadline = plain_now() + c->connect_ms;
    list_append(&h->conns, &conn->node);
    list_init(&conn->idle);
    list_init(&conn->rest);
    h->connections++;
    h->plain->connections++;
    (void) try_address(conn, 0);
}

/* The call's connection is over. One that had been kept and gave nothing was
 * most likely closed before the request came: once more, on a fresh one. */
static void
conn_lost(conn_t *conn, const char *why)
{
    call_t *c = conn->call;
    bool again = conn->kept && !c->answer.begun && !c->again;

    conn_close(conn);
    if (!again) {
        call_fail(c, "%s", why);
        return;
    }
    c->again = true;
    list_append(c->host->waiting.next, &c->turn); /* the first of all */
}

static void
write_request(conn_t *conn)
{
    call_t *c = conn->call;

    while (c->written < c->request.len && !conn->write_failed) {
        ssize_t n = send(conn->fd, c->request.data + c->written,
                         c->request.len - c->written, MSG_NOSIGNAL);

        if (n > 0) {
            c->written += (size_t) n;
            c->sent = true;
        } else if (n < 0 && errno == EAGAIN) {
            (void) event_add(conn->out, NULL);
            return;
        } else if (n < 0 && errno != EINTR) {
            /* reading tells whether an answer came first */
            conn->write_failed = true;
        }
    }
}

static void
start_request(conn_t *conn)
{
    call_t *c = conn->call;
    str_t request = buf_view(&c->request);

    c->connect_deadline = PLAIN_NEVER;
    c->written = 0;
    http_parse_begin(&c->answer,
                     request.len > 5 && memcmp(request.data, "HEAD ", 5) == 0);
    write_request(conn);
}

void
conn_give(conn_t *conn, call_t *c)
{
    list_remove(&conn->idle);
    list_remove(&conn->rest);
    conn->call = c;
    c->conn = conn;
    start_request(conn);
}

static void
conn_rest(conn_t *conn)
{
    host_t *h = conn->host;

    conn->kept = true;
    conn->idle_since = plain_now();
    list_append(h->idle.next, &conn->idle); /* used last, used next */
    list_append(&h->plain->rested, &conn->rest);
}

/* The answer is whole; reusable: nothing came or was left behind it. */
static void
conn_done(conn_t *conn, bool reusable)
{
    host_t *h = conn->host;
    call_t *c = conn->call;

    c->conn = NULL;
    conn->call = NULL;
    if (reusable && c->answer.keep && c->written == c->request.len &&
        !plain_starves(h->plain, h)) {
        conn_rest(conn);
    } else {
        conn_close(conn);
    }
    plain_serve(h->plain, h);
    call_answer(c);
}

/* The end of the stream, or an error of the socket. */
static void
on_end(conn_t *conn, int error)
{
    call_t *c = conn->call;
    host_t *h = conn->host;

    if (c == NULL) {
        conn_close(conn);
    } else if (error == 0 && http_parse_end(&c->answer) == HTTP_DONE) {
        conn_done(conn, false);
        return;
    } else {
        conn_lost(conn, error != 0 ? strerror(error) : c->answer.error);
    }
    plain_serve(h->plain, h);
}

static void
on_data(conn_t *conn, const char *data, size_t len)
{
    host_t *h = conn->host;
    call_t *c = conn->call;
    size_t used;

    switch (c != NULL ? http_parse_feed(&c->answer, data, len, &used)
                      : HTTP_BAD) {
    case HTTP_MORE:
        return;
    case HTTP_DONE:
        conn_done(conn, used == len);
        return;
    default:
        conn_close(conn); /* also when nobody asked */
        if (c != NULL) {
            call_fail(c, "%s", c->answer.error);
        }
        plain_serve(h->plain, h);
    }
}

static void
on_in(evutil_socket_t fd, short what, void *ctx)
{
    conn_t *conn = ctx;
    plain_t *p = conn->host->plain;
    ssize_t n = recv(fd, p->input, sizeof(p->input), 0);

    (void) what;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    plain_enter(p);
    if (n > 0) {
        on_data(conn, p->input, (size_t) n);
    } else {
        on_end(conn, n < 0 ? errno : 0);
    }
    plain_leave(p);
}

/* Writable: connected, or room for the rest of a request. */
static void
on_out(evutil_socket_t fd, short what, void *ctx)
{
    conn_t *conn = ctx;
    host_t *h = conn->host;
    int error = 0;
    socklen_t len = sizeof(error);

    (void) what;
    if (conn->connected) {
        if (conn->call != NULL) {
            write_request(conn);
        }
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) {
        error = errno;
    }
    if (error != 0) {
        close_socket(conn);
        (void) try_address(conn, error);
        plain_serve(h->plain, h);
        return;
    }
    conn->connected = true;
    h->preferred = conn->address;
    (void) event_add(conn->in, NULL);
    start_request(conn);
}
