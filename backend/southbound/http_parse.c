/*
 * A state for each kind of line, and three for bodies. A line that has come
 * whole is read where it lies; only one that was cut is put together.
 */
#include "backend/southbound/http_parse.h"

#include <stdint.h>
#include <strings.h>

enum { CHUNK_LINE_MAX = 1024, CHUNK_DIGITS_MAX = 16 };

enum {
    AT_STATUS,
    AT_HEADER,
    AT_CHUNK_SIZE,
    AT_CHUNK_END,
    AT_TRAILER,
    AT_BODY,
    AT_CHUNK,
    AT_REST, /* a body that ends with the connection */
    AT_DONE,
    AT_BAD
};

static const char too_large[] = "the answer is too large";

void
http_parse_init(http_parse_t *p, size_t max_body)
{
    memset(p, 0, sizeof(*p));
    buf_init(&p->location, HTTP_MAX_HEADER_BYTES);
    buf_init(&p->retry_after, HTTP_MAX_HEADER_BYTES);
    buf_init(&p->body, max_body);
    buf_init(&p->line, HTTP_MAX_HEADER_BYTES);
}

void
http_parse_free(http_parse_t *p)
{
    buf_free(&p->location);
    buf_free(&p->retry_after);
    buf_free(&p->body);
    buf_free(&p->line);
}

/* What one answer's headers say; an interim answer's are forgotten. */
static void
forget_headers(http_parse_t *p)
{
    p->chunked = p->has_length = p->close = p->keep_alive = false;
    p->matters = false;
    p->length = 0;
    buf_reset(&p->location);
    buf_reset(&p->retry_after);
}

void
http_parse_begin(http_parse_t *p, bool head)
{
    forget_headers(p);
    p->status = 0;
    p->keep = false;
    p->error = NULL;
    p->begun = false;
    p->state = AT_STATUS;
    p->head = head;
    p->header_bytes = 0;
    buf_reset(&p->body);
    buf_reset(&p->line);
}

static void
bad(http_parse_t *p, const char *why)
{
    p->state = AT_BAD;
    p->status = 0;
    p->keep = false;
    p->error = why;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9110, 5.6.2 */
static bool
is_token(str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (!is_digit(c) && !((c | 32) >= 'a' && (c | 32) <= 'z') &&
            (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return s.len > 0;
}

static bool
has_control(str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];

        if ((c < ' ' && c != '\t') || c == 127) {
            return true;
        }
    }
    return false;
}

static str_t
trim(str_t s)
{
    while (s.len > 0 && is_blank(s.data[0])) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.data[s.len - 1])) {
        s.len--;
    }
    return s;
}

static bool
is_word(str_t s, const char *lower)
{
    return s.len == strlen(lower) && strncasecmp(s.data, lower, s.len) == 0;
}

/* The next member of a comma-separated list; false: no more. */
static bool
next_member(str_t *list, str_t *ret)
{
    const char *comma;

    if (list->data == NULL) {
        return false;
    }
    comma = memchr(list->data, ',', list->len);
    if (comma == NULL) {
        *ret = trim(*list);
        list->data = NULL;
        return true;
    }
    *ret = trim((str_t){list->data, (size_t) (comma - list->data)});
    list->len -= (size_t) (comma + 1 - list->data);
    list->data = comma + 1;
    return true;
}

static void
on_status_line(http_parse_t *p, str_t line)
{
    const char *c = line.data;

    if (line.len < 12 || memcmp(c, "HTTP/1.", 7) != 0 || !is_digit(c[7]) ||
        c[8] != ' ' || c[9] < '1' || !is_digit(c[9]) || !is_digit(c[10]) ||
        !is_digit(c[11]) || (line.len > 12 && c[12] != ' ') ||
        has_control(line)) {
        bad(p, "the answer is not HTTP/1.x");
        return;
    }
    p->minor = c[7] - '0';
    p->status = (c[9] - '0') * 100 + (c[10] - '0') * 10 + c[11] - '0';
    p->state = AT_HEADER;
}

