/* The pipelined connection, against a PostgreSQL of its own. */
#include "t/unit/pg_server.h"

enum {
    INSERT,
    INSERT_ROWS,
    SELECT_ROW,
    COUNT,
    ECHO,
    ECHO_ARRAYS,
    SLEEP,
    DIVIDE,
    RAISE,
    INSERT_CHILD,
    KILL_SELF
};

static const pg_statement_t statements[] = {
    [INSERT] = {"insert", "insert into item (id, doc) values ($1, $2)"},
    [INSERT_ROWS] = {"insert_rows",
                     "insert into item (id, n, at, ok, doc) select id, n, at, "
                     "ok, doc::json from unnest($1::uuid[], $2::int8[], "
                     "$3::timestamptz[], $4::bool[], $5::text[]) "
                     "as r (id, n, at, ok, doc)"},
    [SELECT_ROW] = {"select_row", "select id, n, at, ok, doc from item "
                                  "where id = any($1::uuid[]) order by id"},
    [COUNT] = {"count", "select count(*) from item"},
    [ECHO] = {"echo", "select $1::uuid, $2::int4, $3::int8, $4::bool, "
                      "$5::timestamptz, $6::text, $7::json, $2::int2, "
                      "extract(epoch from $5::timestamptz)::int8"},
    [ECHO_ARRAYS] = {"echo_arrays",
                     "select * from unnest($1::text[], $2::uuid[], $3::int4[],"
                     " $4::int8[], $5::bool[], $6::timestamptz[])"},
    [SLEEP] = {"sleep", "select pg_sleep($1::int4)"},
    [DIVIDE] = {"divide", "select 1 / $1::int4"},
    [RAISE] = {"raise", "select raise_state($1::text)"},
    [INSERT_CHILD] = {"insert_child", "insert into child values ($1)"},
    [KILL_SELF] = {"kill_self",
                   "select pg_terminate_backend(pg_backend_pid())"},
    {NULL, NULL},
};

static const char tables[] =
    "create table item (id uuid primary key, n int8, at timestamptz, "
    "ok bool, doc json);"
    "create table child (id uuid references item deferrable initially "
    "deferred);"
    "create function raise_state(s text) returns int language plpgsql as "
    "$$ begin raise exception 'raised' using errcode = s; end $$;";

static int ups, downs;

typedef struct {
    int results, ends;
    pg_outcome_t outcome;
    char sqlstate[6];
    char message[256];
    int64_t number; /* first column of the last result's first row */
} segment_t;

static void
on_state(void *ctx, bool up)
{
    assert_ptr_equal(ctx, &ups);
    if (up) {
        ups++;
    } else {
        downs++;
    }
}

static void
on_result(void *ctx, const PGresult *res)
{
    segment_t *s = ctx;

    s->results++;
    if (PQntuples(res) > 0) {
        s->number = pg_long(res, 0, 0);
    }
}

static void
on_end(void *ctx, pg_outcome_t outcome, const char *sqlstate,
       const char *message)
{
    segment_t *s = ctx;

    s->ends++;
    s->outcome = outcome;
    snprintf(s->sqlstate, sizeof(s->sqlstate), "%s", sqlstate);
    snprintf(s->message, sizeof(s->message), "%s", message);
}

static uuid_t
id_of(int i)
{
    uuid_t u = {{0xab}};

    u.byte[14] = (uint8_t) (i >> 8);
    u.byte[15] = (uint8_t) i;
    return u;
}

static void
exec_insert(int i, segment_t *s)
{
    pg_params_t p;

    pg_params(&p, arena);
    pg_add_uuid(&p, id_of(i));
    pg_add_text(&p, STR("{\"a\": 1.0}"));
    pg_exec(pg, INSERT, &p, on_result, s);
}

static void
exec_number(int stmt, int32_t n, segment_t *s)
{
    pg_params_t p;

    pg_params(&p, arena);
    pg_add_int(&p, n);
    pg_exec(pg, stmt, &p, on_result, s);
}

static void
commit(segment_t *s)
{
    pg_commit(pg, on_end, s);
}

