/*
 * What a hub subscription asks for: its query read, envelopes held against it
 * and trimmed by it.
 */
#include "t/unit/tmf_check.h"

#include "backend/tmf/event_filter.h"

static tmf_error_t fault;

static event_filter_t *
filter(api_t api, const char *query)
{
    fault = (tmf_error_t){0};
    return event_filter_parse(arena, api, TMF_V4, str_of(query), &fault);
}

static bool
wants(const event_filter_t *f, const char *type)
{
    return event_filter_match(f, str_of(type));
}

static void
takes_every_event_of_its_api(void **state)
{
    const event_type_t *t;
    int count;

    (void) state;
    for (int api = 0; api < API_COUNT; api++) {
        event_filter_t *f = filter((api_t) api, "");

        assert_non_null(f);
        for (int i = 0; (t = event_type_at(i)) != NULL; i++) {
            assert_int_equal(wants(f, t->type),
                             t->api == (api_t) api && !t->only_v5);
        }
        assert_false(wants(f, "NoSuchEvent"));
        assert_false(event_filter_has_conditions(f));
        assert_false(event_filter_has_fields(f));
        assert_null(event_filter_types(f, arena, &count));
        assert_int_equal(count, 0);
    }
}

static void
takes_the_types_asked_for(void **state)
{
    static const char *const queries[] = {
        "eventType=ServiceOrderCreateEvent,ServiceOrderStateChangeEvent",
        "eventType=ServiceOrderCreateEvent&"
        "eventType=ServiceOrderStateChangeEvent",
        "eventType=%22ServiceOrderCreateEvent%22,"
        "ServiceOrder%53tateChangeEvent&",
        "eventType=ServiceOrderCreateEvent;ServiceOrderStateChangeEvent",
        "eventType==ServiceOrderCreateEvent;"
        "eventType=ServiceOrderStateChangeEvent",
        "eventType=ServiceOrderCreateEvent,ServiceOrderStateChangeEvent,"
        "ServiceOrderDeleteEvent&eventType.ne=ServiceOrderDeleteEvent",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        event_filter_t *f = filter(API_ORDERING, queries[i]);
        const str_t *types;
        int count;

        assert_non_null(f);
        assert_true(wants(f, "ServiceOrderCreateEvent"));
        assert_true(wants(f, "ServiceOrderStateChangeEvent"));
        assert_false(wants(f, "ServiceOrderDeleteEvent"));
        assert_false(wants(f, "ServiceCreateEvent"));
        assert_false(event_filter_has_conditions(f));
        types = event_filter_types(f, arena, &count);
        assert_int_equal(count, 2);
        assert_true(str_is(types[0], "ServiceOrderCreateEvent"));
        assert_true(str_is(types[1], "ServiceOrderStateChangeEvent"));
    }
}

static void
takes_all_types_but_some(void **state)
{
    event_filter_t *f =
        filter(API_INVENTORY, "eventType.ne=ServiceDeleteEvent");
    int count;

    (void) state;
    assert_non_null(f);
    assert_true(wants(f, "ServiceCreateEvent"));
    assert_false(wants(f, "ServiceDeleteEvent"));
    assert_false(wants(f, "ServiceOrderCreateEvent"));
    (void) event_filter_types(f, arena, &count);
    assert_int_equal(count, 3);
}

/* What a condition looks into decides what is kept for it. */
static void
conditions_narrow_the_types(void **state)
{
    event_filter_t *f =
        filter(API_ORDERING, "event.cancelServiceOrder.state=done");
    int count;

    (void) state;
    assert_non_null(f);
    assert_true(wants(f, "CancelServiceOrderStateChangeEvent"));
    assert_false(wants(f, "ServiceOrderStateChangeEvent"));
    (void) event_filter_types(f, arena, &count);
    assert_int_equal(count, 3);

    f = filter(API_ORDERING, "event.cancelServiceOrder.state.ne=done");
    assert_true(wants(f, "ServiceOrderStateChangeEvent"));
    assert_null(event_filter_types(f, arena, &count));

    f = filter(API_ORDERING, "event.cancelServiceOrder.state=done;"
                             "eventType=ServiceOrderCreateEvent");
    assert_non_null(f);
    assert_true(wants(f, "CancelServiceOrderCreateEvent"));
    assert_true(wants(f, "ServiceOrderCreateEvent"));
    assert_false(wants(f, "ServiceOrderDeleteEvent"));
    (void) event_filter_types(f, arena, &count);
    assert_int_equal(count, 4);
    f = filter(API_ORDERING, "priority=1;eventType=ServiceOrderCreateEvent");
    assert_null(event_filter_types(f, arena, &count));

    f = filter(API_INVENTORY, "event.service.name=x");
    assert_null(event_filter_types(f, arena, &count));

    f = filter(API_ORDERING, "priority=1");
    assert_true(wants(f, "CancelServiceOrderStateChangeEvent"));
    assert_null(event_filter_types(f, arena, &count));
}

