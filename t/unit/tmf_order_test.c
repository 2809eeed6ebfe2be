/*
 * TMF641 serviceOrder: what the domain gets of a body, what a client sees of
 * an order, and what events keep of its changes.
 */
#include "t/unit/tmf_check.h"

#include "backend/tmf/order.h"

static order_t order;
static tmf_error_t fault;

static bool
read_order(const char *text)
{
    fault = (tmf_error_t){0};
    return order_from_tmf(arena, tree(text), &order, &fault);
}

/* The body is a 400 that names this attribute. */
#define assert_refused(text, at) \
    check_refused((text), (at), __FILE__, __LINE__)

static void
check_refused(const char *text, const char *at, const char *file, int line)
{
    bool good = read_order(text);

    if (good || fault.status != 400 || strcmp(fault.pointer, at) != 0 ||
        fault.message[0] == '\0') {
        print_error("%s: %d %s: %s\n", text, fault.status, fault.pointer,
                    fault.message);
        _fail(file, line);
    }
}

static void
assert_str(str_t s, const char *wanted)
{
    if (!str_is(s, wanted)) {
        fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(s), wanted);
    }
}

static void
reads_minimal(void **state)
{
    (void) state;
    assert_true(read_order("{\"serviceOrderItem\":[{\"id\":\"1\",\"action\":"
                           "\"add\",\"service\":{}}]}"));
    assert_int_equal(order.item_count, 1);
    assert_int_equal(order.items[0].parent, -1);
    assert_false(order.items[0].has_children);
    assert_int_equal(order.items[0].action, ACTION_ADD);
    assert_int_equal(order.items[0].depend_count, 0);
    assert_str(order.items[0].characteristics, "{}");
    assert_non_null(order.items[0].service);
    assert_true(order.requested_start_us == 0);
    assert_str(order.external_id, "");
}

static void
reads_attributes(void **state)
{
    (void) state;
    assert_true(read_order(
        "{\"externalId\":\"E-1\",\"category\":\"B2B\",\"priority\":\"2\","
        "\"description\":\"d\\u00e9\",\"requestedStartDate\":"
        "\"2030-01-01T01:00:00+01:00\",\"requestedCompletionDate\":"
        "\"2030-01-01T00:00:00+0000\",\"serviceOrderItem\":[{\"id\":\"1\","
        "\"action\":\"modify\",\"service\":{\"id\":\"S\",\"name\":\"N\","
        "\"serviceSpecification\":{\"id\":\"internet\",\"version\":\"2.0\"}}}"
        "]}"));
    assert_str(order.external_id, "E-1");
    assert_str(order.category, "B2B");
    assert_str(order.priority, "2");
    assert_str(order.description, "d\xc3\xa9");
    assert_true(order.requested_start_us == NEW_YEAR_2030);
    assert_true(order.requested_completion_us == NEW_YEAR_2030);
    assert_int_equal(order.items[0].action, ACTION_MODIFY);
    assert_str(order.items[0].service_id, "S");
    assert_str(order.items[0].service_name, "N");
    assert_str(order.items[0].spec_id, "internet");
    assert_str(order.items[0].spec_version, "2.0");
}

/* S2-85: names and values keep their spelling, near-duplicates too. */
static void
reads_characteristics(void **state)
{
    (void) state;
    assert_true(read_order(
        "{\"serviceOrderItem\":[{\"id\":\"1\",\"action\":\"add\",\"service\":"
        "{\"serviceCharacteristic\":[{\"name\":\"Bw\",\"value\":1.50e1},"
        "{\"value\":{ \"a\" :[1]},\"name\":\"bw\",\"valueType\":\"object\"},"
        "{\"name\":\"x\\\"y\\u0041\",\"value\":null},"
        "{\"name\":\"t\",\"value\":\"\\u00e9\"}]}}]}"));
    assert_str(order.items[0].characteristics,
               "{\"Bw\":1.50e1,\"bw\":{ \"a\" :[1]},\"x\\\"y\\u0041\":null,"
               "\"t\":\"\\u00e9\"}");
    tree_of(order.items[0].characteristics);
}

