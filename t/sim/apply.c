/*
 * What a simulated target does with a request: store, create, merge, remove,
 * accept for later delivery; and what a tampering rule does behind its back.
 */
#define _GNU_SOURCE /* memrchr() */

#include <stdio.h>

#include "t/common/json_text.h"
#include "t/sim/call.h"

#define OURS_MAX 256 /* bytes of the members a PUT adds */

/* The stored document with our own members laid over it, as the answer. */
static str_t
store_with(call_t *c, resource_t *r, str_t document, str_t ours)
{
    buf_t *out = &c->sim->body;

    buf_reset(out);
    json_text_merge(out, document, ours);
    resource_store(r, buf_view(out));
    return buf_view(out);
}

/* The last step of a path: the id of an item. */
static str_t
last_step(str_t path)
{
    const char *slash = memrchr(path.data, '/', path.len);

    return (str_t){slash + 1, (size_t) (path.data + path.len - slash - 1)};
}

/* The resource a POST creates, by the body's id or one of ours. */
static resource_t *
created_resource(call_t *c, buf_t *id)
{
    str_t given = json_text_get(c->body, "id");
    buf_t path;
    long number;

    if (!json_text_string(id, given)) {
        if (json_text_long(given, &number)) {
            buf_printf(id, "%ld", number);
        } else {
            buf_printf(id, "%s-%lu", c->target->name, ++c->target->ids);
        }
    }
    buf_init(&path, HTTP_HEAD_MAX + HTTP_BODY_MAX);
    buf_str(&path, c->path);
    buf_char(&path, '/');
    buf_url(&path, buf_view(id));

    resource_t *r = network_resource(&c->sim->network, buf_view(&path));

    buf_free(&path);
    return r;
}

static void
put_location(call_t *c, const resource_t *r)
{
    buf_puts(&c->sim->headers, "Location: ");
    buf_str(&c->sim->headers, r->path);
    buf_puts(&c->sim->headers, "\r\n");
}

/* What the callback will say: the rule's result, or a delivery. */
static void
put_result(call_t *c, const buf_t *id, buf_t *out)
{
    const rule_t *r = c->rule;
    buf_t ours;

    buf_init(&ours, HTTP_BODY_MAX);
    buf_puts(&ours, "{\"id\":");
    buf_json(&ours, buf_view(id));
    if (r && r->async_result) {
        buf_char(&ours, '}');
        json_text_merge(out, buf_view(&ours), str_of(r->async_result));
    } else {
        buf_printf(&ours,
                   ",\"status\":\"delivered\","
                   "\"serialNumber\":\"SN-%lu\"}",
                   ++c->sim->network.serials);
        buf_str(out, buf_view(&ours));
    }
    buf_free(&ours);
}

/* Plans the callback; NULL, or why it is refused. */
static const char *
plan_delivery(call_t *c, const resource_t *r, const buf_t *id)
{
    const rule_t *rule = c->rule && c->rule->async ? c->rule : NULL;
    const char *why = NULL;
    buf_t url, result;

    if (rule && rule->never) {
        return NULL;
    }
    buf_init(&url, HTTP_HEAD_MAX);
    buf_init(&result, HTTP_BODY_MAX);
    if (json_text_string(&url, json_text_get(c->body, "callbackUrl"))) {
        put_result(c, id, &result);
        why = callbacks_add(
            c->sim->callbacks,
            &(callback_t){.url = buf_view(&url),
                          .path = r->path,
                          .result = buf_view(&result),
                          .delay_ms = rule && rule->async_delay_ms >= 0
                                          ? rule->async_delay_ms
                                          : c->sim->vendor_delay_ms,
                          .twice = rule && rule->twice});
    }
    buf_free(&url);
    buf_free(&result);
    return why;
}

/* Accepts now, delivers later. */
static answer_t
apply_async(call_t *c)
{
    resource_t *r = c->resource;
    const char *why;
    buf_t id, ours;
    answer_t a;

    buf_init(&id, HTTP_BODY_MAX);
    buf_init(&ours, HTTP_BODY_MAX);
    if (c->op == OP_POST) {
        r = created_resource(c, &id);
    } else {
        buf_str(&id, last_step(c->path));
    }
    buf_puts(&ours, "{\"id\":");
    buf_json(&ours, buf_view(&id));
    buf_puts(&ours, ",\"status\":\"accepted\"}");
    why = plan_delivery(c, r, &id);
    if (why) {
        a = call_refuse(c, 400, "callbackUrl", why);
    } else {
        (void) store_with(c, r, c->body, buf_view(&ours));
        put_location(c, r);
        buf_reset(&c->sim->body);
        buf_str(&c->sim->body, buf_view(&ours));
        a = (answer_t){202, buf_view(&c->sim->headers),
                       buf_view(&c->sim->body)};
    }
    buf_free(&id);
    buf_free(&ours);
    return a;
}

