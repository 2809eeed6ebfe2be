/* rooms: proto backend/base backend/domain backend/tmf */
/*
 * v4's form and v5's: what becomes what, and over generated documents that
 * nothing is lost either way and that what is shown is legal in v5.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "backend/tmf/dialect.h"

#define ROUNDS   3000
#define DEPTH    4
#define TEXT_MAX 4194304

static arena_t *arena;

static const object_schema_t *
service(void)
{
    return resource_find(API_INVENTORY, STR("service"))->create;
}

static const json_t *
tree(const char *text)
{
    const json_t *doc = json_parse(arena, str_of(text), NULL);

    assert_non_null(doc);
    return doc;
}

/* The other version's form of a document. */
static const json_t *
turned(const json_t *doc, tmf_version_t to)
{
    buf_t out;

    buf_init(&out, TEXT_MAX);
    if (to == TMF_V5) {
        dialect_show(&out, service(), doc);
    } else {
        dialect_take(&out, service(), doc);
    }
    assert_false(buf_failed(&out));
    const json_t *ret =
        json_parse(arena, arena_str(arena, buf_view(&out)), NULL);
    buf_free(&out);
    assert_non_null(ret);
    return ret;
}

static void
expect_same(const json_t *is, const json_t *wanted)
{
    if (!json_equal(is, wanted)) {
        fail_msg("is     %.*s\nwanted %.*s", STR_FMT(is->raw),
                 STR_FMT(wanted->raw));
    }
}

/* kept, and as v5 shows it. */
static const struct {
    const char *kept, *v5;
} pairs[] = {
    {"{}", "{\"@type\":\"Service\"}"},
    {"{\"@type\":\"Router\",\"unknown\":{\"a\":[1,{\"b\":null}]}}",
     "{\"@type\":\"Router\",\"unknown\":{\"a\":[1,{\"b\":null}]}}"},
    {"{\"@type\":\"Service\",\"serviceSpecification\":{\"id\":\"S\"}}",
     "{\"@type\":\"Service\",\"serviceSpecification\":"
     "{\"@type\":\"ServiceSpecificationRef\",\"id\":\"S\"}}"},
    {"{\"@type\":\"S\",\"relatedParty\":[{\"role\":\"r\",\"id\":\"p\","
     "\"name\":\"N\",\"@referredType\":\"Individual\"}]}",
     "{\"@type\":\"S\",\"relatedParty\":[{\"@type\":"
     "\"RelatedPartyRefOrPartyRoleRef\",\"role\":\"r\","
     "\"partyOrPartyRole\":{\"@type\":\"PartyRef\",\"id\":\"p\","
     "\"name\":\"N\",\"@referredType\":\"Individual\"}}]}"},
    {"{\"@type\":\"S\",\"relatedParty\":[{\"role\":\"r\",\"id\":\"p\","
     "\"@type\":\"PartyRoleRef\",\"partyId\":\"7\"}]}",
     "{\"@type\":\"S\",\"relatedParty\":[{\"@type\":"
     "\"RelatedPartyRefOrPartyRoleRef\",\"role\":\"r\","
     "\"partyOrPartyRole\":{\"@type\":\"PartyRoleRef\",\"id\":\"p\","
     "\"partyId\":\"7\"}}]}"},
    {"{\"@type\":\"S\",\"place\":[{\"role\":\"r\",\"id\":\"p\"},"
     "{\"role\":\"r\",\"street\":\"x\"},"
     "{\"role\":\"r\",\"@type\":\"GeographicSite\",\"code\":1.50}]}",
     "{\"@type\":\"S\",\"place\":["
     "{\"@type\":\"RelatedPlaceRefOrValue\",\"role\":\"r\","
     "\"place\":{\"@type\":\"PlaceRef\",\"id\":\"p\"}},"
     "{\"@type\":\"RelatedPlaceRefOrValue\",\"role\":\"r\","
     "\"place\":{\"@type\":\"Place\",\"street\":\"x\"}},"
     "{\"@type\":\"RelatedPlaceRefOrValue\",\"role\":\"r\","
     "\"place\":{\"@type\":\"GeographicSite\",\"code\":1.50}}]}"},
    {"{\"@type\":\"S\",\"relatedEntity\":[{\"role\":\"r\",\"id\":\"e\"}]}",
     "{\"@type\":\"S\",\"relatedEntity\":[{\"@type\":"
     "\"RelatedEntityRefOrValue\",\"role\":\"r\","
     "\"entity\":{\"@type\":\"EntityRef\",\"id\":\"e\"}}]}"},
    /* what cannot be brought back from the flat form stays nested */
    {"{\"@type\":\"S\",\"relatedParty\":[{\"@type\":"
     "\"RelatedPartyRefOrPartyRoleRef\",\"role\":\"r\",\"since\":1,"
     "\"partyOrPartyRole\":{\"@type\":\"PartyRef\",\"id\":\"p\"}}]}",
     "{\"@type\":\"S\",\"relatedParty\":[{\"@type\":"
     "\"RelatedPartyRefOrPartyRoleRef\",\"role\":\"r\",\"since\":1,"
     "\"partyOrPartyRole\":{\"@type\":\"PartyRef\",\"id\":\"p\"}}]}"},
    {"{\"@type\":\"S\",\"relatedParty\":null,\"place\":7,\"note\":[null,1]}",
     "{\"@type\":\"S\",\"relatedParty\":null,\"place\":7,\"note\":[null,1]}"},
};

