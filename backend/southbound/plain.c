/*
 * Calls over connections of our own: what libcurl costs a call is most of
 * what a call costs.
 *
 * A call is written at once when a connection is idle; else it waits in its
 * host's queue. Its memory is kept for the next one. There is no timer of its
 * own: one tick for all looks at the clock, and through the calls only when
 * the earliest deadline has passed.
 */
#include "backend/southbound/plain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backend/base/arena.h"

enum {
    TICK_MS = 50,
    SLOW_TICK_MS = 5000, /* when nothing is under way */
    SPARE_CALLS_MAX = 1024,
    KEEP_BYTES = 65536, /* a larger buffer is given back at once */
    OWN_BYTES = 1 << 20 /* what we put to a request: more than enough */
};

int64_t
plain_now(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
plain_wake(plain_t *p, int64_t at)
{
    if (at < p->next_deadline) {
        p->next_deadline = at;
    }
}

static void
set_tick(plain_t *p, bool slow)
{
    int ms = slow ? SLOW_TICK_MS : TICK_MS;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    p->slow_tick = slow;
    (void) event_add(p->tick, &tv);
}

/* Soon, but not now. An owner that answers an answer with the next call waits
 * for the next turn of the loop, so that failing calls cannot fill one. */
static void
kick(plain_t *p)
{
    static const struct timeval now;

    if (p->busy > 0) {
        (void) event_add(p->kick, &now);
    } else {
        event_active(p->kick, 0, 0);
    }
}

void
call_fail(call_t *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void) vsnprintf(c->error, sizeof(c->error), fmt, ap);
    va_end(ap);
    list_remove(&c->node);
    list_append(&c->plain->ended, &c->node);
    kick(c->plain);
}

static void
call_free(call_t *c)
{
    buf_free(&c->request);
    http_parse_free(&c->answer);
    free(c);
}

static void
shrink(buf_t *b)
{
    if (b->cap > KEEP_BYTES) {
        buf_free(b);
    }
}

/* In no list: keep it for the next one. */
static void
call_retire(call_t *c)
{
    plain_t *p = c->plain;

    p->in_flight--;
    if (p->spare_count >= SPARE_CALLS_MAX) {
        call_free(c);
        return;
    }
    shrink(&c->request);
    shrink(&c->answer.body);
    list_append(p->spare.next, &c->node); /* first out: its memory is warm */
    p->spare_count++;
}

void
call_answer(call_t *c)
{
    http_answer_t a = {.sent = c->sent, .retry_after_s = -1};

    list_remove(&c->node);
    if (c->error[0] != '\0') {
        a.error = c->error;
    } else {
        a.status = c->answer.status;
        a.body = buf_view(&c->answer.body);
        a.location = buf_view(&c->answer.location);
        if (c->answer.retry_after.len > 0) {
            a.retry_after_s = http_retry_after(c->answer.retry_after.data);
        }
    }
    c->fn(c->ctx, &a);
    call_retire(c);
}

static void
free_list(list_t *l)
{
    for (list_t *node; (node = list_pop(l)) != NULL;) {
        call_free(list_entry(node, call_t, node));
    }
}

static void
destroy(plain_t *p)
{
    for (int i = 0; i < PLAIN_HOST_SLOTS; i++) {
        while (!list_empty(&p->hosts[i])) {
            host_free(list_entry(p->hosts[i].next, host_t, node));
        }
    }
    free_list(&p->calls);
    free_list(&p->ended);
    free_list(&p->spare);
    event_free(p->kick);
    event_free(p->tick);
    free(p->user_agent);
    free(p);
}

void
plain_enter(plain_t *p)
{
    p->busy++;
}

void
plain_leave(plain_t *p)
{
    if (--p->busy == 0 && p->closed) {
        destroy(p);
    }
}

static void
on_kick(evutil_socket_t fd, short what, void *ctx)
{
    plain_t *p = ctx;
    list_t ended; /* only those there now: an owner may send again */

    (void) fd;
    (void) what;
    list_init(&ended);
    plain_enter(p);
    for (list_t *n; (n = list_pop(&p->ended)) != NULL;) {
        list_append(&ended, n);
    }
    while (!p->closed && !list_empty(&ended)) {
        call_answer(list_entry(ended.next, call_t, node));
    }
    free_list(&ended);
    plain_leave(p);
}

