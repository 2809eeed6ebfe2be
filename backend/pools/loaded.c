/*
 * Orders and services read from the database.
 */
#include "backend/pools/loaded.h"

#include "backend/domain/tree.h"
#include "backend/store/orders.h"
#include "backend/store/services.h"

static str_t
copy(arena_t *a, str_t s)
{
    return s.len ? arena_str(a, s) : STR_NONE;
}

void
loaded_on_orders(void *ctx, const PGresult *res)
{
    loaded_t *l = ctx;
    int n = PQntuples(res);

    l->orders = arena_array(l->arena, order_record_t, (size_t) n + 1);
    l->order_count = n;
    for (int i = 0; i < n; i++) {
        order_record_t *o = &l->orders[i];

        order_read(res, i, o);
        o->error = copy(l->arena, o->error);
        o->doc = copy(l->arena, o->doc);
    }
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
take_items(loaded_t *l, const PGresult *res, int from, int to, uuid_t order)
{
    size_t n = (size_t) (to - from);
    item_record_t *items = arena_array(l->arena, item_record_t, n);
    str_t *parents = arena_array(l->arena, str_t, n);
    order_record_t *o = (order_record_t *) loaded_order(l, order);
    bool nested = false;

    if (!o) {
        return; /* came to be between the two statements */
    }
    for (size_t i = 0; i < n; i++) {
        uuid_t whose;

        order_item_read(res, from + (int) i, &whose, &parents[i], &items[i]);
        items[i].id = copy(l->arena, items[i].id);
        items[i].error = copy(l->arena, items[i].error);
        items[i].pending = copy(l->arena, items[i].pending);
        nested = nested || parents[i].len;
    }
    if (nested) {
        derive_parents(l->arena, items, parents, (int) n);
    }
    o->items = items;
    o->item_count = (int) n;
}

void
loaded_on_items(void *ctx, const PGresult *res)
{
    int n = PQntuples(res);
    int from = 0;

    while (from < n) {
        uuid_t order = pg_uuid(res, from, 0);
        int to = from + 1;

        while (to < n && uuid_eq(pg_uuid(res, to, 0), order)) {
            to++;
        }
        take_items(ctx, res, from, to, order);
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
