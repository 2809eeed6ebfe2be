/*
 * catalog_entity, family_definition, installation.
 */
#include "backend/store/catalog.h"

#include "backend/store/statements.h"
#include "proto/schema_tables.h"

const char sql_specification_changes[] =
    "SELECT resource, id, version, doc, change, deleted"
    " FROM service_specification"
    " WHERE change > $1::bigint ORDER BY change";

const char sql_entity_load[] =
    "SELECT resource, id, version, doc, change, deleted FROM catalog_entity"
    " WHERE (resource, id) IN (SELECT * FROM unnest($1::text[], $2::text[]))"
    " AND NOT deleted ORDER BY resource, id, change";

const char sql_entity_insert[] =
    "WITH gone AS (DELETE FROM catalog_entity WHERE resource = $1::text"
    "  AND id = $2::text AND version = $3::text AND deleted RETURNING 1)"
    " INSERT INTO catalog_entity (resource, id, version, doc)"
    " SELECT $1::text, $2::text, $3::text, $4::text::json"
    " FROM (SELECT count(*) FROM gone) AS after_it";

const char sql_entity_update[] =
    "WITH moved AS (UPDATE catalog_entity SET doc = $5::text::json,"
    "  last_update = now(), change = nextval('catalog_change')"
    "  WHERE resource = $1::text AND id = $2::text AND version = $3::text"
    "  AND change = $4::bigint AND NOT deleted RETURNING 1)"
    " SELECT 1 / CASE WHEN count(*) = 1 THEN 1 ELSE 0 END FROM moved";

const char sql_entity_delete[] =
    /* Only specifications are kept: orders may be running under them. */
    "WITH kept AS (UPDATE catalog_entity SET deleted = true,"
    "  change = nextval('catalog_change')"
    "  WHERE resource = $1::text AND resource = 'serviceSpecification'"
    "  AND id = $2::text AND NOT deleted"
    "  AND ($3::bigint[] IS NULL OR change = ANY($3)) RETURNING version),"
    " dropped AS (DELETE FROM catalog_entity"
    "  WHERE resource = $1::text AND resource <> 'serviceSpecification'"
    "  AND id = $2::text"
    "  AND ($3::bigint[] IS NULL OR change = ANY($3)) RETURNING version),"
    " gone AS (SELECT * FROM kept UNION ALL SELECT * FROM dropped),"
    " told AS (INSERT INTO event (id, api, type, resource_id, data,"
    "  correlation) SELECT $4::uuid, 'catalog', $5::text, $2::text, '{}',"
    "  $6::text WHERE $5 IS NOT NULL AND EXISTS (SELECT 1 FROM gone)),"
    /* What changed meanwhile is not in gone, what came is not in $3. */
    " same AS (SELECT 1 / CASE WHEN $3 IS NULL OR cardinality($3) ="
    "  ALL (SELECT count(*) FROM gone UNION ALL SELECT count(*)"
    "  FROM catalog_entity WHERE resource = $1::text AND id = $2::text"
    "  AND NOT deleted) THEN 1 ELSE 0 END AS ok)"
    " SELECT gone.version FROM same LEFT JOIN gone ON same.ok = 1";

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
entities_load(pg_t *pg, arena_t *a, const str_t *resources, const str_t *ids,
              int n, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    params_texts(&p, a, resources, n);
    params_texts(&p, a, ids, n);
    pg_exec(pg, STATEMENT_entity_load, &p, fn, ctx);
}

void
entity_read(const PGresult *res, int row, entity_record_t *r)
{
    r->resource = pg_text(res, row, 0);
    r->id = pg_text(res, row, 1);
    r->version = pg_text(res, row, 2);
    r->doc = pg_text(res, row, 3);
    r->change = pg_long(res, row, 4);
    r->deleted = pg_bool(res, row, 5);
}

/* An empty slice may have no data, which would be a null. */
static void
add_key(pg_params_t *p, const entity_key_t *k)
{
    pg_add_text(p, k->resource);
    pg_add_text(p, k->id);
    pg_add_text(p, k->version.len ? k->version : STR(""));
}

void
entity_insert(pg_t *pg, arena_t *a, const entity_key_t *k, str_t doc)
{
    pg_params_t p;

    pg_params(&p, a);
    add_key(&p, k);
    pg_add_text(&p, doc);
    pg_exec(pg, STATEMENT_entity_insert, &p, NULL, NULL);
}