static void
on_length(http_parse_t *p, str_t list)
{
    str_t member;

    while (next_member(&list, &member)) {
        size_t n = 0;

        if (member.len == 0) {
            bad(p, "the answer's Content-Length is no number");
            return;
        }
        for (size_t i = 0; i < member.len; i++) {
            if (!is_digit(member.data[i])) {
                bad(p, "the answer's Content-Length is no number");
                return;
            }
            if (n > (SIZE_MAX - 9) / 10) {
                bad(p, too_large);
                return;
            }
            n = n * 10 + (size_t) (member.data[i] - '0');
        }
        if (p->has_length && n != p->length) {
            bad(p, "the answer has two lengths");
            return;
        }
        p->has_length = true;
        p->length = n;
    }
}

static void
on_connection(http_parse_t *p, str_t list)
{
    str_t member;

    while (next_member(&list, &member)) {
        p->close = p->close || is_word(member, "close");
        p->keep_alive = p->keep_alive || is_word(member, "keep-alive");
    }
}

static void
keep_first(buf_t *b, str_t value)
{
    if (b->len == 0) {
        buf_str(b, value);
    }
}

static void
on_known(http_parse_t *p, str_t name, str_t value)
{
    p->matters = true;
    if (is_word(name, "content-length")) {
        on_length(p, value);
    } else if (is_word(name, "transfer-encoding")) {
        if (p->chunked || !is_word(value, "chunked")) {
            bad(p, "the answer's Transfer-Encoding is not understood");
        }
        p->chunked = true;
    } else if (is_word(name, "connection")) {
        on_connection(p, value);
    } else if (is_word(name, "location")) {
        keep_first(&p->location, value);
    } else if (is_word(name, "retry-after")) {
        keep_first(&p->retry_after, value);
    } else {
        p->matters = false;
    }
}

static void
on_header_line(http_parse_t *p, str_t line)
{
    const char *colon = memchr(line.data, ':', line.len);
    str_t name = {line.data, colon ? (size_t) (colon - line.data) : 0};

    if (has_control(line)) {
        bad(p, "a control character in the answer's headers");
    } else if (is_blank(line.data[0])) { /* folded onto the one before */
        if (p->matters) {
            bad(p, "a folded header in the answer");
        }
    } else if (!is_token(name)) {
        bad(p, "a broken header in the answer");
    } else if (p->state == AT_HEADER) {
        on_known(p, name, trim((str_t){colon + 1, line.len - name.len - 1}));
    }
}

/* The blank line behind the headers. */
static void
on_headers_end(http_parse_t *p)
{
    if (p->chunked && (p->has_length || p->minor == 0)) {
        bad(p, "the answer's length is ambiguous");
    } else if (p->status == 101) {
        bad(p, "the answer changes the protocol");
    } else if (p->status < 200) {
        forget_headers(p);
        p->state = AT_STATUS;
    } else {
        p->keep = !p->close && (p->minor > 0 || p->keep_alive);
        if (p->head || p->status == 204 || p->status == 304 ||
            (p->has_length && p->length == 0)) {
            p->state = AT_DONE;
        } else if (p->chunked) {
            p->state = AT_CHUNK_SIZE;
        } else if (!p->has_length) {
            p->keep = false;
            p->state = AT_REST;
        } else if (p->length > p->body.max) {
            bad(p, too_large);
        } else {
            p->state = AT_BODY;
        }
    }
}

