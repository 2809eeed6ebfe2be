/*
 * A serviceOrder after a PATCH.
 *
 * The client speaks of the order as it is shown, so the patch is applied to
 * that; what is stored is made of the stored document, attribute by
 * attribute, so that what is not spoken of keeps its spelling and what is the
 * server's does not get into it. Items are the same ones afterwards: of them
 * only attributes change that the standard does not know.
 */
#include "backend/tmf/order_patch.h"

#include <stdio.h>

#include "backend/tmf/member.h"
#include "backend/tmf/order_items.h"

/* Room for an order as it is shown: its items have hrefs besides. */
#define SHOWN_BYTES (4 * (size_t) JSON_MAX_BYTES)

typedef struct {
    arena_t *arena;
    const order_record_t *order;
    const json_t *stored, *shown, *result;
    order_patch_t *ret;
    str_t *changed; /* of ret */
    tmf_error_t *err;
} patching_t;

static bool
refuse(tmf_error_t *err, const char *pointer, const char *message)
{
    tmf_error_set(err, 400, TMF_CODE_FIELD_INVALID, "Invalid body field",
                  pointer, "%s", message);
    return false;
}

/* As it is shown it has hrefs and states besides. */
static bool
refuse_size(tmf_error_t *err)
{
    tmf_error_set(err, 413, TMF_CODE_TOO_LARGE, "Too large", "",
                  "the order is too large to be changed");
    return false;
}

/* A finished buffer as a tree in the arena; frees the buffer. */
static const json_t *
take_tree(arena_t *a, buf_t *b)
{
    const json_t *v = NULL;

    if (!buf_failed(b)) {
        v = json_parse(a, arena_str(a, buf_view(b)), NULL);
    }
    buf_free(b);
    return v;
}

static const json_t *
show(arena_t *a, const order_record_t *o, const tmf_view_t *v)
{
    buf_t b;

    buf_init(&b, SHOWN_BYTES);
    order_to_tmf(&b, a, o, v);
    return take_tree(a, &b);
}

/* The order as the client wants it. */
static bool
apply(patching_t *t, const json_t *patch, patch_kind_t kind)
{
    const object_schema_t *schema =
        resource_find(API_ORDERING, STR("serviceOrder"))->patch;
    str_t text;
    buf_t b;

    buf_init(&b, SHOWN_BYTES);
    if (!patch_apply(&b, t->arena, t->shown, patch, kind, t->err)) {
        buf_free(&b);
        return false;
    }
    text = arena_str(t->arena, buf_view(&b));
    buf_free(&b);
    if (!patch_check(schema, TMF_V4, t->shown, text, t->err)) {
        return false;
    }
    t->result = json_parse(t->arena, text, NULL);
    return t->result || refuse_size(t->err);
}

/* What the tables leave open: pendingExternal is an extension of ours, and a
 * state may be any of the enumeration. */
static bool
check_own(patching_t *t)
{
    str_t state = json_text(t->result, "state");
    long long us = NO_TIME;

    if (!json_equal(member_given(t->shown, STR("pendingExternal")),
                    member_given(t->result, STR("pendingExternal")))) {
        return refuse(t->err, "/pendingExternal",
                      "pendingExternal is set by the server");
    }
    if (!state.len) {
        return refuse(t->err, "/state", "an order always has a state");
    }
    t->ret->state =
        str_eq(state, json_text(t->shown, "state")) ? STR_NONE : state;
    if (!rfc3339_parse(json_text(t->result, "expectedCompletionDate"), &us)) {
        us = NO_TIME;
    }
    t->ret->expected_us = us;
    return true;
}

static bool
check_items(patching_t *t)
{
    order_items_check_t c = {.order = t->order, .err = t->err};

    if (!order_items_check(&c, json_get(t->shown, "serviceOrderItem"),
                           json_get(t->result, "serviceOrderItem"))) {
        return false;
    }
    if (c.changed) {
        t->changed[t->ret->changed_count++] = STR("serviceOrderItem");
    }
    return true;
}

