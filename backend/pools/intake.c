/*
 * The intake pool: the shell around requests. Reads the request streams,
 * sorts a batch into groups, sends replies, acknowledges entries.
 *
 * Everything a client waits for ends in a reply or in the client's own
 * time-out; an entry is acknowledged only when its outcome is in PostgreSQL
 * or when the client was told that it is not.
 */
#include "backend/pools/intake.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/store/statements.h"
#include "proto/keys.h"

#define CREDITS       WORKER_CONNECTIONS
#define TICK_MS       100
#define CATALOG_MS    1000
#define CLAIM_IDLE_MS 10000
#define LIST_TIMEOUT  " options='-c statement_timeout=2000'"
#define BODY_MAX      JSON_MAX_BYTES

typedef enum { ROUTE_ORDERS, ROUTE_READS, ROUTE_LIST, ROUTE_ALONE } kind_t;

typedef struct {
    const char *api; /* NULL: any */
    const char *resource;
    const char *method;
    int keyed; /* 1: with an id, 0: without */
    kind_t kind;
    group_fn start;
} route_t;

static const route_t routes[] = {
    {"ordering", "serviceOrder", "POST", 0, ROUTE_ORDERS, orders_post},
    {"ordering", "serviceOrder", "GET", 1, ROUTE_READS, reads_start},
    {"ordering", "serviceOrder", "GET", 0, ROUTE_LIST, list_start},
    {"ordering", "serviceOrder", "DELETE", 1, ROUTE_ALONE, orders_remove},
    {"inventory", "service", "GET", 1, ROUTE_READS, reads_start},
    {"inventory", "service", "GET", 0, ROUTE_LIST, list_start},
    {"catalog", "serviceSpecification", "POST", 0, ROUTE_ALONE,
     specification_post},
    {"catalog", "serviceSpecification", "GET", 1, ROUTE_READS, reads_start},
    {"catalog", "serviceSpecification", "GET", 0, ROUTE_LIST, list_start},
    {"catalog", "serviceSpecification", "PATCH", 1, ROUTE_ALONE,
     specification_modify},
    {"catalog", "serviceSpecification", "DELETE", 1, ROUTE_ALONE,
     specification_remove},
    {NULL, "hub", "POST", 0, ROUTE_ALONE, hub_post},
    {NULL, "hub", "DELETE", 1, ROUTE_ALONE, hub_remove},
    {"callback", "callback", "POST", 1, ROUTE_ALONE, callback_post},
};

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

