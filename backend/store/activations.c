/*
 * activation, activation_signal, worker.
 */
#include "backend/store/activations.h"

#include "backend/store/statements.h"

/* How many items this one waits for are open, or have failed: 0 where it waits
 * for none, without looking. */
#define DEPENDS                                                     \
    "CASE WHEN i.depends IS NULL THEN 0 ELSE (SELECT count(*)::int" \
    "  FROM unnest(i.depends) AS x(item)"                           \
    "  JOIN service_order_item di"                                  \
    "   ON di.order_id = a.order_id AND di.item_id = x.item"        \
    "  LEFT JOIN activation da ON da.id = di.activation_id"         \
    "  WHERE coalesce(da.item_state, di.state)"
#define DEPENDS_OPEN                                                   \
    DEPENDS " NOT IN ('completed', 'failed', 'cancelled', 'rejected'," \
            " 'partial')) END"
#define DEPENDS_FAILED \
    DEPENDS " IN ('failed', 'cancelled', 'rejected', 'partial')) END"

/* The CASEs give a null key, and so no look-up, where there can be no row. */
const char sql_activation_load[] =
    "SELECT a.id, a.order_id, a.service_id, a.configuration_id, a.item_id,"
    " a.definition_id, a.action, a.seq, a.run, a.variables, a.error,"
    " a.pending, a.owner, " DEPENDS_OPEN ", " DEPENDS_FAILED ","
    " i.characteristics, i.spec_id, i.spec_version,"
    " o.doc, o.external_id, o.category, o.priority, o.traceparent,"
    " o.order_date, s.start_at, s.item_count,"
    " c.id, c.characteristics, c.resources, c.state, c.doc, c.name,"
    " w.id, w.characteristics, w.resources, w.state, w.operating_status,"
    " clock_timestamp(), s.cancellation,"
    " c.category, c.service_type, c.operating_status,"
    " a.run IS NULL AND a.owner IS NULL"
    " AND o.requested_start > clock_timestamp()"
    " FROM activation a"
    " JOIN service_order_item i"
    "  ON i.order_id = a.order_id AND i.item_id = a.item_id"
    " JOIN service_order o ON o.id = a.order_id"
    " JOIN service_order_state s ON s.id = a.order_id"
    " LEFT JOIN entity_instance_configuration c ON c.timeline = 'CURRENT'"
    "  AND c.instance_id = CASE WHEN a.action <> 'add' THEN a.service_id END"
    " LEFT JOIN entity_instance_configuration w"
    "  ON w.id = CASE WHEN a.run IS NOT NULL THEN a.configuration_id END"
    " WHERE a.id = ANY($1::uuid[])";

const char sql_signal_insert[] =
    "WITH hit AS (UPDATE activation a SET signals = a.signals + 1,"
    "  due_at = CASE WHEN a.owner IS NULL AND a.due_at IS NOT NULL"
    "   THEN least(a.due_at, now() + interval '10 seconds')"
    "   ELSE a.due_at END"
    "  FROM (SELECT DISTINCT id FROM unnest($1::uuid[]) AS x(id)) u"
    "  WHERE a.id = u.id RETURNING a.id, a.family),"
    " put AS (INSERT INTO activation_signal (activation_id, visit, body)"
    "  SELECT u.id, u.visit, u.body::json"
    "  FROM unnest($1::uuid[], $2::int[], $3::text[]) AS u(id, visit, body)"
    "  JOIN hit ON hit.id = u.id)"
    " SELECT id, family FROM hit";

const char sql_signal_load[] =
    "SELECT id, activation_id, visit, body FROM activation_signal"
    " WHERE activation_id = ANY($1::uuid[]) ORDER BY id";

const char sql_signal_delete[] =
    "DELETE FROM activation_signal WHERE id = ANY($1::bigint[])";

const char sql_activation_mine[] =
    "SELECT id, seq FROM activation WHERE owner = $1::text";

/* The lease: who looks again looks ten seconds later. */
const char sql_activation_due[] =
    "UPDATE activation a SET due_at = now() + interval '10 seconds'"
    " FROM (SELECT id FROM activation WHERE due_at <= now()"
    "  ORDER BY due_at LIMIT $1::int FOR UPDATE SKIP LOCKED) d"
    " WHERE a.id = d.id RETURNING a.id, a.family";

/* Not those that wait for their start date: due_at is that date then. */
const char sql_activation_rebuild[] =
    "SELECT a.id, a.family FROM activation a"
    " JOIN service_order o ON o.id = a.order_id"
    " WHERE a.owner IS NULL AND a.due_at <= now() + interval '11 seconds'"
    " AND (a.signals > 0 OR (a.run IS NULL"
    "  AND coalesce(o.requested_start, '-infinity') <= now()))"
    " ORDER BY a.due_at LIMIT 20000";

const char sql_activation_lost[] =
    "UPDATE activation SET owner = NULL,"
    " due_at = now() + interval '10 seconds'"
    " WHERE owner IN (SELECT slot FROM worker"
    "  WHERE seen_at < now() - make_interval(secs => $1::int))"
    " RETURNING id, family";

const char sql_activation_wake[] =
    "UPDATE activation a SET due_at = now() + interval '10 seconds'"
    " FROM service_order_item i"
    " WHERE i.order_id = ANY($1::uuid[]) AND i.depends IS NOT NULL"
    " AND a.id = i.activation_id AND a.run IS NULL AND a.owner IS NULL"
    " RETURNING a.id, a.family";

