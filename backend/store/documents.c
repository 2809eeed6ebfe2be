/*
 * Whole resources for events, in SQL.
 */
#include "backend/store/documents.h"

#include "backend/store/services.h"

/*
 * $1: ids, $2: indexes of their events in the page, $3: bytes. The last two
 * columns are the index, and whether the document fits: those before it are
 * fewer bytes than $3.
 */
const char sql_event_orders[] =
    "SELECT d.id, d.order_date, CASE WHEN d.before < $3::bigint THEN d.doc"
    " END, d.i, d.before < $3::bigint"
    " FROM (SELECT r.i, o.id, o.order_date, coalesce(o.posted, o.doc) AS doc,"
    " coalesce(sum(octet_length(coalesce(o.posted, o.doc)::text))"
    " OVER (ORDER BY r.i ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)"
    " AS before FROM unnest($1::uuid[], $2::int[]) AS r(id, i)"
    " JOIN service_order o ON o.id = r.id) d ORDER BY d.i";

const char sql_event_order_items[] =
    "SELECT t.item_id, t.service_id, r.i"
    " FROM unnest($1::uuid[], $2::int[]) AS r(id, i)"
    " JOIN service_order_item t ON t.order_id = r.id"
    " ORDER BY r.i, t.position";

/* The columns of service_read(), then ours. A service that never came to be
 * has no configuration that is shown. */
const char sql_event_services[] =
    "SELECT d.id, d.key, to_json(d.data_tags), d.created_at,"
    " d.configuration_id, d.timeline, d.valid_from, d.valid_to, d.state,"
    " d.operating_status, d.name, d.category, d.service_type, d.spec_id,"
    " d.spec_version,"
    " (SELECT s.doc->>'name' FROM service_specification s"
    " WHERE s.id = d.spec_id AND s.version = d.spec_version),"
    " d.characteristics, d.resources, CASE WHEN d.before < $3::bigint"
    " THEN d.doc END, d.order_id, d.item_id, d.i, d.before < $3::bigint"
    " FROM (SELECT r.i, i.id, i.key, i.data_tags, i.created_at,"
    " c.id AS configuration_id, c.timeline, c.valid_from, c.valid_to,"
    " c.state, c.operating_status, c.name, c.category, c.service_type,"
    " c.spec_id, c.spec_version, c.characteristics, c.resources, c.doc,"
    " c.order_id, c.item_id,"
    " coalesce(sum(octet_length(c.doc::text)) OVER (ORDER BY r.i"
    " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before"
    " FROM unnest($1::uuid[], $2::int[]) AS r(id, i)"
    " JOIN entity_instance i ON i.id = r.id"
    " JOIN LATERAL (SELECT * FROM entity_instance_configuration"
    " WHERE instance_id = i.id AND timeline = 'CURRENT' UNION ALL"
    " SELECT * FROM entity_instance_configuration"
    " WHERE instance_id = i.id AND timeline = 'PENDING' LIMIT 1) c ON true) d"
    " ORDER BY d.i";

/* What a PATCH writes, and nobody else. */
static bool
is_patched_order(const event_record_t *e)
{
    static const char begins[] = "{\"fieldPath\":";

    return str_is(e->type, "ServiceOrderAttributeValueChangeEvent") &&
           e->data.len >= sizeof(begins) - 1 &&
           !memcmp(e->data.data, begins, sizeof(begins) - 1);
}

document_kind_t
event_document_kind(const event_record_t *e)
{
    document_kind_t kind = DOCUMENT_NONE;
    uuid_t id;

    if (is_patched_order(e)) {
        kind = DOCUMENT_ORDER_NOW;
    } else if (e->data.len > 0) {
        return DOCUMENT_NONE;
    } else if (str_is(e->type, "ServiceOrderCreateEvent")) {
        kind = DOCUMENT_ORDER;
    } else if (str_is(e->type, "ServiceCreateEvent")) {
        kind = DOCUMENT_SERVICE;
    }
    return uuid_parse(e->resource_id, &id) ? kind : DOCUMENT_NONE;
}

/* Is the order asked for already? It is read once, as it is. */
static bool
is_asked(const event_page_t *page, const document_kind_t *wanted, int n)
{
    for (int i = 0; i < n; i++) {
        if (wanted[i] == DOCUMENT_ORDER_NOW &&
            str_eq(page->events[i].resource_id, page->events[n].resource_id)) {
            return true;
        }
    }
    return false;
}

/* The ids of that kind and the places they belong to. false: none. */
static bool
add_wanted(pg_params_t *p, arena_t *a, const event_page_t *page,
           const document_kind_t *wanted, document_kind_t kind)
{
    pg_array_t ids, places;
    uuid_t id;

    pg_array(&ids, a, PG_ARRAY_UUID);
    pg_array(&places, a, PG_ARRAY_INT);
    for (int i = 0; i < page->count; i++) {
        if (wanted[i] != kind ||
            (kind == DOCUMENT_ORDER_NOW && is_asked(page, wanted, i)) ||
            !uuid_parse(page->events[i].resource_id, &id)) {
            continue;
        }
        pg_array_uuid(&ids, id);
        pg_array_int(&places, i);
    }
    pg_params(p, a);
    pg_add_array(p, &ids);
    pg_add_array(p, &places);
    return ids.count > 0;
}

