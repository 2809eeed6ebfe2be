/*
 * TMF638 service from a client's document: what goes to columns, what is kept,
 * and that a document comes back as it went in. TURNUP_SEED=n begins the made
 * documents elsewhere.
 */
#include "t/unit/tmf_check.h"

#include <stdlib.h>

#include "backend/tmf/service.h"

#define ROUNDS 400

#define MINIMAL \
    "'state':'active','serviceSpecification':{'id':'S','version':'1'}"

/* As the intake completes it. */
static service_record_t
blank(void)
{
    return (service_record_t){
        .id = uuid_of(SERVICE_ID),
        .key = STR("SVC-7909"),
        .created_us = NEW_YEAR_2030,
        .configuration_id = uuid_of(CONFIGURATION_ID),
        .timeline = STR("CURRENT"),
        .valid_from_us = NEW_YEAR_2030,
        .valid_to_us = NO_TIME,
    };
}

static service_record_t
read_ok(const json_t *doc)
{
    service_record_t s = blank();
    tmf_error_t err;
    int64_t created = s.created_us;

    if (!service_from_tmf(arena, doc, &s, &err)) {
        fail_msg("%s: %s in %.*s", err.pointer, err.message,
                 STR_FMT(doc->raw));
    }
    s.created_us = s.created_us == NO_TIME ? created : s.created_us;
    return s;
}

static service_record_t
patched(const service_record_t *was, const json_t *shown, const json_t *doc)
{
    service_record_t s;
    tmf_error_t err;

    if (!service_from_patch(arena, was, shown, doc, &s, &err)) {
        fail_msg("%s: %s in %.*s", err.pointer, err.message,
                 STR_FMT(doc->raw));
    }
    return s;
}

static const json_t *
show(const service_record_t *s)
{
    tmf_view_t v = view_all();

    buf_reset(&out);
    service_to_tmf(&out, arena, s, &v);
    assert_false(buf_failed(&out));
    return tree_of(arena_str(arena, buf_view(&out)));
}

/* With one member more, or another value; NULL: without it. */
static const json_t *
with(const json_t *doc, const char *name, const char *value)
{
    buf_t b;

    buf_init(&b, 16 << 20);
    buf_char(&b, '{');
    json_each(m, doc)
    {
        if (!str_is(m->name, name)) {
            json_comma(&b);
            buf_json(&b, m->name);
            buf_char(&b, ':');
            buf_str(&b, m->raw);
        }
    }
    if (value) {
        json_put_raw(&b, name, json_of(value));
    }
    json_end(&b, '}');
    str_t text = arena_str(arena, buf_view(&b));
    buf_free(&b);
    return tree_of(text);
}

#define assert_text(s, wanted) \
    assert_string_equal(arena_z(arena, (s)), arena_z(arena, json_of(wanted)))

static void
takes_columns_out(void **state)
{
    (void) state;
    service_record_t s = read_ok(
        tree("{'id':'x','href':'y','state':'reserved','operatingStatus':"
             "'degraded','name':'N','category':'CFS','serviceType':'T',"
             "'serviceDate':'2031-01-01T01:00:00+01:00','version':'v',"
             "'versionStateType':'PENDING','supportingResource':[{'id':'r'}],"
             "'serviceSpecification':{'id':'S','version':'2'},"
             "'serviceCharacteristic':[{'name':'a','value':1.50},"
             "{'value':{'x':[]},'name':'b'}]}"));
    assert_int_equal(s.state, SERVICE_RESERVED);
    assert_text(s.operating_status, "degraded");
    assert_text(s.name, "N");
    assert_text(s.category, "CFS");
    assert_text(s.service_type, "T");
    assert_text(s.spec_id, "S");
    assert_text(s.spec_version, "2");
    assert_text(s.characteristics, "{'a':1.50,'b':{'x':[]}}");
    assert_text(s.resources, "[{'id':'r'}]");
    assert_true(s.created_us ==
                NEW_YEAR_2030 + INT64_C(365) * 86400 * 1000000);
    assert_text(s.doc, "{'serviceSpecification':{},'serviceCharacteristic':"
                       "[{'name':'a'},{'name':'b'}]}");
    assert_text(s.key, "SVC-7909");
}