const char sql_worker_seen[] =
    "INSERT INTO worker (slot, seen_at) VALUES ($1::text, clock_timestamp())"
    " ON CONFLICT (slot) DO UPDATE SET seen_at = clock_timestamp()"
    " RETURNING seen_at";

void
activations_load(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                 pg_result_fn fn, void *ctx)
{
    rows_exec_ids(pg, STATEMENT_activation_load, a, ids, n, fn, ctx);
}

void
signals_load(pg_t *pg, arena_t *a, const uuid_t *ids, int n, pg_result_fn fn,
             void *ctx)
{
    rows_exec_ids(pg, STATEMENT_signal_load, a, ids, n, fn, ctx);
}

/* Columns in the order of sql_activation_load. */
void
activation_read(const PGresult *res, int row, activation_record_t *r)
{
    r->id = pg_uuid(res, row, 0);
    r->order_id = pg_uuid(res, row, 1);
    r->service_id = pg_uuid(res, row, 2);
    r->configuration_id = pg_uuid(res, row, 3);
    r->item_id = pg_text(res, row, 4);
    r->definition_id = pg_int(res, row, 5);
    r->action = ACTION_ADD;
    (void) action_parse(pg_text(res, row, 6), &r->action);
    r->seq = pg_int(res, row, 7);
    r->run = pg_text(res, row, 8);
    r->variables = pg_text(res, row, 9);
    r->error = pg_text(res, row, 10);
    r->pending = pg_text(res, row, 11);
    r->owner = pg_text(res, row, 12);
    r->open_depends = pg_int(res, row, 13);
    r->failed_depends = pg_int(res, row, 14);
    r->characteristics = pg_text(res, row, 15);
    r->spec_id = pg_text(res, row, 16);
    r->spec_version = pg_text(res, row, 17);
    r->doc = pg_text(res, row, 18);
    r->service = STR_NONE;
    r->external_id = pg_text(res, row, 19);
    r->category = pg_text(res, row, 20);
    r->priority = pg_text(res, row, 21);
    r->traceparent = pg_text(res, row, 22);
    r->order_date_us = pg_time(res, row, 23);
    r->start_us = pg_time(res, row, 24);
    r->item_count = pg_int(res, row, 25);
    r->has_current = !pg_is_null(res, row, 26);
    r->current_id = pg_uuid(res, row, 26);
    r->current_characteristics = pg_text(res, row, 27);
    r->current_resources = pg_text(res, row, 28);
    r->current_state = pg_text(res, row, 29);
    r->current_doc = pg_text(res, row, 30);
    r->current_name = pg_text(res, row, 31);
    r->has_own = !pg_is_null(res, row, 32);
    r->own_characteristics = pg_text(res, row, 33);
    r->own_resources = pg_text(res, row, 34);
    r->own_state = pg_text(res, row, 35);
    r->own_operating = pg_text(res, row, 36);
    r->now_us = pg_time(res, row, 37);
    r->cancellation = pg_uuid(res, row, 38);
    r->current_category = pg_text(res, row, 39);
    r->current_service_type = pg_text(res, row, 40);
    r->current_operating = pg_text(res, row, 41);
    r->early = pg_bool(res, row, 42);
}

void
signal_rows_init(rows_t *r, arena_t *a)
{
    rows_init(r, a, "uit");
}

void
signals_insert(const rows_t *r, pg_t *pg, arena_t *a, pg_result_fn fn,
               void *ctx)
{
    rows_exec(r, pg, STATEMENT_signal_insert, a, fn, ctx);
}

void
signals_delete(pg_t *pg, arena_t *a, const rows_t *ids)
{
    rows_exec(ids, pg, STATEMENT_signal_delete, a, NULL, NULL);
}

static void
exec_text(pg_t *pg, int stmt, arena_t *a, str_t text, pg_result_fn fn,
          void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, text);
    pg_exec(pg, stmt, &p, fn, ctx);
}

static void
exec_int(pg_t *pg, int stmt, arena_t *a, int n, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_int(&p, n);
    pg_exec(pg, stmt, &p, fn, ctx);
}

void
activations_mine(pg_t *pg, arena_t *a, str_t slot, pg_result_fn fn, void *ctx)
{
    exec_text(pg, STATEMENT_activation_mine, a, slot, fn, ctx);
}

void
activations_due(pg_t *pg, arena_t *a, int limit, pg_result_fn fn, void *ctx)
{
    exec_int(pg, STATEMENT_activation_due, a, limit, fn, ctx);
}

void
activations_lost(pg_t *pg, arena_t *a, int seconds, pg_result_fn fn, void *ctx)
{
    exec_int(pg, STATEMENT_activation_lost, a, seconds, fn, ctx);
}

void
activations_rebuild(pg_t *pg, arena_t *a, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_exec(pg, STATEMENT_activation_rebuild, &p, fn, ctx);
}

void
activations_wake(pg_t *pg, arena_t *a, const uuid_t *orders, int n,
                 pg_result_fn fn, void *ctx)
{
    rows_exec_ids(pg, STATEMENT_activation_wake, a, orders, n, fn, ctx);
}

void
worker_seen(pg_t *pg, arena_t *a, str_t slot, pg_result_fn fn, void *ctx)
{
    exec_text(pg, STATEMENT_worker_seen, a, slot, fn, ctx);
}
