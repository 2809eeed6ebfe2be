/*
 * entity_instance, entity_instance_configuration, service_change.
 */
#include "backend/store/services.h"

#include "backend/store/resources.h"
#include "backend/store/statements.h"
#include "proto/schema_tables.h"

const char sql_service_load[] =
    "SELECT e.id, e.key, to_json(e.data_tags), e.created_at,"
    " c.id, c.timeline, c.valid_from, c.valid_to, c.state,"
    " c.operating_status, c.name, c.category, c.service_type, c.spec_id,"
    " c.spec_version, p.doc->>'name', c.characteristics, c.resources, c.doc,"
    " c.order_id, c.item_id"
    " FROM entity_instance e"
    " JOIN entity_instance_configuration c"
    "  ON c.instance_id = e.id AND c.timeline = 'CURRENT'"
    " LEFT JOIN service_specification p"
    "  ON p.id = c.spec_id AND p.version = c.spec_version"
    " WHERE e.id = ANY($1::uuid[])";

/* A modify or a delete says so in service_change, an add by being the one that
 * wrote the configuration and not having ended. xmin: who wrote the row last;
 * as long as it is the same, nothing in the row has changed. */
const char sql_service_now[] =
    "SELECT c.instance_id, c.state, c.spec_id, c.spec_version,"
    " c.characteristics, s.service_id IS NOT NULL OR a.id IS NOT NULL,"
    " c.id, c.xmin::text, a.order_id, clock_timestamp()"
    " FROM entity_instance_configuration c"
    " LEFT JOIN service_change s ON s.service_id = c.instance_id"
    " LEFT JOIN service_order_item i"
    "  ON i.order_id = c.order_id AND i.item_id = c.item_id"
    " LEFT JOIN activation a"
    "  ON a.id = coalesce(s.activation_id, i.activation_id)"
    "  AND (s.service_id IS NOT NULL OR a.item_state NOT IN"
    "   ('completed', 'failed', 'cancelled', 'rejected', 'partial'))"
    " WHERE c.instance_id = ANY($1::uuid[]) AND c.timeline = 'CURRENT'";

/* Only over what was read (service_now), whoever came in between. */
const char sql_service_change_insert[] =
    "WITH put AS (INSERT INTO service_change (service_id, activation_id)"
    "  SELECT u.service, u.activation FROM unnest($1::uuid[], $2::uuid[],"
    "  $3::uuid[], $4::text[]) AS u(service, activation, id, version)"
    "  JOIN entity_instance_configuration c ON c.id = u.id"
    "  AND c.timeline = 'CURRENT' AND c.xmin::text = u.version RETURNING 1)"
    " SELECT 1 / CASE WHEN count(*) = cardinality($1::uuid[]) THEN 1"
    "  ELSE 0 END FROM put";

const char sql_service_change_delete[] =
    "DELETE FROM service_change WHERE activation_id = ANY($1::uuid[])";

const char sql_service_born[] =
    "SELECT 'SVC-' || nextval('entity_key'), clock_timestamp()";

/* What has ended has ended in every part; what holds values of a pool has
 * not. */
const char sql_service_delete[] =
    "WITH was AS (SELECT instance_id FROM entity_instance_configuration c"
    "  WHERE c.id = $2::uuid AND c.timeline = 'CURRENT'"
    "  AND c.xmin::text = $3::text FOR UPDATE),"
    " gone AS (DELETE FROM entity_instance e USING was"
    "  WHERE e.id = $1::uuid AND was.instance_id = e.id"
    "  AND NOT EXISTS (SELECT 1 FROM service_change s"
    "   WHERE s.service_id = e.id)"
    "  AND NOT EXISTS (SELECT 1 FROM resource_allocation r"
    "   WHERE r.holder = e.id) RETURNING 1)"
    " SELECT 1 / count(*)::int FROM gone";

