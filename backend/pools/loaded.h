/*
 * Orders and services read from the database, kept in an arena: what result
 * handlers fill and renderers take.
 */
#ifndef TURNUP_POOLS_LOADED_H
#define TURNUP_POOLS_LOADED_H

#include "backend/domain/record.h"
#include "backend/store/pg.h"

typedef struct {
    arena_t *arena;
    order_record_t *orders;
    int order_count;
    service_record_t *services;
    int service_count;
    cancellation_record_t *cancellations;
    int cancellation_count;
} loaded_t;

/* Result handlers (ctx: loaded_t) for orders_load(), services_load() and
 * cancellations_load(). */
void loaded_on_orders(void *ctx, const PGresult *res);
void loaded_on_services(void *ctx, const PGresult *res);
void loaded_on_cancellations(void *ctx, const PGresult *res);
/* Or NULL. */
const order_record_t *loaded_order(const loaded_t *l, uuid_t id);
const service_record_t *loaded_service(const loaded_t *l, uuid_t id);
const cancellation_record_t *loaded_cancellation(const loaded_t *l, uuid_t id);

#endif
