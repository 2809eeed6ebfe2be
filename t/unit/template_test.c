/* Templates: what is refused, and where a value lands.
 * rooms: proto backend/base backend/domain */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "backend/domain/template.h"

#define MAX_OUT 65536

typedef struct {
    arena_t *arena;
    template_context_t context;
} fixture_t;

static int
set_up(void **ctx)
{
    fixture_t *f = xcalloc(1, sizeof(*f));

    f->arena = arena_create();
    f->context.service = json_parse(
        f->arena, STR("{\"id\":\"s/1 ü\",\"name\":\"a\\\"b\"}"), NULL);
    f->context.characteristic = json_parse(
        f->arena,
        STR("{\"speed\":1.50,\"on\":true,\"none\":null,\"empty\":\"\","
            "\"dot\":\".\",\"dots\":\"..\",\"three\":\"...\","
            "\"line\":\"a\\r\\nb\",\"Max Speed\":\"9\","
            "\"o\":{\"k\":{\"d\":\"deep\"}},\"list\":[\"x\",{\"y\":7}]}"),
        NULL);
    f->context.variable =
        json_parse(f->arena, STR("{\"port\":\"1/2/3\"}"), NULL);
    f->context.callback = STR("http://h/cb?t=1");
    *ctx = f;
    return 0;
}

static int
tear_down(void **ctx)
{
    fixture_t *f = *ctx;

    arena_free(f->arena);
    free(f);
    return 0;
}

typedef struct {
    template_kind_t kind;
    const char *text;
    const char *expected; /* NULL: a value is missing */
    const char *missing;
} render_row_t;

static const render_row_t renders[] = {
    {TEMPLATE_TEXT, "", "", ""},
    {TEMPLATE_TEXT, "plain", "plain", ""},
    {TEMPLATE_TEXT, "{ } }} {x}", "{ } }} {x}", ""},
    {TEMPLATE_TEXT, "p-{{characteristic.speed}}", "p-1.50", ""},
    {TEMPLATE_TEXT, "{{ service.name }}!", "a\"b!", ""},
    {TEMPLATE_TEXT, "{{characteristic.o}}", "{\"k\":{\"d\":\"deep\"}}", ""},
    {TEMPLATE_TEXT, "{{characteristic.line}}", "a  b", ""},
    {TEMPLATE_TEXT, "{{characteristic.o.k.d}}", "deep", ""},
    {TEMPLATE_TEXT, "{{characteristic.list.1.y}}", "7", ""},
    {TEMPLATE_TEXT, "{{characteristic.list.0}}", "x", ""},
    {TEMPLATE_TEXT, "{{characteristic.list.00}}", NULL,
     "characteristic.list.00"},
    {TEMPLATE_TEXT, "{{characteristic.list.2}}", NULL,
     "characteristic.list.2"},
    {TEMPLATE_TEXT, "{{characteristic.list.-1}}", NULL,
     "characteristic.list.-1"},
    {TEMPLATE_TEXT, "{{characteristic.list.999999}}", NULL,
     "characteristic.list.999999"},
    {TEMPLATE_TEXT, "{{characteristic.Max Speed}}", "9", ""},
    {TEMPLATE_TEXT, "{{characteristic.empty}}", "", ""},
    {TEMPLATE_TEXT, "{{characteristic.none}}", NULL, "characteristic.none"},
    {TEMPLATE_TEXT, "{{characteristic.none|d e}}", "d e", ""},
    {TEMPLATE_TEXT, "{{characteristic.none|}}", "", ""},
    {TEMPLATE_TEXT, "{{characteristic.no|a|b}}", "a|b", ""},
    {TEMPLATE_TEXT, "{{characteristic.speed.x}}", NULL,
     "characteristic.speed.x"},
    {TEMPLATE_TEXT, "a{{order.id}}", NULL, "order.id"},
    {TEMPLATE_TEXT, "{{order.id|none}}", "none", ""},
    {TEMPLATE_TEXT, "{{callback.url}}", "http://h/cb?t=1", ""},
    {TEMPLATE_URL, "/s/{{service.id}}/x", "/s/s%2F1%20%C3%BC/x", ""},
    {TEMPLATE_URL, "/{{variable.port}}", "/1%2F2%2F3", ""},
    {TEMPLATE_URL, "/{{characteristic.empty}}", NULL, "characteristic.empty"},
    {TEMPLATE_URL, "/{{characteristic.dot}}", NULL, "characteristic.dot"},
    {TEMPLATE_URL, "/{{characteristic.dots}}/", NULL, "characteristic.dots"},
    {TEMPLATE_URL, "/{{characteristic.dots|up}}/", "/up/", ""},
    {TEMPLATE_URL, "/{{characteristic.three}}/", "/.../", ""},
    {TEMPLATE_URL, "/{{characteristic.o}}", NULL, "characteristic.o"},
    {TEMPLATE_URL, "/{{characteristic.list}}", NULL, "characteristic.list"},
    {TEMPLATE_URL, "/{{characteristic.on}}?x={{characteristic.no|a b}}",
     "/true?x=a%20b", ""},
    {TEMPLATE_JSON, "{\"a\": \"{{characteristic.speed}}\"}", "{\"a\":1.50}",
     ""},
    {TEMPLATE_JSON, "\"{{characteristic.o}}\"", "{\"k\":{\"d\":\"deep\"}}",
     ""},
    {TEMPLATE_JSON, "[ \"x{{characteristic.speed}}\" ]", "[\"x1.50\"]", ""},
    {TEMPLATE_JSON, "\"{{service.name}}\"", "\"a\\\"b\"", ""},
    {TEMPLATE_JSON, "\"-{{service.name}}-\"", "\"-a\\\"b-\"", ""},
    {TEMPLATE_JSON, "\"{{characteristic.speed}}{{characteristic.on}}\"",
     "\"1.50true\"", ""},
    {TEMPLATE_JSON, "\"{{characteristic.no|5}}\"", "\"5\"", ""},
    {TEMPLATE_JSON, "\"{{characteristic.no|a\\\"b}}\"", "\"a\\\"b\"", ""},
    {TEMPLATE_JSON, "\"\\u007b{characteristic.speed}}\"", "1.50", ""},
    {TEMPLATE_JSON, "{\"{{variable.port}}\": 1}", "{\"1/2/3\":1}", ""},
    {TEMPLATE_JSON, "{\"{{characteristic.speed}}\": 1}", "{\"1.50\":1}", ""},
    {TEMPLATE_JSON, "{ // why\n \"a\" : [1 , 2e0, null] /* x */ }",
     "{\"a\":[1,2e0,null]}", ""},
    {TEMPLATE_JSON, "{\"a\":\"{{callback.url}}\"}",
     "{\"a\":\"http://h/cb?t=1\"}", ""},
    {TEMPLATE_JSON, "[\"{{characteristic.none}}\"]", NULL,
     "characteristic.none"},
    {TEMPLATE_JSON, "\"a\\nb\"", "\"a\\nb\"", ""},
};

