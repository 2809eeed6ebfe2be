/*
 * The HTTP/1.1 client. It owns its connections and the requests that wait
 * for one; a connection is idle (in the idle list) or has one request.
 */
#define _GNU_SOURCE /* memrchr() */

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event_struct.h>

#include "t/common/http_client.h"
#include "t/common/memory.h"

#define READ_SIZE    65536
#define MESSAGE_MAX  (HTTP_HEAD_MAX + HTTP_BODY_MAX)
#define REQUEST_MAX  16777216
#define SWEEP_MS     1000
#define PORT_MAX     65535
#define PORT_TEXT    8
#define DEFAULT_PORT "80"

typedef struct request {
    struct request *next;
    http_reply_fn *fn;
    void *ctx;
    str_t bytes; /* behind the struct */
} request_t;

typedef struct conn {
    http_client_t *client;
    struct conn *prev;
    struct conn *next;
    struct conn *next_idle;
    int fd; /* -1: the connection could not even be tried */
    bool connecting;
    bool failed; /* its request is failed at the next turn of the loop */
    struct event readable;
    struct event writable;
    buf_t in;
    buf_t out;
    http_reply_fn *fn; /* NULL: idle */
    void *ctx;
    long long sent_us;
} conn_t;

struct http_client {
    struct event_base *base;
    http_url_t origin;
    int max;
    int count;
    long timeout_ms;
    conn_t *conns;
    conn_t *idle;
    request_t *first;
    request_t **last;
    int waiting;
    struct event sweep;
    char *read_buffer;
};

/* host and port of "host", "host:port", "[v6]:port" into the two fields. */
static bool
split_authority(str_t authority, char *host, size_t size, char *port)
{
    const char *end = authority.data + authority.len;
    const char *colon = memrchr(authority.data, ':', authority.len);
    const char *bracket = memrchr(authority.data, ']', authority.len);
    const char *from = authority.data;
    const char *stop = colon && (!bracket || colon > bracket) ? colon : end;

    snprintf(port, PORT_TEXT, "%.*s",
             stop < end ? (int) (end - stop - 1) : (int) strlen(DEFAULT_PORT),
             stop < end ? stop + 1 : DEFAULT_PORT);
    if (bracket && *from == '[') {
        from++;
        stop = bracket;
    }
    if (stop == from || (size_t) (stop - from) >= size) {
        return false;
    }
    snprintf(host, size, "%.*s", (int) (stop - from), from);
    return true;
}

const char *
http_url_parse(http_url_t *u, str_t text)
{
    static const str_t scheme = STR("http://");
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    char host[HTTP_HOST_MAX], port[PORT_TEXT];

    if (text.len <= scheme.len ||
        memcmp(text.data, scheme.data, scheme.len) != 0) {
        return "the URL does not begin with http://";
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char) text.data[i] <= ' ') {
            return "the URL has a space or control character";
        }
    }

    const char *at = text.data + scheme.len;
    const char *end = text.data + text.len;
    const char *slash = memchr(at, '/', (size_t) (end - at));
    str_t authority = {at, (size_t) ((slash ? slash : end) - at)};

    if (authority.len >= sizeof u->host ||
        (slash && (size_t) (end - slash) >= sizeof u->path)) {
        return "the URL is too long";
    }
    if (!split_authority(authority, host, sizeof host, port)) {
        return "the URL has no host";
    }
    if (atol(port) < 1 || atol(port) > PORT_MAX) {
        return "the URL has no port from 1 to 65535";
    }
    if (getaddrinfo(strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, port,
                    &hints, &found) != 0) {
        return "the URL's host is neither a numeric address nor localhost";
    }
    snprintf(u->host, sizeof u->host, "%.*s", STR_FMT(authority));
    snprintf(u->path, sizeof u->path, "%.*s", slash ? (int) (end - slash) : 1,
             slash ? slash : "/");
    memcpy(&u->addr, found->ai_addr, found->ai_addrlen);
    u->addr_len = found->ai_addrlen;
    freeaddrinfo(found);
    return NULL;
}

