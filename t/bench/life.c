/*
 * Whole lives: orders are posted, their notifications come back to a
 * listener in the same process, and each order is followed to its end.
 *
 * Phases: subscribe, post, drain, unsubscribe. Closed loop: at most so many
 * orders are open. Open loop: orders are due by the clock, in steps of a
 * millisecond, and latency counts from when one was due.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event_struct.h>

#include "t/bench/load.h"
#include "t/bench/orders.h"
#include "t/bench/template.h"
#include "t/common/http_server.h"
#include "t/common/json_text.h"
#include "t/common/memory.h"

#define REQUEST_MAX  8388608 /* bytes of a request */
#define OPEN_MAX     150000  /* orders open at most, in the open loop too */
#define TICK_US      1000
#define STEADY_SHARE 0.1  /* of the posting time is not measured: warm-up */
#define BYE_MS       5000 /* to unsubscribe */
#define HUB_ID_MAX   256

typedef enum { SUBSCRIBE, POST, DRAIN, UNSUBSCRIBE } phase_t;

typedef struct life life_t;

/* A POST under way. */
typedef struct post {
    life_t *life;
    struct post *next_free;
    long long due_us;
} post_t;

struct life {
    const load_options_t *o;
    phase_t phase;
    struct event_base *base;
    http_client_t *client;
    http_server_t *listener;
    struct event tick;  /* open loop */
    struct event pause; /* after an error */
    struct event phase_end;
    struct event term;
    struct event intr;
    template_t order;
    buf_t head;
    buf_t request;
    char hub_id[HUB_ID_MAX];
    unsigned long long number;
    long long start_us;
    unsigned long posted;
    unsigned long in_flight;
    long long paused_until_us;
    bool unable; /* no subscription */
    post_t *free_posts;
    orders_t orders;
    load_errors_t errors;
};

static void on_post_reply(void *ctx, const http_message_t *reply);

static void
life_post(life_t *l, long long due_us)
{
    post_t *p = l->free_posts;

    if (p) {
        l->free_posts = p->next_free;
    } else {
        p = memory_new(sizeof *p);
        p->life = l;
    }
    p->due_us = due_us;
    l->posted++;
    buf_reset(&l->request);
    template_request(&l->order, &l->request, buf_view(&l->head), l->number++);
    if (http_client_send(l->client, buf_view(&l->request), on_post_reply, p)) {
        l->in_flight++;
    } else {
        load_errors_add(&l->errors, NULL);
        p->next_free = l->free_posts;
        l->free_posts = p;
    }
}

static unsigned long
life_open(const life_t *l)
{
    return l->in_flight + orders_open(&l->orders);
}

/* When order i is due: the first tick at or after its moment. */
static long long
due_us(const life_t *l, unsigned long i)
{
    long long ticks = (long long) ((double) i * 1e6 / l->o->rate / TICK_US);

    return l->start_us + (ticks + 1) * TICK_US;
}

/* Posts what may be posted now. */
static void
life_pump(life_t *l)
{
    long long now;

    if (l->phase != POST) {
        return;
    }
    now = now_us();
    if (now < l->paused_until_us) {
        return;
    }
    if (l->o->rate > 0) {
        while (due_us(l, l->posted) <= now && life_open(l) < OPEN_MAX) {
            life_post(l, due_us(l, l->posted));
        }
        return;
    }
    while (life_open(l) < (unsigned long) l->o->window &&
           l->in_flight < (unsigned long) l->o->connections) {
        life_post(l, now);
    }
}

static void life_enter(life_t *l, phase_t phase);

static void
life_progress(life_t *l)
{
    life_pump(l);
    if (l->phase == DRAIN && life_open(l) == 0) {
        life_enter(l, UNSUBSCRIBE);
    }
}

/* An error is no reason to ask faster. */
static void
life_pause(life_t *l)
{
    struct timeval pause = timeval_of_ms(LOAD_PAUSE_MS);

    l->paused_until_us = now_us() + LOAD_PAUSE_MS * 1000LL;
    event_add(&l->pause, &pause);
}

static void
on_post_reply(void *ctx, const http_message_t *reply)
{
    post_t *p = ctx;
    life_t *l = p->life;
    str_t id = STR_NONE;

    l->in_flight--;
    if (reply && reply->status == 201) {
        id = json_text_get(reply->body, "id");
    }
    if (id.len) {
        orders_accepted(&l->orders, id, p->due_us);
    } else {
        load_errors_add(&l->errors, reply);
        life_pause(l);
    }
    p->next_free = l->free_posts;
    l->free_posts = p;
    life_progress(l);
}

