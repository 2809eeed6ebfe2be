/* rooms: proto backend/base backend/southbound */
/*
 * Connections of our own: which call goes over which, and what happens when
 * servers misbehave. The server on the same loop follows a script: the n-th
 * request it gets has the n-th reply, whoever sent it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <strings.h>

#include "backend/base/arena.h"
#include "backend/southbound/http.h"
#include "t/unit/servers.h"

#define OK    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define EMPTY "Content-Length: 0\r\n\r\n"
#define CLOSE "\x04" /* at the end of a reply: and hang up */

enum { SEEN_MAX = 128 }; /* requests that are remembered */

static struct event_base *base;
static struct evconnlistener *listener, *listener6;
static http_t *http;
static int port, port6;
static const char *const *script; /* replies; behind the last: OK */
static int accepted, gone, requests;
static struct bufferevent *deaf; /* a connection nobody reads from */
static struct {
    int connection;
    char *text;
} seen[SEEN_MAX];

typedef struct {
    int number; /* of the connection */
} peer_t;

static void
reply(struct bufferevent *bev, const char *text)
{
    size_t len = strlen(text);
    bool hang_up = len > 0 && text[len - 1] == CLOSE[0];

    len -= hang_up;
    if (!hang_up) {
        evbuffer_add(bufferevent_get_output(bev), text, len);
        return;
    }
    assert_int_equal(write(bufferevent_getfd(bev), text, len), len);
    shutdown(bufferevent_getfd(bev), SHUT_WR); /* closed when they close */
}

static void
on_request(struct bufferevent *bev, void *ctx)
{
    peer_t *peer = ctx;
    struct evbuffer *in = bufferevent_get_input(bev);

    for (;;) {
        struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
        size_t whole = (size_t) end.pos + 4, length = 0;
        char *text, *at;

        if (end.pos < 0) {
            return;
        }
        text = xcalloc(1, whole + 1);
        (void) evbuffer_copyout(in, text, whole);
        at = strstr(text, "Content-Length: ");
        if (at != NULL) {
            length = strtoul(at + 16, NULL, 10);
        }
        if (strncmp(text, "POST /early ", 12) == 0) {
            bufferevent_disable(bev, EV_READ); /* nobody reads the body */
            deaf = bev;
            length = 0;
        }
        if (evbuffer_get_length(in) < whole + length) {
            free(text);
            return;
        }
        evbuffer_drain(in, whole + length);
        if (requests < SEEN_MAX) {
            seen[requests].connection = peer->number;
            seen[requests].text = text;
        } else {
            free(text);
        }
        requests++;
        if (script != NULL && *script != NULL) {
            reply(bev, *script++);
        } else {
            reply(bev, OK);
        }
    }
}

