/*
 * Reads: by id, all of a group in one segment; and lists, each in a segment
 * of its own on a connection with a time limit.
 */
#include "backend/pools/intake.h"

#include <stdlib.h>

#include "backend/pools/loaded.h"
#include "backend/store/cancellations.h"
#include "backend/store/orders.h"
#include "backend/store/services.h"
#include "backend/tmf/cancellation.h"
#include "backend/tmf/dialect.h"
#include "backend/tmf/entity.h"
#include "backend/tmf/order.h"
#include "backend/tmf/select.h"
#include "backend/tmf/service.h"

/* By id -------------------------------------------------------------------- */

typedef struct {
    str_t resource, id, version;
    const json_t *doc;
} stored_entity_t;

typedef struct {
    loaded_t loaded;
    stored_entity_t *entities;
    int entity_count;
} reading_t;

static void
on_entities(void *ctx, const PGresult *res)
{
    reading_t *t = ctx;
    arena_t *a = t->loaded.arena;
    int n = PQntuples(res);

    t->entities = arena_array(a, stored_entity_t, (size_t) n + 1);
    for (int i = 0; i < n; i++) {
        entity_record_t e;

        entity_read(res, i, &e);
        t->entities[t->entity_count++] = (stored_entity_t){
            arena_str(a, e.resource), arena_str(a, e.id),
            arena_str(a, e.version), json_parse(a, arena_str(a, e.doc), NULL)};
    }
}

/* Where versions stand side by side: the one that is asked for. */
static str_t
wanted_version(const request_t *r)
{
    for (int i = 0; i < r->query->filter_count; i++) {
        const query_filter_t *f = &r->query->filters[i];

        if (str_is(f->path, "version") && f->op == QUERY_EQ &&
            entity_kind(r->frame.resource)->versions) {
            return r->query->values[f->first_value];
        }
    }
    return STR_NONE;
}

/* Several versions of an id: the one asked for by ?version=, else the newest
 * (they come oldest first). */
static const json_t *
find_entity(const reading_t *t, const request_t *r)
{
    str_t wanted = wanted_version(r);
    const json_t *found = NULL;

    for (int i = 0; i < t->entity_count; i++) {
        const stored_entity_t *e = &t->entities[i];

        if (str_eq(e->id, r->frame.key) &&
            str_eq(e->resource, r->frame.resource) &&
            (!wanted.len || str_eq(e->version, wanted))) {
            found = e->doc;
        }
    }
    return found;
}

static bool
is_cancellation(const request_t *r)
{
    return str_is(r->frame.resource, "cancelServiceOrder");
}

static bool
render_cancellation(const reading_t *t, const request_t *r, uuid_t id,
                    buf_t *out)
{
    const cancellation_record_t *c = loaded_cancellation(&t->loaded, id);
    tmf_view_t v = request_view(r);

    if (c) {
        cancellation_to_tmf(out, t->loaded.arena, c, &v);
    }
    return c != NULL;
}

static bool
render(const reading_t *t, const request_t *r, buf_t *out)
{
    tmf_view_t v = request_view(r);
    uuid_t id = {{0}};
    bool is_uuid = uuid_parse(r->frame.key, &id);
    const order_record_t *o;
    const service_record_t *s;
    const json_t *doc;

    switch (r->api) {
    case API_ORDERING:
        if (is_cancellation(r)) {
            return is_uuid && render_cancellation(t, r, id, out);
        }
        o = is_uuid ? loaded_order(&t->loaded, id) : NULL;
        if (o) {
            order_to_tmf(out, t->loaded.arena, o, &v);
        }
        return o != NULL;
    case API_INVENTORY:
        s = is_uuid ? loaded_service(&t->loaded, id) : NULL;
        if (s) {
            service_to_tmf(out, t->loaded.arena, s, &v);
        }
        return s != NULL;
    default:
        doc = find_entity(t, r);
        if (doc) {
            entity_to_tmf(out, entity_kind(r->frame.resource), doc, &v);
        }
        return doc != NULL;
    }
}

