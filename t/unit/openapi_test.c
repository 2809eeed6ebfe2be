/* rooms: proto */
/*
 * The documents made of the resource tables, read by another library: whole,
 * without loose ends, and saying of every row what the validator does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "proto/openapi.h"
#include "proto/patch_type.h"

/* The tests of the tables are run once a version. */
static tmf_version_t version;
static json_t *documents[API_COUNT]; /* NULL: not served in it */

static json_t *
parse(const buf_t *text)
{
    json_error_t err;

    assert_false(buf_failed(text));
    json_t *doc =
        json_loadb(text->data, text->len, JSON_REJECT_DUPLICATES, &err);
    if (!doc) {
        fail_msg("%s near byte %d", err.text, err.position);
    }
    return doc;
}

static int
print_all(tmf_version_t of)
{
    version = of;
    for (int api = 0; api < API_COUNT; api++) {
        buf_t text;

        if (!api_release((api_t) api, version)) {
            continue;
        }
        buf_init(&text, OPENAPI_MAX_BYTES);
        openapi_print(&text, (api_t) api, version);
        documents[api] = parse(&text);
        buf_free(&text);
    }
    return 0;
}

static int
print_v4(void **state)
{
    (void) state;
    return print_all(TMF_V4);
}

static int
print_v5(void **state)
{
    (void) state;
    return print_all(TMF_V5);
}

static int
free_all(void **state)
{
    (void) state;
    for (int api = 0; api < API_COUNT; api++) {
        json_decref(documents[api]);
        documents[api] = NULL;
    }
    return 0;
}

/* What a path of names ("paths|/hub|post") leads to; fails where it ends. */
static json_t *
at(json_t *from, const char *path)
{
    char step[128];

    while (*path) {
        size_t len = strcspn(path, "|");
        assert_true(len < sizeof(step));
        memcpy(step, path, len);
        step[len] = '\0';
        json_t *next = json_object_get(from, step);
        if (!next) {
            fail_msg("no \"%s\" on the way of %s", step, path);
        }
        from = next;
        path += len + (path[len] == '|');
    }
    return from;
}

static bool
lists(json_t *array, const char *text)
{
    size_t i;
    json_t *v;

    json_array_foreach(array, i, v)
    {
        if (json_is_string(v) && !strcmp(json_string_value(v), text)) {
            return true;
        }
    }
    return false;
}

static json_t *
property(api_t api, const char *type, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "components|schemas|%s|properties", type);
    return json_object_get(at(documents[api], path), name);
}

static bool requires(api_t api, const char *type, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "components|schemas|%s", type);
    return lists(json_object_get(at(documents[api], path), "required"), name);
}

static void
the_same_tables_give_the_same_bytes(void **state)
{
    (void) state;
    for (int api = 0; api < API_COUNT; api++) {
        buf_t one, two;

        if (!documents[api]) {
            continue;
        }
        buf_init(&one, OPENAPI_MAX_BYTES);
        buf_init(&two, OPENAPI_MAX_BYTES);
        openapi_print(&one, (api_t) api, version);
        openapi_print(&two, (api_t) api, version);
        assert_int_equal(one.len, two.len);
        assert_memory_equal(one.data, two.data, one.len);
        buf_free(&one);
        buf_free(&two);
    }
}

/* "#/a/b" of the document; used counts the schemas referred to. */
static void
follow(json_t *doc, const char *ref, json_t *used)
{
    char path[256];

    assert_int_equal(strncmp(ref, "#/", 2), 0);
    snprintf(path, sizeof(path), "%s", ref + 2);
    for (char *p = path; *p; p++) {
        *p = *p == '/' ? '|' : *p;
    }
    assert_true(json_is_object(at(doc, path)));
    json_object_set_new(used, ref, json_true());
}

static void
follow_all(json_t *doc, json_t *v, json_t *used)
{
    const char *name;
    size_t i;
    json_t *child;

    json_object_foreach(v, name, child)
    {
        if (!strcmp(name, "$ref") && json_is_string(child)) {
            follow(doc, json_string_value(child), used);
        }
        follow_all(doc, child, used);
    }
    json_array_foreach(v, i, child)
    {
        follow_all(doc, child, used);
    }
}

/* Nothing is referred to that is not there, and no schema is there that
 * nothing refers to. */
