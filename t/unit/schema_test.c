/* rooms: proto */
/*
 * The resource tables and the validator: what is taken, and for what is
 * refused the status, the code, and the attribute named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/schema.h"

#define ROWS(a)     (sizeof(a) / sizeof((a)[0]))
#define MAX_SCHEMAS 100

/* An order around the attributes of one item, and around the item's own
 * minimum. */
#define ITEM(attrs)      "{\"serviceOrderItem\":[{" attrs "}]}"
#define MINIMUM          "\"id\":\"1\",\"action\":\"add\",\"service\":{}"
#define ITEM_PLUS(attr)  ITEM(MINIMUM "," attr)
#define ORDER_PLUS(attr) "{\"serviceOrderItem\":[{" MINIMUM "}]," attr "}"
#define SERVICE_638_WITH(more) \
    "{\"state\":\"active\",\"serviceSpecification\":{\"id\":\"S\"}," more "}"
#define SERVICE(attrs) \
    ITEM("\"id\":\"1\",\"action\":\"add\",\"service\":{" attrs "}")

typedef enum { ORDER, CANCEL, HUB, SERVICE_638, SPEC } body_t;

static const struct {
    api_t api;
    const char *resource;
} bodies[] = {
    [ORDER] = {API_ORDERING, "serviceOrder"},
    [CANCEL] = {API_ORDERING, "cancelServiceOrder"},
    [HUB] = {API_CATALOG, "hub"},
    [SERVICE_638] = {API_INVENTORY, "service"},
    [SPEC] = {API_CATALOG, "serviceSpecification"},
};

static const object_schema_t *
schema_of(body_t body, bool create)
{
    const resource_t *r =
        resource_find(bodies[body].api, str_of(bodies[body].resource));

    assert_non_null(r);
    const object_schema_t *schema = create ? r->create : r->patch;
    assert_non_null(schema);
    return schema;
}

/* Whole, or one byte at a time. */
static int
validate_with(validator_t *v, str_t text, bool bytewise, tmf_error_t *err)
{
    int rc = 0;

    assert_non_null(v);
    *err = (tmf_error_t){0};
    if (bytewise) {
        for (size_t i = 0; i < text.len && rc == 0; i++) {
            rc = validator_feed(v, (str_t){text.data + i, 1}, err);
        }
    } else {
        rc = validator_feed(v, text, err);
    }
    if (rc == 0) {
        rc = validator_finish(v, err);
    }
    validator_free(v);
    return rc;
}

static int
validate(body_t body, bool create, str_t text, bool bytewise, tmf_error_t *err)
{
    return validate_with(
        validator_create(schema_of(body, create),
                         create ? VALIDATE_CREATE : VALIDATE_MERGE, TMF_V4),
        text, bytewise, err);
}

