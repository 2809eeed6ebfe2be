/*
 * JSON as text: a checking scanner and what is built on it.
 */
#include <errno.h>
#include <stdlib.h>

#include "proto/json.h"
#include "t/common/json_text.h"

#define LONG_TEXT_MAX 24 /* characters of a 64-bit number, with room */

typedef struct {
    const char *at;
    const char *end;
} cursor_t;

static bool skip_value(cursor_t *c, int depth);

static void
skip_space(cursor_t *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' ||
                              *c->at == '\r' || *c->at == '\t')) {
        c->at++;
    }
}

static bool
skip_char(cursor_t *c, char want)
{
    if (c->at == c->end || *c->at != want) {
        return false;
    }
    c->at++;
    return true;
}

static int
hex_value(char x)
{
    if (x >= '0' && x <= '9') {
        return x - '0';
    }
    x |= 0x20;
    return x >= 'a' && x <= 'f' ? x - 'a' + 10 : -1;
}

/* Four hexadecimal digits, or -1. */
static int
read_hex4(cursor_t *c)
{
    int code = 0;

    if (c->end - c->at < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(*c->at++);

        if (digit < 0) {
            return -1;
        }
        code = code * 16 + digit;
    }
    return code;
}

/* Behind a backslash. */
static bool
skip_escape(cursor_t *c)
{
    int x = c->at < c->end ? *c->at++ : '\0';

    if (x == 'u') {
        return read_hex4(c) >= 0;
    }
    return x && strchr("\"\\/bfnrt", x);
}

static bool
skip_string(cursor_t *c)
{
    if (!skip_char(c, '"')) {
        return false;
    }
    while (c->at < c->end) {
        unsigned char x = (unsigned char) *c->at++;

        if (x == '"') {
            return true;
        }
        if (x < 0x20 || (x == '\\' && !skip_escape(c))) {
            return false;
        }
    }
    return false;
}

static bool
skip_digits(cursor_t *c)
{
    const char *from = c->at;

    while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        c->at++;
    }
    return c->at > from;
}

static bool
skip_number(cursor_t *c)
{
    (void) skip_char(c, '-');
    if (!skip_char(c, '0') && !skip_digits(c)) {
        return false;
    }
    if (skip_char(c, '.') && !skip_digits(c)) {
        return false;
    }
    if (c->at < c->end && (*c->at | 0x20) == 'e') {
        c->at++;
        if (!skip_char(c, '+')) {
            (void) skip_char(c, '-');
        }
        return skip_digits(c);
    }
    return true;
}

static bool
skip_word(cursor_t *c, str_t word)
{
    if ((size_t) (c->end - c->at) < word.len ||
        memcmp(c->at, word.data, word.len) != 0) {
        return false;
    }
    c->at += word.len;
    return true;
}

static bool
skip_array(cursor_t *c, int depth)
{
    c->at++;
    skip_space(c);
    if (skip_char(c, ']')) {
        return true;
    }
    do {
        skip_space(c);
        if (!skip_value(c, depth)) {
            return false;
        }
        skip_space(c);
    } while (skip_char(c, ','));
    return skip_char(c, ']');
}

/* A member's name; at its value afterwards. */
static bool
skip_name(cursor_t *c, str_t *ret)
{
    skip_space(c);

    const char *name = c->at;

    if (!skip_string(c)) {
        return false;
    }
    *ret = (str_t){name + 1, (size_t) (c->at - name) - 2};
    skip_space(c);
    if (!skip_char(c, ':')) {
        return false;
    }
    skip_space(c);
    return true;
}

static bool
skip_member(cursor_t *c, int depth, json_member_t *ret)
{
    if (!skip_name(c, &ret->name)) {
        return false;
    }

    const char *value = c->at;

    if (!skip_value(c, depth)) {
        return false;
    }
    ret->value = (str_t){value, (size_t) (c->at - value)};
    skip_space(c);
    return true;
}

static bool
skip_object(cursor_t *c, int depth)
{
    json_member_t m;

    c->at++;
    skip_space(c);
    if (skip_char(c, '}')) {
        return true;
    }
    do {
        if (!skip_member(c, depth, &m)) {
            return false;
        }
    } while (skip_char(c, ','));
    return skip_char(c, '}');
}

static bool
skip_value(cursor_t *c, int depth)
{
    if (c->at == c->end || depth == 0) {
        return false;
    }
    switch (*c->at) {
    case '{':
        return skip_object(c, depth - 1);
    case '[':
        return skip_array(c, depth - 1);
    case '"':
        return skip_string(c);
    case 't':
        return skip_word(c, STR("true"));
    case 'f':
        return skip_word(c, STR("false"));
    case 'n':
        return skip_word(c, STR("null"));
    default:
        return skip_number(c);
    }
}

bool
json_text_is_object(str_t s)
{
    cursor_t c = {s.data, s.data + s.len};

    skip_space(&c);
    if (c.at == c.end || *c.at != '{' || !skip_value(&c, JSON_TEXT_DEPTH)) {
        return false;
    }
    skip_space(&c);
    return c.at == c.end && utf8_valid(s) == s.len;
}

json_walk_t
json_walk(str_t object)
{
    return (json_walk_t){object.data, object.data + object.len, true};
}

