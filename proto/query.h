/*
 * TMF630 query strings: fields, offset, limit and filters.
 *
 * Parsed before decoding ("=" and "," inside values come percent-encoded).
 * This release takes equality (a.b=x, several values by comma or repetition
 * are OR, different names are AND); other operators are refused with 400, not
 * taken for something else.
 */
#ifndef TURNUP_PROTO_QUERY_H
#define TURNUP_PROTO_QUERY_H

#include "proto/error.h"
#include "proto/str.h"

#define QUERY_MAX_BYTES   8192
#define QUERY_MAX_FILTERS 32
#define QUERY_MAX_VALUES  64 /* of all filters together */
#define QUERY_MAX_FIELDS  64
#define QUERY_MAX_STEPS   8 /* names in one dotted path */

typedef struct {
    str_t path;                   /* "serviceOrderItem.state", decoded */
    str_t steps[QUERY_MAX_STEPS]; /* the names of it */
    int step_count;
    int first_value; /* index into query_t.values */
    int value_count; /* OR between them */
} query_filter_t;

typedef struct {
    str_t fields[QUERY_MAX_FIELDS]; /* as asked, dotted ones too */
    int field_count;                /* 0 with has_fields: "none" */
    bool has_fields;
    long offset; /* items to skip, default 0 */
    long limit;  /* -1: not given */
    query_filter_t filters[QUERY_MAX_FILTERS];
    int filter_count;
    str_t values[QUERY_MAX_VALUES]; /* decoded, one pair of quotes off */
    int value_count;
    char text[QUERY_MAX_BYTES]; /* what the slices point into */
    size_t text_len;
} query_t;

/* raw: what stood behind "?", maybe empty. 0, or -1 with *err (a 400). */
int query_parse(query_t *q, str_t raw, tmf_error_t *err);
/* Is a first-level attribute wanted in the answer? id and href always are. */
bool query_wants(const query_t *q, str_t name);

#endif