static void
conn_free(conn_t *c)
{
    http_client_t *h = c->client;

    for (conn_t **p = &h->idle; *p; p = &(*p)->next_idle) {
        if (*p == c) {
            *p = c->next_idle;
            break;
        }
    }
    if (c->prev) {
        c->prev->next = c->next;
    } else {
        h->conns = c->next;
    }
    if (c->next) {
        c->next->prev = c->prev;
    }
    h->count--;
    event_del(&c->readable);
    event_del(&c->writable);
    if (c->fd >= 0) {
        close(c->fd);
    }
    buf_free(&c->in);
    buf_free(&c->out);
    free(c);
}

/* The failure is told from the event loop, never from inside a send. */
static void
conn_fail_later(conn_t *c)
{
    c->failed = true;
    event_active(&c->writable, EV_WRITE, 0);
}

static void
conn_flush(conn_t *c)
{
    ssize_t n = 0;

    if (c->out.len == 0) {
        return;
    }
    if (!c->connecting) {
        n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            conn_fail_later(c);
            return;
        }
        n = n < 0 ? 0 : n;
    }
    memmove(c->out.data, c->out.data + n, c->out.len - (size_t) n);
    c->out.len -= (size_t) n;
    if (c->out.len > 0) {
        event_add(&c->writable, NULL);
    }
}

static void
conn_send(conn_t *c, str_t request, http_reply_fn *fn, void *ctx)
{
    ssize_t n = 0;

    c->fn = fn;
    c->ctx = ctx;
    c->sent_us = now_us();
    if (c->failed) {
        return;
    }
    if (!c->connecting) {
        n = send(c->fd, request.data, request.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            conn_fail_later(c);
            return;
        }
        n = n < 0 ? 0 : n;
    }
    if ((size_t) n < request.len) {
        buf_put(&c->out, request.data + n, request.len - (size_t) n);
        if (buf_failed(&c->out)) {
            conn_fail_later(c);
        } else {
            event_add(&c->writable, NULL);
        }
    }
}

/* The next waiting request, or the idle list. */
static void
conn_next(conn_t *c)
{
    http_client_t *h = c->client;
    request_t *r = h->first;

    if (!r) {
        c->next_idle = h->idle;
        h->idle = c;
        return;
    }
    h->first = r->next;
    if (!h->first) {
        h->last = &h->first;
    }
    h->waiting--;
    conn_send(c, r->bytes, r->fn, r->ctx);
    free(r);
}

static conn_t *conn_create(http_client_t *h);

/* Closes c and tells its request; a waiting one gets a new connection. */
static void
conn_fail(conn_t *c)
{
    http_client_t *h = c->client;
    http_reply_fn *fn = c->fn;
    void *ctx = c->ctx;

    conn_free(c);
    if (h->first && h->count < h->max) {
        conn_next(conn_create(h));
    }
    if (fn) {
        fn(ctx, NULL);
    }
}

/* One whole reply is in m. false: the connection is of no more use. */
static bool
conn_reply(conn_t *c, const http_message_t *m)
{
    http_reply_fn *fn = c->fn;
    void *ctx = c->ctx;
    bool keep = m->keep_alive && c->out.len == 0;

    c->fn = NULL;
    if (keep) {
        conn_next(c);
    }
    fn(ctx, m);
    return keep;
}

/* Replies in data; the bytes used, or -1. */
static ssize_t
conn_take(conn_t *c, char *data, size_t len)
{
    http_message_t m;
    size_t used = 0;

    while (used < len) {
        ssize_t n = c->fn ? http_reply_parse(&m, data + used, len - used) : -1;

        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        used += (size_t) n;
        if (m.status >= 200 && !conn_reply(c, &m)) {
            return -1;
        }
    }
    return (ssize_t) used;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    conn_t *c = arg;
    char *buffer = c->client->read_buffer;
    ssize_t len = recv(fd, buffer, READ_SIZE, 0);

    (void) what;
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (len <= 0) {
        conn_fail(c);
        return;
    }

    char *data = buffer;
    size_t have = (size_t) len;

    if (c->in.len > 0) {
        buf_put(&c->in, buffer, have);
        data = c->in.data;
        have = c->in.len;
    }

    ssize_t used = buf_failed(&c->in) ? -1 : conn_take(c, data, have);

    if (used < 0) {
        conn_fail(c);
    } else if (data == buffer) {
        buf_put(&c->in, data + used, have - (size_t) used);
    } else {
        memmove(data, data + used, have - (size_t) used);
        c->in.len -= (size_t) used;
    }
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    conn_t *c = arg;
    int error = 0;
    socklen_t len = sizeof error;

    (void) what;
    if (c->failed) {
        conn_fail(c);
        return;
    }
    if (c->connecting) {
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error) {
            conn_fail(c);
            return;
        }
        c->connecting = false;
    }
    conn_flush(c);
}