static void
every_reference_leads_somewhere(void **state)
{
    (void) state;
    for (int api = 0; api < API_COUNT; api++) {
        json_t *doc = documents[api], *used, *schema;
        const char *name;

        if (!doc) {
            continue;
        }
        used = json_object();
        follow_all(doc, doc, used);
        json_object_foreach(at(doc, "components|schemas"), name, schema)
        {
            char ref[256];
            snprintf(ref, sizeof(ref), "#/components/schemas/%s", name);
            if (!json_object_get(used, ref)) {
                fail_msg("nothing refers to %s", name);
            }
        }
        json_decref(used);
    }
}

static void
expect_methods(const resource_t *r, bool item, unsigned methods)
{
    static const struct {
        unsigned bit;
        const char *verb;
    } verbs[] = {{METHOD_GET, "get"},
                 {METHOD_POST, "post"},
                 {METHOD_PATCH, "patch"},
                 {METHOD_DELETE, "delete"}};
    char path[128];

    snprintf(path, sizeof(path), "/%s%s", r->name, item ? "/{id}" : "");
    json_t *on = json_object_get(at(documents[r->api], "paths"), path);
    assert_int_equal(on != NULL, methods != 0);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        json_t *operation = json_object_get(on, verbs[i].verb);
        assert_int_equal(operation != NULL, (methods & verbs[i].bit) != 0);
        if (operation) {
            assert_non_null(at(operation, "responses|default"));
            assert_non_null(at(operation, "responses|503"));
        }
    }
}

static void
operations_are_those_of_the_rows(void **state)
{
    (void) state;
    for (const resource_t *r = tmf_resources; r->name; r++) {
        if (!documents[r->api]) {
            continue;
        }
        assert_true(r->create || !(r->collection | r->item));
        expect_methods(r, false, r->collection);
        expect_methods(r, true, r->item);
    }
}

static void
expect_attribute(api_t api, const char *type, const attr_schema_t *a,
                 bool there, bool mandatory)
{
    json_t *p = property(api, type, a->name);

    if ((p != NULL) != there || requires(api, type, a->name) != mandatory) {
        fail_msg("%s.%s: present %d, mandatory %d", type, a->name, p != NULL,
                 requires(api, type, a->name));
    }
    if (there && (a->flags & ATTR_LIST)) {
        assert_string_equal(json_string_value(at(p, "type")), "array");
    }
}

/* Flags as the validator understands them. */
static void
bodies_are_those_of_the_rows(void **state)
{
    int rows = 0;

    (void) state;
    for (const resource_t *r = tmf_resources; r->name; r++) {
        char create[64], update[64];

        if (!(r->collection | r->item) || !documents[r->api]) {
            continue;
        }
        snprintf(create, sizeof(create), "%s_Create", r->create->name);
        snprintf(update, sizeof(update), "%s_Update", r->create->name);
        for (const attr_schema_t *a = r->create->attrs; a->name; a++, rows++) {
            bool must = attr_is_mandatory(a, version);
            bool ours = a->flags & (ATTR_SERVER | ATTR_FORBIDDEN);
            bool always = !strcmp(a->name, "id") || !strcmp(a->name, "href");
            bool whole = !(r->item & METHOD_GET);

            if (!attr_is_of(a, version)) {
                rows--;
                continue;
            }
            expect_attribute(r->api, r->create->name, a, true,
                             always || (whole && must));
            if (r->collection & METHOD_POST) {
                expect_attribute(r->api, r->input ? r->input : create, a,
                                 !ours, !ours && must);
            }
            if (r->item & METHOD_PATCH) {
                expect_attribute(r->api, update, a, !(a->flags & ATTR_FIXED),
                                 false);
            }
        }
    }
    assert_true(rows > 30);
}

static void
a_new_order(void **state)
{
    json_t *items =
        property(API_ORDERING, "ServiceOrder_Create", "serviceOrderItem");

    (void) state;
    assert_true(
        requires(API_ORDERING, "ServiceOrder_Create", "serviceOrderItem"));
    assert_int_equal(json_integer_value(at(items, "minItems")), 1);
    assert_string_equal(json_string_value(at(items, "items|$ref")),
                        "#/components/schemas/ServiceOrderItem");
    assert_null(property(API_ORDERING, "ServiceOrder_Create", "state"));
    assert_null(property(API_ORDERING, "ServiceOrder_Create", "id"));
    assert_non_null(property(API_ORDERING, "ServiceOrder_Create", "category"));
    json_t *item = at(documents[API_ORDERING],
                      "paths|/serviceOrder|post|requestBody|content");
    assert_string_equal(
        json_string_value(at(item, "application/json|schema|$ref")),
        "#/components/schemas/ServiceOrder_Create");
}

