/* The consumer, against a Redis of its own; a second, blocking connection
 * plays producer, rival and inspector. */
#include "t/unit/redis_server.h"

#include "backend/base/arena.h"
#include "backend/base/stream.h"

enum { SEEN_MAX = 4096 };

static redisContext *probe;
static stream_t *stream;

/* What on_batch() was given. */
static struct {
    int batches, entries, redelivered, largest;
    char stream[SEEN_MAX][16];
    char id[SEEN_MAX][48];
    char text[SEEN_MAX][64]; /* "name=value;name=value;" */
} seen;
static bool credit_at_once;
static void (*act)(void); /* done at the end of on_batch() */

/* To the server, at once. The integer of its reply, or its elements. */
static long
ask(const char *fmt, ...)
{
    va_list args;
    redisReply *r;
    long n;

    va_start(args, fmt);
    r = redisvCommand(probe, fmt, args);
    va_end(args);
    assert_non_null(r);
    if (r->type == REDIS_REPLY_ERROR) {
        fail_msg("%s: %s", fmt, r->str);
    }
    n = r->type == REDIS_REPLY_ARRAY ? (long) r->elements : (long) r->integer;
    freeReplyObject(r);
    return n;
}

static void
add(const char *key, int first, int n)
{
    for (int i = first; i < first + n; i++) {
        (void) ask("XADD %s * n %d body %b", key, i, "b\0y", (size_t) 3);
    }
}

static long
pending(const char *key)
{
    redisReply *r = redisCommand(probe, "XPENDING %s g", key);
    long n;

    assert_non_null(r);
    n = r->type == REDIS_REPLY_ARRAY ? (long) r->element[0]->integer : -1;
    freeReplyObject(r);
    return n;
}

/* How often a command was given since CONFIG RESETSTAT. */
static long
calls_of(const char *command)
{
    redisReply *r = redisCommand(probe, "INFO commandstats");
    char name[64];
    const char *at;
    long n = 0;

    assert_non_null(r);
    snprintf(name, sizeof(name), "cmdstat_%s:calls=", command);
    at = strstr(r->str, name);
    if (at != NULL) {
        n = strtol(strchr(at, '=') + 1, NULL, 10);
    }
    freeReplyObject(r);
    return n;
}

/* Does a connection wait in XREADGROUP? */
static bool
somebody_blocks(void)
{
    redisReply *r = redisCommand(probe, "CLIENT LIST");
    bool ret;

    assert_non_null(r);
    ret = strstr(r->str, "cmd=xreadgroup") != NULL;
    freeReplyObject(r);
    return ret;
}

static void
on_batch(void *ctx, const stream_entry_t *entries, int n)
{
    assert_ptr_equal(ctx, &seen);
    assert_true(n > 0);
    seen.batches++;
    seen.largest = n > seen.largest ? n : seen.largest;
    for (int i = 0; i < n; i++, seen.entries++) {
        const stream_entry_t *e = &entries[i];
        char *text = seen.text[seen.entries % SEEN_MAX];

        snprintf(seen.stream[seen.entries % SEEN_MAX], 16, "%s", e->stream);
        snprintf(seen.id[seen.entries % SEEN_MAX], 48, "%.*s", STR_FMT(e->id));
        assert_int_equal(e->field_count % 2, 0);
        text[0] = '\0';
        for (int f = 0; f < e->field_count; f += 2) {
            snprintf(text + strlen(text), 64 - strlen(text), "%.*s=%.*s;",
                     STR_FMT(e->fields[f]), STR_FMT(e->fields[f + 1]));
        }
        seen.redelivered += e->redelivered;
    }
    if (credit_at_once) {
        stream_credit(stream, 1);
    }
    if (act != NULL) {
        act();
    }
}

/* Its field n. */
static long
number_of(int entry)
{
    assert_memory_equal(seen.text[entry], "n=", 2);
    return strtol(seen.text[entry] + 2, NULL, 10);
}

/* Acknowledges what was seen from the first-th on. */
static void
done_from(int first, const char *key)
{
    str_t ids[SEEN_MAX];
    int n = 0;

    for (int i = first; i < seen.entries; i++) {
        if (strcmp(seen.stream[i], key) == 0) {
            ids[n++] = str_of(seen.id[i]);
        }
    }
    stream_done(stream, key, ids, n);
}

