/*
 * Errors that nginx itself answers in a location of tmf_api (413 for a body
 * over client_max_body_size, 401 and 403 of access modules, 429 of limits ...)
 * get a TMF body too: clients of these APIs do not read HTML.
 */
#include "ngx_http_tmf.h"

static ngx_http_output_header_filter_pt ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt ngx_http_next_body_filter;

/* Codes as TM Forum's reference implementations use them; statuses that have
 * none of their own keep the family's. */
static const struct {
    ngx_uint_t status;
    int code;
    const char *reason;
    const char *message;
} filter_errors[] = {
    {400, TMF_CODE_BAD_URL, "Bad request", "The request is malformed"},
    {401, TMF_CODE_UNAUTHORIZED, "Unauthorized", "Who asks is not known"},
    {403, TMF_CODE_FORBIDDEN, "Forbidden", "This is not allowed"},
    {404, TMF_CODE_NOT_FOUND, "Not found", "There is nothing here"},
    {405, TMF_CODE_METHOD, "Method not allowed",
     "The method is not allowed here"},
    {408, TMF_CODE_TIMEOUT, "Timeout", "The request did not come in time"},
    {413, TMF_CODE_TOO_LARGE, "Body too large",
     "The body is larger than this server takes"},
    {429, TMF_CODE_UNAVAILABLE, "Too many requests",
     "The limit of requests is reached"},
    {503, TMF_CODE_UNAVAILABLE, "Service unavailable",
     "The server cannot answer now"},
    {504, TMF_CODE_TIMEOUT, "Timeout", "No answer in time"},
    {0, TMF_CODE_INTERNAL, "Error", "The request could not be answered"},
};

static ngx_http_tmf_ctx_t *
filter_ctx(ngx_http_request_t *r)
{
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(*ctx));
        if (ctx != NULL) {
            ctx->label = NGX_HTTP_TMF_LABEL_NONE;
            ngx_http_set_ctx(r, ctx, ngx_http_tmf_module);
        }
    }
    return ctx;
}

static ngx_int_t
filter_replace(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx)
{
    ngx_uint_t row = 0;
    tmf_error_t err;

    while (filter_errors[row].status != r->headers_out.status &&
           filter_errors[row].status != 0) {
        row++;
    }
    tmf_error_set(&err, (int) r->headers_out.status,
                  (tmf_code_t) filter_errors[row].code,
                  filter_errors[row].reason, NULL, "%s",
                  filter_errors[row].message);
    ctx->error = ngx_alloc_chain_link(r->pool);
    if (ctx->error == NULL) {
        return NGX_ERROR;
    }
    ctx->error->next = NULL;
    ctx->error->buf = ngx_http_tmf_error_text(r, &err);
    if (ctx->error->buf == NULL) {
        return NGX_ERROR;
    }
    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n =
        ctx->error->buf->last - ctx->error->buf->pos;
    ngx_str_set(&r->headers_out.content_type, NGX_HTTP_TMF_JSON_UTF);
    r->headers_out.content_type_len = sizeof(NGX_HTTP_TMF_JSON) - 1;
    r->headers_out.content_type_lowcase = NULL;
    return NGX_OK;
}

static ngx_int_t
filter_header(ngx_http_request_t *r)
{
    ngx_http_tmf_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_tmf_module);

    if (conf->apis == 0 || r != r->main ||
        r->headers_out.status < NGX_HTTP_BAD_REQUEST) {
        return ngx_http_next_header_filter(r);
    }
    ngx_http_tmf_ctx_t *ctx = filter_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }
    if (!ctx->replied && filter_replace(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }
    return ngx_http_next_header_filter(r);
}

static ngx_int_t
filter_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);

    if (ctx == NULL || ctx->error == NULL) {
        return ngx_http_next_body_filter(r, in);
    }
    for (; in != NULL; in = in->next) { /* nginx's own page is consumed */
        in->buf->pos = in->buf->last;
    }
    if (ctx->error_sent) {
        return ngx_http_next_body_filter(r, NULL);
    }
    ctx->error_sent = 1;
    return ngx_http_next_body_filter(r, ctx->error);
}

void
ngx_http_tmf_filter_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = filter_header;
    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = filter_body;
}
