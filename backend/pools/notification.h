/*
 * An event as one kind of listener is shown it: the bytes to be sent.
 *
 * Rendered once for all listeners with the same view, shared by counting.
 */
#ifndef TURNUP_POOLS_NOTIFICATION_H
#define TURNUP_POOLS_NOTIFICATION_H

#include "backend/store/events.h"
#include "backend/tmf/view.h"

#define NOTIFICATION_MAX 4194304 /* bytes of a body */

typedef struct {
    int refs;
    position_t at; /* of the event */
    uuid_t event_id;
    uuid_t resource; /* the same for events of one resource */
    size_t len;
    char body[]; /* JSON, not NUL-terminated */
} notification_t;

/* body is copied. One reference is the caller's. */
notification_t *notification_create(const event_record_t *e, str_t body);
notification_t *notification_ref(notification_t *n);
/* NULL-safe; frees it with the last reference. */
void notification_unref(notification_t *n);

/* The key of a resource id: a UUID itself, a hash of other text. Two that
 * collide are only kept in order with each other. */
uuid_t notification_resource(str_t resource_id);

/*
 * The body for a view. a: scratch. NULL when it is larger than
 * NOTIFICATION_MAX.
 */
notification_t *notification_render(const event_record_t *e,
                                    const event_document_t *d,
                                    const tmf_view_t *v, arena_t *a);

#endif
