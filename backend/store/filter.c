/*
 * Filters: a table of columns for what is indexed, jsonpath for the rest.
 */
#include "backend/store/filter.h"

#include "backend/base/json.h"
#include "proto/schema.h"

/* A path of QUERY_MAX_BYTES with every byte escaped, and the conditions. */
#define JSONPATH_MAX 65536

typedef struct {
    buf_t *sql;
    pg_params_t *params;
    const query_t *query;
    const char *doc_sql;
} writer_t;

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
put_text(const writer_t *w, const filter_column_t *c, str_t value)
{
    buf_printf(w->sql, "%s = $%d::text", c->sql, add_param(w, value));
}

static void
put_uuid(const writer_t *w, const filter_column_t *c, str_t value)
{
    uuid_t u;

    if (!uuid_parse(value, &u)) {
        buf_puts(w->sql, "false");
        return;
    }
    buf_printf(w->sql, "%s = $%d::uuid", c->sql, add_param(w, value));
}

/* Times are shown in milliseconds: a finer one is equal to none of them. */
static void
put_time(const writer_t *w, const filter_column_t *c, str_t value)
{
    char text[32];
    long long us;

    if (!rfc3339_parse(value, &us) || us % 1000 != 0) {
        buf_puts(w->sql, "false");
        return;
    }
    rfc3339_print(us, text);
    buf_printf(w->sql, "date_trunc('milliseconds', %s) = $%d::timestamptz",
               c->sql, add_param(w, str_of(text)));
}

/* The values of a filter, any of which may match. */
static void
put_any(const writer_t *w, const query_filter_t *f, const filter_column_t *c,
        void (*put)(const writer_t *w, const filter_column_t *c, str_t value))
{
    for (int i = 0; i < f->value_count; i++) {
        if (i > 0) {
            buf_puts(w->sql, " OR ");
        }
        put(w, c, value_at(w, f, i));
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
put_condition(buf_t *path, buf_t *vars, char kind, int i, str_t raw)
{
    if (i > 0 || kind == 'v') {
        buf_puts(path, " || ");
    }
    buf_printf(path, "@ == $%c%d", kind, i);
    json_comma(vars);
    buf_printf(vars, "\"%c%d\":", kind, i);
    buf_str(vars, raw);
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

        buf_reset(text);
        buf_json(text, value);
        put_condition(path, vars, 's', i, buf_view(text));
        if (v) {
            put_condition(path, vars, 'v', i, v->raw);
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
                   w->doc_sql, n, n + 1);
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

bool
filter_where(buf_t *sql, pg_params_t *p, const query_t *q,
             const filter_column_t *columns, const char *doc_sql,
             tmf_error_t *err)
{
    writer_t w = {sql, p, q, doc_sql};

    for (int i = 0; i < q->filter_count; i++) {
        const query_filter_t *f = &q->filters[i];
        const filter_column_t *c = find_column(columns, f->path);
        int wanted = c ? f->value_count : 2;

        if (wanted > PG_MAX_PARAMS - p->n) {
            tmf_error_set(err, 400, TMF_CODE_QUERY_INVALID,
                          "Invalid query-string parameter", NULL,
                          "the query has too many conditions");
            return false;
        }
        buf_puts(sql, " AND (");
        put_filter(&w, f, c);
        buf_char(sql, ')');
    }
    return true;
}

void
filter_page(buf_t *sql, const query_t *q, long cap)
{
    long limit = q->limit >= 0 && q->limit < cap ? q->limit : cap;

    buf_printf(sql, " LIMIT %ld OFFSET %ld", limit, q->offset);
}
