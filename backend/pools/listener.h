/*
 * A hub listener: what has been read for it and not yet taken by it.
 *
 * Rules: events of one resource are sent one after another, in the order of
 * the log; different resources side by side. A listener that fails is asked
 * again by one call at a time, ever more seldom, until it takes something;
 * nothing is given up because a listener is down. An event is given up only
 * when the listener refuses it for good (another 4xx, or 3xx, 410 included),
 * or fails it LISTENER_BLAMES times although it takes others meanwhile.
 *
 * Pure: no clock, no randomness, no I/O.
 */
#ifndef TURNUP_POOLS_LISTENER_H
#define TURNUP_POOLS_LISTENER_H

#include "backend/base/list.h"
#include "backend/base/map.h"
#include "backend/pools/notification.h"

#define LISTENER_CALLS        64 /* under way at once, at most */
#define LISTENER_CALLS_FIRST  8  /* ... of one that has to prove itself */
#define LISTENER_BACKLOG      2000
#define LISTENER_BYTES        2097152 /* of bodies; a page may exceed it */
#define LISTENER_DOWN_AFTER   5       /* failures in a row */
#define LISTENER_DOWN_BACKLOG 64      /* kept in memory for one that is down */
#define LISTENER_BLAMES       30
#define LISTENER_DELAY_MS     200
#define LISTENER_DELAY_MAX_MS 60000
#define LISTENER_AFTER_MAX_S  3600 /* of a Retry-After */

typedef struct listener listener_t;
typedef struct delivery delivery_t;

/* One notification on its way to one listener. */
struct delivery {
    list_t link; /* in listener.backlog */
    list_t turn; /* in ready or failed; nowhere when under way or behind */
    listener_t *listener;
    delivery_t *ahead, *behind; /* of the same resource */
    notification_t *note;
    position_t before; /* read position before it was read */
    bool under_way;
    int attempts;
    int blames;     /* failed although the listener took others */
    unsigned taken; /* listener.taken at its last failure */
    unsigned round; /* listener.round when it was sent */
    int64_t due_ms; /* failed: when to send it again */
    void *call;     /* the owner's */
};

struct listener {
    list_t backlog; /* by position */
    list_t ready;   /* never sent, or to be sent at once */
    list_t failed;  /* by due_ms */
    map_t *last;    /* resource → its last delivery */
    int count;
    size_t bytes;
    int under_way;
    int allowed;        /* calls at once; grows with each success */
    int failures;       /* in a row; 0: it is well */
    unsigned round;     /* answers of older rounds say nothing new */
    unsigned taken;     /* notifications taken so far */
    int64_t resume_ms;  /* nothing is sent before */
    position_t read;    /* what is behind it is not read yet */
    position_t settled; /* furthest that was taken or given up */
};

typedef enum {
    VERDICT_TAKEN,
    VERDICT_REFUSED, /* for good: this event is given up */
    VERDICT_FAILED   /* may be taken later */
} verdict_t;

/* Of an HTTP status; 0 is no answer. */
verdict_t listener_verdict(int status);

void listener_init(listener_t *l, const position_t *from);
/* Also its deliveries; calls under way are the owner's to cancel. */
void listener_clear(listener_t *l);

/* May more be read for it? */
bool listener_has_room(const listener_t *l);
/* Takes a reference of note. before: the event read just before. */
void listener_add(listener_t *l, notification_t *note,
                  const position_t *before);

/* What to send now, marked as under way; NULL: nothing. The owner makes the
 * call and ends it by listener_settle(). */
delivery_t *listener_next(listener_t *l, int64_t now_ms);
/*
 * The answer. retry_after_s < 0: none given. jitter: [0, 1). Frees d unless
 * it has to be sent again. Returns the verdict, REFUSED where a failing one
 * is given up.
 */
verdict_t listener_settle(listener_t *l, delivery_t *d, verdict_t verdict,
                          long retry_after_s, int64_t now_ms, double jitter);

/* When listener_next() may have something without another answer coming
 * first: milliseconds from now, or -1: never. */
int64_t listener_wait_ms(const listener_t *l, int64_t now_ms);
/* Everything up to here is taken or given up. */
position_t listener_cursor(const listener_t *l);

#endif
