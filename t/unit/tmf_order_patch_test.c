/*
 * A serviceOrder after a PATCH: what is stored, what counts as changed, and
 * what is refused.
 */
#include "t/unit/tmf_check.h"

#include "backend/tmf/order_patch.h"

#define ITEM_A                                                      \
    "{\"id\":\"a\", \"action\":\"add\",\"state\":\"acknowledged\"," \
    "\"service\":{ \"name\" :\"x\",\"id\":\"mine\"},\"note\":[{}]," \
    "\"quantity\":1}"
#define ITEM_B                                                              \
    "{\"id\":\"b\",\"action\":\"modify\",\"service\":{\"id\":\"" SERVICE_ID \
    "\"}}"
#define DOC                                                                 \
    "{\"id\":\"sent\",\"expectedCompletionDate\":\"2029-01-01T00:00:00Z\"," \
    "\"description\" : \"d\",\"x\":1.50,\"category\":\"c\","                \
    "\"serviceOrderItem\":[ " ITEM_A "," ITEM_B "]}"

static item_record_t items[2];
static order_record_t record;
static order_patch_t got;
static tmf_error_t fault;

static tmf_view_t
view(void)
{
    return (tmf_view_t){.base = STR("https://api.example"),
                        .version = STR("v4")};
}

static int
setup(void **state)
{
    (void) check_setup(state);
    items[0] = (item_record_t){.id = STR("a"),
                               .state = ORDER_PENDING_EXTERNAL,
                               .service_id = uuid_of(SERVICE_ID),
                               .pending = STR("{\"party\":\"p\"}")};
    items[1] = (item_record_t){.id = STR("b"),
                               .state = ORDER_COMPLETED,
                               .service_id = uuid_of(SERVICE_ID)};
    record = (order_record_t){.id = uuid_of(ORDER_ID),
                              .state = ORDER_PENDING_EXTERNAL,
                              .order_date_us = NEW_YEAR_2030,
                              .expected_us = NO_TIME,
                              .start_us = NEW_YEAR_2030,
                              .completion_us = NO_TIME,
                              .doc = STR(DOC),
                              .items = items,
                              .item_count = 2};
    return 0;
}

#define PATCH_TEST(f) cmocka_unit_test_setup_teardown(f, setup, check_teardown)

static bool
apply(const char *patch)
{
    tmf_view_t v = view();
    const json_t *p = json_parse(arena, str_of(patch), NULL);

    assert_non_null(p);
    fault = (tmf_error_t){0};
    return order_patch(arena, &record, &v, p,
                       p->type == JSON_ARRAY ? PATCH_JSON : PATCH_MERGE, &got,
                       &fault);
}

static const char *
path(void)
{
    buf_reset(&out);
    order_patch_path(&out, &got);
    return out.len ? out.data : "";
}

/* Accepted: that is stored, and that has changed. */
static void
assert_patched(const char *patch, const char *doc, const char *changed)
{
    if (!apply(patch)) {
        fail_msg("%s: %d %s %s", patch, fault.status, fault.pointer,
                 fault.message);
    }
    assert_string_equal(path(), changed);
    assert_string_equal(arena_z(arena, got.doc), doc);
}

static void
assert_refused(const char *patch, int status, const char *pointer)
{
    if (apply(patch) || fault.status != status ||
        strcmp(fault.pointer, pointer) != 0 || !fault.message[0]) {
        fail_msg("%s: %d %s %s", patch, fault.status, fault.pointer,
                 fault.message);
    }
}

/* The order as it is shown, as a patch. */
static const char *
shown(void)
{
    tmf_view_t v = view();

    buf_reset(&out);
    order_to_tmf(&out, arena, &record, &v);
    return arena_z(arena, buf_view(&out));
}

#define STORED_ITEMS "\"serviceOrderItem\":[ " ITEM_A "," ITEM_B "]"

static void
stores_what_the_client_has_of_it(void **state)
{
    (void) state;
    assert_patched("{\"description\":\"e\"}",
                   "{\"description\":\"e\",\"x\":1.50,\"category\":\"c\"," //
                   STORED_ITEMS "}",
                   "description");
    assert_patched("{\"x\":null,\"y\":{\"z\" : null, \"w\":1}}",
                   "{\"description\":\"d\",\"category\":\"c\"," STORED_ITEMS
                   ",\"y\":{\"w\":1}}",
                   "y,x");
    assert_patched(
        "[{\"op\":\"replace\",\"path\":\"/x\",\"value\":1.51}]",
        "{\"description\":\"d\",\"x\":1.51,\"category\":\"c\"," STORED_ITEMS
        "}",
        "x");
    assert_patched(
        "{\"priority\":\"1\",\"externalId\":\"e\","
        "\"requestedStartDate\":\"2030-01-01T01:00:00+01:00\"}",
        "{\"description\":\"d\",\"x\":1.50,\"category\":\"c\"," STORED_ITEMS
        ",\"priority\":\"1\",\"externalId\":\"e\","
        "\"requestedStartDate\":\"2030-01-01T01:00:00+01:00\"}",
        "priority,externalId,requestedStartDate");
    assert_true(got.order.requested_start_us == NEW_YEAR_2030);
    assert_true(str_is(got.order.external_id, "e"));
    assert_true(str_is(got.order.priority, "1"));
    assert_int_equal(got.order.item_count, 2);
    assert_true(order_patch_changes(&got, "priority"));
    assert_false(order_patch_changes(&got, "description"));
}

