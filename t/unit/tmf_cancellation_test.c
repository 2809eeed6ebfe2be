/*
 * TMF641 cancelServiceOrder: what a client asks for, and what it is shown.
 */
#include "t/unit/tmf_check.h"

#include "backend/tmf/cancellation.h"

#define TASK_ID  "01890000-0000-7000-8000-000000000005"
#define API      "https://api.example/tmf-api/serviceOrdering/v4"
#define TASK_URL API "/cancelServiceOrder/" TASK_ID
#define URL      API "/serviceOrder/" ORDER_ID

static cancellation_record_t
record(const char *doc)
{
    return (cancellation_record_t){
        .id = uuid_of(TASK_ID),
        .order_id = uuid_of(ORDER_ID),
        .state = STR("inProgress"),
        .effective_us = NO_TIME,
        .doc = json_of(doc),
    };
}

static const char *
show(const cancellation_record_t *c, const char *fields)
{
    query_t *q = arena_new(arena, query_t);
    tmf_view_t v = view_with(q, fields);

    buf_reset(&out);
    cancellation_to_tmf(&out, arena, c, &v);
    assert_false(buf_failed(&out));
    (void) tree_of(arena_str(arena, buf_view(&out)));
    return out.data;
}

static void
reads_what_is_asked(void **state)
{
    cancellation_t c;
    tmf_error_t err;

    (void) state;
    assert_true(cancellation_from_tmf(
        tree(
            "{'serviceOrder':{'id':'" ORDER_ID "'},'cancellationReason':"
            "'late','requestedCancellationDate':'2030-01-01T01:00:00+01:00'}"),
        &c, &err));
    assert_true(uuid_eq(c.order_id, uuid_of(ORDER_ID)));
    assert_true(str_is(c.reason, "late"));
    assert_true(c.requested_us == NEW_YEAR_2030);
    assert_true(cancellation_from_tmf(
        tree("{'serviceOrder':{'id':'" ORDER_ID "'}}"), &c, &err));
    assert_int_equal(c.reason.len, 0);
    assert_true(c.requested_us == NO_TIME);
}

static void
refuses_what_is_no_order(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[]",
        "null",
        "'x'",
        "{'serviceOrder':null}",
        "{'serviceOrder':'" ORDER_ID "'}",
        "{'serviceOrder':['" ORDER_ID "']}",
        "{'serviceOrder':{}}",
        "{'serviceOrder':{'id':null}}",
        "{'serviceOrder':{'id':17}}",
        "{'serviceOrder':{'id':''}}",
        "{'serviceOrder':{'id':'42'}}",
        "{'serviceOrder':{'id':'" ORDER_ID "0'}}",
        "{'serviceOrder':{'id':{'id':'" ORDER_ID "'}}}",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cancellation_t c;
        tmf_error_t err = {.status = 0};

        assert_false(cancellation_from_tmf(tree(bad[i]), &c, &err));
        assert_int_equal(err.status, 400);
        assert_string_equal(err.pointer, "/serviceOrder/id");
    }
}

static void
shows_all_that_was_sent(void **state)
{
    cancellation_record_t c =
        record("{'x':{'a':[1]},'serviceOrder':{'id':'o','href':'h','name':"
               "'n'},'cancellationReason':'late'}");

    (void) state;
    assert_string_equal(
        show(&c, NULL),
        "{\"id\":\"" TASK_ID "\",\"href\":\"" TASK_URL "\",\"state\":"
        "\"inProgress\",\"serviceOrder\":{\"id\":\"" ORDER_ID
        "\",\"href\":\"" URL "\",\"name\":\"n\"},\"@type\":"
        "\"CancelServiceOrder\",\"x\":{\"a\":[1]},\"cancellationReason\":"
        "\"late\"}");
    c.effective_us = NEW_YEAR_2030;
    c.message = STR("was cancelled");
    c.error = STR("{\"code\":\"1\"}");
    assert_string_equal(
        show(&c, "state,effectiveCancellationDate,completionMessage,"
                 "errorMessage"),
        "{\"id\":\"" TASK_ID "\",\"href\":\"" TASK_URL "\",\"state\":"
        "\"inProgress\",\"effectiveCancellationDate\":"
        "\"2030-01-01T00:00:00.000Z\",\"completionMessage\":"
        "\"was cancelled\",\"errorMessage\":{\"code\":\"1\"}}");
    assert_string_equal(show(&c, "x"),
                        "{\"id\":\"" TASK_ID "\",\"href\":\"" TASK_URL
                        "\",\"x\":{\"a\":[1]}}");
}

static void
the_servers_is_not_the_clients(void **state)
{
    cancellation_record_t c = record(
        "{'id':'x','href':'y','state':'done','effectiveCancellationDate':"
        "'z','completionMessage':'m','errorMessage':{'code':'2'},'@type':"
        "'Mine','serviceOrder':null}");

    (void) state;
    assert_string_equal(show(&c, NULL),
                        "{\"id\":\"" TASK_ID "\",\"href\":\"" TASK_URL
                        "\",\"state\":\"inProgress\",\"serviceOrder\":{"
                        "\"id\":\"" ORDER_ID "\",\"href\":\"" URL
                        "\"},\"@type\":\"Mine\"}");
}

static void
events_have_no_hrefs(void **state)
{
    cancellation_record_t c =
        record("{'serviceOrder':{'id':'o','href':'h','name':'n'},'x':1}");

    (void) state;
    cancellation_created_data(&out, arena, &c);
    assert_string_equal(out.data,
                        "{\"state\":\"inProgress\",\"serviceOrder\":{\"id\":"
                        "\"" ORDER_ID "\",\"name\":\"n\"},\"@type\":"
                        "\"CancelServiceOrder\",\"x\":1}");
    buf_reset(&out);
    c.message = STR("m");
    cancellation_change_data(&out, &c);
    assert_string_equal(out.data,
                        "{\"state\":\"inProgress\",\"completionMessage\":"
                        "\"m\",\"serviceOrder\":{\"id\":\"" ORDER_ID "\"}}");
}

static void
ends_as_the_order_does(void **state)
{
    cancellation_record_t c = record("{}");

    (void) state;
    cancellation_end(&c, arena, ORDER_CANCELLED, NEW_YEAR_2030);
    assert_true(str_is(c.state, "done"));
    assert_true(c.effective_us == NEW_YEAR_2030);
    assert_true(str_is(c.message, "The service order ended cancelled"));
    assert_int_equal(c.error.len, 0);
    c = record("{}");
    cancellation_end(&c, arena, ORDER_FAILED, NEW_YEAR_2030);
    assert_true(str_is(c.state, "terminatedWithError"));
    assert_true(c.effective_us == NO_TIME);
    assert_at(tree_of(c.error), "/code", "\"cancellationIncomplete\"");
    assert_at(tree_of(c.error), "/message",
              "\"The service order ended failed; its items say why\"");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(reads_what_is_asked),
        CHECK_TEST(refuses_what_is_no_order),
        CHECK_TEST(shows_all_that_was_sent),
        CHECK_TEST(the_servers_is_not_the_clients),
        CHECK_TEST(events_have_no_hrefs),
        CHECK_TEST(ends_as_the_order_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
