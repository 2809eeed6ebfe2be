/*
 * The order that is posted: a text in which {{n}} stands for a running
 * number.
 */
#ifndef TURNUP_T_BENCH_TEMPLATE_H
#define TURNUP_T_BENCH_TEMPLATE_H

#include "proto/buf.h"

#define TEMPLATE_MAX    1048576 /* bytes of the text */
#define TEMPLATE_PIECES 65      /* one more than {{n}} may stand there */

typedef struct {
    char *text;
    str_t pieces[TEMPLATE_PIECES];
    int count;
    size_t fixed; /* bytes of all pieces */
} template_t;

/* file NULL: an order of about 1.2 KB for Bench.Service. 0, or -1 with a
 * constant reason. */
int template_open(template_t *t, const char *file, const char **ret_why);
void template_close(template_t *t);

/* The head lines up to and with the empty one are head, Content-Length and
 * its end; then the body. */
void template_request(const template_t *t, buf_t *out, str_t head,
                      unsigned long long n);

#endif
