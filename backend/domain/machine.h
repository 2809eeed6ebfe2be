/*
 * The interpreter of activation state machines: pure. An activation's place
 * (run_t), an event and the time go in; the next place and what is to be done
 * come out. Nothing is performed and nothing forgotten: the caller stores the
 * next place (guarded by seq) and only then performs the command.
 */
#ifndef TURNUP_DOMAIN_MACHINE_H
#define TURNUP_DOMAIN_MACHINE_H

#include <stdint.h>

#include "backend/domain/family.h"

typedef enum {
    RUN_NEW,     /* accepted, not begun */
    RUN_FORWARD, /* a command is under way, or a retry waits */
    RUN_WAITING, /* a target accepted and works on it: pendingExternal */
    RUN_UNDOING, /* undo commands are under way */
    RUN_COMPLETED,
    RUN_FAILED,
    RUN_CANCELLED,
    RUN_PHASE_COUNT
} run_phase_t;

const char *run_phase_name(run_phase_t p);
bool run_phase_parse(str_t name, run_phase_t *ret);
bool run_phase_final(run_phase_t p);

#define RUN_MAX_PATH 64

typedef struct {
    run_phase_t phase;
    int seq;                /* grows by one with each transition; the guard */
    int state;              /* index; -1 before the first */
    int attempt;            /* of this state's command (or undo), from 1 */
    int path[RUN_MAX_PATH]; /* states entered forward, in order; while
                               undoing, what is still to be undone */
    int path_length;
    bool cancelling;     /* the undo was begun by a cancel */
    bool undo_failed;    /* an undo was exhausted: something was left behind */
    int64_t entered_us;  /* when the state was entered (deadline) */
    int64_t deadline_us; /* 0: none (final) */
} run_t;

typedef struct {
    event_kind_t kind;
    bool permanent;      /* FAILED: the target's no is final; do not retry */
    long retry_after_ms; /* FAILED: the target asked for; or -1 */
} event_t;

typedef struct {
    bool ignored;     /* the event means nothing here (late, repeated) */
    run_t next;       /* what to store */
    bool perform;     /* after the commit: run_command(next) ... */
    int64_t delay_ms; /* ... this long after it (a retry), else 0 */
    const inventory_change_t *inventory; /* to apply in the same commit */
    order_state_t item_state;            /* of the item, after it */
    bool finished;                       /* next.phase is final */
    bool gave_up; /* this event made forward turn to undo or fail: its error
                     is the item's */
} decision_t;

/* random: in [0, 1), for jitter. */
void machine_step(const machine_t *m, const run_t *run, const event_t *event,
                  int64_t now_us, double random, decision_t *ret);
/* The command an activation at this place has under way (or NULL: none,
 * or a state without a command that passes on at once: then EVENT_DONE). */
const command_t *run_command(const machine_t *m, const run_t *run);
order_state_t run_item_state(const run_t *run);
/* Is it too late for a cancel? A point of no return is done, or one is under
 * way that has no undo: its effect may be there already. */
bool run_committed(const machine_t *m, const run_t *run);
/*
 * The key a target sees as Idempotency-Key: the same for every attempt of one
 * state of one activation, another one for its undo.
 * "<activation>:<state>" or "<activation>:<state>:undo".
 */
void run_idempotency_key(const machine_t *m, const run_t *run,
                         const char *activation, buf_t *out);
/* The run as a JSON object's text for the activation row, and back (false:
 * not readable with this machine). State names, not indexes. */
void run_print(const machine_t *m, const run_t *run, buf_t *out);
bool run_read(const machine_t *m, const json_t *o, run_t *ret);

#endif
