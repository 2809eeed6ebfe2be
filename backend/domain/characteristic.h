/*
 * Specifications compiled: what specification.c reads and characteristic.c
 * checks by. Private to them.
 */
#ifndef TURNUP_DOMAIN_CHARACTERISTIC_H
#define TURNUP_DOMAIN_CHARACTERISTIC_H

#define PCRE2_CODE_UNIT_WIDTH 8

#include <pcre2.h>

#include "backend/domain/specification.h"

typedef enum {
    TYPE_ANY,
    TYPE_STRING,
    TYPE_NUMBER,
    TYPE_INTEGER,
    TYPE_BOOLEAN,
    TYPE_OBJECT,
    TYPE_ARRAY
} value_type_t;

typedef struct {
    const json_t *value; /* or NULL */
    bool has_range;
    double from, to;
    bool open_from, open_to; /* the border itself does not belong to it */
    pcre2_code *regex;       /* or NULL */
} value_row_t;

typedef struct char_row char_row_t;

typedef struct {
    const char_row_t *rows;
    int count;
    bool closed; /* no others than these */
} char_rows_t;

struct char_row {
    str_t name;
    value_type_t type;
    int min, max; /* cardinality; max 0: no limit */
    bool fixed;   /* not configurable, and has a default: only that */
    bool restricted;
    pcre2_code *regex;
    const value_row_t *values;
    int value_count;
    const json_t *dflt; /* or NULL */
    char_rows_t properties;
};

/* Regular expressions are not in the arena: a list to free. */
typedef struct regex_node regex_node_t;

struct regex_node {
    pcre2_code *code;
    regex_node_t *next;
};

struct specification {
    arena_t *arena;
    const json_t *doc;
    char_rows_t rows;
    regex_node_t *regexes;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    pcre2_compile_context *compile;
};

double characteristic_number(const json_t *v);
/* The row of a name, or NULL. */
const char_row_t *characteristic_find(const char_rows_t *rows, str_t name);

#endif
