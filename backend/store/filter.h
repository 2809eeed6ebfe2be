/*
 * List queries (TMF630 filters, sort and paging) as SQL. What a client wrote
 * goes into parameters; of the SQL text nothing is a client's.
 */
#ifndef TURNUP_STORE_FILTER_H
#define TURNUP_STORE_FILTER_H

#include "backend/store/pg.h"
#include "proto/query.h"
#include "proto/schema.h"

/* Rows that match are counted so far; of more it is not told how many. */
#define FILTER_COUNT_MAX 100000

/* All but FILTER_EXISTS and FILTER_ARRAY can be sorted by. */
typedef enum {
    FILTER_TEXT, /* sql: an expression of type text; ordered by code point */
    FILTER_NAME, /* the same, one of a set: only equal or not */
    FILTER_UUID, /* sql: of type uuid; what is no UUID matches nothing;
                       only equal or not */
    FILTER_TIME, /* sql: of type timestamptz; compared as shown, in ms */
    FILTER_TIME_MS, /* the same, never null and stored in ms: can be sorted
                       by an index */
    FILTER_EXISTS,  /* sql: a condition, %s in it the text[] of the values;
                       only equal or not */
    FILTER_ARRAY    /* sql: of type text[], any of which may be equal; what
                       is not about equality is looked up in the document */
} filter_kind_t;

/* A table of these, ended by path NULL. */
typedef struct {
    const char *path; /* "serviceOrderItem.state" */
    const char *sql;
    filter_kind_t kind;
} filter_column_t;

/* What an index finds; a table of these, ended by path NULL. */
typedef struct {
    const char *path;
    /* What is to be equal to this value in place of the column, for an index
     * that is on something else. NULL: the column. */
    const char *(*sql)(str_t value);
} filter_index_t;

/* A resource's list. */
typedef struct {
    const filter_column_t *columns;
    const filter_index_t *indexes; /* NULL: none */
    const object_schema_t *schema; /* of the document */
    const char *doc_sql;           /* an expression of type json or jsonb */
    const char *from; /* behind FROM, up to a first condition; tables joined
                         by LEFT JOIN are left out where nobody asks for them */
    const char *count_from; /* the same rows, where they are counted faster
                               so; NULL: as from */
    const char *row_sql;    /* select list of the columns named below */
    const char *show;       /* what is wanted of a row: "id" */
    const char *last;       /* columns that tell any two rows apart: "id" */
} filter_list_t;

/* The row of that path, or NULL. */
const filter_column_t *filter_column(const filter_list_t *l, str_t path);
const filter_index_t *filter_index(const filter_list_t *l, str_t path);

/*
 * Appends " AND (...)" for each filter of q, or one of them all where any may
 * match; p takes the values, as text (pg_exec_text). Paths that are no column
 * are looked up in the document: arrays on the path match when any element
 * does; a value is compared as a string and as the number, true, false or null
 * that it spells. What is to be greater or less than a number is compared as
 * one, also a text that spells one, unless the schema has a text there; all
 * else as strings. QUERY_NE is the opposite of QUERY_EQ: it matches also where
 * nothing is. QUERY_REGEX is found in texts and in numbers as they are spelt.
 * false with *err (400), which names the path: no order on it, no text, a
 * value that it cannot be compared with, more conditions than a statement
 * takes.
 */
bool filter_where(buf_t *sql, pg_params_t *p, const query_t *q,
                  const filter_list_t *l, tmf_error_t *err);
/* Rows of the page that a client asks for: at most cap. */
long filter_page_size(const query_t *q, long cap);
/*
 * The statement of a list: rows of (show, the number of all that match), in
 * the order that the client asks for (texts by code point, what is missing
 * last, then `last`): those of the page, and one more where there are more;
 * where the page is empty, one with null in place of `show`. The number is
 * null where it is greater than FILTER_COUNT_MAX and not seen from the page.
 * true: *err is what to answer (400) where it is cut off for taking too long.
 * false with *err (400): as filter_where(), and for a path that cannot be
 * sorted by.
 */
bool filter_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                     const filter_list_t *l, tmf_error_t *err);

#endif
