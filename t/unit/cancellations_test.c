/* What a cancellation does in the database, and when it does not: against a
 * PostgreSQL of its own with the schema that is shipped.
 * rooms: proto backend/base backend/domain backend/store */
#include "t/unit/pg_server.h"

#include "backend/store/cancellations.h"
#include "backend/store/statements.h"

#define ORDER   "01890000-0000-7000-8000-000000000001"
#define TASK    "01890000-0000-7000-8000-000000000002"
#define ITEM(n) "01890000-0000-7000-8000-0000000000a" #n

static int
start(void **state)
{
    (void) state;
    start_server();
    create_schema();
    return 0;
}

/* Four items: at a step, waiting to begin, failed, and one without an
 * activation. */
static int
setup(void **state)
{
    (void) state;
    sql("set client_min_messages = warning;"
        "truncate service_order, service_order_state, service_order_item,"
        " activation, activation_journal, cancel_service_order;"
        "insert into service_order (id, request_key, order_date, doc) values"
        " ('" ORDER "', 'k', now(), '{}');"
        "insert into service_order_state (id, version, state, item_count)"
        " values ('" ORDER "', 3, 'inProgress', 4);"
        "insert into service_order_item (order_id, item_id, position, action,"
        " activation_id, state) values"
        " ('" ORDER "', '1', 0, 'add', '" ITEM(
            1) "', 'acknowledged'),"
               " ('" ORDER "', '2', 1, 'add', '" ITEM(
                   2) "', 'acknowledged'),"
                      " ('" ORDER "', '3', 2, 'add', '" ITEM(
                          3) "', 'acknowledged'),"
                             " ('" ORDER
                             "', '4', 3, 'noChange', null, 'completed');"
                             "insert into activation (id, order_id, item_id, "
                             "service_id,"
                             " configuration_id, family, definition_id, "
                             "action, seq, item_state,"
                             " run, owner) select id::uuid, '" ORDER
                             "', item, id::uuid, id::uuid,"
                             " 'f', 1, 'add', seq, state, run::json, owner "
                             "from (values"
                             " ('" ITEM(
                                 1) "', '1', 7, 'inProgress', "
                                    "'{\"phase\":\"forward\","
                                    "\"state\":\"s\",\"attempt\":2}', 'slot'),"
                                    " ('" ITEM(
                                        2) "', '2', 0, 'acknowledged', null, "
                                           "null),"
                                           " ('" ITEM(
                                               3) "', '3', 9, 'failed', "
                                                  "'{\"phase\":\"failed\"}', "
                                                  "null))"
                                                  " as v(id, item, seq, "
                                                  "state, run, owner)");
    open_connection(store_statements, NULL, NULL);
    pg_setup(pg, store_setup);
    LOOP_UNTIL(base, pg_up(pg));
    return 0;
}

static uuid_t
id_of(const char *text)
{
    uuid_t u = {{0}};

    assert_true(uuid_parse(str_of(text), &u));
    return u;
}

typedef struct {
    bool ended;
    char sqlstate[8];
    cancellation_fact_t facts[8];
    int count;
    char text[256];
} answer_t;

static void
on_end(void *ctx, pg_outcome_t outcome, const char *sqlstate,
       const char *message)
{
    answer_t *s = ctx;

    (void) outcome;
    (void) message;
    (void) snprintf(s->sqlstate, sizeof(s->sqlstate), "%s", sqlstate);
    s->ended = true;
}

static void
commit(answer_t *s)
{
    s->ended = false;
    pg_commit(pg, on_end, s);
    LOOP_UNTIL(base, s->ended);
}

static void
on_facts(void *ctx, const PGresult *res)
{
    answer_t *s = ctx;

    for (int i = 0; i < PQntuples(res); i++) {
        cancellation_fact_t *f = &s->facts[s->count++];

        cancellation_fact_read(res, i, f);
        f->item_id = arena_str(arena, f->item_id);
    }
}

static void
on_rows(void *ctx, const PGresult *res)
{
    answer_t *s = ctx;

    for (int i = 0; i < PQntuples(res); i++) {
        char id[UUID_TEXT + 1];
        size_t n = strlen(s->text);

        uuid_print(pg_uuid(res, i, 0), id);
        (void) snprintf(s->text + n, sizeof(s->text) - n, "%s:%.*s ",
                        id + UUID_TEXT - 1, STR_FMT(pg_text(res, i, 1)));
    }
}

static void
on_nothing(void *ctx, const PGresult *res)
{
    (void) ctx;
    (void) res;
}

