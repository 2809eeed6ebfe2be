/*
 * The catalog as a pool holds it in memory: specifications, and families with
 * their definitions (law 9: no step looks the catalog up).
 */
#ifndef TURNUP_POOLS_CATALOG_H
#define TURNUP_POOLS_CATALOG_H

#include "backend/domain/order.h"
#include "backend/pools/settings.h"
#include "backend/store/catalog.h"

#define CATALOG_MAX_FAMILIES 64

typedef struct catalog catalog_t;

catalog_t *catalog_create(void);
void catalog_free(catalog_t *c);

/* Reads every *.json of a directory. false with a message (file:line: what)
 * in err. */
bool catalog_read_families(catalog_t *c, const char *dir, char *err,
                           size_t size);
int catalog_family_count(const catalog_t *c);
const family_t *catalog_family_at(const catalog_t *c, int i);
/* The number a family's definition has in the database; 0 until set. */
int catalog_definition(const catalog_t *c, const family_t *f);
void catalog_set_definition(catalog_t *c, int i, int id);
/* {"internet-access":"<hash>", ...} */
void catalog_fingerprints(const catalog_t *c, buf_t *out);

/* Takes over a row; an unusable document is logged and left out. */
void catalog_apply(catalog_t *c, const entity_record_t *s);
/* The highest change number taken over. */
int64_t catalog_change(const catalog_t *c);
plan_catalog_t catalog_for_plan(catalog_t *c);
/* version empty: the newest that may be ordered. */
const specification_t *catalog_specification(const catalog_t *c, str_t id,
                                             str_t version);

/* Reads a whole file (at most max bytes) into a new string, or NULL. */
char *file_read(const char *path, size_t max, size_t *ret_len);

#endif