static int64_t
count(void)
{
    segment_t s = {0};

    pg_exec(pg, COUNT, NULL, on_result, &s);
    commit(&s);
    LOOP_UNTIL(base, s.ends == 1);
    assert_int_equal(s.outcome, PG_OK);
    return s.number;
}

static int
start(void **state)
{
    (void) state;
    start_server();
    sql(tables);
    return 0;
}

static int
setup(void **state)
{
    (void) state;
    sql("truncate item, child");
    ups = downs = 0;
    open_connection(statements, on_state, &ups);
    assert_false(pg_up(pg));
    LOOP_UNTIL(base, pg_up(pg));
    assert_int_equal(ups, 1);
    return 0;
}

static void
a_segment_is_a_transaction(void **state)
{
    segment_t s = {0};

    (void) state;
    for (int i = 0; i < 5; i++) {
        exec_insert(i, &s);
    }
    commit(&s);
    assert_int_equal(pg_in_flight(pg), 1);
    assert_int_equal(s.ends, 0); /* never from inside */
    LOOP_UNTIL(base, s.ends == 1);
    assert_int_equal(s.outcome, PG_OK);
    assert_string_equal(s.sqlstate, "");
    assert_string_equal(s.message, "");
    assert_int_equal(s.results, 5);
    assert_int_equal(pg_in_flight(pg), 0);
    assert_int_equal(count(), 5);
}

static void
an_error_undoes_its_segment_only(void **state)
{
    segment_t a = {0}, b = {0}, c = {0};

    (void) state;
    exec_insert(1, &a);
    commit(&a);
    exec_insert(2, &b);
    exec_insert(1, &b); /* the second of this id */
    exec_insert(3, &b);
    commit(&b);
    exec_insert(4, &c);
    commit(&c);
    assert_int_equal(pg_in_flight(pg), 3);
    LOOP_UNTIL(base, c.ends == 1);
    assert_int_equal(a.outcome, PG_OK);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.outcome, PG_REFUSED);
    assert_string_equal(b.sqlstate, "23505");
    assert_non_null(strstr(b.message, "duplicate key"));
    assert_int_equal(b.results, 1); /* what came before the error */
    assert_int_equal(c.outcome, PG_OK);
    assert_int_equal(count(), 2);
}

/* A deferred constraint speaks at the Sync, when all statements have been
 * answered. */
static void
an_error_of_the_commit_itself(void **state)
{
    segment_t a = {0}, b = {0};
    pg_params_t p;

    (void) state;
    pg_params(&p, arena);
    pg_add_uuid(&p, id_of(99));
    pg_exec(pg, INSERT_CHILD, &p, on_result, &a);
    commit(&a);
    exec_insert(1, &b);
    commit(&b);
    LOOP_UNTIL(base, b.ends == 1);
    assert_int_equal(a.ends, 1);
    assert_int_equal(a.results, 1);
    assert_int_equal(a.outcome, PG_REFUSED);
    assert_string_equal(a.sqlstate, "23503");
    assert_int_equal(b.outcome, PG_OK);
    assert_int_equal(downs, 0);
}

static void
outcomes_by_sqlstate(void **state)
{
    static const struct {
        const char *sqlstate;
        pg_outcome_t outcome;
    } rows[] = {
        {"40001", PG_RETRY},   {"40P01", PG_RETRY},   {"55P03", PG_RETRY},
        {"57014", PG_RETRY},   {"53100", PG_RETRY},   {"53300", PG_RETRY},
        {"23505", PG_REFUSED}, {"22P02", PG_REFUSED}, {"42601", PG_REFUSED},
        {"P0001", PG_REFUSED}, {"40002", PG_REFUSED},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        segment_t s = {0};
        pg_params_t p;

        pg_params(&p, arena);
        pg_add_text(&p, str_of(rows[i].sqlstate));
        pg_exec(pg, RAISE, &p, on_result, &s);
        commit(&s);
        LOOP_UNTIL(base, s.ends == 1);
        assert_string_equal(s.sqlstate, rows[i].sqlstate);
        assert_string_equal(s.message, "raised");
        assert_int_equal(s.outcome, rows[i].outcome);
        assert_int_equal(s.results, 0);
    }
    assert_int_equal(downs, 0);
}

