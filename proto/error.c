/*
 * TMF error bodies: filled where the fault is seen, printed where the answer
 * is written.
 */
#include "proto/error.h"

#include <stdio.h>

#include "proto/json.h"

/* A cut in the middle of a UTF-8 character takes the whole character. */
static void
trim_cut(char *text, size_t size, size_t wanted)
{
    if (wanted < size) {
        return;
    }
    size_t len = size - 1;
    size_t good = utf8_valid((str_t){text, len});
    /* Only the end is ours to mend: a fault further in was there before. */
    if (len - good < 4) {
        text[good] = '\0';
    }
}

void
tmf_error_set(tmf_error_t *e, int status, tmf_code_t code, const char *reason,
              const char *pointer, const char *fmt, ...)
{
    va_list ap;

    e->status = status;
    e->code = code;
    e->reason = reason;

    va_start(ap, fmt);
    int n = vsnprintf(e->message, sizeof(e->message), fmt, ap);
    va_end(ap);
    if (n < 0) {
        e->message[0] = '\0';
    } else {
        trim_cut(e->message, sizeof(e->message), (size_t) n);
    }

    /* pointer may be e->pointer itself, filled beforehand */
    if (!pointer) {
        e->pointer[0] = '\0';
    } else if (pointer != e->pointer) {
        n = snprintf(e->pointer, sizeof(e->pointer), "%s", pointer);
        trim_cut(e->pointer, sizeof(e->pointer), (size_t) n);
    }
}

void
tmf_error_body(buf_t *out, const tmf_error_t *e)
{
    buf_printf(out, "{\"@type\":\"Error\",\"code\":\"%d\",\"reason\":",
               (int) e->code);
    buf_json(out, str_of(e->reason ? e->reason : "Error"));
    buf_puts(out, ",\"message\":");
    buf_json(out, str_of(e->message));
    buf_printf(out, ",\"status\":\"%d\"", e->status);
    if (e->pointer[0]) {
        buf_puts(out, ",\"pointer\":");
        buf_json(out, str_of(e->pointer));
    }
    buf_char(out, '}');
}
