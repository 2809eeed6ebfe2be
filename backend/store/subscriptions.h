/*
 * hub_subscription: who is told about events.
 *
 * The intake pool inserts and deletes, the notifier lists and moves cursors
 * (events.h). Statements are named by their number in the caller's table, so
 * the texts are given here.
 */
#ifndef TURNUP_STORE_SUBSCRIPTIONS_H
#define TURNUP_STORE_SUBSCRIPTIONS_H

#include "backend/domain/record.h"
#include "backend/store/events.h"
#include "backend/store/pg.h"

/* Rows of one list. The oldest are listed; an installation with more hub
 * listeners needs another product. */
#define SUBSCRIPTION_LIST_MAX 10000

extern const char sql_subscription_room[];
extern const char sql_subscription_find[];
extern const char sql_subscription_insert[];
extern const char sql_subscription_delete[];
extern const char sql_subscription_list[];

/* SQLSTATE with which subscription_room() fails a segment. */
#define SUBSCRIPTION_NO_ROOM "TU409"

/* Before subscription_insert() in its segment: fails it where the API has as
 * many subscriptions as it may, and keeps others from inserting until it is
 * over. */
void subscription_room(pg_t *pg, int stmt, arena_t *a, str_t api, int most);
/* One row if there is such a subscription of that API, else none. */
void subscription_find(pg_t *pg, int stmt, arena_t *a, uuid_t id, str_t api,
                       pg_result_fn fn, void *ctx);
/*
 * The cursor is set by the database: events of transactions not yet over are
 * told, older ones are not. subject NULL: none; an empty query is kept as
 * null.
 */
void subscription_insert(pg_t *pg, int stmt, arena_t *a,
                         const subscription_record_t *s, const char *subject,
                         pg_result_fn fn, void *ctx);
/* One row if there was such a subscription of that API, else none. */
void subscription_delete(pg_t *pg, int stmt, arena_t *a, uuid_t id, str_t api,
                         pg_result_fn fn, void *ctx);

typedef struct {
    subscription_record_t record;
    position_t cursor; /* also in record; at_us: no event behind the cursor
                          is older than it by more than EVENT_AT_MARGIN_US */
} subscription_row_t;

/* All of them, oldest first. known: those whose cursor the caller has in
 * memory; their cursor.at_us is not looked up (it is NO_TIME). */
void subscription_list(pg_t *pg, int stmt, arena_t *a, const uuid_t *known,
                       int known_count, pg_result_fn fn, void *ctx);
/* A row of such a result, copied to a. */
void subscription_row(arena_t *a, const PGresult *res, int row,
                      subscription_row_t *ret);

#endif
