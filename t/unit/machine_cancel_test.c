/* A cancel at every place of a machine, what an order is in meanwhile, and
 * which orders are cancelled at all.
 * rooms: proto backend/base backend/domain */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "backend/domain/cancel.h"
#include "backend/domain/machine.h"
#include "backend/domain/tree.h"

#define T0     1000000000000LL
#define STATES 3

static const command_t a_command = {.kind = COMMAND_CALL};
static const command_t an_undo = {.kind = COMMAND_RELEASE};

typedef struct {
    machine_t machine;
    state_t states[STATES];
} sequence_t;

/* three states in a row; undone: bit i: state i has an undo */
static void
make(sequence_t *q, unsigned undone)
{
    static const char *const names[STATES] = {"one", "two", "three"};

    memset(q, 0, sizeof(*q));
    for (int i = 0; i < STATES; i++) {
        state_t *s = &q->states[i];

        s->name = str_of(names[i]);
        s->command = &a_command;
        s->undo = undone & (1U << i) ? &an_undo : NULL;
        s->retry = (retry_t){3, 100, 2, 1000, 0};
        s->deadline_ms = 60000;
        s->on[EVENT_START] = TO_FAIL;
        s->on[EVENT_DONE] = i + 1 < STATES ? i + 1 : TO_END;
        s->on[EVENT_ACCEPTED] = TO_WAIT;
        s->on[EVENT_FAILED] = TO_RETRY;
        s->on[EVENT_EXHAUSTED] = TO_UNDO;
        s->on[EVENT_MISMATCH] = TO_RETRY;
        s->on[EVENT_DEADLINE] = TO_UNDO;
        s->on[EVENT_CANCEL] = TO_UNDO;
    }
    q->machine = (machine_t){ACTION_ADD, q->states, STATES};
}

static decision_t
step(const sequence_t *q, run_t *run, event_kind_t kind)
{
    event_t e = {kind, false, -1};
    decision_t d;

    machine_step(&q->machine, run, &e, T0, 0, &d);
    *run = d.next;
    return d;
}

/* Begun, and so many states done. */
static run_t
run_to(const sequence_t *q, int done)
{
    run_t run = {.phase = RUN_NEW, .state = -1};

    (void) step(q, &run, EVENT_START);
    for (int i = 0; i < done; i++) {
        (void) step(q, &run, EVENT_DONE);
    }
    return run;
}

/* The undos that follow, each done at once: "321" for all three. */
static void
check_undos(const sequence_t *q, run_t *run, const char *expected)
{
    char got[STATES + 1] = "";
    int n = 0;

    while (run->phase == RUN_UNDOING) {
        assert_true(n < STATES);
        got[n++] = (char) ('1' + run->state);
        got[n] = '\0';
        assert_ptr_equal(run_command(&q->machine, run), &an_undo);
        (void) step(q, run, EVENT_DONE);
    }
    assert_string_equal(got, expected);
}

static void
test_not_begun(void **ctx)
{
    run_t run = {.phase = RUN_NEW, .state = -1};
    sequence_t q;
    decision_t d;

    (void) ctx;
    make(&q, 7);
    assert_false(run_committed(&q.machine, &run));
    d = step(&q, &run, EVENT_CANCEL);
    assert_false(d.ignored);
    assert_int_equal(run.phase, RUN_CANCELLED);
    assert_int_equal(run.seq, 1);
    assert_true(d.finished);
    assert_false(d.perform);
    assert_int_equal(d.item_state, ORDER_CANCELLED);
}

