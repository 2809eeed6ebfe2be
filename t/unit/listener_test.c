/*
 * The rules of a listener's backlog: order, concurrency, failing listeners,
 * the cursor; and notifications as they are shared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/pools/listener.h"

#define NO_RETRY_AFTER (-1)

static const position_t start = {100, 0, 0};

/* Event number seq of resource; bytes long. */
static position_t
add_sized(listener_t *l, int64_t seq, const char *resource, size_t bytes)
{
    char *body = xcalloc(1, bytes + 1);
    event_record_t e = {.xid = 100, .seq = seq, .at_us = seq};
    position_t before = l->read;
    notification_t *n;

    e.resource_id = str_of(resource);
    n = notification_create(&e, (str_t){body, bytes});
    listener_add(l, n, &before);
    notification_unref(n);
    free(body);
    l->read = event_position(&e);
    return l->read;
}

static void
add(listener_t *l, int64_t seq, const char *resource)
{
    add_sized(l, seq, resource, 10);
}

static int64_t
seq_of(const delivery_t *d)
{
    return d ? d->note->at.seq : -1;
}

static verdict_t
settle(listener_t *l, delivery_t *d, verdict_t v, int64_t now)
{
    return listener_settle(l, d, v, NO_RETRY_AFTER, now, 0);
}

static void
test_verdicts(void **state)
{
    static const struct {
        int status;
        verdict_t verdict;
    } cases[] = {
        {200, VERDICT_TAKEN},   {201, VERDICT_TAKEN},   {204, VERDICT_TAKEN},
        {299, VERDICT_TAKEN},   {0, VERDICT_FAILED},    {100, VERDICT_FAILED},
        {408, VERDICT_FAILED},  {429, VERDICT_FAILED},  {500, VERDICT_FAILED},
        {503, VERDICT_FAILED},  {599, VERDICT_FAILED},  {300, VERDICT_REFUSED},
        {302, VERDICT_REFUSED}, {400, VERDICT_REFUSED}, {401, VERDICT_REFUSED},
        {404, VERDICT_REFUSED}, {410, VERDICT_REFUSED}, {499, VERDICT_REFUSED},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(listener_verdict(cases[i].status), cases[i].verdict);
    }
}

static void
test_one_resource_goes_in_order(void **state)
{
    listener_t l;
    delivery_t *d;

    (void) state;
    listener_init(&l, &start);
    for (int64_t i = 1; i <= 3; i++) {
        add(&l, i, "a");
    }
    for (int64_t i = 1; i <= 3; i++) {
        d = listener_next(&l, 0);
        assert_int_equal(seq_of(d), i);
        assert_null(listener_next(&l, 0));
        settle(&l, d, VERDICT_TAKEN, 0);
    }
    assert_null(listener_next(&l, 0));
    assert_int_equal(l.count, 0);
    assert_int_equal(l.bytes, 0);
    assert_int_equal(map_count(l.last), 0);
    listener_clear(&l);
}

static void
test_resources_go_side_by_side(void **state)
{
    listener_t l;
    delivery_t *a, *b;

    (void) state;
    listener_init(&l, &start);
    add(&l, 1, "a");
    add(&l, 2, "b");
    add(&l, 3, "a");
    a = listener_next(&l, 0);
    b = listener_next(&l, 0);
    assert_int_equal(seq_of(a), 1);
    assert_int_equal(seq_of(b), 2);
    assert_null(listener_next(&l, 0));
    settle(&l, b, VERDICT_TAKEN, 0);
    assert_null(listener_next(&l, 0));
    settle(&l, a, VERDICT_TAKEN, 0);
    assert_int_equal(seq_of(listener_next(&l, 0)), 3);
    listener_clear(&l);
}

static void
test_calls_grow_to_their_limit(void **state)
{
    delivery_t *d[LISTENER_CALLS + 1];
    char name[16];
    int n = 0, seq = 0;
    listener_t l;

    (void) state;
    listener_init(&l, &start);
    for (int i = 0; i < 4 * LISTENER_CALLS; i++) {
        snprintf(name, sizeof(name), "r%d", i);
        add(&l, ++seq, name);
    }
    while ((d[n] = listener_next(&l, 0)) != NULL) {
        n++;
    }
    assert_int_equal(n, LISTENER_CALLS_FIRST);
    for (int i = 0; i < 3 * LISTENER_CALLS; i++) {
        settle(&l, d[--n], VERDICT_TAKEN, 0);
        while ((d[n] = listener_next(&l, 0)) != NULL) {
            n++;
            assert_in_range(n, 1, LISTENER_CALLS);
        }
        assert_int_equal(l.under_way, n);
    }
    assert_int_equal(n, LISTENER_CALLS);
    listener_clear(&l);
}

