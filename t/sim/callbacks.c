/*
 * Deliveries: each is in one list from acceptance to its end, and owns its
 * timer. A delivery dropped while its call is under way stays, marked, until
 * the call ends.
 */
#include <stdlib.h>

#include <event2/event_struct.h>

#include "t/common/http_client.h"
#include "t/common/json_text.h"
#include "t/common/memory.h"
#include "t/sim/callbacks.h"

#define REQUEST_MAX (HTTP_HEAD_MAX + HTTP_BODY_MAX)

typedef struct {
    char host[HTTP_HOST_MAX];
    http_client_t *client;
} origin_t;

typedef struct delivery {
    callbacks_t *owner;
    struct delivery *prev;
    struct delivery *next;
    struct event timer;
    origin_t *origin;
    char *url_path;
    char *path;
    char *result;
    long long first_us; /* when the first attempt began; 0: not yet */
    int again;          /* calls still to make after this one */
    bool calling;
    bool dropped;
} delivery_t;

struct callbacks {
    struct event_base *base;
    network_t *network;
    delivery_t *first;
    origin_t origins[CALLBACK_ORIGINS];
    int origin_count;
    callback_counts_t counts;
    buf_t request;
};

callbacks_t *
callbacks_create(struct event_base *base, network_t *network)
{
    callbacks_t *c = memory_new(sizeof *c);

    c->base = base;
    c->network = network;
    buf_init(&c->request, REQUEST_MAX);
    return c;
}

static void
delivery_free(delivery_t *d)
{
    if (d->prev) {
        d->prev->next = d->next;
    } else {
        d->owner->first = d->next;
    }
    if (d->next) {
        d->next->prev = d->prev;
    }
    if (!d->dropped) {
        d->owner->counts.pending--;
    }
    event_del(&d->timer);
    free(d->url_path);
    free(d->path);
    free(d->result);
    free(d);
}

void
callbacks_free(callbacks_t *c)
{
    if (!c) {
        return;
    }
    for (int i = 0; i < c->origin_count; i++) {
        http_client_free(c->origins[i].client);
    }
    while (c->first) {
        delivery_free(c->first);
    }
    buf_free(&c->request);
    free(c);
}

void
callbacks_reset(callbacks_t *c)
{
    delivery_t *next;

    for (delivery_t *d = c->first; d; d = next) {
        next = d->next;
        if (!d->calling) {
            delivery_free(d);
        } else if (!d->dropped) {
            d->dropped = true;
        }
    }
    c->counts = (callback_counts_t){0};
}

callback_counts_t
callbacks_counts(const callbacks_t *c)
{
    return c->counts;
}

static void
delivery_retry(delivery_t *d)
{
    struct timeval later = timeval_of_ms(CALLBACK_RETRY_MS);

    if (now_us() - d->first_us > CALLBACK_GIVE_UP_MS * 1000LL) {
        d->owner->counts.lost++;
        delivery_free(d);
        return;
    }
    event_add(&d->timer, &later);
}

static void delivery_call(delivery_t *d);

static void
on_reply(void *ctx, const http_message_t *reply)
{
    delivery_t *d = ctx;

    d->calling = false;
    if (d->dropped) {
        delivery_free(d);
    } else if (!reply || reply->status / 100 != 2) {
        delivery_retry(d);
    } else {
        d->owner->counts.delivered++;
        if (d->again-- > 0) {
            delivery_call(d);
        } else {
            delivery_free(d);
        }
    }
}

static void
delivery_call(delivery_t *d)
{
    buf_t *out = &d->owner->request;
    str_t body = str_of(d->result);

    buf_reset(out);
    buf_puts(out, "POST ");
    buf_puts(out, d->url_path);
    buf_puts(out, " HTTP/1.1\r\nHost: ");
    buf_puts(out, d->origin->host);
    buf_puts(out, "\r\nContent-Type: application/json\r\n");
    http_put_length(out, body.len);
    buf_str(out, body);
    d->owner->counts.attempts++;
    d->calling =
        !buf_failed(out) &&
        http_client_send(d->origin->client, buf_view(out), on_reply, d);
    if (!d->calling) {
        delivery_retry(d);
    }
}

/* The first time: the change itself happens. */
static void
delivery_begin(delivery_t *d)
{
    resource_t *r = network_find(d->owner->network, str_of(d->path));
    buf_t merged;

    d->first_us = now_us();
    if (!r || !r->document) {
        return;
    }
    buf_init(&merged, HTTP_BODY_MAX);
    json_text_merge(&merged, resource_document(r), str_of(d->result));
    if (!buf_failed(&merged)) {
        resource_store(r, buf_view(&merged));
    }
    buf_free(&merged);
}

static void
on_due(evutil_socket_t fd, short what, void *arg)
{
    delivery_t *d = arg;

    (void) fd;
    (void) what;
    if (!d->first_us) {
        delivery_begin(d);
    }
    delivery_call(d);
}

/* The origin of an URL, made when new; NULL: too many. */
static origin_t *
find_origin(callbacks_t *c, const http_url_t *url)
{
    for (int i = 0; i < c->origin_count; i++) {
        if (strcmp(c->origins[i].host, url->host) == 0) {
            return &c->origins[i];
        }
    }
    if (c->origin_count == CALLBACK_ORIGINS) {
        return NULL;
    }

    origin_t *o = &c->origins[c->origin_count++];

    memcpy(o->host, url->host, sizeof o->host);
    o->client = http_client_create(c->base, url, CALLBACK_CONNECTIONS,
                                   CALLBACK_TIMEOUT_MS);
    return o;
}

const char *
callbacks_add(callbacks_t *c, const callback_t *what)
{
    struct timeval delay = timeval_of_ms(what->delay_ms);
    http_url_t url;
    const char *why = http_url_parse(&url, what->url);
    origin_t *origin = why ? NULL : find_origin(c, &url);

    if (!origin) {
        return why ? why : "callbacks to too many hosts";
    }
    if (c->counts.pending >= CALLBACKS_MAX) {
        return "too many callbacks are pending";
    }

    delivery_t *d = memory_new(sizeof *d);

    d->owner = c;
    d->origin = origin;
    d->url_path = memory_copy(str_of(url.path));
    d->path = memory_copy(what->path);
    d->result = memory_copy(what->result);
    d->again = what->twice ? 1 : 0;
    d->next = c->first;
    if (d->next) {
        d->next->prev = d;
    }
    c->first = d;
    c->counts.accepted++;
    c->counts.pending++;
    event_assign(&d->timer, c->base, -1, 0, on_due, d);
    event_add(&d->timer, &delay);
    return NULL;
}
