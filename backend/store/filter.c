/*
 * Conditions: a table of columns for what has one, jsonpath for the rest.
 */
#include "backend/store/filter.h"

#include "backend/base/json.h"

#define REASON    "Invalid query-string parameter"
#define SHOWN_MAX 64 /* bytes of a path in a message */

/* A path of QUERY_MAX_BYTES with every byte escaped, and the conditions. */
#define JSONPATH_MAX 65536

#define REFUSE(err, ...)                                           \
    (tmf_error_set(err, 400, TMF_CODE_QUERY_INVALID, REASON, NULL, \
                   __VA_ARGS__),                                   \
     false)

#define SHOWN(s) \
    (int) ((s).len < SHOWN_MAX ? (s).len : SHOWN_MAX), (s).data ? (s).data : ""

typedef struct {
    buf_t *sql;
    pg_params_t *params;
    const query_t *query;
    const filter_list_t *list;
} writer_t;

/* QUERY_NE is written as the opposite of QUERY_EQ. */
static const struct {
    const char *sql, *jsonpath;
} signs[] = {
    [QUERY_EQ] = {"=", "=="}, [QUERY_NE] = {"=", "=="},
    [QUERY_GT] = {">", ">"},  [QUERY_GTE] = {">=", ">="},
    [QUERY_LT] = {"<", "<"},  [QUERY_LTE] = {"<=", "<="},
};

static bool
is_equality(query_op_t op)
{
    return op == QUERY_EQ || op == QUERY_NE;
}

static bool
is_ordering(query_op_t op)
{
    return !is_equality(op) && op != QUERY_REGEX;
}

static str_t
value_at(const writer_t *w, const query_filter_t *f, int i)
{
    return w->query->values[f->first_value + i];
}

/* The number of the parameter that takes the value: $n. */
static int
add_param(const writer_t *w, str_t value)
{
    /* An empty slice may have no data, which would be a null. */
    pg_add_text(w->params, value.len > 0 ? value : STR(""));
    return w->params->n;
}

/* Where the index is on something else, that. */
static const char *
equal_sql(const writer_t *w, const filter_column_t *c, str_t value)
{
    const filter_index_t *index = filter_index(w->list, str_of(c->path));

    return index && index->sql ? index->sql(value) : c->sql;
}

/* Regular expressions go by the database's own collation: in "C" no letter
 * but ASCII's is one. */
static void
put_text(const writer_t *w, const filter_column_t *c, query_op_t op,
         str_t value)
{
    int n = add_param(w, value);

    if (is_equality(op)) {
        buf_printf(w->sql, "%s = $%d::text", equal_sql(w, c, value), n);
    } else if (op == QUERY_REGEX) {
        buf_printf(w->sql, "%s COLLATE \"default\" ~ $%d::text", c->sql, n);
    } else {
        buf_printf(w->sql, "%s COLLATE \"C\" %s $%d::text", c->sql,
                   signs[op].sql, n);
    }
}

static void
put_uuid(const writer_t *w, const filter_column_t *c, query_op_t op,
         str_t value)
{
    uuid_t u;

    (void) op; /* uuids have no order here */
    if (!uuid_parse(value, &u)) {
        buf_puts(w->sql, "false");
        return;
    }
    buf_printf(w->sql, "%s = $%d::uuid", c->sql, add_param(w, value));
}

/*
 * Times are shown in milliseconds. A finer one is equal to none of them; it
 * is behind the one it begins with and before the next. The column stands
 * alone on its side, for an index: what is shown as t lies from t to the next
 * millisecond.
 */