/* Lists do not hold the stream's credit: a slow one must not stop others. */
static bool
group_holds(const group_t *g)
{
    return g->start != list_start;
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

static void
maybe_exit(intake_t *in)
{
    if (in->worker.stopping && in->batches == 0) {
        worker_exit(&in->worker);
    }
}

static void
read_on(intake_t *in)
{
    int most = in->last_read >= BUSY_MIN ? WORKER_CONNECTIONS : 1;

    if (in->taken < most && in->ready && !in->worker.stopping) {
        in->taken++;
        stream_credit(in->stream, 1);
    }
}

void
group_end(group_t *g)
{
    batch_t *b = g->batch;
    intake_t *in = b->intake;

    fail_unanswered(g, 500, TMF_CODE_INTERNAL, "Internal error",
                    "The request could not be carried out");
    send_replies(g);
    acknowledge(g);
    if (group_holds(g) && --b->holding == 0) {
        in->taken--;
        read_on(in);
    }
    if (--b->groups == 0) {
        arena_free(b->arena);
        in->batches--;
        maybe_exit(in);
    }
}

static void
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
    b->groups--;
    b->holding--;
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
static void
unpark(intake_t *in)
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

/* A batch ------------------------------------------------------------------ */

static str_t
copy(arena_t *a, str_t s)
{
    return s.len ? arena_str(a, s) : STR_NONE;
}

/* An entry nobody could make sense of is kept for a person. */
static void
bury(intake_t *in, arena_t *a, const request_t *r, const char *why)
{
    str_t argv[] = {
        STR("XADD"),
        arena_printf(a, "%s" KEY_DEAD "%s", in->worker.settings->prefix,
                     r->stream + strlen(in->worker.settings->prefix)),
        STR("MAXLEN"),
        STR("~"),
        STR("10000"),
        STR("*"),
        STR("reason"),
        str_of(why),
        STR("entry"),
        r->entry,
        STR("body"),
        r->frame.body.len ? r->frame.body : STR(""),
    };

    redis_command(in->worker.redis, NULL, NULL, 0, argv,
                  (int) (sizeof(argv) / sizeof(argv[0])));
    stream_done(in->stream, r->stream, &r->entry, 1);
    log_event(LOG_ERROR, "stream entry buried", "stream", r->stream, "why",
              why, NULL);
}

static bool
take_entry(arena_t *a, const stream_entry_t *e, request_t *r)
{
    request_frame_t f;
    str_t *fields = arena_array(a, str_t, (size_t) e->field_count + 1);

    r->stream = e->stream;
    r->entry = copy(a, e->id);
    r->redelivered = e->redelivered;
    for (int i = 0; i < e->field_count; i++) {
        fields[i] = copy(a, e->fields[i]);
    }
    if (request_frame_read(&f, fields, e->field_count) != 0) {
        return false;
    }
    r->frame = f;
    for (int i = 0; i < API_COUNT; i++) {
        if (str_is(f.api, api_name((api_t) i))) {
            r->api = (api_t) i;
            return true;
        }
    }
    return str_is(f.api, "callback");
}

static bool
is_late(const request_t *r)
{
    char text[32];

    if (!r->frame.deadline.len || r->frame.deadline.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, r->frame.deadline.data, r->frame.deadline.len);
    text[r->frame.deadline.len] = '\0';
    return strtoll(text, NULL, 10) < now_us() / 1000;
}

static const route_t *
find_route(const request_t *r)
{
    const request_frame_t *f = &r->frame;

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const route_t *t = &routes[i];

        if ((!t->api || str_is(f->api, t->api)) &&
            str_is(f->resource, t->resource) && str_is(f->method, t->method) &&
            t->keyed == (f->key.len > 0)) {
            return t;
        }
    }
    return NULL;
}

/* Query and body, read again: a stream can be written by others than the
 * edge. false: answered. */
static bool
decode(group_t *g, request_t *r, bool reads)
{
    arena_t *a = group_arena(g);
    tmf_error_t e;
    json_error_t je;

    if (reads) {
        r->query = arena_new(a, query_t);
        if (query_parse(r->query, r->frame.query, &e) != 0) {
            request_error(g, r, &e);
            return false;
        }
        return true;
    }
    if (r->frame.body.len) {
        r->body = json_parse(a, r->frame.body, &je);
        if (!r->body) {
            tmf_error_set(&e, 400, TMF_CODE_BODY_INVALID, "Invalid body",
                          je.pointer, "%s", je.reason);
            request_error(g, r, &e);
            return false;
        }
    }
    return true;
}

static void
start_alone(batch_t *b, request_t **slot, const route_t *t)
{
    group_t *g = group_create(b, t ? t->start : reads_start, slot, 1);

    if (!t) {
        request_fail(g, *slot, 404, TMF_CODE_NOT_FOUND, "Not found",
                     "No such resource");
        group_end(g);
    } else if (decode(g, *slot, t->kind == ROUTE_LIST)) {
        group_start(g);
    } else {
        group_end(g);
    }
}

/* Those of one kind that share segments. */
static void
start_shared(batch_t *b, request_t **all, const kind_t *kinds, kind_t kind,
             group_fn start)
{
    request_t **list = arena_array(b->arena, request_t *, (size_t) b->count);
    group_t *g = group_create(b, start, list, 0);

    for (int i = 0; i < b->count; i++) {
        if (kinds[i] != kind) {
            continue;
        }
        if (decode(g, all[i], kind == ROUTE_READS)) {
            list[g->count++] = all[i];
        } else {
            group_t *one = group_create(b, start, &all[i], 1);

            group_end(one);
        }
    }
    if (g->count) {
        group_start(g);
    } else {
        group_end(g);
    }
}

