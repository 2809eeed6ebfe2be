/*
 * Orders, services and tasks read from the database.
 */
#include "backend/pools/loaded.h"

#include "backend/domain/tree.h"
#include "backend/store/cancellations.h"
#include "backend/store/orders.h"
#include "backend/store/services.h"

static str_t
copy(arena_t *a, str_t s)
{
    return s.len ? arena_str(a, s) : STR_NONE;
}

/* States of items that contain others follow from theirs. */
static void
derive_parents(arena_t *a, item_record_t *items, const str_t *parents, int n)
{
    order_state_t *states = arena_array(a, order_state_t, (size_t) n);
    int *parent = arena_array(a, int, (size_t) n);

    for (int i = 0; i < n; i++) {
        states[i] = items[i].state;
        parent[i] = -1;
        for (int j = 0; parents[i].len && j < i; j++) {
            if (str_eq(items[j].id, parents[i])) {
                parent[i] = j;
            }
        }
    }
    (void) order_tree_derive(states, parent, n);
    for (int i = 0; i < n; i++) {
        items[i].state = states[i];
    }
}

static void
take_items(arena_t *a, const PGresult *res, int from, order_record_t *o)
{
    size_t n = (size_t) o->item_count;
    item_record_t *items = arena_array(a, item_record_t, n);
    str_t *parents = arena_array(a, str_t, n);
    bool nested = false;

    for (size_t i = 0; i < n; i++) {
        item_record_t *item = &items[i];
        uuid_t whose;

        order_item_read(res, from + (int) i, &whose, &parents[i], item);
        item->id = copy(a, item->id);
        item->error = copy(a, item->error);
        item->pending = copy(a, item->pending);
        nested = nested || parents[i].len;
    }
    if (nested) {
        derive_parents(a, items, parents, (int) n);
    }
    o->items = items;
}

void
loaded_on_orders(void *ctx, const PGresult *res)
{
    loaded_t *l = ctx;
    int n = PQntuples(res);
    int from = 0;

    l->orders = arena_array(l->arena, order_record_t, (size_t) n + 1);
    l->order_count = 0;
    while (from < n) {
        order_record_t *o = &l->orders[l->order_count++];
        int to = from + 1;

        order_read(res, from, o);
        o->cancellation_reason = copy(l->arena, o->cancellation_reason);
        o->error = copy(l->arena, o->error);
        o->doc = copy(l->arena, o->doc);
        while (to < n && uuid_eq(pg_uuid(res, to, 0), o->id)) {
            to++;
        }
        o->item_count = to - from;
        take_items(l->arena, res, from, o);
        from = to;
    }
}

void
loaded_on_services(void *ctx, const PGresult *res)
{
    loaded_t *l = ctx;
    int n = PQntuples(res);

    l->services = arena_array(l->arena, service_record_t, (size_t) n + 1);
    l->service_count = n;
    for (int i = 0; i < n; i++) {
        service_record_t *s = &l->services[i];
        str_t *texts[] = {&s->key,
                          &s->tags,
                          &s->timeline,
                          &s->operating_status,
                          &s->name,
                          &s->category,
                          &s->service_type,
                          &s->spec_id,
                          &s->spec_version,
                          &s->spec_name,
                          &s->characteristics,
                          &s->resources,
                          &s->doc,
                          &s->item_id};

        service_read(res, i, s);
        for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
            *texts[k] = copy(l->arena, *texts[k]);
        }
    }
}

void
loaded_on_cancellations(void *ctx, const PGresult *res)
{
    loaded_t *l = ctx;
    int n = PQntuples(res);

    l->cancellations =
        arena_array(l->arena, cancellation_record_t, (size_t) n + 1);
    l->cancellation_count = n;
    for (int i = 0; i < n; i++) {
        cancellation_record_t *c = &l->cancellations[i];

        cancellation_read(res, i, c);
        c->state = copy(l->arena, c->state);
        c->message = copy(l->arena, c->message);
        c->error = copy(l->arena, c->error);
        c->doc = copy(l->arena, c->doc);
    }
}

const order_record_t *
loaded_order(const loaded_t *l, uuid_t id)
{
    for (int i = 0; i < l->order_count; i++) {
        if (uuid_eq(l->orders[i].id, id)) {
            return &l->orders[i];
        }
    }
    return NULL;
}

const service_record_t *
loaded_service(const loaded_t *l, uuid_t id)
{
    for (int i = 0; i < l->service_count; i++) {
        if (uuid_eq(l->services[i].id, id)) {
            return &l->services[i];
        }
    }
    return NULL;
}

const cancellation_record_t *
loaded_cancellation(const loaded_t *l, uuid_t id)
{
    for (int i = 0; i < l->cancellation_count; i++) {
        if (uuid_eq(l->cancellations[i].id, id)) {
            return &l->cancellations[i];
        }
    }
    return NULL;
}
