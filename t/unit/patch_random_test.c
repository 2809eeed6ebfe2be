/* rooms: proto backend/base backend/domain backend/tmf */
/*
 * PATCH against a second opinion: random documents and random patches, which
 * a small implementation over jansson applies as well. Both give the same, or
 * both refuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* jansson uses some of our names. */
#define JSON_OBJECT  ORACLE_OBJECT
#define JSON_ARRAY   ORACLE_ARRAY
#define JSON_STRING  ORACLE_STRING
#define JSON_NULL    ORACLE_NULL
#define json_t       oracle_t
#define json_error_t oracle_error_t
#define json_equal   oracle_equal
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_NULL
#undef json_t
#undef json_error_t
#undef json_equal
#undef json_is_true

#include "backend/tmf/patch.h"

#define ROUNDS     20000
#define STEP_MAX   16
#define PATH_STEPS 8
#define SORTED     (JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_COMPACT)

/* jansson's own would be held against our enumeration. */
#define IS(v, type_) ((v) && json_typeof(v) == (type_))

static arena_t *arena;

/* The second opinion ------------------------------------------------------- */

/* Equal values have the same text; all numbers here are integers. */
static bool
same(const oracle_t *a, const oracle_t *b)
{
    char *x = json_dumps(a, SORTED), *y = json_dumps(b, SORTED);
    bool equal = strcmp(x, y) == 0;

    free(x);
    free(y);
    return equal;
}

/* RFC 7386, 2: takes target, gives the result. */
static oracle_t *
oracle_merge(oracle_t *target, const oracle_t *patch)
{
    const char *name;
    oracle_t *value;

    if (!IS(patch, ORACLE_OBJECT)) {
        json_decref(target);
        return json_deep_copy(patch);
    }
    if (!IS(target, ORACLE_OBJECT)) {
        json_decref(target);
        target = json_object();
    }
    json_object_foreach((oracle_t *) patch, name, value)
    {
        oracle_t *was = json_object_get(target, name);

        if (IS(value, ORACLE_NULL)) {
            json_object_del(target, name);
        } else {
            json_object_set_new(target, name,
                                oracle_merge(json_incref(was), value));
        }
    }
    return target;
}

typedef struct {
    int count;
    char steps[PATH_STEPS][STEP_MAX];
} route_t;

static bool
route_of(const char *path, route_t *ret)
{
    char *to = NULL;

    ret->count = 0;
    for (; *path; path++) {
        if (*path == '/') {
            to = ret->steps[ret->count++];
            *to = '\0';
            continue;
        }
        if (!to) {
            return false;
        }
        char c = *path;
        if (c == '~') {
            c = path[1] == '0' ? '~' : path[1] == '1' ? '/' : '\0';
            path++;
        }
        if (!c) {
            return false;
        }
        *to++ = c;
        *to = '\0';
    }
    return true;
}

/* -1: no index */
static long
index_of(const char *step)
{
    char *end;
    long n = strtol(step, &end, 10);

    if (step[0] < '0' || step[0] > '9' || *end ||
        (step[0] == '0' && step[1])) {
        return -1;
    }
    return n;
}

static oracle_t *
child_of(oracle_t *v, const char *step)
{
    if (IS(v, ORACLE_OBJECT)) {
        return json_object_get(v, step);
    }
    long n = index_of(step);
    return IS(v, ORACLE_ARRAY) && n >= 0 ? json_array_get(v, (size_t) n)
                                         : NULL;
}

/* Borrowed: the value that many steps along. */
static oracle_t *
follow(oracle_t *v, const route_t *r, int steps)
{
    for (int i = 0; v && i < steps; i++) {
        v = child_of(v, r->steps[i]);
    }
    return v;
}

/* Takes value. */
static bool
oracle_add(oracle_t **doc, const route_t *r, oracle_t *value)
{
    oracle_t *parent = follow(*doc, r, r->count - 1);
    const char *last = r->count > 0 ? r->steps[r->count - 1] : "";
    oracle_t *was = follow(*doc, r, r->count);
    long n = index_of(last);

    if (r->count == 0 || IS(parent, ORACLE_OBJECT)) {
        if (IS(was, ORACLE_ARRAY) && !IS(value, ORACLE_ARRAY)) {
            return json_array_append_new(was, value) == 0; /* TMF630 */
        }
        if (r->count > 0) {
            return json_object_set_new(parent, last, value) == 0;
        }
        json_decref(*doc);
        *doc = value;
        return true;
    }
    if (IS(parent, ORACLE_ARRAY) && strcmp(last, "-") == 0) {
        return json_array_append_new(parent, value) == 0;
    }
    if (IS(parent, ORACLE_ARRAY) && n >= 0 &&
        (size_t) n <= json_array_size(parent)) {
        return json_array_insert_new(parent, (size_t) n, value) == 0;
    }
    json_decref(value);
    return false;
}

