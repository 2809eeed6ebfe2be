/* The whole resources that events speak of. */
#include "t/unit/outbox.h"

#include "backend/pools/loaded.h"

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
        {"ServiceOrderAttributeValueChangeEvent",
         "01890000-0000-7000-8000-000000000001", "{\"fieldPath\":\"note\"}",
         DOCUMENT_ORDER_NOW},
        {"ServiceOrderAttributeValueChangeEvent", "not a uuid",
         "{\"fieldPath\":\"note\"}", DOCUMENT_NONE},
        {"ServiceOrderAttributeValueChangeEvent",
         "01890000-0000-7000-8000-000000000001",
         "{\"externalId\":\"fieldPath\",\"state\":\"held\"}", DOCUMENT_NONE},
        {"ServiceOrderStateChangeEvent",
         "01890000-0000-7000-8000-000000000001", "{\"fieldPath\":\"note\"}",
         DOCUMENT_NONE},
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
    loaded_t loaded = {.arena = arena};

    if (s->kind == DOCUMENT_ORDER_NOW) {
        loaded_on_orders(&loaded, res);
        event_take_orders_now(res, s->page, s->wanted, loaded.orders,
                              loaded.order_count);
        return;
    }

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

#define PATCHED(n, fields)                                         \
    "insert into event (id, api, type, resource_id, data) values " \
    "(gen_random_uuid(), 'ordering', "                             \
    "'ServiceOrderAttributeValueChangeEvent', '" ORDER(            \
        n) "', "                                                   \
           "'{\"fieldPath\":\"" fields "\"}')"

static void
test_a_patched_order_is_shown_as_it_is(void **state)
{
    const order_record_t *o;
    event_page_t page;

    (void) state;
    sql("insert into service_order (id, request_key, order_date, doc, posted,"
        " expected_completion) select ('01890000-0000-7000-8000-00000000000'"
        " || i)::uuid, i::text, '2030-01-01T00:00:00Z', '{\"now\":1}',"
        " '{\"then\":1}', '2030-01-02T00:00:00Z' from generate_series(1, 2) "
        "i");
    sql("insert into service_order_state (id, version, state, item_count,"
        " start_at) select id, 7, 'inProgress', 3, '2030-01-01T00:00:01Z'"
        " from service_order");
    sql("insert into service_order_item (order_id, item_id, position,"
        " parent_item, action, state) select id, v.* from service_order,"
        " (values ('p', 0, null, 'add', 'acknowledged'), ('a', 1, 'p', 'add',"
        " 'completed'), ('b', 2, 'p', 'add', 'inProgress')) v");
    sql(CREATED("1"));
    sql(PATCHED("1", "note"));
    sql(PATCHED("9", "note")); /* gone */
    sql(PATCHED("1", "description"));
    sql(PATCHED("2", "priority"));
    page = read_documents(DOCUMENT_ORDER, ORDERS);
    assert_true(str_is(page.documents[0].order->doc, "{\"then\":1}"));
    assert_true(page.documents[0].order->expected_us == NO_TIME);
    page = read_documents(DOCUMENT_ORDER_NOW, ORDERS_NOW);
    assert_int_equal(page.count, 5);
    assert_null(page.documents[0].order);
    assert_null(page.documents[2].order);
    o = page.documents[1].order;
    assert_non_null(o);
    assert_ptr_equal(page.documents[3].order, o); /* read once */
    assert_true(str_is(o->doc, "{\"now\":1}"));
    assert_int_equal(o->state, ORDER_IN_PROGRESS);
    assert_int_equal(o->version, 7);
    assert_true(o->start_us == 1893456001000000LL);
    assert_true(o->expected_us == 1893542400000000LL);
    assert_int_equal(o->item_count, 3);
    assert_int_equal(o->items[0].state, ORDER_IN_PROGRESS);
    assert_int_equal(o->items[1].state, ORDER_COMPLETED);
    assert_non_null(page.documents[4].order);
    assert_int_equal(page.documents[4].order->item_count, 3);
}

static void
test_patched_orders_too_large_cut_the_page(void **state)
{
    event_page_t page;

    (void) state;
    sql("insert into service_order (id, request_key, order_date, doc)"
        " select ('01890000-0000-7000-8000-00000000000' || i)::uuid,"
        " i::text, now(), json_build_object('x', repeat('y', 5000000))"
        " from generate_series(1, 3) i");
    sql("insert into service_order_state (id, state, item_count)"
        " select id, 'held', 1 from service_order");
    sql("insert into service_order_item (order_id, item_id, position, action,"
        " state) select id, 'a', 0, 'add', 'held' from service_order");
    sql(PATCHED("1", "a"));
    sql(PATCHED("2", "a"));
    sql(PATCHED("1", "b"));
    sql(PATCHED("3", "a"));
    sql(EVENT("x", "'{}'"));
    page = read_documents(DOCUMENT_ORDER_NOW, ORDERS_NOW);
    assert_int_equal(page.count, 3);
    assert_false(page.complete);
    assert_true(page.documents[1].order->doc.len > 5000000);
    assert_true(page.documents[2].order->doc.len > 5000000);
    page = read_page(page.to, end);
    assert_resources(&page, ORDER("3") " x");
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_document_kinds),
        TEST(test_an_order_is_shown_as_it_was_created),
        TEST(test_documents_too_large_cut_the_page),
        TEST(test_a_patched_order_is_shown_as_it_is),
        TEST(test_patched_orders_too_large_cut_the_page),
        TEST(test_a_service_with_its_configuration),
    };

    return cmocka_run_group_tests(tests, setup_server, teardown_server);
}
