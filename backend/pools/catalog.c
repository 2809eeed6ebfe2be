/*
 * The catalog in memory.
 *
 * Specifications are never dropped while the process lives: an order that
 * was planned under one may still hold it. A newer row of the same id and
 * version takes its place at the end of the list, so that the last match is
 * the newest.
 */
#define _GNU_SOURCE
#include "backend/pools/catalog.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define FAMILY_FILE_MAX 1048576

struct catalog {
    family_t *families[CATALOG_MAX_FAMILIES];
    int definitions[CATALOG_MAX_FAMILIES];
    int family_count;
    struct spec_entry {
        specification_t *spec;
        bool deleted;
    } * specs;
    int spec_count, spec_cap;
    int64_t change;
};

catalog_t *
catalog_create(void)
{
    return xcalloc(1, sizeof(catalog_t));
}

void
catalog_free(catalog_t *c)
{
    if (!c) {
        return;
    }
    for (int i = 0; i < c->family_count; i++) {
        family_free(c->families[i]);
    }
    for (int i = 0; i < c->spec_count; i++) {
        specification_free(c->specs[i].spec);
    }
    free(c->specs);
    free(c);
}

char *
file_read(const char *path, size_t max, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    char *text;
    size_t n;

    if (!f) {
        return NULL;
    }
    text = xcalloc(1, max + 1);
    n = fread(text, 1, max + 1, f);
    fclose(f);
    if (n > max) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    *ret_len = n;
    return text;
}

static const char *
environment(const char *name)
{
    return getenv(name);
}

static bool
read_family(catalog_t *c, const char *path, char *err, size_t size)
{
    family_error_t errors[FAMILY_MAX_ERRORS];
    int n = 0;
    size_t len;
    char *text = file_read(path, FAMILY_FILE_MAX, &len);
    family_t *f;

    if (!text) {
        snprintf(err, size, "%s: cannot be read", path);
        return false;
    }
    f = family_parse((str_t){text, len}, environment, errors, &n);
    free(text);
    if (!f) {
        snprintf(err, size, "%s:%d: %s", path, n ? errors[0].line : 1,
                 n ? errors[0].message : "not a definition");
        return false;
    }
    for (int i = 0; i < c->family_count; i++) {
        if (str_eq(c->families[i]->name, f->name)) {
            snprintf(err, size, "%s:1: family %.*s is defined twice", path,
                     STR_FMT(f->name));
            family_free(f);
            return false;
        }
    }
    c->families[c->family_count++] = f;
    return true;
}

static int
is_json(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return n > 5 && d->d_name[0] != '.' && !strcmp(d->d_name + n - 5, ".json");
}

bool
catalog_read_families(catalog_t *c, const char *dir, char *err, size_t size)
{
    struct dirent **names;
    int n = scandir(dir, &names, is_json, alphasort);
    bool ok = n >= 0;

    if (n < 0) {
        snprintf(err, size, "%s: cannot be read", dir);
        return false;
    }
    for (int i = 0; i < n; i++) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
        if (ok && c->family_count == CATALOG_MAX_FAMILIES) {
            snprintf(err, size, "%s: more than %d families", dir,
                     CATALOG_MAX_FAMILIES);
            ok = false;
        }
        ok = ok && read_family(c, path, err, size);
        free(names[i]);
    }
    free(names);
    return ok;
}

int
catalog_family_count(const catalog_t *c)
{
    return c->family_count;
}

const family_t *
catalog_family_at(const catalog_t *c, int i)
{
    return c->families[i];
}

int
catalog_definition(const catalog_t *c, const family_t *f)
{
    for (int i = 0; i < c->family_count; i++) {
        if (c->families[i] == f) {
            return c->definitions[i];
        }
    }
    return 0;
}

void
catalog_set_definition(catalog_t *c, int i, int id)
{
    c->definitions[i] = id;
}

void
catalog_fingerprints(const catalog_t *c, buf_t *out)
{
    buf_char(out, '{');
    for (int i = 0; i < c->family_count; i++) {
        json_comma(out);
        buf_json(out, c->families[i]->name);
        buf_char(out, ':');
        buf_json(out, str_of(c->families[i]->hash));
    }
    json_end(out, '}');
}

void
catalog_apply(catalog_t *c, const entity_record_t *s)
{
    const char *why = NULL;
    specification_t *spec = specification_parse(s->doc, &why);

    if (s->change > c->change) {
        c->change = s->change;
    }
    if (!spec) {
        char id[128];

        snprintf(id, sizeof(id), "%.*s", STR_FMT(s->id));
        log_event(LOG_WARN, "specification cannot be used, ignoring",
                  "specification", id, "why", why, NULL);
        return;
    }
    if (c->spec_count == c->spec_cap) {
        c->spec_cap = c->spec_cap ? 2 * c->spec_cap : 16;
        c->specs =
            xrealloc(c->specs, sizeof(c->specs[0]) * (size_t) c->spec_cap);
    }
    c->specs[c->spec_count].spec = spec;
    c->specs[c->spec_count++].deleted = s->deleted;
}

int64_t
catalog_change(const catalog_t *c)
{
    return c->change;
}

/* Is there a newer row of the same id and version behind i? */
static bool
is_superseded(const catalog_t *c, int i)
{
    for (int j = i + 1; j < c->spec_count; j++) {
        if (str_eq(specification_id(c->specs[i].spec),
                   specification_id(c->specs[j].spec)) &&
            str_eq(specification_version(c->specs[i].spec),
                   specification_version(c->specs[j].spec))) {
            return true;
        }
    }
    return false;
}

const specification_t *
catalog_specification(const catalog_t *c, str_t id, str_t version)
{
    for (int i = c->spec_count - 1; i >= 0; i--) {
        const specification_t *s = c->specs[i].spec;

        if (!str_eq(specification_id(s), id) ||
            (version.len && !str_eq(specification_version(s), version))) {
            continue;
        }
        if (c->specs[i].deleted || is_superseded(c, i) ||
            (!version.len && !specification_is_active(s))) {
            if (version.len) {
                return NULL;
            }
            continue;
        }
        return s;
    }
    return NULL;
}

static const specification_t *
plan_specification(void *ctx, str_t id, str_t version)
{
    return catalog_specification(ctx, id, version);
}

static const family_t *
plan_family(void *ctx, str_t spec_id, str_t spec_version)
{
    const catalog_t *c = ctx;

    for (int i = 0; i < c->family_count; i++) {
        if (family_serves(c->families[i], spec_id, spec_version)) {
            return c->families[i];
        }
    }
    return NULL;
}

plan_catalog_t
catalog_for_plan(catalog_t *c)
{
    return (plan_catalog_t){plan_specification, plan_family, c};
}
