/*
 * What travels between edge and workers: a request as the fields of a stream
 * entry, a reply as one value in a packed entry. Fields are clear text, so
 * that XRANGE can be read by a person. Part of the Redis contract (README).
 */
#ifndef TURNUP_PROTO_FRAME_H
#define TURNUP_PROTO_FRAME_H

#include "proto/buf.h"

/* One row a field: F(struct member, name on the stream) */
#define REQUEST_FIELDS(F)                                                   \
    F(id, "id")             /* unique for ever: instance-slot-counter */    \
    F(reply_to, "reply-to") /* reply stream, or empty: nobody waits */      \
    F(api, "api")           /* ordering | inventory | catalog | callback */ \
    F(version, "version")   /* v4 | v5 */                                   \
    F(method, "method")                                                     \
    F(resource, "resource") /* serviceOrder, service, hub, ... */           \
    F(key, "key")           /* id in the path, decoded; or empty */         \
    F(query, "query")       /* raw, without "?" */                          \
    F(base, "base")         /* "https://host": starts every href */         \
    F(profile, "profile")   /* "extended" or "strict" */                    \
    F(subject, "subject")   /* who asks */                                  \
    F(traceparent, "traceparent")                                           \
    F(idempotency_key, "idempotency-key")                                   \
    F(if_match, "if-match")           /* lists of entity tags (etag.h), */  \
    F(if_none_match, "if-none-match") /* of what has an id */               \
    F(content_type, "content-type")                                         \
    F(deadline, "deadline") /* ms since the epoch: later nobody waits */    \
    F(body, "body")

typedef struct {
#define F(member, name) str_t member;
    REQUEST_FIELDS(F)
#undef F
} request_frame_t;

enum {
#define F(member, name) REQUEST_FIELD_##member,
    REQUEST_FIELDS(F)
#undef F
        REQUEST_FIELD_COUNT
};

/*
 * The fields with a value, as name, value, name, value ...: what XADD takes.
 * argv must hold 2 * REQUEST_FIELD_COUNT. Returns how many were written.
 */
int request_frame_args(const request_frame_t *f, str_t *argv);
/* The reverse; unknown names are skipped. 0, or -1: id or method missing,
 * or n odd. Slices point into argv's. */
int request_frame_read(request_frame_t *ret, const str_t *argv, int n);

typedef struct {
    int status;
    str_t headers; /* "Name: value\n" lines, maybe empty; text, no CR */
    str_t body;
} reply_frame_t;

/* "201\nLocation: ...\n\n{...}" */
void reply_frame_write(buf_t *out, const reply_frame_t *f);
/* 0, or -1 when it is not one. Slices point into text. */
int reply_frame_read(reply_frame_t *ret, str_t text);
/* Next header line: 1 with name and value, 0 at the end, -1 malformed. */
int reply_header_next(str_t *rest, str_t *ret_name, str_t *ret_value);

#endif
