/*
 * Strict JSON reading over yajl's event interface.
 *
 * yajl alone lets through text that PostgreSQL refuses or that two readers
 * understand differently: overlong UTF-8, lone surrogates, \u0000, repeated
 * member names, numbers without bound. This reader refuses them (RFC 8259,
 * RFC 7493 I-JSON), bounds depth and size, and knows at every moment the JSON
 * pointer (RFC 6901) of the value it is at. Input may come in chunks.
 */
#ifndef TURNUP_PROTO_JSON_H
#define TURNUP_PROTO_JSON_H

#include "proto/str.h"

#define JSON_MAX_DEPTH    32      /* nested objects and arrays */
#define JSON_MAX_BYTES    4194304 /* a whole document */
#define JSON_MAX_NUMBER   64      /* characters of one number */
#define JSON_MAX_EXPONENT 308     /* what a double can hold */
#define JSON_MAX_MEMBERS  4096    /* of one object */
#define JSON_MAX_ELEMENTS 65536   /* of one array */
#define JSON_POINTER_MAX  512     /* longer ones are cut for messages */

/* Reasons that a caller tells apart (compare the text). */
#define JSON_EMPTY     "empty document"
#define JSON_TOO_LARGE "document too large"
#define JSON_NO_MEMORY "out of memory"

typedef enum {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
} json_type_t;

/*
 * What a reader is told. Each returns NULL to go on, or the reason (a
 * constant string) why the document is refused at this place.
 *   value: a scalar; text is the unescaped string, the number as spelt, or
 *          "true"/"false"/"null"
 *   open/close: an object or an array
 *   member: the name (unescaped) of the object member whose value follows
 * end: bytes of the document consumed up to and with this token.
 */
typedef struct {
    const char *(*value)(void *ctx, json_type_t type, str_t text, size_t end);
    const char *(*open)(void *ctx, json_type_t type, size_t end);
    const char *(*close)(void *ctx, json_type_t type, size_t end);
    const char *(*member)(void *ctx, str_t name, size_t end);
} json_handler_t;

typedef struct json_reader json_reader_t;

typedef struct {
    const char *reason; /* constant: "duplicate member name", ... */
    size_t offset;      /* bytes from the document's start */
    char pointer[JSON_POINTER_MAX]; /* where, RFC 6901; "" = whole */
} json_error_t;

/* NULL when out of memory. h and ctx must outlive it. */
json_reader_t *json_reader_create(const json_handler_t *h, void *ctx);
void json_reader_free(json_reader_t *r);
/* Ready for another document; keeps its memory. */
void json_reader_reset(json_reader_t *r);
/* 0, or -1 with *err filled. After -1 only reset or free. */
int json_reader_feed(json_reader_t *r, str_t chunk, json_error_t *err);
/* The document is complete: 0, or -1 with *err. */
int json_reader_finish(json_reader_t *r, json_error_t *err);
/* The JSON pointer of the value or member now at; valid in handlers. */
str_t json_reader_pointer(const json_reader_t *r);
int json_reader_depth(const json_reader_t *r);

/* The length of the longest prefix of s that is valid UTF-8 (RFC 3629). */
size_t utf8_valid(str_t s);

#endif
