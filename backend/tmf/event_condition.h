/*
 * Inside of a subscription's filter: event_filter.c reads it, event_match.c
 * holds envelopes against it.
 */
#ifndef TURNUP_TMF_EVENT_CONDITION_H
#define TURNUP_TMF_EVENT_CONDITION_H

#include "backend/tmf/event_filter.h"

/* The attributes that a path leads through. */
typedef struct {
    const str_t *names;
    int count;
} event_path_t;

/* A value, and all that it may be read as. */
typedef struct {
    str_t text;
    const json_t *spelt; /* the number, true, false or null; NULL: none */
    double number;       /* where it is one */
    bool is_time;
    long long us; /* since the epoch, where it is a time */
} event_operand_t;

typedef struct {
    query_op_t op;
    attr_type_t type; /* of the attribute; ATTR_ANY: not known */
    event_path_t path;
    const event_operand_t *values; /* any of them */
    int value_count;
} event_condition_t;

struct event_filter {
    uint32_t wanted; /* bit i: event type number i */
    bool narrowed;   /* not all of the API */
    bool any;        /* one condition must be met; else all of them */
    event_condition_t *conditions;
    int condition_count;
    bool has_fields;
    event_path_t *fields; /* at most QUERY_MAX_FIELDS */
    int field_count;
};

/* The number that the text is, whole; by the grammar of RFC 8259. */
bool event_number(str_t text, double *ret);

#endif
