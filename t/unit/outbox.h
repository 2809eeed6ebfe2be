/*
 * A PostgreSQL with the schema of sql/, a connection that knows the outbox's
 * statements, and another session beside it: for the tests of store/.
 */
#ifndef TURNUP_T_UNIT_OUTBOX_H
#define TURNUP_T_UNIT_OUTBOX_H

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
    RELAX,
    CURSORS,
    ORDERS,
    ORDERS_NOW,
    ORDER_ITEMS,
    SERVICES,
    ROOM,
    FIND,
    INSERT,
    DELETE,
    LIST
};

static const pg_statement_t statements[] = {
    [SESSION] = {"session", sql_event_session},
    [LOCK] = {"lock", sql_event_lock},
    [PAGE] = {"page", sql_event_page},
    [RELAX] = {"relax", sql_event_relax},
    [CURSORS] = {"cursors", sql_event_cursors},
    [ORDERS] = {"orders", sql_event_orders},
    [ORDERS_NOW] = {"orders_now", sql_event_orders_now},
    [ORDER_ITEMS] = {"order_items", sql_event_order_items},
    [SERVICES] = {"services", sql_event_services},
    [ROOM] = {"room", sql_subscription_room},
    [FIND] = {"find", sql_subscription_find},
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

static inline void
sql(const char *text)
{
    PGresult *res = PQexec(other, text);

    if (PQresultStatus(res) != PGRES_COMMAND_OK &&
        PQresultStatus(res) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", text, PQerrorMessage(other));
    }
    PQclear(res);
}

static inline void
assert_sql(const char *query, const char *expected)
{
    PGresult *res = PQexec(other, query);

    assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
    assert_int_equal(PQntuples(res), 1);
    assert_string_equal(PQgetvalue(res, 0, 0), expected);
    PQclear(res);
}

static inline void
on_end(void *ctx, pg_outcome_t outcome, const char *sqlstate,
       const char *message)
{
    if (outcome != PG_OK) {
        fail_msg("%d %s %s", (int) outcome, sqlstate, message);
    }
    ((segment_t *) ctx)->ended = true;
}

static inline void
commit(segment_t *s)
{
    s->ended = false;
    pg_commit(pg, on_end, s);
    LOOP_UNTIL(base, s->ended);
}

static inline void
on_page(void *ctx, const PGresult *res)
{
    segment_t *s = ctx;

    event_page(arena, res, &s->after, s->page);
}

static inline event_page_t
read_page(position_t after, position_t to)
{
    event_page_t page = {0};
    segment_t s = {.after = after, .page = &page};

    event_read(pg, PAGE, arena, &after, &to, on_page, &s);
    commit(&s);
    return page;
}

static inline void
on_flag(void *ctx, const PGresult *res)
{
    segment_t *s = ctx;

    s->rows = PQntuples(res);
    s->flag = s->rows > 0 && pg_bool(res, 0, 0);
}

static inline bool
is_ahead(position_t after)
{
    return read_page(after, POSITION_END).ahead;
}

#define EVENT(resource, data)                                          \
    "insert into event (id, api, type, resource_id, data) values "     \
    "(gen_random_uuid(), 'ordering', 'ServiceOrderStateChangeEvent', " \
    "'" resource "', " data ")"

static inline void
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

static inline void
on_state(void *ctx, bool up)
{
    *(bool *) ctx = up;
}

static inline void
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

static inline int
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

static inline int
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

static inline int
setup(void **state)
{
    (void) state;
    arena_reset(arena);
    sql("truncate event, hub_subscription, service_order, entity_instance,"
        " service_order_state, service_order_item, service_specification"
        " cascade");
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

#endif