static void
put_time(const writer_t *w, const filter_column_t *c, query_op_t op,
         str_t value)
{
    static const char next[] = "::timestamptz + interval '1 ms'";
    char text[32];
    long long us;

    if (!rfc3339_parse(value, &us) || (!is_ordering(op) && us % 1000 != 0)) {
        buf_puts(w->sql, "false");
        return;
    }
    if (us % 1000 != 0) {
        op = op == QUERY_GT || op == QUERY_GTE ? QUERY_GT : QUERY_LTE;
    }
    rfc3339_print(us, text);
    int n = add_param(w, str_of(text));
    switch (op) {
    case QUERY_GT:
        buf_printf(w->sql, "%s >= $%d%s", c->sql, n, next);
        break;
    case QUERY_GTE:
        buf_printf(w->sql, "%s >= $%d::timestamptz", c->sql, n);
        break;
    case QUERY_LT:
        buf_printf(w->sql, "%s < $%d::timestamptz", c->sql, n);
        break;
    case QUERY_LTE:
        buf_printf(w->sql, "%s < $%d%s", c->sql, n, next);
        break;
    default:
        buf_printf(w->sql, "(%s >= $%d::timestamptz AND %s < $%d%s)", c->sql,
                   n, c->sql, n, next);
        break;
    }
}

/* The values of a filter, any of which may match. */
static void
put_any(const writer_t *w, const query_filter_t *f, const filter_column_t *c,
        void (*put)(const writer_t *w, const filter_column_t *c, query_op_t op,
                    str_t value))
{
    for (int i = 0; i < f->value_count; i++) {
        if (i > 0) {
            buf_puts(w->sql, " OR ");
        }
        put(w, c, f->op, value_at(w, f, i));
    }
}

/* Parameters for all values; the first one's number. */
static int
add_values(const writer_t *w, const query_filter_t *f)
{
    int first = w->params->n + 1;

    for (int i = 0; i < f->value_count; i++) {
        add_param(w, value_at(w, f, i));
    }
    return first;
}

static void
put_array(const writer_t *w, const query_filter_t *f, int first)
{
    buf_puts(w->sql, "ARRAY[");
    for (int i = 0; i < f->value_count; i++) {
        buf_printf(w->sql, "%s$%d::text", i > 0 ? ", " : "", first + i);
    }
    buf_puts(w->sql, "]");
}

/* The pattern with ARRAY[...] in place of each %s. */
static void
put_exists(const writer_t *w, const query_filter_t *f,
           const filter_column_t *c)
{
    int first = add_values(w, f);
    const char *rest = c->sql, *mark;

    while ((mark = strstr(rest, "%s")) != NULL) {
        buf_put(w->sql, rest, (size_t) (mark - rest));
        put_array(w, f, first);
        rest = mark + 2;
    }
    buf_puts(w->sql, rest);
}

static void
put_overlap(const writer_t *w, const query_filter_t *f,
            const filter_column_t *c)
{
    buf_printf(w->sql, "%s && ", c->sql);
    put_array(w, f, add_values(w, f));
}

/* What a value spells beside a string: a number, true, false or null. */
static const json_t *
spelt(const writer_t *w, str_t value)
{
    const json_t *v = json_parse(w->params->arena, value, NULL);
    bool scalar = v && (v->type == JSON_NUMBER || v->type == JSON_BOOL ||
                        v->type == JSON_NULL);

    return scalar && v->raw.len == value.len ? v : NULL;
}

static void
put_condition(buf_t *path, buf_t *vars, const char *what, query_op_t op,
              char kind, int i, str_t raw)
{
    if (vars->len > 1) {
        buf_puts(path, " || ");
    }
    buf_printf(path, "%s %s $%c%d", what, signs[op].jsonpath, kind, i);
    json_comma(vars);
    buf_printf(vars, "\"%c%d\":", kind, i);
    buf_str(vars, raw);
}

/*
 * Greater or less than this number? Then a text that spells one counts as that
 * number, as characteristics are often given so; but not where the schema has
 * a text.
 */
static bool
orders_numbers(const writer_t *w, const query_filter_t *f, const json_t *v)
{
    attr_type_t type = schema_type(w->list->schema, f->steps, f->step_count);

    return is_ordering(f->op) && v && v->type == JSON_NUMBER &&
           type != ATTR_STRING && type != ATTR_URI;
}

/* $."a"."b"; jsonpath takes names as JSON strings. */
static void
write_steps(const query_filter_t *f, buf_t *path)
{
    buf_char(path, '$');
    for (int i = 0; i < f->step_count; i++) {
        buf_char(path, '.');
        buf_json(path, f->steps[i]);
    }
}

/*
 * path: $."a"."b" ? (@ == $s0 || @ == $v0 ...), lax, so that arrays on the
 * way are opened. vars: {"s0":"100","v0":100}.
 */
