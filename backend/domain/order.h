/*
 * A service order as the domain knows it, and the plan made of it.
 *
 * The client's document is kept apart as text; here is only what decides.
 */
#ifndef TURNUP_DOMAIN_ORDER_H
#define TURNUP_DOMAIN_ORDER_H

#include "backend/base/uuid.h"
#include "backend/domain/family.h"
#include "backend/domain/specification.h"

#define ORDER_MAX_ITEMS 256

typedef struct {
    str_t id;          /* the client's */
    int parent;        /* index of the item it is nested in, or -1 */
    bool has_children; /* its state is derived from theirs; no activation */
    action_t action;
    str_t service_id;   /* as sent: text; empty for add */
    str_t service_name; /* or empty */
    str_t spec_id;
    str_t spec_version;    /* empty: the newest active one */
    str_t characteristics; /* JSON object text, name → value */
    const json_t *service; /* the TMF object as sent (for what we keep) */
    int depends[16];       /* indexes of items to be completed before */
    int depend_count;
} order_item_t;

typedef struct {
    str_t external_id;
    str_t category;
    str_t priority;
    str_t description;
    int64_t requested_start_us;      /* 0: not given */
    int64_t requested_completion_us; /* 0: not given */
    const str_t *parties;            /* ids in relatedParty */
    int party_count;
    order_item_t *items; /* depth first */
    int item_count;
} order_t;

/* Why an order as a document is not acceptable (400). */
typedef struct {
    char pointer[256];
    char message[256];
} order_error_t;

/* Item references and dependencies resolve, and are free of cycles; nothing
 * depends on its own parent or child. true: fine. */
bool order_check_dependencies(const order_t *o, order_error_t *err);

/* What a service looks like now, for those who are to change it. */
typedef struct {
    uuid_t id;
    bool exists;
    bool busy;       /* another order is changing it */
    uuid_t order_id; /* that one */
    service_state_t state;
    str_t spec_id, spec_version;
    str_t characteristics; /* JSON object */
    uuid_t configuration_id;
    str_t version;  /* of the configuration's row: the same, nothing changed */
    int64_t now_us; /* of the database, when it was read */
} service_now_t;

/* Where the plan looks: memory only (law 9). */
typedef struct {
    const specification_t *(*specification)(void *ctx, str_t id,
                                            str_t version);
    const family_t *(*family)(void *ctx, str_t spec_id, str_t spec_version);
    void *ctx;
} plan_catalog_t;

typedef struct {
    bool active; /* has an activation of its own */
    const family_t *family;
    const machine_t *machine;
    const specification_t *specification;
    str_t characteristics; /* as they shall be: defaults, differences merged */
    char error_code[32];   /* why it is rejected; "" = fine */
    char error[512];
} plan_item_t;

/*
 * Business validation (TMF641: an order that fails it is `rejected`, not
 * 400): specification known and active, family and action offered,
 * characteristics, state of the inventory against the action, service busy,
 * every template path resolvable. services[i] belongs to items[i] (exists
 * false for add). items: filled, one per order item. Returns true when the
 * order can start. Memory from a.
 *
 * A modify is merged into what runs now by RFC 7386. Error codes:
 * unknownSpecification, inactiveSpecification, noFamily, actionNotOffered,
 * invalidCharacteristic, unknownService, serviceBusy, serviceTerminated,
 * unexpectedServiceId, missingValue.
 */
bool order_plan(const order_t *o, const service_now_t *services,
                const plan_catalog_t *catalog, arena_t *a, plan_item_t *items);

#endif
