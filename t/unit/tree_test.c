/* States over a tree of items, against a reference that goes the other way:
 * from the top down, by counting, over every tree of up to four items.
 * rooms: proto backend/base backend/domain */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/domain/order.h"
#include "backend/domain/tree.h"

enum { MOST = 4, NONE = -1 };

/* The rule of state.h, in its own words. */
static order_state_t
whole_of(const int *count, int n)
{
    int open = n - count[ORDER_REJECTED] - count[ORDER_CANCELLED] -
               count[ORDER_COMPLETED] - count[ORDER_FAILED] -
               count[ORDER_PARTIAL];

    if (count[ORDER_REJECTED]) {
        return ORDER_REJECTED;
    }
    if (open) {
        return count[ORDER_IN_PROGRESS]         ? ORDER_IN_PROGRESS
               : count[ORDER_HELD]              ? ORDER_HELD
               : count[ORDER_PENDING_EXTERNAL]  ? ORDER_PENDING_EXTERNAL
               : count[ORDER_PENDING]           ? ORDER_PENDING
               : count[ORDER_ACKNOWLEDGED] == n ? ORDER_ACKNOWLEDGED
                                                : ORDER_IN_PROGRESS;
    }
    if (count[ORDER_COMPLETED] == n) {
        return ORDER_COMPLETED;
    }
    if (count[ORDER_CANCELLED] == n) {
        return ORDER_CANCELLED;
    }
    return count[ORDER_COMPLETED] || count[ORDER_PARTIAL] ? ORDER_PARTIAL
                                                          : ORDER_FAILED;
}

/* Of item p (NONE: the order), with the items' own states as they came. */
static order_state_t
reference(const order_state_t *own, const int *parent, int n, int p)
{
    int count[ORDER_STATE_COUNT] = {0};
    int children = 0;

    for (int i = 0; i < n; i++) {
        if (parent[i] == p) {
            count[reference(own, parent, n, i)]++;
            children++;
        }
    }
    return children == 0 && p != NONE ? own[p] : whole_of(count, children);
}

static void
check(const order_state_t *own, const int *parent, int n)
{
    order_state_t states[MOST + 1];
    order_state_t whole;

    memcpy(states, own, sizeof(states));
    states[n] = ORDER_STATE_COUNT; /* behind the end */
    whole = order_tree_derive(states, parent, n);
    assert_int_equal(whole, reference(own, parent, n, NONE));
    for (int i = 0; i < n; i++) {
        assert_int_equal(states[i], reference(own, parent, n, i));
    }
    assert_int_equal(states[n], ORDER_STATE_COUNT);
}

/* The next combination, as a number grows; false: that was the last. */
static bool
next_states(order_state_t *own, int n)
{
    for (int i = 0; i < n; i++) {
        own[i] = (order_state_t) (own[i] + 1);
        if (own[i] < ORDER_STATE_COUNT) {
            return true;
        }
        own[i] = (order_state_t) 0;
    }
    return false;
}

/* An item's parent stands before it. */
static bool
next_tree(int *parent, int n)
{
    for (int i = 0; i < n; i++) {
        if (++parent[i] < i) {
            return true;
        }
        parent[i] = NONE;
    }
    return false;
}

static void
all_states_in_all_trees(void **state)
{
    int checked = 0;

    (void) state;
    for (int n = 0; n <= MOST; n++) {
        int parent[MOST] = {NONE, NONE, NONE, NONE};

        do {
            order_state_t own[MOST + 1] = {0};

            do {
                check(own, parent, n);
                checked++;
            } while (next_states(own, n));
        } while (next_tree(parent, n));
    }
    /* n! trees of 12^n states */
    assert_int_equal(checked, 1 + 12 + 2 * 144 + 6 * 1728 + 24 * 20736);
}

/* Some by hand: the reference may be wrong as well. */
static void
some_by_hand(void **state)
{
    order_state_t flat[] = {ORDER_COMPLETED, ORDER_FAILED};
    order_state_t deep[] = {ORDER_ACKNOWLEDGED, ORDER_ACKNOWLEDGED,
                            ORDER_COMPLETED, ORDER_FAILED, ORDER_FAILED};
    const int roots[] = {NONE, NONE};
    const int nested[] = {NONE, 0, 1, 1, NONE};

    (void) state;
    assert_int_equal(order_tree_derive(NULL, NULL, 0), ORDER_COMPLETED);
    assert_int_equal(order_tree_derive(flat, roots, 2), ORDER_PARTIAL);
    assert_int_equal(order_tree_derive(deep, nested, 5), ORDER_PARTIAL);
    assert_int_equal(deep[0], ORDER_PARTIAL);
    assert_int_equal(deep[1], ORDER_PARTIAL);
    assert_int_equal(deep[4], ORDER_FAILED);
}

/* As wide and as deep as an order may be, and a little more. */
static void
the_largest(void **state)
{
    order_state_t states[ORDER_MAX_ITEMS + 1];
    int chain[ORDER_MAX_ITEMS + 1], flat[ORDER_MAX_ITEMS + 1];

    (void) state;
    for (int i = 0; i <= ORDER_MAX_ITEMS; i++) {
        states[i] = ORDER_ACKNOWLEDGED;
        chain[i] = i - 1;
        flat[i] = NONE;
    }
    states[ORDER_MAX_ITEMS - 1] = ORDER_HELD;
    assert_int_equal(order_tree_derive(states, flat, ORDER_MAX_ITEMS),
                     ORDER_HELD);
    assert_int_equal(states[0], ORDER_ACKNOWLEDGED);
    assert_int_equal(order_tree_derive(states, chain, ORDER_MAX_ITEMS),
                     ORDER_HELD);
    assert_int_equal(states[0], ORDER_HELD);
    assert_int_equal(order_tree_derive(states, flat, ORDER_MAX_ITEMS + 1),
                     ORDER_HELD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_states_in_all_trees),
        cmocka_unit_test(some_by_hand),
        cmocka_unit_test(the_largest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
