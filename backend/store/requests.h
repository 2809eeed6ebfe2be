/*
 * request: which requests have been carried out, and what they made. Orders
 * are not among them: service_order.request_key is theirs.
 */
#ifndef TURNUP_STORE_REQUESTS_H
#define TURNUP_STORE_REQUESTS_H

#include "backend/store/pg.h"

/* A row (resource_id, digest), or none. */
void request_find(pg_t *pg, arena_t *a, str_t key, pg_result_fn fn, void *ctx);
/* First in the segment that carries it out. Where the key is there already
 * the segment fails with SQLSTATE 22012. */
void request_insert(pg_t *pg, arena_t *a, str_t key, str_t resource_id,
                    str_t digest);
/* Forgets those that nobody will send again. */
void requests_expire(pg_t *pg, arena_t *a, int days);

#endif
