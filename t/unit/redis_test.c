/* The Redis connection: against Redis, and against a peer that says what a
 * test wants it to say. */
#include "t/unit/redis_server.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "backend/base/arena.h"

#define PASSWORD "se cret\r\n"

static server_t locked; /* the one that asks for a password */
static redis_t *redis;
static int ups, downs;

typedef struct {
    int count;
    int type; /* -1: NULL came */
    long long integer;
    size_t elements;
    size_t len;
    char str[256];
} reply_t;

static void
on_reply(void *ctx, const redisReply *r)
{
    reply_t *ret = ctx;

    ret->count++;
    ret->type = -1;
    if (r != NULL) {
        ret->type = r->type;
        ret->integer = r->integer;
        ret->elements = r->elements;
        ret->len = r->len;
        snprintf(ret->str, sizeof(ret->str), "%s", r->str ? r->str : "");
    }
}

static void
on_state(void *ctx, bool up)
{
    assert_ptr_equal(ctx, &ups);
    if (up) {
        ups++;
    } else {
        downs++;
    }
}

static redis_t *
open_at(const char *where, const char *password, int db)
{
    const redis_address_t a = {where, password, db};

    return redis_open(base, &a, on_state, &ups);
}

static int
start(void **state)
{
    server_folder(&locked);
    redis_server_start(&locked, PASSWORD);
    return start_server(state);
}

static int
stop(void **state)
{
    server_stop(&locked, SIGTERM);
    server_remove(&locked);
    return stop_server(state);
}

static int
setup(void **state)
{
    (void) state;
    base = event_base_new();
    ups = downs = 0;
    redis = NULL;
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    redis_close(redis);
    redis = NULL;
    event_base_free(base);
    return 0;
}

static void
connect_and_flush(void)
{
    reply_t r = {0};

    redis = open_at(address, NULL, 0);
    assert_false(redis_up(redis));
    LOOP_UNTIL(base, redis_up(redis));
    assert_int_equal(ups, 1);
    redis_call(redis, on_reply, &r, "FLUSHALL", NULL);
    LOOP_UNTIL(base, r.count == 1);
    assert_string_equal(r.str, "OK");
}

static void
commands_and_replies(void **state)
{
    reply_t r[8] = {{0}};
    const str_t set[] = {STR("SET"), STR("k\0\r\n$3"), STR("v\0\r\n")};
    const str_t get[] = {STR("GET"), STR("k\0\r\n$3")};

    (void) state;
    connect_and_flush();
    redis_command(redis, on_reply, &r[0], 0, set, 3);
    redis_command(redis, on_reply, &r[1], 0, get, 2);
    redis_call(redis, NULL, NULL, "SET", "n", "41", NULL);
    redis_call(redis, on_reply, &r[2], "INCR", "n", NULL);
    redis_call(redis, on_reply, &r[3], "GET", "none", NULL);
    redis_call(redis, on_reply, &r[4], "NONSENSE", "", NULL);
    redis_call(redis, on_reply, &r[5], "MGET", "n", "none", "n", NULL);
    redis_call(redis, on_reply, &r[6], "LRANGE", "none", "0", "-1", NULL);
    redis_call(redis, on_reply, &r[7], "PING", NULL);
    assert_int_equal(r[0].count, 0); /* never from inside */
    LOOP_UNTIL(base, r[7].count == 1);
    assert_string_equal(r[0].str, "OK");
    assert_int_equal(r[1].len, 4);
    assert_memory_equal(r[1].str, "v", 2);
    assert_int_equal(r[2].integer, 42);
    assert_int_equal(r[3].type, REDIS_REPLY_NIL);
    assert_int_equal(r[4].type, REDIS_REPLY_ERROR);
    assert_int_equal(r[5].elements, 3);
    assert_int_equal(r[6].type, REDIS_REPLY_ARRAY);
    assert_int_equal(r[6].elements, 0);
    assert_string_equal(r[7].str, "PONG");
}

static void
on_nested(void *ctx, const redisReply *r)
{
    int *seen = ctx;

    assert_int_equal(r->elements, 3);
    assert_int_equal(r->element[0]->integer, 1);
    assert_int_equal(r->element[1]->elements, 2);
    assert_string_equal(r->element[1]->element[0]->str, "a");
    assert_int_equal(r->element[1]->element[1]->element[0]->type,
                     REDIS_REPLY_NIL);
    assert_string_equal(r->element[2]->str, "z");
    ++*seen;
}

static void
nested_replies(void **state)
{
    int seen = 0;

    (void) state;
    connect_and_flush();
    redis_call(redis, on_nested, &seen, "EVAL",
               "return {1, {'a', {false}}, 'z'}", "0", NULL);
    LOOP_UNTIL(base, seen == 1);
}

