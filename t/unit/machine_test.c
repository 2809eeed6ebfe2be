/* The interpreter: its rules one by one, then random machines and events
 * against a small model of its own.
 * rooms: proto backend/base backend/domain */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "backend/domain/machine.h"

#define T0          1000000000000LL
#define MS          1000LL
#define DEADLINE_MS 60000
#define SEQUENCES   25000
#define MAX_EVENTS  60
#define MAX_STATES  6

static const command_t a_command = {.kind = COMMAND_CALL};
static const command_t an_undo = {.kind = COMMAND_RELEASE};
static const inventory_change_t a_change = {.has_state = true};

static const char *const names[MAX_STATES] = {"s0", "s1", "s2",
                                              "s3", "s4", "s5"};

/* A sequence of n states, as family_parse makes it. */
static void
make_machine(machine_t *m, state_t *states, int n)
{
    memset(states, 0, sizeof(*states) * (size_t) n);
    for (int i = 0; i < n; i++) {
        state_t *s = &states[i];

        s->name = str_of(names[i]);
        s->command = &a_command;
        s->undo = &an_undo;
        s->inventory = &a_change;
        s->retry = (retry_t){3, 100, 2, 1000, 0};
        s->deadline_ms = DEADLINE_MS;
        s->on[EVENT_START] = TO_FAIL;
        s->on[EVENT_DONE] = i + 1 < n ? i + 1 : TO_END;
        s->on[EVENT_ACCEPTED] = TO_WAIT;
        s->on[EVENT_FAILED] = TO_RETRY;
        s->on[EVENT_EXHAUSTED] = TO_UNDO;
        s->on[EVENT_MISMATCH] = TO_RETRY;
        s->on[EVENT_DEADLINE] = TO_UNDO;
        s->on[EVENT_CANCEL] = TO_UNDO;
    }
    *m = (machine_t){ACTION_ADD, states, n};
}

static run_t
new_run(void)
{
    return (run_t){.phase = RUN_NEW, .state = -1};
}

static decision_t
step_with(const machine_t *m, run_t *run, event_t event, int64_t now,
          double random)
{
    decision_t d;

    machine_step(m, run, &event, now, random, &d);
    assert_int_equal(d.next.seq, run->seq + (d.ignored ? 0 : 1));
    *run = d.next;
    return d;
}

static decision_t
step(const machine_t *m, run_t *run, event_kind_t kind, int64_t now)
{
    return step_with(m, run, (event_t){kind, false, -1}, now, 0);
}

static decision_t
fail_hard(const machine_t *m, run_t *run, int64_t now)
{
    return step_with(m, run, (event_t){EVENT_FAILED, true, -1}, now, 0);
}

static void
check(const run_t *run, run_phase_t phase, int state, int attempt)
{
    assert_string_equal(run_phase_name(run->phase), run_phase_name(phase));
    assert_int_equal(run->state, state);
    assert_int_equal(run->attempt, attempt);
}

static void
test_happy_way(void **ctx)
{
    state_t states[3];
    machine_t m;
    run_t run = new_run();
    decision_t d;

    (void) ctx;
    make_machine(&m, states, 3);
    assert_int_equal(run_item_state(&run), ORDER_ACKNOWLEDGED);
    assert_null(run_command(&m, &run));
    d = step(&m, &run, EVENT_START, T0);
    check(&run, RUN_FORWARD, 0, 1);
    assert_true(d.perform);
    assert_int_equal(d.delay_ms, 0);
    assert_null(d.inventory);
    assert_int_equal(d.item_state, ORDER_IN_PROGRESS);
    assert_int_equal(run.entered_us, T0);
    assert_int_equal(run.deadline_us, T0 + DEADLINE_MS * MS);
    assert_ptr_equal(run_command(&m, &run), &a_command);
    d = step(&m, &run, EVENT_DONE, T0 + 5);
    check(&run, RUN_FORWARD, 1, 1);
    assert_ptr_equal(d.inventory, &a_change);
    assert_int_equal(run.deadline_us, T0 + 5 + DEADLINE_MS * MS);
    (void) step(&m, &run, EVENT_DONE, T0 + 6);
    d = step(&m, &run, EVENT_DONE, T0 + 7);
    check(&run, RUN_COMPLETED, 2, 1);
    assert_true(d.finished);
    assert_false(d.perform);
    assert_false(d.gave_up);
    assert_ptr_equal(d.inventory, &a_change);
    assert_int_equal(d.item_state, ORDER_COMPLETED);
    assert_int_equal(run.deadline_us, 0);
    assert_int_equal(run.seq, 4);
    assert_int_equal(run.path_length, 3);
    assert_null(run_command(&m, &run));
}