static void
test_render(void **ctx)
{
    fixture_t *f = *ctx;

    for (size_t i = 0; i < sizeof(renders) / sizeof(renders[0]); i++) {
        const render_row_t *row = &renders[i];
        const char *err = NULL;
        str_t missing = STR_NONE;
        template_t *t;
        buf_t out;
        bool ok;

        t = template_compile(f->arena, row->kind, str_of(row->text), &err);
        if (t == NULL) {
            fail_msg("%s: %s", row->text, err);
        }
        buf_init(&out, MAX_OUT);
        buf_puts(&out, "before:");
        ok = template_render(t, &f->context, &out, &missing);
        if (ok != (row->expected != NULL)) {
            fail_msg("%s: %.*s", row->text, STR_FMT(buf_view(&out)));
        }
        if (ok) {
            assert_string_equal(out.data + strlen("before:"), row->expected);
        } else {
            assert_string_equal(out.data, "before:");
            if (!str_is(missing, row->missing)) {
                fail_msg("%s: missing %.*s", row->text, STR_FMT(missing));
            }
        }
        buf_free(&out);
    }
}

static void
test_whole_root(void **ctx)
{
    fixture_t *f = *ctx;
    const char *err;
    str_t missing;
    template_t *t = template_compile(f->arena, TEMPLATE_JSON,
                                     STR("\"{{variable}}\""), &err);
    buf_t out;

    assert_non_null(t);
    buf_init(&out, MAX_OUT);
    assert_true(template_render(t, &f->context, &out, &missing));
    assert_string_equal(out.data, "{\"port\":\"1/2/3\"}");
    buf_free(&out);
}

