/*
 * The answers that vendors give through callback URLs.
 */
#include "backend/pools/intake.h"

#include "backend/southbound/token.h"
#include "backend/store/activations.h"

typedef struct {
    group_t *group;
    int rows;
    uuid_t activation;
    hints_t hints;
} gate_t;

static void
end_unknown(group_t *g)
{
    request_fail(g, g->requests[0], 404, TMF_CODE_NOT_FOUND, "Not found",
                 "Nothing waits for this callback");
    group_end(g);
}

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
        end_unknown(g);
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
    gate_t *t = arena_new(a, gate_t);
    rows_t rows;
    int visit;

    t->group = g;
    if (!token_read((str_t){in->secret, in->secret_len}, r->frame.key,
                    &t->activation, &visit)) {
        end_unknown(g);
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