static void
assert_cursor(const listener_t *l, int64_t seq)
{
    assert_int_equal(listener_cursor(l).seq, seq);
}

static void
test_cursor_is_before_the_first_open_one(void **state)
{
    listener_t l;
    delivery_t *a, *b;

    (void) state;
    listener_init(&l, &start);
    assert_cursor(&l, 0);
    l.read.seq = 5; /* read, but not for it */
    add(&l, 6, "a");
    add(&l, 8, "b");
    a = listener_next(&l, 0);
    b = listener_next(&l, 0);
    assert_cursor(&l, 5);
    settle(&l, b, VERDICT_TAKEN, 0);
    assert_cursor(&l, 5);
    l.read.seq = 9;
    settle(&l, a, VERDICT_REFUSED, 0);
    assert_cursor(&l, 9);
    listener_clear(&l);
}

static void
test_a_failing_listener_is_probed_by_one_call(void **state)
{
    listener_t l;
    delivery_t *d;
    int64_t now = 1000;

    (void) state;
    listener_init(&l, &start);
    add(&l, 1, "a");
    add(&l, 2, "b");
    add(&l, 3, "a");
    d = listener_next(&l, now);
    settle(&l, d, VERDICT_FAILED, now);
    assert_null(listener_next(&l, now));
    assert_int_equal(listener_wait_ms(&l, now), LISTENER_DELAY_MS);
    now += LISTENER_DELAY_MS;
    /* What it has not seen yet is the better probe. */
    d = listener_next(&l, now);
    assert_int_equal(seq_of(d), 2);
    assert_null(listener_next(&l, now));
    assert_int_equal(listener_wait_ms(&l, now), -1);
    settle(&l, d, VERDICT_FAILED, now);
    assert_int_equal(listener_wait_ms(&l, now), 2 * LISTENER_DELAY_MS);
    now += 2 * LISTENER_DELAY_MS;
    d = listener_next(&l, now);
    assert_int_equal(seq_of(d), 1);
    settle(&l, d, VERDICT_TAKEN, now);
    /* Well again: what waited goes at once, in order. */
    assert_int_equal(seq_of(listener_next(&l, now)), 2);
    assert_int_equal(seq_of(listener_next(&l, now)), 3);
    listener_clear(&l);
}

static void
test_delay_doubles_to_its_limit(void **state)
{
    int64_t now = 0, expected = LISTENER_DELAY_MS;
    listener_t l;

    (void) state;
    listener_init(&l, &start);
    add(&l, 1, "a");
    for (int i = 0; i < 20; i++) {
        settle(&l, listener_next(&l, now), VERDICT_FAILED, now);
        assert_int_equal(l.resume_ms - now, expected);
        now = l.resume_ms;
        expected = expected * 2 < LISTENER_DELAY_MAX_MS
                       ? expected * 2
                       : LISTENER_DELAY_MAX_MS;
    }
    assert_int_equal(l.count, 1); /* never given up for being down */
    listener_clear(&l);
}

static void
test_jitter_shortens_by_half_at_most(void **state)
{
    listener_t l;

    (void) state;
    listener_init(&l, &start);
    add(&l, 1, "a");
    listener_settle(&l, listener_next(&l, 0), VERDICT_FAILED, -1, 0, 0.999);
    assert_in_range(l.resume_ms, LISTENER_DELAY_MS / 2,
                    LISTENER_DELAY_MS / 2 + 1);
    listener_clear(&l);
}

static void
test_retry_after_is_honoured_and_limited(void **state)
{
    listener_t l;
    delivery_t *d;

    (void) state;
    listener_init(&l, &start);
    add(&l, 1, "a");
    d = listener_next(&l, 0);
    listener_settle(&l, d, VERDICT_FAILED, 30, 0, 0);
    assert_null(listener_next(&l, 29999));
    assert_int_equal(listener_wait_ms(&l, 0), 30000);
    d = listener_next(&l, 30000);
    assert_int_equal(seq_of(d), 1);
    listener_settle(&l, d, VERDICT_FAILED, 1000000000, 30000, 0);
    assert_int_equal(listener_wait_ms(&l, 30000),
                     (int64_t) LISTENER_AFTER_MAX_S * 1000);
    listener_clear(&l);
}

