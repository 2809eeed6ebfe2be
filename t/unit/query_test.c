/* rooms: proto */
/*
 * Query strings: what is taken, what is refused, and that nothing is taken
 * for something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/buf.h"
#include "proto/query.h"

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static const char *const signs[] = {
    [QUERY_EQ] = "=",    [QUERY_NE] = "!=", [QUERY_GT] = ">",
    [QUERY_GTE] = ">=",  [QUERY_LT] = "<",  [QUERY_LTE] = "<=",
    [QUERY_REGEX] = "~",
};

/* One line for a whole query: fields, offset, limit, sort, then each filter
 * with its steps and values. */
static void
describe(const query_t *q, buf_t *b)
{
    buf_reset(b);
    buf_printf(b, "%s", q->has_fields ? "fields" : "all");
    for (int i = 0; i < q->field_count; i++) {
        buf_printf(b, " %.*s", STR_FMT(q->fields[i]));
    }
    buf_printf(b, "; %ld %ld", q->offset, q->limit);
    for (int i = 0; i < q->sort_count; i++) {
        buf_printf(b, "%s%c%.*s", i ? " " : "; sort ",
                   q->sorts[i].descending ? '-' : '+',
                   STR_FMT(q->sorts[i].path));
    }
    for (int i = 0; i < q->filter_count; i++) {
        const query_filter_t *f = &q->filters[i];
        buf_printf(b, "%s %.*s(", i && q->any ? " |" : ";", STR_FMT(f->path));
        for (int j = 0; j < f->step_count; j++) {
            buf_printf(b, "%s%.*s", j ? "/" : "", STR_FMT(f->steps[j]));
        }
        buf_puts(b, ")");
        for (int j = 0; j < f->value_count; j++) {
            buf_printf(b, "%s<%.*s>", j ? "|" : signs[f->op],
                       STR_FMT(q->values[f->first_value + j]));
        }
    }
}

