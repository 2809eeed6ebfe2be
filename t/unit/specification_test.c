/* Specifications: which documents are usable, what they let through, what
 * they fill in.
 * rooms: proto backend/base backend/domain */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "backend/domain/specification.h"

#define MAX_FILE   262144
#define ROWS(rows) "{\"id\":\"S\",\"specCharacteristic\":[" rows "]}"
#define ROW(more)  ROWS("{\"name\":\"c\"," more "}")
#define VALUES(v)  ROW("\"characteristicValueSpecification\":[" v "]")

static specification_t *
parse(const char *doc)
{
    const char *err = NULL;
    specification_t *s = specification_parse(str_of(doc), &err);

    if (s == NULL) {
        fail_msg("%s: %s", doc, err);
    }
    assert_null(err);
    return s;
}

static char *
read_file(const char *path)
{
    char *text = xcalloc(1, MAX_FILE);
    FILE *f = fopen(path, "r");

    if (f == NULL || fread(text, 1, MAX_FILE - 1, f) == 0) {
        fail_msg("%s cannot be read (run from the repository's root)", path);
    }
    fclose(f);
    return text;
}

static void
test_unusable(void **ctx)
{
    static const struct {
        const char *doc, *err;
    } rows[] = {
        {"", "not a JSON object"},
        {"[]", "not a JSON object"},
        {"{\"id\":\"S\"", "not a JSON object"},
        {"{}", "without an id"},
        {"{\"id\":7}", "without an id"},
        {ROWS("{}"), "without a name"},
        {ROWS("7"), "without a name"},
        {ROWS("{\"name\":\"\"}"), "without a name"},
        {ROWS("{\"name\":\"a\"},{\"name\":\"a\"}"), "one name"},
        {ROW("\"regex\":\"[\""), "regular expression"},
        {ROW("\"regex\":\"(a\""), "regular expression"},
        {VALUES("{\"regex\":\"*\"}"), "regular expression"},
        {ROW("\"minCardinality\":2,\"maxCardinality\":1"), "contradict"},
        {ROW("\"minCardinality\":-1"), "contradict"},
        {ROW("\"maxCardinality\":-1"), "contradict"},
        {VALUES("{\"valueFrom\":5,\"valueTo\":4}"), "above"},
        {ROW("\"properties\":[{\"name\":\"\"}]"), "without a name"},
        {ROW("\"properties\":[{\"name\":\"p\",\"regex\":\"[\"}]"),
         "regular expression"},
    };

    (void) ctx;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *err = "";

        if (specification_parse(str_of(rows[i].doc), &err) != NULL ||
            strstr(err, rows[i].err) == NULL) {
            fail_msg("%s: %s", rows[i].doc, err);
        }
    }
    specification_free(NULL);
}

static void
test_limits(void **ctx)
{
    const char *err = "";
    buf_t doc;

    (void) ctx;
    buf_init(&doc, MAX_FILE);
    buf_puts(&doc, "{\"id\":\"S\",\"specCharacteristic\":[{\"name\":\"c\","
                   "\"regex\":\"");
    for (int i = 0; i < 1025; i++) {
        buf_char(&doc, 'a');
    }
    buf_puts(&doc, "\"}]}");
    assert_null(specification_parse(buf_view(&doc), &err));
    assert_non_null(strstr(err, "regular expression"));
    buf_reset(&doc);
    buf_puts(&doc, "{\"id\":\"S\",\"specCharacteristic\":[{\"name\":\"c\"");
    for (int i = 0; i < 8; i++) {
        buf_puts(&doc, ",\"properties\":[{\"name\":\"p\"");
    }
    for (int i = 0; i < 8; i++) {
        buf_puts(&doc, "}]");
    }
    buf_puts(&doc, "}]}");
    assert_null(specification_parse(buf_view(&doc), &err));
    assert_non_null(strstr(err, "too deep"));
    buf_free(&doc);
}

