/*
 * Lists of entity tags.
 */
#include "proto/etag.h"

typedef struct {
    bool weak;
    str_t opaque; /* with its quotes */
} etag_t;

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9110 section 8.8.3, "etagc": no blank, no quote, no control character;
 * there are no escapes. */
static bool
is_etagc(char c)
{
    unsigned char u = (unsigned char) c;

    return u > 0x20 && u != '"' && u != 0x7f;
}

static void
skip(str_t *s, size_t n)
{
    s->data += n;
    s->len -= n;
}

static void
skip_blanks(str_t *s)
{
    while (s->len > 0 && is_blank(s->data[0])) {
        skip(s, 1);
    }
}

static bool
is_any(str_t s)
{
    skip_blanks(&s);
    while (s.len > 0 && is_blank(s.data[s.len - 1])) {
        s.len--;
    }
    return str_is(s, "*");
}

/* 1 with the next tag, 0 at the end, -1 malformed. Empty elements are skipped
 * (RFC 9110 section 5.6.1.2). */
static int
next_tag(str_t *rest, etag_t *ret)
{
    size_t n = 1;

    while (rest->len > 0 && (is_blank(rest->data[0]) || *rest->data == ',')) {
        skip(rest, 1);
    }
    if (rest->len == 0) {
        return 0;
    }
    ret->weak = rest->len > 1 && !memcmp(rest->data, "W/", 2);
    skip(rest, ret->weak ? 2 : 0);
    if (rest->len == 0 || rest->data[0] != '"') {
        return -1;
    }
    while (n < rest->len && is_etagc(rest->data[n])) {
        n++;
    }
    if (n == rest->len || rest->data[n] != '"') {
        return -1;
    }
    ret->opaque = (str_t){rest->data, n + 1};
    skip(rest, n + 1);
    skip_blanks(rest);
    return rest->len == 0 || rest->data[0] == ',' ? 1 : -1;
}

static bool
list_has(str_t list, str_t tag, bool weakly)
{
    etag_t t;

    if (is_any(list)) {
        return true;
    }
    while (next_tag(&list, &t) == 1) {
        if ((weakly || !t.weak) && str_eq(t.opaque, tag)) {
            return true;
        }
    }
    return false;
}

/* The grammar allows a list of nothing. Here it is refused: it is what a
 * client sends that has lost its tag, and nobody should have to guess whether
 * that means "never" or "in any case". */
static bool
check_list(const char *name, str_t list, tmf_error_t *err)
{
    etag_t t;
    int more, count = 0;

    if (!list.data || is_any(list)) {
        return true;
    }
    while ((more = next_tag(&list, &t)) == 1) {
        count++;
    }
    if (more == 0 && count > 0) {
        return true;
    }
    tmf_error_set(err, 400, TMF_CODE_HEADER_INVALID, "Invalid header", NULL,
                  "%s is \"*\" or a list of entity tags, each in double "
                  "quotes as ETag gave it",
                  name);
    return false;
}

bool
etag_check(const etag_conditions_t *c, tmf_error_t *err)
{
    return check_list("If-Match", c->match, err) &&
           check_list("If-None-Match", c->none_match, err);
}

etag_verdict_t
etag_judge(const etag_conditions_t *c, str_t tag, bool reads)
{
    if (c->match.data && !list_has(c->match, tag, false)) {
        return ETAG_FAILED;
    }
    if (c->none_match.data && list_has(c->none_match, tag, true)) {
        return reads ? ETAG_NOT_MODIFIED : ETAG_FAILED;
    }
    return ETAG_PROCEED;
}
