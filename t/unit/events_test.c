/*
 * Reading the outbox, whole resources, cursors and subscriptions, against a
 * PostgreSQL of its own with the schema of sql/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/base/log.h"
#include "backend/store/documents.h"
#include "backend/store/subscriptions.h"
#include "t/unit/servers.h"

#define SCHEMA     "sql/001_turnup.sql"
#define SCHEMA_MAX 65536
#define DAY_US     (86400LL * 1000000)

enum {
    SESSION,
    LOCK,
    PAGE,
    AHEAD,
    RELAX,
    CURSORS,
    ORDERS,
    ORDER_ITEMS,
    SERVICES,
    SPECIFICATIONS,
    INSERT,
    DELETE,
    LIST
};

static const pg_statement_t statements[] = {
    [SESSION] = {"session", sql_event_session},
    [LOCK] = {"lock", sql_event_lock},
    [PAGE] = {"page", sql_event_page},
    [AHEAD] = {"ahead", sql_event_ahead},
    [RELAX] = {"relax", sql_event_relax},
    [CURSORS] = {"cursors", sql_event_cursors},
    [ORDERS] = {"orders", sql_event_orders},
    [ORDER_ITEMS] = {"order_items", sql_event_order_items},
    [SERVICES] = {"services", sql_event_services},
    [SPECIFICATIONS] = {"specifications", sql_event_specifications},
    [INSERT] = {"insert", sql_subscription_insert},
    [DELETE] = {"delete", sql_subscription_delete},
    [LIST] = {"list", sql_subscription_list},
    {NULL, NULL},
};

static server_t server;
static char conninfo[128];
static struct event_base *base;
static arena_t *arena;
static pg_t *pg;
static PGconn *other; /* another session */
static const position_t beginning = {0, 0, NO_TIME};
static const position_t end = POSITION_END;

typedef struct {
    bool ended;
    int rows;
    bool flag; /* first column of the first row */
    position_t after;
    event_page_t *page;
    const document_kind_t *wanted;
    document_kind_t kind;
    subscription_row_t list[8];
} segment_t;

static void
sql(const char *text)
{
    PGresult *res = PQexec(other, text);

    if (PQresultStatus(res) != PGRES_COMMAND_OK &&
        PQresultStatus(res) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", text, PQerrorMessage(other));
    }
    PQclear(res);
}

static void
assert_sql(const char *query, const char *expected)
{
    PGresult *res = PQexec(other, query);

    assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
    assert_int_equal(PQntuples(res), 1);
    assert_string_equal(PQgetvalue(res, 0, 0), expected);
    PQclear(res);
}

static void
on_end(void *ctx, pg_outcome_t outcome, const char *sqlstate,
       const char *message)
{
    if (outcome != PG_OK) {
        fail_msg("%d %s %s", (int) outcome, sqlstate, message);
    }
    ((segment_t *) ctx)->ended = true;
}

static void
commit(segment_t *s)
{
    s->ended = false;
    pg_commit(pg, on_end, s);
    LOOP_UNTIL(base, s->ended);
}

static void
on_page(void *ctx, const PGresult *res)
{
    segment_t *s = ctx;

    event_page(arena, res, &s->after, s->page);
}

static event_page_t
read_page(position_t after, position_t to)
{
    event_page_t page = {0};
    segment_t s = {.after = after, .page = &page};

    event_read(pg, PAGE, arena, &after, &to, on_page, &s);
    commit(&s);
    return page;
}

static void
on_flag(void *ctx, const PGresult *res)
{
    segment_t *s = ctx;

    s->rows = PQntuples(res);
    s->flag = s->rows > 0 && pg_bool(res, 0, 0);
}

static bool
is_ahead(position_t after)
{
    segment_t s = {0};

    event_ahead(pg, AHEAD, arena, &after, on_flag, &s);
    commit(&s);
    assert_int_equal(s.rows, 1);
    return s.flag;
}

#define EVENT(resource, data)                                          \
    "insert into event (id, api, type, resource_id, data) values "     \
    "(gen_random_uuid(), 'ordering', 'ServiceOrderStateChangeEvent', " \
    "'" resource "', " data ")"

