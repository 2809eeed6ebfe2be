/*
 * Closed loops: every connection asks again as soon as it is answered.
 * POST makes orders, GET reads them by id.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event_struct.h>

#include "t/bench/histogram.h"
#include "t/bench/load.h"
#include "t/bench/template.h"
#include "t/common/json_text.h"
#include "t/common/memory.h"

#define ID_LINE_MAX 512     /* bytes of an id */
#define REQUEST_MAX 8388608 /* bytes of a request */
#define RANDOM_SEED 88172645463325252ULL

typedef struct run run_t;

/* One of the callers: a request under way, or a pause. */
typedef struct {
    run_t *run;
    long long sent_us;
    struct event pause;
} caller_t;

struct run {
    const load_options_t *o;
    bool get;
    struct event_base *base;
    http_client_t *client;
    caller_t *callers;
    long active;
    template_t order;
    buf_t head;
    buf_t request;
    buf_t id; /* scratch */
    unsigned long long number;
    unsigned long long random;
    char **ids;
    size_t id_count;
    long long start_us;
    long long end_us;  /* nothing is sent any more */
    long long last_us; /* the last answer */
    unsigned long ok;
    load_errors_t errors;
    histogram_t latency;
};

static void on_reply(void *ctx, const http_message_t *reply);

/* xorshift64: cheap, and the same in every run. */
static unsigned long long
next_random(run_t *r)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return r->random;
}

static void
put_get(run_t *r)
{
    const char *id = r->ids[next_random(r) % r->id_count];

    buf_puts(&r->request, "GET ");
    buf_puts(&r->request, r->o->url.path);
    buf_puts(&r->request, LOAD_API "/serviceOrder/");
    buf_url(&r->request, str_of(id));
    buf_str(&r->request, buf_view(&r->head));
}

static void
caller_next(caller_t *c)
{
    run_t *r = c->run;

    c->sent_us = now_us();
    if (c->sent_us >= r->end_us) {
        if (--r->active == 0) {
            event_base_loopbreak(r->base);
        }
        return;
    }
    buf_reset(&r->request);
    if (r->get) {
        put_get(r);
    } else {
        template_request(&r->order, &r->request, buf_view(&r->head),
                         r->number++);
    }
    /* There is a connection for every caller, so none has to wait. */
    (void) http_client_send(r->client, buf_view(&r->request), on_reply, c);
}

static void
on_pause_over(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    caller_next(arg);
}

static void
keep_id(run_t *r, str_t body)
{
    if (!r->o->ids_file || r->id_count == LOAD_IDS_MAX) {
        return;
    }
    buf_reset(&r->id);
    if (json_text_string(&r->id, json_text_get(body, "id"))) {
        r->ids[r->id_count++] = memory_copy(buf_view(&r->id));
    }
}

static void
on_reply(void *ctx, const http_message_t *reply)
{
    caller_t *c = ctx;
    run_t *r = c->run;

    r->last_us = now_us();
    if (!reply || reply->status != (r->get ? 200 : 201)) {
        struct timeval pause = timeval_of_ms(LOAD_PAUSE_MS);

        load_errors_add(&r->errors, reply);
        event_add(&c->pause, &pause);
        return;
    }
    r->ok++;
    histogram_add(&r->latency, r->last_us - c->sent_us);
    if (!r->get) {
        keep_id(r, reply->body);
    }
    caller_next(c);
}

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
    run_t *r = arg;

    (void) fd;
    (void) what;
    r->end_us = now_us();
}

static void
print_result(const run_t *r)
{
    double seconds = (double) (r->last_us - r->start_us) / 1e6;

    printf("{\"mode\":\"%s\",\"seconds\":%.3f,\"ok\":%lu,\"errors\":",
           r->get ? "get" : "post", seconds, r->ok);
    load_errors_print(&r->errors);
    printf(",\"perSecond\":%.1f,\"p50ms\":%.3f,\"p99ms\":%.3f}\n",
           seconds > 0 ? (double) r->ok / seconds : 0,
           histogram_ms(&r->latency, 0.5), histogram_ms(&r->latency, 0.99));
}

