/*
 * From a request line and headers to a resource: every check that needs no
 * body, in the order in which a client wants to hear of them. What fails here
 * never reaches Redis.
 */
#include "ngx_http_tmf_edge.h"

#include "proto/json.h"
#include "proto/query.h"

/* What TMF630 knows of each kind of path. */
#define COLLECTION_METHODS (METHOD_GET | METHOD_POST)
#define ITEM_METHODS       (METHOD_GET | METHOD_PATCH | METHOD_DELETE)

typedef ngx_int_t (*check_pt)(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx,
                              tmf_error_t *err);

static const struct {
    ngx_uint_t method; /* nginx's */
    unsigned bit;
    str_t name;
} route_methods[] = {
    {NGX_HTTP_GET, METHOD_GET, {"GET", 3}},
    {NGX_HTTP_HEAD, METHOD_GET, {"GET", 3}},
    {NGX_HTTP_POST, METHOD_POST, {"POST", 4}},
    {NGX_HTTP_PATCH, METHOD_PATCH, {"PATCH", 5}},
    {NGX_HTTP_DELETE, METHOD_DELETE, {"DELETE", 6}},
};

#define HEADER(name, member)                                               \
    {                                                                      \
        {name, sizeof(name) - 1}, offsetof(ngx_http_tmf_headers_t, member) \
    }

static const struct {
    str_t name; /* lower case */
    size_t offset;
} route_headers[] = {
    HEADER("idempotency-key", idempotency_key),
    HEADER("traceparent", traceparent),
    HEADER("x-forwarded-proto", forwarded_proto),
    HEADER("x-forwarded-host", forwarded_host),
    HEADER("content-encoding", content_encoding),
    HEADER("if-match", if_match),
    HEADER("if-none-match", if_none_match),
};

static ngx_int_t
not_found(tmf_error_t *err, const char *what, str_t name)
{
    tmf_error_set(err, NGX_HTTP_NOT_FOUND, TMF_CODE_NOT_FOUND, "Not found",
                  NULL, "%s \"%.*s\"", what, STR_FMT(name));
    return NGX_ERROR;
}

/* Takes one segment off the front of the path. */
static str_t
next_segment(str_t *path)
{
    str_t segment = *path;
    const char *slash = memchr(path->data, '/', path->len);

    if (slash == NULL) {
        path->data += path->len;
        path->len = 0;
        return segment;
    }
    segment.len = (size_t) (slash - path->data);
    path->data += segment.len + 1;
    path->len -= segment.len + 1;
    return segment;
}

static ngx_uint_t
starts_with(str_t s, str_t prefix)
{
    return s.len >= prefix.len && memcmp(s.data, prefix.data, prefix.len) == 0;
}

/* A key goes into Redis, SQL and logs. */
static ngx_int_t
check_key(str_t key, tmf_error_t *err)
{
    ngx_uint_t bad =
        key.len > NGX_HTTP_TMF_KEY_MAX || utf8_valid(key) != key.len;

    for (size_t i = 0; !bad && i < key.len; i++) {
        bad = (u_char) key.data[i] < 0x20 || key.data[i] == 0x7f;
    }
    if (bad) {
        tmf_error_set(err, NGX_HTTP_BAD_REQUEST, TMF_CODE_BAD_URL,
                      "Invalid id", NULL,
                      "An id is at most %d bytes of UTF-8 without control "
                      "characters",
                      NGX_HTTP_TMF_KEY_MAX);
        return NGX_ERROR;
    }
    return NGX_OK;
}

