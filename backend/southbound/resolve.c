/*
 * Loop and thread hold the job together; the last to let go frees it, so that
 * a thread nobody waits for any more writes to nothing that is another's.
 */
#include "backend/southbound/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend/base/arena.h"

struct resolve {
    atomic_int holders;
    int fd; /* an eventfd: the thread is through */
    struct event *event;
    resolve_fn fn;
    void *ctx;
    char *name, *port;
    resolve_address_t list[RESOLVE_MAX];
    int n;
    int error; /* of getaddrinfo */
};

static void
let_go(resolve_t *r)
{
    if (atomic_fetch_sub(&r->holders, 1) == 1) {
        (void) close(r->fd);
        free(r->name);
        free(r->port);
        free(r);
    }
}

static void *
run(void *arg)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV};
    resolve_t *r = arg;
    struct addrinfo *all = NULL;
    uint64_t one = 1;

    r->error = getaddrinfo(r->name, r->port, &hints, &all);
    for (struct addrinfo *a = r->error == 0 ? all : NULL;
         a != NULL && r->n < RESOLVE_MAX; a = a->ai_next) {
        if (a->ai_addrlen <= sizeof(r->list[0].at)) {
            memcpy(&r->list[r->n].at, a->ai_addr, a->ai_addrlen);
            r->list[r->n++].len = a->ai_addrlen;
        }
    }
    if (r->error == 0) {
        freeaddrinfo(all);
    }
    (void) !write(r->fd, &one, sizeof(one));
    let_go(r);
    return NULL;
}

static void
on_through(evutil_socket_t fd, short what, void *ctx)
{
    resolve_t *r = ctx;
    uint64_t count;

    (void) what;
    if (read(fd, &count, sizeof(count)) != (ssize_t) sizeof(count)) {
        return;
    }
    event_free(r->event);
    r->fn(r->ctx, r->list, r->n,
          r->error != 0 ? gai_strerror(r->error) : "no address");
    let_go(r);
}

/* Signals are for the loop's thread. */
static bool
start_thread(resolve_t *r)
{
    pthread_t thread;
    sigset_t all, old;
    int error;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&thread, NULL, run, r);
    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0) {
        (void) pthread_detach(thread);
    }
    return error == 0;
}

resolve_t *
resolve_start(struct event_base *base, const char *name, const char *port,
              resolve_fn fn, void *ctx)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    resolve_t *r;

    if (fd < 0) {
        return NULL;
    }
    r = xcalloc(1, sizeof(*r));
    atomic_init(&r->holders, 2);
    r->fd = fd;
    r->fn = fn;
    r->ctx = ctx;
    r->name = xstrdup(name);
    r->port = xstrdup(port);
    r->event = event_new(base, fd, EV_READ | EV_PERSIST, on_through, r);
    if (r->event == NULL || event_add(r->event, NULL) < 0) {
        abort();
    }
    if (!start_thread(r)) {
        atomic_store(&r->holders, 1);
        resolve_cancel(r);
        return NULL;
    }
    return r;
}

void
resolve_cancel(resolve_t *r)
{
    if (r != NULL) {
        event_free(r->event);
        let_go(r);
    }
}
