/*
 * What the types of attributes mean, for the validator: a single value
 * against a row of the tables.
 */
#ifndef TURNUP_PROTO_ATTR_H
#define TURNUP_PROTO_ATTR_H

#include "proto/json.h"
#include "proto/schema.h"

/* Is a scalar of the row's type? text as json_handler_t's value has it. */
bool attr_fits(const attr_schema_t *attr, json_type_t type, str_t text);
/* Nothing but white space? */
bool attr_is_blank(str_t s);
/* Is it one of values, which NULL ends? */
bool attr_is_among(str_t s, const char *const *values);

#endif
