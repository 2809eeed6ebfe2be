/*
 * Inside of the notifier: from the outbox to hub listeners.
 *
 *   notify.c       the process: its lock, hints, stop
 *   subscriber.c   who is told: hub_subscription in memory, cursors
 *   notify_read.c  pages of the outbox to backlogs
 *   notify_send.c  backlogs to listeners
 *   listener.c     the rules of a backlog
 *
 * One notifier works a database, the one that holds an advisory lock on its
 * connection 0; cursors are written on that connection only, so that who has
 * lost the lock writes none. Nothing here is needed to go on after a crash
 * but the cursors: what lies behind them is sent again, under the same
 * eventId.
 */
#ifndef TURNUP_POOLS_NOTIFY_H
#define TURNUP_POOLS_NOTIFY_H

#include "backend/pools/listener.h"
#include "backend/pools/worker.h"
#include "backend/southbound/http.h"
#include "backend/store/documents.h"
#include "backend/store/subscriptions.h"
#include "backend/tmf/event_filter.h"

#define NOTIFY_TICK_MS     1000  /* lock, lost hints, subscriptions */
#define NOTIFY_SAVE_MS     100   /* cursors of those that took something */
#define NOTIFY_SAVE_LAZY   10    /* others: each so many times */
#define NOTIFY_REFRESH_MS  100   /* subscriptions, at a hint */
#define NOTIFY_READ_GAP_US 1000  /* between two reads at the head; twice it */
#define NOTIFY_READ_FEW    12    /* where a read gives so many */
#define NOTIFY_READ_MAX_US 20000 /* waiting for an older transaction */
#define NOTIFY_STOP_MS     5000  /* for calls under way */
#define NOTIFY_CALL_MS     10000
#define NOTIFY_CONNECT_MS  3000
#define NOTIFY_CALLS       512 /* under way in all; one more a listener */
#define NOTIFY_HOST_CALLS  256
#define NOTIFY_CONNECTIONS 1024
#define NOTIFY_FILES       4096 /* file descriptors, where allowed */

typedef struct notifier notifier_t;
typedef struct subscriber subscriber_t;

/* Subscribers that are shown the same bytes. */
typedef struct {
    list_t node; /* in notifier.views */
    int refs;
    char *base, *version;
    tmf_view_t view;
    const event_record_t *event; /* shown by note */
    notification_t *note;        /* of the page in hand; NULL: too large */
    const json_t *envelope;      /* its body, where somebody asked for it */
} hub_view_t;

/*
 * A reader of the outbox, with a connection of its own: one at the head of
 * the log, for all who are there; one for those behind.
 */
typedef struct {
    notifier_t *notifier;
    pg_t *pg;
    bool busy;
    position_t from, to;
    arena_t *arena;
    event_page_t page;
    document_kind_t *wanted; /* one an event */
} lane_t;

struct subscriber {
    list_t node; /* in notifier.subscribers */
    notifier_t *notifier;
    uuid_t id;
    arena_t *arena;
    subscription_record_t record;
    char *callback;
    event_filter_t *filter;
    hub_view_t *view;
    listener_t listener;
    struct event *timer;
    const lane_t *lane; /* takes the page in hand of this lane */
    position_t stored;  /* its durable cursor */
    bool urgent;        /* has taken something since it was stored */
    bool listed;        /* in the list just read */
    unsigned unlogged;  /* refusals not logged one by one */
    int64_t logged_ms;
};

struct notifier {
    worker_t worker;
    http_t *http;
    redis_t *hints;
    char *events_key;
    bool popping; /* BRPOP is under way */
    bool locking; /* the lock is being asked for */
    bool locked;
    bool leading; /* locked, and the subscriptions are read */
    bool left;    /* everything is closed */
    list_t subscribers;
    map_t *by_id;
    list_t views;
    lane_t head, behind;
    bool hinted; /* there may be something to read at the head */
    bool relist; /* a subscription may have come or gone */
    int gap_us;  /* wait before the head is read again */
    int rest_us; /* after the last read */
    int64_t read_us, refreshed_ms;
    position_t end; /* the furthest ever read */
    struct event *tick, *save, *again, *stop;
    arena_t *refresh; /* a list is being read */
    subscription_row_t *rows;
    int row_count;
    arena_t *saving; /* cursors are being written */
    event_cursor_t *cursors;
    int cursor_count;
    unsigned saves;
    arena_t *scratch;
    arena_t *envelopes; /* of the event in hand */
    uint64_t *delivered, *failed, *retried, *skipped, *outbox_behind,
        *subscriptions;
};

/* Statements of its connections. */
enum {
    NOTIFY_SESSION,
    NOTIFY_LOCK,
    NOTIFY_LIST,
    NOTIFY_RELAX,
    NOTIFY_CURSORS,
    NOTIFY_PAGE,
    NOTIFY_ORDERS,
    NOTIFY_ORDERS_NOW,
    NOTIFY_ORDER_ITEMS,
    NOTIFY_SERVICES
};

/* notify.c */
/* Goes on with a stop once nothing is under way. */
void notify_stop_soon(notifier_t *n);

/* subscriber.c */
/* Reads hub_subscription and follows it; ignored while one is under way. */
void subscribers_refresh(notifier_t *n);
/* Writes the cursors that have moved; all: also those not urgent. False when
 * there is none, or none can be written now. */
bool subscribers_save(notifier_t *n, bool all);
void subscribers_free(notifier_t *n);
/* Sets the counters that describe them. */
void subscribers_count(notifier_t *n);
bool subscriber_wants(const subscriber_t *s, const event_record_t *e);

/* notify_read.c */
void read_start(notifier_t *n);

/* notify_send.c */
void send_start(subscriber_t *s);
void send_cancel(subscriber_t *s);
void send_on_timer(evutil_socket_t fd, short what, void *ctx);

#endif
