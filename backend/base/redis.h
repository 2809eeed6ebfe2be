/*
 * One pipelined Redis connection on libevent.
 *
 * hiredis serves as codec only (its reader): its asynchronous client ends the
 * process on replies that a peer can cause (0.14.1). Commands are written once a loop turn; replies come back in
 * order. On any failure every waiting callback gets NULL, and the connection
 * is made again with back-off (50 ms doubling to 1 s, with jitter); a reply
 * overdue by more than the command's time-out counts as a failure.
 */
#ifndef TURNUP_BASE_REDIS_H
#define TURNUP_BASE_REDIS_H

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "proto/str.h"

typedef struct redis redis_t;

typedef struct {
    const char *address;  /* "unix:/path" or "host:port" */
    const char *password; /* NULL: none */
    int db;
} redis_address_t;

/* reply: NULL when the connection was lost before it came. Valid only during
 * the call. */
typedef void (*redis_reply_fn)(void *ctx, const redisReply *reply);
/* Called on each change: true = ready for commands. */
typedef void (*redis_state_fn)(void *ctx, bool up);

/* Starts connecting at once; never NULL. address is copied. A host's name is
 * resolved here and now, which blocks (backend/base/endpoint.h). */
redis_t *redis_open(struct event_base *base, const redis_address_t *address,
                    redis_state_fn on_state, void *ctx);
/* Callbacks still waiting are dropped without a call. NULL-safe. */
void redis_close(redis_t *r);
bool redis_up(const redis_t *r);

/*
 * Queues a command of argc slices. fn may be NULL (the answer is not
 * wanted). While the connection is down, fn is called with NULL from the next
 * loop turn. timeout_ms 0: the default (1000 ms); pass the BLOCK time + a
 * margin for blocking commands.
 */
void redis_command(redis_t *r, redis_reply_fn fn, void *ctx, int timeout_ms,
                   const str_t *argv, int argc);
/* The same from char * arguments, ended by NULL. */
void redis_call(redis_t *r, redis_reply_fn fn, void *ctx, ...)
    __attribute__((sentinel));

#endif
