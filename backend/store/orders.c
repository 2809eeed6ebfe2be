/*
 * service_order, service_order_state, service_order_item.
 */
#include "backend/store/orders.h"

#include "backend/store/statements.h"
#include "proto/schema_tables.h"

#define TOLD SQL_TOLD("$38", "$39", "$40", "$41", "$42", "$43", "$44")

#define CHANGE_TOLD SQL_TOLD("$13", "$14", "$15", "$16", "$17", "$18", "$19")

/* All that a new order consists of, in one statement: an executor is dear
 * beside the few rows that a batch has when it is quiet. */
const char sql_order_insert[] =
    "WITH o AS (INSERT INTO service_order (id, request_key, external_id,"
    " category, priority, order_date, requested_start,"
    " requested_completion, subject, traceparent, doc, parties)"
    "  SELECT ($1::uuid[])[n], ($2::text[])[n], ($3::text[])[n],"
    "  ($4::text[])[n], ($5::text[])[n], ($6::timestamptz[])[n],"
    "  ($7::timestamptz[])[n], ($8::timestamptz[])[n], ($9::text[])[n],"
    "  ($10::text[])[n], ($11::text[])[n]::json, ($12::text[])[n]::text[]"
    "  FROM generate_series(1, cardinality($1::uuid[])) AS g(n)),"
    " s AS (INSERT INTO service_order_state (id, state, item_count,"
    " error)"
    "  SELECT ($1::uuid[])[n], ($13::text[])[n], ($14::int[])[n],"
    "  ($15::text[])[n]::json FROM generate_series(1,"
    "  cardinality($1::uuid[])) AS g(n)),"
    " i AS (INSERT INTO service_order_item (order_id, item_id, position,"
    " parent_item, action, service_id, spec_id, spec_version, depends,"
    " characteristics, activation_id, state, error)"
    "  SELECT ($16::uuid[])[n], ($17::text[])[n], ($18::int[])[n],"
    "  ($19::text[])[n], ($20::text[])[n], ($21::uuid[])[n],"
    "  ($22::text[])[n], ($23::text[])[n], ($24::text[])[n]::text[],"
    "  ($25::text[])[n]::json, ($26::uuid[])[n], ($27::text[])[n],"
    "  ($28::text[])[n]::json FROM generate_series(1,"
    "  cardinality($16::uuid[])) AS g(n)),"
    " a AS (INSERT INTO activation (id, order_id, item_id, service_id,"
    " configuration_id, family, definition_id, action, due_at)"
    "  SELECT ($29::uuid[])[n], ($30::uuid[])[n], ($31::text[])[n],"
    "  ($32::uuid[])[n], ($33::uuid[])[n], ($34::text[])[n],"
    "  ($35::int[])[n], ($36::text[])[n], ($37::timestamptz[])[n] FROM"
    "  generate_series(1, cardinality($29::uuid[])) AS g(n)),"
    " " TOLD " SELECT count(*) FROM told";

#define ITEM_COLUMNS                                          \
    "i.order_id, i.item_id, coalesce(a.item_state, i.state)," \
    " i.service_id, coalesce(a.error, i.error), a.pending,"   \
    " i.parent_item, i.action, a.seq"
#define ITEM_STATES " LEFT JOIN activation a ON a.id = i.activation_id"

/* One statement, so that an order's state is that of its items. What is large
 * comes once, with the first item. */
const char sql_order_load[] =
    "SELECT " ITEM_COLUMNS ", s.version, s.state, o.order_date, s.start_at,"
    " s.completion_at, s.cancellation_reason,"
    " CASE WHEN i.position = 0 THEN s.error END,"
    " CASE WHEN i.position = 0 THEN o.doc END, o.expected_completion"
    " FROM service_order o JOIN service_order_state s ON s.id = o.id"
    " JOIN service_order_item i ON i.order_id = o.id" ITEM_STATES
    " WHERE o.id = ANY($1::uuid[]) ORDER BY i.order_id, i.position";

/* The columns of order_load, then the event's index and whether the document
 * fits: those before it are fewer bytes than $3. $1: ids, $2: indexes. */
