/*
 * Values on their way to PostgreSQL and back, in its binary formats: integers
 * in network order, time in microseconds since 2000, arrays with a header of
 * their dimensions.
 */
#include "backend/store/pg.h"

#include <endian.h>
#include <stdlib.h>

#include "backend/base/log.h"

enum {
    ARRAY_HEADER = 20,   /* ndim, has null, element type, size, lower bound */
    ARRAY_EMPTY = 12,    /* without dimensions: the first three */
    ARRAY_FIRST = 512,   /* bytes; doubles */
    VALUE_MAX = 1 << 30, /* PostgreSQL takes no larger one */
    UNIX_TO_2000_S = 946684800
};

static const int64_t unix_to_2000_us = UNIX_TO_2000_S * INT64_C(1000000);

static const uint32_t element_oid[] = {
    [PG_ARRAY_TEXT] = 25, [PG_ARRAY_UUID] = 2950, [PG_ARRAY_INT] = 23,
    [PG_ARRAY_LONG] = 20, [PG_ARRAY_BOOL] = 16,   [PG_ARRAY_TIME] = 1184,
};

/* A statement that cannot be is an error in our text, not in data. */
static _Noreturn void
impossible(const char *what)
{
    log_event(LOG_ERROR, "impossible statement", "reason", what, NULL);
    abort();
}

/* INT64_MAX is "infinity" on both sides. */
static int64_t
time_to_wire(int64_t us)
{
    return us == INT64_MAX ? us : us - unix_to_2000_us;
}

static int64_t
time_from_wire(int64_t us)
{
    return us == INT64_MAX || us == INT64_MIN ? us : us + unix_to_2000_us;
}

void
pg_params(pg_params_t *p, arena_t *a)
{
    p->arena = a;
    p->n = 0;
}

static void
add(pg_params_t *p, const char *value, size_t length)
{
    if (p->n == PG_MAX_PARAMS) {
        impossible("more parameters than PG_MAX_PARAMS");
    }
    if (length > VALUE_MAX) {
        impossible("parameter longer than 1 GB");
    }
    p->value[p->n] = value;
    p->length[p->n] = (int) length;
    p->n++;
}

static void
add_copy(pg_params_t *p, const void *value, size_t length)
{
    add(p, memcpy(arena_alloc(p->arena, length), value, length), length);
}

void
pg_add_null(pg_params_t *p)
{
    add(p, NULL, 0);
}

void
pg_add_text(pg_params_t *p, str_t s)
{
    if (s.data == NULL) {
        pg_add_null(p);
    } else {
        add(p, arena_z(p->arena, s), s.len);
    }
}

void
pg_add_uuid(pg_params_t *p, uuid_t u)
{
    add_copy(p, u.byte, sizeof(u.byte));
}

void
pg_add_int(pg_params_t *p, int32_t n)
{
    uint32_t wire = htobe32((uint32_t) n);

    add_copy(p, &wire, sizeof(wire));
}

void
pg_add_long(pg_params_t *p, int64_t n)
{
    uint64_t wire = htobe64((uint64_t) n);

    add_copy(p, &wire, sizeof(wire));
}

void
pg_add_bool(pg_params_t *p, bool v)
{
    add(p, v ? "\1" : "\0", 1);
}

void
pg_add_time(pg_params_t *p, int64_t us)
{
    if (us == PG_NO_TIME) {
        pg_add_null(p);
    } else {
        pg_add_long(p, time_to_wire(us));
    }
}

void
pg_array(pg_array_t *v, arena_t *a, pg_array_type_t type)
{
    *v = (pg_array_t){
        .arena = a,
        .type = type,
        .data = arena_alloc(a, ARRAY_FIRST),
        .len = ARRAY_HEADER,
        .cap = ARRAY_FIRST,
    };
}

