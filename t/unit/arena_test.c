/* Arenas: alignment, zeroing, growth, reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/base/arena.h"

static bool
is_zero(const char *p, size_t n)
{
    while (n > 0 && p[n - 1] == 0) {
        n--;
    }
    return n == 0;
}

static void
gives_zeroed_aligned_memory(void **state)
{
    arena_t *a = arena_create();
    char *last = NULL;

    (void) state;
    for (size_t size = 1; size < 3000; size += 7) {
        char *p = arena_alloc(a, size);

        assert_non_null(p);
        assert_ptr_not_equal(p, last);
        assert_int_equal((uintptr_t) p % _Alignof(max_align_t), 0);
        assert_true(is_zero(p, size));
        memset(p, 0xff, size);
        last = p;
    }
    arena_free(a);
}

static void
pieces_do_not_overlap(void **state)
{
    enum { N = 2000 };
    arena_t *a = arena_create();
    unsigned char *p[N];
    size_t size[N];

    (void) state;
    for (size_t i = 0; i < N; i++) {
        size[i] = (i * 37) % 5000 + 1;
        p[i] = arena_alloc(a, size[i]);
        memset(p[i], (int) (i % 251), size[i]);
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < size[i]; j++) {
            assert_int_equal(p[i][j], i % 251);
        }
    }
    arena_free(a);
}

static void
large_pieces_and_small_ones_live_together(void **state)
{
    arena_t *a = arena_create();
    char *small = arena_alloc(a, 10);
    char *large = arena_alloc(a, 8 << 20);
    char *after = arena_alloc(a, 10);

    (void) state;
    assert_true(is_zero(large, 8 << 20));
    memset(large, 1, 8 << 20);
    assert_true(is_zero(small, 10));
    assert_true(is_zero(after, 10));
    assert_int_equal(arena_used(a), (8 << 20) + 20);
    arena_free(a);
}

static void
reset_forgets_everything(void **state)
{
    arena_t *a = arena_create();

    (void) state;
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 100; i++) {
            char *p = arena_alloc(a, 1000);

            assert_true(is_zero(p, 1000));
            memset(p, 0xee, 1000);
        }
        assert_int_equal(arena_used(a), 100000);
        arena_reset(a);
        assert_int_equal(arena_used(a), 0);
    }
    arena_free(a);
    arena_free(NULL);
}

static void
copies_strings_with_their_nul(void **state)
{
    arena_t *a = arena_create();
    str_t s = arena_str(a, (str_t){"a\0bX", 3});

    (void) state;
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.data, "a\0b", 4);
    s = arena_str(a, STR_NONE);
    assert_int_equal(s.len, 0);
    assert_string_equal(s.data, "");
    assert_string_equal(arena_z(a, (str_t){"hello", 4}), "hell");
    assert_string_equal(arena_z(a, STR_NONE), "");
    arena_free(a);
}

static void
prints(void **state)
{
    arena_t *a = arena_create();
    str_t s = arena_printf(a, "%s-%d", "step", 42);

    (void) state;
    assert_int_equal(s.len, 7);
    assert_string_equal(s.data, "step-42");
    s = arena_printf(a, "%*s", 70000, "x");
    assert_int_equal(s.len, 70000);
    assert_int_equal(strlen(s.data), 70000);
    assert_int_equal(arena_printf(a, "%s", "").len, 0);
    arena_free(a);
}

static void
long_lived_memory(void **state)
{
    char *p = xcalloc(3, 5);
    char *z;

    (void) state;
    assert_true(is_zero(p, 15));
    p = xrealloc(p, 100000);
    memset(p, 1, 100000);
    free(p);
    p = xcalloc(0, 0); /* never NULL */
    assert_non_null(p);
    free(p);
    z = xstrdup("copy");
    assert_string_equal(z, "copy");
    free(z);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_memory),
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(large_pieces_and_small_ones_live_together),
        cmocka_unit_test(reset_forgets_everything),
        cmocka_unit_test(copies_strings_with_their_nul),
        cmocka_unit_test(prints),
        cmocka_unit_test(long_lived_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
