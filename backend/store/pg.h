/*
 * One pipelined PostgreSQL connection on libevent (libpq pipeline mode).
 *
 * Work comes in segments: pg_exec() ... pg_exec() pg_commit(). One segment is
 * one implicit transaction (one PQpipelineSync, no BEGIN inside). Several
 * segments may be under way; they end in order. Statements are prepared once
 * a connection, from a table given at open. The connection is made again with
 * back-off; segments under way at a loss end with PG_UNKNOWN (the commit may
 * or may not have happened) and are the owner's to repeat. A segment without
 * an answer for 30 s counts as a loss.
 */
#ifndef TURNUP_STORE_PG_H
#define TURNUP_STORE_PG_H

#include <stdint.h>

#include <event2/event.h>
#include <libpq-fe.h>

#include "backend/base/arena.h"
#include "backend/base/uuid.h"
#include "proto/buf.h"

typedef struct pg pg_t;

/* A table of these, ended by sql NULL; a statement is named by its index. */
typedef struct {
    const char *name;
    const char *sql;
} pg_statement_t;

typedef enum {
    PG_OK,      /* committed */
    PG_REFUSED, /* an error; rolled back: data or code (22, 23, 42 ...) */
    PG_RETRY,   /* rolled back, may succeed again (40001, 40P01, 55P03, and the
                   server's troubles: 53, 57, 58, 25006) */
    PG_UNKNOWN  /* the connection was lost */
} pg_outcome_t;

/* res: PGRES_TUPLES_OK or PGRES_COMMAND_OK; binary format. Called once for
 * each pg_exec of a segment that succeeded, before it is known to be
 * committed: remember, do not act. */
typedef void (*pg_result_fn)(void *ctx, const PGresult *res);
/* The segment's end. sqlstate and message are "" for PG_OK. */
typedef void (*pg_end_fn)(void *ctx, pg_outcome_t outcome,
                          const char *sqlstate, const char *message);
typedef void (*pg_state_fn)(void *ctx, bool up);

pg_t *pg_open(struct event_base *base, const char *conninfo,
              const pg_statement_t *statements, pg_state_fn on_state,
              void *ctx);
/* A statement (constant text) to be run first on each new connection; right
 * after pg_open(). */
void pg_setup(pg_t *pg, const char *sql);
/* Callbacks still waiting are dropped without a call. NULL-safe. */
void pg_close(pg_t *pg);
bool pg_up(const pg_t *pg);
/* Is a segment open? Where one waits for pg_ask()'s answer, only its owner may
 * use the connection. */
bool pg_asking(const pg_t *pg);
/* Segments whose end has not come yet. */
int pg_in_flight(const pg_t *pg);

/* Parameters, always binary. Built in an arena, sent, forgotten. */
#define PG_MAX_PARAMS 48
typedef struct {
    arena_t *arena;
    int n;
    const char *value[PG_MAX_PARAMS];
    int length[PG_MAX_PARAMS];
} pg_params_t;

void pg_params(pg_params_t *p, arena_t *a);
void pg_add_null(pg_params_t *p);
void pg_add_text(pg_params_t *p, str_t s); /* text, json; data NULL: null */
void pg_add_uuid(pg_params_t *p, uuid_t u);
void pg_add_int(pg_params_t *p, int32_t n);
void pg_add_long(pg_params_t *p, int64_t n);
void pg_add_bool(pg_params_t *p, bool v);
/* Microseconds since the Unix epoch; INT64_MIN: null. */
void pg_add_time(pg_params_t *p, int64_t us);

/*
 * A one-dimensional array parameter for unnest(). type decides the element's
 * OID. Append exactly one element a row; then pg_add_array().
 */
typedef enum {
    PG_ARRAY_TEXT,
    PG_ARRAY_UUID,
    PG_ARRAY_INT,
    PG_ARRAY_LONG,
    PG_ARRAY_BOOL,
    PG_ARRAY_TIME
} pg_array_type_t;

typedef struct {
    arena_t *arena;
    pg_array_type_t type;
    char *data; /* grows in the arena */
    size_t len, cap;
    int count;
    bool has_null;
} pg_array_t;

#define PG_NO_TIME INT64_MIN

void pg_array(pg_array_t *v, arena_t *a, pg_array_type_t type);
void pg_array_null(pg_array_t *v);
void pg_array_text(pg_array_t *v, str_t s); /* data NULL: null */
void pg_array_uuid(pg_array_t *v, uuid_t u);
void pg_array_uuid_or_null(pg_array_t *v, uuid_t u); /* nil: null */
void pg_array_int(pg_array_t *v, int32_t n);
void pg_array_long(pg_array_t *v, int64_t n);
void pg_array_bool(pg_array_t *v, bool b);
void pg_array_time(pg_array_t *v, int64_t us); /* PG_NO_TIME: null */
void pg_add_array(pg_params_t *p, const pg_array_t *v);

/*
 * Sends statement number stmt. fn may be NULL. What is sent before a
 * pg_commit() is one segment. While the connection is down it is only
 * counted, and the segment ends with PG_UNKNOWN.
 */
void pg_exec(pg_t *pg, int stmt, const pg_params_t *params, pg_result_fn fn,
             void *ctx);
/*
 * As pg_exec(), but the result comes before pg_commit(), which the owner
 * gives after it: for a segment that reads under a lock what it is to write.
 * fn gets NULL when the statement failed or the connection was lost (then
 * maybe at once); the owner still ends the segment. Until then nobody else may
 * use the connection.
 */
void pg_ask(pg_t *pg, int stmt, const pg_params_t *params, pg_result_fn fn,
            void *ctx);
/* A statement that is not in the table: for lists with filters. sql is
 * parsed each time; of the pg_add_* only text and null may be used. */
void pg_exec_text(pg_t *pg, const char *sql, const pg_params_t *params,
                  pg_result_fn fn, void *ctx);
void pg_commit(pg_t *pg, pg_end_fn fn, void *ctx);

/* Reading binary columns. A null gives an empty slice, nil, 0, PG_NO_TIME.
 * pg_text: text and json, not jsonb (a version byte stands before it). pg_int
 * and pg_long read an integer of any width. INT64_MAX is "infinity". */
bool pg_is_null(const PGresult *res, int row, int col);
str_t pg_text(const PGresult *res, int row, int col);
uuid_t pg_uuid(const PGresult *res, int row, int col);
int32_t pg_int(const PGresult *res, int row, int col);
int64_t pg_long(const PGresult *res, int row, int col);
bool pg_bool(const PGresult *res, int row, int col);
int64_t pg_time(const PGresult *res, int row, int col);

#endif