static void
bad_data_is_refused(void **state)
{
    segment_t s = {0}, t = {0};
    pg_params_t p;

    (void) state;
    pg_params(&p, arena);
    pg_add_uuid(&p, id_of(1));
    pg_add_text(&p, STR("{not json"));
    pg_exec(pg, INSERT, &p, NULL, NULL);
    commit(&s);
    pg_params(&p, arena);
    pg_add_uuid(&p, id_of(1));
    pg_add_text(&p, (str_t){"\"\0\"", 3});
    pg_exec(pg, INSERT, &p, NULL, NULL);
    commit(&t);
    LOOP_UNTIL(base, t.ends == 1);
    assert_string_equal(s.sqlstate, "22P02");
    assert_int_equal(s.outcome, PG_REFUSED);
    assert_string_equal(t.sqlstate, "22021");
    exec_number(DIVIDE, 0, &s);
    commit(&s);
    LOOP_UNTIL(base, s.ends == 2);
    assert_string_equal(s.sqlstate, "22012");
}

static void
on_echo(void *ctx, const PGresult *res)
{
    assert_int_equal(PQntuples(res), 1);
    assert_true(uuid_eq(pg_uuid(res, 0, 0), id_of(7)));
    assert_int_equal(pg_int(res, 0, 1), -42);
    assert_true(pg_long(res, 0, 2) == INT64_MIN);
    assert_true(pg_bool(res, 0, 3));
    assert_true(pg_time(res, 0, 4) == INT64_C(1234567890123456));
    assert_true(str_is(pg_text(res, 0, 5), "t\xc3\xa9xt"));
    assert_true(str_is(pg_text(res, 0, 6), "{\"n\": 1.00}"));
    assert_int_equal(pg_int(res, 0, 7), -42);  /* an int2 */
    assert_int_equal(pg_long(res, 0, 1), -42); /* of any width */
    assert_int_equal(pg_long(res, 0, 8), 1234567890);
    ++*(int *) ctx;
}

static void
on_nulls(void *ctx, const PGresult *res)
{
    for (int col = 0; col < 8; col++) {
        assert_true(pg_is_null(res, 0, col));
    }
    assert_true(uuid_is_nil(pg_uuid(res, 0, 0)));
    assert_int_equal(pg_int(res, 0, 1), 0);
    assert_int_equal(pg_long(res, 0, 2), 0);
    assert_false(pg_bool(res, 0, 3));
    assert_true(pg_time(res, 0, 4) == PG_NO_TIME);
    assert_null(pg_text(res, 0, 5).data);
    assert_int_equal(pg_text(res, 0, 5).len, 0);
    ++*(int *) ctx;
}

static void
scalars_there_and_back(void **state)
{
    segment_t s = {0};
    pg_params_t p;
    int seen = 0;

    (void) state;
    pg_params(&p, arena);
    pg_add_uuid(&p, id_of(7));
    pg_add_int(&p, -42);
    pg_add_long(&p, INT64_MIN);
    pg_add_bool(&p, true);
    pg_add_time(&p, INT64_C(1234567890123456));
    pg_add_text(&p, STR("t\xc3\xa9xt"));
    pg_add_text(&p, STR("{\"n\": 1.00}"));
    pg_exec(pg, ECHO, &p, on_echo, &seen);
    pg_params(&p, arena);
    for (int i = 0; i < 4; i++) {
        pg_add_null(&p);
    }
    pg_add_time(&p, PG_NO_TIME);
    pg_add_text(&p, STR_NONE);
    pg_add_null(&p);
    pg_exec(pg, ECHO, &p, on_nulls, &seen);
    commit(&s);
    LOOP_UNTIL(base, s.ends == 1);
    assert_string_equal(s.message, "");
    assert_int_equal(seen, 2);
}

