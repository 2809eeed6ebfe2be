/*
 * catalog_job: imports and exports that have not ended, and what they write.
 *
 * Whoever has a job in hand begins each segment with job_renew(): where the
 * job was deleted, or another has it by now, the segment fails with 22012.
 */
#ifndef TURNUP_STORE_JOBS_H
#define TURNUP_STORE_JOBS_H

#include "backend/store/catalog.h"

/* In the segment that inserts the job's entity. */
typedef struct {
    str_t resource, id;
    str_t base, version; /* of hrefs in what is exported */
    str_t correlation;
} job_record_t;

void job_insert(pg_t *pg, arena_t *a, const job_record_t *j);
/* As the first statement of the segment that deletes the entity, or behind
 * job_renew(), where the job is at its end. */
void job_delete(pg_t *pg, arena_t *a, str_t resource, str_t id);

/* One in hand; slices point into the result. */
typedef struct {
    job_record_t job;
    int run;
    str_t doc;
    int64_t since; /* change numbers of what it imports are above */
} job_claim_t;

/* The oldest that nobody has, or that this slot had before it was started
 * anew: a row for job_read(), or none. */
void job_claim(pg_t *pg, arena_t *a, str_t slot, int lease_s, pg_result_fn fn,
               void *ctx);
void job_read(const PGresult *res, int row, job_claim_t *ret);
void job_renew(pg_t *pg, arena_t *a, const job_claim_t *c, int lease_s);
/* Behind job_renew(): the job's document. */
void job_report(pg_t *pg, arena_t *a, const job_claim_t *c, str_t doc);

/* Documents to be stored, whether they are there or not. */
typedef struct {
    rows_t rows;
} entity_rows_t;

void entity_rows_init(entity_rows_t *r, arena_t *a);
/* type: of the resource, "ServiceCategory". No key may be there twice. */
void entity_rows_add(entity_rows_t *r, const entity_key_t *k, str_t type,
                     str_t doc, int64_t now_us);
/*
 * Inserts them, changes those that are there and differ (but for lastUpdate),
 * and tells of both. Running it twice changes nothing. What another inserts at
 * the same moment may be told of as created twice.
 */
void entities_import(pg_t *pg, arena_t *a, const entity_rows_t *r,
                     str_t correlation);
/* The catalogs (id, doc) in which something has a change number above since:
 * the catalog, a category below it, a candidate in one, its specification. */
void job_catalogs(pg_t *pg, arena_t *a, int64_t since, pg_result_fn fn,
                  void *ctx);

#endif
