/* Orders against themselves (ids, nesting, dependencies) and against catalog,
 * families and inventory (the plan).
 * rooms: proto backend/base backend/domain */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "backend/domain/order.h"

/* The items of an order, and what must come of them. */
typedef struct {
    int n;
    int parents[8];
    int depends[8][4];   /* index + 1, 0 ends: so that {0} is "none" */
    const char *pointer; /* of the refusal; NULL: fine */
    const char *message;
} graph_row_t;

static const graph_row_t graphs[] = {
    {0, {0}, {{0}}, NULL, ""},
    {1, {-1}, {{0}}, NULL, ""},
    {3, {-1, -1, -1}, {{0}, {1}, {1, 2}}, NULL, ""},
    {3, {-1, -1, -1}, {{2, 3}, {3}, {0}}, NULL, ""},
    {1,
     {-1},
     {{1}},
     "/serviceOrderItem/0/serviceOrderItemRelationship",
     "itself"},
    {2,
     {-1, -1},
     {{0}, {3}},
     "/serviceOrderItem/1/serviceOrderItemRelationship",
     "not in the order"},
    {2,
     {-1, -1},
     {{2}, {1}},
     "/serviceOrderItem/1/serviceOrderItemRelationship",
     "cycle"},
    {3,
     {-1, -1, -1},
     {{2}, {3}, {1}},
     "/serviceOrderItem/2/serviceOrderItemRelationship",
     "cycle"},
    /* 0 has 1 and 2; 2 has 3 */
    {4, {-1, 0, 0, 2}, {{0}, {3}, {0}, {0}}, NULL, ""},
    {4,
     {-1, 0, 0, 2},
     {{0}, {0}, {0}, {1}},
     "/serviceOrderItem/0/serviceOrderItem/1/serviceOrderItem/0/"
     "serviceOrderItemRelationship",
     "nested in"},
    {4,
     {-1, 0, 0, 2},
     {{4}, {0}, {0}, {0}},
     "/serviceOrderItem/0/serviceOrderItemRelationship",
     "nested in it"},
    /* 3 waits for the whole of 2, and 1 in 2's sibling for 3: fine */
    {4, {-1, 0, -1, 2}, {{0}, {3}, {0}, {0}}, NULL, ""},
    /* 0 holds 1, 2 holds 3: 1 waits for all of 2, 3 waits for all of 0 */
    {4,
     {-1, 0, -1, 2},
     {{0}, {3}, {0}, {1}},
     "/serviceOrderItem/1/serviceOrderItem/0/serviceOrderItemRelationship",
     "cycle"},
    /* what a parent waits for, its children wait for: 3 is after 0's 1 */
    {4,
     {-1, 0, -1, 2},
     {{0}, {4}, {2}, {0}},
     "/serviceOrderItem/1/serviceOrderItemRelationship",
     "cycle"},
};

static void
test_dependencies(void **ctx)
{
    static const char *const ids[] = {"0", "1", "2", "3", "4", "5", "6", "7"};

    (void) ctx;
    for (size_t g = 0; g < sizeof(graphs) / sizeof(graphs[0]); g++) {
        const graph_row_t *row = &graphs[g];
        order_item_t items[8] = {0};
        order_t o = {.items = items, .item_count = row->n};
        order_error_t err = {.pointer = ""};
        bool ok;

        for (int i = 0; i < row->n; i++) {
            items[i].id = str_of(ids[i]);
            items[i].parent = row->parents[i];
            for (int k = 0; row->depends[i][k] != 0; k++) {
                items[i].depends[items[i].depend_count++] =
                    row->depends[i][k] - 1;
            }
        }
        ok = order_check_dependencies(&o, &err);
        if (ok != (row->pointer == NULL) ||
            (!ok && (strcmp(err.pointer, row->pointer) != 0 ||
                     strstr(err.message, row->message) == NULL))) {
            fail_msg("graph %zu: %s %s", g, err.pointer, err.message);
        }
    }
}

