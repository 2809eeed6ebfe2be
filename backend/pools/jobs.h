/*
 * Import and export jobs of the catalog, one at a time, as a part of the
 * keeper: it has little to do and is nobody's reply path. Jobs have a
 * connection of their own, go on in short steps, and wait for nothing but
 * PostgreSQL and the other side's HTTP from the event loop; what blocks is
 * reading or writing one local file.
 *
 *   jobs.c        claimed, taken step by step, ended
 *   jobs_import.c documents in
 *   jobs_export.c documents out
 *
 * A step is one segment: the lease renewed, some work, the job's document
 * with the progress. Nothing else is kept: after a crash a job begins anew,
 * and what is stored already changes nothing again.
 */
#ifndef TURNUP_POOLS_JOBS_H
#define TURNUP_POOLS_JOBS_H

#include "backend/base/file_url.h"
#include "backend/base/json_split.h"
#include "backend/base/map.h"
#include "backend/pools/worker.h"
#include "backend/southbound/http.h"
#include "backend/store/jobs.h"
#include "backend/tmf/job.h"

#define JOB_MAX_BYTES (63 << 20) /* of a file, an answer or a request */
#define JOB_CALL_MS   60000
#define JOB_LEASE_S   150 /* longer than a call and a segment together */
#define JOB_TRIES     5   /* of one step */

typedef struct jobs jobs_t;
typedef struct run run_t;
typedef void (*run_fn)(run_t *run);

/* A job in hand. */
struct run {
    jobs_t *jobs;
    arena_t *arena; /* lives as long as the run */
    arena_t *step;  /* as long as one step */
    job_claim_t claim;
    const json_t *doc;
    const entity_kind_t *path; /* NULL: any */
    job_report_t report;
    buf_t log;
    run_fn write, then; /* of the step under way */
    int tries;
    bool ending;
    char *text; /* import: what was fetched */
    json_split_t split;
    int index; /* of the next element */
    map_t *seen;
    entity_rows_t rows;
    buf_t out; /* export: what is sent */
    struct export_query *queries;
    entity_key_t *catalogs; /* in which the import has changed something */
    str_t *catalog_docs;
    int catalog_count;
};

struct jobs {
    worker_t *worker;
    pg_t *pg;
    http_t *http;
    bool claiming;
    run_t *run; /* NULL: none */
};

/* jobs.c */
jobs_t *jobs_open(worker_t *w);
/* Takes one up, if there is any and none is in hand. */
void jobs_look(jobs_t *j);
/* What is in hand is left as it is: whoever comes next takes it up. */
void jobs_close(jobs_t *j);

/* write (or NULL) adds statements to a segment, and again where it is to be
 * repeated; then goes on when it is committed. */
void run_step(run_t *run, run_fn write, run_fn then);
/* A line of the errorLog. */
void run_log(run_t *run, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The last step: Failed where something was logged, else Succeeded. */
void run_end(run_t *run);
/* GET, or PUT of body, at the job's URL. */
void run_call(run_t *run, const char *method, str_t body, http_answer_fn fn);
/* Was it answered with 2xx? Else logged. */
bool run_succeeded(run_t *run, const char *method,
                   const http_answer_t *answer);
/* Is the job's URL a file's? Then *ret_path is below directory, or NULL, and
 * why is logged. */
bool run_is_file(run_t *run, const char *directory, const char **ret_path);
/* A UUID (RFC 9562, version 8) that stands for the text, and for no other. */
uuid_t run_uuid(str_t text);

/* jobs_import.c, jobs_export.c: from the first step on */
void import_begin(run_t *run);
void export_begin(run_t *run);

#endif
