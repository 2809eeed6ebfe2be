/*
 * TMF633 serviceSpecification documents: what is stored is what the client
 * sent, with the server's attributes filled in and without an href.
 */
#include "backend/tmf/specification.h"

#include "backend/tmf/member.h"

/* What can stand in a path as it is: RFC 3986 unreserved characters. */
#define NAME_MAX_BYTES 255

#define VERSION_DEFAULT "1.0"

/* Written by store_document() itself, or never stored. */
static const char *const server_own[] = {"id", "href", "version", "lastUpdate",
                                         NULL};

/* Attributes that a stored document always has, as JSON. */
static const struct {
    const char *name;
    str_t value;
} defaults[] = {
    {"lifecycleStatus", {"\"Active\"", 8}},
    {"isBundle", {"false", 5}},
    {"@type", {"\"ServiceSpecification\"", 22}},
};

#define DEFAULT_COUNT (sizeof(defaults) / sizeof(defaults[0]))

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

static bool
needs_default(const json_t *doc, size_t i)
{
    return !is_given(json_get(doc, defaults[i].name));
}

/* Does a default take the place of this member? */
static bool
is_replaced(const json_t *doc, str_t name)
{
    for (size_t i = 0; i < DEFAULT_COUNT; i++) {
        if (str_is(name, defaults[i].name)) {
            return needs_default(doc, i);
        }
    }
    return false;
}

static void
store_document(buf_t *out, const json_t *doc, str_t id, str_t version,
               int64_t now_us)
{
    buf_char(out, '{');
    json_put_text(out, "id", id);
    json_put_text(out, "version", version);
    member_time(out, "lastUpdate", now_us);
    for (size_t i = 0; i < DEFAULT_COUNT; i++) {
        if (needs_default(doc, i)) {
            json_put_raw(out, defaults[i].name, defaults[i].value);
        }
    }
    json_each(m, doc)
    {
        if (!member_among(m->name, server_own) && !is_replaced(doc, m->name)) {
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

bool
specification_create(buf_t *out, const json_t *body, str_t new_id,
                     int64_t now_us, str_t *ret_id, str_t *ret_version,
                     arena_t *a, tmf_error_t *err)
{
    str_t id, version;

    if (!body || body->type != JSON_OBJECT) {
        return refuse(err, "", "a service specification must be an object");
    }
    if (!read_name(body, "id", new_id, &id)) {
        return refuse(err, "/id",
                      "id must be 1 to 255 of A-Z a-z 0-9 . _ ~ -");
    }
    if (!read_name(body, "version", STR(VERSION_DEFAULT), &version)) {
        return refuse(err, "/version",
                      "version must be 1 to 255 of A-Z a-z 0-9 . _ ~ -");
    }
    *ret_id = arena_str(a, id);
    *ret_version = arena_str(a, version);
    store_document(out, body, id, version, now_us);
    return true;
}

static bool
patch_document(buf_t *patched, arena_t *a, const json_t *stored,
               const json_t *patch, patch_kind_t kind, tmf_error_t *err)
{
    const resource_t *r =
        resource_find(API_CATALOG, STR("serviceSpecification"));

    return patch_apply(patched, a, stored, patch, kind, err) &&
           patch_check(r->create, stored, buf_view(patched), err);
}

bool
specification_patch(buf_t *out, arena_t *a, const json_t *stored,
                    const json_t *patch, patch_kind_t kind, int64_t now_us,
                    tmf_error_t *err)
{
    buf_t patched;
    bool good;

    buf_init(&patched, JSON_MAX_BYTES);
    good = patch_document(&patched, a, stored, patch, kind, err);
    if (good) {
        store_document(out, json_parse(a, buf_view(&patched), NULL),
                       json_text(stored, "id"), json_text(stored, "version"),
                       now_us);
    }
    buf_free(&patched);
    return good;
}

void
specification_to_tmf(buf_t *out, const json_t *stored, const tmf_view_t *v)
{
    static const char *const ours[] = {"id", "href", NULL};
    str_t id = json_text(stored, "id");

    buf_char(out, '{');
    json_put_text(out, "id", id);
    member_href(out, "href", v, API_CATALOG, "serviceSpecification", id);
    json_each(m, stored)
    {
        if (!member_among(m->name, ours) && member_shown(v, m->name)) {
            member_copy(out, m);
        }
    }
    json_end(out, '}');
}