static void
test_refused(void **ctx)
{
    static const struct {
        template_kind_t kind;
        const char *text;
        const char *err;
    } rows[] = {
        {TEMPLATE_TEXT, "a{{b", "without"},
        {TEMPLATE_TEXT, "{{service.id}", "without"},
        {TEMPLATE_TEXT, "{{", "without"},
        {TEMPLATE_TEXT, "{{}}", "empty name"},
        {TEMPLATE_TEXT, "{{ }}", "empty name"},
        {TEMPLATE_TEXT, "{{|x}}", "empty name"},
        {TEMPLATE_TEXT, "{{service.}}", "empty name"},
        {TEMPLATE_TEXT, "{{.service}}", "empty name"},
        {TEMPLATE_TEXT, "{{service..id}}", "empty name"},
        {TEMPLATE_TEXT, "{{services.id}}", "unknown root"},
        {TEMPLATE_TEXT, "{{Service.id}}", "unknown root"},
        {TEMPLATE_TEXT, "{{id}}", "unknown root"},
        {TEMPLATE_TEXT, "{{{service.id}}}", "unknown root"},
        {TEMPLATE_TEXT, "{{callback}}", "only url"},
        {TEMPLATE_TEXT, "{{callback.uri}}", "only url"},
        {TEMPLATE_TEXT, "{{callback.url.x}}", "only url"},
        {TEMPLATE_TEXT, "{{service.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q}}",
         "too many names"},
        {TEMPLATE_URL, "/a b", "URL"},
        {TEMPLATE_URL, "/a#b", "URL"},
        {TEMPLATE_URL, "/\xc3\xbc", "URL"},
        {TEMPLATE_URL, "/a\n", "URL"},
        {TEMPLATE_JSON, "", "not JSON"},
        {TEMPLATE_JSON, "{\"a\":{{service.id}}}", "not JSON"},
        {TEMPLATE_JSON, "{\"a\":1,\"a\":2}", "not JSON"},
        {TEMPLATE_JSON, "{\"a\":\"{{nobody.x}}\"}", "unknown root"},
        {TEMPLATE_JSON, "[\"{{service.id\"]", "without"},
        {TEMPLATE_JSON, "{\"{{x.y}}\":1}", "unknown root"},
    };
    fixture_t *f = *ctx;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *err = "";

        if (template_compile(f->arena, rows[i].kind, str_of(rows[i].text),
                             &err) != NULL ||
            strstr(err, rows[i].err) == NULL) {
            fail_msg("%s: %s", rows[i].text, err);
        }
    }
}

static void
test_path_limit(void **ctx)
{
    fixture_t *f = *ctx;
    const char *err;
    buf_t text;
    template_t *t;

    buf_init(&text, MAX_OUT);
    for (int i = 0; i < TEMPLATE_MAX_PATHS; i++) {
        buf_printf(&text, "{{variable.v%d|}}", i);
    }
    t = template_compile(f->arena, TEMPLATE_TEXT, buf_view(&text), &err);
    assert_non_null(t);
    assert_int_equal(template_path_count(t), TEMPLATE_MAX_PATHS);
    buf_puts(&text, "{{service.id}}");
    assert_null(
        template_compile(f->arena, TEMPLATE_TEXT, buf_view(&text), &err));
    assert_non_null(strstr(err, "too many"));
    buf_free(&text);
}

static void
test_paths(void **ctx)
{
    fixture_t *f = *ctx;
    const char *err;
    bool optional;
    template_t *t = template_compile(
        f->arena, TEMPLATE_URL,
        STR("/{{ variable.port }}/{{characteristic.dots}}/{{order.x|y}}"),
        &err);

    assert_non_null(t);
    assert_int_equal(template_path_count(t), 3);
    assert_true(str_is(template_path(t, 0, &optional), "variable.port"));
    assert_false(optional);
    assert_true(str_is(template_path(t, 2, &optional), "order.x"));
    assert_true(optional);
    assert_true(template_path_known(t, 0, &f->context));
    assert_false(template_path_known(t, 1, &f->context));
    assert_true(template_path_known(t, 2, &f->context));
}

/* The text given may go away: the template keeps its own. */
static void
test_owns_its_text(void **ctx)
{
    fixture_t *f = *ctx;
    char text[] = "/x/{{service.zz|abc}}/y";
    const char *err;
    str_t missing;
    template_t *t =
        template_compile(f->arena, TEMPLATE_URL, str_of(text), &err);
    buf_t out;

    assert_non_null(t);
    memset(text, '!', sizeof(text) - 1);
    buf_init(&out, MAX_OUT);
    assert_true(template_render(t, &f->context, &out, &missing));
    assert_string_equal(out.data, "/x/abc/y");
    buf_free(&out);
}

static void
test_output_limit(void **ctx)
{
    fixture_t *f = *ctx;
    const char *err;
    str_t missing;
    template_t *t = template_compile(f->arena, TEMPLATE_JSON,
                                     STR("[\"{{characteristic.o}}\"]"), &err);
    buf_t out;

    buf_init(&out, 5);
    assert_true(template_render(t, &f->context, &out, &missing));
    assert_true(buf_failed(&out));
    buf_free(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_render),
        cmocka_unit_test(test_whole_root),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_path_limit),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_owns_its_text),
        cmocka_unit_test(test_output_limit),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
