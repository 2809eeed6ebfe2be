/*
 * Making a PostgreSQL connection without blocking the loop.
 */
#ifndef TURNUP_STORE_PG_CONNECT_H
#define TURNUP_STORE_PG_CONNECT_H

#include <event2/event.h>
#include <libpq-fe.h>

typedef struct pg_connect pg_connect_t;

/* conn: the caller's from now on; NULL with why (valid during the call). The
 * attempt is over and freed. */
typedef void (*pg_connect_fn)(void *ctx, PGconn *conn, const char *why);

/*
 * Names in conninfo are resolved by libpq, which blocks: a numeric hostaddr
 * or a socket's folder avoids it. fn is called from the loop, never from in
 * here. Out of memory aborts.
 */
pg_connect_t *pg_connect_start(struct event_base *base, const char *conninfo,
                               pg_connect_fn fn, void *ctx);
/* No call will come. NULL-safe. */
void pg_connect_cancel(pg_connect_t *c);

#endif