static void
assert_resources(const event_page_t *page, const char *expected)
{
    char text[256] = "";
    size_t n = 0;

    for (int i = 0; i < page->count; i++) {
        n += (size_t) snprintf(text + n, sizeof(text) - n, "%s%.*s",
                               i ? " " : "",
                               STR_FMT(page->events[i].resource_id));
    }
    assert_string_equal(text, expected);
}

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
test_document_kinds(void **state)
{
    static const struct {
        const char *type, *resource, *data;
        document_kind_t kind;
    } cases[] = {
        {"ServiceOrderCreateEvent", "01890000-0000-7000-8000-000000000001", "",
         DOCUMENT_ORDER},
        {"ServiceOrderCreateEvent", "01890000-0000-7000-8000-000000000001",
         "{}", DOCUMENT_NONE},
        {"ServiceOrderCreateEvent", "not a uuid", "", DOCUMENT_NONE},
        {"ServiceOrderStateChangeEvent",
         "01890000-0000-7000-8000-000000000001", "", DOCUMENT_NONE},
        {"ServiceCreateEvent", "01890000-0000-7000-8000-000000000001", "",
         DOCUMENT_SERVICE},
        {"ServiceCreateEvent", "1", "", DOCUMENT_NONE},
        {"ServiceSpecificationCreateEvent", "Voip.Line", "",
         DOCUMENT_SPECIFICATION},
        {"ServiceSpecificationChangeEvent", "Voip.Line", "",
         DOCUMENT_SPECIFICATION},
        {"", "", "", DOCUMENT_NONE},
        {"Service", "x", "", DOCUMENT_NONE},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        event_record_t e = {0};

        e.type = str_of(cases[i].type);
        e.resource_id = str_of(cases[i].resource);
        e.data = str_of(cases[i].data);
        assert_int_equal(event_document_kind(&e), cases[i].kind);
    }
}

static void
on_documents(void *ctx, const PGresult *res)
{
    segment_t *s = ctx;

    event_take_documents(arena, res, s->page, s->wanted, s->kind);
}

static void
on_items(void *ctx, const PGresult *res)
{
    event_take_order_items(arena, res, ((segment_t *) ctx)->page);
}

/* The page from the beginning with all its documents of that kind. */
static event_page_t
read_documents(document_kind_t kind, int stmt)
{
    event_page_t page = read_page(beginning, end);
    document_kind_t *wanted =
        arena_array(arena, document_kind_t, (size_t) page.count);
    segment_t s = {.page = &page, .wanted = wanted, .kind = kind};

    for (int i = 0; i < page.count; i++) {
        wanted[i] = event_document_kind(&page.events[i]);
    }
    assert_true(event_documents(pg, stmt, arena, &page, wanted, kind,
                                on_documents, &s));
    if (kind == DOCUMENT_ORDER) {
        assert_true(event_order_items(pg, ORDER_ITEMS, arena, &page, wanted,
                                      on_items, &s));
    }
    commit(&s);
    return page;
}

#define ORDER(n) "01890000-0000-7000-8000-00000000000" n
#define CREATED(n)                                                        \
    "insert into event (id, api, type, resource_id) values "              \
    "(gen_random_uuid(), 'ordering', 'ServiceOrderCreateEvent', '" ORDER( \
        n) "')"

