/* Calls that go out, against a server on the same loop whose answer depends
 * on the path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "backend/base/arena.h"
#include "backend/southbound/http.h"
#include "proto/buf.h"
#include "t/unit/servers.h"

static struct event_base *base;
static struct evconnlistener *listener;
static http_t *http;
static int port;
static int accepted, requests;
static char *last_request;

/* What a path answers; a NULL answer: silence. */
static const struct {
    const char *path;
    const char *answer; /* status line and headers but Content-Length */
    bool close;         /* hang up behind it */
    bool whole;         /* ends with Content-Length: 0 */
} answers[] = {
    {"/created", "HTTP/1.1 201 Created\r\nlocation: /things/7\r\n", false,
     true},
    {"/accepted", "HTTP/1.1 202 Accepted\r\nRetry-After: 17\r\n", false, true},
    {"/past",
     "HTTP/1.1 503 S\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", false,
     true},
    {"/future",
     "HTTP/1.1 503 S\r\nRetry-After: Wed, 21 Oct 2099 07:28:00 GMT\r\n", false,
     true},
    {"/nonsense", "HTTP/1.1 503 S\r\nRetry-After: soon\r\n", false, true},
    {"/negative", "HTTP/1.1 503 S\r\nRetry-After: -5\r\n", false, true},
    {"/moved", "HTTP/1.1 302 Found\r\nLocation: /created\r\n", false, true},
    {"/none", "HTTP/1.1 204 No Content\r\n", false, true},
    {"/hangup", "", true, false},
    {"/cut", "HTTP/1.1 200 OK\r\nContent-Type: te", true, false},
    {"/garbage", "\x01\x02garbage\r\n\r\n", true, false},
    {"/leave", "HTTP/1.1 200 OK\r\n", true, true}, /* without saying so */
    {"/silent", NULL, false, false},
    {"/chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n",
     false, false},
    {"/interim",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLocation: /no\r\n"
     "\r\nHTTP/1.1 201 Created\r\n",
     false, true},
    {"/rest", "HTTP/1.1 200 OK\r\n\r\nall the rest", true, false},
};

static void
answer(struct bufferevent *bev, const char *path, size_t path_len,
       const char *request)
{
    struct evbuffer *out = bufferevent_get_output(bev);
    size_t size = 0;

    if (strncmp(path, "/bytes/", 7) == 0) {
        char *body;

        size = strtoul(path + 7, NULL, 10);
        body = xcalloc(1, size + 1);

        memset(body, 'x', size);
        evbuffer_add_printf(
            out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
        evbuffer_add(out, body, size);
        free(body);
        return;
    }
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (strlen(answers[i].path) != path_len ||
            strncmp(answers[i].path, path, path_len) != 0) {
            continue;
        }
        if (answers[i].answer == NULL) {
            return;
        }
        evbuffer_add_printf(out, "%s", answers[i].answer);
        if (answers[i].whole) {
            evbuffer_add_printf(out, "Content-Length: 0\r\n\r\n");
        }
        if (answers[i].close) { /* what is written goes out first */
            size = evbuffer_get_length(out);
            (void) !write(bufferevent_getfd(bev), evbuffer_pullup(out, -1),
                          size);
            bufferevent_free(bev);
        }
        return;
    }
    evbuffer_add_printf(out,
                        "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                        strlen(request), request);
}

/* One whole request, or nothing yet. */
static void
on_request(struct bufferevent *bev, void *ctx)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
    size_t length = 0, whole;
    char *text, *at;

    (void) ctx;
    if (end.pos < 0) {
        return;
    }
    text = (char *) evbuffer_pullup(in, end.pos + 4);
    whole = (size_t) end.pos + 4;
    text = strndup(text, whole);
    at = strstr(text, "Content-Length: ");
    if (at != NULL) {
        length = strtoul(at + 16, NULL, 10);
    }
    free(text);
    whole += length;
    if (evbuffer_get_length(in) < whole) {
        return;
    }
    free(last_request);
    last_request = xcalloc(1, whole + 1);
    evbuffer_remove(in, last_request, whole);
    requests++;
    at = strchr(last_request, ' ') + 1;
    answer(bev, at, strcspn(at, " ?"), last_request);
}

