/*
 * cancel_service_order.
 */
#include "backend/store/cancellations.h"

#include "backend/store/statements.h"
#include "proto/schema_tables.h"

const char sql_cancellation_facts[] =
    "SELECT a.id, a.item_id, a.item_state, a.committed"
    " FROM service_order_item i JOIN activation a ON a.id = i.activation_id"
    " WHERE i.order_id = ANY($1::uuid[])";

/* Behind the advisory lock, which changes of an order of several items take
 * first; not before it, as a row's lock gives the transaction its xid. */
const char sql_cancellation_guard[] =
    "WITH held AS (SELECT id, item_state, committed FROM activation"
    "  WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE)"
    " SELECT 1 / (count(*) = cardinality($1::uuid[]))::int FROM held"
    " JOIN (SELECT g.id, ($2::text[])[n] AS state,"
    "  ($3::bool[])[n] AS committed"
    "  FROM unnest($1::uuid[]) WITH ORDINALITY AS g(id, n)) u"
    "  ON u.id = held.id AND u.state = held.item_state"
    "  AND u.committed = held.committed";

const char sql_cancellation_version[] =
    "SELECT 1 / count(*)::int FROM service_order_state"
    " WHERE id = $1::uuid AND version = $2::int";

const char sql_cancellation_insert[] =
    "INSERT INTO cancel_service_order (id, order_id, state, requested,"
    " message, doc) VALUES ($1::uuid, $2::uuid, $3::text, $4::timestamptz,"
    " $5::text, $6::text::json)";

/* The version grows by two: the order was assessed, then it is pending. */
const char sql_cancellation_begin[] =
    "WITH s AS (UPDATE service_order_state SET version = version + 2,"
    "  state = 'pendingCancellation', cancellation = $2::uuid,"
    "  cancellation_reason = $3::text WHERE id = $1::uuid),"
    " i AS (UPDATE service_order_item SET state = 'cancelled'"
    "  WHERE order_id = $1::uuid AND action = 'noChange'"
    "  AND activation_id IS NULL),"
    " a AS (UPDATE activation a SET seq = a.seq + 1, due_at = CASE"
    "   WHEN a.owner IS NULL THEN now() + interval '10 seconds' END"
    "  FROM service_order_item i WHERE i.order_id = $1::uuid"
    "  AND a.id = i.activation_id AND a.item_state NOT IN"
    "   ('completed', 'failed', 'partial', 'cancelled', 'rejected')"
    "  RETURNING a.id, a.family, a.seq, a.run),"
    " journal AS (INSERT INTO activation_journal (activation_id, seq, event,"
    "  state, attempt) SELECT id, seq, 'cancelRequested',"
    "  coalesce(run->>'phase', 'new') || ':' || coalesce(run->>'state', ''),"
    "  coalesce((run->>'attempt')::int, 0) FROM a)"
    " SELECT id, family FROM a";

const char sql_cancellation_end[] =
    "UPDATE cancel_service_order c SET state = u.state,"
    " effective_at = u.effective, message = u.message, error = u.error::json"
    " FROM (SELECT g.id, ($2::text[])[n] AS state,"
    "  ($3::timestamptz[])[n] AS effective, ($4::text[])[n] AS message,"
    "  ($5::text[])[n] AS error"
    "  FROM unnest($1::uuid[]) WITH ORDINALITY AS g(id, n)) u"
    " WHERE c.id = u.id";

const char sql_cancellation_load[] =
    "SELECT id, order_id, state, effective_at, message, error, doc"
    " FROM cancel_service_order WHERE id = ANY($1::uuid[])";

void
cancellation_facts(pg_t *pg, arena_t *a, uuid_t order, pg_result_fn on_facts,
                   pg_result_fn on_order, pg_result_fn on_items, void *ctx)
{
    pg_params_t p;

    /* What is guarded comes first: what changes between these statements is
     * then found to have changed. */
    pg_params(&p, a);
    params_uuids(&p, a, &order, 1);
    pg_exec(pg, STATEMENT_cancellation_facts, &p, on_facts, ctx);
    pg_exec(pg, STATEMENT_order_locked, &p, on_order, ctx);
    pg_exec(pg, STATEMENT_order_items_load, &p, on_items, ctx);
}