static void
test_final_is_final(void **ctx)
{
    static const run_phase_t finals[] = {RUN_COMPLETED, RUN_FAILED,
                                         RUN_CANCELLED};
    state_t states[2];
    machine_t m;

    (void) ctx;
    make_machine(&m, states, 2);
    for (int p = 0; p < 3; p++) {
        for (int e = 0; e < EVENT_COUNT; e++) {
            run_t run = {.phase = finals[p], .seq = 9, .state = 1};
            decision_t d = step(&m, &run, (event_kind_t) e, T0);

            assert_true(d.ignored);
            assert_true(d.finished);
            assert_false(d.perform);
            assert_null(d.inventory);
            assert_int_equal(run.phase, finals[p]);
        }
    }
}

static void
test_new(void **ctx)
{
    state_t states[1];
    machine_t m;
    run_t run;

    (void) ctx;
    make_machine(&m, states, 1);
    for (int e = 0; e < EVENT_COUNT; e++) {
        decision_t d;

        run = new_run();
        d = step(&m, &run, (event_kind_t) e, T0);
        assert_int_equal(d.ignored, e != EVENT_START && e != EVENT_CANCEL);
    }
    run = new_run();
    (void) step(&m, &run, EVENT_CANCEL, T0);
    assert_int_equal(run.phase, RUN_CANCELLED);
    assert_int_equal(run_item_state(&run), ORDER_CANCELLED);
    run = new_run();
    (void) step(&m, &run, EVENT_START, T0);
    assert_true(step(&m, &run, EVENT_START, T0).ignored);
    assert_true(step(&m, &run, EVENT_EXHAUSTED, T0).ignored);
}

static void
test_waiting(void **ctx)
{
    state_t states[2];
    machine_t m;
    run_t run = new_run();
    decision_t d;

    (void) ctx;
    make_machine(&m, states, 2);
    (void) step(&m, &run, EVENT_START, T0);
    d = step(&m, &run, EVENT_ACCEPTED, T0 + 10);
    check(&run, RUN_WAITING, 0, 1);
    assert_false(d.perform);
    assert_null(d.inventory);
    assert_int_equal(d.item_state, ORDER_PENDING_EXTERNAL);
    assert_int_equal(run.deadline_us, T0 + DEADLINE_MS * MS);
    assert_true(step(&m, &run, EVENT_ACCEPTED, T0 + 11).ignored);
    d = step(&m, &run, EVENT_FAILED, T0 + 12);
    check(&run, RUN_FORWARD, 0, 2);
    assert_true(d.perform);
    assert_int_equal(d.delay_ms, 100);
    (void) step(&m, &run, EVENT_ACCEPTED, T0 + 13);
    d = step(&m, &run, EVENT_DONE, T0 + 14);
    check(&run, RUN_FORWARD, 1, 1);
    assert_ptr_equal(d.inventory, &a_change);
}