static void
keeps_the_rest(void **state)
{
    (void) state;
    service_record_t s = read_ok(
        tree("{" MINIMAL ",'name':'','x':[ 1.0, null ],'description':null,"
             "'category':null,'startDate':'2020-01-01T00:00:00Z',"
             "'@type':'Mine','externalIdentifier':[{'owner':'turnup',"
             "'externalIdentifierType':'KEY','id':'SVC-1'},{'id':'crm'}],"
             "'serviceOrderItem':[{'serviceOrderId':'o','itemId':'1'}]}"));
    assert_text(s.name, "");
    assert_true(s.created_us == NEW_YEAR_2030);
    assert_text(s.doc,
                "{'serviceSpecification':{},'name':'','x':[ 1.0, null ],"
                "'description':null,'startDate':'2020-01-01T00:00:00Z',"
                "'@type':'Mine','externalIdentifier':[{'id':'crm'}],"
                "'serviceOrderItem':[{'serviceOrderId':'o','itemId':'1'}]}");
}

static void
refuses(void **state)
{
    (void) state;
    static const struct {
        const char *doc, *pointer;
    } rows[] = {
        {"[]", ""},
        {"7", ""},
        {"{'serviceSpecification':{'id':'S'}}", "/state"},
        {"{'state':'retired','serviceSpecification':{'id':'S'}}", "/state"},
        {"{'state':7,'serviceSpecification':{'id':'S'}}", "/state"},
        {"{'state':'active'}", "/serviceSpecification/id"},
        {"{'state':'active','serviceSpecification':{'id':''}}",
         "/serviceSpecification/id"},
        {"{'state':'active','serviceSpecification':'S'}",
         "/serviceSpecification/id"},
        {"{" MINIMAL ",'operatingStatus':'broken'}", "/operatingStatus"},
        {"{" MINIMAL ",'operatingStatus':7}", "/operatingStatus"},
        {"{" MINIMAL ",'operatingStatus':''}", "/operatingStatus"},
        {"{" MINIMAL ",'serviceDate':'yesterday'}", "/serviceDate"},
        {"{" MINIMAL ",'serviceDate':7}", "/serviceDate"},
        {"{" MINIMAL ",'serviceCharacteristic':{}}", "/serviceCharacteristic"},
        {"{" MINIMAL ",'serviceCharacteristic':[{'name':'a'}]}",
         "/serviceCharacteristic/0"},
        {"{" MINIMAL ",'serviceCharacteristic':[{'name':'a','value':1},"
         "{'value':1}]}",
         "/serviceCharacteristic/1"},
        {"{" MINIMAL ",'serviceCharacteristic':[{'name':'a','value':1},"
         "{'name':'a','value':2}]}",
         "/serviceCharacteristic"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        service_record_t s = blank();
        tmf_error_t err = {.status = 0};

        if (service_from_tmf(arena, tree(rows[i].doc), &s, &err)) {
            fail_msg("%s is taken", rows[i].doc);
        }
        assert_int_equal(err.status, 400);
        assert_string_equal(err.pointer, rows[i].pointer);
        assert_true(err.message[0] != '\0');
    }
}

/* What is derived from the state goes on being derived. */
static void
a_patch_leaves_defaults(void **state)
{
    (void) state;
    service_record_t s = read_ok(tree(
        "{" MINIMAL ",'serviceCharacteristic':[{'name':'a','value':1}]}"));
    s.characteristics = json_of("{'a':1,'port':'p'}"); /* one of a family */
    s.spec_name = STR("Spec");
    const json_t *shown = show(&s);
    service_record_t n =
        patched(&s, shown, with(shown, "state", "'inactive'"));
    assert_int_equal(n.state, SERVICE_INACTIVE);
    const json_t *r = show(&n);
    assert_at(r, "/hasStarted", "false");
    assert_at(r, "/isServiceEnabled", "false");
    assert_at(r, "/startDate", "\"2030-01-01T00:00:00.000Z\"");
    assert_at(r, "/serviceCharacteristic/0/valueType", NULL);
    n.characteristics = json_of("{'a':1,'port':7}");
    assert_at(show(&n), "/serviceCharacteristic/1/valueType", "\"integer\"");

    /* and what a client says holds */
    n = patched(&s, shown, with(shown, "isServiceEnabled", "false"));
    assert_at(show(&n), "/isServiceEnabled", "false");
    assert_at(show(&n), "/hasStarted", "true");
    r = show(&n);
    n = patched(&n, r, with(r, "isServiceEnabled", NULL));
    assert_at(show(&n), "/isServiceEnabled", "true");
    n = patched(&s, shown,
                with(shown, "serviceCharacteristic",
                     "[{'name':'port','value':'q','valueType':'string',"
                     "'id':'7'}]"));
    assert_text(n.characteristics, "{'port':'q'}");
    assert_at(show(&n), "/serviceCharacteristic",
              "[{\"name\":\"port\",\"value\":\"q\",\"valueType\":\"string\","
              "\"id\":\"7\"}]");
}

static void
a_patch_takes_away(void **state)
{
    (void) state;
    static const char *const names[] = {
        "name",        "category", "serviceType", "operatingStatus",
        "description", "endDate",
    };
    service_record_t s = read_ok(
        tree("{" MINIMAL ",'name':'a','category':'b','serviceType':'c',"
             "'operatingStatus':'running','description':'d',"
             "'endDate':'2040-01-01T00:00:00Z','supportingResource':"
             "[{'id':'r'}]}"));
    const json_t *shown = show(&s);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        service_record_t n = patched(&s, shown, with(shown, names[i], NULL));
        const json_t *r = show(&n);

        assert_non_null(json_get(shown, names[i]));
        assert_null(json_get(r, names[i]));
        assert_int_equal(r->count, shown->count - 1);
    }
    service_record_t n =
        patched(&s, shown, with(shown, "supportingResource", NULL));
    assert_int_equal(n.resources.len, 0);
}

