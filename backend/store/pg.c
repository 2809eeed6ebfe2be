/*
 * The connection: connecting, preparing, sending, reading, losing it.
 *
 * What comes back is matched to a queue of expectations, one for each
 * statement and one for each Sync; nothing is inferred from the NULLs that
 * libpq puts between. The state is CONNECTING until libpq is through,
 * PREPARING until the first segment (all statements of the table) has ended,
 * then UP; any failure leads to DOWN and a timer. An attempt to connect is
 * pg_connect.c's; parameters and columns are in pg_value.c.
 */
#include "backend/store/pg.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/base/log.h"
#include "backend/base/ring.h"
#include "backend/store/pg_connect.h"

enum {
    ANSWER_MS = 30000, /* a segment without an end: the server hangs */
    BACKOFF_MIN_MS = 50,
    BACKOFF_MAX_MS = 1000,
    EXPECTED_MAX = 65536 /* statements and ends under way */
};

typedef enum { DOWN, CONNECTING, PREPARING, UP } state_t;

typedef enum {
    EXPECT_RESULT,   /* of a pg_exec() */
    EXPECT_ASKED,    /* of a pg_ask(): told in any case */
    EXPECT_PREPARED, /* of our own first segment */
    EXPECT_READY,    /* its Sync */
    EXPECT_END       /* the Sync of a pg_commit() */
} expect_kind_t;

typedef struct {
    expect_kind_t kind;
    union {
        pg_result_fn result;
        pg_end_fn end;
        const pg_statement_t *statement;
    } fn;
    void *ctx;
    int64_t deadline;
} expect_t;

struct pg {
    struct event_base *base;
    char *conninfo;
    const pg_statement_t *statements;
    const char *setup; /* or NULL */
    pg_state_fn on_state;
    void *ctx;

    state_t state;
    pg_connect_t *attempt;  /* CONNECTING */
    PGconn *conn;           /* PREPARING, UP */
    struct event *readable; /* persistent, while there is a socket */
    struct event *writable; /* once, while there is something to write */
    struct event *timer;    /* overdue answer, reconnect */
    struct event *later;    /* lost segments are told from the loop */
    int backoff_ms;
    bool complained; /* this outage has been logged */

    ring_t expected;    /* of expect_t, as is the other */
    ring_t lost;        /* ends of segments that were never sent */
    int in_flight;      /* ends in both queues */
    bool segment_open;  /* statements without their pg_commit() */
    bool segment_lost;  /* and they cannot be sent whole */
    const char *broken; /* why the connection must be dropped, or NULL */
    bool failed;        /* the segment now read has met an error */
    char sqlstate[6];   /* its first one */
    char message[512];

    int busy;    /* depth of our frames that call others */
    bool closed; /* free when they are left */
};

/* What an error says about the next attempt; the first prefix that fits. */
static const struct {
    const char *prefix;
    pg_outcome_t outcome;
} outcomes[] = {
    {"40001", PG_RETRY}, /* serialization failure */
    {"40P01", PG_RETRY}, /* deadlock */
    {"55P03", PG_RETRY}, /* lock not available */
    {"57014", PG_RETRY}, /* statement time-out */
    {"57P", PG_RETRY},   /* shutting down, starting */
    {"53", PG_RETRY},    /* disk full, out of memory, connections */
    {"58", PG_RETRY},    /* the server's system failed it */
    {"25006", PG_RETRY}, /* a standby: the primary is elsewhere */
    {"", PG_REFUSED},
};

static pg_outcome_t
outcome_of(const char *sqlstate)
{
    size_t i = 0;

    while (strncmp(sqlstate, outcomes[i].prefix, strlen(outcomes[i].prefix))) {
        i++;
    }
    return outcomes[i].outcome;
}

static void
arm(pg_t *pg, int64_t ms)
{
    struct timeval tv = {(time_t) (ms / 1000),
                         (suseconds_t) (ms % 1000) * 1000};

    (void) event_add(pg->timer, &tv);
}

