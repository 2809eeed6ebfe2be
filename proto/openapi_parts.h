/*
 * What all operations of an OpenAPI document share: parameters, headers and
 * responses, once under "components" and referred to elsewhere. Only
 * proto/openapi.c uses it.
 */
#ifndef TURNUP_PROTO_OPENAPI_PARTS_H
#define TURNUP_PROTO_OPENAPI_PARTS_H

#include "proto/buf.h"

#define OPENAPI_SCHEMAS "#/components/schemas/"
#define JSON_TYPE       "application/json"

enum {
    TAKES_ID = 1 << 0, /* in the path */
    TAKES_FIELDS = 1 << 1,
    TAKES_LIST = 1 << 2,     /* offset, limit, sort, filters */
    TAKES_KEY = 1 << 3,      /* Idempotency-Key */
    TAKES_CONDITION = 1 << 4 /* If-Match, If-None-Match */
};

/* "parameters":[...] as references; nothing when there are none. */
void openapi_put_parameters(buf_t *out, unsigned takes);
/* "<status>":{...}, or "default" for 0: whose body is one of this type or a
 * list of them. tagged: it has an ETag. */
void openapi_put_response(buf_t *out, int status, const char *type, bool list,
                          bool tagged);
/* Members of "components": parameters, headers, responses. */
void openapi_put_shared(buf_t *out);

#endif
