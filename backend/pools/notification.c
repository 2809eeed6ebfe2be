/*
 * Rendering and sharing notifications.
 */
#include "backend/pools/notification.h"

#include <stdlib.h>

#include "backend/tmf/event.h"
#include "backend/tmf/order.h"
#include "backend/tmf/service.h"

/* FNV-1a, 64 bits; the second half starts from the first one's end. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

static uint64_t
hash(uint64_t h, str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char) s.data[i]) * HASH_PRIME;
    }
    return h;
}

uuid_t
notification_resource(str_t resource_id)
{
    uint64_t half[2];
    uuid_t key;

    if (uuid_parse(resource_id, &key)) {
        return key;
    }
    half[0] = hash(HASH_START, resource_id);
    half[1] = hash(half[0], resource_id);
    memcpy(key.byte, half, sizeof(key.byte));
    return key;
}

notification_t *
notification_create(const event_record_t *e, str_t body)
{
    notification_t *n = xcalloc(1, sizeof(*n) + body.len);

    n->refs = 1;
    n->at = event_position(e);
    n->event_id = e->id;
    n->resource = notification_resource(e->resource_id);
    n->len = body.len;
    if (body.len > 0) {
        memcpy(n->body, body.data, body.len);
    }
    return n;
}

notification_t *
notification_ref(notification_t *n)
{
    n->refs++;
    return n;
}

void
notification_unref(notification_t *n)
{
    if (n && --n->refs == 0) {
        free(n);
    }
}

static void
render_document(buf_t *out, arena_t *a, const event_document_t *d,
                const tmf_view_t *v)
{
    if (d->order) {
        order_to_tmf(out, a, d->order, v);
    } else if (d->service) {
        service_to_tmf(out, a, d->service, v);
    }
}

notification_t *
notification_render(const event_record_t *e, const event_document_t *d,
                    const tmf_view_t *v, arena_t *a)
{
    notification_t *n = NULL;
    buf_t resource, body;

    buf_init(&resource, NOTIFICATION_MAX);
    buf_init(&body, NOTIFICATION_MAX);
    render_document(&resource, a, d, v);
    if (!buf_failed(&resource)) {
        event_to_tmf(&body, a, e, buf_view(&resource), v);
        if (!buf_failed(&body)) {
            n = notification_create(e, buf_view(&body));
        }
    }
    buf_free(&resource);
    buf_free(&body);
    return n;
}
