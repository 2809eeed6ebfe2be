/*
 * PATCH: the dialects, and what none of them may do.
 */
#include "backend/tmf/patch.h"

#include <stdio.h>

#include "backend/tmf/member.h"
#include "backend/tmf/patch_json.h"

#define REASON "Invalid body field"

bool
patch_kind_of(str_t content_type, patch_kind_t *ret)
{
    const patch_type_t *type;
    size_t len = 0;

    while (len < content_type.len && content_type.data[len] != ';') {
        len++;
    }
    while (len > 0 && content_type.data[len - 1] == ' ') {
        len--;
    }
    type = patch_type_find((str_t){content_type.data, len});
    if (type) {
        *ret = type->kind;
    }
    return type != NULL;
}

static bool
merge(buf_t *out, const json_t *stored, const json_t *patch, tmf_error_t *err)
{
    if (patch->type != JSON_OBJECT) {
        tmf_error_set(err, 400, TMF_CODE_BODY_INVALID, "Invalid patch", "",
                      "a merge patch is an object");
        return false;
    }
    json_merge_patch(out, stored, patch);
    return true;
}

bool
patch_apply(buf_t *out, arena_t *a, const json_t *stored, const json_t *patch,
            patch_kind_t kind, tmf_error_t *err)
{
    buf_t result;
    bool good;

    buf_init(&result, JSON_MAX_BYTES);
    good = kind == PATCH_MERGE ? merge(&result, stored, patch, err)
                               : patch_operations(&result, a, stored, patch,
                                                  kind == PATCH_QUERY, err);
    if (good && buf_failed(&result)) {
        tmf_error_set(err, 413, TMF_CODE_TOO_LARGE, "Too large", "",
                      "the patched document is larger than %d bytes",
                      JSON_MAX_BYTES);
        good = false;
    }
    if (good) {
        buf_str(out, buf_view(&result));
    }
    buf_free(&result);
    return good;
}

/* Hrefs are not stored as a rule: any that leads to this id is the same. */
static bool
leads_to(const json_t *href, str_t id)
{
    str_t text = href->text;

    return href->type == JSON_STRING && text.len > id.len &&
           text.data[text.len - id.len - 1] == '/' &&
           str_eq((str_t){text.data + text.len - id.len, id.len}, id);
}

static bool
keeps(const json_t *stored, const json_t *result, const char *name)
{
    const json_t *was = member_given(stored, str_of(name));
    const json_t *is = member_given(result, str_of(name));

    if (!was && is && str_is(STR("href"), name)) {
        return leads_to(is, json_text(stored, "id"));
    }
    return json_equal(was, is);
}

static bool
check_fixed(const object_schema_t *schema, const json_t *stored,
            const json_t *result, tmf_error_t *err)
{
    for (const attr_schema_t *attr = schema->attrs; attr->name; attr++) {
        if ((attr->flags & ATTR_FIXED) && !keeps(stored, result, attr->name)) {
            char pointer[JSON_POINTER_MAX];

            snprintf(pointer, sizeof(pointer), "/%s", attr->name);
            tmf_error_set(err, 400, TMF_CODE_FIELD_INVALID, REASON, pointer,
                          "%s cannot be changed", attr->name);
            return false;
        }
    }
    return true;
}

bool
patch_check(const object_schema_t *schema, tmf_version_t version,
            const json_t *stored, str_t result, tmf_error_t *err)
{
    arena_t *a;
    bool good;

    if (!validator_check(schema, VALIDATE_RESULT, version, result, err)) {
        return false;
    }
    a = arena_create();
    good = check_fixed(schema, stored, json_parse(a, result, NULL), err);
    arena_free(a);
    return good;
}
