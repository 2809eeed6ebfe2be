/*
 * Filters: a table of columns for what is indexed, jsonpath for the rest.
 * Sorted by columns only.
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
is_ordering(query_op_t op)
{
    return op != QUERY_EQ && op != QUERY_NE;
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

static void
put_text(const writer_t *w, const filter_column_t *c, query_op_t op,
         str_t value)
{
    buf_printf(w->sql, "%s%s %s $%d::text", c->sql,
               is_ordering(op) ? " COLLATE \"C\"" : "", signs[op].sql,
               add_param(w, value));
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
 * is behind the one it begins with and before the next.
 */
static void
put_time(const writer_t *w, const filter_column_t *c, query_op_t op,
         str_t value)
{
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
    buf_printf(w->sql, "date_trunc('milliseconds', %s) %s $%d::timestamptz",
               c->sql, signs[op].sql, add_param(w, str_of(text)));
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

/* The pattern with ARRAY[...] in place of each %s. */
static void
put_exists(const writer_t *w, const query_filter_t *f,
           const filter_column_t *c)
{
    int first = w->params->n + 1;
    const char *rest = c->sql, *mark;

    for (int i = 0; i < f->value_count; i++) {
        add_param(w, value_at(w, f, i));
    }
    while ((mark = strstr(rest, "%s")) != NULL) {
        buf_put(w->sql, rest, (size_t) (mark - rest));
        buf_puts(w->sql, "ARRAY[");
        for (int i = 0; i < f->value_count; i++) {
            buf_printf(w->sql, "%s$%d::text", i > 0 ? ", " : "", first + i);
        }
        buf_puts(w->sql, "]");
        rest = mark + 2;
    }
    buf_puts(w->sql, rest);
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

/*
 * path: $."a"."b" ? (@ == $s0 || @ == $v0 ...), lax, so that arrays on the
 * way are opened. vars: {"s0":"100","v0":100}. jsonpath takes names as JSON
 * strings.
 */
static void
write_jsonpath(const writer_t *w, const query_filter_t *f, buf_t *path,
               buf_t *vars, buf_t *text)
{
    buf_char(path, '$');
    for (int i = 0; i < f->step_count; i++) {
        buf_char(path, '.');
        buf_json(path, f->steps[i]);
    }
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

static const filter_column_t *
find_column(const filter_column_t *columns, str_t path)
{
    for (; columns->path; columns++) {
        if (str_is(path, columns->path)) {
            return columns;
        }
    }
    return NULL;
}

static void
put_filter(const writer_t *w, const query_filter_t *f,
           const filter_column_t *c)
{
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
        put_any(w, f, c, put_time);
        break;
    case FILTER_EXISTS:
        put_exists(w, f, c);
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
check_column(const writer_t *w, const query_filter_t *f,
             const filter_column_t *c, tmf_error_t *err)
{
    if (c->kind == FILTER_TIME && f->op != QUERY_EQ) {
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
    if (!is_ordering(f->op)) {
        return true;
    }
    switch (schema_type(w->list->schema, f->steps, f->step_count)) {
    case ATTR_INTEGER:
    case ATTR_NUMBER:
        return check_number(w, f, err);
    case ATTR_BOOLEAN:
    case ATTR_DATE_TIME:
    case ATTR_ENUM:
    case ATTR_OBJECT:
        return refuse_order(f, err);
    default:
        return true;
    }
}

bool
filter_where(buf_t *sql, pg_params_t *p, const query_t *q,
             const filter_list_t *l, tmf_error_t *err)
{
    writer_t w = {sql, p, q, l};

    for (int i = 0; i < q->filter_count; i++) {
        const query_filter_t *f = &q->filters[i];
        const filter_column_t *c = find_column(l->columns, f->path);
        int wanted = c ? f->value_count : 2;

        if (wanted > PG_MAX_PARAMS - p->n) {
            return REFUSE(err, "the query has too many conditions");
        }
        if (!(c ? check_column(&w, f, c, err) : check_document(&w, f, err))) {
            return false;
        }
        buf_puts(sql, " AND (");
        put_filter(&w, f, c);
        /* null, as of a column without a value, is not equal either */
        buf_puts(sql, f->op == QUERY_NE ? ") IS NOT TRUE" : ")");
    }
    return true;
}

void
filter_page(buf_t *sql, const query_t *q, long cap)
{
    long limit = q->limit >= 0 && q->limit < cap ? q->limit : cap;

    buf_printf(sql, " LIMIT %ld OFFSET %ld", limit, q->offset);
}

/* ", expression AS k0 ..." for each name in sort. */
static bool
put_keys(buf_t *sql, const query_t *q, const filter_column_t *columns,
         tmf_error_t *err)
{
    for (int i = 0; i < q->sort_count; i++) {
        const filter_column_t *c = find_column(columns, q->sorts[i].path);

        if (!c || c->kind == FILTER_EXISTS) {
            return REFUSE(err, "the list cannot be sorted by \"%.*s\"",
                          SHOWN(q->sorts[i].path));
        }
        switch (c->kind) {
        case FILTER_TEXT:
        case FILTER_NAME:
            buf_printf(sql, ", %s COLLATE \"C\"", c->sql);
            break;
        case FILTER_TIME:
            buf_printf(sql, ", date_trunc('milliseconds', %s)", c->sql);
            break;
        default:
            buf_printf(sql, ", %s", c->sql);
            break;
        }
        buf_printf(sql, " AS k%d", i);
    }
    return true;
}

static void
put_order(buf_t *sql, const query_t *q, const char *last)
{
    buf_puts(sql, " ORDER BY ");
    for (int i = 0; i < q->sort_count; i++) {
        buf_printf(sql, "k%d%s NULLS LAST, ", i,
                   q->sorts[i].descending ? " DESC" : "");
    }
    buf_puts(sql, last);
}

bool
filter_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                const filter_list_t *l, tmf_error_t *err)
{
    buf_printf(sql, "WITH hit AS MATERIALIZED (SELECT %s", l->row_sql);
    if (!put_keys(sql, q, l->columns, err)) {
        return false;
    }
    buf_printf(sql, " FROM %s", l->from);
    if (!filter_where(sql, p, q, l, err)) {
        return false;
    }
    buf_puts(sql, "), page AS (SELECT * FROM hit");
    put_order(sql, q, l->last);
    filter_page(sql, q, cap);
    buf_printf(sql,
               ") SELECT page.%s, n.n FROM (SELECT count(*) AS n FROM hit)"
               " n LEFT JOIN page ON true",
               l->show);
    put_order(sql, q, l->last);
    return true;
}
