/*
 * The connection: its socket, the hello (AUTH, SELECT, PING), the queue of
 * waiting callbacks, and the way down.
 *
 * A reader that has failed, or that holds half a reply, is never used again:
 * each connection has its own.
 */
#include "backend/base/redis.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/base/arena.h"
#include "backend/base/endpoint.h"
#include "backend/base/log.h"
#include "backend/base/redis_reply.h"
#include "backend/base/ring.h"
#include "backend/base/uuid.h"
#include "proto/buf.h"

enum {
    CONNECT_MS = 1000, /* until the hello is answered */
    TIMEOUT_DEFAULT_MS = 1000,
    BACKOFF_MIN_MS = 50,
    BACKOFF_MAX_MS = 1000,
    READ_BYTES = 65536,
    READS_A_TURN = 16,     /* then others have their turn */
    OUT_MAX = 256 << 20,   /* bytes not yet written */
    REPLY_MAX = 512 << 20, /* bytes of one reply, Redis' own bulk limit */
    WAITING_MAX = 1 << 20
};

typedef enum { DOWN, CONNECTING, HELLO, UP } state_t;

typedef struct {
    redis_reply_fn fn;
    void *ctx;
    int64_t deadline; /* never before that of the one ahead */
} waiting_t;

struct redis {
    struct event_base *base;
    endpoint_t *endpoint;
    char *password;
    int db;
    redis_state_fn on_state;
    void *ctx;

    state_t state;
    int fd;
    struct event *readable; /* persistent */
    struct event *writable; /* once, when a write was short */
    struct event *flush;    /* activated by the first command of a turn */
    struct event *timer;    /* connect, overdue reply, reconnect */
    int64_t timer_at;       /* when; INT64_MAX: it is off */
    struct event *later;    /* the refused are told from the loop */
    int backoff_ms;
    bool complained; /* this outage has been logged */

    buf_t out;
    size_t written; /* of out */
    redisReader *reader;
    arena_t *arena;    /* of the reply being read */
    size_t reply_size; /* bytes fed since the last whole reply */
    ring_t waiting;    /* of waiting_t, as is the other */
    ring_t refused;    /* commands given while down */

    int busy;    /* depth of our frames that call owners */
    bool closed; /* free when they are left */
};

static void
arm(redis_t *r, int64_t ms)
{
    struct timeval tv = {(time_t) (ms / 1000),
                         (suseconds_t) (ms % 1000) * 1000};

    r->timer_at = clock_mono_ms() + ms;

    (void) event_add(r->timer, &tv);
}

static void
connection_drop(redis_t *r)
{
    if (r->readable != NULL) {
        event_free(r->readable);
        event_free(r->writable);
        r->readable = r->writable = NULL;
    }
    if (r->fd >= 0) {
        (void) close(r->fd);
        r->fd = -1;
    }
    redisReaderFree(r->reader);
    r->reader = NULL;
    buf_free(&r->out);
    r->written = 0;
    r->reply_size = 0;
    r->state = DOWN;
    (void) event_del(r->flush);
}

static void
destroy(redis_t *r)
{
    connection_drop(r);
    event_free(r->flush);
    event_free(r->timer);
    event_free(r->later);
    arena_free(r->arena);
    ring_free(&r->waiting);
    ring_free(&r->refused);
    endpoint_free(r->endpoint);
    free(r->password);
    free(r);
}

/* Around everything that may call the owner, who may close us. */
static void
enter(redis_t *r)
{
    r->busy++;
}

static void
leave(redis_t *r)
{
    if (--r->busy == 0 && r->closed) {
        destroy(r);
    }
}

/* Tells those in q now; what they queue meanwhile waits for its turn. */
static void
refuse_all(redis_t *r, ring_t *q)
{
    for (size_t n = q->count; n > 0 && !r->closed; n--) {
        waiting_t w;

        ring_pop(q, &w);

        if (w.fn != NULL) {
            w.fn(w.ctx, NULL);
        }
    }
}

/* The one way down; between enter() and leave(). */
static void
drop(redis_t *r, const char *why)
{
    bool was_up = r->state == UP;
    double share = 0.5 + random_unit() / 2;

    log_event(r->complained ? LOG_DEBUG : LOG_WARN, "redis lost", "address",
              endpoint_address(r->endpoint), "reason", why, NULL);
    r->complained = true;
    connection_drop(r);
    arm(r, (int64_t) (r->backoff_ms * share));
    r->backoff_ms *= 2;
    if (r->backoff_ms > BACKOFF_MAX_MS) {
        r->backoff_ms = BACKOFF_MAX_MS;
    }
    if (was_up && r->on_state != NULL) {
        r->on_state(r->ctx, false);
    }
    refuse_all(r, &r->waiting);
}

static void
on_later(evutil_socket_t fd, short what, void *ctx)
{
    redis_t *r = ctx;

    (void) fd;
    (void) what;
    enter(r);
    refuse_all(r, &r->refused);
    leave(r);
}

/* By a timer, not by event_active(): an owner who repeats on the spot must
 * not keep the loop from its sockets. */
