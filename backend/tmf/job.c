/*
 * Jobs of the catalog: reports, and documents to be imported.
 */
#include "backend/tmf/job.h"

#include "backend/domain/record.h"
#include "backend/tmf/member.h"

/* Room for what a document is filled in with. */
#define IMPORT_MAX (2 * (size_t) JSON_MAX_BYTES)

void
job_to_store(buf_t *out, const json_t *doc, const job_report_t *r)
{
    static const char *const reported[] = {"status", "progress", "errorLog",
                                           "completionDate", NULL};

    buf_char(out, '{');
    json_each(m, doc)
    {
        if (!member_among(m->name, reported)) {
            member_copy(out, m);
        }
    }
    json_put_text(out, "status", str_of(r->status));
    json_name(out, "progress");
    buf_char(out, '{');
    json_put_int(out, "total", r->total);
    json_put_int(out, "done", r->done);
    json_put_int(out, "failed", r->failed);
    json_end(out, '}');
    json_put_some(out, "errorLog", r->log);
    member_time(out, "completionDate", r->completed_us);
    json_end(out, '}');
}

static const entity_kind_t *
kind_of_type(str_t type)
{
    const entity_kind_t *k;

    for (int i = 0; (k = entity_kind_at(i)) != NULL; i++) {
        if (str_is(type, k->schema->name)) {
            return k;
        }
    }
    return NULL;
}

static const entity_kind_t *
find_kind(const json_t *doc, const entity_kind_t *path)
{
    const entity_kind_t *k = kind_of_type(json_text(doc, "@type"));

    k = k ? k : kind_of_type(json_text(doc, "@baseType"));
    return k ? k : path;
}

static bool
refuse(tmf_error_t *err, const char *pointer, const char *message)
{
    tmf_error_set(err, 400, TMF_CODE_FIELD_INVALID, "Invalid body field",
                  pointer, "%s", message);
    return false;
}

bool
import_read(import_t *ret, arena_t *a, str_t text, const entity_kind_t *path,
            str_t new_id, int64_t now_us, tmf_error_t *err)
{
    json_error_t fault;
    const json_t *doc = json_parse(a, text, &fault);
    buf_t out;
    bool good;

    *ret = (import_t){NULL, json_text(doc, "id"), STR_NONE, STR_NONE};
    if (!doc) {
        return refuse(err, fault.pointer, fault.reason);
    }
    ret->kind = find_kind(doc, path);
    if (!ret->kind) {
        return refuse(err, "/@type",
                      "neither @type nor the job's path says "
                      "which resource this is");
    }
    if (path && ret->kind != path) {
        return refuse(err, "/@type", "this is not what the job's path names");
    }
    if (!validator_check(ret->kind->schema, VALIDATE_CREATE, TMF_V4, text,
                         err)) {
        return false;
    }
    buf_init(&out, IMPORT_MAX);
    good = entity_create(&out, ret->kind, doc, new_id, now_us, &ret->id,
                         &ret->version, a, err);
    ret->doc = good ? arena_str(a, buf_view(&out)) : STR_NONE;
    buf_free(&out);
    return good;
}
