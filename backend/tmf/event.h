/*
 * Event envelopes (TMF641/638/633 v4: timeOcurred as published, payload
 * wrapped in the resource's name) and hub subscriptions.
 */
#ifndef TURNUP_TMF_EVENT_H
#define TURNUP_TMF_EVENT_H

#include "backend/base/json.h"
#include "backend/domain/record.h"
#include "backend/tmf/view.h"

/* The lower-camel resource an event type speaks of: "serviceOrder". */
const char *event_resource(str_t type);
/* Is it an event of this API with that name? */
bool event_type_known(api_t api, str_t type);

/*
 * The envelope. resource: the rendered resource for a Create (order_to_tmf
 * ...), or empty: it is made of e->data, with id, href and the hrefs of
 * services put in.
 */
void event_to_tmf(buf_t *out, arena_t *a, const event_record_t *e,
                  str_t resource, const tmf_view_t *v);

/* A subscription's query, parsed once: event types wanted. */
typedef struct event_filter event_filter_t;
/*
 * "eventType=A,B", "eventType=A&eventType=B", or empty: all of the API.
 * NULL with *err (400): an unknown event type, another condition than
 * eventType (refused, not ignored).
 */
event_filter_t *event_filter_parse(arena_t *a, api_t api, str_t query,
                                   tmf_error_t *err);
bool event_filter_match(const event_filter_t *f, str_t type);
/* The types wanted, in a; *ret_count of them. */
const str_t *event_filter_types(const event_filter_t *f, arena_t *a,
                                int *ret_count);

/* {"id","callback","query"}: TMF EventSubscription. */
void subscription_to_tmf(buf_t *out, const subscription_record_t *s);

#endif
