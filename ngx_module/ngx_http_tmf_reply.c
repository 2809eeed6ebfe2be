/*
 * The answer to the client: a worker's reply, a TMF error, a refusal.
 */
#include "ngx_http_tmf_edge.h"

#include "proto/error.h"

#define ERROR_BODY_MAX 8192
#define RETRY_AFTER    "1"
#define ALLOW_MAX      64

static const struct {
    int status;
    tmf_code_t code;
    const char *message;
} reply_refusals[NGX_HTTP_TMF_REFUSAL_COUNT] = {{0, 0, NULL},
#define R(name, label, status, code, message) {status, code, message},
                                                NGX_HTTP_TMF_REFUSALS(R)
#undef R
};

static const struct {
    unsigned bits;
    const char *names;
} reply_methods[] = {
    {METHOD_GET, "GET, HEAD, "},
    {METHOD_POST, "POST, "},
    {METHOD_PATCH, "PATCH, "},
    {METHOD_DELETE, "DELETE, "},
};

/* Headers of a reply frame that are nginx's own affair. */
static const char *const reply_reserved[] = {
    "connection",        "content-length", "date",    "keep-alive",
    "transfer-encoding", "server",         "trailer", "upgrade",
};

void
ngx_http_tmf_finish(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t *c = r->connection;

    ngx_http_finalize_request(r, rc);
    /* Outside a connection's own event nobody else runs these. */
    ngx_http_run_posted_requests(c);
}

ngx_int_t
ngx_http_tmf_add_header(ngx_http_request_t *r, str_t name, str_t value)
{
    ngx_table_elt_t *header = ngx_list_push(&r->headers_out.headers);

    if (header == NULL) {
        return NGX_ERROR;
    }
    header->hash = 1;
    header->key = (ngx_str_t){name.len, (u_char *) name.data};
    header->value = (ngx_str_t){value.len, (u_char *) value.data};
    return NGX_OK;
}

static void
set_content_type(ngx_http_request_t *r, str_t type)
{
    const char *semicolon =
        type.len > 0 ? memchr(type.data, ';', type.len) : NULL;

    r->headers_out.content_type = (ngx_str_t){type.len, (u_char *) type.data};
    r->headers_out.content_type_len =
        semicolon ? (size_t) (semicolon - type.data) : type.len;
    r->headers_out.content_type_lowcase = NULL;
}

/* Header first, then the one buffer; body is in r->pool or constant. */
static ngx_int_t
send_buffer(ngx_http_request_t *r, ngx_uint_t status, ngx_buf_t *buf)
{
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);
    ngx_chain_t out = {buf, NULL};

    if (ctx != NULL) {
        ctx->replied = 1;
    }
    r->headers_out.status = status;
    r->headers_out.content_length_n = buf->last - buf->pos;
    if (status == NGX_HTTP_NOT_MODIFIED) { /* nginx sends no body with it */
        ngx_http_clear_content_length(r);
        set_content_type(r, STR_NONE);
    }
    /* Conditions were judged where the change was made: nginx would judge by
     * the ETag of what came out of it, and call a change that is made failed. */
    r->disable_not_modified = 1;
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    return ngx_http_output_filter(r, &out);
}

static ngx_buf_t *
make_buffer(ngx_http_request_t *r, str_t body)
{
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);

    if (buf == NULL) {
        return NULL;
    }
    buf->pos = (u_char *) body.data;
    buf->last = buf->pos + body.len;
    buf->memory = body.len > 0;
    buf->last_buf = r == r->main;
    buf->last_in_chain = 1;
    return buf;
}

ngx_int_t
ngx_http_tmf_send(ngx_http_request_t *r, ngx_uint_t status,
                  const char *content_type, str_t body)
{
    u_char *copy = ngx_pnalloc(r->pool, body.len + 1);

    if (copy == NULL) {
        return NGX_ERROR;
    }
    ngx_memcpy(copy, body.data, body.len);
    return ngx_http_tmf_send_kept(r, status, content_type,
                                  (str_t){(char *) copy, body.len});
}