static void
on_gone(struct bufferevent *bev, short what, void *ctx)
{
    (void) what;
    gone++;
    free(ctx);
    bufferevent_free(bev);
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
          int len, void *ctx)
{
    struct bufferevent *bev =
        bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    peer_t *peer = xcalloc(1, sizeof(*peer));

    (void) l;
    (void) sa;
    (void) len;
    (void) ctx;
    peer->number = accepted++;
    bufferevent_setcb(bev, on_request, NULL, on_gone, peer);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static struct evconnlistener *
listen_on(struct sockaddr *sa, int len)
{
    return evconnlistener_new_bind(base, on_accept, NULL,
                                   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE,
                                   512, sa, len);
}

static int
open_with(int max_connections, int max_host_connections)
{
    const http_options_t o = {
        .max_connections = max_connections,
        .max_host_connections = max_host_connections,
        .allow_private = true,
        .user_agent = "turnup-test/1",
    };
    struct sockaddr_in sin = {.sin_family = AF_INET};
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6,
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = sizeof(sin), len6 = sizeof(sin6);

    base = event_base_new();
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = listen_on((struct sockaddr *) &sin, sizeof(sin));
    assert_non_null(listener);
    getsockname(evconnlistener_get_fd(listener), (struct sockaddr *) &sin,
                &len);
    port = ntohs(sin.sin_port);
    listener6 = listen_on((struct sockaddr *) &sin6, sizeof(sin6));
    if (listener6 != NULL) {
        getsockname(evconnlistener_get_fd(listener6),
                    (struct sockaddr *) &sin6, &len6);
        port6 = ntohs(sin6.sin6_port);
    }
    accepted = gone = requests = 0;
    script = NULL;
    http = http_open(base, &o);
    return 0;
}

static int
setup(void **state)
{
    (void) state;
    return open_with(16, 8);
}

static int
setup_one(void **state)
{
    (void) state;
    return open_with(16, 1);
}

static int
setup_two_in_all(void **state)
{
    (void) state;
    return open_with(2, 2);
}

static int
teardown(void **state)
{
    (void) state;
    http_close(http);
    LOOP_UNTIL(base, gone == accepted); /* all are given back */
    evconnlistener_free(listener);
    if (listener6 != NULL) {
        evconnlistener_free(listener6);
    }
    event_base_free(base);
    for (int i = 0; i < requests && i < SEEN_MAX; i++) {
        free(seen[i].text);
    }
    return 0;
}

typedef struct {
    int count;
    int order; /* among all answers of the test */
    int status;
    bool sent;
    char error[256];
    char body[64];
} answer_t;

static int answers;

static void
on_answer(void *ctx, const http_answer_t *a)
{
    answer_t *ret = ctx;

    ret->count++;
    ret->order = answers++;
    ret->status = a->status;
    ret->sent = a->sent;
    snprintf(ret->error, sizeof(ret->error), "%s", a->error ? a->error : "");
    snprintf(ret->body, sizeof(ret->body), "%.*s", STR_FMT(a->body));
}

static const char *
url_of(const char *host, const char *path)
{
    static char url[256];

    snprintf(url, sizeof(url), "http://%s:%d%s", host, port, path);
    return url;
}

static http_call_t *
begin(const char *host, const char *path, answer_t *a)
{
    const http_request_t r = {
        .method = "GET", .url = url_of(host, path), .timeout_ms = 20000};

    memset(a, 0, sizeof(*a));
    return http_send(http, &r, on_answer, a);
}

static answer_t
call(const http_request_t *r)
{
    answer_t a = {0};

    assert_non_null(http_send(http, r, on_answer, &a));
    assert_int_equal(a.count, 0);
    LOOP_UNTIL(base, a.count > 0);
    assert_int_equal(a.count, 1);
    return a;
}

static answer_t
get(void)
{
    const http_request_t r = {
        .method = "GET", .url = url_of("127.0.0.1", "/"), .timeout_ms = 20000};

    return call(&r);
}

static void
assert_ok(answer_t a)
{
    assert_string_equal(a.error, "");
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "ok");
}

static void
assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, text);
    }
}

static int
count_of(const char *text, const char *part)
{
    size_t len = strlen(part);
    int n = 0;

    for (; *text != '\0'; text++) {
        n += strncasecmp(text, part, len) == 0;
    }
    return n;
}

static void
what_a_request_looks_like(void **state)
{
    http_request_t r = {.method = "POST",
                        .url = url_of("127.0.0.1", "/a%20b/*?x=y&z=%2F"),
                        .body = STR("{}"),
                        .headers = {"X-A: 1", "X-B:2"}};
    char expected[512];

    (void) state;
    assert_ok(call(&r));
    snprintf(expected, sizeof(expected),
             "POST /a%%20b/*?x=y&z=%%2F HTTP/1.1\r\n"
             "Host: 127.0.0.1:%d\r\n"
             "User-Agent: turnup-test/1\r\n"
             "Accept: */*\r\n"
             "Content-Type: application/json\r\n"
             "Content-Length: 2\r\n"
             "X-A: 1\r\n"
             "X-B:2\r\n\r\n",
             port);
    assert_string_equal(seen[0].text, expected);
    r = (http_request_t){.method = "GET", .url = url_of("127.0.0.1", "")};
    assert_ok(call(&r));
    assert_has(seen[1].text, "GET / HTTP/1.1\r\n");
    r.method = "PUT"; /* a length where a body would be expected */
    assert_ok(call(&r));
    assert_int_equal(count_of(seen[2].text, "Content-Length: 0\r\n"), 1);
    r.method = "DELETE";
    assert_ok(call(&r));
    assert_int_equal(count_of(seen[3].text, "Content-Length"), 0);
}

