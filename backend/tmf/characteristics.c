/*
 * Characteristics out of their list. Names and values go as slices, never
 * rendered anew.
 */
#include "backend/tmf/characteristics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool __attribute__((format(printf, 4, 5)))
refuse(tmf_error_t *err, tmf_code_t code, const char *pointer, const char *fmt,
       ...)
{
    char message[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    tmf_error_set(err, 400, code,
                  code == TMF_CODE_FIELD_MISSING ? "Missing body field"
                                                 : "Invalid body field",
                  pointer, "%s", message);
    return false;
}

static int
compare_names(const void *a, const void *b)
{
    const str_t *x = a, *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = len ? memcmp(x->data, y->data, len) : 0;

    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Every entry has a name of its own and a value. */
static bool
check(arena_t *a, const json_t *list, const char *pointer, tmf_error_t *err)
{
    str_t *names = arena_array(a, str_t, (size_t) list->count + 1);
    char entry[512];
    int n = 0;

    json_each(c, list)
    {
        names[n] = json_text(c, "name");
        snprintf(entry, sizeof(entry), "%s/%d", pointer, n);
        if (names[n].len == 0 || !json_get(c, "value")) {
            return refuse(err, TMF_CODE_FIELD_MISSING, entry,
                          "a characteristic needs a name and a value");
        }
        n++;
    }
    qsort(names, (size_t) n, sizeof(str_t), compare_names);
    for (int i = 1; i < n; i++) {
        if (str_eq(names[i - 1], names[i])) {
            return refuse(err, TMF_CODE_FIELD_INVALID, pointer,
                          "characteristic \"%.*s\" is given twice",
                          STR_FMT(names[i]));
        }
    }
    return true;
}

/* Of a checked list. */
static str_t
to_object(arena_t *a, const json_t *list)
{
    size_t len = 2;

    json_each(c, list)
    {
        len +=
            json_get(c, "name")->raw.len + json_get(c, "value")->raw.len + 2;
    }
    char *text = arena_alloc(a, len), *p = text;
    *p++ = '{';
    json_each(c, list)
    {
        str_t name = json_get(c, "name")->raw;
        str_t value = json_get(c, "value")->raw;

        memcpy(p, name.data, name.len);
        p += name.len;
        *p++ = ':';
        memcpy(p, value.data, value.len);
        p += value.len;
        *p++ = ',';
    }
    if (list->child) {
        p--; /* over the last comma */
    }
    *p++ = '}';
    return (str_t){text, (size_t) (p - text)};
}

bool
characteristics_from_tmf(arena_t *a, const json_t *list, const char *pointer,
                         str_t *ret, tmf_error_t *err)
{
    *ret = STR("{}");
    if (!list) {
        return true;
    }
    if (list->type != JSON_ARRAY) {
        return refuse(err, TMF_CODE_FIELD_INVALID, pointer,
                      "serviceCharacteristic must be a list");
    }
    if (list->count > SERVICE_MAX_CHARACTERISTICS) {
        return refuse(err, TMF_CODE_FIELD_INVALID, pointer,
                      "more than %d characteristics",
                      SERVICE_MAX_CHARACTERISTICS);
    }
    if (!check(a, list, pointer, err)) {
        return false;
    }
    *ret = to_object(a, list);
    return true;
}
