/*
 * TMF633 Service Catalog v4.0.0. Beyond the published definition, the
 * conformance profile (TMF633B) asks a characteristic of a specification for
 * its name; so do we, as rules hang on it.
 */
#include "proto/schema_tables.h"

static const object_schema_t quantity = {
    "Quantity",
    (const attr_schema_t[]){
        NUMBER("amount", 0),
        TEXT("units", 0),
        END,
    },
};

static const object_schema_t attachment = {
    "AttachmentRefOrValue",
    (const attr_schema_t[]){
        TEXT("id", 0),
        TEXT("href", 0),
        TEXT("attachmentType", 0),
        TEXT("content", 0),
        TEXT("description", 0),
        TEXT("mimeType", 0),
        TEXT("name", 0),
        TEXT("url", 0),
        OBJECT("size", 0, &quantity),
        OBJECT("validFor", 0, &tmf_time_period),
        META(0),
        TEXT("@referredType", 0),
        END,
    },
};

static const object_schema_t association_specification_ref = {
    "AssociationSpecificationRef",
    (const attr_schema_t[]){REFERENCE, END},
};

/* An id here points at the related specification and is not asked for. */
#define RELATIONSHIP_ATTRS                                              \
    TEXT("relationshipType", REQUIRED), TEXT("id", 0), TEXT("href", 0), \
        TEXT("name", 0), TEXT("role", 0),                               \
        OBJECT("validFor", 0, &tmf_time_period), META(0),               \
        TEXT("@referredType", 0)

static const object_schema_t entity_specification_relationship = {
    "EntitySpecificationRelationship",
    (const attr_schema_t[]){
        RELATIONSHIP_ATTRS,
        OBJECT("associationSpec", 0, &association_specification_ref),
        END,
    },
};

static const object_schema_t service_spec_relationship = {
    "ServiceSpecRelationship",
    (const attr_schema_t[]){RELATIONSHIP_ATTRS, END},
};

static const object_schema_t characteristic_value_specification = {
    "CharacteristicValueSpecification",
    (const attr_schema_t[]){
        ANY("value", 0),
        TEXT("valueType", 0),
        BOOLEAN("isDefault", 0),
        TEXT("rangeInterval", 0),
        TEXT("regex", 0),
        TEXT("unitOfMeasure", 0),
        INTEGER("valueFrom", 0),
        INTEGER("valueTo", 0),
        OBJECT("validFor", 0, &tmf_time_period),
        META(0),
        END,
    },
};

static const object_schema_t characteristic_specification_relationship = {
    "CharacteristicSpecificationRelationship",
    (const attr_schema_t[]){
        TEXT("name", 0),
        TEXT("characteristicSpecificationId", 0),
        TEXT("parentSpecificationHref", 0),
        TEXT("parentSpecificationId", 0),
        TEXT("relationshipType", 0),
        OBJECT("validFor", 0, &tmf_time_period),
        END,
    },
};

#define CHARACTERISTIC_SPECIFICATION_ATTRS                                    \
    TEXT("name", REQUIRED), TEXT("id", 0), BOOLEAN("configurable", 0),        \
        TEXT("description", 0), BOOLEAN("extensible", 0),                     \
        BOOLEAN("isUnique", 0), INTEGER("maxCardinality", 0),                 \
        INTEGER("minCardinality", 0), TEXT("regex", 0), TEXT("valueType", 0), \
        OBJECT("validFor", 0, &tmf_time_period), META(0),                     \
        TEXT("@valueSchemaLocation", 0)

static const object_schema_t characteristic_specification = {
    "CharacteristicSpecification",
    (const attr_schema_t[]){
        CHARACTERISTIC_SPECIFICATION_ATTRS,
        LIST("charSpecRelationship", 0,
             &characteristic_specification_relationship),
        LIST("characteristicValueSpecification", 0,
             &characteristic_value_specification),
        END,
    },
};

static const object_schema_t feature_characteristic_relationship = {
    "FeatureSpecificationCharacteristicRelationship",
    (const attr_schema_t[]){
        TEXT("name", 0),
        TEXT("characteristicId", 0),
        TEXT("featureId", 0),
        TEXT("relationshipType", 0),
        TEXT("resourceSpecificationHref", 0),
        TEXT("resourceSpecificationId", 0),
        OBJECT("validFor", 0, &tmf_time_period),
        END,
    },
};

static const object_schema_t feature_specification_characteristic = {
    "FeatureSpecificationCharacteristic",
    (const attr_schema_t[]){
        CHARACTERISTIC_SPECIFICATION_ATTRS,
        LIST("featureSpecCharRelationship", 0,
             &feature_characteristic_relationship),
        LIST("featureSpecCharacteristicValue", 0,
             &characteristic_value_specification),
        END,
    },
};

static const object_schema_t feature_specification_relationship = {
    "FeatureSpecificationRelationship",
    (const attr_schema_t[]){
        TEXT("name", REQUIRED),
        TEXT("relationshipType", REQUIRED),
        TEXT("featureId", 0),
        TEXT("parentSpecificationHref", 0),
        TEXT("parentSpecificationId", 0),
        OBJECT("validFor", 0, &tmf_time_period),
        END,
    },
};