static void
test_same_ids(void **ctx)
{
    order_item_t items[3] = {{.id = STR("a"), .parent = -1},
                             {.id = STR("b"), .parent = 0},
                             {.id = STR("a"), .parent = 0}};
    order_t o = {.items = items, .item_count = 3};
    order_error_t err;

    (void) ctx;
    assert_false(order_check_dependencies(&o, &err));
    assert_string_equal(err.pointer,
                        "/serviceOrderItem/0/serviceOrderItem/1/id");
    assert_non_null(strstr(err.message, "\"a\""));
}

/* The longest chain, the deepest nest and one item too many. */
static void
test_order_limits(void **ctx)
{
    static order_item_t items[ORDER_MAX_ITEMS + 1];
    static char ids[ORDER_MAX_ITEMS + 1][12];
    order_t o = {.items = items, .item_count = ORDER_MAX_ITEMS};
    order_error_t err;

    (void) ctx;
    for (int i = 0; i <= ORDER_MAX_ITEMS; i++) {
        (void) snprintf(ids[i], sizeof(ids[i]), "%d", i);
        items[i] = (order_item_t){.id = str_of(ids[i]), .parent = -1};
        items[i].depends[0] = i + 1;
        items[i].depend_count = i + 1 < ORDER_MAX_ITEMS;
    }
    assert_true(order_check_dependencies(&o, &err));
    items[ORDER_MAX_ITEMS - 1].depend_count = 1;
    items[ORDER_MAX_ITEMS - 1].depends[0] = 0;
    assert_false(order_check_dependencies(&o, &err));
    assert_non_null(strstr(err.message, "cycle"));
    o.item_count++;
    assert_false(order_check_dependencies(&o, &err));
    assert_string_equal(err.pointer, "/serviceOrderItem");
    o.item_count = ORDER_MAX_ITEMS;
    for (int i = 0; i < ORDER_MAX_ITEMS; i++) {
        items[i].parent = i - 1;
        items[i].depend_count = 0;
    }
    assert_true(order_check_dependencies(&o, &err));
    items[ORDER_MAX_ITEMS - 1].depend_count = 1;
    items[ORDER_MAX_ITEMS - 1].depends[0] = ORDER_MAX_ITEMS - 1;
    assert_false(order_check_dependencies(&o, &err));
    assert_true(strlen(err.pointer) < sizeof(err.pointer));
}

/* The catalog: "S" (1 retired, 2 active), "N" without a family, "R" retired,
 * "A" add only. */
static const char *const documents[] = {
    "{\"id\":\"S\",\"version\":\"1\",\"name\":\"Old\",\"lifecycleStatus\":"
    "\"Retired\",\"specCharacteristic\":[{\"name\":\"speed\"}]}",
    "{\"id\":\"S\",\"version\":\"2\",\"name\":\"New\",\"specCharacteristic\":"
    "[{\"name\":\"speed\",\"valueType\":\"integer\",\"minCardinality\":1},"
    "{\"name\":\"codec\",\"characteristicValueSpecification\":[{\"value\":"
    "\"g\",\"isDefault\":true}]},{\"name\":\"o\",\"valueType\":\"object\"}]}",
    "{\"id\":\"N\",\"version\":\"1\"}",
    "{\"id\":\"R\",\"version\":\"1\",\"lifecycleStatus\":\"Retired\"}",
    "{\"id\":\"A\",\"version\":\"1\"}",
};

#define DOCUMENTS ((int) (sizeof(documents) / sizeof(documents[0])))