static const struct {
    body_t body;
    bool patch;
    const char *text;
} good[] = {
    {ORDER, false, ITEM(MINIMUM)},
    {ORDER, false, " \n" ITEM(MINIMUM) "\n"},
    {ORDER, false, ORDER_PLUS("\"unknown\":{\"a\":[1,{\"id\":null}]}")},
    {ORDER, false, ORDER_PLUS("\"\":1,\"i\":2,\"ids\":3")},
    {ORDER, false, ITEM_PLUS("\"state\":\"acknowledged\"")},
    {ORDER, false, ORDER_PLUS("\"state\":\"acknowledged\"")},
    {ORDER, false, ORDER_PLUS("\"state\":null")},
    /* what the server sets is passed over, whatever it is */
    {ORDER, false,
     ORDER_PLUS("\"id\":\"7\",\"href\":5,\"orderDate\":\"soon\","
                "\"completionDate\":[],\"expectedCompletionDate\":{},"
                "\"errorMessage\":\"x\",\"milestone\":[{\"id\":1}]")},
    {ORDER, false, ITEM_PLUS("\"errorMessage\":{\"a\":1}")},
    {ORDER, false,
     ORDER_PLUS("\"category\":\"\",\"description\":null,\"priority\":\"1\","
                "\"note\":[],\"relatedParty\":null")},
    {ORDER, false,
     ORDER_PLUS("\"requestedStartDate\":\"2030-01-01T00:00:00+0000\"")},
    {ORDER, false,
     ORDER_PLUS("\"relatedParty\":[{\"id\":\"1\",\"@referredType\":\"O\"}],"
                "\"note\":[{\"text\":\"t\"}],"
                "\"externalReference\":[{\"name\":\"n\"}],"
                "\"orderRelationship\":[{\"id\":\"1\","
                "\"relationshipType\":\"r\"}]")},
    {ORDER, false, ITEM_PLUS("\"quantity\":-3")},
    {ORDER, false, ITEM_PLUS("\"quantity\":999999999999999999")},
    {ORDER, false,
     ITEM_PLUS("\"serviceOrderItem\":[{\"id\":\"1\",\"action\":\"delete\","
               "\"service\":{\"id\":\"S\"}},{"
               "\"id\":\"2\","
               "\"action\":\"noChange\",\"service\":{}}]")},
    {ORDER, false, ITEM_PLUS("\"serviceOrderItem\":[]")},
    {ORDER, false,
     ITEM_PLUS("\"serviceOrderItemRelationship\":[{\"relationshipType\":\"d\","
               "\"orderItem\":{\"itemId\":\"2\"}}]")},
    {ORDER, false,
     "{\"serviceOrderItem\":[{" MINIMUM "},{\"id\":\"2\",\"action\":"
     "\"modify\",\"service\":{\"state\":\"active\"}}]}"},
    {ORDER, false,
     SERVICE("\"serviceCharacteristic\":[{\"name\":\"a\",\"value\":1},"
             "{\"name\":\"b\",\"value\":{\"c\":[null]}},"
             "{\"name\":\"a\",\"value\":[],\"id\":\"1\"},"
             "{\"name\":\"a\",\"value\":\"\",\"id\":\"1\"}]")},
    {ORDER, false,
     SERVICE("\"serviceSpecification\":{\"id\":\"S1\"},\"isBundle\":false,"
             "\"supportingService\":[{}],\"serviceRelationship\":"
             "[{\"relationshipType\":\"r\",\"service\":{\"place\":"
             "[{\"role\":\"r\"}]}}]")},
    {ORDER, false,
     SERVICE("\"feature\":[{\"name\":\"f\",\"featureCharacteristic\":"
             "[{\"name\":\"n\",\"value\":false}]}]")},
    {CANCEL, false, "{\"serviceOrder\":{\"id\":\"42\"}}"},
    {CANCEL, false,
     "{\"serviceOrder\":{\"id\":\"42\"},\"state\":\"whatever\","
     "\"requestedCancellationDate\":\"2030-01-01T00:00:00Z\"}"},
    {HUB, false, "{\"callback\":\"http://h\"}"},
    {HUB, false,
     "{\"callback\":\"HTTPS://h.example:8443/a?b=%20#c\","
     "\"query\":\"eventType=X\"}"},
    {HUB, false, "{\"callback\":\"http://[::1]:80/\",\"query\":null}"},
    {SERVICE_638, false,
     "{\"state\":\"active\",\"serviceSpecification\":{\"id\":\"S1\"}}"},
    {SPEC, false, "{\"name\":\"n\"}"},
    {SPEC, false,
     "{\"name\":\"n\",\"lastUpdate\":\"x\",\"isBundle\":true,"
     "\"specCharacteristic\":[{\"name\":\"c\",\"valueType\":\"integer\","
     "\"minCardinality\":0,\"characteristicValueSpecification\":"
     "[{\"value\":{\"any\":1},\"valueFrom\":1}]}],"
     "\"attachment\":[{\"size\":{\"amount\":1.5}}],"
     "\"targetEntitySchema\":{\"@type\":\"T\",\"@schemaLocation\":\"l\"}}"},
    /* PATCH: merged, not created */
    {ORDER, true, "{}"},
    {ORDER, true, "{\"description\":null,\"priority\":\"2\"}"},
    {ORDER, true, "{\"state\":\"held\"}"},
    {ORDER, true,
     "{\"id\":\"x\",\"orderDate\":1,\"@type\":{},\"category\":[]}"},
    {ORDER, true,
     "{\"serviceOrderItem\":[{" MINIMUM ",\"state\":\"inProgress\"}]}"},
    {SPEC, true, "{\"validFor\":{\"endDateTime\":null}}"},
    {SPEC, true, "{\"targetEntitySchema\":{\"@type\":\"T\"}}"},
    {SERVICE_638, false, SERVICE_638_WITH("\"operatingStatus\":\"degraded\"")},
    {SERVICE_638, false,
     SERVICE_638_WITH("\"version\":7,\"versionEndDate\":7")},
    {SERVICE_638, true, "{\"state\":\"suspended\",\"versionEndDate\":7}"},
    {SERVICE_638, true, "{\"serviceSpecification\":{\"version\":\"2\"}}"},
};

#define MISSING TMF_CODE_FIELD_MISSING
#define INVALID TMF_CODE_FIELD_INVALID
#define BODY    TMF_CODE_BODY_INVALID