const char sql_inventory_insert[] =
    "WITH n AS (INSERT INTO entity_instance (id, data_tags, key, created_at)"
    "  SELECT ($1::uuid[])[n], ($2::text[])[n]::text[],"
    "  coalesce(($3::text[])[n], 'SVC-' || nextval('entity_key')),"
    "  coalesce(($4::timestamptz[])[n], now())"
    "  FROM generate_series(1, cardinality($1::uuid[])) AS g(n))"
    " INSERT INTO entity_instance_configuration (id, instance_id, timeline,"
    " name, category, service_type, spec_id, spec_version, state,"
    " operating_status, characteristics, resources, doc, order_id, item_id,"
    " valid_from, valid_to, parties)"
    " SELECT ($5::uuid[])[n], ($6::uuid[])[n], ($7::text[])[n],"
    " ($8::text[])[n], ($9::text[])[n], ($10::text[])[n],"
    " ($11::text[])[n], ($12::text[])[n], ($13::text[])[n],"
    " ($14::text[])[n], ($15::text[])[n]::json, ($16::text[])[n]::json,"
    " ($17::text[])[n]::json, ($18::uuid[])[n], ($19::text[])[n],"
    " coalesce(($20::timestamptz[])[n], now()), ($21::timestamptz[])[n],"
    " ($22::text[])[n]::text[] FROM generate_series(1,"
    " cardinality($5::uuid[])) AS g(n)";

const char sql_configuration_update[] =
    "UPDATE entity_instance_configuration c SET state = u.state,"
    " operating_status = coalesce(u.operating, c.operating_status),"
    " characteristics = u.chars::json,"
    " resources = coalesce(u.resources::json, c.resources),"
    " valid_to = CASE WHEN u.state = 'terminated' THEN now()"
    "  ELSE c.valid_to END"
    " FROM (SELECT g.id, ($2::text[])[n] AS state,"
    " ($3::text[])[n] AS operating, ($4::text[])[n] AS chars,"
    " ($5::text[])[n] AS resources"
    " FROM unnest($1::uuid[]) WITH ORDINALITY AS g(id, n)) AS u"
    " WHERE c.id = u.id";

const char sql_configuration_history[] =
    "UPDATE entity_instance_configuration SET timeline = 'HISTORY',"
    " valid_to = now()"
    " WHERE instance_id = ANY($1::uuid[]) AND timeline = 'CURRENT'";

const char sql_configuration_promote[] =
    "UPDATE entity_instance_configuration SET timeline = 'CURRENT',"
    " valid_from = now()"
    " WHERE id = ANY($1::uuid[]) AND timeline = 'PENDING'";

const char sql_configuration_replace[] =
    "WITH old AS (UPDATE entity_instance_configuration c"
    "  SET timeline = 'HISTORY', valid_to = $3::timestamptz"
    "  WHERE c.id = $1::uuid AND c.timeline = 'CURRENT'"
    "  AND c.xmin::text = $2::text AND NOT EXISTS"
    "   (SELECT 1 FROM service_change s WHERE s.service_id = c.instance_id)"
    "  RETURNING 1) SELECT 1 / count(*)::int FROM old";

const char sql_configuration_drop[] =
    "DELETE FROM entity_instance_configuration"
    " WHERE id = ANY($1::uuid[]) AND timeline = 'PENDING'";

void
services_load(pg_t *pg, arena_t *a, const uuid_t *ids, int n, pg_result_fn fn,
              void *ctx)
{
    rows_exec_ids(pg, STATEMENT_service_load, a, ids, n, fn, ctx);
}

void
services_now(pg_t *pg, arena_t *a, const uuid_t *ids, int n, pg_result_fn fn,
             void *ctx)
{
    rows_exec_ids(pg, STATEMENT_service_now, a, ids, n, fn, ctx);
}

static service_state_t
state_of(str_t name)
{
    service_state_t s = SERVICE_INACTIVE;

    (void) service_state_parse(name, &s); /* the column's check knows them */
    return s;
}

void
service_read(const PGresult *res, int row, service_record_t *r)
{
    r->id = pg_uuid(res, row, 0);
    r->key = pg_text(res, row, 1);
    r->tags = pg_text(res, row, 2);
    r->created_us = pg_time(res, row, 3);
    r->configuration_id = pg_uuid(res, row, 4);
    r->timeline = pg_text(res, row, 5);
    r->valid_from_us = pg_time(res, row, 6);
    r->valid_to_us = pg_time(res, row, 7);
    r->state = state_of(pg_text(res, row, 8));
    r->operating_status = pg_text(res, row, 9);
    r->name = pg_text(res, row, 10);
    r->category = pg_text(res, row, 11);
    r->service_type = pg_text(res, row, 12);
    r->spec_id = pg_text(res, row, 13);
    r->spec_version = pg_text(res, row, 14);
    r->spec_name = pg_text(res, row, 15);
    r->characteristics = pg_text(res, row, 16);
    r->resources = pg_text(res, row, 17);
    r->doc = pg_text(res, row, 18);
    r->order_id = pg_uuid(res, row, 19);
    r->item_id = pg_text(res, row, 20);
}

