/*
 * Rows for a multi-row statement: one array parameter a column, filled value
 * by value in the order of the columns.
 */
#ifndef TURNUP_STORE_ROWS_H
#define TURNUP_STORE_ROWS_H

#include "backend/store/pg.h"

#define ROWS_MAX_COLUMNS 24

/*
 * A statement takes its rows as "($2::text[])[n] ... FROM generate_series(1,
 * cardinality($1)) AS g(n)". Measured against unnest() of all columns (a
 * function scan with a tuple store each): for thirteen columns half the time
 * at 2 rows, three quarters at 256; from about 2,000 on it is the slower one,
 * as a text array is walked to the value. So it is given no more than this.
 * Where the rows are joined, unnest() of the key WITH ORDINALITY gives n: the
 * planner takes it for a handful of rows and goes by the index, while it takes
 * generate_series() for a thousand and might scan what was small once.
 */
#define ROWS_A_STATEMENT 512

typedef struct {
    const char *types; /* a letter a column: u t i l b z */
    int columns;
    int next;  /* the column the next value goes to */
    int count; /* whole rows */
    pg_array_t column[ROWS_MAX_COLUMNS];
} rows_t;

/* types: u uuid (nil: null), t text (data NULL: null), i int, l bigint,
 * b boolean, z timestamptz (PG_NO_TIME: null). */
void rows_init(rows_t *r, arena_t *a, const char *types);
void rows_uuid(rows_t *r, uuid_t u);
void rows_text(rows_t *r, str_t s);
/* As rows_text, but an empty slice is null too. */
void rows_some(rows_t *r, str_t s);
void rows_int(rows_t *r, int32_t n);
void rows_long(rows_t *r, int64_t n);
void rows_bool(rows_t *r, bool b);
void rows_time(rows_t *r, int64_t us);
/* Adds a parameter a column, also where there is no row. */
void rows_params(const rows_t *r, pg_params_t *p);
/* Sends them as the first parameters of stmt; nothing where there is no row.
 * True when it was sent. */
bool rows_exec(const rows_t *r, pg_t *pg, int stmt, arena_t *a,
               pg_result_fn fn, void *ctx);

/* A text[] literal, for a text column that is cast; none: an empty slice. */
str_t rows_list(arena_t *a, const str_t *texts, int n);

/* One array parameter. */
void params_uuids(pg_params_t *p, arena_t *a, const uuid_t *ids, int n);
void params_texts(pg_params_t *p, arena_t *a, const str_t *texts, int n);
/* Sends a statement that takes nothing but an array of ids. */
void rows_exec_ids(pg_t *pg, int stmt, arena_t *a, const uuid_t *ids, int n,
                   pg_result_fn fn, void *ctx);

#endif