static void
test_retry_delays(void **ctx)
{
    static const struct {
        retry_t retry;
        int attempt; /* that failed */
        double random;
        long retry_after;
        int64_t now;
        int64_t delay; /* -1: exhausted */
    } rows[] = {
        {{9, 100, 2, 1000, 0}, 1, 0.5, -1, T0, 100},
        {{9, 100, 2, 1000, 0}, 2, 0.5, -1, T0, 200},
        {{9, 100, 2, 1000, 0}, 4, 0.5, -1, T0, 800},
        {{9, 100, 2, 1000, 0}, 5, 0.5, -1, T0, 1000},
        {{1000, 100, 100, 1000, 0}, 900, 0.5, -1, T0, 1000},
        {{9, 100, 1, 1000, 0}, 7, 0.5, -1, T0, 100},
        {{9, 0, 2, 1000, 0}, 3, 0.5, -1, T0, 0},
        {{9, 100, 2, 1000, 0.2}, 1, 0.0, -1, T0, 80},
        {{9, 100, 2, 1000, 0.2}, 1, 0.5, -1, T0, 90},
        {{9, 100, 2, 1000, 1}, 1, 0.0, -1, T0, 0},
        {{9, 100, 2, 1000, 0}, 1, 0, 5000, T0, 5000},
        {{9, 100, 2, 1000, 0}, 1, 0, 50, T0, 100},
        {{9, 100, 2, 1000, 0}, 1, 0, 59999, T0, 59999},
        {{9, 100, 2, 1000, 0}, 1, 0, 60000, T0, -1},
        {{9, 100, 2, 1000, 0}, 1, 0, -1, T0 + 59900 * MS, -1},
        {{9, 100, 2, 1000, 0}, 1, 0, -1, T0 + 59899 * MS, 100},
        {{9, 100, 2, 1000, 0}, 9, 0, -1, T0, -1},
        {{9, 100, 2, 1000, 0}, 8, 0, -1, T0, 1000},
        {{1, 100, 2, 1000, 0}, 1, 0, -1, T0, -1},
    };
    state_t states[1];
    machine_t m;

    (void) ctx;
    make_machine(&m, states, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_t run = new_run();
        decision_t d;

        states[0].retry = rows[i].retry;
        (void) step(&m, &run, EVENT_START, T0);
        run.attempt = rows[i].attempt;
        d = step_with(&m, &run,
                      (event_t){EVENT_FAILED, false, rows[i].retry_after},
                      rows[i].now, rows[i].random);
        if (rows[i].delay < 0) {
            check(&run, RUN_UNDOING, 0, 1);
            assert_true(d.gave_up);
            continue;
        }
        check(&run, RUN_FORWARD, 0, rows[i].attempt + 1);
        assert_true(d.perform);
        assert_false(d.gave_up);
        assert_int_equal(d.delay_ms, rows[i].delay);
        /* A retry does not win time. */
        assert_int_equal(run.deadline_us, T0 + DEADLINE_MS * MS);
    }
}

static void
test_permanent(void **ctx)
{
    state_t states[2];
    machine_t m;
    run_t run = new_run();
    decision_t d;

    (void) ctx;
    make_machine(&m, states, 2);
    (void) step(&m, &run, EVENT_START, T0);
    (void) step(&m, &run, EVENT_DONE, T0);
    d = fail_hard(&m, &run, T0);
    check(&run, RUN_UNDOING, 1, 1);
    assert_true(d.gave_up);
    assert_ptr_equal(run_command(&m, &run), &an_undo);
    /* also an undo's */
    d = fail_hard(&m, &run, T0);
    check(&run, RUN_UNDOING, 0, 1);
    assert_true(run.undo_failed);
    assert_false(d.gave_up);
}

static void
test_mismatch(void **ctx)
{
    state_t states[2];
    machine_t m;
    run_t run = new_run();

    (void) ctx;
    make_machine(&m, states, 2);
    states[0].on[EVENT_EXHAUSTED] = 1;
    (void) step(&m, &run, EVENT_START, T0);
    (void) step(&m, &run, EVENT_MISMATCH, T0);
    check(&run, RUN_FORWARD, 0, 2);
    (void) step(&m, &run, EVENT_MISMATCH, T0);
    assert_null(step(&m, &run, EVENT_MISMATCH, T0).inventory);
    check(&run, RUN_FORWARD, 1, 1);
    assert_int_equal(run.path_length, 2);
    states[1].on[EVENT_MISMATCH] = TO_FAIL;
    assert_true(step(&m, &run, EVENT_MISMATCH, T0).gave_up);
    check(&run, RUN_FAILED, 1, 1);
}

static void
test_deadline(void **ctx)
{
    const int64_t end = T0 + DEADLINE_MS * MS;
    state_t states[2];
    machine_t m;
    run_t run = new_run();
    decision_t d;

    (void) ctx;
    make_machine(&m, states, 2);
    (void) step(&m, &run, EVENT_START, T0);
    (void) step(&m, &run, EVENT_ACCEPTED, T0);
    assert_true(step(&m, &run, EVENT_DEADLINE, end - 1).ignored);
    d = step(&m, &run, EVENT_DEADLINE, end);
    check(&run, RUN_UNDOING, 0, 1);
    assert_true(d.gave_up);
    assert_int_equal(run.deadline_us, end + DEADLINE_MS * MS);
    assert_true(step(&m, &run, EVENT_DEADLINE, end).ignored);
    d = step(&m, &run, EVENT_DEADLINE, end + DEADLINE_MS * MS);
    check(&run, RUN_FAILED, 0, 1);
    assert_true(run.undo_failed);
    assert_int_equal(d.item_state, ORDER_FAILED);
}