void
cancellation_fact_read(const PGresult *res, int row, cancellation_fact_t *ret)
{
    ret->activation = pg_uuid(res, row, 0);
    ret->item_id = pg_text(res, row, 1);
    ret->state = ORDER_ACKNOWLEDGED;
    (void) order_state_parse(pg_text(res, row, 2), &ret->state);
    ret->committed = pg_bool(res, row, 3);
}

void
cancellation_guard(pg_t *pg, arena_t *a, uuid_t order, int version,
                   const cancellation_fact_t *facts, int n)
{
    pg_params_t p;
    rows_t r;

    pg_params(&p, a);
    params_uuids(&p, a, &order, 1);
    pg_exec(pg, STATEMENT_order_lock, &p, NULL, NULL);
    rows_init(&r, a, "utb");
    for (int i = 0; i < n; i++) {
        rows_uuid(&r, facts[i].activation);
        rows_text(&r, str_of(order_state_name(facts[i].state)));
        rows_bool(&r, facts[i].committed);
    }
    rows_exec(&r, pg, STATEMENT_cancellation_guard, a, NULL, NULL);
    pg_params(&p, a);
    pg_add_uuid(&p, order);
    pg_add_int(&p, version);
    pg_exec(pg, STATEMENT_cancellation_version, &p, NULL, NULL);
}

void
cancellation_insert(pg_t *pg, arena_t *a, const cancellation_record_t *task,
                    int64_t requested_us)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_uuid(&p, task->id);
    pg_add_uuid(&p, task->order_id);
    pg_add_text(&p, task->state);
    pg_add_time(&p, requested_us);
    pg_add_text(&p, task->message);
    pg_add_text(&p, task->doc);
    pg_exec(pg, STATEMENT_cancellation_insert, &p, NULL, NULL);
}

void
cancellation_begin(pg_t *pg, arena_t *a, const cancellation_record_t *task,
                   str_t reason, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_uuid(&p, task->order_id);
    pg_add_uuid(&p, task->id);
    pg_add_text(&p, reason);
    pg_exec(pg, STATEMENT_cancellation_begin, &p, fn, ctx);
}

void
cancellation_rows_init(rows_t *r, arena_t *a)
{
    rows_init(r, a, "utztt");
}

void
cancellations_end(const rows_t *r, pg_t *pg, arena_t *a)
{
    rows_exec(r, pg, STATEMENT_cancellation_end, a, NULL, NULL);
}

void
cancellations_load(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                   pg_result_fn fn, void *ctx)
{
    rows_exec_ids(pg, STATEMENT_cancellation_load, a, ids, n, fn, ctx);
}

void
cancellation_read(const PGresult *res, int row, cancellation_record_t *ret)
{
    *ret = (cancellation_record_t){
        .id = pg_uuid(res, row, 0),
        .order_id = pg_uuid(res, row, 1),
        .state = pg_text(res, row, 2),
        .effective_us = pg_time(res, row, 3),
        .message = pg_text(res, row, 4),
        .error = pg_text(res, row, 5),
        .doc = pg_text(res, row, 6),
    };
}

static const filter_column_t columns[] = {
    {"id", "c.id", FILTER_UUID},
    {"state", "c.state", FILTER_NAME},
    {"serviceOrder.id", "c.order_id", FILTER_UUID},
    {"requestedCancellationDate", "c.requested", FILTER_TIME},
    {"effectiveCancellationDate", "c.effective_at", FILTER_TIME},
    {"completionMessage", "c.message", FILTER_TEXT},
    {NULL, NULL, FILTER_TEXT},
};

bool
cancellations_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                       tmf_error_t *err)
{
    static const filter_list_t list = {
        .columns = columns,
        .schema = &tmf_cancel_service_order,
        .doc_sql = "c.doc",
        .from = "cancel_service_order c WHERE true",
        .row_sql = "c.id",
        .show = "id",
        .last = "id",
    };

    return filter_list_sql(sql, p, q, cap, &list, err);
}
