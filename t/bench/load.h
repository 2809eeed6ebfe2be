/*
 * turnup-load's three kinds of load, and what they share.
 */
#ifndef TURNUP_T_BENCH_LOAD_H
#define TURNUP_T_BENCH_LOAD_H

#include "t/common/http_client.h"

#define LOAD_API        "/tmf-api/serviceOrdering/v4"
#define LOAD_IDS_MAX    100000 /* ids written or read */
#define LOAD_TIMEOUT_MS 30000  /* one request */
#define LOAD_PAUSE_MS   10     /* after an answer that is an error */

/* Exit codes. */
enum {
    LOAD_OK = 0,
    LOAD_INCOMPLETE = 1, /* an accepted order did not complete */
    LOAD_UNABLE = 2      /* nothing could be measured */
};

typedef struct {
    http_url_t url; /* .path: what stands before /tmf-api, or "" */
    long connections;
    double seconds;
    const char *body_file; /* NULL: the built-in order */
    const char *ids_file;  /* NULL: none */
    long window;           /* orders not yet completed */
    double rate;           /* orders a second, 0: as fast as window allows */
    long listen;           /* port for notifications */
    double drain;          /* seconds */
} load_options_t;

/* Each runs to its end, prints one line of JSON and returns an exit code;
 * what keeps it from running goes to standard error. */
int load_post(const load_options_t *o);
int load_get(const load_options_t *o);
int load_life(const load_options_t *o);

/* Answers that are no success, by status; [0]: no answer. */
#define LOAD_STATUSES 600
typedef struct {
    unsigned long count[LOAD_STATUSES];
} load_errors_t;

void load_errors_add(load_errors_t *e, const http_message_t *reply);
/* {"503":7,"connection":1} */
void load_errors_print(const load_errors_t *e);

/* "METHOD <path>" with Host, and for a body its type; without the last line
 * ends where the length goes (a body), else complete. */
void load_put_head(buf_t *out, const load_options_t *o, const char *method,
                   const char *path, bool has_body);
/* The first number of a run: larger than any of an earlier run. */
unsigned long long load_first_number(void);

#endif
