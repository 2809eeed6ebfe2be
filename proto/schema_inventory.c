/*
 * TMF638 Service Inventory v4.0.0 and v5.0.0: service. Its sub-resources ask
 * for more than those of the same name in TMF641. serviceDate is any text in
 * v4; here it is a date-time, as in all samples: lists compare it as one.
 */
#include "proto/schema_tables.h"

const char *const tmf_operating_statuses[] = {
    "pending", "configured", "starting", "running", "degraded", "failed",
    "limited", "stopping",   "stopped",  "unknown", NULL,
};

static const object_schema_t service_ref_or_value;

static const object_schema_t characteristic_relationship = {
    "CharacteristicRelationship",
    (const attr_schema_t[]){
        TEXT("id", REQUIRED_V5),
        TEXT("relationshipType", REQUIRED_V5),
        META_V5,
        END,
    },
};

static const object_schema_t characteristic = {
    "Characteristic",
    (const attr_schema_t[]){
        TEXT("name", REQUIRED),
        ANY("value", ATTR_MANDATORY | ATTR_TYPES),
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
        TEXT("id", REQUIRED_V4),
        TEXT("name", REQUIRED),
        LIST("featureCharacteristic", REQUIRED_V4, &characteristic),
        BOOLEAN("isBundle", 0),
        BOOLEAN("isEnabled", 0),
        LIST("constraint", 0, &tmf_constraint_ref),
        LIST("featureRelationship", 0, &tmf_feature_relationship),
        META_V5,
        END,
    },
};

static const object_schema_t note = {
    "Note",
    (const attr_schema_t[]){
        TEXT("text", REQUIRED_V4),
        TEXT("author", REQUIRED_V4),
        INSTANT("date", REQUIRED_V4),
        TEXT("id", 0),
        META_V5,
        END,
    },
};

static const object_schema_t related_service_order_item = {
    "RelatedServiceOrderItem",
    (const attr_schema_t[]){
        TEXT("itemId", REQUIRED_V4),
        TEXT("serviceOrderId", REQUIRED_V4),
        TEXT("role", 0),
        TEXT("serviceOrderHref", 0),
        ENUM("itemAction", 0, tmf_item_actions),
        TEXT("@referredType", 0),
        META_V5,
        END,
    },
};

static const object_schema_t service_relationship = {
    "ServiceRelationship",
    (const attr_schema_t[]){
        TEXT("relationshipType", REQUIRED),
        OBJECT("service", ATTR_MANDATORY_V4, &service_ref_or_value),
        LIST("serviceRelationshipCharacteristic", 0, &characteristic),
        META_V5,
        END,
    },
};

/* Of v5's @type. */
static const char *const refs[] = {"ServiceRef", NULL};
static const char *const values[] = {"Service", NULL};

static const object_schema_t service_ref_or_value = {
    "ServiceRefOrValue",
    (const attr_schema_t[]){
        TEXT_OF("id", REQUIRED_V4, refs),
        TEXT("href", 0),
        ENUM("state", ATTR_V4, tmf_service_states),
        ENUM_OF("state", ATTR_V5, tmf_service_states_v5, values),
        TEXT("serviceDate", 0),
        OBJECT_OF("serviceSpecification", 0, &tmf_service_specification_ref,
                  values),
        SERVICE_ATTRS,
        META_SELECTS,
        TEXT("@referredType", 0),
        END,
    },
};

const object_schema_t tmf_service = {
    "Service",
    (const attr_schema_t[]){
        /* As v5 has it: an activation may suspend a service, and what is
         * shown is taken back. */
        ENUM("state", REQUIRED, tmf_service_states_v5),
        OBJECT("serviceSpecification", ATTR_MANDATORY,
               &tmf_service_specification_ref),
        TEXT("id", OURS),
        TEXT("href", OURS),
        INSTANT("serviceDate", ATTR_FIXED),
        {"externalIdentifier", ATTR_OBJECT, ATTR_LIST | ATTR_V4,
         &tmf_external_identifier, NULL, NULL,
         "TMF638 v5: what others know it by, and our key", NULL},
        SERVICE_ATTRS,
        OWN_ENUM("operatingStatus", ATTR_V4, tmf_operating_statuses,
                 "TMF638 v5: how it runs, beside its state"),
        ENUM("operatingStatus", ATTR_V5, tmf_operating_statuses),
        OWN_TEXT("version", OURS, "of the configuration shown"),
        OWN_TEXT("versionStateType", OURS, "CURRENT, PENDING or HISTORY"),
        OWN_INSTANT("versionStartDate", OURS, "when it became current"),
        OWN_INSTANT("versionEndDate", OURS | ATTR_NULLABLE,
                    "when it ceased to be"),
        META(ATTR_FIXED),
        END,
    },
};
