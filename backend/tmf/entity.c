/*
 * TMF633 documents: what is stored is what the client sent, with the server's
 * attributes filled in and without an href.
 */
#define _GNU_SOURCE
#include "backend/tmf/entity.h"

#include <strings.h>

#include "backend/tmf/member.h"
#include "proto/schema_tables.h"

/* What can stand in a path as it is: RFC 3986 unreserved characters. */
#define NAME_MAX_BYTES 255

#define VERSION_DEFAULT "1.0"

/* Jobs last. */
static const entity_kind_t kinds[] = {
    {"serviceCatalog", &tmf_service_catalog, false, false},
    {"serviceCategory", &tmf_service_category, false, false},
    {"serviceCandidate", &tmf_service_candidate, false, false},
    {"serviceSpecification", &tmf_service_specification, true, false},
    {"importJob", &tmf_import_job, false, true},
    {"exportJob", &tmf_export_job, false, true},
};

#define KIND_COUNT ((int) (sizeof(kinds) / sizeof(kinds[0])))

const entity_kind_t *
entity_kind(str_t resource)
{
    for (int i = 0; i < KIND_COUNT; i++) {
        if (str_is(resource, kinds[i].resource)) {
            return &kinds[i];
        }
    }
    return NULL;
}

const entity_kind_t *
entity_kind_at(int i)
{
    return i < KIND_COUNT && !kinds[i].job ? &kinds[i] : NULL;
}

const entity_kind_t *
entity_kind_of_path(str_t path)
{
    const char *slash = memrchr(path.len ? path.data : "", '/', path.len);
    const entity_kind_t *k;

    if (slash) {
        path.len -= (size_t) (slash + 1 - path.data);
        path.data = slash + 1;
    }
    k = entity_kind(path);
    return k && !k->job ? k : NULL;
}

str_t
entity_event(const entity_kind_t *k, const char *what, arena_t *a)
{
    return arena_printf(a, "%s%sEvent", k->schema->name, what);
}

/* "." and ".." would be taken for steps of a path. */
static bool
is_path_name(str_t s)
{
    if (s.len == 0 || s.len > NAME_MAX_BYTES || str_is(s, ".") ||
        str_is(s, "..")) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
              (c >= 'a' && c <= 'z') || (c && strchr("-._~", c)))) {
            return false;
        }
    }
    return true;
}

static bool
refuse(tmf_error_t *err, const char *pointer, const char *message)
{
    tmf_error_set(err, 400, TMF_CODE_FIELD_INVALID, "Invalid body field",
                  pointer, "%s", message);
    return false;
}

/* A member with something in it: neither null nor an empty text. */
static bool
is_given(const json_t *v)
{
    return v && v->type != JSON_NULL &&
           !(v->type == JSON_STRING && v->text.len == 0);
}

static const attr_schema_t *
find_attribute(const entity_kind_t *k, str_t name)
{
    for (const attr_schema_t *at = k->schema->attrs; at->name; at++) {
        if (str_is(name, at->name)) {
            return at;
        }
    }
    return NULL;
}

/* Written by store_document() itself, or never stored. */
static bool
is_ours(const entity_kind_t *k, str_t name)
{
    const attr_schema_t *at = find_attribute(k, name);

    return at && ((at->flags & ATTR_SERVER) || str_is(name, "id") ||
                  (k->versions && str_is(name, "version")));
}

/* Attributes that a stored document always has: the value, as JSON, of one
 * that the client did not give; else empty. */
static str_t
default_value(const entity_kind_t *k, const json_t *doc, const char *name,
              arena_t *a)
{
    if (!find_attribute(k, str_of(name)) ||
        (is_given(json_get(doc, name)) && !is_ours(k, str_of(name)))) {
        return STR_NONE;
    }
    if (!strcmp(name, "status")) {
        return STR("\"Not Started\"");
    }
    if (!strcmp(name, "@type")) {
        return arena_printf(a, "\"%s\"", k->schema->name);
    }
    if (!strcmp(name, "isRoot")) {
        return is_given(json_get(doc, "parentId")) ? STR("false")
                                                   : STR("true");
    }
    return !strcmp(name, "isBundle") ? STR("false") : STR("\"Active\"");
}

static void
store_document(buf_t *out, arena_t *a, const entity_kind_t *k,
               const json_t *doc, str_t id, str_t version, int64_t now_us)
{
    static const char *const names[] = {"status", "lifecycleStatus",
                                        "isBundle", "isRoot", "@type"};
    const char *filled[sizeof(names) / sizeof(names[0]) + 1] = {NULL};
    int n = 0;

    buf_char(out, '{');
    json_put_text(out, "id", id);
    if (k->versions) {
        json_put_text(out, "version", version);
    }
    member_time(out, k->job ? "creationDate" : "lastUpdate", now_us);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        str_t value = default_value(k, doc, names[i], a);

        if (value.len) {
            json_put_raw(out, names[i], value);
            filled[n++] = names[i];
        }
    }
    json_each(m, doc)
    {
        if (!is_ours(k, m->name) && !member_among(m->name, filled)) {
            member_copy(out, m);
        }
    }
    json_end(out, '}');
}

