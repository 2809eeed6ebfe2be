/* Elements of a large array, against the tree of the same text.
 * rooms: proto backend/base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/base/json.h"
#include "backend/base/json_split.h"

/* How many there are, or -1. */
static int
count(const char *text)
{
    json_split_t s;
    str_t element;
    int n = 0, rc;

    json_split_init(&s, str_of(text));
    while ((rc = json_split_next(&s, &element)) == 1) {
        assert_true(element.len > 0);
        n++;
    }
    return rc < 0 ? -1 : n;
}

static void
elements_are_the_trees(void **state)
{
    static const char *const texts[] = {
        "[]",
        " \t\r\n[ ] \n",
        "[1]",
        "[ 1 , \"a\" ,null\n,true]",
        "[[],{},[[{}]],{\"a\":[1,2],\"b\":{}}]",
        "[\"]\",\"[,{\",\"\\\"]\",\"\\\\\",\"\\u005d\"]",
        "[{\"a]\":\"}\"},{\"b\\\"\":[\"]}\"]} ]",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        arena_t *a = arena_create();
        const json_t *tree = json_parse(a, str_of(texts[i]), NULL);
        json_split_t s;
        str_t element;

        assert_non_null(tree);
        json_split_init(&s, str_of(texts[i]));
        json_each(e, tree)
        {
            assert_int_equal(json_split_next(&s, &element), 1);
            assert_true(str_eq(element, e->raw));
        }
        assert_int_equal(json_split_next(&s, &element), 0);
        arena_free(a);
    }
}

static void
what_is_no_whole_array(void **state)
{
    static const char *const texts[] = {
        "",     " ",     "{}",     "1",      "null",    "]",    "[",
        "[ ",   "[1",    "[1,",    "[1,]",   "[,]",     "[,1]", "[1,,2]",
        "[1]]", "[1] x", "[] []",  "[\"",    "[\"a",    "[{",   "[{]",
        "[[]",  "[1 ",   "[\"\\]", "[{},{}", "\"[1]\"",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (count(texts[i]) != -1) {
            fail_msg("taken: %s", texts[i]);
        }
    }
}

/* What an element is, is for whoever reads it: only its end is found. */
static void
elements_that_are_no_json(void **state)
{
    (void) state;
    assert_int_equal(count("[a,b c,{x}]"), 3);
    assert_int_equal(count("[1 2]"), 1);
    assert_int_equal(count("[}]"), 1);
    assert_int_equal(count("[{]}, 1]"), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_the_trees),
        cmocka_unit_test(what_is_no_whole_array),
        cmocka_unit_test(elements_that_are_no_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