static void
refuses_other_queries(void **state)
{
    static const char *const queries[] = {
        "eventType=Nonsense",
        "eventType=",
        "eventType=ServiceCreateEvent", /* of another API */
        "eventType=ServiceOrderCreateEvent,Nonsense",
        "eventtype=ServiceOrderCreateEvent",
        "eventType.ne=Nonsense",
        "eventType.x=ServiceOrderCreateEvent",
        "eventType",
        "eventType=%zz",
        "eventType.gt=ServiceOrderCreateEvent",
        "eventType%3C%3DServiceOrderCreateEvent",
        "eventType=ServiceOrderCreateEvent&"
        "eventType.ne=ServiceOrderCreateEvent",
        "eventType=CancelServiceOrderCreateEvent&"
        "event.serviceOrder.state=completed",
        "eventType=ServiceOrderCreateEvent;id=1",
        "eventType.regex=.*",
        "event.serviceOrder.externalId.regex=a",
        "eventId*=a",
        "eventId=1;priority=2&domain=x",
        "eventType=ServiceOrderCreateEvent&id=1",
        "id=1&eventType=ServiceOrderCreateEvent",
        "state=completed",
        "serviceOrder.state=completed",
        "timeOccurred=2030-01-01T00:00:00Z",
        "@type=Event",
        "event.service.state=active", /* of another API */
        "event.ServiceOrder.state=completed",
        "event.serviceOrder..state=completed",
        "event.serviceOrder.state",
        "=completed",
        "limit=5",
        "offset=5",
        "offset=0",
        "sort=eventTime",
        "eventType=ServiceOrderCreateEvent&sort=-eventTime",
        "filter=$.x",
        "event.serviceOrder.state.gt=completed",
        "event.serviceOrder.serviceOrderItem.action.lt=add",
        "event.serviceOrder.gt=1",
        "event.serviceOrder.relatedParty.lte=1",
        "event.serviceOrder.serviceOrderItem.quantity.gt=many",
        "event.serviceOrder.requestedStartDate.gt=tomorrow",
        "event.serviceOrder.requestedStartDate.gt=2030-01-01T00:00:00+01:00",
        "eventTime.lt=2030",
        "timeOcurred%3E1",
        "fields=event..id",
        "fields=.event",
        "fields=event.",
        "fields=a.b.c.d.e.f.g.h.i",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        if (filter(API_ORDERING, queries[i]) || fault.status != 400 ||
            strcmp(fault.pointer, "/query") != 0 || fault.message[0] == '\0') {
            fail_msg("%s: %d %s %s", queries[i], fault.status, fault.pointer,
                     fault.message);
        }
    }
}

#define ENVELOPE                                                           \
    "{\"eventId\":\"e-1\",\"eventTime\":\"2030-01-01T00:00:00.000Z\","     \
    "\"eventType\":\"ServiceOrderStateChangeEvent\",\"priority\":\"1\","   \
    "\"title\":\"t\",\"event\":{\"serviceOrder\":{\"id\":\"42\","          \
    "\"state\":\"completed\",\"externalId\":\"a,\\\"b\\u00e9\","           \
    "\"orderDate\":\"2030-01-01T12:00:00.500Z\",\"category\":null,"        \
    "\"x\":{\"n\":100.0,\"t\":\"100\",\"big\":1e2,\"yes\":true,"           \
    "\"when\":\"2030-01-01T13:00:00+01:00\",\"word\":\"b\","               \
    "\"deep\":[[{\"y\":[7,8]}],5],\"none\":[]},"                           \
    "\"note\":[{\"text\":\"one\",\"author\":\"me\"},{\"text\":\"two\"}],"  \
    "\"serviceOrderItem\":[{\"id\":\"1\",\"quantity\":2,\"service\":{"     \
    "\"id\":\"s\",\"serviceCharacteristic\":[{\"name\":\"bandwidth\","     \
    "\"value\":\"200\"},{\"name\":\"vlan\",\"value\":7}]}},{\"id\":\"2\"," \
    "\"quantity\":10,\"service\":{}}]}}}"

