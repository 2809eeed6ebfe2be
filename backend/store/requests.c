/*
 * request in SQL.
 */
#include "backend/store/requests.h"

#include "backend/store/statements.h"

const char sql_request_find[] =
    "SELECT resource_id, digest FROM request WHERE key = $1::text";

const char sql_request_insert[] =
    "WITH put AS (INSERT INTO request (key, resource_id, digest)"
    " VALUES ($1::text, $2::text, $3::text) ON CONFLICT DO NOTHING"
    " RETURNING 1) SELECT 1 / count(*)::int FROM put";

const char sql_request_expire[] =
    "DELETE FROM request WHERE made_at < now() - make_interval(days => "
    "$1::int)";

void
request_find(pg_t *pg, arena_t *a, str_t key, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, key);
    pg_exec(pg, STATEMENT_request_find, &p, fn, ctx);
}

void
request_insert(pg_t *pg, arena_t *a, str_t key, str_t resource_id,
               str_t digest)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, key);
    pg_add_text(&p, resource_id);
    pg_add_text(&p, digest);
    pg_exec(pg, STATEMENT_request_insert, &p, NULL, NULL);
}

void
requests_expire(pg_t *pg, arena_t *a, int days)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_int(&p, days);
    pg_exec(pg, STATEMENT_request_expire, &p, NULL, NULL);
}
