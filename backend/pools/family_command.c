/*
 * Commands to targets: rendered, sent under an idempotency key, and what
 * comes back as an input of the activation.
 */
#include "backend/pools/family.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "backend/southbound/token.h"

#define BODY_MAX        ((size_t) JSON_MAX_BYTES)
#define CONNECT_TIMEOUT 3000 /* ms */
#define CALLBACK_PATH   "/turnup/v1/callback/"

/* Inputs ------------------------------------------------------------------- */

static input_t
failure(const char *code, bool permanent)
{
    input_t in = {.event = {.kind = EVENT_FAILED,
                            .permanent = permanent,
                            .retry_after_ms = -1},
                  .seq = -1,
                  .visit = -1};

    snprintf(in.code, sizeof(in.code), "%s", code);
    return in;
}

static char *
take(buf_t *b)
{
    char *text = xstrdup(b->data ? b->data : "");

    buf_free(b);
    return text;
}

static void
answer_with(pool_t *p, work_t *w, input_t *in)
{
    in->seq = w->run.seq;
    work_input(p, w, in);
}

static void
fail_missing(pool_t *p, work_t *w, str_t path)
{
    input_t in = failure("missingValue", true);
    buf_t b;

    buf_init(&b, 4096);
    buf_puts(&b, "no value for ");
    buf_str(&b, path);
    in.message = take(&b);
    answer_with(p, w, &in);
}

/* "bng answered 409: {...}", cut to a readable length. */
static char *
answer_message(const command_t *c, const http_answer_t *a)
{
    size_t n = a->body.len < ANSWER_QUOTE ? a->body.len : ANSWER_QUOTE;
    buf_t b;

    buf_init(&b, 4096);
    buf_str(&b, c->target->name);
    if (a->status == 0) {
        buf_printf(&b, " gave no answer: %s", a->error ? a->error : "");
    } else {
        buf_printf(&b, " answered %d", a->status);
        if (n) {
            buf_puts(&b, ": ");
            buf_put(&b, a->body.data, utf8_valid((str_t){a->body.data, n}));
        }
    }
    return take(&b);
}

/* Values out of an answer's or a callback's body, as an object. NULL: one
 * that must be there is not; *ret_missing names its pointer. */
static char *
capture(const command_t *c, const json_t *body, str_t *ret_missing)
{
    buf_t b;

    buf_init(&b, BODY_MAX);
    buf_char(&b, '{');
    for (int i = 0; i < c->capture_count; i++) {
        const json_t *v = json_at(body, c->captures[i].pointer);

        if (!v && !c->captures[i].optional) {
            *ret_missing = c->captures[i].pointer;
            buf_free(&b);
            return NULL;
        }
        if (v) {
            json_comma(&b);
            buf_json(&b, c->captures[i].variable);
            buf_char(&b, ':');
            buf_str(&b, v->raw);
        }
    }
    json_end(&b, '}');
    return take(&b);
}

static void
done_with_body(const command_t *c, const json_t *body, input_t *in)
{
    str_t missing = STR_NONE;
    buf_t b;

    if (c->capture_count == 0) {
        return;
    }
    in->variables = capture(c, body, &missing);
    if (in->variables) {
        return;
    }
    in->event.kind = EVENT_FAILED;
    in->event.permanent = true;
    snprintf(in->code, sizeof(in->code), "answerIncomplete");
    buf_init(&b, 4096);
    buf_str(&b, c->target->name);
    buf_puts(&b, "'s answer has no ");
    buf_str(&b, missing);
    in->message = take(&b);
}

/* A body with "status" failed, rejected or error is a no; all else is done. */
void
command_callback(const command_t *c, input_t *in)
{
    arena_t *a = arena_create();
    json_t *body = in->body ? json_parse(a, str_of(in->body), NULL) : NULL;
    str_t status = json_text(body, "status");

    in->event.kind = EVENT_DONE;
    if (str_is(status, "failed") || str_is(status, "rejected") ||
        str_is(status, "error")) {
        size_t n = strlen(in->body);
        buf_t b;

        in->event.kind = EVENT_FAILED;
        in->event.permanent = true;
        snprintf(in->code, sizeof(in->code), "targetRefused");
        buf_init(&b, 4096);
        buf_str(&b, c->target->name);
        buf_puts(&b, " called back: ");
        n = n < ANSWER_QUOTE ? n : ANSWER_QUOTE;
        buf_put(&b, in->body, utf8_valid((str_t){in->body, n}));
        in->message = take(&b);
    } else {
        done_with_body(c, body, in);
    }
    arena_free(a);
}

/* Answers ------------------------------------------------------------------ */

static bool
may_retry(int status)
{
    return status == 0 || status == 408 || status == 423 || status == 425 ||
           status == 429 || status >= 500;
}

