/* Definitions: those we ship, the parts of one, and every way to be refused.
 * rooms: proto backend/base backend/domain */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "backend/domain/family.h"

#define MAX_FILE 262144

#define SIXTY_FOUR \
    "1234567890123456789012345678901234567890123456789012345678901234"
/* A definition around one machine, whose states begin in line 3. */
#define HEAD                                                 \
    "{\"family\":\"f\",\"version\":\"1\","                   \
    "\"specifications\":[{\"id\":\"S\",\"version\":\"1\"}]," \
    "\"targets\":{\"t\":{\"url\":\"http://h/\"}},\"deadline\":\"1m\",\n"
#define ADD(states)    HEAD "\"machines\":{\"add\":[\n" states "]}}"
#define MODIFY(states) HEAD "\"machines\":{\"modify\":[\n" states "]}}"
#define GET(state)                                                            \
    "{\"state\":\"" state "\",\"call\":{\"target\":\"t\",\"method\":\"GET\"," \
    "\"path\":\"/x\"}}"
#define PUT(state, more)                                                      \
    "{\"state\":\"" state "\",\"call\":{\"target\":\"t\",\"method\":\"PUT\"," \
    "\"path\":\"/x\"}" more "}"
#define CALL(more)                                                    \
    "{\"state\":\"a\",\"call\":{\"target\":\"t\",\"method\":\"GET\"," \
    "\"path\":\"/x\"," more "}}"
#define UNDO                                                       \
    ",\"undo\":{\"call\":{\"target\":\"t\",\"method\":\"DELETE\"," \
    "\"path\":\"/x\"}}"
#define TAKE(state, name)                                                  \
    "{\"state\":\"" state "\",\"allocate\":{\"pool\":\"p\",\"as\":\"" name \
    "\"},\"undo\":{\"release\":{\"pool\":\"p\"}}}"

static const char *
test_env(const char *name)
{
    if (!strcmp(name, "SET")) {
        return "https://set.example:8443/x//";
    }
    return !strcmp(name, "EMPTY") ? "" : NULL;
}

static char *
read_file(const char *path)
{
    char *text = xcalloc(1, MAX_FILE);
    FILE *f = fopen(path, "r");

    if (f == NULL || fread(text, 1, MAX_FILE - 1, f) == 0) {
        fail_msg("%s cannot be read (run from the repository's root)", path);
    }
    fclose(f);
    return text;
}

static family_t *
parse(const char *text)
{
    family_error_t errors[FAMILY_MAX_ERRORS];
    int n = 0;
    family_t *f = family_parse(str_of(text), test_env, errors, &n);

    if (f == NULL) {
        fail_msg("%s\nline %d: %s", text, errors[0].line, errors[0].message);
    }
    assert_int_equal(n, 0);
    return f;
}

typedef struct {
    const char *text;
    int line;
    const char *message; /* part of it */
} bad_row_t;

static void
check_bad(const bad_row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        family_error_t errors[FAMILY_MAX_ERRORS];
        bool found = false;
        int n = 0;
        family_t *f = family_parse(str_of(rows[i].text), test_env, errors, &n);

        if (f != NULL || n < 1) {
            fail_msg("taken: %s", rows[i].text);
        }
        for (int k = 0; k < n; k++) {
            found = found || (errors[k].line == rows[i].line &&
                              strstr(errors[k].message, rows[i].message));
        }
        if (!found) {
            fail_msg("%s\nexpected line %d: %s\ngot line %d: %s", rows[i].text,
                     rows[i].line, rows[i].message, errors[0].line,
                     errors[0].message);
        }
    }
}

#define CHECK_BAD(rows) check_bad(rows, sizeof(rows) / sizeof(rows[0]))

static void
test_shipped(void **ctx)
{
    static const struct {
        const char *path, *name;
        int states[3]; /* add, modify, delete; 0: none */
    } rows[] = {
        {"conf/families/internet-access.json", "internet-access", {4, 2, 3}},
        {"conf/families/voip.json", "voip", {4, 3, 3}},
        {"t/bench/families/bench.json", "bench", {4, 0, 0}},
    };

    (void) ctx;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = read_file(rows[i].path);
        family_t *f = parse(text);

        assert_true(str_is(f->name, rows[i].name));
        assert_true(str_is(f->text, text));
        for (int a = 0; a < 3; a++) {
            const machine_t *m = family_machine(f, (action_t) a);

            assert_int_equal(m ? m->state_count : 0, rows[i].states[a]);
        }
        assert_null(family_machine(f, ACTION_NO_CHANGE));
        family_free(f);
        free(text);
    }
}