static void
on_notification(void *ctx, http_conn_t *conn, const http_message_t *req)
{
    life_t *l = ctx;

    orders_notified(&l->orders, req->body, now_us());
    http_answer(conn, 204, STR_NONE, STR_NONE);
    life_progress(l);
}

static void
on_pump(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    life_pump(arg);
}

static void
on_phase_end(evutil_socket_t fd, short what, void *arg)
{
    life_t *l = arg;

    (void) fd;
    (void) what;
    if (l->phase == UNSUBSCRIBE) {
        event_base_loopbreak(l->base);
    } else {
        life_enter(l, l->phase == POST ? DRAIN : UNSUBSCRIBE);
    }
    life_progress(l);
}

/* Stops posting and waiting, but not the unsubscription. */
static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
    life_t *l = arg;

    (void) fd;
    (void) what;
    if (l->phase == SUBSCRIBE || l->phase == UNSUBSCRIBE) {
        l->unable |= l->phase == SUBSCRIBE;
        event_base_loopbreak(l->base);
    } else {
        if (l->phase == POST) {
            l->orders.steady_to_us = now_us();
        }
        life_enter(l, UNSUBSCRIBE);
    }
}

static void
on_unsubscribed(void *ctx, const http_message_t *reply)
{
    life_t *l = ctx;

    if (!reply || reply->status != 204) {
        fprintf(stderr, "turnup-load: the subscription %s was not removed\n",
                l->hub_id);
    }
    event_base_loopbreak(l->base);
}

static void
unsubscribe(life_t *l)
{
    buf_t path;

    buf_init(&path, HTTP_HEAD_MAX);
    buf_puts(&path, LOAD_API "/hub/");
    buf_url(&path, str_of(l->hub_id));
    buf_reset(&l->request);
    load_put_head(&l->request, l->o, "DELETE", path.data, false);
    buf_free(&path);
    (void) http_client_send(l->client, buf_view(&l->request), on_unsubscribed,
                            l);
}

static void
on_subscribed(void *ctx, const http_message_t *reply)
{
    life_t *l = ctx;
    buf_t id;

    buf_init(&id, HUB_ID_MAX - 1);
    if (reply && reply->status == 201 &&
        json_text_string(&id, json_text_get(reply->body, "id")) &&
        !buf_failed(&id)) {
        snprintf(l->hub_id, sizeof l->hub_id, "%.*s", STR_FMT(buf_view(&id)));
        life_enter(l, POST);
    } else {
        fprintf(stderr, "turnup-load: no subscription: %d %.*s\n",
                reply ? reply->status : 0,
                STR_FMT(reply ? reply->body : STR("no answer")));
        l->unable = true;
        event_base_loopbreak(l->base);
    }
    buf_free(&id);
}

static void
subscribe(life_t *l)
{
    char body[256];
    int len = snprintf(body, sizeof body,
                       "{\"callback\":\"http://127.0.0.1:%d/listener\","
                       "\"query\":\"eventType="
                       "ServiceOrderStateChangeEvent\"}",
                       http_server_port(l->listener));

    buf_reset(&l->request);
    load_put_head(&l->request, l->o, "POST", LOAD_API "/hub", true);
    http_put_length(&l->request, (size_t) len);
    buf_put(&l->request, body, (size_t) len);
    (void) http_client_send(l->client, buf_view(&l->request), on_subscribed,
                            l);
}

static void
life_start_posting(life_t *l)
{
    long long length_us = (long long) (l->o->seconds * 1e6);
    struct timeval every = {.tv_usec = TICK_US};

    l->start_us = now_us();
    l->orders.steady_from_us =
        l->start_us + (long long) (STEADY_SHARE * (double) length_us);
    l->orders.steady_to_us = l->start_us + length_us;
    if (l->o->rate > 0) {
        event_add(&l->tick, &every);
    }
    life_pump(l);
}