enum { ROWS = 1000 };

static void
on_arrays(void *ctx, const PGresult *res)
{
    int *seen = ctx;

    *seen = PQntuples(res);
    for (int i = 0; i < *seen; i++) {
        bool null = i % 3 == 0;

        for (int col = 0; col < 6; col++) {
            assert_int_equal(pg_is_null(res, i, col), null);
        }
        if (!null) {
            assert_int_equal(pg_text(res, i, 0).len, i % 7 * 10);
            assert_true(uuid_eq(pg_uuid(res, i, 1), id_of(i)));
            assert_int_equal(pg_int(res, i, 2), -i);
            assert_true(pg_long(res, i, 3) == i * INT64_C(10000000000));
            assert_int_equal(pg_bool(res, i, 4), i % 2);
            assert_true(pg_time(res, i, 5) == i * INT64_C(1000001));
        }
    }
}

static void
arrays_with_nulls_there_and_back(void **state)
{
    static const char text[] = "0123456789012345678901234567890123456789"
                               "01234567890123456789";
    static const uuid_t nil;
    static const pg_array_type_t types[] = {PG_ARRAY_TEXT, PG_ARRAY_UUID,
                                            PG_ARRAY_INT,  PG_ARRAY_LONG,
                                            PG_ARRAY_BOOL, PG_ARRAY_TIME};
    pg_array_t v[6];
    pg_params_t p;
    segment_t s = {0};
    int seen = 0;

    (void) state;
    for (int n = 0; n <= ROWS; n = n * 10 + 1) { /* 0, 1, 11, 111 */
        pg_params(&p, arena);
        for (int t = 0; t < 6; t++) {
            pg_array(&v[t], arena, types[t]);
        }
        for (int i = 0; i < n; i++) {
            bool null = i % 3 == 0;

            pg_array_text(&v[0], null ? STR_NONE : (str_t){text, i % 7 * 10});
            pg_array_uuid_or_null(&v[1], null ? nil : id_of(i));
            if (null) {
                pg_array_null(&v[2]);
                pg_array_null(&v[3]);
                pg_array_null(&v[4]);
            } else {
                pg_array_int(&v[2], -i);
                pg_array_long(&v[3], i * INT64_C(10000000000));
                pg_array_bool(&v[4], i % 2);
            }
            pg_array_time(&v[5], null ? PG_NO_TIME : i * INT64_C(1000001));
        }
        for (int t = 0; t < 6; t++) {
            pg_add_array(&p, &v[t]);
        }
        seen = -1;
        s.ends = 0;
        pg_exec(pg, ECHO_ARRAYS, &p, on_arrays, &seen);
        commit(&s);
        LOOP_UNTIL(base, s.ends == 1);
        assert_string_equal(s.message, "");
        assert_int_equal(seen, n);
    }
}

static void
multi_row_insert_with_json(void **state)
{
    pg_array_t id, n, at, ok, doc;
    pg_params_t p;
    segment_t s = {0};

    (void) state;
    pg_array(&id, arena, PG_ARRAY_UUID);
    pg_array(&n, arena, PG_ARRAY_LONG);
    pg_array(&at, arena, PG_ARRAY_TIME);
    pg_array(&ok, arena, PG_ARRAY_BOOL);
    pg_array(&doc, arena, PG_ARRAY_TEXT);
    for (int i = 0; i < ROWS; i++) {
        pg_array_uuid(&id, id_of(i));
        pg_array_long(&n, i);
        pg_array_time(&at, clock_us());
        pg_array_bool(&ok, true);
        pg_array_text(&doc, arena_printf(arena, "{\"i\": %d.0}", i));
    }
    pg_params(&p, arena);
    pg_add_array(&p, &id);
    pg_add_array(&p, &n);
    pg_add_array(&p, &at);
    pg_add_array(&p, &ok);
    pg_add_array(&p, &doc);
    pg_exec(pg, INSERT_ROWS, &p, on_result, &s);
    commit(&s);
    LOOP_UNTIL(base, s.ends == 1);
    assert_string_equal(s.message, "");
    assert_int_equal(s.outcome, PG_OK);
    assert_int_equal(count(), ROWS);
}

