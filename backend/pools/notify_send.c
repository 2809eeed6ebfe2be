/*
 * From the backlogs to the listeners.
 */
#include "backend/pools/notify.h"

#include <stdio.h>

#define REFUSAL_LOG_MS 1000 /* one line a subscription */

static void on_answer(void *ctx, const http_answer_t *answer);

static void
send_one(subscriber_t *s, delivery_t *d)
{
    notifier_t *n = s->notifier;
    const http_request_t request = {
        .method = "POST",
        .url = s->callback,
        .body = {d->note->body, d->note->len},
        .timeout_ms = NOTIFY_CALL_MS,
        .connect_timeout_ms = NOTIFY_CONNECT_MS,
    };

    *n->retried += d->attempts > 1;
    d->call = http_send(n->http, &request, on_answer, d);
}

static void
set_timer(subscriber_t *s, int64_t now)
{
    int64_t wait = listener_wait_ms(&s->listener, now);
    struct timeval tv;

    if (wait > 0) {
        tv = (struct timeval){wait / 1000, wait % 1000 * 1000};
        evtimer_add(s->timer, &tv);
    }
}

void
send_start(subscriber_t *s)
{
    notifier_t *n = s->notifier;
    int64_t now = clock_mono_ms();
    delivery_t *d;

    if (!n->leading || n->worker.stopping) {
        return;
    }
    /* One call a listener is always free, so that many that hang do not keep
     * the others waiting. */
    while (http_in_flight(n->http) < NOTIFY_CALLS ||
           s->listener.under_way == 0) {
        d = listener_next(&s->listener, now);
        if (!d) {
            break;
        }
        send_one(s, d);
    }
    set_timer(s, now);
}

void
send_on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void) fd;
    (void) what;
    send_start(ctx);
}

void
send_cancel(subscriber_t *s)
{
    list_t *backlog = &s->listener.backlog;

    for (list_t *at = backlog->next; at != backlog; at = at->next) {
        delivery_t *d = list_entry(at, delivery_t, link);

        if (d->under_way && d->call) {
            http_cancel(d->call);
            d->call = NULL;
        }
    }
}

static const char *
reason_of(const http_answer_t *answer, char text[32])
{
    if (answer->status == 0) {
        return answer->error ? answer->error : "no answer";
    }
    snprintf(text, 32, "HTTP status %d", answer->status);
    return text;
}

static void
log_refusal(subscriber_t *s, uuid_t event_id, const http_answer_t *answer,
            int64_t now)
{
    char id[UUID_TEXT + 1], event[UUID_TEXT + 1], reason[32], others[16];

    if (now - s->logged_ms < REFUSAL_LOG_MS) {
        s->unlogged++;
        return;
    }
    uuid_print(s->id, id);
    uuid_print(event_id, event);
    snprintf(others, sizeof(others), "%u", s->unlogged);
    log_event(LOG_WARN, "listener refuses a notification, given up",
              "subscription", id, "callback", s->callback, "event", event,
              "reason", reason_of(answer, reason), "others", others, NULL);
    s->unlogged = 0;
    s->logged_ms = now;
}

/* Only the change between well and failing is worth a line. */
static void
log_health(const subscriber_t *s, bool was_well, const http_answer_t *answer)
{
    bool well = s->listener.failures == 0;
    char id[UUID_TEXT + 1], reason[32];

    if (well == was_well) {
        return;
    }
    uuid_print(s->id, id);
    log_event(well ? LOG_INFO : LOG_WARN,
              well ? "listener takes notifications again"
                   : "listener does not take notifications, will retry",
              "subscription", id, "callback", s->callback, "reason",
              well ? NULL : reason_of(answer, reason), NULL);
}

static void
on_answer(void *ctx, const http_answer_t *answer)
{
    delivery_t *d = ctx;
    listener_t *l = d->listener;
    subscriber_t *s = list_entry(l, subscriber_t, listener);
    notifier_t *n = s->notifier;
    int64_t now = clock_mono_ms();
    bool was_well = l->failures == 0;
    bool had_room = listener_has_room(l);
    uuid_t event_id = d->note->event_id;
    verdict_t verdict = listener_verdict(answer->status);
    double jitter = verdict == VERDICT_FAILED ? random_unit() : 0;

    d->call = NULL;
    *n->failed += verdict == VERDICT_FAILED;
    verdict =
        listener_settle(l, d, verdict, answer->retry_after_s, now, jitter);
    *n->delivered += verdict == VERDICT_TAKEN;
    s->urgent |= verdict != VERDICT_FAILED;
    if (verdict == VERDICT_REFUSED) {
        (*n->skipped)++;
        log_refusal(s, event_id, answer, now);
    }
    log_health(s, was_well, answer);
    if (n->worker.stopping) {
        notify_stop_soon(n);
        return;
    }
    send_start(s);
    if (!had_room && listener_has_room(l)) {
        n->hinted = true;
        read_start(n);
    }
}
