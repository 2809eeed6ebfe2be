/* Rows for multi-row statements, and the table of statements, against a
 * PostgreSQL of its own with the schema that is shipped.
 * rooms: proto backend/base backend/store */
#include "t/unit/pg_server.h"

#include "backend/store/rows.h"
#include "backend/store/statements.h"

enum { INSERT, SELECT, IDS, TEXTS };

static const pg_statement_t statements[] = {
    [INSERT] = {"insert", "insert into line select * from unnest($1::uuid[],"
                          " $2::text[], $3::int4[], $4::int8[], $5::bool[],"
                          " $6::timestamptz[])"},
    [SELECT] = {"select", "select u, t, i, l, b, z, u is null, t is null,"
                          " z is null from line order by i"},
    [IDS] = {"ids", "select u, n from unnest($1::uuid[])"
                    " with ordinality as x(u, n) order by n"},
    [TEXTS] = {"texts", "select t, n from unnest($1::text[])"
                        " with ordinality as x(t, n) order by n"},
    {NULL, NULL},
};

static int
start(void **state)
{
    (void) state;
    start_server();
    create_schema();
    sql("create table line (u uuid, t text, i int4, l int8, b bool,"
        " z timestamptz)");
    return 0;
}

static int
setup(void **state)
{
    (void) state;
    sql("truncate line");
    open_connection(statements, NULL, NULL);
    LOOP_UNTIL(base, pg_up(pg));
    return 0;
}

typedef struct {
    bool ended;
    int results;
    PGresult *last;
} segment_t;

static void
on_result(void *ctx, const PGresult *res)
{
    segment_t *s = ctx;

    s->results++;
    PQclear(s->last);
    s->last = PQcopyResult(res, PG_COPYRES_TUPLES);
}

static void
on_end(void *ctx, pg_outcome_t outcome, const char *sqlstate,
       const char *message)
{
    segment_t *s = ctx;

    s->ended = true;
    if (outcome != PG_OK) {
        fail_msg("%s: %s", sqlstate, message);
    }
}

static void
commit(segment_t *s)
{
    pg_commit(pg, on_end, s);
    LOOP_UNTIL(base, s->ended);
    s->ended = false;
}

static uuid_t
id_of(int i)
{
    uuid_t u = {{0xab}};

    u.byte[15] = (uint8_t) i;
    return u;
}

/* Rows ---------------------------------------------------------------------- */

static void
fill(rows_t *r)
{
    static const uuid_t nil;

    rows_init(r, arena, "utilbz");
    rows_uuid(r, id_of(1));
    rows_text(r, STR("a \"quoted\" {word}, \\ and NULL"));
    rows_int(r, INT32_MIN);
    rows_long(r, INT64_MAX);
    rows_bool(r, true);
    rows_time(r, 1709164800123456);
    rows_uuid(r, nil);
    rows_text(r, STR_NONE);
    rows_int(r, 0);
    rows_long(r, INT64_MIN);
    rows_bool(r, false);
    rows_time(r, PG_NO_TIME);
    rows_uuid(r, id_of(3));
    rows_text(r, STR(""));
    rows_int(r, 3);
    rows_long(r, -1);
    rows_bool(r, false);
    rows_time(r, 0);
    rows_uuid(r, id_of(4));
    rows_some(r, STR("")); /* null, unlike rows_text */
    rows_int(r, 4);
    rows_long(r, 4);
    rows_bool(r, true);
    rows_time(r, -1);
}