static void
test_head(void **ctx)
{
    specification_t *s =
        parse("{\"id\":\"S\",\"version\":\"2.1\",\"name\":\"N\","
              "\"href\":\"/h\",\"lifecycleStatus\":\"aCTIVE\",\"x\":1}");

    (void) ctx;
    assert_true(str_is(specification_id(s), "S"));
    assert_true(str_is(specification_version(s), "2.1"));
    assert_true(str_is(specification_name(s), "N"));
    assert_true(str_is(specification_href(s), "/h"));
    assert_true(specification_is_active(s));
    assert_non_null(json_get(specification_doc(s), "x"));
    specification_free(s);
    s = parse("{\"id\":\"S\"}");
    assert_true(specification_is_active(s));
    assert_int_equal(specification_version(s).len, 0);
    specification_free(s);
    s = parse("{\"id\":\"S\",\"lifecycleStatus\":\"Retired\"}");
    assert_false(specification_is_active(s));
    specification_free(s);
}

typedef struct {
    const char *doc;
    const char *value;
    const char *pointer; /* of the refusal; NULL: fine */
    const char *message;
} check_row_t;

#define TYPE(type) ROW("\"valueType\":\"" type "\"")
#define MANDATORY \
    ROWS("{\"name\":\"c\",\"minCardinality\":1,\"regex\":\"[0-9]+\"}")
#define NESTED                                                              \
    ROWS("{\"name\":\"o\",\"valueType\":\"object\",\"minCardinality\":1,"   \
         "\"properties\":[{\"name\":\"a/b\",\"valueType\":\"string\","      \
         "\"minCardinality\":1},{\"name\":\"n\",\"valueType\":\"integer\"}" \
         "]}")
#define MANY                                             \
    ROW("\"valueType\":\"string\",\"minCardinality\":1," \
        "\"maxCardinality\":2")

