/*
 * TMF633 serviceSpecification, v4: stored as the client's document with the
 * server's attributes filled in.
 */
#ifndef TURNUP_TMF_SPECIFICATION_H
#define TURNUP_TMF_SPECIFICATION_H

#include <stdint.h>

#include "backend/base/json.h"
#include "backend/tmf/patch.h"
#include "backend/tmf/view.h"

/*
 * The document to store for a POST: id (the client's, our extension, or
 * new_id), version (default "1.0"), lastUpdate, lifecycleStatus (default
 * Active), isBundle (default false), @type; no href. false with *err: an id
 * that is not 1..255 characters of [A-Za-z0-9._~-], a version likewise.
 */
bool specification_create(buf_t *out, const json_t *body, str_t new_id,
                          int64_t now_us, str_t *ret_id, str_t *ret_version,
                          arena_t *a, tmf_error_t *err);
/*
 * The document to store after a PATCH. false with *err: the patch cannot be
 * applied, id, href, version or lastUpdate changed to another value, or the
 * result not a legal serviceSpecification (backend/tmf/patch.h).
 */
bool specification_patch(buf_t *out, arena_t *a, const json_t *stored,
                         const json_t *patch, patch_kind_t kind,
                         int64_t now_us, tmf_error_t *err);
void specification_to_tmf(buf_t *out, const json_t *stored,
                          const tmf_view_t *v);

#endif