static void
test_many_that_fail_at_once_count_once(void **state)
{
    delivery_t *d[4];
    listener_t l;

    (void) state;
    listener_init(&l, &start);
    add(&l, 1, "a");
    add(&l, 2, "b");
    add(&l, 3, "c");
    add(&l, 4, "d");
    for (int i = 0; i < 4; i++) {
        d[i] = listener_next(&l, 0);
    }
    for (int i = 0; i < 3; i++) {
        settle(&l, d[i], VERDICT_FAILED, 0);
    }
    assert_int_equal(l.failures, 1);
    assert_int_equal(l.resume_ms, LISTENER_DELAY_MS);
    /* An answer to what was sent before is no news. */
    settle(&l, d[3], VERDICT_TAKEN, 0);
    assert_int_equal(l.failures, 1);
    assert_null(listener_next(&l, 0));
    listener_clear(&l);
}

/* One event that the listener cannot take keeps only its resource waiting,
 * and is given up in the end. */
static void
test_one_poisonous_event(void **state)
{
    int64_t now = 0, seq = 1, others = 0;
    verdict_t end = VERDICT_FAILED;
    listener_t l;

    (void) state;
    listener_init(&l, &start);
    add(&l, 1, "poison");
    add(&l, 2, "poison");
    seq = 2;
    for (int i = 0; i < 10000 && end != VERDICT_REFUSED; i++) {
        delivery_t *d;
        int64_t wait;

        add(&l, ++seq, i % 2 ? "x" : "y");
        while ((d = listener_next(&l, now)) != NULL) {
            assert_int_not_equal(seq_of(d), 2);
            if (seq_of(d) == 1) {
                end = settle(&l, d, VERDICT_FAILED, now);
            } else {
                settle(&l, d, VERDICT_TAKEN, now);
                others++;
            }
        }
        wait = listener_wait_ms(&l, now);
        now += wait > 0 ? wait : 0;
    }
    assert_int_equal(end, VERDICT_REFUSED);
    assert_true(others > LISTENER_BLAMES);
    assert_true(now > 10 * 60 * 1000); /* not in haste */
    /* Now the next of the resource goes. */
    for (delivery_t *d; (d = listener_next(&l, now + 60000)) != NULL;) {
        settle(&l, d, VERDICT_TAKEN, now + 60000);
    }
    assert_int_equal(l.count, 0);
    assert_cursor(&l, seq);
    listener_clear(&l);
}

static void
test_room_ends_by_count_and_by_bytes(void **state)
{
    listener_t l;

    (void) state;
    listener_init(&l, &start);
    for (int i = 0; i <= LISTENER_BACKLOG / 2; i++) {
        assert_true(listener_has_room(&l));
        add(&l, i + 1, "a");
    }
    assert_false(listener_has_room(&l));
    listener_clear(&l);

    listener_init(&l, &start);
    add_sized(&l, 1, "a", LISTENER_BYTES);
    assert_false(listener_has_room(&l));
    settle(&l, listener_next(&l, 0), VERDICT_TAKEN, 0);
    assert_true(listener_has_room(&l));
    listener_clear(&l);
}

/* Fails n times in a row; returns the time. */
static int64_t
fail_times(listener_t *l, int n, int64_t now)
{
    while (n-- > 0) {
        delivery_t *d = listener_next(l, now);

        assert_non_null(d);
        settle(l, d, VERDICT_FAILED, now);
        now = l->resume_ms;
    }
    return now;
}

static void
test_a_listener_that_is_down_keeps_little(void **state)
{
    listener_t l;
    int64_t now;

    (void) state;
    listener_init(&l, &start);
    for (int i = 1; i <= 500; i++) {
        add(&l, i, i % 3 ? "a" : "b");
    }
    now = fail_times(&l, LISTENER_DOWN_AFTER - 1, 0);
    assert_int_equal(l.count, 500);
    now = fail_times(&l, 1, now);
    assert_int_equal(l.count, LISTENER_DOWN_BACKLOG);
    assert_false(listener_has_room(&l));
    assert_int_equal(l.read.seq, LISTENER_DOWN_BACKLOG);
    assert_cursor(&l, 0);
    /* It is back: all are sent in order; then the rest is read again. */
    for (delivery_t *d; (d = listener_next(&l, now)) != NULL;) {
        settle(&l, d, VERDICT_TAKEN, now);
    }
    assert_int_equal(l.count, 0);
    assert_true(listener_has_room(&l));
    assert_cursor(&l, LISTENER_DOWN_BACKLOG);
    assert_int_equal(map_count(l.last), 0);
    listener_clear(&l);
}

