/*
 * What the files of this module share.
 *
 *   _module   directives, module definition
 *   _route    content handler: checks that need no body
 *   _accept   content negotiation
 *   _identity where hrefs start, who asks, which trace
 *   _request  body, validation, the frame
 *   _edge     one nginx worker's side: links, instance, replies
 *   _pending  requests that wait for a reply
 *   _reply    the answer to the client
 *   _filter   TMF bodies for the errors nginx itself answers
 *   _redis    one connection to Redis
 *   _watch    what is known of workers and queues
 *   _heartbeat   reading what workers tell of themselves
 *   _stats    counters, shared by all nginx workers
 *   _document    OpenAPI and JSON Schema of what is served
 *   _health, _metrics   the two pages for operators
 *
 * Everything of one request lives in its pool. Everything of one nginx worker
 * hangs on ngx_http_tmf_edge_t, made in init_process.
 */
#ifndef NGX_HTTP_TMF_H
#define NGX_HTTP_TMF_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "proto/buf.h"
#include "proto/error.h"
#include "proto/etag.h"
#include "proto/frame.h"
#include "proto/keys.h"
#include "proto/patch_type.h"
#include "proto/schema.h"
#include "proto/str.h"

#include "ngx_http_tmf_redis.h"
#include "ngx_http_tmf_stats.h"

#define NGX_HTTP_TMF_NOT_ACCEPTABLE   406 /* nginx has no name for it */
#define NGX_HTTP_TMF_CALLBACK_PATH    "/turnup/v1/callback/"
#define NGX_HTTP_TMF_OPENAPI_PATH     "/openapi/"
#define NGX_HTTP_TMF_SCHEMAS_PATH     "/schemas/"
#define NGX_HTTP_TMF_TOKEN_MAX        256
#define NGX_HTTP_TMF_CALLBACK_BODY    65536
#define NGX_HTTP_TMF_KEY_MAX          256 /* an id in the path */
#define NGX_HTTP_TMF_IDEMPOTENCY_MAX  255
#define NGX_HTTP_TMF_SUBJECT_MAX      512
#define NGX_HTTP_TMF_BASE_MAX         512
#define NGX_HTTP_TMF_TIMEOUT          5000 /* ms */
#define NGX_HTTP_TMF_MAX_PENDING      4096
#define NGX_HTTP_TMF_MAX_PENDING_MOST 65536

#define NGX_HTTP_TMF_JSON     "application/json"
#define NGX_HTTP_TMF_JSON_UTF "application/json;charset=utf-8"

/* Bits of tmf_api. */
enum {
    NGX_HTTP_TMF_SERVE_ORDERING = 1 << API_ORDERING,
    NGX_HTTP_TMF_SERVE_INVENTORY = 1 << API_INVENTORY,
    NGX_HTTP_TMF_SERVE_CATALOG = 1 << API_CATALOG,
    NGX_HTTP_TMF_SERVE_ALL = (1 << API_COUNT) - 1
};

enum { NGX_HTTP_TMF_PROFILE_EXTENDED, NGX_HTTP_TMF_PROFILE_STRICT };

typedef struct ngx_http_tmf_edge_s ngx_http_tmf_edge_t;
typedef struct ngx_http_tmf_slot_s ngx_http_tmf_slot_t;
typedef struct ngx_http_tmf_watch_s ngx_http_tmf_watch_t;
typedef struct ngx_http_tmf_document_s ngx_http_tmf_document_t;

typedef struct {
    ngx_http_tmf_redis_conf_t redis; /* addrs NULL: no tmf_redis */
    ngx_int_t max_pending;
    ngx_uint_t used; /* some location needs tmf_redis */
    ngx_shm_zone_t *zone;
    ngx_array_t *documents;    /* of ngx_http_tmf_document_t */
    ngx_http_tmf_edge_t *edge; /* in worker processes */
} ngx_http_tmf_main_conf_t;

typedef struct {
    ngx_uint_t apis; /* NGX_HTTP_TMF_SERVE_*; not inherited */
    ngx_msec_t timeout;
    ngx_int_t queue_max;
    ngx_str_t public_base;
    ngx_flag_t trust_forwarded;
    ngx_http_complex_value_t *subject;
    ngx_uint_t profile;
} ngx_http_tmf_loc_conf_t;

/* The request headers that matter here; NULL where absent. */
typedef struct {
    ngx_table_elt_t *idempotency_key;
    ngx_table_elt_t *traceparent;
    ngx_table_elt_t *forwarded_proto;
    ngx_table_elt_t *forwarded_host;
    ngx_table_elt_t *content_encoding;
    ngx_table_elt_t *if_match;
    ngx_table_elt_t *if_none_match;
    ngx_uint_t idempotency_keys; /* how often it was sent */
} ngx_http_tmf_headers_t;

