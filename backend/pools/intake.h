/*
 * Inside of the intake pool: requests from the streams to the domain, and
 * back as replies.
 *
 * A batch is what one read of the streams gave. Its requests are sorted into
 * groups that share a segment: all new orders, all reads by id, and one group
 * each for what stands alone (lists, catalog, hub). A group ends by itself:
 * its replies leave in one packed entry a reply stream, its entries are
 * acknowledged. The batch's memory lives until its last group has ended.
 */
#ifndef TURNUP_POOLS_INTAKE_H
#define TURNUP_POOLS_INTAKE_H

#include "backend/base/list.h"
#include "backend/base/stream.h"
#include "backend/pools/catalog.h"
#include "backend/pools/hints.h"
#include "backend/pools/worker.h"
#include "backend/store/outbox.h"
#include "backend/tmf/patch.h"
#include "backend/tmf/view.h"
#include "proto/etag.h"
#include "proto/frame.h"

#define INTAKE_STREAMS API_COUNT
#define LIST_CAP       1000 /* items of one page at most */
#define GROUP_TRIES    5    /* replays of one request */
#define PARKED_MS      500  /* waits for PostgreSQL so long, then 503 */
/*
 * Where orders come a few at a time, batches begin so far apart: a batch of two
 * costs PostgreSQL, Redis and the kernel nearly what one of ten costs, and on a
 * busy machine everybody waits for that. Who comes alone, one request after
 * the other, never waits, and a batch of FULL orders is large enough.
 */
#define GATHER_US   2000
#define GATHER_FULL 8

typedef struct intake intake_t;
typedef struct batch batch_t;
typedef struct group group_t;

typedef struct {
    const char *stream;
    str_t entry; /* stream entry id */
    bool redelivered;
    request_frame_t frame;
    api_t api;
    query_t *query; /* GET, and POST of an order with one; else NULL */
    json_t *body;   /* parsed; NULL: none */
    void *data;     /* the operation's own */
    int status;     /* of the reply; 0: not answered yet */
    str_t headers;
    str_t content;
} request_t;

/* What to do with a group: called to begin, and again to replay it. */
typedef void (*group_fn)(group_t *g);

struct group {
    list_t node; /* in intake.parked */
    batch_t *batch;
    group_fn start;
    request_t **requests;
    int count;
    int tries;
    bool careful;   /* a replay: look keys up first */
    bool refreshed; /* the catalog was read anew for it */
    int64_t parked_at;
    pg_t *pg;   /* where its segments go */
    void *data; /* the operation's own, in the batch's arena */
    void *once; /* intake_once.c's */
};

struct batch {
    list_t node; /* in intake.mute */
    intake_t *intake;
    arena_t *arena;
    request_t *requests;
    int count;
    int groups;  /* not ended */
    int holding; /* groups that hold the stream's credit */
};

struct intake {
    worker_t worker;
    stream_t *stream;
    pg_t *lists; /* lists have their own connection, with a time limit */
    char lists_setup[256];
    catalog_t *catalog;
    char *stream_keys[INTAKE_STREAMS];
    char secret[64];
    size_t secret_len;
    bool ready; /* definitions numbered, catalog and secret read */
    bool preparing;
    int batches;      /* alive */
    bool asked;       /* the stream may give a batch */
    int held;         /* batches that hold a connection's place */
    int64_t begun_us; /* the last batch, monotonic */
    bool gathers;     /* it had a few orders: the next one waits */
    struct event *gather;
    list_t parked;
    list_t mute;        /* batches that came while no reply could be sent */
    int64_t away_since; /* first time PostgreSQL was not there, or 0 */
    struct event *tick;
    uint64_t *requests, *orders, *refused, *failed;
};

/* intake_batch.c: what one read of the streams gave */
void intake_on_batch(void *ctx, const stream_entry_t *entries, int n);
/* Begins those that came while Redis took no replies. */
void intake_unmute(intake_t *in);

/* intake_group.c */
void intake_gathered(evutil_socket_t fd, short what, void *ctx);
/* Reads on, when no more batches are under way than should be. */
void intake_read_on(intake_t *in);
/* Those who wait for PostgreSQL: go on, or are told that it is away. */
void intake_unpark(intake_t *in);
void intake_maybe_exit(intake_t *in);
group_t *group_create(batch_t *b, group_fn start, request_t **requests,
                      int count);
