/*
 * The body: read, gathered, checked against the resource's table; then the
 * frame goes to the stream and the request waits.
 */
#include "ngx_http_tmf_edge.h"

#include "proto/json.h"

/* XADD key * and the fields. */
#define XADD_ARGS      3
#define ARGS_MAX       (XADD_ARGS + 2 * REQUEST_FIELD_COUNT)
#define REQUEST_ID_MAX 128

static void request_on_body(ngx_http_request_t *r);

ngx_uint_t
ngx_http_tmf_has_body(ngx_http_request_t *r)
{
#if (NGX_HTTP_V2)
    if (r->stream != NULL) {
        return !r->stream->in_closed || r->headers_in.content_length_n > 0;
    }
#endif
    return r->headers_in.content_length_n > 0 || r->headers_in.chunked;
}

static api_t
request_api(const ngx_http_tmf_ctx_t *ctx)
{
    return ctx->resource != NULL ? ctx->resource->api : API_ORDERING;
}

static ngx_http_tmf_refusal_t
request_check(ngx_http_request_t *r, const ngx_http_tmf_ctx_t *ctx)
{
    ngx_http_tmf_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_tmf_module);

    return ngx_http_tmf_edge_check(ctx->edge, request_api(ctx),
                                   conf->queue_max);
}

/* XADD answered: good news needs no act, the reply will come. */
static void
request_on_queued(ngx_http_tmf_link_t *link, const redisReply *reply,
                  uint64_t ticket)
{
    ngx_http_tmf_edge_t *edge = link->owner;
    ngx_uint_t index = (ngx_uint_t) (ticket % edge->slot_count);

    if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
        return; /* on a lost link, on_lost refuses everybody */
    }
    if (edge->complained != ngx_time()) { /* one line a second will do */
        edge->complained = ngx_time();
        ngx_log_error(NGX_LOG_ERR, edge->log, 0,
                      "tmf: Redis did not queue a request: %s", reply->str);
    }
    ngx_http_tmf_slot_t *slot =
        ngx_http_tmf_pending_at(edge, index, ticket / edge->slot_count);
    if (slot != NULL) {
        ngx_http_tmf_pending_refuse(slot, NGX_HTTP_TMF_REFUSE_NOT_QUEUED);
    }
}

static str_t
request_query(ngx_http_request_t *r)
{
    str_t query = ngx_http_tmf_str(&r->args);

    /* Of a resource it was checked, of a callback it may be anything. */
    return utf8_valid(query) == query.len ? query : STR_NONE;
}

static ngx_int_t
request_queue(ngx_http_request_t *r, const ngx_http_tmf_ctx_t *ctx, str_t body)
{
    ngx_http_tmf_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_tmf_module);
    ngx_http_tmf_edge_t *edge = ctx->edge;
    api_t api = request_api(ctx);
    char id[REQUEST_ID_MAX], trace[64], deadline[NGX_INT64_LEN + 1];
    u_char *end = ngx_sprintf((u_char *) deadline, "%uL",
                              ngx_http_tmf_now_ms() + conf->timeout);
    str_t callback = STR("callback");
    request_frame_t frame = {
        .id = ngx_http_tmf_pending_id(ctx->slot, id, sizeof(id)),
        .reply_to = edge->reply_key,
        .api = ctx->resource ? str_of(api_name(api)) : callback,
        .version = str_of(tmf_version_name(ctx->version)),
        .method = ctx->method_name,
        .resource = ctx->resource ? str_of(ctx->resource->name) : callback,
        .key = ctx->key,
        .query = request_query(r),
        .base = ctx->base,
        .profile = conf->profile == NGX_HTTP_TMF_PROFILE_STRICT
                       ? STR("strict")
                       : STR("extended"),
        .subject = ctx->subject,
        .traceparent = ngx_http_tmf_traceparent(ctx, trace),
        .if_match = ctx->conditions.match,
        .if_none_match = ctx->conditions.none_match,
        .content_type = body.len > 0 ? ctx->content_type : STR_NONE,
        .deadline = {deadline, (size_t) (end - (u_char *) deadline)},
        .body = body,
    };
    if (ctx->headers.idempotency_key != NULL) {
        frame.idempotency_key =
            ngx_http_tmf_str(&ctx->headers.idempotency_key->value);
    }
    str_t argv[ARGS_MAX] = {STR("XADD"), edge->request_keys[api], STR("*")};
    int argc = XADD_ARGS + request_frame_args(&frame, argv + XADD_ARGS);

    /* Slot and ticket in one number: ticket * slots + slot. */
    return ngx_http_tmf_link_command(&edge->commands, argv, argc,
                                     request_on_queued,
                                     ctx->slot->ticket * edge->slot_count +
                                         (uint64_t) (ctx->slot - edge->slots));
}

