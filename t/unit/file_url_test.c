/* file: URLs below a directory, and what leads out of it.
 * rooms: proto backend/base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/base/file_url.h"

static arena_t *arena;
static char top[] = "/tmp/turnup-unit-XXXXXX";
static char inside[sizeof(top) + 3];

static const char *
at(const char *name)
{
    return arena_printf(arena, "%s/%s", top, name).data;
}

static int
start(void **state)
{
    (void) state;
    arena = arena_create();
    if (!mkdtemp(top)) {
        return -1;
    }
    snprintf(inside, sizeof(inside), "%s/in", top);
    return mkdir(inside, 0700) || mkdir(at("in/deep"), 0700) ||
           mkdir(at("out"), 0700) || symlink(at("out"), at("in/away")) ||
           symlink(at("out/x"), at("in/link"));
}

static int
stop(void **state)
{
    static const char *const names[] = {"in/away", "in/link", "in/a",
                                        "in/deep/b", "out/x"};

    (void) state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void) unlink(at(names[i]));
    }
    return rmdir(at("in/deep")) || rmdir(inside) || rmdir(at("out")) ||
           (arena_free(arena), rmdir(top));
}

static void
paths(void **state)
{
    static const struct {
        const char *url, *directory, *path; /* NULL: refused */
    } cases[] = {
        {"file:///srv/in/a.json", "/srv/in", "a.json"},
        {"file:/srv/in/a.json", "/srv/in/", "a.json"},
        {"FILE://localhost/srv/in/a/b.c", "/srv/in", "a/b.c"},
        {"file:///srv/in/%61%20b%2ec", "/srv/in", "a b.c"},
        {"file:///srv/in/...", "/srv/in", "..."},
        {"file:///srv/in/.a/..b", "/srv/in", ".a/..b"},
        {"file:///a", "/", "a"},
        {"file:///srv/in/a", "", NULL},
        {"http:///srv/in/a", "/srv/in", NULL},
        {"/srv/in/a", "/srv/in", NULL},
        {"file:", "/srv/in", NULL},
        {"file:///", "/srv/in", NULL},
        {"file:///", "/", NULL},
        {"file:///srv/in", "/srv/in", NULL},
        {"file:///srv/in/", "/srv/in", NULL},
        {"file:///srv/inner/a", "/srv/in", NULL},
        {"file:///srv/in//a", "/srv/in", NULL},
        {"file:///srv/in/a/", "/srv/in", NULL},
        {"file:///srv/in/.", "/srv/in", NULL},
        {"file:///srv/in/..", "/srv/in", NULL},
        {"file:///srv/in/../a", "/srv/in", NULL},
        {"file:///srv/in/a/../../b", "/srv/in", NULL},
        {"file:///srv/in/%2e%2E/a", "/srv/in", NULL},
        {"file:///srv/in/a%2f..%2f..%2fb", "/srv/in", NULL},
        {"file:///srv/in/a%00b", "/srv/in", NULL},
        {"file:///srv/in/a%", "/srv/in", NULL},
        {"file:///srv/in/a%4", "/srv/in", NULL},
        {"file:///srv/in/a%4g", "/srv/in", NULL},
        {"file:///srv/in/a?b", "/srv/in", NULL},
        {"file:///srv/in/a#b", "/srv/in", NULL},
        {"file://elsewhere/srv/in/a", "/srv/in", NULL},
        {"file:////srv/in/a", "/srv/in", NULL},
        {"file:///srv/x/../in/a", "/srv/in", NULL},
        {"file:///etc/passwd", "/srv/in", NULL},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = NULL;
        const char *path = file_url_path(arena, str_of(cases[i].url),
                                         cases[i].directory, &why);

        if (cases[i].path ? !path || strcmp(path, cases[i].path) != 0
                          : path || !why) {
            fail_msg("%s: %s", cases[i].url, path ? path : "refused");
        }
    }
}

static void
assert_read(const char *path, const char *text)
{
    const char *why = NULL;
    size_t len = 0;
    char *got = file_below_read(inside, path, 10, &len, &why);

    if (text) {
        assert_non_null(got);
        assert_int_equal(len, strlen(text));
        assert_string_equal(got, text);
    } else {
        assert_null(got);
        assert_non_null(why);
    }
    free(got);
}

static bool
put(const char *path, const char *text)
{
    const char *why = NULL;
    bool good = file_below_write(inside, path, ".tmp", str_of(text), &why);

    assert_true(good == (why == NULL));
    return good;
}

static void
files(void **state)
{
    (void) state;
    assert_true(put("a", "one"));
    assert_read("a", "one");
    assert_true(put("a", "ten bytes."));
    assert_read("a", "ten bytes.");
    assert_true(put("a", "eleven byte"));
    assert_read("a", NULL);
    assert_true(put("deep/b", ""));
    assert_read("deep/b", "");
    assert_int_equal(access(at("in/.tmp"), F_OK), -1);
    assert_read("none", NULL);
    assert_read("deep", NULL);
    assert_read("a/b", NULL);
    assert_false(put("deep", "x"));
    assert_false(put("none/x", "x"));
    assert_int_equal(access(at("in/.tmp"), F_OK), -1);
}

/* Neither read nor written through; what is there already is replaced. */
static void
links(void **state)
{
    FILE *f = fopen(at("out/x"), "w");

    (void) state;
    assert_non_null(f);
    assert_true(fputs("out", f) >= 0 && fclose(f) == 0);
    assert_read("link", NULL);
    assert_read("away/x", NULL);
    assert_false(put("away/y", "x"));
    assert_int_equal(access(at("out/y"), F_OK), -1);
    assert_true(put("link", "in"));
    assert_read("link", "in");
    f = fopen(at("out/x"), "r");
    assert_non_null(f);
    assert_int_equal(fgetc(f), 'o');
    assert_int_equal(fclose(f), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(files),
        cmocka_unit_test(links),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