static void
headers_of_the_caller_replace_ours(void **state)
{
    http_request_t r = {.method = "POST",
                        .url = url_of("127.0.0.1", "/"),
                        .body = STR("<a/>"),
                        .headers = {"accept: a/b", "USER-AGENT: me",
                                    "Content-type: text/xml"}};

    (void) state;
    assert_ok(call(&r));
    assert_int_equal(count_of(seen[0].text, "\naccept: a/b\r\n"), 1);
    assert_int_equal(count_of(seen[0].text, "\naccept:"), 1);
    assert_int_equal(count_of(seen[0].text, "\nuser-agent: me\r\n"), 1);
    assert_int_equal(count_of(seen[0].text, "\nuser-agent:"), 1);
    assert_int_equal(count_of(seen[0].text, "\ncontent-type:"), 1);
    assert_int_equal(count_of(seen[0].text, "\ncontent-type: text/xml\r\n"),
                     1);
    r.headers[0] = "Host: another.example";
    r.headers[1] = "Expect:";
    assert_ok(call(&r));
    assert_int_equal(count_of(seen[1].text, "\nhost:"), 1);
    assert_has(seen[1].text, "\nHost: another.example\r\n");
    assert_int_equal(count_of(seen[1].text, "\nexpect"), 0);
}

static void
what_would_make_another_header(void **state)
{
    static const char *const bad[] = {"X-A: 1\rX: 2", "X-A: 1\nX: 2",
                                      "X-A\r\n: 1",   "X-A: \x01",
                                      "X-A: \x7f",    "\r\n\r\nGET / "};
    http_request_t r = {.method = "GET", .url = url_of("127.0.0.1", "/")};

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        answer_t a;

        r.headers[0] = bad[i];
        a = call(&r);
        assert_int_equal(a.status, 0);
        assert_false(a.sent);
        assert_has(a.error, "control");
    }
    r.headers[0] = "X-A: a\tb \xc3\xb6";
    assert_ok(call(&r));
    assert_int_equal(requests, 1);
    assert_has(seen[0].text, "X-A: a\tb \xc3\xb6\r\n");
}

/* One request after the other, in the order in which they were made. */
static void
first_come_first_served(void **state)
{
    enum { N = 40 };
    static answer_t a[N];

    (void) state;
    answers = 0;
    for (int i = 0; i < N; i++) {
        char path[16];

        snprintf(path, sizeof(path), "/%d", i);
        (void) begin("127.0.0.1", path, &a[i]);
    }
    LOOP_UNTIL(base, http_in_flight(http) == 0);
    for (int i = 0; i < N; i++) {
        char line[32];

        snprintf(line, sizeof(line), "GET /%d HTTP/1.1\r\n", i);
        assert_int_equal(strncmp(seen[i].text, line, strlen(line)), 0);
        assert_ok(a[i]);
        assert_int_equal(a[i].order, i);
    }
    assert_int_equal(accepted, 1);
}

