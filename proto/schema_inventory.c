/*
 * TMF638 Service Inventory v4.0.0: service. Its sub-resources ask for more
 * than those of the same name in TMF641. serviceDate is any text there;
 * here it is a date-time, as in all samples: lists compare it as one.
 */
#include "proto/schema_tables.h"

const char *const tmf_operating_statuses[] = {
    "pending", "configured", "starting", "running", "degraded", "failed",
    "limited", "stopping",   "stopped",  "unknown", NULL,
};

/* As v5 has them: an activation may suspend a service, and what is shown is
 * taken back. */
static const char *const states[] = {
    "feasibilityChecked", "designed",   "reserved", "inactive", "active",
    "suspended",          "terminated", NULL,
};

static const object_schema_t service_ref_or_value;

static const object_schema_t characteristic_relationship = {
    "CharacteristicRelationship",
    (const attr_schema_t[]){
        TEXT("id", 0),
        TEXT("relationshipType", 0),
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
        TEXT("id", REQUIRED),
        TEXT("name", REQUIRED),
        LIST("featureCharacteristic", REQUIRED, &characteristic),
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
        TEXT("author", REQUIRED),
        INSTANT("date", REQUIRED),
        TEXT("id", 0),
        END,
    },
};

static const object_schema_t related_service_order_item = {
    "RelatedServiceOrderItem",
    (const attr_schema_t[]){
        TEXT("itemId", REQUIRED),
        TEXT("serviceOrderId", REQUIRED),
        TEXT("role", 0),
        TEXT("serviceOrderHref", 0),
        ENUM("itemAction", 0, tmf_item_actions),
        TEXT("@referredType", 0),
        END,
    },
};

static const object_schema_t service_relationship = {
    "ServiceRelationship",
    (const attr_schema_t[]){
        TEXT("relationshipType", REQUIRED),
        OBJECT("service", ATTR_MANDATORY, &service_ref_or_value),
        LIST("serviceRelationshipCharacteristic", 0, &characteristic),
        END,
    },
};

static const object_schema_t service_ref_or_value = {
    "ServiceRefOrValue",
    (const attr_schema_t[]){
        TEXT("id", REQUIRED),
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

/* TMF638 v5's, which v4 does not have. */
static const object_schema_t external_identifier = {
    "ExternalIdentifier",
    (const attr_schema_t[]){
        TEXT("id", REQUIRED),
        TEXT("owner", 0),
        TEXT("externalIdentifierType", 0),
        TEXT("href", 0),
        META(0),
        END,
    },
};

const object_schema_t tmf_service = {
    "Service",
    (const attr_schema_t[]){
        ENUM("state", REQUIRED, states),
        OBJECT("serviceSpecification", ATTR_MANDATORY,
               &tmf_service_specification_ref),
        TEXT("id", OURS),
        TEXT("href", OURS),
        INSTANT("serviceDate", ATTR_FIXED),
        SERVICE_ATTRS,
        OWN_ENUM("operatingStatus", 0, tmf_operating_statuses,
                 "TMF638 v5: how it runs, beside its state"),
        {"externalIdentifier", ATTR_OBJECT, ATTR_LIST, &external_identifier,
         NULL, NULL, "TMF638 v5: what others know it by, and our key"},
        OWN_TEXT("version", OURS, "of the configuration shown"),
        OWN_TEXT("versionStateType", OURS, "CURRENT, PENDING or HISTORY"),
        OWN_INSTANT("versionStartDate", OURS, "when it became current"),
        OWN_INSTANT("versionEndDate", OURS | ATTR_NULLABLE,
                    "when it ceased to be"),
        META(ATTR_FIXED),
        END,
    },
};
