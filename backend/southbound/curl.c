/*
 * Calls over curl's multi_socket interface.
 *
 * A call owns an easy handle whose options that never change are set once;
 * ended calls wait in a free list with their memory. curl is driven from
 * three places only: a socket's event, the timer, and the kick (curl's "timer
 * of 0 ms", and calls that could not start). After each, finish() hands out
 * what has ended, so owners never run inside curl.
 *
 * Sockets are opened and closed here: their events outlive curl's changing
 * interest (watch.h), and an address is judged before the first packet.
 */
#include "backend/southbound/http_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <curl/curl.h>

#include "backend/base/arena.h"
#include "backend/base/list.h"
#include "backend/base/log.h"
#include "backend/southbound/watch.h"
#include "proto/buf.h"

enum {
    IDLE_CALLS_MAX = 1024,
    KEEP_BODY_BYTES = 65536, /* a larger buffer is given back at once */
    EXTRA_HEADERS = 2        /* Content-Type, Expect */
};

struct curl_path {
    struct event_base *base;
    CURLM *multi;
    http_options_t options;
    struct event *timer;
    struct event *kick;
    list_t calls;  /* under way, with curl */
    list_t failed; /* could not start; answered at the next kick */
    list_t idle;   /* ended, kept for the next ones */
    int idle_count;
    int in_flight;
    watches_t *watches;
    int busy;    /* depth of our frames that call owners */
    bool closed; /* free when they are left */
};

typedef struct {
    http_call_t base;
    list_t node; /* in one of the lists of curl_path */
    curl_path_t *path;
    CURL *easy;
    http_answer_fn fn;
    void *ctx;
    char *text; /* URL, method, headers and body of the request */
    size_t text_size;
    struct curl_slist headers[HTTP_MAX_HEADERS + EXTRA_HEADERS];
    buf_t body;       /* of the answer */
    bool headed;      /* the blank line behind the headers has come */
    bool too_large;   /* the answer's body was refused */
    bool refused;     /* an address was private */
    const char *fail; /* could not start: why */
    char error[CURL_ERROR_SIZE];
} call_t;

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    curl_path_t *h = ctx;
    int want = 0;

    (void) easy;
    (void) socket_ctx;
    if (what != CURL_POLL_REMOVE) {
        want |= what & CURL_POLL_IN ? EV_READ : 0;
        want |= what & CURL_POLL_OUT ? EV_WRITE : 0;
    }
    watch_want(h->watches, fd, (short) want);
    return 0;
}

static curl_socket_t
on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *sa)
{
    call_t *c = ctx;
    int fd;

    (void) purpose;
    if (!http_may_connect(&c->path->options, &sa->addr)) {
        c->refused = true;
        return CURL_SOCKET_BAD;
    }
    fd = socket(sa->family, sa->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                sa->protocol);
    if (fd >= 0) {
        watch_opened(c->path->watches, fd);
    }
    return fd;
}

static int
on_close_socket(void *ctx, curl_socket_t fd)
{
    watch_closed(((curl_path_t *) ctx)->watches, fd);
    return close(fd);
}

/* Soon, but not now. An owner that answers an answer with the next call waits
 * for the next turn of the loop, so that failing calls cannot fill one. */
static void
kick(curl_path_t *h)
{
    static const struct timeval now;

    if (h->busy > 0) {
        (void) event_add(h->kick, &now);
    } else {
        event_active(h->kick, 0, 0);
    }
}

static int
on_timer_change(CURLM *multi, long ms, void *ctx)
{
    curl_path_t *h = ctx;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    (void) multi;
    if (ms == 0) {
        kick(h);
    } else if (ms < 0) {
        (void) event_del(h->timer);
    } else {
        (void) event_add(h->timer, &tv);
    }
    return 0;
}

static size_t
on_body(char *data, size_t size, size_t n, void *ctx)
{
    call_t *c = ctx;

    buf_put(&c->body, data, size * n);
    if (buf_failed(&c->body)) {
        c->too_large = true;
        return 0;
    }
    return size * n;
}

/* A connection that ends within the headers is no error to curl. Lines also
 * come of answers before the last, and of trailers without a blank one. */
static size_t
on_header(char *data, size_t size, size_t n, void *ctx)
{
    call_t *c = ctx;

    if (size * n <= 2 && data[0] < ' ') {
        c->headed = true;
    } else if (size * n >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        c->headed = false;
    }
    return size * n;
}

static const char *
last_header(CURL *easy, const char *name)
{
    struct curl_header *header;

    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != 0) {
        return NULL;
    }
    return header->value;
}

