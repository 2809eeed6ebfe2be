/*
 * Import: the elements of an array, some in a step.
 */
#include "backend/pools/jobs.h"

#include <stdlib.h>

#define STEP_ROWS  256
#define STEP_BYTES 1048576

static void
fail(run_t *run, const char *why)
{
    run_log(run, "%s", why);
    run_end(run);
}

/* One that cannot be taken. Counted from 0, as in a JSON pointer. */
static void
refuse(run_t *run, const import_t *i, const tmf_error_t *e)
{
    run->report.failed++;
    run_log(run, "/%d%s: %s%s%.*s%s%s", run->index, e->pointer,
            i->kind ? i->kind->resource : "", i->kind ? " " : "",
            (int) (i->id.len < 64 ? i->id.len : 64),
            i->id.len ? i->id.data : "", i->id.len ? ": " : "", e->message);
}

/* Is it the first of its key? A second one would undo it. */
static bool
is_first(run_t *run, const import_t *i, tmf_error_t *err)
{
    uuid_t key =
        run_uuid(arena_printf(run->step, "%s %.*s %.*s", i->kind->resource,
                              STR_FMT(i->id), STR_FMT(i->version)));

    if (!map_put(run->seen, key, run)) {
        return true;
    }
    tmf_error_set(err, 400, TMF_CODE_CONFLICT, "Invalid body field", "/id",
                  "this one stands twice in the array");
    return false;
}

static size_t
take(run_t *run, str_t element)
{
    int64_t now = clock_us();
    char id[UUID_TEXT + 1];
    tmf_error_t e;
    import_t i;

    /* The same one again when the job is begun anew. */
    uuid_print(run_uuid(arena_printf(run->step, "%.*s %d",
                                     STR_FMT(run->claim.job.id), run->index)),
               id);
    if (import_read(&i, run->step, element, run->path,
                    arena_str(run->step, str_of(id)), now, &e) &&
        is_first(run, &i, &e)) {
        entity_key_t key = {str_of(i.kind->resource), i.id, i.version};

        entity_rows_add(&run->rows, &key, str_of(i.kind->schema->name), i.doc,
                        now);
        run->report.done++;
    } else {
        refuse(run, &i, &e);
    }
    run->index++;
    return element.len;
}

static void
write_rows(run_t *run)
{
    if (run->rows.rows.count) {
        entities_import(run->jobs->pg, run->step, &run->rows,
                        run->claim.job.correlation);
    }
}

static void
next(run_t *run)
{
    size_t bytes = 0;
    int elements = 0;
    str_t element;

    arena_reset(run->step);
    entity_rows_init(&run->rows, run->step);
    while (elements < STEP_ROWS && bytes < STEP_BYTES &&
           json_split_next(&run->split, &element) == 1) {
        bytes += take(run, element);
        elements++;
    }
    if (elements == 0) {
        run_end(run);
    } else {
        run_step(run, write_rows, next);
    }
}

/* It is whole before anything of it is taken. text is the run's now. */
static void
begin(run_t *run, char *text, size_t len)
{
    str_t element;
    int rc;

    run->text = text;
    json_split_init(&run->split, (str_t){text, len});
    while ((rc = json_split_next(&run->split, &element)) == 1) {
        run->report.total++;
    }
    if (rc < 0) {
        run->report.total = 0;
        fail(run, "a JSON array is expected, and all of it");
        return;
    }
    json_split_init(&run->split, (str_t){text, len});
    next(run);
}

static void
on_fetched(void *ctx, const http_answer_t *answer)
{
    run_t *run = ctx;
    char *text;

    if (!run_succeeded(run, "GET", answer)) {
        run_end(run);
        return;
    }
    text = xcalloc(1, answer->body.len + 1);
    memcpy(text, answer->body.len ? answer->body.data : "", answer->body.len);
    begin(run, text, answer->body.len);
}

void
import_begin(run_t *run)
{
    const char *directory = run->jobs->worker->settings->import_directory;
    const char *path, *why = "";
    size_t len = 0;
    char *text;

    if (!run_is_file(run, directory, &path)) {
        run_call(run, "GET", STR_NONE, on_fetched);
        return;
    }
    text = path ? file_below_read(directory, path, JOB_MAX_BYTES, &len, &why)
                : NULL;
    if (text) {
        begin(run, text, len);
    } else if (path) {
        fail(run, why);
    } else {
        run_end(run);
    }
}
