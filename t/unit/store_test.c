/* What the store's statements give, against a PostgreSQL of its own with the
 * schema that is shipped: values out of resource pools, and families'
 * definitions.
 * rooms: proto backend/base backend/store */
#include "t/unit/pg_server.h"

#include "backend/store/catalog.h"
#include "backend/store/resources.h"
#include "backend/store/statements.h"

static int
start(void **state)
{
    (void) state;
    start_server();
    create_schema();
    return 0;
}

static int
setup(void **state)
{
    (void) state;
    sql("set client_min_messages = warning;"
        "truncate resource_pool, resource_allocation, family_definition"
        " restart identity cascade;"
        "insert into resource_pool values ('vlan', 'vlan'), ('port', 'port'),"
        " ('none', 'port');"
        "insert into resource_allocation values ('vlan', '100'),"
        " ('vlan', '101'), ('port', 'p1');"
        "insert into family_definition (family, version, hash, body) values"
        " ('a', '1', 'h1', '{}'), ('b', '1', 'h2', '{}'),"
        " ('a', '2', 'h3', '{}'), ('a', '3', 'h4', '{}')");
    open_connection(store_statements, NULL, NULL);
    pg_setup(pg, store_setup);
    LOOP_UNTIL(base, pg_up(pg));
    return 0;
}

/* The rows of a result, as text. */
typedef struct {
    bool ended;
    char text[512];
} answer_t;

static void
add(answer_t *s, str_t word, const char *behind)
{
    size_t n = strlen(s->text);

    (void) snprintf(s->text + n, sizeof(s->text) - n, "%.*s%s", STR_FMT(word),
                    behind);
}

static void
on_end(void *ctx, pg_outcome_t outcome, const char *sqlstate,
       const char *message)
{
    if (outcome != PG_OK) {
        fail_msg("%s: %s", sqlstate, message);
    }
    ((answer_t *) ctx)->ended = true;
}

/* Resources ----------------------------------------------------------------- */

static uuid_t
holder(int i)
{
    uuid_t u = {{0xab}};

    u.byte[15] = (uint8_t) i;
    return u;
}

static void
on_allocated(void *ctx, const PGresult *res)
{
    for (int i = 0; i < PQntuples(res); i++) {
        allocation_t r;

        allocation_read(res, i, &r);
        if (r.claim.len) {
            assert_int_equal(r.unknown_pool.len, 0);
            add(ctx, r.claim, "=");
            add(ctx, r.value, " ");
        } else {
            add(ctx, STR("no "), "");
            add(ctx, r.unknown_pool, " ");
        }
    }
}

/* claims: "claim:pool ..." */
static const char *
allocate(const char *claims)
{
    static answer_t s;
    char claim[32], pool[32];
    rows_t r;
    int n = 0, i = 0;

    memset(&s, 0, sizeof(s));
    allocation_rows_init(&r, arena);
    for (; sscanf(claims, " %31[^:]:%31s%n", claim, pool, &n) == 2;
         claims += n) {
        rows_text(&r, arena_str(arena, str_of(claim)));
        rows_text(&r, arena_str(arena, str_of(pool)));
        rows_uuid(&r, holder(i++));
    }
    resources_allocate(&r, pg, arena, on_allocated, &s);
    pg_commit(pg, on_end, &s);
    LOOP_UNTIL(base, s.ended);
    return s.text;
}

static void
values_are_given_in_order(void **state)
{
    (void) state;
    assert_string_equal(allocate("c1:vlan"), "c1=100 ");
    assert_string_equal(allocate("c2:vlan"), "c2=101 ");
    assert_string_equal(allocate("c1:vlan"), "c1=100 "); /* the same again */
}

static void
an_empty_pool_is_no_unknown_one(void **state)
{
    (void) state;
    assert_string_equal(allocate("c1:none"), "");
    assert_string_equal(allocate("c1:port"), "c1=p1 ");
    assert_string_equal(allocate("c2:port"), "");
    assert_string_equal(allocate("c2:lunar"), "no lunar ");
}

static void
all_of_a_batch(void **state)
{
    const char *text;

    (void) state;
    assert_string_equal(allocate("old:vlan"), "old=100 ");
    text = allocate("old:vlan c1:lunar c2:vlan c3:port c4:lunar c5:none"
                    " c6:solar");
    assert_non_null(strstr(text, "old=100 "));
    assert_non_null(strstr(text, "c2=101 "));
    assert_non_null(strstr(text, "c3=p1 "));
    assert_non_null(strstr(text, "no lunar "));
    assert_non_null(strstr(text, "no solar "));
    assert_int_equal(strlen(text),
                     strlen("old=100 c2=101 c3=p1 no lunar no solar "));
    sql("update resource_allocation set holder = null, claim = null"
        " where value = '101'");
    text = allocate("c7:vlan c8:vlan"); /* one of them */
    assert_true(!strcmp(text, "c7=101 ") || !strcmp(text, "c8=101 "));
}

/* Definitions --------------------------------------------------------------- */

static void
on_definitions(void *ctx, const PGresult *res)
{
    for (int i = 0; i < PQntuples(res); i++) {
        assert_true(pg_int(res, i, 0) > 0);
        add(ctx, pg_text(res, i, 1), ":");
        add(ctx, pg_text(res, i, 3), " ");
        assert_true(str_is(pg_text(res, i, 4), "{}"));
    }
}

static const char *
definitions(const char *family, const int *known, int n)
{
    static answer_t s;

    memset(&s, 0, sizeof(s));
    definitions_load(pg, arena, str_of(family), known, n, on_definitions, &s);
    pg_commit(pg, on_end, &s);
    LOOP_UNTIL(base, s.ended);
    return s.text;
}

static void
only_definitions_that_are_not_known(void **state)
{
    static const int known[] = {1, 4, 3};

    (void) state;
    assert_string_equal(definitions("a", NULL, 0), "a:h1 a:h3 a:h4 ");
    assert_string_equal(definitions("a", known, 1), "a:h3 a:h4 ");
    /* one below the highest known: its transaction ended later */
    assert_string_equal(definitions("a", known, 2), "a:h3 ");
    assert_string_equal(definitions("a", known, 3), "");
    assert_string_equal(definitions("b", known, 3), "b:h2 ");
    assert_string_equal(definitions("c", known, 3), "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_given_in_order),
        TEST(an_empty_pool_is_no_unknown_one),
        TEST(all_of_a_batch),
        TEST(only_definitions_that_are_not_known),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