static void
life_enter(life_t *l, phase_t phase)
{
    const double seconds[] = {[SUBSCRIBE] = LOAD_TIMEOUT_MS / 1e3,
                              [POST] = l->o->seconds,
                              [DRAIN] = l->o->drain,
                              [UNSUBSCRIBE] = BYE_MS / 1e3};
    struct timeval end = timeval_of_ms((long) (seconds[phase] * 1e3));

    l->phase = phase;
    event_add(&l->phase_end, &end);
    switch (phase) {
    case SUBSCRIBE:
        subscribe(l);
        break;
    case POST:
        life_start_posting(l);
        break;
    case DRAIN:
        event_del(&l->tick);
        break;
    case UNSUBSCRIBE:
        unsubscribe(l);
        break;
    }
}

static void
print_result(life_t *l)
{
    const orders_t *o = &l->orders;
    double steady = (double) (o->steady_to_us - o->steady_from_us) / 1e6;

    printf("{\"mode\":\"life\",\"seconds\":%.3f,\"posted\":%lu,"
           "\"accepted\":%lu,\"completed\":%lu,\"failed\":%lu,"
           "\"missing\":%lu,\"errors\":",
           (double) (o->steady_to_us - l->start_us) / 1e6, l->posted,
           o->accepted, o->completed, o->failed, orders_open(o));
    load_errors_print(&l->errors);
    printf(",\"completedPerSecond\":%.1f,\"p50ms\":%.3f,\"p99ms\":%.3f,"
           "\"notifications\":%lu,\"foreign\":%lu,\"outOfOrder\":%lu}\n",
           steady > 0 ? (double) o->completed_steady / steady : 0,
           histogram_ms(&o->latency, 0.5), histogram_ms(&o->latency, 0.99),
           o->notifications, o->foreign, o->out_of_order);
}

static void
life_events(life_t *l)
{
    event_assign(&l->tick, l->base, -1, EV_PERSIST, on_pump, l);
    event_assign(&l->pause, l->base, -1, 0, on_pump, l);
    event_assign(&l->phase_end, l->base, -1, 0, on_phase_end, l);
    evsignal_assign(&l->term, l->base, SIGTERM, on_stop, l);
    evsignal_assign(&l->intr, l->base, SIGINT, on_stop, l);
    event_add(&l->term, NULL);
    event_add(&l->intr, NULL);
}

/* 0, or -1 having said why. */
static int
life_open_all(life_t *l, const load_options_t *o)
{
    struct event_config *config = event_config_new();
    const char *why;

    /* A tick of a millisecond needs better timers than epoll_wait()'s. */
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    l->o = o;
    l->base = event_base_new_with_config(config);
    event_config_free(config);
    l->number = load_first_number();
    orders_init(&l->orders);
    buf_init(&l->head, HTTP_HEAD_MAX);
    buf_init(&l->request, REQUEST_MAX);
    load_put_head(&l->head, o, "POST", LOAD_API "/serviceOrder", true);
    life_events(l);
    if (template_open(&l->order, o->body_file, &why) < 0) {
        fprintf(stderr, "turnup-load: %s %s\n", o->body_file, why);
        return -1;
    }
    l->client = http_client_create(l->base, &o->url, (int) o->connections,
                                   LOAD_TIMEOUT_MS);
    l->listener = http_server_create(l->base, "127.0.0.1", (int) o->listen,
                                     on_notification, l);
    if (!l->listener) {
        fprintf(stderr, "turnup-load: cannot listen on port %ld: %s\n",
                o->listen, strerror(errno));
        return -1;
    }
    return 0;
}

static void
life_close(life_t *l)
{
    http_client_free(l->client);
    http_server_free(l->listener);
    event_del(&l->tick);
    event_del(&l->pause);
    event_del(&l->phase_end);
    event_del(&l->term);
    event_del(&l->intr);
    event_base_free(l->base);
    while (l->free_posts) {
        post_t *p = l->free_posts;

        l->free_posts = p->next_free;
        free(p);
    }
    template_close(&l->order);
    buf_free(&l->head);
    buf_free(&l->request);
    orders_free(&l->orders);
    free(l);
}

int
load_life(const load_options_t *o)
{
    life_t *l = memory_new(sizeof *l);
    int code = LOAD_UNABLE;

    if (life_open_all(l, o) == 0) {
        life_enter(l, SUBSCRIBE);
        event_base_dispatch(l->base);
        if (!l->unable) {
            orders_finish(&l->orders);
            print_result(l);
            code = l->orders.accepted == 0 ? LOAD_UNABLE
                   : l->orders.completed == l->orders.accepted
                       ? LOAD_OK
                       : LOAD_INCOMPLETE;
        }
    }
    life_close(l);
    return code;
}
