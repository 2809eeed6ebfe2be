/*
 * JSON as a tree in an arena, with the exact source text of every value.
 *
 * What the domain does not use must come out as it went in (number spelling,
 * escapes, order, unknown members), so each node keeps its slice of the
 * source; a writer splices slices and never re-renders a client's value.
 */
#ifndef TURNUP_BASE_JSON_H
#define TURNUP_BASE_JSON_H

#include "backend/base/arena.h"
#include "proto/buf.h"
#include "proto/json.h"
#include "proto/json_write.h"

typedef struct json json_t;

struct json {
    json_type_t type;
    int count;     /* members or elements */
    str_t name;    /* of a member, unescaped; else empty */
    str_t raw;     /* the value's exact text */
    str_t text;    /* string unescaped; number, true, false as spelt */
    json_t *child; /* first member or element */
    json_t *next;  /* sibling */
};

/*
 * text must outlive the tree (or lie in the same arena). NULL with *err (may
 * be NULL) when it is not strict JSON (proto/json.h).
 */
json_t *json_parse(arena_t *a, str_t text, json_error_t *err);
/* As json_parse, but takes comments and is told so: for our own files. */
json_t *json_parse_relaxed(arena_t *a, str_t text, json_error_t *err);

/* The member's value, or NULL; also NULL when o is NULL or no object. */
const json_t *json_get(const json_t *o, const char *name);
const json_t *json_get_str(const json_t *o, str_t name);
/* By RFC 6901 pointer ("" = itself), or NULL. */
const json_t *json_at(const json_t *v, str_t pointer);
/* An element's number by RFC 6901: digits without leading zeros. */
bool json_index(str_t step, int *ret);
/* The text of a string member, or an empty slice. */
str_t json_text(const json_t *o, const char *name);
bool json_is_true(const json_t *o, const char *name);
/* A number (member) as integer, or dflt. */
long long json_int(const json_t *o, const char *name, long long dflt);
#define json_each(var, parent)                                               \
    for (const json_t *var = (parent) ? (parent)->child : NULL; var != NULL; \
         var = var->next)
/* Equal as JSON values: numbers by value, objects without regard to order. */
bool json_equal(const json_t *a, const json_t *b);

/* RFC 7386: the patched document's text, appended to out. target may be
 * NULL. Values untouched by the patch keep their spelling. */
void json_merge_patch(buf_t *out, const json_t *target, const json_t *patch);

#endif
