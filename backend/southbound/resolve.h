/*
 * Names to addresses without stopping the loop: the C library's resolver (so
 * hosts file, search list and nsswitch.conf count, and their changes are
 * noticed) in a thread of its own.
 */
#ifndef TURNUP_SOUTHBOUND_RESOLVE_H
#define TURNUP_SOUTHBOUND_RESOLVE_H

#include <netinet/in.h>

#include <event2/event.h>

#define RESOLVE_MAX 8 /* addresses of a name that are tried */

typedef struct {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    socklen_t len;
} resolve_address_t;

typedef struct resolve resolve_t;

/* n is 0: error says why. The resolve_t is gone. */
typedef void (*resolve_fn)(void *ctx, const resolve_address_t *list, int n,
                           const char *error);

/* Answers from the loop, never from inside. NULL: out of threads or
 * descriptors. */
resolve_t *resolve_start(struct event_base *base, const char *name,
                         const char *port, resolve_fn fn, void *ctx);
/* No answer will come. NULL-safe. */
void resolve_cancel(resolve_t *r);

#endif