static void
test_undo_order(void **ctx)
{
    state_t states[4];
    machine_t m;
    run_t run = new_run();
    decision_t d;

    (void) ctx;
    make_machine(&m, states, 4);
    states[1].undo = NULL;
    states[3].undo = NULL;
    (void) step(&m, &run, EVENT_START, T0);
    for (int i = 0; i < 3; i++) {
        (void) step(&m, &run, EVENT_DONE, T0);
    }
    d = fail_hard(&m, &run, T0 + 1);
    check(&run, RUN_UNDOING, 2, 1);
    assert_true(d.perform);
    assert_null(d.inventory);
    assert_int_equal(d.item_state, ORDER_IN_PROGRESS);
    assert_int_equal(run.entered_us, T0 + 1);
    /* a cancel comes too late */
    assert_true(step(&m, &run, EVENT_CANCEL, T0).ignored);
    d = step(&m, &run, EVENT_FAILED, T0 + 2);
    check(&run, RUN_UNDOING, 2, 2);
    assert_int_equal(d.delay_ms, 100);
    d = step(&m, &run, EVENT_DONE, T0 + 3);
    check(&run, RUN_UNDOING, 0, 1);
    assert_null(d.inventory);
    assert_int_equal(run.deadline_us, T0 + 3 + DEADLINE_MS * MS);
    d = step(&m, &run, EVENT_ACCEPTED, T0 + 4);
    check(&run, RUN_FAILED, 0, 1);
    assert_false(run.undo_failed);
    assert_true(d.finished);
    assert_int_equal(run.path_length, 0);
}

static void
test_nothing_to_undo(void **ctx)
{
    state_t states[2];
    machine_t m;
    run_t run = new_run();

    (void) ctx;
    make_machine(&m, states, 2);
    states[0].undo = NULL;
    states[1].undo = NULL;
    (void) step(&m, &run, EVENT_START, T0);
    (void) step(&m, &run, EVENT_DONE, T0);
    assert_true(fail_hard(&m, &run, T0).gave_up);
    assert_int_equal(run.phase, RUN_FAILED);
    run = new_run();
    (void) step(&m, &run, EVENT_START, T0);
    assert_false(step(&m, &run, EVENT_CANCEL, T0).gave_up);
    assert_int_equal(run.phase, RUN_CANCELLED);
}

static void
test_cancel(void **ctx)
{
    state_t states[2];
    machine_t m;
    run_t run = new_run();
    decision_t d;

    (void) ctx;
    make_machine(&m, states, 2);
    (void) step(&m, &run, EVENT_START, T0);
    (void) step(&m, &run, EVENT_DONE, T0);
    (void) step(&m, &run, EVENT_ACCEPTED, T0);
    d = step(&m, &run, EVENT_CANCEL, T0);
    check(&run, RUN_UNDOING, 1, 1);
    assert_true(run.cancelling);
    assert_false(d.gave_up);
    (void) step(&m, &run, EVENT_DONE, T0);
    (void) step(&m, &run, EVENT_DONE, T0);
    assert_int_equal(run.phase, RUN_CANCELLED);
    /* what was left behind makes it a failure */
    run = new_run();
    (void) step(&m, &run, EVENT_START, T0);
    (void) step(&m, &run, EVENT_CANCEL, T0);
    (void) fail_hard(&m, &run, T0);
    assert_int_equal(run.phase, RUN_FAILED);
    assert_true(run.cancelling);
}

static void
test_point_of_no_return(void **ctx)
{
    state_t states[4];
    machine_t m;
    run_t run = new_run();

    (void) ctx;
    make_machine(&m, states, 4);
    states[1].point_of_no_return = true;
    states[2].on[EVENT_EXHAUSTED] = TO_FAIL;
    (void) step(&m, &run, EVENT_START, T0);
    (void) step(&m, &run, EVENT_DONE, T0);
    /* not done yet: it is undone itself, and a cancel is taken */
    run_t copy = run;
    (void) step(&m, &copy, EVENT_CANCEL, T0);
    check(&copy, RUN_UNDOING, 1, 1);
    copy = run;
    (void) fail_hard(&m, &copy, T0);
    check(&copy, RUN_UNDOING, 1, 1);
    (void) step(&m, &copy, EVENT_DONE, T0);
    check(&copy, RUN_UNDOING, 0, 1);
    /* done */
    (void) step(&m, &run, EVENT_DONE, T0);
    assert_true(step(&m, &run, EVENT_CANCEL, T0).ignored);
    copy = run;
    assert_true(fail_hard(&m, &copy, T0).gave_up);
    check(&copy, RUN_FAILED, 2, 1);
    /* asked to undo all the same: back to the point, not beyond */
    (void) step(&m, &run, EVENT_DONE, T0);
    (void) fail_hard(&m, &run, T0);
    check(&run, RUN_UNDOING, 3, 1);
    (void) step(&m, &run, EVENT_DONE, T0);
    check(&run, RUN_UNDOING, 2, 1);
    (void) step(&m, &run, EVENT_DONE, T0);
    check(&run, RUN_FAILED, 2, 1);
}

