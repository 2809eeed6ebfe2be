/* States, moves between them, and the derivation of an order's state.
 * rooms: proto backend/domain */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "backend/domain/state.h"

#define A ORDER_ACKNOWLEDGED
#define R ORDER_REJECTED
#define P ORDER_PENDING
#define E ORDER_PENDING_EXTERNAL
#define H ORDER_HELD
#define I ORDER_IN_PROGRESS
#define X ORDER_CANCELLED
#define C ORDER_COMPLETED
#define F ORDER_FAILED
#define T ORDER_PARTIAL
#define S ORDER_ASSESSING_CANCELLATION
#define K ORDER_PENDING_CANCELLATION

static void
test_names(void **ctx)
{
    order_state_t o;
    service_state_t s;
    action_t a;

    (void) ctx;
    for (int i = 0; i < ORDER_STATE_COUNT; i++) {
        assert_true(order_state_parse(
            str_of(order_state_name((order_state_t) i)), &o));
        assert_int_equal(o, i);
    }
    for (int i = 0; i < SERVICE_STATE_COUNT; i++) {
        assert_true(service_state_parse(
            str_of(service_state_name((service_state_t) i)), &s));
        assert_int_equal(s, i);
    }
    for (int i = 0; i < ACTION_COUNT; i++) {
        assert_true(action_parse(str_of(action_name((action_t) i)), &a));
        assert_int_equal(a, i);
    }
    assert_string_equal(order_state_name(ORDER_CANCELLED), "cancelled");
    assert_string_equal(action_name(ACTION_NO_CHANGE), "noChange");
}

static void
test_unknown_names(void **ctx)
{
    static const char *const bad[] = {"",         "Acknowledged", "canceled",
                                      "complete", "inprogress",   "add ",
                                      "NoChange", "activ",        "actives"};
    order_state_t o = ORDER_HELD;
    service_state_t s = SERVICE_ACTIVE;
    action_t a = ACTION_DELETE;

    (void) ctx;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(order_state_parse(str_of(bad[i]), &o));
        assert_false(service_state_parse(str_of(bad[i]), &s));
        assert_false(action_parse(str_of(bad[i]), &a));
    }
    assert_false(order_state_parse(STR_NONE, &o));
    assert_int_equal(o, ORDER_HELD);
    assert_int_equal(s, SERVICE_ACTIVE);
    assert_int_equal(a, ACTION_DELETE);
}

static void
test_final(void **ctx)
{
    (void) ctx;
    for (int i = 0; i < ORDER_STATE_COUNT; i++) {
        order_state_t s = (order_state_t) i;
        bool final = s == R || s == X || s == C || s == F || s == T;

        assert_int_equal(order_state_final((order_state_t) i), final);
        for (int to = 0; final && to < ORDER_STATE_COUNT; to++) {
            assert_false(
                order_state_may((order_state_t) i, (order_state_t) to));
        }
    }
}

/* The whole table, spelt out a second time: TMF-FACTS 8.1. */
static void
test_moves(void **ctx)
{
    static const order_state_t moves[][2] = {{A, I},
                                             {A, R},
                                             {A, X},
                                             {A, S},
                                             {I, S},
                                             {P, S},
                                             {H, S},
                                             {I, C},
                                             {I, T},
                                             {I, F},
                                             {I, P},
                                             {P, I},
                                             {P, X},
                                             {I, H},
                                             {H, I},
                                             {H, X},
                                             {I, X},
                                             {S, A},
                                             {S, I},
                                             {S, P},
                                             {S, H},
                                             {S, K},
                                             {K, X},
                                             {K, F}, /* ours */
                                             /* pendingExternal as pending */
                                             {I, E},
                                             {E, I},
                                             {E, X},
                                             {E, S},
                                             {S, E}};
    const size_t n = sizeof(moves) / sizeof(moves[0]);

    (void) ctx;
    for (int from = 0; from < ORDER_STATE_COUNT; from++) {
        for (int to = 0; to < ORDER_STATE_COUNT; to++) {
            bool may = false;

            for (size_t i = 0; i < n; i++) {
                may = may ||
                      ((int) moves[i][0] == from && (int) moves[i][1] == to);
            }
            assert_int_equal(
                order_state_may((order_state_t) from, (order_state_t) to),
                may);
        }
    }
}

