/*
 * A Redis of the test's own, and the loop that a connection to it needs: the
 * server lives as long as the program, the loop as long as one test. A
 * program's own start, stop, setup and teardown call these.
 */
#ifndef TURNUP_T_UNIT_REDIS_SERVER_H
#define TURNUP_T_UNIT_REDIS_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/base/log.h"
#include "backend/base/redis.h"
#include "t/unit/servers.h"

static server_t server;
static char address[128];
static const redis_address_t server_address = {.address = address};
static struct event_base *base;

static inline int
start_server(void **state)
{
    (void) state;
    log_init("test", LOG_ERROR);
    server_folder(&server);
    redis_server_start(&server, NULL);
    (void) snprintf(address, sizeof(address), "unix:%s", server.socket);
    return 0;
}

static inline int
stop_server(void **state)
{
    (void) state;
    server_stop(&server, SIGTERM);
    server_remove(&server);
    return 0;
}

#endif