bool
event_documents(pg_t *pg, int stmt, arena_t *a, const event_page_t *page,
                const document_kind_t *wanted, document_kind_t kind,
                pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    if (!add_wanted(&p, a, page, wanted, kind)) {
        return false;
    }
    pg_add_long(&p, EVENT_DOCUMENT_BYTES);
    pg_exec(pg, stmt, &p, fn, ctx);
    return true;
}

static const order_record_t *
read_order(arena_t *a, const PGresult *res, int row)
{
    order_record_t *o = arena_new(a, order_record_t);

    *o = (order_record_t){
        .id = pg_uuid(res, row, 0),
        .version = 1,
        .state = ORDER_ACKNOWLEDGED,
        .order_date_us = pg_time(res, row, 1),
        .expected_us = NO_TIME,
        .start_us = NO_TIME,
        .completion_us = NO_TIME,
        .doc = arena_str(a, pg_text(res, row, 2)),
    };
    return o;
}

static const service_record_t *
read_service(arena_t *a, const PGresult *res, int row)
{
    service_record_t *s = arena_new(a, service_record_t);
    str_t *const slices[] = {
        &s->key,          &s->tags,
        &s->timeline,     &s->name,
        &s->category,     &s->operating_status,
        &s->spec_id,      &s->item_id,
        &s->service_type, &s->spec_name,
        &s->doc,          &s->spec_version,
        &s->resources,    &s->characteristics,
    };

    service_read(res, row, s);
    for (size_t i = 0; i < sizeof(slices) / sizeof(*slices); i++) {
        *slices[i] = arena_str(a, *slices[i]);
    }
    return s;
}

/* Of every document statement, after the document's own columns. */
static const struct {
    int place, fits;
} document_columns[DOCUMENT_KINDS] = {
    [DOCUMENT_ORDER] = {3, 4},
    [DOCUMENT_ORDER_NOW] = {18, 19},
    [DOCUMENT_SERVICE] = {21, 22},
};

/* The first event always stays: its document is always given. */
static void
cut_page(event_page_t *page, int count)
{
    if (count < 1 || count >= page->count) {
        return;
    }
    page->count = count;
    page->complete = false;
    page->to = event_position(&page->events[count - 1]);
}

void
event_take_documents(arena_t *a, const PGresult *res, event_page_t *page,
                     const document_kind_t *wanted, document_kind_t kind)
{
    for (int row = 0; row < PQntuples(res); row++) {
        int i = pg_int(res, row, document_columns[kind].place);

        if (i < 0 || i >= page->count || wanted[i] != kind) {
            continue;
        }
        if (!pg_bool(res, row, document_columns[kind].fits)) {
            cut_page(page, i);
            return;
        }
        if (kind == DOCUMENT_ORDER) {
            page->documents[i].order = read_order(a, res, row);
        } else {
            page->documents[i].service = read_service(a, res, row);
        }
    }
}

void
event_take_orders_now(const PGresult *res, event_page_t *page,
                      const document_kind_t *wanted,
                      const order_record_t *orders, int n)
{
    const int place = document_columns[DOCUMENT_ORDER_NOW].place;
    const int fits = document_columns[DOCUMENT_ORDER_NOW].fits;
    uuid_t id;

    for (int row = 0; row < PQntuples(res); row++) {
        if (!pg_bool(res, row, fits)) {
            cut_page(page, pg_int(res, row, place));
            break;
        }
    }
    for (int i = 0; i < page->count; i++) {
        for (int k = 0; k < n && wanted[i] == DOCUMENT_ORDER_NOW; k++) {
            if (uuid_parse(page->events[i].resource_id, &id) &&
                uuid_eq(id, orders[k].id)) {
                page->documents[i].order = &orders[k];
            }
        }
    }
}

bool
event_order_items(pg_t *pg, int stmt, arena_t *a, const event_page_t *page,
                  const document_kind_t *wanted, pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    if (!add_wanted(&p, a, page, wanted, DOCUMENT_ORDER)) {
        return false;
    }
    pg_exec(pg, stmt, &p, fn, ctx);
    return true;
}

static void
put_items(event_page_t *page, int place, item_record_t *items, int n)
{
    order_record_t *o;

    if (place < 0 || place >= page->count ||
        page->documents[place].order == NULL) {
        return;
    }
    /* Made by read_order(): the arena's, const only for its readers. */
    o = (order_record_t *) (uintptr_t) page->documents[place].order;
    o->items = items;
    o->item_count = n;
}

void
event_take_order_items(arena_t *a, const PGresult *res, event_page_t *page)
{
    enum { COL_ITEM, COL_SERVICE, COL_PLACE };
    int n = PQntuples(res), first = 0;
    item_record_t *items;

    if (n == 0) {
        return;
    }
    items = arena_array(a, item_record_t, (size_t) n);
    for (int row = 0; row < n; row++) {
        int place = pg_int(res, row, COL_PLACE);

        items[row] = (item_record_t){
            .id = arena_str(a, pg_text(res, row, COL_ITEM)),
            .state = ORDER_ACKNOWLEDGED,
            .service_id = pg_uuid(res, row, COL_SERVICE),
        };
        if (row + 1 == n || pg_int(res, row + 1, COL_PLACE) != place) {
            put_items(page, place, &items[first], row + 1 - first);
            first = row + 1;
        }
    }
}