static http_answer_t
answer_of(call_t *c, CURLcode code)
{
    http_answer_t a = {.retry_after_s = -1};
    long n = 0;

    if (c->fail != NULL) {
        a.error = c->fail;
        return a;
    }
    (void) curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &n);
    a.sent = n > 0;
    if (code == CURLE_OK && !c->headed) {
        a.error = "the answer ended within its headers";
        return a;
    }
    if (code != CURLE_OK) {
        a.error = c->error[0] != '\0' ? c->error : curl_easy_strerror(code);
        if (c->too_large) {
            a.error = "the answer is too large";
        } else if (c->refused && !a.sent) {
            a.error = "the address is private";
        }
        return a;
    }
    (void) curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &n);
    a.status = (int) n;
    a.body = buf_view(&c->body);
    a.location = str_of(last_header(c->easy, "Location"));
    a.retry_after_s = http_retry_after(last_header(c->easy, "Retry-After"));
    return a;
}

static void
call_free(call_t *c)
{
    curl_easy_cleanup(c->easy);
    buf_free(&c->body);
    free(c->text);
    free(c);
}

/* The call has left curl and its list: keep it for the next one. */
static void
call_retire(call_t *c)
{
    curl_path_t *h = c->path;

    h->in_flight--;
    c->fn = NULL;
    if (h->idle_count >= IDLE_CALLS_MAX || c->easy == NULL) {
        call_free(c);
        return;
    }
    if (c->body.cap > KEEP_BODY_BYTES) {
        buf_free(&c->body);
    }
    if (c->text_size > KEEP_BODY_BYTES) {
        free(c->text);
        c->text = NULL;
        c->text_size = 0;
    }
    list_append(h->idle.next, &c->node); /* first out: its memory is warm */
    h->idle_count++;
}

static void
call_end(call_t *c, CURLcode code)
{
    http_answer_t answer;

    list_remove(&c->node);
    answer = answer_of(c, code);
    if (c->fn != NULL) {
        c->fn(c->ctx, &answer);
    }
    call_retire(c);
}

static void
free_list(list_t *l)
{
    for (list_t *node; (node = list_pop(l)) != NULL;) {
        call_free(list_entry(node, call_t, node));
    }
}

static void
destroy(curl_path_t *h)
{
    for (list_t *n = h->calls.next; n != &h->calls; n = n->next) {
        (void) curl_multi_remove_handle(h->multi,
                                        list_entry(n, call_t, node)->easy);
    }
    free_list(&h->calls);
    free_list(&h->failed);
    free_list(&h->idle);
    (void) curl_multi_cleanup(h->multi);
    watches_free(h->watches);
    event_free(h->timer);
    event_free(h->kick);
    free(h);
}

/* Hands out what has ended. The last thing an event does: h may be gone. */
static void
finish(curl_path_t *h)
{
    CURLMsg *msg;
    int left;

    h->busy++;
    while (!h->closed && (msg = curl_multi_info_read(h->multi, &left))) {
        CURL *easy = msg->easy_handle;
        CURLcode code = msg->data.result; /* msg is gone with the handle */
        call_t *c = NULL;

        (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &c);
        (void) curl_multi_remove_handle(h->multi, easy);
        call_end(c, code);
    }
    if (--h->busy == 0 && h->closed) {
        destroy(h);
    }
}

static void
on_socket_event(void *ctx, int fd, short what)
{
    curl_path_t *h = ctx;
    int mask = 0;
    int running;

    mask |= what & EV_READ ? CURL_CSELECT_IN : 0;
    mask |= what & EV_WRITE ? CURL_CSELECT_OUT : 0;
    (void) curl_multi_socket_action(h->multi, fd, mask, &running);
    finish(h);
}

static void
on_timer(evutil_socket_t fd, short what, void *ctx)
{
    curl_path_t *h = ctx;
    int running;

    (void) fd;
    (void) what;
    (void) curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0,
                                    &running);
    finish(h);
}

static void
on_kick(evutil_socket_t fd, short what, void *ctx)
{
    curl_path_t *h = ctx;
    list_t failed; /* only those there now: an owner may send again */

    list_init(&failed);
    h->busy++;
    for (list_t *n; (n = list_pop(&h->failed)) != NULL;) {
        list_append(&failed, n);
    }
    while (!h->closed && !list_empty(&failed)) {
        call_end(list_entry(failed.next, call_t, node), CURLE_OK);
    }
    free_list(&failed);
    h->busy--;
    on_timer(fd, what, h);
}

static void
set_multi(curl_path_t *h)
{
    long total = h->options.max_connections;
    CURLM *m = h->multi;

    curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(m, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timer_change);
    curl_multi_setopt(m, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(m, CURLMOPT_MAX_TOTAL_CONNECTIONS, total);
    curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, total);
    curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS,
                      (long) h->options.max_host_connections);
}

curl_path_t *
curl_path_open(struct event_base *base, const http_options_t *o)
{
    static bool initialised;
    curl_path_t *h = xcalloc(1, sizeof(*h));

    if (!initialised) {
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
            abort();
        }
        initialised = true;
    }
    h->base = base;
    h->options = *o;
    list_init(&h->calls);
    list_init(&h->failed);
    list_init(&h->idle);
    h->multi = curl_multi_init();
    h->watches = watches_create(base, on_socket_event, h);
    h->timer = event_new(base, -1, 0, on_timer, h);
    h->kick = event_new(base, -1, 0, on_kick, h);
    if (h->multi == NULL || h->timer == NULL || h->kick == NULL) {
        abort();
    }
    set_multi(h);
    return h;
}

