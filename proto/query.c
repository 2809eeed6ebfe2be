/*
 * The query string, cut at "&", "=" and "," as it came and decoded piece by
 * piece behind that: an encoded delimiter is data.
 */
#include "proto/query.h"

#include "proto/json.h"

#define REASON        "Invalid query-string parameter"
#define SHOWN_MAX     64 /* bytes of a parameter in a message */
#define NUMBER_DIGITS 18 /* always fits a long */

/* Characters of TMF630's operators; none is part of an attribute's name. */
#define OPERATOR_CHARS "<>=!*~;"

#define REFUSE(err, ...)                                           \
    (tmf_error_set(err, 400, TMF_CODE_QUERY_INVALID, REASON, NULL, \
                   __VA_ARGS__),                                   \
     -1)

#define SHOWN(s) \
    (int) ((s).len < SHOWN_MAX ? (s).len : SHOWN_MAX), (s).data ? (s).data : ""

/* One name=value as it came. */
typedef struct {
    str_t name;  /* decoded */
    str_t value; /* raw */
} parameter_t;

static const char *const operator_suffixes[] = {"gt", "gte",   "lt", "lte",
                                                "ne", "regex", NULL};

/* Cuts the part before the first `mark` off *rest; without one, all. */
static str_t
cut(str_t *rest, char mark)
{
    const char *at =
        rest->len > 0 ? memchr(rest->data, mark, rest->len) : NULL;
    str_t part = *rest;

    if (!at) {
        *rest = STR_NONE;
        return part;
    }
    part.len = (size_t) (at - part.data);
    rest->data = at + 1;
    rest->len -= part.len + 1;
    return part;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char) (c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes into q->text, which has room: decoding never makes longer. */
static int
decode(query_t *q, str_t raw, str_t *ret, tmf_error_t *err)
{
    char *out = q->text + q->text_len;
    size_t len = 0;

    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.data[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < raw.len ? hex_value(raw.data[i + 1]) : -1;
            int low = i + 2 < raw.len ? hex_value(raw.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return REFUSE(err, "\"%.*s\" is not percent-encoded",
                              SHOWN(raw));
            }
            c = (char) (high << 4 | low);
            i += 2;
        }
        if (c == '\0') {
            return REFUSE(err, "\"%.*s\" holds a NUL", SHOWN(raw));
        }
        out[len++] = c;
    }
    *ret = (str_t){out, len};
    if (utf8_valid(*ret) != len) {
        return REFUSE(err, "\"%.*s\" is not UTF-8", SHOWN(raw));
    }
    q->text_len += len;
    return 0;
}

static int
refuse_operator(str_t name, tmf_error_t *err)
{
    return REFUSE(err, "in \"%.*s\": only equality (name=value) is supported",
                  SHOWN(name));
}

static bool
has_any(str_t s, const char *chars)
{
    for (; *chars; chars++) {
        if (s.len > 0 && memchr(s.data, *chars, s.len)) {
            return true;
        }
    }
    return false;
}

static int
parse_fields(query_t *q, const parameter_t *p, tmf_error_t *err)
{
    str_t rest = p->value, name;

    while (rest.len > 0) {
        if (decode(q, cut(&rest, ','), &name, err) < 0) {
            return -1;
        }
        if (name.len == 0) {
            continue;
        }
        q->has_fields = true;
        if (str_is(name, "none")) {
            continue;
        }
        if (q->field_count == QUERY_MAX_FIELDS) {
            return REFUSE(err, "more than %d fields", QUERY_MAX_FIELDS);
        }
        q->fields[q->field_count++] = name;
    }
    return 0;
}

/* Not below zero; -1 in *ret has meant "not given". */
static int
parse_number(query_t *q, const parameter_t *p, long *ret, tmf_error_t *err)
{
    str_t text;
    long n = 0;

    if (decode(q, p->value, &text, err) < 0) {
        return -1;
    }
    bool good = text.len > 0 && text.len <= NUMBER_DIGITS;
    for (size_t i = 0; good && i < text.len; i++) {
        good = text.data[i] >= '0' && text.data[i] <= '9';
        n = n * 10 + (text.data[i] - '0');
    }
    if (!good) {
        return REFUSE(err, "%.*s must be an integer of 0 or more",
                      SHOWN(p->name));
    }
    if (*ret >= 0) {
        return REFUSE(err, "%.*s is given twice", SHOWN(p->name));
    }
    *ret = n;
    return 0;
}

/* Fills path and steps; an operator at the path's end is refused, "eq" is
 * taken off. */
static int
parse_path(query_filter_t *f, str_t name, tmf_error_t *err)
{
    str_t rest = name;

    *f = (query_filter_t){.path = name};
    do {
        if (f->step_count == QUERY_MAX_STEPS) {
            return REFUSE(err, "\"%.*s\" has more than %d names", SHOWN(name),
                          QUERY_MAX_STEPS);
        }
        f->steps[f->step_count++] = cut(&rest, '.');
    } while (rest.data);

    for (int i = 0; i < f->step_count; i++) {
        if (f->steps[i].len == 0) {
            return REFUSE(err, "\"%.*s\" has an empty name", SHOWN(name));
        }
    }
    if (f->step_count < 2) {
        return 0;
    }
    str_t last = f->steps[f->step_count - 1];
    for (const char *const *p = operator_suffixes; *p; p++) {
        if (str_is(last, *p)) {
            return refuse_operator(name, err);
        }
    }
    if (str_is(last, "eq")) {
        f->step_count--;
        f->path.len -= last.len + 1;
    }
    return 0;
}