static void
check_add(const family_t *f)
{
    const machine_t *m = family_machine(f, ACTION_ADD);
    const state_t *s = m->states;

    assert_int_equal(m->action, ACTION_ADD);
    assert_true(str_is(s[0].name, "allocatePort"));
    assert_int_equal(s[0].command->kind, COMMAND_ALLOCATE);
    assert_true(str_is(s[0].command->variable, "port"));
    assert_int_equal(s[0].undo->kind, COMMAND_RELEASE);
    assert_int_equal(s[0].on[EVENT_DONE], 1);
    assert_int_equal(s[0].on[EVENT_ACCEPTED], TO_WAIT);
    assert_int_equal(s[0].on[EVENT_FAILED], TO_RETRY);
    assert_int_equal(s[0].on[EVENT_EXHAUSTED], TO_UNDO);
    assert_int_equal(s[0].on[EVENT_MISMATCH], TO_RETRY);
    assert_int_equal(s[0].on[EVENT_DEADLINE], TO_UNDO);
    assert_int_equal(s[0].on[EVENT_CANCEL], TO_UNDO);
    assert_int_equal(s[3].on[EVENT_DONE], TO_END);
    assert_int_equal(s[0].deadline_ms, 2 * 60 * 1000);
    assert_int_equal(s[2].deadline_ms, 14LL * 24 * 60 * 60 * 1000);
    assert_true(s[0].inventory->has_state);
    assert_int_equal(s[0].inventory->state, SERVICE_RESERVED);
    assert_int_equal(s[0].inventory->characteristic_count, 1);
    assert_non_null(s[0].inventory->resources);
    assert_false(s[2].inventory->has_state);
    assert_string_equal(s[1].command->method, "PUT");
    assert_ptr_equal(s[1].command->target, &f->targets[0]);
    assert_true(str_is(s[1].command->captures[0].pointer, "/bindingId"));
    assert_string_equal(s[3].command->method, "GET");
    assert_int_equal(s[3].command->expect_count, 2);
    assert_int_equal(machine_state(m, STR("verify")), 3);
    assert_int_equal(machine_state(m, STR("verif")), -1);
}

static void
test_parts(void **ctx)
{
    char *text = read_file("conf/families/internet-access.json");
    family_t *f = parse(text);
    const machine_t *m;
    bool optional;

    (void) ctx;
    check_add(f);
    assert_string_equal(f->targets[0].url, "http://127.0.0.1:8081/bng");
    assert_int_equal(f->targets[1].timeout_ms, 10000);
    assert_int_equal(f->targets[1].concurrency, 16);
    m = family_machine(f, ACTION_ADD);
    assert_int_equal(template_path_count(m->states[2].command->party), 0);
    assert_true(str_is(template_path(m->states[2].command->body, 1, &optional),
                       "callback.url"));
    assert_false(optional);
    m = family_machine(f, ACTION_DELETE);
    assert_true(m->states[0].point_of_no_return);
    assert_int_equal(m->states[0].on[EVENT_EXHAUSTED], TO_UNDO);
    assert_int_equal(m->states[1].on[EVENT_EXHAUSTED], TO_FAIL);
    assert_int_equal(m->states[1].on[EVENT_DEADLINE], TO_FAIL);
    assert_true(m->states[2].inventory->clear_resources);
    assert_null(m->states[2].inventory->resources);
    assert_true(family_serves(f, STR("Internet.Service"), STR("1.0")));
    assert_true(family_serves(f, STR("Internet.Service"), STR_NONE));
    assert_false(family_serves(f, STR("Internet.Service"), STR("2.0")));
    assert_false(family_serves(f, STR("internet.service"), STR("1.0")));
    family_free(f);
    family_free(NULL);
    free(text);
}

