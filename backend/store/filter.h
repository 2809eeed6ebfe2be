/*
 * List queries (TMF630 filters, sort and paging) as SQL. What a client wrote
 * goes into parameters; of the SQL text nothing is a client's.
 */
#ifndef TURNUP_STORE_FILTER_H
#define TURNUP_STORE_FILTER_H

#include "backend/store/pg.h"
#include "proto/query.h"
#include "proto/schema.h"

/* All but FILTER_EXISTS can be sorted by. */
typedef enum {
    FILTER_TEXT,  /* sql: an expression of type text; ordered by code point */
    FILTER_NAME,  /* the same, one of a set: neither greater nor less */
    FILTER_UUID,  /* sql: of type uuid; what is no UUID matches nothing;
                     neither greater nor less */
    FILTER_TIME,  /* sql: of type timestamptz; compared as shown, in ms */
    FILTER_EXISTS /* sql: a condition, %s in it the text[] of the values;
                     neither greater nor less */
} filter_kind_t;

/* A table of these, ended by path NULL. */
typedef struct {
    const char *path; /* "serviceOrderItem.state" */
    const char *sql;
    filter_kind_t kind;
} filter_column_t;

/* A resource's list. */
typedef struct {
    const filter_column_t *columns;
    const object_schema_t *schema; /* of the document */
    const char *doc_sql;           /* an expression of type json or jsonb */
    const char *from;              /* behind FROM, up to a first condition */
    const char *row_sql;           /* select list of the columns named below */
    const char *show;              /* what is wanted of a row: "id" */
    const char *last; /* columns that tell any two rows apart: "id" */
} filter_list_t;

/*
 * Appends " AND (...)" for each filter of q; p takes the values, as text
 * (pg_exec_text). Paths that are no column are looked up in the document:
 * arrays on the path match when any element does; a value is compared as a
 * string and as the number, true, false or null that it spells. What is to be
 * greater or less than a number is compared as one, also a text that spells
 * one, unless the schema has a text there; all else as strings.
 * QUERY_NE is the opposite of QUERY_EQ: it matches also where nothing is.
 * false with *err (400), which names the path: no order on it, a value that
 * it cannot be compared with, more conditions than a statement takes.
 */
bool filter_where(buf_t *sql, pg_params_t *p, const query_t *q,
                  const filter_list_t *l, tmf_error_t *err);
/* " LIMIT n OFFSET m": what the client asks for, at most cap rows. */
void filter_page(buf_t *sql, const query_t *q, long cap);
/*
 * The statement of a list: rows of (show, the number of all that match), in
 * the order that the client asks for (texts by code point, what is missing
 * last, then `last`), at most cap of them; where the page is empty, one with
 * null in place of `show`. false with *err (400): as filter_where(), and for
 * a path that cannot be sorted by.
 */
bool filter_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                     const filter_list_t *l, tmf_error_t *err);

#endif
