/*
 * An activation in memory.
 */
#include "backend/pools/family.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/tmf/order.h"

#define TEXT_MAX ((size_t) JSON_MAX_BYTES)

/* Texts into the arena ----------------------------------------------------- */

str_t
work_keep(work_t *w, buf_t *b)
{
    str_t s = arena_str(w->arena, buf_view(b));

    buf_free(b);
    return s;
}

static str_t
copy(work_t *w, str_t s)
{
    return s.len ? arena_str(w->arena, s) : STR_NONE;
}

static const json_t *
tree(work_t *w, str_t text)
{
    return json_parse(w->arena, text.len ? text : STR("{}"), NULL);
}

static str_t
id_text(work_t *w, uuid_t id)
{
    char *text = arena_alloc(w->arena, UUID_TEXT + 1);

    uuid_print(id, text);
    return (str_t){text, UUID_TEXT};
}

/* What templates see ------------------------------------------------------- */

static const json_t *
find_item(const json_t *items, str_t id)
{
    json_each(item, items)
    {
        const json_t *inner;

        if (str_eq(json_text(item, "id"), id)) {
            return item;
        }
        inner = find_item(json_get(item, "serviceOrderItem"), id);
        if (inner) {
            return inner;
        }
    }
    return NULL;
}

/* The item's service object as it was sent, with the id it has. */
static void
set_service(work_t *w, const activation_record_t *r)
{
    arena_t *scratch = arena_create();
    const json_t *service;
    buf_t b;

    if (r->service.len) {
        service = json_parse(scratch, r->service, NULL);
    } else {
        const json_t *order = json_parse(scratch, r->doc, NULL);

        service = json_get(
            find_item(json_get(order, "serviceOrderItem"), w->item_id),
            "service");
    }

    buf_init(&b, 2 * TEXT_MAX);
    buf_char(&b, '{');
    json_put_text(&b, "id", id_text(w, w->service_id));
    json_each(m, service)
    {
        if (!str_is(m->name, "id")) {
            json_comma(&b);
            buf_json(&b, m->name);
            buf_char(&b, ':');
            buf_str(&b, m->raw);
        }
    }
    json_end(&b, '}');
    w->service_doc = copy(w, service ? service->raw : STR_NONE);
    w->name = copy(w, json_text(service, "name"));
    w->category = copy(w, json_text(service, "category"));
    w->service_type = copy(w, json_text(service, "serviceType"));
    w->context.service = tree(w, work_keep(w, &b));
    arena_free(scratch);
}

static void
set_order(work_t *w, const activation_record_t *r)
{
    buf_t b;

    buf_init(&b, TEXT_MAX);
    buf_char(&b, '{');
    json_put_text(&b, "id", id_text(w, r->order_id));
    json_put_some(&b, "externalId", r->external_id);
    json_put_some(&b, "category", r->category);
    json_put_some(&b, "priority", r->priority);
    json_end(&b, '}');
    w->context.order = tree(w, work_keep(w, &b));
    buf_init(&b, TEXT_MAX);
    buf_char(&b, '{');
    json_put_text(&b, "id", r->item_id);
    json_put_text(&b, "action", str_of(action_name(r->action)));
    json_end(&b, '}');
    w->context.item = tree(w, work_keep(w, &b));
}

static void
set_spec(work_t *w, const pool_t *p)
{
    const specification_t *s =
        catalog_specification(p->catalog, w->spec_id, w->spec_version);
    buf_t b;

    buf_init(&b, TEXT_MAX);
    buf_char(&b, '{');
    json_put_text(&b, "id", w->spec_id);
    json_put_text(&b, "version", w->spec_version);
    json_put_text(&b, "name", s ? specification_name(s) : w->spec_id);
    json_end(&b, '}');
    w->context.spec = tree(w, work_keep(w, &b));
}

static void
set_current(work_t *w, const activation_record_t *r)
{
    buf_t b;

    if (!r->has_current) {
        return;
    }
    buf_init(&b, TEXT_MAX);
    buf_char(&b, '{');
    json_put_text(&b, "state", r->current_state);
    json_put_raw(&b, "characteristic", r->current_characteristics);
    json_put_raw(&b, "supportingResource",
                 r->current_resources.len ? r->current_resources : STR("[]"));
    json_end(&b, '}');
    w->context.current = tree(w, work_keep(w, &b));
}

void
work_set_variables(work_t *w, str_t merge)
{
    const json_t *patch = json_parse(w->arena, copy(w, merge), NULL);
    buf_t b;

    if (!patch || patch->type != JSON_OBJECT) {
        return;
    }
    buf_init(&b, TEXT_MAX);
    json_merge_patch(&b, w->context.variable, patch);
    w->variables = work_keep(w, &b);
    w->context.variable = tree(w, w->variables);
}