static const char family_text[] =
    "{\"family\":\"f\",\"version\":\"1\",\"specifications\":[{\"id\":\"S\"},"
    "{\"id\":\"R\"}],\"targets\":{\"t\":{\"url\":\"http://h\"}},"
    "\"deadline\":\"1m\",\"machines\":{\"add\":[{\"state\":\"a\",\"call\":{"
    "\"target\":\"t\",\"method\":\"PUT\",\"path\":"
    "\"/{{service.id}}/{{order.id}}\",\"headers\":{\"X-P\":"
    "\"{{order.priority|4}}\"},\"body\":[\"{{characteristic.speed}}\","
    "\"{{spec.name}}\",\"{{item.action}}\",\"{{characteristic.codec|}}\"]},"
    "\"undo\":{\"call\":{\"target\":\"t\",\"method\":\"DELETE\",\"path\":"
    "\"/{{service.name}}\"}}}],\"modify\":[{\"state\":\"a\",\"call\":{"
    "\"target\":\"t\",\"method\":\"GET\",\"path\":"
    "\"/{{current.characteristic.port}}\"},\"inventory\":{\"characteristic\":"
    "{\"was\":\"{{current.state}}\",\"speed\":\"{{characteristic.speed}}\"}}}"
    "],\"delete\":[{\"state\":\"a\",\"release\":{\"pool\":"
    "\"p-{{characteristic.port}}\"}}]}}";

static const char add_only_text[] =
    "{\"family\":\"g\",\"version\":\"1\",\"specifications\":[{\"id\":\"A\"}],"
    "\"deadline\":\"1m\",\"machines\":{\"add\":[{\"state\":\"a\","
    "\"inventory\":{\"characteristic\":{\"x\":\"{{characteristic.any}}\"},"
    "\"supportingResource\":[{\"id\":\"{{characteristic.any}}\"}]}}]}}";

typedef struct {
    arena_t *arena;
    specification_t *specifications[DOCUMENTS];
    family_t *families[2];
    plan_catalog_t catalog;
} fixture_t;

static const specification_t *
find_specification(void *ctx, str_t id, str_t version)
{
    fixture_t *f = ctx;

    for (int i = DOCUMENTS - 1; i >= 0; i--) {
        const specification_t *s = f->specifications[i];

        if (str_eq(specification_id(s), id) &&
            (version.len == 0 || str_eq(specification_version(s), version))) {
            return s;
        }
    }
    return NULL;
}

static const family_t *
find_family(void *ctx, str_t spec_id, str_t spec_version)
{
    fixture_t *f = ctx;

    for (int i = 0; i < 2; i++) {
        if (family_serves(f->families[i], spec_id, spec_version)) {
            return f->families[i];
        }
    }
    return NULL;
}

static int
set_up(void **ctx)
{
    fixture_t *f = xcalloc(1, sizeof(*f));
    family_error_t errors[FAMILY_MAX_ERRORS];
    const char *texts[] = {family_text, add_only_text};
    const char *err;
    int n;

    f->arena = arena_create();
    for (int i = 0; i < DOCUMENTS; i++) {
        f->specifications[i] = specification_parse(str_of(documents[i]), &err);
        assert_non_null(f->specifications[i]);
    }
    for (int i = 0; i < 2; i++) {
        f->families[i] = family_parse(str_of(texts[i]), NULL, errors, &n);
        if (f->families[i] == NULL) {
            fail_msg("%s", errors[0].message);
        }
    }
    f->catalog = (plan_catalog_t){find_specification, find_family, f};
    *ctx = f;
    return 0;
}

static int
tear_down(void **ctx)
{
    fixture_t *f = *ctx;

    for (int i = 0; i < DOCUMENTS; i++) {
        specification_free(f->specifications[i]);
    }
    family_free(f->families[0]);
    family_free(f->families[1]);
    arena_free(f->arena);
    free(f);
    return 0;
}

/* One item; what is NULL in a row is empty. */
typedef struct {
    action_t action;
    const char *service_id, *spec_id, *spec_version, *characteristics;
    const char *service; /* as sent */
    int now;             /* index into nows; 0: no such service */
    const char *code;    /* "" = fine */
    const char *text;    /* part of the error; or the characteristics */
} plan_row_t;