static void
refuse(redis_t *r, redis_reply_fn fn, void *ctx)
{
    static const struct timeval now;

    if (fn != NULL) {
        ring_push(&r->refused, &(waiting_t){fn, ctx, 0});
        (void) event_add(r->later, &now);
    }
}

static void
flush(redis_t *r)
{
    ssize_t n;

    if (buf_failed(&r->out) || r->waiting.count > WAITING_MAX) {
        drop(r, "too much is waiting");
        return;
    }
    if (r->written == r->out.len) {
        return;
    }
    n = send(r->fd, r->out.data + r->written, r->out.len - r->written,
             MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        drop(r, strerror(errno));
        return;
    }
    r->written += n > 0 ? (size_t) n : 0;
    if (r->written == r->out.len) {
        buf_reset(&r->out);
        r->written = 0;
    } else {
        (void) event_add(r->writable, NULL);
    }
}

static void
on_flush(evutil_socket_t fd, short what, void *ctx)
{
    redis_t *r = ctx;

    (void) fd;
    (void) what;
    enter(r);
    flush(r);
    leave(r);
}

static void
put_arg(buf_t *b, str_t arg)
{
    buf_printf(b, "$%zu\r\n", arg.len);
    buf_str(b, arg);
    buf_puts(b, "\r\n");
}

/* Behind the arguments: who waits for the reply. */
static void
command_end(redis_t *r, redis_reply_fn fn, void *ctx, int timeout_ms)
{
    int64_t ms = timeout_ms > 0 ? timeout_ms : TIMEOUT_DEFAULT_MS;
    waiting_t w = {fn, ctx, clock_mono_ms() + ms};

    if (r->waiting.count > 0) {
        const waiting_t *last = ring_at(&r->waiting, r->waiting.count - 1);

        if (w.deadline < last->deadline) {
            w.deadline = last->deadline;
        }
    } else if (w.deadline < r->timer_at) {
        arm(r, ms); /* it was off, or set for a command with more time */
    }
    ring_push(&r->waiting, &w);
    if (!event_pending(r->writable, EV_WRITE, NULL)) {
        event_active(r->flush, 0, 0);
    }
}

void
redis_command(redis_t *r, redis_reply_fn fn, void *ctx, int timeout_ms,
              const str_t *argv, int argc)
{
    if (r->state != UP) {
        refuse(r, fn, ctx);
        return;
    }
    buf_printf(&r->out, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++) {
        put_arg(&r->out, argv[i]);
    }
    command_end(r, fn, ctx, timeout_ms);
}

static void
command_z(redis_t *r, redis_reply_fn fn, void *ctx, va_list args)
{
    va_list counted;
    int argc = 0;

    va_copy(counted, args);
    while (va_arg(counted, const char *) != NULL) {
        argc++;
    }
    va_end(counted);
    buf_printf(&r->out, "*%d\r\n", argc);
    while (argc-- > 0) {
        put_arg(&r->out, str_of(va_arg(args, const char *)));
    }
    command_end(r, fn, ctx, 0);
}

void
redis_call(redis_t *r, redis_reply_fn fn, void *ctx, ...)
{
    va_list args;

    if (r->state != UP) {
        refuse(r, fn, ctx);
        return;
    }
    va_start(args, ctx);
    command_z(r, fn, ctx, args);
    va_end(args);
}

static void __attribute__((sentinel)) hello(redis_t *r, redis_reply_fn fn, ...)
{
    va_list args;

    va_start(args, fn);
    command_z(r, fn, r, args);
    va_end(args);
}

static void
on_hello(void *ctx, const redisReply *reply)
{
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        drop(ctx, reply->str);
    }
}

/* Ready when a command is answered: not while it is loading its data, not
 * without the password. */
static void
on_pong(void *ctx, const redisReply *reply)
{
    redis_t *r = ctx;

    if (reply == NULL) {
        return; /* being dropped */
    }
    if (reply->type != REDIS_REPLY_STATUS) {
        drop(r, reply->type == REDIS_REPLY_ERROR ? reply->str : "no pong");
        return;
    }
    r->state = UP;
    r->backoff_ms = BACKOFF_MIN_MS;
    r->complained = false;
    log_event(LOG_INFO, "redis connected", "address",
              endpoint_address(r->endpoint), NULL);
    if (r->on_state != NULL) {
        r->on_state(r->ctx, true);
    }
}

/* Gives the replies that are whole to those who wait. NULL, or why the
 * connection cannot go on. */
static const char *
hand_out(redis_t *r)
{
    redisReader *reader = r->reader;

    /* a callback may drop the connection or close us */
    while (!r->closed && r->reader == reader) {
        void *reply;
        waiting_t w;

        if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
            return reader->errstr;
        }
        if (reply == NULL) {
            return r->reply_size > REPLY_MAX ? "a reply too large" : NULL;
        }
        if (r->waiting.count == 0) {
            return "a reply that was not asked for";
        }
        r->reply_size = 0;
        ring_pop(&r->waiting, &w);
        if (w.fn != NULL) {
            w.fn(w.ctx, reply);
        }
        arena_reset(r->arena);
    }
    return NULL;
}

