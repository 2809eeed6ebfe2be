/*
 * Inside the plain path: what its files know of one another.
 *
 *   plain.c       calls: requests, time-outs, answers
 *   plain_host.c  which call gets which connection
 *   plain_conn.c  one connection
 */
#ifndef TURNUP_SOUTHBOUND_PLAIN_H
#define TURNUP_SOUTHBOUND_PLAIN_H

#include <stdint.h>

#include "backend/base/list.h"
#include "backend/southbound/http_parse.h"
#include "backend/southbound/http_path.h"
#include "backend/southbound/resolve.h"

enum {
    PLAIN_HOST_SLOTS = 256,
    PLAIN_INPUT_BYTES = 65536,
    PLAIN_ERROR_BYTES = 256,
    PLAIN_IDLE_MS = 60000, /* a connection or a host nobody used */
    PLAIN_NAME_MS = 60000  /* until a name is resolved again */
};

#define PLAIN_NEVER INT64_MAX

struct plain {
    struct event_base *base;
    http_options_t options;
    char *user_agent;
    list_t hosts[PLAIN_HOST_SLOTS];
    list_t hungry; /* hosts whose calls found no room for a connection */
    list_t rested; /* idle connections of all hosts, the oldest first */
    list_t calls;  /* under way */
    list_t ended;  /* failed; answered at the next kick */
    list_t spare;  /* calls kept for the next ones */
    int spare_count;
    int connections;
    int in_flight;
    struct event *kick;
    struct event *tick;    /* the only timer: time-outs, age */
    int64_t next_deadline; /* no call's is earlier */
    bool slow_tick;
    bool used; /* since the last tick */
    int busy;  /* depth of our frames that call owners */
    bool closed;
    char input[PLAIN_INPUT_BYTES];
};

typedef struct conn conn_t;

/* A host and port. */
typedef struct {
    list_t node; /* in its slot */
    plain_t *plain;
    char *name;
    char port[6];
    list_t waiting; /* calls without a connection, by call's turn */
    list_t conns;
    list_t idle; /* the one used last comes first */
    list_t hunger;
    int connections;
    resolve_t *resolving;
    resolve_address_t addresses[RESOLVE_MAX];
    int address_count;
    int preferred; /* the address that worked last */
    int64_t resolve_after;
    int64_t used_at;
} host_t;

typedef struct {
    http_call_t base;
    list_t node; /* in one of the lists of plain */
    list_t turn; /* in host's waiting */
    plain_t *plain;
    host_t *host;
    conn_t *conn;
    http_answer_fn fn;
    void *ctx;
    buf_t request;
    size_t written;
    http_parse_t answer;
    int timeout_ms, connect_ms;
    int64_t deadline;
    int64_t connect_deadline; /* PLAIN_NEVER: not connecting */
    bool sent;                /* something of it */
    bool again;               /* its kept connection had been closed */
    char error[PLAIN_ERROR_BYTES];
} call_t;

struct conn {
    list_t node; /* in host's conns */
    list_t idle; /* in host's idle */
    list_t rest; /* in plain's rested */
    host_t *host;
    call_t *call; /* NULL: idle */
    int fd;
    struct event *in, *out;
    bool connected;
    bool kept;         /* has carried an answer */
    bool write_failed; /* an answer may have come before */
    int address, first, tried;
    int64_t try_deadline; /* of connecting to this address */
    int64_t idle_since;
};

/* plain.c */
int64_t plain_now(void);
/* Time is up for something at that time. */
void plain_wake(plain_t *p, int64_t at);
/* It is no longer on a connection nor in a queue: answers it, soon. */
void call_fail(call_t *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The answer is whole. The last thing an event does: the call is gone. */
void call_answer(call_t *c);
/* Around whatever may call owners; after leave all may be gone. */
void plain_enter(plain_t *p);
void plain_leave(plain_t *p);

/* plain_host.c */
host_t *host_find(plain_t *p, str_t name, const char *port);
void host_free(host_t *h);
void host_enqueue(host_t *h, call_t *c);
/* Connections for whoever waits. */
void host_serve(host_t *h);
/* Serves, and those who waited for another host's connection to go. */
void plain_serve(plain_t *p, host_t *h);
/* Nobody of this host may have a second connection before that one has a
 * first. */
bool plain_starves(const plain_t *p, const host_t *h);
/* Closes what has been idle for too long, forgets hosts. */
void plain_age(plain_t *p, int64_t now);

/* plain_conn.c: none of these calls owners */
void conn_open(host_t *h, call_t *c);
/* c on an idle connection. */
void conn_give(conn_t *conn, call_t *c);
/* Its call, if any, is on its own. */
void conn_close(conn_t *conn);
/* The time to connect to one address is over. false: that was the last, the
 * connection is gone and its call has failed. */
bool conn_try_next(conn_t *conn);

#endif
