/*
 * turnup.conf: a table of keys over inih's reader.
 */
#define _GNU_SOURCE
#include "backend/pools/settings.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "backend/base/arena.h"
#include "proto/keys.h"

#define MAX_PROCESSES     64
#define MAX_BATCH         2048
#define DEFAULT_PROCESSES 1
#define DEFAULT_BATCH     256

typedef enum {
    KIND_TEXT,
    KIND_INT,
    KIND_BOOL,
    KIND_LEVEL,
    KIND_SUBSCRIPTIONS,
    KIND_NETWORKS
} key_kind_t;

typedef struct {
    const char *section;
    const char *name;
    key_kind_t kind;
    size_t offset;
    const char *dflt;
} conf_key_t;

#define KEY(section, name, kind, member, dflt)                  \
    {                                                           \
        section, name, kind, offsetof(settings_t, member), dflt \
    }

static const conf_key_t keys[] = {
    KEY("turnup", "redis", KIND_TEXT, redis.address, "127.0.0.1:6379"),
    KEY("turnup", "redis_password", KIND_TEXT, redis.password, NULL),
    KEY("turnup", "redis_db", KIND_INT, redis.db, "0"),
    KEY("turnup", "redis_prefix", KIND_TEXT, prefix, KEY_PREFIX),
    KEY("turnup", "postgres", KIND_TEXT, postgres, "dbname=turnup"),
    KEY("turnup", "families", KIND_TEXT, families, "conf/families"),
    KEY("turnup", "catalog", KIND_TEXT, catalog, "conf/catalog"),
    KEY("turnup", "sql", KIND_TEXT, sql, "sql"),
    KEY("turnup", "public_base", KIND_TEXT, public_base,
        "http://127.0.0.1:8080"),
    KEY("turnup", "host", KIND_TEXT, host, NULL),
    KEY("turnup", "log_level", KIND_LEVEL, log_level, "info"),
    KEY("turnup", "list_timeout", KIND_INT, list_timeout_ms, "2000"),
    KEY("turnup", "paused", KIND_BOOL, paused, "no"),
    KEY("hub", "callback_networks", KIND_NETWORKS, hub_networks, ""),
    KEY("hub", "subscriptions", KIND_SUBSCRIPTIONS, hub_subscriptions, "1000"),
    KEY("catalog", "import_directory", KIND_TEXT, import_directory, ""),
    KEY("catalog", "export_directory", KIND_TEXT, export_directory, ""),
};

typedef struct {
    settings_t *settings;
    FILE *file;
    int line;            /* the one being read */
    const char *problem; /* the first, and where */
    int problem_line;
} reading_t;

static bool
parse_int(const char *value, int max, int *ret)
{
    char *end;
    long n = strtol(value, &end, 10);

    if (end == value || *end != '\0' || n < 0 || n > max) {
        return false;
    }
    *ret = (int) n;
    return true;
}

static bool
parse_bool(const char *value, bool *ret)
{
    bool yes = !strcasecmp(value, "yes") || !strcasecmp(value, "on") ||
               !strcmp(value, "1") || !strcasecmp(value, "true");

    if (!yes && strcasecmp(value, "no") && strcasecmp(value, "off") &&
        strcmp(value, "0") && strcasecmp(value, "false")) {
        return false;
    }
    *ret = yes;
    return true;
}

static bool
parse_level(const char *value, log_level_t *ret)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};

    for (int i = 0; i < 4; i++) {
        if (!strcmp(value, names[i])) {
            *ret = (log_level_t) i;
            return true;
        }
    }
    return false;
}

static bool
set_key(settings_t *s, const conf_key_t *k, const char *value)
{
    char *field = (char *) s + k->offset;

    switch (k->kind) {
    case KIND_TEXT:
        free(*(char **) (void *) field);
        *(char **) (void *) field = xstrdup(value);
        return true;
    case KIND_INT:
        return parse_int(value, 1 << 20, (int *) (void *) field);
    case KIND_BOOL:
        return parse_bool(value, (bool *) field);
    case KIND_LEVEL:
        return parse_level(value, (log_level_t *) (void *) field);
    case KIND_SUBSCRIPTIONS:
        return parse_int(value, SETTINGS_MAX_SUBSCRIPTIONS,
                         (int *) (void *) field);
    case KIND_NETWORKS:
        return networks_parse(str_of(value), (networks_t *) (void *) field);
    }
    return false;
}

static pool_settings_t *
pool_find(const settings_t *s, const char *name)
{
    for (int i = 0; i < s->pool_count; i++) {
        if (!strcmp(s->pools[i].name, name)) {
            return (pool_settings_t *) &s->pools[i];
        }
    }
    return NULL;
}

