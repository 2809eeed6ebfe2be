/*
 * TMF error bodies (TMF630 part 1: code, reason, message, status).
 */
#ifndef TURNUP_PROTO_ERROR_H
#define TURNUP_PROTO_ERROR_H

#include "proto/buf.h"

/* Application codes as TM Forum's reference implementations use them. */
typedef enum {
    TMF_CODE_INTERNAL = 1,
    TMF_CODE_BAD_URL = 20,
    TMF_CODE_BODY_MISSING = 21,
    TMF_CODE_BODY_INVALID = 22,
    TMF_CODE_FIELD_MISSING = 23,
    TMF_CODE_FIELD_INVALID = 24,
    TMF_CODE_HEADER_INVALID = 26,
    TMF_CODE_QUERY_INVALID = 28,
    TMF_CODE_UNAUTHORIZED = 40,
    TMF_CODE_FORBIDDEN = 50,
    TMF_CODE_NOT_FOUND = 60,
    TMF_CODE_METHOD = 61,
    TMF_CODE_NOT_ACCEPTABLE = 62,
    TMF_CODE_CONFLICT = 63,
    TMF_CODE_TOO_LARGE = 64,
    TMF_CODE_MEDIA_TYPE = 65,
    TMF_CODE_UNSUPPORTED = 66,
    TMF_CODE_UNAVAILABLE = 67,
    TMF_CODE_TIMEOUT = 68,
    TMF_CODE_PRECONDITION = 69
} tmf_code_t;

typedef struct {
    int status; /* HTTP status; 0 = no error */
    tmf_code_t code;
    const char *reason; /* constant, short, for a person */
    char message[512];  /* NUL-terminated, one sentence */
    char pointer[512];  /* RFC 6901 of the offending attribute, or "" */
} tmf_error_t;

/* Fills *e; message by printf rules, cut to fit; pointer may be NULL. */
void tmf_error_set(tmf_error_t *e, int status, tmf_code_t code,
                   const char *reason, const char *pointer, const char *fmt,
                   ...) __attribute__((format(printf, 6, 7)));
/* The body: {"@type":"Error","code":"23","reason":...,"message":...,
 * "status":"400"} and, where known, "pointer" (our extension). */
void tmf_error_body(buf_t *out, const tmf_error_t *e);

#endif
