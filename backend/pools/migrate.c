/*
 * turnupd migrate. Blocking libpq: a command, not a server.
 */
#define _GNU_SOURCE
#include "backend/pools/migrate.h"

#include <dirent.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "backend/base/json.h"
#include "backend/base/uuid.h"
#include "backend/pools/catalog.h"
#include "backend/tmf/entity.h"

#define FILE_MAX      4194304
#define SECRET_BYTES  32
#define MIGRATE_LOCK  "7455726e7570" /* any number of our own */
#define POOL_SIZE_MAX 10000000

static bool
complain(const char *what, const char *why)
{
    fprintf(stderr, "turnupd migrate: %s: %s\n", what, why);
    return false;
}

static bool
run(PGconn *db, const char *what, const char *sql, int n,
    const char *const *params)
{
    PGresult *res =
        n < 0 ? PQexec(db, sql)
              : PQexecParams(db, sql, n, NULL, params, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(res);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

    if (!ok) {
        (void) complain(what, PQresultErrorMessage(res));
    }
    PQclear(res);
    return ok;
}

static int
is_kind(const struct dirent *d, const char *ending)
{
    size_t n = strlen(d->d_name), m = strlen(ending);

    return n > m && d->d_name[0] != '.' && !strcmp(d->d_name + n - m, ending);
}

static int
is_sql(const struct dirent *d)
{
    return is_kind(d, ".sql");
}

static int
is_json(const struct dirent *d)
{
    return is_kind(d, ".json");
}

/* Calls fn with every file of a directory, by name; stops at false. */
static bool
each_file(PGconn *db, const char *dir, int (*wanted)(const struct dirent *),
          bool (*fn)(PGconn *db, const char *name, str_t text))
{
    struct dirent **names;
    int n = scandir(dir, &names, wanted, alphasort);
    bool ok = n >= 0;

    if (n < 0) {
        return complain(dir, "cannot be read");
    }
    for (int i = 0; i < n; i++) {
        char path[4096];
        size_t len;
        char *text;

        snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        if (ok) {
            text = file_read(path, FILE_MAX, &len);
            ok = text ? fn(db, names[i]->d_name, (str_t){text, len})
                      : complain(path, "cannot be read");
            free(text);
        }
        free(names[i]);
    }
    free(names);
    return ok;
}

/* The schema --------------------------------------------------------------- */

static bool
is_applied(PGconn *db, const char *name)
{
    PGresult *res =
        PQexecParams(db, "SELECT 1 FROM schema_migration WHERE name = $1", 1,
                     NULL, &name, NULL, NULL, 0);
    bool found = PQntuples(res) > 0;

    PQclear(res);
    return found;
}

static bool
apply_sql(PGconn *db, const char *name, str_t text)
{
    char *sql = xcalloc(1, text.len + 1);
    bool ok;

    memcpy(sql, text.data, text.len);
    if (is_applied(db, name)) {
        free(sql);
        return true;
    }
    ok = run(db, name, "BEGIN", -1, NULL) && run(db, name, sql, -1, NULL) &&
         run(db, name, "INSERT INTO schema_migration (name) VALUES ($1)", 1,
             &name) &&
         run(db, name, "COMMIT", -1, NULL);
    if (ok) {
        fprintf(stderr, "turnupd migrate: applied %s\n", name);
    }
    free(sql);
    return ok;
}

static bool
make_secret(PGconn *db)
{
    unsigned char bytes[SECRET_BYTES];
    char hex[2 + 2 * SECRET_BYTES + 1] = "\\x";
    const char *params[] = {hex};

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t) sizeof(bytes)) {
        return complain("secret", "no random bytes");
    }
    for (int i = 0; i < SECRET_BYTES; i++) {
        snprintf(hex + 2 + 2 * i, 3, "%02x", bytes[i]);
    }
    return run(db, "secret",
               "INSERT INTO installation (secret) VALUES ($1::bytea)"
               " ON CONFLICT DO NOTHING",
               1, params);
}

/* The catalog -------------------------------------------------------------- */

