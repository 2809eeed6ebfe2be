/*
 * serviceSpecification: create, change, delete.
 */
#include "backend/pools/intake.h"

#include "backend/tmf/specification.h"

typedef struct {
    group_t *group;
    str_t id, version, doc; /* as they are to be stored */
    const json_t *stored;   /* what is there: the newest version */
    int64_t *changes;       /* of all versions that are there, oldest first */
    int count;
    bool deleted;
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
    tmf_view_t v = request_plain_view(r);
    str_t header, body;
    buf_t out, headers;

    buf_init(&out, 4 * (size_t) JSON_MAX_BYTES);
    specification_to_tmf(&out, json_parse(a, t->doc, NULL), &v);
    body = arena_take(a, &out);
    header = entity_tag_header(a, entity_tag(a, body));
    if (status == 201) {
        buf_init(&headers, 65536);
        buf_puts(&headers, "Location: ");
        tmf_href(&headers, &v, API_CATALOG, "serviceSpecification", t->id);
        buf_char(&headers, '\n');
        buf_str(&headers, header);
        header = arena_take(a, &headers);
    }
    request_answer(r, status, header, body);
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
    specification_record_t s;

    for (int i = 0; i < PQntuples(res); i++) {
        specification_read(res, i, &s);
        if (str_eq(s.version, t->version)) {
            t->doc = arena_str(group_arena(t->group), s.doc);
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

    t->id = (str_t){made.data, n};
    t->version = (str_t){made.data + n + 1, made.len - n - 1};
    specifications_load(g->pg, group_arena(g), &t->id, 1, on_made, t);
    pg_commit(g->pg, on_made_read, t);
}

static void
create(group_t *g, str_t made)
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
    if (made.len) {
        answer_made(t, made);
        return;
    }
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
    once_insert(
        g, arena_printf(a, "%.*s %.*s", STR_FMT(t->id), STR_FMT(t->version)));
    specification_insert(g->pg, a, t->id, t->version, t->doc);
    add_event(t, t->doc);
    pg_commit(g->pg, on_created, t);
}

void
specification_post(group_t *g)
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
    specification_record_t s;

    t->count = PQntuples(res);
    t->changes = arena_array(a, int64_t, (size_t) t->count + 1);
    for (int i = 0; i < t->count; i++) { /* the newest is the last */
        specification_read(res, i, &s);
        t->changes[i] = s.change;
        t->stored = json_parse(a, arena_str(a, s.doc), NULL);
        t->version = arena_str(a, s.version);
    }
}

static void
answer_none(group_t *g)
{
    request_fail(g, g->requests[0], 404, TMF_CODE_NOT_FOUND, "Not found",
                 "No such serviceSpecification");
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
        answer_none(g);
        return false;
    }
    if (!request_conditional(r)) {
        return true;
    }
    buf_init(&body, 4 * (size_t) JSON_MAX_BYTES);
    specification_to_tmf(&body, t->stored, &v);
    return request_condition(g, r, entity_tag(a, arena_take(a, &body)));
}

static void
read_current(editing_t *t, pg_end_fn then)
{
    group_t *g = t->group;

    specifications_load(g->pg, group_arena(g), &t->id, 1, on_current, t);
    pg_commit(g->pg, then, t);
}

/* The document after the patch, or answered why not. */
static bool
apply_patch(editing_t *t)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    patch_kind_t kind;
    tmf_error_t e;
    buf_t doc;

    if (!patch_kind_of(r->frame.content_type, &kind)) {
        request_fail(g, r, 415, TMF_CODE_MEDIA_TYPE, "Unsupported media type",
                     "A PATCH is one of " PATCH_TYPES);
        return false;
    }
    if (!r->body) {
        request_fail(g, r, 400, TMF_CODE_BODY_MISSING, "Missing body",
                     "A patch is expected");
        return false;
    }
    buf_init(&doc, 2 * (size_t) JSON_MAX_BYTES);
    if (!specification_patch(&doc, a, t->stored, r->body, kind, now_us(),
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
    specification_update(g->pg, a, t->id, t->version, t->changes[t->count - 1],
                         t->doc);
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
        answer_none(g);
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

    specification_delete(g->pg, a, t->id, t->changes, t->count,
                         uuid_v7(now_us() / 1000),
                         g->requests[0]->frame.traceparent, on_gone, t);
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
specification_remove(group_t *g)
{
    editing_t *t = g->data = arena_new(group_arena(g), editing_t);

    t->group = g;
    t->id = g->requests[0]->frame.key;
    if (request_conditional(g->requests[0])) {
        read_current(t, on_judged);
    } else {
        write_deleted(t);
    }
}
