/*
 * New activations in hints.
 */
#include "backend/pools/begin.h"

#include "backend/base/json.h"
#include "backend/tmf/member.h"

void
begin_print(const activation_record_t *r, buf_t *out)
{
    buf_char(out, '{');
    member_uuid(out, "id", r->id);
    member_uuid(out, "order", r->order_id);
    json_put_text(out, "item", r->item_id);
    member_uuid(out, "service", r->service_id);
    member_uuid(out, "configuration", r->configuration_id);
    json_put_int(out, "definition", r->definition_id);
    json_put_raw(out, "ordered", r->service);
    if (r->characteristics.len) {
        json_put_raw(out, "characteristics", r->characteristics);
    }
    json_put_some(out, "specification", r->spec_id);
    json_put_some(out, "version", r->spec_version);
    json_put_some(out, "externalId", r->external_id);
    json_put_some(out, "category", r->category);
    json_put_some(out, "priority", r->priority);
    json_put_some(out, "traceparent", r->traceparent);
    json_put_int(out, "orderDate", r->order_date_us);
    json_put_int(out, "items", r->item_count);
    json_end(out, '}');
}

static str_t
raw(const json_t *o, const char *name)
{
    const json_t *v = json_get(o, name);

    return v && v->type == JSON_OBJECT ? v->raw : STR_NONE;
}

bool
begin_read(arena_t *a, str_t text, activation_record_t *ret)
{
    const json_t *o = json_parse(a, arena_str(a, text), NULL);

    memset(ret, 0, sizeof(*ret));
    if (!o || !uuid_parse(json_text(o, "id"), &ret->id) ||
        !uuid_parse(json_text(o, "order"), &ret->order_id) ||
        !uuid_parse(json_text(o, "service"), &ret->service_id) ||
        !uuid_parse(json_text(o, "configuration"), &ret->configuration_id)) {
        return false;
    }
    ret->action = ACTION_ADD;
    ret->item_id = json_text(o, "item");
    ret->definition_id = (int) json_int(o, "definition", 0);
    ret->service = raw(o, "ordered");
    ret->characteristics = raw(o, "characteristics");
    ret->spec_id = json_text(o, "specification");
    ret->spec_version = json_text(o, "version");
    ret->external_id = json_text(o, "externalId");
    ret->category = json_text(o, "category");
    ret->priority = json_text(o, "priority");
    ret->traceparent = json_text(o, "traceparent");
    ret->order_date_us = json_int(o, "orderDate", 0);
    ret->start_us = NO_TIME;
    ret->item_count = (int) json_int(o, "items", 0);
    return ret->item_id.len && ret->service.len && ret->order_date_us &&
           ret->item_count > 0;
}
