/*
 * Jobs: claimed, taken step by step, ended.
 */
#include "backend/pools/jobs.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "backend/domain/record.h"
#include "backend/pools/hints.h"
#include "backend/store/outbox.h"
#include "backend/store/statements.h"

#define USER_AGENT   "turnup"
#define LOG_MAX      16384 /* bytes of an errorLog, and a line of it */
#define LOG_LINE_MAX 1024
#define DOCUMENT_MAX (2 * (size_t) JSON_MAX_BYTES)

/* A run ------------------------------------------------------------------- */

static run_t *
run_create(jobs_t *j)
{
    run_t *run = xcalloc(1, sizeof(*run));

    run->jobs = j;
    run->arena = arena_create();
    run->step = arena_create();
    run->seen = map_create();
    run->report = (job_report_t){.status = JOB_RUNNING};
    run->report.completed_us = NO_TIME;
    buf_init(&run->log, LOG_MAX + LOG_LINE_MAX);
    buf_init(&run->out, JOB_MAX_BYTES);
    return run;
}

/* Nothing of it is under way. */
static void
run_free(run_t *run)
{
    if (run) {
        map_free(run->seen);
        buf_free(&run->log);
        buf_free(&run->out);
        free(run->text);
        arena_free(run->step);
        arena_free(run->arena);
        free(run);
    }
}

static void
run_drop(run_t *run)
{
    run->jobs->run = NULL;
    run_free(run);
}

void
run_log(run_t *run, const char *fmt, ...)
{
    char line[LOG_LINE_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    run->report.log = buf_view(&run->log);
    if (run->log.len >= LOG_MAX) {
        return; /* the last line says so */
    }
    if (run->log.len) {
        buf_char(&run->log, '\n');
    }
    /* Cut in the midst of a character it would be no text. */
    buf_put(&run->log, line, utf8_valid(str_of(line)));
    if (run->log.len >= LOG_MAX) {
        buf_puts(&run->log, "\n...");
    }
    run->report.log = buf_view(&run->log);
}

uuid_t
run_uuid(str_t text)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    uuid_t u;

    if (!EVP_Digest(text.data, text.len, hash, NULL, EVP_sha256(), NULL)) {
        abort(); /* out of memory */
    }
    memcpy(u.byte, hash, sizeof(u.byte));
    u.byte[6] = (uint8_t) (0x80 | (u.byte[6] & 0x0f));
    u.byte[8] = (uint8_t) (0x80 | (u.byte[8] & 0x3f));
    return u;
}

/* Steps -------------------------------------------------------------------- */

static void on_step(void *ctx, pg_outcome_t outcome, const char *sqlstate,
                    const char *message);

static void
send_step(run_t *run)
{
    pg_t *pg = run->jobs->pg;
    buf_t doc;

    job_renew(pg, run->step, &run->claim, JOB_LEASE_S);
    if (run->write) {
        run->write(run);
    }
    buf_init(&doc, DOCUMENT_MAX);
    job_to_store(&doc, run->doc, &run->report);
    job_report(pg, run->step, &run->claim,
               arena_str(run->step, buf_view(&doc)));
    buf_free(&doc);
    pg_commit(pg, on_step, run);
}

/* Not committed. A job that was deleted or is another's by now is left, and
 * so is one whose outcome is not known: it is taken up again. */
static void
step_failed(run_t *run, pg_outcome_t outcome, const char *sqlstate,
            const char *message)
{
    bool ours = strcmp(sqlstate, "22012") != 0;

    if (outcome == PG_RETRY && ++run->tries < JOB_TRIES) {
        send_step(run);
        return;
    }
    log_event(ours ? LOG_WARN : LOG_INFO, "job left", "sqlstate", sqlstate,
              "why", message, NULL);
    if (outcome == PG_REFUSED && ours && run->report.completed_us == NO_TIME) {
        run->report.done -= run->rows.rows.count;
        run_log(run, "the database refuses it: %s", message);
        run_end(run);
        return;
    }
    run_drop(run);
}

static void
on_step(void *ctx, pg_outcome_t outcome, const char *sqlstate,
        const char *message)
{
    run_t *run = ctx;
    const worker_t *w = run->jobs->worker;

    if (outcome != PG_OK) {
        step_failed(run, outcome, sqlstate, message);
        return;
    }
    hint_events(w->redis, w->settings);
    run->then(run);
}

void
run_step(run_t *run, run_fn write, run_fn then)
{
    run->write = write;
    run->then = then;
    run->tries = 0;
    send_step(run);
}

/* The end ------------------------------------------------------------------ */

static void
on_catalogs(void *ctx, const PGresult *res)
{
    run_t *run = ctx;
    size_t n = (size_t) PQntuples(res);

    run->catalogs = arena_array(run->arena, entity_key_t, n + 1);
    run->catalog_docs = arena_array(run->arena, str_t, n + 1);
    run->catalog_count = (int) n;
    for (int i = 0; i < run->catalog_count; i++) {
        run->catalogs[i].id = arena_str(run->arena, pg_text(res, i, 0));
        run->catalog_docs[i] = arena_str(run->arena, pg_text(res, i, 1));
    }
}

