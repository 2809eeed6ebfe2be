/*
 * What this nginx worker knows of the rest: live workers by their heartbeats,
 * and how long the queues are. Looked up once a second; see proto/keys.h.
 */
#ifndef NGX_HTTP_TMF_WATCH_H
#define NGX_HTTP_TMF_WATCH_H

#include "ngx_http_tmf_edge.h"

#include "proto/json.h"

#define NGX_HTTP_TMF_WATCH_WORKERS  256
#define NGX_HTTP_TMF_WATCH_COUNTERS 64 /* of one worker */
#define NGX_HTTP_TMF_WATCH_FAMILIES 64
#define NGX_HTTP_TMF_WATCH_QUEUES   (API_COUNT + NGX_HTTP_TMF_WATCH_FAMILIES)
#define NGX_HTTP_TMF_NAME_MAX       96 /* of a queue or family */
#define NGX_HTTP_TMF_FAMILY_POOL    "family:"

typedef struct {
    str_t name;  /* [a-z0-9_]+ */
    str_t value; /* a JSON number as spelt */
} ngx_http_tmf_counter_t;

typedef struct {
    str_t member; /* "<pool>:<host>:<pid>" */
    str_t pool, host, pid;
    str_t version;
    ngx_uint_t postgres; /* it reaches PostgreSQL */
    ngx_http_tmf_counter_t *counters;
    ngx_uint_t counter_count;
} ngx_http_tmf_worker_t;

/* One look, in a pool of its own. */
typedef struct {
    ngx_pool_t *pool;
    ngx_http_tmf_worker_t *workers;
    ngx_uint_t worker_count;
    str_t families[NGX_HTTP_TMF_WATCH_FAMILIES];
    ngx_uint_t family_count;
} ngx_http_tmf_look_t;

typedef struct {
    char name[NGX_HTTP_TMF_NAME_MAX]; /* "req:ordering", "fam:..." */
    const char *group;
    long long depth;
    long long lag; /* -1: Redis cannot tell */
    long long pending;
    uint64_t oldest_ms; /* when the first entry came in; 0: none */
} ngx_http_tmf_queue_t;

struct ngx_http_tmf_watch_s {
    ngx_http_tmf_edge_t *edge;
    ngx_event_t tick;
    ngx_http_tmf_look_t *last; /* NULL before the first */
    ngx_http_tmf_look_t *next; /* under way */
    ngx_uint_t looking;
    long long known;         /* heartbeats in the index, dead ones too */
    ngx_msec_t intake_until; /* an intake is taken to live */
    ngx_http_tmf_queue_t queues[NGX_HTTP_TMF_WATCH_QUEUES];
    ngx_uint_t queue_count; /* the first API_COUNT are always there */
};

/* NULL: out of memory. Ticks from now on. */
ngx_http_tmf_watch_t *ngx_http_tmf_watch_create(ngx_http_tmf_edge_t *edge,
                                                ngx_pool_t *pool);
void ngx_http_tmf_watch_free(ngx_http_tmf_watch_t *watch);
/* Looks now. */
void ngx_http_tmf_watch_look(ngx_http_tmf_watch_t *watch);
/* The link was lost: the look under way brings nothing more. */
void ngx_http_tmf_watch_reset(ngx_http_tmf_watch_t *watch);
/* Is an intake there? Before the first look: yes, so that a new nginx worker
 * refuses nothing that comes in its first millisecond. */
ngx_uint_t ngx_http_tmf_watch_intake(const ngx_http_tmf_watch_t *watch);
ngx_int_t ngx_http_tmf_watch_depth(const ngx_http_tmf_watch_t *watch,
                                   api_t api);
/* Live workers of a pool; with prefix: of all pools that begin so. */
ngx_uint_t ngx_http_tmf_watch_live(const ngx_http_tmf_watch_t *watch,
                                   const char *pool, ngx_uint_t prefix);

/* _heartbeat: fills version, postgres, counters and the look's families from
 * a worker's heartbeat. NGX_ERROR: not a heartbeat; what was read stays. */
ngx_int_t ngx_http_tmf_heartbeat_read(ngx_http_tmf_look_t *look,
                                      ngx_http_tmf_worker_t *worker,
                                      str_t text);
/* Splits "<pool>:<host>:<pid>"; the pool may hold colons. */
ngx_int_t ngx_http_tmf_heartbeat_member(ngx_http_tmf_worker_t *worker);
/* Adds a family name once; names that are none are left out. */
void ngx_http_tmf_look_family(ngx_http_tmf_look_t *look, str_t name);

#endif
