/* Hints, as they lie in Redis.
 * rooms: proto backend/base backend/pools */
#include "t/unit/redis_server.h"

#include "backend/pools/hints.h"

enum { MANY = 70, AN_ENTRY = 32 };

static redis_t *redis;
static arena_t *arena;
static settings_t settings;
static char prefix[512];

static int
setup(void **state)
{
    (void) state;
    base = event_base_new();
    redis = redis_open(base, &server_address, NULL, NULL);
    arena = arena_create();
    snprintf(prefix, sizeof(prefix), "x:");
    settings.prefix = prefix;
    LOOP_UNTIL(base, redis_up(redis));
    redis_call(redis, NULL, NULL, "FLUSHALL", NULL);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    redis_close(redis);
    event_base_free(base);
    arena_free(arena);
    return 0;
}

static uuid_t
id_of(int i)
{
    uuid_t u = {{0xab}};

    u.byte[15] = (uint8_t) i;
    return u;
}

/* An answer as text: numbers and strings, each with a blank behind it. */
typedef struct {
    bool there;
    char text[16384];
} answer_t;

static void
flatten(answer_t *a, const redisReply *r)
{
    size_t n = strlen(a->text);

    if (r->type == REDIS_REPLY_INTEGER) {
        snprintf(a->text + n, sizeof(a->text) - n, "%lld ", r->integer);
    } else if (r->str) {
        snprintf(a->text + n, sizeof(a->text) - n, "%s ", r->str);
    }
    for (size_t i = 0; i < r->elements; i++) {
        flatten(a, r->element[i]);
    }
}

static void
on_answer(void *ctx, const redisReply *r)
{
    answer_t *a = ctx;

    a->there = true;
    if (r) {
        flatten(a, r);
    }
}

static const char *
ask(const char *command, const char *key, const char *from, const char *to)
{
    static answer_t a;

    memset(&a, 0, sizeof(a));
    redis_call(redis, on_answer, &a, command, key, from, to, NULL);
    LOOP_UNTIL(base, a.there);
    return a.text;
}

static int
occurrences(const char *text, const char *what)
{
    int n = 0;

    for (; (text = strstr(text, what)); text++) {
        n++;
    }
    return n;
}

static void
families_have_their_own_stream(void **state)
{
    char family[] = "voip"; /* copied */
    hints_t h;
    const char *got;

    (void) state;
    hints_init(&h, arena);
    hints_add(&h, id_of(1), str_of(family), STR_NONE);
    hints_add(&h, id_of(2), STR("dsl"), STR_NONE);
    hints_add(&h, id_of(3), str_of(family), STR_NONE);
    memset(family, 'z', 4);
    hints_send(&h, redis, &settings);
    assert_string_equal(ask("XLEN", "x:fam:voip", NULL, NULL), "1 ");
    assert_string_equal(ask("XLEN", "x:fam:dsl", NULL, NULL), "1 ");
    got = ask("XRANGE", "x:fam:voip", "-", "+");
    assert_non_null(strstr(got, "activation "
                                "ab000000-0000-0000-0000-000000000001 "
                                "activation "
                                "ab000000-0000-0000-0000-000000000003 "));
    assert_int_equal(occurrences(got, "activation"), 2);
    got = ask("XRANGE", "x:fam:dsl", "-", "+");
    assert_non_null(strstr(got, "ab000000-0000-0000-0000-000000000002"));
    assert_string_equal(ask("DBSIZE", NULL, NULL, NULL), "2 ");
}

/* Several workers share a burst: each of it once, in entries of a few. */
static void
a_burst(void **state)
{
    hints_t h;
    const char *got;

    (void) state;
    hints_init(&h, arena);
    for (int i = 0; i < MANY; i++) {
        hints_add(&h, id_of(i), STR("voip"), STR_NONE);
        hints_add(&h, id_of(100 + i), i < AN_ENTRY ? STR("dsl") : STR("tv"),
                  STR_NONE);
    }
    assert_int_equal(h.count, 2 * MANY);
    hints_send(&h, redis, &settings);
    assert_string_equal(ask("XLEN", "x:fam:voip", NULL, NULL), "3 ");
    assert_string_equal(ask("XLEN", "x:fam:dsl", NULL, NULL), "1 ");
    assert_string_equal(ask("XLEN", "x:fam:tv", NULL, NULL), "2 ");
    got = ask("XRANGE", "x:fam:voip", "-", "+");
    for (int i = 0; i < MANY; i++) {
        char id[UUID_TEXT + 1];

        uuid_print(id_of(i), id);
        assert_int_equal(occurrences(got, id), 1);
    }
    assert_int_equal(occurrences(got, "activation"), MANY);
}

/* What can be begun at once comes with all it needs, beside what is read. */
static void
some_carry_what_they_begin(void **state)
{
    hints_t h;

    (void) state;
    hints_init(&h, arena);
    hints_add(&h, id_of(1), STR("voip"), STR("{\"id\":1}"));
    hints_add(&h, id_of(2), STR("voip"), STR_NONE);
    hints_send(&h, redis, &settings);
    assert_non_null(strstr(ask("XRANGE", "x:fam:voip", "-", "+"),
                           "begin {\"id\":1} activation "
                           "ab000000-0000-0000-0000-000000000002 "));
}

/* No entry is much larger than one that a reader expects. */
static void
large_ones_share_no_entry(void **state)
{
    char *large = arena_alloc(arena, 70000);
    hints_t h;

    (void) state;
    memset(large, 'x', 70000);
    hints_init(&h, arena);
    hints_add(&h, id_of(1), STR("voip"), (str_t){large, 70000});
    hints_add(&h, id_of(2), STR("voip"), (str_t){large, 70000});
    hints_send(&h, redis, &settings);
    assert_string_equal(ask("XLEN", "x:fam:voip", NULL, NULL), "2 ");
}

/* What nobody reads does not fill Redis: the keeper hints it again. */
static void
a_stream_is_cut(void **state)
{
    (void) state;
    for (int i = 0; i < 5000; i++) {
        hints_t h;

        arena_reset(arena);
        hints_init(&h, arena);
        hints_add(&h, id_of(i), STR("voip"), STR_NONE);
        hints_send(&h, redis, &settings);
    }
    assert_true(atoi(ask("XLEN", "x:fam:voip", NULL, NULL)) < 4500);
}

static void
none_at_all(void **state)
{
    hints_t h;

    (void) state;
    hints_init(&h, arena);
    hints_send(&h, redis, &settings);
    assert_string_equal(ask("DBSIZE", NULL, NULL, NULL), "0 ");
}

static void
one_element_for_the_notifier(void **state)
{
    (void) state;
    for (int i = 0; i < 5; i++) {
        hint_events(redis, &settings);
    }
    assert_string_equal(ask("LRANGE", "x:evt", "0", "-1"), "1 ");
}

/* Longer than a key may be: the notifier looks by itself. */
static void
a_very_long_prefix(void **state)
{
    (void) state;
    memset(prefix, 'p', sizeof(prefix) - 1);
    hint_events(redis, &settings);
    assert_string_equal(ask("DBSIZE", NULL, NULL, NULL), "0 ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(families_have_their_own_stream),
        TEST(a_burst),
        TEST(some_carry_what_they_begin),
        TEST(large_ones_share_no_entry),
        TEST(a_stream_is_cut),
        TEST(none_at_all),
        TEST(one_element_for_the_notifier),
        TEST(a_very_long_prefix),
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}
