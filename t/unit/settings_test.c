/* turnup.conf: defaults, every key, and what is said of a bad line.
 * rooms: proto backend/base backend/pools */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/pools/settings.h"

static char path[] = "/tmp/turnup-unit-XXXXXX";

static int
start(void **state)
{
    int fd = mkstemp(path);

    (void) state;
    return fd < 0 ? -1 : close(fd);
}

static int
stop(void **state)
{
    (void) state;
    return unlink(path);
}

static void
write_text(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static settings_t
read_good(const char *text)
{
    settings_t s;
    char err[256] = "";

    write_text(text, strlen(text));
    if (!settings_read(&s, path, err, sizeof(err))) {
        fail_msg("%s: %s", text, err);
    }
    return s;
}

/* "<line>: <what>", without the file's name, which must stand before. */
static void
read_bad(const char *text, const char *expected)
{
    settings_t s;
    char err[256] = "";
    size_t n = strlen(path);

    write_text(text, strlen(text));
    if (settings_read(&s, path, err, sizeof(err))) {
        fail_msg("accepted: %s", text);
    }
    assert_memory_equal(err, path, n);
    assert_int_equal(err[n], ':');
    assert_string_equal(err + n + 1, expected);
    settings_free(&s);
}

static void
defaults(void **state)
{
    settings_t s = read_good("");
    char host[128] = "";

    (void) state;
    (void) gethostname(host, sizeof(host) - 1);
    assert_string_equal(s.redis.address, "127.0.0.1:6379");
    assert_null(s.redis.password);
    assert_int_equal(s.redis.db, 0);
    assert_string_equal(s.prefix, "turnup:");
    assert_string_equal(s.postgres, "dbname=turnup");
    assert_string_equal(s.public_base, "http://127.0.0.1:8080");
    assert_string_equal(s.host, host);
    assert_int_equal(s.log_level, LOG_INFO);
    assert_int_equal(s.list_timeout_ms, 2000);
    assert_false(s.paused);
    assert_int_equal(s.hub_networks.count, 0);
    assert_int_equal(s.hub_subscriptions, 1000);
    assert_string_equal(s.import_directory, "");
    assert_string_equal(s.export_directory, "");
    assert_int_equal(s.pool_count, 0);
    assert_int_equal(settings_processes(&s, "intake"), 1);
    assert_int_equal(settings_batch(&s, "family:voip"), 256);
    settings_free(&s);
}

static void
every_key(void **state)
{
    settings_t s = read_good("; a comment\n"
                             "[turnup]\n"
                             "redis = unix:/a/redis.sock ; behind it\n"
                             "redis_password = se=cret\n"
                             "redis_db=3\n"
                             "redis_prefix = two:\n"
                             "postgres = host=a,b dbname=x\n"
                             "families = f\ncatalog = c\nsql = s\n"
                             "public_base = https://act.example///\n"
                             "host = act-1\n"
                             "log_level = debug\n"
                             "list_timeout = 50\n"
                             "paused = yes\n"
                             "\n[hub]\ncallback_networks = 10.0.0.0/8 ::1\n"
                             "subscriptions = 7\n"
                             "[catalog]\nimport_directory = /in\n"
                             "export_directory = /out\n");

    (void) state;
    assert_string_equal(s.redis.address, "unix:/a/redis.sock");
    assert_string_equal(s.redis.password, "se=cret");
    assert_int_equal(s.redis.db, 3);
    assert_string_equal(s.prefix, "two:");
    assert_string_equal(s.postgres, "host=a,b dbname=x");
    assert_string_equal(s.families, "f");
    assert_string_equal(s.catalog, "c");
    assert_string_equal(s.sql, "s");
    assert_string_equal(s.public_base, "https://act.example");
    assert_string_equal(s.host, "act-1");
    assert_int_equal(s.log_level, LOG_DEBUG);
    assert_int_equal(s.list_timeout_ms, 50);
    assert_true(s.paused);
    assert_int_equal(s.hub_networks.count, 2);
    assert_int_equal(s.hub_networks.list[0].bits, 8);
    assert_int_equal(s.hub_subscriptions, 7);
    assert_string_equal(s.import_directory, "/in");
    assert_string_equal(s.export_directory, "/out");
    settings_free(&s);
}

/* Its own value, else that of its kind, else the default. */
static void
pools(void **state)
{
    settings_t s = read_good("[pool intake]\nprocesses = 4\nbatch = 2048\n"
                             "[pool family]\nprocesses = 2\nbatch = 100\n"
                             "[pool family:voip]\nprocesses = 64\n"
                             "[pool family:dsl]\nbatch = 1\nprocesses = 0\n"
                             "[pool intake]\nprocesses = 5\n");

    (void) state;
    assert_int_equal(s.pool_count, 4);
    assert_int_equal(settings_processes(&s, "intake"), 5);
    assert_int_equal(settings_batch(&s, "intake"), 2048);
    assert_int_equal(settings_processes(&s, "family:voip"), 64);
    assert_int_equal(settings_batch(&s, "family:voip"), 100);
    assert_int_equal(settings_processes(&s, "family:dsl"), 2);
    assert_int_equal(settings_batch(&s, "family:dsl"), 1);
    assert_int_equal(settings_processes(&s, "family:other"), 2);
    assert_int_equal(settings_processes(&s, "familyx"), 1);
    assert_int_equal(settings_processes(&s, "notify"), 1);
    assert_int_equal(settings_batch(&s, "keeper"), 256);
    settings_free(&s);
}

static void
spellings(void **state)
{
    static const char *const yes[] = {"yes", "YES", "on", "1", "true"};
    static const char *const no[] = {"no", "No", "off", "0", "false"};
    static const char *const levels[] = {"error", "warn", "info", "debug"};

    (void) state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        char text[64];
        settings_t s;

        snprintf(text, sizeof(text), "[turnup]\npaused = %s\n", yes[i]);
        s = read_good(text);
        assert_true(s.paused);
        settings_free(&s);
        snprintf(text, sizeof(text), "[turnup]\npaused = %s\n", no[i]);
        s = read_good(text);
        assert_false(s.paused);
        settings_free(&s);
    }
    for (int i = 0; i < 4; i++) {
        char text[64];
        settings_t s;

        snprintf(text, sizeof(text), "[turnup]\nlog_level = %s\n", levels[i]);
        s = read_good(text);
        assert_int_equal(s.log_level, i);
        settings_free(&s);
    }
}

