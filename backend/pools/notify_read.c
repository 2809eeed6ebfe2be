/*
 * From the outbox to the backlogs.
 *
 * All who have read equally far are served by one read: those at the head by
 * one connection, those behind (new, slow or back after an outage) by the
 * other, group by group, never beyond the head, where they join. So a
 * listener that is behind costs reads of its own and nobody's time.
 */
#include "backend/pools/loaded.h"
#include "backend/pools/notify.h"

#include <stdlib.h>

#define each_subscriber(at, n)                                        \
    for (list_t *at = (n)->subscribers.next; at != &(n)->subscribers; \
         at = at->next)

static void
lane_end(lane_t *lane)
{
    notifier_t *n = lane->notifier;

    each_subscriber(at, n)
    {
        subscriber_t *s = list_entry(at, subscriber_t, node);

        s->lane = s->lane == lane ? NULL : s->lane;
    }
    arena_free(lane->arena);
    lane->arena = NULL;
    lane->busy = false;
}

static void
read_again(notifier_t *n, int us)
{
    struct timeval tv = {0, us};

    n->hinted = true;
    if (!evtimer_pending(n->again, NULL)) {
        evtimer_add(n->again, &tv);
    }
}

/* Whether the segment succeeded; else it ends here and is read again. */
static bool
lane_ok(lane_t *lane, pg_outcome_t outcome, const char *sqlstate,
        const char *message)
{
    notifier_t *n = lane->notifier;

    if (outcome == PG_OK && n->leading && !n->worker.stopping) {
        return true;
    }
    if (outcome == PG_REFUSED) {
        log_event(LOG_ERROR, "events cannot be read", "sqlstate", sqlstate,
                  "error", message, NULL);
    }
    lane_end(lane);
    n->hinted = true; /* at the next tick */
    return false;
}

static notification_t *
note_for(notifier_t *n, hub_view_t *v, const event_record_t *e,
         const event_document_t *d)
{
    if (v->event != e) {
        notification_unref(v->note);
        v->note = notification_render(e, d, &v->view, n->scratch);
        v->event = e;
        v->envelope = NULL;
        arena_reset(n->scratch);
        if (!v->note) {
            char id[UUID_TEXT + 1];

            uuid_print(e->id, id);
            log_event(LOG_ERROR, "event too large to be told, skipped",
                      "event", id, NULL);
        }
    }
    return v->note;
}

/* Its envelope trimmed: parts of what has the size that is allowed, so that
 * room for it fails only where there is no memory. */
static notification_t *
trim_note(const subscriber_t *s, const event_record_t *e,
          const json_t *envelope)
{
    notification_t *note;
    buf_t out;

    buf_init(&out, 2 * (size_t) NOTIFICATION_MAX);
    event_filter_trim(s->filter, envelope, &out);
    if (buf_failed(&out)) {
        abort(); /* out of memory */
    }
    note = notification_create(e, buf_view(&out));
    buf_free(&out);
    return note;
}

/* Only who looks into envelopes pays for them being read. One that is nested
 * too deeply to be read is sent as it is rather than lost. */
static void
add_note(subscriber_t *s, const event_record_t *e, notification_t *note,
         const position_t *before)
{
    notifier_t *n = s->notifier;
    hub_view_t *v = s->view;
    bool trims = event_filter_has_fields(s->filter);

    if (!trims && !event_filter_has_conditions(s->filter)) {
        listener_add(&s->listener, note, before);
        return;
    }
    if (!v->envelope) {
        v->envelope =
            json_parse(n->envelopes, (str_t){note->body, note->len}, NULL);
    }
    if (v->envelope && !event_filter_passes(s->filter, v->envelope)) {
        return;
    }
    note = v->envelope && trims ? trim_note(s, e, v->envelope)
                                : notification_ref(note);
    listener_add(&s->listener, note, before);
    notification_unref(note);
}

