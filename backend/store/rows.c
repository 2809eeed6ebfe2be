/*
 * Rows for a multi-row statement.
 */
#include "backend/store/rows.h"

#include <stdlib.h>

static const struct {
    char letter;
    pg_array_type_t type;
} letters[] = {
    {'u', PG_ARRAY_UUID}, {'t', PG_ARRAY_TEXT}, {'i', PG_ARRAY_INT},
    {'l', PG_ARRAY_LONG}, {'b', PG_ARRAY_BOOL}, {'z', PG_ARRAY_TIME},
};

/* Of a document of 4 MB nothing longer can come, every byte quoted. */
#define LIST_MAX 16777216

static pg_array_type_t
type_of(char letter)
{
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (letters[i].letter == letter) {
            return letters[i].type;
        }
    }
    abort();
}

void
rows_init(rows_t *r, arena_t *a, const char *types)
{
    r->types = types;
    r->columns = (int) strlen(types);
    r->next = 0;
    r->count = 0;
    if (r->columns > ROWS_MAX_COLUMNS) {
        abort();
    }
    for (int i = 0; i < r->columns; i++) {
        pg_array(&r->column[i], a, type_of(types[i]));
    }
}

/* A value out of its column's turn is a bug of ours, not of the data. */
static pg_array_t *
next_column(rows_t *r, char letter)
{
    pg_array_t *column = &r->column[r->next];

    if (r->types[r->next] != letter) {
        abort();
    }
    if (++r->next == r->columns) {
        r->next = 0;
        r->count++;
    }
    return column;
}

void
rows_uuid(rows_t *r, uuid_t u)
{
    pg_array_uuid_or_null(next_column(r, 'u'), u);
}

void
rows_text(rows_t *r, str_t s)
{
    pg_array_text(next_column(r, 't'), s);
}

void
rows_some(rows_t *r, str_t s)
{
    rows_text(r, s.len ? s : STR_NONE);
}

void
rows_int(rows_t *r, int32_t n)
{
    pg_array_int(next_column(r, 'i'), n);
}

void
rows_long(rows_t *r, int64_t n)
{
    pg_array_long(next_column(r, 'l'), n);
}

void
rows_bool(rows_t *r, bool b)
{
    pg_array_bool(next_column(r, 'b'), b);
}

void
rows_time(rows_t *r, int64_t us)
{
    pg_array_time(next_column(r, 'z'), us);
}

void
rows_params(const rows_t *r, pg_params_t *p)
{
    for (int i = 0; i < r->columns; i++) {
        pg_add_array(p, &r->column[i]);
    }
}

bool
rows_exec(const rows_t *r, pg_t *pg, int stmt, arena_t *a, pg_result_fn fn,
          void *ctx)
{
    pg_params_t p;

    if (r->count == 0) {
        return false;
    }
    pg_params(&p, a);
    rows_params(r, &p);
    pg_exec(pg, stmt, &p, fn, ctx);
    return true;
}

static void
put_quoted(buf_t *out, str_t text)
{
    buf_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\') {
            buf_char(out, '\\');
        }
        buf_char(out, text.data[i]);
    }
    buf_char(out, '"');
}

str_t
rows_list(arena_t *a, const str_t *texts, int n)
{
    buf_t b;
    str_t s;

    if (n == 0) {
        return STR_NONE;
    }
    buf_init(&b, LIST_MAX);
    for (int i = 0; i < n; i++) {
        buf_char(&b, i > 0 ? ',' : '{');
        put_quoted(&b, texts[i]);
    }
    buf_char(&b, '}');
    if (buf_failed(&b)) {
        abort(); /* out of memory */
    }
    s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

void
params_uuids(pg_params_t *p, arena_t *a, const uuid_t *ids, int n)
{
    pg_array_t v;

    pg_array(&v, a, PG_ARRAY_UUID);
    for (int i = 0; i < n; i++) {
        pg_array_uuid(&v, ids[i]);
    }
    pg_add_array(p, &v);
}

void
params_texts(pg_params_t *p, arena_t *a, const str_t *texts, int n)
{
    pg_array_t v;

    pg_array(&v, a, PG_ARRAY_TEXT);
    for (int i = 0; i < n; i++) {
        pg_array_text(&v, texts[i]);
    }
    pg_add_array(p, &v);
}

void
rows_exec_ids(pg_t *pg, int stmt, arena_t *a, const uuid_t *ids, int n,
              pg_result_fn fn, void *ctx)
{
    pg_params_t p;

    pg_params(&p, a);
    params_uuids(&p, a, ids, n);
    pg_exec(pg, stmt, &p, fn, ctx);
}
