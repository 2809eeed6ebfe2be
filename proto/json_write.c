/*
 * JSON written by hand into a buffer; see proto/json_write.h.
 */
#include "proto/json_write.h"

void
json_comma(buf_t *b)
{
    if (b->len > 0 && strchr("{[,:", b->data[b->len - 1]) == NULL) {
        buf_char(b, ',');
    }
}

void
json_name(buf_t *b, const char *name)
{
    json_comma(b);
    buf_json(b, str_of(name));
    buf_char(b, ':');
}

void
json_begin(buf_t *b, const char *name, char bracket)
{
    json_name(b, name);
    buf_char(b, bracket);
}

void
json_put_text(buf_t *b, const char *name, str_t text)
{
    json_name(b, name);
    buf_json(b, text);
}

void
json_put_raw(buf_t *b, const char *name, str_t raw)
{
    json_name(b, name);
    buf_str(b, raw);
}

void
json_put_int(buf_t *b, const char *name, long long n)
{
    json_name(b, name);
    buf_printf(b, "%lld", n);
}

void
json_put_bool(buf_t *b, const char *name, bool v)
{
    json_name(b, name);
    buf_puts(b, v ? "true" : "false");
}

void
json_put_some(buf_t *b, const char *name, str_t text)
{
    if (text.len > 0) {
        json_put_text(b, name, text);
    }
}

void
json_end(buf_t *b, char bracket)
{
    buf_char(b, bracket);
}
