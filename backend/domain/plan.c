/*
 * The plan of an order: every item against catalog, families and inventory.
 *
 * A modify is a difference: the characteristics as sent are merged into those
 * that run now by RFC 7386, object characteristics member by member, null
 * removes. What results must obey the specification as a new service would.
 * A service keeps its specification version unless the item names another;
 * a retired one cannot be ordered anew, but what runs under it can be changed
 * and removed.
 */
#include "backend/domain/order.h"

#include <stdarg.h>
#include <stdio.h>

#define PLAN_MAX_BYTES JSON_MAX_BYTES /* of one item's characteristics */

/* One item being planned. */
typedef struct {
    const order_t *order;
    const order_item_t *item;
    const service_now_t *now;
    const plan_catalog_t *catalog;
    arena_t *arena;
    plan_item_t *ret;
} planner_t;

static bool reject(planner_t *p, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool
reject(planner_t *p, const char *code, const char *fmt, ...)
{
    va_list args;

    (void) snprintf(p->ret->error_code, sizeof(p->ret->error_code), "%s",
                    code);
    va_start(args, fmt);
    (void) vsnprintf(p->ret->error, sizeof(p->ret->error), fmt, args);
    va_end(args);
    return false;
}

/* What a buffer holds, as a tree in the arena; NULL: it did not fit. */
static const json_t *
take_tree(planner_t *p, buf_t *b)
{
    const json_t *v = NULL;

    if (!buf_failed(b)) {
        v = json_parse(p->arena, arena_str(p->arena, buf_view(b)), NULL);
    }
    buf_free(b);
    return v;
}

static const json_t *
parse_object(planner_t *p, str_t text)
{
    const json_t *v = json_parse(p->arena, text.len ? text : STR("{}"), NULL);

    return v != NULL && v->type == JSON_OBJECT ? v : NULL;
}

/* Does the inventory allow the action? */
static bool
check_service(planner_t *p)
{
    const char *action = action_name(p->item->action);

    if (p->item->action == ACTION_ADD) {
        return p->item->service_id.len == 0 ||
               reject(p, "unexpectedServiceId",
                      "add must not name a service id");
    }
    if (p->item->service_id.len == 0) {
        return reject(p, "unknownService", "%s must name the service's id",
                      action);
    }
    if (!p->now->exists) {
        return reject(p, "unknownService", "there is no service \"%.*s\"",
                      STR_FMT(p->item->service_id));
    }
    if (p->item->action == ACTION_NO_CHANGE) {
        return true;
    }
    if (p->now->state == SERVICE_TERMINATED) {
        return reject(p, "serviceTerminated",
                      "the service is terminated: nothing to %s", action);
    }
    return !p->now->busy ||
           reject(p, "serviceBusy", "another order is changing the service");
}

static bool
find_specification(planner_t *p)
{
    const order_item_t *item = p->item;
    bool kept =
        item->action != ACTION_ADD &&
        (item->spec_id.len == 0 || str_eq(item->spec_id, p->now->spec_id));
    str_t id = kept ? p->now->spec_id : item->spec_id;
    str_t version = item->spec_version.len == 0 && kept ? p->now->spec_version
                                                        : item->spec_version;
    const specification_t *s;

    if (id.len == 0) {
        return reject(p, "missingValue",
                      "service.serviceSpecification.id is missing");
    }
    s = p->catalog->specification(p->catalog->ctx, id, version);
    if (s == NULL) {
        return reject(p, "unknownSpecification",
                      "there is no service specification \"%.*s\"%s%.*s",
                      STR_FMT(id), version.len ? " of version " : "",
                      STR_FMT(version));
    }
    kept = kept && str_eq(specification_version(s), p->now->spec_version);
    if (!kept && !specification_is_active(s)) {
        return reject(p, "inactiveSpecification",
                      "service specification \"%.*s\" is not active",
                      STR_FMT(id));
    }
    p->ret->specification = s;
    return true;
}

static bool
find_machine(planner_t *p)
{
    const specification_t *s = p->ret->specification;
    str_t id = specification_id(s);

    p->ret->family =
        p->catalog->family(p->catalog->ctx, id, specification_version(s));
    if (p->ret->family == NULL) {
        return reject(p, "noFamily",
                      "no service family activates \"%.*s\" version \"%.*s\"",
                      STR_FMT(id), STR_FMT(specification_version(s)));
    }
    p->ret->machine = family_machine(p->ret->family, p->item->action);
    return p->ret->machine != NULL ||
           reject(p, "actionNotOffered",
                  "service family \"%.*s\" does not offer %s",
                  STR_FMT(p->ret->family->name), action_name(p->item->action));
}

static bool
check_characteristics(planner_t *p, const json_t *v, bool partial)
{
    specification_error_t err;

    return specification_check(p->ret->specification, v, partial, &err) ||
           reject(p, "invalidCharacteristic", "characteristic %s: %s",
                  err.pointer, err.message);
}

/* The characteristics as they shall be, also as a tree. */
static bool
plan_characteristics(planner_t *p, const json_t **ret)
{
    const json_t *sent = parse_object(p, p->item->characteristics);
    const json_t *v = sent;
    buf_t b;

    if (p->item->action != ACTION_ADD) {
        v = parse_object(p, p->now->characteristics);
    }
    if (sent == NULL || v == NULL) {
        return reject(p, "invalidCharacteristic",
                      "the characteristics are not an object");
    }
    if (p->item->action == ACTION_MODIFY) {
        if (!check_characteristics(p, sent, true)) {
            return false;
        }
        buf_init(&b, PLAN_MAX_BYTES);
        json_merge_patch(&b, v, sent);
        v = take_tree(p, &b);
    }
    if (v != NULL && p->item->action != ACTION_DELETE) {
        buf_init(&b, PLAN_MAX_BYTES);
        specification_defaults(p->ret->specification, v, &b);
        v = take_tree(p, &b);
    }
    if (v == NULL) {
        return reject(p, "invalidCharacteristic",
                      "the characteristics are too large");
    }
    p->ret->characteristics = v->raw;
    *ret = v;
    return p->item->action == ACTION_DELETE ||
           check_characteristics(p, v, false);
}

/* service.id and order.id always have a value when the machine runs;
 * variables and the callback are proved with the definition. */
static bool
known_later(str_t path)
{
    return str_is(path, "service.id") || str_is(path, "order.id") ||
           str_is(path, "callback.url") ||
           (path.len > 9 && !memcmp(path.data, "variable.", 9)) ||
           str_is(path, "variable");
}

static bool
check_template(planner_t *p, const template_context_t *c, const template_t *t)
{
    for (int i = 0; t != NULL && i < template_path_count(t); i++) {
        bool optional;
        str_t path = template_path(t, i, &optional);

        if (!known_later(path) && !template_path_known(t, i, c)) {
            return reject(p, "missingValue",
                          "%.*s is missing: the activation needs it",
                          STR_FMT(path));
        }
    }
    return true;
}

static bool
check_templates(planner_t *p, const template_context_t *c,
                const named_template_t *list, int n)
{
    for (int i = 0; i < n; i++) {
        if (!check_template(p, c, list[i].value)) {
            return false;
        }
    }
    return true;
}

static bool
check_command(planner_t *p, const template_context_t *c,
              const command_t *command)
{
    return command == NULL ||
           (check_template(p, c, command->path) &&
            check_template(p, c, command->body) &&
            check_template(p, c, command->pool) &&
            check_template(p, c, command->party) &&
            check_template(p, c, command->reason) &&
            check_templates(p, c, command->headers, command->header_count) &&
            check_templates(p, c, command->expect, command->expect_count));
}

static bool
check_paths(planner_t *p, const template_context_t *c)
{
    const machine_t *m = p->ret->machine;

    for (int i = 0; i < m->state_count; i++) {
        const inventory_change_t *change = m->states[i].inventory;

        if (!check_command(p, c, m->states[i].command) ||
            !check_command(p, c, m->states[i].undo)) {
            return false;
        }
        if (change != NULL &&
            (!check_templates(p, c, change->characteristics,
                              change->characteristic_count) ||
             !check_template(p, c, change->resources))) {
            return false;
        }
    }
    return true;
}

static const json_t *
order_tree(planner_t *p)
{
    buf_t b;

    buf_init(&b, PLAN_MAX_BYTES);
    buf_char(&b, '{');
    json_put_some(&b, "externalId", p->order->external_id);
    json_put_some(&b, "category", p->order->category);
    json_put_some(&b, "priority", p->order->priority);
    json_put_some(&b, "description", p->order->description);
    json_end(&b, '}');
    return take_tree(p, &b);
}

static const json_t *
item_tree(planner_t *p)
{
    buf_t b;

    buf_init(&b, PLAN_MAX_BYTES);
    buf_char(&b, '{');
    json_put_text(&b, "id", p->item->id);
    json_put_text(&b, "action", str_of(action_name(p->item->action)));
    json_end(&b, '}');
    return take_tree(p, &b);
}

static const json_t *
spec_tree(planner_t *p)
{
    const specification_t *s = p->ret->specification;
    buf_t b;

    buf_init(&b, PLAN_MAX_BYTES);
    buf_char(&b, '{');
    json_put_text(&b, "id", specification_id(s));
    json_put_some(&b, "version", specification_version(s));
    json_put_some(&b, "name", specification_name(s));
    json_end(&b, '}');
    return take_tree(p, &b);
}

static const json_t *
current_tree(planner_t *p)
{
    str_t characteristics = p->now->characteristics;
    buf_t b;

    if (p->item->action == ACTION_ADD) {
        return NULL;
    }
    buf_init(&b, PLAN_MAX_BYTES);
    buf_char(&b, '{');
    json_put_raw(&b, "characteristic",
                 characteristics.len ? characteristics : STR("{}"));
    json_put_text(&b, "state", str_of(service_state_name(p->now->state)));
    json_end(&b, '}');
    return take_tree(p, &b);
}

static void
plan_item(planner_t *p)
{
    template_context_t c = {.service = p->item->service};

    memset(p->ret, 0, sizeof(*p->ret));
    if (p->item->has_children || !check_service(p) ||
        p->item->action == ACTION_NO_CHANGE) {
        return;
    }
    if (!find_specification(p) || !find_machine(p) ||
        !plan_characteristics(p, &c.characteristic)) {
        return;
    }
    c.order = order_tree(p);
    c.item = item_tree(p);
    c.spec = spec_tree(p);
    c.current = current_tree(p);
    p->ret->active = check_paths(p, &c);
}

/* A service has one planned configuration: two items cannot make one each. */
static bool
is_taken(const order_t *o, const service_now_t *services,
         const plan_item_t *items, int i)
{
    for (int k = 0; k < i && services[i].exists; k++) {
        if (items[k].active && services[k].exists &&
            o->items[k].action != ACTION_ADD &&
            uuid_eq(services[k].id, services[i].id)) {
            return true;
        }
    }
    return false;
}

bool
order_plan(const order_t *o, const service_now_t *services,
           const plan_catalog_t *catalog, arena_t *a, plan_item_t *items)
{
    bool fine = true;

    for (int i = 0; i < o->item_count; i++) {
        planner_t p = {.order = o,
                       .item = &o->items[i],
                       .now = &services[i],
                       .catalog = catalog,
                       .arena = a,
                       .ret = &items[i]};

        plan_item(&p);
        if (items[i].active && is_taken(o, services, items, i)) {
            items[i].active = false;
            (void) reject(&p, "serviceBusy",
                          "another item of this order changes the service");
        }
        fine = fine && items[i].error_code[0] == '\0';
    }
    return fine;
}
