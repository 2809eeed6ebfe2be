/*
 * Which numbers are let in: those that every reader behind us can hold. A
 * double overflows on "1e999", PostgreSQL prints it with a thousand digits.
 */
#ifndef TURNUP_PROTO_JSON_NUMBER_H
#define TURNUP_PROTO_JSON_NUMBER_H

#include "proto/str.h"

/* NULL, or why the number is refused (a constant); text is a number by the
 * grammar of RFC 8259. */
const char *json_number_fault(str_t text);

#endif