static const struct {
    body_t body;
    bool patch;
    const char *text;
    tmf_code_t code;
    const char *pointer, *message; /* message: a part of it */
} bad[] = {
    {ORDER, false, "", TMF_CODE_BODY_MISSING, "", "mandatory"},
    {ORDER, false, " \t\n", TMF_CODE_BODY_MISSING, "", "mandatory"},
    {ORDER, false, "[]", BODY, "", "must be an object"},
    {ORDER, false, "1", BODY, "", "must be an object"},
    {ORDER, false, "null", BODY, "", "must be an object"},
    {ORDER, false, "\"x\"", BODY, "", "must be an object"},
    {ORDER, false, "{", BODY, "", "ends too early"},
    {ORDER, false, "{} x", MISSING, "/serviceOrderItem", "mandatory"},
    {ORDER, false, ITEM(MINIMUM) " x", BODY, "", "after the end"},
    {ORDER, false, ITEM(MINIMUM) ITEM(MINIMUM), BODY, "", "after the end"},
    {ORDER, false, "{\"a\":1,\"a\":2}", BODY, "/a", "duplicate member"},
    {ORDER, false, "{\"a\":{\"b\":tru}}", BODY, "/a/b", "near byte"},
    {ORDER, false, "{\"a\":\"\xff\"}", BODY, "/a", "UTF-8"},
    {ORDER, false, "{}", MISSING, "/serviceOrderItem",
     "serviceOrderItem is mandatory"},
    {ORDER, false, "{\"serviceOrderItem\":null}", MISSING, "/serviceOrderItem",
     "must not be null"},
    {ORDER, false, "{\"serviceOrderItem\":[]}", INVALID, "/serviceOrderItem",
     "at least one"},
    {ORDER, false, "{\"serviceOrderItem\":{}}", INVALID, "/serviceOrderItem",
     "must be an array"},
    {ORDER, false, "{\"serviceOrderItem\":\"x\"}", INVALID,
     "/serviceOrderItem", "must be an array"},
    {ORDER, false, "{\"serviceOrderItem\":[null]}", INVALID,
     "/serviceOrderItem/0", "an object"},
    {ORDER, false, "{\"serviceOrderItem\":[1]}", INVALID,
     "/serviceOrderItem/0", "an object"},
    {ORDER, false, "{\"serviceOrderItem\":[[]]}", INVALID,
     "/serviceOrderItem/0", "an object"},
    {ORDER, false, "{\"serviceOrderItem\":[{" MINIMUM "},{}]}", MISSING,
     "/serviceOrderItem/1/id", "id is mandatory"},
    {ORDER, false, ITEM("\"id\":\"1\",\"service\":{}"), MISSING,
     "/serviceOrderItem/0/action", "action is mandatory"},
    {ORDER, false, ITEM("\"id\":\"1\",\"action\":\"add\""), MISSING,
     "/serviceOrderItem/0/service", "service is mandatory"},
    {ORDER, false, ITEM("\"id\":\"1\",\"action\":\"add\",\"service\":null"),
     MISSING, "/serviceOrderItem/0/service", "null"},
    {ORDER, false, ITEM("\"id\":\"1\",\"action\":\"add\",\"service\":\"S\""),
     INVALID, "/serviceOrderItem/0/service", "must be an object"},
    {ORDER, false, ITEM("\"id\":\"1\",\"action\":\"add\",\"service\":[{}]"),
     INVALID, "/serviceOrderItem/0/service", "must be an object"},
    {ORDER, false, ITEM("\"id\":1"), INVALID, "/serviceOrderItem/0/id",
     "id must be a string"},
    {ORDER, false, ITEM("\"id\":\"\""), INVALID, "/serviceOrderItem/0/id",
     "not blank"},
    {ORDER, false, ITEM("\"id\":\" \\t\""), INVALID, "/serviceOrderItem/0/id",
     "not blank"},
    {ORDER, false, ITEM("\"action\":\"remove\""), INVALID,
     "/serviceOrderItem/0/action",
     "action must be one of add, modify, delete, noChange"},
    {ORDER, false, ITEM("\"action\":\"Add\""), INVALID,
     "/serviceOrderItem/0/action", "one of"},
    {ORDER, false, ITEM("\"action\":\"\""), INVALID,
     "/serviceOrderItem/0/action", "one of"},
    {ORDER, false, ITEM("\"action\":[\"add\"]"), INVALID,
     "/serviceOrderItem/0/action", "one of"},
    {ORDER, false, ITEM("\"action\":1"), INVALID, "/serviceOrderItem/0/action",
     "one of"},
    {ORDER, false, ITEM_PLUS("\"quantity\":\"1\""), INVALID,
     "/serviceOrderItem/0/quantity", "an integer"},
    {ORDER, false, ITEM_PLUS("\"quantity\":1.0"), INVALID,
     "/serviceOrderItem/0/quantity", "an integer"},
    {ORDER, false, ITEM_PLUS("\"quantity\":1e2"), INVALID,
     "/serviceOrderItem/0/quantity", "an integer"},
    {ORDER, false, ITEM_PLUS("\"quantity\":1E2"), INVALID,
     "/serviceOrderItem/0/quantity", "an integer"},
    {ORDER, false, ITEM_PLUS("\"quantity\":1000000000000000000"), INVALID,
     "/serviceOrderItem/0/quantity", "an integer"},
    {ORDER, false, ORDER_PLUS("\"state\":\"completed\""), INVALID, "/state",
     "the server sets it"},
    {ORDER, false, ORDER_PLUS("\"state\":\"nonsense\""), INVALID, "/state",
     "the server sets it"},
    {ORDER, false, ORDER_PLUS("\"state\":1"), INVALID, "/state",
     "the server sets it"},
    {ORDER, false, ORDER_PLUS("\"state\":{}"), INVALID, "/state",
     "the server sets it"},
    {ORDER, false, ITEM_PLUS("\"state\":\"inProgress\""), INVALID,
     "/serviceOrderItem/0/state", "the server sets it"},
    {ORDER, false, ITEM_PLUS("\"state\":[]"), INVALID,
     "/serviceOrderItem/0/state", "the server sets it"},
    {ORDER, false,
     ITEM_PLUS("\"serviceOrderItem\":[{" MINIMUM ",\"state\":\"held\"}]"),
     INVALID, "/serviceOrderItem/0/serviceOrderItem/0/state",
     "the server sets it"},
    {ORDER, false, ITEM_PLUS("\"serviceOrderItem\":[{\"id\":\"1\"}]"), MISSING,
     "/serviceOrderItem/0/serviceOrderItem/0/action", "mandatory"},
    {ORDER, false, "{\"serviceOrderItem\":[{" MINIMUM "},{" MINIMUM "}]}",
     INVALID, "/serviceOrderItem/1/id", "id \"1\" stands twice"},
    {ORDER, false,
     "{\"serviceOrderItem\":[{\"service\":{},\"serviceOrderItem\":[{" MINIMUM
     "}],\"action\":\"add\",\"id\":\"1\"},{\"action\":\"add\","
     "\"id\":\"\\u0031\"}]}",
     INVALID, "/serviceOrderItem/1/id", "stands twice"},
    {ORDER, false,
     ITEM_PLUS("\"serviceOrderItem\":[{" MINIMUM "},{" MINIMUM "}]"), INVALID,
     "/serviceOrderItem/0/serviceOrderItem/1/id", "stands twice"},
    {ORDER, false, ORDER_PLUS("\"description\":1"), INVALID, "/description",
     "description must be a string"},
    {ORDER, false, ORDER_PLUS("\"description\":[\"x\"]"), INVALID,
     "/description", "must be a string"},
    {ORDER, false, ORDER_PLUS("\"note\":{}"), INVALID, "/note", "an array"},
    {ORDER, false, ORDER_PLUS("\"note\":[{}]"), MISSING, "/note/0/text",
     "text is mandatory"},
    {ORDER, false, ORDER_PLUS("\"note\":[{\"text\":\"\"}]"), INVALID,
     "/note/0/text", "not blank"},
    {ORDER, false, ORDER_PLUS("\"relatedParty\":[{\"id\":\"1\"}]"), MISSING,
     "/relatedParty/0/@referredType", "@referredType is mandatory"},
    {ORDER, false, ORDER_PLUS("\"externalReference\":[{\"id\":\"1\"}]"),
     MISSING, "/externalReference/0/name", "mandatory"},
    {ORDER, false, ORDER_PLUS("\"requestedStartDate\":\"2030-01-01\""),
     INVALID, "/requestedStartDate", "RFC 3339"},
    {ORDER, false, ORDER_PLUS("\"requestedStartDate\":1893456000"), INVALID,
     "/requestedStartDate", "RFC 3339"},
    {ORDER, false, SERVICE("\"isBundle\":\"true\""), INVALID,
     "/serviceOrderItem/0/service/isBundle", "a boolean"},
    {ORDER, false, SERVICE("\"state\":\"suspended\""), INVALID,
     "/serviceOrderItem/0/service/state", "one of feasibilityChecked"},
    {ORDER, false, SERVICE("\"serviceSpecification\":{}"), MISSING,
     "/serviceOrderItem/0/service/serviceSpecification/id", "mandatory"},
    {ORDER, false, SERVICE("\"serviceCharacteristic\":[{\"value\":1}]"),
     MISSING, "/serviceOrderItem/0/service/serviceCharacteristic/0/name",
     "mandatory"},
    {ORDER, false, SERVICE("\"serviceCharacteristic\":[{\"name\":\"a\"}]"),
     MISSING, "/serviceOrderItem/0/service/serviceCharacteristic/0/value",
     "mandatory"},
    {ORDER, false,
     SERVICE("\"serviceCharacteristic\":[{\"name\":\"a\",\"value\":null}]"),
     MISSING, "/serviceOrderItem/0/service/serviceCharacteristic/0/value",
     "null"},
    {ORDER, false,
     SERVICE("\"feature\":[{\"name\":\"f\",\"featureCharacteristic\":[]}]"),
     INVALID, "/serviceOrderItem/0/service/feature/0/featureCharacteristic",
     "at least one"},
    {ORDER, false,
     SERVICE("\"serviceRelationship\":[{\"relationshipType\":\"r\","
             "\"service\":{\"serviceRelationship\":[{}]}}]"),
     MISSING,
     "/serviceOrderItem/0/service/serviceRelationship/0/service"
     "/serviceRelationship/0/relationshipType",
     "mandatory"},
    {CANCEL, false, "{}", MISSING, "/serviceOrder", "mandatory"},
    {CANCEL, false, "{\"serviceOrder\":{}}", MISSING, "/serviceOrder/id",
     "mandatory"},
    {HUB, false, "{}", MISSING, "/callback", "callback is mandatory"},
    {HUB, false, "{\"callback\":\"\"}", INVALID, "/callback", "URL"},
    {HUB, false, "{\"callback\":\"ftp://h/\"}", INVALID, "/callback", "URL"},
    {HUB, false, "{\"callback\":\"/relative\"}", INVALID, "/callback", "URL"},
    {HUB, false, "{\"callback\":\"http://\"}", INVALID, "/callback", "URL"},
    {HUB, false, "{\"callback\":\"http:///a\"}", INVALID, "/callback", "URL"},
    {HUB, false, "{\"callback\":\"https://?a\"}", INVALID, "/callback", "URL"},
    {HUB, false, "{\"callback\":\"http://:80\"}", INVALID, "/callback", "URL"},
    {HUB, false, "{\"callback\":\"http://h/ a\"}", INVALID, "/callback",
     "URL"},
    {HUB, false, "{\"callback\":\"http://h\\r\\nX: y\"}", INVALID, "/callback",
     "URL"},
    {HUB, false, "{\"callback\":\"http://h/\xc3\xa9\"}", INVALID, "/callback",
     "URL"},
    {HUB, false, "{\"callback\":7}", INVALID, "/callback", "URL"},
    {HUB, false, "{\"callback\":\"http://h\",\"query\":1}", INVALID, "/query",
     "a string"},
    {SERVICE_638, false, SERVICE_638_WITH("\"operatingStatus\":\"broken\""),
     INVALID, "/operatingStatus", "one of pending, configured"},
    {SERVICE_638, true, "{\"operatingStatus\":7}", INVALID, "/operatingStatus",
     "one of pending"},
    {SERVICE_638, false, SERVICE_638_WITH("\"serviceDate\":\"today\""),
     INVALID, "/serviceDate", "RFC 3339"},
    {SERVICE_638, true, "{\"state\":\"retired\"}", INVALID, "/state",
     "suspended"},
    {SERVICE_638, false, "{\"serviceSpecification\":{\"id\":\"S1\"}}", MISSING,
     "/state", "mandatory"},
    {SERVICE_638, false,
     "{\"state\":\"active\",\"serviceSpecification\":{\"id\":\"S1\"},"
     "\"note\":[{\"text\":\"t\",\"author\":\"a\"}]}",
     MISSING, "/note/0/date", "mandatory"},
    {SPEC, false, "{}", MISSING, "/name", "mandatory"},
    {SPEC, false, "{\"name\":\" \"}", INVALID, "/name", "not blank"},
    {SPEC, false, "{\"name\":\"n\",\"specCharacteristic\":[{}]}", MISSING,
     "/specCharacteristic/0/name", "mandatory"},
    {SPEC, false, "{\"name\":\"n\",\"targetEntitySchema\":{\"@type\":\"T\"}}",
     MISSING, "/targetEntitySchema/@schemaLocation", "mandatory"},
    {SPEC, false,
     "{\"name\":\"n\",\"attachment\":[{\"size\":{\"amount\":"
     "\"1\"}}]}",
     INVALID, "/attachment/0/size/amount", "a number"},
    {ORDER, true, "{\"serviceOrderItem\":null}", MISSING, "/serviceOrderItem",
     "null"},
    {ORDER, true, "{\"serviceOrderItem\":[]}", INVALID, "/serviceOrderItem",
     "at least one"},
    {ORDER, true, "{\"serviceOrderItem\":[{\"id\":\"1\"}]}", MISSING,
     "/serviceOrderItem/0/action", "mandatory"},
    {ORDER, true, "{\"note\":[{}]}", MISSING, "/note/0/text", "mandatory"},
    {ORDER, true, "{\"state\":\"nonsense\"}", INVALID, "/state", "one of"},
    {ORDER, true, "{\"expectedCompletionDate\":\"x\"}", INVALID,
     "/expectedCompletionDate", "RFC 3339"},
    {ORDER, true, "", TMF_CODE_BODY_MISSING, "", "mandatory"},
    {ORDER, true, "[]", BODY, "", "must be an object"},
    {SPEC, true, "{\"name\":null}", MISSING, "/name", "null"},
    {SPEC, true, "{\"name\":\"\"}", INVALID, "/name", "not blank"},
    {SPEC, true, "{\"targetEntitySchema\":{\"@type\":null}}", MISSING,
     "/targetEntitySchema/@type", "null"},
    {SERVICE_638, true, "{\"note\":[{\"text\":\"t\"}]}", MISSING,
     "/note/0/author", "mandatory"},
};

