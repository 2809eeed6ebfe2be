/*
 * catalog_entity (the resources of TMF633), family_definition, installation:
 * SQL only.
 */
#ifndef TURNUP_STORE_CATALOG_H
#define TURNUP_STORE_CATALOG_H

#include "backend/store/filter.h"
#include "backend/store/rows.h"

/* A row of catalog_entity; slices point into the result. */
typedef struct {
    str_t resource; /* "serviceCategory" */
    str_t id, version, doc;
    int64_t change;
    bool deleted;
} entity_record_t;

typedef struct {
    str_t resource, id;
    str_t version; /* empty: there is but one */
} entity_key_t;

/* The event that tells of a deletion; without a type nothing does. */
typedef struct {
    uuid_t id;
    str_t type, correlation;
} entity_deleted_t;

void entity_read(const PGresult *res, int row, entity_record_t *ret);
/* Specifications with a change number above since, oldest first. */
void specifications_changes(pg_t *pg, arena_t *a, int64_t since,
                            pg_result_fn fn, void *ctx);
/* The n resources with these ids, all versions, not the deleted ones; of an
 * id the newest version is the last. */
void entities_load(pg_t *pg, arena_t *a, const str_t *resources,
                   const str_t *ids, int n, pg_result_fn fn, void *ctx);
/* What is there (not deleted) fails with 23505. */
void entity_insert(pg_t *pg, arena_t *a, const entity_key_t *k, str_t doc);
/* Only over the change number it was read with: else the statement fails with
 * 22012, and with it the segment. */
void entity_update(pg_t *pg, arena_t *a, const entity_key_t *k, int64_t change,
                   str_t doc);
/* All versions of an id, with the event that says so; gives a row each, or one
 * with null where there is none. changes: the n change numbers they were read
 * with; where a version has another by now, or one has come, the statement
 * fails with 22012, and with it the segment. NULL: whatever they are. */
void entity_delete(pg_t *pg, arena_t *a, str_t resource, str_t id,
                   const int64_t *changes, int n,
                   const entity_deleted_t *event, pg_result_fn fn, void *ctx);
/* resource: one of those that catalog_entity has a table for. */
bool entities_list_sql(buf_t *sql, pg_params_t *p, str_t resource,
                       const query_t *q, long cap, tmf_error_t *err);

/* All documents of a resource that q's filters find, by id and version; none
 * behind one with which they are more than so many bytes. */
bool entities_all_sql(buf_t *sql, pg_params_t *p, str_t resource,
                      const query_t *q, long bytes, tmf_error_t *err);

/* id, family, version, hash, body of one family's definitions but the n known
 * ones, by id. Not those above the highest known: a number is given before
 * its transaction commits, so a lower one may appear after a higher one. */
void definitions_load(pg_t *pg, arena_t *a, str_t family, const int *known,
                      int n, pg_result_fn fn, void *ctx);
/* Gives its id, new or old. */
void definition_insert(pg_t *pg, arena_t *a, str_t family, str_t version,
                       str_t hash, str_t body, pg_result_fn fn, void *ctx);

/* The installation's secret: one bytea. */
void secret_load(pg_t *pg, arena_t *a, pg_result_fn fn, void *ctx);

#endif