static bool
oracle_remove(oracle_t **doc, const route_t *r)
{
    oracle_t *parent = follow(*doc, r, r->count - 1);

    if (r->count == 0 || !follow(*doc, r, r->count)) {
        return false;
    }
    if (IS(parent, ORACLE_OBJECT)) {
        return json_object_del(parent, r->steps[r->count - 1]) == 0;
    }
    return json_array_remove(parent,
                             (size_t) index_of(r->steps[r->count - 1])) == 0;
}

static bool
oracle_replace(oracle_t **doc, const route_t *r, const oracle_t *value)
{
    oracle_t *parent = follow(*doc, r, r->count - 1);

    if (!follow(*doc, r, r->count)) {
        return false;
    }
    if (r->count == 0) {
        json_decref(*doc);
        *doc = json_deep_copy(value);
        return true;
    }
    const char *last = r->steps[r->count - 1];
    return IS(parent, ORACLE_OBJECT)
               ? json_object_set_new(parent, last, json_deep_copy(value)) == 0
               : json_array_set_new(parent, (size_t) index_of(last),
                                    json_deep_copy(value)) == 0;
}

static bool
is_prefix(const route_t *a, const route_t *b)
{
    for (int i = 0; i < a->count; i++) {
        if (i >= b->count || strcmp(a->steps[i], b->steps[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool
oracle_take(oracle_t **doc, const route_t *from, const route_t *path,
            bool move)
{
    oracle_t *was = follow(*doc, from, from->count);
    bool good;

    if (!was || (move && is_prefix(from, path))) {
        return was && from->count == path->count;
    }
    oracle_t *copy = json_deep_copy(was);
    if (move) {
        good = oracle_remove(doc, from);
        assert_true(good);
    }
    return oracle_add(doc, path, copy);
}

static bool
oracle_operation(oracle_t **doc, const oracle_t *operation)
{
    const char *op = json_string_value(json_object_get(operation, "op"));
    oracle_t *value = json_object_get(operation, "value");
    bool takes = strcmp(op, "move") == 0 || strcmp(op, "copy") == 0;
    route_t path, from;

    if (!route_of(json_string_value(json_object_get(operation, "path")),
                  &path) ||
        (takes &&
         !route_of(json_string_value(json_object_get(operation, "from")),
                   &from))) {
        return false;
    }
    if (strcmp(op, "add") == 0) {
        return oracle_add(doc, &path, json_deep_copy(value));
    }
    if (strcmp(op, "remove") == 0) {
        return oracle_remove(doc, &path);
    }
    if (strcmp(op, "replace") == 0) {
        return oracle_replace(doc, &path, value);
    }
    if (strcmp(op, "test") == 0) {
        oracle_t *is = follow(*doc, &path, path.count);
        return is && same(is, value);
    }
    return oracle_take(doc, &from, &path, strcmp(op, "move") == 0);
}

/* NULL: refused. */
static oracle_t *
oracle_apply(const oracle_t *stored, const oracle_t *patch, bool merge)
{
    oracle_t *doc = json_deep_copy(stored), *operation;
    size_t i;

    if (merge) {
        return oracle_merge(doc, patch);
    }
    json_array_foreach(patch, i, operation)
    {
        if (!oracle_operation(&doc, operation)) {
            json_decref(doc);
            return NULL;
        }
    }
    return doc;
}

/* What is random ----------------------------------------------------------- */

static const char *const names[] = {"a", "b", "c", "0", "", "m~n", "x/y"};

static void
random_value(buf_t *b, unsigned *seed, int depth)
{
    static const char *const scalars[] = {"0",    "1",     "-7",      "true",
                                          "null", "\"a\"", "\"\\n\"", "\"\""};
    int n = rand_r(seed) % 4;

    if (depth == 0 || rand_r(seed) % 4 == 0) {
        buf_puts(b, scalars[rand_r(seed) % 8]);
        return;
    }
    bool list = rand_r(seed) % 2;
    buf_char(b, list ? '[' : '{');
    for (int i = 0, at = rand_r(seed) % 3; i < n; i++) {
        buf_puts(b, i ? "," : "");
        if (!list) {
            buf_json(b, str_of(names[at + i]));
            buf_char(b, ':');
        }
        random_value(b, seed, depth - 1);
    }
    buf_char(b, list ? ']' : '}');
}

static void
random_object(buf_t *b, unsigned *seed)
{
    buf_puts(b, "{\"a\":");
    random_value(b, seed, 3);
    buf_puts(b, ",\"b\":");
    random_value(b, seed, 2);
    buf_puts(b, "}");
}

/* Mostly of steps that lead somewhere in such documents. */
static void
random_path(buf_t *b, unsigned *seed, const char *member)
{
    static const char *const steps[] = {"0",    "1",    "a",  "b", "c",
                                        "-",    "",     "01", "2", "9",
                                        "m~0n", "x~1y", "~2", "0"};
    int n = rand_r(seed) % 4;

    buf_printf(b, ",\"%s\":\"%s", member,
               rand_r(seed) % 50 == 0 ? "a"
               : n                    ? rand_r(seed) % 3 ? "/a" : "/b"
                                      : "");
    for (int i = 1; i < n; i++) {
        buf_printf(b, "/%s",
                   steps[rand_r(seed) % (rand_r(seed) % 2 ? 4 : 14)]);
    }
    buf_puts(b, "\"");
}

static void
random_operation(buf_t *b, unsigned *seed)
{
    static const char *const ops[] = {"add",  "remove", "replace",
                                      "move", "copy",   "test"};

    buf_printf(b, "{\"op\":\"%s\"", ops[rand_r(seed) % 6]);
    random_path(b, seed, "path");
    random_path(b, seed, "from");
    buf_puts(b, ",\"value\":");
    random_value(b, seed, rand_r(seed) % 2);
    buf_puts(b, "}");
}

static void
random_operations(buf_t *b, unsigned *seed)
{
    int n = rand_r(seed) % 6;

    buf_puts(b, "[");
    for (int i = 0; i < n; i++) {
        buf_puts(b, i ? "," : "");
        random_operation(b, seed);
    }
    buf_puts(b, "]");
}

/* Both ---------------------------------------------------------------------- */

static oracle_t *
load(str_t text)
{
    oracle_error_t err;
    oracle_t *v = json_loadb(text.data, text.len,
                             JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &err);

    if (!v) {
        fail_msg("%s: %.*s", err.text, STR_FMT(text));
    }
    return v;
}

/* The same patch, and at its end a test of the whole: what is written is what
 * the operations see. */
static void
check_whole(unsigned seed, str_t doc, str_t patch, const oracle_t *wanted)
{
    char *text = json_dumps(wanted, SORTED);
    str_t test = arena_printf(
        arena, "%.*s%s{\"op\":\"test\",\"path\":\"\",\"value\":%s}]",
        (int) patch.len - 1, patch.data, patch.len > 2 ? "," : "", text);
    tmf_error_t err = {0};
    buf_t out;

    buf_init(&out, JSON_MAX_BYTES);
    if (!patch_apply(&out, arena, json_parse(arena, doc, NULL),
                     json_parse(arena, test, NULL), PATCH_JSON, &err)) {
        fail_msg("seed %u: %.*s on %.*s: %s", seed, STR_FMT(test),
                 STR_FMT(doc), err.message);
    }
    buf_free(&out);
    free(text);
}

/* Was the patch taken? */
static bool
compare(unsigned seed, patch_kind_t kind, str_t doc, str_t patch)
{
    tmf_error_t err = {0};
    oracle_t *stored = load(doc), *change = load(patch), *wanted, *got = NULL;
    buf_t out;
    bool good;

    buf_init(&out, JSON_MAX_BYTES);
    wanted = oracle_apply(stored, change, kind == PATCH_MERGE);
    good = patch_apply(&out, arena, json_parse(arena, doc, NULL),
                       json_parse(arena, patch, NULL), kind, &err);
    if (good) {
        got = load(buf_view(&out));
    }
    if (good != (wanted != NULL) || (good && !same(got, wanted))) {
        char *text = wanted ? json_dumps(wanted, SORTED) : NULL;
        fail_msg("seed %u: %.*s on %.*s is %.*s (%s), not %s", seed,
                 STR_FMT(patch), STR_FMT(doc), STR_FMT(buf_view(&out)),
                 err.message, text ? text : "refused");
    }
    if (good && kind == PATCH_JSON) {
        check_whole(seed, doc, patch, wanted);
    }
    json_decref(stored);
    json_decref(change);
    json_decref(wanted);
    json_decref(got);
    buf_free(&out);
    return good;
}

/* How many of the rounds were taken. */
static int
play(patch_kind_t kind)
{
    int taken = 0;
    buf_t doc, patch;

    buf_init(&doc, 1 << 20);
    buf_init(&patch, 1 << 20);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        unsigned seed = i;

        buf_reset(&doc);
        buf_reset(&patch);
        random_object(&doc, &seed);
        if (kind == PATCH_MERGE) {
            random_object(&patch, &seed);
        } else {
            random_operations(&patch, &seed);
        }
        taken += compare(i, kind, buf_view(&doc), buf_view(&patch));
        arena_reset(arena);
    }
    buf_free(&doc);
    buf_free(&patch);
    return taken;
}

static void
merge_patches_agree(void **state)
{
    (void) state;
    assert_int_equal(play(PATCH_MERGE), ROUNDS);
}

/* Of both verdicts there are enough to mean something. */
static void
json_patches_agree(void **state)
{
    (void) state;
    assert_in_range(play(PATCH_JSON), ROUNDS / 5, ROUNDS * 4 / 5);
}

static int
setup(void **state)
{
    (void) state;
    arena = arena_create();
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    arena_free(arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_patches_agree),
        cmocka_unit_test(json_patches_agree),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