/* One state, many choices: all that is not in the files we ship. */
static void
test_choices(void **ctx)
{
    family_t *f = parse(
        "{\"family\":\"f.x_1-a\",\"version\":\"2.0.1-rc\",\n"
        "\"specifications\":[{\"id\":\"S\"},{\"id\":\"T\",\"version\":\"1\"}]"
        ",\"targets\":{\"t\":{\"url\":\"${SET}\",\"timeout\":\"250ms\"},"
        "\"u\":{\"url\":\"http://${NONE:-a.b}/${EMPTY:-c}/\"}},"
        "\"deadline\":\"2h\",\"retry\":{\"attempts\":7,\"jitter\":0},"
        "\"machines\":{\"delete\":[\n"
        "{\"state\":\"a\",\"deadline\":\"3s\",\"retry\":{\"first\":\"0s\","
        "\"factor\":1.5},\n"
        "\"call\":{\"target\":\"t\",\"method\":\"POST\",\"path\":\"/x\","
        "\"headers\":{\"X-A\":\"{{current.characteristic.y}}\"},"
        "\"capture\":{\"v?\":\"\",\"w\":\"/a~1b/0\"},\"party\":\"P\"},\n"
        "\"pointOfNoReturn\":true,\"on\":{\"exhausted\":\"fail\"}},\n"
        "{\"state\":\"b\",\"on\":{\"failed\":\"end\",\"accepted\":\"end\","
        "\"mismatch\":\"c\",\"exhausted\":\"c\",\"done\":\"end\"}},\n"
        "{\"state\":\"c\",\"observe\":{\"target\":\"u\",\"path\":"
        "\"/{{variable.w}}/{{variable.v|0}}\",\"expect\":{\"\":[1]}}}]}}");
    const machine_t *m = family_machine(f, ACTION_DELETE);
    const state_t *s = m->states;

    (void) ctx;
    assert_string_equal(f->targets[0].url, "https://set.example:8443/x");
    assert_string_equal(f->targets[1].url, "http://a.b/c");
    assert_int_equal(f->targets[0].timeout_ms, 250);
    assert_int_equal(f->targets[1].timeout_ms, 5000);
    assert_int_equal(f->targets[1].concurrency, 64);
    assert_int_equal(s[0].retry.attempts, 7);
    assert_int_equal(s[0].retry.first_ms, 0);
    assert_true(s[0].retry.factor > 1.49 && s[0].retry.factor < 1.51);
    assert_int_equal(s[0].retry.cap_ms, 30000);
    assert_int_equal(s[1].retry.first_ms, 200);
    assert_int_equal(s[0].deadline_ms, 3000);
    assert_int_equal(s[1].deadline_ms, 2 * 60 * 60 * 1000);
    assert_int_equal(s[0].line, 3);
    assert_int_equal(s[0].command->line, 4);
    assert_int_equal(s[0].command->header_count, 1);
    assert_true(s[0].command->captures[0].optional);
    assert_true(str_is(s[0].command->captures[0].variable, "v"));
    assert_false(s[0].command->captures[1].optional);
    assert_int_equal(s[0].on[EVENT_DEADLINE], TO_FAIL);
    assert_null(s[1].command);
    assert_int_equal(s[1].on[EVENT_DONE], TO_END);
    assert_int_equal(s[1].on[EVENT_DEADLINE], 2);
    assert_int_equal(s[1].on[EVENT_MISMATCH], 2);
    assert_true(family_serves(f, STR("S"), STR("9")));
    assert_false(family_serves(f, STR("T"), STR("9")));
    family_free(f);
}

static void
test_hash(void **ctx)
{
    family_t *f = parse(ADD(GET("a")));
    family_t *g = parse(ADD(GET("a")));
    family_t *h = parse(ADD(GET("b")));

    (void) ctx;
    assert_int_equal(strlen(f->hash), 16);
    assert_string_equal(f->hash, g->hash);
    assert_string_not_equal(f->hash, h->hash);
    family_free(f);
    family_free(g);
    family_free(h);
}