static void
conn_connect(conn_t *c)
{
    const http_url_t *o = &c->client->origin;
    int one = 1;

    c->fd = socket(o->addr.ss_family,
                   SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd >= 0) {
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->connecting = connect(c->fd, (const struct sockaddr *) &o->addr,
                                o->addr_len) < 0;
        c->failed = c->connecting && errno != EINPROGRESS;
    }
    c->failed = c->failed || c->fd < 0;
}

static conn_t *
conn_create(http_client_t *h)
{
    conn_t *c = memory_new(sizeof *c);

    c->client = h;
    buf_init(&c->in, MESSAGE_MAX);
    buf_init(&c->out, REQUEST_MAX);
    c->next = h->conns;
    if (c->next) {
        c->next->prev = c;
    }
    h->conns = c;
    h->count++;
    conn_connect(c);
    event_assign(&c->readable, h->base, c->fd, EV_READ | EV_PERSIST,
                 on_readable, c);
    event_assign(&c->writable, h->base, c->fd, EV_WRITE, on_writable, c);
    if (c->failed) {
        conn_fail_later(c);
    } else {
        event_add(&c->readable, NULL);
    }
    return c;
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
    http_client_t *h = arg;
    long long limit = now_us() - h->timeout_ms * 1000LL;

    (void) fd;
    (void) what;
    for (conn_t *c = h->conns; c; c = c->next) {
        if (c->fn && !c->failed && c->sent_us < limit) {
            conn_fail_later(c);
        }
    }
}

http_client_t *
http_client_create(struct event_base *base, const http_url_t *origin, int max,
                   long timeout_ms)
{
    http_client_t *h = memory_new(sizeof *h);
    struct timeval every = timeval_of_ms(SWEEP_MS);

    h->base = base;
    h->origin = *origin;
    h->max = max;
    h->timeout_ms = timeout_ms;
    h->last = &h->first;
    h->read_buffer = memory_new(READ_SIZE);
    event_assign(&h->sweep, base, -1, EV_PERSIST, on_sweep, h);
    event_add(&h->sweep, &every);
    return h;
}

void
http_client_free(http_client_t *h)
{
    if (!h) {
        return;
    }
    while (h->conns) {
        conn_free(h->conns);
    }
    while (h->first) {
        request_t *r = h->first;

        h->first = r->next;
        free(r);
    }
    event_del(&h->sweep);
    free(h->read_buffer);
    free(h);
}

static bool
enqueue(http_client_t *h, str_t request, http_reply_fn *fn, void *ctx)
{
    if (h->waiting >= HTTP_CLIENT_QUEUE) {
        return false;
    }

    request_t *r = memory_new(sizeof *r + request.len);

    *r = (request_t){.fn = fn, .ctx = ctx};
    memcpy(r + 1, request.data, request.len);
    r->bytes = (str_t){(char *) (r + 1), request.len};
    *h->last = r;
    h->last = &r->next;
    h->waiting++;
    return true;
}

bool
http_client_send(http_client_t *h, str_t request, http_reply_fn *fn, void *ctx)
{
    conn_t *c = h->idle;

    if (c) {
        h->idle = c->next_idle;
    } else if (h->count < h->max) {
        c = conn_create(h);
    } else {
        return enqueue(h, request, fn, ctx);
    }
    conn_send(c, request, fn, ctx);
    return true;
}
