/*
 * JSON Patch, for patch.c: the operations of RFC 6902 on a document.
 */
#ifndef TURNUP_TMF_PATCH_JSON_H
#define TURNUP_TMF_PATCH_JSON_H

#include "backend/base/json.h"
#include "proto/error.h"

/* The most values that one patch may put in place; as many as a body could
 * hold. "copy" doubles what is there: each time paid for here. */
#define PATCH_MAX_VALUES (JSON_MAX_BYTES / 2)

/* As patch_apply() for PATCH_JSON, or PATCH_QUERY where conditions may stand
 * in the paths. What was written when it fails stays in out. */
bool patch_operations(buf_t *out, arena_t *a, const json_t *stored,
                      const json_t *patch, bool conditions, tmf_error_t *err);

#endif