static void
event_drop(struct event **ev)
{
    if (*ev != NULL) {
        event_free(*ev);
        *ev = NULL;
    }
}

static void
connection_drop(pg_t *pg)
{
    event_drop(&pg->readable);
    event_drop(&pg->writable);
    pg_connect_cancel(pg->attempt);
    pg->attempt = NULL;
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->state = DOWN;
    pg->broken = NULL;
    pg->failed = false;
}

static void
destroy(pg_t *pg)
{
    connection_drop(pg);
    event_drop(&pg->timer);
    event_drop(&pg->later);
    ring_free(&pg->expected);
    ring_free(&pg->lost);
    free(pg->conninfo);
    free(pg);
}

/* Around everything that may call the owner, who may close us. */
static void
enter(pg_t *pg)
{
    pg->busy++;
}

static void
leave(pg_t *pg)
{
    if (--pg->busy == 0 && pg->closed) {
        destroy(pg);
    }
}

/* Tells the end of every segment in q; q may grow meanwhile only in the
 * other queue, because the connection is down. */
static void
end_unknown(pg_t *pg, ring_t *q, const char *sqlstate, const char *why)
{
    for (size_t n = q->count; n > 0 && !pg->closed; n--) {
        expect_t e;

        ring_pop(q, &e);
        if (e.kind == EXPECT_ASKED) {
            e.fn.result(e.ctx, NULL);
        }
        if (e.kind != EXPECT_END) {
            continue;
        }
        pg->in_flight--;
        if (e.fn.end != NULL) {
            e.fn.end(e.ctx, PG_UNKNOWN, sqlstate, why);
        }
    }
}

static void
complain(pg_t *pg, const char *why)
{
    log_event(pg->complained ? LOG_DEBUG : LOG_WARN, "postgresql lost",
              "reason", why, NULL);
    pg->complained = true;
}

/* The one way down; between enter() and leave(). why may lie in the
 * connection. */
static void
drop(pg_t *pg, const char *why)
{
    bool was_up = pg->state == UP;
    char reason[sizeof(pg->message)];
    double share = 0.5 + random_unit() / 2;

    (void) snprintf(reason, sizeof(reason), "%s", why);
    reason[strcspn(reason, "\n")] = '\0';
    complain(pg, reason);
    connection_drop(pg);
    arm(pg, (int64_t) (pg->backoff_ms * share));
    pg->backoff_ms *= 2;
    if (pg->backoff_ms > BACKOFF_MAX_MS) {
        pg->backoff_ms = BACKOFF_MAX_MS;
    }
    pg->segment_lost = pg->segment_open;
    if (was_up && pg->on_state != NULL) {
        pg->on_state(pg->ctx, false);
    }
    end_unknown(pg, &pg->expected, "08006", reason);
}

/* Not at once: the owner is in the middle of something. By a timer, not by
 * event_active(), so that an owner who repeats a lost segment on the spot
 * does not keep the loop from its sockets. */
static void
soon(pg_t *pg)
{
    static const struct timeval now;

    (void) event_add(pg->later, &now);
}

static void
break_off(pg_t *pg, const char *why)
{
    pg->broken = why;
    soon(pg);
}

/* Pushes what is written; what does not fit waits for the socket. */
static void
flush(pg_t *pg)
{
    int rest = PQflush(pg->conn);

    if (rest > 0) {
        (void) event_add(pg->writable, NULL);
    } else if (rest < 0) {
        break_off(pg, "write failed");
    }
}

/* The timer for the oldest end that is awaited; it is armed lazily, not with
 * each segment. */
static void
watch_deadline(pg_t *pg)
{
    if (!event_pending(pg->timer, EV_TIMEOUT, NULL)) {
        arm(pg, ANSWER_MS);
    }
}

static void
expect(pg_t *pg, expect_t e)
{
    if (pg->expected.count >= EXPECTED_MAX) {
        break_off(pg, "too many statements under way");
    }
    e.deadline = clock_mono_ms() + ANSWER_MS;
    ring_push(&pg->expected, &e);
}

