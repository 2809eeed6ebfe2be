/*
 * TMF633 importJob and exportJob, v4: what becomes of one, and the documents
 * that an import brings.
 */
#ifndef TURNUP_TMF_JOB_H
#define TURNUP_TMF_JOB_H

#include "backend/tmf/entity.h"

/* JobStateType, but for "Not Started", as which entity_create() stores one */
#define JOB_RUNNING   "Running"
#define JOB_SUCCEEDED "Succeeded"
#define JOB_FAILED    "Failed"

/* How far a job is; progress is an extension of ours. */
typedef struct {
    const char *status;
    int total, done, failed; /* documents */
    str_t log;               /* errorLog; empty: none */
    int64_t completed_us;    /* NO_TIME: not yet */
} job_report_t;

/* The job's document with the report in it, in place of the one before. */
void job_to_store(buf_t *out, const json_t *doc, const job_report_t *r);

/* A document of an import, as it is to be stored. */
typedef struct {
    const entity_kind_t *kind;
    str_t id, version, doc;
} import_t;

/*
 * Reads one by the rules of a POST. What it is its @type says, else its
 * @baseType, else path (or NULL); new_id is for one without an id. Everything
 * lies in a; *ret keeps what could be told of a bad one (kind or NULL, id).
 * false with *err: 400 or 413, as a POST of it would be answered.
 */
bool import_read(import_t *ret, arena_t *a, str_t text,
                 const entity_kind_t *path, str_t new_id, int64_t now_us,
                 tmf_error_t *err);

#endif