static void
compare(work_t *w, const command_t *c, const json_t *body, input_t *in)
{
    buf_t want;
    str_t missing = STR_NONE;

    buf_init(&want, BODY_MAX);
    for (int i = 0; i < c->expect_count; i++) {
        const json_t *is = json_at(body, c->expect[i].name);
        const json_t *should = NULL;
        arena_t *a = arena_create();

        buf_reset(&want);
        if (template_render(c->expect[i].value, &w->context, &want,
                            &missing)) {
            should = json_parse(a, buf_view(&want), NULL);
        }
        if (!is || !should || !json_equal(is, should)) {
            buf_t b;

            in->event.kind = EVENT_MISMATCH;
            snprintf(in->code, sizeof(in->code), "mismatch");
            buf_init(&b, 8192);
            buf_str(&b, c->target->name);
            buf_printf(&b, " shows %.*s = %.*s, expected %.*s",
                       STR_FMT(c->expect[i].name),
                       STR_FMT(is ? is->raw : STR("nothing")),
                       STR_FMT(buf_view(&want)));
            free(in->message);
            in->message = take(&b);
            arena_free(a);
            break;
        }
        arena_free(a);
    }
    buf_free(&want);
}

static input_t
judge(work_t *w, const command_t *c, const http_answer_t *a)
{
    bool undoing = w->run.phase == RUN_UNDOING;
    bool gone = (a->status == 404 || a->status == 410) &&
                !strcasecmp(c->method, "DELETE");
    input_t in = {.event = {.kind = EVENT_DONE, .retry_after_ms = -1},
                  .visit = -1};
    arena_t *scratch;
    json_t *body;

    if (a->status == 202 && !undoing && c->kind == COMMAND_CALL) {
        in.event.kind = EVENT_ACCEPTED;
        return in;
    }
    if (!gone && (a->status < 200 || a->status > 299)) {
        in = failure(may_retry(a->status) ? "targetUnavailable"
                                          : "targetRefused",
                     !may_retry(a->status));
        if (c->kind == COMMAND_OBSERVE && a->status == 404) {
            in.event.kind = EVENT_MISMATCH;
            in.event.permanent = false;
        }
        in.event.retry_after_ms =
            a->retry_after_s >= 0 ? 1000 * a->retry_after_s : -1;
        in.message = answer_message(c, a);
        in.status = a->status;
        return in;
    }
    if (gone || undoing || (!c->capture_count && !c->expect_count)) {
        return in;
    }
    scratch = arena_create();
    body = json_parse(scratch, arena_str(scratch, a->body), NULL);
    if (c->kind == COMMAND_OBSERVE) {
        in.status = a->status;
        compare(w, c, body, &in);
    }
    if (in.event.kind == EVENT_DONE) {
        done_with_body(c, body, &in);
    }
    arena_free(scratch);
    return in;
}

/* Calls -------------------------------------------------------------------- */

static lane_t *
lane_of(pool_t *p, const target_t *t)
{
    for (int i = 0; i < p->lane_count; i++) {
        if (str_eq(p->lanes[i].name, t->name)) {
            return &p->lanes[i];
        }
    }
    if (p->lane_count == FAMILY_MAX_TARGETS) {
        return &p->lanes[0]; /* old definitions' targets share */
    }
    p->lanes[p->lane_count].name = t->name;
    list_init(&p->lanes[p->lane_count].waiting);
    return &p->lanes[p->lane_count++];
}

static void call_send(pool_t *p, work_t *w);

static void
lane_next(pool_t *p, lane_t *lane, int concurrency)
{
    list_t *node;

    while (lane->in_flight < concurrency && !p->worker.stopping &&
           (node = list_pop(&lane->waiting))) {
        call_send(p, list_entry(node, work_t, call_node));
    }
}

static void
on_answer(void *ctx, const http_answer_t *a)
{
    work_t *w = ctx;
    pool_t *p = w->pool;
    const command_t *c = w->command;
    lane_t *lane = lane_of(p, c->target);
    input_t in = judge(w, c, a);

    w->call = NULL;
    lane->in_flight--;
    if (in.event.kind == EVENT_FAILED) {
        (*p->failures)++;
    }
    answer_with(p, w, &in);
    lane_next(p, lane, c->target->concurrency);
}

static bool
has_callback(const template_t *t)
{
    bool optional;

    for (int i = 0; t && i < template_path_count(t); i++) {
        if (str_is(template_path(t, i, &optional), "callback.url")) {
            return true;
        }
    }
    return false;
}

/* {{callback.url}}, where the command has it: an HMAC is not for nothing. */
static void
render_callback(pool_t *p, work_t *w, const command_t *c)
{
    bool wanted = has_callback(c->body) || has_callback(c->path);
    buf_t b;

    for (int i = 0; i < c->header_count; i++) {
        wanted = wanted || has_callback(c->headers[i].value);
    }
    if (!wanted) {
        return;
    }
    buf_init(&b, 4096);
    buf_puts(&b, p->worker.settings->public_base);
    buf_puts(&b, CALLBACK_PATH);
    token_print((str_t){p->secret, p->secret_len}, w->id, w->run.path_length,
                &b);
    w->callback = arena_str(w->arena, buf_view(&b));
    w->context.callback = w->callback;
    buf_free(&b);
}