/* Room for n more bytes. */
static char *
array_extend(pg_array_t *v, size_t n)
{
    char *at;

    if (n > v->cap - v->len) {
        size_t cap = v->cap;
        char *data;

        if (n > VALUE_MAX - v->len) {
            impossible("array longer than 1 GB");
        }
        while (n > cap - v->len) {
            cap *= 2;
        }
        data = arena_alloc(v->arena, cap);
        v->data = memcpy(data, v->data, v->len);
        v->cap = cap;
    }
    at = v->data + v->len;
    v->len += n;
    return at;
}

static void
put32(char *at, uint32_t n)
{
    n = htobe32(n);
    memcpy(at, &n, sizeof(n));
}

static void
array_put(pg_array_t *v, const void *value, size_t len)
{
    char *at = array_extend(v, 4 + len);

    put32(at, (uint32_t) len);
    if (len > 0) {
        memcpy(at + 4, value, len);
    }
    v->count++;
}

void
pg_array_null(pg_array_t *v)
{
    put32(array_extend(v, 4), UINT32_MAX);
    v->has_null = true;
    v->count++;
}

void
pg_array_text(pg_array_t *v, str_t s)
{
    if (s.data == NULL) {
        pg_array_null(v);
    } else {
        array_put(v, s.data, s.len);
    }
}

void
pg_array_uuid(pg_array_t *v, uuid_t u)
{
    array_put(v, u.byte, sizeof(u.byte));
}

void
pg_array_uuid_or_null(pg_array_t *v, uuid_t u)
{
    if (uuid_is_nil(u)) {
        pg_array_null(v);
    } else {
        pg_array_uuid(v, u);
    }
}

void
pg_array_int(pg_array_t *v, int32_t n)
{
    uint32_t wire = htobe32((uint32_t) n);

    array_put(v, &wire, sizeof(wire));
}

void
pg_array_long(pg_array_t *v, int64_t n)
{
    uint64_t wire = htobe64((uint64_t) n);

    array_put(v, &wire, sizeof(wire));
}

void
pg_array_bool(pg_array_t *v, bool b)
{
    array_put(v, b ? "\1" : "\0", 1);
}

void
pg_array_time(pg_array_t *v, int64_t us)
{
    if (us == PG_NO_TIME) {
        pg_array_null(v);
    } else {
        pg_array_long(v, time_to_wire(us));
    }
}

void
pg_add_array(pg_params_t *p, const pg_array_t *v)
{
    put32(v->data, v->count > 0);
    put32(v->data + 4, v->has_null);
    put32(v->data + 8, element_oid[v->type]);
    put32(v->data + 12, (uint32_t) v->count);
    put32(v->data + 16, 1);
    add(p, v->data, v->count > 0 ? v->len : ARRAY_EMPTY);
}

bool
pg_is_null(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col);
}

str_t
pg_text(const PGresult *res, int row, int col)
{
    if (PQgetisnull(res, row, col)) {
        return STR_NONE;
    }
    return (str_t){PQgetvalue(res, row, col),
                   (size_t) PQgetlength(res, row, col)};
}

uuid_t
pg_uuid(const PGresult *res, int row, int col)
{
    str_t s = pg_text(res, row, col);
    uuid_t u = {{0}};

    if (s.len == sizeof(u.byte)) {
        memcpy(u.byte, s.data, sizeof(u.byte));
    }
    return u;
}

/* Whatever width SQL gave the integer. */
int64_t
pg_long(const PGresult *res, int row, int col)
{
    str_t s = pg_text(res, row, col);
    uint64_t n = s.len > 0 && s.data[0] & 0x80 ? UINT64_MAX : 0;

    for (size_t i = 0; i < s.len; i++) {
        n = n << 8 | (uint8_t) s.data[i];
    }
    return (int64_t) n;
}

int32_t
pg_int(const PGresult *res, int row, int col)
{
    return (int32_t) pg_long(res, row, col);
}

bool
pg_bool(const PGresult *res, int row, int col)
{
    str_t s = pg_text(res, row, col);

    return s.len == 1 && s.data[0] != 0;
}

int64_t
pg_time(const PGresult *res, int row, int col)
{
    if (PQgetisnull(res, row, col)) {
        return PG_NO_TIME;
    }
    return time_from_wire(pg_long(res, row, col));
}
