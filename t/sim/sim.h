/*
 * The simulator as a whole: what its parts share.
 */
#ifndef TURNUP_T_SIM_SIM_H
#define TURNUP_T_SIM_SIM_H

#include "t/common/http_server.h"
#include "t/sim/callbacks.h"
#include "t/sim/network.h"
#include "t/sim/rules.h"

#define SIM_VENDOR          "vendor" /* the target that is asynchronous */
#define SIM_VENDOR_DELAY_MS 20
#define SIM_SCRATCH_MAX     134217728 /* bytes of one answer */

typedef struct {
    struct event_base *base;
    network_t network;
    rules_t rules;
    callbacks_t *callbacks;
    long vendor_delay_ms;
    buf_t body;    /* scratch for the answer at hand */
    buf_t headers; /* likewise */
} sim_t;

/* {"code":...,"reason":...} in sim->body. */
str_t sim_reason(sim_t *sim, const char *code, const char *reason);

/* A request to a target: any path that does not begin with "/_". */
void target_handle(sim_t *sim, http_conn_t *conn, const http_message_t *req);
/* A request to the simulator itself: /_counts, /_state, /_rules. */
void control_handle(sim_t *sim, http_conn_t *conn, const http_message_t *req);

#endif