static void
answer(group_t *g, const reading_t *t, request_t *r)
{
    arena_t *a = group_arena(g);
    buf_t out;
    tmf_error_t e;

    tmf_view_t v = request_view(r);

    buf_init(&out, 16 * (size_t) JSON_MAX_BYTES);
    if (render(t, r, &out)) {
        tmf_select(&out, 0, a, &v);
        str_t body = arena_take(a, &out);
        str_t tag = entity_tag(a, body);

        if (request_condition(g, r, tag)) {
            request_answer(r, 200, entity_tag_header(a, tag), body);
        }
        return;
    }
    buf_free(&out);
    tmf_error_set(&e, 404, TMF_CODE_NOT_FOUND, "Not found", NULL,
                  "No %.*s with id %.*s", STR_FMT(r->frame.resource),
                  STR_FMT(r->frame.key));
    request_error(g, r, &e);
}

static void
on_read(void *ctx, pg_outcome_t outcome, const char *sqlstate,
        const char *message)
{
    group_t *g = ctx;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    for (int i = 0; i < g->count; i++) {
        answer(g, g->data, g->requests[i]);
    }
    group_end(g);
}

/* What has a UUID: the tables that are asked for it. */
enum { OF_ORDERS, OF_SERVICES, OF_CANCELLATIONS, OF_COUNT };

static int
table_of(const request_t *r)
{
    return r->api == API_INVENTORY ? OF_SERVICES
           : is_cancellation(r)    ? OF_CANCELLATIONS
                                   : OF_ORDERS;
}

void
reads_start(group_t *g)
{
    static const struct {
        void (*load)(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                     pg_result_fn fn, void *ctx);
        pg_result_fn fn;
    } tables[OF_COUNT] = {
        [OF_ORDERS] = {orders_load, loaded_on_orders},
        [OF_SERVICES] = {services_load, loaded_on_services},
        [OF_CANCELLATIONS] = {cancellations_load, loaded_on_cancellations},
    };
    arena_t *a = group_arena(g);
    reading_t *t = g->data = arena_new(a, reading_t);
    size_t n = (size_t) g->count;
    str_t *names = arena_array(a, str_t, n), *of = arena_array(a, str_t, n);
    uuid_t *ids[OF_COUNT];
    int id_count[OF_COUNT] = {0}, name_count = 0;

    t->loaded.arena = a;
    for (int k = 0; k < OF_COUNT; k++) {
        ids[k] = arena_array(a, uuid_t, n);
    }
    for (int i = 0; i < g->count; i++) {
        const request_t *r = g->requests[i];
        int k = table_of(r);

        if (r->api == API_CATALOG) {
            of[name_count] = r->frame.resource;
            names[name_count++] = r->frame.key;
        } else if (uuid_parse(r->frame.key, &ids[k][id_count[k]])) {
            id_count[k]++;
        }
    }
    for (int k = 0; k < OF_COUNT; k++) {
        if (id_count[k]) {
            tables[k].load(g->pg, a, ids[k], id_count[k], tables[k].fn,
                           &t->loaded);
        }
    }
    if (name_count) {
        entities_load(g->pg, a, of, names, name_count, on_entities, t);
    }
    pg_commit(g->pg, on_read, g);
}

/* Lists -------------------------------------------------------------------- */

typedef struct {
    group_t *group;
    reading_t reading;
    uuid_t *ids;
    int id_count;
    page_t page;
    tmf_error_t error; /* what to answer when its time is up */
} listing_t;

