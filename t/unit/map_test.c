/* The map, checked against a plain array; and the ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/base/map.h"
#include "backend/base/ring.h"

enum { N = 2000 };

static uuid_t
key_of(int i)
{
    uuid_t u = {{0}};

    u.byte[3] = (uint8_t) (i >> 8);
    u.byte[15] = (uint8_t) i;
    return u;
}

static void
empty_map(void **state)
{
    map_t *m = map_create();
    size_t iter = 0;

    (void) state;
    assert_null(map_get(m, key_of(1)));
    assert_null(map_remove(m, key_of(1)));
    assert_int_equal(map_count(m), 0);
    assert_null(map_next(m, &iter));
    map_free(m);
    map_free(NULL);
}

static void
put_replaces_and_null_removes(void **state)
{
    map_t *m = map_create();
    int a, b;

    (void) state;
    assert_null(map_put(m, key_of(1), &a));
    assert_ptr_equal(map_put(m, key_of(1), &b), &a);
    assert_int_equal(map_count(m), 1);
    assert_ptr_equal(map_get(m, key_of(1)), &b);
    assert_ptr_equal(map_put(m, key_of(1), NULL), &b);
    assert_int_equal(map_count(m), 0);
    assert_null(map_get(m, key_of(1)));
    map_free(m);
}

static void
same_as_an_array_under_random_use(void **state)
{
    static int values[N];
    void *model[N] = {0};
    map_t *m = map_create();
    size_t count = 0;
    unsigned seed = 7;

    (void) state;
    for (int step = 0; step < 200000; step++) {
        int i = rand_r(&seed) % N;
        /* more comes than goes, then the other way round */
        bool put = rand_r(&seed) % 10 < (step < 100000 ? 7 : 3);
        void *value = put ? &values[rand_r(&seed) % N] : NULL;
        void *was =
            put ? map_put(m, key_of(i), value) : map_remove(m, key_of(i));

        assert_ptr_equal(was, model[i]);
        count += (model[i] == NULL) & put;
        count -= (model[i] != NULL) & !put;
        model[i] = value;
        assert_int_equal(map_count(m), count);
    }
    for (int i = 0; i < N; i++) {
        assert_ptr_equal(map_get(m, key_of(i)), model[i]);
    }
    map_free(m);
}

static void
iterates_over_each_value_once(void **state)
{
    static int values[N];
    map_t *m = map_create();
    size_t iter = 0;
    int n = 0;

    (void) state;
    for (int i = 0; i < N; i++) {
        (void) map_put(m, key_of(i), &values[i]);
    }
    for (int *v; (v = map_next(m, &iter)) != NULL; n++) {
        assert_int_equal((*v)++, 0);
    }
    assert_int_equal(n, N);
    map_free(m);
}

static void
ring_keeps_the_order_while_it_grows(void **state)
{
    ring_t r;
    int in = 0, out = 0, got;

    (void) state;
    ring_init(&r, sizeof(int));
    assert_null(ring_at(&r, 0));
    for (int round = 0; round < 500; round++) {
        for (int i = 0; i < 7; i++, in++) {
            ring_push(&r, &in);
        }
        for (int i = 0; i < 5; i++, out++) {
            assert_int_equal(*(int *) ring_at(&r, 0), out);
            ring_pop(&r, &got);
            assert_int_equal(got, out);
        }
    }
    assert_int_equal(r.count, in - out);
    assert_int_equal(*(int *) ring_at(&r, r.count - 1), in - 1);
    assert_null(ring_at(&r, r.count));
    ring_free(&r);
    assert_int_equal(r.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_map),
        cmocka_unit_test(put_replaces_and_null_removes),
        cmocka_unit_test(same_as_an_array_under_random_use),
        cmocka_unit_test(iterates_over_each_value_once),
        cmocka_unit_test(ring_keeps_the_order_while_it_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
