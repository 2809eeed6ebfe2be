/*
 * The interpreter. A step is a function from (run, event, time) to the next
 * run and what is to be done; machine_step() copies the run, lets one of the
 * phases change the copy, and raises seq when something was taken.
 *
 * While undoing, path holds what is still to be undone; its last entry is the
 * state whose undo is under way.
 */
#include "backend/domain/machine.h"

#include <limits.h>
#include <math.h>

#define US_PER_MS 1000

/* One step under way: what every part of it looks at. */
typedef struct {
    const machine_t *machine;
    const event_t *event;
    int64_t now_us;
    double random;
    decision_t *ret;
    run_t *run; /* = &ret->next */
} step_t;

static const char *const phase_names[RUN_PHASE_COUNT] = {
    [RUN_NEW] = "new",
    [RUN_FORWARD] = "forward",
    [RUN_WAITING] = "waiting",
    [RUN_UNDOING] = "undoing",
    [RUN_COMPLETED] = "completed",
    [RUN_FAILED] = "failed",
    [RUN_CANCELLED] = "cancelled",
};

const char *
run_phase_name(run_phase_t p)
{
    return phase_names[p];
}

bool
run_phase_parse(str_t name, run_phase_t *ret)
{
    for (int i = 0; i < RUN_PHASE_COUNT; i++) {
        if (str_is(name, phase_names[i])) {
            *ret = (run_phase_t) i;
            return true;
        }
    }
    return false;
}

bool
run_phase_final(run_phase_t p)
{
    return p == RUN_COMPLETED || p == RUN_FAILED || p == RUN_CANCELLED;
}

order_state_t
run_item_state(const run_t *run)
{
    static const order_state_t states[RUN_PHASE_COUNT] = {
        [RUN_NEW] = ORDER_ACKNOWLEDGED,
        [RUN_FORWARD] = ORDER_IN_PROGRESS,
        [RUN_WAITING] = ORDER_PENDING_EXTERNAL,
        [RUN_UNDOING] = ORDER_IN_PROGRESS,
        [RUN_COMPLETED] = ORDER_COMPLETED,
        [RUN_FAILED] = ORDER_FAILED,
        [RUN_CANCELLED] = ORDER_CANCELLED,
    };

    return states[run->phase];
}

const command_t *
run_command(const machine_t *m, const run_t *run)
{
    switch (run->phase) {
    case RUN_FORWARD:
    case RUN_WAITING:
        return m->states[run->state].command;
    case RUN_UNDOING:
        return m->states[run->state].undo;
    default:
        return NULL;
    }
}

static void
end(step_t *s, run_phase_t phase)
{
    s->run->phase = phase;
    s->run->deadline_us = 0;
}

/* Begins the state's command, or its undo, anew. */
static void
begin(step_t *s, run_phase_t phase, int state)
{
    run_t *run = s->run;

    run->phase = phase;
    run->state = state;
    run->attempt = 1;
    run->entered_us = s->now_us;
    run->deadline_us =
        s->now_us + s->machine->states[state].deadline_ms * US_PER_MS;
    s->ret->perform = true;
}

static void
enter(step_t *s, int state)
{
    run_t *run = s->run;

    /* No cycles (proved) and no more states than this. */
    if (run->path_length == RUN_MAX_PATH) {
        s->ret->gave_up = true;
        end(s, RUN_FAILED);
        return;
    }
    run->path[run->path_length++] = state;
    begin(s, RUN_FORWARD, state);
}

/* Drops from the path's end what needs no undo; begins the next undo, or
 * ends. */
static void
undo_next(step_t *s)
{
    run_t *run = s->run;

    while (run->path_length > 0) {
        int state = run->path[run->path_length - 1];

        if (s->machine->states[state].undo != NULL) {
            begin(s, RUN_UNDOING, state);
            return;
        }
        run->path_length--;
    }
    end(s, run->cancelling && !run->undo_failed ? RUN_CANCELLED : RUN_FAILED);
}

/* The number of path entries up to the last point of no return that is done.
 * The entry under way is not done. */
static int
beyond_return(const machine_t *m, const run_t *run, bool current_done)
{
    for (int i = run->path_length - (current_done ? 1 : 2); i >= 0; i--) {
        if (m->states[run->path[i]].point_of_no_return) {
            return i + 1;
        }
    }
    return 0;
}

