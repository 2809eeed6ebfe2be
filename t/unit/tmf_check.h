/*
 * What the tests of backend/tmf share: an arena a test, texts to trees, and
 * looking into what was written.
 */
#ifndef TURNUP_UNIT_TMF_CHECK_H
#define TURNUP_UNIT_TMF_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "backend/base/json.h"
#include "backend/base/uuid.h"
#include "backend/domain/record.h"
#include "backend/tmf/view.h"

#define ORDER_ID         "01890000-0000-7000-8000-000000000001"
#define SERVICE_ID       "01890000-0000-7000-8000-000000000002"
#define CONFIGURATION_ID "01890000-0000-7000-8000-000000000003"
#define EVENT_ID         "01890000-0000-7000-8000-000000000004"

/* 2030-01-01T00:00:00.000Z */
#define NEW_YEAR_2030 INT64_C(1893456000000000)

static arena_t *arena;
static buf_t out;

static int
check_setup(void **state)
{
    (void) state;
    arena = arena_create();
    buf_init(&out, 64 << 20);
    return 0;
}

static int
check_teardown(void **state)
{
    (void) state;
    buf_free(&out);
    arena_free(arena);
    return 0;
}

#define CHECK_TEST(f) \
    cmocka_unit_test_setup_teardown(f, check_setup, check_teardown)

static inline uuid_t
uuid_of(const char *text)
{
    uuid_t u;

    assert_true(uuid_parse(str_of(text), &u));
    return u;
}

static inline const json_t *
tree_of(str_t text)
{
    json_error_t err;
    const json_t *v = json_parse(arena, text, &err);

    if (!v) {
        print_error("%s at %s: %.*s\n", err.reason, err.pointer,
                    STR_FMT(text));
    }
    assert_non_null(v);
    return v;
}

/* As JSON, where ' stands for ". */
static inline str_t
json_of(const char *text)
{
    char *copy = arena_z(arena, str_of(text));

    for (char *p = copy; (p = strchr(p, '\'')) != NULL;) {
        *p = '"';
    }
    return str_of(copy);
}

static inline const json_t *
tree(const char *text)
{
    return tree_of(json_of(text));
}

/* What stands at a pointer is exactly this text; NULL: nothing. */
#define assert_at(doc, pointer, wanted) \
    check_at((doc), (pointer), (wanted), __FILE__, __LINE__)

static inline void
check_at(const json_t *doc, const char *pointer, const char *wanted,
         const char *file, int line)
{
    const json_t *v = json_at(doc, str_of(pointer));

    if ((!v && !wanted) || (v && wanted && str_is(v->raw, wanted))) {
        return;
    }
    print_error("%s is %.*s, not %s, in %.*s\n", pointer,
                v ? (int) v->raw.len : 7, v ? v->raw.data : "nothing",
                wanted ? wanted : "nothing", STR_FMT(doc->raw));
    _fail(file, line);
}

/* Asks for some attributes; everything when fields is NULL. */
static inline tmf_view_t
view_with(query_t *q, const char *fields)
{
    tmf_view_t v = {STR("https://api.example"), STR("v4"), false, NULL};

    if (fields) {
        char text[256];
        tmf_error_t err;
        snprintf(text, sizeof(text), "fields=%s", fields);
        assert_int_equal(query_parse(q, str_of(text), &err), 0);
        v.query = q;
    }
    return v;
}

static inline tmf_view_t
view_all(void)
{
    return view_with(NULL, NULL);
}

#endif