/* The configuration -------------------------------------------------------- */

static service_state_t
state_of(str_t name, service_state_t dflt)
{
    service_state_t s = dflt;

    (void) service_state_parse(name, &s);
    return s;
}

static void
set_configuration(work_t *w, const activation_record_t *r)
{
    bool own = r->has_own && w->action != ACTION_DELETE;
    bool now = r->has_current && w->action != ACTION_ADD;

    w->in_inventory = own || w->action == ACTION_DELETE;
    w->service_state = state_of(own   ? r->own_state
                                : now ? r->current_state
                                      : STR_NONE,
                                SERVICE_RESERVED);
    w->operating_status =
        copy(w, own                                 ? r->own_operating
                : now && w->action == ACTION_MODIFY ? r->current_operating
                                                    : STR_NONE);
    w->resources = copy(w, own   ? r->own_resources
                           : now ? r->current_resources
                                 : STR_NONE);
    w->characteristics = copy(w, own ? r->own_characteristics
                                 : now && w->action == ACTION_DELETE
                                     ? r->current_characteristics
                                     : r->characteristics);
    w->told_state = w->service_state;
    w->told_operating = w->operating_status;
    if (!w->characteristics.len) {
        w->characteristics = STR("{}");
    }
    if (w->action == ACTION_DELETE) {
        w->configuration_id = r->current_id;
    }
    if (now) { /* what the order does not speak of stays */
        w->name = w->name.len ? w->name : copy(w, r->current_name);
        w->category =
            w->category.len ? w->category : copy(w, r->current_category);
        w->service_type = w->service_type.len
                              ? w->service_type
                              : copy(w, r->current_service_type);
    }
    if (now && w->action == ACTION_MODIFY && !r->run.len) {
        w->service_doc = copy(w, r->current_doc);
    }
}

static bool
set_run(work_t *w, const activation_record_t *r)
{
    const json_t *run;

    memset(&w->run, 0, sizeof(w->run));
    w->run.state = -1;
    if (!r->run.len) {
        w->run.seq = r->seq;
        return true;
    }
    run = tree(w, copy(w, r->run));
    if (!run_read(w->machine, run, &w->run)) {
        return false;
    }
    w->run.seq = r->seq;
    return true;
}

/* What a delete takes away is remembered, to be put back should it fail. */
static void
remember_before(work_t *w, const activation_record_t *r)
{
    buf_t b;

    buf_init(&b, TEXT_MAX);
    buf_puts(&b, "{\"before\":{");
    json_put_text(&b, "state", r->current_state);
    json_put_raw(&b, "supportingResource",
                 r->current_resources.len ? r->current_resources : STR("[]"));
    buf_puts(&b, "}}");
    work_set_variables(w, buf_view(&b));
    buf_free(&b);
}

static void
set_facts(work_t *w, const activation_record_t *r)
{
    w->id = r->id;
    w->order_id = r->order_id;
    w->service_id = r->service_id;
    w->configuration_id = r->configuration_id;
    w->action = r->action;
    w->order_date_us = r->order_date_us;
    w->order_start_us = r->start_us;
    w->item_count = r->item_count;
    w->cancellation = r->cancellation;
    w->item_id = copy(w, r->item_id);
    w->external_id = copy(w, r->external_id);
    w->traceparent = copy(w, r->traceparent);
    w->spec_id = copy(w, r->spec_id);
    w->spec_version = copy(w, r->spec_version);
    w->error = copy(w, r->error);
    w->pending = copy(w, r->pending);
    w->variables = r->variables.len ? copy(w, r->variables) : STR("{}");
}

static void
complain(uuid_t id, const char *why)
{
    char text[UUID_TEXT + 1];

    uuid_print(id, text);
    log_event(LOG_ERROR, "activation cannot run", "activation", text, "why",
              why, NULL);
}

work_t *
work_create(pool_t *p, const activation_record_t *r)
{
    const family_t *f = pool_definition(p, r->definition_id);
    const machine_t *m = f ? family_machine(f, r->action) : NULL;
    work_t *w;

    if (!m) {
        complain(r->id, "its definition is not known here");
        return NULL;
    }
    w = xcalloc(1, sizeof(*w));
    w->arena = arena_create();
    w->pool = p;
    w->family = f;
    w->machine = m;
    list_init(&w->inputs);
    list_init(&w->ready_node);
    list_init(&w->call_node);
    set_facts(w, r);
    if (!set_run(w, r)) {
        complain(r->id, "its place is not of its machine");
        work_free(p, w);
        return NULL;
    }
    set_order(w, r);
    set_service(w, r);
    set_configuration(w, r);
    set_current(w, r);
    set_spec(w, p);
    w->context.characteristic = tree(w, w->characteristics);
    w->context.variable = tree(w, w->variables);
    if (w->run.phase == RUN_NEW && w->action == ACTION_DELETE) {
        remember_before(w, r);
    }
    return w;
}

