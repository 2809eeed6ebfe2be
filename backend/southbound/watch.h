/*
 * A library's sockets on the event loop, when the library closes and asks
 * again for them many times a second (curl does).
 *
 * Interest that is taken back is only noted: the event stays where it is, and
 * the next interest costs no system call. It goes when the socket speaks
 * unasked or is closed. So the closing of a socket that is kept this way must
 * pass through here.
 */
#ifndef TURNUP_SOUTHBOUND_WATCH_H
#define TURNUP_SOUTHBOUND_WATCH_H

#include <stdbool.h>

#include <event2/event.h>

typedef struct watches watches_t;

/* what: EV_READ | EV_WRITE, only what is wanted. */
typedef void (*watch_fn)(void *ctx, int fd, short what);

watches_t *watches_create(struct event_base *base, watch_fn fn, void *ctx);
/* NULL-safe. */
void watches_free(watches_t *w);
/* fd is new, and watch_closed() will be called before it is closed. */
void watch_opened(watches_t *w, int fd);
/* EV_READ | EV_WRITE, or 0. */
void watch_want(watches_t *w, int fd, short what);
void watch_closed(watches_t *w, int fd);

#endif
