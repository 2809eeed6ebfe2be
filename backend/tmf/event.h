/*
 * Event types and envelopes (TMF641/638/633: timeOcurred as v4 has published
 * it, beside v5's timeOccurred; payload wrapped in the resource's name), and
 * hub subscriptions as they are shown. What a subscription asks for:
 * event_filter.h.
 */
#ifndef TURNUP_TMF_EVENT_H
#define TURNUP_TMF_EVENT_H

#include "backend/base/json.h"
#include "backend/domain/record.h"
#include "backend/tmf/view.h"

#define EVENT_TYPES_MAX 32

typedef struct {
    api_t api;
    const char *type;     /* "ServiceOrderCreateEvent" */
    const char *resource; /* lower camel: "serviceOrder" */
    const char *description;
    bool only_v5;
} event_type_t;

/* The vocabulary of all APIs, numbered from 0; NULL: no such number. */
const event_type_t *event_type_at(int number);
/* Its number, or -1. */
int event_type_find(str_t type);
/* The resource an event type speaks of, or NULL. */
const char *event_resource(str_t type);
/* Is it an event of this API in this version with that name? */
bool event_type_known(api_t api, tmf_version_t version, str_t type);
bool event_type_is_of(const event_type_t *type, api_t api,
                      tmf_version_t version);

/*
 * The envelope. resource: the rendered resource for a Create (order_to_tmf
 * ...), or empty: it is made of e->data, with id, href and the hrefs of
 * services put in. v5 is told no more of a change than what has changed, as in
 * its samples (TMF-FACTS 9.3).
 */
void event_to_tmf(buf_t *out, arena_t *a, const event_record_t *e,
                  str_t resource, const tmf_view_t *v);

/* {"id","callback","query"}: TMF EventSubscription; in v5, Hub, with href and
 * @type. */
void subscription_to_tmf(buf_t *out, const subscription_record_t *s);

#endif