static ngx_int_t
route_callback(ngx_http_tmf_ctx_t *ctx, str_t token, tmf_error_t *err)
{
    ngx_uint_t bad = token.len == 0 || token.len > NGX_HTTP_TMF_TOKEN_MAX;

    for (size_t i = 0; !bad && i < token.len; i++) {
        char c = token.data[i];
        bad = !((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                (c >= '0' && c <= '9') || (c && strchr("_.~-", c)));
    }
    if (bad) {
        return not_found(err, "There is no callback", token);
    }
    ctx->label = NGX_HTTP_TMF_LABEL_CALLBACK;
    ctx->key = token;
    ctx->allowed = METHOD_POST;
    return NGX_OK;
}

static ngx_int_t
route_document(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx, str_t path,
               tmf_error_t *err)
{
    ngx_http_tmf_main_conf_t *main_conf =
        ngx_http_get_module_main_conf(r, ngx_http_tmf_module);
    ngx_http_tmf_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_tmf_module);

    ctx->document =
        ngx_http_tmf_document_find(main_conf->documents, conf->apis, path);
    if (ctx->document == NULL) {
        return not_found(err, "There is no document", path);
    }
    ctx->allowed = METHOD_GET;
    return NGX_OK;
}

/* path: what follows "/tmf-api/<api>". */
static ngx_int_t
route_resource(ngx_http_tmf_ctx_t *ctx, api_t api, str_t path,
               tmf_error_t *err)
{
    (void) next_segment(&path); /* the slash before the version */
    str_t version = next_segment(&path);
    if (!tmf_version_parse(version, &ctx->version) ||
        api_release(api, ctx->version) == NULL) {
        return not_found(err, "This API is not served in version", version);
    }
    str_t name = next_segment(&path);
    ctx->label = api;
    ctx->resource = resource_find(api, name);
    if (ctx->resource == NULL) {
        return not_found(err, "This API has no resource", name);
    }
    ctx->key = next_segment(&path);
    if (path.len > 0) {
        return not_found(err, "There is nothing below an id:", path);
    }
    ctx->allowed =
        ctx->key.len > 0 ? ctx->resource->item : ctx->resource->collection;
    return check_key(ctx->key, err);
}

static ngx_int_t
check_path(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx, tmf_error_t *err)
{
    ngx_http_tmf_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_tmf_module);
    str_t path = ngx_http_tmf_str(&r->uri);

    for (int api = 0; api < API_COUNT; api++) {
        str_t prefix = str_of(api_path((api_t) api));
        if ((conf->apis & (1u << api)) && starts_with(path, prefix) &&
            path.len > prefix.len && path.data[prefix.len] == '/') {
            path.data += prefix.len;
            path.len -= prefix.len;
            return route_resource(ctx, (api_t) api, path, err);
        }
    }
    str_t prefix = STR(NGX_HTTP_TMF_CALLBACK_PATH);
    if ((conf->apis & NGX_HTTP_TMF_SERVE_ORDERING) &&
        starts_with(path, prefix)) {
        path.data += prefix.len;
        path.len -= prefix.len;
        return route_callback(ctx, path, err);
    }
    if (starts_with(path, STR(NGX_HTTP_TMF_OPENAPI_PATH)) ||
        starts_with(path, STR(NGX_HTTP_TMF_SCHEMAS_PATH))) {
        return route_document(r, ctx, path, err);
    }
    return not_found(err, "No API is served at", path);
}

static ngx_int_t
check_method(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx, tmf_error_t *err)
{
    unsigned bit = 0, known;

    for (size_t i = 0; i < sizeof(route_methods) / sizeof(route_methods[0]);
         i++) {
        if (r->method == route_methods[i].method) {
            bit = route_methods[i].bit;
            ctx->method_name = route_methods[i].name;
        }
    }
    ctx->method = bit;
    if (ctx->allowed & bit) {
        return NGX_OK;
    }
    known = ctx->key.len > 0 ? ITEM_METHODS : COLLECTION_METHODS;
    if (ctx->resource != NULL && (ctx->resource->standard & known & bit)) {
        tmf_error_set(err, NGX_HTTP_NOT_IMPLEMENTED, TMF_CODE_UNSUPPORTED,
                      "Not supported", NULL,
                      "%.*s on %s is not supported by this release",
                      STR_FMT(ctx->method_name), ctx->resource->name);
        return NGX_ERROR;
    }
    tmf_error_set(err, NGX_HTTP_NOT_ALLOWED, TMF_CODE_METHOD,
                  "Method not allowed", NULL,
                  "The method %.*s is not allowed here",
                  (int) r->method_name.len, r->method_name.data);
    return NGX_ERROR;
}