/* What is under way may have happened: it is undone with what was done. */
static void
test_under_way(void **ctx)
{
    static const struct {
        unsigned undone;
        int done;
        const char *undos;
    } rows[] = {
        {7, 0, "1"},  {7, 1, "21"}, {7, 2, "321"}, {5, 0, "1"}, {5, 1, "1"},
        {5, 2, "31"}, {2, 0, ""},   {2, 2, "2"},   {0, 2, ""},
    };

    (void) ctx;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int waits = 0; waits < 2; waits++) {
            sequence_t q;
            run_t run;
            decision_t d;

            make(&q, rows[i].undone);
            run = run_to(&q, rows[i].done);
            if (waits) {
                (void) step(&q, &run, EVENT_ACCEPTED);
                assert_int_equal(run.phase, RUN_WAITING);
            }
            d = step(&q, &run, EVENT_CANCEL);
            assert_false(d.ignored);
            assert_false(d.gave_up);
            assert_int_equal(d.perform, rows[i].undos[0] != '\0');
            assert_int_equal(d.delay_ms, 0);
            assert_true(run.cancelling);
            check_undos(&q, &run, rows[i].undos);
            assert_int_equal(run.phase, RUN_CANCELLED);
            assert_int_equal(run_item_state(&run), ORDER_CANCELLED);
        }
    }
}

static void
test_between_attempts(void **ctx)
{
    sequence_t q;
    run_t run;

    (void) ctx;
    make(&q, 7);
    run = run_to(&q, 1);
    assert_int_equal(step(&q, &run, EVENT_FAILED).delay_ms, 100);
    assert_int_equal(run.attempt, 2);
    (void) step(&q, &run, EVENT_CANCEL);
    assert_int_equal(run.attempt, 1);
    check_undos(&q, &run, "21");
    assert_int_equal(run.phase, RUN_CANCELLED);
}

static void
test_undo_gives_up(void **ctx)
{
    event_t no = {EVENT_FAILED, true, -1};
    sequence_t q;
    decision_t d;
    run_t run;

    (void) ctx;
    make(&q, 7);
    run = run_to(&q, 2);
    (void) step(&q, &run, EVENT_CANCEL);
    machine_step(&q.machine, &run, &no, T0, 0, &d);
    run = d.next;
    assert_int_equal(run.phase, RUN_UNDOING);
    check_undos(&q, &run, "21");
    assert_int_equal(run.phase, RUN_FAILED);
    assert_true(run.undo_failed);
    assert_int_equal(run_item_state(&run), ORDER_FAILED);
}

/* It fails already, or has ended: as it would have without. */
static void
test_too_late(void **ctx)
{
    event_t no = {EVENT_FAILED, true, -1};
    sequence_t q;
    decision_t d;
    run_t run;

    (void) ctx;
    make(&q, 7);
    run = run_to(&q, 1);
    machine_step(&q.machine, &run, &no, T0, 0, &d);
    run = d.next;
    assert_int_equal(run.phase, RUN_UNDOING);
    assert_false(run_committed(&q.machine, &run));
    assert_true(step(&q, &run, EVENT_CANCEL).ignored);
    check_undos(&q, &run, "21");
    assert_int_equal(run.phase, RUN_FAILED);
    assert_true(step(&q, &run, EVENT_CANCEL).ignored);
    run = run_to(&q, 3);
    assert_int_equal(run.phase, RUN_COMPLETED);
    assert_true(step(&q, &run, EVENT_CANCEL).ignored);
}

/* The second state is the point: from where on is a cancel refused? */
static void
test_point_of_no_return(void **ctx)
{
    static const struct {
        unsigned undone;
        bool command;
        int done;
        bool committed;
    } rows[] = {
        {7, true, 0, false},  {7, true, 1, false},  {7, true, 2, true},
        {5, true, 0, false},  {5, true, 1, true},   {5, true, 2, true},
        {5, false, 0, false}, {5, false, 1, false}, {5, false, 2, true},
    };

    (void) ctx;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int waits = 0; waits < 2; waits++) {
            sequence_t q;
            run_t run;

            make(&q, rows[i].undone);
            q.states[1].point_of_no_return = true;
            q.states[1].command = rows[i].command ? &a_command : NULL;
            run = run_to(&q, rows[i].done);
            if (waits) {
                (void) step(&q, &run, EVENT_ACCEPTED);
            }
            assert_int_equal(run_committed(&q.machine, &run),
                             rows[i].committed);
            assert_int_equal(step(&q, &run, EVENT_CANCEL).ignored,
                             rows[i].committed);
        }
    }
}

