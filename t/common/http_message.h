/*
 * HTTP/1.1 messages (RFC 9112): parsing without I/O.
 *
 * A message is parsed from a buffer that holds it from its first byte; as
 * long as it is not all there, the answer is "more" and the parser keeps no
 * state. Bodies by Content-Length or chunked.
 */
#ifndef TURNUP_T_COMMON_HTTP_MESSAGE_H
#define TURNUP_T_COMMON_HTTP_MESSAGE_H

#include <sys/types.h>

#include "proto/buf.h"

#define HTTP_HEAD_MAX    16384   /* bytes of start line and header lines */
#define HTTP_HEADERS_MAX 64      /* header lines */
#define HTTP_BODY_MAX    8388608 /* bytes of a body */

typedef struct {
    str_t name;
    str_t value;
} http_header_t;

/* Slices point into the parsed buffer. */
typedef struct {
    str_t method; /* of a request */
    str_t path;   /* up to "?" */
    str_t query;  /* behind it, maybe empty */
    int status;   /* of a reply */
    bool keep_alive;
    bool expects_continue; /* set as soon as the head is there */
    int header_count;
    http_header_t headers[HTTP_HEADERS_MAX];
    str_t body;
} http_message_t;

/*
 * The bytes of the first message in data, or 0: more is needed, or -1: it is
 * malformed or too large. A chunked body is joined in place.
 */
ssize_t http_request_parse(http_message_t *m, char *data, size_t len);
ssize_t http_reply_parse(http_message_t *m, char *data, size_t len);

/* The first header of this name (any case), or STR_NONE. */
str_t http_header(const http_message_t *m, const char *name);

/* The standard's phrase for a status, or "Status". */
const char *http_reason(int status);
/* "Content-Length: n" CR LF CR LF: what ends every head we write. */
void http_put_length(buf_t *out, size_t len);

#endif
