/*
 * Counters in shared memory: one set for all nginx workers, kept over
 * reloads.
 */
#ifndef NGX_HTTP_TMF_STATS_H
#define NGX_HTTP_TMF_STATS_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "proto/buf.h"
#include "proto/schema.h"

#define NGX_HTTP_TMF_STATUS_MIN  100
#define NGX_HTTP_TMF_STATUS_MAX  599
#define NGX_HTTP_TMF_STATUSES    500
#define NGX_HTTP_TMF_WORKERS_MAX 256 /* nginx workers, two generations */

/* The label "api"; the first ones are api_t. */
enum {
    NGX_HTTP_TMF_LABEL_CALLBACK = API_COUNT,
    NGX_HTTP_TMF_LABEL_NONE, /* refused before it was known */
    NGX_HTTP_TMF_LABELS
};

/* The label "method". */
typedef enum {
    NGX_HTTP_TMF_METHOD_GET,
    NGX_HTTP_TMF_METHOD_HEAD,
    NGX_HTTP_TMF_METHOD_POST,
    NGX_HTTP_TMF_METHOD_PATCH,
    NGX_HTTP_TMF_METHOD_DELETE,
    NGX_HTTP_TMF_METHOD_OTHER,
    NGX_HTTP_TMF_METHODS
} ngx_http_tmf_method_t;

/* Upper bounds of the duration buckets, microseconds and as printed. */
#define NGX_HTTP_TMF_BUCKETS(B) \
    B(1000, "0.001")            \
    B(2500, "0.0025")           \
    B(5000, "0.005")            \
    B(10000, "0.01")            \
    B(25000, "0.025")           \
    B(50000, "0.05")            \
    B(100000, "0.1")            \
    B(250000, "0.25")           \
    B(500000, "0.5")            \
    B(1000000, "1")             \
    B(2500000, "2.5")           \
    B(5000000, "5")             \
    B(10000000, "10")

enum {
#define B(us, text) NGX_HTTP_TMF_BUCKET_##us,
    NGX_HTTP_TMF_BUCKETS(B)
#undef B
        NGX_HTTP_TMF_BUCKET_INF,
    NGX_HTTP_TMF_BUCKET_COUNT
};

/* Why no worker answered: R(name, label, status, code, message) */
#define NGX_HTTP_TMF_REFUSALS(R)                                             \
    R(NO_REDIS, "no_redis", 503, TMF_CODE_UNAVAILABLE,                       \
      "The request queue is not reachable")                                  \
    R(LINK_LOST, "link_lost", 503, TMF_CODE_UNAVAILABLE,                     \
      "The request queue was lost while the request waited; its outcome is " \
      "not known")                                                           \
    R(NOT_QUEUED, "not_queued", 503, TMF_CODE_UNAVAILABLE,                   \
      "The request queue did not take the request")                          \
    R(NO_WORKER, "no_worker", 503, TMF_CODE_UNAVAILABLE,                     \
      "No worker is there to take the request")                              \
    R(QUEUE_FULL, "queue_full", 503, TMF_CODE_UNAVAILABLE,                   \
      "Too many requests are queued")                                        \
    R(NO_SLOT, "no_slot", 503, TMF_CODE_UNAVAILABLE,                         \
      "Too many requests wait for an answer")                                \
    R(TIMEOUT, "timeout", 504, TMF_CODE_TIMEOUT,                             \
      "No answer in time; the outcome is not known")                         \
    R(BAD_REPLY, "bad_reply", 500, TMF_CODE_INTERNAL,                        \
      "The answer of the worker could not be read")                          \
    R(INVALID, "invalid", 400, TMF_CODE_BODY_INVALID, "Invalid request")

typedef enum {
    NGX_HTTP_TMF_REFUSE_NONE,
#define R(name, label, status, code, message) NGX_HTTP_TMF_REFUSE_##name,
    NGX_HTTP_TMF_REFUSALS(R)
#undef R
        NGX_HTTP_TMF_REFUSAL_COUNT
} ngx_http_tmf_refusal_t;

typedef struct {
    ngx_atomic_t pid; /* 0: free */
    ngx_atomic_t pending;
} ngx_http_tmf_process_t;

typedef struct {
    ngx_atomic_t requests[NGX_HTTP_TMF_LABELS][NGX_HTTP_TMF_METHODS]
                         [NGX_HTTP_TMF_STATUSES];
    ngx_atomic_t durations[NGX_HTTP_TMF_LABELS][NGX_HTTP_TMF_METHODS]
                          [NGX_HTTP_TMF_BUCKET_COUNT];
    ngx_atomic_t duration_us[NGX_HTTP_TMF_LABELS][NGX_HTTP_TMF_METHODS];
    ngx_atomic_t refusals[NGX_HTTP_TMF_REFUSAL_COUNT];
    ngx_atomic_t links_lost;
    ngx_http_tmf_process_t processes[NGX_HTTP_TMF_WORKERS_MAX];
} ngx_http_tmf_stats_t;

/* The zone, at configuration; NULL on error. tag: the module. */
ngx_shm_zone_t *ngx_http_tmf_stats_zone(ngx_conf_t *cf, void *tag);
/* A place for this process, or NULL when all are taken. */
ngx_http_tmf_process_t *ngx_http_tmf_stats_join(ngx_http_tmf_stats_t *stats);
void ngx_http_tmf_stats_leave(ngx_http_tmf_process_t *process);

/* duration_us 0: not measured. */
void ngx_http_tmf_stats_count(ngx_http_tmf_stats_t *stats, ngx_uint_t label,
                              ngx_http_tmf_method_t method, ngx_uint_t status,
                              uint64_t duration_us);
/* Appends everything in Prometheus' text format. */
void ngx_http_tmf_stats_print(const ngx_http_tmf_stats_t *stats, buf_t *out);
/* # HELP and # TYPE of one metric. */
void ngx_http_tmf_stats_head(buf_t *out, const char *name, const char *type,
                             const char *help);

#endif
