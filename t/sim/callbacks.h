/*
 * Deliveries: what an asynchronous target does after it said 202.
 *
 * When a delivery is due, its result is merged into the stored document and
 * POSTed to the callback URL, again and again until it is taken (2xx).
 */
#ifndef TURNUP_T_SIM_CALLBACKS_H
#define TURNUP_T_SIM_CALLBACKS_H

#include <event2/event.h>

#include "t/sim/network.h"

#define CALLBACKS_MAX        200000 /* deliveries not done yet */
#define CALLBACK_ORIGINS     64     /* host:port pairs called so far */
#define CALLBACK_CONNECTIONS 64     /* to one of them */
#define CALLBACK_RETRY_MS    200
#define CALLBACK_GIVE_UP_MS  60000 /* after the first attempt */
#define CALLBACK_TIMEOUT_MS  5000  /* one attempt */

typedef struct callbacks callbacks_t;

typedef struct {
    str_t url;
    str_t path;   /* whose document the result is merged into */
    str_t result; /* JSON object: the callback's body */
    long delay_ms;
    bool twice; /* call once more after it was taken */
} callback_t;

typedef struct {
    unsigned long accepted;
    unsigned long attempts;
    unsigned long delivered; /* answered 2xx; a "twice" counts twice */
    unsigned long lost;      /* given up */
    unsigned long pending;
} callback_counts_t;

/* base and network are borrowed. */
callbacks_t *callbacks_create(struct event_base *base, network_t *network);
void callbacks_free(callbacks_t *c);
/* Copies what it needs. NULL, or the reason why it is refused. */
const char *callbacks_add(callbacks_t *c, const callback_t *what);
/* Drops what is pending and zeroes the counts. */
void callbacks_reset(callbacks_t *c);
callback_counts_t callbacks_counts(const callbacks_t *c);

#endif
