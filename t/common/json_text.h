/*
 * JSON as text: checks, walks and merges objects without building a tree.
 *
 * The test programs look at a few members of a document and hand the rest on
 * as it came; a tree for each would cost more than the whole request. Names
 * are compared as spelt (an escaped spelling of a name is another name).
 */
#ifndef TURNUP_T_COMMON_JSON_TEXT_H
#define TURNUP_T_COMMON_JSON_TEXT_H

#include "proto/buf.h"

#define JSON_TEXT_DEPTH 64 /* nested objects and arrays */

typedef struct {
    str_t name;  /* as spelt, without the quotes */
    str_t value; /* as spelt, a string with its quotes */
} json_member_t;

typedef struct {
    const char *at;
    const char *end;
    bool first;
} json_walk_t;

/* Is it one JSON object (RFC 8259, UTF-8) and nothing else? */
bool json_text_is_object(str_t s);

/* The members of an object, one by one: 1 with *ret, 0 at the end, -1 where
 * the text is no object. The values are checked as they are passed. */
json_walk_t json_walk(str_t object);
int json_walk_next(json_walk_t *w, json_member_t *ret);

/* The value of a first-level member as spelt, or STR_NONE. */
str_t json_text_get(str_t object, const char *name);
/* The text from that value's first byte to the end of object's, the value not
 * looked at: where only its first members matter. Or STR_NONE. */
str_t json_text_from(str_t object, const char *name);
/* Appends a string value unescaped; false, with nothing appended, when value
 * is not a string. */
bool json_text_string(buf_t *out, str_t value);
/* A whole number; false when value is not one that fits. */
bool json_text_long(str_t value, long *ret);

/* Appends object with patch laid over it: first-level members of patch
 * replace, null removes (RFC 7396, but for one level). Both are objects. */
void json_text_merge(buf_t *out, str_t object, str_t patch);

#endif
