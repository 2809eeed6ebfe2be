/*
 * A posted serviceOrder as the domain sees it. The tree of items becomes one
 * list, depth first; references between items become indexes. What the domain
 * does not decide on stays in the document, which is kept as it came.
 */
#include "backend/tmf/order.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "backend/tmf/characteristics.h"
#include "backend/tmf/member.h"
#include "proto/schema.h"

#define ITEM_MAX_DEPENDS \
    ((int) (sizeof(((order_item_t *) NULL)->depends) / sizeof(int)))

#define POINTER_MAX 256

typedef struct {
    const json_t *node; /* the item's object */
    int index;          /* its place in its list */
} place_t;

typedef struct {
    arena_t *arena;
    order_item_t *items;
    place_t *places; /* one an item */
    int count;
    tmf_error_t *err;
} reader_t;

/* Where an item stands in the document: "/serviceOrderItem/0/...". */
static void
item_pointer(const reader_t *r, int item, char out[POINTER_MAX])
{
    int chain[JSON_MAX_DEPTH];
    int depth = 0;
    size_t len = 0;

    for (int i = item; i >= 0 && depth < JSON_MAX_DEPTH;
         i = r->items[i].parent) {
        chain[depth++] = r->places[i].index;
    }
    out[0] = '\0';
    while (depth > 0 && len < POINTER_MAX) {
        int n = snprintf(out + len, POINTER_MAX - len, "/serviceOrderItem/%d",
                         chain[--depth]);
        len += n > 0 ? (size_t) n : 0;
    }
}

/* The order is refused because of the attribute at suffix in an item (-1: in
 * the order itself); always false. */
static bool __attribute__((format(printf, 5, 6)))
refuse(const reader_t *r, tmf_code_t code, int item, const char *suffix,
       const char *fmt, ...)
{
    char pointer[POINTER_MAX], whole[2 * POINTER_MAX], message[512];
    va_list ap;

    item_pointer(r, item, pointer);
    snprintf(whole, sizeof(whole), "%s%s", pointer, suffix);
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    tmf_error_set(r->err, 400, code,
                  code == TMF_CODE_FIELD_MISSING ? "Missing body field"
                                                 : "Invalid body field",
                  whole, "%s", message);
    return false;
}

static const json_t *
get(const json_t *o, const char *name)
{
    return member_given(o, str_of(name));
}

static bool
read_characteristics(const reader_t *r, int item)
{
    order_item_t *ret = &r->items[item];
    char pointer[POINTER_MAX], whole[2 * POINTER_MAX];

    item_pointer(r, item, pointer);
    snprintf(whole, sizeof(whole), "%s/service/serviceCharacteristic",
             pointer);
    return characteristics_from_tmf(r->arena,
                                    get(ret->service, "serviceCharacteristic"),
                                    whole, &ret->characteristics, r->err);
}

static bool
read_service(const reader_t *r, int item)
{
    order_item_t *ret = &r->items[item];
    const json_t *service = get(r->places[item].node, "service");

    if (!service || service->type != JSON_OBJECT) {
        return refuse(
            r, service ? TMF_CODE_FIELD_INVALID : TMF_CODE_FIELD_MISSING, item,
            "/service", "service must be an object");
    }
    const json_t *spec = json_get(service, "serviceSpecification");
    ret->service = service;
    ret->service_id = json_text(service, "id");
    ret->service_name = json_text(service, "name");
    ret->spec_id = json_text(spec, "id");
    ret->spec_version = json_text(spec, "version");
    return read_characteristics(r, item);
}

static int
find_item(const reader_t *r, str_t id)
{
    for (int i = 0; i < r->count; i++) {
        if (str_eq(r->items[i].id, id)) {
            return i;
        }
    }
    return -1;
}

/* One item without what is nested in it. It is not in the count yet, so that
 * a search for its id finds only its predecessors. */
static bool
read_item(const reader_t *r, int item)
{
    order_item_t *ret = &r->items[item];
    const json_t *node = r->places[item].node;

    if (node->type != JSON_OBJECT) {
        return refuse(r, TMF_CODE_FIELD_INVALID, item, "",
                      "a service order item must be an object");
    }
    ret->id = json_text(node, "id");
    if (ret->id.len == 0) {
        return refuse(r, TMF_CODE_FIELD_MISSING, item, "/id",
                      "a service order item needs an id");
    }
    if (find_item(r, ret->id) >= 0) {
        return refuse(r, TMF_CODE_FIELD_INVALID, item, "/id",
                      "item id \"%.*s\" is used twice", STR_FMT(ret->id));
    }
    if (!action_parse(json_text(node, "action"), &ret->action)) {
        return refuse(r, TMF_CODE_FIELD_INVALID, item, "/action",
                      "action must be add, modify, delete or noChange");
    }
    return read_service(r, item);
}

/* list may be NULL (none). Recursion is bounded by JSON_MAX_DEPTH. */
static bool
read_items(reader_t *r, const json_t *list, int parent)
{
    int index = 0;

    if (list && list->type != JSON_ARRAY) {
        return refuse(r, TMF_CODE_FIELD_INVALID, parent, "/serviceOrderItem",
                      "serviceOrderItem must be a list");
    }
    json_each(node, list)
    {
        int item = r->count;
        r->items[item].parent = parent;
        r->places[item] = (place_t){node, index++};
        if (!read_item(r, item)) {
            return false;
        }
        r->count++;
        if (parent >= 0) {
            r->items[parent].has_children = true;
        }
        if (!read_items(r, get(node, "serviceOrderItem"), item)) {
            return false;
        }
    }
    return true;
}

