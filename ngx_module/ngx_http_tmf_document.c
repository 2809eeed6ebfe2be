/*
 * The contract as documents, made of the resource tables when the
 * configuration is read and answered by nginx alone:
 *
 *   /openapi/<API>/v4.json            OpenAPI of an API
 *   /schemas/<API>/v4/<Type>.json     JSON Schema of a type as that API has it
 *   /schemas/<Type>.json              any API's type of that name
 */
#include "ngx_http_tmf_edge.h"

#include <ngx_md5.h>

#include "proto/openapi.h"

#define TAG_MAX   40 /* an MD5 in hexadecimal and quotes */
#define MD5_BYTES 16

struct ngx_http_tmf_document_s {
    ngx_uint_t apis; /* NGX_HTTP_TMF_SERVE_*: any of these is enough */
    str_t path;
    str_t body;
    str_t tag; /* ETag, with its quotes */
};

/* What is printed into a buf_t lives on in the configuration's pool. */
static str_t
keep(ngx_conf_t *cf, str_t s)
{
    u_char *copy = ngx_pnalloc(cf->pool, s.len);

    if (copy == NULL) {
        return STR_NONE;
    }
    ngx_memcpy(copy, s.data, s.len);
    return (str_t){(char *) copy, s.len};
}

static str_t
make_tag(ngx_conf_t *cf, str_t body)
{
    u_char hash[MD5_BYTES], text[TAG_MAX];
    ngx_md5_t md5;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, body.data, body.len);
    ngx_md5_final(hash, &md5);
    u_char *end = text;
    *end++ = '"';
    end = ngx_hex_dump(end, hash, sizeof(hash));
    *end++ = '"';
    return keep(cf, (str_t){(char *) text, (size_t) (end - text)});
}

static ngx_int_t
add_document(ngx_conf_t *cf, ngx_array_t *documents, ngx_uint_t apis,
             const buf_t *path, const buf_t *body)
{
    ngx_http_tmf_document_t *document = ngx_array_push(documents);

    if (document == NULL || buf_failed(path) || buf_failed(body)) {
        return NGX_ERROR;
    }
    document->apis = apis;
    document->path = keep(cf, buf_view(path));
    document->body = keep(cf, buf_view(body));
    document->tag = make_tag(cf, document->body);
    return document->path.data != NULL && document->body.data != NULL &&
                   document->tag.data != NULL
               ? NGX_OK
               : NGX_ERROR;
}

/* Buffers of the one pass that makes all documents. */
typedef struct {
    ngx_conf_t *cf;
    ngx_array_t *documents;
    buf_t path;
    buf_t body;
} maker_t;

static ngx_int_t
add_openapi(maker_t *m, api_t api, tmf_version_t version)
{
    buf_reset(&m->path);
    buf_reset(&m->body);
    buf_printf(&m->path, "/openapi/%s/%s.json", openapi_name(api),
               tmf_version_name(version));
    openapi_print(&m->body, api, version);
    return add_document(m->cf, m->documents, 1u << api, &m->path, &m->body);
}

static ngx_int_t
add_type(maker_t *m, api_t api, tmf_version_t version,
         const object_schema_t *type)
{
    buf_reset(&m->path);
    buf_reset(&m->body);
    buf_printf(&m->path, "/schemas/%s/%s/%s.json", openapi_name(api),
               tmf_version_name(version), type->name);
    openapi_print_type(&m->body, type, api, version);
    return add_document(m->cf, m->documents, 1u << api, &m->path, &m->body);
}

static ngx_uint_t
is_added(const maker_t *m, str_t path)
{
    const ngx_http_tmf_document_t *all = m->documents->elts;

    for (ngx_uint_t i = 0; i < m->documents->nelts; i++) {
        if (str_eq(all[i].path, path)) {
            return 1;
        }
    }
    return 0;
}

/* Once for all APIs and versions. */
static ngx_int_t
add_name(maker_t *m, const object_schema_t *type)
{
    buf_reset(&m->path);
    buf_reset(&m->body);
    buf_printf(&m->path, "/schemas/%s.json", type->name);
    if (is_added(m, buf_view(&m->path))) {
        return NGX_OK;
    }
    unsigned apis = openapi_print_name(&m->body, type->name);
    return add_document(m->cf, m->documents, apis, &m->path, &m->body);
}

static ngx_int_t
add_version(maker_t *m, api_t api, tmf_version_t version)
{
    object_set_t types;
    ngx_int_t rc = add_openapi(m, api, version);

    openapi_types(&types, api, version);
    for (int i = 0; rc == NGX_OK && i < types.count; i++) {
        rc = add_type(m, api, version, types.objects[i]);
        if (rc == NGX_OK) {
            rc = add_name(m, types.objects[i]);
        }
    }
    return rc;
}

static ngx_int_t
add_all(maker_t *m)
{
    for (int api = 0; api < API_COUNT; api++) {
        for (int version = 0; version < TMF_VERSION_COUNT; version++) {
            if (api_release((api_t) api, (tmf_version_t) version) != NULL &&
                add_version(m, (api_t) api, (tmf_version_t) version) !=
                    NGX_OK) {
                return NGX_ERROR;
            }
        }
    }
    return NGX_OK;
}

ngx_array_t *
ngx_http_tmf_documents_create(ngx_conf_t *cf)
{
    maker_t m = {.cf = cf};

    m.documents =
        ngx_array_create(cf->pool, 256, sizeof(ngx_http_tmf_document_t));
    if (m.documents == NULL) {
        return NULL;
    }
    buf_init(&m.path, NGX_MAX_PATH);
    buf_init(&m.body, OPENAPI_MAX_BYTES);
    ngx_int_t rc = add_all(&m);
    buf_free(&m.path);
    buf_free(&m.body);
    return rc == NGX_OK ? m.documents : NULL;
}

const ngx_http_tmf_document_t *
ngx_http_tmf_document_find(const ngx_array_t *documents, ngx_uint_t apis,
                           str_t path)
{
    const ngx_http_tmf_document_t *all = documents->elts;

    for (ngx_uint_t i = 0; i < documents->nelts; i++) {
        if ((all[i].apis & apis) && str_eq(all[i].path, path)) {
            return &all[i];
        }
    }
    return NULL;
}

ngx_int_t
ngx_http_tmf_document_send(ngx_http_request_t *r)
{
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);
    const ngx_http_tmf_document_t *document = ctx->document;
    tmf_error_t err;

    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    etag_verdict_t verdict = etag_judge(&ctx->conditions, document->tag, true);
    if (verdict == ETAG_FAILED) {
        tmf_error_set(&err, NGX_HTTP_PRECONDITION_FAILED,
                      TMF_CODE_PRECONDITION, "Precondition failed", NULL,
                      "If-Match does not hold for the document as it is now");
        return ngx_http_tmf_send_error(r, &err);
    }
    if (ngx_http_tmf_add_etag(r, document->tag) != NGX_OK) {
        return NGX_ERROR;
    }
    return verdict == ETAG_NOT_MODIFIED
               ? ngx_http_tmf_send_kept(r, NGX_HTTP_NOT_MODIFIED,
                                        NGX_HTTP_TMF_JSON, STR_NONE)
               : ngx_http_tmf_send_kept(r, NGX_HTTP_OK, NGX_HTTP_TMF_JSON,
                                        document->body);
}
