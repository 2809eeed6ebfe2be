/*
 * serviceSpecification: create, change, delete.
 */
#include "backend/pools/intake.h"

#include "backend/tmf/specification.h"

typedef struct {
    group_t *group;
    str_t id, version, doc; /* as they are to be stored */
    const json_t *stored;   /* PATCH: what is there */
    int64_t change;
    int rows;   /* deleted */
    int status; /* of the answer */
    str_t event;
} editing_t;

static void
add_event(editing_t *t, str_t data)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    outbox_t o;

    outbox_init(&o, a);
    outbox_add(&o, now_us(), STR("catalog"), t->event, t->id, data,
               g->requests[0]->frame.traceparent);
    outbox_insert(&o, g->pg, a);
}

static void
answer_stored(editing_t *t, int status)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    tmf_view_t v = request_view(r);
    str_t location = STR_NONE;
    buf_t out, headers;

    if (status == 201) {
        buf_init(&headers, 65536);
        buf_puts(&headers, "Location: ");
        tmf_href(&headers, &v, API_CATALOG, "serviceSpecification", t->id);
        buf_char(&headers, '\n');
        location = arena_take(a, &headers);
    }
    buf_init(&out, 4 * (size_t) JSON_MAX_BYTES);
    specification_to_tmf(&out, json_parse(a, t->doc, NULL), &v);
    request_answer(r, status, location, arena_take(a, &out));
}

static void
on_refreshed(void *ctx, pg_outcome_t outcome, const char *sqlstate,
             const char *message)
{
    editing_t *t = ctx;
    group_t *g = t->group;

    (void) outcome; /* the change is committed; the catalog is read again */
    (void) sqlstate;
    (void) message;
    if (t->status == 204) {
        request_answer(g->requests[0], 204, STR_NONE, STR_NONE);
    } else {
        answer_stored(t, t->status);
    }
    group_end(g);
}

/* Other processes read the catalog each second; this one before it answers,
 * so that an order posted after the answer is judged by it. */
static void
finish(editing_t *t, int status)
{
    intake_t *in = t->group->batch->intake;

    t->status = status;
    hint_events(in->worker.redis, in->worker.settings);
    intake_refresh(t->group, on_refreshed, t);
}

/* POST --------------------------------------------------------------------- */

static void
on_created(void *ctx, pg_outcome_t outcome, const char *sqlstate,
           const char *message)
{
    editing_t *t = ctx;
    group_t *g = t->group;

    if (!strcmp(sqlstate, "23505")) {
        tmf_error_t e;

        tmf_error_set(&e, 409, TMF_CODE_CONFLICT, "Already there", "/version",
                      "serviceSpecification %.*s version %.*s exists",
                      STR_FMT(t->id), STR_FMT(t->version));
        request_error(g, g->requests[0], &e);
        group_end(g);
        return;
    }
    if (group_committed(g, outcome, sqlstate, message)) {
        finish(t, 201);
    }
}

void
specification_post(group_t *g)
{
    arena_t *a = group_arena(g);
    editing_t *t = g->data = arena_new(a, editing_t);
    request_t *r = g->requests[0];
    char id[UUID_TEXT + 1];
    int64_t now = now_us();
    tmf_error_t e;
    buf_t doc;

    t->group = g;
    t->event = STR("ServiceSpecificationCreateEvent");
    uuid_print(uuid_v7(now / 1000), id);
    buf_init(&doc, 2 * (size_t) JSON_MAX_BYTES);
    if (!r->body || !specification_create(&doc, r->body, str_of(id), now,
                                          &t->id, &t->version, a, &e)) {
        if (!r->body) {
            tmf_error_set(&e, 400, TMF_CODE_BODY_MISSING, "Missing body", NULL,
                          "A serviceSpecification is expected");
        }
        buf_free(&doc);
        request_error(g, r, &e);
        group_end(g);
        return;
    }
    t->doc = arena_take(a, &doc);
    t->id = arena_str(a, t->id);
    t->version = arena_str(a, t->version);
    specification_insert(g->pg, a, t->id, t->version, t->doc);
    add_event(t, t->doc);
    pg_commit(g->pg, on_created, t);
}

/* PATCH -------------------------------------------------------------------- */

/* Somebody was faster: the guard fails the segment, and it is replayed. */
static void
on_patched(void *ctx, pg_outcome_t outcome, const char *sqlstate,
           const char *message)
{
    editing_t *t = ctx;

    if (group_committed(t->group, outcome, sqlstate, message)) {
        finish(t, 200);
    }
}

static void
on_current(void *ctx, const PGresult *res)
{
    editing_t *t = ctx;
    arena_t *a = group_arena(t->group);
    specification_record_t s;

    if (PQntuples(res) == 0) {
        return;
    }
    specification_read(res, PQntuples(res) - 1, &s); /* the newest */
    t->stored = json_parse(a, arena_str(a, s.doc), NULL);
    t->version = arena_str(a, s.version);
    t->change = s.change;
}

static void
on_loaded(void *ctx, pg_outcome_t outcome, const char *sqlstate,
          const char *message)
{
    editing_t *t = ctx;
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    tmf_error_t e;
    buf_t doc;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (!t->stored || !r->body) {
        request_fail(g, r, t->stored ? 400 : 404,
                     t->stored ? TMF_CODE_BODY_MISSING : TMF_CODE_NOT_FOUND,
                     t->stored ? "Missing body" : "Not found",
                     t->stored ? "A merge-patch is expected"
                               : "No such serviceSpecification");
        group_end(g);
        return;
    }
    buf_init(&doc, 2 * (size_t) JSON_MAX_BYTES);
    if (!specification_patch(&doc, a, t->stored, r->body, now_us(), &e)) {
        buf_free(&doc);
        request_error(g, r, &e);
        group_end(g);
        return;
    }
    t->doc = arena_take(a, &doc);
    specification_update(g->pg, a, t->id, t->version, t->change, t->doc);
    add_event(t, t->doc);
    pg_commit(g->pg, on_patched, t);
}

void
specification_modify(group_t *g)
{
    arena_t *a = group_arena(g);
    editing_t *t = g->data = arena_new(a, editing_t);

    t->group = g;
    t->id = g->requests[0]->frame.key;
    t->event = STR("ServiceSpecificationChangeEvent");
    specifications_load(g->pg, a, &t->id, 1, on_current, t);
    pg_commit(g->pg, on_loaded, t);
}

/* DELETE ------------------------------------------------------------------- */

static void
on_rows(void *ctx, const PGresult *res)
{
    ((editing_t *) ctx)->rows = PQntuples(res);
}

static void
on_deleted(void *ctx, pg_outcome_t outcome, const char *sqlstate,
           const char *message)
{
    editing_t *t = ctx;
    group_t *g = t->group;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (t->rows == 0) {
        request_fail(g, g->requests[0], 404, TMF_CODE_NOT_FOUND, "Not found",
                     "No such serviceSpecification");
        group_end(g);
        return;
    }
    finish(t, 204);
}

void
specification_remove(group_t *g)
{
    arena_t *a = group_arena(g);
    editing_t *t = g->data = arena_new(a, editing_t);

    t->group = g;
    t->id = g->requests[0]->frame.key;
    specification_delete(g->pg, a, t->id, uuid_v7(now_us() / 1000),
                         g->requests[0]->frame.traceparent, on_rows, t);
    pg_commit(g->pg, on_deleted, t);
}