static void
on_page(void *ctx, const PGresult *res)
{
    listing_t *t = ctx;
    arena_t *a = t->reading.loaded.arena;
    int n = PQntuples(res);
    bool entities = t->group->requests[0]->api == API_CATALOG;

    t->page.total =
        n && !pg_is_null(res, 0, 1) ? (long) pg_long(res, 0, 1) : -1;
    t->page.more = n > t->page.size && !pg_is_null(res, 0, 0);
    if (n > t->page.size) {
        n = (int) t->page.size; /* the one behind the page is not shown */
    }

    t->ids = arena_array(a, uuid_t, (size_t) n + 1);
    t->reading.entities = arena_array(a, stored_entity_t, (size_t) n + 1);
    for (int i = 0; i < n; i++) {
        if (pg_is_null(res, i, 0)) {
            continue; /* the page is empty; only the count was told */
        }
        if (entities) {
            t->reading.entities[t->reading.entity_count++].doc =
                json_parse(a, arena_str(a, pg_text(res, i, 0)), NULL);
        } else {
            t->ids[t->id_count++] = pg_uuid(res, i, 0);
        }
    }
}

static void
begin_element(listing_t *t, buf_t *out, size_t *ret_start)
{
    json_comma(out);
    *ret_start = out->len;
    t->page.shown++;
}

static void
answer_list(listing_t *t)
{
    group_t *g = t->group;
    request_t *r = g->requests[0];
    arena_t *a = group_arena(g);
    tmf_view_t v = request_view(r);
    size_t start;
    buf_t out;

    buf_init(&out, 256UL * 1024 * 1024);
    buf_char(&out, '[');
    for (int i = 0; i < t->id_count; i++) {
        const order_record_t *o = loaded_order(&t->reading.loaded, t->ids[i]);
        const service_record_t *s =
            loaded_service(&t->reading.loaded, t->ids[i]);
        const cancellation_record_t *c =
            loaded_cancellation(&t->reading.loaded, t->ids[i]);

        if (!o && !s && !c) {
            continue; /* deleted since the page was cut */
        }
        begin_element(t, &out, &start);
        if (o) {
            order_to_tmf(&out, a, o, &v);
        } else if (c) {
            cancellation_to_tmf(&out, a, c, &v);
        } else {
            service_to_tmf(&out, a, s, &v);
        }
        tmf_select(&out, start, a, &v);
    }
    for (int i = 0; i < t->reading.entity_count; i++) {
        begin_element(t, &out, &start);
        entity_to_tmf(&out, entity_kind(r->frame.resource),
                      t->reading.entities[i].doc, &v);
        tmf_select(&out, start, a, &v);
    }
    json_end(&out, ']');
    request_answer(r, page_status(&t->page), page_headers(a, r, &t->page),
                   arena_take(a, &out));
    group_end(g);
}

static void
on_items(void *ctx, pg_outcome_t outcome, const char *sqlstate,
         const char *message)
{
    listing_t *t = ctx;

    if (group_committed(t->group, outcome, sqlstate, message)) {
        answer_list(t);
    }
}

/* The first filter that is a regular expression. */
static str_t
regex_path(const query_t *q)
{
    for (int i = 0; i < q->filter_count; i++) {
        if (q->filters[i].op == QUERY_REGEX) {
            return q->filters[i].path;
        }
    }
    return STR_NONE;
}

/* What the client asked for cannot be had: its time is up, or PostgreSQL does
 * not take an expression that the edge let through. false: something else. */
static bool
refused_list(const listing_t *t, const char *sqlstate, const char *message)
{
    group_t *g = t->group;
    request_t *r = g->requests[0];
    tmf_error_t e;

    if (!strcmp(sqlstate, "57014")) { /* query_canceled: statement_timeout */
        e = t->error;
    } else if (!strcmp(sqlstate, "2201B")) { /* invalid_regular_expression */
        tmf_error_set(&e, 400, TMF_CODE_QUERY_INVALID,
                      "Invalid query-string parameter", NULL, "%.*s: %s",
                      STR_FMT(regex_path(r->query)), message);
    } else {
        return false;
    }
    request_error(g, r, &e);
    group_end(g);
    return true;
}

