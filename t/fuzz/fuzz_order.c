/*
 * Any JSON as a posted serviceOrder and cancelServiceOrder: to the domain, and
 * back to a client. What comes back must be JSON, with every item's state in
 * it; an order that is accepted keeps the rules that the domain relies on.
 *
 * Behind a NUL, which JSON never holds, a patch of the order: one that is taken
 * leaves the same items, and patching with nothing changes nothing any more.
 */
#include <stdint.h>
#include <stdlib.h>

#include "backend/tmf/cancellation.h"
#include "backend/tmf/order_patch.h"

#define MUST(condition)     \
    do {                    \
        if (!(condition)) { \
            abort();        \
        }                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The item's records as a store would give them. */
static item_record_t *
make_records(arena_t *a, const order_t *o)
{
    item_record_t *items =
        arena_array(a, item_record_t, (size_t) o->item_count);

    for (int i = 0; i < o->item_count; i++) {
        items[i].id = o->items[i].id;
        items[i].state = (order_state_t) (i % ORDER_STATE_COUNT);
        items[i].pending = i % 3 == 0 ? STR("{\"party\":\"p\"}") : STR_NONE;
        items[i].service_id.byte[0] = (uint8_t) (i % 2);
    }
    return items;
}

static void
check_order(arena_t *a, const order_t *o)
{
    MUST(o->item_count > 0 && o->item_count <= ORDER_MAX_ITEMS);
    for (int i = 0; i < o->item_count; i++) {
        const order_item_t *item = &o->items[i];

        MUST(item->id.len > 0 && item->parent < i && item->service);
        MUST(item->parent < 0 || o->items[item->parent].has_children);
        const json_t *values = json_parse(a, item->characteristics, NULL);
        MUST(values && values->type == JSON_OBJECT);
        for (int d = 0; d < item->depend_count; d++) {
            MUST(item->depends[d] >= 0 && item->depends[d] < o->item_count);
            MUST(item->depends[d] != i);
        }
    }
}

static int
count_states(const json_t *list)
{
    int n = 0;

    json_each(item, list)
    {
        n += json_text(item, "state").len > 0;
        n += count_states(json_get(item, "serviceOrderItem"));
    }
    return n;
}

static void
show(arena_t *a, const order_record_t *record, bool accepted)
{
    tmf_view_t view = {STR("https://h"), STR("v4"), true, NULL};
    buf_t out;

    buf_init(&out, (size_t) 64 << 20);
    order_to_tmf(&out, a, record, &view);
    MUST(!buf_failed(&out));
    const json_t *shown = json_parse(a, buf_view(&out), NULL);
    MUST(shown && json_text(shown, "state").len > 0);
    MUST(!accepted || count_states(json_get(shown, "serviceOrderItem")) ==
                          record->item_count);
    buf_free(&out);
}

static void
show_cancellation(arena_t *a, const json_t *doc, str_t text)
{
    tmf_view_t view = {STR("https://h"), STR("v4"), true, NULL};
    cancellation_record_t task = {.state = STR("done"), .doc = text};
    cancellation_t asked;
    tmf_error_t err = {.status = 0};
    buf_t out;

    if (!cancellation_from_tmf(doc, &asked, &err)) {
        MUST(err.status == 400 && err.message[0] != '\0');
        return;
    }
    task.order_id = asked.order_id;
    buf_init(&out, (size_t) 64 << 20);
    cancellation_to_tmf(&out, a, &task, &view);
    const json_t *shown = json_parse(a, buf_view(&out), NULL);
    MUST(shown && str_is(json_text(shown, "state"), "done"));
    MUST(json_text(json_get(shown, "serviceOrder"), "id").len == UUID_TEXT);
    buf_reset(&out);
    cancellation_created_data(&out, a, &task);
    MUST(json_parse(a, buf_view(&out), NULL));
    buf_free(&out);
}

static void
patch(arena_t *a, order_record_t *record, const json_t *wish)
{
    tmf_view_t view = {.base = STR("http://h"), .version = STR("v4")};
    patch_kind_t kind = wish->type == JSON_ARRAY ? PATCH_QUERY : PATCH_MERGE;
    const json_t *nothing = json_parse(a, STR("{}"), NULL);
    order_patch_t got, again;
    tmf_error_t err = {.status = 0};

    if (!order_patch(a, record, &view, wish, kind, &got, &err)) {
        MUST(err.status >= 400 && err.status < 500 && err.message[0]);
        return;
    }
    MUST(got.order.item_count == record->item_count);
    record->doc = got.doc;
    record->expected_us = got.expected_us;
    MUST(order_patch(a, record, &view, nothing, PATCH_MERGE, &again, &err));
    MUST(again.changed_count == 0 && again.state.len == 0);
}

/* The text up to the first NUL, and what is behind it. */
static str_t
split(str_t text, str_t *ret_rest)
{
    const char *end = text.len ? memchr(text.data, '\0', text.len) : NULL;
    size_t len = end ? (size_t) (end - text.data) : text.len;

    *ret_rest = end ? (str_t){end + 1, text.len - len - 1} : STR_NONE;
    return (str_t){text.data, len};
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena_t *a = arena_create();
    str_t rest;
    str_t text = split((str_t){(const char *) data, size}, &rest);
    const json_t *doc = json_parse(a, text, NULL);
    order_record_t record = {
        .doc = text, .expected_us = NO_TIME, .start_us = NO_TIME};
    order_t order;
    tmf_error_t err = {.status = 0};

    if (doc) {
        bool accepted = order_from_tmf(a, doc, &order, &err);
        if (accepted) {
            check_order(a, &order);
            record.items = make_records(a, &order);
            record.item_count = order.item_count;
        } else {
            MUST(err.status == 400 && err.message[0] != '\0');
        }
        show(a, &record, accepted);
        show_cancellation(a, doc, text);
        const json_t *wish = rest.len ? json_parse(a, rest, NULL) : NULL;
        if (accepted && wish) {
            patch(a, &record, wish);
        }
    }
    arena_free(a);
    return 0;
}