bool
run_committed(const machine_t *m, const run_t *run)
{
    const state_t *s;

    if (run->phase != RUN_FORWARD && run->phase != RUN_WAITING) {
        return false;
    }
    s = &m->states[run->state];
    return beyond_return(m, run, false) > 0 ||
           (s->point_of_no_return && s->command && !s->undo);
}

static void
begin_undo(step_t *s)
{
    run_t *run = s->run;
    int keep = beyond_return(s->machine, run, s->event->kind == EVENT_DONE);

    run->path_length -= keep;
    memmove(run->path, run->path + keep,
            sizeof(run->path[0]) * (size_t) run->path_length);
    undo_next(s);
}

/* Milliseconds before the next attempt; -1: there is none. */
static int64_t
retry_delay(const step_t *s)
{
    const retry_t *r = &s->machine->states[s->run->state].retry;
    double ms = r->first_ms * pow(r->factor, s->run->attempt - 1);
    int64_t left = (s->run->deadline_us - s->now_us) / US_PER_MS;
    int64_t delay;

    if (s->event->permanent || s->run->attempt >= r->attempts) {
        return -1;
    }
    ms = ms < r->cap_ms ? ms : r->cap_ms;
    delay = (int64_t) (ms * (1 - r->jitter + r->jitter * s->random));
    if (s->event->kind == EVENT_FAILED && s->event->retry_after_ms > delay) {
        delay = s->event->retry_after_ms;
    }
    return delay < left ? delay : -1;
}

/* false: no attempt is left. */
static bool
retry(step_t *s)
{
    int64_t delay = retry_delay(s);

    if (delay < 0) {
        return false;
    }
    s->run->attempt++;
    if (s->run->phase == RUN_WAITING) {
        s->run->phase = RUN_FORWARD;
    }
    s->ret->perform = true;
    s->ret->delay_ms = delay;
    return true;
}

static void
follow(step_t *s, int to)
{
    if (to == TO_RETRY) {
        if (retry(s)) {
            return;
        }
        to = s->machine->states[s->run->state].on[EVENT_EXHAUSTED];
    }
    switch (to) {
    case TO_WAIT:
        s->run->phase = RUN_WAITING;
        return;
    case TO_END:
        end(s, RUN_COMPLETED);
        return;
    case TO_UNDO:
        s->ret->gave_up = !s->run->cancelling;
        begin_undo(s);
        return;
    default:
        if (to >= 0) {
            enter(s, to);
            return;
        }
        s->ret->gave_up = true;
        end(s, RUN_FAILED);
    }
}

static bool
step_new(step_t *s)
{
    if (s->event->kind == EVENT_START) {
        enter(s, 0);
        return true;
    }
    if (s->event->kind == EVENT_CANCEL) {
        end(s, RUN_CANCELLED);
        return true;
    }
    return false;
}

static bool
step_forward(step_t *s)
{
    const state_t *state = &s->machine->states[s->run->state];

    switch (s->event->kind) {
    case EVENT_DONE:
        s->ret->inventory = state->inventory;
        break;
    case EVENT_ACCEPTED:
        if (s->run->phase == RUN_WAITING) {
            return false;
        }
        break;
    case EVENT_FAILED:
    case EVENT_MISMATCH:
        break;
    case EVENT_DEADLINE:
        if (s->now_us < s->run->deadline_us) {
            return false;
        }
        break;
    case EVENT_CANCEL:
        if (run_committed(s->machine, s->run)) {
            return false;
        }
        s->run->cancelling = true;
        break;
    default:
        return false;
    }
    follow(s, state->on[s->event->kind]);
    return true;
}

static bool
step_undoing(step_t *s)
{
    run_t *run = s->run;

    switch (s->event->kind) {
    case EVENT_DONE:
    case EVENT_ACCEPTED: /* nobody waits for an undo that was taken on */
        break;
    case EVENT_FAILED:
    case EVENT_MISMATCH:
        if (retry(s)) {
            return true;
        }
        run->undo_failed = true;
        break;
    case EVENT_DEADLINE:
        if (s->now_us < run->deadline_us) {
            return false;
        }
        run->undo_failed = true;
        break;
    default:
        return false;
    }
    run->path_length--;
    undo_next(s);
    return true;
}