/* It leaves its queue or its connection. */
static void
call_detach(call_t *c)
{
    list_remove(&c->turn);
    if (c->conn != NULL) {
        conn_close(c->conn);
    }
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The next time this call has to be looked at. No other call is touched. */
static int64_t
check_time(call_t *c, int64_t now)
{
    conn_t *conn = c->conn;

    if (now >= c->deadline) {
        call_detach(c);
        call_fail(c, "timed out after %d ms", c->timeout_ms);
        return PLAIN_NEVER;
    }
    if (conn != NULL && !conn->connected) {
        if (now < conn->try_deadline || conn_try_next(conn)) {
            return earlier(conn->try_deadline, c->deadline);
        }
        return PLAIN_NEVER;
    }
    if (now >= c->connect_deadline) { /* its name is still being resolved */
        call_detach(c);
        call_fail(c, "could not resolve %s within %d ms", c->host->name,
                  c->connect_ms);
        return PLAIN_NEVER;
    }
    return earlier(c->connect_deadline, c->deadline);
}

static void
check_times(plain_t *p, int64_t now)
{
    int64_t next = PLAIN_NEVER;

    p->next_deadline = PLAIN_NEVER;
    for (list_t *n = p->calls.next, *after; n != &p->calls; n = after) {
        after = n->next;
        next = earlier(next, check_time(list_entry(n, call_t, node), now));
    }
    plain_wake(p, next);
    for (int i = 0; i < PLAIN_HOST_SLOTS; i++) {
        for (list_t *n = p->hosts[i].next; n != &p->hosts[i]; n = n->next) {
            host_serve(list_entry(n, host_t, node)); /* there may be room */
        }
    }
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    plain_t *p = ctx;
    int64_t now = plain_now();
    bool slow = !p->used && p->in_flight == 0;

    (void) fd;
    (void) what;
    if (now >= p->next_deadline) {
        check_times(p, now);
    }
    if (slow) {
        plain_age(p, now);
    }
    p->used = false;
    set_tick(p, slow);
}

plain_t *
plain_open(struct event_base *base, const http_options_t *o)
{
    plain_t *p = xcalloc(1, sizeof(*p));

    p->base = base;
    p->options = *o;
    p->options.user_agent = NULL;
    p->user_agent = o->user_agent != NULL ? xstrdup(o->user_agent) : NULL;
    for (int i = 0; i < PLAIN_HOST_SLOTS; i++) {
        list_init(&p->hosts[i]);
    }
    list_init(&p->hungry);
    list_init(&p->rested);
    list_init(&p->calls);
    list_init(&p->ended);
    list_init(&p->spare);
    p->next_deadline = PLAIN_NEVER;
    p->kick = event_new(base, -1, 0, on_kick, p);
    p->tick = event_new(base, -1, 0, on_tick, p);
    if (p->kick == NULL || p->tick == NULL) {
        abort();
    }
    p->slow_tick = true; /* set by the first call */
    return p;
}

void
plain_close(plain_t *p)
{
    p->closed = true;
    if (p->busy == 0) {
        destroy(p);
    }
}

static void
cancel(http_call_t *call)
{
    call_t *c = (call_t *) call;
    host_t *h = c->error[0] == '\0' ? c->host : NULL; /* else it may be gone */

    list_remove(&c->node);
    call_detach(c);
    if (h != NULL) {
        plain_serve(c->plain, h);
    }
    call_retire(c);
}

static call_t *
call_take(plain_t *p, http_answer_fn fn, void *ctx)
{
    list_t *node = list_pop(&p->spare);
    call_t *c;

    if (node != NULL) {
        p->spare_count--;
        c = list_entry(node, call_t, node);
    } else {
        c = xcalloc(1, sizeof(*c));
        c->base.cancel = cancel;
        c->plain = p;
        list_init(&c->node);
        list_init(&c->turn);
        buf_init(&c->request, HTTP_MAX_REQUEST + OWN_BYTES);
        http_parse_init(&c->answer, p->options.max_answer);
    }
    c->host = NULL;
    c->conn = NULL;
    c->fn = fn;
    c->ctx = ctx;
    c->written = 0;
    c->connect_deadline = PLAIN_NEVER;
    c->sent = c->again = false;
    c->error[0] = '\0';
    buf_reset(&c->request);
    p->in_flight++;
    p->used = true;
    if (p->slow_tick) {
        set_tick(p, false);
    }
    return c;
}

static void
put_header(buf_t *b, const char *name, str_t value)
{
    buf_puts(b, name);
    buf_str(b, value);
    buf_put(b, "\r\n", 2);
}

/* Where a body is expected, its absence has to be said (RFC 9110, 8.6). */
static bool
says_length(const http_request_t *r)
{
    return r->body.len > 0 ||
           (r->method[0] == 'P' &&
            (strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0 ||
             strcmp(r->method, "PATCH") == 0));
}

static void
write_head(buf_t *b, const http_request_t *r, const http_target_t *target,
           const char *user_agent)
{
    buf_puts(b, r->method);
    buf_char(b, ' ');
    buf_str(b, target->path.len > 0 ? target->path : STR("/"));
    put_header(b, " HTTP/1.1\r\nHost: ", target->authority);
    if (user_agent != NULL && !http_has_header(r, "User-Agent")) {
        put_header(b, "User-Agent: ", str_of(user_agent));
    }
    if (!http_has_header(r, "Accept")) {
        put_header(b, "Accept: ", STR("*/*"));
    }
    if (r->body.len > 0 && !http_has_header(r, "Content-Type")) {
        put_header(b, "Content-Type: ", str_of(r->content_type));
    }
    if (says_length(r)) {
        char digits[24];
        int n = snprintf(digits, sizeof(digits), "%zu", r->body.len);

        put_header(b, "Content-Length: ", (str_t){digits, (size_t) n});
    }
    for (int i = 0, n = http_header_count(r); i < n; i++) {
        put_header(b, r->headers[i], STR_NONE);
    }
    buf_put(b, "\r\n", 2);
}

http_call_t *
plain_send(plain_t *p, const http_request_t *r, const http_target_t *target,
           http_answer_fn fn, void *ctx)
{
    call_t *c = call_take(p, fn, ctx);
    host_t *h;

    list_append(&p->calls, &c->node);
    write_head(&c->request, r, target, p->user_agent);
    buf_str(&c->request, r->body);
    if (buf_failed(&c->request)) {
        call_fail(c, "no memory for the request");
        return &c->base;
    }
    c->timeout_ms = r->timeout_ms;
    c->connect_ms = r->connect_timeout_ms;
    c->deadline = plain_now() + c->timeout_ms;
    plain_wake(p, c->deadline);
    h = host_find(p, target->host, target->port);
    host_enqueue(h, c);
    host_serve(h);
    return &c->base;
}

http_call_t *
plain_refuse(plain_t *p, const char *error, http_answer_fn fn, void *ctx)
{
    call_t *c = call_take(p, fn, ctx);

    call_fail(c, "%s", error);
    return &c->base;
}

int
plain_in_flight(const plain_t *p)
{
    return p->in_flight;
}