static void
many_and_large(void **state)
{
    enum { N = 3000, SIZE = 100000 };
    static reply_t r[N];
    char *value = xcalloc(1, SIZE);
    reply_t big = {0};

    (void) state;
    memset(r, 0, sizeof(r));
    memset(value, 'v', SIZE);
    connect_and_flush();
    for (int i = 0; i < 100; i++) { /* 10 MB: the socket does not take it */
        const str_t rpush[] = {STR("RPUSH"), STR("big"), {value, SIZE}};

        redis_command(redis, NULL, NULL, 0, rpush, 3);
    }
    for (int i = 0; i < N; i++) {
        redis_call(redis, on_reply, &r[i], "INCR", "n", NULL);
    }
    redis_call(redis, on_reply, &big, "LRANGE", "big", "0", "-1", NULL);
    LOOP_UNTIL(base, big.count == 1);
    for (int i = 0; i < N; i++) {
        assert_int_equal(r[i].integer, i + 1);
    }
    assert_int_equal(big.elements, 100);
    assert_int_equal(downs, 0);
    free(value);
}

static void
databases(void **state)
{
    reply_t r = {0};

    (void) state;
    connect_and_flush();
    redis_call(redis, on_reply, &r, "SET", "where", "0", NULL);
    LOOP_UNTIL(base, r.count == 1);
    redis_close(redis);
    redis = open_at(address, NULL, 3);
    LOOP_UNTIL(base, redis_up(redis));
    redis_call(redis, on_reply, &r, "GET", "where", NULL);
    LOOP_UNTIL(base, r.count == 2);
    assert_int_equal(r.type, REDIS_REPLY_NIL);
}

/* Connections a server has taken, asked over one of the test's own. */
static long
connections_of(redisContext *probe)
{
    redisReply *reply = redisCommand(probe, "INFO stats");
    const char *at = strstr(reply->str, "total_connections_received:");
    long n = strtol(strchr(at, ':') + 1, NULL, 10);

    freeReplyObject(reply);
    return n;
}

static redisContext *
probe_open(const server_t *s, const char *password)
{
    redisContext *probe = redisConnectUnix(s->socket);

    assert_non_null(probe);
    if (password != NULL) {
        freeReplyObject(redisCommand(probe, "AUTH %s", password));
    }
    return probe;
}

/* It tries and tries. */
static void
assert_stays_down(const server_t *s, const char *password)
{
    redisContext *probe = probe_open(s, password);
    long before = connections_of(probe);
    reply_t r = {0};

    redis_call(redis, on_reply, &r, "PING", NULL);
    assert_int_equal(r.count, 0);
    LOOP_UNTIL(base, connections_of(probe) >= before + 3);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.type, -1);
    assert_false(redis_up(redis));
    assert_int_equal(ups, 0);
    assert_int_equal(downs, 0);
    redisFree(probe);
}

static void
a_database_that_is_not_there(void **state)
{
    (void) state;
    redis = open_at(address, NULL, 99);
    assert_stays_down(&server, NULL);
}

static void
passwords(void **state)
{
    char where[128];
    reply_t r = {0};

    (void) state;
    snprintf(where, sizeof(where), "unix:%s", locked.socket);
    redis = open_at(where, PASSWORD, 0);
    LOOP_UNTIL(base, redis_up(redis));
    redis_call(redis, on_reply, &r, "PING", NULL);
    LOOP_UNTIL(base, r.count == 1);
    assert_string_equal(r.str, "PONG");
    redis_close(redis);
    ups = downs = 0;
    redis = open_at(where, "wrong", 0);
    assert_stays_down(&locked, PASSWORD);
    redis_close(redis);
    redis = open_at(where, NULL, 0);
    assert_stays_down(&locked, PASSWORD);
}

static void
addresses_that_lead_nowhere(void **state)
{
    static const char too_long[] =
        "unix:/01234567890123456789012345678901234567890123456789012345678"
        "90123456789012345678901234567890123456789012345678901234567890123";
    static const char *const bad[] = {
        "unix:/nonexistent/socket",
        "unix:",
        "127.0.0.1:1",
        "127.0.0.1:",
        "nonsense",
        ":6379",
        "",
        "[::1]:1",
        "no.such.name.invalid:6379",
        too_long,
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reply_t r = {0};

        redis = open_at(bad[i], NULL, 0);
        redis_call(redis, on_reply, &r, "PING", NULL);
        LOOP_UNTIL(base, r.count == 1);
        assert_int_equal(r.type, -1);
        assert_false(redis_up(redis));
        redis_close(redis);
        redis = NULL;
    }
}

