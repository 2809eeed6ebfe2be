/*
 * The two ways a call can go, behind http.h: plain.c, our own, and curl.c.
 * Each answers from the loop only and may be closed from inside an answer.
 * A request has been judged when it comes here, and its defaults are filled
 * in: content type and time-outs are there.
 */
#ifndef TURNUP_SOUTHBOUND_HTTP_PATH_H
#define TURNUP_SOUTHBOUND_HTTP_PATH_H

#include "backend/southbound/http.h"

/* Every call begins with this. */
struct http_call {
    void (*cancel)(http_call_t *c);
};

static inline int
http_header_count(const http_request_t *r)
{
    int n = 0;

    while (n < HTTP_MAX_HEADERS && r->headers[n] != NULL) {
        n++;
    }
    return n;
}

/* What both ways ask before they connect. */
bool http_may_connect(const http_options_t *o, const struct sockaddr *sa);
/* Bytes of all that the caller gave: method, URL, content type, headers,
 * body. At most HTTP_MAX_REQUEST. */
size_t http_request_bytes(const http_request_t *r);
/* One of the caller's headers has this name. */
bool http_has_header(const http_request_t *r, const char *name);
/* Seconds or a date (RFC 9110, 10.2.3) as seconds from now; -1: neither, or
 * value is NULL. */
long http_retry_after(const char *value);

typedef struct {
    str_t host;      /* without brackets */
    str_t authority; /* as a Host header has it */
    char port[6];
    str_t path; /* with the query; empty: "/" */
} http_target_t;

typedef struct plain plain_t;

plain_t *plain_open(struct event_base *base, const http_options_t *o);
void plain_close(plain_t *p);
http_call_t *plain_send(plain_t *p, const http_request_t *r,
                        const http_target_t *target, http_answer_fn fn,
                        void *ctx);
/* Answers with an error, soon. It is copied. */
http_call_t *plain_refuse(plain_t *p, const char *error, http_answer_fn fn,
                          void *ctx);
int plain_in_flight(const plain_t *p);

typedef struct curl_path curl_path_t;

curl_path_t *curl_path_open(struct event_base *base, const http_options_t *o);
void curl_path_close(curl_path_t *h);
http_call_t *curl_path_send(curl_path_t *h, const http_request_t *r,
                            http_answer_fn fn, void *ctx);
int curl_path_in_flight(const curl_path_t *h);

#endif
