/* The catalog in memory: families from files, specifications and their
 * versions as they change.
 * rooms: proto backend/base backend/domain backend/pools */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/pools/catalog.h"

#define SPECIFICATION(id, version, more)                                  \
    "{\"id\":\"" id "\",\"version\":\"" version "\",\"lifecycleStatus\":" \
    "\"Active\"" more "}"
#define FAMILY(name, spec)                                            \
    "{\"family\":\"" name "\",\"version\":\"1\",\"specifications\":"  \
    "[{\"id\":\"" spec "\",\"version\":\"1.0\"}],\"targets\":{},"     \
    "\"deadline\":\"1m\",\"machines\":{\"add\":[{\"state\":\"take\"," \
    "\"allocate\":{\"pool\":\"p\",\"as\":\"v\"},"                     \
    "\"undo\":{\"release\":{\"pool\":\"p\"}},"                        \
    "\"inventory\":{\"state\":\"active\"}}]}}\n"

static char dir[64];
static catalog_t *catalog;

static int
setup(void **state)
{
    (void) state;
    log_init("test", LOG_ERROR);
    snprintf(dir, sizeof(dir), "/tmp/turnup-unit-XXXXXX");
    catalog = catalog_create();
    return mkdtemp(dir) ? 0 : -1;
}

static int
teardown(void **state)
{
    char command[128];

    (void) state;
    catalog_free(catalog);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command); /* NOLINT(cert-env33-c): a name of our own */
}