static void
on_gone(struct bufferevent *bev, short what, void *ctx)
{
    (void) what;
    (void) ctx;
    bufferevent_free(bev);
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
          int len, void *ctx)
{
    struct bufferevent *bev =
        bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

    (void) l;
    (void) sa;
    (void) len;
    (void) ctx;
    accepted++;
    bufferevent_setcb(bev, on_request, NULL, on_gone, NULL);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static int
open_with(bool allow_private, const networks_t *networks)
{
    const http_options_t o = {
        .max_connections = 64,
        .max_host_connections = 8,
        .allow_private = allow_private,
        .networks = networks,
        .user_agent = "turnup-test/1",
    };
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof(sin);

    base = event_base_new();
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = evconnlistener_new_bind(
        base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 512,
        (struct sockaddr *) &sin, sizeof(sin));
    assert_non_null(listener);
    getsockname(evconnlistener_get_fd(listener), (struct sockaddr *) &sin,
                &len);
    port = ntohs(sin.sin_port);
    accepted = requests = 0;
    http = http_open(base, &o);
    return 0;
}

static int
setup(void **state)
{
    (void) state;
    return open_with(true, NULL);
}

static int
setup_public_only(void **state)
{
    (void) state;
    return open_with(false, NULL);
}

static int
setup_loopback_only(void **state)
{
    static networks_t loopback;

    (void) state;
    assert_true(networks_parse(STR("127.0.0.0/8"), &loopback));
    return open_with(false, &loopback);
}

static int
teardown(void **state)
{
    (void) state;
    http_close(http);
    http = NULL;
    evconnlistener_free(listener);
    /* the server's ends close now that ours are */
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
    free(last_request);
    last_request = NULL;
    return 0;
}

typedef struct {
    int count;
    int status;
    bool sent;
    long retry_after_s;
    size_t size;
    char error[256];
    char location[256];
    char body[4096];
} answer_t;

static void
on_answer(void *ctx, const http_answer_t *a)
{
    answer_t *ret = ctx;

    ret->count++;
    ret->status = a->status;
    ret->sent = a->sent;
    ret->retry_after_s = a->retry_after_s;
    ret->size = a->body.len;
    snprintf(ret->error, sizeof(ret->error), "%s", a->error ? a->error : "");
    snprintf(ret->location, sizeof(ret->location), "%.*s",
             STR_FMT(a->location));
    snprintf(ret->body, sizeof(ret->body), "%.*s", STR_FMT(a->body));
}

static const char *
url_of(const char *path)
{
    static char url[256];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, path);
    return url;
}

static http_call_t *
begin(const char *method, const char *url, answer_t *a)
{
    const http_request_t r = {
        .method = method, .url = url, .timeout_ms = 20000};

    memset(a, 0, sizeof(*a));
    return http_send(http, &r, on_answer, a);
}

static answer_t
call(const http_request_t *r)
{
    answer_t a = {0};

    assert_non_null(http_send(http, r, on_answer, &a));
    assert_int_equal(a.count, 0); /* never from inside */
    assert_int_equal(http_in_flight(http), 1);
    LOOP_UNTIL(base, a.count > 0);
    assert_int_equal(a.count, 1);
    assert_int_equal(http_in_flight(http), 0);
    return a;
}

static answer_t
get(const char *url)
{
    const http_request_t r = {
        .method = "GET", .url = url, .timeout_ms = 20000};

    return call(&r);
}

static void
assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, text);
    }
}

static void
assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("'%s' is in '%s'", part, text);
    }
}

static void
a_get(void **state)
{
    answer_t a = get(url_of("/x/y?a=b%20c&d=%2F"));

    (void) state;
    assert_int_equal(a.status, 200);
    assert_true(a.sent);
    assert_string_equal(a.error, "");
    assert_string_equal(a.location, "");
    assert_int_equal(a.retry_after_s, -1);
    assert_has(a.body, "GET /x/y?a=b%20c&d=%2F HTTP/1.1\r\n");
    assert_has(a.body, "User-Agent: turnup-test/1\r\n");
    assert_lacks(a.body, "Content-Type");
    assert_lacks(a.body, "Expect");
}