static const struct {
    const char *raw, *parsed;
} good[] = {
    {"", "all; 0 -1"},
    {"&", "all; 0 -1"},
    {"&&&", "all; 0 -1"},
    {"a=x", "all; 0 -1; a(a)=<x>"},
    {"a=", "all; 0 -1; a(a)=<>"},
    {"a=&&b=1", "all; 0 -1; a(a)=<>; b(b)=<1>"},
    {"&a=1&", "all; 0 -1; a(a)=<1>"},
    {"a=x,y", "all; 0 -1; a(a)=<x>|<y>"},
    {"a=x,", "all; 0 -1; a(a)=<x>|<>"},
    {"a=x&a=y", "all; 0 -1; a(a)=<x>|<y>"},
    {"a=1&b=2&a=3&c=4&b=5,6&a=7",
     "all; 0 -1; a(a)=<1>|<3>|<7>; b(b)=<2>|<5>|<6>; c(c)=<4>"},
    {"a.b.c=x", "all; 0 -1; a.b.c(a/b/c)=<x>"},
    {"a%2Eb=x", "all; 0 -1; a.b(a/b)=<x>"},
    {"a=%2C%26%3D", "all; 0 -1; a(a)=<,&=>"},
    {"a=x%3By", "all; 0 -1; a(a)=<x;y>"},
    {"a=x+y%2B%20z", "all; 0 -1; a(a)=<x y+ z>"},
    {"a+b=1", "all; 0 -1; a b(a b)=<1>"},
    {"a=b=c==", "all; 0 -1; a(a)=<b=c==>"},
    {"a=%7Ex", "all; 0 -1; a(a)=<~x>"},
    {"a=%3Dx", "all; 0 -1; a(a)=<=x>"},
    {"a=x~y*z>1<2!", "all; 0 -1; a(a)=<x~y*z>1<2!>"},
    {"a=%22x%22", "all; 0 -1; a(a)=<x>"},
    {"a=\"x\",\"y\"", "all; 0 -1; a(a)=<x>|<y>"},
    {"a=\"\"x\"\"", "all; 0 -1; a(a)=<\"x\">"},
    {"a=\"", "all; 0 -1; a(a)=<\">"},
    {"a=\"\"", "all; 0 -1; a(a)=<>"},
    {"a=\"x", "all; 0 -1; a(a)=<\"x>"},
    {"a=%e2%82%AC", "all; 0 -1; a(a)=<\xe2\x82\xac>"},
    {"a=2030-01-01T00:00:00.000Z",
     "all; 0 -1; a(a)=<2030-01-01T00:00:00.000Z>"},
    {"a.eq=x", "all; 0 -1; a(a)=<x>"},
    {"a.b.eq=x&a.b=y", "all; 0 -1; a.b(a/b)=<x>|<y>"},
    {"a.b.ne=x", "all; 0 -1; a.b(a/b)!=<x>"},
    {"a.gt=5", "all; 0 -1; a(a)><5>"},
    {"a.gte=5", "all; 0 -1; a(a)>=<5>"},
    {"a.lt=5", "all; 0 -1; a(a)<<5>"},
    {"a.lte=5", "all; 0 -1; a(a)<=<5>"},
    {"a.b.%67t=5", "all; 0 -1; a.b(a/b)><5>"},
    {"a.b%2Egt=5", "all; 0 -1; a.b(a/b)><5>"},
    {"a.gt.gt=5", "all; 0 -1; a.gt(a/gt)><5>"},
    {"a.b%3E5", "all; 0 -1; a.b(a/b)><5>"},
    {"a%3e5", "all; 0 -1; a(a)><5>"},
    {"a%3E%3D5", "all; 0 -1; a(a)>=<5>"},
    {"a%3C5", "all; 0 -1; a(a)<<5>"},
    {"a%3C%3D5", "all; 0 -1; a(a)<=<5>"},
    {"a%3D%3D5", "all; 0 -1; a(a)=<5>"},
    {"a%3D=5", "all; 0 -1; a(a)=<5>"},
    {"a>5", "all; 0 -1; a(a)><5>"},
    {"a>=5", "all; 0 -1; a(a)>=<5>"},
    {"a%3E=5", "all; 0 -1; a(a)>=<5>"},
    {"a>%3D5", "all; 0 -1; a(a)>=<5>"},
    {"a<5", "all; 0 -1; a(a)<<5>"},
    {"a<=5", "all; 0 -1; a(a)<=<5>"},
    {"a==5", "all; 0 -1; a(a)=<5>"},
    {"a===5", "all; 0 -1; a(a)=<=5>"},
    {"a%3E", "all; 0 -1; a(a)><>"},
    {"a%3Eb=c", "all; 0 -1; a(a)><b=c>"},
    {"a%3E%3E5", "all; 0 -1; a(a)><>5>"},
    {"a%3E%225,6%22,%227%22", "all; 0 -1; a(a)><\"5>|<6\">|<7>"},
    {"a.gt=1&a=3&a.lt=5&a%3E2", "all; 0 -1; a(a)><1>|<2>; a(a)=<3>; a(a)<<5>"},
    {"a=x;y", "all; 0 -1; a(a)=<x>|<y>"},
    {"a=x;a=y", "all; 0 -1; a(a)=<x>|<y>"},
    {"a=x,y;z;a=v,w", "all; 0 -1; a(a)=<x>|<y>|<z>|<v>|<w>"},
    {"a=x;", "all; 0 -1; a(a)=<x>|<>"},
    {"a.gt=1;a%3E2", "all; 0 -1; a(a)><1>|<2>"},
    {"a=x;a==y", "all; 0 -1; a(a)=<x>|<y>"},
    {"a=x;a.eq=y", "all; 0 -1; a(a)=<x>|<y>"},
    {"a=x;a=y&a=z&limit=1", "all; 0 1; a(a)=<x>|<y>|<z>"},
    {"a=x;y&b=z", "all; 0 -1; a(a)=<x>|<y>; b(b)=<z>"},
    {"a.regex=^x", "all; 0 -1; a(a)~<^x>"},
    {"a*=x", "all; 0 -1; a(a)~<x>"},
    {"a%2A%3Dx", "all; 0 -1; a(a)~<x>"},
    {"a*%3Dx", "all; 0 -1; a(a)~<x>"},
    {"a%2a=x", "all; 0 -1; a(a)~<x>"},
    {"a=~x", "all; 0 -1; a(a)~<x>"},
    {"a%3D~x", "all; 0 -1; a(a)~<x>"},
    {"a%3D%7Ex", "all; 0 -1; a(a)~<x>"},
    {"a=~=x,y&a.regex=z", "all; 0 -1; a(a)~<=x>|<y>|<z>"},
    {"a.b.regex=x%7B1%2C2%7D%3B", "all; 0 -1; a.b(a/b)~<x{1,2};>"},
    {"regex=x", "all; 0 -1; regex(regex)=<x>"},
    {"a.regex.regex=x", "all; 0 -1; a.regex(a/regex)~<x>"},
    {"a=x;b=y", "all; 0 -1; a(a)=<x> | b(b)=<y>"},
    {"a=x;y;b.gt=1;2,3;a=z", "all; 0 -1; a(a)=<x>|<y>|<z> | b(b)><1>|<2>|<3>"},
    {"a=x;a.ne=y", "all; 0 -1; a(a)=<x> | a(a)!=<y>"},
    {"a.gt=x;a=y", "all; 0 -1; a(a)><x> | a(a)=<y>"},
    {"a=x;y%3Ez", "all; 0 -1; a(a)=<x> | y(y)><z>"},
    {"a=x;a*=y", "all; 0 -1; a(a)=<x> | a(a)~<y>"},
    {"sort=a&a=x;b=y&limit=1", "all; 0 1; sort +a; a(a)=<x> | b(b)=<y>"},
    {"sort=a", "all; 0 -1; sort +a"},
    {"sort=a,-b.c", "all; 0 -1; sort +a -b.c"},
    {"sort=+a,%2Bb,%20c", "all; 0 -1; sort +a +b +c"},
    {"sort=%2Da&a.gt=1", "all; 0 -1; sort -a; a(a)><1>"},
    {"sort=--a", "all; 0 -1; sort --a"},
    {"sort=a%2Cb", "all; 0 -1; sort +a,b"},
    {"eq=x", "all; 0 -1; eq(eq)=<x>"},
    {"gt=x", "all; 0 -1; gt(gt)=<x>"},
    {"gt.a=x", "all; 0 -1; gt.a(gt/a)=<x>"},
    {"a.GT=x", "all; 0 -1; a.GT(a/GT)=<x>"},
    {"@type=Service", "all; 0 -1; @type(@type)=<Service>"},
    {"Fields=a", "all; 0 -1; Fields(Fields)=<a>"},
    {"fields=a,b.c,%64", "fields a b.c d; 0 -1"},
    {"fields=a&fields=b", "fields a b; 0 -1"},
    {"fields=none", "fields; 0 -1"},
    {"fields=", "all; 0 -1"},
    {"fields=,", "all; 0 -1"},
    {"fields=,a,,b,", "fields a b; 0 -1"},
    {"%66ields=a", "fields a; 0 -1"},
    {"offset=0&limit=0", "all; 0 0"},
    {"offset=17&limit=999999999999999999", "all; 17 999999999999999999"},
    {"limit=007", "all; 0 7"},
    {"offset.x=1", "all; 0 -1; offset.x(offset/x)=<1>"},
    {"a.b.c.d.e.f.g.h.gt=1",
     "all; 0 -1; a.b.c.d.e.f.g.h(a/b/c/d/e/f/g/h)><1>"},
    {"fields=%7E,~&sort=%7E", "fields ~ ~; 0 -1; sort +~"},
    {"a.b.c.d.e.f.g.h=1", "all; 0 -1; a.b.c.d.e.f.g.h(a/b/c/d/e/f/g/h)=<1>"},
};