/* Orders -------------------------------------------------------------------- */

/* Up to three items in every state: pendingCancellation as long as one is
 * open, then what it ends in without a cancellation. */
static void
test_order(void **ctx)
{
    static const int no_parent[] = {-1, -1, -1};
    int checked = 0;

    (void) ctx;
    for (int n = 1; n <= 3; n++) {
        int all = n == 1   ? ORDER_STATE_COUNT
                  : n == 2 ? ORDER_STATE_COUNT * ORDER_STATE_COUNT
                           : ORDER_STATE_COUNT * ORDER_STATE_COUNT *
                                 ORDER_STATE_COUNT;

        for (int code = 0; code < all; code++) {
            order_state_t items[3], got;
            bool rejected = false, open = false, done = false, failed = false;

            for (int i = 0, c = code; i < n; i++, c /= ORDER_STATE_COUNT) {
                items[i] = (order_state_t) (c % ORDER_STATE_COUNT);
                rejected = rejected || items[i] == ORDER_REJECTED;
                open = open || !order_state_final(items[i]);
                done = done || items[i] == ORDER_COMPLETED ||
                       items[i] == ORDER_PARTIAL;
                failed = failed || items[i] == ORDER_FAILED;
            }
            if (rejected || done) {
                continue; /* nobody cancels these */
            }
            got =
                order_state_cancelling(order_tree_derive(items, no_parent, n));
            assert_int_equal(got, open     ? ORDER_PENDING_CANCELLATION
                                  : failed ? ORDER_FAILED
                                           : ORDER_CANCELLED);
            checked++;
        }
    }
    assert_int_equal(checked, 9 + 9 * 9 + 9 * 9 * 9);
}

static void
test_obstacle(void **ctx)
{
    static const struct {
        int n;
        cancel_item_t items[3];
        int obstacle;
    } rows[] = {
        {1, {{true, ORDER_ACKNOWLEDGED, false}}, -1},
        {1, {{true, ORDER_PENDING_EXTERNAL, false}}, -1},
        {1, {{true, ORDER_IN_PROGRESS, true}}, 0},
        {1, {{true, ORDER_PENDING_EXTERNAL, true}}, 0},
        {1, {{true, ORDER_COMPLETED, false}}, 0},
        /* without an activation: a parent, noChange */
        {2, {{false, ORDER_COMPLETED, false}, {true, ORDER_HELD, false}}, -1},
        {2, {{false, ORDER_IN_PROGRESS, true}, {true, ORDER_HELD, false}}, -1},
        /* what has ended otherwise is no obstacle */
        {3,
         {{true, ORDER_FAILED, true},
          {true, ORDER_CANCELLED, false},
          {true, ORDER_IN_PROGRESS, false}},
         -1},
        {3,
         {{true, ORDER_IN_PROGRESS, false},
          {true, ORDER_FAILED, false},
          {true, ORDER_COMPLETED, true}},
         2},
        {3,
         {{true, ORDER_ACKNOWLEDGED, false},
          {true, ORDER_IN_PROGRESS, true},
          {true, ORDER_COMPLETED, true}},
         1},
        {0, {{false, ORDER_ACKNOWLEDGED, false}}, -1},
    };

    (void) ctx;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(cancel_obstacle(rows[i].items, rows[i].n),
                         rows[i].obstacle);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_begun),
        cmocka_unit_test(test_under_way),
        cmocka_unit_test(test_between_attempts),
        cmocka_unit_test(test_undo_gives_up),
        cmocka_unit_test(test_too_late),
        cmocka_unit_test(test_point_of_no_return),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_obstacle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