static void
methods_and_bodies(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE"};
    answer_t a;

    (void) state;
    for (int i = 0; i < 4; i++) {
        http_request_t r = {.method = methods[i],
                            .url = url_of("/echo"),
                            .body = STR("{\"a\":1}X")};
        char line[64];

        r.body.len -= 1; /* it is not NUL-terminated there */
        a = call(&r);
        snprintf(line, sizeof(line), "%s /echo HTTP/1.1\r\n", methods[i]);
        assert_has(a.body, line);
        assert_has(a.body, "Content-Length: 7\r\n");
        assert_has(a.body, "Content-Type: application/json\r\n");
        assert_string_equal(strstr(a.body, "\r\n\r\n"), "\r\n\r\n{\"a\":1}");
        r.content_type = "text/plain";
        assert_has(call(&r).body, "Content-Type: text/plain\r\n");
        r.body = STR_NONE;
        a = call(&r);
        assert_has(a.body, line);
        assert_lacks(a.body, "Content-Type");
        assert_string_equal(strstr(a.body, "\r\n\r\n"), "\r\n\r\n");
    }
    /* nothing of the last call stays */
    a = get(url_of("/plain"));
    assert_has(a.body, "GET /plain HTTP/1.1\r\n");
    assert_lacks(a.body, "Content-Type");
    assert_lacks(a.body, "Content-Length");
    assert_int_equal(accepted, 1);
}

static void
extra_headers(void **state)
{
    http_request_t r = {
        .method = "POST", .url = url_of("/echo"), .body = STR("b")};
    char text[HTTP_MAX_HEADERS][32];
    answer_t a;

    (void) state;
    for (int i = 0; i < HTTP_MAX_HEADERS; i++) { /* no NULL behind them */
        snprintf(text[i], sizeof(text[i]), "X-H%d: v%d", i, i);
        r.headers[i] = text[i];
    }
    a = call(&r);
    for (int i = 0; i < HTTP_MAX_HEADERS; i++) {
        assert_has(a.body, text[i]);
    }
    memset(r.headers, 0, sizeof(r.headers));
    r.headers[0] = "Idempotency-Key: k";
    a = call(&r);
    assert_has(a.body, "Idempotency-Key: k\r\n");
    assert_lacks(a.body, "X-H");
}

static void
strings_are_copied(void **state)
{
    char url[256], header[] = "X-A: first", body[] = "first", type[] = "t/t";
    char method[] = "PUT";
    http_request_t r = {.method = method,
                        .url = url,
                        .body = str_of(body),
                        .content_type = type,
                        .headers = {header}};
    answer_t a = {0};

    (void) state;
    snprintf(url, sizeof(url), "%s", url_of("/first"));
    (void) http_send(http, &r, on_answer, &a);
    memset(url, 'z', sizeof(url));
    memset(header, 'z', sizeof(header));
    memset(body, 'z', sizeof(body));
    memset(type, 'z', sizeof(type));
    memset(method, 'z', sizeof(method));
    LOOP_UNTIL(base, a.count > 0);
    assert_has(a.body, "PUT /first HTTP/1.1\r\n");
    assert_has(a.body, "X-A: first\r\n");
    assert_has(a.body, "Content-Type: t/t\r\n");
    assert_has(a.body, "\r\n\r\nfirst");
    assert_lacks(a.body, "z");
}