/* One pass over the request's headers; of a repeated one the first counts. */
static void
find_headers(ngx_http_request_t *r, ngx_http_tmf_headers_t *headers)
{
    size_t known = sizeof(route_headers) / sizeof(route_headers[0]);
    ngx_list_part_t *part = &r->headers_in.headers.part;

    for (; part != NULL; part = part->next) {
        ngx_table_elt_t *elts = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            str_t name = {(char *) elts[i].lowcase_key, elts[i].key.len};
            for (size_t k = 0; k < known; k++) {
                if (!str_eq(name, route_headers[k].name)) {
                    continue;
                }
                ngx_table_elt_t **place =
                    (ngx_table_elt_t **) ((char *) headers +
                                          route_headers[k].offset);
                headers->idempotency_keys +=
                    place == &headers->idempotency_key;
                if (*place == NULL) {
                    *place = &elts[i];
                }
            }
        }
    }
}

static ngx_int_t
check_accept(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx, tmf_error_t *err)
{
    find_headers(r, &ctx->headers);
    /* Vendors send what their client library sends. */
    if ((ctx->resource == NULL && ctx->document == NULL) ||
        ngx_http_tmf_accepts_json(r)) {
        return NGX_OK;
    }
    tmf_error_set(err, NGX_HTTP_TMF_NOT_ACCEPTABLE, TMF_CODE_NOT_ACCEPTABLE,
                  "Not acceptable", NULL,
                  "The answer is " NGX_HTTP_TMF_JSON
                  ", which the Accept header excludes");
    return NGX_ERROR;
}

static ngx_int_t
bad_media_type(tmf_error_t *err, const char *message)
{
    tmf_error_set(err, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, TMF_CODE_MEDIA_TYPE,
                  "Unsupported media type", NULL, "%s", message);
    return NGX_ERROR;
}

static ngx_int_t
check_patch(ngx_http_tmf_ctx_t *ctx, str_t type, tmf_error_t *err)
{
    const patch_type_t *patch = patch_type_find(type);

    if (patch == NULL) {
        return bad_media_type(err,
                              "A PATCH is one of " PATCH_TYPES ", in UTF-8");
    }
    ctx->content_type = patch->name;
    ctx->patch = patch->kind;
    return NGX_OK;
}

static ngx_int_t
check_content(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx, tmf_error_t *err)
{
    const ngx_table_elt_t *encoding = ctx->headers.content_encoding;
    str_t type = ngx_http_tmf_media_type(r);

    if (!(ctx->method & (METHOD_POST | METHOD_PATCH))) {
        return NGX_OK;
    }
    if (encoding != NULL &&
        !(encoding->value.len == 8 &&
          ngx_strncasecmp(encoding->value.data, (u_char *) "identity", 8) ==
              0)) {
        return bad_media_type(err, "Compressed bodies are not taken");
    }
    if (ctx->resource == NULL) {
        ctx->content_type = STR(NGX_HTTP_TMF_JSON);
        return NGX_OK;
    }
    if (!ngx_http_tmf_has_body(r)) {
        tmf_error_set(err, NGX_HTTP_BAD_REQUEST, TMF_CODE_BODY_MISSING,
                      "Missing body", NULL, "The request has no body");
        return NGX_ERROR;
    }
    if (ctx->method == METHOD_PATCH) {
        return check_patch(ctx, type, err);
    }
    if (type.len == sizeof(NGX_HTTP_TMF_JSON) - 1 &&
        strncasecmp(type.data, NGX_HTTP_TMF_JSON, type.len) == 0) {
        ctx->content_type = STR(NGX_HTTP_TMF_JSON);
        return NGX_OK;
    }
    return bad_media_type(err, "A POST is " NGX_HTTP_TMF_JSON " in UTF-8");
}

