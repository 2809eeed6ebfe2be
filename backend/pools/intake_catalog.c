/*
 * The resources of TMF633: create, change, delete. All in one way; only
 * specifications stand side by side in several versions, and only they are
 * read by the domain.
 */
#include "backend/pools/intake.h"

#include "backend/store/jobs.h"
#include "backend/tmf/entity.h"

typedef struct {
    group_t *group;
    const entity_kind_t *kind;
    entity_key_t key;
    str_t doc;            /* as it is to be stored */
    const json_t *stored; /* what is there: the newest version */
    int64_t *changes;     /* of all versions that are there, oldest first */
    int count;
    bool deleted;
    int status; /* of the answer */
} editing_t;

/* The route was found by the resource's name: it is one of ours. */
static editing_t *
begin(group_t *g)
{
    const request_t *r = g->requests[0];
    editing_t *t = g->data = arena_new(group_arena(g), editing_t);

    t->group = g;
    t->kind = entity_kind(r->frame.resource);
    t->key = (entity_key_t){r->frame.resource, r->frame.key, STR_NONE};
    return t;
}

static void
add_event(editing_t *t, const char *what)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    outbox_t o;

    outbox_init(&o, a);
    outbox_add(&o, now_us(), STR("catalog"), entity_event(t->kind, what, a),
               t->key.id, t->doc, g->requests[0]->frame.traceparent);
    outbox_insert(&o, g->pg, a);
}

static void
answer_stored(editing_t *t, int status)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    tmf_view_t v = request_plain_view(r);
    buf_t out;

    buf_init(&out, 4 * (size_t) JSON_MAX_BYTES);
    entity_to_tmf(&out, t->kind, json_parse(a, t->doc, NULL), &v);
    request_answer_resource(g, r, status, t->key.id, arena_take(a, &out));
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

        tmf_error_set(
            &e, 409, TMF_CODE_CONFLICT, "Already there",
            t->kind->versions ? "/version" : "/id", "%s %.*s exists%s%.*s",
            t->kind->resource, STR_FMT(t->key.id),
            t->kind->versions ? " in version " : "", STR_FMT(t->key.version));
        request_error(g, g->requests[0], &e);
        group_end(g);
        return;
    }
    if (group_committed(g, outcome, sqlstate, message)) {
        finish(t, 201);
    }
}

static void
on_made_read(void *ctx, pg_outcome_t outcome, const char *sqlstate,
             const char *message)
{
    editing_t *t = ctx;
    group_t *g = t->group;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (t->doc.len) {
        answer_stored(t, 201);
    } else {
        request_fail(g, g->requests[0], 409, TMF_CODE_CONFLICT,
                     "Idempotency-Key reused",
                     "What was made with this Idempotency-Key was deleted");
    }
    group_end(g);
}

static void
on_made(void *ctx, const PGresult *res)
{
    editing_t *t = ctx;
    entity_record_t e;

    for (int i = 0; i < PQntuples(res); i++) {
        entity_read(res, i, &e);
        if (str_eq(e.version, t->key.version)) {
            t->doc = arena_str(group_arena(t->group), e.doc);
        }
    }
}

/* made: "id version"; neither has a blank in it. */
static void
answer_made(editing_t *t, str_t made)
{
    group_t *g = t->group;
    size_t n =
        (size_t) ((char *) memchr(made.data, ' ', made.len) - made.data);

    t->key.id = (str_t){made.data, n};
    t->key.version = (str_t){made.data + n + 1, made.len - n - 1};
    entities_load(g->pg, group_arena(g), &t->key.resource, &t->key.id, 1,
                  on_made, t);
    pg_commit(g->pg, on_made_read, t);
}

/* The document that the body makes; false: answered. */
static bool
make(editing_t *t)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    char id[UUID_TEXT + 1];
    int64_t now = now_us();
    tmf_error_t e;
    buf_t doc;

    if (!r->body) {
        request_fail(g, r, 400, TMF_CODE_BODY_MISSING, "Missing body",
                     "The resource to be created is expected");
        return false;
    }
    uuid_print(uuid_v7(now / 1000), id);
    buf_init(&doc, 2 * (size_t) JSON_MAX_BYTES);
    if (!entity_create(&doc, t->kind, r->body, arena_str(a, str_of(id)), now,
                       &t->key.id, &t->key.version, a, &e)) {
        buf_free(&doc);
        request_error(g, r, &e);
        return false;
    }
    t->doc = arena_take(a, &doc);
    return true;
}

/* The keeper looks for it each quarter of a second. */
static void
add_job(const editing_t *t)
{
    group_t *g = t->group;
    const request_frame_t *f = &g->requests[0]->frame;
    job_record_t job = {t->key.resource, t->key.id, f->base, f->version,
                        f->traceparent};

    job_insert(g->pg, group_arena(g), &job);
}

