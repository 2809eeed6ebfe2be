/*
 * JSON written member by member. An object or array is written as
 *   buf_char(b, '{'); json_put_text(b, "id", id); ... json_end(b, '}');
 * Each json_put_* writes "name":value and a comma before it where one is
 * needed (it looks at the last byte). An array's elements: json_comma(b)
 * then the value.
 */
#ifndef TURNUP_PROTO_JSON_WRITE_H
#define TURNUP_PROTO_JSON_WRITE_H

#include "proto/buf.h"

void json_comma(buf_t *b);
void json_name(buf_t *b, const char *name);
/* A member whose value is an object or array: "name":{ to be ended. */
void json_begin(buf_t *b, const char *name, char bracket);
void json_put_text(buf_t *b, const char *name, str_t text);
void json_put_raw(buf_t *b, const char *name, str_t raw);
void json_put_int(buf_t *b, const char *name, long long n);
void json_put_bool(buf_t *b, const char *name, bool v);
/* As json_put_text but nothing when text is empty. */
void json_put_some(buf_t *b, const char *name, str_t text);
void json_end(buf_t *b, char bracket);

#endif
