/*
 * A request to a target on its way through the simulator.
 */
#ifndef TURNUP_T_SIM_CALL_H
#define TURNUP_T_SIM_CALL_H

#include "t/sim/sim.h"

/* A request on its way through. Slices live as long as the HTTP request. */
typedef struct {
    sim_t *sim;
    const http_message_t *http;
    op_t op;
    str_t path;
    target_t *target;
    str_t body; /* a JSON object, "{}" where none was sent */
    resource_t *resource;
    record_t *record; /* NULL: no Idempotency-Key, or a GET */
    const rule_t *rule;
} call_t;

typedef struct {
    int status;
    str_t headers;
    str_t body;
} answer_t;

/* A refusal of our own, counted; its body is in the simulator's scratch. */
answer_t call_refuse(call_t *c, int status, const char *code,
                     const char *reason);
/* Carries the request out, counts and records it. The answer's texts live in
 * the simulator's scratch or in the store. */
answer_t call_apply(call_t *c);

#endif