ngx_int_t
ngx_http_tmf_send_kept(ngx_http_request_t *r, ngx_uint_t status,
                       const char *content_type, str_t body)
{
    ngx_buf_t *buf = make_buffer(r, body);

    if (buf == NULL) {
        return NGX_ERROR;
    }
    set_content_type(r, str_of(content_type));
    return send_buffer(r, status, buf);
}

ngx_buf_t *
ngx_http_tmf_error_text(ngx_http_request_t *r, const tmf_error_t *err)
{
    buf_t text;
    u_char *copy = NULL;

    buf_init(&text, ERROR_BODY_MAX);
    tmf_error_body(&text, err);
    if (!buf_failed(&text)) {
        copy = ngx_pnalloc(r->pool, text.len);
    }
    ngx_buf_t *buf = NULL;
    if (copy != NULL) {
        ngx_memcpy(copy, text.data, text.len);
        buf = make_buffer(r, (str_t){(char *) copy, text.len});
    }
    buf_free(&text);
    return buf;
}

static ngx_int_t
add_allow(ngx_http_request_t *r, unsigned allowed)
{
    size_t rows = sizeof(reply_methods) / sizeof(reply_methods[0]);
    u_char *text = ngx_pnalloc(r->pool, ALLOW_MAX);

    if (text == NULL) {
        return NGX_ERROR;
    }
    u_char *end = text;
    for (size_t i = 0; i < rows; i++) {
        if (allowed & reply_methods[i].bits) {
            end = ngx_cpymem(end, reply_methods[i].names,
                             strlen(reply_methods[i].names));
        }
    }
    end = ngx_cpymem(end, "OPTIONS", sizeof("OPTIONS") - 1);
    return ngx_http_tmf_add_header(
        r, STR("Allow"), (str_t){(char *) text, (size_t) (end - text)});
}

/* RFC 5789, 2.2 and 3.1 */
static ngx_int_t
add_accept_patch(ngx_http_request_t *r, unsigned allowed)
{
    if (!(allowed & METHOD_PATCH)) {
        return NGX_OK;
    }
    return ngx_http_tmf_add_header(r, STR("Accept-Patch"), STR(PATCH_TYPES));
}

ngx_int_t
ngx_http_tmf_send_error(ngx_http_request_t *r, const tmf_error_t *err)
{
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);
    ngx_buf_t *buf = ngx_http_tmf_error_text(r, err);

    if (buf == NULL) {
        return NGX_ERROR;
    }
    if (err->status < NGX_HTTP_INTERNAL_SERVER_ERROR ||
        err->status == NGX_HTTP_NOT_IMPLEMENTED) {
        ngx_atomic_fetch_add(
            &ctx->edge->stats->refusals[NGX_HTTP_TMF_REFUSE_INVALID], 1);
    }
    if (err->status == NGX_HTTP_NOT_ALLOWED &&
        add_allow(r, ctx->allowed) != NGX_OK) {
        return NGX_ERROR;
    }
    if (err->status == NGX_HTTP_UNSUPPORTED_MEDIA_TYPE &&
        add_accept_patch(r, ctx->allowed) != NGX_OK) {
        return NGX_ERROR;
    }
    if (err->status == NGX_HTTP_SERVICE_UNAVAILABLE &&
        ngx_http_tmf_add_header(r, STR("Retry-After"), STR(RETRY_AFTER)) !=
            NGX_OK) {
        return NGX_ERROR;
    }
    set_content_type(r, STR(NGX_HTTP_TMF_JSON_UTF));
    return send_buffer(r, (ngx_uint_t) err->status, buf);
}

