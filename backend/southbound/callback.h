/*
 * URLs that somebody outside gives, to be called later: judged before they
 * are kept. What is called is judged once more, by the address that is
 * connected to (http.h), as a name may change its addresses: this here is only
 * so that who gives the URL is told at once.
 */
#ifndef TURNUP_SOUTHBOUND_CALLBACK_H
#define TURNUP_SOUTHBOUND_CALLBACK_H

#include <event2/event.h>

#include "backend/southbound/address.h"

#define CALLBACK_WAIT_MS   1500 /* for a name's addresses */
#define CALLBACK_NAMES_MAX 16   /* looked up at the same time */

/* problem: a constant, to be read behind the attribute's name ("must ...");
 * NULL: it may be kept. */
typedef void (*callback_fn)(void *ctx, const char *problem);

/*
 * Not http nor https, a user name or a password in it (they would be shown to
 * whoever reads it), or a host whose addresses are all private
 * (address_is_private) and in none of the networks: a problem. A name without
 * an address, or whose addresses do not come in time, or when too many are
 * being looked up, is none. url is copied; networks must live until the
 * answer, which may come at once.
 */
void callback_check(struct event_base *base, const networks_t *networks,
                    str_t url, callback_fn fn, void *ctx);

#endif
