/*
 * Entity tags, and the two request headers that list them: RFC 9110 sections
 * 8.8.3 (ETag), 13.1.1 (If-Match), 13.1.2 (If-None-Match), 13.2.2 (which of
 * them counts first). Both sides read them: the edge refuses what is
 * malformed, intake judges by them.
 */
#ifndef TURNUP_PROTO_ETAG_H
#define TURNUP_PROTO_ETAG_H

#include "proto/error.h"
#include "proto/str.h"

/* The headers' values; data NULL where the request has none. */
typedef struct {
    str_t match;      /* If-Match */
    str_t none_match; /* If-None-Match */
} etag_conditions_t;

typedef enum {
    ETAG_PROCEED,
    ETAG_NOT_MODIFIED, /* to be answered 304 */
    ETAG_FAILED        /* to be answered 412 */
} etag_verdict_t;

/* Is each of them "*" or a list of at least one entity tag? Else false, and
 * *err is a 400 that names the header. */
bool etag_check(const etag_conditions_t *c, tmf_error_t *err);
/*
 * tag: of the representation that is there now, strong, with its quotes.
 * reads: GET or HEAD. If-Match compares strongly, so that a weak tag never
 * matches; If-None-Match weakly. A tag behind something malformed does not
 * count; etag_check() comes before.
 */
etag_verdict_t etag_judge(const etag_conditions_t *c, str_t tag, bool reads);

#endif
