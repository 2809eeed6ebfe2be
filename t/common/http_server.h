/*
 * A small HTTP/1.1 server on libevent: keep-alive, pipelining, answers now or
 * later. What the simulated network and the load generator's listener share.
 *
 * One request a connection is with the handler at a time; pipelined ones
 * behind it wait in the connection's buffer, so answers keep their order.
 */
#ifndef TURNUP_T_COMMON_HTTP_SERVER_H
#define TURNUP_T_COMMON_HTTP_SERVER_H

#include <event2/event.h>

#include "t/common/http_message.h"

#define HTTP_SERVER_CONNS 8192      /* more are closed as they come */
#define HTTP_ANSWER_MAX   268435456 /* bytes waiting on one connection */

typedef struct http_server http_server_t;
typedef struct http_conn http_conn_t;

/* A request is there. The handler calls exactly one of http_answer(),
 * http_hold() and http_drop(); req is good until it returns. */
typedef void http_request_fn(void *ctx, http_conn_t *conn,
                             const http_message_t *req);
/* The peer of a held request has gone: conn may no longer be used. */
typedef void http_gone_fn(void *arg);

/* Listens at once. port 0: any free one. NULL with errno. ctx is not owned. */
http_server_t *http_server_create(struct event_base *base, const char *bind,
                                  int port, http_request_fn *fn, void *ctx);
int http_server_port(const http_server_t *s);
/* Closes every connection (held ones are told) and frees; NULL is fine. */
void http_server_free(http_server_t *s);

/* headers: "Name: value" CR LF lines or empty. A body is sent as JSON; none
 * goes with 204. Too large a body closes the connection. */
void http_answer(http_conn_t *conn, int status, str_t headers, str_t body);
/* The answer comes later, or never. gone may be NULL. */
void http_hold(http_conn_t *conn, http_gone_fn *gone, void *arg);
/* Closes the connection without an answer; does not call gone. */
void http_drop(http_conn_t *conn);

#endif