/* All pairs, spelt out: a row is from, a column to, in the enum's order.
 * . is there, - illegal, x a cancellation, d follows from the items. */
static void
test_what_a_client_may_ask_for(void **ctx)
{
    static const char *const rows[ORDER_STATE_COUNT] = {
        /*     ARPEHIXCFTSK */
        [A] = ".d---dx---x-", [R] = "-.----------", [P] = "--.--dx---x-",
        [E] = "---.-dx---x-", [H] = "----.dx---x-", [I] = "--ddd.xdddx-",
        [X] = "------.-----", [C] = "-------.----", [F] = "--------.---",
        [T] = "---------.--", [S] = "d-dddd----.x", [K] = "------x-d--.",
    };
    static const char marks[] = {
        [ORDER_MOVE_NONE] = '.',    [ORDER_MOVE_LEGAL] = 'l',
        [ORDER_MOVE_CANCEL] = 'x',  [ORDER_MOVE_DERIVED] = 'd',
        [ORDER_MOVE_ILLEGAL] = '-',
    };

    (void) ctx;
    for (int from = 0; from < ORDER_STATE_COUNT; from++) {
        for (int to = 0; to < ORDER_STATE_COUNT; to++) {
            char asked = rows[from][to];
            char done = asked == 'x' || asked == 'd' ? 'l' : asked;

            assert_int_equal(
                marks[order_state_move((order_state_t) from,
                                       (order_state_t) to, ORDER_BY_CLIENT)],
                asked);
            assert_int_equal(
                marks[order_state_move((order_state_t) from,
                                       (order_state_t) to, ORDER_BY_ENGINE)],
                done);
        }
    }
}

static void
test_derive(void **ctx)
{
    static const struct {
        int n;
        order_state_t items[4];
        order_state_t expected;
    } rows[] = {
        {0, {A}, C},          {1, {A}, A},          {2, {A, A}, A},
        {2, {A, C}, I},       {2, {A, F}, I},       {2, {A, X}, I},
        {2, {A, R}, R},       {3, {C, I, R}, R},    {2, {C, R}, R},
        {3, {A, I, H}, I},    {3, {H, E, P}, H},    {3, {P, E, C}, E},
        {2, {P, A}, P},       {2, {P, C}, P},       {2, {H, F}, H},
        {1, {E}, E},          {2, {C, C}, C},       {2, {F, F}, F},
        {2, {X, X}, X},       {2, {F, X}, F},       {2, {C, F}, T},
        {2, {C, X}, T},       {3, {C, F, X}, T},    {2, {T, F}, T},
        {1, {T}, T},          {2, {T, C}, T},       {2, {T, A}, I},
        {2, {S, A}, I},       {2, {K, X}, I},       {4, {C, C, C, P}, P},
        {4, {F, F, F, C}, T}, {4, {X, F, F, X}, F},
    };

    (void) ctx;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(order_state_derive(rows[i].items, rows[i].n),
                         rows[i].expected);
    }
}

/* Only a set decides: the order of the items must not matter. */
static void
test_derive_is_symmetric(void **ctx)
{
    (void) ctx;
    for (int a = 0; a < ORDER_STATE_COUNT; a++) {
        for (int b = 0; b < ORDER_STATE_COUNT; b++) {
            order_state_t one[] = {(order_state_t) a, (order_state_t) b};
            order_state_t two[] = {(order_state_t) b, (order_state_t) a};
            order_state_t got = order_state_derive(one, 2);

            assert_int_equal(got, order_state_derive(two, 2));
            /* An order is not ended before its last item is. */
            if (got != R) {
                assert_int_equal(order_state_final(got),
                                 order_state_final(one[0]) &&
                                     order_state_final(one[1]));
            }
        }
    }
}

