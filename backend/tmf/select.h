/*
 * Attribute selection below the first level (TMF630: fields=a.b).
 */
#ifndef TURNUP_TMF_SELECT_H
#define TURNUP_TMF_SELECT_H

#include "backend/base/arena.h"
#include "backend/tmf/view.h"

/*
 * A rendered resource stands in out from byte start to its end; of its first
 * level only what is shown (member_shown). Where fields name inner attributes,
 * it is cut down to those: "serviceOrderItem.state" keeps of each item its
 * state and, as on the first level, its id and href. A name that is there
 * without a dot keeps the whole attribute. Below what is neither object nor
 * list nothing is found, and it is left out. Documents beyond proto/json.h's
 * limits stay whole.
 */
void tmf_select(buf_t *out, size_t start, arena_t *a, const tmf_view_t *v);

#endif