static void
create(group_t *g, str_t made)
{
    arena_t *a = group_arena(g);
    editing_t *t = begin(g);

    if (made.len) {
        answer_made(t, made);
        return;
    }
    if (!make(t)) {
        group_end(g);
        return;
    }
    once_insert(g, arena_printf(a, "%.*s %.*s", STR_FMT(t->key.id),
                                STR_FMT(t->key.version)));
    entity_insert(g->pg, a, &t->key, t->doc);
    if (t->kind->job) {
        add_job(t);
    } else {
        add_event(t, "Create");
    }
    pg_commit(g->pg, on_created, t);
}

void
entity_post(group_t *g)
{
    once_start(g, create);
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
    entity_record_t e;

    t->count = PQntuples(res);
    t->changes = arena_array(a, int64_t, (size_t) t->count + 1);
    for (int i = 0; i < t->count; i++) { /* the newest is the last */
        entity_read(res, i, &e);
        t->changes[i] = e.change;
        t->stored = json_parse(a, arena_str(a, e.doc), NULL);
        t->key.version = arena_str(a, e.version);
    }
}

static void
answer_none(const editing_t *t)
{
    request_t *r = t->group->requests[0];
    tmf_error_t e;

    tmf_error_set(&e, 404, TMF_CODE_NOT_FOUND, "Not found", NULL,
                  "No %s with id %.*s", t->kind->resource,
                  STR_FMT(r->frame.key));
    request_error(t->group, r, &e);
}

/* Is it there, and does the request's condition hold for it? Else answered.
 * What follows is done over the change numbers read with it. */
static bool
may_change(editing_t *t)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    tmf_view_t v = request_plain_view(r);
    buf_t body;

    if (!t->stored) {
        answer_none(t);
        return false;
    }
    if (!request_conditional(r)) {
        return true;
    }
    buf_init(&body, 4 * (size_t) JSON_MAX_BYTES);
    entity_to_tmf(&body, t->kind, t->stored, &v);
    return request_condition(g, r, entity_tag(a, arena_take(a, &body)));
}

static void
read_current(editing_t *t, pg_end_fn then)
{
    group_t *g = t->group;

    entities_load(g->pg, group_arena(g), &t->key.resource, &t->key.id, 1,
                  on_current, t);
    pg_commit(g->pg, then, t);
}

/* The document after the patch, or answered why not. */
static bool
apply_patch(editing_t *t)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    patch_kind_t dialect;
    tmf_error_t e;
    buf_t doc;

    if (!request_patch(g, r, &dialect)) {
        return false;
    }
    buf_init(&doc, 2 * (size_t) JSON_MAX_BYTES);
    if (!entity_patch(&doc, a, t->kind, t->stored, r->body, dialect, now_us(),
                      &e)) {
        buf_free(&doc);
        request_error(g, r, &e);
        return false;
    }
    t->doc = arena_take(a, &doc);
    return true;
}

static void
on_loaded(void *ctx, pg_outcome_t outcome, const char *sqlstate,
          const char *message)
{
    editing_t *t = ctx;
    group_t *g = t->group;
    arena_t *a = group_arena(g);

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (!may_change(t) || !apply_patch(t)) {
        group_end(g);
        return;
    }
    entity_update(g->pg, a, &t->key, t->changes[t->count - 1], t->doc);
    add_event(t, "Change");
    pg_commit(g->pg, on_patched, t);
}

void
entity_modify(group_t *g)
{
    editing_t *t = begin(g);

    if (t->kind->job) { /* the edge says so; others write streams too */
        request_fail(g, g->requests[0], 405, TMF_CODE_METHOD,
                     "Method not allowed", "A job is not changed");
        group_end(g);
        return;
    }
    read_current(t, on_loaded);
}

/* DELETE ------------------------------------------------------------------- */

static void
on_gone(void *ctx, const PGresult *res)
{
    ((editing_t *) ctx)->deleted = !pg_is_null(res, 0, 0);
}

/* As after a PATCH: who judged by what is there no more is replayed. */
static void
on_deleted(void *ctx, pg_outcome_t outcome, const char *sqlstate,
           const char *message)
{
    editing_t *t = ctx;
    group_t *g = t->group;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (!t->deleted) {
        answer_none(t);
        group_end(g);
        return;
    }
    finish(t, 204);
}

static void
write_deleted(editing_t *t)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);

    entity_deleted_t event = {uuid_v7(now_us() / 1000),
                              entity_event(t->kind, "Delete", a),
                              g->requests[0]->frame.traceparent};

    if (t->kind->job) {
        job_delete(g->pg, a, t->key.resource, t->key.id);
        event.type = STR_NONE;
    }
    entity_delete(g->pg, a, t->key.resource, t->key.id, t->changes, t->count,
                  &event, on_gone, t);
    pg_commit(g->pg, on_deleted, t);
}

static void
on_judged(void *ctx, pg_outcome_t outcome, const char *sqlstate,
          const char *message)
{
    editing_t *t = ctx;

    if (!group_committed(t->group, outcome, sqlstate, message)) {
        return;
    }
    if (may_change(t)) {
        write_deleted(t);
    } else {
        group_end(t->group);
    }
}

void
entity_remove(group_t *g)
{
    editing_t *t = begin(g);

    if (request_conditional(g->requests[0])) {
        read_current(t, on_judged);
    } else {
        write_deleted(t);
    }
}
