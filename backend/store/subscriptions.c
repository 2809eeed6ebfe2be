/*
 * hub_subscription in SQL.
 */
#include "backend/store/subscriptions.h"

#include "backend/store/rows.h"

const char sql_subscription_room[] =
    "SELECT turnup_hub_room($1::text, $2::int)";

const char sql_subscription_find[] =
    "SELECT id FROM hub_subscription WHERE id = $1::uuid AND api = $2::text";

const char sql_subscription_insert[] =
    "INSERT INTO hub_subscription"
    " (id, api, version, callback, query, base, profile, subject, event_types)"
    " VALUES ($1::uuid, $2::text, $3::text, $4::text, nullif($5::text, ''),"
    " $6::text, $7::text, $8::text, nullif($9::text[], '{}'))";

const char sql_subscription_delete[] =
    "DELETE FROM hub_subscription WHERE id = $1::uuid AND api = $2::text"
    " RETURNING id";

/* The time of the last event told bounds the partitions that are read. */
const char sql_subscription_list[] =
    "SELECT s.id, s.api, s.version, s.callback, s.query, s.base,"
    " s.profile = 'strict', s.cursor_xid, s.cursor_seq,"
    " CASE WHEN s.id <> ALL ($1::uuid[]) THEN coalesce("
    "(SELECT e.at FROM event e"
    " WHERE (e.xid, e.seq) <= (s.cursor_xid, s.cursor_seq)"
    " ORDER BY e.xid DESC, e.seq DESC LIMIT 1), s.created_at) END"
    " FROM hub_subscription s ORDER BY s.created_at, s.id"
    " LIMIT $2::bigint";

enum {
    COL_ID,
    COL_API,
    COL_VERSION,
    COL_CALLBACK,
    COL_QUERY,
    COL_BASE,
    COL_STRICT,
    COL_XID,
    COL_SEQ,
    COL_AT
};

void
subscription_room(pg_t *pg, int stmt, arena_t *a, str_t api, int most)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_text(&p, api);
    pg_add_int(&p, most);
    pg_exec(pg, stmt, &p, NULL, NULL);
}

void
subscription_find(pg_t *pg, int stmt, arena_t *a, uuid_t id, str_t api,
                  pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_uuid(&p, id);
    pg_add_text(&p, api);
    pg_exec(pg, stmt, &p, fn, ctx);
}

void
subscription_insert(pg_t *pg, int stmt, arena_t *a,
                    const subscription_record_t *s, const char *subject,
                    pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_uuid(&p, s->id);
    pg_add_text(&p, s->api);
    pg_add_text(&p, s->version);
    pg_add_text(&p, s->callback);
    pg_add_text(&p, s->query);
    pg_add_text(&p, s->base);
    pg_add_text(&p, s->strict ? STR("strict") : STR("extended"));
    pg_add_text(&p, str_of(subject));
    params_texts(&p, a, s->types, s->type_count);
    pg_exec(pg, stmt, &p, fn, ctx);
}

void
subscription_delete(pg_t *pg, int stmt, arena_t *a, uuid_t id, str_t api,
                    pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    pg_add_uuid(&p, id);
    pg_add_text(&p, api);
    pg_exec(pg, stmt, &p, fn, ctx);
}

void
subscription_list(pg_t *pg, int stmt, arena_t *a, const uuid_t *known,
                  int known_count, pg_result_fn fn, void *ctx)
{
    pg_array_t ids;
    pg_params_t p;

    pg_array(&ids, a, PG_ARRAY_UUID);
    for (int i = 0; i < known_count; i++) {
        pg_array_uuid(&ids, known[i]);
    }
    pg_params(&p, a);
    pg_add_array(&p, &ids);
    pg_add_long(&p, SUBSCRIPTION_LIST_MAX);
    pg_exec(pg, stmt, &p, fn, ctx);
}

void
subscription_row(arena_t *a, const PGresult *res, int row,
                 subscription_row_t *ret)
{
    uint64_t xid = (uint64_t) pg_long(res, row, COL_XID);
    int64_t seq = pg_long(res, row, COL_SEQ);

    *ret = (subscription_row_t){
        .record =
            {
                .id = pg_uuid(res, row, COL_ID),
                .api = arena_str(a, pg_text(res, row, COL_API)),
                .version = arena_str(a, pg_text(res, row, COL_VERSION)),
                .callback = arena_str(a, pg_text(res, row, COL_CALLBACK)),
                .query = arena_str(a, pg_text(res, row, COL_QUERY)),
                .base = arena_str(a, pg_text(res, row, COL_BASE)),
                .strict = pg_bool(res, row, COL_STRICT),
                .cursor_xid = xid,
                .cursor_seq = seq,
            },
        .cursor = {xid, seq, pg_time(res, row, COL_AT)},
    };
}