static void
take_events(lane_t *lane, subscriber_t **takers, int count)
{
    notifier_t *n = lane->notifier;
    const event_page_t *page = &lane->page;
    position_t before = lane->from;

    for (int i = 0; i < page->count; i++) {
        const event_record_t *e = &page->events[i];

        for (int k = 0; k < count; k++) {
            subscriber_t *s = takers[k];
            notification_t *note;

            if (!subscriber_wants(s, e)) {
                continue;
            }
            note = note_for(n, s->view, e, &page->documents[i]);
            if (note) {
                add_note(s, e, note, &before);
            } else {
                (*n->skipped)++;
            }
        }
        before = event_position(e);
        arena_reset(n->envelopes);
    }
    for (list_t *at = n->views.next; at != &n->views; at = at->next) {
        hub_view_t *v = list_entry(at, hub_view_t, node);

        notification_unref(v->note);
        v->note = NULL;
        v->envelope = NULL;
        v->event = NULL;
    }
}

/* Where the page's readers stand after it. */
static position_t
page_end(const lane_t *lane)
{
    bool bounded = lane->to.xid != UINT64_MAX;

    return bounded && lane->page.complete ? lane->to : lane->page.to;
}

static void
take_page(lane_t *lane)
{
    notifier_t *n = lane->notifier;
    position_t end = page_end(lane);
    subscriber_t **takers =
        arena_array(lane->arena, subscriber_t *, map_count(n->by_id) + 1);
    int count = 0;

    each_subscriber(at, n)
    {
        subscriber_t *s = list_entry(at, subscriber_t, node);

        /* Its backlog may have been cut back meanwhile. */
        if (s->lane == lane &&
            position_compare(&s->listener.read, &lane->from) == 0) {
            takers[count++] = s;
        }
    }
    take_events(lane, takers, count);
    if (position_compare(&end, &n->end) > 0) {
        n->end = end;
    }
    for (int k = 0; k < count; k++) {
        takers[k]->listener.read = end;
        send_start(takers[k]);
    }
}

static void
lane_done(lane_t *lane)
{
    notifier_t *n = lane->notifier;
    bool more = !lane->page.complete;
    bool ahead = lane->page.ahead;

    take_page(lane);
    lane_end(lane);
    if (lane == &n->head) {
        n->read_us = clock_mono_us();
        n->rest_us = lane->page.count < NOTIFY_READ_FEW
                         ? NOTIFY_READ_GAP_US
                         : 2 * NOTIFY_READ_GAP_US;
        if (more) {
            n->hinted = true;
        } else if (ahead) {
            read_again(n, n->gap_us);
            n->gap_us = n->gap_us * 2 < NOTIFY_READ_MAX_US
                            ? n->gap_us * 2
                            : NOTIFY_READ_MAX_US;
        } else {
            n->gap_us = NOTIFY_READ_GAP_US;
        }
    }
    read_start(n);
}

#define DOCUMENT_RESULT(name, kind)                                       \
    static void on_##name(void *ctx, const PGresult *res)                 \
    {                                                                     \
        lane_t *lane = ctx;                                               \
        event_take_documents(lane->arena, res, &lane->page, lane->wanted, \
                             kind);                                       \
    }
DOCUMENT_RESULT(orders, DOCUMENT_ORDER)
DOCUMENT_RESULT(services, DOCUMENT_SERVICE)

static void
on_orders_now(void *ctx, const PGresult *res)
{
    lane_t *lane = ctx;
    loaded_t loaded = {.arena = lane->arena};

    loaded_on_orders(&loaded, res);
    event_take_orders_now(res, &lane->page, lane->wanted, loaded.orders,
                          loaded.order_count);
}

static void
on_order_items(void *ctx, const PGresult *res)
{
    lane_t *lane = ctx;

    event_take_order_items(lane->arena, res, &lane->page);
}

static void
on_documents_end(void *ctx, pg_outcome_t outcome, const char *sqlstate,
                 const char *message)
{
    lane_t *lane = ctx;

    if (lane_ok(lane, outcome, sqlstate, message)) {
        lane_done(lane);
    }
}

/* Asks for the documents that somebody is to see; false: there are none. */
static bool
read_documents(lane_t *lane)
{
    static const struct {
        document_kind_t kind;
        int stmt;
        pg_result_fn fn;
    } reads[] = {
        {DOCUMENT_ORDER, NOTIFY_ORDERS, on_orders},
        {DOCUMENT_ORDER_NOW, NOTIFY_ORDERS_NOW, on_orders_now},
        {DOCUMENT_SERVICE, NOTIFY_SERVICES, on_services},
    };
    bool sent = false;

    for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
        sent |=
            event_documents(lane->pg, reads[i].stmt, lane->arena, &lane->page,
                            lane->wanted, reads[i].kind, reads[i].fn, lane);
        if (reads[i].kind == DOCUMENT_ORDER) {
            event_order_items(lane->pg, NOTIFY_ORDER_ITEMS, lane->arena,
                              &lane->page, lane->wanted, on_order_items, lane);
        }
    }
    if (sent) {
        pg_commit(lane->pg, on_documents_end, lane);
    }
    return sent;
}