static void
start_batch(batch_t *b)
{
    size_t n = (size_t) b->count;
    request_t **all = arena_array(b->arena, request_t *, n);
    kind_t *kinds = arena_array(b->arena, kind_t, n);
    const route_t **found = arena_array(b->arena, const route_t *, n);

    b->groups++; /* not to end before all are started */
    b->holding++;
    for (int i = 0; i < b->count; i++) {
        all[i] = &b->requests[i];
        found[i] = find_route(all[i]);
        kinds[i] = found[i] ? found[i]->kind : ROUTE_ALONE;
    }
    start_shared(b, all, kinds, ROUTE_ORDERS, orders_post);
    start_shared(b, all, kinds, ROUTE_READS, reads_start);
    for (int i = 0; i < b->count; i++) {
        if (kinds[i] == ROUTE_LIST || kinds[i] == ROUTE_ALONE) {
            start_alone(b, &all[i], found[i]);
        }
    }
    group_end(&(group_t){.batch = b, .start = orders_post});
}

static void
on_batch(void *ctx, const stream_entry_t *entries, int n)
{
    intake_t *in = ctx;
    arena_t *a = arena_create();
    batch_t *b = arena_new(a, batch_t);

    b->intake = in;
    b->arena = a;
    b->requests = arena_array(a, request_t, (size_t) n);
    for (int i = 0; i < n; i++) {
        request_t *r = &b->requests[b->count];

        memset(r, 0, sizeof(*r));
        if (!take_entry(a, &entries[i], r)) {
            bury(in, a, r, "not a request");
        } else if (is_late(r)) {
            stream_done(in->stream, r->stream, &r->entry, 1);
        } else {
            b->count++;
        }
    }
    *in->requests += (uint64_t) b->count;
    in->batches++;
    in->last_read = n;
    start_batch(b);
    read_on(in);
}

/* The catalog -------------------------------------------------------------- */

static void
on_changes(void *ctx, const PGresult *res)
{
    intake_t *in = ctx;

    for (int i = 0; i < PQntuples(res); i++) {
        specification_record_t s;

        specification_read(res, i, &s);
        catalog_apply(in->catalog, &s);
    }
}

static void
on_group_changes(void *ctx, const PGresult *res)
{
    on_changes(((group_t *) ctx)->batch->intake, res);
}

void
intake_refresh(group_t *g, pg_end_fn then, void *ctx)
{
    specifications_changes(g->pg, group_arena(g),
                           catalog_change(g->batch->intake->catalog),
                           on_group_changes, g);
    pg_commit(g->pg, then, ctx);
}

static void
on_catalog_read(void *ctx, pg_outcome_t outcome, const char *sqlstate,
                const char *message)
{
    intake_t *in = ctx;

    (void) sqlstate;
    (void) message;
    in->preparing = false;
    if (outcome == PG_OK && !in->ready) {
        in->ready = true;
        read_on(in);
        log_event(LOG_INFO, "ready", NULL);
    }
}

static void
on_secret(void *ctx, const PGresult *res)
{
    intake_t *in = ctx;
    str_t s = PQntuples(res) ? pg_text(res, 0, 0) : STR_NONE;

    in->secret_len = s.len < sizeof(in->secret) ? s.len : sizeof(in->secret);
    memcpy(in->secret, s.len ? s.data : "", in->secret_len);
}

typedef struct {
    intake_t *intake;
    int family;
} numbering_t;

static numbering_t numbering[CATALOG_MAX_FAMILIES];

static void
on_definition(void *ctx, const PGresult *res)
{
    numbering_t *n = ctx;

    if (PQntuples(res)) {
        catalog_set_definition(n->intake->catalog, n->family,
                               pg_int(res, 0, 0));
    }
}

/* Definitions get their numbers, then the catalog and the secret are read:
 * only then requests are taken. Later only the catalog. */