static void
open_stream(int batch, int claim_idle_ms, int stream_count)
{
    const stream_options_t o = {
        .address = &server_address,
        .streams = {"s1", "s2", "s3"},
        .stream_count = stream_count,
        .group = "g",
        .consumer = "me",
        .batch = batch,
        .claim_idle_ms = claim_idle_ms,
        .on_batch = on_batch,
        .ctx = &seen,
    };

    stream = stream_open(base, &o);
    LOOP_UNTIL(base, stream_up(stream));
}

static int
start(void **state)
{
    (void) start_server(state);
    probe = redisConnectUnix(server.socket);
    return probe == NULL || probe->err;
}

static int
stop(void **state)
{
    redisFree(probe);
    return stop_server(state);
}

static int
setup(void **state)
{
    (void) state;
    (void) ask("FLUSHALL");
    memset(&seen, 0, sizeof(seen));
    credit_at_once = true;
    act = NULL;
    base = event_base_new();
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    stream_close(stream);
    stream = NULL;
    event_base_free(base);
    return 0;
}

static void
new_entries_come_and_are_done(void **state)
{
    (void) state;
    add("s1", 0, 5); /* before there is a group */
    open_stream(100, 0, 1);
    stream_credit(stream, 1);
    LOOP_UNTIL(base, seen.entries == 5);
    assert_int_equal(seen.batches, 1);
    assert_string_equal(seen.stream[0], "s1");
    assert_string_equal(seen.text[0], "n=0;body=b;"); /* cut at the NUL */
    assert_string_equal(seen.text[4], "n=4;body=b;");
    assert_int_equal(seen.redelivered, 0);
    add("s1", 5, 1); /* while it blocks */
    LOOP_UNTIL(base, seen.entries == 6);
    assert_int_equal(pending("s1"), 6);
    done_from(0, "s1");
    LOOP_UNTIL(base, ask("XLEN s1") == 0);
    assert_int_equal(pending("s1"), 0);
}

static void
no_more_batches_than_credits(void **state)
{
    (void) state;
    credit_at_once = false;
    add("s1", 0, 50);
    open_stream(10, 0, 1);
    /* once round, twice: nobody may read */
    LOOP_UNTIL(base, ask("EXISTS s1") == 1 && redis_up(stream_redis(stream)));
    assert_int_equal(seen.batches, 0);
    stream_credit(stream, 2);
    LOOP_UNTIL(base, seen.batches == 2);
    assert_int_equal(seen.entries, 20);
    assert_int_equal(pending("s1"), 20); /* and no third one was asked for */
    stream_credit(stream, 1);
    LOOP_UNTIL(base, seen.batches == 3);
    assert_int_equal(seen.largest, 10);
    assert_int_equal(pending("s1"), 30);
}

static void
several_streams_in_one_batch(void **state)
{
    (void) state;
    add("s1", 0, 3);
    add("s2", 10, 2);
    add("s3", 20, 30);
    open_stream(9, 0, 3);
    stream_credit(stream, 1);
    LOOP_UNTIL(base, seen.entries == 35);
    assert_in_range(seen.largest, 1, 9); /* of all streams together */
    assert_string_equal(seen.stream[0], "s1");
    assert_string_equal(seen.stream[3], "s2");
    assert_string_equal(seen.text[5], "n=20;body=b;");
    done_from(0, "s3");
    LOOP_UNTIL(base, ask("XLEN s3") == 0);
    assert_int_equal(ask("XLEN s1"), 3);
    assert_int_equal(ask("XLEN s2"), 2);
}

static void
its_own_history_comes_first(void **state)
{
    (void) state;
    (void) ask("XGROUP CREATE s1 g 0 MKSTREAM");
    add("s1", 0, 25);
    (void) ask("XREADGROUP GROUP g me COUNT 25 STREAMS s1 >");
    add("s1", 25, 5);
    open_stream(10, 0, 2);
    stream_credit(stream, 1);
    LOOP_UNTIL(base, seen.entries == 30);
    assert_int_equal(seen.redelivered, 25);
    for (int i = 0; i < 30; i++) { /* in order, each once */
        assert_int_equal(number_of(i), i);
    }
}

