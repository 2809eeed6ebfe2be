/*
 * Answers of HTTP servers: the verdict does not depend on where the bytes are
 * cut. The first byte tells whether it answers a HEAD request ('H') and, with
 * the second, where it is cut; the rest is what the server says.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "backend/southbound/http_parse.h"

#define BODY_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    http_parse_t parse;
    http_verdict_t verdict;
    size_t left;
} run_t;

static uint32_t
next(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 16;
}

/* Pieces of 1 to most bytes, each in memory of its own. */
static void
run(run_t *r, const uint8_t *data, size_t size, bool head, size_t most,
    uint32_t seed)
{
    size_t at = 0;

    http_parse_init(&r->parse, BODY_MAX);
    http_parse_begin(&r->parse, head);
    r->verdict = HTTP_MORE;
    while (at < size && r->verdict == HTTP_MORE) {
        size_t n = most < size ? 1 + next(&seed) % most : size, used;
        char *piece;

        n = n < size - at ? n : size - at;
        piece = malloc(n);
        if (piece == NULL) {
            abort();
        }
        memcpy(piece, data + at, n);
        r->verdict = http_parse_feed(&r->parse, piece, n, &used);
        free(piece);
        if (used > n || (used < n && r->verdict != HTTP_DONE)) {
            abort();
        }
        at += used;
    }
    r->left = size - at;
    if (r->verdict == HTTP_MORE) {
        r->verdict = http_parse_end(&r->parse);
    }
}

static void
check(const http_parse_t *p, http_verdict_t v)
{
    if (v == HTTP_MORE || (v == HTTP_BAD) != (p->error != NULL) ||
        (v == HTTP_BAD) != (p->status == 0) ||
        (v == HTTP_DONE && (p->status < 200 || p->status > 999)) ||
        (v == HTTP_BAD && p->keep) || p->body.len > BODY_MAX) {
        abort();
    }
    for (size_t i = 0; v == HTTP_DONE && i < p->location.len; i++) {
        unsigned char c = (unsigned char) p->location.data[i];

        if ((c < ' ' && c != '\t') || c == 127) {
            abort();
        }
    }
}

static void
compare(const run_t *a, const run_t *b)
{
    if (a->verdict != b->verdict) {
        abort();
    }
    if (a->verdict == HTTP_BAD) {
        if (strcmp(a->parse.error, b->parse.error) != 0) {
            abort();
        }
        return;
    }
    if (a->left != b->left || a->parse.status != b->parse.status ||
        a->parse.keep != b->parse.keep ||
        !str_eq(buf_view(&a->parse.body), buf_view(&b->parse.body)) ||
        !str_eq(buf_view(&a->parse.location), buf_view(&b->parse.location)) ||
        !str_eq(buf_view(&a->parse.retry_after),
                buf_view(&b->parse.retry_after))) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_t whole, bytes, cut;
    bool head;

    if (size < 2) {
        return 0;
    }
    head = data[0] == 'H';
    run(&whole, data + 2, size - 2, head, size, 0);
    run(&bytes, data + 2, size - 2, head, 1, 0);
    run(&cut, data + 2, size - 2, head, 1 + data[1],
        (uint32_t) data[0] << 8 | data[1]);
    check(&whole.parse, whole.verdict);
    compare(&whole, &bytes);
    compare(&whole, &cut);
    http_parse_free(&whole.parse);
    http_parse_free(&bytes.parse);
    http_parse_free(&cut.parse);
    return 0;
}