static void
on_text_row(void *ctx, const PGresult *res)
{
    assert_int_equal(PQntuples(res), 1);
    assert_int_equal(pg_int(res, 0, 0), 42); /* binary all the same */
    assert_true(str_is(pg_text(res, 0, 1), "it's"));
    assert_true(pg_is_null(res, 0, 2));
    ++*(int *) ctx;
}

static void
statements_outside_the_table(void **state)
{
    segment_t s = {0}, t = {0};
    pg_params_t p;
    int seen = 0;

    (void) state;
    pg_params(&p, arena);
    pg_add_text(&p, (str_t){"4299", 2}); /* not NUL-terminated where it ends */
    pg_add_text(&p, STR("it's"));
    pg_add_null(&p);
    pg_exec_text(pg, "select $1::int4, $2::text, $3::text", &p, on_text_row,
                 &seen);
    exec_insert(1, &s);
    commit(&s);
    pg_exec_text(pg, "selec 1", NULL, NULL, NULL);
    commit(&t);
    LOOP_UNTIL(base, t.ends == 1);
    assert_int_equal(seen, 1);
    assert_int_equal(s.outcome, PG_OK);
    assert_int_equal(t.outcome, PG_REFUSED);
    assert_string_equal(t.sqlstate, "42601");
    assert_int_equal(count(), 1);
}

static void
an_empty_segment_and_nobody_listening(void **state)
{
    segment_t s = {0};

    (void) state;
    pg_commit(pg, NULL, NULL);
    commit(&s);
    pg_exec(pg, COUNT, NULL, NULL, NULL);
    pg_commit(pg, NULL, NULL);
    LOOP_UNTIL(base, pg_in_flight(pg) == 0);
    assert_int_equal(s.ends, 1);
    assert_int_equal(s.outcome, PG_OK);
}

static void
many_segments_under_way(void **state)
{
    enum { N = 200 };
    static segment_t s[N];
    char *big = arena_alloc(arena, 100000);
    pg_params_t p;

    (void) state;
    memset(s, 0, sizeof(s));
    memset(big, ' ', 100000);
    big[0] = '1';
    for (int i = 0; i < N; i++) { /* 20 MB: the socket does not take it all */
        pg_params(&p, arena);
        pg_add_uuid(&p, id_of(i));
        pg_add_text(&p, (str_t){big, 100000});
        pg_exec(pg, INSERT, &p, on_result, &s[i]);
        commit(&s[i]);
    }
    assert_int_equal(pg_in_flight(pg), N);
    LOOP_UNTIL(base, pg_in_flight(pg) == 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(s[i].ends, 1);
        assert_int_equal(s[i].outcome, PG_OK);
    }
    assert_int_equal(count(), N);
}

static void
a_killed_backend_leaves_the_outcome_unknown(void **state)
{
    segment_t a = {0}, b = {0}, c = {0};

    (void) state;
    exec_insert(1, &a);
    commit(&a);
    exec_insert(2, &b);
    pg_exec(pg, KILL_SELF, NULL, NULL, NULL);
    exec_insert(3, &b);
    commit(&b);
    commit(&c);
    LOOP_UNTIL(base, c.ends == 1);
    assert_int_equal(a.outcome, PG_OK);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.outcome, PG_UNKNOWN);
    assert_string_equal(b.sqlstate, "08006");
    assert_int_equal(c.outcome, PG_UNKNOWN);
    assert_int_equal(downs, 1);
    assert_false(pg_up(pg));
    assert_int_equal(pg_in_flight(pg), 0);
    LOOP_UNTIL(base, pg_up(pg));
    assert_int_equal(ups, 2);
    assert_int_equal(count(), 1); /* statements are prepared again */
}

/* Its beginning went with the old connection: the rest may not be sent over
 * the new one. */
