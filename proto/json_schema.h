/*
 * The objects of the resource tables as JSON Schema (draft 2020-12), spelt so
 * that OpenAPI 3.0.3 reads it alike, but for "nullable", which is written only
 * where asked for.
 */
#ifndef TURNUP_PROTO_JSON_SCHEMA_H
#define TURNUP_PROTO_JSON_SCHEMA_H

#include "proto/buf.h"
#include "proto/schema.h"

/* Which side of an object. */
typedef enum {
    SHAPE_PART,   /* within a body, of a request or of an answer */
    SHAPE_SHOWN,  /* a resource as it is answered: what fields= asks for */
    SHAPE_WHOLE,  /* likewise, where fields= is not taken */
    SHAPE_CREATE, /* as a POST may send it */
    SHAPE_UPDATE  /* as a PATCH may send it (merge-patch: null deletes) */
} shape_t;

/* What of the tables is printed, and how another type is pointed at:
 * <before>Note<after>. */
typedef struct {
    tmf_version_t version;
    const char *before;
    const char *after;
    bool openapi; /* null is said with OpenAPI's "nullable" */
} schema_dialect_t;

#define OBJECT_SET_MAX 128

/* Types in the order in which they were met, each once. */
typedef struct {
    const object_schema_t *objects[OBJECT_SET_MAX];
    int count;
} object_set_t;

/* Adds a type and all that its attributes lead to in that version. false: there
 * is no room. */
bool object_set_add(object_set_t *set, const object_schema_t *object,
                    tmf_version_t version);

/* The members of the type's schema, into the object that is open in out. */
void json_schema_members(buf_t *out, const object_schema_t *object,
                         shape_t shape, const schema_dialect_t *dialect);

/* The members of the schema of a body that is a list, as the row says. */
void json_schema_list(buf_t *out, const attr_schema_t *list,
                      const schema_dialect_t *dialect);

#endif
