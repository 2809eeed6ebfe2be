/*
 * HTTP/1.1 messages: start line, header lines, body.
 */
#define _GNU_SOURCE /* memmem() */

#include <strings.h>

#include "t/common/http_message.h"

#define VERSION_LEN 8 /* "HTTP/1.1" */

/* What the header lines say about the body and the connection. */
typedef struct {
    size_t length;
    bool has_length;
    bool chunked;
} framing_t;

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static bool
is_name(str_t s, const char *name)
{
    return s.len == strlen(name) && strncasecmp(s.data, name, s.len) == 0;
}

static str_t
trimmed(const char *from, const char *end)
{
    while (from < end && (*from == ' ' || *from == '\t')) {
        from++;
    }
    while (end > from && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    return (str_t){from, (size_t) (end - from)};
}

/* Digits only, within the limit. */
static bool
parse_length(str_t s, size_t *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }
        n = n * 10 + (size_t) (s.data[i] - '0');
        if (n > HTTP_BODY_MAX) {
            return false;
        }
    }
    *ret = n;
    return s.len > 0;
}

static bool
note_header(http_message_t *m, framing_t *f, const http_header_t *h)
{
    if (is_name(h->name, "Content-Length")) {
        bool again = f->has_length;
        size_t before = f->length;

        f->has_length = true;
        return parse_length(h->value, &f->length) &&
               (!again || before == f->length);
    }
    if (is_name(h->name, "Transfer-Encoding")) {
        f->chunked = is_name(h->value, "chunked");
        return f->chunked;
    }
    if (is_name(h->name, "Connection")) {
        if (is_name(h->value, "close")) {
            m->keep_alive = false;
        } else if (is_name(h->value, "keep-alive")) {
            m->keep_alive = true;
        }
    } else if (is_name(h->name, "Expect")) {
        m->expects_continue = is_name(h->value, "100-continue");
    }
    return true;
}

/* The lines from at up to end, each with its CR LF. */
static bool
parse_headers(http_message_t *m, framing_t *f, const char *at, const char *end)
{
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t) (end - at));
        const char *colon;

        if (!stop || stop == at || stop[-1] != '\r' ||
            m->header_count == HTTP_HEADERS_MAX) {
            return false;
        }
        colon = memchr(at, ':', (size_t) (stop - at));
        if (!colon || colon == at || colon[-1] == ' ') {
            return false;
        }

        http_header_t *h = &m->headers[m->header_count++];

        h->name = (str_t){at, (size_t) (colon - at)};
        h->value = trimmed(colon + 1, stop - 1);
        if (!note_header(m, f, h)) {
            return false;
        }
        at = stop + 1;
    }
    return !(f->chunked && f->has_length);
}

/* "HTTP/1.x"; 1.1 keeps the connection unless told otherwise. */
static bool
parse_version(http_message_t *m, const char *at)
{
    if (memcmp(at, "HTTP/1.", VERSION_LEN - 1) != 0 ||
        (at[VERSION_LEN - 1] != '0' && at[VERSION_LEN - 1] != '1')) {
        return false;
    }
    m->keep_alive = at[VERSION_LEN - 1] == '1';
    return true;
}

/* METHOD SP target SP HTTP/1.1 */
static bool
parse_request_line(http_message_t *m, const char *at, const char *end)
{
    const char *space = memchr(at, ' ', (size_t) (end - at));

    if (!space || space == at || end - space < VERSION_LEN + 3) {
        return false;
    }
    m->method = (str_t){at, (size_t) (space - at)};

    const char *target = space + 1;
    const char *stop = end - VERSION_LEN - 1;

    if (*target != '/' || *stop != ' ' || !parse_version(m, stop + 1) ||
        memchr(target, ' ', (size_t) (stop - target))) {
        return false;
    }

    const char *mark = memchr(target, '?', (size_t) (stop - target));

    m->path = (str_t){target, (size_t) ((mark ? mark : stop) - target)};
    m->query = mark ? (str_t){mark + 1, (size_t) (stop - mark - 1)} : STR("");
    return true;
}

/* HTTP/1.1 SP status SP reason */
static bool
parse_status_line(http_message_t *m, const char *at, const char *end)
{
    if (end - at < VERSION_LEN + 4 || !parse_version(m, at) ||
        at[VERSION_LEN] != ' ') {
        return false;
    }
    at += VERSION_LEN + 1;
    for (int i = 0; i < 3; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return false;
        }
        m->status = m->status * 10 + (at[i] - '0');
    }
    return m->status >= 100;
}

/* A chunk-size line; its value in *ret, what follows it, NULL: more is
 * needed; *ret is above the limit when it is malformed. */