static void
reads_nested_depth_first(void **state)
{
    (void) state;
    assert_true(read_order(
        "{\"serviceOrderItem\":["
        "{\"id\":\"a\",\"action\":\"add\",\"service\":{},"
        "\"serviceOrderItem\":[{\"id\":\"b\",\"action\":\"delete\","
        "\"service\":{},\"serviceOrderItem\":[{\"id\":\"c\",\"action\":"
        "\"noChange\",\"service\":{}}]},{\"id\":\"d\",\"action\":\"add\","
        "\"service\":{},\"serviceOrderItem\":null}]},"
        "{\"id\":\"e\",\"action\":\"add\",\"service\":{},"
        "\"serviceOrderItem\":[]}]}"));
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    static const int parents[] = {-1, 0, 1, 0, -1};
    static const bool children[] = {true, true, false, false, false};
    assert_int_equal(order.item_count, 5);
    for (int i = 0; i < 5; i++) {
        assert_str(order.items[i].id, ids[i]);
        assert_int_equal(order.items[i].parent, parents[i]);
        assert_int_equal(order.items[i].has_children, children[i]);
    }
}

#define ITEM(id)     "{'id':'" id "','action':'add','service':{}}"
#define ORDER(items) "{'serviceOrderItem':[" items "]}"

/* An order of item 1 with these relationships, and of items 2 and 3. */
static const char *
related(const char *relations)
{
    str_t text = arena_printf(
        arena,
        "{'serviceOrderItem':[{'id':'1','action':'add','service':{},"
        "'serviceOrderItemRelationship':%s}," ITEM("2") "," ITEM("3") "]}",
        relations);
    return text.data;
}

static void
reads_dependencies(void **state)
{
    (void) state;
    assert_true(read_order(related(
        "[{'relationshipType':'reliesOn','orderItem':{'itemId':'3'}},"
        "{'relationshipType':'DEPENDENCY','orderItem':{'itemId':'2',"
        "'serviceOrderId':''}},"
        "{'relationshipType':'dependency','orderItem':{'itemId':'3',"
        "'serviceOrderId':null}},"
        "{'relationshipType':'bundles','orderItem':{'itemId':'nobody'}},"
        "{'orderItem':{'itemId':'nobody'}},{}]")));
    assert_int_equal(order.items[0].depend_count, 2);
    assert_int_equal(order.items[0].depends[0], 2);
    assert_int_equal(order.items[0].depends[1], 1);
    assert_int_equal(order.items[1].depend_count, 0);
    assert_true(read_order(related("null")));
    assert_int_equal(order.items[0].depend_count, 0);
}

static void
refuses_broken_references(void **state)
{
    (void) state;
    static const char *const broken[] = {
        "[{'relationshipType':'dependency','orderItem':{'itemId':'9'}}]",
        "[{'relationshipType':'dependency','orderItem':{'itemId':2}}]",
        "[{'relationshipType':'dependency','orderItem':{}}]",
        "[{'relationshipType':'reliesOn','orderItem':'2'}]",
        "[{'relationshipType':'reliesOn'}]",
        "[{'relationshipType':'reliesOn','orderItem':{'itemId':'2',"
        "'serviceOrderId':'other'}}]",
    };

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_refused(related(broken[i]),
                       "/serviceOrderItem/0/serviceOrderItemRelationship/0/"
                       "orderItem");
    }
    assert_refused(related("{}"),
                   "/serviceOrderItem/0/serviceOrderItemRelationship");
    /* in a nested item, the second of its relationships */
    assert_refused("{'serviceOrderItem':[" ITEM(
                       "1") ",{'id':'2','action':'add',"
                            "'service':{},'serviceOrderItem':[" ITEM(
                                "3") ",{'id':'4','action':"
                                     "'add','service':{},'"
                                     "serviceOrderItemRelationship':[{},"
                                     "{'relationshipType':'dependency','"
                                     "orderItem':{'itemId':'9'}}]}]}]}",
                   "/serviceOrderItem/1/serviceOrderItem/1/"
                   "serviceOrderItemRelationship/1/orderItem");
}