const char sql_event_orders_now[] =
    "SELECT " ITEM_COLUMNS ", s.version, s.state, o.order_date, s.start_at,"
    " s.completion_at, s.cancellation_reason,"
    " CASE WHEN i.position = 0 THEN s.error END,"
    " CASE WHEN i.position = 0 AND d.before < $3::bigint THEN o.doc END,"
    " o.expected_completion, d.i, d.before < $3::bigint"
    " FROM (SELECT r.i, o.id, coalesce(sum(octet_length(o.doc::text))"
    "  OVER (ORDER BY r.i ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),"
    "  0) AS before FROM unnest($1::uuid[], $2::int[]) AS r(id, i)"
    "  JOIN service_order o ON o.id = r.id) d"
    " JOIN service_order o ON o.id = d.id"
    " JOIN service_order_state s ON s.id = o.id"
    " JOIN service_order_item i ON i.order_id = o.id" ITEM_STATES
    " ORDER BY d.i, i.position";

const char sql_order_items_load[] =
    "SELECT " ITEM_COLUMNS " FROM service_order_item i" ITEM_STATES
    " WHERE i.order_id = ANY($1::uuid[]) ORDER BY i.order_id, i.position";

const char sql_order_by_key[] =
    "SELECT id, request_key, coalesce(posted, doc) FROM service_order"
    " WHERE request_key = ANY($1::text[])";

const char sql_order_delete[] =
    "WITH gone AS (SELECT s.id, s.state FROM service_order_state s"
    "  WHERE s.id = $1::uuid AND s.state IN"
    "   ('completed', 'failed', 'partial', 'cancelled', 'rejected')"
    "  AND ($4::int = 0 OR s.version = $4::int) FOR UPDATE),"
    " acts AS (DELETE FROM activation a USING gone, service_order_item i"
    "  WHERE i.order_id = gone.id AND a.id = i.activation_id),"
    " items AS (DELETE FROM service_order_item i USING gone"
    "  WHERE i.order_id = gone.id),"
    " states AS (DELETE FROM service_order_state s USING gone"
    "  WHERE s.id = gone.id),"
    " tasks AS (DELETE FROM cancel_service_order c USING gone"
    "  WHERE c.order_id = gone.id),"
    " told AS (INSERT INTO event (id, api, type, resource_id, data,"
    "  correlation) SELECT $2::uuid, 'ordering', 'ServiceOrderDeleteEvent',"
    "  gone.id::text, json_build_object('state', gone.state), $3::text"
    "  FROM gone)"
    " DELETE FROM service_order o USING gone WHERE o.id = gone.id"
    " RETURNING o.id";

/*
 * The activations are locked before the order's state is, as transitions do
 * it. Their seq grows, so that nobody goes on with what he has in memory of
 * them; the journal says why it did.
 */
const char sql_order_change[] =
    "WITH held AS MATERIALIZED (SELECT a.id, a.run IS NULL AND"
    "   i.depends IS NULL AND $10::boolean AS begins"
    "  FROM service_order_item i JOIN activation a ON a.id = i.activation_id"
    "  WHERE i.order_id = $1::uuid AND (($10::boolean AND a.run IS NULL AND"
    "   i.depends IS NULL) OR ($11::boolean AND a.item_state NOT IN"
    "   ('completed', 'failed', 'cancelled', 'rejected', 'partial')))"
    "  ORDER BY a.id FOR UPDATE OF a),"
    " moved AS (UPDATE service_order_state s SET version = s.version + 1"
    "  WHERE s.id = $1::uuid AND s.version = $2::int"
    "  AND (SELECT count(*) FROM held) >= 0 AND ($3::bigint < 0 OR $3::bigint"
    "   = (SELECT coalesce(sum(a.seq), 0) FROM service_order_item i"
    "    JOIN activation a ON a.id = i.activation_id"
    "    WHERE i.order_id = $1::uuid)) RETURNING s.id),"
    " changed AS (UPDATE service_order o SET posted = coalesce(posted, doc),"
    "  doc = $4::text::json, external_id = $5::text, priority = $6::text,"
    "  requested_start = $7::timestamptz,"
    "  requested_completion = $8::timestamptz,"
    "  expected_completion = $9::timestamptz, parties = $20::text::text[]"
    "  FROM moved WHERE o.id = moved.id),"
    " again AS (UPDATE activation a SET seq = a.seq + 1, due_at ="
    "   CASE WHEN NOT held.begins THEN a.due_at"
    "   WHEN $7::timestamptz > now() THEN $7::timestamptz"
    "   ELSE now() + interval '10 seconds' END"
    "  FROM held, moved WHERE a.id = held.id RETURNING a.id, a.family, a.seq,"
    "  a.run, held.begins AND coalesce($7::timestamptz <= now(), true)"
    "  AS now),"
    " journal AS (INSERT INTO activation_journal (activation_id, seq, event,"
    "  state, attempt, detail) SELECT id, seq, 'patch',"
    "  coalesce(run->>'phase', 'new') || ':' || coalesce(run->>'state', ''),"
    "  coalesce((run->>'attempt')::int, 0), $12::text FROM again),"
    " " CHANGE_TOLD " SELECT e.told, h.id, h.family, 1 / e.moved"
    " FROM (SELECT (SELECT count(*) FROM told) AS told,"
    "  (SELECT count(*) FROM moved) AS moved) e"
    " LEFT JOIN (SELECT id, family FROM again WHERE now) h ON true";