static void
write_jsonpath(const writer_t *w, const query_filter_t *f, buf_t *path,
               buf_t *vars, buf_t *text)
{
    write_steps(f, path);
    buf_puts(path, " ? (");
    buf_char(vars, '{');
    for (int i = 0; i < f->value_count; i++) {
        str_t value = value_at(w, f, i);
        const json_t *v = spelt(w, value);

        if (orders_numbers(w, f, v)) {
            put_condition(path, vars, "@.double()", f->op, 'v', i, v->raw);
            continue;
        }
        buf_reset(text);
        buf_json(text, value);
        put_condition(path, vars, "@", f->op, 's', i, buf_view(text));
        if (v && !is_ordering(f->op)) {
            put_condition(path, vars, "@", f->op, 'v', i, v->raw);
        }
    }
    buf_char(path, ')');
    buf_char(vars, '}');
}

static void
put_document(const writer_t *w, const query_filter_t *f)
{
    buf_t path, vars, text;

    buf_init(&path, JSONPATH_MAX);
    buf_init(&vars, JSONPATH_MAX);
    buf_init(&text, JSONPATH_MAX);
    write_jsonpath(w, f, &path, &vars, &text);
    if (buf_failed(&path) || buf_failed(&vars) || buf_failed(&text)) {
        w->sql->failed = true;
    } else {
        int n = add_param(w, buf_view(&path));
        add_param(w, buf_view(&vars));
        buf_printf(w->sql,
                   "jsonb_path_exists(%s::jsonb, $%d::jsonpath, $%d::jsonb)",
                   w->list->doc_sql, n, n + 1);
    }
    buf_free(&path);
    buf_free(&vars);
    buf_free(&text);
}

/* Expressions are parameters, too: jsonpath's like_regex would take only
 * literals. */
static void
put_document_regex(const writer_t *w, const query_filter_t *f)
{
    buf_t path;

    buf_init(&path, JSONPATH_MAX);
    write_steps(f, &path);
    buf_puts(&path, "[*] ? (@.type() == \"string\" || "
                    "@.type() == \"number\")");
    if (buf_failed(&path)) {
        w->sql->failed = true;
    } else {
        buf_printf(w->sql,
                   "EXISTS (SELECT 1 FROM jsonb_path_query(%s::jsonb, "
                   "$%d::jsonpath) AS x(v) WHERE x.v #>> '{}' ~ ANY(",
                   w->list->doc_sql, add_param(w, buf_view(&path)));
        put_array(w, f, add_values(w, f));
        buf_puts(w->sql, "))");
    }
    buf_free(&path);
}

const filter_column_t *
filter_column(const filter_list_t *l, str_t path)
{
    for (const filter_column_t *c = l->columns; c->path; c++) {
        if (str_is(path, c->path)) {
            return c;
        }
    }
    return NULL;
}

const filter_index_t *
filter_index(const filter_list_t *l, str_t path)
{
    for (const filter_index_t *i = l->indexes; i && i->path; i++) {
        if (str_is(path, i->path)) {
            return i;
        }
    }
    return NULL;
}

/* Where the filter is answered by a column; NULL: by the document. */
static const filter_column_t *
column_of(const filter_list_t *l, const query_filter_t *f)
{
    const filter_column_t *c = filter_column(l, f->path);

    return c && c->kind == FILTER_ARRAY && !is_equality(f->op) ? NULL : c;
}

static void
put_filter(const writer_t *w, const query_filter_t *f,
           const filter_column_t *c)
{
    if (!c && f->op == QUERY_REGEX) {
        put_document_regex(w, f);
        return;
    }
    if (!c) {
        put_document(w, f);
        return;
    }
    switch (c->kind) {
    case FILTER_TEXT:
    case FILTER_NAME:
        put_any(w, f, c, put_text);
        break;
    case FILTER_UUID:
        put_any(w, f, c, put_uuid);
        break;
    case FILTER_TIME:
    case FILTER_TIME_MS:
        put_any(w, f, c, put_time);
        break;
    case FILTER_EXISTS:
        put_exists(w, f, c);
        break;
    case FILTER_ARRAY:
        put_overlap(w, f, c);
        break;
    }
}