static void
a_patch_of_the_specification(void **state)
{
    (void) state;
    service_record_t s = read_ok(
        tree("{'state':'active','serviceSpecification':{'id':'S','version':"
             "'1','name':'old','href':'http://there/S','x':1}}"));
    const json_t *shown = show(&s);

    assert_at(shown, "/serviceSpecification/href", "\"http://there/S\"");
    service_record_t n = patched(
        &s, shown,
        with(shown, "serviceSpecification",
             "{'id':'S','href':'http://there/S','version':'2','name':'old',"
             "'x':1}"));
    assert_text(n.spec_version, "2");
    assert_at(show(&n), "/serviceSpecification/name", "\"old\"");
    n = patched(&s, shown,
                with(shown, "serviceSpecification",
                     "{'id':'T','href':'http://there/S','version':'1','name':"
                     "'old','x':1}"));
    assert_text(n.spec_id, "T");
    const json_t *r = show(&n);
    assert_at(r, "/serviceSpecification/name", NULL);
    assert_at(r, "/serviceSpecification/x", "1");
    assert_at(r, "/serviceSpecification/href",
              "\"https://api.example/tmf-api/serviceCatalogManagement/v4/"
              "serviceSpecification/T\"");
    s.spec_name = STR("Of the catalog");
    shown = show(&s);
    assert_at(shown, "/serviceSpecification/name", "\"Of the catalog\"");
    n = patched(&s, shown, shown);
    assert_at(tree_of(n.doc), "/serviceSpecification",
              "{\"name\":\"old\",\"href\":\"http://there/S\",\"x\":1}");
}

static void
the_key_is_ours(void **state)
{
    (void) state;
    service_record_t s = read_ok(tree("{" MINIMAL "}")), n;
    const json_t *shown = show(&s);
    tmf_error_t err;

    n = patched(&s, shown,
                with(shown, "externalIdentifier", "[{'id':'crm'}]"));
    assert_at(show(&n), "/externalIdentifier/0/id", "\"SVC-7909\"");
    assert_at(show(&n), "/externalIdentifier/1/id", "\"crm\"");
    assert_false(service_from_patch(
        arena, &s, shown,
        with(shown, "externalIdentifier",
             "[{'id':'crm'},{'owner':'turnup','externalIdentifierType':'KEY',"
             "'id':'SVC-1'}]"),
        &n, &err));
    assert_int_equal(err.status, 400);
    assert_string_equal(err.pointer, "/externalIdentifier/1/id");
}

