/*
 * The paths of a JSON Patch, and walking them through a document that may be
 * changed: RFC 6901 pointers, and with conditions behind "?" as patch.h says.
 */
#ifndef TURNUP_TMF_PATCH_PATH_H
#define TURNUP_TMF_PATCH_PATH_H

#include "backend/base/json.h"
#include "proto/error.h"
#include "proto/query.h"

typedef struct {
    str_t text;
    int count;
    str_t steps[JSON_MAX_DEPTH]; /* unescaped */
    const query_t *query;        /* its filters are the conditions; or NULL */
} patch_path_t;

/* Where a value is, or where it would come. */
typedef struct {
    json_t *parent; /* NULL: it is the document */
    json_t **link;  /* at the value; at the end where there is none yet */
    str_t name;     /* of a member */
    int depth;      /* objects and arrays around it */
} patch_place_t;

/* Does the operation. false: refused, and the fault is told. */
typedef bool (*patch_place_fn)(void *ctx, const patch_place_t *place);

/* How a path is walked. */
typedef struct {
    bool adds;           /* the last step may name what is not there yet */
    bool changes;        /* what is on the way loses its source text */
    int missing;         /* status when nothing is there */
    const char *pointer; /* of the path in the patch */
    int *work;           /* values looked at so far, of the whole patch */
    patch_place_fn at_place;
    void *ctx;
} patch_walk_t;

/* The most values that one patch may look at on its ways; more is 413. */
#define PATCH_MAX_WORK (16 << 20)

/* Reads a path; conditions: it may have them. Its slices point into text and
 * the arena. false with *err. */
bool patch_path_read(patch_path_t *path, arena_t *a, str_t text,
                     bool conditions, const char *pointer, tmf_error_t *err);
/* Comes to each place the path leads to, in their order; at_place may take
 * the value out or put another in its stead. false with *err. */
bool patch_path_walk(const patch_path_t *path, json_t **root,
                     const patch_walk_t *how, tmf_error_t *err);
/* Where a value behind the last one of an object or array would come. */
json_t **patch_path_end(json_t *container);
/* Is whole's place within part's, by their steps? */
bool patch_path_is_within(const patch_path_t *whole, const patch_path_t *part);

#endif
