/*
 * A small HTTP/1.1 client on libevent: one origin (host and port), a pool of
 * kept connections, one request at a time on each. http only.
 */
#ifndef TURNUP_T_COMMON_HTTP_CLIENT_H
#define TURNUP_T_COMMON_HTTP_CLIENT_H

#include <event2/event.h>
#include <sys/socket.h>

#include "t/common/http_message.h"

#define HTTP_CLIENT_QUEUE 200000 /* requests waiting for a connection */
#define HTTP_HOST_MAX     256    /* bytes of host:port */
#define HTTP_URL_PATH_MAX 2048   /* bytes of an URL's path and query */

typedef struct {
    char host[HTTP_HOST_MAX];     /* as in the Host header: host[:port] */
    char path[HTTP_URL_PATH_MAX]; /* with query; "/" where there is none */
    struct sockaddr_storage addr;
    socklen_t addr_len;
} http_url_t;

/* http://host[:port][/path]; host is a numeric address or "localhost", so
 * that nothing has to be looked up. NULL, or the reason why not. */
const char *http_url_parse(http_url_t *u, str_t text);

typedef struct http_client http_client_t;

/* reply NULL: no connection, connection lost, no HTTP, or too late. reply is
 * good until it returns. It may send again, but not free the client. */
typedef void http_reply_fn(void *ctx, const http_message_t *reply);

/* Connections are made as they are needed, at most max. A request without a
 * reply after timeout_ms (looked at once a second) has failed. */
http_client_t *http_client_create(struct event_base *base,
                                  const http_url_t *origin, int max,
                                  long timeout_ms);
/* Requests under way are dropped without a word; NULL is fine. */
void http_client_free(http_client_t *c);

/* Sends a whole request (head and body; copied where it must wait) and calls
 * fn later, never from inside. false: too many are waiting already. */
bool http_client_send(http_client_t *c, str_t request, http_reply_fn *fn,
                      void *ctx);

#endif