static void
remember_error(pg_t *pg, const PGresult *res)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    if (pg->failed) {
        return;
    }
    pg->failed = true;
    (void) snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s",
                    state != NULL ? state : "XX000");
    (void) snprintf(pg->message, sizeof(pg->message), "%s",
                    text != NULL ? text : PQresultErrorMessage(res));
}

static void
on_ready(pg_t *pg)
{
    if (pg->failed) {
        pg->broken = "a statement could not be prepared";
        return;
    }
    pg->state = UP;
    pg->backoff_ms = BACKOFF_MIN_MS;
    pg->complained = false;
    log_event(LOG_INFO, "postgresql connected", "host", PQhost(pg->conn),
              "database", PQdb(pg->conn), NULL);
    if (pg->on_state != NULL) {
        pg->on_state(pg->ctx, true);
    }
}

static void
on_end(pg_t *pg, const expect_t *e)
{
    pg_outcome_t outcome = pg->failed ? outcome_of(pg->sqlstate) : PG_OK;

    if (pg->failed && strcmp(pg->sqlstate, "25006") == 0) {
        pg->broken = "the server is read-only";
    }
    pg->in_flight--;
    if (e->fn.end != NULL) {
        e->fn.end(e->ctx, outcome, pg->failed ? pg->sqlstate : "",
                  pg->failed ? pg->message : "");
    }
}

static void
on_error(pg_t *pg, const expect_t *e, const PGresult *res)
{
    remember_error(pg, res);
    if (e->kind == EXPECT_PREPARED) {
        log_event(LOG_ERROR, "statement not prepared", "statement",
                  e->fn.statement->name, "sqlstate", pg->sqlstate, "error",
                  pg->message, NULL);
    }
}

static bool
is_end(const expect_t *e)
{
    return e->kind == EXPECT_END || e->kind == EXPECT_READY;
}

static void
on_result(pg_t *pg, const PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    bool is_sync = status == PGRES_PIPELINE_SYNC;
    bool is_error = status == PGRES_FATAL_ERROR;
    const expect_t *head = ring_at(&pg->expected, 0);
    expect_t e;

    if (head != NULL && is_error && is_end(head)) {
        remember_error(pg, res); /* of the commit itself; its Sync follows */
        return;
    }
    if (head == NULL || is_sync != is_end(head)) {
        pg->broken = "an answer that was not expected";
        return;
    }
    ring_pop(&pg->expected, &e);
    if (is_sync) {
        e.kind == EXPECT_READY ? on_ready(pg) : on_end(pg, &e);
        pg->failed = false;
        return;
    }
    if (is_error) {
        on_error(pg, &e, res);
    }
    if (e.kind == EXPECT_ASKED) {
        e.fn.result(e.ctx, pg->failed ? NULL : res);
    } else if (!is_error && status != PGRES_PIPELINE_ABORTED && !pg->failed &&
               e.kind == EXPECT_RESULT && e.fn.result != NULL) {
        e.fn.result(e.ctx, res);
    }
}

/* All that has come. libpq gives one NULL behind each statement's result and
 * a second one when it has nothing more. */
static void
read_results(pg_t *pg)
{
    int nulls = 0;

    while (nulls < 2 && pg->broken == NULL && !pg->closed &&
           !PQisBusy(pg->conn)) {
        PGresult *res = PQgetResult(pg->conn);

        nulls = res == NULL ? nulls + 1 : 0;
        if (res != NULL) {
            on_result(pg, res);
            PQclear(res);
        }
    }
}

/* One read of libpq may leave the second half of a TLS record in OpenSSL's
 * buffer, where no event tells of it. */
static bool
consume(PGconn *conn)
{
    return PQconsumeInput(conn) && (!PQsslInUse(conn) || PQconsumeInput(conn));
}

static void
on_io(evutil_socket_t fd, short what, void *ctx)
{
    pg_t *pg = ctx;

    (void) fd;
    enter(pg);
    if (what & EV_READ) {
        if (consume(pg->conn)) {
            read_results(pg);
        } else {
            pg->broken = PQerrorMessage(pg->conn);
        }
    }
    if (!pg->closed && pg->broken == NULL) {
        flush(pg);
    }
    if (!pg->closed && pg->broken != NULL) {
        drop(pg, pg->broken);
    }
    leave(pg);
}