/* A trimmed stream: the ids are pending, the entries are gone. */
static void
deleted_history_is_cleared_away(void **state)
{
    (void) state;
    (void) ask("XGROUP CREATE s1 g 0 MKSTREAM");
    add("s1", 0, 25);
    (void) ask("XREADGROUP GROUP g me COUNT 25 STREAMS s1 >");
    (void) ask("XTRIM s1 MAXLEN 2");
    open_stream(10, 0, 1);
    stream_credit(stream, 1);
    LOOP_UNTIL(base, seen.entries == 2);
    LOOP_UNTIL(base, pending("s1") == 2);
    add("s1", 25, 1);
    LOOP_UNTIL(base, seen.entries == 3);
}

static void
idle_entries_of_others_are_taken_over(void **state)
{
    (void) state;
    (void) ask("XGROUP CREATE s2 g 0 MKSTREAM");
    add("s2", 0, 25);
    (void) ask("XREADGROUP GROUP g dead COUNT 25 STREAMS s2 >");
    open_stream(10, 40, 3);
    stream_credit(stream, 1);
    LOOP_UNTIL(base, seen.entries >= 25);
    assert_int_equal(seen.redelivered, seen.entries);
    assert_in_range(seen.largest, 1, 10);
    assert_string_equal(seen.stream[0], "s2");
    done_from(0, "s2");
    LOOP_UNTIL(base, ask("XLEN s2") == 0);
    add("s1", 0, 1);
    LOOP_UNTIL(base, strcmp(seen.text[seen.entries - 1], "n=0;body=b;") == 0);
}

static void
nothing_is_taken_over_when_told_so(void **state)
{
    (void) state;
    (void) ask("XGROUP CREATE s1 g 0 MKSTREAM");
    add("s1", 0, 5);
    (void) ask("XREADGROUP GROUP g other COUNT 5 STREAMS s1 >");
    open_stream(10, 0, 1);
    stream_credit(stream, 1);
    for (int i = 0; i < 3; i++) {
        add("s1", 5 + i, 1);
        LOOP_UNTIL(base, seen.entries == i + 1);
    }
    assert_int_equal(seen.redelivered, 0);
}

static void
a_flush_while_it_blocks(void **state)
{
    (void) state;
    add("s1", 0, 1);
    open_stream(10, 0, 2);
    stream_credit(stream, 1);
    LOOP_UNTIL(base, seen.entries == 1);
    for (int i = 1; i < 5; i++) {
        (void) ask("FLUSHALL");
        add("s2", i, 1); /* before it knows */
        LOOP_UNTIL(base, seen.entries == i + 1);
    }
    assert_int_equal(seen.redelivered, 0);
    assert_true(stream_up(stream));
}

static void
a_restart_of_redis(void **state)
{
    (void) state;
    add("s1", 0, 3);
    open_stream(10, 0, 1);
    stream_credit(stream, 1);
    LOOP_UNTIL(base, seen.entries == 3);
    redisFree(probe);
    server_stop(&server, SIGKILL);
    LOOP_UNTIL(base, !stream_up(stream));
    done_from(0, "s1"); /* told again when it is back; harmless */
    redis_server_start(&server, NULL);
    probe = redisConnectUnix(server.socket);
    add("s1", 3, 2);
    LOOP_UNTIL(base, seen.entries == 5);
    LOOP_UNTIL(base, stream_up(stream));
    assert_int_equal(seen.redelivered, 0);
    done_from(3, "s1");
    LOOP_UNTIL(base, ask("XLEN s1") == 0);
}

/* The connections break, Redis lives: nothing is lost, what is done stays
 * done. */
static void
broken_connections(void **state)
{
    (void) state;
    add("s1", 0, 4);
    open_stream(2, 0, 1);
    credit_at_once = false;
    stream_credit(stream, 1);
    LOOP_UNTIL(base, seen.entries == 2);
    (void) ask("CLIENT KILL TYPE normal SKIPME yes");
    LOOP_UNTIL(base, !redis_up(stream_redis(stream)));
    done_from(0, "s1"); /* while it is down */
    LOOP_UNTIL(base, stream_up(stream));
    LOOP_UNTIL(base, ask("XLEN s1") == 2);
    credit_at_once = true;
    stream_credit(stream, 1);
    LOOP_UNTIL(base, seen.entries >= 4);
    assert_string_equal(seen.text[seen.entries - 1], "n=3;body=b;");
    done_from(2, "s1");
    LOOP_UNTIL(base, ask("XLEN s1") == 0);
    assert_int_equal(pending("s1"), 0);
}