static void
a_segment_open_at_a_loss_is_not_sent_in_part(void **state)
{
    segment_t s = {0}, t = {0};

    (void) state;
    exec_insert(1, &s);
    sql("select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'turnup'");
    LOOP_UNTIL(base, downs == 1);
    LOOP_UNTIL(base, pg_up(pg));
    exec_insert(2, &s);
    commit(&s);
    exec_insert(4, &t);
    commit(&t);
    LOOP_UNTIL(base, s.ends == 1 && t.ends == 1);
    assert_int_equal(s.outcome, PG_UNKNOWN);
    assert_int_equal(s.results, 0);
    assert_int_equal(t.outcome, PG_OK);
    assert_int_equal(count(), 1);
}

static void
while_it_is_down(void **state)
{
    segment_t s = {0};

    (void) state;
    server_stop(&server, SIGQUIT); /* at once, as in a crash */
    LOOP_UNTIL(base, downs == 1);
    for (int i = 0; i < 3; i++) {
        exec_insert(i, &s);
        commit(&s);
        assert_int_equal(s.ends, i); /* never from inside */
        assert_int_equal(pg_in_flight(pg), 1);
        LOOP_UNTIL(base, s.ends == i + 1);
        assert_int_equal(s.outcome, PG_UNKNOWN);
        assert_string_equal(s.sqlstate, "08003");
    }
    postgres_server_start(&server);
    LOOP_UNTIL(base, pg_up(pg));
    assert_int_equal(count(), 0);
}

static segment_t repeated;

static void
repeat_at_once(void *ctx, pg_outcome_t outcome, const char *sqlstate,
               const char *message)
{
    on_end(&repeated, outcome, sqlstate, message);
    if (outcome == PG_UNKNOWN) {
        exec_insert(1, ctx);
        pg_commit(pg, repeat_at_once, ctx);
    }
}

/* The loop must get to its sockets. */
static void
an_owner_who_repeats_at_once(void **state)
{
    (void) state;
    memset(&repeated, 0, sizeof(repeated));
    sql("select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'turnup'");
    exec_insert(1, &repeated);
    pg_commit(pg, repeat_at_once, &repeated);
    LOOP_UNTIL(base, repeated.ends > 0 && repeated.outcome == PG_OK);
    assert_true(repeated.ends > 1);
    assert_int_equal(count(), 1);
}

static void
a_statement_that_cannot_be_prepared(void **state)
{
    static const pg_statement_t wrong[] = {
        {"one", "select 1"},
        {"two", "select * from not_yet_there"},
        {NULL, NULL},
    };
    int before = ups;
    pg_t *other = pg_open(base, conninfo, wrong, on_state, &ups);
    segment_t s = {0};

    (void) state;
    LOOP_UNTIL(base, server_has_logged(&server, "not_yet_there\" does not"));
    assert_false(pg_up(other));
    pg_exec(other, 0, NULL, on_result, &s);
    pg_commit(other, on_end, &s);
    LOOP_UNTIL(base, s.ends == 1);
    assert_int_equal(s.outcome, PG_UNKNOWN);
    assert_int_equal(ups, before);
    sql("create table not_yet_there (x int)"); /* the migration comes */
    LOOP_UNTIL(base, pg_up(other));
    pg_close(other);
    sql("drop table not_yet_there");
}

static void
nowhere_to_connect_to(void **state)
{
    static const char *const bad[] = {
        "host=/nonexistent",
        "hostaddr=127.0.0.1 port=1",
        "not a conninfo",
        "host=/nonexistent dbname=x port=99999999",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pg_t *other = pg_open(base, bad[i], statements, on_state, &ups);
        segment_t s = {0};

        pg_exec(other, COUNT, NULL, on_result, &s);
        pg_commit(other, on_end, &s);
        LOOP_UNTIL(base, s.ends == 1);
        assert_int_equal(s.outcome, PG_UNKNOWN);
        pg_close(other);
    }
    assert_int_equal(downs, 0);
}

static void
several_hosts(void **state)
{
    char several[256];
    pg_t *other;

    (void) state;
    snprintf(several, sizeof(several),
             "host=/nonexistent,%s user=postgres dbname=postgres "
             "target_session_attrs=read-write",
             server.dir);
    other = pg_open(base, several, statements, NULL, NULL);
    LOOP_UNTIL(base, pg_up(other));
    pg_close(other);
}

