/*
 * TMF641 cancelServiceOrder ⇄ domain.
 */
#ifndef TURNUP_TMF_CANCELLATION_H
#define TURNUP_TMF_CANCELLATION_H

#include "backend/base/json.h"
#include "backend/domain/record.h"
#include "backend/tmf/view.h"

typedef struct {
    uuid_t order_id;
    str_t reason;         /* or "" */
    int64_t requested_us; /* NO_TIME: not given */
} cancellation_t;

/* Slices live with doc. false with *err (400): its order's id is none. */
bool cancellation_from_tmf(const json_t *doc, cancellation_t *ret,
                           tmf_error_t *err);
/* The 400 for an order that is not there: on POST the published definition
 * has no 404. */
void cancellation_unknown_order(tmf_error_t *err);

/* The task as JSON: the client's document with what is ours put in: id, href,
 * serviceOrder.href, state, effectiveCancellationDate, completionMessage,
 * errorMessage. */
void cancellation_to_tmf(buf_t *out, arena_t *a,
                         const cancellation_record_t *task,
                         const tmf_view_t *v);

/* Forms for event data (record.h): of the creation all that
 * cancellation_to_tmf() shows but hrefs, of a change what is ours. */
void cancellation_created_data(buf_t *out, arena_t *a,
                               const cancellation_record_t *task);
void cancellation_change_data(buf_t *out, const cancellation_record_t *task);

/* How a task ends whose order has ended in that state: done where it is
 * cancelled; else terminatedWithError, with an error. Memory from a. */
void cancellation_end(cancellation_record_t *task, arena_t *a,
                      order_state_t order, int64_t now_us);

#endif
