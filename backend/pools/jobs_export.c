/*
 * Export: all that is asked for, by one segment, to one file or URL.
 */
#include "backend/pools/jobs.h"

#include <stdio.h>

/* What one resource is asked for with. */
struct export_query {
    const entity_kind_t *kind; /* NULL: there are no more */
    run_t *run;
    const char *sql;
    pg_params_t params;
};

static void
on_documents(void *ctx, const PGresult *res)
{
    struct export_query *q = ctx;
    run_t *run = q->run;
    tmf_view_t v = {.base = run->claim.job.base,
                    .version = run->claim.job.version};

    for (int i = 0; i < PQntuples(res) && !buf_failed(&run->out); i++) {
        arena_reset(run->step);
        json_comma(&run->out);
        entity_to_tmf(&run->out, q->kind,
                      json_parse(run->step, pg_text(res, i, 0), NULL), &v);
        run->report.done++;
    }
}

static void
write_queries(run_t *run)
{
    buf_reset(&run->out);
    buf_char(&run->out, '[');
    run->report.done = 0;
    for (struct export_query *q = run->queries; q->kind; q++) {
        pg_exec_text(run->jobs->pg, q->sql, &q->params, on_documents, q);
    }
}

static void
on_put(void *ctx, const http_answer_t *answer)
{
    run_t *run = ctx;

    (void) run_succeeded(run, "PUT", answer);
    run_end(run);
}

static void
put_file(run_t *run, const char *directory, const char *path)
{
    char temporary[UUID_TEXT + 16], id[UUID_TEXT + 1];
    const char *why = "";

    uuid_print(run_uuid(run->claim.job.id), id);
    snprintf(temporary, sizeof(temporary), ".turnup-%s", id);
    if (!file_below_write(directory, path, temporary, buf_view(&run->out),
                          &why)) {
        run_log(run, "%s", why);
    }
    run_end(run);
}

static void
put(run_t *run)
{
    const char *directory = run->jobs->worker->settings->export_directory;
    const char *path;

    json_end(&run->out, ']');
    run->report.total = run->report.done;
    if (buf_failed(&run->out)) {
        run_log(run, "more than %d bytes; select with path and query",
                JOB_MAX_BYTES);
        run_end(run);
    } else if (!run_is_file(run, directory, &path)) {
        run_call(run, "PUT", buf_view(&run->out), on_put);
    } else if (path) {
        put_file(run, directory, path);
    } else {
        run_end(run);
    }
}

/* The statement for one resource; false: logged. */
static bool
prepare(run_t *run, struct export_query *q, const entity_kind_t *kind,
        const query_t *filter)
{
    tmf_error_t e;
    buf_t sql;
    bool good;

    *q = (struct export_query){.kind = kind, .run = run};
    buf_init(&sql, JSON_MAX_BYTES);
    pg_params(&q->params, run->arena);
    good = entities_all_sql(&sql, &q->params, str_of(kind->resource), filter,
                            JOB_MAX_BYTES, &e);
    if (good) {
        q->sql = arena_z(run->arena, buf_view(&sql));
    } else {
        run_log(run, "%s", e.message);
    }
    buf_free(&sql);
    return good;
}

void
export_begin(run_t *run)
{
    query_t *filter = arena_new(run->arena, query_t);
    const entity_kind_t *kind;
    tmf_error_t e;
    int n = 0;

    if (query_parse(filter, json_text(run->doc, "query"), &e) != 0) {
        run_log(run, "%s", e.message);
    }
    while (entity_kind_at(n)) {
        n++;
    }
    run->queries =
        arena_array(run->arena, struct export_query, (size_t) n + 1);
    n = 0;
    for (int i = 0; !run->log.len && (kind = entity_kind_at(i)) != NULL; i++) {
        if (!run->path || run->path == kind) {
            (void) prepare(run, &run->queries[n++], kind, filter);
        }
    }
    if (run->log.len) {
        run_end(run);
    } else {
        run_step(run, write_queries, put);
    }
}