static void
test_bad_frame(void **ctx)
{
    static const bad_row_t rows[] = {
        {"", 1, "not JSON"},
        {"\n\n{", 3, "not JSON"},
        {"{\n\"family\":1,\n\"family\":2}", 3, "not JSON"},
        {"[]", 1, "must be an object"},
        {"// c\n/* d\n */ {}", 3, "\"family\" is missing"},
        {"{}", 1, "\"version\" is missing"},
        {"{}", 1, "specifications"},
        {"{}", 1, "machines"},
        {"{\"family\":7}", 1, "\"family\" must be a text"},
        {"{\"family\":\"\"}", 1, "\"family\" must be a text"},
        {"{\"family\":\"a b\"}", 1, "\"family\" must be a name"},
        {"{\"family\":\"-a\"}", 1, "\"family\" must be a name"},
        {"{\"family\":\"a/b\"}", 1, "\"family\" must be a name"},
        {"{\"family\":\"" SIXTY_FOUR "5\"}", 1, "\"family\" must be a name"},
        {"{\n\"famly\":\"x\"}", 2, "no member \"famly\""},
        {"{\n\"specifications\":{}}", 2, "at least one"},
        {"{\n\"specifications\":[]}", 2, "at least one"},
        {"{\"specifications\":[\n1]}", 2, "must be an object"},
        {"{\"specifications\":[\n{\"version\":\"1\"}]}", 2, "\"id\" is"},
        {"{\"specifications\":[{\"id\":\"a\",\n\"version\":1}]}", 2,
         "\"version\" must be"},
        {"{\n\"targets\":[]}", 2, "\"targets\""},
        {"{\"targets\":{\n\"a b\":{\"url\":\"http://h\"}}}", 2,
         "target's name"},
        {"{\"targets\":{\n\"a\":\"http://h\"}}", 2, "must be an object"},
        {"{\"targets\":{\n\"a\":{}}}", 2, "\"url\" is missing"},
        {"{\"targets\":{\"a\":{\n\"uri\":\"x\"}}}", 2, "no member \"uri\""},
        {"{\"targets\":{\n\"a\":{\"url\":\"ftp://h\"}}}", 2, "not a URL"},
        {"{\"targets\":{\n\"a\":{\"url\":\"http:///x\"}}}", 2, "not a URL"},
        {"{\"targets\":{\n\"a\":{\"url\":\"http://\"}}}", 2, "not a URL"},
        {"{\"targets\":{\n\"a\":{\"url\":\"http://h/?x\"}}}", 2, "not a URL"},
        {"{\"targets\":{\n\"a\":{\"url\":\"http://h /\"}}}", 2, "not a URL"},
        {"{\"targets\":{\n\"a\":{\"url\":\"${NONE}\"}}}", 2,
         "NONE is not set"},
        {"{\"targets\":{\n\"a\":{\"url\":\"${EMPTY}\"}}}", 2,
         "EMPTY is not set"},
        {"{\"targets\":{\n\"a\":{\"url\":\"http://${SET\"}}}", 2,
         "without \"}\""},
        {"{\"targets\":{\n\"a\":{\"url\":\"${:-x}\"}}}", 2,
         "without an environment variable"},
        {"{\"targets\":{\"a\":{\n\"timeout\":5}}}", 2, "\"timeout\" must"},
        {"{\"targets\":{\"a\":{\n\"timeout\":\"0ms\"}}}", 2,
         "\"timeout\" must"},
        {"{\"targets\":{\"a\":{\n\"timeout\":\"11m\"}}}", 2,
         "\"timeout\" must"},
        {"{\"targets\":{\"a\":{\n\"concurrency\":0}}}", 2, "\"concurrency\""},
        {"{\"targets\":{\"a\":{\n\"concurrency\":1.5}}}", 2, "whole number"},
        {"{\"targets\":{\"a\":{\n\"concurrency\":\"9\"}}}", 2,
         "\"concurrency\""},
        {"{\n\"retry\":5}", 2, "\"retry\" must be an object"},
        {"{\"retry\":{\n\"attempts\":0}}", 2, "\"attempts\""},
        {"{\"retry\":{\n\"attempts\":1001}}", 2, "\"attempts\""},
        {"{\"retry\":{\n\"atempts\":1}}", 2, "no member"},
        {"{\"retry\":{\n\"factor\":0.5}}", 2, "\"factor\""},
        {"{\"retry\":{\n\"jitter\":1.1}}", 2, "\"jitter\""},
        {"{\"retry\":{\n\"jitter\":-0.1}}", 2, "\"jitter\""},
        {"{\"retry\":{\n\"cap\":\"25h\"}}", 2, "\"cap\""},
        {"{\n\"deadline\":\"5\"}", 2, "\"deadline\""},
        {"{\n\"deadline\":\"s\"}", 2, "\"deadline\""},
        {"{\n\"deadline\":\"5w\"}", 2, "\"deadline\""},
        {"{\n\"deadline\":\"5 s\"}", 2, "\"deadline\""},
        {"{\n\"deadline\":\"-5s\"}", 2, "\"deadline\""},
        {"{\n\"deadline\":\"99999999999999999999s\"}", 2, "\"deadline\""},
        {"{\n\"deadline\":\"367d\"}", 2, "\"deadline\""},
        {"{\n\"machines\":[]}", 2, "at least one action"},
        {"{\n\"machines\":{}}", 2, "at least one action"},
        {"{\"machines\":{\n\"noChange\":[]}}", 2, "no member \"noChange\""},
        {"{\"machines\":{\n\"remove\":[]}}", 2, "no member \"remove\""},
        {"{\"machines\":{\n\"add\":{}}}", 2, "1 to 64 states"},
        {"{\"machines\":{\n\"add\":[]}}", 2, "1 to 64 states"},
    };

    (void) ctx;
    CHECK_BAD(rows);
}

