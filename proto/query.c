/*
 * The query string, cut at "&", "=" and "," as it came and decoded piece by
 * piece behind that: an encoded delimiter is data.
 */
#include "proto/query.h"

#include "proto/json.h"
#include "proto/pattern.h"

#define REASON        "Invalid query-string parameter"
#define SHOWN_MAX     64 /* bytes of a parameter in a message */
#define NUMBER_DIGITS 18 /* always fits a long */

/* Characters of TMF630's operators; none is part of an attribute's name. */
#define OPERATOR_CHARS "<>=!*~"

#define REFUSE(err, ...)                                           \
    (tmf_error_set(err, 400, TMF_CODE_QUERY_INVALID, REASON, NULL, \
                   __VA_ARGS__),                                   \
     -1)

#define SHOWN(s) \
    (int) ((s).len < SHOWN_MAX ? (s).len : SHOWN_MAX), (s).data ? (s).data : ""

/* One name=value as it came. */
typedef struct {
    str_t name;    /* decoded */
    str_t value;   /* raw */
    query_op_t op; /* of the sign between them */
    bool is_sign;  /* it was another than "=" */
} parameter_t;

/* Last names of a path that are its operator. */
static const struct {
    const char *name;
    query_op_t op;
} suffixes[] = {
    {"eq", QUERY_EQ},       {"ne", QUERY_NE}, {"gt", QUERY_GT},
    {"gte", QUERY_GTE},     {"lt", QUERY_LT}, {"lte", QUERY_LTE},
    {"regex", QUERY_REGEX},
};

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
    return REFUSE(err,
                  "in \"%.*s\": the operators are .eq .ne .gt .gte .lt .lte "
                  ".regex and = == > >= < <= *= =~",
                  SHOWN(name));
}

/* The character there, percent-encoded or not; how many bytes it takes, 0
 * behind the end. */
static size_t
peek(str_t raw, size_t at, char *ret)
{
    int high = at + 2 < raw.len ? hex_value(raw.data[at + 1]) : -1;
    int low = at + 2 < raw.len ? hex_value(raw.data[at + 2]) : -1;

    *ret = '\0';
    if (at >= raw.len) {
        return 0;
    }
    *ret = raw.data[at];
    if (*ret != '%' || high < 0 || low < 0) {
        return 1;
    }
    *ret = (char) (high << 4 | low);
    return 3;
}

/* Where the first operator begins, or raw.len. */
static size_t
find_operator(str_t raw)
{
    size_t at = 0, n;
    char c;

    while ((n = peek(raw, at, &c)) > 0) {
        if (c && strchr(OPERATOR_CHARS, c)) {
            break;
        }
        at += n;
    }
    return at;
}

/*
 * The sign at the front of *raw, which goes on behind it. What is encoded
 * behind a plain "=" is the value's; behind all else it belongs to the sign.
 * false: no sign that is known here.
 */
static bool
take_sign(str_t *raw, parameter_t *p)
{
    char c, next;
    size_t n = peek(*raw, 0, &c);
    size_t m = peek(*raw, n, &next);
    bool is_plain = c == '=' && n == 1;
    bool is_two = !is_plain || m == 1;
    bool is_equal = next == '=' && is_two;
    bool is_match = next == (c == '*' ? '=' : '~') && is_two;

    if ((c == '*' || c == '=') && is_match) {
        p->op = QUERY_REGEX;
    } else if (c == '>') {
        p->op = is_equal ? QUERY_GTE : QUERY_GT;
    } else if (c == '<') {
        p->op = is_equal ? QUERY_LTE : QUERY_LT;
    } else if (c == '=' && (is_plain || is_equal)) {
        p->op = QUERY_EQ;
    } else {
        return false;
    }
    p->is_sign = !is_plain || is_equal || p->op == QUERY_REGEX;
    n += is_equal || p->op == QUERY_REGEX ? m : 0;
    raw->data += n;
    raw->len -= n;
    return true;
}