static void
bad_lines(void **state)
{
    static const char *const rows[][2] = {
        {"[turnup]\nrediss = a\n", "2: no such key"},
        {"redis = a\n", "1: no such key"},
        {"[turnupd]\n\nredis = a\n", "3: no such key"},
        {"[hub]\nredis = a\n", "2: no such key"},
        {"[catalog]\ndirectory = a\n", "2: no such key"},
        {"[turnup]\nRedis = a\n", "2: no such key"},
        {"[turnup]\nredis_db = one\n", "2: not a legal value"},
        {"[turnup]\nredis_db = -1\n", "2: not a legal value"},
        {"[turnup]\nredis_db = 1x\n", "2: not a legal value"},
        {"[hub]\ncallback_networks = yes\n", "2: not a legal value"},
        {"[hub]\ncallback_networks = ::1 10.1.0.0/8\n",
         "2: not a legal value"},
        {"[hub]\nsubscriptions = 3001\n", "2: not a legal value"},
        {"[hub]\nsubscriptions = -1\n", "2: not a legal value"},
        {"[turnup]\nredis_db =\n", "2: not a legal value"},
        {"[turnup]\nredis_db = 99999999999999999999\n",
         "2: not a legal value"},
        {"[turnup]\npaused = maybe\n", "2: not a legal value"},
        {"[turnup]\npaused =\n", "2: not a legal value"},
        {"[turnup]\nlog_level = INFO\n", "2: not a legal value"},
        {"[turnup]\nlog_level = verbose\n", "2: not a legal value"},
        {"[pool intake]\nprocesses = 65\n",
         "2: processes is a number from 0 to 64"},
        {"[pool intake]\nprocesses = two\n",
         "2: processes is a number from 0 to 64"},
        {"[pool intake]\nbatch = 2049\n",
         "2: batch is a number from 0 to 2048"},
        {"[pool intake]\nbatch = -1\n", "2: batch is a number from 0 to 2048"},
        {"[pool intake]\nthreads = 1\n", "2: no such key of a pool"},
        {"[turnup]\nredis\n", "2: not a key = value line"},
        {"[turnup\nredis = a\n", "1: not a key = value line"},
        /* the first of several, with its own reason */
        {"[turnup]\nbad = 1\nredis = a\n", "2: no such key"},
        {"[turnup]\nbad = 1\nredis_db = x\n", "2: no such key"},
        {"[turnup]\nredis\nbad = 1\n", "2: not a key = value line"},
        {"[turnup]\nredis_db = x\nredis\n", "2: not a legal value"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        read_bad(rows[i][0], rows[i][1]);
    }
}

/* A line's limit is inih's; cut values would be worse than none. */
static void
long_lines(void **state)
{
    char text[1024];
    settings_t s;
    int n;

    (void) state;
    n = snprintf(text, sizeof(text), "[turnup]\nhost = %0190d\n", 7);
    assert_int_equal(n, 9 + 7 + 190 + 1);
    s = read_good(text);
    assert_int_equal(strlen(s.host), 190);
    settings_free(&s);
    snprintf(text, sizeof(text), "[turnup]\nhost = %0500d\nredis = a\n", 7);
    read_bad(text, "2: the line is too long");
    snprintf(text, sizeof(text), "[turnup]\nhost = %0500d", 7);
    read_bad(text, "2: the line is too long");
    snprintf(text, sizeof(text), "[turnup]\nhost = %0500d\nbad = 1\n", 7);
    read_bad(text, "2: the line is too long");
    snprintf(text, sizeof(text), "[turnup]\nbad = 1\nhost = %0500d\n", 7);
    read_bad(text, "2: no such key");
}

static void
too_many_pools(void **state)
{
    char text[SETTINGS_MAX_POOLS * 48 + 64];
    int n = 0;

    (void) state;
    for (int i = 0; i <= SETTINGS_MAX_POOLS; i++) {
        n += snprintf(text + n, sizeof(text) - (size_t) n,
                      "[pool family:f%d]\nprocesses = 1\n", i);
    }
    read_bad(text, "130: too many pools");
}

static void
files_that_cannot_be_read(void **state)
{
    static const char *const bad[] = {"/nonexistent/turnup.conf", "/tmp"};

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        settings_t s;
        char err[256], expected[256];

        snprintf(expected, sizeof(expected), "%s: cannot be read", bad[i]);
        assert_false(settings_read(&s, bad[i], err, sizeof(err)));
        assert_string_equal(err, expected);
        settings_free(&s);
    }
}

/* Anything at all: an answer, and no crash. */
static void
noise(void **state)
{
    uint32_t random = 20240229;

    (void) state;
    for (int i = 0; i < 300; i++) {
        char text[512], err[256];
        settings_t s;

        for (size_t k = 0; k < sizeof(text); k++) {
            static const char alphabet[] = "[]=; \n\tpool redis_db1\0\xff\xef";

            random = random * 1664525 + 1013904223;
            text[k] = alphabet[(random >> 16) % sizeof(alphabet)];
        }
        write_text(text, sizeof(text));
        if (!settings_read(&s, path, err, sizeof(err))) {
            assert_memory_equal(err, path, strlen(path));
        }
        settings_free(&s);
    }
}

/* The one we ship says what the defaults are. */
static void
the_shipped_file(void **state)
{
    settings_t s;
    char err[256];

    (void) state;
    assert_true(settings_read(&s, "conf/turnup.conf", err, sizeof(err)));
    assert_string_equal(s.redis.address, "127.0.0.1:6379");
    assert_int_equal(settings_processes(&s, "family:voip"), 1);
    settings_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_key),
        cmocka_unit_test(pools),
        cmocka_unit_test(spellings),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(too_many_pools),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(noise),
        cmocka_unit_test(the_shipped_file),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
