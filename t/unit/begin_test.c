/* An activation in a hint: what goes in comes out; what is no such text is
 * refused.
 * rooms: backend/pools backend/tmf backend/store backend/base proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/pools/begin.h"

static arena_t *arena;

static uuid_t
id_of(int n)
{
    uuid_t u = {{0xab}};

    u.byte[15] = (uint8_t) n;
    return u;
}

static activation_record_t
sample(void)
{
    return (activation_record_t){
        .id = id_of(1),
        .order_id = id_of(2),
        .service_id = id_of(3),
        .configuration_id = id_of(4),
        .item_id = STR("item \"1\""),
        .definition_id = 17,
        .service = STR("{\"name\":\"a\",\"x\":1.10}"),
        .characteristics = STR("{\"speed\":\"100\"}"),
        .spec_id = STR("Voip.Line"),
        .spec_version = STR("1.0"),
        .external_id = STR("e-1"),
        .traceparent = STR("00-1-2-01"),
        .order_date_us = 1795323755432435,
        .item_count = 3,
    };
}

static str_t
print(const activation_record_t *r)
{
    buf_t b;
    str_t s;

    buf_init(&b, 65536);
    begin_print(r, &b);
    assert_false(buf_failed(&b));
    s = arena_str(arena, buf_view(&b));
    buf_free(&b);
    return s;
}

#define assert_same(a, b) assert_true(str_eq(a, b))

static void
what_goes_in_comes_out(void **state)
{
    activation_record_t in = sample(), out;

    (void) state;
    assert_true(begin_read(arena, print(&in), &out));
    assert_true(uuid_eq(out.id, in.id));
    assert_true(uuid_eq(out.order_id, in.order_id));
    assert_true(uuid_eq(out.service_id, in.service_id));
    assert_true(uuid_eq(out.configuration_id, in.configuration_id));
    assert_same(out.item_id, in.item_id);
    assert_int_equal(out.definition_id, 17);
    assert_same(out.service, in.service);
    assert_same(out.characteristics, in.characteristics);
    assert_same(out.spec_id, in.spec_id);
    assert_same(out.spec_version, in.spec_version);
    assert_same(out.external_id, in.external_id);
    assert_same(out.category, STR(""));
    assert_same(out.priority, STR(""));
    assert_same(out.traceparent, in.traceparent);
    assert_int_equal(out.order_date_us, in.order_date_us);
    assert_int_equal(out.item_count, 3);
    /* as a row says it that nobody has begun */
    assert_int_equal(out.action, ACTION_ADD);
    assert_int_equal(out.seq, 0);
    assert_int_equal(out.run.len, 0);
    assert_int_equal(out.owner.len, 0);
    assert_true(out.start_us == NO_TIME);
    assert_false(out.has_own || out.has_current);
}

/* Anybody may write to a stream: each piece that is missing is seen. */
static void
what_is_cut_is_refused(void **state)
{
    activation_record_t in = sample(), out;
    str_t whole = print(&in);

    (void) state;
    for (size_t n = 0; n < whole.len; n++) {
        assert_false(begin_read(arena, (str_t){whole.data, n}, &out));
    }
    assert_false(begin_read(arena, STR("{}"), &out));
    assert_false(begin_read(arena, STR("[1]"), &out));
    assert_false(begin_read(arena, STR("\"id\""), &out));
    in.item_count = 0;
    assert_false(begin_read(arena, print(&in), &out));
    in = sample();
    in.service = STR("\"text\"");
    assert_false(begin_read(arena, print(&in), &out));
    in = sample();
    in.item_id = STR("");
    assert_false(begin_read(arena, print(&in), &out));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(what_is_cut_is_refused),
    };
    int rc;

    arena = arena_create();
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(arena);
    return rc;
}