static void
an_item(void **state)
{
    json_t *doc = at(documents[API_ORDERING],
                     "components|schemas|ServiceOrderItem|properties");
    json_t *state_values = at(doc, "state|enum");

    (void) state;
    assert_int_equal(json_array_size(at(doc, "action|enum")), 4);
    assert_true(lists(at(doc, "action|enum"), "noChange"));
    assert_true(lists(state_values, "assessingCancellation"));
    assert_true(lists(state_values, "pendingExternal"));
    assert_true(json_is_true(at(doc, "state|readOnly")));
    assert_null(json_object_get(at(doc, "action"), "readOnly"));
    assert_string_equal(json_string_value(at(doc, "quantity|type")),
                        "integer");
    assert_true(json_is_true(at(doc, "pendingExternal|readOnly")));
    assert_string_equal(
        json_string_value(json_object_get(
            json_array_get(at(doc, "pendingExternal|allOf"), 0), "$ref")),
        "#/components/schemas/PendingExternal");
    assert_string_equal(json_string_value(at(doc, "service|$ref")),
                        "#/components/schemas/ServiceRefOrValue");
}

static void
a_patch(void **state)
{
    json_t *doc =
        at(documents[API_CATALOG],
           "components|schemas|ServiceSpecification_Update|properties");
    int patches = 0;

    (void) state;
    assert_true(json_is_true(at(doc, "description|nullable")));
    assert_true(json_is_true(at(doc, "validFor|nullable")));
    assert_true(json_is_true(at(doc, "attachment|nullable")));
    assert_null(json_object_get(at(doc, "name"), "nullable"));
    assert_null(json_object_get(doc, "lastUpdate"));
    json_t *content =
        at(documents[API_CATALOG], "paths|/serviceSpecification/{id}|patch|"
                                   "requestBody|content");
    for (size_t i = 0; patch_type_at(i); i++) {
        json_t *schema =
            at(at(content, patch_type_at(i)->name.data), "schema");
        bool merge = patch_type_at(i)->kind == PATCH_MERGE;
        assert_string_equal(
            json_string_value(at(schema, merge ? "$ref" : "items|$ref")),
            merge ? "#/components/schemas/ServiceSpecification_Update"
                  : "#/components/schemas/JsonPatch");
        patches += merge ? 0 : 1;
    }
    assert_int_equal(patches, 2);
    assert_string_equal(
        json_string_value(
            at(property(API_CATALOG, "JsonPatch", "value"), "description")),
        "mandatory with add, replace, test");
    assert_true(requires(API_CATALOG, "JsonPatch", "op"));
    assert_false(requires(API_CATALOG, "JsonPatch", "from"));
}

static bool
takes(json_t *operation, const char *key)
{
    char ref[128];
    size_t i;
    json_t *p;

    snprintf(ref, sizeof(ref), "#/components/parameters/%s", key);
    json_array_foreach(json_object_get(operation, "parameters"), i, p)
    {
        if (!strcmp(json_string_value(at(p, "$ref")), ref)) {
            return true;
        }
    }
    return false;
}

