/*
 * Items of an accepted order, in a PATCH.
 */
#include "backend/tmf/order_items.h"

#include <stdio.h>

#include "backend/tmf/member.h"

#define ITEMS "serviceOrderItem"

/* Where an item stands in the client's document; outermost first. */
typedef struct place {
    const struct place *outer; /* or NULL */
    int index;
} place_t;

static const object_schema_t *
object_of(const object_schema_t *schema, const char *attr)
{
    for (const attr_schema_t *a = schema->attrs; a->name; a++) {
        if (!strcmp(a->name, attr)) {
            return a->object;
        }
    }
    return NULL;
}

/* Does the standard know it of an item? The server's are none of its own. */
static bool
is_extension(str_t name)
{
    const object_schema_t *item = object_of(
        resource_find(API_ORDERING, STR("serviceOrder"))->patch, ITEMS);

    for (const attr_schema_t *a = item->attrs; a->name; a++) {
        if (str_is(name, a->name)) {
            return false;
        }
    }
    return !order_item_attr_is_ours(name);
}

static void
print_place(buf_t *b, const place_t *at)
{
    if (at) {
        print_place(b, at->outer);
        buf_printf(b, "/" ITEMS "/%d", at->index);
    }
}

/* The item as named, at the attribute; always false. */
static bool __attribute__((format(printf, 6, 7)))
refuse(const order_items_check_t *c, int status, const place_t *at, str_t attr,
       str_t item, const char *fmt, ...)
{
    char message[256];
    va_list args;
    buf_t pointer;

    va_start(args, fmt);
    (void) vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    buf_init(&pointer, JSON_POINTER_MAX);
    print_place(&pointer, at);
    if (attr.len) {
        buf_char(&pointer, '/');
        buf_str(&pointer, attr);
    }
    tmf_error_set(c->err, status,
                  status == 409 ? TMF_CODE_CONFLICT : TMF_CODE_FIELD_INVALID,
                  status == 409 ? "Order is accepted" : "Invalid body field",
                  buf_failed(&pointer) ? "" : pointer.data, "Item \"%.*s\" %s",
                  STR_FMT(item), message);
    buf_free(&pointer);
    return false;
}

static const json_t *
find_item(const json_t *list, str_t id)
{
    json_each(item, list)
    {
        if (str_eq(json_text(item, "id"), id)) {
            return item;
        }
    }
    return NULL;
}

static bool
has_ended(const order_items_check_t *c, str_t id)
{
    for (int i = 0; i < c->order->item_count; i++) {
        if (str_eq(c->order->items[i].id, id)) {
            return order_state_final(c->order->items[i].state);
        }
    }
    return false;
}

/* What the server puts in: left out, or as it is shown. */
static bool
check_own(const order_items_check_t *c, const json_t *shown,
          const json_t *wanted, str_t name, const place_t *at, str_t id)
{
    const json_t *is = member_given(wanted, name);
    order_state_t state;

    if (!is || json_equal(member_given(shown, name), is)) {
        return true;
    }
    if (str_is(name, "state") && order_state_parse(is->text, &state)) {
        return refuse(c, 409, at, name, id,
                      "has the state that follows from what is done for it");
    }
    return refuse(c, 400, at, name, id, "has a %.*s that the server sets",
                  STR_FMT(name));
}

/* Everything of the service but id and href. */
static bool
same_service(const json_t *one, const json_t *other)
{
    json_each(m, one)
    {
        if (!str_is(m->name, "id") && !str_is(m->name, "href") &&
            m->type != JSON_NULL &&
            !json_equal(m, member_given(other, m->name))) {
            return false;
        }
    }
    return true;
}

static bool
check_service(const order_items_check_t *c, const json_t *shown,
              const json_t *wanted, const place_t *at, str_t id)
{
    const json_t *was = json_get(shown, "service");
    const json_t *is = json_get(wanted, "service");
    const json_t *href = member_given(is, STR("href"));
    const json_t *service = member_given(is, STR("id"));

    if (href && !json_equal(href, json_get(was, "href"))) {
        return refuse(c, 400, at, STR("service/href"), id,
                      "has a service whose href the server sets");
    }
    if (!same_service(was, is) || !same_service(is, was) ||
        (service && !json_equal(service, json_get(was, "id")))) {
        return refuse(c, 409, at, STR("service"), id,
                      "is accepted: its service cannot be changed any more");
    }
    return true;
}