/* Hands the request on, or answers it. It holds a reference of its own, which
 * ngx_http_finalize_request gives back, now or when the reply comes. */
static void
request_submit(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx, str_t body)
{
    ngx_http_tmf_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_tmf_module);
    ngx_http_tmf_refusal_t reason = request_check(r, ctx);

    if (reason == NGX_HTTP_TMF_REFUSE_NONE) {
        ngx_int_t rc = ngx_http_tmf_pending_add(r, conf->timeout);
        if (rc == NGX_ERROR) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            return;
        }
        if (rc == NGX_DECLINED) {
            reason = NGX_HTTP_TMF_REFUSE_NO_SLOT;
        } else if (request_queue(r, ctx, body) != NGX_OK) {
            ngx_http_tmf_pending_remove(ctx->slot);
            reason = NGX_HTTP_TMF_REFUSE_NO_REDIS;
        }
    }
    if (reason != NGX_HTTP_TMF_REFUSE_NONE) {
        ngx_http_finalize_request(r, ngx_http_tmf_send_refusal(r, reason));
        return;
    }
    /* A client that goes away ends the request; what was queued runs on. */
    r->read_event_handler = ngx_http_test_reading;
    r->connection->log->action = "waiting for a worker's reply";
}

ngx_int_t
ngx_http_tmf_request(ngx_http_request_t *r)
{
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);
    ngx_http_tmf_refusal_t reason = request_check(r, ctx);
    ngx_int_t rc;

    if (reason == NGX_HTTP_TMF_REFUSE_NONE &&
        (ctx->method & (METHOD_POST | METHOD_PATCH))) {
        r->request_body_in_single_buf = 1;
        rc = ngx_http_read_client_request_body(r, request_on_body);
        return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
    }
    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    if (reason != NGX_HTTP_TMF_REFUSE_NONE) {
        return ngx_http_tmf_send_refusal(r, reason);
    }
    r->main->count++;
    request_submit(r, ctx, STR_NONE);
    return NGX_DONE;
}

static size_t
body_size(const ngx_chain_t *bufs)
{
    size_t size = 0;

    for (; bufs != NULL; bufs = bufs->next) {
        size += (size_t) ngx_buf_size(bufs->buf);
    }
    return size;
}

/* Appends one buffer, of memory or of the temporary file. */
static u_char *
body_copy(u_char *to, ngx_buf_t *buf)
{
    if (ngx_buf_in_memory(buf)) {
        return ngx_cpymem(to, buf->pos, (size_t) (buf->last - buf->pos));
    }
    size_t size = (size_t) (buf->file_last - buf->file_pos);
    ssize_t n = ngx_read_file(buf->file, to, size, buf->file_pos);
    return n == (ssize_t) size ? to + size : NULL;
}

/* The whole body in one piece; bodies of one buffer are not copied. */
static ngx_int_t
body_text(ngx_http_request_t *r, str_t *ret, tmf_error_t *err)
{
    ngx_chain_t *bufs = r->request_body != NULL ? r->request_body->bufs : NULL;
    size_t size = body_size(bufs);

    if (size > JSON_MAX_BYTES) {
        tmf_error_set(err, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                      TMF_CODE_TOO_LARGE, "Body too large", NULL,
                      "A body is at most %d bytes", JSON_MAX_BYTES);
        return NGX_ERROR;
    }
    *ret = STR_NONE;
    if (size == 0) {
        return NGX_OK;
    }
    if (bufs->next == NULL && ngx_buf_in_memory(bufs->buf)) {
        *ret = (str_t){(char *) bufs->buf->pos, size};
        return NGX_OK;
    }
    u_char *text = ngx_pnalloc(r->pool, size);
    u_char *end = text;
    for (; bufs != NULL && end != NULL; bufs = bufs->next) {
        end = body_copy(end, bufs->buf);
    }
    if (end == NULL) {
        tmf_error_set(err, NGX_HTTP_INTERNAL_SERVER_ERROR, TMF_CODE_INTERNAL,
                      "Internal error", NULL, "The body could not be kept");
        return NGX_ERROR;
    }
    *ret = (str_t){(char *) text, size};
    return NGX_OK;
}

