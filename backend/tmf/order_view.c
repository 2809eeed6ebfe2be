/*
 * A stored order as the client sees it: its own document, slice by slice,
 * with the server's attributes put in. The document is read once and nothing
 * of it is rendered anew.
 */
#include "backend/tmf/member.h"
#include "backend/tmf/order.h"

/* The server's: what a client sent under these names is not shown. */
static const char *const order_own[] = {"id",
                                        "href",
                                        "state",
                                        "orderDate",
                                        "startDate",
                                        "completionDate",
                                        "errorMessage",
                                        "milestone",
                                        "expectedCompletionDate",
                                        "jeopardyAlert",
                                        "pendingExternal",
                                        NULL};
static const char *const item_own[] = {"state", "errorMessage",
                                       "pendingExternal", NULL};

bool
order_attr_is_ours(str_t name)
{
    return member_among(name, order_own);
}

bool
order_item_attr_is_ours(str_t name)
{
    return member_among(name, item_own);
}

static const char *const service_own[] = {"id", "href", NULL};

typedef struct {
    buf_t *out;
    const order_record_t *order;
    const tmf_view_t *view;
    int next; /* the item expected next: both sides are depth first */
} writer_t;

static const item_record_t *
find_record(writer_t *w, str_t id)
{
    const order_record_t *o = w->order;

    if (w->next < o->item_count && str_eq(o->items[w->next].id, id)) {
        return &o->items[w->next++];
    }
    for (int i = 0; i < o->item_count; i++) {
        if (str_eq(o->items[i].id, id)) {
            w->next = i + 1;
            return &o->items[i];
        }
    }
    return NULL;
}

/* service: as sent, or NULL. */
static void
put_service(const writer_t *w, const json_t *service, uuid_t id)
{
    char text[UUID_TEXT + 1];

    uuid_print(id, text);
    json_name(w->out, "service");
    buf_char(w->out, '{');
    json_put_text(w->out, "id", (str_t){text, UUID_TEXT});
    member_href(w->out, "href", w->view, API_INVENTORY, "service",
                (str_t){text, UUID_TEXT});
    json_each(m, service)
    {
        if (!member_among(m->name, service_own)) {
            member_copy(w->out, m);
        }
    }
    json_end(w->out, '}');
}

static void put_items(writer_t *w, const json_t *list);

static void
put_item(writer_t *w, const json_t *item)
{
    const item_record_t *record = find_record(w, json_text(item, "id"));
    bool known = record && !uuid_is_nil(record->service_id);
    bool shown = false;

    buf_char(w->out, '{');
    json_each(m, item)
    {
        if (known && str_is(m->name, "service")) {
            put_service(w, m->type == JSON_OBJECT ? m : NULL,
                        record->service_id);
            shown = true;
        } else if (m->type == JSON_ARRAY &&
                   str_is(m->name, "serviceOrderItem")) {
            put_items(w, m);
        } else if (!order_item_attr_is_ours(m->name)) {
            member_copy(w->out, m);
        }
    }
    if (known && !shown) {
        put_service(w, NULL, record->service_id);
    }
    if (record) {
        json_put_text(w->out, "state",
                      str_of(member_order_state(record->state, w->view)));
        member_some_raw(w->out, "errorMessage", record->error);
        member_some_raw(w->out, "pendingExternal", record->pending);
    }
    json_end(w->out, '}');
}

/* Recursion is bounded by JSON_MAX_DEPTH. */
static void
put_items(writer_t *w, const json_t *list)
{
    json_name(w->out, "serviceOrderItem");
    buf_char(w->out, '[');
    json_each(item, list)
    {
        json_comma(w->out);
        if (item->type == JSON_OBJECT) {
            put_item(w, item);
        } else {
            buf_str(w->out, item->raw);
        }
    }
    json_end(w->out, ']');
}

static void
put_time(const writer_t *w, const char *name, int64_t us)
{
    if (member_shown(w->view, str_of(name))) {
        member_time(w->out, name, us);
    }
}

/* The order waits for whom its first waiting item waits for. */
static str_t
order_pending(const order_record_t *o)
{
    for (int i = 0; i < o->item_count; i++) {
        if (o->items[i].pending.len > 0) {
            return o->items[i].pending;
        }
    }
    return STR_NONE;
}

static void
put_own(const writer_t *w)
{
    const order_record_t *o = w->order;
    char id[UUID_TEXT + 1];

    uuid_print(o->id, id);
    json_put_text(w->out, "id", (str_t){id, UUID_TEXT});
    member_href(w->out, "href", w->view, API_ORDERING, "serviceOrder",
                (str_t){id, UUID_TEXT});
    if (member_shown(w->view, STR("state"))) {
        json_put_text(w->out, "state",
                      str_of(member_order_state(o->state, w->view)));
    }
    put_time(w, "orderDate", o->order_date_us);
    put_time(w, "expectedCompletionDate", o->expected_us);
    put_time(w, "startDate", o->start_us);
    put_time(
        w, o->state == ORDER_CANCELLED ? "cancellationDate" : "completionDate",
        o->completion_us);
    if (member_shown(w->view, STR("cancellationReason"))) {
        json_put_some(w->out, "cancellationReason", o->cancellation_reason);
    }
    if (member_shown(w->view, STR("errorMessage"))) {
        member_some_raw(w->out, "errorMessage", o->error);
    }
    if (member_shown(w->view, STR("pendingExternal"))) {
        member_some_raw(w->out, "pendingExternal", order_pending(o));
    }
}

/* What a client sent is ours by its name, or as the order was cancelled. */
static bool
is_own(const order_record_t *o, str_t name)
{
    return order_attr_is_ours(name) ||
           (o->state == ORDER_CANCELLED && str_is(name, "cancellationDate")) ||
           (o->cancellation_reason.len && str_is(name, "cancellationReason"));
}

void
order_to_tmf(buf_t *out, arena_t *a, const order_record_t *o,
             const tmf_view_t *v)
{
    const json_t *doc = json_parse(a, o->doc, NULL);
    writer_t w = {out, o, v, 0};

    if (doc && doc->type != JSON_OBJECT) {
        doc = NULL; /* nobody stored that: what has no names has no members */
    }
    buf_char(out, '{');
    put_own(&w);
    if (!json_get(doc, "@type") && member_shown(v, STR("@type"))) {
        json_put_text(out, "@type", STR("ServiceOrder"));
    }
    json_each(m, doc)
    {
        if (is_own(o, m->name) || !member_shown(v, m->name)) {
            continue;
        }
        if (m->type == JSON_ARRAY && str_is(m->name, "serviceOrderItem")) {
            put_items(&w, m);
        } else {
            member_copy(out, m);
        }
    }
    json_end(out, '}');
}
