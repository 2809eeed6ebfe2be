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

/* What a plan must know of services to be modified or deleted. */
void services_now(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                  pg_result_fn fn, void *ctx);
void service_now_read(const PGresult *res, int row, service_now_t *ret);

/* rows: service, activation. A service somebody is changing fails the
 * segment with 23505. */
void service_changes_init(rows_t *r, arena_t *a);
void service_changes_insert(const rows_t *r, pg_t *pg, arena_t *a);

/*
 * What transitions do to the inventory. Fill and apply in one segment:
 *   instances:  id, tags (a text[] literal), each with a row of inserts
 *   inserts:    id, instance, timeline, name, category, service type, spec
 *               id, spec version, state, operating status, characteristics,
 *               resources, doc, order, item id
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

bool services_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                       tmf_error_t *err);

#endif