void
service_now_read(const PGresult *res, int row, service_now_t *r)
{
    r->id = pg_uuid(res, row, 0);
    r->exists = true;
    r->state = state_of(pg_text(res, row, 1));
    r->spec_id = pg_text(res, row, 2);
    r->spec_version = pg_text(res, row, 3);
    r->characteristics = pg_text(res, row, 4);
    r->busy = pg_bool(res, row, 5);
    r->configuration_id = pg_uuid(res, row, 6);
    r->version = pg_text(res, row, 7);
    r->order_id = pg_uuid(res, row, 8);
    r->now_us = pg_time(res, row, 9);
}

void
services_lock(pg_t *pg, arena_t *a, const uuid_t *ids, int n)
{
    rows_exec_ids(pg, STATEMENT_order_lock, a, ids, n, NULL, NULL);
}

void
service_changes_init(rows_t *r, arena_t *a)
{
    rows_init(r, a, "uuut");
}

void
service_changes_insert(const rows_t *r, pg_t *pg, arena_t *a)
{
    rows_exec(r, pg, STATEMENT_service_change_insert, a, NULL, NULL);
}

void
inventory_rows_init(inventory_rows_t *r, arena_t *a)
{
    rows_init(&r->instances, a, "uttz");
    rows_init(&r->inserts, a,
              "uuttt"
              "ttttt"
              "tttut"
              "zzt");
    rows_init(&r->updates, a, "utttt");
    rows_init(&r->promotions, a, "uu");
    rows_init(&r->drops, a, "u");
    rows_init(&r->released, a, "u");
}

void
inventory_apply(const inventory_rows_t *r, pg_t *pg, arena_t *a)
{
    pg_params_t p;

    if (r->inserts.count) {
        pg_params(&p, a);
        rows_params(&r->instances, &p);
        rows_params(&r->inserts, &p);
        pg_exec(pg, STATEMENT_inventory_insert, &p, NULL, NULL);
    }
    rows_exec(&r->updates, pg, STATEMENT_configuration_update, a, NULL, NULL);
    if (r->promotions.count) {
        /* two statements: at no moment two of one instance are CURRENT */
        pg_params(&p, a);
        pg_add_array(&p, &r->promotions.column[1]);
        pg_exec(pg, STATEMENT_configuration_history, &p, NULL, NULL);
        pg_params(&p, a);
        pg_add_array(&p, &r->promotions.column[0]);
        pg_exec(pg, STATEMENT_configuration_promote, &p, NULL, NULL);
    }
    rows_exec(&r->drops, pg, STATEMENT_configuration_drop, a, NULL, NULL);
    rows_exec(&r->released, pg, STATEMENT_service_change_delete, a, NULL,
              NULL);
}

static void
add_configuration(inventory_rows_t *r, arena_t *a, const service_record_t *s)
{
    rows_uuid(&r->inserts, s->configuration_id);
    rows_uuid(&r->inserts, s->id);
    rows_text(&r->inserts, s->timeline);
    rows_some(&r->inserts, s->name);
    rows_some(&r->inserts, s->category);
    rows_some(&r->inserts, s->service_type);
    rows_text(&r->inserts, s->spec_id);
    rows_some(&r->inserts, s->spec_version);
    rows_text(&r->inserts, str_of(service_state_name(s->state)));
    rows_some(&r->inserts, s->operating_status);
    rows_text(&r->inserts, s->characteristics);
    rows_some(&r->inserts, s->resources);
    rows_some(&r->inserts, s->doc);
    rows_uuid(&r->inserts, s->order_id);
    rows_some(&r->inserts, s->item_id);
    rows_time(&r->inserts, s->valid_from_us);
    rows_time(&r->inserts, s->valid_to_us);
    rows_some(&r->inserts, rows_list(a, s->parties, s->party_count));
}

void
service_born(pg_t *pg, arena_t *a, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_exec(pg, STATEMENT_service_born, &p, fn, ctx);
}