static bool
passes(const char *query)
{
    event_filter_t *f = filter(API_ORDERING, query);

    if (!f) {
        fail_msg("%s: %s", query, fault.message);
    }
    return event_filter_passes(f, tree_of(STR(ENVELOPE)));
}

#define ORDER "event.serviceOrder."
#define CHARACTERISTIC \
    ORDER "serviceOrderItem.service.serviceCharacteristic.value"

static void
holds_envelopes_against_conditions(void **state)
{
    static const char *const rows[][2] = {
        /* met, and the same missed */
        {ORDER "state=completed", ORDER "state=failed"},
        {ORDER "state=failed,completed", ORDER "state=failed,held"},
        {ORDER "state=failed;completed", ORDER "state=Completed"},
        {ORDER "state=%22completed%22", ORDER "state=%22completed"},
        {ORDER "state.ne=failed", ORDER "state.ne=failed,completed"},
        {ORDER "state=completed&" ORDER "id=42",
         ORDER "state=completed&" ORDER "id=43"},
        {ORDER "externalId=a%2C%22b%C3%A9", ORDER "externalId=a,b"},
        {ORDER "nothing.ne=1", ORDER "nothing=1"},
        {ORDER "nothing.ne=1", ORDER "nothing.gt=1"},
        {ORDER "nothing.ne=1", ORDER "state.inner=completed"},
        {ORDER "category=null", ORDER "category="},
        {ORDER "category.ne=", ORDER "category.ne=null"},
        /* objects are equal to nothing */
        {ORDER "x.ne=1", ORDER "x=%7B%7D"},
        {ORDER "x.none.ne=1", ORDER "x.none=%5B%5D"},
        /* numbers, and texts that spell them */
        {ORDER "x.n=100", ORDER "x.n=101"},
        {ORDER "x.n=1e2", ORDER "x.n=100x"},
        {ORDER "x.big=100.00", ORDER "x.big=10"},
        {ORDER "x.t=100", ORDER "x.t=100.0"},
        {ORDER "x.n.gt=99.5", ORDER "x.n.gt=100"},
        {ORDER "x.n.gte=100", ORDER "x.n.lt=100"},
        {ORDER "x.n.lte=100", ORDER "x.n.lte=99"},
        {ORDER "x.n%3E20", ORDER "x.n%3C20"},
        {ORDER "x.t.gt=20", ORDER "x.t.lt=20"}, /* not by its first digit */
        {ORDER "x.word.gte=b", ORDER "x.word.gt=1"}, /* no number */
        {ORDER "x.n.lt=101", ORDER "x.n.lt=a"},
        {ORDER "serviceOrderItem.quantity.gt=9",
         ORDER "serviceOrderItem.quantity.gt=10"},
        /* a text by the schema is one */
        {ORDER "externalId.gt=9", ORDER "externalId.lt=9"},
        {ORDER "id.lt=5", ORDER "id.gt=5"},
        {ORDER "x.word.lt=ba", ORDER "x.word.gt=ba"},
        /* true, false */
        {ORDER "x.yes=true", ORDER "x.yes=false"},
        {ORDER "x.yes.ne=false", ORDER "x.yes=1"},
        {ORDER "x.yes.ne=false", ORDER "x.yes.gt=false"},
        /* times by instant */
        {"eventTime=2030-01-01T00:00:00Z", "eventTime=2030-01-01T00:00:01Z"},
        {"eventTime=2030-01-01T01:00:00%2B01:00",
         "eventTime=2030-01-01T01:00:00Z"},
        {"eventTime.gt=2029-12-31T23:59:59.999Z",
         "eventTime.gt=2030-01-01T00:00:00Z"},
        {ORDER "x.when=2030-01-01T12:00:00Z",
         ORDER "x.when=2030-01-01T13:00:00Z"},
        {ORDER "x.when.lt=2030-01-01T12:30:00Z",
         ORDER "x.when.gt=2030-01-01T12:30:00Z"},
        {ORDER "x.word.ne=2030-01-01T12:30:00Z",
         ORDER "x.word.gt=2030-01-01T12:30:00Z"}, /* no time */
        /* lists by any element, each condition for itself */
        {ORDER "note.text=two", ORDER "note.text=three"},
        {ORDER "note.text=two&" ORDER "note.author=me",
         ORDER "note.text=two&" ORDER "note.author=you"},
        {ORDER "note.text.ne=three", ORDER "note.text.ne=one"},
        {CHARACTERISTIC "=200", CHARACTERISTIC "=8"},
        {CHARACTERISTIC "=7", CHARACTERISTIC ".gt=200"},
        {CHARACTERISTIC ".gt=100", CHARACTERISTIC ".lt=7"},
        {ORDER "x.deep.y=8", ORDER "x.deep.y=5"},
        {ORDER "x.deep=5", ORDER "x.deep=8"},
        /* either */
        {ORDER "state=failed;" ORDER "id=42",
         ORDER "state=failed;" ORDER "id=4"},
        {ORDER "state.ne=completed;" ORDER "id=42",
         ORDER "state.ne=completed;" ORDER "id.ne=42"},
        {"eventType=ServiceOrderStateChangeEvent;" ORDER "id=4",
         "eventType=ServiceOrderCreateEvent;" ORDER "id=4"},
        {"eventType.ne=ServiceOrderCreateEvent;" ORDER "id=4",
         "eventType.ne=ServiceOrderStateChangeEvent;" ORDER "id=4"},
        /* the envelope's own */
        {"eventId=e-1&priority=1", "eventId=e-1&priority=2"},
        {"correlationId.ne=x", "correlationId=x"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!passes(rows[i][0])) {
            fail_msg("%s is missed", rows[i][0]);
        }
        if (passes(rows[i][1])) {
            fail_msg("%s is met", rows[i][1]);
        }
    }
}