static document_kind_t
wanted_kind(const lane_t *lane, const event_record_t *e)
{
    document_kind_t kind = event_document_kind(e);

    if (kind == DOCUMENT_NONE) {
        return kind;
    }
    each_subscriber(at, lane->notifier)
    {
        const subscriber_t *s = list_entry(at, subscriber_t, node);

        if (s->lane == lane && subscriber_wants(s, e)) {
            return kind;
        }
    }
    return DOCUMENT_NONE;
}

static void
on_page_end(void *ctx, pg_outcome_t outcome, const char *sqlstate,
            const char *message)
{
    lane_t *lane = ctx;
    event_page_t *page = &lane->page;

    if (!lane_ok(lane, outcome, sqlstate, message)) {
        return;
    }
    each_subscriber(at, lane->notifier)
    {
        subscriber_t *s = list_entry(at, subscriber_t, node);

        if (position_compare(&s->listener.read, &lane->from) == 0 &&
            listener_has_room(&s->listener)) {
            s->lane = lane;
        }
    }
    lane->wanted =
        arena_array(lane->arena, document_kind_t, (size_t) page->count + 1);
    for (int i = 0; i < page->count; i++) {
        lane->wanted[i] = wanted_kind(lane, &page->events[i]);
    }
    if (!read_documents(lane)) {
        lane_done(lane);
    }
}

static void
on_page(void *ctx, const PGresult *res)
{
    lane_t *lane = ctx;

    event_page(lane->arena, res, &lane->from, &lane->page);
}

static void
lane_read(lane_t *lane, const position_t *from, const position_t *to)
{
    lane->busy = true;
    lane->arena = arena_create();
    lane->from = *from;
    lane->to = *to;
    lane->page = (event_page_t){.complete = true, .to = *from};
    event_read(lane->pg, NOTIFY_PAGE, lane->arena, from, to, on_page, lane);
    pg_commit(lane->pg, on_page_end, lane);
}

/* The furthest that anybody has read; false: nobody reads. */
static bool
find_head(const notifier_t *n, position_t *head, bool *room)
{
    bool found = false;

    *room = false;
    each_subscriber(at, n)
    {
        const subscriber_t *s = list_entry(at, subscriber_t, node);
        int order = found ? position_compare(&s->listener.read, head) : 1;

        if (order > 0) {
            *head = s->listener.read;
            *room = false;
        }
        if (order >= 0) {
            *room |= listener_has_room(&s->listener);
        }
        found = true;
    }
    return found;
}

/* Somebody behind who can take more. Who has been served goes to the end of
 * the list, so that all have their turn. */
static subscriber_t *
find_behind(notifier_t *n, const position_t *head)
{
    each_subscriber(at, n)
    {
        subscriber_t *s = list_entry(at, subscriber_t, node);

        if (position_compare(&s->listener.read, head) < 0 &&
            listener_has_room(&s->listener)) {
            list_remove(&s->node);
            list_append(&n->subscribers, &s->node);
            return s;
        }
    }
    return NULL;
}

void
read_start(notifier_t *n)
{
    int64_t gap = n->read_us + n->rest_us - clock_mono_us();
    position_t head;
    bool room;

    if (!n->leading || n->worker.stopping || !find_head(n, &head, &room)) {
        return;
    }
    if (!n->head.busy && n->hinted && room && pg_up(n->head.pg)) {
        if (gap > 0) {
            read_again(n, (int) gap);
        } else {
            position_t end = POSITION_END;

            n->hinted = false;
            lane_read(&n->head, &head, &end);
        }
    }
    if (!n->behind.busy && pg_up(n->behind.pg)) {
        subscriber_t *s = find_behind(n, &head);

        if (s) {
            position_t from = s->listener.read;

            lane_read(&n->behind, &from, &head);
        }
    }
}