void
curl_path_close(curl_path_t *h)
{
    if (h == NULL) {
        return;
    }
    h->closed = true;
    if (h->busy == 0) {
        destroy(h);
    }
}

/* What is the same for every call. */
static void
set_fixed(call_t *c)
{
    CURL *e = c->easy;

    curl_easy_setopt(e, CURLOPT_PRIVATE, c);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    /* A call that ends while its name is being resolved would else block the
     * loop until the resolver's thread is through. */
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, c->path->options.user_agent);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, c);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, c->path);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
}

static void
cancel(http_call_t *call)
{
    call_t *c = (call_t *) call;

    list_remove(&c->node);
    if (c->fail == NULL) {
        (void) curl_multi_remove_handle(c->path->multi, c->easy);
    }
    call_retire(c);
}

static call_t *
call_take(curl_path_t *h)
{
    list_t *node = list_pop(&h->idle);
    call_t *c;

    if (node != NULL) {
        h->idle_count--;
        c = list_entry(node, call_t, node);
    } else {
        c = xcalloc(1, sizeof(*c));
        list_init(&c->node);
        c->base.cancel = cancel;
        c->path = h;
        c->easy = curl_easy_init();
        buf_init(&c->body, h->options.max_answer);
        if (c->easy != NULL) {
            set_fixed(c);
        }
    }
    return c;
}

static char *
copy(char **at, str_t s)
{
    char *start = *at;

    if (s.len > 0) {
        memcpy(start, s.data, s.len);
    }
    start[s.len] = '\0';
    *at += s.len + 1;
    return start;
}

/* Bytes for copies of all its strings: three and the headers, each with a
 * NUL, and the content type as a header. */
static size_t
request_size(const http_request_t *r)
{
    return http_request_bytes(r) + 3 + (size_t) http_header_count(r) +
           sizeof("Content-Type: ");
}

/* curl only reads the list, so it needs no allocation of curl's. */
static void
set_headers(call_t *c, const http_request_t *r, char **at)
{
    static char no_expect[] = "Expect:"; /* or a body over 1 MB waits 1 s */
    struct curl_slist *h = c->headers;
    int n = http_header_count(r);

    *h++ = (struct curl_slist){no_expect, NULL};
    /* without a value: none, where curl would name a form's */
    (h++)->data = *at;
    *at += sprintf(*at, "Content-Type:%s%s", r->body.len > 0 ? " " : "",
                   r->body.len > 0 ? r->content_type : "") +
           1;
    for (int i = 0; i < n; i++) {
        (h++)->data = copy(at, str_of(r->headers[i]));
    }
    h[-1].next = NULL;
    while (--h > c->headers) {
        h[-1].next = h;
    }
}

static void
set_method(call_t *c, const char *method, str_t body)
{
    bool posts = strcmp(method, "POST") == 0;
    bool gets = strcmp(method, "GET") == 0;
    CURL *e = c->easy;

    if (posts || body.len > 0) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, body.data);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t) body.len);
        gets = false;
    } else {
        curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, posts || gets ? NULL : method);
}

static CURLcode
set_request(call_t *c, const http_request_t *r)
{
    size_t size = request_size(r);
    char *at, *url, *body;

    if (size > c->text_size) {
        c->text = xrealloc(c->text, size);
        c->text_size = size;
    }
    at = c->text;
    url = copy(&at, str_of(r->url));
    body = copy(&at, r->body);
    set_headers(c, r, &at);
    set_method(c, copy(&at, str_of(r->method)), (str_t){body, r->body.len});
    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long) r->timeout_ms);
    curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long) r->connect_timeout_ms);
    return curl_easy_setopt(c->easy, CURLOPT_URL, url);
}

http_call_t *
curl_path_send(curl_path_t *h, const http_request_t *r, http_answer_fn fn,
               void *ctx)
{
    call_t *c = call_take(h);
    CURLcode code = CURLE_OUT_OF_MEMORY;

    c->fn = fn;
    c->ctx = ctx;
    c->headed = false;
    c->too_large = false;
    c->refused = false;
    c->fail = NULL;
    c->error[0] = '\0';
    buf_reset(&c->body);
    h->in_flight++;
    if (c->easy != NULL) {
        code = set_request(c, r);
    }
    if (code == CURLE_OK &&
        curl_multi_add_handle(h->multi, c->easy) == CURLM_OK) {
        list_append(&h->calls, &c->node);
    } else {
        c->fail =
            curl_easy_strerror(code == CURLE_OK ? CURLE_FAILED_INIT : code);
        list_append(&h->failed, &c->node);
        kick(h);
    }
    return &c->base;
}

int
curl_path_in_flight(const curl_path_t *h)
{
    return h->in_flight;
}
