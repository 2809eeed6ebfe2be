/*
 * The way a call goes: what could harm is refused, plain http goes our own
 * way, and TLS, proxies and whatever is out of the ordinary go libcurl's.
 */
#include "backend/southbound/http.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

#include "backend/base/arena.h"
#include "backend/southbound/http_path.h"

enum { TIMEOUT_MS = 30000, CONNECT_MS = 5000 };

struct http {
    plain_t *plain;
    curl_path_t *curl;
    bool proxied;
};

/* A proxy for http, by libcurl's names; it also knows who needs none. */
static bool
has_proxy(void)
{
    static const char *const names[] = {"http_proxy", "all_proxy",
                                        "ALL_PROXY"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);

        if (value != NULL && value[0] != '\0') {
            return true;
        }
    }
    return false;
}

http_t *
http_open(struct event_base *base, const http_options_t *o)
{
    http_t *h = xcalloc(1, sizeof(*h));
    http_options_t full = *o;

    if (full.max_answer == 0) {
        full.max_answer = HTTP_MAX_ANSWER;
    }
    h->plain = plain_open(base, &full);
    h->curl = curl_path_open(base, &full);
    h->proxied = has_proxy();
    return h;
}

void
http_close(http_t *h)
{
    if (h != NULL) {
        plain_close(h->plain);
        curl_path_close(h->curl);
        free(h);
    }
}

bool
http_may_connect(const http_options_t *o, const struct sockaddr *sa)
{
    return o->allow_private || address_is_allowed(o->networks, sa);
}

long
http_retry_after(const char *value)
{
    char *end;
    long n;
    time_t date;

    if (value == NULL) {
        return -1;
    }
    n = strtol(value, &end, 10);
    if (end != value && *end == '\0') {
        return n >= 0 ? n : -1;
    }
    date = curl_getdate(value, NULL);
    if (date == -1) {
        return -1;
    }
    n = (long) (date - time(NULL));
    return n > 0 ? n : 0;
}

static bool
is_name(const char *header, size_t len, const char *name)
{
    return strncasecmp(header, name, len) == 0 && name[len] == '\0';
}

bool
http_has_header(const http_request_t *r, const char *name)
{
    size_t len = strlen(name);

    for (int i = 0; i < HTTP_MAX_HEADERS && r->headers[i] != NULL; i++) {
        if (strncasecmp(r->headers[i], name, len) == 0 &&
            r->headers[i][len] == ':') {
            return true;
        }
    }
    return false;
}

static bool
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* How much of z is a token (RFC 9110, 5.6.2). */
static size_t
token_length(const char *z)
{
    size_t n = 0;

    while (is_alnum(z[n]) ||
           (z[n] != '\0' && strchr("!#$%&'*+-.^_`|~", z[n]) != NULL)) {
        n++;
    }
    return n;
}

/* A line break would begin another header, or another request. */
static bool
has_control(const char *z)
{
    for (; *z != '\0'; z++) {
        if (((unsigned char) *z < ' ' && *z != '\t') || *z == 127) {
            return true;
        }
    }
    return false;
}

size_t
http_request_bytes(const http_request_t *r)
{
    size_t n = strlen(r->method) + strlen(r->url) + r->body.len;

    n += r->content_type != NULL ? strlen(r->content_type) : 0;
    for (int i = http_header_count(r); i > 0; i--) {
        n += strlen(r->headers[i - 1]);
    }
    return n;
}

/* NULL: nothing is wrong. */
static const char *
find_fault(const http_request_t *r)
{
    size_t method = token_length(r->method);

    if (method == 0 || r->method[method] != '\0') {
        return "the method is no token";
    }
    if (has_control(r->url)) {
        return "a control character in the URL";
    }
    if (r->content_type != NULL && has_control(r->content_type)) {
        return "a control character in the content type";
    }
    for (int i = http_header_count(r); i > 0; i--) {
        if (has_control(r->headers[i - 1])) {
            return "a control character in a header";
        }
    }
    if (http_request_bytes(r) > HTTP_MAX_REQUEST) {
        return "the request is too large";
    }
    return NULL;
}

/* Frames the request or makes another kind of it; or is no header to us. */
static bool
is_odd_header(const char *header)
{
    static const char *const names[] = {
        "Host",   "Connection", "Content-Length",   "Transfer-Encoding",
        "Expect", "Upgrade",    "Proxy-Connection", "Keep-Alive",
        "TE",     "Trailer",
    };
    size_t len = token_length(header);

    if (len == 0 || header[len] != ':') {
        return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_name(header, len, names[i])) {
            return true;
        }
    }
    /* without a value: libcurl's way of leaving one out */
    return header[len + 1 + strspn(header + len + 1, " \t")] == '\0';
}