static void
a_lost_connection_is_made_again(void **state)
{
    reply_t r[3] = {{0}};

    (void) state;
    connect_and_flush();
    redis_call(redis, on_reply, &r[0], "BLPOP", "nothing", "0", NULL);
    redis_call(redis, on_reply, &r[1], "PING", NULL);
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
    server_stop(&server, SIGKILL);
    LOOP_UNTIL(base, downs == 1);
    assert_false(redis_up(redis));
    LOOP_UNTIL(base, r[1].count == 1);
    assert_int_equal(r[0].type, -1);
    assert_int_equal(r[1].type, -1);
    redis_call(redis, on_reply, &r[2], "PING", NULL);
    LOOP_UNTIL(base, r[2].count == 1);
    assert_int_equal(r[2].type, -1);
    redis_server_start(&server, NULL);
    LOOP_UNTIL(base, redis_up(redis));
    assert_int_equal(ups, 2);
    redis_call(redis, on_reply, &r[2], "PING", NULL);
    LOOP_UNTIL(base, r[2].count == 2);
    assert_string_equal(r[2].str, "PONG");
}

static void
an_overdue_reply_is_a_failure(void **state)
{
    const str_t blpop[] = {STR("BLPOP"), STR("nothing"), STR("0")};
    const str_t patient[] = {STR("BLPOP"), STR("nothing"), STR("0.2")};
    reply_t r[3] = {{0}};

    (void) state;
    connect_and_flush();
    /* the PING has less time, but stands behind one that may take more */
    redis_command(redis, on_reply, &r[0], 5000, patient, 3);
    redis_command(redis, on_reply, &r[1], 50, &(str_t){"PING", 4}, 1);
    LOOP_UNTIL(base, r[1].count == 1);
    assert_int_equal(r[0].type, REDIS_REPLY_NIL);
    assert_string_equal(r[1].str, "PONG");
    assert_int_equal(downs, 0);
    redis_command(redis, on_reply, &r[2], 50, blpop, 3);
    LOOP_UNTIL(base, downs == 1);
    LOOP_UNTIL(base, r[2].count == 1);
    assert_int_equal(r[2].type, -1);
    LOOP_UNTIL(base, redis_up(redis));
}

static reply_t repeated;

static void
repeat_at_once(void *ctx, const redisReply *r)
{
    on_reply(&repeated, r);
    if (r == NULL) {
        redis_call(ctx, repeat_at_once, ctx, "PING", NULL);
    }
}

/* The loop must get to its sockets. */
static void
an_owner_who_repeats_at_once(void **state)
{
    (void) state;
    memset(&repeated, 0, sizeof(repeated));
    redis = open_at(address, NULL, 0);
    redis_call(redis, repeat_at_once, redis, "PING", NULL);
    LOOP_UNTIL(base, repeated.type == REDIS_REPLY_STATUS);
    assert_true(repeated.count > 1);
}

static void
close_it(void *ctx, const redisReply *r)
{
    (void) r;
    redis_close(redis);
    redis = NULL;
    ++*(int *) ctx;
}

static void
never(void *ctx, const redisReply *r)
{
    (void) ctx;
    (void) r;
    fail_msg("a callback after redis_close()");
}

static void
closed_from_a_reply(void **state)
{
    int closed = 0;

    (void) state;
    connect_and_flush();
    redis_call(redis, close_it, &closed, "PING", NULL);
    redis_call(redis, never, NULL, "PING", NULL);
    LOOP_UNTIL(base, closed == 1);
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
closed_from_a_refusal(void **state)
{
    int closed = 0;

    (void) state;
    redis = open_at("unix:/nonexistent", NULL, 0);
    redis_call(redis, close_it, &closed, "PING", NULL);
    redis_call(redis, never, NULL, "PING", NULL);
    LOOP_UNTIL(base, closed == 1);
    redis_close(NULL);
}

static void
close_on_down(void *ctx, bool up)
{
    if (!up) {
        close_it(ctx, NULL);
    }
}

static void
closed_when_it_goes_down(void **state)
{
    const redis_address_t a = {address, NULL, 0};
    int closed = 0;

    (void) state;
    redis = redis_open(base, &a, close_on_down, &closed);
    LOOP_UNTIL(base, redis_up(redis));
    redis_call(redis, NULL, NULL, "CLIENT", "KILL", "TYPE", "normal", "SKIPME",
               "no", NULL);
    redis_call(redis, never, NULL, "PING", NULL);
    LOOP_UNTIL(base, closed == 1);
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
}

/* A peer that answers the hello and then says as told. */
static struct evconnlistener *listener;
static const char *says;
static int greeted;
static int peer; /* its socket that was told to go */

static void
on_peer_read(struct bufferevent *bev, void *ctx)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    char *line;
    size_t len;

    (void) ctx;
    while ((line = evbuffer_readln(in, &len, EVBUFFER_EOL_CRLF)) != NULL) {
        if (strcmp(line, "PING") == 0) {
            greeted++;
            (void) bufferevent_write(bev, "+PONG\r\n", 7);
        } else if (strcmp(line, "GO") == 0) {
            peer = bufferevent_getfd(bev);
            (void) bufferevent_write(bev, says, strlen(says));
        }
        free(line);
    }
}

