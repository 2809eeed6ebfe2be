/*
 * What an event keeps of an order's change, and the small objects that tell
 * of errors and of waiting. They are stored, so they hold no href and no
 * dialect: characteristics are an object name → value here and become TMF's
 * list when the event is shown (event.c).
 */
#include <stdio.h>

#include "backend/domain/record.h"
#include "backend/tmf/member.h"
#include "backend/tmf/order.h"

static void
put_item(buf_t *out, const order_change_item_t *i)
{
    json_comma(out);
    buf_char(out, '{');
    json_put_text(out, "id", i->item_id);
    if (i->action) {
        json_put_text(out, "action", str_of(i->action));
    }
    json_put_text(out, "state", str_of(order_state_name(i->state)));
    if (!uuid_is_nil(i->service_id)) {
        json_name(out, "service");
        buf_char(out, '{');
        member_uuid(out, "id", i->service_id);
        member_some_raw(out, "serviceCharacteristic", i->characteristics);
        json_end(out, '}');
    }
    member_some_raw(out, "errorMessage", i->error);
    member_some_raw(out, "pendingExternal", i->pending);
    json_end(out, '}');
}

void
order_change_data(buf_t *out, const order_change_t *c)
{
    buf_char(out, '{');
    json_put_some(out, "externalId", c->external_id);
    json_put_text(out, "state", str_of(order_state_name(c->state)));
    member_time(out, "orderDate", c->order_date_us);
    member_time(out, "startDate", c->start_us);
    member_time(out,
                c->state == ORDER_CANCELLED ? "cancellationDate"
                                            : "completionDate",
                c->completion_us);
    json_put_some(out, "cancellationReason", c->cancellation_reason);
    member_some_raw(out, "errorMessage", c->error);
    member_some_raw(out, "pendingExternal", c->pending);
    json_name(out, "serviceOrderItem");
    buf_char(out, '[');
    for (int i = 0; i < c->item_count; i++) {
        put_item(out, &c->items[i]);
    }
    json_end(out, ']');
    json_put_some(out, "fieldPath", str_of(c->field_path));
    json_end(out, '}');
}

void
order_error_message(buf_t *out, str_t code, str_t reason, str_t message,
                    int status, int64_t at_us, str_t item)
{
    buf_char(out, '{');
    json_put_text(out, "code", code);
    json_put_text(out, "reason", reason);
    json_put_text(out, "message", message);
    if (status != 0) {
        char text[16];
        snprintf(text, sizeof(text), "%d", status);
        json_put_text(out, "status", str_of(text));
    }
    member_time(out, "timestamp", at_us);
    if (item.len > 0) {
        json_name(out, "serviceOrderItem");
        buf_puts(out, "[{");
        json_put_text(out, "itemId", item);
        json_end(out, '}');
        json_end(out, ']');
    }
    json_end(out, '}');
}

void
order_pending_external(buf_t *out, str_t party, str_t reason, int64_t since_us,
                       int64_t until_us)
{
    buf_char(out, '{');
    json_put_text(out, "party", party);
    json_put_some(out, "reason", reason);
    member_time(out, "since", since_us);
    member_time(out, "until", until_us);
    json_end(out, '}');
}