static void
line_breaks_do_not_make_headers(void **state)
{
    http_request_t r = {.method = "GET", .url = url_of("/echo")};
    answer_t a;

    (void) state;
    r.headers[0] = "X-A: 1\r\nX-Evil: 1";
    a = call(&r);
    assert_int_equal(a.status, 0);
    assert_false(a.sent);
    assert_string_not_equal(a.error, "");
    r.headers[0] = NULL;
    r.content_type = "a/b\nX-Evil: 1";
    assert_int_equal(call(&r).status, 0);
    r.content_type = NULL;
    r.method = "GET /other HTTP/1.1\r\nX: ";
    assert_int_equal(call(&r).status, 0);
    r.method = "GET";
    r.url = url_of("/a\r\nX-Evil: 1");
    assert_int_equal(call(&r).status, 0);
    assert_int_equal(requests, 0);
}

static void
headers_of_the_answer(void **state)
{
    answer_t a;

    (void) state;
    a = get(url_of("/created"));
    assert_int_equal(a.status, 201);
    assert_string_equal(a.location, "/things/7");
    a = get(url_of("/accepted"));
    assert_int_equal(a.status, 202);
    assert_int_equal(a.retry_after_s, 17);
    assert_string_equal(a.location, "");
    assert_int_equal(get(url_of("/past")).retry_after_s, 0);
    assert_true(get(url_of("/future")).retry_after_s > 86400);
    assert_int_equal(get(url_of("/nonsense")).retry_after_s, -1);
    assert_int_equal(get(url_of("/negative")).retry_after_s, -1);
    a = get(url_of("/moved"));
    assert_int_equal(a.status, 302); /* not followed */
    assert_string_equal(a.location, "/created");
    a = get(url_of("/none"));
    assert_int_equal(a.status, 204);
    assert_int_equal(a.size, 0);
}

static void
ways_to_send_a_body(void **state)
{
    answer_t a;

    (void) state;
    for (int i = 0; i < 3; i++) {
        a = get(url_of("/chunked"));
        assert_int_equal(a.status, 200);
        assert_string_equal(a.body, "abc0123456789");
    }
    a = get(url_of("/interim"));
    assert_int_equal(a.status, 201);
    assert_string_equal(a.location, "");
    assert_int_equal(accepted, 1);
    a = get(url_of("/rest"));
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "all the rest");
}

static void
bodies_up_to_the_limit(void **state)
{
    char path[64];
    answer_t a;

    (void) state;
    snprintf(path, sizeof(path), "/bytes/%d", HTTP_MAX_ANSWER);
    a = get(url_of(path));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.size, HTTP_MAX_ANSWER);
    snprintf(path, sizeof(path), "/bytes/%d", HTTP_MAX_ANSWER + 1);
    a = get(url_of(path));
    assert_int_equal(a.status, 0);
    assert_true(a.sent);
    assert_has(a.error, "too large");
    assert_int_equal(a.size, 0);
    assert_int_equal(get(url_of("/bytes/10")).size, 10);
    http_close(http);
    http = http_open(base, &(http_options_t){.max_connections = 4,
                                             .max_host_connections = 4,
                                             .allow_private = true,
                                             .max_answer = 9,
                                             .user_agent = "turnup-test"});
    assert_int_equal(get(url_of("/bytes/9")).size, 9);
    assert_has(get(url_of("/bytes/10")).error, "too large");
}

static void
a_large_request(void **state)
{
    size_t size = 2 << 20;
    char *body = xcalloc(1, size);
    http_request_t r = {
        .method = "POST", .url = url_of("/accepted"), .body = {body, size}};

    (void) state;
    memset(body, 'b', size);
    assert_int_equal(call(&r).status, 202);
    assert_int_equal(strspn(strstr(last_request, "\r\n\r\n") + 4, "b"), size);
    free(body);
}

/* Nothing of it is written, nor even read. */
static void
a_request_over_the_limit(void **state)
{
    char *body = xcalloc(1, HTTP_MAX_REQUEST);
    http_request_t r = {.method = "POST",
                        .url = url_of("/accepted"),
                        .body = {body, HTTP_MAX_REQUEST}};
    answer_t a = call(&r);

    (void) state;
    assert_int_equal(a.status, 0);
    assert_false(a.sent);
    assert_string_equal(a.error, "the request is too large");
    r.body.len = 2;
    assert_int_equal(call(&r).status, 202);
    assert_int_equal(requests, 1);
    free(body);
}

