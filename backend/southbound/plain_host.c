/*
 * Hosts: a queue of calls and a pool of connections each. Whoever waits is
 * served in turn; when the limit of all connections is reached, an idle one
 * of another host goes, and a host without any comes before one that has some.
 */
#include "backend/southbound/plain.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/base/arena.h"

/* A literal address needs no resolver. */
static void
read_literal(host_t *h)
{
    resolve_address_t *a = &h->addresses[0];
    uint16_t port = htons((uint16_t) strtoul(h->port, NULL, 10));

    if (inet_pton(AF_INET, h->name, &a->at.v4.sin_addr) == 1) {
        a->at.v4.sin_family = AF_INET;
        a->at.v4.sin_port = port;
        a->len = sizeof(a->at.v4);
    } else if (inet_pton(AF_INET6, h->name, &a->at.v6.sin6_addr) == 1) {
        a->at.v6.sin6_family = AF_INET6;
        a->at.v6.sin6_port = port;
        a->len = sizeof(a->at.v6);
    } else {
        return;
    }
    h->address_count = 1;
    h->resolve_after = PLAIN_NEVER;
}

static list_t *
slot_of(plain_t *p, str_t name, const char *port)
{
    uint32_t n = 2166136261U; /* FNV-1a */

    for (size_t i = 0; i < name.len; i++) {
        n = (n ^ (unsigned char) name.data[i]) * 16777619U;
    }
    for (; *port != '\0'; port++) {
        n = (n ^ (unsigned char) *port) * 16777619U;
    }
    return &p->hosts[n % PLAIN_HOST_SLOTS];
}

host_t *
host_find(plain_t *p, str_t name, const char *port)
{
    list_t *slot = slot_of(p, name, port);
    host_t *h;

    for (list_t *n = slot->next; n != slot; n = n->next) {
        h = list_entry(n, host_t, node);
        if (str_is(name, h->name) && strcmp(port, h->port) == 0) {
            return h;
        }
    }
    h = xcalloc(1, sizeof(*h));
    h->plain = p;
    h->name = xcalloc(1, name.len + 1);
    memcpy(h->name, name.data, name.len);
    (void) snprintf(h->port, sizeof(h->port), "%s", port);
    list_init(&h->waiting);
    list_init(&h->conns);
    list_init(&h->idle);
    list_init(&h->hunger);
    h->used_at = plain_now();
    read_literal(h);
    list_append(slot, &h->node);
    return h;
}

void
host_free(host_t *h)
{
    while (!list_empty(&h->conns)) {
        conn_close(list_entry(h->conns.next, conn_t, node));
    }
    resolve_cancel(h->resolving);
    list_remove(&h->node);
    list_remove(&h->hunger);
    free(h->name);
    free(h);
}

static call_t *
first_waiting(host_t *h)
{
    return list_entry(h->waiting.next, call_t, turn);
}

void
host_enqueue(host_t *h, call_t *c)
{
    c->host = h;
    list_append(&h->waiting, &c->turn);
}

static void
fail_all(host_t *h, const char *error)
{
    for (list_t *n; (n = list_pop(&h->waiting)) != NULL;) {
        call_fail(list_entry(n, call_t, turn), "could not resolve %s: %s",
                  h->name, error);
    }
}

static void
on_resolved(void *ctx, const resolve_address_t *list, int n, const char *error)
{
    host_t *h = ctx;

    h->resolving = NULL;
    if (n == 0) {
        fail_all(h, error);
        return;
    }
    memcpy(h->addresses, list, sizeof(*list) * (size_t) n);
    h->address_count = n;
    h->preferred = 0;
    h->resolve_after = plain_now() + PLAIN_NAME_MS;
    for (list_t *c = h->waiting.next; c != &h->waiting; c = c->next) {
        list_entry(c, call_t, turn)->connect_deadline = PLAIN_NEVER;
    }
    host_serve(h);
}

