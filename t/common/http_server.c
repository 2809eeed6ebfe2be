/*
 * The HTTP/1.1 server. It owns its connections; a connection owns its socket
 * and its two buffers. Requests are parsed from the server's one read buffer
 * where they came whole, which at load is nearly always.
 */
#define _GNU_SOURCE /* accept4() */

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event_struct.h>

#include "t/common/http_server.h"
#include "t/common/memory.h"

#define READ_SIZE    262144   /* one recv() */
#define IN_MAX       16777216 /* bytes waiting behind an unanswered request */
#define BUFFER_KEEP  262144   /* a larger buffer is given back when empty */
#define ACCEPT_BATCH 64
#define BACKLOG      1024
#define PORT_TEXT    8

struct http_conn {
    http_server_t *server;
    http_conn_t *prev;
    http_conn_t *next;
    int fd;
    struct event readable;
    struct event writable;
    buf_t in;
    buf_t out;
    bool busy;      /* a request is unanswered */
    bool keep;      /* go on after its answer */
    bool closing;   /* nothing more is read; closes when out is sent */
    bool dead;      /* to be freed when the call stack is back in conn_run() */
    bool running;   /* conn_run() is on the stack */
    bool continued; /* "100 Continue" was sent for the request at hand */
    http_gone_fn *gone;
    void *gone_arg;
};

struct http_server {
    struct event_base *base;
    struct event acceptable;
    int fd;
    int port;
    http_request_fn *fn;
    void *ctx;
    http_conn_t *conns;
    int conn_count;
    char *read_buffer;
};

static void
conn_free(http_conn_t *c)
{
    http_gone_fn *gone = c->gone;

    if (c->prev) {
        c->prev->next = c->next;
    } else {
        c->server->conns = c->next;
    }
    if (c->next) {
        c->next->prev = c->prev;
    }
    c->server->conn_count--;
    event_del(&c->readable);
    event_del(&c->writable);
    close(c->fd);
    buf_free(&c->in);
    buf_free(&c->out);
    if (gone) {
        gone(c->gone_arg);
    }
    free(c);
}

static void
buffer_emptied(buf_t *b)
{
    buf_reset(b);
    if (b->cap > BUFFER_KEEP) {
        buf_free(b);
    }
}

static void
buffer_consume(buf_t *b, size_t n)
{
    if (n == b->len) {
        buffer_emptied(b);
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}

/* Sends what there is; false: the connection is broken. */
static bool
conn_flush(http_conn_t *c)
{
    if (buf_failed(&c->out)) {
        return false;
    }
    if (c->out.len == 0) {
        return true;
    }

    ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            return false;
        }
        n = 0;
    }
    buffer_consume(&c->out, (size_t) n);
    if (c->out.len > 0) {
        event_add(&c->writable, NULL);
    }
    return true;
}

static void
conn_refuse(http_conn_t *c, int status)
{
    c->busy = true;
    c->keep = false;
    http_answer(c, status, STR_NONE,
                STR("{\"code\":\"badRequest\","
                    "\"reason\":\"no HTTP request we understand\"}"));
}

/* A peer that writes head and body apart, with Nagle's algorithm, holds the
 * body back until the head is acknowledged; we would wait 40 ms with that. */
static void
conn_acknowledge(http_conn_t *c)
{
    int one = 1;

    setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
}

/* Hands over the requests in data; the bytes used up. */
static size_t
conn_take(http_conn_t *c, char *data, size_t len)
{
    http_message_t m;
    size_t used = 0;

    while (used < len && !c->busy && !c->closing && !c->dead &&
           c->out.len < READ_SIZE) {
        ssize_t n = http_request_parse(&m, data + used, len - used);

        if (n < 0) {
            conn_refuse(c, 400);
            break;
        }
        if (n == 0) {
            conn_acknowledge(c);
            if (m.expects_continue && !c->continued) {
                c->continued = true;
                buf_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
            }
            break;
        }
        used += (size_t) n;
        c->continued = false;
        c->busy = true;
        c->keep = m.keep_alive;
        c->server->fn(c->server->ctx, c, &m);
    }
    return used;
}

/* Requests from data, which came just now, or from what waits; false: the
 * connection is at its end. */
static bool
conn_work(http_conn_t *c, char *data, size_t len)
{
    size_t used = 0;

    if (c->in.len == 0) {
        used = conn_take(c, data, len);
        buf_put(&c->in, data + used, len - used);
    } else {
        buf_put(&c->in, data, len);
        if (!buf_failed(&c->in)) {
            used = conn_take(c, c->in.data, c->in.len);
            buffer_consume(&c->in, used);
        }
    }
    return !c->dead && !buf_failed(&c->in) && conn_flush(c) &&
           !(c->closing && c->out.len == 0);
}

