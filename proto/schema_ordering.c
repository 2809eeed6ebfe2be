/*
 * TMF641 Service Ordering v4.1.0: serviceOrder and cancelServiceOrder.
 *
 * Deviations from the published definition, all towards the sender:
 * ServiceOrderItemRef asks for an "id" that it does not define, which is
 * passed over; attributes that the server sets are not looked at on create,
 * but for a state that contradicts "acknowledged".
 */
#include "proto/schema_tables.h"

static const object_schema_t service_ref_or_value;
static const object_schema_t service_order_item;

static const char *const order_states[] = {
    "acknowledged",
    "rejected",
    "pending",
    "held",
    "inProgress",
    "cancelled",
    "completed",
    "failed",
    "partial",
    "assessingCancellation",
    "pendingCancellation",
    "pendingExternal", /* ours: a client gives back what it was shown */
    NULL,
};

/* In place of "pending", but for tmf_state_profile strict. */
#define STATE_SHOWN "pendingExternal"

/* "accepted" is what v4.1 prints where its life cycle says "acknowledged". */
static const char *const task_states[] = {
    "acknowledged",        "accepted", "inProgress", "done",
    "terminatedWithError", NULL,
};

static const object_schema_t characteristic_relationship = {
    "CharacteristicRelationship",
    (const attr_schema_t[]){
        TEXT("id", 0),
        TEXT("href", 0),
        TEXT("relationshipType", 0),
        META(0),
        END,
    },
};

static const object_schema_t characteristic = {
    "Characteristic",
    (const attr_schema_t[]){
        TEXT("name", REQUIRED),
        ANY("value", ATTR_MANDATORY),
        TEXT("id", 0),
        TEXT("valueType", 0),
        LIST("characteristicRelationship", 0, &characteristic_relationship),
        META(0),
        END,
    },
};

static const object_schema_t feature = {
    "Feature",
    (const attr_schema_t[]){
        TEXT("name", REQUIRED),
        LIST("featureCharacteristic", REQUIRED, &characteristic),
        TEXT("id", 0),
        BOOLEAN("isBundle", 0),
        BOOLEAN("isEnabled", 0),
        LIST("constraint", 0, &tmf_constraint_ref),
        LIST("featureRelationship", 0, &tmf_feature_relationship),
        END,
    },
};

static const object_schema_t note = {
    "Note",
    (const attr_schema_t[]){
        TEXT("text", REQUIRED),
        TEXT("id", 0),
        TEXT("author", 0),
        INSTANT("date", 0),
        META(0),
        END,
    },
};

static const object_schema_t related_service_order_item = {
    "RelatedServiceOrderItem",
    (const attr_schema_t[]){
        TEXT("id", 0),
        TEXT("href", 0),
        TEXT("itemId", 0),
        TEXT("role", 0),
        TEXT("serviceOrderHref", 0),
        TEXT("serviceOrderId", 0),
        ENUM("itemAction", 0, tmf_item_actions),
        META(0),
        TEXT("@referredType", 0),
        END,
    },
};

static const object_schema_t service_relationship = {
    "ServiceRelationship",
    (const attr_schema_t[]){
        TEXT("relationshipType", REQUIRED),
        TEXT("id", 0),
        TEXT("href", 0),
        OBJECT("service", 0, &service_ref_or_value),
        LIST("serviceRelationshipCharacteristic", 0, &characteristic),
        META(0),
        END,
    },
};

static const object_schema_t service_ref_or_value = {
    "ServiceRefOrValue",
    (const attr_schema_t[]){
        TEXT("id", 0),
        TEXT("href", 0),
        ENUM("state", 0, tmf_service_states),
        TEXT("serviceDate", 0),
        OBJECT("serviceSpecification", 0, &tmf_service_specification_ref),
        SERVICE_ATTRS,
        META(0),
        TEXT("@referredType", 0),
        END,
    },
};

static const object_schema_t service_order_item_ref = {
    "ServiceOrderItemRef",
    (const attr_schema_t[]){
        TEXT("itemId", 0),
        TEXT("serviceOrderHref", 0),
        TEXT("serviceOrderId", 0),
        META(0),
        TEXT("@referredType", 0),
        END,
    },
};

static const object_schema_t service_order_item_relationship = {
    "ServiceOrderItemRelationship",
    (const attr_schema_t[]){
        TEXT("relationshipType", 0),
        OBJECT("orderItem", 0, &service_order_item_ref),
        META(0),
        END,
    },
};

static const object_schema_t appointment_ref = {
    "AppointmentRef",
    (const attr_schema_t[]){
        TEXT("id", REQUIRED),
        TEXT("href", 0),
        TEXT("description", 0),
        META(0),
        TEXT("@referredType", 0),
        END,
    },
};

#define ERROR_MESSAGE_ATTRS                                 \
    TEXT("code", 0), TEXT("message", 0), TEXT("reason", 0), \
        TEXT("referenceError", 0), TEXT("status", 0), META(0)

static const object_schema_t service_order_item_error_message = {
    "ServiceOrderItemErrorMessage",
    (const attr_schema_t[]){
        ERROR_MESSAGE_ATTRS,
        INSTANT("timestamp", 0),
        END,
    },
};

static const object_schema_t service_order_error_message = {
    "ServiceOrderErrorMessage",
    (const attr_schema_t[]){
        ERROR_MESSAGE_ATTRS,
        INSTANT("timestamp", 0),
        LIST("serviceOrderItem", 0, &service_order_item_ref),
        END,
    },
};

