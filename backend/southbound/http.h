/*
 * HTTP calls that go out. Plain http goes over connections of our own, which
 * cost a call little; https, whatever an http_proxy or all_proxy in the
 * environment is for, and requests out of the ordinary go over libcurl.
 *
 * One http_t a process. Connections are kept and shared by host; the limits
 * hold for each of the two ways. A call that finds all of them busy waits its
 * turn. One that was sent on a kept connection and got not a byte back before
 * it ended is sent once more, on a fresh one: the server had left.
 *
 * Answers are given from the event loop, never from inside http_send().
 * Redirects are not followed, only http and https are spoken, and with
 * allow_private false a connection to a loopback, private or link-local
 * address (address.h) is refused, unless it is in one of the networks (it is
 * the address about to be connected that is judged, so DNS cannot trick it;
 * behind a proxy it is the proxy's). Time-outs are coarse: some 50 ms late.
 */
#ifndef TURNUP_SOUTHBOUND_HTTP_H
#define TURNUP_SOUTHBOUND_HTTP_H

#include <event2/event.h>

#include "backend/southbound/address.h"

#define HTTP_MAX_ANSWER  1048576 /* bytes of an answer's body, if not told */
#define HTTP_MAX_REQUEST (64 << 20) /* bytes of URL, headers and body */
#define HTTP_MAX_HEADERS 16         /* extra headers of a request */

typedef struct http http_t;

typedef struct {
    int max_connections;      /* in all */
    int max_host_connections; /* to one host:port */
    bool allow_private;
    const networks_t *networks; /* allowed all the same; NULL: none. Must
                                   outlive the http_t */
    size_t max_answer; /* bytes of an answer's body; 0: HTTP_MAX_ANSWER */
    const char *user_agent;
} http_options_t;

typedef struct {
    const char *method;       /* "GET", "POST", "PUT", "PATCH", "DELETE" */
    const char *url;          /* all strings are copied by http_send */
    str_t body;               /* copied; empty: none */
    const char *content_type; /* NULL: application/json */
    const char *headers[HTTP_MAX_HEADERS]; /* "Name: value", NULL-ended */
    int timeout_ms;         /* the whole call; not above 0: 30000 */
    int connect_timeout_ms; /* not above 0: 5000 */
} http_request_t;

typedef struct {
    int status;        /* 0: no answer, see error */
    const char *error; /* for people, or NULL */
    bool sent;         /* may have reached the target (for "unknown") */
    str_t body;
    str_t location;     /* Location header, or empty */
    long retry_after_s; /* Retry-After in seconds, or -1 */
} http_answer_t;

typedef void (*http_answer_fn)(void *ctx, const http_answer_t *answer);
typedef struct http_call http_call_t;

http_t *http_open(struct event_base *base, const http_options_t *o);
void http_close(http_t *h); /* calls under way are dropped, no callbacks */
/* Never fails: a call that cannot be made is answered with status 0. */
http_call_t *http_send(http_t *h, const http_request_t *r, http_answer_fn fn,
                       void *ctx);
/* No answer will come. Only before the answer. */
void http_cancel(http_call_t *c);
int http_in_flight(const http_t *h);

#endif
