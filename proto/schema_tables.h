/*
 * How the resource tables are spelt, and what the tables of the three APIs
 * share. Only the proto/schema*.c files include it.
 */
#ifndef TURNUP_PROTO_SCHEMA_TABLES_H
#define TURNUP_PROTO_SCHEMA_TABLES_H

#include "proto/schema.h"

/* A row: attribute, flags, and what the type needs. */
#define ANY(attr, flags)                                    \
    {                                                       \
        attr, ATTR_ANY, flags, NULL, NULL, NULL, NULL, NULL \
    }
#define TEXT(attr, flags)                                      \
    {                                                          \
        attr, ATTR_STRING, flags, NULL, NULL, NULL, NULL, NULL \
    }
#define BOOLEAN(attr, flags)                                    \
    {                                                           \
        attr, ATTR_BOOLEAN, flags, NULL, NULL, NULL, NULL, NULL \
    }
#define INTEGER(attr, flags)                                    \
    {                                                           \
        attr, ATTR_INTEGER, flags, NULL, NULL, NULL, NULL, NULL \
    }
#define NUMBER(attr, flags)                                    \
    {                                                          \
        attr, ATTR_NUMBER, flags, NULL, NULL, NULL, NULL, NULL \
    }
#define INSTANT(attr, flags)                                      \
    {                                                             \
        attr, ATTR_DATE_TIME, flags, NULL, NULL, NULL, NULL, NULL \
    }
#define URI(attr, flags)                                    \
    {                                                       \
        attr, ATTR_URI, flags, NULL, NULL, NULL, NULL, NULL \
    }
#define ENUM(attr, flags, values)                              \
    {                                                          \
        attr, ATTR_ENUM, flags, NULL, values, NULL, NULL, NULL \
    }
#define OBJECT(attr, flags, schema)                              \
    {                                                            \
        attr, ATTR_OBJECT, flags, schema, NULL, NULL, NULL, NULL \
    }
#define LIST(attr, flags, schema)                                         \
    {                                                                     \
        attr, ATTR_OBJECT, ATTR_LIST | (flags), schema, NULL, NULL, NULL, \
            NULL                                                          \
    }
/* An enumeration of which we show one value more than we take. */
#define ENUM_SHOWN(attr, flags, values, shown)                  \
    {                                                           \
        attr, ATTR_ENUM, flags, NULL, values, shown, NULL, NULL \
    }
/* Rows that no standard of this version has: attributes of our own. */
#define OWN_TEXT(attr, flags, note)                            \
    {                                                          \
        attr, ATTR_STRING, flags, NULL, NULL, NULL, note, NULL \
    }
#define OWN_INSTANT(attr, flags, note)                            \
    {                                                             \
        attr, ATTR_DATE_TIME, flags, NULL, NULL, NULL, note, NULL \
    }
#define OWN_ENUM(attr, flags, values, note)                    \
    {                                                          \
        attr, ATTR_ENUM, flags, NULL, values, NULL, note, NULL \
    }
#define OWN_OBJECT(attr, flags, schema, note)                    \
    {                                                            \
        attr, ATTR_OBJECT, flags, schema, NULL, NULL, note, NULL \
    }
/* A row that is mandatory where the object's ATTR_SELECTS (@type in v5, op of
 * a JSON Patch) is one of these. */
#define TEXT_OF(attr, flags, types)                             \
    {                                                           \
        attr, ATTR_STRING, flags, NULL, NULL, NULL, NULL, types \
    }
#define OBJECT_OF(attr, flags, schema, types)                     \
    {                                                             \
        attr, ATTR_OBJECT, flags, schema, NULL, NULL, NULL, types \
    }
#define ENUM_OF(attr, flags, values, types)                     \
    {                                                           \
        attr, ATTR_ENUM, flags, NULL, values, NULL, NULL, types \
    }
#define END                                             \
    {                                                   \
        NULL, ATTR_ANY, 0, NULL, NULL, NULL, NULL, NULL \
    }

/* A mandatory attribute is neither null nor blank (TMF633B). */
#define REQUIRED (ATTR_MANDATORY | ATTR_NON_EMPTY)
/* The server sets it for good. */
#define OURS (ATTR_SERVER | ATTR_FIXED)

#define REQUIRED_V4 (ATTR_MANDATORY_V4 | ATTR_NON_EMPTY)
#define REQUIRED_V5 (ATTR_MANDATORY_V5 | ATTR_NON_EMPTY)

