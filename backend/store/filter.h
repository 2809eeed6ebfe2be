/*
 * List queries (TMF630 equality filters and paging) as SQL. What a client
 * wrote goes into parameters; of the SQL text nothing is a client's.
 */
#ifndef TURNUP_STORE_FILTER_H
#define TURNUP_STORE_FILTER_H

#include "backend/store/pg.h"
#include "proto/query.h"

typedef enum {
    FILTER_TEXT,  /* sql: an expression of type text */
    FILTER_UUID,  /* sql: of type uuid; what is no UUID matches nothing */
    FILTER_TIME,  /* sql: of type timestamptz; compared as shown, in ms */
    FILTER_EXISTS /* sql: a condition, %s in it the text[] of the values */
} filter_kind_t;

/* A table of these, ended by path NULL. */
typedef struct {
    const char *path; /* "serviceOrderItem.state" */
    const char *sql;
    filter_kind_t kind;
} filter_column_t;

/*
 * Appends " AND (...)" for each filter of q; p takes the values, as text
 * (pg_exec_text). Paths that are no column are looked up in the document:
 * doc_sql is an expression of type json or jsonb; arrays on the path match
 * when any element does; a value is compared as a string and as the number,
 * true, false or null that it spells. false with *err (400): more conditions
 * than a statement takes.
 */
bool filter_where(buf_t *sql, pg_params_t *p, const query_t *q,
                  const filter_column_t *columns, const char *doc_sql,
                  tmf_error_t *err);
/* " LIMIT n OFFSET m": what the client asks for, at most cap rows. */
void filter_page(buf_t *sql, const query_t *q, long cap);

#endif