typedef struct {
    ngx_http_tmf_edge_t *edge;
    tmf_version_t version;
    const resource_t *resource; /* NULL: callback or document, or not found
                                   yet */
    const ngx_http_tmf_document_t *document;
    ngx_uint_t label; /* NGX_HTTP_TMF_LABEL_* */
    str_t key;        /* id or token in the path, or none */
    unsigned allowed; /* METHOD_* of this path */
    unsigned method;  /* METHOD_*, HEAD counts as GET */
    str_t method_name;
    str_t content_type;
    patch_kind_t patch; /* of a PATCH */
    str_t base;
    str_t subject;
    ngx_http_tmf_headers_t headers;
    etag_conditions_t conditions; /* of what can be read by its id */
    uint64_t started_us;          /* monotonic; 0: the handler never saw it */
    ngx_http_tmf_slot_t *slot;    /* while it waits for a reply */
    ngx_chain_t *error;           /* _filter: body in place of nginx's own */
    unsigned replied : 1;         /* the answer is ours */
    unsigned error_sent : 1;
} ngx_http_tmf_ctx_t;

extern ngx_module_t ngx_http_tmf_module;

static inline str_t
ngx_http_tmf_str(const ngx_str_t *s)
{
    return (str_t){(const char *) s->data, s->len};
}

/* _route: content handler of tmf_api. */
ngx_int_t ngx_http_tmf_handler(ngx_http_request_t *r);

/* _accept: does the client take application/json? */
ngx_int_t ngx_http_tmf_accepts_json(ngx_http_request_t *r);
/* The media type of Content-Type without parameters, or none when it is
 * missing, malformed or of a charset other than UTF-8. */
str_t ngx_http_tmf_media_type(ngx_http_request_t *r);

/* _request: reads and checks the body, hands the request on. The content
 * handler's return value. */
ngx_int_t ngx_http_tmf_request(ngx_http_request_t *r);
/* Is there a body to come? */
ngx_uint_t ngx_http_tmf_has_body(ngx_http_request_t *r);

/* _identity: where hrefs start, who asks, which trace. NGX_OK or *err. */
ngx_int_t ngx_http_tmf_identify(ngx_http_request_t *r, tmf_error_t *err);
/* The client's own traceparent when it is one, else a new one in buf. */
str_t ngx_http_tmf_traceparent(const ngx_http_tmf_ctx_t *ctx, char buf[64]);

/* _reply: the answer. What they return goes to ngx_http_finalize_request. */
ngx_int_t ngx_http_tmf_send(ngx_http_request_t *r, ngx_uint_t status,
                            const char *content_type, str_t body);
ngx_int_t ngx_http_tmf_send_error(ngx_http_request_t *r,
                                  const tmf_error_t *err);
/* 503 or 504 for this reason, counted. */
ngx_int_t ngx_http_tmf_send_refusal(ngx_http_request_t *r,
                                    ngx_http_tmf_refusal_t reason);
/* 204 with Allow. */
ngx_int_t ngx_http_tmf_send_options(ngx_http_request_t *r);
/* As ngx_http_tmf_send, with a body that outlives the request. */
ngx_int_t ngx_http_tmf_send_kept(ngx_http_request_t *r, ngx_uint_t status,
                                 const char *content_type, str_t body);
/* A worker's reply frame. */
ngx_int_t ngx_http_tmf_send_frame(ngx_http_request_t *r, str_t text);
ngx_int_t ngx_http_tmf_add_header(ngx_http_request_t *r, str_t name,
                                  str_t value);
/* An ETag that gzip, where it compresses the answer, makes weak. */
ngx_int_t ngx_http_tmf_add_etag(ngx_http_request_t *r, str_t tag);
/* The error body in r->pool; NULL when out of memory. */
ngx_buf_t *ngx_http_tmf_error_text(ngx_http_request_t *r,
                                   const tmf_error_t *err);
/* Finalizes a request from outside its own events. */
void ngx_http_tmf_finish(ngx_http_request_t *r, ngx_int_t rc);

/* _filter: put in front of nginx's filters at configuration. */
void ngx_http_tmf_filter_init(void);

/* _document: all documents, made at configuration; NULL on error. */
ngx_array_t *ngx_http_tmf_documents_create(ngx_conf_t *cf);
/* The document at this path, where one of these APIs (NGX_HTTP_TMF_SERVE_*) is
 * served; or NULL. */
const ngx_http_tmf_document_t *ngx_http_tmf_document_find(
    const ngx_array_t *documents, ngx_uint_t apis, str_t path);
/* Answers with ctx->document. */
ngx_int_t ngx_http_tmf_document_send(ngx_http_request_t *r);

/* _health, _metrics: content handlers of tmf_health and tmf_metrics. */
ngx_int_t ngx_http_tmf_health_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_tmf_metrics_handler(ngx_http_request_t *r);

#endif
