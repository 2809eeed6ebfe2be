/*
 * The check of a JSON document's raw bytes, chunk by chunk: UTF-8, and in
 * escapes neither \u0000 (PostgreSQL cannot hold it) nor half a surrogate
 * pair (no character). Everything else about escapes is the JSON reader's.
 */
#ifndef TURNUP_PROTO_TEXT_CHECK_H
#define TURNUP_PROTO_TEXT_CHECK_H

#include "proto/str.h"
#include "proto/utf8.h"

/* Zeroed at a document's start. */
typedef struct {
    utf8_rest_t utf8;
    uint8_t escape; /* characters of an escape read: 0 none, 1 "\", 2 "\u",
                        3 to 5 with one to three digits */
    bool high;      /* a high surrogate waits for its low one */
    unsigned unit;  /* the digits so far */
} text_check_t;

/* How many bytes of the chunk are good; when not all, *ret_reason is why the
 * byte behind them is not. */
size_t text_check(text_check_t *t, str_t chunk, const char **ret_reason);

#endif