static void
refuses_cycles(void **state)
{
    (void) state;
    static const char *const cycles[] = {
        /* itself */
        "[{'id':'1','action':'add','service':{},"
        "'serviceOrderItemRelationship':[{'relationshipType':'reliesOn',"
        "'orderItem':{'itemId':'1'}}]}]",
        /* each other */
        "[{'id':'1','action':'add','service':{},"
        "'serviceOrderItemRelationship':[{'relationshipType':'dependency',"
        "'orderItem':{'itemId':'2'}}]},{'id':'2','action':'add',"
        "'service':{},'serviceOrderItemRelationship':[{'relationshipType':"
        "'reliesOn','orderItem':{'itemId':'1'}}]}]",
        /* its child */
        "[{'id':'1','action':'add','service':{},"
        "'serviceOrderItemRelationship':[{'relationshipType':'dependency',"
        "'orderItem':{'itemId':'2'}}],'serviceOrderItem':[" ITEM("2") "]}]",
    };

    for (size_t i = 0; i < sizeof(cycles) / sizeof(cycles[0]); i++) {
        str_t text = arena_printf(arena, "{'serviceOrderItem':%s}", cycles[i]);
        assert_false(read_order(text.data));
        assert_int_equal(fault.status, 400);
        assert_true(strncmp(fault.pointer, "/serviceOrderItem/", 18) == 0);
        assert_true(fault.message[0] != '\0');
    }
}

