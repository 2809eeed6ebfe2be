/*
 * The statement of a list: one page in order, and how many match.
 *
 * The page is cut before anything is counted, so that an index that gives the
 * order is read no further than the page. Nothing is counted where the page
 * itself shows the end; else at most FILTER_COUNT_MAX rows are.
 */
#include "backend/store/filter.h"

#define REASON    "Invalid query-string parameter"
#define SHOWN_MAX 64 /* bytes of a path in a message */
#define NAMES_MAX 400

#define SHOWN(s) \
    (int) ((s).len < SHOWN_MAX ? (s).len : SHOWN_MAX), (s).data ? (s).data : ""

static bool
refuse_sort(str_t path, tmf_error_t *err)
{
    tmf_error_set(err, 400, TMF_CODE_QUERY_INVALID, REASON, NULL,
                  "the list cannot be sorted by \"%.*s\"", SHOWN(path));
    return false;
}

/* ", expression AS k0 ..." for each name in sort. */
static bool
put_keys(buf_t *sql, const query_t *q, const filter_list_t *l,
         tmf_error_t *err)
{
    for (int i = 0; i < q->sort_count; i++) {
        const filter_column_t *c = filter_column(l, q->sorts[i].path);

        switch (c ? c->kind : FILTER_EXISTS) {
        case FILTER_EXISTS:
        case FILTER_ARRAY:
            return refuse_sort(q->sorts[i].path, err);
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

/* An index read backwards gives nulls first: so "last" is said only where
 * there are any. */
static bool
has_nulls(const filter_column_t *c)
{
    return c->kind != FILTER_TIME_MS && strcmp(c->path, "id") != 0;
}

static void
put_order(buf_t *sql, const query_t *q, const filter_list_t *l)
{
    buf_puts(sql, " ORDER BY ");
    for (int i = 0; i < q->sort_count; i++) {
        const filter_column_t *c = filter_column(l, q->sorts[i].path);

        buf_printf(sql, "k%d%s%s, ", i, q->sorts[i].descending ? " DESC" : "",
                   has_nulls(c) ? " NULLS LAST" : "");
    }
    buf_puts(sql, l->last);
}

long
filter_page_size(const query_t *q, long cap)
{
    return q->limit >= 0 && q->limit < cap ? q->limit : cap;
}

/* The number of all that match: seen from the page, or counted. */
static void
put_total(buf_t *sql, const query_t *q, long size, const filter_list_t *l,
          str_t where)
{
    buf_printf(sql,
               "SELECT CASE WHEN c.n <= %ld AND %s THEN %ld + c.n ELSE "
               "(SELECT nullif(count(*), %d) FROM (SELECT 1 FROM %s",
               size, q->offset > 0 ? "c.n > 0" : "true", q->offset,
               FILTER_COUNT_MAX + 1, l->count_from ? l->count_from : l->from);
    buf_str(sql, where);
    buf_printf(sql,
               " LIMIT %d) AS hit) END AS n"
               " FROM (SELECT count(*) AS n FROM page) AS c",
               FILTER_COUNT_MAX + 1);
}

static void
put_list(buf_t *sql, const query_t *q, long size, const filter_list_t *l,
         str_t where)
{
    buf_printf(sql, " FROM %s", l->from);
    buf_str(sql, where);
    put_order(sql, q, l);
    buf_printf(sql, " LIMIT %ld OFFSET %ld) SELECT page.%s, t.n FROM (",
               size + 1, q->offset, l->show);
    put_total(sql, q, size, l, where);
    buf_puts(sql, ") AS t LEFT JOIN page ON true");
    put_order(sql, q, l);
}

/* Is it found, or are its greater ones and less ones, by an index? */
static bool
is_indexed(const query_t *q, const query_filter_t *f, const filter_list_t *l)
{
    return !q->any && f->op != QUERY_NE && f->op != QUERY_REGEX &&
           filter_index(l, f->path) != NULL;
}

static void
put_name(buf_t *names, str_t name)
{
    if (names->len > 0) {
        buf_puts(names, ", ");
    }
    buf_printf(names, "%.*s", SHOWN(name));
}

/* What makes a list slow, by name; and what would help. */
static void
explain_slow(const query_t *q, const filter_list_t *l, tmf_error_t *ret)
{
    buf_t slow, fast;

    buf_init(&slow, NAMES_MAX);
    buf_init(&fast, NAMES_MAX);
    for (int i = 0; i < q->filter_count; i++) {
        if (!is_indexed(q, &q->filters[i], l)) {
            put_name(&slow, q->filters[i].path);
        }
    }
    for (int i = 0; i < q->sort_count; i++) {
        if (!filter_index(l, q->sorts[i].path)) {
            put_name(&slow, q->sorts[i].path);
        }
    }
    for (const filter_index_t *i = l->indexes; i && i->path; i++) {
        put_name(&fast, str_of(i->path));
    }
    if (slow.len > 0) {
        tmf_error_set(
            ret, 400, TMF_CODE_QUERY_INVALID, "Query too expensive", NULL,
            "the list takes too long by %.*s: no index helps; "
            "narrow it by equality%s%.*s",
            STR_FMT(buf_view(&slow)), fast.len > 0 ? " or a range of " : "",
            STR_FMT(buf_view(&fast)));
    } else {
        tmf_error_set(ret, 400, TMF_CODE_QUERY_INVALID, "Query too expensive",
                      NULL,
                      "the list takes too long: narrow it by further "
                      "conditions, or ask for a smaller offset");
    }
    buf_free(&slow);
    buf_free(&fast);
}

bool
filter_list_sql(buf_t *sql, pg_params_t *p, const query_t *q, long cap,
                const filter_list_t *l, tmf_error_t *err)
{
    buf_t where;
    bool good;

    buf_init(&where, sql->max);
    buf_printf(sql, "WITH page AS (SELECT %s", l->row_sql);
    good = put_keys(sql, q, l, err) && filter_where(&where, p, q, l, err);
    if (good) {
        put_list(sql, q, filter_page_size(q, cap), l, buf_view(&where));
        sql->failed = sql->failed || buf_failed(&where);
        explain_slow(q, l, err);
    }
    buf_free(&where);
    return good;
}