/* Not what a row above says otherwise: every operator is the opposite of its
 * counterpart where there is one value to compare. */
static void
operators_agree(void **state)
{
    static const char *const values[] = {"99",  "100", "100.0",
                                         "101", "1e2", "-1"};
    static const char *const pairs[][2] = {
        {"", ".ne"}, {".gt", ".lte"}, {".lt", ".gte"}};
    char query[2][128];

    (void) state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        for (size_t k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++) {
            for (int j = 0; j < 2; j++) {
                snprintf(query[j], sizeof(query[j]), ORDER "x.n%s=%s",
                         pairs[k][j], values[i]);
            }
            if (passes(query[0]) == passes(query[1])) {
                fail_msg("%s and %s", query[0], query[1]);
            }
        }
    }
}

#define ALWAYS                                                        \
    "\"eventId\":\"e-1\",\"eventTime\":\"2030-01-01T00:00:00.000Z\"," \
    "\"eventType\":\"ServiceOrderStateChangeEvent\""

static void
assert_trimmed(const char *query, const char *expected)
{
    event_filter_t *f = filter(API_ORDERING, query);

    assert_non_null(f);
    assert_true(event_filter_has_fields(f));
    buf_reset(&out);
    event_filter_trim(f, tree_of(STR(ENVELOPE)), &out);
    assert_false(buf_failed(&out));
    assert_string_equal(out.data, expected);
}

