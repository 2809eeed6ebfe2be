/* Subscriptions and their cursors. */
#include "t/unit/outbox.h"

static subscription_record_t
subscription(const char *id)
{
    subscription_record_t s = {
        .api = STR("ordering"),
        .version = STR("v4"),
        .callback = STR("http://127.0.0.1/x?a=%20"),
        .query = STR("eventType=ServiceOrderCreateEvent"),
        .base = STR("http://me"),
        .strict = true,
    };

    assert_true(uuid_parse(str_of(id), &s.id));
    return s;
}

static void
insert(const subscription_record_t *record, const char *subject)
{
    segment_t s = {0};

    subscription_insert(pg, INSERT, arena, record, subject, NULL, NULL);
    commit(&s);
}

typedef struct {
    bool ended;
    pg_outcome_t outcome;
    char sqlstate[6];
} ending_t;

static void
on_ending(void *ctx, pg_outcome_t outcome, const char *sqlstate,
          const char *message)
{
    ending_t *e = ctx;

    (void) message;
    e->ended = true;
    e->outcome = outcome;
    snprintf(e->sqlstate, sizeof(e->sqlstate), "%s", sqlstate);
}

/* Where fewer than `most` are there. */
static ending_t
insert_into(const subscription_record_t *record, int most)
{
    ending_t e = {0};

    subscription_room(pg, ROOM, arena, record->api, most);
    subscription_insert(pg, INSERT, arena, record, NULL, NULL, NULL);
    pg_commit(pg, on_ending, &e);
    LOOP_UNTIL(base, e.ended);
    return e;
}

static bool
is_there(uuid_t id, str_t api)
{
    segment_t s = {0};

    subscription_find(pg, FIND, arena, id, api, on_flag, &s);
    commit(&s);
    return s.rows == 1;
}

static bool delete (uuid_t id, str_t api)
{
    segment_t s = {0};

    subscription_delete(pg, DELETE, arena, id, api, on_flag, &s);
    commit(&s);
    return s.rows == 1;
}

static void
on_list(void *ctx, const PGresult *res)
{
    segment_t *s = ctx;

    s->rows = PQntuples(res);
    assert_in_range(s->rows, 0, 8);
    for (int i = 0; i < s->rows; i++) {
        subscription_row(arena, res, i, &s->list[i]);
    }
}

static segment_t
list(const uuid_t *known, int count)
{
    segment_t s = {0};

    subscription_list(pg, LIST, arena, known, count, on_list, &s);
    commit(&s);
    return s;
}

#define SUB(n) "01890000-0000-7000-8000-0000000000c" n

static void
test_subscriptions(void **state)
{
    subscription_record_t a = subscription(SUB("1"));
    subscription_record_t b = subscription(SUB("2"));
    segment_t s;

    (void) state;
    b.query = STR_NONE;
    b.strict = false;
    insert(&a, "me");
    insert(&b, NULL);
    assert_sql("select count(*) from hub_subscription where query is null"
               " and subject is null and profile = 'extended'",
               "1");
    s = list(NULL, 0);
    assert_int_equal(s.rows, 2);
    assert_true(uuid_eq(s.list[0].record.id, a.id));
    assert_true(str_eq(s.list[0].record.callback, a.callback));
    assert_true(str_eq(s.list[0].record.query, a.query));
    assert_true(str_eq(s.list[0].record.api, a.api));
    assert_true(str_eq(s.list[0].record.base, a.base));
    assert_true(str_eq(s.list[0].record.version, a.version));
    assert_true(s.list[0].record.strict);
    assert_false(s.list[1].record.strict);
    assert_int_equal(s.list[1].record.query.len, 0);
    assert_true(s.list[0].cursor.xid > 0);
    assert_int_equal(s.list[0].cursor.seq, 0);
    assert_in_range(s.list[0].cursor.at_us, clock_us() - DAY_US,
                    clock_us() + DAY_US);
    s = list(&a.id, 1);
    assert_true(s.list[0].cursor.at_us == NO_TIME);
    assert_true(s.list[1].cursor.at_us != NO_TIME);
    assert_false(delete (a.id, STR("inventory")));
    assert_true(delete (a.id, STR("ordering")));
    assert_false(delete (a.id, STR("ordering")));
    assert_int_equal(list(NULL, 0).rows, 1);
}

