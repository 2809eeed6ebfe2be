/*
 * service_specification, family_definition, installation.
 */
#include "backend/store/catalog.h"

#include "backend/store/statements.h"
#include "proto/schema_tables.h"

const char sql_specification_changes[] =
    "SELECT id, version, doc, change, deleted FROM service_specification"
    " WHERE change > $1::bigint ORDER BY change";

const char sql_specification_load[] =
    "SELECT id, version, doc, change, deleted FROM service_specification"
    " WHERE id = ANY($1::text[]) AND NOT deleted ORDER BY id, change";

const char sql_specification_insert[] =
    "WITH gone AS (DELETE FROM service_specification"
    "  WHERE id = $1::text AND version = $2::text AND deleted RETURNING 1)"
    " INSERT INTO service_specification (id, version, doc)"
    " SELECT $1::text, $2::text, $3::text::json"
    " FROM (SELECT count(*) FROM gone) AS after_it";

const char sql_specification_update[] =
    "WITH moved AS (UPDATE service_specification SET doc = $4::text::json,"
    "  last_update = now(), change = nextval('catalog_change')"
    "  WHERE id = $1::text AND version = $2::text AND change = $3::bigint"
    "  AND NOT deleted RETURNING 1)"
    " SELECT 1 / CASE WHEN count(*) = 1 THEN 1 ELSE 0 END FROM moved";

const char sql_specification_delete[] =
    "WITH gone AS (UPDATE service_specification SET deleted = true,"
    "  change = nextval('catalog_change')"
    "  WHERE id = $1::text AND NOT deleted"
    "  AND ($4::bigint[] IS NULL OR change = ANY($4)) RETURNING version),"
    " told AS (INSERT INTO event (id, api, type, resource_id, data,"
    "  correlation) SELECT $2::uuid, 'catalog',"
    "  'ServiceSpecificationDeleteEvent', $1::text, '{}', $3::text"
    "  WHERE EXISTS (SELECT 1 FROM gone)),"
    /* What changed meanwhile is not in gone, what came is not in $4. */
    " kept AS (SELECT 1 / CASE WHEN $4 IS NULL OR cardinality($4) ="
    "  ALL (SELECT count(*) FROM gone UNION ALL SELECT count(*) FROM"
    "  service_specification WHERE id = $1::text AND NOT deleted)"
    "  THEN 1 ELSE 0 END AS ok)"
    " SELECT gone.version FROM kept LEFT JOIN gone ON kept.ok = 1";

const char sql_definition_load[] =
    "SELECT id, family, version, hash, body FROM family_definition"
    " WHERE family = $1::text AND id <> ALL($2::int[]) ORDER BY id";

/* Workers that start together store the same one: DO UPDATE, because a row
 * that another is inserting is not visible to DO NOTHING's SELECT. */
const char sql_definition_insert[] =
    "INSERT INTO family_definition AS f (family, version, hash, body)"
    " VALUES ($1::text, $2::text, $3::text, $4::text)"
    " ON CONFLICT (family, version, hash)"
    " DO UPDATE SET loaded_at = f.loaded_at RETURNING id";

const char sql_secret_load[] = "SELECT secret FROM installation";

void
specifications_changes(pg_t *pg, arena_t *a, int64_t since, pg_result_fn fn,
                       void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_long(&p, since);
    pg_exec(pg, STATEMENT_specification_changes, &p, fn, ctx);
}

void
specifications_load(pg_t *pg, arena_t *a, const str_t *ids, int n,
                    pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    params_texts(&p, a, ids, n);
    pg_exec(pg, STATEMENT_specification_load, &p, fn, ctx);
}

void
specification_read(const PGresult *res, int row, specification_record_t *r)
{
    r->id = pg_text(res, row, 0);
    r->version = pg_text(res, row, 1);
    r->doc = pg_text(res, row, 2);
    r->change = pg_long(res, row, 3);
    r->deleted = pg_bool(res, row, 4);
}

void
specification_insert(pg_t *pg, arena_t *a, str_t id, str_t version, str_t doc)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, id);
    pg_add_text(&p, version);
    pg_add_text(&p, doc);
    pg_exec(pg, STATEMENT_specification_insert, &p, NULL, NULL);
}

void
specification_update(pg_t *pg, arena_t *a, str_t id, str_t version,
                     int64_t change, str_t doc)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, id);
    pg_add_text(&p, version);
    pg_add_long(&p, change);
    pg_add_text(&p, doc);
    pg_exec(pg, STATEMENT_specification_update, &p, NULL, NULL);
}

void
specification_delete(pg_t *pg, arena_t *a, str_t id, const int64_t *changes,
                     int n, uuid_t event, str_t correlation, pg_result_fn fn,
                     void *ctx)
{
    pg_params_t p;
    pg_array_t v;

    pg_params(&p, a);
    pg_add_text(&p, id);
    pg_add_uuid(&p, event);
    pg_add_text(&p, correlation);
    pg_array(&v, a, PG_ARRAY_LONG);
    for (int i = 0; i < n; i++) {
        pg_array_long(&v, changes[i]);
    }
    if (changes) {
        pg_add_array(&p, &v);
    } else {
        pg_add_null(&p);
    }
    pg_exec(pg, STATEMENT_specification_delete, &p, fn, ctx);
}

/* lastUpdate is the server's in each document that is stored. */
static const filter_column_t columns[] = {
    {"id", "p.id", FILTER_TEXT},
    {"version", "p.version", FILTER_TEXT},
    {"name", "(p.doc->>'name')", FILTER_TEXT},
    {"lifecycleStatus", "(p.doc->>'lifecycleStatus')", FILTER_TEXT},
    {"lastUpdate", "(p.doc->>'lastUpdate')::timestamptz", FILTER_TIME},
    {NULL, NULL, FILTER_TEXT},
};

bool
specifications_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                        tmf_error_t *err)
{
    static const filter_list_t list = {
        .columns = columns,
        .schema = &tmf_service_specification,
        .doc_sql = "p.doc",
        .from = "service_specification p WHERE NOT p.deleted",
        .row_sql = "p.id, p.version, p.doc",
        .show = "doc",
        .last = "id, version",
    };

    return filter_list_sql(sql, p, q, cap, &list, err);
}

void
definitions_load(pg_t *pg, arena_t *a, str_t family, const int *known, int n,
                 pg_result_fn fn, void *ctx)
{
    pg_params_t p;
    pg_array_t ids;

    pg_array(&ids, a, PG_ARRAY_INT);
    for (int i = 0; i < n; i++) {
        pg_array_int(&ids, known[i]);
    }
    pg_params(&p, a);
    pg_add_text(&p, family);
    pg_add_array(&p, &ids);
    pg_exec(pg, STATEMENT_definition_load, &p, fn, ctx);
}

void
definition_insert(pg_t *pg, arena_t *a, str_t family, str_t version,
                  str_t hash, str_t body, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, family);
    pg_add_text(&p, version);
    pg_add_text(&p, hash);
    pg_add_text(&p, body);
    pg_exec(pg, STATEMENT_definition_insert, &p, fn, ctx);
}

void
secret_load(pg_t *pg, arena_t *a, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_exec(pg, STATEMENT_secret_load, &p, fn, ctx);
}
