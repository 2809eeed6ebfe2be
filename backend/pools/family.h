/*
 * Inside of a family's pool: activations in memory, their events, batches of
 * transitions, commands.
 *
 * An activation is live in one worker (activation.owner) while a command of
 * it is under way or a retry waits; else it is a row. What happens to it
 * comes as an input (a hint's start, an answer, a callback, a deadline). A
 * batch takes one input of each ready activation, decides, writes all in one
 * segment guarded by seq, and only after the commit performs what comes next.
 */
#ifndef TURNUP_POOLS_FAMILY_H
#define TURNUP_POOLS_FAMILY_H

#include "backend/base/list.h"
#include "backend/base/map.h"
#include "backend/base/stream.h"
#include "backend/domain/machine.h"
#include "backend/pools/catalog.h"
#include "backend/pools/hints.h"
#include "backend/pools/worker.h"
#include "backend/southbound/http.h"
#include "backend/store/activations.h"

#define FAMILY_MAX_LIVE        2048 /* activations in memory */
#define FAMILY_MAX_DEFINITIONS 64   /* versions that still run */
#define ANSWER_QUOTE           300  /* bytes of an answer in a message */

typedef struct pool pool_t;
typedef struct work work_t;

/* A stream entry, acknowledged when all it names have been dealt with. */
typedef struct {
    char id[64];
    int waiting;
} hint_t;

/* Something that happened to an activation. */
typedef struct {
    list_t node;
    event_t event;
    int seq;         /* of the command it answers; -1: of any */
    int visit;       /* of the state it answers (callbacks); -1: of any */
    int64_t signal;  /* activation_signal.id to delete; 0: none */
    char *variables; /* JSON object text, owned; or NULL */
    char *body;      /* of a callback, owned; variables are made of it */
    char code[32];   /* of the error */
    char *message;   /* owned; or NULL */
    int status;      /* the target's HTTP status; 0: none */
} input_t;

/* An activation in memory. Its texts and trees lie in its arena. */
struct work {
    uuid_t id, order_id, service_id, configuration_id;
    str_t item_id;
    action_t action;
    const family_t *family;
    const machine_t *machine;
    run_t run;
    /* of the order */
    str_t external_id, traceparent;
    int64_t order_date_us, order_start_us;
    int item_count;
    uuid_t cancellation; /* in force; nil: none */
    /* what templates see */
    arena_t *arena;
    template_context_t context;
    str_t variables; /* JSON object text */
    str_t callback;  /* URL of the command under way */
    /* the configuration it writes */
    bool in_inventory; /* its row exists */
    str_t characteristics, resources, operating_status;
    service_state_t service_state;
    service_state_t told_state; /* the one the last event told of */
    str_t told_operating;       /* likewise */
    str_t service_doc, name, category, service_type, spec_id, spec_version;
    /* shown outside */
    str_t error, pending; /* JSON, or "" */
    /* where it is in this process */
    list_t ready_node; /* in pool.ready, when there is something to write */
    list_t inputs;
    bool in_batch;
    int row_seq; /* the highest its row was seen with: somebody else may have
                    moved it on (a cancellation) */
    bool store_command; /* its command is SQL, to go with the next batch */
    bool alone;         /* its batch failed: the next one is its own */
    int tries;          /* batches of its own that failed */
    hint_t *hint;
    pool_t *pool;
    http_call_t *call;
    const command_t *command; /* of the call under way, or waiting for it */
    list_t call_node;         /* waits for its target's concurrency */
    struct event *timer;
};

/* Calls under way to one target, and those that wait for their turn. */
typedef struct {
    str_t name;
    int in_flight;
    list_t waiting;
} lane_t;

struct pool {
    worker_t worker;
    char *name; /* of the worker: "family:voip" */
    str_t family;
    char *stream_key;
    stream_t *stream;
    http_t *http;
    catalog_t *catalog;
    family_t *definitions[FAMILY_MAX_DEFINITIONS]; /* NULL: refused */
    int definition_ids[FAMILY_MAX_DEFINITIONS];
    int definition_count;
    char secret[64];
    size_t secret_len;
    map_t *live;
    list_t ready;
    int ready_count;
    int batches; /* under way */
    int loads;   /* under way, or late */
    list_t late; /* loads that wait for a connection */
    bool pg_busy[WORKER_CONNECTIONS];
    lane_t lanes[FAMILY_MAX_TARGETS];
    int lane_count;
    bool ready_for_work, preparing;
    unsigned turns;          /* ticks that read the catalog */
    bool reading;            /* the stream has a credit */
    int64_t clock_offset_us; /* database's clock - ours */
    struct event *kick;      /* start batches at the end of this loop turn */
    struct event *tick;
    uint64_t *transitions, *calls, *failures, *completed, *failed, *cancelled;
    uint64_t *stale;
};

/* family.c */
pg_t *pool_take_pg(pool_t *p, int *ret_connection); /* NULL: none is free */
void pool_give_pg(pool_t *p, int connection);
int64_t pool_now(const pool_t *p); /* by the database's clock */
const family_t *pool_definition(const pool_t *p, int id);
void pool_kick(pool_t *p);
/* Ends a stop, once nothing is under way. */
void pool_maybe_exit(pool_t *p);

/* family_load.c */
#define FAMILY_LOAD_MAX 256 /* activations of one load */
/* Reads these activations and goes on with them. hint may be NULL. */
void pool_load(pool_t *p, const uuid_t *ids, int n, hint_t *hint);
/* Sends what had no connection; may be late again. */
void pool_send_late(pool_t *p);
/* Takes more from the stream, while there is room in memory. */
void pool_read_on(pool_t *p);
/* The stream's batches (ctx: pool_t). */
void pool_on_hints(void *ctx, const stream_entry_t *entries, int n);
void hint_release(pool_t *p, hint_t *h);

/* family.c */
/* While stopping, once nothing is under way in the database: the end. */
void pool_maybe_exit(pool_t *p);

/* family_work.c */
/* From a row; NULL: it cannot run here (unknown definition ...; logged). */
work_t *work_create(pool_t *p, const activation_record_t *r);
/* Forgets it; a call under way is cancelled. */
void work_free(pool_t *p, work_t *w);
/* Takes over the input's memory. */
void work_input(pool_t *p, work_t *w, const input_t *in);
void work_event(pool_t *p, work_t *w, event_kind_t kind);
void input_free(input_t *in);
void work_set_variables(work_t *w, str_t merge);
/* A finished buffer's text into its arena; frees the buffer. */
str_t work_keep(work_t *w, buf_t *b);
/* Something is to be written for it: it goes with the next batch. */
void work_ready(pool_t *p, work_t *w);
/* Its row was seen with that seq. Where that is not ours, it is forgotten and
 * read anew: at once, or as soon as what is under way has ended, so that no
 * undo overtakes its command. */
void work_seen(pool_t *p, work_t *w, int seq);
/* Has its row moved on without us? */
bool work_outdated(const work_t *w);
void work_read_anew(pool_t *p, work_t *w);
/* Applies an inventory change to the memory. false: a value is missing, named
 * in *ret_missing. */
bool work_apply(work_t *w, const inventory_change_t *c, str_t *ret_missing);

/* family_batch.c */
void batch_start(pool_t *p);

/* family_command.c */
/* Performs the command of w->run: HTTP at once, SQL with the next batch. */
void command_perform(pool_t *p, work_t *w);
/* After a delay (a retry). */
void command_later(pool_t *p, work_t *w, int64_t delay_ms);
void command_cancel(pool_t *p, work_t *w);
/* What a callback's body means for the state it answers. */
void command_callback(const command_t *c, input_t *in);

#endif
