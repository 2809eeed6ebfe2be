/*
 * The outbox in SQL.
 *
 * Everything read here is bounded in rows and in bytes by the statement
 * itself, so that neither a backlog nor large documents grow the reader.
 */
#include "backend/store/events.h"

#include <inttypes.h>

/* $6: rows, $7: bytes of data; the first row is always given. The last columns
 * are how many rows there were before the bytes were counted, and whether there
 * are others behind a transaction that still runs; without an event there is
 * one row that says only this. */
const char sql_event_page[] =
    "SELECT p.xid, p.seq, p.id, p.at, p.api, p.type, p.resource_id, p.data,"
    " p.correlation, p.rows, h.ahead FROM (SELECT EXISTS (SELECT 1 FROM event"
    " WHERE (xid, seq) > ($1::text::xid8, $2::bigint)"
    " AND xid >= pg_snapshot_xmin(pg_current_snapshot())"
    " AND at > coalesce($5::timestamptz, '-infinity')) AS ahead) h"
    " LEFT JOIN (SELECT e.*, count(*) OVER () AS rows,"
    " coalesce(sum(octet_length(e.data::text)) OVER (ORDER BY e.xid, e.seq"
    " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before"
    " FROM (SELECT * FROM event WHERE (xid, seq) > ($1::text::xid8,"
    " $2::bigint) AND (xid, seq) <= ($3::text::xid8, $4::bigint)"
    " AND xid < pg_snapshot_xmin(pg_current_snapshot())"
    " AND at > coalesce($5::timestamptz, '-infinity')"
    " ORDER BY xid, seq LIMIT $6::bigint) e) p"
    " ON p.before < $7::bigint ORDER BY p.xid, p.seq";

const char sql_event_relax[] =
    "SELECT set_config('synchronous_commit', 'off', true)";

const char sql_event_cursors[] =
    "UPDATE hub_subscription h"
    " SET cursor_xid = v.xid::xid8, cursor_seq = v.seq"
    " FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS v(id, xid, seq)"
    " WHERE h.id = v.id"
    " AND (h.cursor_xid, h.cursor_seq) < (v.xid::xid8, v.seq)";

/* A plan is kept; one made while the log was short must not scan and sort it
 * when it is long. */
const char sql_event_session[] =
    "SELECT set_config('enable_seqscan', 'off', false),"
    " set_config('enable_bitmapscan', 'off', false),"
    " set_config('enable_sort', 'off', false)";

/* One notifier a database; the number is "turnup" in ASCII. */
const char sql_event_lock[] = "SELECT pg_try_advisory_lock(128047779837296)";

int
position_compare(const position_t *a, const position_t *b)
{
    if (a->xid != b->xid) {
        return a->xid < b->xid ? -1 : 1;
    }
    return (a->seq > b->seq) - (a->seq < b->seq);
}

static void
add_position(pg_params_t *p, const position_t *at)
{
    pg_add_text(p, arena_printf(p->arena, "%" PRIu64, at->xid));
    pg_add_long(p, at->seq);
}

static void
add_oldest(pg_params_t *p, const position_t *after)
{
    pg_add_time(p, after->at_us == NO_TIME
                       ? PG_NO_TIME
                       : after->at_us - EVENT_AT_MARGIN_US);
}

void
event_read(pg_t *pg, int stmt, arena_t *a, const position_t *after,
           const position_t *to, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    add_position(&p, after);
    add_position(&p, to);
    add_oldest(&p, after);
    pg_add_long(&p, EVENT_PAGE_ROWS);
    pg_add_long(&p, EVENT_PAGE_BYTES);
    pg_exec(pg, stmt, &p, fn, ctx);
}

enum {
    COL_XID,
    COL_SEQ,
    COL_ID,
    COL_AT,
    COL_API,
    COL_TYPE,
    COL_RESOURCE,
    COL_DATA,
    COL_CORRELATION,
    COL_ROWS,
    COL_AHEAD
};

static void
read_event(arena_t *a, const PGresult *res, int row, event_record_t *ret)
{
    *ret = (event_record_t){
        .xid = (uint64_t) pg_long(res, row, COL_XID),
        .seq = pg_long(res, row, COL_SEQ),
        .id = pg_uuid(res, row, COL_ID),
        .at_us = pg_time(res, row, COL_AT),
        .api = arena_str(a, pg_text(res, row, COL_API)),
        .type = arena_str(a, pg_text(res, row, COL_TYPE)),
        .resource_id = arena_str(a, pg_text(res, row, COL_RESOURCE)),
        .data = arena_str(a, pg_text(res, row, COL_DATA)),
        .correlation = arena_str(a, pg_text(res, row, COL_CORRELATION)),
    };
}

position_t
event_position(const event_record_t *e)
{
    return (position_t){e->xid, e->seq, e->at_us};
}

void
event_page(arena_t *a, const PGresult *res, const position_t *after,
           event_page_t *ret)
{
    int n = pg_is_null(res, 0, COL_XID) ? 0 : PQntuples(res);

    ret->count = n;
    ret->complete = true;
    ret->ahead = pg_bool(res, 0, COL_AHEAD);
    ret->to = *after;
    if (n == 0) {
        return;
    }
    ret->events = arena_array(a, event_record_t, (size_t) n);
    ret->documents = arena_array(a, event_document_t, (size_t) n);
    for (int i = 0; i < n; i++) {
        read_event(a, res, i, &ret->events[i]);
    }
    ret->to = event_position(&ret->events[n - 1]);
    ret->complete =
        n < EVENT_PAGE_ROWS && pg_long(res, 0, COL_ROWS) == (int64_t) n;
}

void
event_store_cursors(pg_t *pg, int stmt, arena_t *a,
                    const event_cursor_t *cursors, int n, pg_result_fn fn,
                    void *ctx)
{
    pg_array_t ids, xids, seqs;
    pg_params_t p;

    pg_array(&ids, a, PG_ARRAY_UUID);
    pg_array(&xids, a, PG_ARRAY_TEXT);
    pg_array(&seqs, a, PG_ARRAY_LONG);
    for (int i = 0; i < n; i++) {
        pg_array_uuid(&ids, cursors[i].subscription);
        pg_array_text(&xids, arena_printf(a, "%" PRIu64, cursors[i].at.xid));
        pg_array_long(&seqs, cursors[i].at.seq);
    }
    pg_params(&p, a);
    pg_add_array(&p, &ids);
    pg_add_array(&p, &xids);
    pg_add_array(&p, &seqs);
    pg_exec(pg, stmt, &p, fn, ctx);
}
