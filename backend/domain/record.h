/*
 * What the database holds, as values: filled by store, shown by tmf.
 * Slices live as long as whoever filled them says (a result, an arena).
 */
#ifndef TURNUP_DOMAIN_RECORD_H
#define TURNUP_DOMAIN_RECORD_H

#include "backend/base/uuid.h"
#include "backend/domain/state.h"

#define NO_TIME INT64_MIN /* microseconds since the epoch; none */

typedef struct {
    str_t id; /* the client's item id */
    order_state_t state;
    uuid_t service_id; /* nil: none */
    str_t error;       /* JSON array of ServiceOrderItemErrorMessage, or "" */
    str_t pending;     /* JSON {"party","reason","since","until"}, or "" */
    int seq;           /* of its activation: grows with each step; 0: none */
} item_record_t;

typedef struct {
    uuid_t id;
    int version; /* grows with each change of state and each PATCH */
    order_state_t state;
    int64_t order_date_us;
    int64_t expected_us;       /* NO_TIME: not said */
    int64_t start_us;          /* NO_TIME: not begun */
    int64_t completion_us;     /* NO_TIME: not ended */
    str_t cancellation_reason; /* of a cancellation that was accepted; or "" */
    str_t error; /* JSON array of ServiceOrderErrorMessage, or "" */
    str_t doc;   /* the client's JSON, as sent and as patched */
    const item_record_t *items; /* depth first; matched to doc by id */
    int item_count;
} order_record_t;

/* A task that asks for an order's cancellation. */
typedef struct {
    uuid_t id, order_id;
    str_t state;          /* TaskStateType: "inProgress" */
    int64_t effective_us; /* NO_TIME: it did not cancel the order */
    str_t message;        /* or "" */
    str_t error;          /* JSON ErrorMessage, or "" */
    str_t doc;            /* what the client sent, verbatim JSON */
} cancellation_record_t;

/* An instance with one of its configurations (seed 2, EntityInstance and
 * EntityInstanceConfiguration). */
typedef struct {
    uuid_t id;
    str_t key;  /* "SVC-7909" */
    str_t tags; /* JSON array of strings, or "" */
    int64_t created_us;
    uuid_t configuration_id;
    str_t timeline; /* CURRENT, PENDING, HISTORY */
    int64_t valid_from_us;
    int64_t valid_to_us; /* NO_TIME: open */
    service_state_t state;
    str_t operating_status; /* or "" */
    str_t name, category, service_type;
    str_t spec_id, spec_version, spec_name;
    str_t characteristics; /* JSON object name → value */
    str_t resources;       /* JSON array: supportingResource, or "" */
    str_t doc; /* the item's service object as sent: what we do not use */
    uuid_t order_id;
    str_t item_id;
    const str_t *parties; /* to be written: ids of those it is related to */
    int party_count;
} service_record_t;

/* A row of the outbox. data: the resource's changed attributes as a JSON
 * object without hrefs; "" for a Create: the whole resource is to be shown.
 * Of an AttributeValueChange or InformationRequired also "fieldPath", which
 * names the attribute: it is shown in the envelope. Of a patched order it
 * stands alone, "a,b" where several changed: the whole order is to be shown,
 * as it is when it is told. */
typedef struct {
    uint64_t xid;
    int64_t seq;
    uuid_t id;
    int64_t at_us;
    str_t api;         /* "ordering", "inventory", "catalog" */
    str_t type;        /* "ServiceOrderStateChangeEvent" */
    str_t resource_id; /* uuid's text, or a specification's id */
    str_t data;
    str_t correlation; /* traceparent, or "" */
} event_record_t;

typedef struct {
    uuid_t id;
    str_t api;
    str_t version; /* "v4" */
    str_t callback;
    str_t query;        /* as registered */
    const str_t *types; /* it asks for; 0: all of the API. Not read back. */
    int type_count;
    str_t base;  /* "https://host": starts the hrefs it is sent */
    bool strict; /* state profile */
    uint64_t cursor_xid;
    int64_t cursor_seq;
} subscription_record_t;

#endif