static void
which_connections_are_kept(void **state)
{
    static const struct {
        const char *reply;
        bool kept;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "1\r\no\r\n1\r\nk\r\n0\r\nX: y\r\n\r\n",
         true},
        {"HTTP/1.1 100 C\r\n\r\n" OK, true},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n"
         "\r\nok",
         true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
         false},
        {"HTTP/1.1 200 OK\r\n\r\nok" CLOSE, false},
        {OK OK, false},     /* what nobody asked for */
        {OK "\r\n", false}, /* even this */
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const replies[] = {cases[i].reply, NULL};
        int first = requests;

        script = replies;
        assert_ok(get());
        assert_ok(get());
        assert_int_equal(requests, first + 2);
        if ((seen[first].connection == seen[first + 1].connection) !=
            cases[i].kept) {
            fail_msg("kept: %d, after %s", !cases[i].kept, cases[i].reply);
        }
    }
    script = NULL;
}

static void
answers_without_a_body(void **state)
{
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n",
        "HTTP/1.1 304 N\r\nContent-Length: 2000\r\n\r\n",
        "HTTP/1.1 204 N\r\n\r\n", NULL};
    http_request_t r = {.method = "HEAD", .url = url_of("127.0.0.1", "/")};

    (void) state;
    script = replies;
    assert_int_equal(call(&r).status, 200);
    assert_int_equal(get().status, 304);
    assert_int_equal(get().status, 204);
    assert_int_equal(accepted, 1);
}

static void
answers_that_are_refused(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: a\x01\r\n" EMPTY,
        "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\x16\x03\x01\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok" CLOSE,
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *const replies[] = {bad[i], NULL};
        answer_t a;

        script = replies;
        a = get();
        assert_int_equal(a.status, 0);
        assert_true(a.sent);
        assert_string_not_equal(a.error, "");
        assert_string_equal(a.body, "");
        LOOP_UNTIL(base, gone == accepted); /* and the connection closed */
        assert_int_equal(requests, (int) i + 1);
    }
    script = NULL;
}

static void
a_kept_connection_that_was_closed(void **state)
{
    static const char *const replies[] = {OK, CLOSE, NULL};

    (void) state;
    script = replies;
    assert_ok(get());
    assert_ok(get()); /* on the kept one in vain, then on a fresh one */
    assert_int_equal(requests, 3);
    assert_int_equal(accepted, 2);
    assert_int_equal(seen[1].connection, 0);
    assert_int_equal(seen[2].connection, 1);
    assert_string_equal(seen[1].text, seen[2].text);
}

static void
not_sent_a_third_time(void **state)
{
    static const char *const replies[] = {OK, CLOSE, CLOSE, NULL};
    answer_t a;

    (void) state;
    script = replies;
    assert_ok(get());
    a = get();
    assert_int_equal(a.status, 0);
    assert_true(a.sent);
    assert_has(a.error, "without an answer");
    assert_int_equal(requests, 3);
}

static void
not_sent_again_after_a_byte(void **state)
{
    static const char *const replies[] = {OK, "H" CLOSE, NULL};
    answer_t a;

    (void) state;
    script = replies;
    assert_ok(get());
    a = get();
    assert_int_equal(a.status, 0);
    assert_true(a.sent);
    assert_int_equal(requests, 2);
}

static void
not_sent_again_on_a_fresh_connection(void **state)
{
    static const char *const replies[] = {CLOSE, NULL};
    answer_t a;

    (void) state;
    script = replies;
    a = get();
    assert_int_equal(a.status, 0);
    assert_true(a.sent);
    assert_int_equal(requests, 1);
}

/* Other kept connections may be as dead: the second try takes none of them. */
static void
the_second_try_is_on_a_fresh_connection(void **state)
{
    static const char *const replies[] = {OK, OK, OK, CLOSE, NULL};
    answer_t a[3];

    (void) state;
    script = replies;
    for (int i = 0; i < 3; i++) {
        (void) begin("127.0.0.1", "/", &a[i]);
    }
    LOOP_UNTIL(base, http_in_flight(http) == 0);
    assert_int_equal(accepted, 3);
    assert_ok(get());
    assert_int_equal(requests, 5);
    assert_int_equal(seen[4].connection, 3);
}