static void
expects_its_completion_when_it_is_told(void **state)
{
    (void) state;
    assert_patched(
        "{\"expectedCompletionDate\":\"2030-01-01T01:00:00+01:00\"}",
        "{\"description\":\"d\",\"x\":1.50,\"category\":\"c\"," STORED_ITEMS
        "}",
        "expectedCompletionDate");
    assert_true(got.expected_us == NEW_YEAR_2030);
    record.expected_us = NEW_YEAR_2030;
    assert_true(apply("{\"priority\":\"1\"}"));
    assert_true(got.expected_us == NEW_YEAR_2030);
    assert_true(apply("{\"expectedCompletionDate\":null}"));
    assert_string_equal(path(), "expectedCompletionDate");
    assert_true(got.expected_us == NO_TIME);
    assert_refused("{\"expectedCompletionDate\":\"soon\"}", 400,
                   "/expectedCompletionDate");
    assert_refused("{\"expectedCompletionDate\":7}", 400,
                   "/expectedCompletionDate");
}

static void
takes_what_is_as_it_was(void **state)
{
    (void) state;
    assert_patched("{}", DOC, "");
    assert_patched(shown(), DOC, "");
    assert_patched("{\"serviceOrderItem\":[" ITEM_B
                   ",{\"id\":\"a\",\"action\":\"add\",\"service\":{\"name\":"
                   "\"x\"},\"note\":[{}],\"quantity\":1}]}",
                   DOC, "");
    assert_patched("{\"id\":\"" ORDER_ID "\",\"@type\":\"ServiceOrder\","
                   "\"state\":\"pendingExternal\",\"note\":null,"
                   "\"x\":15e-1,\"pendingExternal\":{\"party\":\"p\"}}",
                   DOC, "");
    assert_int_equal(got.state.len, 0);
}

/* A null of the client's own is as good an attribute as any; a null in place
 * of something is nothing. */
static void
leaves_null_where_it_was(void **state)
{
    (void) state;
    record.doc = STR("{\"x\":null,\"y\":1,\"serviceOrderItem\":["
                     "{\"id\":\"a\",\"action\":\"add\",\"service\":{},"
                     "\"z\":null}," ITEM_B "]}");
    assert_patched("[{\"op\":\"replace\",\"path\":\"/y\",\"value\":null}]",
                   "{\"x\":null,\"serviceOrderItem\":[{\"id\":\"a\","
                   "\"action\":\"add\",\"service\":{},\"z\":null}," ITEM_B
                   "]}",
                   "y");
    assert_patched("[{\"op\":\"add\",\"path\":\"/serviceOrderItem/0/rack\","
                   "\"value\":7}]",
                   "{\"x\":null,\"y\":1,\"serviceOrderItem\":[{\"id\":\"a\","
                   "\"action\":\"add\",\"service\":{},\"z\":null,"
                   "\"rack\":7}," ITEM_B "]}",
                   "serviceOrderItem");
    assert_patched("{\"x\":null,\"y\":2}",
                   "{\"y\":2,\"serviceOrderItem\":[{\"id\":\"a\","
                   "\"action\":\"add\",\"service\":{},\"z\":null}," ITEM_B
                   "]}",
                   "y");
}

static void
leaves_states_to_others(void **state)
{
    (void) state;
    assert_true(apply("{\"state\":\"cancelled\",\"x\":2}"));
    assert_true(str_is(got.state, "cancelled"));
    assert_string_equal(path(), "x");
    assert_true(apply("{\"state\":\"pending\"}"));
    assert_true(str_is(got.state, "pending"));
    assert_refused("{\"state\":\"waiting\"}", 400, "/state");
    assert_refused("{\"state\":null}", 400, "/state");
    assert_refused("[{\"op\":\"remove\",\"path\":\"/state\"}]", 400, "/state");
}

