/*
 * entity_instance, entity_instance_configuration, service_change: SQL only.
 */
#ifndef TURNUP_STORE_SERVICES_H
#define TURNUP_STORE_SERVICES_H

#include "backend/domain/order.h"
#include "backend/domain/record.h"
#include "backend/store/filter.h"
#include "backend/store/rows.h"

/* Services with their current configuration, by id. */
void services_load(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                   pg_result_fn fn, void *ctx);
/* Slices point into res. */
void service_read(const PGresult *res, int row, service_record_t *ret);

/* What must be known of services that are to be changed: their CURRENT
 * configuration and who is changing it. Asked before services_load() in a
 * segment, it is not newer than what that gives. */
void services_now(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                  pg_result_fn fn, void *ctx);
void service_now_read(const PGresult *res, int row, service_now_t *ret);

/* To be held by all who change services by what they have read, or enter
 * themselves for it: the others' statements behind it in the segment see what
 * the first one did, and fail. */
void services_lock(pg_t *pg, arena_t *a, const uuid_t *ids, int n);

/* rows: service, activation, and of service_now_t configuration_id, version.
 * Under services_lock(). A service somebody is changing fails the segment with
 * 23505, one that is not as it was read with 22012. */
void service_changes_init(rows_t *r, arena_t *a);
void service_changes_insert(const rows_t *r, pg_t *pg, arena_t *a);

/*
 * What transitions do to the inventory. Fill and apply in one segment:
 *   instances:  id, tags (a text[] literal), key (null: the next one),
 *               time of creation (none: now), each with a row of inserts
 *   inserts:    id, instance, timeline, name, category, service type, spec
 *               id, spec version, state, operating status, characteristics,
 *               resources, doc, order, item id, valid from (none: now),
 *               valid to, parties (a text[] literal)
 *   updates:    id, state, operating status (null: keep), characteristics,
 *               resources (null: keep)
 *   promotions: id, instance: PENDING becomes CURRENT, what was HISTORY
 *   drops:      id: a PENDING that came to nothing
 *   released:   activation: it changes its service no more
 */
typedef struct {
    rows_t instances, inserts, updates, promotions, drops, released;
} inventory_rows_t;

void inventory_rows_init(inventory_rows_t *r, arena_t *a);
void inventory_apply(const inventory_rows_t *r, pg_t *pg, arena_t *a);

/*
 * A record that is written, changed or removed by its owner (TMF638 POST,
 * PATCH, DELETE), without an activation. Each in a segment of its own, events
 * behind it.
 */
/* One row: the key of a new service, and the time. */
void service_born(pg_t *pg, arena_t *a, pg_result_fn fn, void *ctx);
void service_insert(pg_t *pg, arena_t *a, const service_record_t *s);
/* s is the new CURRENT configuration, what was is HISTORY from its
 * valid_from_us on; a terminated service's resources are free again. Where the
 * service is not as it was read, or somebody has begun to change it, the
 * segment fails with 22012. */
void service_replace(pg_t *pg, arena_t *a, const service_now_t *was,
                     const service_record_t *s);
/* With all its configurations; if it is terminated, what it still holds of
 * pools is free again. 22012 as above, and where it is not terminated and
 * holds something. */
void service_delete(pg_t *pg, arena_t *a, const service_now_t *was);

bool services_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                       tmf_error_t *err);

#endif