static void
test_the_last_place(void **state)
{
    subscription_record_t a = subscription(SUB("1"));
    subscription_record_t b = subscription(SUB("2"));
    subscription_record_t c = subscription(SUB("3"));
    ending_t e;

    (void) state;
    c.api = STR("catalog");
    e = insert_into(&a, 0);
    assert_int_equal(e.outcome, PG_REFUSED);
    assert_string_equal(e.sqlstate, SUBSCRIPTION_NO_ROOM);
    assert_int_equal(insert_into(&a, 1).outcome, PG_OK);
    assert_string_equal(insert_into(&b, 1).sqlstate, SUBSCRIPTION_NO_ROOM);
    assert_false(is_there(b.id, b.api));
    assert_int_equal(insert_into(&c, 1).outcome, PG_OK); /* another API */
    assert_int_equal(insert_into(&b, 2).outcome, PG_OK);
    assert_true(is_there(b.id, b.api));
    assert_false(is_there(b.id, c.api));
    assert_true(delete (a.id, a.api));
    assert_int_equal(insert_into(&a, 2).outcome, PG_OK);
}

static bool
somebody_waits(void)
{
    PGresult *res = PQexec(other, "select 1 from pg_locks where not granted");
    int n = PQntuples(res);

    PQclear(res);
    return n > 0;
}

/* Another session takes the last place, and commits while this one waits. */
static void
test_two_for_the_last_place(void **state)
{
    PGconn *running = PQconnectdb(conninfo);
    subscription_record_t a = subscription(SUB("1"));
    ending_t e = {0};

    (void) state;
    PQclear(PQexec(running, "begin"));
    PQclear(PQexec(running, "select turnup_hub_room('ordering', 1)"));
    PQclear(PQexec(running,
                   "insert into hub_subscription (id, api, version, callback,"
                   " base, profile) values (gen_random_uuid(), 'ordering',"
                   " 'v4', 'x', 'x', 'x')"));
    subscription_room(pg, ROOM, arena, a.api, 1);
    subscription_insert(pg, INSERT, arena, &a, NULL, NULL, NULL);
    pg_commit(pg, on_ending, &e);
    LOOP_UNTIL(base, somebody_waits());
    assert_false(e.ended);
    PQclear(PQexec(running, "commit"));
    PQfinish(running);
    LOOP_UNTIL(base, e.ended);
    assert_string_equal(e.sqlstate, SUBSCRIPTION_NO_ROOM);
    assert_sql("select count(*) from hub_subscription", "1");
}

/* Who registers is told of what is not over yet, and of nothing older. */
static void
test_a_new_cursor(void **state)
{
    PGconn *running = PQconnectdb(conninfo);
    subscription_record_t a = subscription(SUB("1"));
    event_page_t page;
    segment_t s;

    (void) state;
    sql(EVENT("before", "'{}'"));
    PQclear(PQexec(running, "begin"));
    PQclear(PQexec(running, EVENT("running", "'{}'")));
    insert(&a, NULL);
    PQclear(PQexec(running, "commit"));
    sql(EVENT("after", "'{}'"));
    s = list(NULL, 0);
    page = read_page(s.list[0].cursor, end);
    assert_resources(&page, "running after");
    PQfinish(running);
}

static void
store(const event_cursor_t *cursors, int n)
{
    segment_t s = {0};

    pg_exec(pg, RELAX, NULL, NULL, NULL);
    event_store_cursors(pg, CURSORS, arena, cursors, n, NULL, NULL);
    commit(&s);
}

static void
test_cursors_move_forward_only(void **state)
{
    subscription_record_t a = subscription(SUB("1"));
    subscription_record_t b = subscription(SUB("2"));
    event_cursor_t cursors[2];
    event_page_t page;
    segment_t s;

    (void) state;
    insert(&a, NULL);
    insert(&b, NULL);
    sql(EVENT("a", "'{}'") ";" EVENT("b", "'{}'"));
    page = read_page(beginning, end);
    cursors[0] = (event_cursor_t){a.id, page.to};
    store(cursors, 1);
    s = list(NULL, 0);
    assert_int_equal(position_compare(&s.list[0].cursor, &page.to), 0);
    assert_int_equal(s.list[0].cursor.at_us, page.to.at_us);
    assert_int_equal(s.list[1].cursor.seq, 0);
    cursors[0].at = event_position(&page.events[0]);
    cursors[1] = (event_cursor_t){b.id, page.to};
    store(cursors, 2);
    s = list(NULL, 0);
    assert_int_equal(position_compare(&s.list[0].cursor, &page.to), 0);
    assert_int_equal(position_compare(&s.list[1].cursor, &page.to), 0);
    /* Only the one transaction was relaxed. */
    pg_exec_text(pg, "select current_setting('synchronous_commit') = 'on'",
                 NULL, on_flag, &s);
    commit(&s);
    assert_true(s.flag);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_subscriptions),
        TEST(test_the_last_place),
        TEST(test_two_for_the_last_place),
        TEST(test_a_new_cursor),
        TEST(test_cursors_move_forward_only),
    };

    return cmocka_run_group_tests(tests, setup_server, teardown_server);
}