static char *
chunk_size(char *at, const char *end, size_t *ret)
{
    char *stop = memchr(at, '\n', (size_t) (end - at));
    size_t n = 0;
    int digits = 0;

    *ret = 0;
    if (!stop) {
        *ret = end - at > HTTP_HEAD_MAX ? HTTP_BODY_MAX + 1 : 0;
        return NULL;
    }
    for (; at < stop && n <= HTTP_BODY_MAX; at++, digits++) {
        int x = *at | 0x20;

        if (*at >= '0' && *at <= '9') {
            n = n * 16 + (size_t) (*at - '0');
        } else if (x >= 'a' && x <= 'f') {
            n = n * 16 + (size_t) (x - 'a' + 10);
        } else {
            break;
        }
    }
    *ret = digits > 0 ? n : HTTP_BODY_MAX + 1;
    return stop + 1;
}

/* The trailer section behind the last chunk: lines up to an empty one. */
static ssize_t
skip_trailer(const char *data, const char *at, const char *end)
{
    for (;;) {
        const char *stop = memchr(at, '\n', (size_t) (end - at));

        if (!stop) {
            return end - at > HTTP_HEAD_MAX ? -1 : 0;
        }
        if (stop - at <= 1) {
            return stop + 1 - data;
        }
        at = stop + 1;
    }
}

/* Walks the chunks; with join, moves them together behind data. */
static ssize_t
walk_chunks(http_message_t *m, char *data, size_t len, bool join)
{
    char *at = data;
    const char *end = data + len;
    size_t total = 0;

    for (;;) {
        size_t size;
        char *chunk = chunk_size(at, end, &size);

        if (size > HTTP_BODY_MAX || total + size > HTTP_BODY_MAX) {
            return -1;
        }
        if (!chunk) {
            return 0;
        }
        if (size == 0) {
            m->body = (str_t){data, total};
            return skip_trailer(data, chunk, end);
        }
        if ((size_t) (end - chunk) < size + 2) {
            return 0;
        }
        if (memcmp(chunk + size, "\r\n", 2) != 0) {
            return -1;
        }
        if (join) {
            memmove(data + total, chunk, size);
        }
        total += size;
        at = chunk + size + 2;
    }
}

static ssize_t
parse_body(http_message_t *m, const framing_t *f, char *data, size_t len)
{
    if (f->chunked) {
        ssize_t n = walk_chunks(m, data, len, false);

        if (n > 0) {
            (void) walk_chunks(m, data, len, true);
        }
        return n;
    }
    if (len < f->length) {
        return 0;
    }
    m->body = (str_t){data, f->length};
    return (ssize_t) f->length;
}

typedef bool start_line_fn(http_message_t *m, const char *at, const char *end);

/* The length of the head, 0: more is needed, -1. */
static ssize_t
parse_head(http_message_t *m, framing_t *f, const char *data, size_t len,
           start_line_fn *start_line)
{
    const char *stop = memmem(data, len, "\r\n\r\n", 4);

    m->method = m->path = m->query = m->body = STR_NONE;
    m->status = m->header_count = 0;
    m->keep_alive = m->expects_continue = false;
    if (!stop) {
        return len > HTTP_HEAD_MAX ? -1 : 0;
    }
    if (stop - data > HTTP_HEAD_MAX) {
        return -1;
    }

    const char *line = memmem(data, (size_t) (stop + 2 - data), "\r\n", 2);

    if (!start_line(m, data, line) ||
        !parse_headers(m, f, line + 2, stop + 2)) {
        return -1;
    }
    return stop + 4 - data;
}

static ssize_t
parse(http_message_t *m, char *data, size_t len, start_line_fn *start_line)
{
    framing_t f = {0};
    ssize_t head = parse_head(m, &f, data, len, start_line);

    if (head <= 0) {
        return head;
    }
    /* RFC 9112, 6.3: these have no body whatever their headers say. */
    if ((m->status > 0 && m->status < 200) || m->status == 204 ||
        m->status == 304) {
        return head;
    }
    /* A reply without a length would last until the connection ends. */
    if (m->status && !f.has_length && !f.chunked) {
        return -1;
    }
    /* An empty chunked body still takes its last chunk: 0 means "more". */
    if (!f.chunked && f.length == 0) {
        return head;
    }

    ssize_t body = parse_body(m, &f, data + head, len - (size_t) head);

    return body > 0 ? head + body : body;
}

ssize_t
http_request_parse(http_message_t *m, char *data, size_t len)
{
    return parse(m, data, len, parse_request_line);
}

ssize_t
http_reply_parse(http_message_t *m, char *data, size_t len)
{
    return parse(m, data, len, parse_status_line);
}

str_t
http_header(const http_message_t *m, const char *name)
{
    for (int i = 0; i < m->header_count; i++) {
        if (is_name(m->headers[i].name, name)) {
            return m->headers[i].value;
        }
    }
    return STR_NONE;
}

const char *
http_reason(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Status";
}

void
http_put_length(buf_t *out, size_t len)
{
    char digits[24];
    char *p = digits + sizeof digits;

    do {
        *--p = (char) ('0' + len % 10);
        len /= 10;
    } while (len);
    buf_puts(out, "Content-Length: ");
    buf_put(out, p, (size_t) (digits + sizeof digits - p));
    buf_put(out, "\r\n\r\n", 4);
}
