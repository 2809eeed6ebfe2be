/*
 * The items of an order against each other: their ids, their nesting and
 * what depends on what.
 *
 * An item with nested items starts before them and ends after them, so a
 * dependency on it is one on all of them, and what it waits for they wait
 * for. The walk is therefore over starts and ends, and a cycle there is an
 * order that could never end.
 */
#include "backend/domain/order.h"

#include <stdarg.h>
#include <stdio.h>

#define NODE_START(i) (2 * (i))
#define NODE_END(i)   (2 * (i) + 1)

typedef enum { UNSEEN, ON_THE_WAY, SEEN } mark_t;

typedef struct {
    const order_t *order;
    mark_t marks[2 * ORDER_MAX_ITEMS];
    int first_child[ORDER_MAX_ITEMS]; /* or -1 */
    int sibling[ORDER_MAX_ITEMS];     /* the next one, or -1 */
    int culprit; /* the item whose dependency closes the cycle */
} walk_t;

/* "/serviceOrderItem/0/serviceOrderItem/2" for item i, and tail. */
static void
print_pointer(const order_t *o, int i, const char *tail, order_error_t *err)
{
    int chain[ORDER_MAX_ITEMS];
    int depth = 0;
    size_t at = 0;

    for (int k = i; k >= 0 && depth < ORDER_MAX_ITEMS;
         k = o->items[k].parent) {
        chain[depth++] = k;
    }
    while (depth-- > 0 && at < sizeof(err->pointer)) {
        int position = 0;

        for (int k = 0; k < chain[depth]; k++) {
            position += o->items[k].parent == o->items[chain[depth]].parent;
        }
        at += (size_t) snprintf(err->pointer + at, sizeof(err->pointer) - at,
                                "/serviceOrderItem/%d", position);
    }
    if (at < sizeof(err->pointer)) {
        (void) snprintf(err->pointer + at, sizeof(err->pointer) - at, "%s",
                        tail);
    }
}

static bool refuse(const order_t *o, int i, const char *tail,
                   order_error_t *err, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static bool
refuse(const order_t *o, int i, const char *tail, order_error_t *err,
       const char *fmt, ...)
{
    va_list args;

    print_pointer(o, i, tail, err);
    va_start(args, fmt);
    (void) vsnprintf(err->message, sizeof(err->message), fmt, args);
    va_end(args);
    return false;
}

static bool
is_ancestor(const order_t *o, int ancestor, int i)
{
    for (int k = o->items[i].parent; k >= 0; k = o->items[k].parent) {
        if (k == ancestor) {
            return true;
        }
    }
    return false;
}

static bool
check_ids(const order_t *o, order_error_t *err)
{
    for (int i = 0; i < o->item_count; i++) {
        for (int k = 0; k < i; k++) {
            if (str_eq(o->items[i].id, o->items[k].id)) {
                return refuse(o, i, "/id", err,
                              "two items have the id \"%.*s\"",
                              STR_FMT(o->items[i].id));
            }
        }
    }
    return true;
}

static bool
check_item(const order_t *o, int i, order_error_t *err)
{
    static const char tail[] = "/serviceOrderItemRelationship";
    const order_item_t *item = &o->items[i];

    for (int k = 0; k < item->depend_count; k++) {
        int on = item->depends[k];

        if (on < 0 || on >= o->item_count) {
            return refuse(o, i, tail, err,
                          "depends on an item that is not in the order");
        }
        if (on == i) {
            return refuse(o, i, tail, err, "depends on itself");
        }
        if (is_ancestor(o, on, i)) {
            return refuse(o, i, tail, err,
                          "depends on item \"%.*s\" that it is nested in",
                          STR_FMT(o->items[on].id));
        }
        if (is_ancestor(o, i, on)) {
            return refuse(o, i, tail, err,
                          "depends on item \"%.*s\" that is nested in it",
                          STR_FMT(o->items[on].id));
        }
    }
    return true;
}

/* At most 2 * ORDER_MAX_ITEMS deep; false: a cycle. */
static bool
visit(walk_t *w, int node)
{
    int i = node / 2;
    const order_item_t *item = &w->order->items[i];
    bool fine = true;

    if (w->marks[node] != UNSEEN) {
        return w->marks[node] == SEEN;
    }
    w->marks[node] = ON_THE_WAY;
    if (node == NODE_END(i)) {
        fine = visit(w, NODE_START(i));
        for (int c = w->first_child[i]; fine && c >= 0; c = w->sibling[c]) {
            fine = visit(w, NODE_END(c));
        }
    } else {
        fine = item->parent < 0 || visit(w, NODE_START(item->parent));
        for (int k = 0; fine && k < item->depend_count; k++) {
            fine = visit(w, NODE_END(item->depends[k]));
            if (!fine && w->culprit < 0) {
                w->culprit = i;
            }
        }
    }
    w->marks[node] = SEEN;
    return fine;
}

static bool
check_cycles(const order_t *o, order_error_t *err)
{
    walk_t w = {.order = o, .culprit = -1};

    for (int i = 0; i < o->item_count; i++) {
        w.first_child[i] = -1;
    }
    for (int i = o->item_count - 1; i >= 0; i--) {
        int parent = o->items[i].parent;

        w.sibling[i] = parent >= 0 ? w.first_child[parent] : -1;
        if (parent >= 0) {
            w.first_child[parent] = i;
        }
    }
    for (int i = 0; i < o->item_count; i++) {
        if (!visit(&w, NODE_END(i))) {
            return refuse(o, w.culprit, "/serviceOrderItemRelationship", err,
                          "the dependencies of the items are a cycle");
        }
    }
    return true;
}

bool
order_check_dependencies(const order_t *o, order_error_t *err)
{
    if (o->item_count > ORDER_MAX_ITEMS) {
        (void) snprintf(err->pointer, sizeof(err->pointer),
                        "/serviceOrderItem");
        (void) snprintf(err->message, sizeof(err->message),
                        "an order has at most %d items", ORDER_MAX_ITEMS);
        return false;
    }
    for (int i = 0; i < o->item_count; i++) {
        if (!check_item(o, i, err)) {
            return false;
        }
    }
    return check_ids(o, err) && check_cycles(o, err);
}