static const check_row_t checks[] = {
    {TYPE("string"), "{\"c\":\"x\"}", NULL, ""},
    {TYPE("String"), "{\"c\":1}", "/c", "must be a text"},
    {TYPE("string"), "{\"c\":[\"x\"]}", "/c", "must be a text"},
    {TYPE("string"), "{\"c\":null}", NULL, ""},
    {TYPE("number"), "{\"c\":1.5}", NULL, ""},
    {TYPE("number"), "{\"c\":\"1.5\"}", "/c", "must be a number"},
    {TYPE("integer"), "{\"c\":15}", NULL, ""},
    {TYPE("integer"), "{\"c\":1.50e1}", NULL, ""},
    {TYPE("integer"), "{\"c\":1.5}", "/c", "whole number"},
    {TYPE("boolean"), "{\"c\":false}", NULL, ""},
    {TYPE("boolean"), "{\"c\":\"true\"}", "/c", "true or false"},
    {TYPE("object"), "{\"c\":{}}", NULL, ""},
    {TYPE("object"), "{\"c\":[]}", "/c", "must be an object"},
    {TYPE("array"), "{\"c\":[1,\"a\"]}", NULL, ""},
    {TYPE("array"), "{\"c\":{}}", "/c", "must be an array"},
    {TYPE("dateTime"), "{\"c\":[7]}", NULL, ""},
    {TYPE("string"), "{\"other\":7}", NULL, ""},
    {TYPE("string"), "7", "", "must be an object"},
    {TYPE("string"), "[]", "", "must be an object"},
    /* mandatory, regular expressions */
    {MANDATORY, "{\"c\":\"12\"}", NULL, ""},
    {MANDATORY, "{}", "/c", "mandatory"},
    {MANDATORY, "{\"c\":null}", "/c", "mandatory"},
    {MANDATORY, "{\"c\":\"\"}", "/c", "regular expression"},
    {MANDATORY, "{\"c\":\"12x\"}", "/c", "regular expression"},
    {MANDATORY, "{\"c\":\"x12\"}", "/c", "regular expression"},
    {MANDATORY, "{\"c\":\"1\\n\"}", "/c", "regular expression"},
    {ROW("\"regex\":\"ü{2}|a\""), "{\"c\":\"üü\"}", NULL, ""},
    {ROW("\"regex\":\"ü{2}|a\""), "{\"c\":\"aü\"}", "/c", "regular"},
    /* objects */
    {NESTED, "{\"o\":{\"a/b\":\"x\"}}", NULL, ""},
    {NESTED, "{\"o\":{\"a/b\":\"x\",\"z\":1}}", NULL, ""},
    {NESTED, "{}", "/o", "mandatory"},
    {NESTED, "{\"o\":{}}", "/o/a~1b", "mandatory"},
    {NESTED, "{\"o\":{\"a/b\":1}}", "/o/a~1b", "must be a text"},
    {NESTED, "{\"o\":{\"a/b\":\"x\",\"n\":0.5}}", "/o/n", "whole number"},
    {NESTED, "{\"o\":\"x\"}", "/o", "must be an object"},
    {ROW("\"properties\":[{\"name\":\"p\"}]"), "{\"c\":7}", "/c",
     "must be an object"},
    {ROW("\"extensible\":false,\"properties\":[{\"name\":\"p\"}]"),
     "{\"c\":{\"p\":1,\"q\":2}}", "/c/q", "not a characteristic"},
    /* several values */
    {MANY, "{\"c\":\"x\"}", NULL, ""},
    {MANY, "{\"c\":[\"x\",\"y\"]}", NULL, ""},
    {MANY, "{\"c\":[]}", "/c", "has 0 values"},
    {MANY, "{\"c\":[\"x\",\"y\",\"z\"]}", "/c", "has 3 values"},
    {MANY, "{\"c\":[\"x\",7]}", "/c/1", "must be a text"},
    {MANY, "{\"c\":[\"x\",null]}", "/c/1", "must be a text"},
    {ROW("\"minCardinality\":2"), "{\"c\":\"x\"}", "/c", "has 1 values"},
    {ROW("\"valueType\":\"string\",\"maxCardinality\":0"),
     "{\"c\":[\"a\",\"b\",\"c\"]}", NULL, ""},
    /* allowed values */
    {VALUES("{\"value\":\"a\"},{\"value\":2}"), "{\"c\":\"a\"}", NULL, ""},
    {VALUES("{\"value\":\"a\"},{\"value\":2}"), "{\"c\":2.0}", NULL, ""},
    {VALUES("{\"value\":\"a\"},{\"value\":2}"), "{\"c\":\"2\"}", "/c",
     "allowed values"},
    {VALUES("{\"value\":\"a\",\"isDefault\":true}"), "{\"c\":\"b\"}", NULL,
     ""},
    {VALUES("{\"value\":\"a\",\"isDefault\":true},{\"value\":\"b\"}"),
     "{\"c\":\"c\"}", "/c", "allowed values"},
    {ROW("\"extensible\":true,\"characteristicValueSpecification\":[{"
         "\"value\":\"a\"}]"),
     "{\"c\":\"z\"}", NULL, ""},
    {ROW("\"configurable\":false,\"characteristicValueSpecification\":[{"
         "\"value\":\"a\",\"isDefault\":true}]"),
     "{\"c\":\"z\"}", "/c", "not configurable"},
    {ROW("\"configurable\":false,\"characteristicValueSpecification\":[{"
         "\"value\":\"a\",\"isDefault\":true}]"),
     "{\"c\":\"a\"}", NULL, ""},
    {ROW("\"configurable\":false"), "{\"c\":\"z\"}", NULL, ""},
    /* ranges */
    {VALUES("{\"valueFrom\":1,\"valueTo\":5}"), "{\"c\":1}", NULL, ""},
    {VALUES("{\"valueFrom\":1,\"valueTo\":5}"), "{\"c\":5}", NULL, ""},
    {VALUES("{\"valueFrom\":1,\"valueTo\":5}"), "{\"c\":5.01}", "/c",
     "allowed values"},
    {VALUES("{\"valueFrom\":1,\"valueTo\":5}"), "{\"c\":\"3\"}", "/c",
     "allowed values"},
    {VALUES("{\"valueFrom\":1,\"valueTo\":5,\"rangeInterval\":\"open\"}"),
     "{\"c\":1}", "/c", "allowed values"},
    {VALUES("{\"valueFrom\":1,\"valueTo\":5,\"rangeInterval\":\"open\"}"),
     "{\"c\":5}", "/c", "allowed values"},
    {VALUES("{\"valueFrom\":1,\"valueTo\":5,\"rangeInterval\":"
            "\"closedBottom\"}"),
     "{\"c\":1}", NULL, ""},
    {VALUES("{\"valueFrom\":1,\"valueTo\":5,\"rangeInterval\":"
            "\"closedBottom\"}"),
     "{\"c\":5}", "/c", "allowed values"},
    {VALUES("{\"valueFrom\":1,\"valueTo\":5,\"rangeInterval\":"
            "\"closedTop\"}"),
     "{\"c\":1}", "/c", "allowed values"},
    {VALUES("{\"valueTo\":1}"), "{\"c\":5}", "/c", "allowed values"},
    {VALUES("{\"valueFrom\":5,\"valueTo\":5}"), "{\"c\":5}", NULL, ""},
    {VALUES("{\"valueFrom\":1}"), "{\"c\":1e9}", NULL, ""},
    {VALUES("{\"valueTo\":1},{\"valueFrom\":10}"), "{\"c\":5}", "/c",
     "allowed values"},
    {VALUES("{\"regex\":\"a+\"},{\"regex\":\"b+\"}"), "{\"c\":\"bb\"}", NULL,
     ""},
    {VALUES("{\"regex\":\"a+\"},{\"regex\":\"b+\"}"), "{\"c\":\"ab\"}", "/c",
     "allowed values"},
    {VALUES("{\"regex\":\"a+\"}"), "{\"c\":7}", "/c", "allowed values"},
    /* closed */
    {"{\"id\":\"S\",\"extensible\":false}", "{\"x~y\":1}", "/x~0y",
     "not a characteristic"},
    {"{\"id\":\"S\",\"extensible\":false,\"specCharacteristic\":[{\"name\":"
     "\"c\"}]}",
     "{\"c\":1}", NULL, ""},
    {"{\"id\":\"S\",\"specCharacteristic\":\"?\"}", "{\"c\":1}", NULL, ""},
};

