/*
 * Structured log lines on standard error: one JSON object a line with ts,
 * level, pool, pid, msg and the fields given.
 */
#ifndef TURNUP_BASE_LOG_H
#define TURNUP_BASE_LOG_H

#include "proto/str.h"

typedef enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } log_level_t;

/* pool: the name in each line; call after fork. */
void log_init(const char *pool, log_level_t level);
bool log_enabled(log_level_t level);
/*
 * fields: pairs of name and value, both char *, ended by NULL:
 *   log_event(LOG_INFO, "order completed", "order", id, "traceparent", tp,
 *             NULL);
 * A value of NULL leaves its field out. Keeps errno.
 */
void log_event(log_level_t level, const char *msg, ...)
    __attribute__((sentinel));

#endif
