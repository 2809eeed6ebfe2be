/* rooms: proto */
/*
 * The scoped set: repetitions are found in small and large scopes, and a
 * dropped scope leaves nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/set.h"

#define MANY 5000

static bool
add(set_t *s, int mark, str_t text)
{
    bool is_new = false;
    int entry = set_add(s, mark, text, &is_new);

    assert_true(entry >= mark);
    assert_true(str_eq(set_text(s, entry), text));
    return is_new;
}

static bool
add_number(set_t *s, int mark, int n)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "number-%d", n);

    return add(s, mark, (str_t){text, (size_t) len});
}

static void
test_finds_repetitions(void **state)
{
    set_t s;

    (void) state;
    set_init(&s);
    int mark = set_mark(&s);
    assert_true(add(&s, mark, STR("a")));
    assert_true(add(&s, mark, STR("")));
    assert_true(add(&s, mark, STR("a\0b")));
    assert_true(add(&s, mark, STR("ab")));
    assert_false(add(&s, mark, STR("a")));
    assert_false(add(&s, mark, STR("")));
    assert_false(add(&s, mark, STR("a\0b")));
    assert_true(add(&s, mark, STR("a\0c")));
    set_free(&s);
}

static void
test_large_scope(void **state)
{
    set_t s;

    (void) state;
    set_init(&s);
    for (int i = 0; i < MANY; i++) {
        assert_true(add_number(&s, 0, i));
    }
    for (int i = 0; i < MANY; i++) {
        assert_false(add_number(&s, 0, i));
    }
    set_drop(&s, 0);
    for (int i = 0; i < MANY; i++) {
        assert_true(add_number(&s, 0, i));
    }
    set_free(&s);
}

/* Scopes of every size within one another, each with the same texts. */
static void
test_nested_scopes(void **state)
{
    static const int sizes[] = {3, 17, 100, 1, 16, 40, 0, 200};
    enum { DEPTH = sizeof(sizes) / sizeof(sizes[0]) };
    int marks[DEPTH];
    set_t s;

    (void) state;
    set_init(&s);
    for (int round = 0; round < 3; round++) {
        for (int d = 0; d < DEPTH; d++) {
            marks[d] = set_mark(&s);
            for (int i = 0; i < sizes[d]; i++) {
                assert_true(add_number(&s, marks[d], i));
            }
        }
        for (int d = DEPTH - 1; d >= 0; d--) {
            for (int i = 0; i < sizes[d]; i++) {
                assert_false(add_number(&s, marks[d], i));
            }
            for (int i = 0; i < 30; i++) {
                assert_true(add_number(&s, marks[d], sizes[d] + i));
            }
            assert_false(add_number(&s, marks[d], sizes[d]));
            set_drop(&s, marks[d]);
            set_drop(&s, marks[d]);
        }
        assert_int_equal(set_mark(&s), 0);
    }
    set_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_repetitions),
        cmocka_unit_test(test_large_scope),
        cmocka_unit_test(test_nested_scopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