static void
test_branches(void **ctx)
{
    state_t states[3];
    machine_t m;
    run_t run = new_run();

    (void) ctx;
    make_machine(&m, states, 3);
    states[0].on[EVENT_DONE] = 2;
    states[0].on[EVENT_ACCEPTED] = TO_END;
    states[0].on[EVENT_EXHAUSTED] = 1;
    states[2].on[EVENT_DONE] = TO_UNDO;
    (void) step(&m, &run, EVENT_START, T0);
    run_t copy = run;
    assert_null(step(&m, &copy, EVENT_ACCEPTED, T0).inventory);
    assert_int_equal(copy.phase, RUN_COMPLETED);
    copy = run;
    assert_false(fail_hard(&m, &copy, T0).gave_up);
    check(&copy, RUN_FORWARD, 1, 1);
    (void) step(&m, &run, EVENT_DONE, T0);
    check(&run, RUN_FORWARD, 2, 1);
    /* done, then undone by its own transition */
    decision_t d = step(&m, &run, EVENT_DONE, T0);
    check(&run, RUN_UNDOING, 2, 1);
    assert_true(d.gave_up);
    assert_ptr_equal(d.inventory, &a_change);
}

/* done leads to undo: a point of no return that is done is not undone. */
static void
test_done_point_then_undo(void **ctx)
{
    state_t states[2];
    machine_t m;
    run_t run = new_run();

    (void) ctx;
    make_machine(&m, states, 2);
    states[1].point_of_no_return = true;
    states[1].on[EVENT_DONE] = TO_UNDO;
    (void) step(&m, &run, EVENT_START, T0);
    (void) step(&m, &run, EVENT_DONE, T0);
    (void) step(&m, &run, EVENT_DONE, T0);
    assert_int_equal(run.phase, RUN_FAILED);
    assert_int_equal(run.path_length, 0);
}

static void
test_without_command(void **ctx)
{
    state_t states[1];
    machine_t m;
    run_t run = new_run();

    (void) ctx;
    make_machine(&m, states, 1);
    states[0].command = NULL;
    assert_true(step(&m, &run, EVENT_START, T0).perform);
    assert_null(run_command(&m, &run));
    assert_true(step(&m, &run, EVENT_DONE, T0).finished);
}

static void
test_idempotency_key(void **ctx)
{
    state_t states[2];
    machine_t m;
    run_t run = new_run();
    buf_t b;

    (void) ctx;
    make_machine(&m, states, 2);
    buf_init(&b, 256);
    (void) step(&m, &run, EVENT_START, T0);
    run_idempotency_key(&m, &run, "act", &b);
    assert_string_equal(b.data, "act:s0");
    (void) step(&m, &run, EVENT_FAILED, T0);
    buf_reset(&b);
    run_idempotency_key(&m, &run, "act", &b);
    assert_string_equal(b.data, "act:s0");
    (void) fail_hard(&m, &run, T0);
    buf_reset(&b);
    run_idempotency_key(&m, &run, "act", &b);
    assert_string_equal(b.data, "act:s0:undo");
    buf_free(&b);
}