static void
test_an_order_is_shown_as_it_was_created(void **state)
{
    const order_record_t *o;
    event_page_t page;
    uuid_t service;

    (void) state;
    sql("insert into service_order (id, request_key, order_date, doc) values"
        " ('" ORDER("1") "', 'k1', '2030-01-01T00:00:00Z', '{\"x\" : 1.0}'),"
                         " ('" ORDER(
                             "2") "', 'k2', '2030-01-01T00:00:01Z', '{}')");
    sql("insert into service_order_state (id, state, item_count, start_at)"
        " values ('" ORDER("1") "', 'completed', 2, now())");
    sql("insert into service_order_item (order_id, item_id, position, action,"
        " service_id, state, error) values"
        " ('" ORDER("1") "', 'b', 1, 'add', null, 'failed', '[]'),"
                         " ('" ORDER("1") "', 'a', 0, 'add',"
                                          " '01890000-0000-7000-8000-"
                                          "0000000000aa', 'completed', null)");
    sql(CREATED("1"));
    sql(CREATED("9")); /* gone */
    sql(EVENT("x", "'{}'"));
    sql(CREATED("2"));
    page = read_documents(DOCUMENT_ORDER, ORDERS);
    assert_int_equal(page.count, 4);
    assert_null(page.documents[1].order);
    assert_null(page.documents[2].order);
    o = page.documents[0].order;
    assert_non_null(o);
    assert_int_equal(o->state, ORDER_ACKNOWLEDGED);
    assert_true(str_is(o->doc, "{\"x\" : 1.0}"));
    assert_int_equal(o->order_date_us, 1893456000000000LL);
    assert_true(o->start_us == NO_TIME && o->completion_us == NO_TIME);
    assert_int_equal(o->error.len, 0);
    assert_int_equal(o->item_count, 2);
    assert_true(str_is(o->items[0].id, "a"));
    assert_int_equal(o->items[0].state, ORDER_ACKNOWLEDGED);
    assert_true(
        uuid_parse(STR("01890000-0000-7000-8000-0000000000aa"), &service));
    assert_true(uuid_eq(o->items[0].service_id, service));
    assert_true(str_is(o->items[1].id, "b"));
    assert_true(uuid_is_nil(o->items[1].service_id));
    assert_int_equal(o->items[1].error.len, 0);
    o = page.documents[3].order;
    assert_non_null(o);
    assert_int_equal(o->item_count, 0);
}

static void
test_documents_too_large_cut_the_page(void **state)
{
    event_page_t page;

    (void) state;
    sql("insert into service_order (id, request_key, order_date, doc)"
        " select ('01890000-0000-7000-8000-00000000000' || i)::uuid,"
        " i::text, now(), json_build_object('x', repeat('y', 5000000))"
        " from generate_series(1, 3) i");
    sql(CREATED("1"));
    sql(EVENT("x", "'{}'"));
    sql(CREATED("2"));
    sql(EVENT("y", "'{}'"));
    sql(CREATED("3"));
    page = read_documents(DOCUMENT_ORDER, ORDERS);
    assert_int_equal(page.count, 4);
    assert_false(page.complete);
    assert_true(page.documents[2].order->doc.len > 5000000);
    page = read_page(page.to, end);
    assert_resources(&page, ORDER("3"));
}

#define SERVICE "01890000-0000-7000-8000-0000000000bb"

static void
test_a_service_with_its_configuration(void **state)
{
    const service_record_t *s;
    event_page_t page;

    (void) state;
    sql("insert into service_specification (id, version, doc) values"
        " ('S', '1.0', '{\"name\":\"Line\"}')");
    sql("insert into entity_instance (id, key, data_tags) values"
        " ('" SERVICE "', 'SVC-7909', '{a,b}')");
    sql("insert into entity_instance_configuration (id, instance_id,"
        " timeline, name, spec_id, spec_version, state, operating_status,"
        " characteristics, doc, order_id, item_id) values"
        " (gen_random_uuid(), '" SERVICE "', 'PENDING', 'new', 'S', '1.0',"
        " 'active', null, '{\"k\":2}', '{}', '" SERVICE "', '2'),"
        " (gen_random_uuid(), '" SERVICE "', 'CURRENT', 'now', 'S', '1.0',"
        " 'reserved', 'pending', '{\"k\":1}', '{\"d\":0}', '" SERVICE "',"
        " '1')");
    sql("insert into event (id, api, type, resource_id) values"
        " (gen_random_uuid(), 'inventory', 'ServiceCreateEvent',"
        " '" SERVICE "')");
    page = read_documents(DOCUMENT_SERVICE, SERVICES);
    s = page.documents[0].service;
    assert_non_null(s);
    assert_true(str_is(s->key, "SVC-7909"));
    assert_true(str_is(s->tags, "[\"a\",\"b\"]"));
    assert_true(str_is(s->timeline, "CURRENT"));
    assert_true(str_is(s->name, "now"));
    assert_int_equal(s->state, SERVICE_RESERVED);
    assert_true(str_is(s->operating_status, "pending"));
    assert_true(str_is(s->spec_name, "Line"));
    assert_true(str_is(s->characteristics, "{\"k\":1}"));
    assert_true(str_is(s->doc, "{\"d\":0}"));
    assert_true(str_is(s->item_id, "1"));
    sql("delete from entity_instance_configuration where"
        " timeline = 'CURRENT'");
    page = read_documents(DOCUMENT_SERVICE, SERVICES);
    assert_true(str_is(page.documents[0].service->name, "new"));
    sql("delete from entity_instance_configuration");
    page = read_documents(DOCUMENT_SERVICE, SERVICES);
    assert_null(page.documents[0].service);
}