/* A part of the message that must be there. */
static const struct {
    str_t raw;
    const char *message;
} bad[] = {
    {STR("a%3D5"), "the operators are"},
    {STR("a!=5"), "the operators are"},
    {STR("a%21%3D5"), "the operators are"},
    {STR("a~=x"), "the operators are"},
    {STR("a;b=1"), "the operators are"},
    {STR("a%3Bb=1"), "the operators are"},
    {STR("a;b%3E1"), "the operators are"},
    {STR("a.gt>5"), "\"a.gt\" has two operators"},
    {STR("a.eq==5"), "\"a.eq\" has two operators"},
    {STR("a.ne%3C5"), "\"a.ne\" has two operators"},
    {STR("fields.gt=1"), "fields takes no operator"},
    {STR("%73ort.eq=1"), "sort takes no operator"},
    {STR("limit%3E1"), "limit takes no operator"},
    {STR("limit==1"), "limit takes no operator"},
    {STR("filter%3E1"), "filter takes no operator"},
    {STR("a=x;limit=5"), "limit takes no operator"},
    {STR("a=x;=y"), "empty name"},
    {STR("a*x"), "the operators are"},
    {STR("a*"), "the operators are"},
    {STR("a=x;b~y"), "the operators are"},
    {STR("a.regex*=x"), "\"a.regex\" has two operators"},
    {STR("a.gt=~x"), "\"a.gt\" has two operators"},
    {STR("sort.regex=x"), "sort takes no operator"},
    {STR("a.regex="), "the expression \"\" of a is empty"},
    {STR("b.a*=(x"), "the expression \"(x\" of b.a has a \"(\""},
    {STR("a=1&a=~x,y%5C1"), "the expression \"y\\1\" of a has an escape"},
    {STR("a=x;b=y&c=z"), "ambiguous"},
    {STR("c=z&a=x;b=y"), "ambiguous"},
    {STR("a=x;b=y&a=z"), "ambiguous"},
    {STR("a=x;b=y;=z"), "empty name"},
    {STR("a=x;b=y;limit=1"), "limit takes no operator"},
    {STR("a=x;a=y&b=z"), "ambiguous"},
    {STR("b=z&a=x;a=y"), "ambiguous"},
    {STR("a=x;a=y&a.ne=z"), "ambiguous"},
    {STR("a=x;%zz"), "not percent-encoded"},
    {STR("a=x;a=%ff"), "not UTF-8"},
    {STR("a%3E%zz"), "not percent-encoded"},
    {STR("a%3E%00"), "NUL"},
    {STR("a%00%3E5"), "NUL"},
    {STR("%3E5"), "empty name"},
    {STR("=="), "empty name"},
    {STR(".gt=x"), "empty name"},
    {STR("sort="), "sort has an empty name"},
    {STR("sort=,a"), "sort has an empty name"},
    {STR("sort=a,"), "sort has an empty name"},
    {STR("sort=-"), "sort has an empty name"},
    {STR("sort=+"), "sort has an empty name"},
    {STR("sort=a,b,-a"), "sort names \"a\" twice"},
    {STR("sort=a&sort=b"), "sort is given twice"},
    {STR("sort=%zz"), "not percent-encoded"},
    {STR("sort=1,2,3,4,5,6,7,8,9"), "more than 8 names"},
    {STR("a"), "has no \"=\""},
    {STR("sort"), "has no \"=\""},
    {STR("x=1&b"), "has no \"=\""},
    {STR("=x"), "empty name"},
    {STR("="), "empty name"},
    {STR("a.=x"), "empty name"},
    {STR(".a=x"), "empty name"},
    {STR("a..b=x"), "empty name"},
    {STR(".eq=x"), "empty name"},
    {STR("a.b.c.d.e.f.g.h.i=1"), "more than 8 names"},
    {STR("a.b.c.d.e.f.g.h.i.gt=1"), "more than 8 names"},
    {STR("a.b.c.d.e.f.g.h.gt.=1"), "more than 8 names"},
    {STR("offset="), "offset must be an integer"},
    {STR("offset=-1"), "offset must be an integer"},
    {STR("offset=+1"), "offset must be an integer"},
    {STR("offset=1.5"), "offset must be an integer"},
    {STR("offset=a"), "offset must be an integer"},
    {STR("offset=0x1"), "offset must be an integer"},
    {STR("offset=1%20"), "offset must be an integer"},
    {STR("limit=1,2"), "limit must be an integer"},
    {STR("limit=9999999999999999999"), "limit must be an integer"},
    {STR("limit=99999999999999999999999999"), "limit must be an integer"},
    {STR("limit=1&limit=1"), "limit is given twice"},
    {STR("offset=0&a=1&offset=0"), "offset is given twice"},
    {STR("a=%"), "not percent-encoded"},
    {STR("a=%1"), "not percent-encoded"},
    {STR("a=%zz"), "not percent-encoded"},
    {STR("a=%1g"), "not percent-encoded"},
    {STR("a=x%2"), "not percent-encoded"},
    {STR("a%=x"), "not percent-encoded"},
    {STR("a=%2&b=0"), "not percent-encoded"},
    {STR("fields=%"), "not percent-encoded"},
    {STR("limit=%"), "not percent-encoded"},
    {STR("a=%00"), "NUL"},
    {STR("a%00=x"), "NUL"},
    {STR("a=x\0y"), "NUL"},
    {STR("a=%ff"), "not UTF-8"},
    {STR("a=\xff"), "not UTF-8"},
    {STR("%c3=x"), "not UTF-8"},
    {STR("a=%c0%80"), "not UTF-8"},
    {STR("a=%ed%a0%80"), "not UTF-8"},
    {STR("a=%c3,%a9"), "not UTF-8"},
    {STR("fields=%e2%82"), "not UTF-8"},
};