static void
tells_what_a_patch_changed(void **state)
{
    (void) state;
    service_record_t s = read_ok(
                         tree("{" MINIMAL
                              ",'name':'n','description':'d','place':[]}")),
                     n;
    const json_t *shown = show(&s);
    const json_t *doc =
        with(with(with(shown, "description", NULL), "note", "[1]"), "state",
             "'inactive'");

    n = patched(&s, shown, doc);
    buf_reset(&out);
    assert_true(service_patch_data(&out, &n, shown, doc));
    assert_string_equal(out.data,
                        "{\"name\":\"n\",\"state\":\"inactive\","
                        "\"serviceSpecification\":{\"id\":\"S\",\"version\":"
                        "\"1\"},\"serviceCharacteristic\":{},\"note\":[1],"
                        "\"description\":null,\"fieldPath\":"
                        "\"note,description\"}");
    buf_reset(&out);
    doc = with(shown, "state", "'inactive'");
    assert_false(service_patch_data(&out, &n, shown, doc));
    buf_reset(&out);
    doc = with(shown, "operatingStatus", "'failed'");
    assert_true(service_patch_data(&out, &n, shown, doc));

    /* nothing stands there twice */
    buf_reset(&out);
    doc = with(with(with(shown, "name", NULL), "serviceCharacteristic", NULL),
               "fieldPath", "'x'");
    n = patched(&s, shown, doc);
    buf_reset(&out);
    assert_true(service_patch_data(&out, &n, shown, doc));
    const json_t *data = tree_of(arena_str(arena, buf_view(&out)));
    assert_at(data, "/name", "null");
    assert_at(data, "/serviceCharacteristic", "{}");
    assert_at(data, "/fieldPath", "\"fieldPath,name,serviceCharacteristic\"");
}

static void
points_at_characteristics(void **state)
{
    (void) state;
    static const struct {
        const char *fault, *pointer;
    } rows[] = {
        {"/b/x/0", "/serviceCharacteristic/1/value/x/0"},
        {"/b", "/serviceCharacteristic/1/value"},
        {"/bb", "/serviceCharacteristic"},
        {"/c~1d~0/x", "/serviceCharacteristic/2/value/x"},
        {"/gone/x", "/serviceCharacteristic"},
        {"", "/serviceCharacteristic"},
    };
    const json_t *doc = tree("{'serviceCharacteristic':[{'name':'a'},"
                             "{'name':'b'},{'name':'c/d~'}]}");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        specification_error_t fault = {.message = "is mandatory"};
        tmf_error_t err;

        snprintf(fault.pointer, sizeof(fault.pointer), "%s", rows[i].fault);
        service_characteristic_error(doc, &fault, &err);
        assert_string_equal(err.pointer, rows[i].pointer);
        assert_int_equal(err.status, 400);
        assert_non_null(strstr(err.message, "is mandatory"));
    }
}

/* Made documents ----------------------------------------------------------- */

static uint64_t random_state;

static unsigned
below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned) (random_state % n);
}

static const char *const values[] = {
    "null",
    "true",
    "false",
    "0",
    "-1.50",
    "1e3",
    "''",
    "'x'",
    "'\\u00e9\\n\\\\'",
    "[]",
    "{}",
    "[ 1 , {'a':null} ]",
    "{'a':{'b':[2.0]}}",
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define PICK(list)  ((list)[below((unsigned) COUNT(list))])

static void
make_list(buf_t *b, const char *name, const char *const *entries, size_t n)
{
    json_name(b, name);
    buf_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (below(2)) {
            json_comma(b);
            buf_str(b, json_of(entries[i]));
        }
    }
    json_end(b, ']');
}

