/*
 * Sub-resources that TMF641, TMF638 and TMF633 define alike, and the hub's
 * registration.
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

const char *const tmf_service_states_v5[] = {
    "feasibilityChecked", "designed",   "reserved", "inactive", "active",
    "suspended",          "terminated", NULL,
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

/* v5: a reference is told from what it refers to by @type. Of a place or an
 * entity that is given as such, only the reference's attributes are known
 * here: what it is, is the client's. */
static const char *const place_refs[] = {"PlaceRef", NULL};
static const char *const entity_refs[] = {"EntityRef", NULL};
static const char *const intent_refs[] = {"IntentRef", NULL};
static const char *const intents[] = {"Intent", NULL};

#define REFERENCE_OR_VALUE(refs)                                            \
    TEXT_OF("id", 0, refs), TEXT("href", 0), TEXT("name", 0), META_SELECTS, \
        TEXT("@referredType", 0)

static const object_schema_t party_ref = {
    "PartyRef",
    (const attr_schema_t[]){
        REFERENCE,
        TEXT("partyId", 0),
        TEXT("partyName", 0),
        END,
    },
};

const object_schema_t tmf_related_party_v5 = {
    "RelatedPartyRefOrPartyRoleRef",
    (const attr_schema_t[]){
        TEXT("role", REQUIRED),
        OBJECT("partyOrPartyRole", ATTR_NESTED, &party_ref),
        META(0),
        END,
    },
};

static const object_schema_t place_ref_or_value = {
    "PlaceRefOrValue",
    (const attr_schema_t[]){REFERENCE_OR_VALUE(place_refs), END},
};

const object_schema_t tmf_related_place_v5 = {
    "RelatedPlaceRefOrValue",
    (const attr_schema_t[]){
        TEXT("role", REQUIRED),
        OBJECT("place", ATTR_MANDATORY | ATTR_NESTED, &place_ref_or_value),
        META(0),
        END,
    },
};

static const object_schema_t entity_ref_or_value = {
    "EntityRefOrValue",
    (const attr_schema_t[]){REFERENCE_OR_VALUE(entity_refs), END},
};

const object_schema_t tmf_related_entity_v5 = {
    "RelatedEntityRefOrValue",
    (const attr_schema_t[]){
        TEXT("role", REQUIRED),
        OBJECT("entity", ATTR_MANDATORY | ATTR_NESTED, &entity_ref_or_value),
        META(0),
        END,
    },
};

const object_schema_t tmf_external_identifier = {
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

/* TMF638 v5 asks an Intent for its dates and life cycle, too, which whoever
 * keeps it sets: not asked for. */
const object_schema_t tmf_intent = {
    "IntentRefOrValue",
    (const attr_schema_t[]){
        TEXT_OF("id", 0, intent_refs),
        TEXT("href", 0),
        TEXT_OF("name", 0, intents),
        TEXT("description", 0),
        META_SELECTS,
        TEXT("@referredType", 0),
        END,
    },
};

/* Any text in v4. */
static const char *const feature_relations[] = {
    "excluded", "includes", "may include", "requires", NULL};

const object_schema_t tmf_feature_relationship = {
    "FeatureRelationship",
    (const attr_schema_t[]){
        TEXT("name", REQUIRED),
        TEXT("relationshipType", REQUIRED | ATTR_V4),
        ENUM("relationshipType", REQUIRED | ATTR_V5, feature_relations),
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
        TEXT("href", OURS | ATTR_V5),
        META_FREE(ATTR_V5), /* asked for, but taken without it as well */
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
        {"value", ATTR_ANY, 0, NULL, NULL, NULL, NULL, with_value},
        TEXT_OF("from", 0, with_from),
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