static void
test_taken(void **state)
{
    static query_t q;
    tmf_error_t err;
    buf_t b;

    (void) state;
    buf_init(&b, 10000);
    for (size_t i = 0; i < ROWS(good); i++) {
        if (query_parse(&q, str_of(good[i].raw), &err) < 0) {
            fail_msg("%s: %s", good[i].raw, err.message);
        }
        describe(&q, &b);
        if (strcmp(b.data, good[i].parsed) != 0) {
            fail_msg("%s: %s, not %s", good[i].raw, b.data, good[i].parsed);
        }
    }
    assert_int_equal(query_parse(&q, STR_NONE, &err), 0);
    buf_free(&b);
}

static void
test_refused(void **state)
{
    static query_t q;

    (void) state;
    for (size_t i = 0; i < ROWS(bad); i++) {
        tmf_error_t err = {0};
        if (query_parse(&q, bad[i].raw, &err) == 0) {
            fail_msg("%.*s: taken", STR_FMT(bad[i].raw));
        }
        assert_int_equal(err.status, 400);
        assert_int_equal(err.code, TMF_CODE_QUERY_INVALID);
        assert_string_equal(err.pointer, "");
        if (!strstr(err.message, bad[i].message)) {
            fail_msg("%.*s: %s, not %s", STR_FMT(bad[i].raw), err.message,
                     bad[i].message);
        }
    }
}

