/*
 * The backlog of one listener.
 *
 * Deliveries of one resource hang on each other (ahead, behind); only the
 * first of such a chain is in ready, in failed or under way. The backlog holds
 * exactly what is neither taken nor given up, so the cursor is what lies
 * before its first.
 */
#include "backend/pools/listener.h"

#include <stdlib.h>

verdict_t
listener_verdict(int status)
{
    if (status >= 200 && status < 300) {
        return VERDICT_TAKEN;
    }
    if (status < 200 || status >= 500 || status == 408 || status == 429) {
        return VERDICT_FAILED;
    }
    return VERDICT_REFUSED;
}

void
listener_init(listener_t *l, const position_t *from)
{
    *l = (listener_t){
        .allowed = LISTENER_CALLS_FIRST, .read = *from, .settled = *from};
    list_init(&l->backlog);
    list_init(&l->ready);
    list_init(&l->failed);
    l->last = map_create();
}

/* Out of the backlog, the turn lists and its chain. The next of the chain, if
 * d was its first, is ready. */
static void
drop(listener_t *l, delivery_t *d)
{
    delivery_t *ahead = d->ahead, *behind = d->behind;

    list_remove(&d->link);
    list_remove(&d->turn);
    if (ahead) {
        ahead->behind = behind;
    }
    if (behind) {
        behind->ahead = ahead;
        if (!ahead) {
            list_append(&l->ready, &behind->turn);
        }
    } else if (ahead) {
        map_put(l->last, d->note->resource, ahead);
    } else {
        map_remove(l->last, d->note->resource);
    }
    l->count--;
    l->bytes -= d->note->len;
    l->under_way -= d->under_way;
    notification_unref(d->note);
    free(d);
}

void
listener_clear(listener_t *l)
{
    list_t *next;

    for (list_t *at = l->backlog.next; at != &l->backlog; at = next) {
        next = at->next;
        drop(l, list_entry(at, delivery_t, link));
    }
    map_free(l->last);
    l->last = NULL;
}

static bool
is_down(const listener_t *l)
{
    return l->failures >= LISTENER_DOWN_AFTER;
}

/* Half of the limit is left for the page that may come. */
bool
listener_has_room(const listener_t *l)
{
    if (is_down(l)) {
        return l->count < LISTENER_DOWN_BACKLOG / 2;
    }
    return l->count <= LISTENER_BACKLOG / 2 && l->bytes < LISTENER_BYTES;
}

void
listener_add(listener_t *l, notification_t *note, const position_t *before)
{
    delivery_t *d = xcalloc(1, sizeof(*d));

    d->listener = l;
    d->note = notification_ref(note);
    d->before = *before;
    list_append(&l->backlog, &d->link);
    list_init(&d->turn);
    d->ahead = map_put(l->last, note->resource, d);
    if (d->ahead) {
        d->ahead->behind = d;
    } else {
        list_append(&l->ready, &d->turn);
    }
    l->count++;
    l->bytes += note->len;
}

static delivery_t *
first_of(const list_t *turns)
{
    return list_empty(turns) ? NULL
                             : list_entry(turns->next, delivery_t, turn);
}

/*
 * Failed ones come first, for they are older. Not while the listener fails:
 * then it is asked with what it has not seen yet, for it may be one event that
 * it cannot take.
 */
static delivery_t *
choose(const listener_t *l, int64_t now_ms)
{
    delivery_t *ready = first_of(&l->ready);
    delivery_t *failed = first_of(&l->failed);

    if (failed && failed->due_ms > now_ms) {
        failed = NULL;
    }
    if (l->failures > 0) {
        return ready ? ready : failed;
    }
    return failed ? failed : ready;
}

static int
allowed(const listener_t *l)
{
    return l->failures > 0 ? 1 : l->allowed;
}

delivery_t *
listener_next(listener_t *l, int64_t now_ms)
{
    delivery_t *d;

    if (l->under_way >= allowed(l) || now_ms < l->resume_ms) {
        return NULL;
    }
    d = choose(l, now_ms);
    if (!d) {
        return NULL;
    }
    list_remove(&d->turn);
    d->under_way = true;
    d->attempts++;
    d->round = l->round;
    l->under_way++;
    return d;
}