static void
test_check(void **ctx)
{
    arena_t *a = arena_create();

    (void) ctx;
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        const check_row_t *row = &checks[i];
        specification_t *s = parse(row->doc);
        specification_error_t err;
        bool ok = specification_check(
            s, json_parse(a, str_of(row->value), NULL), false, &err);

        if (ok != (row->pointer == NULL) ||
            (!ok && (strcmp(err.pointer, row->pointer) != 0 ||
                     strstr(err.message, row->message) == NULL))) {
            fail_msg("%s\n%s: %s %s", row->doc, row->value, err.pointer,
                     err.message);
        }
        specification_free(s);
    }
    arena_free(a);
}

static void
test_partial(void **ctx)
{
    arena_t *a = arena_create();
    specification_t *s = parse(NESTED);
    specification_error_t err;

    (void) ctx;
    assert_true(
        specification_check(s, json_parse(a, STR("{}"), NULL), true, &err));
    assert_true(specification_check(
        s, json_parse(a, STR("{\"o\":{\"n\":1}}"), NULL), true, &err));
    assert_true(specification_check(
        s, json_parse(a, STR("{\"o\":null}"), NULL), true, &err));
    assert_false(specification_check(
        s, json_parse(a, STR("{\"o\":{\"n\":\"1\"}}"), NULL), true, &err));
    assert_string_equal(err.pointer, "/o/n");
    assert_false(specification_check(s, NULL, true, &err));
    specification_free(s);
    arena_free(a);
}

/* (a+)+ on a long text takes for ever without the match limit. */
static void
test_hostile_regex(void **ctx)
{
    arena_t *a = arena_create();
    specification_t *s = parse(ROW("\"regex\":\"(a+)+\""));
    specification_error_t err;
    buf_t text;

    (void) ctx;
    buf_init(&text, MAX_FILE);
    buf_puts(&text, "{\"c\":\"");
    for (int i = 0; i < 5000; i++) {
        buf_char(&text, 'a');
    }
    buf_puts(&text, "b\"}");
    assert_false(specification_check(s, json_parse(a, buf_view(&text), NULL),
                                     false, &err));
    buf_free(&text);
    specification_free(s);
    arena_free(a);
}