static void
put_file(const char *name, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void
put_specification(const char *id, const char *version, const char *doc,
                  int64_t change, bool deleted)
{
    catalog_apply(catalog, &(entity_record_t){.id = str_of(id),
                                              .version = str_of(version),
                                              .doc = str_of(doc),
                                              .change = change,
                                              .deleted = deleted});
}

/* The name of what is found, or "". */
static const char *
found(const char *id, const char *version)
{
    static char name[64];
    const specification_t *s =
        catalog_specification(catalog, str_of(id), str_of(version));

    snprintf(name, sizeof(name), "%.*s",
             STR_FMT(s ? specification_name(s) : STR("")));
    return name;
}

/* Families ----------------------------------------------------------------- */

static void
families_of_a_directory(void **state)
{
    char err[512] = "";
    buf_t b;

    (void) state;
    put_file("b.json", FAMILY("two", "Two"));
    put_file("a.json", "// one\n" FAMILY("one", "One"));
    put_file(".hidden.json", "not read");
    put_file("README.md", "not read");
    put_file("c.json~", "not read");
    put_file(".json", "not read");
    if (!catalog_read_families(catalog, dir, err, sizeof(err))) {
        fail_msg("%s", err);
    }
    assert_int_equal(catalog_family_count(catalog), 2);
    assert_true(str_is(catalog_family_at(catalog, 0)->name, "one"));
    assert_true(str_is(catalog_family_at(catalog, 1)->name, "two"));
    buf_init(&b, 4096);
    catalog_fingerprints(catalog, &b);
    assert_non_null(strstr(b.data, "\"one\":\""));
    assert_non_null(strstr(b.data, catalog_family_at(catalog, 1)->hash));
    buf_free(&b);
}

static void
definitions_get_numbers(void **state)
{
    char err[512];
    const family_t *f;

    (void) state;
    put_file("a.json", FAMILY("one", "One"));
    assert_true(catalog_read_families(catalog, dir, err, sizeof(err)));
    f = catalog_family_at(catalog, 0);
    assert_int_equal(catalog_definition(catalog, f), 0);
    catalog_set_definition(catalog, 0, 42);
    assert_int_equal(catalog_definition(catalog, f), 42);
    assert_int_equal(catalog_definition(catalog, NULL), 0);
}

static void
refused(const char *file, const char *what)
{
    char err[512] = "", expected[512];

    assert_false(catalog_read_families(catalog, dir, err, sizeof(err)));
    snprintf(expected, sizeof(expected), "%s/%s:%s", dir, file, what);
    if (strncmp(err, expected, strlen(expected))) {
        fail_msg("\"%s\" does not begin with \"%s\"", err, expected);
    }
}

static void
a_family_defined_twice(void **state)
{
    (void) state;
    put_file("a.json", FAMILY("one", "One"));
    put_file("b.json", FAMILY("one", "Two"));
    refused("b.json", "1: family one is defined twice");
}

static void
a_file_that_is_no_definition(void **state)
{
    (void) state;
    put_file("a.json", "{\n\"family\": \"one\",\n\"version\" 7 }");
    refused("a.json", "3:");
}

static void
a_definition_that_is_refused(void **state)
{
    (void) state;
    put_file("a.json", "\n\n" FAMILY("Not A Name!", "One"));
    refused("a.json", "3:");
}

static void
an_empty_file(void **state)
{
    (void) state;
    put_file("a.json", "");
    refused("a.json", "1:");
}

static void
a_file_that_cannot_be_read(void **state)
{
    char path[128];

    (void) state;
    snprintf(path, sizeof(path), "%s/a.json", dir);
    assert_int_equal(symlink("nowhere", path), 0);
    refused("a.json", " cannot be read");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    refused("a.json", "");
}

static void
a_directory_that_is_not_there(void **state)
{
    char err[512] = "";

    (void) state;
    assert_false(
        catalog_read_families(catalog, "/nonexistent", err, sizeof(err)));
    assert_string_equal(err, "/nonexistent: cannot be read");
}

static void
too_many_families(void **state)
{
    char err[512], expected[512];

    (void) state;
    for (int i = 0; i <= CATALOG_MAX_FAMILIES; i++) {
        char name[32], text[1024];

        snprintf(name, sizeof(name), "f%03d.json", i);
        snprintf(text, sizeof(text), "%s", FAMILY("f000", "One"));
        memcpy(strstr(text, "f000"), name, 4);
        put_file(name, text);
    }
    snprintf(expected, sizeof(expected), "%s: more than 64 families", dir);
    assert_false(catalog_read_families(catalog, dir, err, sizeof(err)));
    assert_string_equal(err, expected);
    assert_int_equal(catalog_family_count(catalog), CATALOG_MAX_FAMILIES);
}

static void
files_and_their_limit(void **state)
{
    char path[128];
    size_t len = 77;
    char *text;

    (void) state;
    put_file("a", "12345");
    snprintf(path, sizeof(path), "%s/a", dir);
    text = file_read(path, 5, &len);
    assert_string_equal(text, "12345");
    assert_int_equal(len, 5);
    free(text);
    assert_null(file_read(path, 4, &len));
    assert_int_equal(len, 5);
    assert_null(file_read("/nonexistent", 5, &len));
}

/* Specifications ----------------------------------------------------------- */

static void
versions_side_by_side(void **state)
{
    (void) state;
    assert_string_equal(found("S", ""), "");
    put_specification("S", "1", SPECIFICATION("S", "1", ",\"name\":\"a\""), 5,
                      false);
    put_specification("S", "2", SPECIFICATION("S", "2", ",\"name\":\"b\""), 6,
                      false);
    put_specification("T", "1", SPECIFICATION("T", "1", ",\"name\":\"c\""), 4,
                      false);
    assert_string_equal(found("S", "1"), "a");
    assert_string_equal(found("S", "2"), "b");
    assert_string_equal(found("S", ""), "b");
    assert_string_equal(found("S", "3"), "");
    assert_string_equal(found("T", ""), "c");
    assert_string_equal(found("s", ""), "");
    assert_string_equal(found("", ""), "");
    assert_int_equal(catalog_change(catalog), 6);
}

/* An older row that was changed is the newest again. */
static void
superseded(void **state)
{
    const specification_t *pinned;

    (void) state;
    put_specification("S", "1", SPECIFICATION("S", "1", ",\"name\":\"a\""), 1,
                      false);
    pinned = catalog_specification(catalog, STR("S"), STR("1"));
    put_specification("S", "2", SPECIFICATION("S", "2", ",\"name\":\"b\""), 2,
                      false);
    put_specification("S", "1", SPECIFICATION("S", "1", ",\"name\":\"c\""), 3,
                      false);
    assert_string_equal(found("S", "1"), "c");
    assert_string_equal(found("S", ""), "c");
    assert_string_equal(found("S", "2"), "b");
    /* who planned under the old one still has it */
    assert_true(str_is(specification_name(pinned), "a"));
}

static void
deleted(void **state)
{
    (void) state;
    put_specification("S", "1", SPECIFICATION("S", "1", ",\"name\":\"a\""), 1,
                      false);
    put_specification("S", "2", SPECIFICATION("S", "2", ",\"name\":\"b\""), 2,
                      false);
    put_specification("S", "2", SPECIFICATION("S", "2", ",\"name\":\"b\""), 3,
                      true);
    assert_string_equal(found("S", "2"), "");
    assert_string_equal(found("S", ""), "a");
    put_specification("S", "1", SPECIFICATION("S", "1", ",\"name\":\"a\""), 4,
                      true);
    assert_string_equal(found("S", "1"), "");
    assert_string_equal(found("S", ""), "");
    put_specification("S", "2", SPECIFICATION("S", "2", ",\"name\":\"d\""), 5,
                      false);
    assert_string_equal(found("S", ""), "d");
    assert_string_equal(found("S", "1"), "");
}

/* Named, it is found (and refused by the plan); unnamed, another is taken. */
static void
not_active(void **state)
{
    (void) state;
    put_specification("S", "1", SPECIFICATION("S", "1", ",\"name\":\"a\""), 1,
                      false);
    put_specification("S", "2",
                      "{\"id\":\"S\",\"version\":\"2\",\"name\":\"b\","
                      "\"lifecycleStatus\":\"Retired\"}",
                      2, false);
    assert_string_equal(found("S", "2"), "b");
    assert_string_equal(found("S", ""), "a");
}

/* It is skipped and not asked for again; its older self serves on. */
static void
one_that_cannot_be_used(void **state)
{
    (void) state;
    put_specification("S", "1", SPECIFICATION("S", "1", ",\"name\":\"a\""), 1,
                      false);
    put_specification("S", "1",
                      SPECIFICATION("S", "1",
                                    ",\"specCharacteristic\":[{\"name\":\"c\","
                                    "\"regex\":\"[\"}]"),
                      9, false);
    assert_int_equal(catalog_change(catalog), 9);
    assert_string_equal(found("S", "1"), "a");
}

static void
many(void **state)
{
    (void) state;
    for (int i = 0; i < 100; i++) {
        char id[16], doc[128];

        snprintf(id, sizeof(id), "S%d", i);
        snprintf(doc, sizeof(doc),
                 "{\"id\":\"%s\",\"version\":\"1\",\"name\":\"n%d\","
                 "\"lifecycleStatus\":\"Active\"}",
                 id, i);
        put_specification(id, "1", doc, i, false);
    }
    assert_string_equal(found("S0", ""), "n0");
    assert_string_equal(found("S99", "1"), "n99");
}

static void
as_the_plan_sees_it(void **state)
{
    char err[512];
    plan_catalog_t p = catalog_for_plan(catalog);

    (void) state;
    put_file("a.json", FAMILY("one", "One"));
    assert_true(catalog_read_families(catalog, dir, err, sizeof(err)));
    put_specification("One", "1.0", SPECIFICATION("One", "1.0", ""), 1, false);
    assert_non_null(p.specification(p.ctx, STR("One"), STR("1.0")));
    assert_null(p.specification(p.ctx, STR("One"), STR("2.0")));
    assert_ptr_equal(p.family(p.ctx, STR("One"), STR("1.0")),
                     catalog_family_at(catalog, 0));
    assert_null(p.family(p.ctx, STR("One"), STR("2.0")));
    assert_null(p.family(p.ctx, STR("Two"), STR("1.0")));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(families_of_a_directory),
        TEST(definitions_get_numbers),
        TEST(a_family_defined_twice),
        TEST(a_file_that_is_no_definition),
        TEST(a_definition_that_is_refused),
        TEST(an_empty_file),
        TEST(a_file_that_cannot_be_read),
        TEST(a_directory_that_is_not_there),
        TEST(too_many_families),
        TEST(files_and_their_limit),
        TEST(versions_side_by_side),
        TEST(superseded),
        TEST(deleted),
        TEST(not_active),
        TEST(one_that_cannot_be_used),
        TEST(many),
        TEST(as_the_plan_sees_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