static void
what_cannot_be_sent(void **state)
{
    static const char *const bad[] = {
        "",
        "nonsense with blanks",
        "http://",
        "http://[::1",
        "http://127.0.0.1:99999/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        answer_t a = get(bad[i]);

        assert_int_equal(a.status, 0);
        assert_false(a.sent);
        assert_string_not_equal(a.error, "");
        assert_int_equal(a.retry_after_s, -1);
    }
    assert_int_equal(get(url_of("/echo")).status, 200);
}

static void
nobody_listens(void **state)
{
    answer_t a;

    (void) state;
    evconnlistener_disable(listener);
    (void) shutdown(evconnlistener_get_fd(listener), SHUT_RDWR);
    a = get(url_of("/echo"));
    assert_int_equal(a.status, 0);
    assert_false(a.sent);
    assert_has(a.error, "connect");
}

static void
no_answer_in_time(void **state)
{
    http_request_t r = {.method = "POST",
                        .url = url_of("/silent"),
                        .body = STR("{}"),
                        .timeout_ms = 30};
    answer_t a = call(&r);

    (void) state;
    assert_int_equal(a.status, 0);
    assert_true(a.sent); /* the target may have acted on it */
    assert_string_not_equal(a.error, "");
    assert_int_equal(requests, 1);
    assert_int_equal(get(url_of("/echo")).status, 200);
}

static void
broken_answers(void **state)
{
    static const char *const paths[] = {"/hangup", "/cut", "/garbage"};

    (void) state;
    for (int i = 0; i < 3; i++) {
        http_request_t r = {
            .method = "POST", .url = url_of(paths[i]), .body = STR("{}")};
        answer_t a = call(&r);

        assert_int_equal(a.status, 0);
        assert_true(a.sent);
        assert_string_not_equal(a.error, "");
    }
}

static void
connections_are_kept(void **state)
{
    (void) state;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(get(url_of("/echo")).status, 200);
    }
    assert_int_equal(accepted, 1);
    assert_int_equal(requests, 50);
}

static void
a_kept_connection_the_server_left(void **state)
{
    (void) state;
    for (int i = 0; i < 5; i++) {
        answer_t a = get(url_of("/leave"));

        assert_string_equal(a.error, "");
        assert_int_equal(a.status, 200);
        /* time for the end of the stream to arrive, or none: both work */
        if (i % 2 == 0) {
            (void) event_base_loop(base, EVLOOP_NONBLOCK);
        }
    }
    assert_int_equal(accepted, 5);
}

/* An idle connection's descriptor comes back as another socket's number. */
static void
descriptors_are_reused(void **state)
{
    (void) state;
    for (int i = 0; i < 20; i++) {
        answer_t a[6];

        for (int j = 0; j < 6; j++) {
            (void) begin("GET", url_of(j % 2 ? "/leave" : "/echo"), &a[j]);
        }
        LOOP_UNTIL(base, http_in_flight(http) == 0);
        for (int j = 0; j < 6; j++) {
            assert_int_equal(a[j].status, 200);
        }
    }
}

static void
no_more_connections_than_allowed(void **state)
{
    enum { N = 300 };
    static answer_t a[N];

    (void) state;
    for (int i = 0; i < N; i++) {
        (void) begin("GET", url_of("/echo"), &a[i]);
    }
    assert_int_equal(http_in_flight(http), N);
    LOOP_UNTIL(base, http_in_flight(http) == 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(a[i].count, 1);
        assert_int_equal(a[i].status, 200);
    }
    assert_int_equal(requests, N);
    assert_in_range(accepted, 1, 8);
}

static void
by_name(void **state)
{
    char url[64];
    answer_t a;

    (void) state;
    snprintf(url, sizeof(url), "http://localhost:%d/echo", port);
    a = get(url);
    assert_int_equal(a.status, 200);
    assert_has(a.body, "Host: localhost:");
}

