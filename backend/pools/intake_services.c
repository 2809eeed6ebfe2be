/*
 * service: a record of the inventory that is written by its owner, without an
 * activation: POST, and what it shares with PATCH and DELETE
 * (intake_service_change.c).
 */
#include "backend/pools/intake_services.h"

#include <stdarg.h>
#include <stdio.h>

#include "backend/store/services.h"

service_edit_t *
edit_create(group_t *g)
{
    service_edit_t *t = g->data = arena_new(group_arena(g), service_edit_t);

    t->group = g;
    t->loaded.arena = group_arena(g);
    return t;
}

void
edit_on_service(void *ctx, const PGresult *res)
{
    loaded_on_services(&((service_edit_t *) ctx)->loaded, res);
}

str_t
edit_id(service_edit_t *t)
{
    char text[UUID_TEXT + 1];

    uuid_print(t->id, text);
    return arena_str(group_arena(t->group), str_of(text));
}

void
edit_refuse(service_edit_t *t, const tmf_error_t *e)
{
    request_error(t->group, t->group->requests[0], e);
    group_end(t->group);
}

void
edit_conflict(service_edit_t *t, const char *reason, const char *pointer,
              const char *fmt, ...)
{
    char message[sizeof(((tmf_error_t *) NULL)->message)];
    tmf_error_t e;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    tmf_error_set(&e, 409, TMF_CODE_CONFLICT, reason, pointer, "%s", message);
    edit_refuse(t, &e);
}

void
edit_no_body(service_edit_t *t, const char *expected)
{
    tmf_error_t e;

    tmf_error_set(&e, 400, TMF_CODE_BODY_MISSING, "Missing body", NULL,
                  "%s is expected", expected);
    edit_refuse(t, &e);
}

str_t
edit_show(service_edit_t *t, const service_record_t *s)
{
    arena_t *a = group_arena(t->group);
    tmf_view_t v = request_plain_view(t->group->requests[0]);
    buf_t body;

    buf_init(&body, EDIT_TEXT_MAX);
    service_to_tmf(&body, a, s, &v);
    return arena_take(a, &body);
}

str_t
edit_kept(service_edit_t *t, const service_record_t *s)
{
    arena_t *a = group_arena(t->group);
    tmf_view_t v = request_plain_view(t->group->requests[0]);
    buf_t body;

    buf_init(&body, EDIT_TEXT_MAX);
    service_to_kept(&body, a, s, &v);
    return arena_take(a, &body);
}

void
edit_answer(service_edit_t *t, int status)
{
    group_t *g = t->group;
    const service_record_t *s = loaded_service(&t->loaded, t->id);

    if (status == 204) {
        request_answer(g->requests[0], 204, STR_NONE, STR_NONE);
        group_end(g);
        return;
    }
    request_answer_resource(g, g->requests[0], status, edit_id(t),
                            edit_show(t, s));
    group_end(g);
}

void
edit_event(service_edit_t *t, outbox_t *o, const char *type, str_t data)
{
    outbox_add(o, now_us(), STR("inventory"), str_of(type), edit_id(t), data,
               t->group->requests[0]->frame.traceparent);
}

/* Somebody was faster: a guard fails the segment, and it is replayed. */
static void
on_written(void *ctx, pg_outcome_t outcome, const char *sqlstate,
           const char *message)
{
    service_edit_t *t = ctx;
    group_t *g = t->group;
    intake_t *in = g->batch->intake;

    if (group_committed(g, outcome, sqlstate, message)) {
        hint_events(in->worker.redis, in->worker.settings);
        edit_answer(t, t->status);
    }
}

void
edit_commit(service_edit_t *t, const outbox_t *o, int status)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);

    t->status = status;
    outbox_insert(o, g->pg, a);
    services_load(g->pg, a, &t->id, 1, edit_on_service, t);
    pg_commit(g->pg, on_written, t);
}

static void
on_made_read(void *ctx, pg_outcome_t outcome, const char *sqlstate,
             const char *message)
{
    service_edit_t *t = ctx;

    if (!group_committed(t->group, outcome, sqlstate, message)) {
        return;
    }
    if (loaded_service(&t->loaded, t->id)) {
        edit_answer(t, t->status);
    } else {
        edit_conflict(t, "Idempotency-Key reused", NULL,
                      "What was made with this Idempotency-Key was deleted");
    }
}

