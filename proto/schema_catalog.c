/*
 * TMF633 Service Catalog v4.0.0: serviceSpecification. Beyond the published
 * definition, the conformance profile (TMF633B) asks a characteristic of a
 * specification for its name; so do we, as rules hang on it.
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

const object_schema_t tmf_service_specification = {
    "ServiceSpecification",
    (const attr_schema_t[]){
        TEXT("name", REQUIRED),
        TEXT("id", OURS),
        TEXT("href", OURS),
        INSTANT("lastUpdate", OURS),
        TEXT("description", 0),
        BOOLEAN("isBundle", 0),
        TEXT("lifecycleStatus", 0),
        TEXT("version", ATTR_FIXED),
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
        OBJECT("validFor", 0, &tmf_time_period),
        META(0),
        END,
    },
};
