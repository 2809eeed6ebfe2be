/*
 * From entries of the request streams to groups: read, routed, decoded.
 */
#include "backend/pools/intake.h"

#include <stdlib.h>

#include "backend/tmf/dialect.h"
#include "backend/tmf/entity.h"
#include "proto/keys.h"

typedef enum { ROUTE_ORDERS, ROUTE_READS, ROUTE_LIST, ROUTE_ALONE } kind_t;

typedef struct {
    const char *api;      /* NULL: any */
    const char *resource; /* NULL: any that is managed (entity_kind()) */
    const char *method;
    int keyed; /* 1: with an id, 0: without */
    kind_t kind;
    group_fn start;
} route_t;

static const route_t routes[] = {
    {"ordering", "serviceOrder", "POST", 0, ROUTE_ORDERS, orders_post},
    {"ordering", "serviceOrder", "GET", 1, ROUTE_READS, reads_start},
    {"ordering", "serviceOrder", "GET", 0, ROUTE_LIST, list_start},
    {"ordering", "serviceOrder", "PATCH", 1, ROUTE_ALONE, order_modify},
    {"ordering", "serviceOrder", "DELETE", 1, ROUTE_ALONE, orders_remove},
    {"ordering", "cancelServiceOrder", "POST", 0, ROUTE_ALONE,
     cancellation_post},
    {"ordering", "cancelServiceOrder", "GET", 1, ROUTE_READS, reads_start},
    {"ordering", "cancelServiceOrder", "GET", 0, ROUTE_LIST, list_start},
    {"inventory", "service", "POST", 0, ROUTE_ALONE, service_post},
    {"inventory", "service", "GET", 1, ROUTE_READS, reads_start},
    {"inventory", "service", "GET", 0, ROUTE_LIST, list_start},
    {"inventory", "service", "PATCH", 1, ROUTE_ALONE, service_modify},
    {"inventory", "service", "DELETE", 1, ROUTE_ALONE, service_remove},
    {NULL, "hub", "POST", 0, ROUTE_ALONE, hub_post},
    {NULL, "hub", "DELETE", 1, ROUTE_ALONE, hub_remove},
    {"callback", "callback", "POST", 1, ROUTE_ALONE, callback_post},
    {"catalog", NULL, "POST", 0, ROUTE_ALONE, entity_post},
    {"catalog", NULL, "GET", 1, ROUTE_READS, reads_start},
    {"catalog", NULL, "GET", 0, ROUTE_LIST, list_start},
    {"catalog", NULL, "PATCH", 1, ROUTE_ALONE, entity_modify},
    {"catalog", NULL, "DELETE", 1, ROUTE_ALONE, entity_remove},
};

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
            (t->resource ? str_is(f->resource, t->resource)
                         : entity_kind(f->resource) != NULL) &&
            str_is(f->method, t->method) && t->keyed == (f->key.len > 0)) {
            return t;
        }
    }
    return NULL;
}

/* From here on a v5 document is in the form that all are kept in; a patch
 * stays as it is, for it is done to what was shown. */
static void
take_v5(arena_t *a, request_t *r)
{
    const resource_t *resource = resource_find(r->api, r->frame.resource);
    buf_t out;

    if (!str_is(r->frame.version, "v5") || !resource || !resource->create ||
        !str_is(r->frame.method, "POST")) {
        return;
    }
    buf_init(&out, 2 * (size_t) JSON_MAX_BYTES);
    dialect_take(&out, resource->create, r->body);
    r->frame.body = arena_take(a, &out);
    r->body = json_parse(a, r->frame.body, NULL);
}

/* Query and body, read again: a stream can be written by others than the
 * edge. The query of a new order, and of all that is written in v5, says which
 * attributes the answer is to show. false: answered. */
static bool
decode(group_t *g, request_t *r, kind_t kind)
{
    arena_t *a = group_arena(g);
    bool reads = kind == ROUTE_READS || kind == ROUTE_LIST;
    bool shaped = kind == ROUTE_ORDERS || str_is(r->frame.version, "v5");
    tmf_error_t e;
    json_error_t je;

    if (reads || (shaped && r->frame.query.len)) {
        r->query = arena_new(a, query_t);
        if (query_parse(r->query, r->frame.query, &e) != 0) {
            request_error(g, r, &e);
            return false;
        }
    }
    if (!reads && r->frame.body.len) {
        r->body = json_parse(a, r->frame.body, &je);
        if (!r->body) {
            tmf_error_set(&e, 400, TMF_CODE_BODY_INVALID, "Invalid body",
                          je.pointer, "%s", je.reason);
            request_error(g, r, &e);
            return false;
        }
        take_v5(a, r);
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
    } else if (decode(g, *slot, t->kind)) {
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
        if (decode(g, all[i], kind)) {
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
    int orders = 0;

    b->groups++; /* not to end before all are started */
    b->holding++;
    for (int i = 0; i < b->count; i++) {
        all[i] = &b->requests[i];
        found[i] = find_route(all[i]);
        kinds[i] = found[i] ? found[i]->kind : ROUTE_ALONE;
        orders += kinds[i] == ROUTE_ORDERS;
    }
    b->intake->gathers = orders > 1 && orders < GATHER_FULL;
    start_shared(b, all, kinds, ROUTE_ORDERS, orders_post);
    start_shared(b, all, kinds, ROUTE_READS, reads_start);
    for (int i = 0; i < b->count; i++) {
        if (kinds[i] == ROUTE_LIST || kinds[i] == ROUTE_ALONE) {
            start_alone(b, &all[i], found[i]);
        }
    }
    group_end(&(group_t){.batch = b, .start = orders_post});
}

/* The stream's connection may be there again before the one that replies; what
 * was answered over that one would be lost, and its client left waiting. */
void
intake_unmute(intake_t *in)
{
    list_t *node;

    while ((node = list_pop(&in->mute))) {
        start_batch(list_entry(node, batch_t, node));
    }
}

void
intake_on_batch(void *ctx, const stream_entry_t *entries, int n)
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
    in->asked = false;
    in->held++;
    in->begun_us = clock_mono_us();
    in->batches++;
    if (redis_up(in->worker.redis)) {
        start_batch(b);
    } else {
        list_append(&in->mute, &b->node);
    }
    intake_read_on(in);
}
