/* rooms: proto */
/*
 * Regular expressions of clients: what may reach the database, and what is
 * wrong with the others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/pattern.h"

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static const char *const good[] = {
    "a",
    "^SO-[0-9]+$",
    ".*",
    "a|b",
    "a||b",
    "|",
    "^",
    "(a|b)*c+?",
    "(?:ab)?",
    "a{3}",
    "a{0}",
    "a{2,}",
    "a{2,5}?",
    "[]a]",
    "[^]a]",
    "[a-z_.-]",
    "[[:alpha:]]",
    "[\\d\\]]",
    "[^[:digit:]x]",
    "\\d\\s\\w\\D\\S\\W",
    "\\.\\*\\\\",
    "a]",
    "a}",
    "(())",
    "()",
    "[*+?{(|)^$]",
    "\xc3\xa9{2}",
    "x{255}",
    "((((((((((((((((x))))))))))))))))",
    "[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}",
    "(x{10}y{10}){10}",
};

static const struct {
    const char *pattern, *why;
} bad[] = {
    {"", "is empty"},
    {"(", "\"(\" without"},
    {"a(b(c)", "\"(\" without"},
    {")", "\")\" without"},
    {"(a))", "\")\" without"},
    {"[", "\"[\" without"},
    {"[]", "\"[\" without"},
    {"[^]", "\"[\" without"},
    {"[a", "\"[\" without"},
    {"[a\\]", "\"[\" without"},
    {"[[:alpha:]", "\"[\" without"},
    {"[[:alpha]]", "a class other"},
    {"[[.a.]]", "a class other"},
    {"[[=a=]]", "a class other"},
    {"[[:", "a class other"},
    {"a\\", "ends with"},
    {"[\\", "ends with"},
    {"(a)\\1", "an escape other"},
    {"\\b", "an escape other"},
    {"\\x41", "an escape other"},
    {"\\m", "an escape other"},
    {"[\\n]", "an escape other"},
    {"*", "repeats nothing"},
    {"***=a", "repeats nothing"},
    {"a**", "repeats nothing"},
    {"a+*", "repeats nothing"},
    {"a??\?", "repeats nothing"},
    {"a{2}{3}", "repeats nothing"},
    {"(*a)", "repeats nothing"},
    {"a|*", "repeats nothing"},
    {"^*", "repeats nothing"},
    {"(a|+)", "repeats nothing"},
    {"{3}", "repeats nothing"},
    {"a{", "no {m}"},
    {"a{}", "no {m}"},
    {"a{,3}", "no {m}"},
    {"a{x}", "no {m}"},
    {"a{3,2}", "no {m}"},
    {"a{3", "no {m}"},
    {"a{3,", "no {m}"},
    {"a{-1}", "no {m}"},
    {"a{9999}", "repeats too much"},
    {"a{99999999999999999999}", "no {m}"},
    {"(?i)a", "other than \"(?:\""},
    {"(?=a)", "other than \"(?:\""},
    {"(?<!a)", "other than \"(?:\""},
    {"(?", "other than \"(?:\""},
    {"(((((((((((((((((x)))))))))))))))))", "nested too deep"},
    {"(x{50}){50}", "repeats too much"},
    {"((x{10}){10}){11}", "repeats too much"},
    {"(x{10,20}y{5}){41}", "repeats too much"},
    {"((((x{9}){9}){9}){9}){9}", "repeats too much"},
    {"x{500}y{500}z", "repeats too much"},
};

static void
takes_what_means_the_same_everywhere(void **state)
{
    (void) state;
    for (size_t i = 0; i < ROWS(good); i++) {
        const char *wrong = pattern_check(str_of(good[i]));
        if (wrong) {
            fail_msg("%s: %s", good[i], wrong);
        }
    }
}

static void
says_what_is_wrong(void **state)
{
    (void) state;
    for (size_t i = 0; i < ROWS(bad); i++) {
        const char *wrong = pattern_check(str_of(bad[i].pattern));
        if (!wrong) {
            fail_msg("%s is taken", bad[i].pattern);
        }
        if (!strstr(wrong, bad[i].why)) {
            fail_msg("%s: %s, not %s", bad[i].pattern, wrong, bad[i].why);
        }
    }
    assert_non_null(pattern_check(STR("a\\\0")));
    assert_non_null(pattern_check(STR_NONE));
}

static void
is_bounded(void **state)
{
    char text[PATTERN_MAX_BYTES + 1];

    (void) state;
    memset(text, 'x', sizeof(text));
    assert_null(pattern_check((str_t){text, PATTERN_MAX_BYTES}));
    assert_non_null(pattern_check((str_t){text, sizeof(text)}));
    memset(text, '(', sizeof(text));
    assert_non_null(pattern_check((str_t){text, PATTERN_MAX_BYTES}));
    /* never behind the end, wherever it is cut */
    for (size_t i = 0; i < ROWS(good); i++) {
        for (size_t n = 0; n < strlen(good[i]); n++) {
            char *cut = malloc(n + 1);
            assert_non_null(cut);
            memcpy(cut, good[i], n);
            (void) pattern_check((str_t){cut, n});
            free(cut);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_means_the_same_everywhere),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
