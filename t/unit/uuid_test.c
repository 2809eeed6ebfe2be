/* UUIDs: order, uniqueness, text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/base/uuid.h"

enum { NOW_MS = 1700000000 };

static int64_t
time_of(uuid_t u)
{
    int64_t ms = 0;

    for (int i = 0; i < 6; i++) {
        ms = ms << 8 | u.byte[i];
    }
    return ms;
}

static void
version_variant_and_time(void **state)
{
    uuid_t u = uuid_v7(INT64_C(0x0123456789ab));

    (void) state;
    assert_int_equal(u.byte[6] >> 4, 7);
    assert_int_equal(u.byte[8] >> 6, 2);
    assert_int_equal(time_of(u), INT64_C(0x0123456789ab));
}

static void
grows_within_one_millisecond(void **state)
{
    int64_t now = INT64_C(0x0123456789ac);
    uuid_t last = uuid_v7(now);

    (void) state;
    for (int i = 0; i < 20000; i++) { /* beyond the counter's 12 bits */
        uuid_t u = uuid_v7(now);

        assert_true(memcmp(u.byte, last.byte, 16) > 0);
        assert_int_equal(u.byte[6] >> 4, 7);
        assert_int_equal(u.byte[8] >> 6, 2);
        last = u;
    }
    assert_true(time_of(last) <= now + 20);
}

static void
grows_when_the_clock_steps_back(void **state)
{
    int64_t now = INT64_C(0x0123456799ac);
    uuid_t last = uuid_v7(now);

    (void) state;
    for (int64_t back = 1; back < 3600000; back += 997) {
        uuid_t u = uuid_v7(now - back);

        assert_true(memcmp(u.byte, last.byte, 16) > 0);
        last = u;
    }
    assert_true(time_of(uuid_v7(now + 60000)) == now + 60000);
}

static void
a_fork_makes_other_ids(void **state)
{
    int pipes[2];
    uuid_t mine[64], theirs[64];
    pid_t pid;
    int status;

    (void) state;
    (void) uuid_v7(NOW_MS); /* so that there is a buffer to share */
    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    assert_true(pid >= 0);
    for (int i = 0; i < 64; i++) {
        mine[i] = uuid_v7(NOW_MS);
    }
    if (pid == 0) {
        _exit(write(pipes[1], mine, sizeof(mine)) != sizeof(mine));
    }
    assert_int_equal(read(pipes[0], theirs, sizeof(theirs)), sizeof(theirs));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < 64; i++) {
        assert_false(uuid_eq(mine[i], theirs[i]));
    }
    (void) close(pipes[0]);
    (void) close(pipes[1]);
}

static void
prints_and_parses(void **state)
{
    static const char text[] = "0190f5b2-4c3d-7e6f-8a9b-0c1d2e3f4051";
    char out[UUID_TEXT + 1];
    uuid_t u;

    (void) state;
    assert_true(uuid_parse(STR("0190F5B2-4c3d-7E6F-8a9b-0c1d2e3f4051"), &u));
    assert_int_equal(u.byte[0], 0x01);
    assert_int_equal(u.byte[15], 0x51);
    uuid_print(u, out);
    assert_string_equal(out, text);
    for (int i = 0; i < 100; i++) {
        uuid_t v = uuid_v7(NOW_MS + i), w;

        uuid_print(v, out);
        assert_true(uuid_parse(str_of(out), &w));
        assert_true(uuid_eq(v, w));
    }
}

static void
refuses_what_is_no_uuid(void **state)
{
    static const char *const bad[] = {
        "",
        "0190f5b2-4c3d-7e6f-8a9b-0c1d2e3f405",
        "0190f5b2-4c3d-7e6f-8a9b-0c1d2e3f40511",
        "0190f5b24c3d7e6f8a9b0c1d2e3f4051",
        "{190f5b2-4c3d-7e6f-8a9b-0c1d2e3f405}",
        "0190f5b2_4c3d-7e6f-8a9b-0c1d2e3f4051",
        "0190f5b-24c3d-7e6f-8a9b-0c1d2e3f4051",
        "0190f5g2-4c3d-7e6f-8a9b-0c1d2e3f4051",
        "0190f5b2-4c3d-7e6f-8a9b-0c1d2e3f40 1",
        "0190f5b2-4c3d-7e6f-8a9b-0c1d2e3f40\0201",
        "0190f5b2-4c3d-7e6f-8a9b-0c1d2e3f405\xc1",
        "urn:uuid:0190f5b2-4c3d-7e6f-8a9b-0c1",
    };
    uuid_t u = {{0x77}}, before = u;

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(uuid_parse(str_of(bad[i]), &u));
    }
    assert_false(uuid_parse(STR_NONE, &u));
    assert_true(uuid_eq(u, before)); /* untouched on failure */
}

static void
nil_and_equality(void **state)
{
    uuid_t nil = {{0}}, u = uuid_v7(NOW_MS), v = u;

    (void) state;
    assert_true(uuid_is_nil(nil));
    assert_false(uuid_is_nil(u));
    assert_true(uuid_eq(u, v));
    v.byte[15] ^= 1;
    assert_false(uuid_eq(u, v));
    assert_true(uuid_hash(u) == uuid_hash(u));
    assert_true(uuid_hash(u) != uuid_hash(v));
}

static void
hashes_of_one_moment_spread(void **state)
{
    enum { BUCKETS = 64, N = 6400 };
    int used[BUCKETS] = {0};

    (void) state;
    for (int i = 0; i < N; i++) {
        used[uuid_hash(uuid_v7(NOW_MS)) % BUCKETS]++;
    }
    for (int i = 0; i < BUCKETS; i++) { /* 100 each; 10 sigma is 100 */
        assert_in_range(used[i], 20, 200);
    }
}

static void
random_and_clocks(void **state)
{
    double least = 1, most = 0;
    int64_t mono = clock_mono_ms();

    (void) state;
    for (int i = 0; i < 10000; i++) {
        double d = random_unit();

        assert_true(d >= 0 && d < 1);
        least = d < least ? d : least;
        most = d > most ? d : most;
    }
    assert_true(least < 0.01 && most > 0.99);
    assert_true(clock_mono_ms() >= mono);
    assert_true(clock_us() > INT64_C(1577836800000000)); /* 2020 */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_makes_other_ids), /* before time goes up */
        cmocka_unit_test(version_variant_and_time),
        cmocka_unit_test(grows_within_one_millisecond),
        cmocka_unit_test(grows_when_the_clock_steps_back),
        cmocka_unit_test(prints_and_parses),
        cmocka_unit_test(refuses_what_is_no_uuid),
        cmocka_unit_test(nil_and_equality),
        cmocka_unit_test(hashes_of_one_moment_spread),
        cmocka_unit_test(random_and_clocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