static void
test_bad_states(void **ctx)
{
    static const bad_row_t rows[] = {
        {ADD("7"), 3, "a state must be an object"},
        {ADD("{}"), 3, "\"state\" is missing"},
        {ADD("{\"state\":\"\"}"), 3, "\"state\" must"},
        {ADD("{\"state\":\"a b\"}"), 3, "\"state\" must be a name"},
        {ADD("{\"state\":\"end\"}"), 3, "cannot be called \"end\""},
        {ADD("{\"state\":\"wait\"}"), 3, "cannot be called \"wait\""},
        {ADD("{\"state\":\"a\",\n\"cal\":{}}"), 4, "no member \"cal\""},
        {ADD(GET("a") ",\n" GET("a")), 4, "second state is called \"a\""},
        {ADD("{\"state\":\"a\",\"release\":{\"pool\":\"p\"},\n"
             "\"call\":{\"target\":\"t\",\"method\":\"GET\",\"path\":\"/\"}}"),
         3, "at most one command"},
        {ADD("{\"state\":\"a\",\n\"pointOfNoReturn\":1}"), 4,
         "must be true or false"},
        {"{\"family\":\"f\",\"version\":\"1\",\"specifications\":[{\"id\":"
         "\"S\"}],\"machines\":{\"add\":[\n{\"state\":\"a\"}]}}",
         2, "state \"a\" has no deadline"},
        {ADD("{\"state\":\"a\",\n\"on\":[]}"), 4, "must be an object"},
        {ADD("{\"state\":\"a\",\n\"on\":{\"doen\":\"end\"}}"), 4,
         "no member \"doen\""},
        {ADD("{\"state\":\"a\",\"on\":{\n\"done\":\"zz\"}}"), 4,
         "\"done\" leads to an unknown state \"zz\""},
        {ADD("{\"state\":\"a\",\"on\":{\n\"done\":3}}"), 4, "unknown state"},
        {ADD("{\"state\":\"a\",\"on\":{\n\"done\":\"wait\"}}"), 4,
         "\"done\" cannot lead to \"wait\""},
        {ADD("{\"state\":\"a\",\"on\":{\n\"done\":\"retry\"}}"), 4,
         "cannot lead to \"retry\""},
        {ADD("{\"state\":\"a\",\"on\":{\n\"exhausted\":\"retry\"}}"), 4,
         "cannot lead to \"retry\""},
        {ADD("{\"state\":\"a\",\"on\":{\n\"deadline\":\"retry\"}}"), 4,
         "cannot lead to \"retry\""},
        {ADD("{\"state\":\"a\",\"on\":{\n\"failed\":\"wait\"}}"), 4,
         "cannot lead to \"wait\""},
        {ADD("{\"state\":\"a\",\"on\":{\n\"cancel\":\"end\"}}"), 4,
         "cannot lead to \"end\""},
        {ADD("{\"state\":\"a\",\n\"inventory\":[]}"), 4, "must be an object"},
        {ADD("{\"state\":\"a\",\"inventory\":{\n\"sate\":1}}"), 4,
         "no member \"sate\""},
        {ADD("{\"state\":\"a\",\"inventory\":{\n\"state\":\"running\"}}"), 4,
         "\"running\" is not a service's state"},
        {ADD("{\"state\":\"a\",\"inventory\":{\n\"operatingStatus\":"
             "\"activ\"}}"),
         4, "\"activ\" is not an operating status"},
        {ADD("{\"state\":\"a\",\"inventory\":{\n\"characteristic\":[]}}"), 4,
         "\"characteristic\" must be an object"},
        {ADD("{\"state\":\"a\",\"inventory\":{\n\"supportingResource\":{}}}"),
         4, "must be a list"},
        {ADD("{\"state\":\"a\",\"inventory\":{\"supportingResource\":[\n"
             "{\"name\":\"x\"}]}}"),
         4, "needs an \"id\""},
        {ADD("{\"state\":\"a\",\"inventory\":{\"characteristic\":{\n"
             "\"x\":\"{{nobody.x}}\"}}}"),
         4, "unknown root"},
    };

    (void) ctx;
    CHECK_BAD(rows);
}