/* Works until what waits is used up or cannot go on; may free c. */
static void
conn_run(http_conn_t *c, char *data, size_t len)
{
    size_t before;
    bool alive;

    c->running = true;
    do {
        before = c->in.len + len;
        alive = conn_work(c, data, len);
        len = 0;
    } while (alive && !c->busy && c->out.len == 0 && c->in.len > 0 &&
             c->in.len < before);
    c->running = false;
    if (!alive) {
        conn_free(c);
    }
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    http_conn_t *c = arg;
    char *buffer = c->server->read_buffer;
    ssize_t n = recv(fd, buffer, READ_SIZE, 0);

    (void) what;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        conn_free(c);
        return;
    }
    if (!c->closing) {
        conn_run(c, buffer, (size_t) n);
    }
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    conn_run(arg, NULL, 0);
}

static void
conn_create(http_server_t *s, int fd)
{
    http_conn_t *c = memory_new(sizeof *c);
    int one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->server = s;
    c->fd = fd;
    buf_init(&c->in, IN_MAX);
    buf_init(&c->out, HTTP_ANSWER_MAX);
    c->next = s->conns;
    if (c->next) {
        c->next->prev = c;
    }
    s->conns = c;
    s->conn_count++;
    event_assign(&c->readable, s->base, fd, EV_READ | EV_PERSIST, on_readable,
                 c);
    event_assign(&c->writable, s->base, fd, EV_WRITE, on_writable, c);
    event_add(&c->readable, NULL);
}

static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    http_server_t *s = arg;

    (void) what;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (peer < 0) {
            return;
        }
        if (s->conn_count >= HTTP_SERVER_CONNS) {
            close(peer);
            continue;
        }
        conn_create(s, peer);
    }
}

static int
listen_on(const struct addrinfo *a)
{
    int one = 1;
    int fd =
        socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int
port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;

    if (getsockname(fd, (struct sockaddr *) &a, &len) < 0) {
        return -1;
    }
    return ntohs(a.ss_family == AF_INET6
                     ? ((struct sockaddr_in6 *) &a)->sin6_port
                     : ((struct sockaddr_in *) &a)->sin_port);
}

http_server_t *
http_server_create(struct event_base *base, const char *bind, int port,
                   http_request_fn *fn, void *ctx)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_PASSIVE};
    struct addrinfo *found;
    char service[PORT_TEXT];

    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(bind, service, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return NULL;
    }

    int fd = listen_on(found);

    freeaddrinfo(found);
    if (fd < 0) {
        return NULL;
    }

    http_server_t *s = memory_new(sizeof *s);

    *s = (http_server_t){.base = base, .fd = fd, .fn = fn, .ctx = ctx};
    s->port = port_of(fd);
    s->read_buffer = memory_new(READ_SIZE);
    event_assign(&s->acceptable, base, fd, EV_READ | EV_PERSIST, on_acceptable,
                 s);
    event_add(&s->acceptable, NULL);
    return s;
}

int
http_server_port(const http_server_t *s)
{
    return s->port;
}

void
http_server_free(http_server_t *s)
{
    if (!s) {
        return;
    }
    while (s->conns) {
        conn_free(s->conns);
    }
    event_del(&s->acceptable);
    close(s->fd);
    free(s->read_buffer);
    free(s);
}

static void
put_answer(buf_t *out, int status, str_t headers, str_t body, bool keep)
{
    if (status == 200) {
        buf_str(out, STR("HTTP/1.1 200 OK\r\n"));
    } else {
        buf_printf(out, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    }
    buf_str(out, headers);
    if (!keep) {
        buf_str(out, STR("Connection: close\r\n"));
    }
    if (status == 204 || status == 304) {
        buf_str(out, STR("\r\n"));
        return;
    }
    buf_str(out, STR("Content-Type: application/json\r\n"));
    http_put_length(out, body.len);
    buf_str(out, body);
}

void
http_answer(http_conn_t *c, int status, str_t headers, str_t body)
{
    put_answer(&c->out, status, headers, body, c->keep);
    c->busy = false;
    c->gone = NULL;
    c->closing = !c->keep;
    if (!c->running) {
        conn_run(c, NULL, 0);
    }
}

void
http_hold(http_conn_t *c, http_gone_fn *gone, void *arg)
{
    c->gone = gone;
    c->gone_arg = arg;
}

void
http_drop(http_conn_t *c)
{
    c->gone = NULL;
    c->dead = true;
    if (!c->running) {
        conn_free(c);
    }
}