static void
test_what_was_taken_is_not_read_again(void **state)
{
    delivery_t *a, *b;
    listener_t l;

    (void) state;
    listener_init(&l, &start);
    for (int i = 1; i <= 200; i++) {
        add(&l, i, "a");
    }
    add(&l, 201, "b");
    add(&l, 202, "a");
    a = listener_next(&l, 0);
    b = listener_next(&l, 0);
    assert_int_equal(seq_of(b), 201);
    settle(&l, b, VERDICT_TAKEN, 0);
    add(&l, 203, "c");
    settle(&l, a, VERDICT_FAILED, 0);
    fail_times(&l, LISTENER_DOWN_AFTER - 1, l.resume_ms);
    /* 202 and 203 may be read again, 201 and what is before may not. */
    assert_int_equal(l.read.seq, 201);
    listener_clear(&l);
}

static void
test_clear_frees_what_is_under_way(void **state)
{
    listener_t l;

    (void) state;
    listener_init(&l, &start);
    add(&l, 1, "a");
    add(&l, 2, "a");
    add(&l, 3, "b");
    assert_non_null(listener_next(&l, 0));
    assert_non_null(listener_next(&l, 0));
    listener_clear(&l);
    assert_int_equal(l.count, 0);
    assert_int_equal(l.under_way, 0);
}

static void
test_notification_is_shared(void **state)
{
    event_record_t e = {.resource_id = STR("x"), .xid = 7, .seq = 9};
    notification_t *n = notification_create(&e, STR("{\"a\":1}"));

    (void) state;
    assert_int_equal(n->at.xid, 7);
    assert_int_equal(n->at.seq, 9);
    assert_int_equal(n->len, 7);
    assert_memory_equal(n->body, "{\"a\":1}", 7);
    assert_ptr_equal(notification_ref(n), n);
    notification_unref(n);
    assert_int_equal(n->refs, 1);
    notification_unref(n);
    notification_unref(NULL);
}

static void
test_resource_keys(void **state)
{
    const str_t id = STR("0192F0D4-0000-7000-8000-00000000000a");
    const str_t same = STR("0192f0d4-0000-7000-8000-00000000000A");
    char text[UUID_TEXT + 1];

    (void) state;
    uuid_print(notification_resource(id), text);
    assert_string_equal(text, "0192f0d4-0000-7000-8000-00000000000a");
    assert_true(
        uuid_eq(notification_resource(id), notification_resource(same)));
    assert_true(uuid_eq(notification_resource(STR("Voip.Line")),
                        notification_resource(STR("Voip.Line"))));
    assert_false(uuid_eq(notification_resource(STR("Voip.Line")),
                         notification_resource(STR("Voip.Lime"))));
    assert_false(uuid_eq(notification_resource(STR("")),
                         notification_resource(STR("a"))));
}

static void
test_positions(void **state)
{
    const position_t a = {1, 9, 5}, b = {2, 1, 0}, c = {2, 2, NO_TIME};
    const position_t end = POSITION_END;

    (void) state;
    assert_true(position_compare(&a, &b) < 0);
    assert_true(position_compare(&c, &b) > 0);
    assert_true(position_compare(&c, &end) < 0);
    assert_int_equal(position_compare(&b, &(position_t){2, 1, NO_TIME}), 0);
    /* Not as signed numbers. */
    assert_true(position_compare(&c, &(position_t){UINT64_MAX - 1, 0, 0}) < 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_one_resource_goes_in_order),
        cmocka_unit_test(test_resources_go_side_by_side),
        cmocka_unit_test(test_calls_grow_to_their_limit),
        cmocka_unit_test(test_cursor_is_before_the_first_open_one),
        cmocka_unit_test(test_a_failing_listener_is_probed_by_one_call),
        cmocka_unit_test(test_delay_doubles_to_its_limit),
        cmocka_unit_test(test_jitter_shortens_by_half_at_most),
        cmocka_unit_test(test_retry_after_is_honoured_and_limited),
        cmocka_unit_test(test_many_that_fail_at_once_count_once),
        cmocka_unit_test(test_one_poisonous_event),
        cmocka_unit_test(test_room_ends_by_count_and_by_bytes),
        cmocka_unit_test(test_a_listener_that_is_down_keeps_little),
        cmocka_unit_test(test_what_was_taken_is_not_read_again),
        cmocka_unit_test(test_clear_frees_what_is_under_way),
        cmocka_unit_test(test_notification_is_shared),
        cmocka_unit_test(test_resource_keys),
        cmocka_unit_test(test_positions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