static const char *
any_value(void *ctx, json_type_t type, str_t text, size_t end)
{
    return NULL;
}

static const char *
any_nest(void *ctx, json_type_t type, size_t end)
{
    return NULL;
}

static const char *
any_member(void *ctx, str_t name, size_t end)
{
    return NULL;
}

/* A callback's body: any JSON of a modest size, or nothing. */
static ngx_int_t
check_callback(str_t body, tmf_error_t *err)
{
    static const json_handler_t handler = {any_value, any_nest, any_nest,
                                           any_member};
    json_error_t json = {0};

    if (body.len == 0) {
        return NGX_OK;
    }
    if (body.len > NGX_HTTP_TMF_CALLBACK_BODY) {
        tmf_error_set(err, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                      TMF_CODE_TOO_LARGE, "Body too large", NULL,
                      "The body of a callback is at most %d bytes",
                      NGX_HTTP_TMF_CALLBACK_BODY);
        return NGX_ERROR;
    }
    json_reader_t *reader = json_reader_create(&handler, NULL);
    if (reader == NULL) {
        tmf_error_set(err, NGX_HTTP_INTERNAL_SERVER_ERROR, TMF_CODE_INTERNAL,
                      "Internal error", NULL, "Out of memory");
        return NGX_ERROR;
    }
    int rc = json_reader_feed(reader, body, &json);
    if (rc == 0) {
        rc = json_reader_finish(reader, &json);
    }
    json_reader_free(reader);
    if (rc != 0) {
        tmf_error_set(err, NGX_HTTP_BAD_REQUEST, TMF_CODE_BODY_INVALID,
                      "Invalid body", json.pointer, "%s at byte %zu",
                      json.reason, json.offset);
        return NGX_ERROR;
    }
    return NGX_OK;
}

static validator_t *
create_validator(const ngx_http_tmf_ctx_t *ctx)
{
    if (ctx->method == METHOD_POST) {
        return validator_create(ctx->resource->create, VALIDATE_CREATE,
                                ctx->version);
    }
    if (ctx->patch == PATCH_MERGE) {
        return validator_create(ctx->resource->patch, VALIDATE_MERGE,
                                ctx->version);
    }
    return validator_create_list(&tmf_json_patch);
}

static ngx_int_t
check_resource(const ngx_http_tmf_ctx_t *ctx, str_t body, tmf_error_t *err)
{
    if (body.len == 0) {
        tmf_error_set(err, NGX_HTTP_BAD_REQUEST, TMF_CODE_BODY_MISSING,
                      "Missing body", NULL, "The request has no body");
        return NGX_ERROR;
    }
    validator_t *validator = create_validator(ctx);
    if (validator == NULL) {
        tmf_error_set(err, NGX_HTTP_INTERNAL_SERVER_ERROR, TMF_CODE_INTERNAL,
                      "Internal error", NULL, "Out of memory");
        return NGX_ERROR;
    }
    int rc = validator_feed(validator, body, err);
    if (rc == 0) {
        rc = validator_finish(validator, err);
    }
    validator_free(validator);
    return rc == 0 ? NGX_OK : NGX_ERROR;
}

static void
request_on_body(ngx_http_request_t *r)
{
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);
    str_t body;
    tmf_error_t err;
    ngx_int_t rc = body_text(r, &body, &err);

    if (rc == NGX_OK) {
        rc = ctx->resource != NULL ? check_resource(ctx, body, &err)
                                   : check_callback(body, &err);
    }
    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, ngx_http_tmf_send_error(r, &err));
        return;
    }
    request_submit(r, ctx, body);
}
