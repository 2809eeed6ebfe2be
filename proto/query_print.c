/*
 * A parsed query as text again, every character encoded that might be taken
 * for something else.
 */
#include "proto/query.h"

static const char *const suffixes[] = {
    [QUERY_EQ] = ".eq",       [QUERY_NE] = ".ne", [QUERY_GT] = ".gt",
    [QUERY_GTE] = ".gte",     [QUERY_LT] = ".lt", [QUERY_LTE] = ".lte",
    [QUERY_REGEX] = ".regex",
};

/* "&" unless it is the first. */
static void
next_parameter(buf_t *out, size_t start)
{
    if (out->len > start) {
        buf_char(out, '&');
    }
}

/* Behind a "=", which a "~" would make another sign. */
static void
print_text(buf_t *out, str_t text)
{
    if (text.len > 0 && text.data[0] == '~') {
        buf_puts(out, "%7E");
        text.data++;
        text.len--;
    }
    buf_url(out, text);
}

static void
print_fields(buf_t *out, const query_t *q)
{
    buf_puts(out, "fields=");
    if (q->field_count == 0) {
        buf_puts(out, "none");
    }
    for (int i = 0; i < q->field_count; i++) {
        if (i > 0) {
            buf_char(out, ',');
        }
        print_text(out, q->fields[i]);
    }
}

static void
print_sorts(buf_t *out, const query_t *q)
{
    buf_puts(out, "sort=");
    for (int i = 0; i < q->sort_count; i++) {
        const query_sort_t *s = &q->sorts[i];

        if (i > 0) {
            buf_char(out, ',');
        }
        buf_puts(out, s->descending ? "-" : "%2B");
        buf_url(out, s->path);
    }
}

/* One pair of quotes is taken off. */
static void
print_value(buf_t *out, str_t value)
{
    bool quoted = value.len >= 2 && value.data[0] == '"' &&
                  value.data[value.len - 1] == '"';

    buf_puts(out, quoted ? "%22" : "");
    print_text(out, value);
    buf_puts(out, quoted ? "%22" : "");
}

/* The operator is always named: a path may end like one. */
static void
print_filter(buf_t *out, const query_t *q, const query_filter_t *f)
{
    buf_url(out, f->path);
    buf_puts(out, suffixes[f->op]);
    buf_char(out, '=');
    for (int i = 0; i < f->value_count; i++) {
        if (i > 0) {
            buf_char(out, ',');
        }
        print_value(out, q->values[f->first_value + i]);
    }
}

static void
print_filters(buf_t *out, const query_t *q, size_t start)
{
    for (int i = 0; i < q->filter_count; i++) {
        if (i > 0 && q->any) {
            buf_char(out, ';');
        } else {
            next_parameter(out, start);
        }
        print_filter(out, q, &q->filters[i]);
    }
}

void
query_print(buf_t *out, const query_t *q, long offset, long limit)
{
    size_t start = out->len;

    if (q->has_fields) {
        print_fields(out, q);
    }
    if (q->sort_count > 0) {
        next_parameter(out, start);
        print_sorts(out, q);
    }
    print_filters(out, q, start);
    if (offset >= 0) {
        next_parameter(out, start);
        buf_printf(out, "offset=%ld", offset);
    }
    if (limit >= 0) {
        next_parameter(out, start);
        buf_printf(out, "limit=%ld", limit);
    }
}