static void
test_read_refuses(void **ctx)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"phase\":\"new\"}",
        "{\"phase\":\"gone\",\"seq\":1,\"attempt\":1,\"path\":[]}",
        "{\"phase\":\"new\",\"seq\":-1,\"attempt\":1,\"path\":[]}",
        "{\"phase\":\"new\",\"seq\":2147483648,\"attempt\":1,\"path\":[]}",
        "{\"phase\":\"new\",\"seq\":1,\"path\":[]}",
        "{\"phase\":\"new\",\"seq\":1,\"attempt\":1}",
        "{\"phase\":\"new\",\"seq\":1,\"attempt\":1,\"path\":\"s0\"}",
        "{\"phase\":\"new\",\"seq\":1,\"attempt\":1,\"path\":[0]}",
        "{\"phase\":\"new\",\"seq\":1,\"attempt\":1,\"path\":[\"zz\"]}",
        "{\"phase\":\"new\",\"seq\":1,\"attempt\":1,\"state\":\"zz\","
        "\"path\":[]}",
        "{\"phase\":\"forward\",\"seq\":1,\"attempt\":1,\"path\":[],"
        "\"deadline\":5}",
        "{\"phase\":\"forward\",\"seq\":1,\"attempt\":1,\"state\":\"s0\","
        "\"path\":[],\"deadline\":5}",
        "{\"phase\":\"forward\",\"seq\":1,\"attempt\":1,\"state\":\"s0\","
        "\"path\":[\"s0\",\"s1\"],\"deadline\":5}",
        "{\"phase\":\"forward\",\"seq\":1,\"attempt\":1,\"state\":\"s0\","
        "\"path\":[\"s0\"]}",
        "{\"phase\":\"undoing\",\"seq\":1,\"attempt\":0,\"state\":\"s0\","
        "\"path\":[\"s0\"],\"deadline\":5}",
    };
    state_t states[2];
    arena_t *a = arena_create();
    machine_t m;
    run_t run = {.seq = 77};

    (void) ctx;
    make_machine(&m, states, 2);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (run_read(&m, json_parse(a, str_of(bad[i]), NULL), &run)) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_false(run_read(&m, NULL, &run));
    assert_int_equal(run.seq, 77);
    arena_free(a);
}

static void
test_phase_names(void **ctx)
{
    run_phase_t p;

    (void) ctx;
    for (int i = 0; i < RUN_PHASE_COUNT; i++) {
        assert_true(
            run_phase_parse(str_of(run_phase_name((run_phase_t) i)), &p));
        assert_int_equal(p, i);
    }
    assert_false(run_phase_parse(STR("New"), &p));
    assert_false(run_phase_parse(STR_NONE, &p));
}

/*
 * The model: a sequence as a list of what is to be done, first forward, then
 * a list of undos made at once when it turns. No paths, no transitions.
 */
typedef struct {
    const machine_t *m;
    run_phase_t phase;
    int seq, at, attempt;
    int undos[MAX_STATES], undo_count; /* the last is next */
    bool cancelling, left_behind;
    int64_t deadline;
} model_t;

static void
model_turn(model_t *w, int64_t now)
{
    if (w->phase != RUN_UNDOING) {
        int from = 0;

        for (int i = 0; i < w->at; i++) {
            from = w->m->states[i].point_of_no_return ? i + 1 : from;
        }
        w->undo_count = 0;
        for (int i = from; i <= w->at; i++) {
            if (w->m->states[i].undo) {
                w->undos[w->undo_count++] = i;
            }
        }
    } else {
        w->undo_count--;
    }
    w->phase = RUN_UNDOING;
    if (w->undo_count == 0) {
        w->phase =
            w->cancelling && !w->left_behind ? RUN_CANCELLED : RUN_FAILED;
        return;
    }
    w->at = w->undos[w->undo_count - 1];
    w->attempt = 1;
    w->deadline = now + w->m->states[w->at].deadline_ms * MS;
}

static void
model_forward(model_t *w, int to, int64_t now)
{
    if (to == w->m->state_count) {
        w->phase = RUN_COMPLETED;
        return;
    }
    w->phase = RUN_FORWARD;
    w->at = to;
    w->attempt = 1;
    w->deadline = now + w->m->states[to].deadline_ms * MS;
}

static void
model_give_up(model_t *w, int64_t now)
{
    bool beyond = false;

    for (int i = 0; i < w->at; i++) {
        beyond = beyond || w->m->states[i].point_of_no_return;
    }
    if (w->phase != RUN_UNDOING && beyond) {
        w->phase = RUN_FAILED;
        return;
    }
    w->left_behind = w->left_behind || w->phase == RUN_UNDOING;
    model_turn(w, now);
}

/* Delays are constant in these machines (factor 1, no jitter). */
static bool
model_may_retry(const model_t *w, const event_t *e, int64_t now)
{
    const retry_t *r = &w->m->states[w->at].retry;
    int64_t delay = r->first_ms;

    if (e->kind == EVENT_FAILED && e->retry_after_ms > delay) {
        delay = e->retry_after_ms;
    }
    return !e->permanent && w->attempt < r->attempts &&
           now + delay * MS + MS <= w->deadline;
}