void
machine_step(const machine_t *m, const run_t *run, const event_t *event,
             int64_t now_us, double random, decision_t *ret)
{
    step_t s = {.machine = m,
                .event = event,
                .now_us = now_us,
                .random = random,
                .ret = ret,
                .run = &ret->next};
    bool taken = false;

    memset(ret, 0, sizeof(*ret));
    ret->next = *run;
    switch (run->phase) {
    case RUN_NEW:
        taken = step_new(&s);
        break;
    case RUN_FORWARD:
    case RUN_WAITING:
        taken = step_forward(&s);
        break;
    case RUN_UNDOING:
        taken = step_undoing(&s);
        break;
    default:
        break;
    }
    ret->ignored = !taken;
    ret->next.seq += taken ? 1 : 0;
    ret->item_state = run_item_state(&ret->next);
    ret->finished = run_phase_final(ret->next.phase);
}

void
run_idempotency_key(const machine_t *m, const run_t *run,
                    const char *activation, buf_t *out)
{
    buf_puts(out, activation);
    buf_char(out, ':');
    if (run->state >= 0) {
        buf_str(out, m->states[run->state].name);
    }
    if (run->phase == RUN_UNDOING) {
        buf_puts(out, ":undo");
    }
}

void
run_print(const machine_t *m, const run_t *run, buf_t *out)
{
    buf_char(out, '{');
    json_put_text(out, "phase", str_of(phase_names[run->phase]));
    json_put_int(out, "seq", run->seq);
    if (run->state >= 0) {
        json_put_text(out, "state", m->states[run->state].name);
    }
    json_put_int(out, "attempt", run->attempt);
    json_name(out, "path");
    buf_char(out, '[');
    for (int i = 0; i < run->path_length; i++) {
        json_comma(out);
        buf_json(out, m->states[run->path[i]].name);
    }
    json_end(out, ']');
    json_put_bool(out, "cancelling", run->cancelling);
    json_put_bool(out, "undoFailed", run->undo_failed);
    json_put_int(out, "entered", run->entered_us);
    json_put_int(out, "deadline", run->deadline_us);
    json_end(out, '}');
}

static bool
read_int(const json_t *o, const char *name, int *ret)
{
    long long n = json_int(o, name, -1);

    if (n < 0 || n > INT_MAX) {
        return false;
    }
    *ret = (int) n;
    return true;
}

static bool
read_path(const machine_t *m, const json_t *path, run_t *run)
{
    if (path == NULL || path->type != JSON_ARRAY ||
        path->count > RUN_MAX_PATH) {
        return false;
    }
    json_each(name, path)
    {
        int state =
            name->type == JSON_STRING ? machine_state(m, name->text) : -1;

        if (state < 0) {
            return false;
        }
        run->path[run->path_length++] = state;
    }
    return true;
}

/* A run under way is in a state, the last of its path, and has a deadline. */
static bool
is_consistent(const run_t *run)
{
    if (run->phase == RUN_NEW || run_phase_final(run->phase)) {
        return true;
    }
    return run->path_length > 0 &&
           run->path[run->path_length - 1] == run->state &&
           run->deadline_us > 0 && run->attempt >= 1;
}

bool
run_read(const machine_t *m, const json_t *o, run_t *ret)
{
    const json_t *state = json_get(o, "state");
    run_t run = {.state = -1};

    if (!run_phase_parse(json_text(o, "phase"), &run.phase) ||
        !read_int(o, "seq", &run.seq) ||
        !read_int(o, "attempt", &run.attempt) ||
        !read_path(m, json_get(o, "path"), &run)) {
        return false;
    }
    if (state != NULL) {
        run.state = machine_state(m, json_text(o, "state"));
        if (run.state < 0) {
            return false;
        }
    }
    run.cancelling = json_is_true(o, "cancelling");
    run.undo_failed = json_is_true(o, "undoFailed");
    run.entered_us = json_int(o, "entered", 0);
    run.deadline_us = json_int(o, "deadline", 0);
    if (!is_consistent(&run)) {
        return false;
    }
    *ret = run;
    return true;
}
