/*
 * The @type that v5 asks of an object, from the table and what the object
 * holds. For dialect.c.
 */
#ifndef TURNUP_TMF_DIALECT_TYPE_H
#define TURNUP_TMF_DIALECT_TYPE_H

#include "backend/base/json.h"
#include "proto/schema.h"

#define DIALECT_TYPE_MAX 128

/* false: v5 asks for none. */
bool dialect_type(char ret[DIALECT_TYPE_MAX], const object_schema_t *schema,
                  const json_t *object);
/* May it stay? All that is said may, but of a characteristic a standard type
 * that its value is none of: the value was changed since. */
bool dialect_type_fits(const json_t *said, const object_schema_t *schema,
                       const json_t *object);
/* Is it what v4 calls an object that v5 nests? Then it says nothing of what is
 * nested. */
bool dialect_type_is_flat(const json_t *said);

#endif
