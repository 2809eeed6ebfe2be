/*
 * The outbox as its reader sees it: pages of events in commit order, the
 * whole resources some of them speak of, and the durable cursors.
 *
 * A page holds only rows of transactions older than the oldest one running,
 * so nothing can appear behind a position once read.
 */
#ifndef TURNUP_STORE_EVENTS_H
#define TURNUP_STORE_EVENTS_H

#include "backend/domain/record.h"
#include "backend/store/pg.h"

#define EVENT_PAGE_ROWS  1000
#define EVENT_PAGE_BYTES 4194304 /* of data; one event is always given */

/* How far the times of events may go back along the log: it is ordered by
 * transaction, and the database's clock may be set back. Partitions that end
 * before are not looked at. */
#define EVENT_AT_MARGIN_US (32LL * 86400 * 1000000)

/* A place in the log: behind that event. */
typedef struct {
    uint64_t xid;
    int64_t seq;
    int64_t at_us; /* of the event there; no part of the order */
} position_t;

/* Behind everything. */
#define POSITION_END ((position_t){UINT64_MAX, INT64_MAX, NO_TIME})

/* < 0, 0, > 0 */
int position_compare(const position_t *a, const position_t *b);

extern const char sql_event_page[];
extern const char sql_event_relax[];
extern const char sql_event_cursors[];
extern const char sql_event_session[];
extern const char sql_event_lock[];

/* At most one is there: the whole resource that the event is shown with. None:
 * it is gone, or it was not asked for. */
typedef struct {
    const order_record_t *order;
    const service_record_t *service;
} event_document_t;

typedef struct {
    event_record_t *events;
    event_document_t *documents; /* one an event */
    int count;
    bool complete; /* there was nothing more to read */
    bool ahead;    /* but committed events that no page shows yet, because an
                      older transaction still runs */
    position_t to; /* of the last event; that asked for when there is none */
} event_page_t;

position_t event_position(const event_record_t *e);

/* Events with after < position <= to. */
void event_read(pg_t *pg, int stmt, arena_t *a, const position_t *after,
                const position_t *to, pg_result_fn fn, void *ctx);
/* Copies the result to a. */
void event_page(arena_t *a, const PGresult *res, const position_t *after,
                event_page_t *ret);

/*
 * Moves cursors forward, never back. To be sent behind sql_event_relax (no
 * parameters), which lets this one transaction commit without waiting for
 * the disk: a cursor lost in a crash sends events again.
 */
typedef struct {
    uuid_t subscription;
    position_t at;
} event_cursor_t;

void event_store_cursors(pg_t *pg, int stmt, arena_t *a,
                         const event_cursor_t *cursors, int n, pg_result_fn fn,
                         void *ctx);

#endif
