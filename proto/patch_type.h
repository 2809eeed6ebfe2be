/*
 * The media types of a PATCH (TMF630 part 5): what the edge lets in is what
 * the workers apply.
 */
#ifndef TURNUP_PROTO_PATCH_TYPE_H
#define TURNUP_PROTO_PATCH_TYPE_H

#include "proto/str.h"

typedef enum {
    PATCH_MERGE, /* RFC 7386 */
    PATCH_JSON,  /* RFC 6902 */
    PATCH_QUERY  /* RFC 6902 whose paths select elements by their values */
} patch_kind_t;

typedef struct {
    str_t name; /* as it is spelt in what we send */
    patch_kind_t kind;
} patch_type_t;

/* All of them, for Accept-Patch (RFC 5789, 3.1) and for messages. */
#define PATCH_TYPES                                    \
    "application/merge-patch+json, application/json, " \
    "application/json-patch+json, application/json-patch-query+json"

/* The row of a media type without parameters, in any case; NULL: a PATCH of
 * this type is not taken. */
const patch_type_t *patch_type_find(str_t name);
/* One after the other from 0; NULL: there are no more. */
const patch_type_t *patch_type_at(size_t i);

#endif
