/*
 * The check of characteristics against a specification, and its defaults.
 *
 * The offender is named by its JSON pointer, built in the error itself while
 * the check goes down into objects and lists.
 */
#include "backend/domain/characteristic.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const type_musts[] = {
    [TYPE_ANY] = "anything",          [TYPE_STRING] = "a text",
    [TYPE_NUMBER] = "a number",       [TYPE_INTEGER] = "a whole number",
    [TYPE_BOOLEAN] = "true or false", [TYPE_OBJECT] = "an object",
    [TYPE_ARRAY] = "an array",
};

/* Where a check is, to name the offender. */
typedef struct {
    const specification_t *spec;
    bool partial;
    specification_error_t *err;
    size_t pointer_len;
} check_t;

double
characteristic_number(const json_t *v)
{
    char text[JSON_MAX_NUMBER + 1];

    (void) snprintf(text, sizeof(text), "%.*s", STR_FMT(v->text));
    return strtod(text, NULL);
}

const char_row_t *
characteristic_find(const char_rows_t *rows, str_t name)
{
    for (int i = 0; i < rows->count; i++) {
        if (str_eq(rows->rows[i].name, name)) {
            return &rows->rows[i];
        }
    }
    return NULL;
}

static bool refuse(check_t *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static bool
refuse(check_t *c, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void) vsnprintf(c->err->message, sizeof(c->err->message), fmt, args);
    va_end(args);
    return false;
}

/* Goes down to a member; the pointer's length before it is returned. */
static size_t
enter(check_t *c, str_t name)
{
    size_t before = c->pointer_len;
    size_t at = before;
    char *p = c->err->pointer;
    const size_t room = sizeof(c->err->pointer) - 3; /* "~1" and NUL */

    if (at < room) {
        p[at++] = '/';
    }
    for (size_t i = 0; i < name.len && at < room; i++) {
        if (name.data[i] == '~' || name.data[i] == '/') {
            p[at++] = '~';
            p[at++] = name.data[i] == '~' ? '0' : '1';
        } else {
            p[at++] = name.data[i];
        }
    }
    p[at] = '\0';
    c->pointer_len = at;
    return before;
}

static void
leave(check_t *c, size_t before)
{
    c->pointer_len = before;
    c->err->pointer[before] = '\0';
}

/* Too long a match is no match. */
static bool
regex_matches(const specification_t *s, const pcre2_code *regex, str_t text)
{
    return pcre2_match(regex, (PCRE2_SPTR) (text.data ? text.data : ""),
                       text.len, 0, PCRE2_NO_UTF_CHECK, s->match,
                       s->limits) >= 0;
}

static bool
in_range(const value_row_t *row, double n)
{
    return (row->open_from ? n > row->from : n >= row->from) &&
           (row->open_to ? n < row->to : n <= row->to);
}

static bool
row_accepts(const specification_t *s, const value_row_t *row, const json_t *v)
{
    bool matches;

    if (row->value != NULL && json_equal(row->value, v)) {
        return true;
    }
    if (!row->has_range && row->regex == NULL) {
        return false;
    }
    matches = row->regex == NULL || (v->type == JSON_STRING &&
                                     regex_matches(s, row->regex, v->text));
    return matches &&
           (!row->has_range || (v->type == JSON_NUMBER &&
                                in_range(row, characteristic_number(v))));
}

static bool
has_type(const json_t *v, value_type_t type)
{
    switch (type) {
    case TYPE_ANY:
        return true;
    case TYPE_STRING:
        return v->type == JSON_STRING;
    case TYPE_NUMBER:
        return v->type == JSON_NUMBER;
    case TYPE_INTEGER:
        return v->type == JSON_NUMBER &&
               characteristic_number(v) == floor(characteristic_number(v));
    case TYPE_BOOLEAN:
        return v->type == JSON_BOOL;
    case TYPE_OBJECT:
        return v->type == JSON_OBJECT;
    case TYPE_ARRAY:
        return v->type == JSON_ARRAY;
    }
    return false;
}

static bool check_rows(check_t *c, const char_rows_t *rows, const json_t *o);