static void
test_pairs(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        const json_t *v5 = turned(tree(pairs[i].kept), TMF_V5);

        expect_same(v5, tree(pairs[i].v5));
        expect_same(turned(turned(v5, TMF_V4), TMF_V5), v5);
    }
}

/* Back again, without the @types that the walk has put in. */
static void
test_flat_again(void **state)
{
    (void) state;
    for (size_t i = 3; i < 7; i++) {
        const json_t *kept = tree(pairs[i].kept);
        const json_t *back = turned(tree(pairs[i].v5), TMF_V4);

        expect_same(back, kept);
    }
}

static void
test_characteristics(void **state)
{
    static const struct {
        const char *value, *said, *type;
    } cases[] = {
        {"\"x\"", NULL, "StringCharacteristic"},
        {"100", NULL, "IntegerCharacteristic"},
        {"-1.0", NULL, "NumberCharacteristic"},
        {"1e2", NULL, "NumberCharacteristic"},
        {"true", NULL, "BooleanCharacteristic"},
        {"{\"a\":1}", NULL, "ObjectCharacteristic"},
        {"[\"a\",\"b\"]", NULL, "StringArrayCharacteristic"},
        {"[1,2]", NULL, "IntegerArrayCharacteristic"},
        {"[1,2.5]", NULL, "NumberArrayCharacteristic"},
        {"[false]", NULL, "BooleanArrayCharacteristic"},
        {"[{}]", NULL, "ObjectArrayCharacteristic"},
        {"[1,\"a\"]", NULL, "ObjectArrayCharacteristic"},
        {"[[1]]", NULL, "ObjectArrayCharacteristic"},
        {"null", NULL, "Characteristic"},
        /* what was said stays while it is true */
        {"100", "NumberCharacteristic", "NumberCharacteristic"},
        {"[]", "IntegerArrayCharacteristic", "IntegerArrayCharacteristic"},
        {"100", "VlanCharacteristic", "VlanCharacteristic"},
        {"100", "Vlan", "Vlan"},
        {"\"a\"", "IntegerCharacteristic", "StringCharacteristic"},
        {"[1]", "IntegerCharacteristic", "IntegerArrayCharacteristic"},
        {"1", "IntegerArrayCharacteristic", "IntegerCharacteristic"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        str_t type;

        snprintf(text, sizeof(text),
                 "{\"serviceCharacteristic\":[{%s%s%s\"name\":\"n\","
                 "\"value\":%s}]}",
                 cases[i].said ? "\"@type\":\"" : "",
                 cases[i].said ? cases[i].said : "",
                 cases[i].said ? "\"," : "", cases[i].value);
        type = json_text(json_at(turned(tree(text), TMF_V5),
                                 STR("/serviceCharacteristic/0")),
                         "@type");
        if (!str_is(type, cases[i].type)) {
            fail_msg("%s is shown as %.*s", text, STR_FMT(type));
        }
    }
}

static void
test_spelling_is_kept(void **state)
{
    const char *v5 = "{ \"@type\" : \"Service\",\n \"note\":[ {\"@type\":"
                     "\"Note\", \"text\":\"\\u0041\"} ],\"x\":1.500 }";
    buf_t out;

    (void) state;
    buf_init(&out, TEXT_MAX);
    dialect_take(&out, service(), tree(v5));
    assert_string_equal(out.data, v5);
    buf_reset(&out);
    dialect_show(&out, service(), tree(v5));
    assert_string_equal(out.data, v5);
    buf_free(&out);
}

static const json_t *
taken_changed(const char *kept, const char *(*change)(void) )
{
    const json_t *shown = tree(kept), *v5 = turned(shown, TMF_V5);
    buf_t out;

    buf_init(&out, TEXT_MAX);
    dialect_take_changed(&out, service(), shown, v5,
                         change ? tree(change()) : v5);
    const json_t *ret = tree(arena_z(arena, buf_view(&out)));
    buf_free(&out);
    return ret;
}

static const char *
one_party_more(void)
{
    return "{\"@type\":\"Service\",\"note\":[{\"@type\":\"Note\","
           "\"text\":\"x\"}],\"relatedParty\":[{\"@type\":"
           "\"RelatedPartyRefOrPartyRoleRef\",\"role\":\"r\","
           "\"partyOrPartyRole\":{\"@type\":\"PartyRef\",\"id\":\"q\"}}]}";
}

/* What a patch does not touch is kept as it was, without the @types that it
 * was shown with. */
static void
test_only_what_changed(void **state)
{
    const char *kept = "{\"note\":[{\"text\":\"x\"}],\"relatedParty\":[]}";

    (void) state;
    expect_same(taken_changed(kept, NULL), tree(kept));
    expect_same(taken_changed(kept, one_party_more),
                tree("{\"note\":[{\"text\":\"x\"}],"
                     "\"relatedParty\":[{\"role\":\"r\",\"id\":\"q\"}]}"));
}

static void
test_paths(void **state)
{
    static const struct {
        const char *names[4];
        int n;
        const char *left[4];
    } cases[] = {
        {{"relatedParty", "partyOrPartyRole", "id"},
         3,
         {"relatedParty", "id"}},
        {{"place", "place", "id"}, 3, {"place", "id"}},
        {{"place", "id"}, 2, {"place", "id"}},
        {{"relatedParty", "role"}, 2, {"relatedParty", "role"}},
        {{"x", "partyOrPartyRole", "id"}, 3, {"x", "partyOrPartyRole", "id"}},
        {{"relatedParty", "partyOrPartyRole"},
         2,
         {"relatedParty", "partyOrPartyRole"}},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        str_t names[4];

        for (int k = 0; k < cases[i].n; k++) {
            names[k] = str_of(cases[i].names[k]);
        }
        int n = dialect_path(service(), names, cases[i].n);
        for (int k = 0; k < n; k++) {
            const char *left = cases[i].left[k];

            assert_true(left && str_is(names[k], left));
        }
        assert_true(n == 4 || !cases[i].left[n]);
    }
}

/* Generated documents ------------------------------------------------------ */

static uint32_t seed;

static uint32_t
roll(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void put_object(buf_t *out, const object_schema_t *schema,
                       tmf_version_t version, int depth);

static void
put_any(buf_t *out)
{
    static const char *const values[] = {
        "1",       "-2.50",       "\"t\"",
        "true",    "{\"a\":[1]}", "[\"a\"]",
        "[1,2.0]", "[]",          "[{\"@type\":\"T\"}]",
        "0"};

    buf_puts(out, values[roll(sizeof(values) / sizeof(values[0]))]);
}

static void
put_text(buf_t *out, const object_schema_t *schema, const attr_schema_t *row,
         tmf_version_t version)
{
    const attr_schema_t *v5 = attr_find(schema, str_of(row->name), TMF_V5);

    if (!strcmp(row->name, "@type") && version == TMF_V5 &&
        (row->flags & ATTR_SELECTS)) {
        /* a value of anything is complete here, for all rows are there */
        buf_puts(out, roll(2) ? "\"ServiceRef\"" : "\"X\"");
    } else if (v5 && v5->values) {
        buf_printf(out, "\"%s\"", v5->values[0]);
    } else {
        buf_printf(out, "\"t%u\"", roll(10));
    }
}

static void
put_one(buf_t *out, const object_schema_t *schema, const attr_schema_t *row,
        tmf_version_t version, int depth)
{
    switch (row->type) {
    case ATTR_ANY:
        put_any(out);
        break;
    case ATTR_STRING:
        put_text(out, schema, row, version);
        break;
    case ATTR_BOOLEAN:
        buf_puts(out, roll(2) ? "true" : "false");
        break;
    case ATTR_INTEGER:
        buf_printf(out, "%u", roll(1000));
        break;
    case ATTR_NUMBER:
        buf_printf(out, "%u.50", roll(1000));
        break;
    case ATTR_DATE_TIME:
        buf_puts(out, "\"2030-01-01T00:00:00Z\"");
        break;
    case ATTR_URI:
        buf_puts(out, "\"http://h/\"");
        break;
    case ATTR_ENUM:
        buf_printf(out, "\"%s\"", row->values[0]);
        break;
    case ATTR_OBJECT:
        put_object(out, row->object, version, depth + 1);
        break;
    }
}

/* Mandatory in either version: only what both can say is compared. */
static bool
is_needed(const attr_schema_t *row, tmf_version_t version)
{
    if (!strcmp(row->name, "@type")) {
        return version == TMF_V5 && attr_is_mandatory(row, version);
    }
    return (row->flags & ATTR_MANDATORY) || row->selected ||
           (row->flags & ATTR_NESTED) || !strcmp(row->name, "role");
}

static void
put_object(buf_t *out, const object_schema_t *schema, tmf_version_t version,
           int depth)
{
    buf_char(out, '{');
    for (const attr_schema_t *row = schema->attrs; row->name; row++) {
        bool deep = depth >= DEPTH && row->type == ATTR_OBJECT;

        if (!attr_is_of(row, version) || (row->flags & ATTR_SERVER) ||
            (!is_needed(row, version) && (deep || roll(3)))) {
            continue;
        }
        json_name(out, row->name);
        if (!(row->flags & ATTR_LIST)) {
            put_one(out, schema, row, version, depth);
            continue;
        }
        buf_char(out, '[');
        for (uint32_t n = 1 + roll(2); n > 0; n--) {
            json_comma(out);
            put_one(out, schema, row, version, depth);
        }
        buf_char(out, ']');
    }
    if (roll(4) == 0) {
        json_put_raw(out, "extension", STR("{\"relatedParty\":[{\"id\":1}]}"));
    }
    json_end(out, '}');
}

static const json_t *
generated(tmf_version_t version)
{
    buf_t out;

    buf_init(&out, TEXT_MAX);
    put_object(&out, service(), version, 0);
    assert_false(buf_failed(&out));
    const json_t *doc = tree(arena_z(arena, buf_view(&out)));
    buf_free(&out);
    return doc;
}

static void
expect_legal(const json_t *doc, tmf_version_t version)
{
    validator_t *v = validator_create(service(), VALIDATE_CREATE, version);
    tmf_error_t e = {0};

    if (validator_feed(v, doc->raw, &e) < 0 || validator_finish(v, &e) < 0) {
        fail_msg("%s: %s\n%.*s", e.pointer, e.message, STR_FMT(doc->raw));
    }
    validator_free(v);
}

static void
test_generated_v5(void **state)
{
    (void) state;
    for (seed = 1; seed < ROUNDS; seed++) {
        uint32_t first = seed;
        const json_t *v5 = generated(TMF_V5);

        expect_legal(v5, TMF_V5);
        expect_same(turned(turned(v5, TMF_V4), TMF_V5), turned(v5, TMF_V5));
        arena_reset(arena);
        seed = first;
    }
}

static void
test_generated_v4(void **state)
{
    (void) state;
    for (seed = 1; seed < ROUNDS; seed++) {
        uint32_t first = seed;
        const json_t *v4 = generated(TMF_V4);

        expect_legal(v4, TMF_V4);
        const json_t *v5 = turned(v4, TMF_V5), *back = turned(v5, TMF_V4);
        expect_legal(v5, TMF_V5);
        expect_legal(back, TMF_V4);
        expect_same(turned(back, TMF_V5), v5);
        arena_reset(arena);
        seed = first;
    }
}

static int
begin(void **state)
{
    (void) state;
    arena = arena_create();
    return 0;
}

static int
end(void **state)
{
    (void) state;
    arena_free(arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_flat_again),
        cmocka_unit_test(test_characteristics),
        cmocka_unit_test(test_spelling_is_kept),
        cmocka_unit_test(test_only_what_changed),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_generated_v5),
        cmocka_unit_test(test_generated_v4),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