static bool check_list(order_items_check_t *c, const json_t *shown,
                       const json_t *wanted, const place_t *outer);

/* name: of a member that one of them has. */
static bool
check_member(order_items_check_t *c, const json_t *shown, const json_t *wanted,
             str_t name, const place_t *at, str_t id)
{
    if (str_is(name, ITEMS)) {
        return check_list(c, json_get(shown, ITEMS), json_get(wanted, ITEMS),
                          at);
    }
    if (str_is(name, "service")) {
        return check_service(c, shown, wanted, at, id);
    }
    if (order_item_attr_is_ours(name)) {
        return check_own(c, shown, wanted, name, at, id);
    }
    if (json_equal(member_given(shown, name), member_given(wanted, name))) {
        return true;
    }
    if (!is_extension(name)) {
        return refuse(c, 409, at, name, id,
                      "is accepted: its %.*s cannot be changed any more",
                      STR_FMT(name));
    }
    if (has_ended(c, id)) {
        return refuse(c, 409, at, name, id,
                      "has ended: its %.*s cannot be changed any more",
                      STR_FMT(name));
    }
    c->changed = true;
    return true;
}

static bool
check_item(order_items_check_t *c, const json_t *shown, const json_t *wanted,
           const place_t *at)
{
    str_t id = json_text(wanted, "id");

    json_each(m, wanted)
    {
        if (!check_member(c, shown, wanted, m->name, at, id)) {
            return false;
        }
    }
    json_each(m, shown)
    {
        if (!json_get_str(wanted, m->name) &&
            !check_member(c, shown, wanted, m->name, at, id)) {
            return false;
        }
    }
    return true;
}

/* Recursion is bounded by JSON_MAX_DEPTH. Lists may be NULL, or JSON null. */
static bool
check_list(order_items_check_t *c, const json_t *shown, const json_t *wanted,
           const place_t *outer)
{
    place_t at = {outer, 0};

    json_each(item, wanted)
    {
        str_t id = json_text(item, "id");
        const json_t *was = find_item(shown, id);

        if (!was) {
            return refuse(c, 409, &at, STR_NONE, id,
                          "cannot be added to an accepted order");
        }
        if (!check_item(c, was, item, &at)) {
            return false;
        }
        at.index++;
    }
    json_each(item, shown)
    {
        str_t id = json_text(item, "id");

        if (!find_item(wanted, id)) {
            return refuse(c, 409, outer, STR(ITEMS), id,
                          "cannot be taken out of an accepted order");
        }
    }
    return true;
}

bool
order_items_check(order_items_check_t *c, const json_t *shown,
                  const json_t *wanted)
{
    return check_list(c, shown, wanted, NULL);
}

/* Merging ------------------------------------------------------------------ */

static void
put_item(buf_t *out, const json_t *stored, const json_t *wanted)
{
    buf_char(out, '{');
    json_each(m, stored)
    {
        const json_t *is = member_kept(m, wanted);

        if (str_is(m->name, ITEMS) && m->type == JSON_ARRAY) {
            order_items_merge(out, m, is);
        } else if (!is_extension(m->name)) {
            member_copy(out, m);
        } else if (is) {
            member_copy(out, is);
        }
    }
    json_each(m, wanted)
    {
        if (is_extension(m->name) && m->type != JSON_NULL &&
            !json_get_str(stored, m->name)) {
            member_copy(out, m);
        }
    }
    json_end(out, '}');
}

/* Recursion is bounded by JSON_MAX_DEPTH. */
void
order_items_merge(buf_t *out, const json_t *stored, const json_t *wanted)
{
    json_name(out, ITEMS);
    buf_char(out, '[');
    json_each(item, wanted)
    {
        json_comma(out);
        put_item(out, find_item(stored, json_text(item, "id")), item);
    }
    json_end(out, ']');
}