static void
on_peer_gone(struct bufferevent *bev, short what, void *ctx)
{
    (void) what;
    (void) ctx;
    bufferevent_free(bev);
}

static void
on_peer_accept(struct evconnlistener *l, evutil_socket_t fd,
               struct sockaddr *sa, int len, void *ctx)
{
    struct bufferevent *bev =
        bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

    (void) l;
    (void) sa;
    (void) len;
    (void) ctx;
    bufferevent_setcb(bev, on_peer_read, NULL, on_peer_gone, NULL);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void
connect_to_peer(const char *what_it_says)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    socklen_t len = sizeof(sin);
    char where[64];

    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = evconnlistener_new_bind(base, on_peer_accept, NULL,
                                       LEV_OPT_CLOSE_ON_FREE, 16,
                                       (struct sockaddr *) &sin, sizeof(sin));
    assert_non_null(listener);
    (void) getsockname(evconnlistener_get_fd(listener),
                       (struct sockaddr *) &sin, &len);
    snprintf(where, sizeof(where), "localhost:%d", ntohs(sin.sin_port));
    says = what_it_says;
    greeted = 0;
    peer = -1;
    redis = open_at(where, NULL, 0);
    LOOP_UNTIL(base, redis_up(redis));
}

static void
leave_peer(void)
{
    redis_close(redis);
    redis = NULL;
    evconnlistener_free(listener);
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
a_peer_that_breaks_the_protocol(void **state)
{
    static const char *const rows[] = {
        "?what\r\n",
        ":12x\r\n",
        "$-2\r\n",
        "$99999999999999999999\r\n",
        "*99999999999\r\n",
        "*2000000000\r\n", /* more than we take */
        "*-5\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "*2\r\n:1\r\n?\r\n", /* half a good reply */
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reply_t r = {0};
        int before = downs;

        connect_to_peer(rows[i]);
        redis_call(redis, on_reply, &r, "GO", NULL);
        LOOP_UNTIL(base, downs == before + 1 && r.count == 1);
        assert_int_equal(r.type, -1);
        LOOP_UNTIL(base, redis_up(redis)); /* with a reader that is new */
        leave_peer();
    }
}

static void
a_reply_nobody_asked_for(void **state)
{
    reply_t r = {0};

    (void) state;
    connect_to_peer("+OK\r\n+OK\r\n");
    redis_call(redis, on_reply, &r, "GO", NULL);
    LOOP_UNTIL(base, downs == 1);
    assert_int_equal(r.count, 1);
    assert_string_equal(r.str, "OK");
    LOOP_UNTIL(base, redis_up(redis));
    assert_int_equal(greeted, 2);
    leave_peer();
}

static void
a_reply_in_pieces(void **state)
{
    static const char text[] =
        "*3\r\n$3\r\nabc\r\n*2\r\n:-7\r\n$-1\r\n+fine\r\n";
    reply_t r = {0};

    (void) state;
    connect_to_peer("");
    for (int i = 0; i < 3; i++) {
        redis_call(redis, on_reply, &r, "GO", NULL);
        peer = -1;
        LOOP_UNTIL(base, peer >= 0);
        for (const char *p = text; *p != '\0'; p++) {
            assert_int_equal(r.count, i);
            assert_int_equal(write(peer, p, 1), 1);
            (void) event_base_loop(base, EVLOOP_NONBLOCK);
        }
        LOOP_UNTIL(base, r.count == i + 1);
        assert_int_equal(r.elements, 3);
    }
    assert_int_equal(downs, 0);
    leave_peer();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commands_and_replies),
        TEST(nested_replies),
        TEST(many_and_large),
        TEST(databases),
        TEST(a_database_that_is_not_there),
        TEST(passwords),
        TEST(addresses_that_lead_nowhere),
        TEST(a_lost_connection_is_made_again),
        TEST(an_overdue_reply_is_a_failure),
        TEST(an_owner_who_repeats_at_once),
        TEST(closed_from_a_reply),
        TEST(closed_from_a_refusal),
        TEST(closed_when_it_goes_down),
        TEST(a_peer_that_breaks_the_protocol),
        TEST(a_reply_nobody_asked_for),
        TEST(a_reply_in_pieces),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