static int
hex_digit(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    c = (char) (c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "<hex>[; extensions]" */
static void
on_chunk_size(http_parse_t *p, str_t line)
{
    uint64_t n = 0;
    size_t i = 0;
    str_t rest;

    while (i < line.len && i < CHUNK_DIGITS_MAX &&
           hex_digit(line.data[i]) >= 0) {
        n = n << 4 | (uint64_t) hex_digit(line.data[i++]);
    }
    rest = trim((str_t){line.data + i, line.len - i});
    if (i == 0 || has_control(line) || (rest.len > 0 && rest.data[0] != ';')) {
        bad(p, "a broken chunk in the answer");
    } else if (n > p->body.max - p->body.len) {
        bad(p, too_large);
    } else {
        p->length = (size_t) n;
        p->state = n > 0 ? AT_CHUNK : AT_TRAILER;
    }
}

/* A line without its end. */
static void
on_line(http_parse_t *p, str_t line)
{
    if (line.len > 0 && line.data[line.len - 1] == '\r') {
        line.len--;
    }
    switch (p->state) {
    case AT_STATUS:
        on_status_line(p, line);
        break;
    case AT_CHUNK_SIZE:
        on_chunk_size(p, line);
        break;
    case AT_CHUNK_END:
        if (line.len > 0) {
            bad(p, "a broken chunk in the answer");
        } else {
            p->state = AT_CHUNK_SIZE;
        }
        break;
    default:
        if (line.len > 0) {
            on_header_line(p, line);
        } else if (p->state == AT_TRAILER) {
            p->state = AT_DONE;
        } else {
            on_headers_end(p);
        }
    }
}

/* Both limits are judged on what has come, so that a line without an end
 * cannot fill the memory. */
static bool
line_fits(http_parse_t *p, size_t more)
{
    if (p->state == AT_CHUNK_SIZE || p->state == AT_CHUNK_END) {
        return p->line.len + more <= CHUNK_LINE_MAX;
    }
    p->header_bytes += more;
    return p->header_bytes <= HTTP_MAX_HEADER_BYTES;
}

/* Bytes used. */
static size_t
take_line(http_parse_t *p, const char *data, size_t len)
{
    const char *end = memchr(data, '\n', len);
    size_t n = end != NULL ? (size_t) (end - data) : len;

    if (!line_fits(p, n + (end != NULL))) {
        bad(p, "the answer's headers are too large");
        return len;
    }
    if (end != NULL && p->line.len == 0) {
        on_line(p, (str_t){data, n});
        return n + 1;
    }
    buf_put(&p->line, data, n);
    if (buf_failed(&p->line)) {
        bad(p, "out of memory");
    } else if (end != NULL) {
        on_line(p, buf_view(&p->line));
        buf_reset(&p->line);
    }
    return n + (end != NULL);
}

static size_t
take_body(http_parse_t *p, const char *data, size_t len)
{
    size_t n = p->state != AT_REST && len > p->length ? p->length : len;

    buf_put(&p->body, data, n);
    if (buf_failed(&p->body)) {
        bad(p, too_large);
    } else if (p->state != AT_REST) {
        p->length -= n;
        if (p->length == 0) {
            p->state = p->state == AT_BODY ? AT_DONE : AT_CHUNK_END;
        }
    }
    return n;
}

static http_verdict_t
verdict(const http_parse_t *p)
{
    if (p->state < AT_DONE) {
        return HTTP_MORE;
    }
    return p->state == AT_DONE ? HTTP_DONE : HTTP_BAD;
}

http_verdict_t
http_parse_feed(http_parse_t *p, const char *data, size_t len,
                size_t *ret_used)
{
    size_t at = 0;

    p->begun = p->begun || len > 0;
    while (at < len && p->state < AT_DONE) {
        at += p->state < AT_BODY ? take_line(p, data + at, len - at)
                                 : take_body(p, data + at, len - at);
    }
    *ret_used = p->state == AT_BAD ? len : at;
    return verdict(p);
}

http_verdict_t
http_parse_end(http_parse_t *p)
{
    if (p->state == AT_REST) {
        p->state = AT_DONE;
    } else if (!p->begun) {
        bad(p, "the connection was closed without an answer");
    } else if (p->state < AT_BODY && p->state != AT_CHUNK_SIZE &&
               p->state != AT_CHUNK_END && p->state != AT_TRAILER) {
        bad(p, "the answer ended within its headers");
    } else if (p->state < AT_DONE) {
        bad(p, "the answer ended within its body");
    }
    return verdict(p);
}