static void
refuses_malformed_items(void **state)
{
    (void) state;
    static const struct {
        const char *body, *pointer;
    } cases[] = {
        {"{}", "/serviceOrderItem"},
        {"[]", "/serviceOrderItem"},
        {"7", "/serviceOrderItem"},
        {"{'serviceOrderItem':[]}", "/serviceOrderItem"},
        {"{'serviceOrderItem':null}", "/serviceOrderItem"},
        {"{'serviceOrderItem':{'id':'1'}}", "/serviceOrderItem"},
        {ORDER("5"), "/serviceOrderItem/0"},
        {ORDER("[]"), "/serviceOrderItem/0"},
        {ORDER("{'action':'add','service':{}}"), "/serviceOrderItem/0/id"},
        {ORDER("{'id':7,'action':'add','service':{}}"),
         "/serviceOrderItem/0/id"},
        {ORDER("{'id':'','action':'add','service':{}}"),
         "/serviceOrderItem/0/id"},
        {ORDER(ITEM("1") ",{'id':'2','action':'Add','service':{}}"),
         "/serviceOrderItem/1/action"},
        {ORDER("{'id':'1','service':{}}"), "/serviceOrderItem/0/action"},
        {ORDER("{'id':'1','action':'add'}"), "/serviceOrderItem/0/service"},
        {ORDER("{'id':'1','action':'add','service':[]}"),
         "/serviceOrderItem/0/service"},
        {ORDER("{'id':'1','action':'add','service':{},"
               "'serviceOrderItem':{}}"),
         "/serviceOrderItem/0/serviceOrderItem"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_refused(cases[i].body, cases[i].pointer);
    }
}

/* Unique over the whole tree: a child may not have its parent's or its
 * cousin's. */
static void
refuses_duplicate_ids(void **state)
{
    (void) state;
    assert_refused(ORDER(ITEM("1") "," ITEM("1")), "/serviceOrderItem/1/id");
    assert_refused(ORDER("{'id':'1','action':'add','service':{},"
                         "'serviceOrderItem':[" ITEM("1") "]}"),
                   "/serviceOrderItem/0/serviceOrderItem/0/id");
    assert_refused(ORDER("{'id':'1','action':'add','service':{},"
                         "'serviceOrderItem':[" ITEM("2") "]}"
                                                          "," ITEM("\\u0032")),
                   "/serviceOrderItem/1/id");
}

#define CHARACTERISTICS(list)                                              \
    "{\"serviceOrderItem\":[{\"id\":\"1\",\"action\":\"add\",\"service\":" \
    "{\"serviceCharacteristic\":" list "}}]}"

static void
refuses_bad_characteristics(void **state)
{
    (void) state;
    const char *list = "/serviceOrderItem/0/service/serviceCharacteristic";
    const char *first = "/serviceOrderItem/0/service/serviceCharacteristic/0";

    assert_refused(CHARACTERISTICS("{}"), list);
    assert_refused(CHARACTERISTICS("\"x\""), list);
    assert_refused(CHARACTERISTICS("[{\"name\":\"a\",\"value\":1},"
                                   "{\"name\":\"b\",\"value\":1},"
                                   "{\"name\":\"\\u0061\",\"value\":2}]"),
                   list);
    assert_refused(CHARACTERISTICS("[{\"name\":\"a\"}]"), first);
    assert_refused(CHARACTERISTICS("[{\"value\":1}]"), first);
    assert_refused(CHARACTERISTICS("[{\"name\":1,\"value\":1}]"), first);
    assert_refused(CHARACTERISTICS("[{\"name\":\"\",\"value\":1}]"), first);
    assert_refused(CHARACTERISTICS("[1]"), first);
    assert_true(read_order(CHARACTERISTICS("null")));
    assert_true(read_order(CHARACTERISTICS("[]")));
    assert_str(order.items[0].characteristics, "{}");
}

static void
refuses_bad_times(void **state)
{
    (void) state;
    assert_refused("{\"requestedStartDate\":\"tomorrow\","
                   "\"serviceOrderItem\":[" ITEM("1") "]}",
                   "/requestedStartDate");
    assert_refused("{\"requestedCompletionDate\":5,"
                   "\"serviceOrderItem\":[" ITEM("1") "]}",
                   "/requestedCompletionDate");
}

/* An order of n items, the i-th of which depends on the d before it. */
static char *
many_items(int n, int depends)
{
    buf_reset(&out);
    buf_puts(&out, "{\"serviceOrderItem\":[");
    for (int i = 0; i < n; i++) {
        buf_printf(&out,
                   "%s{\"id\":\"%d\",\"action\":\"add\",\"service\":{},"
                   "\"serviceOrderItemRelationship\":[",
                   i ? "," : "", i);
        for (int d = 1; d <= depends && d <= i; d++) {
            buf_printf(&out,
                       "%s{\"relationshipType\":\"dependency\","
                       "\"orderItem\":{\"itemId\":\"%d\"}}",
                       d > 1 ? "," : "", i - d);
        }
        buf_puts(&out, "]}");
    }
    buf_puts(&out, "]}");
    return arena_z(arena, buf_view(&out));
}

static void
bounds_items_and_dependencies(void **state)
{
    (void) state;
    assert_true(read_order(many_items(ORDER_MAX_ITEMS, 16)));
    assert_int_equal(order.item_count, ORDER_MAX_ITEMS);
    assert_int_equal(order.items[ORDER_MAX_ITEMS - 1].depend_count, 16);
    assert_refused(many_items(ORDER_MAX_ITEMS + 1, 0), "/serviceOrderItem");
    assert_refused(many_items(18, 17),
                   "/serviceOrderItem/17/serviceOrderItemRelationship/16/"
                   "orderItem");
}

static char *
many_characteristics(int n)
{
    buf_reset(&out);
    buf_puts(&out, "{\"serviceOrderItem\":[{\"id\":\"1\",\"action\":\"add\","
                   "\"service\":{\"serviceCharacteristic\":[");
    for (int i = 0; i < n; i++) {
        buf_printf(&out, "%s{\"name\":\"%d\",\"value\":%d}", i ? "," : "", i,
                   i);
    }
    buf_puts(&out, "]}}]}");
    return arena_z(arena, buf_view(&out));
}

static void
bounds_characteristics(void **state)
{
    (void) state;
    assert_true(read_order(many_characteristics(1024)));
    assert_int_equal(tree_of(order.items[0].characteristics)->count, 1024);
    assert_refused(many_characteristics(1025),
                   "/serviceOrderItem/0/service/serviceCharacteristic");
}

static const item_record_t fresh_item = {.id = {"1", 1}};

static order_record_t
record_of(const char *doc, const item_record_t *items, int n)
{
    return (order_record_t){
        .id = uuid_of(ORDER_ID),
        .state = ORDER_ACKNOWLEDGED,
        .order_date_us = NEW_YEAR_2030,
        .expected_us = NO_TIME,
        .start_us = NO_TIME,
        .completion_us = NO_TIME,
        .doc = json_of(doc),
        .items = items,
        .item_count = n,
    };
}

static const json_t *
show(const order_record_t *o, const tmf_view_t *v)
{
    buf_reset(&out);
    order_to_tmf(&out, arena, o, v);
    assert_false(buf_failed(&out));
    return tree_of(arena_str(arena, buf_view(&out)));
}

#define HREF                                                                  \
    "\"https://api.example/tmf-api/serviceOrdering/v4/serviceOrder/" ORDER_ID \
    "\""
#define SERVICE_HREF                                                        \
    "\"https://api.example/tmf-api/serviceInventory/v4/service/" SERVICE_ID \
    "\""

static void
shows_new_order(void **state)
{
    (void) state;
    order_record_t o = record_of(ORDER(ITEM("1")), &fresh_item, 1);
    tmf_view_t v = view_all();

    show(&o, &v);
    assert_string_equal(
        out.data,
        "{\"id\":\"" ORDER_ID "\",\"href\":" HREF ",\"state\":"
        "\"acknowledged\",\"orderDate\":\"2030-01-01T00:00:00.000Z\","
        "\"@type\":\"ServiceOrder\",\"serviceOrderItem\":[{\"id\":\"1\","
        "\"action\":\"add\",\"service\":{},\"state\":\"acknowledged\"}]}");
}

static void
expects_what_was_patched(void **state)
{
    (void) state;
    order_record_t o =
        record_of("{\"expectedCompletionDate\":\"2029-01-01T00:00:00Z\","
                  "\"serviceOrderItem\":[" ITEM("1") "]}",
                  &fresh_item, 1);
    tmf_view_t v = view_all();

    assert_at(show(&o, &v), "/expectedCompletionDate", NULL);
    o.expected_us = NEW_YEAR_2030;
    assert_at(show(&o, &v), "/expectedCompletionDate",
              "\"2030-01-01T00:00:00.000Z\"");
}

static void
gives_back_what_was_sent(void **state)
{
    (void) state;
    const char *doc =
        "{ \"@type\" : \"MyOrder\", \"x\" : 1.0e+2 , \"\\u0061b\": [ 1 ,2],"
        "\"serviceOrderItem\":[{\"action\":\"add\",\"@type\":\"MyItem\","
        "\"id\":\"1\",\"service\":{ \"place\":[ {\"role\" :\"r\"}],\"id\":"
        "\"mine\"},\"quantity\":1}],\"relatedParty\":null,\"note\":[{}]}";
    order_record_t o = record_of(doc, &fresh_item, 1);
    tmf_view_t v = view_all();
    const json_t *r = show(&o, &v);

    assert_at(r, "/@type", "\"MyOrder\"");
    assert_at(r, "/x", "1.0e+2");
    assert_at(r, "/ab", "[ 1 ,2]");
    assert_at(r, "/relatedParty", "null");
    assert_at(r, "/note", "[{}]");
    assert_at(r, "/serviceOrderItem/0/@type", "\"MyItem\"");
    assert_at(r, "/serviceOrderItem/0/quantity", "1");
    /* no service known yet: the object is left as it is */
    assert_at(r, "/serviceOrderItem/0/service",
              "{ \"place\":[ {\"role\" :\"r\"}],\"id\":\"mine\"}");
}

static void
hides_what_is_the_servers(void **state)
{
    (void) state;
    const char *doc =
        "{\"id\":\"x\",\"href\":\"x\",\"state\":\"completed\",\"orderDate\":"
        "1,\"startDate\":1,\"completionDate\":1,\"expectedCompletionDate\":1,"
        "\"errorMessage\":[],\"milestone\":[],\"jeopardyAlert\":[],"
        "\"pendingExternal\":{},\"serviceOrderItem\":[{\"id\":\"1\","
        "\"state\":\"completed\",\"errorMessage\":[],\"pendingExternal\":{},"
        "\"action\":\"add\",\"service\":{}}]}";
    order_record_t o = record_of(doc, &fresh_item, 1);
    tmf_view_t v = view_all();
    const json_t *r = show(&o, &v);

    assert_int_equal(r->count, 6);
    assert_at(r, "/id", "\"" ORDER_ID "\"");
    assert_at(r, "/href", HREF);
    assert_at(r, "/state", "\"acknowledged\"");
    assert_at(r, "/orderDate", "\"2030-01-01T00:00:00.000Z\"");
    assert_at(r, "/serviceOrderItem/0",
              "{\"id\":\"1\",\"action\":\"add\",\"service\":{},"
              "\"state\":\"acknowledged\"}");
}

static void
shows_service_and_dates(void **state)
{
    (void) state;
    item_record_t item = {.id = STR("1"),
                          .state = ORDER_COMPLETED,
                          .service_id = uuid_of(SERVICE_ID)};
    order_record_t o = record_of(
        ORDER("{\"id\":\"1\",\"action\":\"modify\",\"service\":{\"id\":"
              "\"old\",\"href\":\"old\",\"name\":\"n\"}}"),
        &item, 1);
    tmf_view_t v = view_all();

    o.state = ORDER_COMPLETED;
    o.start_us = NEW_YEAR_2030 + 1000;
    o.completion_us = NEW_YEAR_2030 + 2999;
    const json_t *r = show(&o, &v);
    assert_at(r, "/startDate", "\"2030-01-01T00:00:00.001Z\"");
    assert_at(r, "/completionDate", "\"2030-01-01T00:00:00.002Z\"");
    assert_at(r, "/serviceOrderItem/0/service",
              "{\"id\":\"" SERVICE_ID "\",\"href\":" SERVICE_HREF
              ",\"name\":\"n\"}");
    /* a service that the document has no place for is shown all the same */
    o.doc = STR("{\"serviceOrderItem\":[{\"id\":\"1\"}]}");
    r = show(&o, &v);
    assert_at(r, "/serviceOrderItem/0/service/id", "\"" SERVICE_ID "\"");
    o.doc = STR("{\"serviceOrderItem\":[{\"id\":\"1\",\"service\":7}]}");
    r = show(&o, &v);
    assert_at(r, "/serviceOrderItem/0/service/href", SERVICE_HREF);
}

/* What a client wrote under these names is its own until it is ours. */
static void
shows_a_cancellation(void **state)
{
    (void) state;
    order_record_t o =
        record_of("{'cancellationDate':'a','cancellationReason':'b',"
                  "'serviceOrderItem':[]}",
                  NULL, 0);
    tmf_view_t v = view_all();
    const json_t *r = show(&o, &v);

    assert_at(r, "/cancellationDate", "\"a\"");
    assert_at(r, "/cancellationReason", "\"b\"");
    o.state = ORDER_PENDING_CANCELLATION;
    o.cancellation_reason = STR("late");
    r = show(&o, &v);
    assert_at(r, "/cancellationDate", "\"a\"");
    assert_at(r, "/cancellationReason", "\"late\"");
    o.state = ORDER_CANCELLED;
    o.completion_us = NEW_YEAR_2030;
    r = show(&o, &v);
    assert_at(r, "/cancellationDate", "\"2030-01-01T00:00:00.000Z\"");
    assert_at(r, "/completionDate", NULL);
    assert_null(strstr(out.data, "\"b\""));
    o.state = ORDER_FAILED;
    r = show(&o, &v);
    assert_at(r, "/completionDate", "\"2030-01-01T00:00:00.000Z\"");
}

static void
shows_errors_and_waiting(void **state)
{
    (void) state;
    item_record_t items[] = {
        {.id = STR("a"),
         .state = ORDER_FAILED,
         .error = STR("[{\"code\":\"x\"}]")},
        {.id = STR("b"),
         .state = ORDER_PENDING_EXTERNAL,
         .pending = STR("{\"party\":\"p\"}")},
        {.id = STR("c"),
         .state = ORDER_PENDING_EXTERNAL,
         .pending = STR("{\"party\":\"q\"}")},
    };
    order_record_t o = record_of(
        "{'serviceOrderItem':[" ITEM(
            "a") ",{'id':'b','action':"
                 "'add','service':{},'serviceOrderItem':[" ITEM("c") "]}]}",
        items, 3);
    tmf_view_t v = view_all();

    o.state = ORDER_PENDING_EXTERNAL;
    o.error = STR("[{\"code\":\"y\"}]");
    const json_t *r = show(&o, &v);
    assert_at(r, "/state", "\"pendingExternal\"");
    assert_at(r, "/errorMessage", "[{\"code\":\"y\"}]");
    assert_at(r, "/pendingExternal", "{\"party\":\"p\"}");
    assert_at(r, "/serviceOrderItem/0/state", "\"failed\"");
    assert_at(r, "/serviceOrderItem/0/errorMessage", "[{\"code\":\"x\"}]");
    assert_at(r, "/serviceOrderItem/0/pendingExternal", NULL);
    assert_at(r, "/serviceOrderItem/1/state", "\"pendingExternal\"");
    assert_at(r, "/serviceOrderItem/1/serviceOrderItem/0/pendingExternal",
              "{\"party\":\"q\"}");

    v.strict = true;
    r = show(&o, &v);
    assert_at(r, "/state", "\"pending\"");
    assert_at(r, "/pendingExternal", "{\"party\":\"p\"}");
    assert_at(r, "/serviceOrderItem/1/state", "\"pending\"");
    assert_at(r, "/serviceOrderItem/1/serviceOrderItem/0/state",
              "\"pending\"");
}

/* Records in another order than the document still find their items. */
static void
matches_items_by_id(void **state)
{
    (void) state;
    item_record_t items[] = {
        {.id = STR("c"), .state = ORDER_FAILED},
        {.id = STR("a"), .state = ORDER_COMPLETED},
    };
    order_record_t o =
        record_of(ORDER(ITEM("a") "," ITEM("b") "," ITEM("c") ",5"), items, 2);
    tmf_view_t v = view_all();
    const json_t *r = show(&o, &v);

    assert_at(r, "/serviceOrderItem/0/state", "\"completed\"");
    assert_at(r, "/serviceOrderItem/1/state", NULL);
    assert_at(r, "/serviceOrderItem/2/state", "\"failed\"");
    assert_at(r, "/serviceOrderItem/3", "5");
}

static void
selects_fields(void **state)
{
    (void) state;
    item_record_t item = {.id = STR("1"), .pending = STR("{}")};
    order_record_t o = record_of(
        "{\"category\":\"c\",\"x\":1,\"serviceOrderItem\":[{\"id\":\"1\"}]}",
        &item, 1);
    query_t q;
    tmf_view_t v = view_with(&q, "none");

    show(&o, &v);
    assert_string_equal(out.data,
                        "{\"id\":\"" ORDER_ID "\",\"href\":" HREF "}");
    v = view_with(&q, "category,nobody");
    show(&o, &v);
    assert_string_equal(out.data, "{\"id\":\"" ORDER_ID "\",\"href\":" HREF
                                  ",\"category\":\"c\"}");
    v = view_with(&q, "serviceOrderItem.state,orderDate,@type");
    show(&o, &v);
    assert_string_equal(
        out.data, "{\"id\":\"" ORDER_ID "\",\"href\":" HREF
                  ",\"orderDate\":\"2030-01-01T00:00:00.000Z\",\"@type\":"
                  "\"ServiceOrder\",\"serviceOrderItem\":[{\"id\":\"1\","
                  "\"state\":\"acknowledged\",\"pendingExternal\":{}}]}");
    v = view_with(&q, "pendingExternal,state");
    const json_t *r = show(&o, &v);
    assert_int_equal(r->count, 4);
    assert_at(r, "/pendingExternal", "{}");
}

/* What the database gives back was JSON once; nothing else may kill us. */
static void
survives_a_broken_document(void **state)
{
    (void) state;
    static const char *const docs[] = {"", "{", "[]", "7", "null"};
    tmf_view_t v = view_all();

    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
        order_record_t o = record_of(docs[i], &fresh_item, 1);
        assert_at(show(&o, &v), "/state", "\"acknowledged\"");
    }
}