static void
there_and_back(void **state)
{
    static const bool no_id[] = {false, true, false, false};
    static const bool no_text[] = {false, true, false, true};
    static const int32_t numbers[] = {INT32_MIN, 0, 3, 4};
    static const int64_t times[] = {1709164800123456, PG_NO_TIME, 0, -1};
    segment_t s = {0};
    rows_t r;

    (void) state;
    fill(&r);
    assert_int_equal(r.count, 4);
    assert_true(rows_exec(&r, pg, INSERT, arena, NULL, NULL));
    pg_exec(pg, SELECT, NULL, on_result, &s);
    commit(&s);
    assert_int_equal(s.results, 1);
    assert_int_equal(PQntuples(s.last), 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pg_bool(s.last, i, 6), no_id[i]);
        assert_int_equal(pg_bool(s.last, i, 7), no_text[i]);
        assert_int_equal(pg_bool(s.last, i, 8), times[i] == PG_NO_TIME);
        assert_int_equal(pg_int(s.last, i, 2), numbers[i]);
        assert_true(pg_time(s.last, i, 5) == times[i]);
    }
    assert_true(uuid_eq(pg_uuid(s.last, 0, 0), id_of(1)));
    assert_true(
        str_is(pg_text(s.last, 0, 1), "a \"quoted\" {word}, \\ and NULL"));
    assert_true(pg_long(s.last, 0, 3) == INT64_MAX);
    assert_true(pg_long(s.last, 1, 3) == INT64_MIN);
    assert_true(pg_bool(s.last, 0, 4));
    assert_false(pg_bool(s.last, 1, 4));
    PQclear(s.last);
}

static void
no_row_sends_nothing(void **state)
{
    segment_t s = {0};
    rows_t r;

    (void) state;
    rows_init(&r, arena, "utilbz");
    assert_false(rows_exec(&r, pg, INSERT, arena, on_result, &s));
    commit(&s);
    assert_int_equal(s.results, 0);
}

static void
many_rows(void **state)
{
    enum { MANY = 5000 };
    segment_t s = {0};
    rows_t r;

    (void) state;
    rows_init(&r, arena, "utilbz");
    for (int i = 0; i < MANY; i++) {
        rows_uuid(&r, id_of(i));
        rows_text(&r, arena_printf(arena, "text %d", i));
        rows_int(&r, i);
        rows_long(&r, 1000000000000 + i);
        rows_bool(&r, i % 2);
        rows_time(&r, i);
    }
    assert_int_equal(r.count, MANY);
    assert_true(rows_exec(&r, pg, INSERT, arena, NULL, NULL));
    pg_exec(pg, SELECT, NULL, on_result, &s);
    commit(&s);
    assert_int_equal(PQntuples(s.last), MANY);
    assert_true(str_is(pg_text(s.last, MANY - 1, 1), "text 4999"));
    assert_true(pg_long(s.last, 17, 3) == 1000000000017);
    PQclear(s.last);
}

static void
lists_as_parameters(void **state)
{
    const uuid_t ids[] = {id_of(9), id_of(8)};
    const str_t texts[] = {STR("b"), STR(""), STR("a,\"b\"")};
    segment_t s = {0};
    pg_params_t p;

    (void) state;
    pg_params(&p, arena);
    params_uuids(&p, arena, ids, 2);
    pg_exec(pg, IDS, &p, on_result, &s);
    commit(&s);
    assert_int_equal(PQntuples(s.last), 2);
    assert_true(uuid_eq(pg_uuid(s.last, 0, 0), ids[0]));
    assert_true(uuid_eq(pg_uuid(s.last, 1, 0), ids[1]));
    pg_params(&p, arena);
    params_texts(&p, arena, texts, 3);
    pg_exec(pg, TEXTS, &p, on_result, &s);
    commit(&s);
    assert_int_equal(PQntuples(s.last), 3);
    for (int i = 0; i < 3; i++) {
        assert_true(str_eq(pg_text(s.last, i, 0), texts[i]));
    }
    pg_params(&p, arena);
    params_uuids(&p, arena, ids, 0);
    pg_exec(pg, IDS, &p, on_result, &s);
    commit(&s);
    assert_int_equal(PQntuples(s.last), 0);
    PQclear(s.last);
}

