/*
 * A PostgreSQL of the test's own, and what a connection to it needs: the
 * server lives as long as the program, loop, arena and connection as long as
 * one test. A program's own start, setup and teardown call these.
 */
#ifndef TURNUP_T_UNIT_PG_SERVER_H
#define TURNUP_T_UNIT_PG_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/base/log.h"
#include "backend/store/pg.h"
#include "t/unit/servers.h"

#define SCHEMA     "sql/001_turnup.sql"
#define SCHEMA_MAX 262144

static server_t server;
static char conninfo[128];
static struct event_base *base;
static arena_t *arena;
static pg_t *pg;

/* In a session the caller has; the result is the caller's. */
static inline PGresult *
sql_in(PGconn *conn, const char *text)
{
    PGresult *res = PQexec(conn, text);

    if (PQresultStatus(res) != PGRES_COMMAND_OK &&
        PQresultStatus(res) != PGRES_TUPLES_OK) {
        fail_msg("%.100s: %s", text, PQerrorMessage(conn));
    }
    return res;
}

/* In a session of its own. */
static inline void
sql(const char *text)
{
    PGconn *conn = PQconnectdb(conninfo);

    PQclear(sql_in(conn, text));
    PQfinish(conn);
}

/* The schema that is shipped. */
static inline void
create_schema(void)
{
    static char text[SCHEMA_MAX];
    FILE *f = fopen(SCHEMA, "r");
    size_t n;

    if (!f) {
        fail_msg(SCHEMA " cannot be read (run from the repository's root)");
    }
    n = fread(text, 1, sizeof(text) - 1, f);
    (void) fclose(f);
    assert_in_range(n, 1, SCHEMA_MAX - 2);
    text[n] = '\0';
    sql(text);
}

static inline void
start_server(void)
{
    log_init("test", LOG_ERROR);
    postgres_server_create(&server);
    (void) snprintf(conninfo, sizeof(conninfo),
                    "host=%s user=postgres dbname=postgres", server.dir);
}

static inline int
stop(void **state)
{
    (void) state;
    server_stop(&server, SIGINT);
    server_remove(&server);
    return 0;
}

/* Loop, arena and a connection that is not up yet. */
static inline void
open_connection(const pg_statement_t *statements,
                void (*on_state)(void *ctx, bool up), void *ctx)
{
    base = event_base_new();
    arena = arena_create();
    pg = pg_open(base, conninfo, statements, on_state, ctx);
}

static inline int
teardown(void **state)
{
    (void) state;
    pg_close(pg);
    pg = NULL;
    arena_free(arena);
    event_base_free(base);
    return 0;
}

#endif
