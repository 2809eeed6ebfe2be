/*
 * What the types of attributes mean.
 */
#include "proto/attr.h"

#define INTEGER_DIGITS 18 /* always fits 64 bits */
#define URI_MAX        2048

bool
attr_is_blank(str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!strchr(" \t\r\n", s.data[i])) {
            return false;
        }
    }
    return true;
}

static bool
is_integer(str_t s)
{
    size_t sign = s.len > 0 && s.data[0] == '-';
    return !memchr(s.data, '.', s.len) && !memchr(s.data, 'e', s.len) &&
           !memchr(s.data, 'E', s.len) && s.len - sign <= INTEGER_DIGITS;
}

static bool
starts_with_nocase(str_t s, const char *prefix)
{
    size_t len = strlen(prefix);

    if (s.len < len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = s.data[i];
        if (c >= 'A' && c <= 'Z') {
            c = (char) (c | 0x20);
        }
        if (c != prefix[i]) {
            return false;
        }
    }
    return true;
}

/* RFC 3986: scheme and a host, and only characters that a URL may hold. That
 * the host exists and may be called is for those who call it. */
static bool
is_http_url(str_t s)
{
    size_t from = starts_with_nocase(s, "http://")    ? 7
                  : starts_with_nocase(s, "https://") ? 8
                                                      : 0;

    if (from == 0 || s.len > URI_MAX) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];
        if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}", c)) {
            return false;
        }
    }
    return from < s.len && !strchr("/?#:@", s.data[from]);
}

/* Which files may be named so is for those who open them. */
static bool
is_file_url(str_t s)
{
    return s.len <= URI_MAX && starts_with_nocase(s, "file:/");
}

bool
attr_is_among(str_t s, const char *const *values)
{
    for (const char *const *p = values; *p; p++) {
        if (str_is(s, *p)) {
            return true;
        }
    }
    return false;
}

bool
attr_fits(const attr_schema_t *attr, json_type_t type, str_t text)
{
    long long us;

    switch (attr->type) {
    case ATTR_ANY:
        return true;
    case ATTR_STRING:
        return type == JSON_STRING;
    case ATTR_BOOLEAN:
        return type == JSON_BOOL;
    case ATTR_INTEGER:
        return type == JSON_NUMBER && is_integer(text);
    case ATTR_NUMBER:
        return type == JSON_NUMBER;
    case ATTR_DATE_TIME:
        return type == JSON_STRING && rfc3339_parse(text, &us);
    case ATTR_URI:
        return type == JSON_STRING &&
               (is_http_url(text) ||
                ((attr->flags & ATTR_FILE) && is_file_url(text)));
    case ATTR_ENUM:
        return type == JSON_STRING && attr_is_among(text, attr->values);
    case ATTR_OBJECT:
        return false;
    }
    return false;
}
