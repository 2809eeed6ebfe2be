/*
 * Subscriptions in memory.
 *
 * Each has its own copy of its row and its backlog. A subscription's cursor
 * is written by the notifier alone; a row whose cursor is further than the
 * memory's shows that another notifier had the lock meanwhile, and the memory
 * is given up for it.
 */
#include "backend/pools/notify.h"

#include <stdlib.h>

static hub_view_t *
view_take(notifier_t *n, const subscription_record_t *r)
{
    hub_view_t *v;

    for (list_t *at = n->views.next; at != &n->views; at = at->next) {
        v = list_entry(at, hub_view_t, node);
        if (str_eq(v->view.base, r->base) &&
            str_eq(v->view.version, r->version) &&
            v->view.strict == r->strict) {
            v->refs++;
            return v;
        }
    }
    v = xcalloc(1, sizeof(*v));
    v->refs = 1;
    v->base = xstrdup(r->base.data ? r->base.data : "");
    v->version = xstrdup(r->version.data ? r->version.data : "");
    v->view = (tmf_view_t){.base = str_of(v->base),
                           .version = str_of(v->version),
                           .strict = r->strict};
    list_append(&n->views, &v->node);
    return v;
}

static void
view_drop(hub_view_t *v)
{
    if (--v->refs > 0) {
        return;
    }
    list_remove(&v->node);
    notification_unref(v->note);
    free(v->base);
    free(v->version);
    free(v);
}

static subscription_record_t
copy_record(arena_t *a, const subscription_record_t *r)
{
    subscription_record_t c = *r;

    c.api = arena_str(a, r->api);
    c.version = arena_str(a, r->version);
    c.callback = arena_str(a, r->callback);
    c.query = arena_str(a, r->query);
    c.base = arena_str(a, r->base);
    return c;
}

/* NULL: of an API or with a query that this release does not know. */
static event_filter_t *
filter_of(arena_t *a, const subscription_record_t *r)
{
    tmf_view_t v = {.version = r->version};
    tmf_error_t err;

    for (int api = 0; api < API_COUNT; api++) {
        if (str_is(r->api, api_name((api_t) api))) {
            return event_filter_parse(a, (api_t) api, view_version(&v),
                                      r->query, &err);
        }
    }
    return NULL;
}

static void
subscriber_create(notifier_t *n, const subscription_row_t *row)
{
    subscriber_t *s = xcalloc(1, sizeof(*s));
    char id[UUID_TEXT + 1];

    s->notifier = n;
    s->id = row->record.id;
    s->arena = arena_create();
    s->record = copy_record(s->arena, &row->record);
    s->callback = arena_z(s->arena, s->record.callback);
    s->filter = filter_of(s->arena, &s->record);
    if (!s->filter) {
        uuid_print(s->id, id);
        log_event(LOG_ERROR, "subscription not understood, nothing is sent",
                  "subscription", id, NULL);
    }
    s->view = view_take(n, &s->record);
    s->stored = row->cursor;
    s->listed = true;
    listener_init(&s->listener, &row->cursor);
    s->timer = evtimer_new(n->worker.base, send_on_timer, s);
    list_append(&n->subscribers, &s->node);
    map_put(n->by_id, s->id, s);
}

static void
subscriber_free(subscriber_t *s)
{
    send_cancel(s);
    map_remove(s->notifier->by_id, s->id);
    list_remove(&s->node);
    listener_clear(&s->listener);
    event_free(s->timer);
    view_drop(s->view);
    arena_free(s->arena);
    free(s);
}

void
subscribers_free(notifier_t *n)
{
    list_t *next;

    for (list_t *at = n->subscribers.next; at != &n->subscribers; at = next) {
        next = at->next;
        subscriber_free(list_entry(at, subscriber_t, node));
    }
}

bool
subscriber_wants(const subscriber_t *s, const event_record_t *e)
{
    return s->filter && str_eq(s->record.api, e->api) &&
           event_filter_match(s->filter, e->type);
}

static void
on_list(void *ctx, const PGresult *res)
{
    notifier_t *n = ctx;

    n->row_count = PQntuples(res);
    n->rows =
        arena_array(n->refresh, subscription_row_t, (size_t) n->row_count + 1);
    for (int i = 0; i < n->row_count; i++) {
        subscription_row(n->refresh, res, i, &n->rows[i]);
    }
}

static void
follow(notifier_t *n, const subscription_row_t *row)
{
    subscriber_t *s = map_get(n->by_id, row->record.id);
    position_t cursor;

    if (s) {
        cursor = listener_cursor(&s->listener);
        if (position_compare(&row->cursor, &cursor) <= 0) {
            s->listed = true;
            return;
        }
        subscriber_free(s);
    }
    subscriber_create(n, row);
}