static void
run_loop(run_t *r)
{
    struct event term, intr;

    evsignal_assign(&term, r->base, SIGTERM, on_stop, r);
    evsignal_assign(&intr, r->base, SIGINT, on_stop, r);
    event_add(&term, NULL);
    event_add(&intr, NULL);
    r->start_us = r->last_us = now_us();
    r->end_us = r->start_us + (long long) (r->o->seconds * 1e6);
    r->active = r->o->connections;
    r->callers = memory_new((size_t) r->active * sizeof *r->callers);
    for (long i = 0; i < r->o->connections; i++) {
        r->callers[i].run = r;
        event_assign(&r->callers[i].pause, r->base, -1, 0, on_pause_over,
                     &r->callers[i]);
        caller_next(&r->callers[i]);
    }
    event_base_dispatch(r->base);
    event_del(&term);
    event_del(&intr);
}

static run_t *
run_create(const load_options_t *o, bool get)
{
    run_t *r = memory_new(sizeof *r);

    r->o = o;
    r->get = get;
    r->number = load_first_number();
    r->random = RANDOM_SEED;
    r->ids = memory_new(LOAD_IDS_MAX * sizeof *r->ids);
    buf_init(&r->head, HTTP_HEAD_MAX);
    buf_init(&r->request, REQUEST_MAX);
    buf_init(&r->id, HTTP_BODY_MAX);
    r->base = event_base_new();
    r->client = http_client_create(r->base, &o->url, (int) o->connections,
                                   LOAD_TIMEOUT_MS);
    return r;
}

static void
run_free(run_t *r)
{
    http_client_free(r->client);
    for (long i = 0; r->callers && i < r->o->connections; i++) {
        event_del(&r->callers[i].pause);
    }
    event_base_free(r->base);
    for (size_t i = 0; i < r->id_count; i++) {
        free(r->ids[i]);
    }
    free(r->ids);
    free(r->callers);
    template_close(&r->order);
    buf_free(&r->head);
    buf_free(&r->request);
    buf_free(&r->id);
    free(r);
}

static int
write_ids(const run_t *r)
{
    FILE *f = fopen(r->o->ids_file, "w");
    bool bad = !f;

    for (size_t i = 0; f && i < r->id_count; i++) {
        fprintf(f, "%s\n", r->ids[i]);
    }
    if (f) {
        bad = ferror(f);
        bad |= fclose(f) != 0;
    }
    if (bad) {
        fprintf(stderr, "turnup-load: %s: %s\n", r->o->ids_file,
                strerror(errno));
    }
    return bad ? -1 : 0;
}

/* One id a line. */
static int
read_ids(run_t *r)
{
    FILE *f = fopen(r->o->ids_file, "r");
    char line[ID_LINE_MAX];

    if (!f) {
        fprintf(stderr, "turnup-load: %s: %s\n", r->o->ids_file,
                strerror(errno));
        return -1;
    }
    while (r->id_count < LOAD_IDS_MAX && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0]) {
            r->ids[r->id_count++] = memory_copy(str_of(line));
        }
    }
    fclose(f);
    if (r->id_count == 0) {
        fprintf(stderr, "turnup-load: %s: no ids\n", r->o->ids_file);
        return -1;
    }
    return 0;
}

int
load_post(const load_options_t *o)
{
    run_t *r = run_create(o, false);
    const char *why;
    int code = LOAD_OK;

    if (template_open(&r->order, o->body_file, &why) < 0) {
        fprintf(stderr, "turnup-load: %s %s\n", o->body_file, why);
        code = LOAD_UNABLE;
    } else {
        load_put_head(&r->head, o, "POST", LOAD_API "/serviceOrder", true);
        run_loop(r);
        print_result(r);
        if (o->ids_file && write_ids(r) < 0) {
            code = LOAD_UNABLE;
        }
    }
    if (r->ok == 0) {
        code = LOAD_UNABLE;
    }
    run_free(r);
    return code;
}

int
load_get(const load_options_t *o)
{
    run_t *r = run_create(o, true);
    int code = LOAD_UNABLE;

    if (read_ids(r) == 0) {
        buf_printf(&r->head, " HTTP/1.1\r\nHost: %s\r\n\r\n", o->url.host);
        run_loop(r);
        print_result(r);
        code = r->ok ? LOAD_OK : LOAD_UNABLE;
    }
    run_free(r);
    return code;
}
