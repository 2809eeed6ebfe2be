/*
 * catalog_job in SQL, and the import of many entities.
 */
#include "backend/store/jobs.h"

#include "backend/store/statements.h"

const char sql_job_insert[] =
    "INSERT INTO catalog_job (resource, id, base, version, correlation)"
    " VALUES ($1::text, $2::text, $3::text, $4::text, $5::text)";

const char sql_job_delete[] =
    "DELETE FROM catalog_job WHERE resource = $1::text AND id = $2::text";

const char sql_job_claim[] =
    "UPDATE catalog_job j SET owner = $1::text, run = run + 1,"
    "  lease_until = now() + make_interval(secs => $2::int),"
    "  since = coalesce(since, (SELECT last_value FROM catalog_change))"
    " FROM (SELECT resource, id FROM catalog_job WHERE owner IS NULL"
    "  OR owner = $1::text OR lease_until < now()"
    "  ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED) w,"
    "  catalog_entity e"
    " WHERE j.resource = w.resource AND j.id = w.id"
    "  AND e.resource = w.resource AND e.id = w.id"
    " RETURNING j.resource, j.id, j.base, j.version, j.correlation, j.run,"
    "  e.doc, j.since";

const char sql_job_renew[] =
    "WITH mine AS (UPDATE catalog_job"
    "  SET lease_until = now() + make_interval(secs => $4::int)"
    "  WHERE resource = $1::text AND id = $2::text AND run = $3::int"
    "  RETURNING 1) SELECT 1 / count(*)::int FROM mine";

const char sql_job_report[] =
    "UPDATE catalog_entity SET doc = $3::text::json, last_update = now(),"
    "  change = nextval('catalog_change')"
    " WHERE resource = $1::text AND id = $2::text";

const char sql_entity_import[] =
    "WITH r AS (SELECT n, ($1::uuid[])[n] AS event,"
    "  ($2::timestamptz[])[n] AS at, ($3::text[])[n] AS resource,"
    "  ($4::text[])[n] AS id, ($5::text[])[n] AS version,"
    "  ($6::text[])[n] AS type, ($7::text[])[n]::json AS doc"
    "  FROM generate_series(1, cardinality($1::uuid[])) AS g(n)),"
    " old AS (SELECT e.resource, e.id, e.version FROM r"
    "  JOIN catalog_entity e USING (resource, id, version)"
    "  WHERE NOT e.deleted),"
    " put AS (INSERT INTO catalog_entity AS e (resource, id, version, doc)"
    "  SELECT resource, id, version, doc FROM r ORDER BY resource, id, version"
    "  ON CONFLICT (id, version, resource) DO UPDATE SET doc = excluded.doc,"
    "  last_update = now(), change = nextval('catalog_change'),"
    "  deleted = false WHERE e.deleted OR e.doc::jsonb - 'lastUpdate'"
    "  <> excluded.doc::jsonb - 'lastUpdate'"
    "  RETURNING e.resource, e.id, e.version)"
    " INSERT INTO event (id, at, api, type, resource_id, data, correlation)"
    " SELECT r.event, r.at, 'catalog', r.type || CASE WHEN old.id IS NULL"
    "  THEN 'CreateEvent' ELSE 'ChangeEvent' END, r.id, r.doc, $8::text"
    " FROM r JOIN put USING (resource, id, version)"
    " LEFT JOIN old USING (resource, id, version)"
    " WHERE EXISTS (SELECT 1 FROM hub_subscription h"
    "  WHERE h.api = 'catalog' AND (h.event_types IS NULL"
    "  OR r.type || CASE WHEN old.id IS NULL THEN 'CreateEvent'"
    "  ELSE 'ChangeEvent' END = ANY (h.event_types))) ORDER BY r.n";

/* What is in something (by its list, or told the other way round), and that;
 * walked from what has changed. */