void
entity_update(pg_t *pg, arena_t *a, const entity_key_t *k, int64_t change,
              str_t doc)
{
    pg_params_t p;

    pg_params(&p, a);
    add_key(&p, k);
    pg_add_long(&p, change);
    pg_add_text(&p, doc);
    pg_exec(pg, STATEMENT_entity_update, &p, NULL, NULL);
}

void
entity_delete(pg_t *pg, arena_t *a, str_t resource, str_t id,
              const int64_t *changes, int n, const entity_deleted_t *event,
              pg_result_fn fn, void *ctx)
{
    pg_params_t p;
    pg_array_t v;

    pg_params(&p, a);
    pg_add_text(&p, resource);
    pg_add_text(&p, id);
    pg_array(&v, a, PG_ARRAY_LONG);
    for (int i = 0; i < n; i++) {
        pg_array_long(&v, changes[i]);
    }
    if (changes) {
        pg_add_array(&p, &v);
    } else {
        pg_add_null(&p);
    }
    pg_add_uuid(&p, event->id);
    pg_add_text(&p, event->type);
    pg_add_text(&p, event->correlation);
    pg_exec(pg, STATEMENT_entity_delete, &p, fn, ctx);
}

/* lastUpdate is the server's in each document that is stored. */
static const filter_column_t columns[] = {
    {"id", "p.id", FILTER_TEXT},
    {"version", "(p.doc->>'version')", FILTER_TEXT},
    {"name", "(p.doc->>'name')", FILTER_TEXT},
    {"lifecycleStatus", "(p.doc->>'lifecycleStatus')", FILTER_TEXT},
    {"lastUpdate", "(p.doc->>'lastUpdate')::timestamptz", FILTER_TIME},
    {NULL, NULL, FILTER_TEXT},
};

#define LISTED(table, of, columns_of)                                     \
    {                                                                     \
        .columns = (columns_of), .schema = &tmf_##of, .doc_sql = "p.doc", \
        .from = table " p WHERE NOT p.deleted",                           \
        .row_sql = "p.id, p.version, p.doc", .show = "doc",               \
        .last = "id, version",                                            \
    }

static const filter_column_t job_columns[] = {
    {"id", "p.id", FILTER_TEXT},
    {"status", "(p.doc->>'status')", FILTER_TEXT},
    {"creationDate", "(p.doc->>'creationDate')::timestamptz", FILTER_TIME},
    {"completionDate", "(p.doc->>'completionDate')::timestamptz", FILTER_TIME},
    {NULL, NULL, FILTER_TEXT},
};

static const struct {
    const char *resource;
    filter_list_t list;
} lists[] = {
    {"serviceCatalog", LISTED("service_catalog", service_catalog, columns)},
    {"serviceCategory", LISTED("service_category", service_category, columns)},
    {"serviceCandidate",
     LISTED("service_candidate", service_candidate, columns)},
    {"serviceSpecification",
     LISTED("service_specification", service_specification, columns)},
    {"importJob", LISTED("import_job", import_job, job_columns)},
    {"exportJob", LISTED("export_job", export_job, job_columns)},
};

static const filter_list_t *
find_list(str_t resource)
{
    size_t i = 0;

    while (!str_is(resource, lists[i].resource)) {
        i++;
    }
    return &lists[i].list;
}

bool
entities_list_sql(buf_t *sql, pg_params_t *p, str_t resource, const query_t *q,
                  long cap, tmf_error_t *err)
{
    return filter_list_sql(sql, p, q, cap, find_list(resource), err);
}

bool
entities_all_sql(buf_t *sql, pg_params_t *p, str_t resource, const query_t *q,
                 long bytes, tmf_error_t *err)
{
    const filter_list_t *l = find_list(resource);

    buf_printf(sql,
               "SELECT doc FROM (SELECT p.doc, p.id, p.version,"
               " coalesce(sum(octet_length(p.doc::text)) OVER"
               " (ORDER BY p.id, p.version ROWS BETWEEN UNBOUNDED PRECEDING"
               " AND 1 PRECEDING), 0) AS before FROM %s",
               l->from);
    if (!filter_where(sql, p, q, l, err)) {
        return false;
    }
    buf_printf(sql, ") AS x WHERE before <= %ld ORDER BY id, version", bytes);
    return true;
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