/* A pointer longer than its room is cut, between its characters. */
static void
test_long_pointer(void **ctx)
{
    arena_t *a = arena_create();
    specification_t *s = parse("{\"id\":\"S\",\"extensible\":false}");
    specification_error_t err;
    buf_t text;

    (void) ctx;
    for (int len = 240; len < 270; len++) {
        buf_init(&text, MAX_FILE);
        buf_puts(&text, "{\"");
        for (int i = 0; i < len; i++) {
            buf_char(&text, i < 200 ? 'a' : '~');
        }
        buf_puts(&text, "\":1}");
        assert_false(specification_check(
            s, json_parse(a, buf_view(&text), NULL), false, &err));
        assert_true(strlen(err.pointer) < sizeof(err.pointer));
        assert_int_equal((strlen(err.pointer) - 201) % 2, 0);
        buf_free(&text);
    }
    specification_free(s);
    arena_free(a);
}

static void
test_defaults(void **ctx)
{
    static const char doc[] =
        ROWS("{\"name\":\"c\",\"characteristicValueSpecification\":[{"
             "\"value\":\"x\"},{\"isDefault\":true,\"value\":1.50},{"
             "\"isDefault\":true,\"value\":3}]},"
             "{\"name\":\"o\",\"properties\":[{\"name\":\"p\","
             "\"characteristicValueSpecification\":[{\"isDefault\":true,"
             "\"value\":{\"k\":[]}}]}]}");
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"{}", "{\"c\":1.50}"},
        {"{\"c\":null}", "{\"c\":1.50}"},
        {"{\"c\":\"x\"}", "{\"c\":\"x\"}"},
        {"{ \"z\" : 1e2 }", "{\"z\":1e2,\"c\":1.50}"},
        {"{\"c\":2,\"o\":{}}", "{\"c\":2,\"o\":{\"p\":{\"k\":[]}}}"},
        {"{\"o\":{\"q\":null,\"p\":0},\"c\":2}",
         "{\"o\":{\"q\":null,\"p\":0},\"c\":2}"},
        {"{\"o\":null,\"c\":0}", "{\"o\":null,\"c\":0}"},
    };
    arena_t *a = arena_create();
    specification_t *s = parse(doc);
    buf_t out;

    (void) ctx;
    buf_init(&out, MAX_FILE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_reset(&out);
        specification_defaults(s, json_parse(a, str_of(rows[i].in), NULL),
                               &out);
        assert_string_equal(out.data, rows[i].out);
    }
    buf_reset(&out);
    specification_defaults(s, NULL, &out);
    assert_string_equal(out.data, "{\"c\":1.50}");
    buf_free(&out);
    specification_free(s);
    arena_free(a);
}

static void
test_shipped(void **ctx)
{
    static const struct {
        const char *path, *value;
        bool fine;
    } rows[] = {
        {"conf/catalog/Internet.Service.json",
         "{\"internetService\":{\"internetBandwidth\":\"100\","
         "\"internetServiceSla\":\"99\",\"internetServiceMaxSpeed\":\"1\"},"
         "\"technicalContact\":{\"x\":\"y\"},\"project\":\"Project.Sphere\"}",
         true},
        {"conf/catalog/Internet.Service.json",
         "{\"internetService\":{\"internetBandwidth\":\"fast\","
         "\"internetServiceSla\":\"99\",\"internetServiceMaxSpeed\":\"1\"}}",
         false},
        {"conf/catalog/Internet.Service.json",
         "{\"internetService\":{\"internetBandwidth\":\"100\"}}", false},
        {"conf/catalog/Internet.Service.json", "{}", false},
        {"conf/catalog/Voip.Line.json", "{}", true},
        {"conf/catalog/Voip.Line.json", "{\"numberRange\":\"a/b\"}", false},
        {"conf/catalog/Voip.Line.json", "{\"codec\":\"opus\"}", true},
        {"t/bench/catalog/bench.json", "{}", true},
    };
    arena_t *a = arena_create();
    specification_error_t err;

    (void) ctx;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = read_file(rows[i].path);
        specification_t *s = parse(text);

        assert_true(specification_is_active(s));
        assert_true(str_is(specification_version(s), "1.0"));
        assert_int_equal(
            specification_check(s, json_parse(a, str_of(rows[i].value), NULL),
                                false, &err),
            rows[i].fine);
        specification_free(s);
        free(text);
    }
    arena_free(a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unusable),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_hostile_regex),
        cmocka_unit_test(test_long_pointer),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_shipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
