/*
 * Requests and replies as they lie in Redis. Reading trusts nothing: a stream
 * may hold what another version, or a person with redis-cli, has put there.
 */
#include "proto/frame.h"

#include <stdlib.h>

#define STATUS_DIGITS 3
#define STATUS_MIN    100
#define STATUS_MAX    599

typedef struct {
    str_t name;
    size_t offset; /* of the slice in request_frame_t */
} field_row_t;

static const field_row_t fields[REQUEST_FIELD_COUNT] = {
#define F(member, name) \
    {{name, sizeof(name) - 1}, offsetof(request_frame_t, member)},
    REQUEST_FIELDS(F)
#undef F
};

static str_t *
field_of(request_frame_t *f, int i)
{
    return (str_t *) ((char *) f + fields[i].offset);
}

int
request_frame_args(const request_frame_t *f, str_t *argv)
{
    int n = 0;

    for (int i = 0; i < REQUEST_FIELD_COUNT; i++) {
        const str_t *value =
            (const str_t *) ((const char *) f + fields[i].offset);
        if (value->len > 0) {
            argv[n++] = fields[i].name;
            argv[n++] = *value;
        }
    }
    return n;
}

/* The row for a name, or -1. Fields mostly come in the table's order, so the
 * search starts behind the last hit. */
static int
field_find(str_t name, int from)
{
    for (int i = 0; i < REQUEST_FIELD_COUNT; i++) {
        int row = (from + i) % REQUEST_FIELD_COUNT;
        if (str_eq(fields[row].name, name)) {
            return row;
        }
    }
    return -1;
}

int
request_frame_read(request_frame_t *ret, const str_t *argv, int n)
{
    int next = 0;

    *ret = (request_frame_t){0};
    if (n < 0 || n % 2 != 0) {
        return -1;
    }
    for (int i = 0; i < n; i += 2) {
        int row = field_find(argv[i], next);
        if (row >= 0) {
            *field_of(ret, row) = argv[i + 1];
            next = row + 1;
        }
    }
    return ret->id.len > 0 && ret->method.len > 0 ? 0 : -1;
}

void
reply_frame_write(buf_t *out, const reply_frame_t *f)
{
    buf_printf(out, "%d\n", f->status);
    buf_str(out, f->headers);
    buf_char(out, '\n');
    buf_str(out, f->body);
}

/* RFC 9110 section 5.6.2, "tchar". */
static bool
is_token(str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                     (c >= 'a' && c <= 'z');
        if (!alnum && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c))) {
            return false;
        }
    }
    return s.len > 0;
}

/* No control character but the tab: none can end a header early. */
static bool
is_field_value(str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

int
reply_header_next(str_t *rest, str_t *ret_name, str_t *ret_value)
{
    if (rest->len == 0) {
        return 0;
    }
    const char *end = memchr(rest->data, '\n', rest->len);
    if (!end) {
        return -1;
    }
    const char *start = rest->data;
    const char *colon = memchr(start, ':', (size_t) (end - start));
    if (!colon) {
        return -1;
    }
    str_t name = {start, (size_t) (colon - start)};
    const char *value = colon + 1;
    const char *value_end = end;
    while (value < value_end && is_blank(*value)) {
        value++;
    }
    while (value < value_end && is_blank(value_end[-1])) {
        value_end--;
    }
    *ret_name = name;
    *ret_value = (str_t){value, (size_t) (value_end - value)};
    if (!is_token(name) || !is_field_value(*ret_value)) {
        return -1;
    }
    rest->len -= (size_t) (end + 1 - start);
    rest->data = end + 1;
    return 1;
}

static int
read_status(str_t *rest)
{
    int status = 0;

    if (rest->len < STATUS_DIGITS + 1 || rest->data[STATUS_DIGITS] != '\n') {
        return -1;
    }
    for (int i = 0; i < STATUS_DIGITS; i++) {
        char c = rest->data[i];
        if (c < '0' || c > '9') {
            return -1;
        }
        status = status * 10 + (c - '0');
    }
    rest->data += STATUS_DIGITS + 1;
    rest->len -= STATUS_DIGITS + 1;
    return status >= STATUS_MIN && status <= STATUS_MAX ? status : -1;
}

int
reply_frame_read(reply_frame_t *ret, str_t text)
{
    str_t rest = text, name, value;

    *ret = (reply_frame_t){0};
    int status = read_status(&rest);
    if (status < 0) {
        return -1;
    }
    const char *headers = rest.data;
    while (rest.len > 0 && rest.data[0] != '\n') {
        if (reply_header_next(&rest, &name, &value) != 1) {
            return -1;
        }
    }
    if (rest.len == 0) {
        return -1;
    }
    ret->status = status;
    ret->headers = (str_t){headers, (size_t) (rest.data - headers)};
    ret->body = (str_t){rest.data + 1, rest.len - 1};
    return 0;
}