static void
what_operations_take_and_tell(void **state)
{
    json_t *order = at(documents[API_ORDERING], "paths|/serviceOrder");
    json_t *one = at(documents[API_ORDERING], "paths|/serviceOrder/{id}");
    json_t *hub = at(documents[API_ORDERING], "paths|/hub");
    json_t *subscription = at(documents[API_ORDERING], "paths|/hub/{id}");

    (void) state;
    assert_true(takes(one, "id"));
    for (const char **p = (const char *[]){"fields", "offset", "limit", "sort",
                                           "filter", NULL};
         *p; p++) {
        assert_true(takes(at(order, "get"), *p));
        assert_false(takes(at(hub, "post"), *p));
    }
    assert_true(takes(at(order, "post"), "idempotencyKey"));
    assert_true(takes(at(order, "post"), "fields"));
    assert_true(takes(at(hub, "post"), "idempotencyKey"));
    assert_false(takes(at(hub, "post"), "fields"));
    assert_true(takes(at(one, "delete"), "ifMatch"));
    assert_false(takes(at(subscription, "delete"), "ifMatch"));
    assert_non_null(at(order, "get|responses|206|headers|X-Total-Count"));
    assert_non_null(at(order, "get|responses|200|headers|X-Result-Count"));
    assert_non_null(at(order, "post|responses|201|headers|Location"));
    assert_non_null(at(one, "get|responses|200|headers|ETag"));
    assert_non_null(at(one, "get|responses|304"));
    assert_null(json_object_get(at(subscription, "delete|responses"), "412"));
    assert_string_equal(
        json_string_value(at(order, "get|responses|200|content|"
                                    "application/json|schema|items|$ref")),
        "#/components/schemas/ServiceOrder");
    assert_string_equal(
        json_string_value(at(hub, "post|responses|201|content|"
                                  "application/json|schema|$ref")),
        "#/components/schemas/EventSubscription");
    assert_non_null(at(documents[API_ORDERING],
                       "components|responses|Unavailable|headers|"
                       "Retry-After"));
    assert_string_equal(
        json_string_value(at(documents[API_ORDERING],
                             "components|responses|NotFound|content|"
                             "application/json|schema|$ref")),
        "#/components/schemas/Error");
}

static void
where_it_is_served(void **state)
{
    json_t *server = json_array_get(at(documents[API_CATALOG], "servers"), 0);

    (void) state;
    assert_string_equal(json_string_value(at(server, "url")),
                        "../../tmf-api/serviceCatalogManagement/v4");
    assert_string_equal(openapi_name(API_CATALOG), "serviceCatalogManagement");
}

static void
expect_file_references(json_t *v, const object_set_t *types)
{
    const char *name;
    size_t i;
    json_t *child;

    json_object_foreach(v, name, child)
    {
        bool known = strcmp(name, "$ref") != 0;
        for (int n = 0; !known && n < types->count; n++) {
            char file[128];
            snprintf(file, sizeof(file), "%s.json", types->objects[n]->name);
            known = !strcmp(json_string_value(child), file);
        }
        assert_true(known);
        expect_file_references(child, types);
    }
    json_array_foreach(v, i, child)
    {
        expect_file_references(child, types);
    }
}

static void
types_refer_to_their_neighbours(void **state)
{
    int references = 0;

    (void) state;
    for (int api = 0; api < API_COUNT; api++) {
        object_set_t types;

        if (!documents[api]) {
            continue;
        }
        openapi_types(&types, (api_t) api, version);
        for (int i = 0; i < types.count; i++) {
            buf_t text;

            buf_init(&text, OPENAPI_MAX_BYTES);
            openapi_print_type(&text, types.objects[i], (api_t) api, version);
            json_t *doc = parse(&text);
            assert_string_equal(json_string_value(at(doc, "title")),
                                types.objects[i]->name);
            assert_non_null(at(doc, "$schema"));
            expect_file_references(doc, &types);
            references += strstr(text.data, "\"$ref\"") != NULL;
            assert_null(strstr(text.data, "nullable"));
            json_decref(doc);
            buf_free(&text);
        }
    }
    assert_true(references > 5);
}

static void
a_name_stands_for_the_types_of_all_apis(void **state)
{
    buf_t text;

    (void) state;
    buf_init(&text, OPENAPI_MAX_BYTES);
    assert_int_equal(openapi_print_name(&text, "Note"),
                     1 << API_ORDERING | 1 << API_INVENTORY);
    json_t *doc = parse(&text), *any = at(doc, "anyOf");
    assert_int_equal(json_array_size(any), 3);
    assert_string_equal(json_string_value(at(json_array_get(any, 1), "$ref")),
                        "serviceInventory/v4/Note.json");
    assert_string_equal(json_string_value(at(json_array_get(any, 2), "$ref")),
                        "serviceInventory/v5/Note.json");
    json_decref(doc);
    buf_reset(&text);
    assert_int_equal(openapi_print_name(&text, "Nobody"), 0);
    buf_free(&text);
}

