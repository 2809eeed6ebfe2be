/*
 * One line, one write(2): lines of several processes on one pipe stay whole
 * up to PIPE_BUF.
 */
#include "backend/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "backend/base/uuid.h"
#include "proto/buf.h"
#include "proto/schema.h"

enum {
    LINE_MAX_BYTES = 65536,
    VALUE_MAX_BYTES = 2048 /* of one field, before it is escaped */
};

static const char *const level_names[] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

static struct {
    char pool[64];
    log_level_t level;
    buf_t line;
} logger = {.pool = "turnup", .level = LOG_INFO};

void
log_init(const char *pool, log_level_t level)
{
    (void) snprintf(logger.pool, sizeof(logger.pool), "%s", pool);
    logger.level = level;
}

bool
log_enabled(log_level_t level)
{
    return level <= logger.level;
}

static void
put_value(buf_t *b, const char *z)
{
    buf_json(b, (str_t){z, strnlen(z, VALUE_MAX_BYTES)});
}

static void
put_field(buf_t *b, const char *name, const char *value)
{
    buf_char(b, b->len == 0 ? '{' : ',');
    put_value(b, name);
    buf_char(b, ':');
    put_value(b, value);
}

static void
put_line(void)
{
    buf_t *b = &logger.line;

    if (buf_failed(b)) {
        return; /* no memory, or fields without end: nothing to say it with */
    }
    /* A full or closed stderr must not take the worker down with it. */
    (void) !write(STDERR_FILENO, b->data, b->len);
}

void
log_event(log_level_t level, const char *msg, ...)
{
    int saved = errno;
    buf_t *b = &logger.line;
    char ts[32];
    va_list args;

    if (!log_enabled(level)) {
        return;
    }
    if (b->max == 0) {
        buf_init(b, LINE_MAX_BYTES);
    }
    buf_reset(b);
    rfc3339_print(clock_us(), ts);
    put_field(b, "ts", ts);
    put_field(b, "level", level_names[level]);
    put_field(b, "pool", logger.pool);
    buf_printf(b, ",\"pid\":%ld", (long) getpid());
    put_field(b, "msg", msg);
    va_start(args, msg);
    for (const char *name; (name = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);

        if (value != NULL) {
            put_field(b, name, value);
        }
    }
    va_end(args);
    buf_puts(b, "}\n");
    put_line();
    errno = saved;
}
