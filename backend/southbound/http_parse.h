/*
 * An HTTP/1.1 answer, read piece by piece as it arrives (RFC 9112). No I/O;
 * what is found does not depend on where the pieces are cut.
 *
 * Interim answers are skipped. Refused is what two readers could take for
 * different things: Transfer-Encoding beside Content-Length, differing
 * lengths, any coding but chunked, control characters, folded headers among
 * those that matter.
 */
#ifndef TURNUP_SOUTHBOUND_HTTP_PARSE_H
#define TURNUP_SOUTHBOUND_HTTP_PARSE_H

#include "proto/buf.h"

#define HTTP_MAX_HEADER_BYTES 65536 /* status lines, headers and trailers */

typedef enum { HTTP_MORE, HTTP_DONE, HTTP_BAD } http_verdict_t;

typedef struct {
    int status;
    bool keep;         /* the connection may carry another request */
    buf_t location;    /* empty: there was none; else the first one */
    buf_t retry_after; /* the same */
    buf_t body;
    const char *error; /* HTTP_BAD: why; a constant */
    bool begun;        /* a byte has come */

    int state; /* all below: only for the parser */
    int minor; /* of the version */
    bool head, chunked, has_length, close, keep_alive;
    bool matters; /* the last header, and whatever is folded onto it */
    size_t header_bytes;
    size_t length; /* of the body, or what is left of it or of a chunk */
    buf_t line;    /* the part of a line that has come */
} http_parse_t;

void http_parse_init(http_parse_t *p, size_t max_body);
void http_parse_free(http_parse_t *p);
/* Ready for the answer to the next request; head: to a HEAD request. */
void http_parse_begin(http_parse_t *p, bool head);
/* *ret_used < len only when done: what follows belongs to nobody. */
http_verdict_t http_parse_feed(http_parse_t *p, const char *data, size_t len,
                               size_t *ret_used);
/* The connection has ended, in order. Never HTTP_MORE. */
http_verdict_t http_parse_end(http_parse_t *p);

#endif