static void
make_characteristics(buf_t *b)
{
    static const char *const extras[] = {
        "", ",'valueType':'string'", ",'id':'7','@type':'T'", ",'x':[1.0]"};

    json_name(b, "serviceCharacteristic");
    buf_char(b, '[');
    for (int i = 0; i < 6; i++) {
        char text[128];

        if (below(2)) {
            json_comma(b);
            snprintf(text, sizeof(text), "{'name':'c%d','value':%s%s}", i,
                     values[1 + below(COUNT(values) - 1)], PICK(extras));
            buf_str(b, json_of(text));
        }
    }
    json_end(b, ']');
}

static const struct {
    const char *name, *values[4];
} texts[] = {
    {"name", {"'n'", "''", "'\\u0041\\\"'", "'n'"}},
    {"category", {"'CFS'", "''", "'RFS'", "'a,b'"}},
    {"serviceType", {"'t'", "''", "'u'", "'v'"}},
    {"operatingStatus", {"'running'", "'degraded'", "'unknown'", "'failed'"}},
    {"startDate",
     {"'2020-01-01T00:00:00+02:00'", "'2021-01-01T00:00:00Z'",
      "'2022-01-01T00:00:00.5Z'", "'2023-01-01T00:00:00Z'"}},
    {"endDate",
     {"'2040-01-01T00:00:00Z'", "'2041-01-01T00:00:00Z'",
      "'2042-01-01T00:00:00Z'", "'2043-01-01T00:00:00Z'"}},
    {"hasStarted", {"true", "false", "true", "false"}},
    {"isServiceEnabled", {"true", "false", "true", "false"}},
    {"isBundle", {"true", "false", "true", "false"}},
    {"isStateful", {"true", "false", "true", "false"}},
    {"@type", {"'Service'", "'Mine'", "'VersionedService'", "'Other'"}},
    {"supportingResource",
     {"[]", "[{'id':'r'}]", "[ {'id':'r','x':1.0} ]", "[{'id':'q'}]"}},
};

static const char *const states[] = {"feasibilityChecked", "designed",
                                     "reserved", "inactive", "active"};

static const char *const specs[] = {
    "{'id':'S'}", "{'id':'S','version':'1','name':'N','href':'http://x/'}",
    "{'version':'2','id':'S2','@type':'Ref','x':{'y':1.0}}"};

static const json_t *
make_document(void)
{
    static const char *const identifiers[] = {"{'id':'a','owner':'crm'}",
                                              "{'owner':'oss','id':'b'}"};
    static const char *const items[] = {
        "{'serviceOrderId':'o','itemId':'1'}",
        "{'itemId':'2','serviceOrderId':'" ORDER_ID "'}"};
    char state[64];
    buf_t b;

    snprintf(state, sizeof(state), "'%s'", PICK(states));
    buf_init(&b, 1 << 20);
    buf_char(&b, '{');
    json_put_raw(&b, "state", json_of(state));
    json_put_raw(&b, "serviceSpecification", json_of(PICK(specs)));
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (below(2)) {
            json_put_raw(&b, texts[i].name, json_of(PICK(texts[i].values)));
        }
    }
    for (int i = 0; i < 5; i++) {
        char name[16];

        snprintf(name, sizeof(name), "own%d", i);
        if (below(2)) {
            json_put_raw(&b, name, json_of(PICK(values)));
        }
    }
    if (below(2)) {
        make_characteristics(&b);
    }
    if (below(2)) {
        make_list(&b, "externalIdentifier", identifiers, 2);
    }
    if (below(2)) {
        make_list(&b, "serviceOrderItem", items, 2);
    }
    json_end(&b, '}');
    str_t text = arena_str(arena, buf_view(&b));
    buf_free(&b);
    return tree_of(text);
}

/* Everything in part is in whole: members of objects, entries of lists. */
static bool
holds(const json_t *whole, const json_t *part)
{
    if (!whole || whole->type != part->type) {
        return false;
    }
    if (part->type == JSON_OBJECT) {
        json_each(m, part)
        {
            if (!holds(json_get_str(whole, m->name), m)) {
                return false;
            }
        }
        return true;
    }
    if (part->type == JSON_ARRAY) {
        json_each(e, part)
        {
            bool found = false;

            json_each(w, whole)
            {
                found = found || holds(w, e);
            }
            if (!found) {
                return false;
            }
        }
        return true;
    }
    return part->type == JSON_NUMBER ? str_eq(whole->raw, part->raw)
                                     : json_equal(whole, part);
}