/* The member's text, or dflt when it is not given. */
static bool
read_name(const json_t *body, const char *name, str_t dflt, str_t *ret)
{
    const json_t *v = json_get(body, name);

    *ret = dflt;
    if (!v || v->type == JSON_NULL) {
        return true;
    }
    *ret = v->text;
    return v->type == JSON_STRING && is_path_name(v->text);
}

static bool
is_json_type(str_t type)
{
    const char *semicolon = memchr(type.len ? type.data : "", ';', type.len);
    size_t n = semicolon ? (size_t) (semicolon - type.data) : type.len;

    while (n && type.data[n - 1] == ' ') {
        n--;
    }
    return n == 16 && !strncasecmp(type.data, "application/json", 16);
}

/* Conditions and nothing else: what is exported can be imported. */
static bool
is_filter(str_t query, arena_t *a)
{
    query_t *q = arena_new(a, query_t); /* too large for a stack */
    tmf_error_t fault;

    return query_parse(q, query, &fault) == 0 && !q->has_fields &&
           q->limit < 0 && q->offset == 0 && q->sort_count == 0;
}

static bool
check_job(const json_t *doc, arena_t *a, tmf_error_t *err)
{
    str_t type = json_text(doc, "contentType");
    str_t path = json_text(doc, "path");

    if (type.len && !is_json_type(type)) {
        return refuse(err, "/contentType",
                      "only application/json is imported and exported");
    }
    if (path.len && !entity_kind_of_path(path)) {
        return refuse(err, "/path",
                      "path must be serviceCatalog, serviceCategory, "
                      "serviceCandidate or serviceSpecification");
    }
    if (!is_filter(json_text(doc, "query"), a)) {
        return refuse(err, "/query", "query must be a filter, as of a list");
    }
    return true;
}

/* What the tables cannot say. */
static bool
check_rules(const entity_kind_t *k, const json_t *doc, arena_t *a,
            tmf_error_t *err)
{
    if (k->job) {
        return check_job(doc, a, err);
    }
    if (k->schema == &tmf_service_category && json_is_true(doc, "isRoot") &&
        is_given(json_get(doc, "parentId"))) {
        return refuse(err, "/isRoot",
                      "a category with a parentId is not a root");
    }
    return true;
}

bool
entity_create(buf_t *out, const entity_kind_t *k, const json_t *body,
              str_t new_id, int64_t now_us, str_t *ret_id, str_t *ret_version,
              arena_t *a, tmf_error_t *err)
{
    str_t id, version = STR_NONE;

    if (!body || body->type != JSON_OBJECT) {
        return refuse(err, "", "a resource must be an object");
    }
    if (!read_name(body, "id", new_id, &id)) {
        return refuse(err, "/id",
                      "id must be 1 to 255 of A-Z a-z 0-9 . _ ~ -");
    }
    if (k->versions &&
        !read_name(body, "version", STR(VERSION_DEFAULT), &version)) {
        return refuse(err, "/version",
                      "version must be 1 to 255 of A-Z a-z 0-9 . _ ~ -");
    }
    if (!check_rules(k, body, a, err)) {
        return false;
    }
    *ret_id = arena_str(a, id);
    *ret_version = version.len ? arena_str(a, version) : STR_NONE;
    store_document(out, a, k, body, id, version, now_us);
    return true;
}

static bool
patch_document(buf_t *patched, arena_t *a, const entity_kind_t *k,
               const json_t *stored, const json_t *patch, patch_kind_t dialect,
               tmf_error_t *err)
{
    return patch_apply(patched, a, stored, patch, dialect, err) &&
           patch_check(k->schema, TMF_V4, stored, buf_view(patched), err) &&
           check_rules(k, json_parse(a, buf_view(patched), NULL), a, err);
}

bool
entity_patch(buf_t *out, arena_t *a, const entity_kind_t *k,
             const json_t *stored, const json_t *patch, patch_kind_t dialect,
             int64_t now_us, tmf_error_t *err)
{
    buf_t patched;
    bool good;

    buf_init(&patched, JSON_MAX_BYTES);
    good = patch_document(&patched, a, k, stored, patch, dialect, err);
    if (good) {
        store_document(out, a, k, json_parse(a, buf_view(&patched), NULL),
                       json_text(stored, "id"), json_text(stored, "version"),
                       now_us);
    }
    buf_free(&patched);
    return good;
}

void
entity_to_tmf(buf_t *out, const entity_kind_t *k, const json_t *stored,
              const tmf_view_t *v)
{
    static const char *const ours[] = {"id", "href", NULL};
    str_t id = json_text(stored, "id");

    buf_char(out, '{');
    json_put_text(out, "id", id);
    member_href(out, "href", v, API_CATALOG, k->resource, id);
    json_each(m, stored)
    {
        if (!member_among(m->name, ours) && member_shown(v, m->name)) {
            member_copy(out, m);
        }
    }
    json_end(out, '}');
}