int
json_walk_next(json_walk_t *w, json_member_t *ret)
{
    cursor_t c = {w->at, w->end};
    bool more;

    skip_space(&c);
    if (w->first) {
        more = skip_char(&c, '{');
        skip_space(&c);
        if (more && skip_char(&c, '}')) {
            return 0;
        }
    } else {
        if (c.at == c.end || skip_char(&c, '}')) {
            return 0;
        }
        more = skip_char(&c, ',');
    }
    if (!more || !skip_member(&c, JSON_TEXT_DEPTH - 1, ret)) {
        return -1;
    }
    w->first = false;
    w->at = c.at;
    return 1;
}

str_t
json_text_get(str_t object, const char *name)
{
    json_walk_t w = json_walk(object);
    json_member_t m;

    while (json_walk_next(&w, &m) == 1) {
        if (str_is(m.name, name)) {
            return m.value;
        }
    }
    return STR_NONE;
}

str_t
json_text_from(str_t object, const char *name)
{
    cursor_t c = {object.data, object.data + object.len};
    str_t found;

    skip_space(&c);
    if (!skip_char(&c, '{')) {
        return STR_NONE;
    }
    do {
        if (!skip_name(&c, &found)) {
            return STR_NONE;
        }
        if (str_is(found, name)) {
            return (str_t){c.at, (size_t) (c.end - c.at)};
        }
        if (!skip_value(&c, JSON_TEXT_DEPTH - 1)) {
            return STR_NONE;
        }
        skip_space(&c);
    } while (skip_char(&c, ','));
    return STR_NONE;
}

static void
put_utf8(buf_t *out, unsigned code)
{
    if (code < 0x80) {
        buf_char(out, (char) code);
    } else if (code < 0x800) {
        buf_char(out, (char) (0xc0 | code >> 6));
        buf_char(out, (char) (0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        buf_char(out, (char) (0xe0 | code >> 12));
        buf_char(out, (char) (0x80 | (code >> 6 & 0x3f)));
        buf_char(out, (char) (0x80 | (code & 0x3f)));
    } else {
        buf_char(out, (char) (0xf0 | code >> 18));
        buf_char(out, (char) (0x80 | (code >> 12 & 0x3f)));
        buf_char(out, (char) (0x80 | (code >> 6 & 0x3f)));
        buf_char(out, (char) (0x80 | (code & 0x3f)));
    }
}

/* Behind "\u": one code point, of two escapes where it is a surrogate pair;
 * a surrogate alone becomes U+FFFD. */
static void
put_unicode(buf_t *out, cursor_t *c)
{
    unsigned code = (unsigned) read_hex4(c);

    if (code >= 0xd800 && code < 0xdc00 && skip_word(c, STR("\\u"))) {
        unsigned low = (unsigned) read_hex4(c);

        code = low >= 0xdc00 && low < 0xe000
                   ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
                   : 0xfffd;
    }
    put_utf8(out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
}

bool
json_text_string(buf_t *out, str_t value)
{
    static const char spelt[] = "bfnrt", meant[] = "\b\f\n\r\t";
    cursor_t c = {value.data, value.data + value.len};

    if (value.len < 2 || !skip_string(&c) || c.at != c.end) {
        return false;
    }
    c = (cursor_t){value.data + 1, value.data + value.len - 1};
    while (c.at < c.end) {
        char x = *c.at++;

        if (x != '\\') {
            buf_char(out, x);
            continue;
        }
        x = *c.at++;
        if (x == 'u') {
            put_unicode(out, &c);
        } else {
            const char *p = strchr(spelt, x);

            x = p ? meant[p - spelt] : x;
            buf_char(out, x);
        }
    }
    return true;
}

bool
json_text_long(str_t value, long *ret)
{
    char text[LONG_TEXT_MAX];
    char *end;

    if (value.len == 0 || value.len >= sizeof text || value.data[0] == '+') {
        return false;
    }
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    errno = 0;

    long number = strtol(text, &end, 10);

    if (errno || *end || end == text) {
        return false;
    }
    *ret = number;
    return true;
}

static bool
has_member(str_t object, str_t name, str_t *ret)
{
    json_walk_t w = json_walk(object);
    json_member_t m;

    while (json_walk_next(&w, &m) == 1) {
        if (str_eq(m.name, name)) {
            *ret = m.value;
            return true;
        }
    }
    return false;
}

static void
put_member(buf_t *out, bool *first, str_t name, str_t value)
{
    buf_char(out, *first ? '{' : ',');
    *first = false;
    buf_char(out, '"');
    buf_str(out, name);
    buf_put(out, "\":", 2);
    buf_str(out, value);
}

void
json_text_merge(buf_t *out, str_t object, str_t patch)
{
    json_walk_t w = json_walk(object);
    json_member_t m;
    str_t other;
    bool first = true;

    while (json_walk_next(&w, &m) == 1) {
        if (!has_member(patch, m.name, &other)) {
            put_member(out, &first, m.name, m.value);
        } else if (!str_is(other, "null")) {
            put_member(out, &first, m.name, other);
        }
    }
    w = json_walk(patch);
    while (json_walk_next(&w, &m) == 1) {
        if (!str_is(m.value, "null") && !has_member(object, m.name, &other)) {
            put_member(out, &first, m.name, m.value);
        }
    }
    if (first) {
        buf_char(out, '{');
    }
    buf_char(out, '}');
}
