/*
 * Query strings: every slice lies in the text and is UTF-8, the values of
 * the filters do not overlap, no condition and no sort key comes twice, and a
 * refusal is a 400.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/json.h"
#include "proto/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_slice(const query_t *q, str_t s)
{
    if (s.data < q->text || s.data + s.len > q->text + q->text_len ||
        utf8_valid(s) != s.len || (s.len > 0 && memchr(s.data, 0, s.len))) {
        abort();
    }
}

static void
check_filters(const query_t *q)
{
    int values = 0;

    for (int i = 0; i < q->filter_count; i++) {
        const query_filter_t *f = &q->filters[i];
        if (f->first_value != values || f->value_count < 1 ||
            f->step_count < 1 || f->step_count > QUERY_MAX_STEPS) {
            abort();
        }
        values += f->value_count;
        check_slice(q, f->path);
        for (int j = 0; j < f->step_count; j++) {
            check_slice(q, f->steps[j]);
            if (f->steps[j].len == 0) {
                abort();
            }
        }
        for (int j = 0; j < i; j++) {
            if (f->op == q->filters[j].op &&
                str_eq(f->path, q->filters[j].path)) {
                abort();
            }
        }
    }
    if (values != q->value_count || (q->any && q->filter_count < 2)) {
        abort();
    }
    for (int i = 0; i < values; i++) {
        check_slice(q, q->values[i]);
    }
}

static void
check_sorts(const query_t *q)
{
    for (int i = 0; i < q->sort_count; i++) {
        check_slice(q, q->sorts[i].path);
        if (q->sorts[i].path.len == 0) {
            abort();
        }
        for (int j = 0; j < i; j++) {
            if (str_eq(q->sorts[i].path, q->sorts[j].path)) {
                abort();
            }
        }
    }
}

/* Printed and parsed again, what was parsed prints the same. */
static void
check_printed(const query_t *q)
{
    static query_t again;
    tmf_error_t err;
    buf_t text, second;

    buf_init(&text, 16 * QUERY_MAX_BYTES);
    buf_init(&second, 16 * QUERY_MAX_BYTES);
    query_print(&text, q, q->offset, q->limit);
    if (text.len <= QUERY_MAX_BYTES) {
        if (query_parse(&again, buf_view(&text), &err) < 0) {
            abort();
        }
        query_print(&second, &again, again.offset, again.limit);
        if (buf_failed(&text) || again.any != q->any ||
            !str_eq(buf_view(&text), buf_view(&second))) {
            abort();
        }
    }
    buf_free(&text);
    buf_free(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static query_t q;
    tmf_error_t err = {0};
    str_t raw = {(const char *) data, size};

    if (query_parse(&q, raw, &err) < 0) {
        if ((err.status != 400 && err.status != 501) ||
            err.message[0] == '\0') {
            abort();
        }
        return 0;
    }
    if (q.offset < 0 || q.limit < -1 || (q.field_count > 0 && !q.has_fields) ||
        !query_wants(&q, STR("id"))) {
        abort();
    }
    for (int i = 0; i < q.field_count; i++) {
        check_slice(&q, q.fields[i]);
    }
    check_filters(&q);
    check_sorts(&q);
    check_printed(&q);
    return 0;
}