/*
 * Advisory locks, in one order for all, so that two workers never wait for
 * each other. Not row locks: those would give the transaction its xid before
 * it has waited, and the outbox is read in the order of xids (an order's
 * events must come as its states came). What comes behind it in the segment
 * sees what the other has committed.
 */
const char sql_order_lock[] =
    "SELECT count(pg_advisory_xact_lock(k)) FROM (SELECT DISTINCT"
    " hashtextextended(id::text, 0) AS k FROM unnest($1::uuid[]) AS x(id)"
    " ORDER BY 1) AS locks";

const char sql_order_locked[] =
    "SELECT id, state, start_at, order_date, external_id, cancellation,"
    " version FROM service_order_state s JOIN service_order o USING (id)"
    " WHERE id = ANY($1::uuid[])";

void
order_rows_init(order_rows_t *r, arena_t *a)
{
    rows_init(&r->orders, a,
              "utttt"
              "zzz"
              "tttt");
    rows_init(&r->states, a, "tit");
    rows_init(&r->items, a,
              "utitt"
              "utttt"
              "utt");
    rows_init(&r->activations, a,
              "uutuu"
              "titz");
    outbox_init(&r->outbox, a);
}

void
orders_insert(const order_rows_t *r, pg_t *pg, arena_t *a,
              pg_result_fn on_told, void *ctx)
{
    pg_params_t p;

    if (r->orders.count == 0) {
        return;
    }
    pg_params(&p, a);
    rows_params(&r->orders, &p);
    rows_params(&r->states, &p);
    rows_params(&r->items, &p);
    rows_params(&r->activations, &p);
    rows_params(&r->outbox.rows, &p);
    pg_exec(pg, STATEMENT_order_insert, &p, on_told, ctx);
}

void
orders_load(pg_t *pg, arena_t *a, const uuid_t *ids, int n, pg_result_fn fn,
            void *ctx)
{
    rows_exec_ids(pg, STATEMENT_order_load, a, ids, n, fn, ctx);
}

static order_state_t
state_of(str_t name)
{
    order_state_t s = ORDER_ACKNOWLEDGED;

    (void) order_state_parse(name, &s); /* the column's check knows them */
    return s;
}

void
order_read(const PGresult *res, int row, order_record_t *ret)
{
    ret->id = pg_uuid(res, row, 0);
    ret->version = pg_int(res, row, 9);
    ret->state = state_of(pg_text(res, row, 10));
    ret->order_date_us = pg_time(res, row, 11);
    ret->start_us = pg_time(res, row, 12);
    ret->completion_us = pg_time(res, row, 13);
    ret->cancellation_reason = pg_text(res, row, 14);
    ret->error = pg_text(res, row, 15);
    ret->doc = pg_text(res, row, 16);
    ret->expected_us = pg_time(res, row, 17);
    ret->items = NULL;
    ret->item_count = 0;
}

void
order_item_read(const PGresult *res, int row, uuid_t *ret_order,
                str_t *ret_parent, item_record_t *ret)
{
    *ret_order = pg_uuid(res, row, 0);
    ret->id = pg_text(res, row, 1);
    ret->state = state_of(pg_text(res, row, 2));
    ret->service_id = pg_uuid(res, row, 3);
    ret->error = pg_text(res, row, 4);
    ret->pending = pg_text(res, row, 5);
    ret->seq = pg_int(res, row, 8);
    *ret_parent = pg_text(res, row, 6);
}

void
orders_by_key(pg_t *pg, arena_t *a, const str_t *keys, int n, pg_result_fn fn,
              void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    params_texts(&p, a, keys, n);
    pg_exec(pg, STATEMENT_order_by_key, &p, fn, ctx);
}

void
order_delete(pg_t *pg, arena_t *a, uuid_t id, int version, uuid_t event,
             str_t correlation, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_uuid(&p, id);
    pg_add_uuid(&p, event);
    pg_add_text(&p, correlation);
    pg_add_int(&p, version);
    pg_exec(pg, STATEMENT_order_delete, &p, fn, ctx);
}