static bool
has_odd_header(const http_request_t *r)
{
    for (int i = http_header_count(r); i > 0; i--) {
        if (is_odd_header(r->headers[i - 1])) {
            return true;
        }
    }
    return false;
}

/* A name or an address as it is usually written. "127.1", "0x7f000001" and
 * names like these are left to libcurl. */
static bool
is_plain_host(str_t host, bool bracketed)
{
    char text[256];
    unsigned char address[16];
    const char *last;

    if (host.len == 0 || host.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    if (bracketed) {
        return inet_pton(AF_INET6, text, address) == 1;
    }
    for (size_t i = 0; i < host.len; i++) {
        if (!is_alnum(text[i]) && strchr(".-_", text[i]) == NULL) {
            return false;
        }
    }
    if (text[0] == '.' || text[host.len - 1] == '.') {
        return false;
    }
    last = strrchr(text, '.');
    last = last != NULL ? last + 1 : text;
    return *last < '0' || *last > '9' ||
           inet_pton(AF_INET, text, address) == 1;
}

/* ":port" or nothing. */
static bool
read_port(str_t s, char ret[6])
{
    long port = 80;

    if (s.len > 0) {
        char text[8] = "";

        if (s.len < 2 || s.len > 6 || s.data[0] != ':') {
            return false;
        }
        memcpy(text, s.data + 1, s.len - 1);
        if (strspn(text, "0123456789") != s.len - 1) {
            return false;
        }
        port = strtol(text, NULL, 10);
    }
    if (port < 1 || port > 65535) {
        return false;
    }
    (void) snprintf(ret, 6, "%ld", port);
    return true;
}

/* "." and ".." go as libcurl has them: taken out. */
static bool
is_plain_path(str_t path)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char) path.data[i];

        if (c <= ' ' || c >= 127 || c == '#' || c == '\\' ||
            (c == '.' && path.data[i - 1] == '/')) {
            return false;
        }
    }
    return path.len == 0 || path.data[0] == '/';
}

/* "http://host[:port][/path]"; false: anything else. */
static bool
read_url(const char *url, http_target_t *ret)
{
    const char *at = url + 7;
    size_t len;
    bool bracketed;

    if (strncasecmp(url, "http://", 7) != 0) {
        return false;
    }
    len = strcspn(at, "/?#");
    ret->authority = (str_t){at, len};
    ret->path = str_of(at + len);
    bracketed = at[0] == '[';
    if (bracketed) {
        const char *end = memchr(at, ']', len);

        if (end == NULL) {
            return false;
        }
        ret->host = (str_t){at + 1, (size_t) (end - at) - 1};
        len = (size_t) (end + 1 - at);
    } else {
        const char *end = memchr(at, ':', len);

        len = end != NULL ? (size_t) (end - at) : len;
        ret->host = (str_t){at, len};
    }
    if (!is_plain_host(ret->host, bracketed) ||
        !read_port((str_t){at + len, ret->authority.len - len}, ret->port) ||
        !is_plain_path(ret->path)) {
        return false;
    }
    if (strcmp(ret->port, "80") == 0) {
        ret->authority.len = len; /* the default is not said */
    }
    return true;
}

/* What the caller left open, alike for both ways. */
static http_request_t
with_defaults(const http_request_t *r)
{
    http_request_t full = *r;

    if (full.content_type == NULL) {
        full.content_type = "application/json";
    }
    if (full.timeout_ms <= 0) {
        full.timeout_ms = TIMEOUT_MS;
    }
    if (full.connect_timeout_ms <= 0) {
        full.connect_timeout_ms = CONNECT_MS;
    }
    return full;
}

http_call_t *
http_send(http_t *h, const http_request_t *r, http_answer_fn fn, void *ctx)
{
    const http_request_t full = with_defaults(r);
    const char *fault = find_fault(&full);
    http_target_t target;

    if (fault != NULL) {
        return plain_refuse(h->plain, fault, fn, ctx);
    }
    if (!h->proxied && !has_odd_header(&full) && read_url(full.url, &target)) {
        return plain_send(h->plain, &full, &target, fn, ctx);
    }
    return curl_path_send(h->curl, &full, fn, ctx);
}

void
http_cancel(http_call_t *c)
{
    c->cancel(c);
}

int
http_in_flight(const http_t *h)
{
    return plain_in_flight(h->plain) + curl_path_in_flight(h->curl);
}