/* One value: an element where several are allowed. */
static bool
check_value(check_t *c, const char_row_t *row, const json_t *v)
{
    bool accepted = !row->restricted;

    if (!has_type(v, row->type)) {
        return refuse(c, "must be %s", type_musts[row->type]);
    }
    if (row->fixed && !json_equal(v, row->dflt)) {
        return refuse(c, "is not configurable");
    }
    if (row->regex != NULL && v->type == JSON_STRING &&
        !regex_matches(c->spec, row->regex, v->text)) {
        return refuse(c, "does not match the regular expression");
    }
    for (int i = 0; !accepted && i < row->value_count; i++) {
        accepted = row_accepts(c->spec, &row->values[i], v);
    }
    if (!accepted) {
        return refuse(c, "is none of the allowed values");
    }
    return v->type != JSON_OBJECT || check_rows(c, &row->properties, v);
}

/* A list of values where maxCardinality allows more than one. */
static bool
check_values(check_t *c, const char_row_t *row, const json_t *v)
{
    int count = v->type == JSON_ARRAY ? v->count : 1;
    int index = 0;

    if (row->type == TYPE_ARRAY || row->max == 1) {
        return check_value(c, row, v);
    }
    if (count < row->min || (row->max > 0 && count > row->max)) {
        return refuse(c, "has %d values, not %d to %d", count, row->min,
                      row->max > 0 ? row->max : JSON_MAX_ELEMENTS);
    }
    if (v->type != JSON_ARRAY) {
        return check_value(c, row, v);
    }
    json_each(element, v)
    {
        char name[16];
        size_t before;

        (void) snprintf(name, sizeof(name), "%d", index++);
        before = enter(c, str_of(name));
        if (!check_value(c, row, element)) {
            return false;
        }
        leave(c, before);
    }
    return true;
}

static bool
check_unknown(check_t *c, const char_rows_t *rows, const json_t *o)
{
    json_each(member, o)
    {
        if (characteristic_find(rows, member->name) == NULL) {
            (void) enter(c, member->name);
            return refuse(c, "is not a characteristic of the specification");
        }
    }
    return true;
}

static bool
check_rows(check_t *c, const char_rows_t *rows, const json_t *o)
{
    for (int i = 0; i < rows->count; i++) {
        const char_row_t *row = &rows->rows[i];
        const json_t *v = json_get_str(o, row->name);
        size_t before = enter(c, row->name);

        if (v == NULL || v->type == JSON_NULL) {
            if (!c->partial && row->min > 0) {
                return refuse(c, "is mandatory");
            }
        } else if (!check_values(c, row, v)) {
            return false;
        }
        leave(c, before);
    }
    return !rows->closed || check_unknown(c, rows, o);
}

bool
specification_check(const specification_t *s, const json_t *characteristics,
                    bool partial, specification_error_t *err)
{
    check_t c = {.spec = s, .partial = partial, .err = err};

    memset(err, 0, sizeof(*err));
    if (characteristics == NULL || characteristics->type != JSON_OBJECT) {
        return refuse(&c, "the characteristics must be an object");
    }
    return check_rows(&c, &s->rows, characteristics);
}

static void
put_member(buf_t *out, str_t name, str_t raw)
{
    json_comma(out);
    buf_json(out, name);
    buf_char(out, ':');
    buf_str(out, raw);
}

/* Objects that are there get their absent properties; absent objects do not
 * come to be by a default inside them. */
static void
put_filled(const char_rows_t *rows, const json_t *o, buf_t *out)
{
    buf_char(out, '{');
    json_each(member, o)
    {
        const char_row_t *row = characteristic_find(rows, member->name);

        if (row != NULL && member->type == JSON_OBJECT &&
            row->properties.count > 0) {
            put_member(out, member->name, STR_NONE);
            put_filled(&row->properties, member, out);
        } else if (row == NULL || row->dflt == NULL ||
                   member->type != JSON_NULL) {
            put_member(out, member->name, member->raw);
        }
    }
    for (int i = 0; i < rows->count; i++) {
        const json_t *v = json_get_str(o, rows->rows[i].name);

        if (rows->rows[i].dflt != NULL &&
            (v == NULL || v->type == JSON_NULL)) {
            put_member(out, rows->rows[i].name, rows->rows[i].dflt->raw);
        }
    }
    json_end(out, '}');
}

void
specification_defaults(const specification_t *s, const json_t *characteristics,
                       buf_t *out)
{
    put_filled(&s->rows, characteristics, out);
}
