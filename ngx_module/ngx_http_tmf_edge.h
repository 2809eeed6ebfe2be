/*
 * One nginx worker process as an edge of the system: its two links, its reply
 * stream, the requests that wait, what it knows of the others.
 */
#ifndef NGX_HTTP_TMF_EDGE_H
#define NGX_HTTP_TMF_EDGE_H

#include "ngx_http_tmf.h"

#define NGX_HTTP_TMF_STREAM_ID_MAX 48 /* "1526919030474-55" and NUL */

/* A request that waits for a reply. Free: request is NULL. */
struct ngx_http_tmf_slot_s {
    ngx_http_request_t *request;
    ngx_http_tmf_edge_t *edge;
    uint64_t ticket; /* unique in this process: tells late replies apart */
    ngx_uint_t next; /* free list */
    ngx_event_t timer;
};

struct ngx_http_tmf_edge_s {
    const ngx_http_tmf_main_conf_t *conf;
    ngx_log_t *log;
    ngx_http_tmf_stats_t *stats;
    ngx_http_tmf_process_t *process; /* its gauges; may be NULL */

    ngx_http_tmf_link_t commands; /* XADD and the tick */
    ngx_http_tmf_link_t replies;  /* XREAD BLOCK */

    str_t instance; /* unique for ever: random and pid */
    str_t reply_key;
    str_t request_keys[API_COUNT];
    char last_id[NGX_HTTP_TMF_STREAM_ID_MAX]; /* of the reply stream */
    uint64_t random; /* state of ngx_http_tmf_edge_random */

    ngx_http_tmf_slot_t *slots;
    ngx_uint_t slot_count;
    ngx_uint_t free_slot; /* slot_count: none */
    uint64_t ticket;

    ngx_http_tmf_watch_t *watch;
    time_t complained; /* when Redis' refusals were last logged */
};

/* Connects and starts the tick. NULL on error. */
ngx_http_tmf_edge_t *ngx_http_tmf_edge_create(
    ngx_cycle_t *cycle, const ngx_http_tmf_main_conf_t *conf);
/* At the end of the process: closes the links. */
void ngx_http_tmf_edge_close(ngx_http_tmf_edge_t *edge);
/* Can a request be taken now? REFUSE_NONE, or why not. */
ngx_http_tmf_refusal_t ngx_http_tmf_edge_check(const ngx_http_tmf_edge_t *edge,
                                               api_t api, ngx_int_t queue_max);
/* Not for secrets. */
uint64_t ngx_http_tmf_edge_random(ngx_http_tmf_edge_t *edge);
/* Renews what keeps the reply stream alive and short; once a tick. */
void ngx_http_tmf_edge_renew(ngx_http_tmf_edge_t *edge);
/* Milliseconds since the epoch, from nginx's cached clock. */
uint64_t ngx_http_tmf_now_ms(void);
uint64_t ngx_http_tmf_monotonic_us(void);

/* _pending. NGX_ERROR: out of memory. */
ngx_int_t ngx_http_tmf_pending_init(ngx_http_tmf_edge_t *edge,
                                    ngx_pool_t *pool, ngx_uint_t count);
/* A slot for r, in ctx->slot, with the reply timer running; NGX_DECLINED:
 * none is free. It goes with the request at the latest. */
ngx_int_t ngx_http_tmf_pending_add(ngx_http_request_t *r, ngx_msec_t timeout);
void ngx_http_tmf_pending_remove(ngx_http_tmf_slot_t *slot);
/* "<instance>-<slot>-<ticket>" into buf. */
str_t ngx_http_tmf_pending_id(const ngx_http_tmf_slot_t *slot, char *buf,
                              size_t size);
/* The slot that an id speaks of, or NULL when nobody waits for it. */
ngx_http_tmf_slot_t *ngx_http_tmf_pending_find(ngx_http_tmf_edge_t *edge,
                                               str_t id);
ngx_http_tmf_slot_t *ngx_http_tmf_pending_at(ngx_http_tmf_edge_t *edge,
                                             ngx_uint_t index,
                                             uint64_t ticket);
/* Answers the request in this slot with a refusal. */
void ngx_http_tmf_pending_refuse(ngx_http_tmf_slot_t *slot,
                                 ngx_http_tmf_refusal_t reason);
void ngx_http_tmf_pending_refuse_all(ngx_http_tmf_edge_t *edge,
                                     ngx_http_tmf_refusal_t reason);

#endif
