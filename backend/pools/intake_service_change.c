/*
 * service: PATCH and DELETE of a record of the inventory.
 *
 * What is changed is what was read: the rows say whether it still is
 * (service_now_t), else the segment fails and the request is judged again.
 * While an order changes a service, nobody else does.
 */
#include "backend/pools/intake_services.h"

#include "backend/store/resources.h"
#include "backend/store/services.h"

static void
not_found(service_edit_t *t)
{
    tmf_error_t e;

    tmf_error_set(&e, 404, TMF_CODE_NOT_FOUND, "Not found", NULL,
                  "No service with id %.*s",
                  STR_FMT(t->group->requests[0]->frame.key));
    edit_refuse(t, &e);
}

/* Reading ------------------------------------------------------------------ */

static void
on_now(void *ctx, const PGresult *res)
{
    service_edit_t *t = ctx;

    if (PQntuples(res)) {
        service_now_read(res, 0, &t->now);
        t->now.version = arena_str(group_arena(t->group), t->now.version);
    }
}

static void
on_held(void *ctx, const PGresult *res)
{
    service_edit_t *t = ctx;

    if (PQntuples(res)) {
        t->held = arena_printf(group_arena(t->group), "%.*s of %.*s",
                               STR_FMT(pg_text(res, 0, 1)),
                               STR_FMT(pg_text(res, 0, 0)));
    }
}

/* Of the request's key. Where that is none, it is answered. */
static void
read_service(service_edit_t *t, pg_end_fn then)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);

    if (!uuid_parse(g->requests[0]->frame.key, &t->id)) {
        not_found(t);
        return;
    }
    services_now(g->pg, a, &t->id, 1, on_now, t);
    services_load(g->pg, a, &t->id, 1, edit_on_service, t);
    resources_held(g->pg, a, t->id, on_held, t);
    pg_commit(g->pg, then, t);
}

/* As it was read: is it there, and does nobody change it? Else NULL,
 * answered. */
static const service_record_t *
free_service(service_edit_t *t)
{
    const service_record_t *s = loaded_service(&t->loaded, t->id);
    char order[UUID_TEXT + 1];

    if (!s || !t->now.exists) {
        not_found(t);
        return NULL;
    }
    if (t->now.busy) {
        uuid_print(t->now.order_id, order);
        edit_conflict(t, "Service is being changed", NULL,
                      "service order %s is changing the service", order);
        return NULL;
    }
    return s;
}

/* Does the request's condition hold for it? Else answered. */
static bool
condition_holds(service_edit_t *t, const service_record_t *s)
{
    group_t *g = t->group;
    request_t *r = g->requests[0];

    if (!request_conditional(r) ||
        request_condition(g, r, entity_tag(group_arena(g), edit_show(t, s)))) {
        return true;
    }
    group_end(g);
    return false;
}

/* PATCH -------------------------------------------------------------------- */

static void
add_patch_events(service_edit_t *t, outbox_t *o)
{
    arena_t *a = group_arena(t->group);
    buf_t data;
    bool changed;

    buf_init(&data, EDIT_TEXT_MAX);
    if (t->next.state != t->now.state) {
        service_change_data(&data, &t->next, NULL);
        edit_event(t, o, "ServiceStateChangeEvent",
                   arena_str(a, buf_view(&data)));
        buf_reset(&data);
    }
    if (!str_eq(t->next.operating_status,
                loaded_service(&t->loaded, t->id)->operating_status)) {
        service_change_data(&data, &t->next, NULL);
        edit_event(t, o, "ServiceOperatingStatusChangeEvent",
                   arena_str(a, buf_view(&data)));
        buf_reset(&data);
    }
    changed = service_patch_data(&data, &t->next, t->shown, t->doc);
    if (changed) {
        edit_event(t, o, "ServiceAttributeValueChangeEvent",
                   arena_str(a, buf_view(&data)));
    }
    buf_free(&data);
}

static void
write_patched(service_edit_t *t)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    const service_record_t *was = loaded_service(&t->loaded, t->id);
    service_record_t *s = &t->next;
    outbox_t o;

    s->configuration_id = uuid_v7(now_us() / 1000);
    s->valid_from_us = t->now.now_us > was->valid_from_us
                           ? t->now.now_us
                           : was->valid_from_us + 1;
    s->valid_to_us =
        s->state == SERVICE_TERMINATED ? s->valid_from_us : NO_TIME;
    once_insert(g, edit_id(t));
    service_replace(g->pg, a, &t->now, s);
    outbox_init(&o, a);
    add_patch_events(t, &o);
    edit_commit(t, &o, 200);
}

static void
check_patched(service_edit_t *t)
{
    if (edit_obeys(t)) {
        write_patched(t);
    }
}

