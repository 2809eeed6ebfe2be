/*
 * What a hub subscription asks for: its query, a URL-style filter over the
 * event's envelope. TMF630 shows eventType only; conditions and fields are as
 * FIWARE's business APIs take them.
 *
 *   eventType=A,B                     of these types only (also .ne)
 *   event.serviceOrder.state=x        conditions on what the envelope holds,
 *                                     in the grammar of lists (proto/query.h)
 *   fields=event.serviceOrder.id,...  only that of the envelope; eventId,
 *                                     eventTime and eventType always stay
 *
 * Compared as in lists: texts by code point, numbers as such and where a text
 * spells one, times by instant, lists by any element; .ne matches all that =
 * does not, also where nothing is. Pure.
 */
#ifndef TURNUP_TMF_EVENT_FILTER_H
#define TURNUP_TMF_EVENT_FILTER_H

#include "backend/base/json.h"
#include "backend/tmf/event.h"

typedef struct event_filter event_filter_t;

/*
 * In a; query may go. Empty: all events of the API in that version. NULL with
 * *err (400, pointer /query): what no query may hold (offset, limit, sort), what the
 * envelope has not, no event type of the API, a comparison that the
 * attribute does not take.
 */
event_filter_t *event_filter_parse(arena_t *a, api_t api,
                                   tmf_version_t version, str_t query,
                                   tmf_error_t *err);
/* Of a type that is asked for? */
bool event_filter_match(const event_filter_t *f, str_t type);
/* The types asked for, in a; NULL with *ret_count 0: all of the API, also
 * those that a later release adds. */
const str_t *event_filter_types(const event_filter_t *f, arena_t *a,
                                int *ret_count);

/* Are there conditions on the envelope; is it to be trimmed? */
bool event_filter_has_conditions(const event_filter_t *f);
bool event_filter_has_fields(const event_filter_t *f);
/* Does the envelope meet the conditions? */
bool event_filter_passes(const event_filter_t *f, const json_t *envelope);
/* Appends the envelope with what is asked for. */
void event_filter_trim(const event_filter_t *f, const json_t *envelope,
                       buf_t *out);

#endif
