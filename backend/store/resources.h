/*
 * resource_pool, resource_allocation: SQL only.
 */
#ifndef TURNUP_STORE_RESOURCES_H
#define TURNUP_STORE_RESOURCES_H

#include "backend/store/rows.h"

/*
 * rows: claim (the command's idempotency key), pool, holder (the service).
 * The result gives claim and value of each that has one now, whether taken
 * now or before; a claim that is missing found its pool empty or unknown.
 */
void allocation_rows_init(rows_t *r, arena_t *a);
void resources_allocate(const rows_t *r, pg_t *pg, arena_t *a, pg_result_fn fn,
                        void *ctx);
/* rows: pool, holder. Frees all that holder has of that pool. */
void release_rows_init(rows_t *r, arena_t *a);
void resources_release(const rows_t *r, pg_t *pg, arena_t *a);

#endif