/* LISTENER_DELAY_MS doubled n times, within its limit, less up to a half. */
static int64_t
back_off(int n, long retry_after_s, double jitter)
{
    int64_t ms = LISTENER_DELAY_MS, asked;

    while (n-- > 0 && ms < LISTENER_DELAY_MAX_MS) {
        ms *= 2;
    }
    ms = ms < LISTENER_DELAY_MAX_MS ? ms : LISTENER_DELAY_MAX_MS;
    ms -= (int64_t) (jitter * (double) ms / 2);
    if (retry_after_s > LISTENER_AFTER_MAX_S) {
        retry_after_s = LISTENER_AFTER_MAX_S;
    }
    asked = (int64_t) retry_after_s * 1000;
    return ms > asked ? ms : asked;
}

static void
wait_until(listener_t *l, delivery_t *d, int64_t due_ms)
{
    list_t *at = l->failed.prev;

    while (at != &l->failed &&
           list_entry(at, delivery_t, turn)->due_ms > due_ms) {
        at = at->prev;
    }
    d->due_ms = due_ms;
    list_append(at->next, &d->turn); /* before the next one */
}

/*
 * Of one that is down only the oldest are kept; the others are read again
 * when it is back. Nothing that is before a settled event goes: it would be
 * sent twice.
 */
static void
shorten(listener_t *l)
{
    list_t *at = l->backlog.prev, *prev;

    for (int n = l->count; n > LISTENER_DOWN_BACKLOG; n--, at = prev) {
        delivery_t *d = list_entry(at, delivery_t, link);

        prev = at->prev;
        if (d->under_way || position_compare(&d->note->at, &l->settled) < 0) {
            return;
        }
        l->read = d->before;
        drop(l, d);
    }
}

/* It takes events again: what failed through no fault of its own is due. */
static void
recover(listener_t *l)
{
    list_t waiting;

    l->failures = 0;
    l->round++;
    l->resume_ms = 0;
    list_init(&waiting);
    for (list_t *node; (node = list_pop(&l->failed)) != NULL;) {
        list_append(&waiting, node);
    }
    for (list_t *node; (node = list_pop(&waiting)) != NULL;) {
        delivery_t *d = list_entry(node, delivery_t, turn);

        wait_until(l, d, d->blames > 0 ? d->due_ms : 0);
    }
}

static verdict_t
settle_failed(listener_t *l, delivery_t *d, long retry_after_s, int64_t now_ms,
              double jitter)
{
    if (d->attempts > 1 && d->taken != l->taken) {
        d->blames++;
    }
    d->taken = l->taken;
    d->under_way = false;
    d->call = NULL;
    l->under_way--;
    wait_until(l, d, now_ms + back_off(d->blames, retry_after_s, jitter));
    if (d->round == l->round) {
        l->round++;
        l->resume_ms = now_ms + back_off(l->failures, retry_after_s, jitter);
        l->failures++;
        l->allowed = LISTENER_CALLS_FIRST;
    }
    if (d->blames >= LISTENER_BLAMES) {
        if (position_compare(&d->note->at, &l->settled) > 0) {
            l->settled = d->note->at;
        }
        drop(l, d);
        return VERDICT_REFUSED;
    }
    if (is_down(l)) {
        shorten(l);
    }
    return VERDICT_FAILED;
}

verdict_t
listener_settle(listener_t *l, delivery_t *d, verdict_t verdict,
                long retry_after_s, int64_t now_ms, double jitter)
{
    bool news = d->round == l->round;

    if (verdict == VERDICT_FAILED) {
        return settle_failed(l, d, retry_after_s, now_ms, jitter);
    }
    /* A refusal is an answer too: the listener is there. */
    l->taken++;
    if (l->allowed < LISTENER_CALLS) {
        l->allowed++;
    }
    if (position_compare(&d->note->at, &l->settled) > 0) {
        l->settled = d->note->at;
    }
    drop(l, d);
    if (l->failures > 0 && news) {
        recover(l);
    }
    return verdict;
}

int64_t
listener_wait_ms(const listener_t *l, int64_t now_ms)
{
    const delivery_t *failed = first_of(&l->failed);
    int64_t due;

    if (l->under_way >= allowed(l)) {
        return -1;
    }
    due = l->resume_ms;
    if (list_empty(&l->ready)) {
        if (!failed) {
            return -1;
        }
        due = failed->due_ms > due ? failed->due_ms : due;
    }
    return due > now_ms ? due - now_ms : 0;
}

position_t
listener_cursor(const listener_t *l)
{
    if (list_empty(&l->backlog)) {
        return l->read;
    }
    return list_entry(l->backlog.next, delivery_t, link)->before;
}
