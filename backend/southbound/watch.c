/*
 * A table by file descriptor.
 */
#include "backend/southbound/watch.h"

#include <stdlib.h>
#include <string.h>

#include "backend/base/arena.h"

enum { WATCHES_FIRST = 64 };

typedef struct {
    watches_t *owner;
    int fd;
    short want;       /* what the library wants to know */
    short registered; /* what the event is for; may be more */
    bool kept;        /* its closing is told */
    struct event *event;
} watch_t;

struct watches {
    struct event_base *base;
    watch_fn fn;
    void *ctx;
    watch_t **table;
    int size;
};

watches_t *
watches_create(struct event_base *base, watch_fn fn, void *ctx)
{
    watches_t *w = xcalloc(1, sizeof(*w));

    w->base = base;
    w->fn = fn;
    w->ctx = ctx;
    return w;
}

static void
stop(watch_t *watch)
{
    if (watch->event != NULL) {
        event_free(watch->event);
        watch->event = NULL;
    }
    watch->registered = 0;
}

void
watches_free(watches_t *w)
{
    if (w == NULL) {
        return;
    }
    for (int fd = 0; fd < w->size; fd++) {
        if (w->table[fd] != NULL) {
            stop(w->table[fd]);
            free(w->table[fd]);
        }
    }
    free(w->table);
    free(w);
}

/* Descriptors are small numbers: the kernel gives the lowest free one. */
static watch_t *
watch_of(watches_t *w, int fd)
{
    if (fd >= w->size) {
        int size = w->size > 0 ? w->size : WATCHES_FIRST;

        while (size <= fd) {
            size *= 2;
        }
        w->table = xrealloc(w->table, sizeof(*w->table) * (size_t) size);
        memset(w->table + w->size, 0,
               sizeof(*w->table) * (size_t) (size - w->size));
        w->size = size;
    }
    if (w->table[fd] == NULL) {
        w->table[fd] = xcalloc(1, sizeof(watch_t));
        w->table[fd]->owner = w;
        w->table[fd]->fd = fd;
    }
    return w->table[fd];
}

static void
on_event(evutil_socket_t fd, short what, void *ctx)
{
    watch_t *watch = ctx;

    what = (short) (what & watch->want);
    if (what == 0) {
        stop(watch); /* closed by its peer, most likely */
    } else {
        watch->owner->fn(watch->owner->ctx, fd, what);
    }
}

void
watch_opened(watches_t *w, int fd)
{
    watch_of(w, fd)->kept = true;
}

void
watch_want(watches_t *w, int fd, short what)
{
    watch_t *watch = watch_of(w, fd);

    watch->want = what;
    if (watch->registered == what || (what == 0 && watch->kept)) {
        return;
    }
    stop(watch);
    if (what == 0) {
        return;
    }
    watch->event =
        event_new(w->base, fd, (short) (what | EV_PERSIST), on_event, watch);
    if (watch->event == NULL || event_add(watch->event, NULL) != 0) {
        stop(watch); /* the time-out of what waits for it will tell */
        return;
    }
    watch->registered = what;
}

void
watch_closed(watches_t *w, int fd)
{
    watch_t *watch = watch_of(w, fd);

    stop(watch);
    watch->want = 0;
    watch->kept = false;
}
