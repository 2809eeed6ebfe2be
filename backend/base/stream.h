/*
 * A consumer of Redis streams in a group.
 *
 * Reads first what this consumer name had pending (a predecessor died with
 * it), then new entries; takes over what other consumers left idle
 * (XAUTOCLAIM). Recreates group and stream when they are gone (NOGROUP after
 * a flush). An entry is delivered at least once; what is done is told by
 * stream_done(), which XACKs and XDELs. Delivery is one batch at a time per
 * credit: the owner gives credits, so that back-pressure is its own.
 */
#ifndef TURNUP_BASE_STREAM_H
#define TURNUP_BASE_STREAM_H

#include "backend/base/redis.h"

#define STREAM_MAX_SOURCES 8

typedef struct stream stream_t;

typedef struct {
    const char *stream;  /* full key; the one of the options, stable */
    str_t id;            /* entry id */
    const str_t *fields; /* name, value, name, value */
    int field_count;     /* slices in fields */
    bool redelivered;    /* was delivered before, to us or another */
} stream_entry_t;

/* Entries of one read; valid only during the call: copy what is kept. */
typedef void (*stream_batch_fn)(void *ctx, const stream_entry_t *entries,
                                int n);

typedef struct {
    const redis_address_t *address;
    const char *streams[STREAM_MAX_SOURCES]; /* full keys */
    int stream_count;
    const char *group;
    const char *consumer; /* stable across restarts of one worker slot */
    int batch;            /* most entries of one read, shared by the streams */
    int claim_idle_ms;    /* take over what is idle longer; 0: never */
    stream_batch_fn on_batch;
    void *ctx;
} stream_options_t;

/* Strings are copied. Owns two connections (one blocks in XREADGROUP). */
stream_t *stream_open(struct event_base *base, const stream_options_t *o);
void stream_close(stream_t *s);
/* Allows n more reads; starts with none. */
void stream_credit(stream_t *s, int n);
/* Stops reading for good (clean stop): no batch comes any more; done and
 * other commands still work. */
void stream_pause(stream_t *s);
/* These entries of one stream are dealt with. ids are copied. */
void stream_done(stream_t *s, const char *stream, const str_t *ids, int n);
/* The connection that does not block: for replies, hints, heartbeats. */
redis_t *stream_redis(stream_t *s);
bool stream_up(const stream_t *s);

#endif