static bool
model_committed(const model_t *w)
{
    const state_t *s = &w->m->states[w->at];

    for (int i = 0; i < w->at; i++) {
        if (w->m->states[i].point_of_no_return) {
            return true;
        }
    }
    return s->point_of_no_return && s->command && !s->undo;
}

/* true: the event was taken. */
static bool
model_step(model_t *w, const event_t *e, int64_t now)
{
    bool forward = w->phase == RUN_FORWARD || w->phase == RUN_WAITING;
    bool undoing = w->phase == RUN_UNDOING;

    if (w->phase == RUN_NEW && e->kind == EVENT_START) {
        model_forward(w, 0, now);
    } else if (w->phase == RUN_NEW && e->kind == EVENT_CANCEL) {
        w->phase = RUN_CANCELLED;
    } else if (forward && e->kind == EVENT_DONE) {
        model_forward(w, w->at + 1, now);
    } else if (undoing &&
               (e->kind == EVENT_DONE || e->kind == EVENT_ACCEPTED)) {
        model_turn(w, now);
    } else if (w->phase == RUN_FORWARD && e->kind == EVENT_ACCEPTED) {
        w->phase = RUN_WAITING;
    } else if ((forward || undoing) &&
               (e->kind == EVENT_FAILED || e->kind == EVENT_MISMATCH)) {
        if (model_may_retry(w, e, now)) {
            w->attempt++;
            w->phase = undoing ? RUN_UNDOING : RUN_FORWARD;
        } else {
            model_give_up(w, now);
        }
    } else if ((forward || undoing) && e->kind == EVENT_DEADLINE &&
               now >= w->deadline) {
        model_give_up(w, now);
    } else if (forward && e->kind == EVENT_CANCEL) {
        if (model_committed(w)) {
            return false;
        }
        w->cancelling = true;
        model_turn(w, now);
    } else {
        return false;
    }
    w->seq++;
    return true;
}

/* Numerical Recipes' generator: the same on every machine. */
static uint32_t
draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t) (*seed >> 33) % below;
}

static void
random_machine(uint64_t *seed, machine_t *m, state_t *states)
{
    int n = 1 + (int) draw(seed, MAX_STATES);
    bool beyond = false;

    make_machine(m, states, n);
    for (int i = 0; i < n; i++) {
        state_t *s = &states[i];

        s->command = draw(seed, 5) ? &a_command : NULL;
        s->undo = draw(seed, 3) ? &an_undo : NULL;
        s->inventory = draw(seed, 2) ? &a_change : NULL;
        s->point_of_no_return = draw(seed, 6) == 0;
        s->retry = (retry_t){1 + (int) draw(seed, 4), (int) draw(seed, 3000),
                             1, 100000, 0};
        s->deadline_ms = 1000 + draw(seed, 20000);
        s->on[EVENT_EXHAUSTED] = beyond ? TO_FAIL : TO_UNDO;
        s->on[EVENT_DEADLINE] = s->on[EVENT_EXHAUSTED];
        beyond = beyond || s->point_of_no_return;
    }
}

static event_t
random_event(uint64_t *seed)
{
    /* more of what leads far */
    static const event_kind_t kinds[] = {
        EVENT_START,    EVENT_DONE,   EVENT_DONE,    EVENT_DONE,
        EVENT_ACCEPTED, EVENT_FAILED, EVENT_FAILED,  EVENT_EXHAUSTED,
        EVENT_MISMATCH, EVENT_DONE,   EVENT_DEADLINE};
    event_t e = {EVENT_CANCEL, draw(seed, 8) == 0, -1};

    if (draw(seed, 40) != 0) {
        e.kind = kinds[draw(seed, sizeof(kinds) / sizeof(kinds[0]))];
    }
    if (draw(seed, 4) == 0) {
        e.retry_after_ms = draw(seed, 9000);
    }
    return e;
}

static void
check_same_run(const run_t *a, const run_t *b)
{
    assert_int_equal(a->phase, b->phase);
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->path_length, b->path_length);
    assert_memory_equal(a->path, b->path,
                        sizeof(a->path[0]) * (size_t) a->path_length);
    assert_int_equal(a->cancelling, b->cancelling);
    assert_int_equal(a->undo_failed, b->undo_failed);
    assert_int_equal(a->entered_us, b->entered_us);
    assert_int_equal(a->deadline_us, b->deadline_us);
}