static void
same_columns(const service_record_t *a, const service_record_t *b)
{
    assert_int_equal(a->state, b->state);
    assert_true(str_eq(a->operating_status, b->operating_status));
    assert_true(str_eq(a->name, b->name));
    assert_true(str_eq(a->category, b->category));
    assert_true(str_eq(a->service_type, b->service_type));
    assert_true(str_eq(a->spec_id, b->spec_id));
    assert_true(str_eq(a->spec_version, b->spec_version));
    assert_true(
        json_equal(tree_of(a->characteristics), tree_of(b->characteristics)));
    assert_true(str_eq(a->resources, b->resources));
    assert_true(a->created_us == b->created_us);
}

/* A member is changed; all others stay, but for what hangs on the state. */
static void
change_one(const service_record_t *s, const json_t *shown)
{
    size_t i = below(COUNT(texts));
    const char *name = texts[i].name;
    const json_t *doc = with(shown, name, PICK(texts[i].values));
    service_record_t n = patched(s, shown, doc);
    const json_t *after = show(&n);

    if (!json_equal(json_get(after, name), json_get(doc, name))) {
        fail_msg("%s is %.*s and not %.*s", name, STR_FMT(after->raw),
                 STR_FMT(doc->raw));
    }
    json_each(m, shown)
    {
        if (!str_is(m->name, name) &&
            !json_equal(m, json_get_str(after, m->name))) {
            fail_msg("%s took %.*s along: %.*s", name, STR_FMT(m->name),
                     STR_FMT(after->raw));
        }
    }
}

static void
one_round(void)
{
    const json_t *doc = make_document();
    service_record_t s = read_ok(doc);

    if (below(2)) { /* as if an order had changed it since */
        s.order_id = uuid_of(ORDER_ID);
        s.item_id = STR("1");
    }
    if (below(2)) {
        s.spec_name = STR("N");
    }
    const json_t *shown = show(&s);
    json_each(m, doc)
    {
        const json_t *v = json_get_str(shown, m->name);

        if (str_is(m->name, "serviceSpecification") && s.spec_name.len) {
            m = with(m, "href", NULL); /* the catalog's then */
        }
        if (!holds(v, m)) {
            fail_msg("%.*s is lost in %.*s", STR_FMT(m->raw),
                     STR_FMT(shown->raw));
        }
    }
    service_record_t again = patched(&s, shown, shown);
    same_columns(&s, &again);
    const json_t *same = show(&again);
    if (!json_equal(shown, same)) {
        fail_msg("%.*s is not %.*s", STR_FMT(same->raw), STR_FMT(shown->raw));
    }
    change_one(&s, shown);
    change_one(&again, same);
}

/* Which document it was that failed. */
static uint64_t current_seed;

static int
tell_seed(void **state)
{
    if (current_seed) {
        print_message("the last was TURNUP_SEED=%llu\n",
                      (unsigned long long) current_seed);
    }
    return check_teardown(state);
}

static void
nothing_is_lost(void **state)
{
    (void) state;
    const char *seed = getenv("TURNUP_SEED");
    uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;

    for (uint64_t i = first; i < first + ROUNDS; i++) {
        random_state = i * UINT64_C(0x9e3779b97f4a7c15) | 1;
        current_seed = i;
        one_round();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(takes_columns_out),
        CHECK_TEST(keeps_the_rest),
        CHECK_TEST(refuses),
        CHECK_TEST(a_patch_leaves_defaults),
        CHECK_TEST(a_patch_takes_away),
        CHECK_TEST(a_patch_of_the_specification),
        CHECK_TEST(the_key_is_ours),
        CHECK_TEST(tells_what_a_patch_changed),
        CHECK_TEST(points_at_characteristics),
        cmocka_unit_test_setup_teardown(nothing_is_lost, check_setup,
                                        tell_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