static void
test_bad_commands(void **ctx)
{
    static const bad_row_t rows[] = {
        {ADD("{\"state\":\"a\",\n\"call\":5}"), 4, "must be an object"},
        {ADD("{\"state\":\"a\",\n\"call\":{}}"), 4, "\"target\" is missing"},
        {ADD("{\"state\":\"a\",\n\"call\":{}}"), 4, "\"method\" is missing"},
        {ADD("{\"state\":\"a\",\n\"call\":{}}"), 4, "\"path\" is missing"},
        {ADD(CALL("\n\"query\":1")), 4, "no member \"query\""},
        {ADD("{\"state\":\"a\",\"call\":{\n\"target\":\"zz\",\"method\":"
             "\"GET\",\"path\":\"/\"}}"),
         4, "target \"zz\" is not defined"},
        {ADD("{\"state\":\"a\",\"call\":{\"target\":\"t\",\n\"method\":"
             "\"get\",\"path\":\"/\"}}"),
         4, "method \"get\" is not one of"},
        {ADD("{\"state\":\"a\",\"call\":{\"target\":\"t\",\"method\":\"GET\","
             "\n\"path\":\"x\"}}"),
         4, "must begin with \"/\""},
        {ADD("{\"state\":\"a\",\"call\":{\"target\":\"t\",\"method\":\"GET\","
             "\n\"path\":\"/{{x}}\"}}"),
         4, "unknown root"},
        {ADD("{\"state\":\"a\",\"call\":{\"target\":\"t\",\"method\":\"GET\","
             "\n\"path\":\"/a b\"}}"),
         4, "URL path"},
        {ADD(CALL("\n\"body\":{}")), 4, "GET has no body"},
        {ADD(CALL("\n\"body\":{\"a\":\"{{\"}")), 4, "without"},
        {ADD(CALL("\n\"headers\":[]")), 4, "must be an object"},
        {ADD(CALL("\"headers\":{\n\"A\":1}")), 4, "a text is expected"},
        {ADD(CALL("\"headers\":{\n\"\xc3\xa4\":\"x\"}")), 4,
         "cannot be set as a header"},
        {ADD(CALL("\"headers\":{\n\"A B\":\"x\"}")), 4,
         "cannot be set as a header"},
        {ADD(CALL("\"headers\":{\n\"idempotency-KEY\":\"x\"}")), 4,
         "cannot be set as a header"},
        {ADD(CALL("\n\"capture\":[]")), 4, "must be an object"},
        {ADD(CALL("\"capture\":{\n\"a\":\"x\"}")), 4, "JSON pointer"},
        {ADD(CALL("\"capture\":{\n\"a\":\"/~2\"}")), 4, "JSON pointer"},
        {ADD(CALL("\"capture\":{\n\"a\":\"/~\"}")), 4, "JSON pointer"},
        {ADD(CALL("\"capture\":{\n\"a\":1}")), 4, "JSON pointer"},
        {ADD(CALL("\"capture\":{\n\"a.b\":\"/x\"}")), 4, "variable's name"},
        {ADD(CALL("\"capture\":{\n\"?\":\"/x\"}")), 4, "variable's name"},
        {ADD(CALL("\n\"party\":1")), 4, "a text is expected"},
        {ADD(CALL("\n\"reason\":\"{{x.y}}\"")), 4, "unknown root"},
        {ADD("{\"state\":\"a\",\n\"observe\":{\"target\":\"t\",\"path\":"
             "\"/\"}}"),
         4, "names nothing to compare"},
        {ADD("{\"state\":\"a\",\"observe\":{\"target\":\"t\",\"path\":\"/\","
             "\n\"expect\":{\"x\":1}}}"),
         4, "\"x\" is not a JSON pointer"},
        {ADD("{\"state\":\"a\",\"observe\":{\"target\":\"t\",\"path\":\"/\","
             "\"expect\":{\"\":1},\n\"method\":\"PUT\"}}"),
         4, "no member \"method\""},
        {ADD("{\"state\":\"a\",\n\"allocate\":{}}"), 4, "\"pool\" is missing"},
        {ADD("{\"state\":\"a\",\n\"allocate\":{\"pool\":\"p\"}}"), 4,
         "\"as\" is missing"},
        {ADD("{\"state\":\"a\",\"allocate\":{\"pool\":\"p\",\n\"as\":"
             "\"a.b\"}}"),
         4, "variable's name"},
        {ADD("{\"state\":\"a\",\"release\":{\"pool\":\"p\",\n\"as\":\"b\"}}"),
         4, "no member \"as\""},
        {ADD("{\"state\":\"a\",\n\"undo\":{}}"), 4, "a call or a release"},
        {ADD("{\"state\":\"a\",\n\"undo\":[]}"), 4, "must be an object"},
        {ADD("{\"state\":\"a\",\"undo\":{\n\"observe\":{}}}"), 4,
         "no member \"observe\""},
        {ADD("{\"state\":\"a\",\"undo\":{\n\"call\":{\"target\":\"t\","
             "\"method\":\"PUT\",\"path\":\"/\",\"capture\":{\"a\":\"\"}}}}"),
         4, "an undo captures nothing"},
    };

    (void) ctx;
    CHECK_BAD(rows);
}

#define READ(state, path)                                                     \
    "{\"state\":\"" state "\",\"call\":{\"target\":\"t\",\"method\":\"GET\"," \
    "\"path\":\"/" path "\"}}"
#define GO(state, on) "{\"state\":\"" state "\",\"on\":{" on "}}"

static void
test_bad_graphs(void **ctx)
{
    static const bad_row_t rows[] = {
        /* never reached */
        {ADD(GO("a", "\"done\":\"c\"") ",\n" GET("b") ",\n" GET("c")), 4,
         "\"b\" is never reached"},
        {ADD(GO("a", "\"done\":\"end\"") ",\n" GET("b")), 4,
         "\"b\" is never reached"},
        /* cycles */
        {ADD(GO("a", "\"done\":\"a\"")), 3, "leads back to \"a\""},
        {ADD(GET("a") ",\n" GO("b", "\"failed\":\"a\"")), 4,
         "\"b\" leads back to \"a\""},
        {ADD(GET("a") "," GET("b") ",\n" GO("c", "\"deadline\":\"b\"")), 4,
         "\"c\" leads back to \"b\""},
        /* no end */
        {ADD("\n" GO("a", "\"done\":\"fail\"")), 4, "leads to \"end\""},
        {ADD(GET("a") "," GO("b", "\"done\":\"undo\"")), 3,
         "no way through \"add\" leads to \"end\""},
        /* effects without an undo */
        {ADD(GET("a") ",\n" PUT("b", "")), 4, "\"b\" has an effect"},
        {ADD("{\"state\":\"a\",\"allocate\":{\"pool\":\"p\",\"as\":\"x\"}}"),
         3, "\"a\" has an effect"},
        /* beyond the point of no return on one way only */
        {ADD("{\"state\":\"a\",\"on\":{\"failed\":\"c\"}},\n"
             "{\"state\":\"b\",\"pointOfNoReturn\":true},\n" PUT("c", "")),
         5, "\"c\" has an effect"},
        /* a point of no return that is left by failure */
        {ADD("{\"state\":\"a\",\"pointOfNoReturn\":true,\"on\":{"
             "\"failed\":\"b\"}}," GET("b")),
         3, "only \"done\" may lead on"},
        {ADD("{\"state\":\"a\",\"pointOfNoReturn\":true,\"on\":{"
             "\"deadline\":\"end\"}}"),
         3, "only \"done\" may lead on"},
        {ADD("{\"state\":\"a\",\"pointOfNoReturn\":true,\"on\":{"
             "\"accepted\":\"end\"}}"),
         3, "only \"done\" may lead on"},
    };

    (void) ctx;
    CHECK_BAD(rows);
}