void
input_free(input_t *in)
{
    free(in->variables);
    free(in->body);
    free(in->message);
    free(in);
}

void
work_free(pool_t *p, work_t *w)
{
    list_t *node;

    if (map_get(p->live, w->id) == w) {
        (void) map_remove(p->live, w->id);
    }
    command_cancel(p, w);
    hint_release(p, w->hint);
    if (!list_empty(&w->ready_node)) {
        list_remove(&w->ready_node);
        p->ready_count--;
    }
    while ((node = list_pop(&w->inputs))) {
        input_free(list_entry(node, input_t, node));
    }
    arena_free(w->arena);
    free(w);
}

void
work_ready(pool_t *p, work_t *w)
{
    if (!w->in_batch && list_empty(&w->ready_node)) {
        list_append(&p->ready, &w->ready_node);
        p->ready_count++;
        pool_kick(p);
    }
}

void
work_input(pool_t *p, work_t *w, const input_t *in)
{
    input_t *copy_of = xcalloc(1, sizeof(*copy_of));

    *copy_of = *in;
    list_append(&w->inputs, &copy_of->node);
    work_ready(p, w);
}

void
work_event(pool_t *p, work_t *w, event_kind_t kind)
{
    input_t in = {
        .event = {.kind = kind, .retry_after_ms = -1}, .seq = -1, .visit = -1};

    work_input(p, w, &in);
}

bool
work_outdated(const work_t *w)
{
    return w->row_seq > w->run.seq;
}

/* What the row says now decides. */
void
work_read_anew(pool_t *p, work_t *w)
{
    uuid_t id = w->id;

    (*p->stale)++;
    work_free(p, w);
    pool_load(p, &id, 1, NULL);
}

void
work_seen(pool_t *p, work_t *w, int seq)
{
    if (seq > w->row_seq) {
        w->row_seq = seq;
    }
    if (work_outdated(w) && !w->in_batch && !w->call) {
        work_read_anew(p, w);
    }
}

/* Inventory changes -------------------------------------------------------- */

static bool
apply_characteristics(work_t *w, const inventory_change_t *c,
                      str_t *ret_missing)
{
    const json_t *patch;
    buf_t b;

    buf_init(&b, TEXT_MAX);
    buf_char(&b, '{');
    for (int i = 0; i < c->characteristic_count; i++) {
        json_comma(&b);
        buf_json(&b, c->characteristics[i].name);
        buf_char(&b, ':');
        if (!template_render(c->characteristics[i].value, &w->context, &b,
                             ret_missing)) {
            buf_free(&b);
            return false;
        }
    }
    json_end(&b, '}');
    patch = tree(w, work_keep(w, &b));
    buf_init(&b, TEXT_MAX);
    json_merge_patch(&b, tree(w, w->characteristics), patch);
    w->characteristics = work_keep(w, &b);
    return true;
}

/* Entries of the same id take the place of older ones. */
static bool
apply_resources(work_t *w, const inventory_change_t *c, str_t *ret_missing)
{
    const json_t *added, *old;
    buf_t b;

    buf_init(&b, TEXT_MAX);
    if (!template_render(c->resources, &w->context, &b, ret_missing)) {
        buf_free(&b);
        return false;
    }
    added = tree(w, work_keep(w, &b));
    old = w->resources.len ? tree(w, w->resources) : NULL;
    buf_init(&b, TEXT_MAX);
    buf_char(&b, '[');
    json_each(o, old)
    {
        bool replaced = false;

        json_each(n, added)
        {
            replaced =
                replaced || str_eq(json_text(n, "id"), json_text(o, "id"));
        }
        if (!replaced) {
            json_comma(&b);
            buf_str(&b, o->raw);
        }
    }
    json_each(n, added)
    {
        json_comma(&b);
        buf_str(&b, n->raw);
    }
    json_end(&b, ']');
    w->resources = work_keep(w, &b);
    return true;
}

bool
work_apply(work_t *w, const inventory_change_t *c, str_t *ret_missing)
{
    if (c->characteristic_count && !apply_characteristics(w, c, ret_missing)) {
        return false;
    }
    if (c->clear_resources) {
        w->resources = STR("[]");
    }
    if (c->resources && !apply_resources(w, c, ret_missing)) {
        return false;
    }
    if (c->has_state) {
        w->service_state = c->state;
    }
    if (c->operating_status.len) {
        w->operating_status = c->operating_status;
    }
    return true;
}
