/* Sockets whose owner changes its mind: wanted, not wanted, closed, reused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/southbound/watch.h"

static struct event_base *base;
static watches_t *watches;
static int fds[2];
static int fired, fired_fd;
static short fired_what;

static void
on_event(void *ctx, int fd, short what)
{
    char c;

    assert_ptr_equal(ctx, &fired);
    fired++;
    fired_fd = fd;
    fired_what = what;
    if (what & EV_READ) {
        (void) !read(fd, &c, 1);
    }
}

static void
turn(void)
{
    (void) event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void
send_byte(void)
{
    assert_int_equal(write(fds[1], "x", 1), 1);
}

static int
setup(void **state)
{
    (void) state;
    base = event_base_new();
    watches = watches_create(base, on_event, &fired);
    fired = 0;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static int
teardown(void **state)
{
    (void) state;
    watches_free(watches);
    event_base_free(base);
    (void) close(fds[0]);
    (void) close(fds[1]);
    return 0;
}

static void
tells_what_is_wanted(void **state)
{
    (void) state;
    watch_opened(watches, fds[0]);
    watch_want(watches, fds[0], EV_READ);
    turn();
    assert_int_equal(fired, 0);
    send_byte();
    turn();
    assert_int_equal(fired, 1);
    assert_int_equal(fired_fd, fds[0]);
    assert_int_equal(fired_what, EV_READ);
    watch_want(watches, fds[0], EV_WRITE);
    turn();
    assert_int_equal(fired, 2);
    assert_int_equal(fired_what, EV_WRITE);
    send_byte();
    watch_want(watches, fds[0], EV_READ | EV_WRITE);
    turn();
    assert_int_equal(fired, 3);
    assert_int_equal(fired_what, EV_READ | EV_WRITE);
}

static void
is_silent_when_nothing_is_wanted(void **state)
{
    (void) state;
    watch_opened(watches, fds[0]);
    watch_want(watches, fds[0], EV_READ);
    watch_want(watches, fds[0], 0);
    assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED),
                     1); /* kept for the next time */
    watch_want(watches, fds[0], EV_READ);
    send_byte();
    turn();
    assert_int_equal(fired, 1);
    watch_want(watches, fds[0], 0);
    send_byte(); /* unasked: it must not spin */
    turn();
    assert_int_equal(fired, 1);
    assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED),
                     0);
    watch_want(watches, fds[0], EV_READ);
    turn();
    assert_int_equal(fired, 2);
}

/* The number of a closed descriptor comes back at once. */
static void
reopen(void)
{
    int was = fds[0];

    (void) close(fds[0]);
    (void) close(fds[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(fds[0], was);
}

static void
a_closed_descriptor_is_forgotten(void **state)
{
    (void) state;
    for (int round = 0; round < 5; round++) {
        watch_opened(watches, fds[0]);
        watch_want(watches, fds[0], EV_READ);
        watch_want(watches, fds[0], 0);
        watch_closed(watches, fds[0]);
        assert_int_equal(
            event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
        reopen();
    }
    /* the next owner of the number does not tell of its closing */
    for (int round = 0; round < 5; round++) {
        watch_want(watches, fds[0], EV_READ);
        send_byte();
        turn();
        assert_int_equal(fired, round + 1);
        watch_want(watches, fds[0], 0);
        assert_int_equal(
            event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
        reopen();
    }
}

static void
any_number(void **state)
{
    int high = dup2(fds[0], 1000);

    (void) state;
    assert_int_equal(high, 1000);
    watch_want(watches, high, EV_READ);
    send_byte();
    turn();
    assert_int_equal(fired_fd, 1000);
    watch_want(watches, high, 0);
    (void) close(high);
    watches_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tells_what_is_wanted),
        TEST(is_silent_when_nothing_is_wanted),
        TEST(a_closed_descriptor_is_forgotten),
        TEST(any_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