static void
test_taken(void **state)
{
    tmf_error_t err;

    (void) state;
    for (size_t i = 0; i < ROWS(good); i++) {
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            if (validate(good[i].body, !good[i].patch, str_of(good[i].text),
                         bytewise, &err) < 0) {
                fail_msg("%s: %s at %s", good[i].text, err.message,
                         err.pointer);
            }
        }
    }
}

static void
test_refused(void **state)
{
    tmf_error_t err;

    (void) state;
    for (size_t i = 0; i < ROWS(bad); i++) {
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            if (validate(bad[i].body, !bad[i].patch, str_of(bad[i].text),
                         bytewise, &err) == 0) {
                fail_msg("%s: taken", bad[i].text);
            }
            if (err.status != 400 || err.code != bad[i].code ||
                strcmp(err.pointer, bad[i].pointer) != 0 ||
                !strstr(err.message, bad[i].message)) {
                fail_msg("%s: %d %d %s at %s, not %d %s at %s", bad[i].text,
                         err.status, err.code, err.message, err.pointer,
                         bad[i].code, bad[i].message, bad[i].pointer);
            }
        }
    }
}

static void
test_too_large(void **state)
{
    tmf_error_t err;
    buf_t b;

    (void) state;
    buf_init(&b, JSON_MAX_BYTES + 100);
    buf_puts(&b, "{\"description\":\"");
    while (b.len <= JSON_MAX_BYTES) {
        buf_char(&b, 'x');
    }
    assert_int_equal(validate(ORDER, true, buf_view(&b), false, &err), -1);
    assert_int_equal(err.status, 413);
    assert_int_equal(err.code, TMF_CODE_TOO_LARGE);
    buf_free(&b);
}