/* How the process ends that does this: with a signal, if it does not. */
static int
end_of(void (*what)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        (void) signal(SIGABRT, SIG_DFL);
        what();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
in_turn(void)
{
    rows_t r;

    rows_init(&r, arena, "ut");
    rows_uuid(&r, id_of(1));
    rows_some(&r, STR("t"));
}

static void
out_of_turn(void)
{
    rows_t r;

    rows_init(&r, arena, "ut");
    rows_text(&r, STR("t"));
}

static void
unknown_letter(void)
{
    rows_t r;

    rows_init(&r, arena, "ux");
}

static void
too_many_columns(void)
{
    rows_t r;

    rows_init(&r, arena, "iiiiiiiiiiiiiiiiiiiiiiiii");
}

/* Bugs of ours must not reach the database. */
static void
misuse_ends_the_process(void **state)
{
    (void) state;
    assert_int_equal(end_of(in_turn), 0);
    assert_int_equal(end_of(out_of_turn), SIGABRT);
    assert_int_equal(end_of(unknown_letter), SIGABRT);
    assert_int_equal(end_of(too_many_columns), SIGABRT);
}

/* Statements ---------------------------------------------------------------- */

static void
each_statement_fits_the_schema(void **state)
{
    PGconn *conn = PQconnectdb(conninfo);
    int n = 0;

    (void) state;
    for (; store_statements[n].sql; n++) {
        const pg_statement_t *s = &store_statements[n];
        PGresult *res = PQprepare(conn, s->name, s->sql, 0, NULL);

        if (PQresultStatus(res) != PGRES_COMMAND_OK) {
            fail_msg("%s: %s", s->name, PQerrorMessage(conn));
        }
        PQclear(res);
    }
    assert_in_range(n, 40, 200);
    PQfinish(conn);
}

/* As pools open it: the setup first, then all of the table. */
static void
a_pool_connection_comes_up(void **state)
{
    pg_t *pool = pg_open(base, conninfo, store_statements, NULL, NULL);

    (void) state;
    pg_setup(pool, store_setup);
    LOOP_UNTIL(base, pg_up(pool));
    pg_close(pool);
}

/* Generic plans, by keys: of no table that grows is anything read whole. */
static void
no_plan_reads_a_growing_table(void **state)
{
    static const char *const growing[] = {"service_order", "activation",
                                          "entity_instance", "event",
                                          "resource_allocation"};
    PGconn *conn = PQconnectdb(conninfo);

    (void) state;
    PQclear(sql_in(conn, store_setup));
    for (int n = 0; store_statements[n].sql; n++) {
        const pg_statement_t *s = &store_statements[n];
        char text[1024] = "";
        PGresult *res = PQprepare(conn, s->name, s->sql, 0, NULL);
        int params;

        PQclear(res);
        res = PQdescribePrepared(conn, s->name);
        params = PQnparams(res);
        PQclear(res);
        snprintf(text, sizeof(text), "explain execute %s%s", s->name,
                 params ? "(null" : "");
        for (int i = 1; i < params; i++) {
            strcat(text, ",null");
        }
        strcat(text, params ? ")" : "");
        res = sql_in(conn, text);
        for (int i = 0; i < PQntuples(res); i++) {
            const char *line = PQgetvalue(res, i, 0);
            const char *scan = strstr(line, "Seq Scan on ");

            for (size_t k = 0; scan && k < 5; k++) {
                if (!strncmp(scan + 12, growing[k], strlen(growing[k]))) {
                    fail_msg("%s: %s", s->name, line);
                }
            }
        }
        PQclear(res);
    }
    PQfinish(conn);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_and_back),
        TEST(no_row_sends_nothing),
        TEST(many_rows),
        TEST(lists_as_parameters),
        TEST(misuse_ends_the_process),
        TEST(each_statement_fits_the_schema),
        TEST(a_pool_connection_comes_up),
        TEST(no_plan_reads_a_growing_table),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
