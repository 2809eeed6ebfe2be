/*
 * Definitions of any bytes: refused with errors that are in the text, or a
 * family whose machines end.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "backend/domain/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* All goes well: it ends after at most its states. */
static void
run_through(const machine_t *m)
{
    event_t event = {EVENT_START, false, -1};
    run_t run = {.phase = RUN_NEW, .state = -1};

    for (int i = 0; i <= m->state_count; i++) {
        decision_t d;

        machine_step(m, &run, &event, 1, 0.5, &d);
        require(!d.ignored);
        run = d.next;
        if (d.finished) {
            return;
        }
        require(run.deadline_us > 0);
        (void) run_command(m, &run);
        event.kind = EVENT_DONE;
        if (run.phase == RUN_UNDOING) {
            return;
        }
    }
    abort();
}

/* With a context of nothing, only what has defaults renders. */
static void
render(const template_t *t)
{
    const template_context_t empty = {.callback = STR("http://h")};
    str_t missing;
    buf_t out;

    if (t == NULL) {
        return;
    }
    buf_init(&out, 1 << 20);
    (void) template_render(t, &empty, &out, &missing);
    buf_free(&out);
}

static void
render_command(const command_t *c)
{
    if (c == NULL) {
        return;
    }
    render(c->path);
    render(c->body);
    render(c->pool);
    render(c->party);
    render(c->reason);
    for (int i = 0; i < c->header_count; i++) {
        render(c->headers[i].value);
    }
    for (int i = 0; i < c->expect_count; i++) {
        render(c->expect[i].value);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    family_error_t errors[FAMILY_MAX_ERRORS];
    int n = 0;
    family_t *f =
        family_parse((str_t){(const char *) data, size}, NULL, errors, &n);

    require(n >= 0 && n <= FAMILY_MAX_ERRORS && (f == NULL) == (n > 0));
    for (int i = 0; i < n; i++) {
        require(errors[i].line >= 1 && (size_t) errors[i].line <= size + 1);
        require(errors[i].message[0] != '\0');
    }
    for (int a = 0; f != NULL && a < ACTION_COUNT; a++) {
        const machine_t *m = family_machine(f, (action_t) a);

        if (m == NULL) {
            continue;
        }
        run_through(m);
        for (int i = 0; i < m->state_count; i++) {
            render_command(m->states[i].command);
            render_command(m->states[i].undo);
        }
    }
    family_free(f);
    return 0;
}