static void
test_too_deep(void **state)
{
    tmf_error_t err;
    buf_t b;

    (void) state;
    buf_init(&b, 10000);
    for (int i = 0; i <= JSON_MAX_DEPTH; i++) {
        buf_puts(&b, "{\"serviceOrderItem\":[");
    }
    assert_int_equal(validate(ORDER, false, buf_view(&b), false, &err), -1);
    assert_int_equal(err.status, 400);
    assert_int_equal(err.code, TMF_CODE_BODY_INVALID);
    assert_non_null(strstr(err.message, "nested too deeply"));
    buf_free(&b);
}

/* Many items: the last one repeats the first one's id. */
static void
test_many_items(void **state)
{
    enum { ITEMS = 20000 };
    tmf_error_t err;
    buf_t b;

    (void) state;
    buf_init(&b, JSON_MAX_BYTES);
    buf_puts(&b, "{\"serviceOrderItem\":[");
    for (int i = 0; i < ITEMS; i++) {
        buf_printf(&b, "{\"id\":\"%d\",\"action\":\"add\",\"service\":{}},",
                   i);
    }
    buf_puts(&b, "{\"id\":\"0\",\"action\":\"add\",\"service\":{}}]}");
    assert_false(buf_failed(&b));
    assert_int_equal(validate(ORDER, true, buf_view(&b), false, &err), -1);
    assert_string_equal(err.pointer, "/serviceOrderItem/20000/id");
    buf_free(&b);
}