static void
prepare(intake_t *in)
{
    pg_t *pg = worker_pg(&in->worker);
    arena_t *a;

    if (!pg || in->preparing) {
        return;
    }
    in->preparing = true;
    a = arena_create();
    for (int i = 0; !in->ready && i < catalog_family_count(in->catalog); i++) {
        const family_t *f = catalog_family_at(in->catalog, i);

        numbering[i] = (numbering_t){in, i};
        definition_insert(pg, a, f->name, f->version, str_of(f->hash), f->text,
                          on_definition, &numbering[i]);
    }
    if (!in->ready) {
        secret_load(pg, a, on_secret, in);
    }
    specifications_changes(pg, a, catalog_change(in->catalog), on_changes, in);
    pg_commit(pg, on_catalog_read, in);
    arena_free(a);
}

/* The process -------------------------------------------------------------- */

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    static int turns;
    intake_t *in = ctx;

    (void) fd;
    (void) what;
    unpark(in);
    if (++turns * TICK_MS >= CATALOG_MS || !in->ready) {
        turns = 0;
        prepare(in);
    }
}

static void
on_pg(worker_t *w, int connection, bool up)
{
    intake_t *in = w->pool_ctx;

    (void) connection;
    if (up) {
        if (!in->ready) {
            prepare(in);
        }
        unpark(in);
    }
}

static void
on_lists_pg(void *ctx, bool up)
{
    if (up) {
        unpark(ctx);
    }
}

static void
on_stop(worker_t *w)
{
    intake_t *in = w->pool_ctx;

    stream_pause(in->stream);
    maybe_exit(in);
}

static void
open_stream(intake_t *in)
{
    const settings_t *s = in->worker.settings;
    stream_options_t o = {
        .address = &s->redis,
        .stream_count = INTAKE_STREAMS,
        .group = KEY_REQUEST_GROUP,
        .consumer = in->worker.slot,
        .batch = settings_batch(s, "intake"),
        .claim_idle_ms = CLAIM_IDLE_MS,
        .on_batch = on_batch,
        .ctx = in,
    };

    for (int i = 0; i < INTAKE_STREAMS; i++) {
        in->stream_keys[i] = worker_key(s, KEY_REQUEST, api_name((api_t) i));
        o.streams[i] = in->stream_keys[i];
    }
    in->stream = stream_open(in->worker.base, &o);
}

static void
open_lists(intake_t *in)
{
    const char *conninfo = in->worker.settings->postgres;
    size_t n = strlen(conninfo) + sizeof(LIST_TIMEOUT);
    char *text = xcalloc(1, n);

    snprintf(text, n, "%s" LIST_TIMEOUT, conninfo);
    in->lists =
        pg_open(in->worker.base, text, store_statements, on_lists_pg, in);
    free(text);
}

static intake_t *
intake_open(const settings_t *s, int n)
{
    intake_t *in = xcalloc(1, sizeof(*in));
    struct timeval tick = {0, TICK_MS * 1000};

    list_init(&in->parked);
    in->catalog = catalog_create();
    worker_open(&in->worker, s, "intake", n, store_statements);
    in->worker.pool_ctx = in;
    in->worker.on_pg = on_pg;
    in->worker.on_stop = on_stop;
    in->requests = worker_counter(&in->worker, "requests");
    in->orders = worker_counter(&in->worker, "orders_accepted");
    in->refused = worker_counter(&in->worker, "orders_rejected");
    in->failed = worker_counter(&in->worker, "requests_failed");
    open_lists(in);
    open_stream(in);
    in->tick = event_new(in->worker.base, -1, EV_PERSIST, on_tick, in);
    event_add(in->tick, &tick);
    return in;
}

static void
intake_close(intake_t *in)
{
    event_free(in->tick);
    stream_close(in->stream);
    pg_close(in->lists);
    worker_close(&in->worker);
    for (int i = 0; i < INTAKE_STREAMS; i++) {
        free(in->stream_keys[i]);
    }
    catalog_free(in->catalog);
    free(in);
}

int
intake_main(const settings_t *s, int n)
{
    intake_t *in = intake_open(s, n);
    char err[512];
    int rc = 2;

    if (catalog_read_families(in->catalog, s->families, err, sizeof(err))) {
        catalog_fingerprints(in->catalog, &in->worker.fingerprints);
        rc = worker_run(&in->worker);
    } else {
        log_event(LOG_ERROR, "families", "why", err, NULL);
    }
    intake_close(in);
    return rc;
}