static void
write_catalogs(run_t *run)
{
    job_catalogs(run->jobs->pg, run->step, run->claim.since, on_catalogs, run);
}

static void
write_end(run_t *run)
{
    pg_t *pg = run->jobs->pg;
    const job_record_t *job = &run->claim.job;
    outbox_t o;

    outbox_init(&o, run->step);
    for (int i = 0; i < run->catalog_count; i++) {
        outbox_add(&o, clock_us(), STR("catalog"),
                   STR("ServiceCatalogBatchEvent"), run->catalogs[i].id,
                   run->catalog_docs[i], job->correlation);
    }
    outbox_insert(&o, pg, run->step);
    job_delete(pg, run->step, job->resource, job->id);
}

/* Ended for good: the next one need not wait until somebody looks for it. */
static void
go_on(run_t *run)
{
    jobs_t *j = run->jobs;

    run_drop(run);
    if (!j->worker->stopping) {
        jobs_look(j);
    }
}

static void
end(run_t *run)
{
    run->report.status = run->report.log.len ? JOB_FAILED : JOB_SUCCEEDED;
    run->report.completed_us = clock_us();
    run_step(run, write_end, go_on);
}

void
run_end(run_t *run)
{
    bool changed =
        !run->ending && str_is(run->claim.job.resource, "importJob");

    run->ending = true;
    if (changed) {
        run_step(run, write_catalogs, end);
    } else {
        end(run);
    }
}

/* The other side ----------------------------------------------------------- */

void
run_call(run_t *run, const char *method, str_t body, http_answer_fn fn)
{
    http_request_t r = {
        .method = method,
        .url = arena_z(run->arena, json_text(run->doc, "url")),
        .body = body,
        .headers = {"Accept: application/json"},
        .timeout_ms = JOB_CALL_MS,
    };

    (void) http_send(run->jobs->http, &r, fn, run);
}

bool
run_succeeded(run_t *run, const char *method, const http_answer_t *answer)
{
    if (answer->status == 0) {
        run_log(run, "%s: %s", method,
                answer->error ? answer->error : "no answer");
        return false;
    }
    if (answer->status < 200 || answer->status > 299) {
        run_log(run, "%s: answered with status %d", method, answer->status);
        return false;
    }
    return true;
}

bool
run_is_file(run_t *run, const char *directory, const char **ret_path)
{
    str_t url = json_text(run->doc, "url");
    const char *why = "";

    if (url.len < 5 || (url.data[0] | 0x20) != 'f') {
        return false;
    }
    *ret_path = file_url_path(run->arena, url, directory, &why);
    if (!*ret_path) {
        run_log(run, "%s", why);
    }
    return true;
}

/* Claiming ----------------------------------------------------------------- */

static void
keep(arena_t *a, str_t *s)
{
    *s = s->len ? arena_str(a, *s) : STR_NONE;
}

static void
on_claimed(void *ctx, const PGresult *res)
{
    jobs_t *j = ctx;
    run_t *run;

    if (PQntuples(res) == 0) {
        return;
    }
    run = j->run = run_create(j);
    job_read(res, 0, &run->claim);
    keep(run->arena, &run->claim.job.resource);
    keep(run->arena, &run->claim.job.id);
    keep(run->arena, &run->claim.job.base);
    keep(run->arena, &run->claim.job.version);
    keep(run->arena, &run->claim.job.correlation);
    keep(run->arena, &run->claim.doc);
    run->doc = json_parse(run->arena, run->claim.doc, NULL);
    run->path = entity_kind_of_path(json_text(run->doc, "path"));
}

static void
on_claim_end(void *ctx, pg_outcome_t outcome, const char *sqlstate,
             const char *message)
{
    jobs_t *j = ctx;
    run_t *run = j->run;

    j->claiming = false;
    if (outcome != PG_OK) {
        log_event(LOG_WARN, "jobs cannot be looked for", "sqlstate", sqlstate,
                  "why", message, NULL);
        run_free(run);
        j->run = NULL;
    } else if (run) {
        run_step(run, NULL,
                 str_is(run->claim.job.resource, "importJob") ? import_begin
                                                              : export_begin);
    }
}

void
jobs_look(jobs_t *j)
{
    arena_t *a;

    if (j->run || j->claiming || !pg_up(j->pg)) {
        return;
    }
    a = arena_create();
    j->claiming = true;
    job_claim(j->pg, a, str_of(j->worker->slot), JOB_LEASE_S, on_claimed, j);
    pg_commit(j->pg, on_claim_end, j);
    arena_free(a);
}

jobs_t *
jobs_open(worker_t *w)
{
    jobs_t *j = xcalloc(1, sizeof(*j));
    const http_options_t options = {
        .max_connections = 1,
        .max_host_connections = 1,
        .networks = &w->settings->hub_networks,
        .max_answer = JOB_MAX_BYTES,
        .user_agent = USER_AGENT,
    };

    j->worker = w;
    j->pg = pg_open(w->base, w->settings->postgres, store_statements, NULL, j);
    j->http = http_open(w->base, &options);
    return j;
}

void
jobs_close(jobs_t *j)
{
    http_close(j->http);
    pg_close(j->pg);
    run_free(j->run);
    free(j);
}
