/*
 * Transitions in SQL.
 */
#include "backend/store/transitions.h"

#include "backend/store/cancellations.h"
#include "backend/store/statements.h"

#define TOLD SQL_TOLD("$20", "$21", "$22", "$23", "$24", "$25", "$26")

/* One statement for all: an executor is dear beside the few rows that a batch
 * has when it is quiet. */
const char sql_transition[] =
    "WITH u AS ("
    "  SELECT g.id, ($2::int[])[n] AS expected,"
    "  ($3::text[])[n] AS run, ($4::text[])[n] AS variables,"
    "  ($5::text[])[n] AS item_state, ($6::text[])[n] AS pending,"
    "  ($7::text[])[n] AS error, ($8::text[])[n] AS owner,"
    "  ($9::timestamptz[])[n] AS due, ($10::text[])[n] AS event,"
    "  ($11::text[])[n] AS state, ($12::int[])[n] AS attempt,"
    "  ($13::text[])[n] AS detail, ($14::bool[])[n] AS committed"
    "  FROM unnest($1::uuid[]) WITH ORDINALITY AS g(id, n)),"
    " moved AS (UPDATE activation a SET seq = a.seq + 1,"
    "  run = u.run::json,"
    "  variables = coalesce(u.variables::json, a.variables),"
    "  item_state = u.item_state, pending = u.pending::json,"
    "  committed = a.committed OR u.committed,"
    "  error = coalesce(u.error::json, a.error), owner = u.owner,"
    "  due_at = CASE WHEN u.due IS NOT NULL AND a.signals > 0"
    "   THEN least(u.due, now()) ELSE u.due END"
    "  FROM u WHERE a.id = u.id AND a.seq = u.expected RETURNING 1),"
    " journal AS (INSERT INTO activation_journal (activation_id, seq, event,"
    "  state, attempt, detail)"
    "  SELECT id, expected + 1, event, state, attempt, detail FROM u),"
    " states AS (UPDATE service_order_state s SET version = s.version + 1,"
    "  state = v.state, start_at = coalesce(v.start, s.start_at),"
    "  completion_at = coalesce(v.done, s.completion_at),"
    "  error = coalesce(v.error::json, s.error)"
    "  FROM (SELECT g.id, ($16::text[])[n] AS state,"
    "  ($17::timestamptz[])[n] AS start, ($18::timestamptz[])[n] AS done,"
    "  ($19::text[])[n] AS error"
    "  FROM unnest($15::uuid[]) WITH ORDINALITY AS g(id, n)) AS v"
    "  WHERE s.id = v.id),"
    " " TOLD
    " SELECT 1 / CASE WHEN (SELECT count(*) FROM moved) = cardinality($1)"
    "  THEN 1 ELSE 0 END, (SELECT count(*) FROM told)";

void
transition_rows_init(transition_rows_t *r, arena_t *a)
{
    rows_init(&r->moves, a,
              "uittt"
              "tttz"
              "ttitb");
    rows_init(&r->states, a, "utzzt");
    cancellation_rows_init(&r->tasks, a);
    outbox_init(&r->outbox, a);
}

void
transitions_apply(const transition_rows_t *r, pg_t *pg, arena_t *a,
                  pg_result_fn on_told, void *ctx)
{
    pg_params_t p;

    if (r->moves.count == 0) {
        return;
    }
    pg_params(&p, a);
    rows_params(&r->moves, &p);
    rows_params(&r->states, &p);
    rows_params(&r->outbox.rows, &p);
    pg_exec(pg, STATEMENT_transition, &p, on_told, ctx);
    cancellations_end(&r->tasks, pg, a);
}
