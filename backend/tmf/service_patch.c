/*
 * PATCH of a TMF638 service: done to the service as it is shown, and told as
 * what is shown differently.
 */
#include "backend/tmf/service.h"

#include "backend/tmf/dialect.h"
#include "backend/tmf/member.h"

/*
 * What of the result is to be checked: all that differs, what is mandatory,
 * and what is fixed. The rest is as it was: an order may have brought it under
 * TMF641's rules, which ask for less (a note's author), and a PATCH of
 * something else is not to fail for that.
 */
static void
put_to_be_checked(buf_t *out, const object_schema_t *schema,
                  tmf_version_t version, const json_t *shown,
                  const json_t *after)
{
    buf_char(out, '{');
    json_each(m, after)
    {
        const attr_schema_t *attr = attr_find(schema, m->name, version);
        const json_t *before = json_get_str(shown, m->name);
        bool always = attr && attr->flags & (ATTR_MANDATORY | ATTR_FIXED);

        if (always || !before || !json_equal(m, before)) {
            member_copy(out, m);
        }
    }
    json_end(out, '}');
}

static bool
check(const object_schema_t *schema, tmf_version_t version,
      const json_t *shown, const json_t *after, tmf_error_t *err)
{
    buf_t out;
    bool good;

    buf_init(&out, 2 * (size_t) JSON_MAX_BYTES);
    put_to_be_checked(&out, schema, version, shown, after);
    good = patch_check(schema, version, shown, buf_view(&out), err);
    buf_free(&out);
    return good;
}

/* What is in out, as a tree; frees it. */
static const json_t *
tree_of(arena_t *a, buf_t *out)
{
    const json_t *doc = json_parse(a, arena_str(a, buf_view(out)), NULL);

    buf_free(out);
    return doc;
}

bool
service_patch(arena_t *a, const service_record_t *was, const json_t *shown,
              tmf_version_t version, const json_t *patch, patch_kind_t kind,
              service_record_t *ret, const json_t **ret_doc, tmf_error_t *err)
{
    const object_schema_t *schema =
        resource_find(API_INVENTORY, STR("service"))->patch;
    const json_t *seen = shown, *after;
    buf_t out;

    buf_init(&out, 2 * (size_t) JSON_MAX_BYTES);
    if (version == TMF_V5) {
        dialect_show(&out, schema, shown);
        seen = tree_of(a, &out);
        buf_init(&out, 2 * (size_t) JSON_MAX_BYTES);
    }
    if (!patch_apply(&out, a, seen, patch, kind, err)) {
        buf_free(&out);
        return false;
    }
    *ret_doc = after = tree_of(a, &out);
    if (!check(schema, version, seen, after, err)) {
        return false;
    }
    if (version == TMF_V5) {
        buf_init(&out, 2 * (size_t) JSON_MAX_BYTES);
        dialect_take_changed(&out, schema, shown, seen, after);
        *ret_doc = tree_of(a, &out);
    }
    return service_from_patch(a, was, shown, *ret_doc, ret, err);
}

/* Never a change of an attribute: the state has an event of its own, the
 * others say which service, and which of its configurations it is. */
static const char *const not_changes[] = {
    "id",
    "href",
    "state",
    "version",
    "versionStateType",
    "versionStartDate",
    "versionEndDate",
    NULL,
};

/* By service_change_members(), where they are there; but for the
 * characteristics also where they are not. fieldPath is the event's own name (record.h). */
static const char *const told_there[] = {
    "name",      "operatingStatus",       "serviceSpecification",
    "fieldPath", "serviceCharacteristic", NULL,
};
static const char *const told_gone[] = {"fieldPath", "serviceCharacteristic",
                                        NULL};

/* The names of a list, "a,b". */
static void
add_name(buf_t *paths, str_t name)
{
    if (paths->len > 0) {
        buf_char(paths, ',');
    }
    buf_str(paths, name);
}

static void
put_changed(buf_t *out, buf_t *paths, const json_t *before,
            const json_t *after)
{
    json_each(m, after)
    {
        const json_t *old = json_get_str(before, m->name);

        if (member_among(m->name, not_changes) ||
            (old && json_equal(m, old))) {
            continue;
        }
        add_name(paths, m->name);
        if (!member_among(m->name, told_there)) {
            member_copy(out, m);
        }
    }
}

static void
put_taken_away(buf_t *out, buf_t *paths, const json_t *before,
               const json_t *after)
{
    json_each(m, before)
    {
        if (member_among(m->name, not_changes) ||
            json_get_str(after, m->name)) {
            continue;
        }
        add_name(paths, m->name);
        if (!member_among(m->name, told_gone)) {
            json_comma(out);
            buf_json(out, m->name);
            buf_puts(out, ":null");
        }
    }
}

bool
service_patch_data(buf_t *out, const service_record_t *s, const json_t *before,
                   const json_t *after)
{
    bool changed;
    buf_t paths;

    buf_init(&paths, JSON_MAX_BYTES);
    buf_char(out, '{');
    service_change_members(out, s);
    put_changed(out, &paths, before, after);
    put_taken_away(out, &paths, before, after);
    changed = paths.len > 0;
    json_put_some(out, "fieldPath", buf_view(&paths));
    json_end(out, '}');
    buf_free(&paths);
    return changed;
}