/* Every schema that a resource leads to. */
static int
collect(const object_schema_t *s, const object_schema_t **all, int count)
{
    for (int i = 0; i < count; i++) {
        if (all[i] == s) {
            return count;
        }
    }
    assert_true(count < MAX_SCHEMAS);
    all[count++] = s;
    for (const attr_schema_t *a = s->attrs; a->name; a++) {
        if (a->object) {
            count = collect(a->object, all, count);
        }
    }
    return count;
}

static void
check_rows(const object_schema_t *s)
{
    int rows = 0;

    for (const attr_schema_t *a = s->attrs; a->name; a++) {
        rows++;
        for (const attr_schema_t *b = a + 1; b->name; b++) {
            bool apart = (a->flags & ATTR_V4) && (b->flags & ATTR_V5);

            if (!strcmp(a->name, b->name) && !apart) {
                fail_msg("%s: %s stands twice", s->name, a->name);
            }
        }
        assert_int_equal(a->type == ATTR_OBJECT, a->object != NULL);
        assert_int_equal(a->type == ATTR_ENUM, a->values != NULL);
        if (a->flags & ATTR_SERVER) {
            assert_false(a->flags & ATTR_MANDATORY);
        }
        if (a->flags & ATTR_UNIQUE) {
            assert_true(a->flags & ATTR_LIST);
        }
    }
    /* The validator keeps one bit a row. */
    assert_in_range(rows, 1, 64);
}

/* TMF638 v5: what it takes, or the attribute that it refuses. */
#define V5(attrs)                                  \
    "{\"@type\":\"Service\",\"state\":\"active\"," \
    "\"serviceSpecification\":{\"@type\":\"R\",\"id\":\"1\"}" attrs "}"

