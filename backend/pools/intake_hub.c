/*
 * Hub subscriptions: made and removed.
 *
 * A registration is judged before anything is stored, its callback's host by
 * the addresses that it has now; while they are looked up nobody waits but its
 * client.
 */
#include "backend/pools/intake.h"

#include "backend/southbound/callback.h"
#include "backend/store/statements.h"
#include "backend/store/subscriptions.h"
#include "backend/tmf/event_filter.h"

typedef struct {
    group_t *group;
    subscription_record_t subscription;
    bool judged; /* it is to be stored */
    int rows;
} hub_t;

static hub_t *
hub_create(group_t *g)
{
    hub_t *h = g->data = arena_new(group_arena(g), hub_t);

    h->group = g;
    return h;
}

static void
on_rows(void *ctx, const PGresult *res)
{
    ((hub_t *) ctx)->rows = PQntuples(res);
}

/* POST --------------------------------------------------------------------- */

static void
refuse_field(group_t *g, tmf_code_t code, const char *reason,
             const char *pointer, const char *why)
{
    tmf_error_t e;

    tmf_error_set(&e, 400, code, reason, pointer, "%s %s", pointer + 1, why);
    request_error(g, g->requests[0], &e);
    group_end(g);
}

static void
answer_made(hub_t *h)
{
    group_t *g = h->group;
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    char id[UUID_TEXT + 1];
    buf_t body;

    uuid_print(h->subscription.id, id);
    buf_init(&body, JSON_MAX_BYTES);
    subscription_to_tmf(&body, &h->subscription);
    request_answer(r, 201, location_header(a, r, str_of(id)),
                   arena_take(a, &body));
    group_end(g);
}

static void
on_registered(void *ctx, pg_outcome_t outcome, const char *sqlstate,
              const char *message)
{
    hub_t *h = ctx;
    group_t *g = h->group;

    if (outcome == PG_REFUSED && !strcmp(sqlstate, SUBSCRIPTION_NO_ROOM)) {
        request_fail(g, g->requests[0], 409, TMF_CODE_CONFLICT,
                     "No more subscriptions",
                     "This hub has as many subscriptions as it takes; "
                     "unregister one that is not needed");
        group_end(g);
        return;
    }
    if (group_committed(g, outcome, sqlstate, message)) {
        hint_events(g->batch->intake->worker.redis,
                    g->batch->intake->worker.settings);
        answer_made(h);
    }
}

static void
store(hub_t *h)
{
    group_t *g = h->group;
    arena_t *a = group_arena(g);
    const subscription_record_t *s = &h->subscription;
    str_t subject = g->requests[0]->frame.subject;
    char id[UUID_TEXT + 1];

    h->judged = false; /* a replay looks first whether it was stored */
    uuid_print(s->id, id);
    once_insert(g, arena_str(a, str_of(id)));
    subscription_room(g->pg, STATEMENT_subscription_room, a, s->api,
                      g->batch->intake->worker.settings->hub_subscriptions);
    subscription_insert(g->pg, STATEMENT_subscription_insert, a, s,
                        subject.len ? arena_z(a, subject) : NULL, NULL, NULL);
    pg_commit(g->pg, on_registered, h);
}

/* Maybe much later: the group begins anew, on a connection that is up. */
static void
on_judged(void *ctx, const char *problem)
{
    hub_t *h = ctx;

    if (problem) {
        refuse_field(h->group, TMF_CODE_FIELD_INVALID, "Invalid body field",
                     "/callback", problem);
        return;
    }
    h->judged = true;
    group_start(h->group);
}

static void
on_found(void *ctx, pg_outcome_t outcome, const char *sqlstate,
         const char *message)
{
    hub_t *h = ctx;
    group_t *g = h->group;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (h->rows) {
        answer_made(h);
        return;
    }
    request_fail(g, g->requests[0], 409, TMF_CODE_CONFLICT,
                 "Idempotency-Key reused",
                 "What was made with this Idempotency-Key was deleted");
    group_end(g);
}

/* made: the id of the subscription that this request has made before. */
static void
find_made(hub_t *h, str_t made)
{
    group_t *g = h->group;

    if (!uuid_parse(made, &h->subscription.id)) {
        abort(); /* once_insert() was given it above */
    }
    subscription_find(g->pg, STATEMENT_subscription_find, group_arena(g),
                      h->subscription.id, h->subscription.api, on_rows, h);
    pg_commit(g->pg, on_found, h);
}

/* What a registration says; false: answered. */
static bool
read_registration(hub_t *h)
{
    group_t *g = h->group;
    request_t *r = g->requests[0];
    subscription_record_t *s = &h->subscription;
    tmf_view_t v = request_view(r);
    event_filter_t *filter;
    tmf_error_t e;

    s->api = str_of(api_name(r->api));
    s->version = r->frame.version;
    s->callback = json_text(r->body, "callback");
    s->query = json_text(r->body, "query");
    s->base = r->frame.base;
    s->strict = str_is(r->frame.profile, "strict");
    if (!s->callback.len) {
        refuse_field(g, TMF_CODE_FIELD_MISSING, "Missing body field",
                     "/callback", "is mandatory");
        return false;
    }
    filter = event_filter_parse(group_arena(g), r->api, view_version(&v),
                                s->query, &e);
    if (!filter) {
        request_error(g, r, &e);
        group_end(g);
        return false;
    }
    s->types = event_filter_types(filter, group_arena(g), &s->type_count);
    return true;
}

static void
begin(group_t *g, str_t made)
{
    const settings_t *settings = g->batch->intake->worker.settings;
    hub_t *h = hub_create(g);

    if (!read_registration(h)) {
        return;
    }
    if (made.len) {
        find_made(h, made);
        return;
    }
    h->subscription.id = uuid_v7(now_us() / 1000);
    callback_check(g->batch->intake->worker.base, &settings->hub_networks,
                   h->subscription.callback, on_judged, h);
}

void
hub_post(group_t *g)
{
    hub_t *h = g->data;

    if (h && h->judged) {
        store(h);
    } else {
        once_start(g, begin);
    }
}

/* DELETE ------------------------------------------------------------------- */

static void
end_unknown(group_t *g)
{
    request_fail(g, g->requests[0], 404, TMF_CODE_NOT_FOUND, "Not found",
                 "No such subscription");
    group_end(g);
}

static void
on_unregistered(void *ctx, pg_outcome_t outcome, const char *sqlstate,
                const char *message)
{
    hub_t *h = ctx;
    group_t *g = h->group;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (h->rows == 0) {
        end_unknown(g);
        return;
    }
    hint_events(g->batch->intake->worker.redis,
                g->batch->intake->worker.settings);
    request_answer(g->requests[0], 204, STR_NONE, STR_NONE);
    group_end(g);
}

void
hub_remove(group_t *g)
{
    request_t *r = g->requests[0];
    hub_t *h = hub_create(g);
    uuid_t id;

    if (!uuid_parse(r->frame.key, &id)) {
        end_unknown(g);
        return;
    }
    subscription_delete(g->pg, STATEMENT_subscription_delete, group_arena(g),
                        id, str_of(api_name(r->api)), on_rows, h);
    pg_commit(g->pg, on_unregistered, h);
}
