/*
 * Reading a family's definition: errors with their lines, and the small
 * things that stand everywhere in it (names, texts, numbers, durations,
 * templates).
 */
#include "backend/domain/definition.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_MAX_BYTES  64
#define DURATION_DIGITS 12

int
definition_line(const definition_t *d, const json_t *v)
{
    int line = 1;

    for (const char *p = d->start; p < v->raw.data; p++) {
        line += *p == '\n';
    }
    return line;
}

void
definition_error(definition_t *d, int line, const char *fmt, ...)
{
    family_error_t *e;
    va_list args;

    if (d->error_count++ >= FAMILY_MAX_ERRORS) {
        return;
    }
    e = &d->errors[d->error_count - 1];
    e->line = line;
    va_start(args, fmt);
    (void) vsnprintf(e->message, sizeof(e->message), fmt, args);
    va_end(args);
}

static bool
is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

bool
definition_is_name(str_t s)
{
    if (s.len == 0 || s.len > NAME_MAX_BYTES || !is_alnum(s.data[0])) {
        return false;
    }
    for (size_t i = 1; i < s.len; i++) {
        char c = s.data[i];

        if (!is_alnum(c) && c != '-' && c != '_' && c != '.') {
            return false;
        }
    }
    return true;
}

bool
definition_members(definition_t *d, const json_t *v, const char *what,
                   const char *const *names)
{
    if (v->type != JSON_OBJECT) {
        definition_error(d, definition_line(d, v), "%s must be an object",
                         what);
        return false;
    }
    json_each(member, v)
    {
        int i = 0;

        while (names[i] != NULL && !str_is(member->name, names[i])) {
            i++;
        }
        if (names[i] == NULL) {
            definition_error(d, definition_line(d, member),
                             "%s has no member \"%.*s\"", what,
                             STR_FMT(member->name));
        }
    }
    return true;
}

str_t
definition_text(definition_t *d, const json_t *o, const char *name)
{
    const json_t *v = json_get(o, name);

    if (v == NULL) {
        definition_error(d, definition_line(d, o), "\"%s\" is missing", name);
        return STR_NONE;
    }
    if (v->type != JSON_STRING || v->text.len == 0) {
        definition_error(d, definition_line(d, v),
                         "\"%s\" must be a text, not empty", name);
        return STR_NONE;
    }
    return v->text;
}

str_t
definition_name(definition_t *d, const json_t *o, const char *name)
{
    str_t s = definition_text(d, o, name);

    if (s.len > 0 && !definition_is_name(s)) {
        definition_error(d, definition_line(d, json_get(o, name)),
                         "\"%s\" must be a name of letters, digits, '-', "
                         "'_' and '.', at most %d",
                         name, NAME_MAX_BYTES);
        return STR_NONE;
    }
    return s;
}

/* "200ms" to milliseconds; -1: not a duration. */
static long long
parse_duration(str_t s)
{
    static const struct {
        const char *unit;
        long long ms;
    } units[] = {{"ms", 1},
                 {"s", 1000},
                 {"m", 60 * 1000},
                 {"h", 60 * 60 * 1000},
                 {"d", 24 * 60 * 60 * 1000}};
    long long n = 0;
    size_t i = 0;

    while (i < s.len && i < DURATION_DIGITS && s.data[i] >= '0' &&
           s.data[i] <= '9') {
        n = n * 10 + (s.data[i] - '0');
        i++;
    }
    if (i == 0) {
        return -1;
    }
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        if (str_is((str_t){s.data + i, s.len - i}, units[u].unit)) {
            return n * units[u].ms;
        }
    }
    return -1;
}

void
definition_duration(definition_t *d, const json_t *o, const char *name,
                    range_t ms, long long *ret)
{
    const json_t *v = json_get(o, name);
    long long n;

    if (v == NULL) {
        return;
    }
    n = v->type == JSON_STRING ? parse_duration(v->text) : -1;
    if (n < ms.min || n > ms.max) {
        definition_error(d, definition_line(d, v),
                         "\"%s\" must be a duration (200ms, 5s, 10m, 2h, "
                         "14d) of %lld to %lld ms",
                         name, ms.min, ms.max);
        return;
    }
    *ret = n;
}

void
definition_number(definition_t *d, const json_t *o, const char *name,
                  range_t range, double *ret)
{
    const json_t *v = json_get(o, name);
    double n = -1;

    if (v == NULL) {
        return;
    }
    if (v->type == JSON_NUMBER) {
        char text[JSON_MAX_NUMBER + 1];

        (void) snprintf(text, sizeof(text), "%.*s", STR_FMT(v->text));
        n = strtod(text, NULL);
    }
    if (v->type != JSON_NUMBER || n < (double) range.min ||
        n > (double) range.max) {
        definition_error(d, definition_line(d, v),
                         "\"%s\" must be a number from %lld to %lld", name,
                         range.min, range.max);
        return;
    }
    *ret = n;
}

void
definition_integer(definition_t *d, const json_t *o, const char *name,
                   range_t range, int *ret)
{
    int before = d->error_count;
    double n = (double) range.min;

    definition_number(d, o, name, range, &n);
    if (json_get(o, name) == NULL || d->error_count > before) {
        return;
    }
    if (n != (double) (int) n) {
        definition_error(d, definition_line(d, json_get(o, name)),
                         "\"%s\" must be a whole number", name);
        return;
    }
    *ret = (int) n;
}

void
definition_flag(definition_t *d, const json_t *o, const char *name, bool *ret)
{
    const json_t *v = json_get(o, name);

    if (v == NULL) {
        return;
    }
    if (v->type != JSON_BOOL) {
        definition_error(d, definition_line(d, v),
                         "\"%s\" must be true or false", name);
        return;
    }
    *ret = json_is_true(o, name);
}

template_t *
definition_template(definition_t *d, const json_t *v, template_kind_t kind)
{
    const char *err = NULL;
    template_t *t;

    if (v == NULL) {
        return NULL;
    }
    if (kind != TEMPLATE_JSON && v->type != JSON_STRING) {
        definition_error(d, definition_line(d, v), "a text is expected here");
        return NULL;
    }
    t = template_compile(d->arena, kind,
                         kind == TEMPLATE_JSON ? v->raw : v->text, &err);
    if (t == NULL) {
        definition_error(d, definition_line(d, v), "%s: %.*s", err,
                         STR_FMT(v->raw));
    }
    return t; /* cppcheck-suppress CastIntegerToAddressAtReturn ; it is one */
}

const named_template_t *
definition_templates(definition_t *d, const json_t *o, const char *what,
                     template_kind_t kind, int *ret_count)
{
    named_template_t *list;
    int n = 0;

    *ret_count = 0;
    if (o == NULL) {
        return NULL;
    }
    if (o->type != JSON_OBJECT) {
        definition_error(d, definition_line(d, o), "%s must be an object",
                         what);
        return NULL;
    }
    list = arena_array(d->arena, named_template_t, (size_t) o->count + 1);
    json_each(member, o)
    {
        list[n].name = member->name;
        list[n++].value = definition_template(d, member, kind);
    }
    *ret_count = n;
    return list;
}

bool
definition_is_pointer(str_t s)
{
    if (s.len > 0 && s.data[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '~' && (i + 1 == s.len || (s.data[i + 1] != '0' &&
                                                    s.data[i + 1] != '1'))) {
            return false;
        }
    }
    return true;
}