static void
a_read_only_server_is_left(void **state)
{
    segment_t s = {0};

    (void) state;
    pg_exec_text(pg, "set default_transaction_read_only = on", NULL, NULL,
                 NULL);
    commit(&s);
    exec_insert(1, &s);
    commit(&s);
    LOOP_UNTIL(base, s.ends == 2);
    assert_int_equal(s.outcome, PG_RETRY);
    assert_string_equal(s.sqlstate, "25006");
    LOOP_UNTIL(base, downs == 1);
    LOOP_UNTIL(base, pg_up(pg));
    exec_insert(1, &s);
    commit(&s);
    LOOP_UNTIL(base, s.ends == 3);
    assert_int_equal(s.outcome, PG_OK);
}

static void
close_from_result(void *ctx, const PGresult *res)
{
    (void) res;
    pg_close(pg);
    pg = NULL;
    ++*(int *) ctx;
}

static void
close_from_end(void *ctx, pg_outcome_t outcome, const char *sqlstate,
               const char *message)
{
    (void) outcome;
    (void) sqlstate;
    (void) message;
    pg_close(pg);
    pg = NULL;
    ++*(int *) ctx;
}

static void
never(void *ctx, pg_outcome_t outcome, const char *sqlstate,
      const char *message)
{
    (void) ctx;
    (void) outcome;
    (void) sqlstate;
    (void) message;
    fail_msg("a callback after pg_close()");
}

static void
closed_from_a_result(void **state)
{
    int seen = 0;

    (void) state;
    pg_exec(pg, COUNT, NULL, close_from_result, &seen);
    pg_exec(pg, COUNT, NULL, close_from_result, &seen);
    pg_commit(pg, never, NULL);
    LOOP_UNTIL(base, seen == 1);
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(seen, 1);
}

static void
closed_from_an_end(void **state)
{
    int seen = 0;

    (void) state;
    pg_commit(pg, close_from_end, &seen);
    pg_commit(pg, never, NULL);
    LOOP_UNTIL(base, seen == 1);
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
closed_at_a_loss(void **state)
{
    int seen = 0;

    (void) state;
    pg_exec(pg, KILL_SELF, NULL, NULL, NULL);
    pg_commit(pg, close_from_end, &seen);
    pg_commit(pg, never, NULL);
    LOOP_UNTIL(base, seen == 1);
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
closed_with_work_under_way(void **state)
{
    (void) state;
    exec_number(SLEEP, 100, NULL);
    pg_commit(pg, never, NULL);
    (void) event_base_loop(base, EVLOOP_NONBLOCK);
    pg_close(pg);
    pg = pg_open(base, conninfo, statements, NULL, NULL);
    pg_close(pg); /* while connecting */
    pg_close(NULL);
    pg = NULL;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_segment_is_a_transaction),
        TEST(an_error_undoes_its_segment_only),
        TEST(an_error_of_the_commit_itself),
        TEST(outcomes_by_sqlstate),
        TEST(bad_data_is_refused),
        TEST(scalars_there_and_back),
        TEST(arrays_with_nulls_there_and_back),
        TEST(multi_row_insert_with_json),
        TEST(statements_outside_the_table),
        TEST(an_empty_segment_and_nobody_listening),
        TEST(many_segments_under_way),
        TEST(a_killed_backend_leaves_the_outcome_unknown),
        TEST(a_segment_open_at_a_loss_is_not_sent_in_part),
        TEST(while_it_is_down),
        TEST(an_owner_who_repeats_at_once),
        TEST(a_statement_that_cannot_be_prepared),
        TEST(nowhere_to_connect_to),
        TEST(several_hosts),
        TEST(a_read_only_server_is_left),
        TEST(closed_from_a_result),
        TEST(closed_from_an_end),
        TEST(closed_at_a_loss),
        TEST(closed_with_work_under_way),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
