/*
 * Who speaks to whom: the base of every href, the subject, the trace.
 *
 * Host and forwarded names are what a client wrote: they end up in hrefs that
 * others follow, so only the characters of an authority pass.
 */
#include "ngx_http_tmf_edge.h"

#include "proto/json.h"

#define TRACEPARENT_LEN 55 /* "00-" 32 "-" 16 "-" 2, W3C Trace Context */

static ngx_uint_t
is_authority(str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || (c && strchr(".-_:[]", c))) {
            continue;
        }
        return 0;
    }
    return s.len > 0 && s.len <= NGX_HTTP_TMF_BASE_MAX - sizeof("https://");
}

/* The first of a list by comma: what the outermost proxy wrote. */
static str_t
first_value(const ngx_table_elt_t *header)
{
    if (header == NULL) {
        return STR_NONE;
    }
    str_t value = ngx_http_tmf_str(&header->value);
    const char *comma = memchr(value.data, ',', value.len);
    if (comma != NULL) {
        value.len = (size_t) (comma - value.data);
    }
    while (value.len > 0 && value.data[value.len - 1] == ' ') {
        value.len--;
    }
    return value;
}

static str_t
own_scheme(ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        return STR("https");
    }
#endif
    return STR("http");
}

static ngx_int_t
own_authority(ngx_http_request_t *r, str_t *ret, tmf_error_t *err)
{
    if (r->headers_in.host != NULL && r->headers_in.host->value.len > 0) {
        *ret = ngx_http_tmf_str(&r->headers_in.host->value);
        if (is_authority(*ret)) {
            return NGX_OK;
        }
        tmf_error_set(err, NGX_HTTP_BAD_REQUEST, TMF_CODE_HEADER_INVALID,
                      "Invalid header", NULL, "Host is not a host");
        return NGX_ERROR;
    }
    /* HTTP/1.0 without Host: the address the client came to. */
    ngx_str_t addr = {NGX_SOCKADDR_STRLEN,
                      ngx_pnalloc(r->pool, NGX_SOCKADDR_STRLEN)};
    if (addr.data == NULL ||
        ngx_connection_local_sockaddr(r->connection, &addr, 1) != NGX_OK) {
        tmf_error_set(err, NGX_HTTP_INTERNAL_SERVER_ERROR, TMF_CODE_INTERNAL,
                      "Internal error", NULL, "No address of our own");
        return NGX_ERROR;
    }
    *ret = ngx_http_tmf_str(&addr);
    return NGX_OK;
}

static ngx_int_t
find_base(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx, tmf_error_t *err)
{
    ngx_http_tmf_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_tmf_module);
    str_t scheme = own_scheme(r), authority = STR_NONE;

    if (conf->public_base.len > 0) {
        ctx->base = ngx_http_tmf_str(&conf->public_base);
        return NGX_OK;
    }
    if (conf->trust_forwarded) {
        str_t proto = first_value(ctx->headers.forwarded_proto);
        str_t host = first_value(ctx->headers.forwarded_host);
        if (str_is(proto, "http") || str_is(proto, "https")) {
            scheme = proto;
        }
        if (is_authority(host)) {
            authority = host;
        }
    }
    if (authority.len == 0 && own_authority(r, &authority, err) != NGX_OK) {
        return NGX_ERROR;
    }
    size_t size = scheme.len + sizeof("://") + authority.len;
    u_char *p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        tmf_error_set(err, NGX_HTTP_INTERNAL_SERVER_ERROR, TMF_CODE_INTERNAL,
                      "Internal error", NULL, "Out of memory");
        return NGX_ERROR;
    }
    u_char *end = ngx_cpymem(p, scheme.data, scheme.len);
    end = ngx_cpymem(end, "://", 3);
    end = ngx_cpymem(end, authority.data, authority.len);
    ctx->base = (str_t){(char *) p, (size_t) (end - p)};
    return NGX_OK;
}

static ngx_int_t
find_subject(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx, tmf_error_t *err)
{
    ngx_http_tmf_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_tmf_module);
    ngx_str_t value;

    if (conf->subject == NULL) {
        return NGX_OK;
    }
    if (ngx_http_complex_value(r, conf->subject, &value) != NGX_OK) {
        tmf_error_set(err, NGX_HTTP_INTERNAL_SERVER_ERROR, TMF_CODE_INTERNAL,
                      "Internal error", NULL, "No subject");
        return NGX_ERROR;
    }
    str_t subject = ngx_http_tmf_str(&value);
    if (subject.len > NGX_HTTP_TMF_SUBJECT_MAX ||
        utf8_valid(subject) != subject.len ||
        memchr(subject.data, '\0', subject.len) != NULL) {
        tmf_error_set(err, NGX_HTTP_BAD_REQUEST, TMF_CODE_HEADER_INVALID,
                      "Invalid subject", NULL,
                      "The name of the client is at most %d bytes of UTF-8",
                      NGX_HTTP_TMF_SUBJECT_MAX);
        return NGX_ERROR;
    }
    ctx->subject = subject;
    return NGX_OK;
}

ngx_int_t
ngx_http_tmf_identify(ngx_http_request_t *r, tmf_error_t *err)
{
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);

    if (find_base(r, ctx, err) != NGX_OK) {
        return NGX_ERROR;
    }
    return find_subject(r, ctx, err);
}

/* Lower-case hexadecimal digits, and not all of them zero. */
static ngx_uint_t
is_trace_part(const char *p, size_t len, ngx_uint_t zero_allowed)
{
    ngx_uint_t zero = 1;

    for (size_t i = 0; i < len; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f'))) {
            return 0;
        }
        zero = zero && p[i] == '0';
    }
    return zero_allowed || !zero;
}

static ngx_uint_t
is_traceparent(str_t s)
{
    return s.len == TRACEPARENT_LEN && memcmp(s.data, "00-", 3) == 0 &&
           s.data[35] == '-' && s.data[52] == '-' &&
           is_trace_part(s.data + 3, 32, 0) &&
           is_trace_part(s.data + 36, 16, 0) &&
           is_trace_part(s.data + 53, 2, 1);
}

str_t
ngx_http_tmf_traceparent(const ngx_http_tmf_ctx_t *ctx, char buf[64])
{
    if (ctx->headers.traceparent != NULL) {
        str_t own = ngx_http_tmf_str(&ctx->headers.traceparent->value);
        if (is_traceparent(own)) {
            return own;
        }
    }
    /* | 1: an id of zeros only would be invalid. */
    uint64_t high = ngx_http_tmf_edge_random(ctx->edge);
    uint64_t low = ngx_http_tmf_edge_random(ctx->edge) | 1;
    uint64_t parent = ngx_http_tmf_edge_random(ctx->edge) | 1;
    u_char *end = ngx_sprintf((u_char *) buf, "00-%016xL%016xL-%016xL-01",
                              high, low, parent);
    return (str_t){buf, (size_t) (end - (u_char *) buf)};
}