static void
private_addresses_are_refused(void **state)
{
    static const char *const hosts[] = {
        "127.0.0.1",          "localhost",       "127.1",
        "0x7f000001",         "2130706433",      "[::1]",
        "[::ffff:127.0.0.1]", "0.0.0.0",         "[::]",
        "10.0.0.1",           "169.254.169.254", "192.168.1.1",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        char url[128];
        answer_t a;

        snprintf(url, sizeof(url), "http://%s:%d/echo", hosts[i], port);
        a = get(url);
        assert_int_equal(a.status, 0);
        assert_false(a.sent);
        assert_has(a.error, "private");
    }
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(accepted, 0); /* not even connected to */
}

/* Both ways: "127.1" is libcurl's. */
static void
networks_that_are_allowed(void **state)
{
    static const char *const others[] = {"[::1]", "10.0.0.1", "0.0.0.0",
                                         "[::ffff:10.0.0.1]", "0x0a000001"};
    answer_t a = get(url_of("/echo"));
    char url[64];

    (void) state;
    assert_int_equal(a.status, 200);
    snprintf(url, sizeof(url), "http://127.1:%d/echo", port);
    a = get(url);
    assert_int_equal(a.status, 200);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        snprintf(url, sizeof(url), "http://%s:%d/echo", others[i], port);
        a = get(url);
        assert_int_equal(a.status, 0);
        assert_has(a.error, "private");
    }
    assert_int_equal(requests, 2);
}

static int chain_left;

static void
send_next(void *ctx, const http_answer_t *a)
{
    on_answer(ctx, a);
    if (--chain_left > 0) {
        const http_request_t r = {.method = "GET", .url = url_of("/echo")};

        (void) http_send(http, &r, send_next, ctx);
    }
}

static void
calls_from_an_answer(void **state)
{
    const http_request_t r = {.method = "GET", .url = url_of("/echo")};
    const http_request_t bad = {.method = "GET", .url = "ftp://x"};
    answer_t a = {0};

    (void) state;
    chain_left = 20;
    (void) http_send(http, &r, send_next, &a);
    LOOP_UNTIL(base, a.count == 20);
    assert_int_equal(a.status, 200);
    assert_int_equal(http_in_flight(http), 0);
    chain_left = 20;
    (void) http_send(http, &bad, send_next, &a);
    LOOP_UNTIL(base, a.count == 40);
}

static void
cancelled_calls_are_not_answered(void **state)
{
    answer_t a, b, c;
    http_call_t *call_a = begin("GET", url_of("/silent"), &a);
    http_call_t *call_b;

    (void) state;
    LOOP_UNTIL(base, requests == 1); /* a is under way */
    call_b = begin("GET", url_of("/echo"), &b);
    http_cancel(call_b); /* before it began */
    http_cancel(call_a);
    assert_int_equal(http_in_flight(http), 0);
    http_cancel(begin("G\nT", url_of("/echo"), &b)); /* cannot be sent */
    (void) begin("GET", url_of("/echo"), &c);
    LOOP_UNTIL(base, http_in_flight(http) == 0);
    assert_int_equal(a.count + b.count, 0);
    assert_int_equal(c.status, 200);
    assert_int_equal(requests, 2);
}

static http_call_t *victims[2];
static int answered;

static void
cancel_the_other(void *ctx, const http_answer_t *a)
{
    intptr_t i = (intptr_t) ctx;

    (void) a;
    answered++;
    victims[i] = NULL;
    if (victims[1 - i] != NULL) {
        http_cancel(victims[1 - i]);
        victims[1 - i] = NULL;
    }
}

/* Both may be done when the first is answered. */
static void
cancelled_from_an_answer(void **state)
{
    const http_request_t r = {.method = "GET", .url = url_of("/echo")};

    (void) state;
    for (int round = 0; round < 20; round++) {
        answered = 0;
        for (intptr_t i = 0; i < 2; i++) {
            victims[i] = http_send(http, &r, cancel_the_other, (void *) i);
        }
        LOOP_UNTIL(base, http_in_flight(http) == 0);
        assert_int_equal(answered, 1);
    }
}