static bool
add_pool(PGconn *db, const char *file, const json_t *pool)
{
    char from[24], to[24], width[24];
    long long first = json_int(pool, "from", 1);
    long long last = json_int(pool, "to", 0);
    arena_t *a = arena_create();
    const char *params[] = {arena_z(a, json_text(pool, "name")),
                            arena_z(a, json_text(pool, "kind")),
                            arena_z(a, json_text(pool, "prefix")),
                            from,
                            to,
                            width};
    bool ok;

    snprintf(from, sizeof(from), "%lld", first);
    snprintf(to, sizeof(to), "%lld", last);
    snprintf(width, sizeof(width), "%lld", json_int(pool, "width", 1));
    if (!params[0][0] || last < first || last - first >= POOL_SIZE_MAX) {
        arena_free(a);
        return complain(file, "a resource pool needs name, from and to");
    }
    ok = run(db, file,
             "INSERT INTO resource_pool (name, kind) VALUES ($1, $2)"
             " ON CONFLICT (name) DO UPDATE SET kind = excluded.kind",
             2, params) &&
         run(db, file,
             "INSERT INTO resource_allocation (pool, value)"
             " SELECT $1, $3 || lpad(n::text,"
             "  greatest($6::int, length(n::text)), '0')"
             " FROM generate_series($4::bigint, $5::bigint) AS n"
             " WHERE $2::text IS NOT NULL AND (SELECT count(*)"
             "  FROM resource_allocation WHERE pool = $1)"
             "  < $5::bigint - $4::bigint + 1"
             " ON CONFLICT DO NOTHING",
             6, params);
    arena_free(a);
    return ok;
}

/* What the edge asks of a POST, and the pools of every specification. */
static bool
is_usable(const char *file, const json_t *doc, str_t stored)
{
    const char *why = NULL;
    specification_t *s;

    if (!json_text(doc, "name").len) {
        return complain(file, "a serviceSpecification needs a name");
    }
    s = specification_parse(stored, &why);
    specification_free(s);
    return s || complain(file, why);
}

static bool
add_specification(PGconn *db, const char *file, arena_t *a, const json_t *doc)
{
    char id_text[UUID_TEXT + 1];
    str_t id, version;
    tmf_error_t e;
    buf_t out;
    bool ok;

    uuid_print(uuid_v7(clock_us() / 1000), id_text);
    buf_init(&out, 2 * FILE_MAX);
    if (!entity_create(&out, entity_kind(STR("serviceSpecification")), doc,
                       str_of(id_text), clock_us(), &id, &version, a, &e)) {
        buf_free(&out);
        return complain(file, e.message);
    }
    ok = is_usable(file, doc, buf_view(&out));
    if (ok) {
        const char *params[] = {arena_z(a, id), arena_z(a, version), out.data};

        ok = run(db, file,
                 "INSERT INTO service_specification (id, version, doc)"
                 " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                 3, params);
    }
    buf_free(&out);
    return ok;
}

/* A file holds one serviceSpecification, or {"resourcePools":[...]}. What the
 * database has already stays: there it may have been changed by PATCH. */
static bool
add_file(PGconn *db, const char *name, str_t text)
{
    arena_t *a = arena_create();
    json_error_t err;
    const json_t *doc = json_parse_relaxed(a, text, &err);
    const json_t *pools = json_get(doc, "resourcePools");
    bool ok = true;

    if (!doc) {
        ok = complain(name, err.reason);
    } else if (pools && pools->type != JSON_ARRAY) {
        ok = complain(name, "resourcePools is an array");
    } else if (pools) {
        json_each(pool, pools)
        {
            ok = ok && add_pool(db, name, pool);
        }
    } else {
        ok = add_specification(db, name, a, doc);
    }
    arena_free(a);
    return ok;
}

static bool
migrate(PGconn *db, const settings_t *s)
{
    return run(db, "lock",
               "SELECT pg_advisory_lock(x'" MIGRATE_LOCK "'::bigint)", -1,
               NULL) &&
           run(db, "schema",
               "CREATE TABLE IF NOT EXISTS schema_migration"
               " (name text PRIMARY KEY,"
               " applied_at timestamptz NOT NULL DEFAULT now())",
               -1, NULL) &&
           each_file(db, s->sql, is_sql, apply_sql) && make_secret(db) &&
           each_file(db, s->catalog, is_json, add_file);
}

static void
quiet(void *ctx, const char *message)
{
    (void) ctx;
    (void) message;
}

int
migrate_main(const settings_t *s)
{
    PGconn *db = PQconnectdb(s->postgres);
    bool ok = false;

    if (PQstatus(db) != CONNECTION_OK) {
        (void) complain("PostgreSQL", PQerrorMessage(db));
    } else {
        PQsetNoticeProcessor(db, quiet, NULL);
        ok = migrate(db, s);
    }
    PQfinish(db);
    return ok ? 0 : 1;
}