/* What is there to be judged. */
static void
read_facts(answer_t *s)
{
    memset(s, 0, sizeof(*s));
    cancellation_facts(pg, arena, id_of(ORDER), on_facts, on_nothing,
                       on_nothing, s);
    commit(s);
    assert_string_equal(s->sqlstate, "");
    assert_int_equal(s->count, 3);
}

static const char *
guard(answer_t *s, int version)
{
    cancellation_guard(pg, arena, id_of(ORDER), version, s->facts, s->count);
    commit(s);
    return s->sqlstate;
}

/* One value, as text. */
static const char *
value(const char *query)
{
    static char text[512];
    PGconn *conn = PQconnectdb(conninfo);
    PGresult *res = PQexec(conn, query);

    assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
    (void) snprintf(text, sizeof(text), "%s",
                    PQntuples(res) ? PQgetvalue(res, 0, 0) : "");
    PQclear(res);
    PQfinish(conn);
    return text;
}

static void
nothing_has_changed(void **state)
{
    answer_t s;

    (void) state;
    read_facts(&s);
    assert_string_equal(guard(&s, 3), "");
    assert_string_equal(guard(&s, 2), "22012");
    /* a transition that changes neither is none of its business */
    sql("update activation set seq = seq + 1");
    assert_string_equal(guard(&s, 3), "");
}

static void
something_has_changed(void **state)
{
    static const char *const changes[] = {
        "update activation set item_state = 'held' where item_id = '1'",
        "update activation set committed = true where item_id = '2'",
        "update service_order_state set version = 4",
        "delete from activation where item_id = '3'",
        "delete from service_order_state",
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        answer_t s;

        read_facts(&s);
        sql(changes[i]);
        assert_string_equal(guard(&s, 3), "22012");
        teardown(state);
        setup(state);
    }
}

static void
it_begins(void **state)
{
    cancellation_record_t task = {.id = id_of(TASK),
                                  .order_id = id_of(ORDER),
                                  .state = STR("inProgress"),
                                  .doc = STR("{\"x\":1}")};
    answer_t s = {.ended = false};

    (void) state;
    cancellation_insert(pg, arena, &task, PG_NO_TIME);
    cancellation_begin(pg, arena, &task, STR("why"), on_rows, &s);
    commit(&s);
    assert_string_equal(s.sqlstate, "");
    assert_true(!strcmp(s.text, "1:f 2:f ") || !strcmp(s.text, "2:f 1:f "));
    assert_string_equal(
        value("select concat_ws(' ', version, state, cancellation = '" TASK
              "', cancellation_reason) from service_order_state"),
        "5 pendingCancellation t why");
    /* who has it keeps it; what nobody has is due; what has ended is left */
    assert_string_equal(
        value("select string_agg(concat_ws(' ', item_id, seq, owner, due_at >"
              " now()), ', ' order by item_id) from activation"),
        "1 8 slot, 2 1 t, 3 9");
    assert_string_equal(
        value("select string_agg(concat_ws(' ', seq, event, state, attempt),"
              " ', ' order by seq) from activation_journal"),
        "1 cancelRequested new: 0, 8 cancelRequested forward:s 2");
    assert_string_equal(value("select string_agg(item_id, '') from"
                              " service_order_item where state = 'cancelled'"),
                        "4");
}

static void
it_ends(void **state)
{
    cancellation_record_t task = {.id = id_of(TASK),
                                  .order_id = id_of(ORDER),
                                  .state = STR("inProgress"),
                                  .doc = STR("{}")};
    answer_t s = {.ended = false};
    rows_t r;

    (void) state;
    cancellation_rows_init(&r, arena);
    rows_uuid(&r, id_of(TASK));
    rows_text(&r, STR("terminatedWithError"));
    rows_time(&r, PG_NO_TIME);
    rows_text(&r, STR("m"));
    rows_some(&r, STR("{\"code\":\"1\"}"));
    cancellation_insert(pg, arena, &task, 1893456000000000);
    cancellations_end(&r, pg, arena);
    commit(&s);
    assert_string_equal(s.sqlstate, "");
    assert_string_equal(
        value("select concat_ws(' ', state, requested at time zone 'UTC',"
              " effective_at, message, error) from cancel_service_order"),
        "terminatedWithError 2030-01-01 00:00:00 m {\"code\":\"1\"}");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_has_changed),
        TEST(something_has_changed),
        TEST(it_begins),
        TEST(it_ends),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