const char sql_job_catalogs[] =
    "WITH RECURSIVE list(resource, id, of, elements) AS ("
    " SELECT resource, id, 'serviceCategory', doc->'category'"
    "  FROM catalog_entity WHERE resource IN ('serviceCatalog',"
    "  'serviceCategory', 'serviceCandidate')"
    " UNION ALL SELECT resource, id, 'serviceCandidate',"
    "  doc->'serviceCandidate' FROM service_category),"
    " ref(resource, id, of, of_id) AS ("
    " SELECT resource, id, of, element->>'id' FROM list,"
    "  json_array_elements(CASE json_typeof(elements) WHEN 'array'"
    "  THEN elements END) AS x(element)),"
    " edge(resource, id, up, up_id) AS MATERIALIZED ("
    " SELECT of, of_id, resource, id FROM ref"
    "  WHERE resource <> 'serviceCandidate'"
    " UNION ALL SELECT resource, id, of, of_id FROM ref"
    "  WHERE resource = 'serviceCandidate'"
    " UNION ALL SELECT resource, id, resource, doc->>'parentId'"
    "  FROM service_category"
    " UNION ALL SELECT 'serviceSpecification',"
    "  doc->'serviceSpecification'->>'id', resource, id"
    "  FROM service_candidate),"
    " touched(resource, id) AS ("
    " SELECT resource, id FROM catalog_entity WHERE change > $1::bigint"
    " UNION SELECT up, up_id FROM touched JOIN edge USING (resource, id))"
    " SELECT c.id, c.doc FROM service_catalog c JOIN touched"
    "  USING (resource, id) ORDER BY c.id";

void
job_insert(pg_t *pg, arena_t *a, const job_record_t *j)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, j->resource);
    pg_add_text(&p, j->id);
    pg_add_text(&p, j->base);
    pg_add_text(&p, j->version);
    pg_add_text(&p, j->correlation);
    pg_exec(pg, STATEMENT_job_insert, &p, NULL, NULL);
}

void
job_delete(pg_t *pg, arena_t *a, str_t resource, str_t id)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, resource);
    pg_add_text(&p, id);
    pg_exec(pg, STATEMENT_job_delete, &p, NULL, NULL);
}

void
job_claim(pg_t *pg, arena_t *a, str_t slot, int lease_s, pg_result_fn fn,
          void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, slot);
    pg_add_int(&p, lease_s);
    pg_exec(pg, STATEMENT_job_claim, &p, fn, ctx);
}

void
job_read(const PGresult *res, int row, job_claim_t *c)
{
    c->job.resource = pg_text(res, row, 0);
    c->job.id = pg_text(res, row, 1);
    c->job.base = pg_text(res, row, 2);
    c->job.version = pg_text(res, row, 3);
    c->job.correlation = pg_text(res, row, 4);
    c->run = pg_int(res, row, 5);
    c->doc = pg_text(res, row, 6);
    c->since = pg_long(res, row, 7);
}

void
job_renew(pg_t *pg, arena_t *a, const job_claim_t *c, int lease_s)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, c->job.resource);
    pg_add_text(&p, c->job.id);
    pg_add_int(&p, c->run);
    pg_add_int(&p, lease_s);
    pg_exec(pg, STATEMENT_job_renew, &p, NULL, NULL);
}

void
job_report(pg_t *pg, arena_t *a, const job_claim_t *c, str_t doc)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, c->job.resource);
    pg_add_text(&p, c->job.id);
    pg_add_text(&p, doc);
    pg_exec(pg, STATEMENT_job_report, &p, NULL, NULL);
}

void
entity_rows_init(entity_rows_t *r, arena_t *a)
{
    rows_init(&r->rows, a, "uzttttt");
}

void
entity_rows_add(entity_rows_t *r, const entity_key_t *k, str_t type, str_t doc,
                int64_t now_us)
{
    rows_uuid(&r->rows, uuid_v7(now_us / 1000));
    rows_time(&r->rows, now_us);
    rows_text(&r->rows, k->resource);
    rows_text(&r->rows, k->id);
    rows_text(&r->rows, k->version.len ? k->version : STR(""));
    rows_text(&r->rows, type);
    rows_text(&r->rows, doc);
}

void
entities_import(pg_t *pg, arena_t *a, const entity_rows_t *r,
                str_t correlation)
{
    pg_params_t p;

    pg_params(&p, a);
    rows_params(&r->rows, &p);
    pg_add_text(&p, correlation);
    pg_exec(pg, STATEMENT_entity_import, &p, NULL, NULL);
}

void
job_catalogs(pg_t *pg, arena_t *a, int64_t since, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_long(&p, since);
    pg_exec(pg, STATEMENT_job_catalogs, &p, fn, ctx);
}
