/*
 * resource_pool, resource_allocation: SQL only.
 */
#ifndef TURNUP_STORE_RESOURCES_H
#define TURNUP_STORE_RESOURCES_H

#include "backend/store/rows.h"

/*
 * rows: claim (the command's idempotency key), pool, holder (the service).
 * The result has a row (allocation_read) for each claim that has a value now,
 * whether taken now or before, and one for each pool that does not exist. A
 * claim without a row on a pool without a row: no value was free.
 */
void allocation_rows_init(rows_t *r, arena_t *a);
void resources_allocate(const rows_t *r, pg_t *pg, arena_t *a, pg_result_fn fn,
                        void *ctx);

/* Either claim and value, or unknown_pool, else empty; slices point into the
 * result. */
typedef struct {
    str_t claim, value;
    str_t unknown_pool;
} allocation_t;

void allocation_read(const PGresult *res, int row, allocation_t *ret);
/* rows: pool, holder. Frees all that holder has of that pool. */
void release_rows_init(rows_t *r, arena_t *a);
void resources_release(const rows_t *r, pg_t *pg, arena_t *a);
/* All that holder has. */
void resources_release_all(pg_t *pg, arena_t *a, uuid_t holder);
/* One row, pool and value, of something that holder has; or none. */
void resources_held(pg_t *pg, arena_t *a, uuid_t holder, pg_result_fn fn,
                    void *ctx);

#endif
