/*
 * Every prepared statement of the pools that write, named once: the enum, and
 * the table that a connection prepares. The texts stand in the aggregates'
 * files.
 */
#ifndef TURNUP_STORE_STATEMENTS_H
#define TURNUP_STORE_STATEMENTS_H

#include "backend/store/pg.h"

#define STATEMENTS(S)        \
    S(order_insert)          \
    S(order_load)            \
    S(order_items_load)      \
    S(order_by_key)          \
    S(order_delete)          \
    S(order_change)          \
    S(order_lock)            \
    S(order_locked)          \
    S(activation_load)       \
    S(transition)            \
    S(activation_mine)       \
    S(activation_due)        \
    S(activation_lost)       \
    S(activation_rebuild)    \
    S(activation_wake)       \
    S(signal_insert)         \
    S(signal_load)           \
    S(signal_delete)         \
    S(service_load)          \
    S(service_now)           \
    S(service_change_insert) \
    S(service_change_delete) \
    S(service_born)          \
    S(service_delete)        \
    S(inventory_insert)      \
    S(configuration_update)  \
    S(configuration_history) \
    S(configuration_promote) \
    S(configuration_replace) \
    S(configuration_drop)    \
    S(resource_allocate)     \
    S(resource_release)      \
    S(resource_release_all)  \
    S(resource_held)         \
    S(specification_changes) \
    S(entity_load)           \
    S(entity_insert)         \
    S(entity_update)         \
    S(entity_delete)         \
    S(entity_import)         \
    S(job_insert)            \
    S(job_delete)            \
    S(job_claim)             \
    S(job_renew)             \
    S(job_report)            \
    S(job_catalogs)          \
    S(cancellation_facts)    \
    S(cancellation_guard)    \
    S(cancellation_version)  \
    S(cancellation_insert)   \
    S(cancellation_begin)    \
    S(cancellation_end)      \
    S(cancellation_load)     \
    S(definition_load)       \
    S(definition_insert)     \
    S(event_insert)          \
    S(request_find)          \
    S(request_insert)        \
    S(request_expire)        \
    S(subscription_room)     \
    S(subscription_find)     \
    S(subscription_insert)   \
    S(subscription_delete)   \
    S(worker_seen)           \
    S(secret_load)           \
    S(partitions)

enum {
#define S(name) STATEMENT_##name,
    STATEMENTS(S)
#undef S
};

/*
 * For pg_setup(): plans that do not depend on statistics. All of these
 * statements go from a handful of keys to their rows; a plan made while a
 * table was empty must still be right when it holds millions.
 */
extern const char store_setup[];
/* For pg_open() and worker_open(). */
extern const pg_statement_t store_statements[];

#define S(name) extern const char sql_##name[];
STATEMENTS(S)
#undef S

#endif