static const service_now_t nows[] = {
    {.exists = false},
    {.exists = true,
     .state = SERVICE_ACTIVE,
     .spec_id = STR("S"),
     .spec_version = STR("2"),
     .characteristics = STR("{\"speed\":10,\"port\":\"p1\",\"codec\":\"x\","
                            "\"o\":{\"a\":1,\"b\":2}}")},
    {.exists = true, .busy = true, .spec_id = STR("S")},
    {.exists = true, .state = SERVICE_TERMINATED, .spec_id = STR("S")},
    {.exists = true,
     .state = SERVICE_ACTIVE,
     .spec_id = STR("S"),
     .spec_version = STR("1"),
     .characteristics = STR("{\"speed\":10,\"port\":\"p1\"}")},
    {.exists = true,
     .state = SERVICE_ACTIVE,
     .spec_id = STR("S"),
     .spec_version = STR("2"),
     .characteristics = STR("{\"speed\":10}")},
    {.exists = true,
     .state = SERVICE_ACTIVE,
     .spec_id = STR("A"),
     .spec_version = STR("1")},
};

#define NAME "{\"name\":\"n\"}"

static const plan_row_t plans[] = {
    /* add */
    {ACTION_ADD, "", "S", "", "{\"speed\":5}", NAME, 0, "",
     "{\"speed\":5,\"codec\":\"g\"}"},
    {ACTION_ADD, "", "S", "2", "{\"speed\":5,\"codec\":\"z\",\"x\":1}", NAME,
     0, "", "{\"speed\":5,\"codec\":\"z\",\"x\":1}"},
    {ACTION_ADD, "x", "S", "", "{\"speed\":5}", NAME, 0, "unexpectedServiceId",
     "add must not"},
    {ACTION_ADD, "", "", "", "{}", NAME, 0, "missingValue",
     "serviceSpecification.id"},
    {ACTION_ADD, "", "Z", "", "{}", NAME, 0, "unknownSpecification", "\"Z\""},
    {ACTION_ADD, "", "S", "9", "{}", NAME, 0, "unknownSpecification",
     "version 9"},
    {ACTION_ADD, "", "S", "1", "{}", NAME, 0, "inactiveSpecification", "S"},
    {ACTION_ADD, "", "R", "", "{}", NAME, 0, "inactiveSpecification", "R"},
    {ACTION_ADD, "", "N", "", "{}", NAME, 0, "noFamily", "\"N\""},
    {ACTION_ADD, "", "S", "", "{}", NAME, 0, "invalidCharacteristic",
     "/speed: is mandatory"},
    {ACTION_ADD, "", "S", "", "", NAME, 0, "invalidCharacteristic",
     "/speed: is mandatory"},
    {ACTION_ADD, "", "S", "", "{\"speed\":\"5\"}", NAME, 0,
     "invalidCharacteristic", "whole number"},
    {ACTION_ADD, "", "S", "", "[]", NAME, 0, "invalidCharacteristic",
     "not an object"},
    {ACTION_ADD, "", "S", "", "{", NAME, 0, "invalidCharacteristic",
     "not an object"},
    {ACTION_ADD, "", "S", "", "{\"speed\":5}", "{}", 0, "missingValue",
     "service.name is missing"},
    {ACTION_ADD, "", "S", "", "{\"speed\":5}", "{\"name\":\"..\"}", 0,
     "missingValue", "service.name is missing"},
    {ACTION_ADD, "", "S", "", "{\"speed\":5}", NULL, 0, "missingValue",
     "service.name is missing"},
    {ACTION_ADD, "", "A", "", "{\"any\":[1]}", NULL, 0, "", "{\"any\":[1]}"},
    {ACTION_ADD, "", "A", "", "{\"none\":1}", NULL, 0, "missingValue",
     "characteristic.any is missing"},
    /* modify */
    {ACTION_MODIFY, "s", "", "", "{\"speed\":20,\"o\":{\"b\":null}}", NULL, 1,
     "", "{\"speed\":20,\"port\":\"p1\",\"codec\":\"x\",\"o\":{\"a\":1}}"},
    {ACTION_MODIFY, "s", "", "", "{\"codec\":null}", NULL, 1, "",
     "{\"speed\":10,\"port\":\"p1\",\"o\":{\"a\":1,\"b\":2},\"codec\":\"g\"}"},
    {ACTION_MODIFY, "s", "S", "", "", NULL, 1, "",
     "{\"speed\":10,\"port\":\"p1\",\"codec\":\"x\",\"o\":{\"a\":1,\"b\":2}}"},
    {ACTION_MODIFY, "s", "", "", "{\"speed\":null}", NULL, 1,
     "invalidCharacteristic", "/speed: is mandatory"},
    {ACTION_MODIFY, "s", "", "", "{\"speed\":\"x\"}", NULL, 1,
     "invalidCharacteristic", "/speed: must"},
    {ACTION_MODIFY, "s", "", "", "7", NULL, 1, "invalidCharacteristic",
     "not an object"},
    {ACTION_MODIFY, "", "S", "", "{}", NULL, 1, "unknownService",
     "modify must name"},
    {ACTION_MODIFY, "s", "", "", "{}", NULL, 0, "unknownService",
     "no service \"s\""},
    {ACTION_MODIFY, "s", "", "", "{}", NULL, 2, "serviceBusy",
     "another order"},
    {ACTION_MODIFY, "s", "", "", "{}", NULL, 3, "serviceTerminated",
     "nothing to modify"},
    {ACTION_MODIFY, "s", "", "", "{}", NULL, 5, "missingValue",
     "current.characteristic.port"},
    {ACTION_MODIFY, "s", "", "", "{}", NULL, 6, "actionNotOffered",
     "does not offer modify"},
    {ACTION_MODIFY, "s", "Z", "", "{}", NULL, 1, "unknownSpecification",
     "\"Z\""},
    /* under a version that was retired: goes on, also to the newer one; but
     * nobody comes to it */
    {ACTION_MODIFY, "s", "", "", "{\"speed\":1}", NULL, 4, "",
     "{\"speed\":1,\"port\":\"p1\"}"},
    {ACTION_MODIFY, "s", "S", "2", "{}", NULL, 4, "",
     "{\"speed\":10,\"port\":\"p1\",\"codec\":\"g\"}"},
    {ACTION_MODIFY, "s", "S", "1", "{}", NULL, 1, "inactiveSpecification",
     "S"},
    /* delete */
    {ACTION_DELETE, "s", "", "", "", NULL, 4, "",
     "{\"speed\":10,\"port\":\"p1\"}"},
    {ACTION_DELETE, "s", "", "", "{\"speed\":1}", NULL, 1, "",
     "{\"speed\":10,\"port\":\"p1\",\"codec\":\"x\",\"o\":{\"a\":1,\"b\":2}}"},
    {ACTION_DELETE, "s", "", "", "", NULL, 5, "missingValue",
     "characteristic.port"},
    {ACTION_DELETE, "s", "", "", "", NULL, 2, "serviceBusy", ""},
    {ACTION_DELETE, "s", "", "", "", NULL, 3, "serviceTerminated", ""},
    {ACTION_DELETE, "s", "", "", "", NULL, 6, "actionNotOffered", ""},
    {ACTION_DELETE, "", "", "", "", NULL, 1, "unknownService", ""},
    /* noChange */
    {ACTION_NO_CHANGE, "s", "", "", "", NULL, 1, "", NULL},
    {ACTION_NO_CHANGE, "s", "", "", "", NULL, 2, "", NULL},
    {ACTION_NO_CHANGE, "s", "", "", "", NULL, 0, "unknownService", ""},
    {ACTION_NO_CHANGE, "", "", "", "", NULL, 0, "unknownService", ""},
};

