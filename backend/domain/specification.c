/*
 * Specifications compiled from their documents.
 *
 * A characteristic has one row; an object characteristic has rows of its own
 * ("properties"). A value row with a range or a regular expression, or a
 * value that is not the default, restricts what may be ordered; a default
 * alone does not. Regular expressions must match the whole text and run
 * under limits: they come by API.
 */
#include "backend/domain/characteristic.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

#define REGEX_MAX_PATTERN 1024  /* bytes */
#define REGEX_MATCH_LIMIT 50000 /* steps of one match: a few milliseconds */
#define REGEX_DEPTH_LIMIT 1000
#define REGEX_HEAP_LIMIT  1024 /* KiB */
#define MAX_NESTING       8    /* properties in properties */

static const struct {
    const char *name; /* valueType, any case */
    value_type_t type;
} types[] = {
    {"string", TYPE_STRING},   {"number", TYPE_NUMBER},
    {"integer", TYPE_INTEGER}, {"boolean", TYPE_BOOLEAN},
    {"object", TYPE_OBJECT},   {"array", TYPE_ARRAY},
};

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

static bool
same_but_case(str_t s, const char *z)
{
    return s.len == strlen(z) && strncasecmp(s.data, z, s.len) == 0;
}

static const char *
compile_regex(specification_t *s, const json_t *v, pcre2_code **ret)
{
    regex_node_t *node;
    PCRE2_SIZE offset;
    int code;

    if (v == NULL || v->type != JSON_STRING || v->text.len == 0) {
        return NULL;
    }
    *ret = pcre2_compile((PCRE2_SPTR) v->text.data, v->text.len,
                         PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED |
                             PCRE2_NEVER_BACKSLASH_C,
                         &code, &offset, s->compile);
    if (*ret == NULL) {
        return "a regular expression does not compile";
    }
    node = arena_new(s->arena, regex_node_t);
    node->code = *ret;
    node->next = s->regexes;
    s->regexes = node;
    return NULL;
}

static const char *
read_range(const json_t *v, value_row_t *row)
{
    const json_t *from = json_get(v, "valueFrom");
    const json_t *to = json_get(v, "valueTo");
    str_t interval = json_text(v, "rangeInterval");

    row->from = -HUGE_VAL;
    row->to = HUGE_VAL;
    if (from != NULL && from->type == JSON_NUMBER) {
        row->from = characteristic_number(from);
        row->has_range = true;
    }
    if (to != NULL && to->type == JSON_NUMBER) {
        row->to = characteristic_number(to);
        row->has_range = true;
    }
    row->open_from = str_is(interval, "open") || str_is(interval, "closedTop");
    row->open_to =
        str_is(interval, "open") || str_is(interval, "closedBottom");
    return row->from > row->to ? "valueFrom is above valueTo" : NULL;
}

static const char *
read_values(specification_t *s, const json_t *list, char_row_t *row)
{
    value_row_t *values;
    const char *err = NULL;

    if (list == NULL || list->type != JSON_ARRAY) {
        return NULL;
    }
    values = arena_array(s->arena, value_row_t, (size_t) list->count + 1);
    row->values = values;
    json_each(v, list)
    {
        value_row_t *value = &values[row->value_count++];
        bool is_default = json_is_true(v, "isDefault");

        value->value = json_get(v, "value");
        if (value->value != NULL && value->value->type == JSON_NULL) {
            value->value = NULL;
        }
        err = read_range(v, value);
        if (err == NULL) {
            err = compile_regex(s, json_get(v, "regex"), &value->regex);
        }
        if (err != NULL) {
            return err;
        }
        if (is_default && value->value != NULL && row->dflt == NULL) {
            row->dflt = value->value;
        }
        row->restricted = row->restricted || value->has_range ||
                          value->regex != NULL ||
                          (value->value != NULL && !is_default);
    }
    return NULL;
}

static value_type_t
read_type(const json_t *v)
{
    str_t name = json_text(v, "valueType");

    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (same_but_case(name, types[i].name)) {
            return types[i].type;
        }
    }
    return json_get(v, "properties") ? TYPE_OBJECT : TYPE_ANY;
}

static const char *
read_cardinality(const json_t *v, char_row_t *row)
{
    long long min = json_int(v, "minCardinality", 0);
    long long max = json_int(v, "maxCardinality", min > 1 ? 0 : 1);

    if (min < 0 || max < 0 || min > JSON_MAX_ELEMENTS ||
        (max > 0 && min > max)) {
        return "minCardinality and maxCardinality contradict each other";
    }
    row->min = (int) min;
    row->max = max > JSON_MAX_ELEMENTS ? 0 : (int) max;
    return NULL;
}

