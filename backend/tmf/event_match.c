/*
 * An envelope against a subscription's conditions and fields.
 */
#include <stdlib.h>

#include "backend/tmf/event_condition.h"
#include "backend/tmf/member.h"

_Static_assert(QUERY_MAX_FIELDS <= 64, "one bit of a set a field");

bool
event_number(str_t text, double *ret)
{
    char z[JSON_MAX_NUMBER + 1], *end;

    if (text.len == 0 || text.len >= sizeof(z)) {
        return false;
    }
    memcpy(z, text.data, text.len);
    z[text.len] = '\0';
    /* strtod() knows more than JSON: blanks, "inf", hexadecimal digits */
    if (strspn(z, "+-.0123456789eE") != text.len || z[0] == '+') {
        return false;
    }
    *ret = strtod(z, &end);
    return end == z + text.len;
}

static bool
is_equal(const event_condition_t *c, const json_t *v, const event_operand_t *o)
{
    bool may_be_time = c->type == ATTR_DATE_TIME || c->type == ATTR_ANY;
    long long us;

    if (v->type != JSON_STRING) {
        return o->spelt && json_equal(v, o->spelt);
    }
    return str_eq(v->text, o->text) ||
           (may_be_time && o->is_time && rfc3339_parse(v->text, &us) &&
            us == o->us);
}

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int
text_order(str_t a, str_t b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n > 0 ? memcmp(a.data, b.data, n) : 0;

    return order != 0 ? order : ORDER(a.len, b.len);
}

/* < 0, 0, > 0 in *ret; false: not to be compared. */
static bool
compare(const event_condition_t *c, const json_t *v, const event_operand_t *o,
        int *ret)
{
    bool is_text = c->type == ATTR_STRING || c->type == ATTR_URI;
    double number;
    long long us;

    if (v->type != JSON_STRING && v->type != JSON_NUMBER) {
        return false;
    }
    if (!is_text && o->spelt && o->spelt->type == JSON_NUMBER) {
        if (!event_number(v->text, &number)) {
            return false;
        }
        *ret = ORDER(number, o->number);
        return true;
    }
    if (v->type != JSON_STRING) {
        return false;
    }
    if (!is_text && o->is_time) {
        if (!rfc3339_parse(v->text, &us)) {
            return false;
        }
        *ret = ORDER(us, o->us);
        return true;
    }
    *ret = text_order(v->text, o->text);
    return true;
}

static bool
value_fits(const event_condition_t *c, const json_t *v,
           const event_operand_t *o)
{
    int order;

    switch (c->op) {
    case QUERY_EQ:
    case QUERY_NE:
        return is_equal(c, v, o);
    case QUERY_GT:
        return compare(c, v, o, &order) && order > 0;
    case QUERY_GTE:
        return compare(c, v, o, &order) && order >= 0;
    case QUERY_LT:
        return compare(c, v, o, &order) && order < 0;
    case QUERY_LTE:
        return compare(c, v, o, &order) && order <= 0;
    case QUERY_REGEX:
        break; /* refused when it was read */
    }
    return false;
}

/* Any of the values fits v, or an element of it, or what the rest of the path
 * leads to. */
static bool
any_fits(const event_condition_t *c, const json_t *v, int step)
{
    const json_t *member;

    if (v->type == JSON_ARRAY) {
        json_each(element, v)
        {
            if (any_fits(c, element, step)) {
                return true;
            }
        }
        return false;
    }
    if (step < c->path.count) {
        member = json_get_str(v, c->path.names[step]);
        return member && any_fits(c, member, step + 1);
    }
    for (int i = 0; i < c->value_count; i++) {
        if (value_fits(c, v, &c->values[i])) {
            return true;
        }
    }
    return false;
}

bool
event_filter_passes(const event_filter_t *f, const json_t *envelope)
{
    for (int i = 0; i < f->condition_count; i++) {
        const event_condition_t *c = &f->conditions[i];
        bool met = any_fits(c, envelope, 0) != (c->op == QUERY_NE);

        if (met == f->any) {
            return met;
        }
    }
    return !f->any;
}

/* Those of the fields in set that go through the member `name` at that depth;
 * *ret_whole: one of them ends there. */
static uint64_t
fields_through(const event_filter_t *f, uint64_t set, int depth, str_t name,
               bool *ret_whole)
{
    uint64_t through = 0;

    *ret_whole = false;
    for (int i = 0; i < f->field_count; i++) {
        const event_path_t *p = &f->fields[i];

        if ((set & UINT64_C(1) << i) == 0 || p->count <= depth ||
            !str_eq(p->names[depth], name)) {
            continue;
        }
        through |= UINT64_C(1) << i;
        *ret_whole |= p->count == depth + 1;
    }
    return through;
}

static void trim_object(const event_filter_t *f, const json_t *o, uint64_t set,
                        int depth, buf_t *out);

static void
trim_value(const event_filter_t *f, const json_t *v, uint64_t set, int depth,
           buf_t *out)
{
    if (v->type == JSON_OBJECT) {
        trim_object(f, v, set, depth, out);
        return;
    }
    buf_char(out, '[');
    json_each(element, v)
    {
        if (element->type == JSON_OBJECT || element->type == JSON_ARRAY) {
            json_comma(out);
            trim_value(f, element, set, depth, out);
        }
    }
    json_end(out, ']');
}

static void
trim_object(const event_filter_t *f, const json_t *o, uint64_t set, int depth,
            buf_t *out)
{
    static const char *const always[] = {"eventId", "eventTime", "eventType",
                                         NULL};

    buf_char(out, '{');
    json_each(m, o)
    {
        bool whole;
        uint64_t through = fields_through(f, set, depth, m->name, &whole);

        if (whole || (depth == 0 && member_among(m->name, always))) {
            member_copy(out, m);
        } else if (through != 0 &&
                   (m->type == JSON_OBJECT || m->type == JSON_ARRAY)) {
            json_comma(out);
            buf_json(out, m->name);
            buf_char(out, ':');
            trim_value(f, m, through, depth + 1, out);
        }
    }
    json_end(out, '}');
}

void
event_filter_trim(const event_filter_t *f, const json_t *envelope, buf_t *out)
{
    trim_object(f, envelope, UINT64_MAX, 0, out);
}