/* Every extensible object has these; v5 asks for the first. */
#define META(flags)                                                 \
    TEXT("@type", REQUIRED_V5 | (flags)), TEXT("@baseType", flags), \
        TEXT("@schemaLocation", flags)
/* Likewise where v4 does not have them. */
#define META_V5 META(ATTR_V5)
/* Likewise, and it says what else is mandatory in v5: X or a reference to X. */
#define META_SELECTS                                                          \
    TEXT("@type", ATTR_V4), TEXT("@type", ATTR_V5 | REQUIRED | ATTR_SELECTS), \
        TEXT("@baseType", 0), TEXT("@schemaLocation", 0)
/* Likewise where v5 does not ask for it. */
#define META_FREE(flags)                            \
    TEXT("@type", flags), TEXT("@baseType", flags), \
        TEXT("@schemaLocation", flags)

/* A reference to something that has an id. */
#define REFERENCE                                                    \
    TEXT("id", REQUIRED), TEXT("href", 0), TEXT("name", 0), META(0), \
        TEXT("@referredType", 0)

/* Flat in v4, {role, what it is} in v5. */
#define RELATED_PARTIES                                \
    LIST("relatedParty", ATTR_V4, &tmf_related_party), \
        LIST("relatedParty", ATTR_V5, &tmf_related_party_v5)
#define RELATED_PLACES                          \
    LIST("place", ATTR_V4, &tmf_related_place), \
        LIST("place", ATTR_V5, &tmf_related_place_v5)
#define RELATED_ENTITIES                                 \
    LIST("relatedEntity", ATTR_V4, &tmf_related_entity), \
        LIST("relatedEntity", ATTR_V5, &tmf_related_entity_v5)

/* TMF638 Service and TMF641 ServiceRefOrValue but for id, href, state,
 * serviceDate and serviceSpecification. The schemas named here are those of
 * the file that uses it: their mandatory attributes differ. */
#define SERVICE_ATTRS                                                       \
    TEXT("category", 0), TEXT("description", 0), INSTANT("endDate", 0),     \
        BOOLEAN("hasStarted", 0), BOOLEAN("isBundle", 0),                   \
        BOOLEAN("isServiceEnabled", 0), BOOLEAN("isStateful", 0),           \
        TEXT("name", 0), TEXT("serviceType", 0), INSTANT("startDate", 0),   \
        TEXT("startMode", 0), LIST("feature", 0, &feature),                 \
        LIST("note", 0, &note), RELATED_PLACES, RELATED_ENTITIES,           \
        RELATED_PARTIES, LIST("serviceCharacteristic", 0, &characteristic), \
        LIST("serviceOrderItem", 0, &related_service_order_item),           \
        LIST("serviceRelationship", 0, &service_relationship),              \
        LIST("supportingResource", 0, &tmf_resource_ref),                   \
        LIST("supportingService", 0, &service_ref_or_value),                \
        LIST("externalIdentifier", ATTR_V5, &tmf_external_identifier),      \
        OBJECT("intent", ATTR_V5, &tmf_intent)

/* proto/schema_common.c */
extern const char *const tmf_item_actions[];
extern const char *const tmf_service_states[];
extern const char *const tmf_service_states_v5[];
extern const attr_schema_t tmf_versioned_ref_attrs[];
extern const object_schema_t tmf_time_period;
extern const object_schema_t tmf_constraint_ref;
extern const object_schema_t tmf_service_specification_ref;
extern const object_schema_t tmf_resource_ref;
extern const object_schema_t tmf_related_party;
extern const object_schema_t tmf_related_place;
extern const object_schema_t tmf_related_entity;
extern const object_schema_t tmf_related_party_v5;
extern const object_schema_t tmf_related_place_v5;
extern const object_schema_t tmf_related_entity_v5;
extern const object_schema_t tmf_external_identifier;
extern const object_schema_t tmf_intent;
extern const object_schema_t tmf_feature_relationship;
extern const object_schema_t tmf_hub;

/* The resources, one file an API. */
extern const object_schema_t tmf_service_order;
extern const object_schema_t tmf_cancel_service_order;
extern const object_schema_t tmf_service;
extern const object_schema_t tmf_service_catalog;
extern const object_schema_t tmf_service_category;
extern const object_schema_t tmf_service_candidate;
extern const object_schema_t tmf_service_specification;
extern const object_schema_t tmf_import_job;
extern const object_schema_t tmf_export_job;

#endif