static void
null_in_json_schema(void **state)
{
    static const schema_dialect_t files = {TMF_V4, "", ".json", false};
    static const char *const values[] = {"a", NULL};
    static const attr_schema_t none[] = {{.name = NULL}};
    static const object_schema_t part = {"Part", none};
    static const attr_schema_t attrs[] = {
        {.name = "text", .type = ATTR_STRING, .flags = ATTR_NULLABLE},
        {.name = "choice",
         .type = ATTR_ENUM,
         .flags = ATTR_NULLABLE,
         .values = values},
        {.name = "part",
         .type = ATTR_OBJECT,
         .flags = ATTR_NULLABLE,
         .object = &part},
        {.name = "anything", .type = ATTR_ANY},
        {.name = NULL},
    };
    static const object_schema_t object = {"Object", attrs};
    buf_t text;

    (void) state;
    buf_init(&text, OPENAPI_MAX_BYTES);
    buf_char(&text, '{');
    json_schema_members(&text, &object, SHAPE_PART, &files);
    buf_char(&text, '}');
    assert_string_equal(
        text.data,
        "{\"type\":\"object\",\"properties\":{"
        "\"text\":{\"type\":[\"string\",\"null\"]},"
        "\"choice\":{\"type\":[\"string\",\"null\"],\"enum\":[\"a\",null]},"
        "\"part\":{\"anyOf\":[{\"$ref\":\"Part.json\"},{\"type\":\"null\"}]},"
        "\"anything\":{}}}");
    buf_free(&text);
}

static void
there_is_room_for_the_types(void **state)
{
    object_set_t types;

    (void) state;
    for (int api = 0; api < API_COUNT; api++) {
        if (!documents[api]) {
            continue;
        }
        openapi_types(&types, (api_t) api, version);
        assert_true(types.count > 1 && types.count < OBJECT_SET_MAX);
    }
    types.count = OBJECT_SET_MAX;
    for (int i = 0; i < OBJECT_SET_MAX; i++) {
        types.objects[i] = NULL;
    }
    assert_false(object_set_add(&types, &tmf_error, version));
}

/* One table, two versions: what each has, asks for and takes. */
static void
version_5_differs(void **state)
{
    static const char *const typed[] = {"Service", "Note", "Characteristic",
                                        "ServiceSpecificationRef"};

    (void) state;
    for (size_t i = 0; i < sizeof(typed) / sizeof(typed[0]); i++) {
        bool root = i == 0;
        assert_true(requires(API_INVENTORY, root ? "Service_Create" : typed[i],
                             "@type"));
    }
    assert_false(requires(API_INVENTORY, "Note", "author"));
    json_t *party = at(documents[API_INVENTORY],
                       "components|schemas|Service|properties|relatedParty");
    assert_string_equal(json_string_value(at(party, "items|$ref")),
                        "#/components/schemas/RelatedPartyRefOrPartyRoleRef");
    assert_null(json_object_get(
        at(documents[API_INVENTORY], "components|schemas"), "RelatedParty"));
    assert_true(lists(at(documents[API_INVENTORY],
                         "components|schemas|Service|properties|state|enum"),
                      "suspended"));
    assert_string_equal(
        json_string_value(at(documents[API_INVENTORY], "info|version")),
        "5.0.0");
    assert_string_equal(
        json_string_value(
            at(json_array_get(at(documents[API_INVENTORY], "servers"), 0),
               "url")),
        "../../tmf-api/serviceInventory/v5");
}

#define V4(test)                                     \
    {                                                \
        "v4: " #test, test, print_v4, free_all, NULL \
    }
#define V5(test)                                     \
    {                                                \
        "v5: " #test, test, print_v5, free_all, NULL \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        V4(the_same_tables_give_the_same_bytes),
        V4(every_reference_leads_somewhere),
        V4(operations_are_those_of_the_rows),
        V4(bodies_are_those_of_the_rows),
        V4(a_new_order),
        V4(an_item),
        V4(a_patch),
        V4(what_operations_take_and_tell),
        V4(where_it_is_served),
        V4(types_refer_to_their_neighbours),
        V4(a_name_stands_for_the_types_of_all_apis),
        V4(null_in_json_schema),
        V4(there_is_room_for_the_types),
        V5(the_same_tables_give_the_same_bytes),
        V5(every_reference_leads_somewhere),
        V5(operations_are_those_of_the_rows),
        V5(bodies_are_those_of_the_rows),
        V5(types_refer_to_their_neighbours),
        V5(there_is_room_for_the_types),
        V5(version_5_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