static void
trims_envelopes(void **state)
{
    (void) state;
    assert_trimmed("fields=none", "{" ALWAYS "}");
    assert_trimmed("fields=nothing,event.no,title.x",
                   "{" ALWAYS ",\"event\":{}}");
    assert_trimmed("fields=title,eventType", "{" ALWAYS ",\"title\":\"t\"}");
    assert_trimmed("fields=event.serviceOrder.id,event.serviceOrder.state",
                   "{" ALWAYS ",\"event\":{\"serviceOrder\":{\"id\":\"42\","
                   "\"state\":\"completed\"}}}");
    assert_trimmed("fields=event.serviceOrder.note.text",
                   "{" ALWAYS ",\"event\":{\"serviceOrder\":{\"note\":[{"
                   "\"text\":\"one\"},{\"text\":\"two\"}]}}}");
    assert_trimmed("fields=event.serviceOrder.note,"
                   "event.serviceOrder.note.text&"
                   "fields=event.serviceOrder.category",
                   "{" ALWAYS ",\"event\":{\"serviceOrder\":{\"category\":"
                   "null,\"note\":[{\"text\":\"one\",\"author\":\"me\"},"
                   "{\"text\":\"two\"}]}}}");
    assert_trimmed("fields=event.serviceOrder.x.deep.y,"
                   "event.serviceOrder.state.x",
                   "{" ALWAYS ",\"event\":{\"serviceOrder\":{\"x\":{\"deep\":"
                   "[[{\"y\":[7,8]}]]}}}}");
    assert_trimmed("fields=event.serviceOrder.serviceOrderItem.service."
                   "serviceCharacteristic.value",
                   "{" ALWAYS ",\"event\":{\"serviceOrder\":{"
                   "\"serviceOrderItem\":[{\"service\":{"
                   "\"serviceCharacteristic\":[{\"value\":\"200\"},"
                   "{\"value\":7}]}},{\"service\":{}}]}}}");
}

static void
fields_are_no_conditions(void **state)
{
    event_filter_t *f = filter(API_ORDERING, "fields=event.service.id");
    int count;

    (void) state;
    assert_non_null(f); /* what is not there is left out, as in lists */
    assert_false(event_filter_has_conditions(f));
    assert_true(event_filter_passes(f, tree_of(STR(ENVELOPE))));
    assert_null(event_filter_types(f, arena, &count));
    f = filter(API_ORDERING, ORDER "state=completed");
    assert_true(event_filter_has_conditions(f));
    assert_false(event_filter_has_fields(f));
}

/* The filter stands by itself: the query it was read from may go. */
static void
keeps_nothing_of_the_query(void **state)
{
    char text[] = ORDER "note.text=two&fields=event.serviceOrder.id";
    event_filter_t *f =
        event_filter_parse(arena, API_ORDERING, TMF_V4, str_of(text), &fault);

    (void) state;
    assert_non_null(f);
    memset(text, 'x', sizeof(text));
    assert_true(event_filter_passes(f, tree_of(STR(ENVELOPE))));
    buf_reset(&out);
    event_filter_trim(f, tree_of(STR(ENVELOPE)), &out);
    assert_string_equal(out.data, "{" ALWAYS ",\"event\":{\"serviceOrder\":"
                                  "{\"id\":\"42\"}}}");
}

/* As much as a query may hold. */
static void
the_largest_query(void **state)
{
    char text[QUERY_MAX_BYTES + 2] = "";
    size_t n = 0;

    (void) state;
    for (int i = 0; i < QUERY_MAX_FILTERS; i++) {
        n += (size_t) snprintf(text + n, sizeof(text) - n, ORDER "x%d.ne=1,2&",
                               i);
    }
    assert_true(passes(text));
    snprintf(text + n, sizeof(text) - n, ORDER "y=1");
    assert_null(filter(API_ORDERING, text));
    memset(text, 'a', QUERY_MAX_BYTES + 1);
    memcpy(text, "eventId=", 8);
    assert_null(filter(API_ORDERING, text));
    assert_string_equal(fault.pointer, "/query");
    text[QUERY_MAX_BYTES] = '\0';
    assert_false(passes(text));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(takes_every_event_of_its_api),
        CHECK_TEST(takes_the_types_asked_for),
        CHECK_TEST(takes_all_types_but_some),
        CHECK_TEST(conditions_narrow_the_types),
        CHECK_TEST(refuses_other_queries),
        CHECK_TEST(holds_envelopes_against_conditions),
        CHECK_TEST(operators_agree),
        CHECK_TEST(trims_envelopes),
        CHECK_TEST(fields_are_no_conditions),
        CHECK_TEST(keeps_nothing_of_the_query),
        CHECK_TEST(the_largest_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