static const object_schema_t feature_specification = {
    "FeatureSpecification",
    (const attr_schema_t[]){
        TEXT("id", 0),
        TEXT("name", 0),
        BOOLEAN("isBundle", 0),
        BOOLEAN("isEnabled", 0),
        TEXT("version", 0),
        LIST("constraint", 0, &tmf_constraint_ref),
        LIST("featureSpecCharacteristic", 0,
             &feature_specification_characteristic),
        LIST("featureSpecRelationship", 0,
             &feature_specification_relationship),
        OBJECT("validFor", 0, &tmf_time_period),
        END,
    },
};

static const object_schema_t resource_specification_ref = {
    "ResourceSpecificationRef",
    tmf_versioned_ref_attrs,
};

static const object_schema_t service_level_specification_ref = {
    "ServiceLevelSpecificationRef",
    (const attr_schema_t[]){REFERENCE, END},
};

static const object_schema_t target_entity_schema = {
    "TargetEntitySchema",
    (const attr_schema_t[]){
        TEXT("@type", REQUIRED),
        TEXT("@schemaLocation", REQUIRED),
        END,
    },
};

#define OWN_ID                 \
    OWN_TEXT("id", ATTR_FIXED, \
             "the client's choice, or ours where it has none")

/* What the four resources that are managed have in common. version: flags. */
#define ENTITY_ATTRS(version_flags)                                 \
    TEXT("name", REQUIRED), OWN_ID, TEXT("href", OURS),             \
        INSTANT("lastUpdate", OURS), TEXT("description", 0),        \
        TEXT("lifecycleStatus", 0), TEXT("version", version_flags), \
        OBJECT("validFor", 0, &tmf_time_period), META(0)

const object_schema_t tmf_service_specification = {
    "ServiceSpecification",
    (const attr_schema_t[]){
        ENTITY_ATTRS(ATTR_FIXED),
        BOOLEAN("isBundle", 0),
        LIST("attachment", 0, &attachment),
        LIST("constraint", 0, &tmf_constraint_ref),
        LIST("entitySpecRelationship", 0, &entity_specification_relationship),
        LIST("featureSpecification", 0, &feature_specification),
        LIST("relatedParty", 0, &tmf_related_party),
        LIST("resourceSpecification", 0, &resource_specification_ref),
        LIST("serviceLevelSpecification", 0, &service_level_specification_ref),
        LIST("serviceSpecRelationship", 0, &service_spec_relationship),
        LIST("specCharacteristic", 0, &characteristic_specification),
        OBJECT("targetEntitySchema", 0, &target_entity_schema),
        END,
    },
};

static const object_schema_t service_category_ref = {
    "ServiceCategoryRef",
    tmf_versioned_ref_attrs,
};

static const object_schema_t service_candidate_ref = {
    "ServiceCandidateRef",
    tmf_versioned_ref_attrs,
};

const object_schema_t tmf_service_catalog = {
    "ServiceCatalog",
    (const attr_schema_t[]){
        ENTITY_ATTRS(0),
        LIST("category", 0, &service_category_ref),
        LIST("relatedParty", 0, &tmf_related_party),
        END,
    },
};

const object_schema_t tmf_service_category = {
    "ServiceCategory",
    (const attr_schema_t[]){
        ENTITY_ATTRS(0),
        BOOLEAN("isRoot", 0),
        TEXT("parentId", 0),
        LIST("category", 0, &service_category_ref),
        LIST("serviceCandidate", 0, &service_candidate_ref),
        END,
    },
};

const object_schema_t tmf_service_candidate = {
    "ServiceCandidate",
    (const attr_schema_t[]){
        ENTITY_ATTRS(0),
        LIST("category", 0, &service_category_ref),
        OBJECT("serviceSpecification", REQUIRED,
               &tmf_service_specification_ref),
        END,
    },
};

static const char *const job_states[] = {
    "Not Started", "Running", "Succeeded", "Failed", NULL,
};

static const object_schema_t job_progress = {
    "JobProgress",
    (const attr_schema_t[]){
        INTEGER("total", 0),
        INTEGER("done", 0),
        INTEGER("failed", 0),
        END,
    },
};

#define JOB_ATTRS                                                         \
    URI("url", REQUIRED | ATTR_FILE), OWN_ID, TEXT("href", OURS),         \
        ENUM("status", OURS, job_states), INSTANT("creationDate", OURS),  \
        INSTANT("completionDate", OURS), TEXT("errorLog", OURS),          \
        OWN_OBJECT("progress", OURS, &job_progress,                       \
                   "how many documents there are, were taken, were not"), \
        TEXT("contentType", 0), TEXT("path", 0), META(0)

const object_schema_t tmf_import_job = {
    "ImportJob",
    (const attr_schema_t[]){JOB_ATTRS, END},
};

const object_schema_t tmf_export_job = {
    "ExportJob",
    (const attr_schema_t[]){JOB_ATTRS, TEXT("query", 0), END},
};