static void
check_plan(fixture_t *f, const plan_row_t *row)
{
    order_item_t item = {.id = STR("1"),
                         .parent = -1,
                         .action = row->action,
                         .service_id = str_of(row->service_id),
                         .spec_id = str_of(row->spec_id),
                         .spec_version = str_of(row->spec_version),
                         .characteristics = str_of(row->characteristics)};
    order_t o = {.items = &item, .item_count = 1};
    plan_item_t plan;
    bool fine;

    item.service =
        row->service ? json_parse(f->arena, str_of(row->service), NULL) : NULL;
    fine = order_plan(&o, &nows[row->now], &f->catalog, f->arena, &plan);
    if (fine != (row->code[0] == '\0') ||
        strcmp(plan.error_code, row->code) != 0) {
        fail_msg("%s %s %s: %s %s", action_name(row->action), row->spec_id,
                 row->characteristics, plan.error_code, plan.error);
    }
    if (!fine) {
        assert_false(plan.active);
        assert_non_null(strstr(plan.error, row->text));
    } else if (row->text == NULL) {
        assert_false(plan.active);
    } else {
        assert_true(plan.active);
        assert_ptr_equal(plan.machine,
                         family_machine(plan.family, row->action));
        assert_non_null(plan.specification);
        if (!str_is(plan.characteristics, row->text)) {
            fail_msg("%.*s, not %s", STR_FMT(plan.characteristics), row->text);
        }
    }
}