static void
time_is_up(void **state)
{
    static const char *const replies[] = {"HTTP/1.1 200 OK\r\n", NULL};
    http_request_t r = {
        .method = "GET", .url = url_of("127.0.0.1", "/"), .timeout_ms = 100};
    answer_t a[3] = {0};

    (void) state;
    script = replies;
    for (int i = 0; i < 3; i++) {
        (void) http_send(http, &r, on_answer, &a[i]);
        r.timeout_ms = i == 0 ? 50 : 20000;
    }
    LOOP_UNTIL(base, http_in_flight(http) == 0);
    assert_int_equal(a[0].status, 0);
    assert_true(a[0].sent);
    assert_has(a[0].error, "timed out");
    assert_int_equal(a[1].status, 0); /* never left the queue */
    assert_false(a[1].sent);
    assert_has(a[1].error, "timed out");
    assert_ok(a[2]); /* and the next one got its turn */
    assert_int_equal(requests, 2);
    assert_int_equal(seen[1].connection, 1);
}

/* A full queue of connections: SYNs are dropped. */
static void
connecting_takes_too_long(void **state)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof(sin);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fillers[4];
    char url[64];
    http_request_t r = {
        .method = "GET", .url = url, .connect_timeout_ms = 200};
    answer_t a;

    (void) state;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *) &sin, sizeof(sin)), 0);
    assert_int_equal(listen(fd, 0), 0);
    getsockname(fd, (struct sockaddr *) &sin, &len);
    for (int i = 0; i < 4; i++) {
        fillers[i] =
            socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void) connect(fillers[i], (struct sockaddr *) &sin, sizeof(sin));
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(sin.sin_port));
    a = call(&r);
    assert_int_equal(a.status, 0);
    assert_false(a.sent);
    assert_has(a.error, "could not connect");
    for (int i = 0; i < 4; i++) {
        close(fillers[i]);
    }
    close(fd);
}

static void
cancelled_calls_make_room(void **state)
{
    static const char *const replies[] = {"HTTP/1.1 200 OK\r\n", NULL};
    answer_t a[4];
    http_call_t *calls[4];

    (void) state;
    script = replies;
    for (int i = 0; i < 4; i++) {
        calls[i] = begin("127.0.0.1", "/", &a[i]);
    }
    LOOP_UNTIL(base, requests == 1);
    http_cancel(calls[2]); /* in the queue */
    http_cancel(calls[0]); /* under way: its connection goes */
    LOOP_UNTIL(base, http_in_flight(http) == 0);
    assert_int_equal(a[0].count + a[2].count, 0);
    assert_ok(a[1]);
    assert_ok(a[3]);
    assert_int_equal(requests, 3);
    LOOP_UNTIL(base, gone == 1);
    assert_int_equal(accepted, 2);
}

static void
an_answer_before_the_request_is_out(void **state)
{
    static const char *const replies[] = {"HTTP/1.1 413 Large\r\n" EMPTY,
                                          NULL};
    size_t size = 16 << 20;
    char *body = xcalloc(1, size);
    const http_request_t r = {.method = "POST",
                              .url = url_of("127.0.0.1", "/early"),
                              .body = {body, size}};

    (void) state;
    script = replies;
    assert_int_equal(call(&r).status, 413);
    assert_ok(get());
    assert_int_equal(seen[1].connection, 1); /* half a request is in it */
    free(body);
    bufferevent_enable(deaf, EV_READ);
}

static answer_t other; /* of the host that asks but once */

static void
again_until_other(void *ctx, const http_answer_t *a)
{
    const http_request_t r = {.method = "GET",
                              .url = url_of("127.0.0.1", "/")};

    on_answer(ctx, a);
    if (other.count == 0) {
        (void) http_send(http, &r, again_until_other, ctx);
    }
}