/* Not what was found to be the same already, nor what is looked at on its
 * own. */
static void
note_change(patching_t *t, str_t name)
{
    const json_t *was = member_given(t->shown, name);
    const json_t *is = member_given(t->result, name);
    bool plain =
        !str_is(name, "serviceOrderItem") &&
        (!order_attr_is_ours(name) || str_is(name, "expectedCompletionDate"));

    if (plain && !json_equal(was, is)) {
        t->changed[t->ret->changed_count++] = name;
    }
}

/* First what is there, then what was. */
static bool
find_changed(patching_t *t)
{
    size_t most = (size_t) t->result->count + (size_t) t->shown->count;

    t->ret->changed = t->changed = arena_array(t->arena, str_t, most + 1);
    json_each(m, t->result)
    {
        note_change(t, m->name);
    }
    json_each(m, t->shown)
    {
        if (!json_get_str(t->result, m->name)) {
            note_change(t, m->name);
        }
    }
    return check_items(t);
}

/* Of what may not be changed the stored document knows best: it is shown as the
 * server has it, like an @type that was never sent. */
static bool
is_fixed(str_t name)
{
    const attr_schema_t *attr =
        resource_find(API_ORDERING, STR("serviceOrder"))->patch->attrs;

    while (attr->name && !str_is(name, attr->name)) {
        attr++;
    }
    return attr->name && (attr->flags & ATTR_FIXED);
}

static void
put_member(patching_t *t, buf_t *out, const json_t *stored)
{
    const json_t *is = member_kept(stored, t->result);
    bool items = str_is(stored->name, "serviceOrderItem");

    if (order_attr_is_ours(stored->name)) {
        return;
    }
    if (items && order_patch_changes(t->ret, "serviceOrderItem")) {
        order_items_merge(out, stored, is);
    } else if (items || is_fixed(stored->name)) {
        member_copy(out, stored);
    } else if (is) {
        member_copy(out, is);
    }
}

/* What is to be stored: without what is the server's. */
static void
put_document(patching_t *t, buf_t *out)
{
    buf_char(out, '{');
    json_each(m, t->stored)
    {
        put_member(t, out, m);
    }
    json_each(m, t->result)
    {
        if (m->type != JSON_NULL && !order_attr_is_ours(m->name) &&
            !is_fixed(m->name) && !json_get_str(t->stored, m->name)) {
            member_copy(out, m);
        }
    }
    json_end(out, '}');
}

static bool
make_document(patching_t *t)
{
    const json_t *doc = t->stored;
    buf_t b;

    if (t->ret->changed_count) {
        buf_init(&b, SHOWN_BYTES);
        put_document(t, &b);
        doc = take_tree(t->arena, &b);
        if (!doc) {
            return refuse_size(t->err);
        }
    }
    t->ret->doc = doc->raw;
    return order_from_tmf(t->arena, doc, &t->ret->order, t->err);
}

bool
order_patch(arena_t *a, const order_record_t *o, const tmf_view_t *v,
            const json_t *patch, patch_kind_t kind, order_patch_t *ret,
            tmf_error_t *err)
{
    patching_t t = {.arena = a,
                    .order = o,
                    .stored = json_parse(a, o->doc, NULL),
                    .shown = show(a, o, v),
                    .ret = ret,
                    .err = err};

    *ret = (order_patch_t){.doc = o->doc};
    if (!t.stored || !t.shown) {
        return refuse_size(err);
    }
    return apply(&t, patch, kind) && check_own(&t) && find_changed(&t) &&
           make_document(&t);
}

bool
order_patch_changes(const order_patch_t *p, const char *name)
{
    for (int i = 0; i < p->changed_count; i++) {
        if (str_is(p->changed[i], name)) {
            return true;
        }
    }
    return false;
}

void
order_patch_path(buf_t *out, const order_patch_t *p)
{
    for (int i = 0; i < p->changed_count; i++) {
        if (i) {
            buf_char(out, ',');
        }
        buf_str(out, p->changed[i]);
    }
}
