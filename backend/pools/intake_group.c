/*
 * Groups of requests: begun, replayed, parked while PostgreSQL is away, and
 * ended by replies and acknowledgements.
 */
#include "backend/pools/intake.h"

#include <stdlib.h>

#include "proto/keys.h"

#define BODY_MAX JSON_MAX_BYTES

int64_t
now_us(void)
{
    return clock_us();
}

arena_t *
group_arena(const group_t *g)
{
    return g->batch->arena;
}

str_t
arena_take(arena_t *a, buf_t *b)
{
    str_t s = arena_str(a, buf_view(b));

    if (buf_failed(b)) {
        abort(); /* out of memory, or past a bound that cannot be reached */
    }
    buf_free(b);
    return s;
}

tmf_view_t
request_view(const request_t *r)
{
    return (tmf_view_t){
        .base = r->frame.base,
        .version = r->frame.version,
        .strict = str_is(r->frame.profile, "strict"),
        .query = r->query,
    };
}

str_t
location_header(arena_t *a, const request_t *r, str_t id)
{
    tmf_view_t v = request_view(r);
    buf_t header;

    buf_init(&header, 65536);
    buf_puts(&header, "Location: ");
    tmf_href(&header, &v, r->api, arena_z(a, r->frame.resource), id);
    buf_char(&header, '\n');
    return arena_take(a, &header);
}

/* Answers ------------------------------------------------------------------ */

void
request_answer(request_t *r, int status, str_t headers, str_t content)
{
    r->status = status;
    r->headers = headers;
    r->content = content;
}

void
request_error(group_t *g, request_t *r, const tmf_error_t *e)
{
    buf_t body;

    buf_init(&body, 65536);
    tmf_error_body(&body, e);
    request_answer(r, e->status,
                   e->status == 503 ? STR("Retry-After: 1\n") : STR_NONE,
                   arena_take(group_arena(g), &body));
}

void
request_fail(group_t *g, request_t *r, int status, tmf_code_t code,
             const char *reason, const char *message)
{
    tmf_error_t e;

    tmf_error_set(&e, status, code, reason, NULL, "%s", message);
    request_error(g, r, &e);
}

bool
request_patch(group_t *g, request_t *r, patch_kind_t *ret)
{
    if (!patch_kind_of(r->frame.content_type, ret)) {
        request_fail(g, r, 415, TMF_CODE_MEDIA_TYPE, "Unsupported media type",
                     "A PATCH is one of " PATCH_TYPES);
    } else if (!r->body) {
        request_fail(g, r, 400, TMF_CODE_BODY_MISSING, "Missing body",
                     "A patch is expected");
    }
    return r->status == 0;
}

static void
fail_unanswered(group_t *g, int status, tmf_code_t code, const char *reason,
                const char *message)
{
    for (int i = 0; i < g->count; i++) {
        if (g->requests[i]->status == 0) {
            request_fail(g, g->requests[i], status, code, reason, message);
        }
    }
}

static void
fail_unavailable(group_t *g)
{
    fail_unanswered(g, 503, TMF_CODE_UNAVAILABLE, "Service unavailable",
                    "The database cannot be reached; try again");
}

static str_t
reply_text(arena_t *a, const request_t *r)
{
    reply_frame_t f = {r->status, r->headers, r->content};
    buf_t out;

    buf_init(&out, 2 * (size_t) BODY_MAX + r->content.len);
    reply_frame_write(&out, &f);
    return arena_take(a, &out);
}

/* One XADD a reply stream: id, frame, id, frame ... */
static void
send_replies(group_t *g)
{
    intake_t *in = g->batch->intake;
    arena_t *a = group_arena(g);
    bool *sent = arena_array(a, bool, (size_t) g->count);
    str_t *argv = arena_array(a, str_t, 6 + 2 * (size_t) g->count);

    for (int i = 0; i < g->count; i++) {
        str_t to = g->requests[i]->frame.reply_to;
        int argc = 0;

        if (sent[i] || !to.len) {
            continue;
        }
        argv[argc++] = STR("XADD");
        argv[argc++] = to;
        argv[argc++] = STR("MAXLEN");
        argv[argc++] = STR("~");
        argv[argc++] = arena_printf(a, "%d", REPLY_STREAM_MAX);
        argv[argc++] = STR("*");
        for (int j = i; j < g->count; j++) {
            if (!sent[j] && str_eq(g->requests[j]->frame.reply_to, to)) {
                argv[argc++] = g->requests[j]->frame.id;
                argv[argc++] = reply_text(a, g->requests[j]);
                sent[j] = true;
            }
        }
        redis_command(in->worker.redis, NULL, NULL, 0, argv, argc);
    }
}

static void
acknowledge(group_t *g)
{
    str_t *ids = arena_array(group_arena(g), str_t, (size_t) g->count);

    for (int k = 0; k < INTAKE_STREAMS; k++) {
        const char *key = g->batch->intake->stream_keys[k];
        int n = 0;

        for (int i = 0; i < g->count; i++) {
            if (!strcmp(g->requests[i]->stream, key)) {
                ids[n++] = g->requests[i]->entry;
            }
        }
        if (n) {
            stream_done(g->batch->intake->stream, key, ids, n);
        }
    }
}