static answer_t
apply_get(call_t *c)
{
    if (!c->resource->document) {
        return call_refuse(c, 404, "notFound", "nothing is stored there");
    }
    return (answer_t){200, STR_NONE, resource_document(c->resource)};
}

static answer_t
apply_put(call_t *c)
{
    char ours[OURS_MAX];
    resource_t *r = c->resource;

    if (!r->binding) {
        r->binding = ++c->target->bindings;
    }
    snprintf(ours, sizeof ours, "{\"bindingId\":\"%s-%lu\"}", c->target->name,
             r->binding);
    return (answer_t){200, STR_NONE, store_with(c, r, c->body, str_of(ours))};
}

static answer_t
apply_post(call_t *c)
{
    buf_t id, ours;
    resource_t *r;
    answer_t a;

    buf_init(&id, HTTP_BODY_MAX);
    buf_init(&ours, HTTP_BODY_MAX);
    r = created_resource(c, &id);
    buf_puts(&ours, "{\"id\":");
    buf_json(&ours, buf_view(&id));
    buf_char(&ours, '}');
    put_location(c, r);
    a = (answer_t){201, buf_view(&c->sim->headers),
                   store_with(c, r, c->body, buf_view(&ours))};
    buf_free(&id);
    buf_free(&ours);
    return a;
}

static answer_t
apply_patch(call_t *c)
{
    resource_t *r = c->resource;

    if (!r->document) {
        return call_refuse(c, 404, "notFound", "nothing is stored there");
    }
    return (answer_t){200, STR_NONE,
                      store_with(c, r, resource_document(r), c->body)};
}

static answer_t
apply_delete(call_t *c)
{
    if (!c->resource->existed) {
        return call_refuse(c, 404, "notFound",
                           "nothing was ever stored there");
    }
    resource_store(c->resource, STR_NONE);
    return (answer_t){204, STR_NONE, STR_NONE};
}

static bool
is_async(const call_t *c)
{
    str_t url;

    if (c->op == OP_GET || c->op == OP_DELETE) {
        return false;
    }
    if (c->rule && c->rule->async) {
        return true;
    }
    if (strcmp(c->target->name, SIM_VENDOR) != 0) {
        return false;
    }
    url = json_text_get(c->body, "callbackUrl");
    return url.len > 0 && url.data[0] == '"';
}

/* The stored document is changed behind the caller's back. */
static void
tamper(call_t *c, const answer_t *a)
{
    resource_t *r = c->resource;
    buf_t merged;

    if (c->op == OP_POST && a->status < 300) {
        /* "Location: <path>\r\n" names what was created. */
        str_t path = {a->headers.data + strlen("Location: "),
                      a->headers.len - strlen("Location: \r\n")};

        r = network_find(&c->sim->network, path);
    }
    if (!r || !r->document) {
        return;
    }
    buf_init(&merged, HTTP_BODY_MAX);
    json_text_merge(&merged, resource_document(r), str_of(c->rule->tamper));
    if (!buf_failed(&merged)) {
        resource_store(r, buf_view(&merged));
    }
    buf_free(&merged);
}

answer_t
call_apply(call_t *c)
{
    static answer_t (*const appliers[OP_COUNT])(call_t *) = {
        [OP_GET] = apply_get,       [OP_PUT] = apply_put,
        [OP_POST] = apply_post,     [OP_PATCH] = apply_patch,
        [OP_DELETE] = apply_delete,
    };
    network_t *n = &c->sim->network;
    bool tampers = c->rule && c->rule->tamper;

    if (tampers && c->op == OP_GET) {
        tamper(c, &(answer_t){0});
    }

    answer_t a = is_async(c) ? apply_async(c) : appliers[c->op](c);

    if (a.status < 300 && c->op != OP_GET) {
        n->applied++;
        c->resource->tally[c->op].applied++;
        if (c->record) {
            c->record->tally.applied++;
            record_answer(c->record, a.status, a.headers, a.body);
        }
        if (tampers) {
            tamper(c, &a);
        }
    }
    return a;
}