void
order_change(const order_change_row_t *c, const outbox_t *outbox, pg_t *pg,
             arena_t *a, pg_result_fn on_changed, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_uuid(&p, c->id);
    pg_add_int(&p, c->version);
    pg_add_long(&p, c->steps);
    pg_add_text(&p, c->doc);
    pg_add_text(&p, c->external_id.len ? c->external_id : STR_NONE);
    pg_add_text(&p, c->priority.len ? c->priority : STR_NONE);
    pg_add_time(&p, c->start_us);
    pg_add_time(&p, c->completion_us);
    pg_add_time(&p, c->expected_us);
    pg_add_bool(&p, c->begin);
    pg_add_bool(&p, c->reread);
    pg_add_text(&p, c->why);
    rows_params(&outbox->rows, &p);
    pg_add_text(&p, rows_list(a, c->parties, c->party_count));
    pg_exec(pg, STATEMENT_order_change, &p, on_changed, ctx);
}

void
orders_lock(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
            pg_result_fn on_orders, pg_result_fn on_items, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    params_uuids(&p, a, ids, n);
    pg_exec(pg, STATEMENT_order_lock, &p, NULL, NULL);
    pg_exec(pg, STATEMENT_order_locked, &p, on_orders, ctx);
    pg_ask(pg, STATEMENT_order_items_load, &p, on_items, ctx);
}

static const filter_column_t columns[] = {
    {"id", "o.id", FILTER_UUID},
    {"state", "s.state", FILTER_NAME},
    {"externalId", "o.external_id", FILTER_TEXT},
    {"category", "o.category", FILTER_TEXT},
    {"priority", "o.priority", FILTER_TEXT},
    {"relatedParty.id", "o.parties", FILTER_ARRAY},
    {"orderDate", "o.order_date", FILTER_TIME_MS},
    {"startDate", "s.start_at", FILTER_TIME},
    {"completionDate", "s.completed_at", FILTER_TIME},
    {"cancellationDate",
     "CASE WHEN s.state = 'cancelled' THEN s.completion_at END", FILTER_TIME},
    {"cancellationReason",
     "coalesce(s.cancellation_reason, o.doc->>'cancellationReason')",
     FILTER_TEXT},
    {"requestedStartDate", "o.requested_start", FILTER_TIME},
    {"requestedCompletionDate", "o.requested_completion", FILTER_TIME},
    {"expectedCompletionDate", "o.expected_completion", FILTER_TIME},
    {"serviceOrderItem.id",
     "EXISTS (SELECT 1 FROM service_order_item i WHERE i.order_id = o.id"
     " AND i.item_id = ANY(%s))",
     FILTER_EXISTS},
    {"serviceOrderItem.action",
     "EXISTS (SELECT 1 FROM service_order_item i WHERE i.order_id = o.id"
     " AND i.action = ANY(%s))",
     FILTER_EXISTS},
    {"serviceOrderItem.state",
     "EXISTS (SELECT 1 FROM service_order_item i LEFT JOIN activation a"
     " ON a.id = i.activation_id WHERE i.order_id = o.id"
     " AND coalesce(a.item_state, i.state) = ANY(%s))",
     FILTER_EXISTS},
    {"serviceOrderItem.service.id",
     "EXISTS (SELECT 1 FROM service_order_item i WHERE i.order_id = o.id"
     " AND i.service_id::text = ANY(%s))",
     FILTER_EXISTS},
    {NULL, NULL, FILTER_TEXT},
};

/* Of orders that go on the index knows no more than that (sql/). */
static const char *
state_sql(str_t value)
{
    order_state_t s;

    return order_state_parse(value, &s) && order_state_final(s)
               ? "s.stage"
               : "s.stage = 'open' AND s.state";
}

static const filter_index_t indexes[] = {
    {"id", NULL},
    {"state", state_sql},
    {"externalId", NULL},
    {"category", NULL},
    {"relatedParty.id", NULL},
    {"orderDate", NULL},
    {"completionDate", NULL},
    {"requestedCompletionDate", NULL},
    {NULL, NULL},
};

bool
orders_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                tmf_error_t *err)
{
    static const filter_list_t list = {
        .columns = columns,
        .indexes = indexes,
        .schema = &tmf_service_order,
        .doc_sql = "o.doc",
        .from = "service_order o LEFT JOIN service_order_state s"
                " ON s.id = o.id WHERE true",
        .count_from = "service_order_state s"
                      " LEFT JOIN service_order o ON o.id = s.id WHERE true",
        .row_sql = "o.id",
        .show = "id",
        .last = "id",
    };

    return filter_list_sql(sql, p, q, cap, &list, err);
}