static void
close_all(void *ctx, const http_answer_t *a)
{
    (void) a;
    ++*(int *) ctx;
    http_close(http);
    http = NULL;
}

static void
closed_from_an_answer(void **state)
{
    const http_request_t r = {.method = "GET", .url = url_of("/echo")};
    const http_request_t bad = {.method = "G T", .url = "x"};
    int closed = 0;

    (void) state;
    for (int i = 0; i < 5; i++) {
        (void) http_send(http, &r, close_all, &closed);
    }
    LOOP_UNTIL(base, closed > 0);
    assert_int_equal(closed, 1);
    http = http_open(base, &(http_options_t){.max_connections = 4,
                                             .max_host_connections = 2,
                                             .user_agent = "u"});
    (void) http_send(http, &bad, close_all, &closed);
    (void) http_send(http, &bad, close_all, &closed);
    LOOP_UNTIL(base, closed > 1);
    assert_int_equal(closed, 2);
}

static void
closed_with_calls_under_way(void **state)
{
    answer_t a, b, c;

    (void) state;
    (void) begin("GET", url_of("/silent"), &a);
    LOOP_UNTIL(base, requests == 1);
    (void) begin("GET", url_of("/echo"), &b);
    (void) begin("GET", "http://localhost:1/", &c);
    http_close(http);
    http_close(NULL);
    http = NULL;
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(a.count + b.count + c.count, 0);
}

/* Twice: our own way and, as if a proxy were there that nobody needs,
 * libcurl's. */
static int
setup_curl(void **state)
{
    (void) setenv("http_proxy", "http://127.0.0.1:9", 1);
    (void) setenv("no_proxy", "*", 1);
    return setup(state);
}

static int
setup_curl_public_only(void **state)
{
    (void) setenv("http_proxy", "http://127.0.0.1:9", 1);
    (void) setenv("no_proxy", "*", 1);
    return setup_public_only(state);
}

static int
setup_curl_loopback_only(void **state)
{
    (void) setenv("http_proxy", "http://127.0.0.1:9", 1);
    (void) setenv("no_proxy", "*", 1);
    return setup_loopback_only(state);
}

static int
teardown_curl(void **state)
{
    (void) unsetenv("http_proxy");
    (void) unsetenv("no_proxy");
    return teardown(state);
}

/* clang-format off */
#define EACH(f, setup_of) \
    {#f, f, setup_of, teardown, NULL}, \
    {#f " (libcurl)", f, setup_curl_##setup_of, teardown_curl, NULL}
#define setup_curl_setup setup_curl
#define setup_curl_setup_public_only setup_curl_public_only
#define setup_curl_setup_loopback_only setup_curl_loopback_only
#define TEST(f) EACH(f, setup)
/* clang-format on */

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_get),
        TEST(methods_and_bodies),
        TEST(extra_headers),
        TEST(strings_are_copied),
        TEST(line_breaks_do_not_make_headers),
        TEST(headers_of_the_answer),
        TEST(ways_to_send_a_body),
        TEST(bodies_up_to_the_limit),
        TEST(a_large_request),
        TEST(a_request_over_the_limit),
        TEST(what_cannot_be_sent),
        TEST(nobody_listens),
        TEST(no_answer_in_time),
        TEST(broken_answers),
        TEST(connections_are_kept),
        TEST(a_kept_connection_the_server_left),
        TEST(descriptors_are_reused),
        TEST(no_more_connections_than_allowed),
        TEST(by_name),
        EACH(private_addresses_are_refused, setup_public_only),
        EACH(networks_that_are_allowed, setup_loopback_only),
        TEST(calls_from_an_answer),
        TEST(cancelled_calls_are_not_answered),
        TEST(cancelled_from_an_answer),
        TEST(closed_from_an_answer),
        TEST(closed_with_calls_under_way),
    };

    (void) signal(SIGPIPE, SIG_IGN); /* our server's, when we hang up */
    (void) unsetenv("all_proxy");
    (void) unsetenv("ALL_PROXY");
    (void) unsetenv("http_proxy");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