static void
escapes_hrefs(void **state)
{
    (void) state;
    tmf_view_t v = {STR("https://h"), STR("v4"), false, NULL};

    buf_reset(&out);
    tmf_href(&out, &v, API_CATALOG, "serviceSpecification",
             STR("a/b \"\xc3\xa9"));
    assert_string_equal(out.data,
                        "https://h/tmf-api/serviceCatalogManagement/v4/"
                        "serviceSpecification/a%2Fb%20%22%C3%A9");
}

static void
writes_change_data(void **state)
{
    (void) state;
    order_change_item_t items[] = {
        {.item_id = STR("1"),
         .action = "add",
         .state = ORDER_PENDING_EXTERNAL,
         .pending = STR("{\"party\":\"p\"}")},
        {.item_id = STR("2"),
         .action = "modify",
         .state = ORDER_COMPLETED,
         .service_id = uuid_of(SERVICE_ID),
         .characteristics = STR("{\"a\":1}"),
         .error = STR("[]")},
    };
    order_change_t c = {
        .external_id = STR("E"),
        .state = ORDER_PENDING_EXTERNAL,
        .order_date_us = NEW_YEAR_2030,
        .start_us = NEW_YEAR_2030,
        .completion_us = NO_TIME,
        .pending = STR("{\"party\":\"p\"}"),
        .items = items,
        .item_count = 2,
    };

    buf_reset(&out);
    order_change_data(&out, &c);
    assert_string_equal(
        out.data,
        "{\"externalId\":\"E\",\"state\":\"pendingExternal\",\"orderDate\":"
        "\"2030-01-01T00:00:00.000Z\",\"startDate\":"
        "\"2030-01-01T00:00:00.000Z\",\"pendingExternal\":{\"party\":\"p\"},"
        "\"serviceOrderItem\":[{\"id\":\"1\",\"action\":\"add\",\"state\":"
        "\"pendingExternal\",\"pendingExternal\":{\"party\":\"p\"}},"
        "{\"id\":\"2\",\"action\":\"modify\",\"state\":\"completed\","
        "\"service\":{\"id\":\"" SERVICE_ID "\",\"serviceCharacteristic\":"
        "{\"a\":1}},\"errorMessage\":[]}]}");
    buf_reset(&out);
    c = (order_change_t){.state = ORDER_HELD,
                         .order_date_us = NO_TIME,
                         .start_us = NO_TIME,
                         .completion_us = NO_TIME,
                         .field_path = "note"};
    order_change_data(&out, &c);
    assert_string_equal(out.data, "{\"state\":\"held\","
                                  "\"serviceOrderItem\":[],"
                                  "\"fieldPath\":\"note\"}");
}