/* Items of a list and all that is nested in them. */
static size_t
count_items(const json_t *list)
{
    size_t n = 0;

    if (!list || list->type != JSON_ARRAY) {
        return 0;
    }
    json_each(node, list)
    {
        n += 1 + count_items(get(node, "serviceOrderItem"));
    }
    return n;
}

/* TMF and MEF say "dependency", ONAP "reliesOn"; both mean: only after it. */
static bool
is_dependency(str_t type)
{
    static const str_t names[] = {{"dependency", 10}, {"reliesOn", 8}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (type.len == names[i].len &&
            !strncasecmp(type.data, names[i].data, type.len)) {
            return true;
        }
    }
    return false;
}

static bool
add_dependency(const reader_t *r, int item, const json_t *target,
               const char *suffix)
{
    order_item_t *ret = &r->items[item];
    str_t id = json_text(target, "itemId");

    if (json_text(target, "serviceOrderId").len > 0) {
        return refuse(r, TMF_CODE_FIELD_INVALID, item, suffix,
                      "an item may depend only on items of its own order; "
                      "leave serviceOrderId out");
    }
    if (id.len == 0) {
        return refuse(r, TMF_CODE_FIELD_MISSING, item, suffix,
                      "a dependency needs orderItem.itemId");
    }
    int other = find_item(r, id);
    if (other < 0) {
        return refuse(r, TMF_CODE_FIELD_INVALID, item, suffix,
                      "no item of this order has the id \"%.*s\"",
                      STR_FMT(id));
    }
    for (int i = 0; i < ret->depend_count; i++) {
        if (ret->depends[i] == other) {
            return true;
        }
    }
    if (ret->depend_count == ITEM_MAX_DEPENDS) {
        return refuse(r, TMF_CODE_FIELD_INVALID, item, suffix,
                      "an item may depend on at most %d others",
                      ITEM_MAX_DEPENDS);
    }
    ret->depends[ret->depend_count++] = other;
    return true;
}

static bool
read_dependencies(const reader_t *r, int item)
{
    const json_t *list =
        get(r->places[item].node, "serviceOrderItemRelationship");
    int index = 0;

    if (list && list->type != JSON_ARRAY) {
        return refuse(r, TMF_CODE_FIELD_INVALID, item,
                      "/serviceOrderItemRelationship",
                      "serviceOrderItemRelationship must be a list");
    }
    json_each(relation, list)
    {
        char suffix[80];
        snprintf(suffix, sizeof(suffix),
                 "/serviceOrderItemRelationship/%d/orderItem", index++);
        if (is_dependency(json_text(relation, "relationshipType")) &&
            !add_dependency(r, item, json_get(relation, "orderItem"),
                            suffix)) {
            return false;
        }
    }
    return true;
}

/* 0 in *ret when it was not given. */
static bool
read_time(const reader_t *r, const json_t *doc, const char *name, int64_t *ret)
{
    const json_t *value = get(doc, name);
    long long us = 0;

    if (value &&
        (value->type != JSON_STRING || !rfc3339_parse(value->text, &us))) {
        char suffix[64];
        snprintf(suffix, sizeof(suffix), "/%s", name);
        return refuse(r, TMF_CODE_FIELD_INVALID, -1, suffix,
                      "%s is no RFC 3339 date-time", name);
    }
    *ret = us;
    return true;
}

static bool
check_dependencies(const reader_t *r, const order_t *o)
{
    order_error_t fault = {.pointer = ""};

    if (order_check_dependencies(o, &fault)) {
        return true;
    }
    tmf_error_set(r->err, 400, TMF_CODE_FIELD_INVALID, "Invalid body field",
                  fault.pointer, "%s", fault.message);
    return false;
}

bool
order_from_tmf(arena_t *a, const json_t *doc, order_t *ret, tmf_error_t *err)
{
    const json_t *list = get(doc, "serviceOrderItem");
    size_t n = count_items(list);
    reader_t r = {.arena = a, .err = err};

    if (n == 0) {
        return refuse(&r, TMF_CODE_FIELD_MISSING, -1, "/serviceOrderItem",
                      "serviceOrderItem is mandatory");
    }
    if (n > ORDER_MAX_ITEMS) {
        return refuse(&r, TMF_CODE_FIELD_INVALID, -1, "/serviceOrderItem",
                      "an order may have at most %d items", ORDER_MAX_ITEMS);
    }
    r.items = arena_array(a, order_item_t, n);
    r.places = arena_array(a, place_t, n);
    *ret = (order_t){
        .external_id = json_text(doc, "externalId"),
        .category = json_text(doc, "category"),
        .priority = json_text(doc, "priority"),
        .description = json_text(doc, "description"),
        .items = r.items,
    };
    if (!read_time(&r, doc, "requestedStartDate", &ret->requested_start_us) ||
        !read_time(&r, doc, "requestedCompletionDate",
                   &ret->requested_completion_us) ||
        !read_items(&r, list, -1)) {
        return false;
    }
    ret->item_count = r.count;
    ret->party_count = member_parties(a, doc, &ret->parties);
    for (int i = 0; i < r.count; i++) {
        if (!read_dependencies(&r, i)) {
            return false;
        }
    }
    return check_dependencies(&r, ret);
}
