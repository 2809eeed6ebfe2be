/*
 * activation, activation_signal, worker: SQL only.
 */
#ifndef TURNUP_STORE_ACTIVATIONS_H
#define TURNUP_STORE_ACTIVATIONS_H

#include "backend/domain/record.h"
#include "backend/store/rows.h"

/* All a family worker needs to go on with an activation. */
typedef struct {
    uuid_t id, order_id, service_id, configuration_id;
    str_t item_id;
    int definition_id;
    action_t action;
    int seq;
    str_t run, variables, error, pending; /* JSON or "" */
    str_t owner;
    int open_depends, failed_depends; /* items it waits for; that failed */
    /* of the item and the order */
    str_t characteristics, spec_id, spec_version;
    str_t doc;     /* the order's, or "" where there is service: */
    str_t service; /* the item's, as it was sent */
    str_t external_id, category, priority, traceparent;
    int64_t order_date_us, start_us;
    int item_count;
    uuid_t cancellation; /* of the order, in force; nil: none */
    /* the configuration that runs now (modify, delete) */
    bool has_current;
    uuid_t current_id;
    str_t current_characteristics, current_resources, current_state;
    str_t current_doc, current_name, current_category, current_service_type;
    str_t current_operating;
    /* the configuration this activation writes, when it exists already */
    bool has_own;
    str_t own_characteristics, own_resources, own_state, own_operating;
    int64_t now_us; /* the database's clock */
    bool early;     /* it is not to begin before the order's start date */
} activation_record_t;

void activations_load(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                      pg_result_fn fn, void *ctx);
/* Slices point into res. */
void activation_read(const PGresult *res, int row, activation_record_t *ret);

/* id, activation id, visit, body of signals received for activations. */
void signals_load(pg_t *pg, arena_t *a, const uuid_t *ids, int n,
                  pg_result_fn fn, void *ctx);

/* rows: activation, visit, body; also counts them on the activation and makes
 * it due soon. Gives id and family of those that exist. */
void signal_rows_init(rows_t *r, arena_t *a);
void signals_insert(const rows_t *r, pg_t *pg, arena_t *a, pg_result_fn fn,
                    void *ctx);
void signals_delete(pg_t *pg, arena_t *a, const rows_t *ids);

/* id and seq of what a worker slot has in memory, or had when it died. */
void activations_mine(pg_t *pg, arena_t *a, str_t slot, pg_result_fn fn,
                      void *ctx);
/* For the keeper. Each gives id and family, and puts off looking again. */
void activations_due(pg_t *pg, arena_t *a, int limit, pg_result_fn fn,
                     void *ctx);
void activations_rebuild(pg_t *pg, arena_t *a, pg_result_fn fn, void *ctx);
/* Takes work from slots not seen for seconds; gives id and family. */
void activations_lost(pg_t *pg, arena_t *a, int seconds, pg_result_fn fn,
                      void *ctx);
/* Items of these orders that wait for others are to be looked at again; gives
 * id and family. */
void activations_wake(pg_t *pg, arena_t *a, const uuid_t *orders, int n,
                      pg_result_fn fn, void *ctx);
/* "I live", for activations_lost(). Gives the database's clock. */
void worker_seen(pg_t *pg, arena_t *a, str_t slot, pg_result_fn fn, void *ctx);

#endif
