/*
 * Sub-resources that TMF641, TMF638 and TMF633 (v4) define alike, and the
 * hub's registration.
 *
 * One deviation: TMF641 v4.1 asks RelatedParty for "@type" too; its own
 * samples and the two other APIs do not have it, so it is not asked for.
 */
#include "proto/schema_tables.h"

const char *const tmf_item_actions[] = {"add", "modify", "delete", "noChange",
                                        NULL};

const char *const tmf_service_states[] = {
    "feasibilityChecked", "designed", "reserved", "inactive", "active",
    "terminated",         NULL,
};

static const attr_schema_t ref_attrs[] = {REFERENCE, END};

const attr_schema_t tmf_versioned_ref_attrs[] = {
    REFERENCE,
    TEXT("version", 0),
    END,
};

const object_schema_t tmf_constraint_ref = {
    "ConstraintRef",
    tmf_versioned_ref_attrs,
};

const object_schema_t tmf_service_specification_ref = {
    "ServiceSpecificationRef",
    tmf_versioned_ref_attrs,
};

const object_schema_t tmf_resource_ref = {"ResourceRef", ref_attrs};

const object_schema_t tmf_time_period = {
    "TimePeriod",
    (const attr_schema_t[]){
        INSTANT("startDateTime", 0),
        INSTANT("endDateTime", 0),
        END,
    },
};

const object_schema_t tmf_related_party = {
    "RelatedParty",
    (const attr_schema_t[]){
        TEXT("id", REQUIRED),
        TEXT("@referredType", REQUIRED),
        TEXT("role", 0),
        TEXT("name", 0),
        TEXT("href", 0),
        META(0),
        END,
    },
};

/* The flat v4 form: a reference with id, or a value without. */
static const attr_schema_t related_attrs[] = {
    TEXT("role", REQUIRED),
    TEXT("id", 0),
    TEXT("name", 0),
    TEXT("href", 0),
    META(0),
    TEXT("@referredType", 0),
    END,
};

const object_schema_t tmf_related_place = {
    "RelatedPlaceRefOrValue",
    related_attrs,
};

const object_schema_t tmf_related_entity = {
    "RelatedEntityRefOrValue",
    related_attrs,
};

const object_schema_t tmf_feature_relationship = {
    "FeatureRelationship",
    (const attr_schema_t[]){
        TEXT("name", REQUIRED),
        TEXT("relationshipType", REQUIRED),
        TEXT("id", 0),
        OBJECT("validFor", 0, &tmf_time_period),
        END,
    },
};

const object_schema_t tmf_hub = {
    "EventSubscription",
    (const attr_schema_t[]){
        TEXT("id", OURS),
        URI("callback", REQUIRED),
        TEXT("query", 0),
        END,
    },
};

/* RFC 6902, 4: what each operation needs beside its path. */
static const char *const operations[] = {"add",  "remove", "replace", "move",
                                         "copy", "test",   NULL};
static const char *const with_value[] = {"add", "replace", "test", NULL};
static const char *const with_from[] = {"move", "copy", NULL};

static const object_schema_t json_patch_operation = {
    "JsonPatch",
    (const attr_schema_t[]){
        ENUM("op", ATTR_MANDATORY | ATTR_SELECTS, operations),
        TEXT("path", ATTR_MANDATORY),
        {"value", ATTR_ANY, 0, NULL, with_value, NULL, NULL},
        {"from", ATTR_STRING, 0, NULL, with_from, NULL, NULL},
        END,
    },
};

const attr_schema_t tmf_json_patch = LIST("patch", 0, &json_patch_operation);

const object_schema_t tmf_error = {
    "Error",
    (const attr_schema_t[]){
        TEXT("code", REQUIRED),
        TEXT("reason", REQUIRED),
        TEXT("message", 0),
        TEXT("status", 0),
        TEXT("referenceError", 0),
        META(0),
        OWN_TEXT("pointer", 0,
                 "JSON Pointer (RFC 6901) of the attribute that is wrong"),
        END,
    },
};