/* A host with always more calls than there are connections. */
static void
no_host_starves(void **state)
{
    const http_request_t r = {.method = "GET",
                              .url = url_of("127.0.0.1", "/")};
    answer_t a = {0};

    (void) state;
    other.count = 0;
    for (int i = 0; i < 10; i++) {
        (void) http_send(http, &r, again_until_other, &a);
    }
    LOOP_UNTIL(base, a.count > 10);
    (void) begin("localhost", "/", &other);
    LOOP_UNTIL(base, http_in_flight(http) == 0);
    assert_ok(other);
    assert_ok(a);
    (void) begin("localhost", "/", &other); /* in place of an idle one */
    (void) begin("127.0.0.1", "/", &a);
    LOOP_UNTIL(base, http_in_flight(http) == 0);
    assert_ok(other);
    assert_ok(a);
    LOOP_UNTIL(base, accepted - gone <= 2);
}

static void
an_ipv6_literal(void **state)
{
    char url[64], host[64];
    const http_request_t r = {.method = "GET", .url = url};

    (void) state;
    if (listener6 == NULL) {
        skip();
    }
    snprintf(url, sizeof(url), "http://[::1]:%d/", port6);
    assert_ok(call(&r));
    snprintf(host, sizeof(host), "\r\nHost: [::1]:%d\r\n", port6);
    assert_has(seen[0].text, host);
}

/* Both that nobody has it and that nobody says so in time. */
static void
a_name_that_is_not(void **state)
{
    const http_request_t r = {.method = "GET",
                              .url = "http://no-such-host.invalid/",
                              .connect_timeout_ms = 3000};
    answer_t a[3] = {0};

    (void) state;
    for (int i = 0; i < 3; i++) {
        (void) http_send(http, &r, on_answer, &a[i]);
    }
    LOOP_UNTIL(base, http_in_flight(http) == 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(a[i].status, 0);
        assert_false(a[i].sent);
        assert_has(a[i].error, "could not resolve no-such-host.invalid");
    }
}

/* Whoever names a proxy goes through it: the way of libcurl. */
static void
a_proxy_is_used(void **state)
{
    const http_request_t r = {.method = "GET",
                              .url = "http://somewhere.invalid/a"};

    (void) state;
    http_close(http);
    assert_int_equal(setenv("http_proxy", url_of("127.0.0.1", ""), 1), 0);
    http = http_open(base, &(http_options_t){.max_connections = 4,
                                             .max_host_connections = 2,
                                             .allow_private = true});
    assert_ok(call(&r));
    assert_has(seen[0].text, "GET http://somewhere.invalid/a HTTP/1.1\r\n");
    unsetenv("http_proxy");
}

#define TEST(f)         cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_WITH(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_request_looks_like),
        TEST(headers_of_the_caller_replace_ours),
        TEST(what_would_make_another_header),
        TEST_WITH(first_come_first_served, setup_one),
        TEST(which_connections_are_kept),
        TEST(answers_without_a_body),
        TEST(answers_that_are_refused),
        TEST(a_kept_connection_that_was_closed),
        TEST(not_sent_a_third_time),
        TEST(not_sent_again_after_a_byte),
        TEST(not_sent_again_on_a_fresh_connection),
        TEST(the_second_try_is_on_a_fresh_connection),
        TEST_WITH(time_is_up, setup_one),
        TEST(connecting_takes_too_long),
        TEST_WITH(cancelled_calls_make_room, setup_one),
        TEST(an_answer_before_the_request_is_out),
        TEST_WITH(no_host_starves, setup_two_in_all),
        TEST(an_ipv6_literal),
        TEST(a_name_that_is_not),
        TEST(a_proxy_is_used),
    };

    (void) signal(SIGPIPE, SIG_IGN); /* our server's */
    (void) unsetenv("http_proxy");
    (void) unsetenv("all_proxy");
    (void) unsetenv("ALL_PROXY");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