/* Values that are to be greater or less must be such as the path has; those
 * that are to be equal just are not. */
static bool
check_time(const writer_t *w, const query_filter_t *f, tmf_error_t *err)
{
    long long us;

    for (int i = 0; i < f->value_count; i++) {
        if (!rfc3339_parse(value_at(w, f, i), &us)) {
            return REFUSE(err,
                          "%.*s is compared with an RFC 3339 date-time (its "
                          "\"+\" sent as %%2B), not \"%.*s\"",
                          SHOWN(f->path), SHOWN(value_at(w, f, i)));
        }
    }
    return true;
}

static bool
check_number(const writer_t *w, const query_filter_t *f, tmf_error_t *err)
{
    for (int i = 0; i < f->value_count; i++) {
        const json_t *v = spelt(w, value_at(w, f, i));

        if (!v || v->type != JSON_NUMBER) {
            return REFUSE(err, "%.*s is compared with a number, not \"%.*s\"",
                          SHOWN(f->path), SHOWN(value_at(w, f, i)));
        }
    }
    return true;
}

static bool
refuse_order(const query_filter_t *f, tmf_error_t *err)
{
    return REFUSE(err, "%.*s has no order: only =, .eq and .ne compare it",
                  SHOWN(f->path));
}

static bool
refuse_regex(const query_filter_t *f, tmf_error_t *err)
{
    return REFUSE(err, "%.*s is no text: no regular expression finds it",
                  SHOWN(f->path));
}

static bool
check_column(const writer_t *w, const query_filter_t *f,
             const filter_column_t *c, tmf_error_t *err)
{
    bool is_time = c->kind == FILTER_TIME || c->kind == FILTER_TIME_MS;

    if (f->op == QUERY_REGEX) {
        return c->kind == FILTER_TEXT || refuse_regex(f, err);
    }
    if (is_time && f->op != QUERY_EQ) {
        return check_time(w, f, err);
    }
    return !is_ordering(f->op) || c->kind == FILTER_TEXT ||
           refuse_order(f, err);
}

/* Times in documents stand there as their clients wrote them, each with an
 * offset of its own: as texts they have another order. */
static bool
check_document(const writer_t *w, const query_filter_t *f, tmf_error_t *err)
{
    bool is_regex = f->op == QUERY_REGEX;

    if (is_equality(f->op)) {
        return true;
    }
    switch (schema_type(w->list->schema, f->steps, f->step_count)) {
    case ATTR_INTEGER:
    case ATTR_NUMBER:
        return is_regex || check_number(w, f, err);
    case ATTR_BOOLEAN:
    case ATTR_DATE_TIME:
    case ATTR_ENUM:
    case ATTR_OBJECT:
        return is_regex ? refuse_regex(f, err) : refuse_order(f, err);
    default:
        return true;
    }
}

static bool
check_filter(const writer_t *w, const query_filter_t *f,
             const filter_column_t *c, tmf_error_t *err)
{
    int wanted = c                      ? f->value_count
                 : f->op == QUERY_REGEX ? 1 + f->value_count
                                        : 2;

    if (wanted > PG_MAX_PARAMS - w->params->n) {
        return REFUSE(err, "the query has too many conditions");
    }
    return c ? check_column(w, f, c, err) : check_document(w, f, err);
}

bool
filter_where(buf_t *sql, pg_params_t *p, const query_t *q,
             const filter_list_t *l, tmf_error_t *err)
{
    writer_t w = {sql, p, q, l};

    for (int i = 0; i < q->filter_count; i++) {
        const query_filter_t *f = &q->filters[i];
        const filter_column_t *c = column_of(l, f);

        if (!check_filter(&w, f, c, err)) {
            return false;
        }
        buf_puts(sql, !q->any ? " AND (" : i > 0 ? " OR (" : " AND ((");
        put_filter(&w, f, c);
        /* null, as of a column without a value, is not equal either */
        buf_puts(sql, f->op == QUERY_NE ? ") IS NOT TRUE" : ")");
    }
    buf_puts(sql, q->any ? ")" : "");
    return true;
}
