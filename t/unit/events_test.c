/* Reading the outbox page by page, and who may. */
#include "t/unit/outbox.h"

static void
test_nothing_there(void **state)
{
    event_page_t page = read_page(beginning, end);

    (void) state;
    assert_int_equal(page.count, 0);
    assert_true(page.complete);
    assert_int_equal(position_compare(&page.to, &beginning), 0);
    assert_false(is_ahead(beginning));
}

static void
test_columns(void **state)
{
    event_page_t page;
    const event_record_t *e;
    uuid_t id;

    (void) state;
    sql("insert into event (id, at, api, type, resource_id, data,"
        " correlation) values ('01890000-0000-7000-8000-000000000001',"
        " now(), 'catalog', 'ServiceSpecificationChangeEvent', 'S/1',"
        " '{\"a\" : 1.50}', '00-aa-bb-01')");
    page = read_page(beginning, end);
    assert_int_equal(page.count, 1);
    e = &page.events[0];
    assert_true(uuid_parse(STR("01890000-0000-7000-8000-000000000001"), &id));
    assert_true(uuid_eq(e->id, id));
    assert_true(e->xid > 0);
    assert_true(e->seq > 0);
    assert_in_range(e->at_us, clock_us() - DAY_US, clock_us() + DAY_US);
    assert_true(str_is(e->api, "catalog"));
    assert_true(str_is(e->type, "ServiceSpecificationChangeEvent"));
    assert_true(str_is(e->resource_id, "S/1"));
    assert_true(str_is(e->data, "{\"a\" : 1.50}"));
    assert_true(str_is(e->correlation, "00-aa-bb-01"));
    assert_int_equal(page.to.at_us, e->at_us);
    page = read_page(page.to, end);
    assert_int_equal(page.count, 0);
}

/* Nothing may appear behind a position once read: a transaction that began
 * later and ended earlier has to wait for the older one. */
static void
test_an_older_transaction_holds_younger_events_back(void **state)
{
    PGconn *old = PQconnectdb(conninfo);
    event_page_t page;

    (void) state;
    PQclear(PQexec(old, "begin"));
    PQclear(PQexec(old, EVENT("old", "'{}'")));
    sql(EVENT("young", "'{}'"));
    page = read_page(beginning, end);
    assert_int_equal(page.count, 0);
    assert_true(is_ahead(beginning));
    PQclear(PQexec(old, EVENT("old2", "'{}'")));
    PQclear(PQexec(old, "commit"));
    page = read_page(beginning, end);
    assert_resources(&page, "old old2 young");
    assert_false(is_ahead(page.to));
    PQfinish(old);
}

static void
test_an_aborted_transaction_leaves_nothing(void **state)
{
    event_page_t page;

    (void) state;
    sql("begin");
    sql(EVENT("gone", "'{}'"));
    sql("rollback");
    sql(EVENT("here", "'{}'"));
    page = read_page(beginning, end);
    assert_resources(&page, "here");
}

static void
test_bounds(void **state)
{
    event_page_t all, page;

    (void) state;
    sql(EVENT("a", "'{}'"));
    sql(EVENT("b", "'{}'") ";" EVENT("c", "'{}'"));
    sql(EVENT("d", "'{}'"));
    all = read_page(beginning, end);
    assert_resources(&all, "a b c d");
    page = read_page(event_position(&all.events[0]),
                     event_position(&all.events[2]));
    assert_resources(&page, "b c");
    assert_true(page.complete);
    page = read_page(event_position(&all.events[1]), end);
    assert_resources(&page, "c d");
}

static void
test_pages_are_bounded_in_rows(void **state)
{
    event_page_t page;

    (void) state;
    sql("insert into event (id, api, type, resource_id, data)"
        " select gen_random_uuid(), 'ordering',"
        " 'ServiceOrderStateChangeEvent', i::text, '{}'"
        " from generate_series(1, 1500) i");
    page = read_page(beginning, end);
    assert_int_equal(page.count, EVENT_PAGE_ROWS);
    assert_false(page.complete);
    assert_true(str_is(page.events[999].resource_id, "1000"));
    page = read_page(page.to, end);
    assert_int_equal(page.count, 1500 - EVENT_PAGE_ROWS);
    assert_true(page.complete);
    assert_true(str_is(page.events[0].resource_id, "1001"));
}

static void
test_pages_are_bounded_in_bytes(void **state)
{
    position_t at = beginning;
    int pages = 0, events = 0;
    event_page_t page;

    (void) state;
    sql("insert into event (id, api, type, resource_id, data)"
        " select gen_random_uuid(), 'ordering',"
        " 'ServiceOrderStateChangeEvent', i::text,"
        " json_build_object('x', repeat('y', i * 1048576))"
        " from generate_series(1, 6) i");
    do {
        size_t bytes = 0;

        page = read_page(at, end);
        assert_true(page.count > 0);
        for (int i = 0; i + 1 < page.count; i++) {
            bytes += page.events[i].data.len;
        }
        assert_true(bytes < EVENT_PAGE_BYTES);
        events += page.count;
        at = page.to;
        pages++;
    } while (!page.complete);
    assert_int_equal(events, 6);
    assert_in_range(pages, 3, 6);
}

static void
test_old_partitions_are_left_out(void **state)
{
    position_t after = beginning;
    event_page_t page;

    (void) state;
    sql(EVENT("a", "'{}'"));
    after.at_us = clock_us() + EVENT_AT_MARGIN_US / 2;
    page = read_page(after, end);
    assert_int_equal(page.count, 1);
    after.at_us = clock_us() + EVENT_AT_MARGIN_US + DAY_US;
    page = read_page(after, end);
    assert_int_equal(page.count, 0);
}

static void
test_one_session_holds_the_lock(void **state)
{
    segment_t s = {0};

    (void) state;
    pg_exec(pg, LOCK, NULL, on_flag, &s);
    commit(&s);
    assert_true(s.flag);
    assert_sql(sql_event_lock, "f");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_there),
        TEST(test_columns),
        TEST(test_an_older_transaction_holds_younger_events_back),
        TEST(test_an_aborted_transaction_leaves_nothing),
        TEST(test_bounds),
        TEST(test_pages_are_bounded_in_rows),
        TEST(test_pages_are_bounded_in_bytes),
        TEST(test_old_partitions_are_left_out),
        TEST(test_one_session_holds_the_lock),
    };

    return cmocka_run_group_tests(tests, setup_server, teardown_server);
}