static void
test_a_specification_in_its_last_version(void **state)
{
    event_page_t page;

    (void) state;
    sql("insert into service_specification (id, version, doc) values"
        " ('S''/x', '2.0', '{\"v\":2}'), ('S''/x', '1.0', '{\"v\":1}')");
    sql("update service_specification set change = nextval('catalog_change')"
        " where version = '2.0'");
    sql("insert into event (id, api, type, resource_id) values"
        " (gen_random_uuid(), 'catalog', 'ServiceSpecificationChangeEvent',"
        " 'S''/x'), (gen_random_uuid(), 'catalog',"
        " 'ServiceSpecificationCreateEvent', 'none')");
    page = read_documents(DOCUMENT_SPECIFICATION, SPECIFICATIONS);
    assert_true(str_is(page.documents[0].specification, "{\"v\":2}"));
    assert_int_equal(page.documents[1].specification.len, 0);
}

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

static bool
insert(const subscription_record_t *record, const char *subject)
{
    segment_t s = {0};

    subscription_insert(pg, INSERT, arena, record, subject, on_flag, &s);
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
    assert_true(insert(&a, "me"));
    assert_false(insert(&a, "me")); /* a redelivered request */
    assert_true(insert(&b, NULL));
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
    assert_true(insert(&a, NULL));
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
    assert_true(insert(&a, NULL) && insert(&b, NULL));
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

static void
on_state(void *ctx, bool up)
{
    *(bool *) ctx = up;
}

static void
create_schema(void)
{
    static char schema[SCHEMA_MAX];
    FILE *f = fopen(SCHEMA, "r");
    size_t n;

    if (!f) {
        server_die(SCHEMA);
    }
    n = fread(schema, 1, sizeof(schema) - 1, f);
    (void) fclose(f);
    assert_in_range(n, 1, sizeof(schema) - 2);
    sql(schema);
}

static int
setup_server(void **state)
{
    static bool up;
    segment_t s = {0};

    (void) state;
    log_init("unit", LOG_ERROR);
    postgres_server_create(&server);
    (void) snprintf(conninfo, sizeof(conninfo),
                    "host=%s user=postgres dbname=postgres", server.dir);
    other = PQconnectdb(conninfo);
    sql("set client_min_messages = warning");
    create_schema();
    base = event_base_new();
    arena = arena_create();
    pg = pg_open(base, conninfo, statements, on_state, &up);
    LOOP_UNTIL(base, up);
    pg_exec(pg, SESSION, NULL, NULL, NULL);
    commit(&s);
    return 0;
}

static int
teardown_server(void **state)
{
    (void) state;
    pg_close(pg);
    PQfinish(other);
    arena_free(arena);
    event_base_free(base);
    server_stop(&server, SIGINT);
    server_remove(&server);
    return 0;
}

static int
setup(void **state)
{
    (void) state;
    arena_reset(arena);
    sql("truncate event, hub_subscription, service_order, entity_instance,"
        " service_specification cascade");
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

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
        TEST(test_document_kinds),
        TEST(test_an_order_is_shown_as_it_was_created),
        TEST(test_documents_too_large_cut_the_page),
        TEST(test_a_service_with_its_configuration),
        TEST(test_a_specification_in_its_last_version),
        TEST(test_subscriptions),
        TEST(test_a_new_cursor),
        TEST(test_cursors_move_forward_only),
        TEST(test_one_session_holds_the_lock),
    };

    return cmocka_run_group_tests(tests, setup_server, teardown_server);
}
