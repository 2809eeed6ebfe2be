/*
 * Elements of a large array: brackets are counted, strings are skipped.
 */
#include "backend/base/json_split.h"

void
json_split_init(json_split_t *s, str_t text)
{
    *s = (json_split_t){.rest = text};
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
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
    while (s->len && is_blank(s->data[0])) {
        skip(s, 1);
    }
}

/* Bytes of a string and its quotes; all there are where it has no end. */
static size_t
string_length(str_t s)
{
    size_t n = 1;

    while (n < s.len && s.data[n] != '"') {
        n += s.data[n] == '\\' ? 2 : 1;
    }
    return n < s.len ? n + 1 : s.len;
}

/* Bytes up to the comma or bracket behind the element; all there are where
 * there is none. */
static size_t
element_length(str_t s)
{
    size_t depth = 0, n = 0;

    while (n < s.len) {
        char c = s.data[n];

        if (c == '"') {
            n += string_length((str_t){s.data + n, s.len - n});
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']')) {
            return n;
        }
        depth += c == '[' || c == '{';
        depth -= depth > 0 && (c == ']' || c == '}');
        n++;
    }
    return n;
}

static int
end(json_split_t *s)
{
    skip(&s->rest, 1);
    skip_blanks(&s->rest);
    return s->rest.len == 0 ? 0 : -1;
}

int
json_split_next(json_split_t *s, str_t *ret)
{
    char before = s->begun ? ',' : '[';

    skip_blanks(&s->rest);
    if (s->begun && s->rest.len && s->rest.data[0] == ']') {
        return end(s);
    }
    if (!s->rest.len || s->rest.data[0] != before) {
        return -1;
    }
    skip(&s->rest, 1);
    skip_blanks(&s->rest);
    if (!s->begun && s->rest.len && s->rest.data[0] == ']') {
        return end(s);
    }
    s->begun = true;
    *ret = (str_t){s->rest.data, element_length(s->rest)};
    if (ret->len == 0 || ret->len == s->rest.len) {
        return -1;
    }
    skip(&s->rest, ret->len);
    while (is_blank(ret->data[ret->len - 1])) {
        ret->len--;
    }
    return 1;
}