/* The filter of this path: a new one, or that of an earlier parameter. */
static query_filter_t *
filter_for(query_t *q, const query_filter_t *wanted)
{
    for (int i = 0; i < q->filter_count; i++) {
        if (str_eq(q->filters[i].path, wanted->path)) {
            return &q->filters[i];
        }
    }
    if (q->filter_count == QUERY_MAX_FILTERS) {
        return NULL;
    }
    query_filter_t *f = &q->filters[q->filter_count++];
    *f = *wanted;
    f->first_value = q->value_count;
    return f;
}

/* The values of a filter stay together: those behind them move up. */
static void
add_value(query_t *q, query_filter_t *f, str_t value)
{
    int at = f->first_value + f->value_count;

    memmove(&q->values[at + 1], &q->values[at],
            (size_t) (q->value_count - at) * sizeof(q->values[0]));
    q->values[at] = value;
    q->value_count++;
    f->value_count++;
    for (query_filter_t *g = f + 1; g < q->filters + q->filter_count; g++) {
        g->first_value++;
    }
}

static int
parse_filter(query_t *q, const parameter_t *p, tmf_error_t *err)
{
    query_filter_t wanted;
    str_t rest = p->value, value;

    if (parse_path(&wanted, p->name, err) < 0) {
        return -1;
    }
    /* "a=~x" and "a==x" are operators cut in two. */
    if ((rest.len > 0 && strchr("~=", rest.data[0])) || has_any(rest, ";")) {
        return refuse_operator(p->name, err);
    }
    query_filter_t *f = filter_for(q, &wanted);
    if (!f) {
        return REFUSE(err, "more than %d filters", QUERY_MAX_FILTERS);
    }
    do {
        if (q->value_count == QUERY_MAX_VALUES) {
            return REFUSE(err, "more than %d values", QUERY_MAX_VALUES);
        }
        if (decode(q, cut(&rest, ','), &value, err) < 0) {
            return -1;
        }
        if (value.len >= 2 && value.data[0] == '"' &&
            value.data[value.len - 1] == '"') {
            value.data++;
            value.len -= 2;
        }
        add_value(q, f, value);
    } while (rest.data);
    return 0;
}

static int
parse_offset(query_t *q, const parameter_t *p, tmf_error_t *err)
{
    return parse_number(q, p, &q->offset, err);
}

static int
parse_limit(query_t *q, const parameter_t *p, tmf_error_t *err)
{
    return parse_number(q, p, &q->limit, err);
}

static int
refuse_reserved(query_t *q, const parameter_t *p, tmf_error_t *err)
{
    (void) q;
    return REFUSE(err, "%.*s is not supported", SHOWN(p->name));
}

/* Names that are not filters. */
static const struct {
    const char *name;
    int (*parse)(query_t *q, const parameter_t *p, tmf_error_t *err);
} reserved[] = {
    {"fields", parse_fields},    {"offset", parse_offset},
    {"limit", parse_limit},      {"sort", refuse_reserved},
    {"filter", refuse_reserved},
};

static int
parse_parameter(query_t *q, str_t piece, tmf_error_t *err)
{
    parameter_t p;
    str_t rest = piece;
    size_t rows = sizeof(reserved) / sizeof(reserved[0]);

    if (decode(q, cut(&rest, '='), &p.name, err) < 0) {
        return -1;
    }
    p.value = rest;
    if (has_any(p.name, OPERATOR_CHARS)) {
        return refuse_operator(p.name, err);
    }
    if (!rest.data) {
        return REFUSE(err, "\"%.*s\" has no \"=\"", SHOWN(p.name));
    }
    for (size_t i = 0; i < rows; i++) {
        if (str_is(p.name, reserved[i].name)) {
            return reserved[i].parse(q, &p, err);
        }
    }
    return parse_filter(q, &p, err);
}

int
query_parse(query_t *q, str_t raw, tmf_error_t *err)
{
    q->field_count = 0;
    q->has_fields = false;
    q->offset = -1;
    q->limit = -1;
    q->filter_count = 0;
    q->value_count = 0;
    q->text_len = 0;
    if (raw.len > QUERY_MAX_BYTES) {
        return REFUSE(err, "the query is longer than %d bytes",
                      QUERY_MAX_BYTES);
    }
    while (raw.len > 0) {
        str_t piece = cut(&raw, '&');
        if (piece.len > 0 && parse_parameter(q, piece, err) < 0) {
            return -1;
        }
    }
    if (q->offset < 0) {
        q->offset = 0;
    }
    return 0;
}

bool
query_wants(const query_t *q, str_t name)
{
    if (!q->has_fields || str_is(name, "id") || str_is(name, "href")) {
        return true;
    }
    for (int i = 0; i < q->field_count; i++) {
        str_t rest = q->fields[i];
        if (str_eq(cut(&rest, '.'), name)) {
            return true;
        }
    }
    return false;
}