static ngx_int_t
check_idempotency(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx,
                  tmf_error_t *err)
{
    if (ctx->headers.idempotency_key == NULL) {
        return NGX_OK;
    }
    ngx_str_t value = ctx->headers.idempotency_key->value;
    ngx_uint_t bad = value.len == 0 ||
                     value.len > NGX_HTTP_TMF_IDEMPOTENCY_MAX ||
                     ctx->headers.idempotency_keys > 1;

    for (size_t i = 0; !bad && i < value.len; i++) {
        bad = value.data[i] <= 0x20 || value.data[i] >= 0x7f;
    }
    if (bad) {
        tmf_error_set(err, NGX_HTTP_BAD_REQUEST, TMF_CODE_HEADER_INVALID,
                      "Invalid header", NULL,
                      "Idempotency-Key is 1 to %d visible ASCII characters, "
                      "sent once",
                      NGX_HTTP_TMF_IDEMPOTENCY_MAX);
        return NGX_ERROR;
    }
    return NGX_OK;
}

static str_t
header_value(const ngx_table_elt_t *header)
{
    return header != NULL ? ngx_http_tmf_str(&header->value) : STR_NONE;
}

/* Only documents and what can be read by its id have an ETag; elsewhere
 * conditions are nobody's. A header that is sent in several lines nginx has
 * refused. */
static ngx_int_t
check_conditions(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx,
                 tmf_error_t *err)
{
    if (ctx->document == NULL && (ctx->resource == NULL || ctx->key.len == 0 ||
                                  !(ctx->allowed & METHOD_GET))) {
        return NGX_OK;
    }
    ctx->conditions =
        (etag_conditions_t){header_value(ctx->headers.if_match),
                            header_value(ctx->headers.if_none_match)};
    return etag_check(&ctx->conditions, err) ? NGX_OK : NGX_ERROR;
}

static ngx_int_t
check_query(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx, tmf_error_t *err)
{
    query_t query;

    if (ctx->resource == NULL || r->args.len == 0) {
        return NGX_OK;
    }
    return query_parse(&query, ngx_http_tmf_str(&r->args), err) == 0
               ? NGX_OK
               : NGX_ERROR;
}

static ngx_int_t
check_identity(ngx_http_request_t *r, ngx_http_tmf_ctx_t *ctx,
               tmf_error_t *err)
{
    return ngx_http_tmf_identify(r, err);
}

static const check_pt route_checks[] = {
    check_method,      check_accept,     check_content, //
    check_idempotency, check_conditions, check_query,   //
    check_identity,
};

static ngx_http_tmf_ctx_t *
create_ctx(ngx_http_request_t *r)
{
    ngx_http_tmf_main_conf_t *conf =
        ngx_http_get_module_main_conf(r, ngx_http_tmf_module);
    ngx_http_tmf_ctx_t *ctx = ngx_pcalloc(r->pool, sizeof(*ctx));

    if (ctx != NULL) {
        ctx->edge = conf->edge;
        ctx->label = NGX_HTTP_TMF_LABEL_NONE;
        ctx->started_us = ngx_http_tmf_monotonic_us();
        ngx_http_set_ctx(r, ctx, ngx_http_tmf_module);
    }
    return ctx;
}

static ngx_int_t
refuse(ngx_http_request_t *r, const tmf_error_t *err)
{
    ngx_int_t rc = ngx_http_discard_request_body(r);

    return rc == NGX_OK ? ngx_http_tmf_send_error(r, err) : rc;
}

ngx_int_t
ngx_http_tmf_handler(ngx_http_request_t *r)
{
    ngx_http_tmf_ctx_t *ctx = create_ctx(r);
    tmf_error_t err;

    if (ctx == NULL || ctx->edge == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (check_path(r, ctx, &err) != NGX_OK) {
        return refuse(r, &err);
    }
    if (r->method == NGX_HTTP_OPTIONS) {
        ngx_int_t rc = ngx_http_discard_request_body(r);
        return rc == NGX_OK ? ngx_http_tmf_send_options(r) : rc;
    }
    for (size_t i = 0; i < sizeof(route_checks) / sizeof(route_checks[0]);
         i++) {
        if (route_checks[i](r, ctx, &err) != NGX_OK) {
            return refuse(r, &err);
        }
    }
    return ctx->document != NULL ? ngx_http_tmf_document_send(r)
                                 : ngx_http_tmf_request(r);
}