/* The first segment: every statement of the table, once. */
static void
prepare(pg_t *pg)
{
    pg->state = PREPARING;
    if (pg->setup != NULL) {
        if (!PQsendQueryParams(pg->conn, pg->setup, 0, NULL, NULL, NULL, NULL,
                               0)) {
            drop(pg, PQerrorMessage(pg->conn));
            return;
        }
        expect(pg, (expect_t){.kind = EXPECT_RESULT});
    }
    for (const pg_statement_t *s = pg->statements; s && s->sql; s++) {
        if (!PQsendPrepare(pg->conn, s->name, s->sql, 0, NULL)) {
            drop(pg, PQerrorMessage(pg->conn));
            return;
        }
        expect(pg, (expect_t){.kind = EXPECT_PREPARED, .fn.statement = s});
    }
    if (!PQpipelineSync(pg->conn)) {
        drop(pg, PQerrorMessage(pg->conn));
        return;
    }
    expect(pg, (expect_t){.kind = EXPECT_READY});
    arm(pg, ANSWER_MS);
    flush(pg);
}

/* Takes the connection over. NULL, or why it cannot. */
static const char *
adopt(pg_t *pg, PGconn *conn)
{
    int fd = PQsocket(conn);

    pg->conn = conn;
    if (PQsetnonblocking(conn, 1) != 0 || !PQenterPipelineMode(conn)) {
        return PQerrorMessage(conn);
    }
    pg->readable = event_new(pg->base, fd, EV_READ | EV_PERSIST, on_io, pg);
    pg->writable = event_new(pg->base, fd, EV_WRITE, on_io, pg);
    if (pg->readable == NULL || pg->writable == NULL ||
        event_add(pg->readable, NULL) != 0) {
        return "no event for the socket";
    }
    return NULL;
}

static void
on_connected(void *ctx, PGconn *conn, const char *why)
{
    pg_t *pg = ctx;

    enter(pg);
    pg->attempt = NULL;
    if (conn != NULL) {
        why = adopt(pg, conn);
    }
    if (why != NULL) {
        drop(pg, why);
    } else {
        prepare(pg);
    }
    leave(pg);
}

static void
connect_begin(pg_t *pg)
{
    pg->state = CONNECTING;
    pg->attempt = pg_connect_start(pg->base, pg->conninfo, on_connected, pg);
}

static void
check_deadline(pg_t *pg)
{
    const expect_t *oldest = ring_at(&pg->expected, 0);
    int64_t left;

    if (oldest == NULL) {
        return;
    }
    left = oldest->deadline - clock_mono_ms();
    if (left <= 0) {
        drop(pg, "the server does not answer");
    } else {
        arm(pg, left);
    }
}

static void
on_timer(evutil_socket_t fd, short what, void *ctx)
{
    pg_t *pg = ctx;

    (void) fd;
    (void) what;
    enter(pg);
    if (pg->state == DOWN) {
        connect_begin(pg);
    } else {
        check_deadline(pg);
    }
    leave(pg);
}

static void
on_later(evutil_socket_t fd, short what, void *ctx)
{
    pg_t *pg = ctx;

    (void) fd;
    (void) what;
    enter(pg);
    if (pg->broken != NULL) {
        drop(pg, pg->broken);
    }
    end_unknown(pg, &pg->lost, "08003", "the connection was down");
    leave(pg);
}