static const struct {
    const char *text, *pointer;
} version_5[] = {
    {V5(""), NULL},
    {"{\"state\":\"active\",\"serviceSpecification\":"
     "{\"@type\":\"R\",\"id\":\"1\"}}",
     "/@type"},
    {"{\"@type\":\"Service\",\"state\":\"active\","
     "\"serviceSpecification\":{\"id\":\"1\"}}",
     "/serviceSpecification/@type"},
    {V5(",\"operatingStatus\":\"running\""), NULL},
    {V5(",\"operatingStatus\":\"fine\""), "/operatingStatus"},
    {V5(",\"note\":[{\"@type\":\"Note\"}]"), NULL},
    {V5(",\"note\":[{\"text\":\"t\"}]"), "/note/0/@type"},
    {V5(",\"note\":[{\"@type\":\"\"}]"), "/note/0/@type"},
    {V5(",\"note\":[{\"@type\":\"Note\",\"text\":1}]"), "/note/0/text"},
    {V5(",\"relatedParty\":[{\"@type\":\"T\",\"role\":\"r\","
        "\"partyOrPartyRole\":{\"@type\":\"P\",\"id\":\"1\"}}]"),
     NULL},
    {V5(",\"relatedParty\":[{\"@type\":\"T\",\"role\":\"r\","
        "\"partyOrPartyRole\":{\"@type\":\"P\"}}]"),
     "/relatedParty/0/partyOrPartyRole/id"},
    {V5(",\"relatedParty\":[{\"@type\":\"T\",\"id\":\"1\"}]"),
     "/relatedParty/0/role"},
    {V5(",\"place\":[{\"@type\":\"T\",\"role\":\"r\"}]"), "/place/0/place"},
    {V5(",\"place\":[{\"@type\":\"T\",\"role\":\"r\","
        "\"place\":{\"@type\":\"PlaceRef\"}}]"),
     "/place/0/place/id"},
    {V5(",\"place\":[{\"@type\":\"T\",\"role\":\"r\","
        "\"place\":{\"@type\":\"GeographicSite\"}}]"),
     NULL},
    {V5(",\"supportingService\":[{\"@type\":\"ServiceRef\"}]"),
     "/supportingService/0/id"},
    {V5(",\"supportingService\":[{\"@type\":\"Service\"}]"),
     "/supportingService/0/state"},
    {V5(",\"supportingService\":[{\"@type\":\"Service\","
        "\"state\":\"active\"}]"),
     "/supportingService/0/serviceSpecification"},
    {V5(",\"supportingService\":[{\"@type\":\"Mine\"}]"), NULL},
    {V5(",\"feature\":[{\"@type\":\"Feature\",\"name\":\"f\","
        "\"featureCharacteristic\":[]}]"),
     NULL},
    {V5(",\"feature\":[{\"@type\":\"Feature\",\"name\":\"f\","
        "\"featureRelationship\":[{\"name\":\"g\","
        "\"relationshipType\":\"next to\"}]}]"),
     "/feature/0/featureRelationship/0/relationshipType"},
};

static void
test_version_5(void **state)
{
    const object_schema_t *schema = schema_of(SERVICE_638, true);

    (void) state;
    for (size_t i = 0; i < ROWS(version_5); i++) {
        tmf_error_t err;
        int rc =
            validate_with(validator_create(schema, VALIDATE_CREATE, TMF_V5),
                          str_of(version_5[i].text), i % 2 == 0, &err);

        if (rc != (version_5[i].pointer ? -1 : 0) ||
            strcmp(err.pointer,
                   version_5[i].pointer ? version_5[i].pointer : "") != 0) {
            fail_msg("%s: %s %s", version_5[i].text, err.pointer, err.message);
        }
    }
}

static void
test_tables_are_sound(void **state)
{
    const object_schema_t *all[MAX_SCHEMAS];
    int count = 0;

    (void) state;
    for (const resource_t *r = tmf_resources; r->name; r++) {
        if (r->create) {
            count = collect(r->create, all, count);
        }
        if (r->patch) {
            count = collect(r->patch, all, count);
        }
        assert_int_equal((r->collection | r->item) & r->standard, 0);
        if (r->collection & METHOD_POST) {
            assert_non_null(r->create);
        }
        if (r->item & METHOD_PATCH) {
            assert_non_null(r->patch);
        }
    }
    assert_true(count > 40);
    for (int i = 0; i < count; i++) {
        check_rows(all[i]);
    }
}

static void
test_resources(void **state)
{
    const resource_t *r = resource_find(API_ORDERING, STR("serviceOrder"));

    (void) state;
    assert_non_null(r);
    assert_int_equal(r->collection, METHOD_GET | METHOD_POST);
    assert_int_equal(r->item, METHOD_GET | METHOD_PATCH | METHOD_DELETE);
    assert_int_equal(r->standard, 0);
    assert_null(resource_find(API_INVENTORY, STR("serviceOrder")));
    assert_null(resource_find(API_ORDERING, STR("serviceorder")));
    assert_null(resource_find(API_ORDERING, STR("serviceOrder2")));
    assert_null(resource_find(API_ORDERING, STR("")));
    assert_null(resource_find(API_ORDERING, STR_NONE));
    for (int api = 0; api < API_COUNT; api++) {
        r = resource_find((api_t) api, STR("hub"));
        assert_non_null(r);
        assert_int_equal(r->api, api);
        assert_int_equal(r->collection, METHOD_POST);
        assert_int_equal(r->item, METHOD_DELETE);
    }
    r = resource_find(API_CATALOG, STR("importJob"));
    assert_non_null(r);
    assert_null(r->patch);
    assert_int_equal(r->collection, METHOD_GET | METHOD_POST);
    assert_int_equal(r->item, METHOD_GET | METHOD_DELETE);
    assert_string_equal(api_name(API_ORDERING), "ordering");
    assert_string_equal(api_name(API_INVENTORY), "inventory");
    assert_string_equal(api_name(API_CATALOG), "catalog");
    assert_string_equal(api_path(API_ORDERING), "/tmf-api/serviceOrdering");
    assert_string_equal(api_path(API_INVENTORY), "/tmf-api/serviceInventory");
    assert_string_equal(api_path(API_CATALOG),
                        "/tmf-api/serviceCatalogManagement");
}

