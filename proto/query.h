/*
 * TMF630 query strings: fields, offset, limit, sort and filters.
 *
 * Parsed before decoding ("=" and "," inside values come percent-encoded).
 * A filter is a path, an operator and values: a.b=x, a.b.gt=x (also .gte, .lt,
 * .lte, .ne, .eq, .regex) and a.b>x (also >=, <, <=, ==, *=, =~; as it is or
 * percent-encoded, when no "=" may be left in it). Several values by "," or ";"
 * or repetition ("a=x,y", "a=x;y", "a=x;a=y", "a=x&a=y") are OR; different paths
 * or operators are AND behind "&" and OR behind ";". Which of the two binds
 * tighter has no agreed meaning: a ";" between conditions beside another filter
 * behind "&" is refused with 400. Regular expressions are of pattern.h's
 * dialect, else 400; filter= (JSONPath) is 501.
 */
#ifndef TURNUP_PROTO_QUERY_H
#define TURNUP_PROTO_QUERY_H

#include "proto/error.h"
#include "proto/str.h"

#define QUERY_MAX_BYTES   8192
#define QUERY_MAX_FILTERS 32
#define QUERY_MAX_VALUES  64 /* of all filters together */
#define QUERY_MAX_FIELDS  64
#define QUERY_MAX_SORTS   8
#define QUERY_MAX_STEPS   8 /* names in one dotted path, its operator not */

typedef enum {
    QUERY_EQ,
    QUERY_NE, /* none of the values: all that QUERY_EQ does not match */
    QUERY_GT,
    QUERY_GTE,
    QUERY_LT,
    QUERY_LTE,
    QUERY_REGEX /* found anywhere in the text, unless anchored */
} query_op_t;

typedef struct {
    query_op_t op;
    str_t path;                       /* "serviceOrderItem.state", decoded */
    str_t steps[QUERY_MAX_STEPS + 1]; /* the names of it; room to parse */
    int step_count;
    int first_value; /* index into query_t.values */
    int value_count; /* OR between them */
} query_filter_t;

typedef struct {
    str_t path; /* decoded, not empty, not twice in a query */
    bool descending;
} query_sort_t;

typedef struct {
    str_t fields[QUERY_MAX_FIELDS]; /* as asked, dotted ones too */
    int field_count;                /* 0 with has_fields: "none" */
    bool has_fields;
    bool has_offset;
    long offset;                         /* items to skip, default 0 */
    long limit;                          /* -1: not given */
    query_sort_t sorts[QUERY_MAX_SORTS]; /* the first is the main key */
    int sort_count;
    query_filter_t filters[QUERY_MAX_FILTERS]; /* path and op differ */
    int filter_count;
    bool any;       /* one filter must match (";"); else all of them */
    int parameters; /* of the query string that are filters */
    str_t values[QUERY_MAX_VALUES]; /* decoded, one pair of quotes off */
    int value_count;
    char text[QUERY_MAX_BYTES]; /* what the slices point into */
    size_t text_len;
} query_t;

/* raw: what stood behind "?", maybe empty. 0, or -1 with *err (400, 501). */
int query_parse(query_t *q, str_t raw, tmf_error_t *err);
/* Is a first-level attribute wanted in the answer? id and href always are. */
bool query_wants(const query_t *q, str_t name);
/* Appends a query string that parses to the same, but for this offset and
 * limit (-1: none is written). It holds nothing but RFC 3986's unreserved
 * characters and % & = , ; so it can stand in any URL or header. */
void query_print(buf_t *out, const query_t *q, long offset, long limit);

#endif