static void
check_round_trip(arena_t *a, const machine_t *m, const run_t *run)
{
    run_t back;
    buf_t b;

    arena_reset(a);
    buf_init(&b, 65536);
    run_print(m, run, &b);
    assert_true(run_read(m, json_parse(a, buf_view(&b), NULL), &back));
    check_same_run(run, &back);
    buf_free(&b);
}

/* What holds for every step of every machine. */
static void
check_step(const machine_t *m, const run_t *before, const decision_t *d,
           int *undone)
{
    const run_t *run = &d->next;

    assert_int_equal(d->finished, run_phase_final(run->phase));
    assert_int_equal(d->item_state, run_item_state(run));
    if (d->ignored) {
        check_same_run(before, run);
        assert_false(d->perform);
        assert_null(d->inventory);
        return;
    }
    assert_false(run_phase_final(before->phase));
    if (run_phase_final(run->phase) || run->phase == RUN_NEW) {
        assert_int_equal(run->deadline_us, 0);
        assert_false(d->perform);
        return;
    }
    assert_true(run->deadline_us > 0);
    assert_true(run->attempt >= 1);
    assert_true(run->attempt <= m->states[run->state].retry.attempts);
    assert_int_equal(d->perform, run->phase != RUN_WAITING);
    if (run->phase == RUN_UNDOING && run->attempt == 1) {
        /* in reverse order, each once */
        assert_true(run->state < *undone);
        assert_non_null(run_command(m, run));
        *undone = run->state;
    }
}

static void
run_sequence(uint64_t *seed, arena_t *a, int phases[RUN_PHASE_COUNT])
{
    state_t states[MAX_STATES];
    machine_t m;
    run_t run = new_run();
    model_t w = {.m = &m, .phase = RUN_NEW, .at = -1};
    int64_t now = T0;
    int undone = MAX_STATES;

    random_machine(seed, &m, states);
    for (int i = 0; i < MAX_EVENTS; i++) {
        event_t e = random_event(seed);
        decision_t d;
        bool taken = model_step(&w, &e, now);

        machine_step(&m, &run, &e, now, 0.999 / (1 + draw(seed, 9)), &d);
        assert_int_equal(d.ignored, !taken);
        check_step(&m, &run, &d, &undone);
        assert_ptr_equal(d.inventory, taken && e.kind == EVENT_DONE &&
                                              run.phase != RUN_UNDOING
                                          ? states[run.state].inventory
                                          : NULL);
        run = d.next;
        assert_int_equal(run.phase, w.phase);
        assert_int_equal(run.seq, w.seq);
        assert_int_equal(run.undo_failed, w.left_behind);
        assert_int_equal(run.cancelling, w.cancelling);
        if (!d.finished && run.phase != RUN_NEW) {
            assert_int_equal(run.state, w.at);
            assert_int_equal(run.attempt, w.attempt);
            assert_int_equal(run.deadline_us, w.deadline);
        }
        if (draw(seed, 16) == 0) {
            check_round_trip(a, &m, &run);
        }
        now += (int64_t) draw(seed, 4000) * MS;
    }
    phases[run.phase]++;
}

static void
test_model(void **ctx)
{
    arena_t *a = arena_create();
    int phases[RUN_PHASE_COUNT] = {0};
    uint64_t seed = 20261121;

    (void) ctx;
    for (int i = 0; i < SEQUENCES; i++) {
        run_sequence(&seed, a, phases);
    }
    /* The walk is worth something only if it comes everywhere. */
    assert_true(phases[RUN_COMPLETED] > SEQUENCES / 50);
    assert_true(phases[RUN_FAILED] > SEQUENCES / 50);
    assert_true(phases[RUN_CANCELLED] > SEQUENCES / 50);
    arena_free(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_happy_way),
        cmocka_unit_test(test_final_is_final),
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_retry_delays),
        cmocka_unit_test(test_permanent),
        cmocka_unit_test(test_mismatch),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_undo_order),
        cmocka_unit_test(test_nothing_to_undo),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_point_of_no_return),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_done_point_then_undo),
        cmocka_unit_test(test_without_command),
        cmocka_unit_test(test_idempotency_key),
        cmocka_unit_test(test_read_refuses),
        cmocka_unit_test(test_phase_names),
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