/* true: the host's addresses are known. */
static bool
resolved(host_t *h)
{
    if (h->address_count > 0 &&
        (h->resolve_after == PLAIN_NEVER || plain_now() < h->resolve_after)) {
        return true;
    }
    h->address_count = 0;
    if (h->resolving == NULL) {
        h->resolving =
            resolve_start(h->plain->base, h->name, h->port, on_resolved, h);
        if (h->resolving == NULL) {
            fail_all(h, "out of resources");
        }
    }
    for (list_t *n = h->waiting.next; n != &h->waiting; n = n->next) {
        call_t *c = list_entry(n, call_t, turn);

        if (c->connect_deadline == PLAIN_NEVER) {
            c->connect_deadline = plain_now() + c->connect_ms;
            plain_wake(h->plain, c->connect_deadline);
        }
    }
    return false;
}

static int
limit(int n)
{
    return n > 0 ? n : INT_MAX;
}

/* Room for one more connection, made if need be. */
static bool
has_room(host_t *h, const call_t *c)
{
    plain_t *p = h->plain;
    int most = limit(p->options.max_connections);

    /* its kept connection was dead, and so may be those beside it */
    if (c->again && !list_empty(&h->idle)) {
        conn_close(list_entry(h->idle.next, conn_t, idle));
    }
    if (h->connections >= limit(p->options.max_host_connections)) {
        return false;
    }
    if (p->connections >= most && !list_empty(&p->rested)) {
        conn_close(list_entry(p->rested.next, conn_t, rest));
    }
    return p->connections < most;
}

void
host_serve(host_t *h)
{
    list_remove(&h->hunger);
    while (!list_empty(&h->waiting)) {
        call_t *c = first_waiting(h);

        if (!c->again && !list_empty(&h->idle)) {
            list_remove(&c->turn);
            conn_give(list_entry(h->idle.next, conn_t, idle), c);
        } else if (!resolved(h)) {
            return;
        } else if (has_room(h, c)) {
            list_remove(&c->turn);
            conn_open(h, c);
        } else {
            /* or else one of its own connections serves it */
            if (h->connections <
                limit(h->plain->options.max_host_connections)) {
                list_append(&h->plain->hungry, &h->hunger);
            }
            return;
        }
    }
}

void
plain_serve(plain_t *p, host_t *h)
{
    int most = limit(p->options.max_connections);

    /* one that finds no room goes to the end */
    for (list_t *n = p->hungry.next, *last = p->hungry.prev;
         n != &p->hungry && p->connections < most;) {
        list_t *next = n->next;
        bool end = n == last;

        host_serve(list_entry(n, host_t, hunger));
        if (end) {
            break;
        }
        n = next;
    }
    host_serve(h);
}

bool
plain_starves(const plain_t *p, const host_t *h)
{
    if (p->connections < limit(p->options.max_connections)) {
        return false;
    }
    for (list_t *n = p->hungry.next; n != &p->hungry; n = n->next) {
        const host_t *other = list_entry(n, host_t, hunger);

        if (other != h && other->connections == 0) {
            return true;
        }
    }
    return false;
}

void
plain_age(plain_t *p, int64_t now)
{
    while (!list_empty(&p->rested)) {
        conn_t *conn = list_entry(p->rested.next, conn_t, rest);

        if (now - conn->idle_since < PLAIN_IDLE_MS) {
            break;
        }
        conn_close(conn);
    }
    for (int i = 0; i < PLAIN_HOST_SLOTS; i++) {
        for (list_t *n = p->hosts[i].next, *next; n != &p->hosts[i];
             n = next) {
            host_t *h = list_entry(n, host_t, node);

            next = n->next;
            if (list_empty(&h->conns) && list_empty(&h->waiting) &&
                h->resolving == NULL && now - h->used_at >= PLAIN_IDLE_MS) {
                host_free(h);
            }
        }
    }
}
