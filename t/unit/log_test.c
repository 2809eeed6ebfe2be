/* Log lines, read back from standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/base/json.h"
#include "backend/base/log.h"

static arena_t *arena;
static FILE *file;
static int real_stderr;

static int
setup(void **state)
{
    (void) state;
    arena = arena_create();
    file = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    return dup2(fileno(file), STDERR_FILENO) < 0;
}

static int
teardown(void **state)
{
    (void) state;
    (void) dup2(real_stderr, STDERR_FILENO);
    (void) close(real_stderr);
    (void) fclose(file);
    arena_free(arena);
    return 0;
}

/* Everything logged so far. */
static str_t
logged(void)
{
    static char text[100000];
    ssize_t n = pread(fileno(file), text, sizeof(text), 0);

    assert_true(n >= 0);
    return (str_t){text, (size_t) n};
}

static const json_t *
line(void)
{
    str_t s = logged();
    const json_t *v;

    assert_true(s.len > 0 && s.data[s.len - 1] == '\n');
    assert_ptr_equal(memchr(s.data, '\n', s.len), s.data + s.len - 1);
    v = json_parse(arena, s, NULL);
    assert_non_null(v);
    return v;
}

static void
one_object_a_line(void **state)
{
    const json_t *v;

    (void) state;
    log_init("family-x", LOG_INFO);
    log_event(LOG_WARN, "it \"broke\"", "order", "1\n2", "none", NULL,
              "target", "t", NULL);
    v = line();
    assert_true(str_is(json_text(v, "level"), "warn"));
    assert_true(str_is(json_text(v, "pool"), "family-x"));
    assert_true(str_is(json_text(v, "msg"), "it \"broke\""));
    assert_true(str_is(json_text(v, "order"), "1\n2"));
    assert_true(str_is(json_text(v, "target"), "t"));
    assert_null(json_get(v, "none"));
    assert_int_equal(json_int(v, "pid", 0), getpid());
    assert_int_equal(json_text(v, "ts").len, 24);
    assert_int_equal(json_text(v, "ts").data[23], 'Z');
}

static void
levels(void **state)
{
    (void) state;
    log_init("p", LOG_WARN);
    assert_true(log_enabled(LOG_ERROR));
    assert_true(log_enabled(LOG_WARN));
    assert_false(log_enabled(LOG_INFO));
    log_event(LOG_INFO, "not this", NULL);
    log_event(LOG_DEBUG, "nor this", NULL);
    assert_int_equal(logged().len, 0);
    log_event(LOG_ERROR, "this", NULL);
    assert_true(str_is(json_text(line(), "msg"), "this"));
}

static void
any_bytes_and_any_length(void **state)
{
    char *huge = malloc(1000000);

    (void) state;
    memset(huge, '"', 999999);
    huge[999999] = '\0';
    log_init("p", LOG_INFO);
    log_event(LOG_INFO, "bytes", "a", "\xff\xc0\x80z\x01", "huge", huge, NULL);
    assert_non_null(json_get(line(), "a"));
    assert_in_range(json_text(line(), "huge").len, 100, 10000);
    free(huge);
}

static void
keeps_errno(void **state)
{
    (void) state;
    log_init("p", LOG_INFO);
    (void) close(STDERR_FILENO);
    errno = ENOENT;
    log_event(LOG_INFO, "nobody reads this", NULL);
    assert_int_equal(errno, ENOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_object_a_line),
        TEST(levels),
        TEST(any_bytes_and_any_length),
        TEST(keeps_errno),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