/* TMF-FACTS 8.2 once more, by counting. */
static order_state_t
derived_by_counting(const order_state_t *items, int n)
{
    int count[ORDER_STATE_COUNT] = {0};

    for (int i = 0; i < n; i++) {
        count[items[i]]++;
    }
    if (count[R] > 0) {
        return R;
    }
    if (count[C] + count[F] + count[X] + count[T] < n) {
        return count[I] > 0    ? I
               : count[H] > 0  ? H
               : count[E] > 0  ? E
               : count[P] > 0  ? P
               : count[A] == n ? A
                               : I;
    }
    return count[C] == n              ? C
           : count[X] == n            ? X
           : count[C] + count[T] == 0 ? F
                                      : T;
}

/* Every combination of up to four items. */
static void
test_derive_all(void **ctx)
{
    int combinations = 1;

    (void) ctx;
    for (int n = 0; n <= 4; n++, combinations *= ORDER_STATE_COUNT) {
        for (int k = 0; k < combinations; k++) {
            order_state_t items[4] = {A, A, A, A};

            for (int i = 0, rest = k; i < n; i++) {
                items[i] = (order_state_t) (rest % ORDER_STATE_COUNT);
                rest /= ORDER_STATE_COUNT;
            }
            order_state_t got = order_state_derive(items, n);
            order_state_t expected = derived_by_counting(items, n);

            if (got != expected) {
                fail_msg(
                    "%d of %s %s %s %s: %s, not %s", n,
                    order_state_name(items[0]), order_state_name(items[1]),
                    order_state_name(items[2]), order_state_name(items[3]),
                    order_state_name(got), order_state_name(expected));
            }
        }
    }
}

/* TMF-FACTS 8.4, row by row: where a record may go, "" for the create. */
static const struct {
    const char *from, *to;
} service_moves[] = {
    {"", "feasibilityChecked designed reserved inactive active"},
    {"feasibilityChecked",
     "feasibilityChecked designed reserved inactive active"},
    {"designed", "designed reserved inactive active"},
    {"reserved", "reserved designed inactive active"},
    {"inactive", "inactive active terminated"},
    {"active", "active inactive suspended terminated"},
    {"suspended", "suspended active terminated"},
    {"terminated", "active"},
};

static bool
stands_in(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = list; (p = strstr(p, name)) != NULL; p += n) {
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0')) {
            return true;
        }
    }
    return false;
}

static void
test_service_moves(void **ctx)
{
    (void) ctx;
    assert_int_equal(sizeof(service_moves) / sizeof(service_moves[0]),
                     SERVICE_STATE_COUNT + 1);
    for (size_t i = 0; i <= SERVICE_STATE_COUNT; i++) {
        service_state_t from = SERVICE_ACTIVE;
        bool create = service_moves[i].from[0] == '\0';

        assert_true(create ||
                    service_state_parse(str_of(service_moves[i].from), &from));
        for (int k = 0; k < SERVICE_STATE_COUNT; k++) {
            service_state_t to = (service_state_t) k;
            bool may = stands_in(service_moves[i].to, service_state_name(to));

            if (may != (create ? service_state_initial(to)
                               : service_state_may(from, to))) {
                fail_msg("\"%s\" to \"%s\"", service_moves[i].from,
                         service_state_name(to));
            }
        }
    }
}

static void
test_service_removable(void **ctx)
{
    (void) ctx;
    for (int i = 0; i < SERVICE_STATE_COUNT; i++) {
        service_state_t s = (service_state_t) i;

        assert_int_equal(service_state_removable(s),
                         s != SERVICE_ACTIVE && s != SERVICE_SUSPENDED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_final),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_what_a_client_may_ask_for),
        cmocka_unit_test(test_derive),
        cmocka_unit_test(test_derive_is_symmetric),
        cmocka_unit_test(test_derive_all),
        cmocka_unit_test(test_service_moves),
        cmocka_unit_test(test_service_removable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