static void
test_bad_reads(void **ctx)
{
    static const bad_row_t rows[] = {
        {ADD(READ("a", "{{variable.x}}")), 3, "no command sets it"},
        {ADD(READ("a", "{{variable.x|y}}")), 3, "no command sets it"},
        /* before it is set, also by itself */
        {ADD(READ("a", "{{variable.x}}") ",\n" TAKE("b", "x")), 3,
         "{{variable.x}} in the command of \"a\" may be unset"},
        {ADD(CALL("\"capture\":{\"x\":\"\"},\"headers\":{\"A\":"
                  "\"{{variable.x}}\"}")),
         3, "may be unset"},
        {ADD(CALL("\"capture\":{\"x\":\"\"},\"reason\":\"{{variable.x}}\"")),
         3, "may be unset"},
        /* set by a capture that is optional */
        {ADD(CALL("\"capture\":{\"x?\":\"\"}") ",\n" READ("b",
                                                          "{{variable.x}}")),
         4, "may be unset"},
        /* set on one of two ways */
        {ADD("{\"state\":\"a\",\"on\":{\"failed\":\"c\"}}," TAKE(
             "b", "x") ",\n" READ("c", "{{variable.x.y}}")),
         4, "may be unset"},
        /* the way that skips the setter is its own failure */
        {ADD("{\"state\":\"b\",\"allocate\":{\"pool\":\"p\",\"as\":\"x\"},"
             "\"undo\":{\"release\":{\"pool\":\"p\"}},\"on\":{\"failed\":"
             "\"c\"}},\n" READ("c", "{{variable.x}}")),
         4, "may be unset"},
        /* an undo may run before its state set anything */
        {ADD("{\"state\":\"a\",\"call\":{\"target\":\"t\",\"method\":\"PUT\","
             "\"path\":\"/\",\"capture\":{\"x\":\"\"}},\n"
             "\"undo\":{\"call\":{\"target\":\"t\",\"method\":\"PUT\","
             "\"path\":\"/{{variable.x}}\"}}}"),
         4, "in the undo of \"a\" may be unset"},
        {ADD("{\"state\":\"a\",\n\"inventory\":{\"characteristic\":{\"c\":"
             "\"{{variable.x}}\"}}}"),
         3, "no command sets it"},
        {ADD("{\"state\":\"a\",\"inventory\":{\"supportingResource\":[{"
             "\"id\":\"{{variable.x}}\"}]}},\n" TAKE("b", "x")),
         3, "in the inventory of \"a\" may be unset"},
        /* roots in the wrong place */
        {ADD(READ("a", "{{current.characteristic.x}}")), 3,
         "no current configuration"},
        {ADD("{\"state\":\"a\",\"observe\":{\"target\":\"t\",\"path\":\"/x\","
             "\"expect\":{\"\":\"{{callback.url}}\"}}}"),
         3, "callback"},
        {ADD("{\"state\":\"a\",\"release\":{\"pool\":\"{{callback.url}}\"}}"),
         3, "callback"},
        {ADD(PUT("a", ",\"undo\":{\"call\":{\"target\":\"t\",\"method\":"
                      "\"PUT\",\"path\":\"/\",\"body\":"
                      "\"{{callback.url}}\"}}")),
         3, "callback"},
        {ADD("{\"state\":\"a\",\"inventory\":{\"characteristic\":{\"c\":"
             "\"{{callback.url}}\"}}}"),
         3, "callback"},
        {ADD(CALL("\"party\":\"{{callback.url}}\"")), 3, "callback"},
    };

    (void) ctx;
    CHECK_BAD(rows);
}