/* Everything of a request but what http_send() is told directly. */
typedef struct {
    buf_t url, body, key, trace;
    buf_t headers[HTTP_MAX_HEADERS];
    int header_count;
} rendered_t;

static void
rendered_free(rendered_t *r)
{
    buf_free(&r->url);
    buf_free(&r->body);
    buf_free(&r->key);
    buf_free(&r->trace);
    for (int i = 0; i < r->header_count; i++) {
        buf_free(&r->headers[i]);
    }
}

static bool
render(pool_t *p, work_t *w, const command_t *c, rendered_t *r,
       str_t *ret_missing)
{
    char id[UUID_TEXT + 1];

    memset(r, 0, sizeof(*r));
    buf_init(&r->url, 65536);
    buf_init(&r->body, BODY_MAX);
    buf_init(&r->key, 4096);
    buf_init(&r->trace, 4096);
    render_callback(p, w, c);
    uuid_print(w->id, id);
    buf_puts(&r->key, "Idempotency-Key: ");
    run_idempotency_key(w->machine, &w->run, id, &r->key);
    if (w->traceparent.len) {
        buf_puts(&r->trace, "traceparent: ");
        buf_str(&r->trace, w->traceparent);
    }
    buf_puts(&r->url, c->target->url);
    if (!template_render(c->path, &w->context, &r->url, ret_missing) ||
        (c->body &&
         !template_render(c->body, &w->context, &r->body, ret_missing))) {
        return false;
    }
    for (int i = 0; i < c->header_count && i < HTTP_MAX_HEADERS - 3; i++) {
        buf_t *b = &r->headers[r->header_count++];

        buf_init(b, 8192);
        buf_str(b, c->headers[i].name);
        buf_puts(b, ": ");
        if (!template_render(c->headers[i].value, &w->context, b,
                             ret_missing)) {
            return false;
        }
    }
    return true;
}

static void
call_send(pool_t *p, work_t *w)
{
    const command_t *c = w->command;
    lane_t *lane = lane_of(p, c->target);
    http_request_t q = {.method = c->method,
                        .timeout_ms = c->target->timeout_ms,
                        .connect_timeout_ms = CONNECT_TIMEOUT};
    str_t missing = STR_NONE;
    rendered_t r;
    int n = 0;

    if (!render(p, w, c, &r, &missing)) {
        rendered_free(&r);
        fail_missing(p, w, missing);
        return;
    }
    q.url = r.url.data;
    q.body = buf_view(&r.body);
    q.headers[n++] = r.key.data;
    if (r.trace.len) {
        q.headers[n++] = r.trace.data;
    }
    for (int i = 0; i < r.header_count; i++) {
        q.headers[n++] = r.headers[i].data;
    }
    lane->in_flight++;
    (*p->calls)++;
    w->call = http_send(p->http, &q, on_answer, w);
    rendered_free(&r);
}

void
command_perform(pool_t *p, work_t *w)
{
    const command_t *c = run_command(w->machine, &w->run);
    lane_t *lane;

    if (!c) {
        work_event(p, w, EVENT_DONE);
        return;
    }
    if (c->kind == COMMAND_ALLOCATE || c->kind == COMMAND_RELEASE) {
        w->store_command = true;
        work_ready(p, w);
        return;
    }
    w->command = c;
    lane = lane_of(p, c->target);
    if (lane->in_flight >= c->target->concurrency) {
        list_append(&lane->waiting, &w->call_node);
        return;
    }
    call_send(p, w);
}

static void
on_timer(evutil_socket_t fd, short what, void *ctx)
{
    work_t *w = ctx;

    (void) fd;
    (void) what;
    event_free(w->timer);
    w->timer = NULL;
    command_perform(w->pool, w);
}

void
command_later(pool_t *p, work_t *w, int64_t delay_ms)
{
    struct timeval tv = {(time_t) (delay_ms / 1000),
                         (suseconds_t) (delay_ms % 1000) * 1000};

    w->timer = evtimer_new(p->worker.base, on_timer, w);
    event_add(w->timer, &tv);
}

/* A command whose answer is of no interest any more. */
void
command_cancel(pool_t *p, work_t *w)
{
    list_remove(&w->call_node);
    w->store_command = false;
    if (w->timer) {
        event_free(w->timer);
        w->timer = NULL;
    }
    if (w->call) {
        lane_t *lane = lane_of(p, w->command->target);

        http_cancel(w->call);
        w->call = NULL;
        lane->in_flight--;
        lane_next(p, lane, w->command->target->concurrency);
    }
}
