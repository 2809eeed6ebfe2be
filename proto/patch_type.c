/*
 * The media types of a PATCH.
 */
#include "proto/patch_type.h"

#include <strings.h>

/* application/json on a PATCH means a merge-patch (TMF630). */
static const patch_type_t patch_types[] = {
    {{"application/merge-patch+json", 28}, PATCH_MERGE},
    {{"application/json", 16}, PATCH_MERGE},
    {{"application/json-patch+json", 27}, PATCH_JSON},
    {{"application/json-patch-query+json", 33}, PATCH_QUERY},
};

const patch_type_t *
patch_type_at(size_t i)
{
    return i < sizeof(patch_types) / sizeof(patch_types[0]) ? &patch_types[i]
                                                            : NULL;
}

const patch_type_t *
patch_type_find(str_t name)
{
    const patch_type_t *t;

    for (size_t i = 0; (t = patch_type_at(i)) != NULL; i++) {
        if (name.len == t->name.len &&
            strncasecmp(name.data, t->name.data, name.len) == 0) {
            return t;
        }
    }
    return NULL;
}
