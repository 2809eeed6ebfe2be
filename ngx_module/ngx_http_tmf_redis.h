/*
 * One connection to Redis on nginx's event loop.
 *
 * hiredis reads the replies; connecting, sending and timeouts are nginx's. A
 * link connects by itself, tells when it is ready and when it is lost, and
 * comes back with growing, jittered delays. All its timers are cancelable: a
 * link never holds up a graceful exit.
 */
#ifndef NGX_HTTP_TMF_REDIS_H
#define NGX_HTTP_TMF_REDIS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include <hiredis/hiredis.h>

#include "proto/buf.h"
#include "proto/str.h"

typedef struct {
    ngx_addr_t *addrs; /* tried in turn */
    ngx_uint_t naddrs;
    str_t user;
    str_t password;
    str_t db; /* number as text, or none */
    str_t prefix;
} ngx_http_tmf_redis_conf_t;

typedef struct ngx_http_tmf_link_s ngx_http_tmf_link_t;

typedef enum {
    NGX_HTTP_TMF_LINK_DOWN,
    NGX_HTTP_TMF_LINK_CONNECTING, /* until PING is answered */
    NGX_HTTP_TMF_LINK_READY
} ngx_http_tmf_link_state_t;

/* Is called once for each command, in order. reply is NULL when the link was
 * lost; it is freed when the handler returns. */
typedef void (*ngx_http_tmf_command_pt)(ngx_http_tmf_link_t *link,
                                        const redisReply *reply,
                                        uint64_t data);
typedef void (*ngx_http_tmf_link_pt)(ngx_http_tmf_link_t *link);

typedef struct {
    ngx_http_tmf_command_pt handler;
    uint64_t data;
} ngx_http_tmf_waiter_t;

struct ngx_http_tmf_link_s {
    const ngx_http_tmf_redis_conf_t *conf;
    const char *name; /* for the log */
    void *owner;
    ngx_http_tmf_link_pt on_ready;
    ngx_http_tmf_link_pt on_lost;
    ngx_msec_t timeout; /* silence for so long while commands wait: lost */
    ngx_log_t *log;

    ngx_http_tmf_link_state_t state;
    ngx_uint_t failures; /* since it was last ready */
    ngx_uint_t attempts;
    ngx_uint_t was_ready; /* at least once */

    ngx_connection_t *connection;
    ngx_peer_connection_t peer;
    ngx_log_t quiet_log; /* for attempts after the first */
    ngx_event_t retry;
    redisReader *reader;
    ngx_uint_t connected;
    ngx_msec_t progress; /* when Redis last spoke, or had nothing to say */

    buf_t out;
    size_t sent;
    ngx_http_tmf_waiter_t *waiters; /* ring */
    ngx_uint_t waiter_max;
    ngx_uint_t waiter_head;
    ngx_uint_t waiter_count;
};

/* The caller has set conf, name, owner, on_ready, on_lost, timeout and log.
 * waiter_max: most commands without a reply. */
ngx_int_t ngx_http_tmf_link_init(ngx_http_tmf_link_t *link, ngx_pool_t *pool,
                                 ngx_uint_t waiter_max);
/* Starts connecting. */
void ngx_http_tmf_link_open(ngx_http_tmf_link_t *link);
/* For good, at the end of the process: no handler is called. */
void ngx_http_tmf_link_close(ngx_http_tmf_link_t *link);
/* Gives up this connection; all handlers get NULL, then on_lost. */
void ngx_http_tmf_link_drop(ngx_http_tmf_link_t *link, const char *why);
/*
 * Appends one command; everything appended in one turn of the event loop
 * leaves in one send. Taken while connecting too: it follows the greeting.
 * NGX_ERROR, with nothing appended: down, or too much waits already.
 */
ngx_int_t ngx_http_tmf_link_command(ngx_http_tmf_link_t *link,
                                    const str_t *argv, int argc,
                                    ngx_http_tmf_command_pt handler,
                                    uint64_t data);

#endif