/* An error that lasts: it keeps trying, and goes on when it is over. */
static void
a_key_of_another_type(void **state)
{
    (void) state;
    (void) ask("SET s1 x");
    open_stream(10, 0, 1);
    stream_credit(stream, 1);
    (void) ask("CONFIG RESETSTAT");
    LOOP_UNTIL(base, calls_of("xreadgroup") > 2);
    assert_int_equal(seen.entries, 0);
    (void) ask("DEL s1");
    add("s1", 0, 2);
    LOOP_UNTIL(base, seen.entries == 2);
}

static void
paused_it_reads_no_more(void **state)
{
    (void) state;
    add("s1", 0, 2);
    open_stream(10, 30, 1);
    stream_credit(stream, 1);
    LOOP_UNTIL(base, seen.entries == 2);
    stream_pause(stream);
    LOOP_UNTIL(base, !somebody_blocks());
    add("s1", 2, 3);
    done_from(0, "s1"); /* this still works */
    stream_credit(stream, 5);
    LOOP_UNTIL(base, ask("XLEN s1") == 3);
    assert_int_equal(seen.entries, 2);
    assert_true(stream_up(stream));
    assert_int_equal(pending("s1"), 0);
}

static void
pause_it(void)
{
    act = NULL;
    stream_pause(stream);
}

static void
close_it(void)
{
    act = NULL;
    stream_close(stream);
    stream = NULL;
}

static void
paused_and_closed_from_a_batch(void **state)
{
    (void) state;
    add("s1", 0, 2);
    open_stream(1, 0, 1);
    act = pause_it;
    stream_credit(stream, 2);
    LOOP_UNTIL(base, seen.entries == 1);
    done_from(0, "s1");
    LOOP_UNTIL(base, ask("XLEN s1") == 1);
    assert_int_equal(seen.entries, 1);
    stream_close(stream);
    credit_at_once = false;
    open_stream(1, 0, 1);
    act = close_it;
    stream_credit(stream, 2);
    LOOP_UNTIL(base, stream == NULL);
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(seen.entries, 2);
    stream_close(NULL);
}

static void
what_is_done_twice_or_nowhere(void **state)
{
    const str_t ids[] = {STR("1-1"), STR("2-2")};

    (void) state;
    open_stream(10, 0, 1);
    stream_done(stream, "s1", ids, 2);
    stream_done(stream, "s1", ids, 0);
    stream_done(stream, "of another", ids, 2);
    stream_credit(stream, 1);
    add("s1", 0, 1);
    LOOP_UNTIL(base, seen.entries == 1);
    done_from(0, "s1");
    done_from(0, "s1");
    LOOP_UNTIL(base, ask("XLEN s1") == 0);
    assert_true(stream_up(stream));
}

static void
many_entries_each_once(void **state)
{
    enum { N = 3000 };
    bool *had = xcalloc(N, sizeof(bool));

    (void) state;
    open_stream(64, 60000, 2);
    stream_credit(stream, 2);
    for (int i = 0; i < N; i += 100) {
        int first = seen.entries;

        add(i % 200 ? "s1" : "s2", i, 100);
        LOOP_UNTIL(base, seen.entries == i + 100);
        done_from(first, "s1");
        done_from(first, "s2");
    }
    for (int i = 0; i < N; i++) {
        assert_in_range(number_of(i), 0, N - 1);
        assert_false(had[number_of(i)]);
        had[number_of(i)] = true;
    }
    LOOP_UNTIL(base, ask("XLEN s1") == 0 && ask("XLEN s2") == 0);
    assert_int_equal(pending("s1") + pending("s2"), 0);
    free(had);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_entries_come_and_are_done),
        TEST(no_more_batches_than_credits),
        TEST(several_streams_in_one_batch),
        TEST(its_own_history_comes_first),
        TEST(deleted_history_is_cleared_away),
        TEST(idle_entries_of_others_are_taken_over),
        TEST(nothing_is_taken_over_when_told_so),
        TEST(a_flush_while_it_blocks),
        TEST(a_restart_of_redis),
        TEST(broken_connections),
        TEST(a_key_of_another_type),
        TEST(paused_it_reads_no_more),
        TEST(paused_and_closed_from_a_batch),
        TEST(what_is_done_twice_or_nowhere),
        TEST(many_entries_each_once),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