static void
follow_list(notifier_t *n)
{
    list_t *at, *next;

    for (at = n->subscribers.next; at != &n->subscribers; at = at->next) {
        list_entry(at, subscriber_t, node)->listed = false;
    }
    for (int i = 0; i < n->row_count; i++) {
        follow(n, &n->rows[i]);
    }
    for (at = n->subscribers.next; at != &n->subscribers; at = next) {
        subscriber_t *s = list_entry(at, subscriber_t, node);

        next = at->next;
        if (!s->listed) {
            subscriber_free(s);
        }
    }
}

static void
on_listed(void *ctx, pg_outcome_t outcome, const char *sqlstate,
          const char *message)
{
    notifier_t *n = ctx;
    bool begins = n->locked && !n->leading;
    subscriber_t *s;

    if (outcome == PG_OK && n->locked && !n->worker.stopping) {
        follow_list(n);
        n->leading = true;
        n->hinted = true;
    } else if (outcome == PG_REFUSED) {
        log_event(LOG_ERROR, "subscriptions cannot be read", "sqlstate",
                  sqlstate, "error", message, NULL);
    }
    arena_free(n->refresh);
    n->refresh = NULL;
    if (!n->leading || n->worker.stopping) {
        return;
    }
    for (size_t i = 0; begins && (s = map_next(n->by_id, &i)) != NULL;) {
        send_start(s);
    }
    read_start(n);
}

void
subscribers_refresh(notifier_t *n)
{
    pg_t *pg = n->worker.pg[0];
    uuid_t *known;
    int count = 0;

    if (n->refresh || !n->locked || !pg_up(pg) || n->worker.stopping) {
        return;
    }
    n->refreshed_ms = clock_mono_ms();
    n->relist = false;
    n->refresh = arena_create();
    known = arena_array(n->refresh, uuid_t, map_count(n->by_id) + 1);
    for (list_t *at = n->subscribers.next; at != &n->subscribers;
         at = at->next) {
        known[count++] = list_entry(at, subscriber_t, node)->id;
    }
    n->row_count = 0;
    subscription_list(pg, NOTIFY_LIST, n->refresh, known, count, on_list, n);
    pg_commit(pg, on_listed, n);
}

static void
on_saved(void *ctx, pg_outcome_t outcome, const char *sqlstate,
         const char *message)
{
    notifier_t *n = ctx;

    for (int i = 0; outcome == PG_OK && i < n->cursor_count; i++) {
        subscriber_t *s = map_get(n->by_id, n->cursors[i].subscription);

        if (s) {
            s->stored = n->cursors[i].at;
        }
    }
    if (outcome == PG_REFUSED) {
        log_event(LOG_ERROR, "cursors cannot be written", "sqlstate", sqlstate,
                  "error", message, NULL);
    }
    arena_free(n->saving);
    n->saving = NULL;
    if (n->worker.stopping) {
        notify_stop_soon(n);
    }
}

bool
subscribers_save(notifier_t *n, bool all)
{
    pg_t *pg = n->worker.pg[0];
    arena_t *a;

    if (n->saving || !n->leading || !pg_up(pg)) {
        return false;
    }
    a = arena_create();
    n->cursors = arena_array(a, event_cursor_t, map_count(n->by_id) + 1);
    n->cursor_count = 0;
    for (list_t *at = n->subscribers.next; at != &n->subscribers;
         at = at->next) {
        subscriber_t *s = list_entry(at, subscriber_t, node);
        position_t cursor = listener_cursor(&s->listener);

        if ((all || s->urgent) && position_compare(&cursor, &s->stored) > 0) {
            s->urgent = false;
            n->cursors[n->cursor_count++] = (event_cursor_t){s->id, cursor};
        }
    }
    if (n->cursor_count == 0) {
        arena_free(a);
        return false;
    }
    n->saving = a;
    pg_exec(pg, NOTIFY_RELAX, NULL, NULL, NULL);
    event_store_cursors(pg, NOTIFY_CURSORS, a, n->cursors, n->cursor_count,
                        NULL, NULL);
    pg_commit(pg, on_saved, n);
    return true;
}

void
subscribers_count(notifier_t *n)
{
    uint64_t most = 0;

    for (list_t *at = n->subscribers.next; at != &n->subscribers;
         at = at->next) {
        const subscriber_t *s = list_entry(at, subscriber_t, node);
        position_t cursor = listener_cursor(&s->listener);

        /* A place without a number was never told anything. */
        if (cursor.seq > 0 && n->end.seq > cursor.seq) {
            uint64_t events = (uint64_t) (n->end.seq - cursor.seq);

            most = events > most ? events : most;
        }
    }
    *n->outbox_behind = most;
    *n->subscriptions = map_count(n->by_id);
}