/* name, sign and value; the value's data is not NULL. */
static int
split(query_t *q, str_t piece, parameter_t *p, tmf_error_t *err)
{
    size_t at = find_operator(piece);

    if (decode(q, (str_t){piece.data, at}, &p->name, err) < 0) {
        return -1;
    }
    if (at == piece.len) {
        return REFUSE(err, "\"%.*s\" has no \"=\"", SHOWN(p->name));
    }
    p->value = (str_t){piece.data + at, piece.len - at};
    if ((p->name.len > 0 && memchr(p->name.data, ';', p->name.len)) ||
        !take_sign(&p->value, p)) {
        return refuse_operator(p->name, err);
    }
    return 0;
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

static int
add_sort(query_t *q, str_t name, tmf_error_t *err)
{
    query_sort_t s = {name, false};

    /* A "+" as it is has become a blank. */
    if (name.len > 0 && strchr("+- ", name.data[0])) {
        s.descending = name.data[0] == '-';
        s.path.data++;
        s.path.len--;
    }
    if (s.path.len == 0) {
        return REFUSE(err, "sort has an empty name");
    }
    for (int i = 0; i < q->sort_count; i++) {
        if (str_eq(q->sorts[i].path, s.path)) {
            return REFUSE(err, "sort names \"%.*s\" twice", SHOWN(s.path));
        }
    }
    if (q->sort_count == QUERY_MAX_SORTS) {
        return REFUSE(err, "sort has more than %d names", QUERY_MAX_SORTS);
    }
    q->sorts[q->sort_count++] = s;
    return 0;
}

static int
parse_sort(query_t *q, const parameter_t *p, tmf_error_t *err)
{
    str_t rest = p->value, name;

    if (q->sort_count > 0) {
        return REFUSE(err, "sort is given twice");
    }
    do {
        if (decode(q, cut(&rest, ','), &name, err) < 0 ||
            add_sort(q, name, err) < 0) {
            return -1;
        }
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

/* TMF630 has it as an option: 501 where it is not taken. */
static int
refuse_jsonpath(query_t *q, const parameter_t *p, tmf_error_t *err)
{
    (void) q;
    tmf_error_set(err, 501, TMF_CODE_UNSUPPORTED, "Not implemented", NULL,
                  "%.*s (JSONPath) is not supported: write conditions as "
                  "path=value",
                  SHOWN(p->name));
    return -1;
}

typedef int (*parse_fn)(query_t *q, const parameter_t *p, tmf_error_t *err);

/* Names that are not filters. */
static const struct {
    const char *name;
    parse_fn parse;
} reserved[] = {
    {"fields", parse_fields},    {"offset", parse_offset},
    {"limit", parse_limit},      {"sort", parse_sort},
    {"filter", refuse_jsonpath},
};

/* NULL: a filter's name. */
static parse_fn
find_reserved(str_t name)
{
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (str_is(name, reserved[i].name)) {
            return reserved[i].parse;
        }
    }
    return NULL;
}

/* Takes an operator off the path's end. */
static int
take_suffix(query_filter_t *f, const parameter_t *p, tmf_error_t *err)
{
    str_t last = f->steps[f->step_count - 1];

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (!str_is(last, suffixes[i].name)) {
            continue;
        }
        if (p->is_sign) {
            return REFUSE(err, "\"%.*s\" has two operators", SHOWN(p->name));
        }
        f->op = suffixes[i].op;
        f->step_count--;
        f->path.len -= last.len + 1;
        return 0;
    }
    return 0;
}

/* Fills operator, path and steps. */
static int
parse_path(query_filter_t *f, const parameter_t *p, tmf_error_t *err)
{
    str_t name = p->name, rest = name;

    *f = (query_filter_t){.path = name, .op = p->op};
    do {
        f->steps[f->step_count++] = cut(&rest, '.');
    } while (rest.data && f->step_count <= QUERY_MAX_STEPS);

    for (int i = 0; i < f->step_count; i++) {
        if (f->steps[i].len == 0) {
            return REFUSE(err, "\"%.*s\" has an empty name", SHOWN(name));
        }
    }
    if (!rest.data && f->step_count > 1 && take_suffix(f, p, err) < 0) {
        return -1;
    }
    if (f->step_count > QUERY_MAX_STEPS) {
        return REFUSE(err, "\"%.*s\" has more than %d names", SHOWN(name),
                      QUERY_MAX_STEPS);
    }
    if (find_reserved(f->path)) {
        return REFUSE(err, "%.*s takes no operator", SHOWN(f->path));
    }
    return 0;
}

static bool
is_same(const query_filter_t *f, const query_filter_t *g)
{
    return f->op == g->op && str_eq(f->path, g->path);
}

/* The filter of this path and operator: a new one, or that of an earlier
 * parameter. */
static query_filter_t *
filter_for(query_t *q, const query_filter_t *wanted)
{
    for (int i = 0; i < q->filter_count; i++) {
        if (is_same(&q->filters[i], wanted)) {
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
check_value(const query_filter_t *f, str_t value, tmf_error_t *err)
{
    const char *wrong = f->op == QUERY_REGEX ? pattern_check(value) : NULL;

    return wrong ? REFUSE(err, "the expression \"%.*s\" of %.*s %s",
                          SHOWN(value), SHOWN(f->path), wrong)
                 : 0;
}

/* Values with "," between them. */
static int
add_values(query_t *q, query_filter_t *f, str_t rest, tmf_error_t *err)
{
    str_t value;

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
        if (check_value(f, value, err) < 0) {
            return -1;
        }
        add_value(q, f, value);
    } while (rest.data);
    return 0;
}

/* A condition: its filter in *ret, which then takes values. */
static int
parse_condition(query_t *q, const parameter_t *p, query_filter_t **ret,
                tmf_error_t *err)
{
    query_filter_t wanted;

    if (parse_path(&wanted, p, err) < 0) {
        return -1;
    }
    *ret = filter_for(q, &wanted);
    return *ret ? 0 : REFUSE(err, "more than %d filters", QUERY_MAX_FILTERS);
}

/* What stands behind a ";": another condition, or one more value for the one
 * before it, *f. */
static int
parse_alternative(query_t *q, str_t part, query_filter_t **f, tmf_error_t *err)
{
    parameter_t p = {.value = part};

    if (find_operator(part) < part.len) {
        if (split(q, part, &p, err) < 0 ||
            parse_condition(q, &p, f, err) < 0) {
            return -1;
        }
        q->any = true;
    }
    return add_values(q, *f, p.value, err);
}

static int
parse_filter(query_t *q, const parameter_t *p, tmf_error_t *err)
{
    str_t rest = p->value;
    query_filter_t *f;

    q->parameters++;
    if (parse_condition(q, p, &f, err) < 0 ||
        add_values(q, f, cut(&rest, ';'), err) < 0) {
        return -1;
    }
    while (rest.data) {
        if (parse_alternative(q, cut(&rest, ';'), &f, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
parse_parameter(query_t *q, str_t piece, tmf_error_t *err)
{
    parameter_t p;

    if (split(q, piece, &p, err) < 0) {
        return -1;
    }
    parse_fn parse = find_reserved(p.name);
    if (!parse) {
        return parse_filter(q, &p, err);
    }
    if (p.is_sign) {
        return REFUSE(err, "%.*s takes no operator", SHOWN(p.name));
    }
    return parse(q, &p, err);
}

int
query_parse(query_t *q, str_t raw, tmf_error_t *err)
{
    q->field_count = 0;
    q->has_fields = false;
    q->offset = -1;
    q->limit = -1;
    q->sort_count = 0;
    q->filter_count = 0;
    q->any = false;
    q->parameters = 0;
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
    if (q->any && q->filter_count > 1 && q->parameters > 1) {
        return REFUSE(err, "\";\" and \"&\" between conditions are ambiguous: "
                           "write a=x,y for either value");
    }
    q->has_offset = q->offset >= 0;
    q->any = q->any && q->filter_count > 1;
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