/* TMF630: an option that is not there. */
static void
test_jsonpath(void **state)
{
    static const char *const raws[] = {"filter=$", "filter=", "a=1&filter=x",
                                       "%66ilter=$.a%5B*%5D"};
    static query_t q;

    (void) state;
    for (size_t i = 0; i < ROWS(raws); i++) {
        tmf_error_t err = {0};
        assert_int_equal(query_parse(&q, str_of(raws[i]), &err), -1);
        assert_int_equal(err.status, 501);
        assert_int_equal(err.code, TMF_CODE_UNSUPPORTED);
        assert_non_null(strstr(err.message, "filter (JSONPath)"));
    }
}

/* What was parsed, printed and parsed again is the same; and what is printed
 * needs no care wherever it is put. */
static void
check_printed(const query_t *q, const char *raw)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                "qrstuvwxyz0123456789-._~%&=,;";
    static query_t again;
    tmf_error_t err;
    buf_t text, one, two;

    buf_init(&text, 10 * QUERY_MAX_BYTES);
    buf_init(&one, 10 * QUERY_MAX_BYTES);
    buf_init(&two, 10 * QUERY_MAX_BYTES);
    buf_puts(&text, "");
    query_print(&text, q, q->offset, q->limit);
    if (query_parse(&again, buf_view(&text), &err) < 0) {
        fail_msg("%s: printed as %s: %s", raw, text.data, err.message);
    }
    describe(q, &one);
    describe(&again, &two);
    if (strcmp(one.data, two.data) != 0) {
        fail_msg("%s: printed as %s, which is %s, not %s", raw, text.data,
                 two.data, one.data);
    }
    assert_int_equal(strspn(text.data, plain), text.len);
    assert_true(text.len == 0 || text.data[text.len - 1] != '&');
    buf_free(&text);
    buf_free(&one);
    buf_free(&two);
}

static void
test_printed(void **state)
{
    static query_t q;
    tmf_error_t err;
    buf_t b;

    (void) state;
    for (size_t i = 0; i < ROWS(good); i++) {
        assert_int_equal(query_parse(&q, str_of(good[i].raw), &err), 0);
        check_printed(&q, good[i].raw);
    }
    buf_init(&b, 1000);
    assert_int_equal(query_parse(&q, STR("a=x&offset=7&limit=3"), &err), 0);
    query_print(&b, &q, 10, -1);
    assert_string_equal(b.data, "a.eq=x&offset=10");
    buf_reset(&b);
    query_print(&b, &q, 0, 5);
    assert_string_equal(b.data, "a.eq=x&offset=0&limit=5");
    buf_free(&b);
}

/* Random sentences over the grammar's own pieces: most are refused, what is
 * taken must print. */
