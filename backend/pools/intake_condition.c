/*
 * Conditional requests: the tag of a representation, and what a request makes
 * depend on it.
 *
 * The tag is a hash of the rendered body, because nothing stored says as much:
 * an order shows its items' states, errors and what they wait for, and the
 * version of its row counts only its own state; what is shown depends on the
 * URL's query, the state profile and the host in hrefs besides. A body that
 * differs in nothing has the same tag, whoever renders it; 128 bits of SHA-256
 * do not collide by accident nor by intent.
 */
#include "backend/pools/intake.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "backend/tmf/member.h"
#include "backend/tmf/select.h"

#define TAG_BYTES 16

str_t
entity_tag(arena_t *a, str_t body)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[EVP_MAX_MD_SIZE];
    char text[2 * TAG_BYTES + 1];

    if (!EVP_Digest(body.data, body.len, hash, NULL, EVP_sha256(), NULL)) {
        abort(); /* out of memory */
    }
    for (size_t i = 0; i < TAG_BYTES; i++) {
        text[2 * i] = digits[hash[i] >> 4];
        text[2 * i + 1] = digits[hash[i] & 15];
    }
    text[sizeof(text) - 1] = '\0';
    return arena_printf(a, "\"%s\"", text);
}

str_t
entity_tag_header(arena_t *a, str_t tag)
{
    return arena_printf(a, "ETag: %.*s\n", STR_FMT(tag));
}

static etag_conditions_t
conditions_of(const request_t *r)
{
    str_t match = r->frame.if_match, none = r->frame.if_none_match;

    return (etag_conditions_t){match.len ? match : STR_NONE,
                               none.len ? none : STR_NONE};
}

bool
request_conditional(const request_t *r)
{
    return r->frame.if_match.len || r->frame.if_none_match.len;
}

tmf_view_t
request_plain_view(const request_t *r)
{
    tmf_view_t v = request_view(r);

    v.query = NULL;
    return v;
}

bool
request_condition(group_t *g, request_t *r, str_t tag)
{
    etag_conditions_t c = conditions_of(r);
    tmf_error_t e;

    if (!request_conditional(r)) {
        return true;
    }
    if (!etag_check(&c, &e)) { /* the edge did; others write streams too */
        request_error(g, r, &e);
        return false;
    }
    switch (etag_judge(&c, tag, str_is(r->frame.method, "GET"))) {
    case ETAG_PROCEED:
        return true;
    case ETAG_NOT_MODIFIED:
        request_answer(r, 304, entity_tag_header(group_arena(g), tag),
                       STR_NONE);
        return false;
    default:
        request_fail(g, r, 412, TMF_CODE_PRECONDITION, "Precondition failed",
                     "If-Match or If-None-Match does not hold for the "
                     "resource as it is now; read it again");
        return false;
    }
}

static str_t
trim(arena_t *a, const request_t *r, str_t body)
{
    tmf_view_t v = request_view(r);
    buf_t out;

    if (!v.query || !v.query->has_fields) {
        return body;
    }
    buf_init(&out, 2 * body.len + 2);
    buf_char(&out, '{');
    json_each(m, json_parse(a, body, NULL))
    {
        if (member_shown(&v, m->name)) {
            member_copy(&out, m);
        }
    }
    json_end(&out, '}');
    tmf_select(&out, 0, a, &v);
    return arena_take(a, &out);
}

void
request_answer_resource(group_t *g, request_t *r, int status, str_t id,
                        str_t body)
{
    arena_t *a = group_arena(g);
    str_t tag = entity_tag(a, body);
    str_t location = status == 201 ? location_header(a, r, id) : STR("");
    str_t etag = entity_tag_header(a, tag);

    request_answer(
        r, status,
        arena_printf(a, "%.*s%.*s", STR_FMT(location), STR_FMT(etag)),
        trim(a, r, body));
}
