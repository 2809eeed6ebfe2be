/*
 * Content negotiation: Accept and Content-Type (RFC 9110 sections 8.3, 12.5).
 */
#include "ngx_http_tmf.h"

typedef struct {
    u_char *pos;
    u_char *end;
} cursor_t;

static ngx_uint_t
is_space(u_char c)
{
    return c == ' ' || c == '\t';
}

/* The text up to one of stops, trimmed; *stop: at which, 0 = the end. What
 * stands in quotes hides the stops. */
static ngx_str_t
next_part(cursor_t *at, const char *stops, u_char *stop)
{
    u_char *start = at->pos;
    ngx_uint_t quoted = 0;

    while (at->pos < at->end) {
        u_char c = *at->pos;
        if (quoted && c == '\\' && at->pos + 1 < at->end) {
            at->pos++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c != '\0' && strchr(stops, c) != NULL) {
            break;
        }
        at->pos++;
    }
    u_char *last = at->pos;
    *stop = at->pos < at->end ? *at->pos++ : 0;
    while (start < last && is_space(*start)) {
        start++;
    }
    while (last > start && is_space(last[-1])) {
        last--;
    }
    return (ngx_str_t){(size_t) (last - start), start};
}

static ngx_uint_t
is_name(ngx_str_t s, const char *name)
{
    size_t len = strlen(name);

    return s.len == len && ngx_strncasecmp(s.data, (u_char *) name, len) == 0;
}

/* "q=0", "q=0.0", "q=0.00": not wanted. */
static ngx_uint_t
is_zero_quality(ngx_str_t parameter)
{
    if (parameter.len < 3 || ngx_tolower(parameter.data[0]) != 'q' ||
        parameter.data[1] != '=') {
        return 0;
    }
    for (size_t i = 2; i < parameter.len; i++) {
        if (parameter.data[i] != '0' && parameter.data[i] != '.') {
            return 0;
        }
    }
    return 1;
}

/* How closely a media range names application/json; 0: not at all. */
static ngx_uint_t
range_closeness(ngx_str_t range)
{
    if (is_name(range, NGX_HTTP_TMF_JSON)) {
        return 3;
    }
    if (is_name(range, "application/*")) {
        return 2;
    }
    return is_name(range, "*/*") ? 1 : 0;
}

typedef struct {
    ngx_uint_t closeness; /* of the closest range so far */
    ngx_uint_t wanted;    /* its verdict */
} accept_t;

static void
accept_read(accept_t *accept, ngx_str_t value)
{
    cursor_t at = {value.data, value.data + value.len};
    u_char stop = ',';

    while (stop != 0) {
        ngx_str_t range = next_part(&at, ",;", &stop);
        ngx_uint_t wanted = 1;
        while (stop == ';') {
            ngx_str_t parameter = next_part(&at, ",;", &stop);
            if (is_zero_quality(parameter)) {
                wanted = 0;
            }
        }
        ngx_uint_t closeness = range_closeness(range);
        if (closeness > accept->closeness) {
            accept->closeness = closeness;
            accept->wanted = wanted;
        }
    }
}

ngx_int_t
ngx_http_tmf_accepts_json(ngx_http_request_t *r)
{
    ngx_list_part_t *part = &r->headers_in.headers.part;
    accept_t accept = {0, 0};
    ngx_uint_t seen = 0;

    for (; part != NULL; part = part->next) {
        ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (is_name(headers[i].key, "accept")) {
                seen = 1;
                accept_read(&accept, headers[i].value);
            }
        }
    }
    return !seen || accept.wanted;
}

str_t
ngx_http_tmf_media_type(ngx_http_request_t *r)
{
    if (r->headers_in.content_type == NULL) {
        return STR_NONE;
    }
    ngx_str_t value = r->headers_in.content_type->value;
    cursor_t at = {value.data, value.data + value.len};
    u_char stop;
    ngx_str_t type = next_part(&at, ";", &stop);

    while (stop != 0) {
        ngx_str_t parameter = next_part(&at, ";", &stop);
        if (parameter.len >= 8 &&
            ngx_strncasecmp(parameter.data, (u_char *) "charset=", 8) == 0 &&
            !is_name(parameter, "charset=utf-8") &&
            !is_name(parameter, "charset=\"utf-8\"")) {
            return STR_NONE;
        }
    }
    return ngx_http_tmf_str(&type);
}
