/*
 * What is told of an activation outside: why its item failed, and for whom it
 * waits (TMF641 ServiceOrderItemErrorMessage; pendingExternal).
 */
#include "backend/pools/family_batch.h"

#include "backend/tmf/order.h"

#define TEXT_MAX ((size_t) JSON_MAX_BYTES)

/* Did it fail, or was it never begun? Both are explained to the client, but
 * not what the client has asked for. */
bool
report_wanted(const member_t *m)
{
    const work_t *w = m->work;
    bool not_begun = w->run.phase == RUN_NEW && m->d.finished;

    return m->input &&
           (m->d.gave_up || (not_begun && uuid_is_nil(w->cancellation)));
}

void
report_error(batch_t *b, member_t *m)
{
    work_t *w = m->work;
    const input_t *in = m->input;
    const char *code = in->code[0]                        ? in->code
                       : in->event.kind == EVENT_DEADLINE ? "deadline"
                       : in->event.kind == EVENT_CANCEL   ? "cancelled"
                                                          : "failed";
    str_t reason, message;
    buf_t out;

    reason = w->run.state >= 0
                 ? arena_printf(b->arena, "Step %.*s failed",
                                STR_FMT(w->machine->states[w->run.state].name))
                 : STR("Not begun: an item it depends on did not complete");
    message = in->message ? str_of(in->message)
              : in->event.kind == EVENT_DEADLINE
                  ? STR("No answer within the step's deadline")
                  : reason;
    buf_init(&out, TEXT_MAX);
    buf_char(&out, '[');
    order_error_message(&out, str_of(code), reason, message, in->status,
                        b->now_us, STR_NONE);
    buf_char(&out, ']');
    w->error = work_keep(w, &out);
}

/* Something was left behind: said, not hidden. */
void
report_undo_failed(batch_t *b, work_t *w)
{
    buf_t out;

    buf_init(&out, TEXT_MAX);
    buf_puts(&out, w->error.len ? "" : "[");
    buf_put(&out, w->error.data, w->error.len ? w->error.len - 1 : 0);
    json_comma(&out);
    order_error_message(&out, STR("undoIncomplete"), STR("Undo incomplete"),
                        STR("Not everything could be undone; the target needs "
                            "a person"),
                        0, b->now_us, STR_NONE);
    buf_char(&out, ']');
    w->error = work_keep(w, &out);
}

void
report_pending(batch_t *b, member_t *m)
{
    work_t *w = m->work;
    const command_t *c = w->machine->states[m->d.next.state].command;
    str_t missing;
    buf_t party, reason, out;

    buf_init(&party, 65536);
    buf_init(&reason, 65536);
    buf_init(&out, TEXT_MAX);
    if (!c->party ||
        !template_render(c->party, &w->context, &party, &missing)) {
        buf_str(&party, c->target->name);
    }
    if (c->reason) {
        (void) template_render(c->reason, &w->context, &reason, &missing);
    }
    order_pending_external(&out, buf_view(&party), buf_view(&reason),
                           b->now_us, m->d.next.deadline_us);
    w->pending = work_keep(w, &out);
    buf_free(&party);
    buf_free(&reason);
}