static void
test_plan(void **ctx)
{
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        check_plan(*ctx, &plans[i]);
    }
}

/* All items are judged, not only up to the first that is rejected; an item
 * with nested ones is not judged itself. */
static void
test_many_items(void **ctx)
{
    fixture_t *f = *ctx;
    order_item_t items[4] = {
        {.id = STR("1"), .parent = -1, .has_children = true},
        {.id = STR("2"), .spec_id = STR("Z")},
        {.id = STR("3"),
         .spec_id = STR("A"),
         .characteristics = STR("{\"any\":1}")},
        {.id = STR("4"), .parent = -1, .spec_id = STR("N")}};
    service_now_t services[4] = {{.exists = false}};
    order_t o = {.items = items, .item_count = 4};
    plan_item_t plan[4];

    assert_false(order_plan(&o, services, &f->catalog, f->arena, plan));
    assert_string_equal(plan[0].error_code, "");
    assert_false(plan[0].active);
    assert_string_equal(plan[1].error_code, "unknownSpecification");
    assert_string_equal(plan[2].error_code, "");
    assert_true(plan[2].active);
    assert_string_equal(plan[3].error_code, "noFamily");
    o.items = &items[2];
    o.item_count = 1;
    assert_true(order_plan(&o, services, &f->catalog, f->arena, plan));
}

static void
test_one_service_twice(void **ctx)
{
    fixture_t *f = *ctx;
    order_item_t items[3] = {
        {.id = STR("1"), .service_id = STR("s"), .action = ACTION_MODIFY},
        {.id = STR("2"), .service_id = STR("t"), .action = ACTION_MODIFY},
        {.id = STR("3"), .service_id = STR("s"), .action = ACTION_DELETE}};
    service_now_t services[3] = {nows[1], nows[1], nows[1]};
    order_t o = {.items = items, .item_count = 3};
    plan_item_t plan[3];

    services[1].id.byte[0] = 7;
    assert_false(order_plan(&o, services, &f->catalog, f->arena, plan));
    assert_true(plan[0].active);
    assert_true(plan[1].active);
    assert_false(plan[2].active);
    assert_string_equal(plan[2].error_code, "serviceBusy");
    items[0].action = ACTION_NO_CHANGE;
    assert_true(order_plan(&o, services, &f->catalog, f->arena, plan));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dependencies),
        cmocka_unit_test(test_same_ids),
        cmocka_unit_test(test_order_limits),
        cmocka_unit_test_setup_teardown(test_plan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_items, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_service_twice, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
