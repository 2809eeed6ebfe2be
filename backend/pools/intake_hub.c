/*
 * What stands at the edge of the house: hub subscriptions, and the answers
 * that vendors give through callback URLs.
 */
#include "backend/pools/intake.h"

#include <openssl/evp.h>

#include "backend/southbound/token.h"
#include "backend/store/activations.h"
#include "backend/store/statements.h"
#include "backend/store/subscriptions.h"
#include "backend/tmf/event_filter.h"

typedef struct {
    group_t *group;
    subscription_record_t subscription;
    int rows;
    uuid_t activation;
    hints_t hints;
} gate_t;

static gate_t *
gate_create(group_t *g)
{
    gate_t *t = g->data = arena_new(group_arena(g), gate_t);

    t->group = g;
    return t;
}

static void
on_rows(void *ctx, const PGresult *res)
{
    ((gate_t *) ctx)->rows = PQntuples(res);
}

static void
end_with(group_t *g, int status, tmf_code_t code, const char *reason,
         const char *message)
{
    request_fail(g, g->requests[0], status, code, reason, message);
    group_end(g);
}

/* hub ---------------------------------------------------------------------- */

static void
on_registered(void *ctx, pg_outcome_t outcome, const char *sqlstate,
              const char *message)
{
    gate_t *t = ctx;
    group_t *g = t->group;
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    tmf_view_t v = request_view(r);
    char id[UUID_TEXT + 1];
    buf_t body, headers;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    uuid_print(t->subscription.id, id);
    buf_init(&headers, 65536);
    buf_puts(&headers, "Location: ");
    tmf_href(&headers, &v, r->api, "hub", str_of(id));
    buf_char(&headers, '\n');
    buf_init(&body, JSON_MAX_BYTES);
    subscription_to_tmf(&body, &t->subscription);
    request_answer(r, 201, arena_take(a, &headers), arena_take(a, &body));
    hint_events(g->batch->intake->worker.redis,
                g->batch->intake->worker.settings);
    group_end(g);
}

/* Made of the request's id, so that a request that is delivered again
 * registers nothing again. */
static uuid_t
id_of(str_t request)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    uuid_t u;

    if (!EVP_Digest(request.data, request.len, hash, NULL, EVP_sha256(),
                    NULL)) {
        return uuid_v7(now_us() / 1000);
    }
    memcpy(u.byte, hash, sizeof(u.byte));
    u.byte[6] =
        (uint8_t) ((u.byte[6] & 0x0f) | 0x80); /* RFC 9562: version 8 */
    u.byte[8] = (uint8_t) ((u.byte[8] & 0x3f) | 0x80);
    return u;
}

void
hub_post(group_t *g)
{
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    gate_t *t = gate_create(g);
    subscription_record_t *s = &t->subscription;
    event_filter_t *filter;
    tmf_error_t e;

    s->id = id_of(r->frame.id);
    s->api = str_of(api_name(r->api));
    s->version = r->frame.version;
    s->callback = json_text(r->body, "callback");
    s->query = json_text(r->body, "query");
    s->base = r->frame.base;
    s->strict = str_is(r->frame.profile, "strict");
    if (!s->callback.len) {
        tmf_error_set(&e, 400, TMF_CODE_FIELD_MISSING, "Missing body field",
                      "/callback", "callback is mandatory");
        request_error(g, r, &e);
        group_end(g);
        return;
    }
    filter = event_filter_parse(a, r->api, s->query, &e);
    if (!filter) {
        request_error(g, r, &e);
        group_end(g);
        return;
    }
    if (s->query.len) { /* without one also those a later release adds */
        s->types = event_filter_types(filter, a, &s->type_count);
    }
    subscription_insert(g->pg, STATEMENT_subscription_insert, a, s,
                        r->frame.subject.len ? arena_z(a, r->frame.subject)
                                             : NULL,
                        on_rows, t);
    pg_commit(g->pg, on_registered, t);
}

static void
on_unregistered(void *ctx, pg_outcome_t outcome, const char *sqlstate,
                const char *message)
{
    gate_t *t = ctx;
    group_t *g = t->group;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (t->rows == 0) {
        end_with(g, 404, TMF_CODE_NOT_FOUND, "Not found",
                 "No such subscription");
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
    gate_t *t = gate_create(g);
    uuid_t id;

    if (!uuid_parse(r->frame.key, &id)) {
        end_with(g, 404, TMF_CODE_NOT_FOUND, "Not found",
                 "No such subscription");
        return;
    }
    subscription_delete(g->pg, STATEMENT_subscription_delete, group_arena(g),
                        id, str_of(api_name(r->api)), on_rows, t);
    pg_commit(g->pg, on_unregistered, t);
}

/* Callbacks ---------------------------------------------------------------- */

static void
on_signalled(void *ctx, const PGresult *res)
{
    gate_t *t = ctx;

    t->rows = PQntuples(res);
    if (t->rows) {
        hints_add(&t->hints, t->activation, pg_text(res, 0, 1), STR_NONE);
    }
}

/* The answer is in the database: only now the vendor is told so, and the
 * family is told to look. */
static void
on_stored(void *ctx, pg_outcome_t outcome, const char *sqlstate,
          const char *message)
{
    gate_t *t = ctx;
    group_t *g = t->group;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (t->rows == 0) {
        end_with(g, 404, TMF_CODE_NOT_FOUND, "Not found",
                 "Nothing waits for this callback");
        return;
    }
    hints_send(&t->hints, g->batch->intake->worker.redis,
               g->batch->intake->worker.settings);
    request_answer(g->requests[0], 204, STR_NONE, STR_NONE);
    group_end(g);
}

void
callback_post(group_t *g)
{
    arena_t *a = group_arena(g);
    intake_t *in = g->batch->intake;
    request_t *r = g->requests[0];
    gate_t *t = gate_create(g);
    rows_t rows;
    int visit;

    if (!token_read((str_t){in->secret, in->secret_len}, r->frame.key,
                    &t->activation, &visit)) {
        end_with(g, 404, TMF_CODE_NOT_FOUND, "Not found",
                 "Nothing waits for this callback");
        return;
    }
    hints_init(&t->hints, a);
    signal_rows_init(&rows, a);
    rows_uuid(&rows, t->activation);
    rows_int(&rows, visit);
    rows_some(&rows, r->frame.body);
    signals_insert(&rows, g->pg, a, on_signalled, t);
    pg_commit(g->pg, on_stored, t);
}