static const char *read_rows(specification_t *s, const json_t *list, int depth,
                             char_rows_t *ret);

static const char *
read_row(specification_t *s, const json_t *v, int depth, char_row_t *row)
{
    const json_t *configurable = json_get(v, "configurable");
    const json_t *extensible = json_get(v, "extensible");
    const char *err;

    row->name = json_text(v, "name");
    if (row->name.len == 0) {
        return "a characteristic without a name";
    }
    row->type = read_type(v);
    err = read_cardinality(v, row);
    if (err == NULL) {
        err = compile_regex(s, json_get(v, "regex"), &row->regex);
    }
    if (err == NULL) {
        err = read_values(s, json_get(v, "characteristicValueSpecification"),
                          row);
    }
    if (err == NULL) {
        err = read_rows(s, json_get(v, "properties"), depth + 1,
                        &row->properties);
    }
    if (extensible != NULL && extensible->type == JSON_BOOL) {
        row->restricted = row->restricted && !json_is_true(v, "extensible");
        row->properties.closed = !json_is_true(v, "extensible");
    }
    row->fixed = configurable != NULL && configurable->type == JSON_BOOL &&
                 !json_is_true(v, "configurable") && row->dflt != NULL;
    return err;
}

static const char *
read_rows(specification_t *s, const json_t *list, int depth, char_rows_t *ret)
{
    char_row_t *rows;
    const char *err;

    if (list == NULL || list->type != JSON_ARRAY || list->count == 0) {
        return NULL;
    }
    if (depth > MAX_NESTING) {
        return "properties are nested too deep";
    }
    rows = arena_array(s->arena, char_row_t, (size_t) list->count);
    ret->rows = rows;
    json_each(v, list)
    {
        char_row_t *row = &rows[ret->count];

        err = read_row(s, v, depth, row);
        if (err != NULL) {
            return err;
        }
        if (characteristic_find(ret, row->name) != NULL) {
            return "two characteristics of one name";
        }
        ret->count++;
    }
    return NULL;
}

static void
init_regex(specification_t *s)
{
    s->match = pcre2_match_data_create(1, NULL);
    s->limits = pcre2_match_context_create(NULL);
    s->compile = pcre2_compile_context_create(NULL);
    if (s->match == NULL || s->limits == NULL || s->compile == NULL) {
        abort();
    }
    pcre2_set_match_limit(s->limits, REGEX_MATCH_LIMIT);
    pcre2_set_depth_limit(s->limits, REGEX_DEPTH_LIMIT);
    pcre2_set_heap_limit(s->limits, REGEX_HEAP_LIMIT);
    pcre2_set_max_pattern_length(s->compile, REGEX_MAX_PATTERN);
}

static const char *
read_document(specification_t *s)
{
    const json_t *extensible = json_get(s->doc, "extensible");

    if (s->doc == NULL || s->doc->type != JSON_OBJECT) {
        return "not a JSON object";
    }
    if (specification_id(s).len == 0) {
        return "without an id";
    }
    s->rows.closed = extensible != NULL && extensible->type == JSON_BOOL &&
                     !json_is_true(s->doc, "extensible");
    return read_rows(s, json_get(s->doc, "specCharacteristic"), 1, &s->rows);
}

specification_t *
specification_parse(str_t doc, const char **err)
{
    specification_t *s = xcalloc(1, sizeof(*s));

    s->arena = arena_create();
    init_regex(s);
    s->doc = json_parse(s->arena, arena_str(s->arena, doc), NULL);
    *err = read_document(s);
    if (*err != NULL) {
        specification_free(s);
        return NULL;
    }
    return s;
}

void
specification_free(specification_t *s)
{
    if (s == NULL) {
        return;
    }
    for (regex_node_t *n = s->regexes; n != NULL; n = n->next) {
        pcre2_code_free(n->code);
    }
    pcre2_match_data_free(s->match);
    pcre2_match_context_free(s->limits);
    pcre2_compile_context_free(s->compile);
    arena_free(s->arena);
    free(s);
}

str_t
specification_id(const specification_t *s)
{
    return json_text(s->doc, "id");
}

str_t
specification_version(const specification_t *s)
{
    return json_text(s->doc, "version");
}

str_t
specification_name(const specification_t *s)
{
    return json_text(s->doc, "name");
}

str_t
specification_href(const specification_t *s)
{
    return json_text(s->doc, "href");
}

bool
specification_is_active(const specification_t *s)
{
    str_t status = json_text(s->doc, "lifecycleStatus");

    return status.len == 0 || same_but_case(status, "active");
}

const json_t *
specification_doc(const specification_t *s)
{
    return s->doc;
}