static const object_schema_t error_message = {
    "ErrorMessage",
    (const attr_schema_t[]){ERROR_MESSAGE_ATTRS, END},
};

/* Who is waited for, where a step is in somebody else's hands. */
static const object_schema_t pending_external = {
    "PendingExternal",
    (const attr_schema_t[]){
        OWN_TEXT("party", 0, "who works on it"),
        OWN_TEXT("reason", 0, "what is waited for"),
        OWN_INSTANT("since", 0, "when the wait began"),
        OWN_INSTANT("until", 0, "when it ends in failure"),
        END,
    },
};

#define PENDING_EXTERNAL                                   \
    OWN_OBJECT("pendingExternal", OURS, &pending_external, \
               "present while somebody outside works on it")

static const object_schema_t service_order_item = {
    "ServiceOrderItem",
    (const attr_schema_t[]){
        TEXT("id", REQUIRED),
        ENUM("action", REQUIRED, tmf_item_actions),
        OBJECT("service", ATTR_MANDATORY, &service_ref_or_value),
        INTEGER("quantity", 0),
        ENUM_SHOWN("state", ATTR_SERVER | ATTR_FORBIDDEN, order_states,
                   STATE_SHOWN),
        OBJECT("appointment", 0, &appointment_ref),
        LIST("errorMessage", ATTR_SERVER, &service_order_item_error_message),
        LIST("serviceOrderItem", ATTR_UNIQUE, &service_order_item),
        LIST("serviceOrderItemRelationship", 0,
             &service_order_item_relationship),
        PENDING_EXTERNAL,
        META(0),
        END,
    },
};

static const object_schema_t external_reference = {
    "ExternalReference",
    (const attr_schema_t[]){
        TEXT("name", REQUIRED),
        TEXT("externalReferenceType", 0),
        TEXT("id", 0),
        TEXT("href", 0),
        META(0),
        END,
    },
};

static const object_schema_t service_order_relationship = {
    "ServiceOrderRelationship",
    (const attr_schema_t[]){
        TEXT("id", REQUIRED),
        TEXT("relationshipType", REQUIRED),
        TEXT("href", 0),
        META(0),
        TEXT("@referredType", 0),
        END,
    },
};

static const object_schema_t service_order_milestone = {
    "ServiceOrderMilestone",
    (const attr_schema_t[]){
        TEXT("id", 0),
        TEXT("name", 0),
        TEXT("description", 0),
        TEXT("message", 0),
        INSTANT("milestoneDate", 0),
        TEXT("status", 0),
        LIST("serviceOrderItem", 0, &service_order_item_ref),
        META(0),
        END,
    },
};

static const object_schema_t service_order_jeopardy_alert = {
    "ServiceOrderJeopardyAlert",
    (const attr_schema_t[]){
        TEXT("id", 0),
        TEXT("name", 0),
        TEXT("message", 0),
        INSTANT("alertDate", 0),
        TEXT("jeopardyType", 0),
        TEXT("exception", 0),
        LIST("serviceOrderItem", 0, &service_order_item_ref),
        META(0),
        END,
    },
};

const object_schema_t tmf_service_order = {
    "ServiceOrder",
    (const attr_schema_t[]){
        LIST("serviceOrderItem", REQUIRED | ATTR_UNIQUE, &service_order_item),
        TEXT("id", OURS),
        TEXT("href", OURS),
        INSTANT("orderDate", OURS),
        ENUM_SHOWN("state", ATTR_FORBIDDEN, order_states, STATE_SHOWN),
        TEXT("category", ATTR_FIXED),
        TEXT("description", 0),
        TEXT("externalId", 0),
        TEXT("notificationContact", 0),
        TEXT("priority", 0),
        INSTANT("requestedStartDate", 0),
        INSTANT("requestedCompletionDate", 0),
        INSTANT("expectedCompletionDate", ATTR_SERVER),
        INSTANT("startDate", OURS),
        INSTANT("completionDate", OURS),
        INSTANT("cancellationDate", ATTR_FIXED),
        TEXT("cancellationReason", ATTR_FIXED),
        LIST("externalReference", 0, &external_reference),
        LIST("note", 0, &note),
        LIST("orderRelationship", 0, &service_order_relationship),
        LIST("relatedParty", 0, &tmf_related_party),
        LIST("errorMessage", OURS, &service_order_error_message),
        LIST("milestone", OURS, &service_order_milestone),
        LIST("jeopardyAlert", OURS, &service_order_jeopardy_alert),
        PENDING_EXTERNAL,
        META(ATTR_FIXED),
        END,
    },
};

static const object_schema_t service_order_ref = {
    "ServiceOrderRef",
    (const attr_schema_t[]){REFERENCE, END},
};

const object_schema_t tmf_cancel_service_order = {
    "CancelServiceOrder",
    (const attr_schema_t[]){
        OBJECT("serviceOrder", ATTR_MANDATORY, &service_order_ref),
        TEXT("id", OURS),
        TEXT("href", OURS),
        TEXT("cancellationReason", 0),
        INSTANT("requestedCancellationDate", 0),
        INSTANT("effectiveCancellationDate", OURS),
        ENUM("state", OURS, task_states),
        TEXT("completionMessage", OURS),
        OBJECT("errorMessage", OURS, &error_message),
        META(0),
        END,
    },
};