static void
writes_messages(void **state)
{
    (void) state;
    buf_reset(&out);
    order_error_message(&out, STR("c"), STR("r"), STR("say \"no\""), 503,
                        NEW_YEAR_2030, STR("1"));
    assert_string_equal(out.data,
                        "{\"code\":\"c\",\"reason\":\"r\",\"message\":\"say "
                        "\\\"no\\\"\",\"status\":\"503\",\"timestamp\":"
                        "\"2030-01-01T00:00:00.000Z\",\"serviceOrderItem\":"
                        "[{\"itemId\":\"1\"}]}");
    buf_reset(&out);
    order_error_message(&out, STR("c"), STR("r"), STR("m"), 0, NEW_YEAR_2030,
                        STR_NONE);
    assert_string_equal(out.data,
                        "{\"code\":\"c\",\"reason\":\"r\",\"message\":\"m\","
                        "\"timestamp\":\"2030-01-01T00:00:00.000Z\"}");
    buf_reset(&out);
    order_pending_external(&out, STR("p"), STR_NONE, NEW_YEAR_2030, NO_TIME);
    assert_string_equal(out.data, "{\"party\":\"p\",\"since\":"
                                  "\"2030-01-01T00:00:00.000Z\"}");
    buf_reset(&out);
    order_pending_external(&out, STR("p"), STR("r"), NEW_YEAR_2030,
                           NEW_YEAR_2030);
    assert_at(tree_of(buf_view(&out)), "/until",
              "\"2030-01-01T00:00:00.000Z\"");
    assert_at(tree_of(buf_view(&out)), "/reason", "\"r\"");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(reads_minimal),
        CHECK_TEST(reads_attributes),
        CHECK_TEST(reads_characteristics),
        CHECK_TEST(reads_nested_depth_first),
        CHECK_TEST(reads_dependencies),
        CHECK_TEST(refuses_broken_references),
        CHECK_TEST(refuses_cycles),
        CHECK_TEST(refuses_malformed_items),
        CHECK_TEST(refuses_duplicate_ids),
        CHECK_TEST(refuses_bad_characteristics),
        CHECK_TEST(refuses_bad_times),
        CHECK_TEST(bounds_items_and_dependencies),
        CHECK_TEST(bounds_characteristics),
        CHECK_TEST(shows_new_order),
        CHECK_TEST(expects_what_was_patched),
        CHECK_TEST(gives_back_what_was_sent),
        CHECK_TEST(hides_what_is_the_servers),
        CHECK_TEST(shows_service_and_dates),
        CHECK_TEST(shows_a_cancellation),
        CHECK_TEST(shows_errors_and_waiting),
        CHECK_TEST(matches_items_by_id),
        CHECK_TEST(selects_fields),
        CHECK_TEST(survives_a_broken_document),
        CHECK_TEST(escapes_hrefs),
        CHECK_TEST(writes_change_data),
        CHECK_TEST(writes_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