/* NULL to go on, or why not. *ret_more: there may be more to read. */
static const char *
read_some(redis_t *r, bool *ret_more)
{
    static char data[READ_BYTES];
    ssize_t n = recv(r->fd, data, sizeof(data), 0);

    *ret_more = n == (ssize_t) sizeof(data);
    if (n == 0) {
        return "closed by the server";
    }
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? NULL : strerror(errno);
    }
    r->reply_size += (size_t) n;
    if (redisReaderFeed(r->reader, data, (size_t) n) != REDIS_OK) {
        return r->reader->errstr;
    }
    return hand_out(r);
}

static void
on_readable(evutil_socket_t fd, short what, void *ctx)
{
    redis_t *r = ctx;
    const char *failure = NULL;
    bool more = true;

    (void) fd;
    (void) what;
    enter(r);
    for (int i = 0; i < READS_A_TURN && more && !failure; i++) {
        redisReader *reader = r->reader;

        failure = read_some(r, &more);
        if (r->closed || r->reader != reader) {
            failure = NULL;
            break;
        }
    }
    if (failure != NULL) {
        drop(r, failure);
    }
    leave(r);
}

/* The socket is connected: ask whether the server is ready. */
static void
on_connected(redis_t *r)
{
    char db[16];

    r->reader = redis_reader_create(r->arena);
    if (r->reader == NULL || event_add(r->readable, NULL) != 0) {
        drop(r, "out of memory");
        return;
    }
    arena_reset(r->arena);
    r->state = HELLO;
    if (r->password != NULL) {
        hello(r, on_hello, "AUTH", r->password, NULL);
    }
    if (r->db != 0) {
        (void) snprintf(db, sizeof(db), "%d", r->db);
        hello(r, on_hello, "SELECT", db, NULL);
    }
    hello(r, on_pong, "PING", NULL);
}

static void
on_writable(evutil_socket_t fd, short what, void *ctx)
{
    redis_t *r = ctx;
    int error = 0;
    socklen_t len = sizeof(error);

    (void) what;
    enter(r);
    if (r->state != CONNECTING) {
        flush(r);
    } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        drop(r, strerror(errno));
    } else if (error != 0) {
        drop(r, strerror(error));
    } else {
        on_connected(r);
    }
    leave(r);
}

static void
connect_begin(redis_t *r)
{
    const char *failure;

    r->state = CONNECTING;
    arm(r, CONNECT_MS);
    r->fd = endpoint_connect(r->endpoint, &failure);
    if (r->fd < 0) {
        drop(r, failure);
        return;
    }
    r->readable =
        event_new(r->base, r->fd, EV_READ | EV_PERSIST, on_readable, r);
    r->writable = event_new(r->base, r->fd, EV_WRITE, on_writable, r);
    if (r->readable == NULL || r->writable == NULL) {
        abort();
    }
    (void) event_add(r->writable, NULL);
}

static void
on_timer(evutil_socket_t fd, short what, void *ctx)
{
    redis_t *r = ctx;
    const waiting_t *oldest = ring_at(&r->waiting, 0);
    int64_t left;

    (void) fd;
    (void) what;
    r->timer_at = INT64_MAX;
    enter(r);
    if (r->state == DOWN) {
        connect_begin(r);
    } else if (r->state == CONNECTING) {
        drop(r, "connecting took too long");
    } else if (oldest != NULL) {
        left = oldest->deadline - clock_mono_ms();
        if (left <= 0) {
            drop(r, "the server does not answer");
        } else {
            arm(r, left);
        }
    }
    leave(r);
}

redis_t *
redis_open(struct event_base *base, const redis_address_t *address,
           redis_state_fn on_state, void *ctx)
{
    redis_t *r = xcalloc(1, sizeof(*r));

    r->base = base;
    r->endpoint = endpoint_create(address->address);
    ring_init(&r->waiting, sizeof(waiting_t));
    ring_init(&r->refused, sizeof(waiting_t));
    r->password =
        address->password != NULL ? xstrdup(address->password) : NULL;
    r->db = address->db;
    r->on_state = on_state;
    r->ctx = ctx;
    r->fd = -1;
    r->backoff_ms = BACKOFF_MIN_MS;
    r->arena = arena_create();
    buf_init(&r->out, OUT_MAX);
    r->flush = event_new(base, -1, 0, on_flush, r);
    r->timer = event_new(base, -1, 0, on_timer, r);
    r->later = event_new(base, -1, 0, on_later, r);
    if (r->flush == NULL || r->timer == NULL || r->later == NULL) {
        abort();
    }
    connect_begin(r);
    return r;
}

void
redis_close(redis_t *r)
{
    if (r == NULL) {
        return;
    }
    r->closed = true;
    if (r->busy == 0) {
        destroy(r);
    }
}

bool
redis_up(const redis_t *r)
{
    return r->state == UP;
}
