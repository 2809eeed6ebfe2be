/*
 * resource_pool, resource_allocation.
 */
#include "backend/store/resources.h"

#include "backend/store/statements.h"

/* Free values are taken with SKIP LOCKED: workers never wait for each other.
 * The second part of the union sees the table as it was before: claims that
 * an earlier, interrupted attempt has taken. The third has a row a pool, not
 * a claim: a batch asks the same few pools over and over. */
const char sql_resource_allocate[] =
    "WITH want AS (SELECT claim, pool, holder,"
    "  row_number() OVER (PARTITION BY pool) AS n"
    "  FROM unnest($1::text[], $2::text[], $3::uuid[])"
    "  AS u(claim, pool, holder) WHERE NOT EXISTS"
    "  (SELECT 1 FROM resource_allocation r WHERE r.claim = u.claim)),"
    " asked AS (SELECT pool, count(*) AS k FROM want GROUP BY pool),"
    " got AS (SELECT p.pool, f.value,"
    "  row_number() OVER (PARTITION BY p.pool) AS n"
    "  FROM asked p, LATERAL (SELECT value FROM resource_allocation r"
    "   WHERE r.pool = p.pool AND r.holder IS NULL ORDER BY r.value"
    "   LIMIT p.k FOR UPDATE SKIP LOCKED) f),"
    " taken AS (UPDATE resource_allocation r SET holder = w.holder,"
    "  claim = w.claim, since = now() FROM want w JOIN got g USING (pool, n)"
    "  WHERE r.pool = g.pool AND r.value = g.value"
    "  RETURNING r.claim, r.value)"
    " SELECT claim, value, NULL::text FROM taken UNION ALL"
    " SELECT claim, value, NULL FROM resource_allocation"
    " WHERE claim = ANY($1::text[]) UNION ALL"
    " SELECT NULL, NULL, pool FROM asked WHERE NOT EXISTS"
    " (SELECT 1 FROM resource_pool p WHERE p.name = asked.pool)";

const char sql_resource_release[] =
    "UPDATE resource_allocation r SET holder = NULL, claim = NULL,"
    " since = NULL FROM unnest($1::text[], $2::uuid[]) AS u(pool, holder)"
    " WHERE r.holder = u.holder AND r.pool = u.pool";

const char sql_resource_release_all[] =
    "UPDATE resource_allocation SET holder = NULL, claim = NULL, since = NULL"
    " WHERE holder = $1::uuid";

const char sql_resource_held[] =
    "SELECT pool, value FROM resource_allocation WHERE holder = $1::uuid"
    " ORDER BY pool, value LIMIT 1";

void
allocation_rows_init(rows_t *r, arena_t *a)
{
    rows_init(r, a, "ttu");
}

void
resources_allocate(const rows_t *r, pg_t *pg, arena_t *a, pg_result_fn fn,
                   void *ctx)
{
    rows_exec(r, pg, STATEMENT_resource_allocate, a, fn, ctx);
}

void
allocation_read(const PGresult *res, int row, allocation_t *r)
{
    r->claim = pg_text(res, row, 0);
    r->value = pg_text(res, row, 1);
    r->unknown_pool = pg_text(res, row, 2);
}

void
release_rows_init(rows_t *r, arena_t *a)
{
    rows_init(r, a, "tu");
}

void
resources_release(const rows_t *r, pg_t *pg, arena_t *a)
{
    rows_exec(r, pg, STATEMENT_resource_release, a, NULL, NULL);
}

void
resources_release_all(pg_t *pg, arena_t *a, uuid_t holder)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_uuid(&p, holder);
    pg_exec(pg, STATEMENT_resource_release_all, &p, NULL, NULL);
}

void
resources_held(pg_t *pg, arena_t *a, uuid_t holder, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_uuid(&p, holder);
    pg_exec(pg, STATEMENT_resource_held, &p, fn, ctx);
}