/* Is it to be checked against its specification? Not when something else is
 * changed in it: what was taken once, stays. */
static bool
is_respecified(service_edit_t *t, const service_record_t *was)
{
    arena_t *a = group_arena(t->group);
    const service_record_t *s = &t->next;

    return !str_eq(s->spec_id, was->spec_id) ||
           !str_eq(s->spec_version, was->spec_version) ||
           !json_equal(json_parse(a, s->characteristics, NULL),
                       json_parse(a, was->characteristics, NULL));
}

/* false: answered. */
static bool
may_become(service_edit_t *t, service_state_t from, service_state_t to)
{
    if (service_state_may(from, to)) {
        return true;
    }
    if (from == to) {
        edit_conflict(t, "State does not allow it", "/state",
                      "a service that is %s is not changed any more",
                      service_state_name(from));
    } else {
        edit_conflict(t, "State does not allow it", "/state",
                      "a service that is %s does not become %s",
                      service_state_name(from), service_state_name(to));
    }
    return false;
}

/* The service after the patch into t->next; false: answered. */
static bool
apply_patch(service_edit_t *t, const service_record_t *was)
{
    arena_t *a = group_arena(t->group);
    request_t *r = t->group->requests[0];
    tmf_view_t view = request_view(r);
    patch_kind_t kind;
    tmf_error_t e;

    if (!patch_kind_of(r->frame.content_type, &kind)) {
        tmf_error_set(&e, 415, TMF_CODE_MEDIA_TYPE, "Unsupported media type",
                      NULL, "A PATCH is one of " PATCH_TYPES);
        edit_refuse(t, &e);
        return false;
    }
    if (!r->body) {
        edit_no_body(t, "A patch");
        return false;
    }
    t->shown = json_parse(a, edit_kept(t, was), NULL);
    if (!service_patch(a, was, t->shown, view_version(&view), r->body, kind,
                       &t->next, &t->doc, &e)) {
        edit_refuse(t, &e);
        return false;
    }
    return may_become(t, was->state, t->next.state);
}

static void
on_to_patch(void *ctx, pg_outcome_t outcome, const char *sqlstate,
            const char *message)
{
    service_edit_t *t = ctx;
    const service_record_t *was;

    if (!group_committed(t->group, outcome, sqlstate, message) ||
        !(was = free_service(t)) || !condition_holds(t, was) ||
        !apply_patch(t, was)) {
        return;
    }
    if (json_equal(t->shown, t->doc)) {
        edit_answer(t, 200); /* nothing is to be changed */
    } else if (is_respecified(t, was)) {
        edit_specify(t, check_patched);
    } else {
        write_patched(t);
    }
}

static void
modify(group_t *g, str_t made)
{
    service_edit_t *t = edit_create(g);

    if (made.len) {
        edit_answer_made(t, made, 200);
    } else {
        read_service(t, on_to_patch);
    }
}

void
service_modify(group_t *g)
{
    once_start(g, modify);
}

/* DELETE ------------------------------------------------------------------- */

static void
write_removed(service_edit_t *t, const service_record_t *s)
{
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    outbox_t o;
    buf_t data;

    once_insert(g, edit_id(t));
    service_delete(g->pg, a, &t->now);
    buf_init(&data, EDIT_TEXT_MAX);
    service_change_data(&data, s, NULL);
    outbox_init(&o, a);
    edit_event(t, &o, "ServiceDeleteEvent", arena_take(a, &data));
    edit_commit(t, &o, 204);
}

static void
on_to_remove(void *ctx, pg_outcome_t outcome, const char *sqlstate,
             const char *message)
{
    service_edit_t *t = ctx;
    const service_record_t *s;

    if (!group_committed(t->group, outcome, sqlstate, message) ||
        !(s = free_service(t))) {
        return;
    }
    if (!service_state_removable(s->state)) {
        edit_conflict(
            t, "Service is in use", NULL,
            "a service that is %s ends by an order that deletes it, or "
            "by a PATCH of its state, before it is removed",
            service_state_name(s->state));
    } else if (t->held.len && s->state != SERVICE_TERMINATED) {
        edit_conflict(
            t, "Service holds resources", NULL,
            "the service holds %.*s: an order that deletes it gives it "
            "back, or a PATCH to terminated",
            STR_FMT(t->held));
    } else if (condition_holds(t, s)) {
        write_removed(t, s);
    }
}

static void
removal(group_t *g, str_t made)
{
    service_edit_t *t = edit_create(g);

    if (made.len) {
        edit_answer(t, 204);
    } else {
        read_service(t, on_to_remove);
    }
}

void
service_remove(group_t *g)
{
    once_start(g, removal);
}