void
service_insert(pg_t *pg, arena_t *a, const service_record_t *s)
{
    inventory_rows_t r;

    inventory_rows_init(&r, a);
    rows_uuid(&r.instances, s->id);
    rows_text(&r.instances, STR("{}"));
    rows_text(&r.instances, s->key);
    rows_time(&r.instances, s->created_us);
    add_configuration(&r, a, s);
    inventory_apply(&r, pg, a);
}

void
service_replace(pg_t *pg, arena_t *a, const service_now_t *was,
                const service_record_t *s)
{
    inventory_rows_t r;
    pg_params_t p;

    services_lock(pg, a, &was->id, 1);
    pg_params(&p, a);
    pg_add_uuid(&p, was->configuration_id);
    pg_add_text(&p, was->version);
    pg_add_time(&p, s->valid_from_us);
    pg_exec(pg, STATEMENT_configuration_replace, &p, NULL, NULL);
    inventory_rows_init(&r, a);
    add_configuration(&r, a, s);
    inventory_apply(&r, pg, a);
    if (s->state == SERVICE_TERMINATED) {
        resources_release_all(pg, a, s->id);
    }
}

void
service_delete(pg_t *pg, arena_t *a, const service_now_t *was)
{
    pg_params_t p;

    services_lock(pg, a, &was->id, 1);
    if (was->state == SERVICE_TERMINATED) {
        resources_release_all(pg, a, was->id);
    }
    pg_params(&p, a);
    pg_add_uuid(&p, was->id);
    pg_add_uuid(&p, was->configuration_id);
    pg_add_text(&p, was->version);
    pg_exec(pg, STATEMENT_service_delete, &p, NULL, NULL);
}

static const filter_column_t columns[] = {
    {"id", "c.instance_id", FILTER_UUID},
    {"state", "c.state", FILTER_NAME},
    {"operatingStatus", "c.operating_status", FILTER_NAME},
    {"name", "c.name", FILTER_TEXT},
    {"category", "c.category", FILTER_TEXT},
    {"serviceType", "c.service_type", FILTER_TEXT},
    {"serviceDate", "e.created_at", FILTER_TIME},
    {"startDate", "c.valid_from", FILTER_TIME},
    {"endDate", "c.valid_to", FILTER_TIME},
    {"relatedParty.id", "c.parties", FILTER_ARRAY},
    {"serviceSpecification.id", "c.spec_id COLLATE \"C\"", FILTER_TEXT},
    {"serviceSpecification.version", "c.spec_version", FILTER_TEXT},
    {"externalIdentifier.id", "e.key", FILTER_TEXT},
    {"serviceOrderItem.serviceOrderId", "c.order_id", FILTER_UUID},
    {NULL, NULL, FILTER_TEXT},
};

static const filter_index_t indexes[] = {
    {"id", NULL},
    {"name", NULL},
    {"serviceSpecification.id", NULL},
    {"relatedParty.id", NULL},
    {"serviceOrderItem.serviceOrderId", NULL},
    {"externalIdentifier.id", NULL},
    {NULL, NULL},
};

/* The rest of a service's attributes, as one document: what was ordered or
 * posted over what is shown without it (service_to_tmf), with the
 * characteristics and resources as they are. */
static const char document[] =
    "(jsonb_build_object('isServiceEnabled', c.state = 'active',"
    " 'hasStarted', c.state = 'active', 'isBundle', false,"
    " 'isStateful', true, '@type', 'Service')"
    " || coalesce(c.doc, '{}')::jsonb || jsonb_build_object("
    "'serviceCharacteristic', (SELECT coalesce(jsonb_agg(jsonb_build_object("
    "'name', x.key, 'value', x.value)), '[]')"
    " FROM jsonb_each(c.characteristics::jsonb) x),"
    " 'supportingResource', coalesce(c.resources::jsonb, '[]')))";

bool
services_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                  tmf_error_t *err)
{
    static const filter_list_t list = {
        .columns = columns,
        .indexes = indexes,
        .schema = &tmf_service,
        .doc_sql = document,
        .from = "entity_instance_configuration c"
                " LEFT JOIN entity_instance e ON e.id = c.instance_id"
                " WHERE c.timeline = 'CURRENT'",
        .row_sql = "c.instance_id AS id",
        .show = "id",
        .last = "id",
    };

    return filter_list_sql(sql, p, q, cap, &list, err);
}