ngx_int_t
ngx_http_tmf_send_refusal(ngx_http_request_t *r, ngx_http_tmf_refusal_t reason)
{
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);
    tmf_error_t err;

    ngx_atomic_fetch_add(&ctx->edge->stats->refusals[reason], 1);
    tmf_error_set(&err, reply_refusals[reason].status,
                  reply_refusals[reason].code,
                  reply_refusals[reason].code == TMF_CODE_TIMEOUT
                      ? "Timeout"
                      : (reply_refusals[reason].code == TMF_CODE_UNAVAILABLE
                             ? "Service unavailable"
                             : "Internal error"),
                  NULL, "%s", reply_refusals[reason].message);
    return ngx_http_tmf_send_error(r, &err);
}

ngx_int_t
ngx_http_tmf_send_options(ngx_http_request_t *r)
{
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);
    ngx_buf_t *buf = make_buffer(r, STR_NONE);

    if (buf == NULL || add_allow(r, ctx->allowed) != NGX_OK ||
        add_accept_patch(r, ctx->allowed) != NGX_OK) {
        return NGX_ERROR;
    }
    return send_buffer(r, NGX_HTTP_NO_CONTENT, buf);
}

static ngx_uint_t
is_reserved(str_t name)
{
    size_t rows = sizeof(reply_reserved) / sizeof(reply_reserved[0]);

    for (size_t i = 0; i < rows; i++) {
        if (name.len == strlen(reply_reserved[i]) &&
            strncasecmp(name.data, reply_reserved[i], name.len) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The last header added is the ETag: a filter that changes the body (gzip)
 * makes it weak, where it knows of it. */
static void
note_etag(ngx_http_request_t *r)
{
    ngx_list_part_t *part = r->headers_out.headers.last;

    r->headers_out.etag = &((ngx_table_elt_t *) part->elts)[part->nelts - 1];
}

ngx_int_t
ngx_http_tmf_add_etag(ngx_http_request_t *r, str_t tag)
{
    if (ngx_http_tmf_add_header(r, STR("ETag"), tag) != NGX_OK) {
        return NGX_ERROR;
    }
    note_etag(r);
    return NGX_OK;
}

/* Names and values point into the copy of the frame in r->pool. */
static ngx_int_t
add_frame_headers(ngx_http_request_t *r, str_t rest)
{
    str_t name, value;
    int more;

    set_content_type(r, STR(NGX_HTTP_TMF_JSON_UTF));
    while ((more = reply_header_next(&rest, &name, &value)) == 1) {
        if (name.len == 12 &&
            strncasecmp(name.data, "Content-Type", 12) == 0) {
            set_content_type(r, value);
        } else if (!is_reserved(name) &&
                   ngx_http_tmf_add_header(r, name, value) != NGX_OK) {
            return NGX_ERROR;
        } else if (name.len == 4 && strncasecmp(name.data, "ETag", 4) == 0) {
            note_etag(r);
        }
    }
    return more == 0 ? NGX_OK : NGX_DECLINED;
}

ngx_int_t
ngx_http_tmf_send_frame(ngx_http_request_t *r, str_t text)
{
    reply_frame_t frame;
    u_char *copy = ngx_pnalloc(r->pool, text.len + 1);

    if (copy == NULL) {
        return NGX_ERROR;
    }
    ngx_memcpy(copy, text.data, text.len);
    text.data = (char *) copy;

    ngx_int_t rc = NGX_DECLINED;
    if (reply_frame_read(&frame, text) == 0 && frame.status >= NGX_HTTP_OK) {
        rc = add_frame_headers(r, frame.headers);
    }
    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "tmf: a worker's reply is malformed");
        return ngx_http_tmf_send_refusal(r, NGX_HTTP_TMF_REFUSE_BAD_REPLY);
    }
    ngx_buf_t *buf = rc == NGX_OK ? make_buffer(r, frame.body) : NULL;
    return buf != NULL ? send_buffer(r, (ngx_uint_t) frame.status, buf)
                       : NGX_ERROR;
}
