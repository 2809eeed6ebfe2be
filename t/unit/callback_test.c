/* rooms: southbound. URLs that may be kept, and those that may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/southbound/callback.h"

static struct event_base *base;
static networks_t networks;

typedef struct {
    int count;
    const char *problem;
} verdict_t;

static void
on_verdict(void *ctx, const char *problem)
{
    verdict_t *v = ctx;

    v->count++;
    v->problem = problem;
}

/* NULL: it may be kept. */
static const char *
judge(const char *url)
{
    verdict_t v = {0};

    callback_check(base, &networks, str_of(url), on_verdict, &v);
    while (v.count == 0) {
        assert_int_not_equal(event_base_loop(base, EVLOOP_ONCE), -1);
    }
    assert_int_equal(v.count, 1);
    return v.problem;
}

static void
assert_refused(const char *url, const char *why)
{
    const char *problem = judge(url);

    if (!problem || !strstr(problem, why)) {
        fail_msg("%s: %s", url, problem ? problem : "taken");
    }
}

static void
assert_taken(const char *url)
{
    const char *problem = judge(url);

    if (problem) {
        fail_msg("%s: %s", url, problem);
    }
}

static void
private_hosts(void **state)
{
    static const char *const urls[] = {
        "http://127.0.0.1/x",
        "https://127.0.0.1:9000/",
        "HTTP://127.1/",
        "http://0x7f000001/",
        "http://2130706433",
        "http://0177.0.0.1/",
        "http://%31%32%37.0.0.1/",
        "http://[::1]:80/",
        "http://[::ffff:10.0.0.1]/",
        "http://[fe80::1%25lo]/",
        "http://0.0.0.0/",
        "http://10.1.2.3?x=http://8.8.8.8/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://224.0.0.1#8.8.8.8",
        "http://localhost/", /* by name */
        "https://LOCALHOST:1/x",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_refused(urls[i], "private");
    }
}

static void
hosts_outside(void **state)
{
    (void) state;
    assert_taken("http://8.8.8.8/x?y=127.0.0.1");
    assert_taken("https://[2606:4700::1111]:8443/");
    assert_taken("https://192.0.2.1/127.0.0.1");
    assert_taken("https://8.8.8.8/a@b");    /* no user */
    assert_taken("http://nobody.invalid/"); /* who knows */
}

static void
networks_are_allowed(void **state)
{
    (void) state;
    assert_true(networks_parse(STR("127.0.0.0/8 10.1.0.0/16"), &networks));
    assert_taken("http://127.0.0.1:9000/");
    assert_taken("http://0x7f000001/");
    assert_taken("http://localhost/");
    assert_taken("http://[::ffff:10.1.2.3]/");
    assert_refused("http://10.2.0.1/", "private");
    assert_refused("http://[::1]/", "private");
}

static void
what_is_no_callback(void **state)
{
    static const char *const urls[] = {
        "",
        "8.8.8.8/x",
        "//8.8.8.8/",
        "http://",
        "http:///",
        "ftp://8.8.8.8/",
        "file:///etc/x",
        "gopher://8.8.8.8/",
        "http://:80/",
        "http://8.8.8.8:99999/",
        "http://8.8.8.8:x/",
        "http://a b/",
        "http://[::1/",
        "http://8.8.8.8\n/",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_refused(urls[i], "http");
    }
}

static void
users_are_refused(void **state)
{
    (void) state;
    assert_refused("http://me@8.8.8.8/", "user");
    assert_refused("http://me:secret@8.8.8.8/", "user");
    assert_refused("https://:secret@8.8.8.8/", "user");
    assert_refused("http://8.8.8.8@127.0.0.1/", "user");
    assert_refused("http://8.8.8.8%00@127.0.0.1/", "");
}

/* A flood of names is not looked up: those that are too many are taken. */
static void
a_flood_of_names(void **state)
{
    verdict_t v[CALLBACK_NAMES_MAX + 1] = {0};

    (void) state;
    for (int i = 0; i <= CALLBACK_NAMES_MAX; i++) {
        callback_check(base, &networks, STR("http://localhost/"), on_verdict,
                       &v[i]);
        assert_int_equal(v[i].count, i == CALLBACK_NAMES_MAX);
    }
    assert_null(v[CALLBACK_NAMES_MAX].problem);
    for (int i = 0; i < CALLBACK_NAMES_MAX; i++) {
        while (v[i].count == 0) {
            assert_int_not_equal(event_base_loop(base, EVLOOP_ONCE), -1);
        }
        assert_non_null(v[i].problem);
    }
    assert_refused("http://localhost/", "private"); /* there is room again */
}

static int
setup(void **state)
{
    (void) state;
    base = event_base_new();
    return networks_parse(STR_NONE, &networks) ? 0 : -1;
}

static int
teardown(void **state)
{
    (void) state;
    event_base_free(base);
    return 0;
}

#define EACH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(private_hosts),        EACH(hosts_outside),
        EACH(networks_are_allowed), EACH(what_is_no_callback),
        EACH(users_are_refused),    EACH(a_flood_of_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
