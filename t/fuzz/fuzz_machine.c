/*
 * Any machine that could have been proved, any events at any times: what must
 * hold after each.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/domain/machine.h"

#define MAX_STATES 12
#define T0         1000000000000LL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    const uint8_t *data;
    size_t size;
} input_t;

typedef struct {
    machine_t machine;
    state_t states[MAX_STATES];
    char names[MAX_STATES][16];
} model_t;

static const command_t a_command = {.kind = COMMAND_CALL};
static const command_t an_undo = {.kind = COMMAND_RELEASE};
static const inventory_change_t a_change = {.has_state = true};

static void
require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static unsigned
take(input_t *in)
{
    if (in->size == 0) {
        return 0;
    }
    in->size--;
    return *in->data++;
}

/* A transition family_parse would let through: forward, or an ending. */
static int
take_transition(input_t *in, int i, int n, event_kind_t e, bool bound)
{
    static const int endings[] = {TO_UNDO, TO_FAIL, TO_RETRY, TO_END};
    bool may_retry = e == EVENT_FAILED || e == EVENT_MISMATCH;
    unsigned pick = take(in);
    int to = endings[pick % 4];

    if (pick >= 128 && i + 1 < n && !bound) {
        return i + 1 + (int) (pick % (unsigned) (n - i - 1));
    }
    if (e == EVENT_ACCEPTED && pick % 8 > 1) {
        return TO_WAIT;
    }
    if ((to == TO_RETRY && !may_retry) || (to == TO_END && bound)) {
        return TO_UNDO;
    }
    return to;
}

static void
take_machine(input_t *in, model_t *w)
{
    int n = 1 + (int) (take(in) % MAX_STATES);

    memset(w, 0, sizeof(*w));
    for (int i = 0; i < n; i++) {
        state_t *s = &w->states[i];
        unsigned bits = take(in);

        (void) snprintf(w->names[i], sizeof(w->names[i]), "s%d", i);
        s->name = str_of(w->names[i]);
        s->command = bits & 1 ? &a_command : NULL;
        s->undo = bits & 6 ? &an_undo : NULL;
        s->inventory = bits & 8 ? &a_change : NULL;
        s->point_of_no_return = (bits & 0x70) == 0x70;
        s->retry = (retry_t){1 + (int) (take(in) % 5), (int) (take(in) * 50),
                             1 + take(in) / 16.0, 30000, take(in) / 255.0};
        s->deadline_ms = 1 + take(in) * 100LL;
        for (int e = 0; e < EVENT_COUNT; e++) {
            s->on[e] =
                take_transition(in, i, n, (event_kind_t) e,
                                s->point_of_no_return && e != EVENT_DONE);
        }
        s->on[EVENT_CANCEL] = TO_UNDO;
    }
    w->machine = (machine_t){ACTION_ADD, w->states, n};
}

static void
check_run(const machine_t *m, const run_t *run)
{
    require(run->path_length >= 0 && run->path_length <= m->state_count);
    if (run->phase == RUN_NEW || run_phase_final(run->phase)) {
        require(run->deadline_us == 0);
        require(run_command(m, run) == NULL);
        return;
    }
    require(run->state >= 0 && run->state < m->state_count);
    require(run->path[run->path_length - 1] == run->state);
    require(run->deadline_us > run->entered_us);
    require(run->attempt >= 1 &&
            run->attempt <= m->states[run->state].retry.attempts);
    require(run->phase != RUN_UNDOING || run_command(m, run) != NULL);
    for (int i = 1; i < run->path_length; i++) {
        require(run->path[i - 1] < run->path[i]);
    }
}

static void
check_round_trip(const machine_t *m, const run_t *run)
{
    arena_t *a = arena_create();
    run_t back;
    buf_t b, again;

    buf_init(&b, 1 << 16);
    buf_init(&again, 1 << 16);
    run_print(m, run, &b);
    require(run_read(m, json_parse(a, buf_view(&b), NULL), &back));
    run_print(m, &back, &again);
    require(str_eq(buf_view(&b), buf_view(&again)));
    buf_free(&b);
    buf_free(&again);
    arena_free(a);
}

/* One event: the rules between the place before and after. */
static void
check_step(const machine_t *m, const run_t *before, const decision_t *d,
           const event_t *e, int *undone)
{
    const run_t *run = &d->next;

    check_run(m, run);
    require(d->finished == run_phase_final(run->phase));
    require(d->item_state == run_item_state(run));
    require(run->seq == before->seq + (d->ignored ? 0 : 1));
    if (d->ignored) {
        require(!d->perform && d->inventory == NULL && !d->gave_up);
        require(run->phase == before->phase);
        return;
    }
    require(!run_phase_final(before->phase));
    require(d->inventory == NULL ||
            (e->kind == EVENT_DONE && before->phase != RUN_UNDOING));
    require(d->delay_ms >= 0 && (d->delay_ms == 0 || d->perform));
    require(d->perform ==
            (run->phase == RUN_FORWARD || run->phase == RUN_UNDOING));
    require(before->phase != RUN_UNDOING || run->phase == RUN_UNDOING ||
            run->phase == RUN_FAILED || run->phase == RUN_CANCELLED);
    if (run->phase == RUN_UNDOING && run->attempt == 1) {
        require(run->state < *undone);
        *undone = run->state;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = {data, size};
    run_t run = {.phase = RUN_NEW, .state = -1};
    int64_t now = T0;
    int undone = MAX_STATES;
    model_t w;

    take_machine(&in, &w);
    while (in.size > 0) {
        unsigned bits = take(&in);
        event_t e = {(event_kind_t) (bits % EVENT_COUNT), bits >= 224,
                     (long) take(&in) * 64 - 1};
        decision_t d;

        machine_step(&w.machine, &run, &e, now, take(&in) / 256.0, &d);
        check_step(&w.machine, &run, &d, &e, &undone);
        run = d.next;
        now += (int64_t) take(&in) * 50000;
    }
    check_round_trip(&w.machine, &run);
    return 0;
}