pg_t *
pg_open(struct event_base *base, const char *conninfo,
        const pg_statement_t *statements, pg_state_fn on_state, void *ctx)
{
    pg_t *pg = xcalloc(1, sizeof(*pg));

    pg->base = base;
    pg->conninfo = xstrdup(conninfo);
    pg->statements = statements;
    pg->on_state = on_state;
    pg->ctx = ctx;
    pg->backoff_ms = BACKOFF_MIN_MS;
    ring_init(&pg->expected, sizeof(expect_t));
    ring_init(&pg->lost, sizeof(expect_t));
    pg->timer = event_new(base, -1, 0, on_timer, pg);
    pg->later = event_new(base, -1, 0, on_later, pg);
    if (pg->timer == NULL || pg->later == NULL) {
        abort();
    }
    connect_begin(pg);
    return pg;
}

void
pg_setup(pg_t *pg, const char *sql)
{
    pg->setup = sql;
}

void
pg_close(pg_t *pg)
{
    if (pg == NULL) {
        return;
    }
    pg->closed = true;
    if (pg->busy == 0) {
        destroy(pg);
    }
}

bool
pg_up(const pg_t *pg)
{
    return pg->state == UP;
}

bool
pg_asking(const pg_t *pg)
{
    return pg->segment_open;
}

int
pg_in_flight(const pg_t *pg)
{
    return pg->in_flight;
}

/* May a statement be sent? Counts it as one of the open segment. */
static bool
segment_continue(pg_t *pg)
{
    pg->segment_open = true;
    if (pg->state != UP || pg->broken != NULL) {
        pg->segment_lost = true;
    }
    return !pg->segment_lost;
}

static void
sent(pg_t *pg, int ok, expect_t e)
{
    if (ok) {
        expect(pg, e);
    } else {
        pg->segment_lost = true;
        break_off(pg, PQerrorMessage(pg->conn));
    }
}

static bool
send_prepared(pg_t *pg, int stmt, const pg_params_t *p, expect_t e)
{
    static const int binary[PG_MAX_PARAMS] = {[0 ... PG_MAX_PARAMS - 1] = 1};
    int ok;

    if (!segment_continue(pg)) {
        return false;
    }
    ok = PQsendQueryPrepared(pg->conn, pg->statements[stmt].name, p ? p->n : 0,
                             p ? p->value : NULL, p ? p->length : NULL, binary,
                             1);
    sent(pg, ok, e);
    return ok;
}

void
pg_exec(pg_t *pg, int stmt, const pg_params_t *p, pg_result_fn fn, void *ctx)
{
    (void) send_prepared(
        pg, stmt, p,
        (expect_t){.kind = EXPECT_RESULT, .fn.result = fn, .ctx = ctx});
}

void
pg_ask(pg_t *pg, int stmt, const pg_params_t *p, pg_result_fn fn, void *ctx)
{
    expect_t e = {.kind = EXPECT_ASKED, .fn.result = fn, .ctx = ctx};

    if (!send_prepared(pg, stmt, p, e)) {
        fn(ctx, NULL);
        return;
    }
    if (!PQsendFlushRequest(pg->conn)) {
        break_off(pg, PQerrorMessage(pg->conn));
        return;
    }
    watch_deadline(pg);
    flush(pg);
}

void
pg_exec_text(pg_t *pg, const char *sql, const pg_params_t *p, pg_result_fn fn,
             void *ctx)
{
    int ok;

    if (!segment_continue(pg)) {
        return;
    }
    ok = PQsendQueryParams(pg->conn, sql, p ? p->n : 0, NULL,
                           p ? p->value : NULL, NULL, NULL, 1);
    sent(pg, ok,
         (expect_t){.kind = EXPECT_RESULT, .fn.result = fn, .ctx = ctx});
}

void
pg_commit(pg_t *pg, pg_end_fn fn, void *ctx)
{
    expect_t e = {.kind = EXPECT_END, .fn.end = fn, .ctx = ctx};
    bool whole = segment_continue(pg);

    if (whole && !PQpipelineSync(pg->conn)) {
        break_off(pg, PQerrorMessage(pg->conn));
        whole = false;
    }
    pg->segment_open = false;
    pg->segment_lost = false;
    pg->in_flight++;
    if (whole) {
        expect(pg, e);
        watch_deadline(pg);
        flush(pg);
    } else {
        ring_push(&pg->lost, &e);
        soon(pg);
    }
}
