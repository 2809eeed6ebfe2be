/*
 * The resources of TMF633, v4: each stored as the client's document with the
 * server's attributes filled in. Specifications stand side by side in several
 * versions; of the others there is one an id, and its version is an attribute
 * like any other. Import and export jobs are resources as well, but neither
 * changed by clients nor told of by events.
 */
#ifndef TURNUP_TMF_ENTITY_H
#define TURNUP_TMF_ENTITY_H

#include <stdint.h>

#include "backend/base/json.h"
#include "backend/tmf/patch.h"
#include "backend/tmf/view.h"

typedef struct {
    const char *resource; /* "serviceCategory" */
    const object_schema_t *schema;
    bool versions; /* side by side */
    bool job;
} entity_kind_t;

/* By a resource's name, or NULL. */
const entity_kind_t *entity_kind(str_t resource);
/* Those that are no jobs, by number from 0 on; NULL behind the last. */
const entity_kind_t *entity_kind_at(int i);
/* What the path of a job names, by a resource's name or its URL: NULL where
 * it names none that clients manage. */
const entity_kind_t *entity_kind_of_path(str_t path);
/* what: "Create", "Change", "Delete". In a: "ServiceCategoryCreateEvent". */
str_t entity_event(const entity_kind_t *k, const char *what, arena_t *a);

/*
 * The document to store for a POST, which the tables have found legal: id
 * (the client's, our extension, or new_id), lastUpdate, lifecycleStatus
 * (default Active), @type, no href; a specification's version (default
 * "1.0") and isBundle (default false); a category's isRoot (default: whether
 * it has no parentId); a job's status and creationDate. false with *err 400:
 * an id that is not 1..255 characters of [A-Za-z0-9._~-], a specification's
 * version likewise, a root with a parentId, a job's contentType that is not
 * JSON, its path that names nothing, its query that is no filter.
 * *ret_version is empty where versions are not side by side.
 */
bool entity_create(buf_t *out, const entity_kind_t *k, const json_t *body,
                   str_t new_id, int64_t now_us, str_t *ret_id,
                   str_t *ret_version, arena_t *a, tmf_error_t *err);
/*
 * The document to store after a PATCH. false with *err: the patch cannot be
 * applied, id, href, lastUpdate or a specification's version changed to
 * another value, or the result not legal by the rules of a POST
 * (backend/tmf/patch.h).
 */
bool entity_patch(buf_t *out, arena_t *a, const entity_kind_t *k,
                  const json_t *stored, const json_t *patch,
                  patch_kind_t dialect, int64_t now_us, tmf_error_t *err);
void entity_to_tmf(buf_t *out, const entity_kind_t *k, const json_t *stored,
                   const tmf_view_t *v);

#endif
