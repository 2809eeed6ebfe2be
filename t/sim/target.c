/*
 * Requests to the simulated targets: counting, fault rules, repetition by
 * idempotency key, and the answer now, later or never.
 */
#include <stdio.h>
#include <stdlib.h>

#include <event2/event_struct.h>

#include "t/common/json_text.h"
#include "t/common/memory.h"
#include "t/sim/call.h"

/* An answer that waits for its time. */
typedef struct {
    struct event timer;
    http_conn_t *conn;
    int status; /* 0: close the connection instead */
    char *headers;
    char *body;
    size_t body_len;
} delayed_t;

str_t
sim_reason(sim_t *sim, const char *code, const char *reason)
{
    buf_reset(&sim->body);
    buf_puts(&sim->body, "{\"code\":");
    buf_json(&sim->body, str_of(code));
    buf_puts(&sim->body, ",\"reason\":");
    buf_json(&sim->body, str_of(reason));
    buf_char(&sim->body, '}');
    return buf_view(&sim->body);
}

answer_t
call_refuse(call_t *c, int status, const char *code, const char *reason)
{
    c->sim->network.refused++;
    return (answer_t){status, STR_NONE, sim_reason(c->sim, code, reason)};
}

static void
delayed_free(delayed_t *d)
{
    event_del(&d->timer);
    free(d->headers);
    free(d->body);
    free(d);
}

static void
on_gone(void *arg)
{
    delayed_free(arg);
}

static void
on_delay_over(evutil_socket_t fd, short what, void *arg)
{
    delayed_t *d = arg;

    (void) fd;
    (void) what;
    if (d->status) {
        http_answer(d->conn, d->status, str_of(d->headers),
                    (str_t){d->body, d->body_len});
    } else {
        http_drop(d->conn);
    }
    delayed_free(d);
}

static void
answer_later(sim_t *sim, http_conn_t *conn, const answer_t *a, long ms)
{
    delayed_t *d = memory_new(sizeof *d);
    struct timeval delay = timeval_of_ms(ms);

    d->conn = conn;
    d->status = a->status;
    d->headers = memory_copy(a->headers);
    d->body = memory_copy(a->body);
    d->body_len = a->body.len;
    event_assign(&d->timer, sim->base, -1, 0, on_delay_over, d);
    event_add(&d->timer, &delay);
    http_hold(conn, on_gone, d);
}

/* What the rule says instead of the target. status 0: close. */
static answer_t
injected_answer(call_t *c)
{
    const rule_t *r = c->rule;
    char reason[64];

    if (r->drop || !r->status) {
        return (answer_t){0};
    }
    snprintf(reason, sizeof reason, "fault rule %ld", r->id);
    return (answer_t){(int) r->status, str_of(r->headers),
                      r->body ? str_of(r->body)
                              : sim_reason(c->sim, "injected", reason)};
}

/* Applies unless the key has been seen. */
static answer_t
apply_once(call_t *c)
{
    record_t *r = c->record;

    if (r && (r->op != c->op || !str_is(c->path, r->path))) {
        c->sim->network.conflicts++;
        return call_refuse(c, 422, "idempotencyKeyReused",
                           "the Idempotency-Key belongs to another request");
    }
    if (r && r->status) {
        c->sim->network.duplicates++;
        return (answer_t){r->status, str_of(r->headers),
                          (str_t){r->body, r->body_len}};
    }
    return call_apply(c);
}

/* Finds and counts what the request is about; 0, or -1: *ret is the answer. */
static int
call_begin(call_t *c, answer_t *ret)
{
    network_t *n = &c->sim->network;
    str_t key = http_header(c->http, "Idempotency-Key");
    const char *slash = memchr(c->path.data + 1, '/', c->path.len - 1);
    str_t name = {c->path.data + 1,
                  slash ? (size_t) (slash - c->path.data - 1) : 0};

    n->calls++;
    c->target = name.len ? network_target(n, name) : NULL;
    if (!c->target) {
        *ret =
            call_refuse(c, 404, "noTarget", "paths are /<target>/<anything>");
        return -1;
    }
    if (c->op == OP_COUNT) {
        *ret =
            call_refuse(c, 405, "method", "GET, PUT, POST, PATCH or DELETE");
        return -1;
    }
    c->resource = network_resource(n, c->path);
    c->resource->tally[c->op].calls++;
    n->reads += c->op == OP_GET;
    if (key.len && c->op != OP_GET) {
        c->record = network_record(n, name, key);
        c->record->tally.calls++;
        if (!c->record->path) {
            c->record->path = memory_copy(c->path);
            c->record->op = c->op;
        }
    }
    c->rule = rules_match(&c->sim->rules, name, c->op, c->path, c->body);
    return 0;
}

static answer_t
call_work(call_t *c)
{
    answer_t a;

    if (call_begin(c, &a) < 0) {
        return a;
    }
    if (c->rule && rule_prevents(c->rule)) {
        c->sim->network.injected++;
        return injected_answer(c);
    }
    if (c->op == OP_GET || c->op == OP_DELETE || c->body.len == 0) {
        c->body = STR("{}");
    } else if (!json_text_is_object(c->body)) {
        return call_refuse(c, 400, "body", "the body is not a JSON object");
    }
    a = apply_once(c);
    if (c->rule && c->rule->after_apply &&
        (c->rule->status || c->rule->hang || c->rule->drop)) {
        a = injected_answer(c);
    }
    return a;
}

void
target_handle(sim_t *sim, http_conn_t *conn, const http_message_t *req)
{
    call_t c = {.sim = sim,
                .http = req,
                .op = op_of(req->method),
                .path = req->path,
                .body = req->body};

    network_trim(&sim->network);
    buf_reset(&sim->headers);

    answer_t a = call_work(&c);
    const rule_t *r = c.rule;

    if (r && r->hang) {
        http_hold(conn, NULL, NULL);
    } else if (r && r->delay_ms) {
        answer_later(sim, conn, &a, r->delay_ms);
    } else if (a.status == 0) {
        http_drop(conn);
    } else {
        http_answer(conn, a.status, a.headers, a.body);
    }
}