/* Begins it on a connection that is up, or parks it. */
void group_start(group_t *g);
/* Ends it: replies go out, entries are acknowledged. */
void group_end(group_t *g);
/* By outcome of its segment: true when it committed; else it is replayed,
 * parked, split or answered, and the caller does nothing more. */
bool group_committed(group_t *g, pg_outcome_t outcome, const char *sqlstate,
                     const char *message);
/* Answers from an arena-held text; headers may be empty. */
void request_answer(request_t *r, int status, str_t headers, str_t content);
void request_error(group_t *g, request_t *r, const tmf_error_t *e);
void request_fail(group_t *g, request_t *r, int status, tmf_code_t code,
                  const char *reason, const char *message);
/* The dialect of a PATCH that has a body; false: answered. */
bool request_patch(group_t *g, request_t *r, patch_kind_t *ret);
tmf_view_t request_view(const request_t *r);
/* "Location: ...\n" of what a POST has made. */
str_t location_header(arena_t *a, const request_t *r, str_t id);
arena_t *group_arena(const group_t *g);
/* A finished buffer's text into the arena; frees the buffer. */
str_t arena_take(arena_t *a, buf_t *b);
int64_t now_us(void);
/* intake.c */
/* Reads what is new in the catalog on the group's connection; then is told of
 * the segment's end. */
void intake_refresh(group_t *g, pg_end_fn then, void *ctx);

/* intake_condition.c: RFC 9110, sections 8.8.3 and 13 */
/* The strong tag of a rendered body, with its quotes. */
str_t entity_tag(arena_t *a, str_t body);
/* "ETag: ...\n" */
str_t entity_tag_header(arena_t *a, str_t tag);
/* Does it depend on a tag? Then a change is to be made only over what was
 * read to judge that. */
bool request_conditional(const request_t *r);
/* Of the URL without its query: what a change is judged by. */
tmf_view_t request_plain_view(const request_t *r);
/* tag: of the resource as it is. false: answered 304, 412, or 400. RFC 9110
 * section 13.2.1: only where else it would be carried out. */
bool request_condition(group_t *g, request_t *r, str_t tag);

/*
 * intake_once.c: a request is carried out once (law 8), however often it is
 * delivered, or sent with the same Idempotency-Key.
 */
/* The Idempotency-Key of the subject, or the request's own id. */
str_t request_key(arena_t *a, const request_t *r);
/* known: what this request made when it was carried out before, as it was
 * given to once_insert(); empty: it has not been. */
typedef void (*once_fn)(group_t *g, str_t known);
/* For a group of one. Does not come back to then, but answers 409 and ends the
 * group, where the key was used for another request. */
void once_start(group_t *g, once_fn then);
/* First in the segment that carries it out: where somebody was faster, the
 * segment fails and group_committed() replays the group. */
void once_insert(group_t *g, str_t resource_id);

/* 200, or 201 with the Location of the resource that was made: what fields=
 * asks for of body, and body's ETag. body: in the plain view. */
void request_answer_resource(group_t *g, request_t *r, int status, str_t id,
                             str_t body);

/* intake_orders.c */
void orders_post(group_t *g);
void orders_remove(group_t *g);
/* intake_order_change.c */
void order_modify(group_t *g);
/* intake_cancel.c */
void cancellation_post(group_t *g);
/* intake_page.c: a page of a list */
typedef struct {
    long size;  /* rows that it may hold */
    long shown; /* rows that it holds */
    bool more;  /* there are some behind it */
    long total; /* rows that match; -1: too many to be counted */
} page_t;

/* 206 where it does not show the rest (TMF630), else 200. */
int page_status(const page_t *p);
/* X-Total-Count (where it is known), X-Result-Count; where it is not the whole
 * or a page was asked for, Content-Range and Link. */
str_t page_headers(arena_t *a, const request_t *r, const page_t *p);
/* intake_reads.c */
void reads_start(group_t *g);
void list_start(group_t *g);
/* intake_catalog.c */
void entity_post(group_t *g);
void entity_modify(group_t *g);
void entity_remove(group_t *g);
/* intake_services.c */
void service_post(group_t *g);
void service_modify(group_t *g);
void service_remove(group_t *g);
/* intake_hub.c */
void hub_post(group_t *g);
void hub_remove(group_t *g);
/* intake_callback.c */
void callback_post(group_t *g);

#endif