static void
on_listed(void *ctx, pg_outcome_t outcome, const char *sqlstate,
          const char *message)
{
    listing_t *t = ctx;
    group_t *g = t->group;
    arena_t *a = group_arena(g);

    if (refused_list(t, sqlstate, message)) {
        return;
    }
    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (t->id_count == 0) {
        answer_list(t);
        return;
    }
    if (is_cancellation(g->requests[0])) {
        cancellations_load(g->pg, a, t->ids, t->id_count,
                           loaded_on_cancellations, &t->reading.loaded);
    } else if (g->requests[0]->api == API_ORDERING) {
        orders_load(g->pg, a, t->ids, t->id_count, loaded_on_orders,
                    &t->reading.loaded);
    } else {
        services_load(g->pg, a, t->ids, t->id_count, loaded_on_services,
                      &t->reading.loaded);
    }
    pg_commit(g->pg, on_items, t);
}

/* A client that is shown "pending" for pendingExternal asks for it by that
 * name; nothing is stored as "pending" itself. */
static void
ask_for_external(query_t *q)
{
    for (int i = 0; i < q->filter_count; i++) {
        const query_filter_t *f = &q->filters[i];

        if (!str_is(f->path, "state") &&
            !str_is(f->path, "serviceOrderItem.state")) {
            continue;
        }
        for (int k = f->first_value; k < f->first_value + f->value_count;
             k++) {
            if (str_is(q->values[k], "pending")) {
                q->values[k] =
                    str_of(order_state_name(ORDER_PENDING_EXTERNAL));
            }
        }
    }
}

/* Documents are kept in one form, whatever version they are asked for in. */
static void
ask_as_kept(arena_t *a, const request_t *r, query_t *q)
{
    const object_schema_t *schema =
        resource_find(r->api, r->frame.resource)->create;

    for (int i = 0; i < q->filter_count; i++) {
        query_filter_t *f = &q->filters[i];
        int n = dialect_path(schema, f->steps, f->step_count);

        if (n == f->step_count) {
            continue;
        }
        f->step_count = n;
        f->path = f->steps[0];
        for (int k = 1; k < n; k++) {
            f->path = arena_printf(a, "%.*s.%.*s", STR_FMT(f->path),
                                   STR_FMT(f->steps[k]));
        }
    }
}

static const query_t *
query_as_stored(arena_t *a, const request_t *r)
{
    bool strict = r->api == API_ORDERING && str_is(r->frame.profile, "strict");
    bool v5 = str_is(r->frame.version, "v5");
    query_t *q;

    if (!strict && !v5) {
        return r->query;
    }
    q = arena_new(a, query_t);
    *q = *r->query; /* its slices point into the request's own text */
    if (strict) {
        ask_for_external(q);
    }
    if (v5) {
        ask_as_kept(a, r, q);
    }
    return q;
}

static bool
list_sql(buf_t *sql, pg_params_t *p, const query_t *q, const request_t *r,
         tmf_error_t *err)
{
    switch (r->api) {
    case API_ORDERING:
        return is_cancellation(r)
                   ? cancellations_list_sql(sql, p, q, LIST_CAP, err)
                   : orders_list_sql(sql, p, q, LIST_CAP, err);
    case API_INVENTORY:
        return services_list_sql(sql, p, q, LIST_CAP, err);
    default:
        return entities_list_sql(sql, p, r->frame.resource, q, LIST_CAP, err);
    }
}

void
list_start(group_t *g)
{
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    listing_t *t = g->data = arena_new(a, listing_t);
    pg_params_t p;
    const query_t *q = query_as_stored(a, r);
    buf_t sql;

    t->group = g;
    t->reading.loaded.arena = a;
    t->page.size = filter_page_size(q, LIST_CAP);
    buf_init(&sql, 1048576);
    pg_params(&p, a);
    if (!list_sql(&sql, &p, q, r, &t->error)) {
        buf_free(&sql);
        request_error(g, r, &t->error);
        group_end(g);
        return;
    }
    pg_exec_text(g->pg, sql.data, &p, on_page, t);
    buf_free(&sql);
    pg_commit(g->pg, on_listed, t);
}