static void
changes_of_items_only_what_nobody_knows(void **state)
{
    (void) state;
    assert_patched(
        "[{\"op\":\"add\",\"path\":\"/serviceOrderItem/0/rack\",\"value\":7},"
        "{\"op\":\"remove\",\"path\":\"/serviceOrderItem/0/note\"}]",
        "{\"description\":\"d\",\"x\":1.50,\"category\":\"c\","
        "\"serviceOrderItem\":[{\"id\":\"a\",\"action\":\"add\",\"state\":"
        "\"acknowledged\",\"service\":{ \"name\" :\"x\",\"id\":\"mine\"},"
        "\"quantity\":1,\"rack\":7}," ITEM_B "]}",
        "serviceOrderItem");
#define AT "/serviceOrderItem/"
#define SET(at, value) \
    "[{\"op\":\"add\",\"path\":\"" AT at "\",\"value\":" value "}]"
    assert_refused(SET("1/rack", "7"), 409, AT "1/rack");
    assert_true(strstr(fault.message, "\"b\"") != NULL);
    assert_refused(SET("0/action", "\"delete\""), 409, AT "0/action");
    assert_refused(SET("0/quantity", "2"), 409, AT "0/quantity");
    assert_refused(SET("0/service/name", "\"y\""), 409, AT "0/service");
    assert_refused(SET("0/service/id", "\"y\""), 409, AT "0/service");
    assert_refused(SET("0/service/href", "\"y\""), 400, AT "0/service/href");
    assert_refused(SET("0/state", "\"completed\""), 409, AT "0/state");
    assert_refused(SET("0/state", "\"ready\""), 400, AT "0/state");
    assert_refused(SET("0/pendingExternal", "{}"), 400,
                   AT "0/pendingExternal");
    assert_refused(SET("0/id", "\"c\""), 409, AT "0");
    assert_refused(SET("2", ITEM_A), 400, AT "2/id");
    assert_refused(SET("2", "{\"id\":\"c\",\"action\":\"add\","
                            "\"service\":{}}"),
                   409, AT "2");
    assert_refused("[{\"op\":\"remove\",\"path\":\"" AT "1\"}]", 409,
                   "/serviceOrderItem");
    assert_refused("{\"serviceOrderItem\":[]}", 400, "/serviceOrderItem");
    assert_refused("{\"serviceOrderItem\":null}", 400, "/serviceOrderItem");
#undef SET
}

static void
goes_into_nested_items(void **state)
{
    static item_record_t three[] = {{.id = {"p", 1}}, {.id = {"q", 1}}};

    (void) state;
#define Q(more) "{\"id\":\"q\",\"action\":\"add\",\"service\":{}" more "}"
#define P(inner)                                               \
    "{\"serviceOrderItem\":[{\"id\":\"p\",\"action\":\"add\"," \
    "\"service\":{},\"serviceOrderItem\":[" inner "]}]}"
    record.doc = STR(P(Q("")));
    record.items = three;
    assert_patched(P(Q("")), P(Q("")), "");
    assert_patched(P(Q(",\"n\":1")), P(Q(",\"n\":1")), "serviceOrderItem");
    assert_refused(P(Q(",\"quantity\":1")), 409, AT "0" AT "0/quantity");
    assert_refused(P(""), 409, AT "0/serviceOrderItem");
    assert_refused(P(Q("") ",{\"id\":\"r\",\"action\":\"add\","
                           "\"service\":{}}"),
                   409, AT "0" AT "1");
    three[1].state = ORDER_FAILED;
    assert_refused(P(Q(",\"n\":1")), 409, AT "0" AT "0/n");
    three[1].state = ORDER_ACKNOWLEDGED;
#undef P
#undef Q
#undef AT
}

static void
refuses_what_is_fixed(void **state)
{
    static const char *const rows[][2] = {
        {"{\"id\":\"other\"}", "/id"},
        {"{\"href\":\"http://x/y\"}", "/href"},
        {"{\"orderDate\":\"2030-01-02T00:00:00Z\"}", "/orderDate"},
        {"{\"startDate\":null}", "/startDate"},
        {"{\"category\":\"d\"}", "/category"},
        {"{\"category\":null}", "/category"},
        {"{\"@type\":\"Mine\"}", "/@type"},
        {"{\"milestone\":[{}]}", "/milestone"},
        {"{\"pendingExternal\":null}", "/pendingExternal"},
        {"{\"pendingExternal\":{\"party\":\"q\"}}", "/pendingExternal"},
        {"{\"note\":[{\"author\":\"a\"}]}", "/note/0/text"},
        {"{\"requestedStartDate\":\"tomorrow\"}", "/requestedStartDate"},
        {"{\"description\":7}", "/description"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_refused(rows[i][0], 400, rows[i][1]);
    }
    assert_refused("[{\"op\":\"test\",\"path\":\"/x\",\"value\":2}]", 409,
                   "/0/value");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        PATCH_TEST(stores_what_the_client_has_of_it),
        PATCH_TEST(expects_its_completion_when_it_is_told),
        PATCH_TEST(takes_what_is_as_it_was),
        PATCH_TEST(leaves_null_where_it_was),
        PATCH_TEST(leaves_states_to_others),
        PATCH_TEST(changes_of_items_only_what_nobody_knows),
        PATCH_TEST(goes_into_nested_items),
        PATCH_TEST(refuses_what_is_fixed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