static void
test_printed_at_random(void **state)
{
    static const char *const pieces[] = {
        "a",  "b.c",   ".",     ".gt",     ".eq",     ".ne",    ".regex",
        "=",  "=",     "=",     "==",      ">",       "<=",     "*=",
        "=~", "%3E",   "&",     "&",       ",",       ";",      "~",
        "\"", "\"x\"", "%22",   "%2C",     "%3B",     "%26",    "%7E",
        "+",  "%20",   "-",     "(",       ")",       "%C3%A9", "none",
        "7",  "x",     "sort=", "fields=", "offset=", "limit=", "%3D",
    };
    static query_t q;
    unsigned seed = 1;
    int taken = 0;

    (void) state;
    for (int round = 0; round < 20000; round++) {
        char raw[200] = "a";
        int n = 1;
        tmf_error_t err;

        seed = seed * 1103515245u + 12345u;
        for (unsigned left = seed >> 16 & 15; left > 0; left--) {
            seed = seed * 1103515245u + 12345u;
            n += snprintf(raw + n, sizeof(raw) - (size_t) n, "%s",
                          pieces[(seed >> 16) % ROWS(pieces)]);
        }
        if (query_parse(&q, str_of(raw), &err) == 0) {
            check_printed(&q, raw);
            taken++;
        }
    }
    assert_in_range(taken, 1000, 19000);
}

/* Parses `before` and then `format` so many times, # being the number. */
static int
parse_many(query_t *q, const char *before, const char *format, int count)
{
    tmf_error_t err;
    buf_t b;

    buf_init(&b, 100000);
    buf_puts(&b, before);
    for (int i = 0; i < count; i++) {
        char text[32];
        int n = 0;
        for (const char *p = format; *p; p++) {
            n += *p == '#'
                     ? snprintf(text + n, sizeof(text) - (size_t) n, "%d", i)
                     : (text[n] = *p, 1);
        }
        buf_put(&b, text, (size_t) n);
    }
    int rc = query_parse(q, buf_view(&b), &err);
    buf_free(&b);
    return rc;
}

static void
test_limits(void **state)
{
    static query_t q;

    (void) state;
    assert_int_equal(parse_many(&q, "", "f#=1&", QUERY_MAX_FILTERS), 0);
    assert_int_equal(q.filter_count, QUERY_MAX_FILTERS);
    assert_int_equal(parse_many(&q, "", "f#=1&", QUERY_MAX_FILTERS + 1), -1);
    assert_int_equal(parse_many(&q, "a=x", ",#", QUERY_MAX_VALUES - 1), 0);
    assert_int_equal(q.value_count, QUERY_MAX_VALUES);
    assert_int_equal(parse_many(&q, "a=x", ",#", QUERY_MAX_VALUES), -1);
    assert_int_equal(parse_many(&q, "", "a=#&b=#&", QUERY_MAX_VALUES / 2), 0);
    assert_int_equal(q.filters[1].first_value, QUERY_MAX_VALUES / 2);
    assert_true(str_is(q.values[QUERY_MAX_VALUES - 1], "31"));
    assert_int_equal(parse_many(&q, "fields=x", ",f#", QUERY_MAX_FIELDS - 1),
                     0);
    assert_int_equal(q.field_count, QUERY_MAX_FIELDS);
    assert_int_equal(parse_many(&q, "fields=x", ",f#", QUERY_MAX_FIELDS), -1);
    assert_int_equal(parse_many(&q, "a=", "x", QUERY_MAX_BYTES - 2), 0);
    assert_int_equal(q.values[0].len, QUERY_MAX_BYTES - 2);
    assert_int_equal(parse_many(&q, "a=", "x", QUERY_MAX_BYTES - 1), -1);
}

static void
test_wants(void **state)
{
    static query_t q;
    tmf_error_t err;

    (void) state;
    assert_int_equal(query_parse(&q, STR("a=1"), &err), 0);
    assert_true(query_wants(&q, STR("anything")));
    assert_int_equal(query_parse(&q, STR("fields=state,note.text"), &err), 0);
    assert_true(query_wants(&q, STR("state")));
    assert_true(query_wants(&q, STR("note")));
    assert_true(query_wants(&q, STR("id")));
    assert_true(query_wants(&q, STR("href")));
    assert_false(query_wants(&q, STR("text")));
    assert_false(query_wants(&q, STR("stat")));
    assert_false(query_wants(&q, STR("states")));
    assert_false(query_wants(&q, STR("")));
    assert_int_equal(query_parse(&q, STR("fields=none"), &err), 0);
    assert_true(query_wants(&q, STR("id")));
    assert_false(query_wants(&q, STR("none")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_jsonpath),
        cmocka_unit_test(test_printed),
        cmocka_unit_test(test_printed_at_random),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