static void
test_good_graphs(void **ctx)
{
    static const char *const good[] = {
        ADD(GET("a")),
        ADD(GET(SIXTY_FOUR)),
        ADD(PUT("a", UNDO)),
        /* the point itself needs no undo, nor what follows */
        ADD(PUT("a", ",\"pointOfNoReturn\":true") "," PUT("b", "")),
        /* alternatives that meet again */
        ADD("{\"state\":\"a\",\"on\":{\"exhausted\":\"c\",\"done\":\"b\"}},"
            "{\"state\":\"b\",\"allocate\":{\"pool\":\"p\",\"as\":\"x\"},"
            "\"undo\":{\"release\":{\"pool\":\"p\"}},\"on\":{\"done\":\"d\"}}"
            "," TAKE("c", "x") "," READ("d", "{{variable.x}}")),
        /* cleaning up, then failing */
        ADD(GO("a", "\"exhausted\":\"c\"") "," GO(
            "b", "\"done\":\"end\"") "," GO("c", "\"done\":\"fail\"")),
        /* a later state read by its name before it in the list */
        ADD(GO("a", "\"done\":\"c\"") "," GO("b", "\"done\":\"end\"") "," GO(
            "c", "\"done\":\"b\"")),
        ADD(CALL("\"capture\":{\"x?\":\"\"}") "," READ("b",
                                                       "{{variable.x|0}}")),
        /* an undo reads what was set before its state */
        ADD(TAKE("a", "x") ",{\"state\":\"b\",\"undo\":{\"release\":{"
                           "\"pool\":\"{{variable.x}}\"}}}"),
        MODIFY(READ("a", "{{current.characteristic.x}}")),
        MODIFY(CALL("\"headers\":{\"Ho\":\"1\",\"Hostname\":\"2\"}")),
        MODIFY(CALL("\"headers\":{\"A\":\"{{callback.url}}\"}")),
    };

    (void) ctx;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        family_free(parse(good[i]));
    }
}

/* More errors than there is room for, and none of them proved half-read. */
static void
test_many_errors(void **ctx)
{
    family_error_t errors[FAMILY_MAX_ERRORS];
    buf_t text;
    int n;

    (void) ctx;
    buf_init(&text, MAX_FILE);
    buf_puts(&text, HEAD "\"machines\":{\"add\":[");
    for (int i = 0; i < FAMILY_MAX_STATES; i++) {
        buf_printf(&text, "%s\n{\"state\":\"s%d\",\"call\":{}}", i ? "," : "",
                   i);
    }
    buf_puts(&text, "]}}");
    assert_null(family_parse(buf_view(&text), NULL, errors, &n));
    assert_int_equal(n, FAMILY_MAX_ERRORS);
    assert_int_equal(errors[0].line, 3);
    buf_free(&text);
}

static void
test_limits(void **ctx)
{
    family_error_t errors[FAMILY_MAX_ERRORS];
    buf_t text;
    int n;

    (void) ctx;
    for (int count = FAMILY_MAX_STATES; count <= FAMILY_MAX_STATES + 1;
         count++) {
        family_t *f;

        buf_init(&text, MAX_FILE);
        buf_puts(&text, HEAD "\"machines\":{\"add\":[");
        for (int i = 0; i < count; i++) {
            buf_printf(&text, "%s{\"state\":\"s%d\"}", i ? "," : "", i);
        }
        buf_puts(&text, "]}}");
        f = family_parse(buf_view(&text), NULL, errors, &n);
        assert_int_equal(f != NULL, count == FAMILY_MAX_STATES);
        family_free(f);
        buf_free(&text);
    }
    buf_init(&text, MAX_FILE);
    buf_puts(&text, "{\"targets\":{");
    for (int i = 0; i <= FAMILY_MAX_TARGETS; i++) {
        buf_printf(&text, "%s\"t%d\":{}", i ? "," : "", i);
    }
    buf_puts(&text, "}}");
    assert_null(family_parse(buf_view(&text), NULL, errors, &n));
    assert_non_null(strstr(errors[3].message, "at most 32"));
    buf_reset(&text);
    buf_puts(&text, HEAD "\"machines\":{\"add\":[{\"state\":\"a\",\"call\":{"
                         "\"target\":\"t\",\"method\":\"GET\",\"path\":\"/\","
                         "\"capture\":{");
    for (int i = 0; i <= FAMILY_MAX_VARIABLES; i++) {
        buf_printf(&text, "%s\"v%d\":\"\"", i ? "," : "", i);
    }
    buf_puts(&text, "}}}]}}");
    assert_null(family_parse(buf_view(&text), NULL, errors, &n));
    assert_non_null(strstr(errors[0].message, "more than 64 variables"));
    buf_free(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_bad_frame),
        cmocka_unit_test(test_bad_states),
        cmocka_unit_test(test_bad_commands),
        cmocka_unit_test(test_bad_graphs),
        cmocka_unit_test(test_bad_reads),
        cmocka_unit_test(test_good_graphs),
        cmocka_unit_test(test_many_errors),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
