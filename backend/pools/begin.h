/*
 * A new activation as its hint carries it, so that the family that begins it
 * need not read it first. It is what its rows say, no more: a family that
 * finds no such text, or another seq in the row, reads the row (law 1).
 */
#ifndef TURNUP_POOLS_BEGIN_H
#define TURNUP_POOLS_BEGIN_H

#include "backend/store/activations.h"

/* Of a service that is added and waits for nothing. JSON, from id, order_id,
 * service_id, configuration_id, item_id, definition_id, service,
 * characteristics, spec_id, spec_version, external_id, category, priority,
 * traceparent, order_date_us and item_count. */
void begin_print(const activation_record_t *r, buf_t *out);
/* false: it is not such a text. Slices point into a. */
bool begin_read(arena_t *a, str_t text, activation_record_t *ret);

#endif