/* Groups ------------------------------------------------------------------- */

/* Neither lists nor registrations, which wait for names, hold the stream's
 * credit: a slow one must not stop others. */
static bool
group_holds(const group_t *g)
{
    return g->start != list_start && g->start != hub_post;
}

group_t *
group_create(batch_t *b, group_fn start, request_t **requests, int count)
{
    group_t *g = arena_new(b->arena, group_t);

    list_init(&g->node);
    g->batch = b;
    g->start = start;
    g->requests = requests;
    g->count = count;
    b->groups++;
    b->holding += group_holds(g);
    return g;
}

void
intake_maybe_exit(intake_t *in)
{
    if (in->worker.stopping && in->batches == 0) {
        worker_exit(&in->worker);
    }
}

void
intake_gathered(evutil_socket_t fd, short what, void *ctx)
{
    (void) fd;
    (void) what;
    intake_read_on(ctx);
}

void
intake_read_on(intake_t *in)
{
    int64_t wait = in->begun_us + GATHER_US - clock_mono_us();

    if (in->asked || in->held >= WORKER_CONNECTIONS || !in->ready ||
        in->worker.stopping) {
        return;
    }
    if (in->gathers && wait > 0) {
        struct timeval tv = {0, (suseconds_t) wait};

        (void) event_add(in->gather, &tv);
        return;
    }
    in->asked = true;
    stream_credit(in->stream, 1);
}

/* One group of it has ended: with the last one the batch does. */
static void
batch_release(batch_t *b, bool held)
{
    intake_t *in = b->intake;

    if (held && --b->holding == 0) {
        in->held--;
        intake_read_on(in);
    }
    if (--b->groups == 0) {
        arena_free(b->arena);
        in->batches--;
        intake_maybe_exit(in);
    }
}

void
group_end(group_t *g)
{
    batch_t *b = g->batch;

    fail_unanswered(g, 500, TMF_CODE_INTERNAL, "Internal error",
                    "The request could not be carried out");
    send_replies(g);
    acknowledge(g);
    batch_release(b, group_holds(g));
}

void
group_start(group_t *g)
{
    intake_t *in = g->batch->intake;

    g->pg = g->start == list_start ? in->lists : worker_pg(&in->worker);
    if (g->pg && pg_up(g->pg)) {
        in->away_since = 0;
        g->start(g);
        return;
    }
    in->away_since = in->away_since ? in->away_since : clock_mono_ms();
    if (clock_mono_ms() - in->away_since > PARKED_MS) {
        fail_unavailable(g);
        group_end(g);
        return;
    }
    g->parked_at = g->parked_at ? g->parked_at : clock_mono_ms();
    list_append(&in->parked, &g->node);
}

/* A batch that failed as a whole is replayed one by one, so that a bad member
 * harms only itself (law 3). */
static void
group_split(group_t *g)
{
    batch_t *b = g->batch;

    for (int i = 0; i < g->count; i++) {
        group_t *one = group_create(b, g->start, &g->requests[i], 1);

        one->careful = true;
        one->tries = 1;
        group_start(one);
    }
    batch_release(b, true);
}

bool
group_committed(group_t *g, pg_outcome_t outcome, const char *sqlstate,
                const char *message)
{
    bool again = outcome == PG_RETRY || !strcmp(sqlstate, "23505") ||
                 !strcmp(sqlstate, "22012");

    if (outcome == PG_OK) {
        return true;
    }
    g->careful = true;
    if (outcome == PG_UNKNOWN) {
        g->parked_at = g->parked_at ? g->parked_at : clock_mono_ms();
        list_append(&g->batch->intake->parked, &g->node);
        return false;
    }
    if (g->count > 1) {
        group_split(g);
        return false;
    }
    if (again && strcmp(sqlstate, "57014") && ++g->tries < GROUP_TRIES) {
        group_start(g);
        return false;
    }
    if (!strcmp(sqlstate, "57014")) { /* query_canceled: statement_timeout */
        fail_unanswered(g, 400, TMF_CODE_QUERY_INVALID, "Query too expensive",
                        "The query takes too long; filter by an indexed "
                        "attribute");
    } else {
        log_event(LOG_ERROR, "request failed", "sqlstate", sqlstate, "why",
                  message, NULL);
        (*g->batch->intake->failed)++;
    }
    group_end(g);
    return false;
}

/* Those who wait for PostgreSQL: go on, or are told that it is away. */
void
intake_unpark(intake_t *in)
{
    list_t waiting;
    list_t *node;

    list_init(&waiting);
    while ((node = list_pop(&in->parked))) {
        list_append(&waiting, node);
    }
    while ((node = list_pop(&waiting))) {
        group_t *g = list_entry(node, group_t, node);

        if (clock_mono_ms() - g->parked_at > PARKED_MS) {
            fail_unavailable(g);
            group_end(g);
        } else {
            group_start(g);
        }
    }
}
