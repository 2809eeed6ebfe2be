/*
 * Batches of ids in two lists: under way, and to be told again.
 */
#include "backend/base/ack.h"

#include <stdlib.h>

#include "backend/base/arena.h"
#include "backend/base/list.h"
#include "backend/base/log.h"

/* Batches not confirmed. What is beyond is forgotten here, stays pending in
 * Redis and comes back by a claim. */
enum { BATCHES_MAX = 4096 };

typedef struct {
    list_t node;
    ack_t *owner;
    const char *key;
    int n;
    str_t ids[];
} batch_t;

struct ack {
    redis_t *redis;
    char *group;
    list_t sent;
    list_t unsent;
    int count; /* in both */
};

ack_t *
ack_create(redis_t *redis, const char *group)
{
    ack_t *a = xcalloc(1, sizeof(*a));

    a->redis = redis;
    a->group = xstrdup(group);
    list_init(&a->sent);
    list_init(&a->unsent);
    return a;
}

static void
free_all(list_t *l)
{
    for (list_t *n; (n = list_pop(l)) != NULL;) {
        free(list_entry(n, batch_t, node));
    }
}

void
ack_free(ack_t *a)
{
    if (a == NULL) {
        return;
    }
    free_all(&a->sent);
    free_all(&a->unsent);
    free(a->group);
    free(a);
}

static void
on_deleted(void *ctx, const redisReply *reply)
{
    batch_t *b = ctx;
    ack_t *a = b->owner;

    list_remove(&b->node);
    if (reply != NULL && reply->type != REDIS_REPLY_ERROR) {
        a->count--;
        free(b);
    } else {
        list_append(&a->unsent, &b->node);
    }
}

/* XDEL behind XACK on one connection: when it is confirmed, both are. */
static void
send_batch(ack_t *a, batch_t *b)
{
    str_t *argv = xcalloc((size_t) b->n + 3, sizeof(*argv));
    size_t bytes = sizeof(*argv) * (size_t) b->n;

    list_append(&a->sent, &b->node);
    argv[0] = STR("XACK");
    argv[1] = str_of(b->key);
    argv[2] = str_of(a->group);
    memcpy(argv + 3, b->ids, bytes);
    redis_command(a->redis, NULL, NULL, 0, argv, b->n + 3);
    argv[0] = STR("XDEL");
    memcpy(argv + 2, b->ids, bytes);
    redis_command(a->redis, on_deleted, b, 0, argv, b->n + 2);
    free(argv);
}

/* With a copy of the ids, in one piece. */
static batch_t *
batch_create(const str_t *ids, int n)
{
    size_t bytes = sizeof(batch_t) + sizeof(str_t) * (size_t) n;
    batch_t *b;
    char *at;

    for (int i = 0; i < n; i++) {
        bytes += ids[i].len;
    }
    b = xcalloc(1, bytes);
    list_init(&b->node);
    b->n = n;
    at = (char *) (b->ids + n);
    for (int i = 0; i < n; i++) {
        memcpy(at, ids[i].data, ids[i].len);
        b->ids[i] = (str_t){at, ids[i].len};
        at += ids[i].len;
    }
    return b;
}

void
ack_put(ack_t *a, const char *key, const str_t *ids, int n)
{
    batch_t *b;

    if (n <= 0) {
        return;
    }
    if (a->count >= BATCHES_MAX) {
        log_event(LOG_WARN, "acknowledgement forgotten", "stream", key, NULL);
        return;
    }
    b = batch_create(ids, n);
    b->owner = a;
    b->key = key;
    a->count++;
    if (redis_up(a->redis)) {
        send_batch(a, b);
    } else {
        list_append(&a->unsent, &b->node);
    }
}

void
ack_resend(ack_t *a)
{
    list_t *n;

    while (redis_up(a->redis) && (n = list_pop(&a->unsent)) != NULL) {
        send_batch(a, list_entry(n, batch_t, node));
    }
}