void
edit_answer_made(service_edit_t *t, str_t made, int status)
{
    group_t *g = t->group;

    t->status = status;
    (void) uuid_parse(made, &t->id);
    services_load(g->pg, group_arena(g), &t->id, 1, edit_on_service, t);
    pg_commit(g->pg, on_made_read, t);
}

/* The specification -------------------------------------------------------- */

static void on_refreshed(void *ctx, pg_outcome_t outcome, const char *sqlstate,
                         const char *message);

/* One that is not known may be newer than what this process holds. */
void
edit_specify(service_edit_t *t, service_edit_fn then)
{
    group_t *g = t->group;

    t->specified = then;
    t->spec = catalog_specification(g->batch->intake->catalog, t->next.spec_id,
                                    t->next.spec_version);
    if (!t->spec && !g->refreshed) {
        g->refreshed = true;
        intake_refresh(g, on_refreshed, t);
        return;
    }
    t->next.spec_name = STR_NONE;
    if (t->spec) {
        t->next.spec_version = specification_version(t->spec);
        t->next.spec_name = specification_name(t->spec);
    }
    then(t);
}

static void
on_refreshed(void *ctx, pg_outcome_t outcome, const char *sqlstate,
             const char *message)
{
    service_edit_t *t = ctx;

    if (group_committed(t->group, outcome, sqlstate, message)) {
        edit_specify(t, t->specified);
    }
}

bool
edit_obeys(service_edit_t *t)
{
    arena_t *a = group_arena(t->group);
    specification_error_t fault;
    const json_t *filled;
    tmf_error_t e;
    buf_t b;

    if (!t->spec) {
        return true;
    }
    buf_init(&b, EDIT_TEXT_MAX);
    specification_defaults(t->spec,
                           json_parse(a, t->next.characteristics, NULL), &b);
    filled = json_parse(a, arena_take(a, &b), NULL);
    if (specification_check(t->spec, filled, false, &fault)) {
        return true;
    }
    service_characteristic_error(t->doc, &fault, &e);
    edit_refuse(t, &e);
    return false;
}

/* POST --------------------------------------------------------------------- */

static void
on_named(void *ctx, pg_outcome_t outcome, const char *sqlstate,
         const char *message)
{
    service_edit_t *t = ctx;
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    outbox_t o;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    once_insert(g, edit_id(t));
    service_insert(g->pg, a, &t->next);
    outbox_init(&o, a);
    edit_event(t, &o, "ServiceCreateEvent", edit_kept(t, &t->next));
    edit_commit(t, &o, 201);
}

static void
on_born(void *ctx, const PGresult *res)
{
    service_edit_t *t = ctx;
    service_record_t *s = &t->next;
    int64_t now = pg_time(res, 0, 1);

    s->key = arena_str(group_arena(t->group), pg_text(res, 0, 0));
    s->valid_from_us = now;
    s->created_us = s->created_us == NO_TIME ? now : s->created_us;
}

static void
begin_created(service_edit_t *t)
{
    service_record_t *s = &t->next;

    if (!edit_obeys(t)) {
        return;
    }
    t->id = s->id = uuid_v7(now_us() / 1000);
    s->configuration_id = uuid_v7(now_us() / 1000);
    s->timeline = STR("CURRENT");
    s->valid_to_us = NO_TIME;
    service_born(t->group->pg, group_arena(t->group), on_born, t);
    pg_commit(t->group->pg, on_named, t);
}

static void
create(group_t *g, str_t made)
{
    service_edit_t *t = edit_create(g);
    tmf_error_t e;

    if (made.len) {
        edit_answer_made(t, made, 201);
        return;
    }
    t->doc = g->requests[0]->body;
    if (!t->doc) {
        edit_no_body(t, "A service");
        return;
    }
    if (!service_from_tmf(group_arena(g), t->doc, &t->next, &e)) {
        edit_refuse(t, &e);
        return;
    }
    if (!service_state_initial(t->next.state)) {
        tmf_error_set(&e, 400, TMF_CODE_FIELD_INVALID, "Invalid body field",
                      "/state", "a service cannot begin %s",
                      service_state_name(t->next.state));
        edit_refuse(t, &e);
        return;
    }
    edit_specify(t, begin_created);
}

void
service_post(group_t *g)
{
    once_start(g, create);
}
