/*
 * Cancellation tasks as a client writes and sees them.
 */
#include "backend/tmf/cancellation.h"

#include "backend/tmf/member.h"

/* The server's: what a client sent under these names is not shown. */
static const char *const task_own[] = {"id",
                                       "href",
                                       "state",
                                       "effectiveCancellationDate",
                                       "completionMessage",
                                       "errorMessage",
                                       NULL};
static const char *const reference_own[] = {"id", "href", NULL};

/* Everything, without hrefs. */
static const tmf_view_t bare = {.query = NULL};

void
cancellation_unknown_order(tmf_error_t *err)
{
    tmf_error_set(err, 400, TMF_CODE_FIELD_INVALID, "Invalid body field",
                  "/serviceOrder/id", "There is no such service order");
}

bool
cancellation_from_tmf(const json_t *doc, cancellation_t *ret, tmf_error_t *err)
{
    str_t requested = json_text(doc, "requestedCancellationDate");
    long long us;

    *ret = (cancellation_t){
        .reason = json_text(doc, "cancellationReason"),
        .requested_us = rfc3339_parse(requested, &us) ? us : NO_TIME,
    };
    if (!uuid_parse(json_text(json_get(doc, "serviceOrder"), "id"),
                    &ret->order_id)) {
        cancellation_unknown_order(err);
        return false;
    }
    return true;
}

/* sent: the client's reference, or NULL. */
static void
put_order(buf_t *out, const cancellation_record_t *task, const json_t *sent,
          const tmf_view_t *v)
{
    char id[UUID_TEXT + 1];

    uuid_print(task->order_id, id);
    json_name(out, "serviceOrder");
    buf_char(out, '{');
    json_put_text(out, "id", (str_t){id, UUID_TEXT});
    if (v->base.len) {
        member_href(out, "href", v, API_ORDERING, "serviceOrder",
                    (str_t){id, UUID_TEXT});
    }
    if (sent && sent->type == JSON_OBJECT) {
        json_each(m, sent)
        {
            if (!member_among(m->name, reference_own)) {
                member_copy(out, m);
            }
        }
    }
    json_end(out, '}');
}

/* What is ours, but for the reference to the order. */
static void
put_own(buf_t *out, const cancellation_record_t *task, const tmf_view_t *v)
{
    if (member_shown(v, STR("state"))) {
        json_put_text(out, "state", task->state);
    }
    if (member_shown(v, STR("effectiveCancellationDate"))) {
        member_time(out, "effectiveCancellationDate", task->effective_us);
    }
    if (member_shown(v, STR("completionMessage"))) {
        json_put_some(out, "completionMessage", task->message);
    }
    if (member_shown(v, STR("errorMessage"))) {
        member_some_raw(out, "errorMessage", task->error);
    }
}

static void
put_rest(buf_t *out, arena_t *a, const cancellation_record_t *task,
         const tmf_view_t *v)
{
    const json_t *doc = json_parse(a, task->doc, NULL);

    if (member_shown(v, STR("serviceOrder"))) {
        put_order(out, task, json_get(doc, "serviceOrder"), v);
    }
    if (!json_get(doc, "@type") && member_shown(v, STR("@type"))) {
        json_put_text(out, "@type", STR("CancelServiceOrder"));
    }
    json_each(m, doc)
    {
        if (!member_among(m->name, task_own) &&
            !str_is(m->name, "serviceOrder") && member_shown(v, m->name)) {
            member_copy(out, m);
        }
    }
}

void
cancellation_to_tmf(buf_t *out, arena_t *a, const cancellation_record_t *task,
                    const tmf_view_t *v)
{
    char id[UUID_TEXT + 1];

    uuid_print(task->id, id);
    buf_char(out, '{');
    json_put_text(out, "id", (str_t){id, UUID_TEXT});
    member_href(out, "href", v, API_ORDERING, "cancelServiceOrder",
                (str_t){id, UUID_TEXT});
    put_own(out, task, v);
    put_rest(out, a, task, v);
    json_end(out, '}');
}

void
cancellation_created_data(buf_t *out, arena_t *a,
                          const cancellation_record_t *task)
{
    buf_char(out, '{');
    put_own(out, task, &bare);
    put_rest(out, a, task, &bare);
    json_end(out, '}');
}

void
cancellation_change_data(buf_t *out, const cancellation_record_t *task)
{
    buf_char(out, '{');
    put_own(out, task, &bare);
    put_order(out, task, NULL, &bare);
    json_end(out, '}');
}

void
cancellation_end(cancellation_record_t *task, arena_t *a, order_state_t order,
                 int64_t now_us)
{
    str_t message =
        arena_printf(a, "The service order ended %s", order_state_name(order));
    buf_t error;

    task->message = message;
    if (order == ORDER_CANCELLED) {
        task->state = STR("done");
        task->effective_us = now_us;
        return;
    }
    task->state = STR("terminatedWithError");
    buf_init(&error, 4096);
    buf_char(&error, '{');
    json_put_text(&error, "code", STR("cancellationIncomplete"));
    json_put_text(&error, "reason", STR("Cancellation incomplete"));
    json_put_text(&error, "message",
                  arena_printf(a, "%s; its items say why", message.data));
    json_end(&error, '}');
    task->error = arena_str(a, buf_view(&error));
    buf_free(&error);
}
