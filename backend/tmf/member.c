/*
 * Members and hrefs, as text: nothing here builds a tree.
 */
#include "backend/tmf/member.h"

#include "backend/domain/record.h"

/* scheme, host, path and an id of 255 characters, each percent-encoded */
#define HREF_MAX 8192

tmf_version_t
view_version(const tmf_view_t *v)
{
    tmf_version_t version = TMF_V4;

    (void) tmf_version_parse(v->version, &version); /* the edge knows them */
    return version;
}

void
tmf_collection(buf_t *out, const tmf_view_t *v, api_t api, str_t resource)
{
    buf_str(out, v->base);
    buf_puts(out, api_path(api));
    buf_char(out, '/');
    buf_str(out, v->version);
    buf_char(out, '/');
    buf_str(out, resource);
}

void
tmf_href(buf_t *out, const tmf_view_t *v, api_t api, const char *resource,
         str_t id)
{
    tmf_collection(out, v, api, str_of(resource));
    buf_char(out, '/');
    buf_url(out, id);
}

bool
member_shown(const tmf_view_t *v, str_t name)
{
    return !v->query || query_wants(v->query, name) ||
           (str_is(name, "@type") && view_version(v) == TMF_V5);
}

const json_t *
member_given(const json_t *o, str_t name)
{
    const json_t *v = json_get_str(o, name);

    return v && v->type != JSON_NULL ? v : NULL;
}

const json_t *
member_kept(const json_t *stored, const json_t *result)
{
    const json_t *is = json_get_str(result, stored->name);

    return is && is->type == JSON_NULL && stored->type != JSON_NULL ? NULL
                                                                    : is;
}

bool
member_among(str_t name, const char *const *names)
{
    for (; *names; names++) {
        if (str_is(name, *names)) {
            return true;
        }
    }
    return false;
}

void
member_href(buf_t *out, const char *name, const tmf_view_t *v, api_t api,
            const char *resource, str_t id)
{
    buf_t href;

    buf_init(&href, HREF_MAX);
    tmf_href(&href, v, api, resource, id);
    json_put_text(out, name, buf_view(&href));
    buf_free(&href);
}

bool
member_href_leads(str_t href, const tmf_view_t *v, api_t api,
                  const char *resource, str_t id)
{
    tmf_view_t anywhere = {.version = v->version};
    buf_t path;

    buf_init(&path, HREF_MAX);
    tmf_href(&path, &anywhere, api, resource, id);
    bool leads = href.len >= path.len &&
                 str_eq((str_t){href.data + href.len - path.len, path.len},
                        buf_view(&path));
    buf_free(&path);
    return leads;
}

void
member_uuid(buf_t *out, const char *name, uuid_t u)
{
    char text[UUID_TEXT + 1];

    uuid_print(u, text);
    json_put_text(out, name, (str_t){text, UUID_TEXT});
}

void
member_time(buf_t *out, const char *name, int64_t us)
{
    char text[32];

    if (us == NO_TIME) {
        return;
    }
    rfc3339_print(us, text);
    json_put_text(out, name, str_of(text));
}

void
member_some_raw(buf_t *out, const char *name, str_t raw)
{
    if (raw.len > 0) {
        json_put_raw(out, name, raw);
    }
}

void
member_copy(buf_t *out, const json_t *member)
{
    json_comma(out);
    buf_json(out, member->name);
    buf_char(out, ':');
    buf_str(out, member->raw);
}

int
member_parties(arena_t *a, const json_t *doc, const str_t **ret)
{
    const json_t *parties = json_get(doc, "relatedParty");
    bool is_list = parties && parties->type == JSON_ARRAY;
    str_t *ids = arena_array(a, str_t, is_list ? (size_t) parties->count : 0);
    int n = 0;

    *ret = ids;
    json_each(party, is_list ? parties : NULL)
    {
        const json_t *id = json_get(party, "id");

        if (id && id->type == JSON_STRING) {
            ids[n++] = id->text;
        }
    }
    return n;
}

const char *
member_order_state(order_state_t s, const tmf_view_t *v)
{
    if (s == ORDER_PENDING_EXTERNAL && v->strict) {
        s = ORDER_PENDING;
    }
    return order_state_name(s);
}

/* Spelt as one: 1.0 and 1e2 are numbers. */
static bool
is_integer(str_t number)
{
    for (size_t i = 0; i < number.len; i++) {
        char c = number.data[i];
        if (c == '.' || c == 'e' || c == 'E') {
            return false;
        }
    }
    return true;
}

/* What a value is, in the words TMF633 uses for valueType; NULL: nothing. */
static const char *
value_type(const json_t *value)
{
    switch (value->type) {
    case JSON_STRING:
        return "string";
    case JSON_BOOL:
        return "boolean";
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_NUMBER:
        return is_integer(value->raw) ? "integer" : "number";
    case JSON_NULL:
        break;
    }
    return NULL;
}

const json_t *
member_described(const json_t *described, str_t name, const json_t **last)
{
    const json_t *start = *last && (*last)->next ? (*last)->next
                          : described            ? described->child
                                                 : NULL;
    const json_t *c = start;

    while (c) {
        if (str_eq(json_text(c, "name"), name)) {
            *last = c;
            return c;
        }
        c = c->next ? c->next : described->child;
        if (c == start) {
            break;
        }
    }
    return NULL;
}

void
member_characteristics(buf_t *out, const json_t *values,
                       const json_t *described)
{
    static const char *const ours[] = {"name", "value", NULL};
    const json_t *last = NULL;

    if (!values || values->type != JSON_OBJECT) {
        return;
    }
    json_name(out, "serviceCharacteristic");
    buf_char(out, '[');
    json_each(value, values)
    {
        const json_t *entry = member_described(described, value->name, &last);
        const char *type = value_type(value);

        json_comma(out);
        buf_char(out, '{');
        json_put_text(out, "name", value->name);
        json_put_raw(out, "value", value->raw);
        if (!entry && type) {
            json_put_text(out, "valueType", str_of(type));
        }
        json_each(extra, entry)
        {
            if (!member_among(extra->name, ours)) {
                member_copy(out, extra);
            }
        }
        json_end(out, '}');
    }
    json_end(out, ']');
}