static const char *
set_pool(settings_t *s, const char *pool, const char *name, const char *value)
{
    pool_settings_t *p = pool_find(s, pool);

    if (!p) {
        if (s->pool_count == SETTINGS_MAX_POOLS) {
            return "too many pools";
        }
        p = &s->pools[s->pool_count++];
        p->name = xstrdup(pool);
    }
    if (!strcmp(name, "processes")) {
        return parse_int(value, MAX_PROCESSES, &p->processes)
                   ? NULL
                   : "processes is a number from 0 to 64";
    }
    if (!strcmp(name, "batch")) {
        return parse_int(value, MAX_BATCH, &p->batch)
                   ? NULL
                   : "batch is a number from 0 to 2048";
    }
    return "no such key of a pool";
}

static const char *
set(settings_t *s, const char *section, const char *name, const char *value)
{
    if (!strncmp(section, "pool ", 5)) {
        return set_pool(s, section + 5, name, value);
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!strcmp(keys[i].section, section) && !strcmp(keys[i].name, name)) {
            return set_key(s, &keys[i], value) ? NULL : "not a legal value";
        }
    }
    return "no such key";
}

/* inih reads on after a complaint: the first one is kept. */
static void
complain(reading_t *r, const char *problem)
{
    if (!r->problem) {
        r->problem = problem;
        r->problem_line = r->line;
    }
}

static int
on_key(void *user, const char *section, const char *name, const char *value)
{
    const char *problem =
        set(((reading_t *) user)->settings, section, name, value);

    if (problem) {
        complain(user, problem);
    }
    return problem == NULL;
}

/* inih would take the rest of a long line for the next one. */
static char *
read_line(char *text, int size, void *stream)
{
    reading_t *r = stream;
    char *got = fgets(text, size, r->file);
    int c = '\n';

    if (got) {
        r->line++;
        c = strchr(text, '\n') ? '\n' : getc(r->file);
    }
    if (c != '\n' && c != EOF) {
        complain(r, "the line is too long");
        while (c != '\n' && c != EOF) {
            c = getc(r->file);
        }
    }
    return got;
}

static bool
read_keys(settings_t *s, const char *path, char *err, size_t size)
{
    reading_t r = {.settings = s, .file = fopen(path, "r")};
    int line = -1; /* of the first that inih or we complain of */

    if (r.file) {
        line = ini_parse_stream(read_line, &r, on_key, &r);
        line = ferror(r.file) ? -1 : line;
        fclose(r.file);
    }
    if (line < 0) {
        snprintf(err, size, "%s: cannot be read", path);
        return false;
    }
    if (r.problem && (line == 0 || r.problem_line <= line)) {
        snprintf(err, size, "%s:%d: %s", path, r.problem_line, r.problem);
        return false;
    }
    if (line > 0) {
        snprintf(err, size, "%s:%d: not a key = value line", path, line);
        return false;
    }
    return true;
}

static void
set_host(settings_t *s)
{
    char name[128];

    if (!s->host) {
        if (gethostname(name, sizeof(name) - 1) != 0) {
            strcpy(name, "localhost");
        }
        name[sizeof(name) - 1] = '\0';
        s->host = xstrdup(name);
    }
}

bool
settings_read(settings_t *s, const char *path, char *err, size_t size)
{
    size_t n;

    memset(s, 0, sizeof(*s));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i].dflt) {
            (void) set_key(s, &keys[i], keys[i].dflt);
        }
    }
    if (!read_keys(s, path, err, size)) {
        return false;
    }
    set_host(s);
    n = strlen(s->public_base);
    while (n > 0 && s->public_base[n - 1] == '/') {
        s->public_base[--n] = '\0';
    }
    return true;
}

void
settings_free(settings_t *s)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i].kind == KIND_TEXT) {
            free(*(char **) (void *) ((char *) s + keys[i].offset));
        }
    }
    for (int i = 0; i < s->pool_count; i++) {
        free(s->pools[i].name);
    }
    memset(s, 0, sizeof(*s));
}

/* "family:voip" → its own settings, and those of "family". */
static int
pool_value(const settings_t *s, const char *pool, size_t offset, int dflt)
{
    const pool_settings_t *own = pool_find(s, pool);
    const pool_settings_t *kind = pool_find(s, "family");
    int v =
        own ? *(const int *) (const void *) ((const char *) own + offset) : 0;

    if (!v && kind && !strncmp(pool, "family:", 7)) {
        v = *(const int *) (const void *) ((const char *) kind + offset);
    }
    return v ? v : dflt;
}

int
settings_processes(const settings_t *s, const char *pool)
{
    return pool_value(s, pool, offsetof(pool_settings_t, processes),
                      DEFAULT_PROCESSES);
}

int
settings_batch(const settings_t *s, const char *pool)
{
    return pool_value(s, pool, offsetof(pool_settings_t, batch),
                      DEFAULT_BATCH);
}