/* The body of a JSON Patch: NULL where it is taken, else the pointer. */
static const struct {
    const char *text, *pointer;
    tmf_code_t code;
} json_patches[] = {
    {"[]", NULL, 0},
    {"[{\"op\":\"remove\",\"path\":\"\",\"x\":{\"op\":1}}]", NULL, 0},
    {"[{\"value\":null,\"path\":\"/a\",\"op\":\"add\"}]", NULL, 0},
    {"[{\"op\":\"test\",\"path\":\"/a\",\"value\":[{}]},{\"op\":\"replace\","
     "\"path\":\"/a\",\"value\":1,\"from\":\"/b\"}]",
     NULL, 0},
    {"[{\"from\":\"/b\",\"op\":\"move\",\"path\":\"/a\"},{\"op\":\"copy\","
     "\"path\":\"/a\",\"from\":\"\"}]",
     NULL, 0},
    {"{}", "", TMF_CODE_BODY_INVALID},
    {"7", "", TMF_CODE_BODY_INVALID},
    {"null", "", TMF_CODE_BODY_INVALID},
    {"[null]", "/0", TMF_CODE_FIELD_INVALID},
    {"[[]]", "/0", TMF_CODE_FIELD_INVALID},
    {"[{\"op\":\"remove\",\"path\":\"/a\"},\"x\"]", "/1",
     TMF_CODE_FIELD_INVALID},
    {"[{}]", "/0/op", TMF_CODE_FIELD_MISSING},
    {"[{\"op\":null,\"path\":\"/a\"}]", "/0/op", TMF_CODE_FIELD_MISSING},
    {"[{\"op\":\"Add\",\"path\":\"/a\",\"value\":1}]", "/0/op",
     TMF_CODE_FIELD_INVALID},
    {"[{\"op\":\"remove\"}]", "/0/path", TMF_CODE_FIELD_MISSING},
    {"[{\"op\":\"remove\",\"path\":[]}]", "/0/path", TMF_CODE_FIELD_INVALID},
    {"[{\"op\":\"add\",\"path\":\"/a\"}]", "/0/value", TMF_CODE_FIELD_MISSING},
    {"[{\"op\":\"replace\",\"path\":\"/a\",\"from\":\"/b\"}]", "/0/value",
     TMF_CODE_FIELD_MISSING},
    {"[{\"path\":\"/a\",\"op\":\"test\"}]", "/0/value",
     TMF_CODE_FIELD_MISSING},
    {"[{\"op\":\"move\",\"path\":\"/a\",\"value\":1}]", "/0/from",
     TMF_CODE_FIELD_MISSING},
    {"[{\"op\":\"copy\",\"path\":\"/a\",\"from\":1}]", "/0/from",
     TMF_CODE_FIELD_INVALID},
};

static void
test_json_patch(void **state)
{
    (void) state;
    for (size_t i = 0; i < 2 * ROWS(json_patches); i++) {
        const char *pointer = json_patches[i / 2].pointer;
        tmf_error_t err;
        int rc = validate_with(validator_create_list(&tmf_json_patch),
                               str_of(json_patches[i / 2].text), i & 1, &err);

        if ((rc == 0) != (pointer == NULL)) {
            fail_msg("%s: %s", json_patches[i / 2].text, err.message);
        }
        if (pointer) {
            assert_int_equal(err.status, 400);
            assert_int_equal(err.code, json_patches[i / 2].code);
            assert_string_equal(err.pointer, pointer);
        }
    }
}

static int
validate_result(const char *text, tmf_error_t *err)
{
    return validate_with(
        validator_create(schema_of(ORDER, true), VALIDATE_RESULT, TMF_V4),
        str_of(text), false, err);
}

/* What a PATCH made of a resource: states are no more forbidden, what is
 * mandatory has to be there, what is fixed is compared elsewhere. */
static void
test_result(void **state)
{
    tmf_error_t err;

    (void) state;
    assert_int_equal(
        validate_result(ORDER_PLUS("\"state\":\"inProgress\",\"id\":7,"
                                   "\"category\":[]"),
                        &err),
        0);
    assert_int_equal(validate_result(ITEM_PLUS("\"state\":\"held\""), &err),
                     0);
    assert_int_equal(
        validate_result(ORDER_PLUS("\"state\":\"nonsense\""), &err), -1);
    assert_string_equal(err.pointer, "/state");
    assert_int_equal(
        validate_result(ORDER_PLUS("\"expectedCompletionDate\":\"soon\""),
                        &err),
        -1);
    assert_string_equal(err.pointer, "/expectedCompletionDate");
    assert_int_equal(validate_result("{}", &err), -1);
    assert_string_equal(err.pointer, "/serviceOrderItem");
    assert_int_equal(validate_result(ITEM("\"id\":\"1\""), &err), -1);
    assert_string_equal(err.pointer, "/serviceOrderItem/0/action");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_too_deep),
        cmocka_unit_test(test_many_items),
        cmocka_unit_test(test_version_5),
        cmocka_unit_test(test_tables_are_sound),
        cmocka_unit_test(test_json_patch),
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_resources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
