/*
 * Commands and inventory changes of a definition.
 */
#include "backend/domain/definition.h"

#include <strings.h>

typedef void (*command_reader_t)(definition_t *d, const json_t *o,
                                 command_t *ret);

/* What the southbound sets itself, or what would break the framing. */
static const char *const reserved_headers[] = {
    "Host",       "Content-Length",  "Transfer-Encoding",
    "Connection", "Idempotency-Key", NULL};

static const char *const methods[] = {"GET",   "POST",   "PUT",
                                      "PATCH", "DELETE", NULL};

static const char *
find_text(const char *const *list, str_t s)
{
    for (; *list != NULL; list++) {
        if (str_is(s, *list)) {
            return *list;
        }
    }
    return NULL;
}

/* RFC 9110 token. */
static bool
is_token(str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c)) {
            return false;
        }
    }
    return s.len > 0;
}

static bool
same_but_case(str_t s, const char *z)
{
    return s.len == strlen(z) && strncasecmp(s.data, z, s.len) == 0;
}

static void
read_headers(definition_t *d, const json_t *o, command_t *ret)
{
    const json_t *headers = json_get(o, "headers");

    ret->headers = definition_templates(d, headers, "\"headers\"",
                                        TEMPLATE_TEXT, &ret->header_count);
    json_each(member, headers)
    {
        bool reserved = false;

        for (int i = 0; reserved_headers[i] != NULL; i++) {
            reserved =
                reserved || same_but_case(member->name, reserved_headers[i]);
        }
        if (reserved || !is_token(member->name)) {
            definition_error(d, definition_line(d, member),
                             "\"%.*s\" cannot be set as a header",
                             STR_FMT(member->name));
        }
    }
}

/* A variable is one name of a dotted path. */
static bool
is_variable(str_t s)
{
    return definition_is_name(s) && memchr(s.data, '.', s.len) == NULL;
}

static void
read_capture(definition_t *d, const json_t *member, capture_t *ret)
{
    ret->variable = member->name;
    if (member->name.len > 0 &&
        member->name.data[member->name.len - 1] == '?') {
        ret->optional = true;
        ret->variable.len--;
    }
    if (!is_variable(ret->variable)) {
        definition_error(d, definition_line(d, member),
                         "\"%.*s\" cannot be a variable's name",
                         STR_FMT(ret->variable));
    }
    if (member->type != JSON_STRING || !definition_is_pointer(member->text)) {
        definition_error(d, definition_line(d, member),
                         "what is captured must be named by a JSON pointer");
        return;
    }
    ret->pointer = member->text;
}

static void
read_captures(definition_t *d, const json_t *o, command_t *ret)
{
    const json_t *captures = json_get(o, "capture");
    capture_t *list;

    if (captures == NULL) {
        return;
    }
    if (captures->type != JSON_OBJECT) {
        definition_error(d, definition_line(d, captures),
                         "\"capture\" must be an object");
        return;
    }
    list = arena_array(d->arena, capture_t, (size_t) captures->count + 1);
    ret->captures = list;
    json_each(member, captures)
    {
        read_capture(d, member, &list[ret->capture_count++]);
    }
}

static void
read_expect(definition_t *d, const json_t *o, command_t *ret)
{
    const json_t *expect = json_get(o, "expect");

    ret->expect = definition_templates(d, expect, "\"expect\"", TEMPLATE_JSON,
                                       &ret->expect_count);
    if (ret->expect_count == 0) {
        definition_error(d, ret->line, "\"expect\" names nothing to compare");
    }
    for (int i = 0; i < ret->expect_count; i++) {
        if (!definition_is_pointer(ret->expect[i].name)) {
            definition_error(d, definition_line(d, expect),
                             "\"%.*s\" is not a JSON pointer",
                             STR_FMT(ret->expect[i].name));
        }
    }
}

/* target and path: what call and observe share. */
static void
read_request(definition_t *d, const json_t *o, command_t *ret)
{
    str_t name = definition_text(d, o, "target");
    str_t path = definition_text(d, o, "path");
    const char *err;

    for (int i = 0; i < d->family->target_count; i++) {
        if (str_eq(d->targets[i].name, name)) {
            ret->target = &d->targets[i];
        }
    }
    if (name.len > 0 && ret->target == NULL) {
        definition_error(d, definition_line(d, json_get(o, "target")),
                         "target \"%.*s\" is not defined", STR_FMT(name));
    }
    if (path.len > 0) {
        ret->path = definition_template(d, json_get(o, "path"), TEMPLATE_URL);
        if (path.data[0] != '/') {
            definition_error(d, definition_line(d, json_get(o, "path")),
                             "\"path\" must begin with \"/\"");
        }
    }
    ret->party = definition_template(d, json_get(o, "party"), TEMPLATE_TEXT);
    if (json_get(o, "party") == NULL) {
        ret->party = template_compile(d->arena, TEMPLATE_TEXT, name, &err);
    }
    read_headers(d, o, ret);
    read_captures(d, o, ret);
}

static void
read_call(definition_t *d, const json_t *o, command_t *ret)
{
    static const char *const members[] = {"target", "method",  "path",
                                          "body",   "headers", "capture",
                                          "party",  "reason",  NULL};
    str_t method;

    if (!definition_members(d, o, "\"call\"", members)) {
        return;
    }
    read_request(d, o, ret);
    method = definition_text(d, o, "method");
    if (method.len > 0) {
        if (find_text(methods, method) == NULL) {
            definition_error(d, definition_line(d, json_get(o, "method")),
                             "method \"%.*s\" is not one of GET, POST, PUT, "
                             "PATCH, DELETE",
                             STR_FMT(method));
        }
        ret->method = arena_z(d->arena, method);
    }
    ret->body = definition_template(d, json_get(o, "body"), TEMPLATE_JSON);
    if (ret->body != NULL && str_is(method, "GET")) {
        definition_error(d, definition_line(d, json_get(o, "body")),
                         "GET has no body");
    }
    ret->reason = definition_template(d, json_get(o, "reason"), TEMPLATE_TEXT);
}

static void
read_observe(definition_t *d, const json_t *o, command_t *ret)
{
    static const char *const members[] = {"target",  "path",   "headers",
                                          "capture", "expect", NULL};

    if (!definition_members(d, o, "\"observe\"", members)) {
        return;
    }
    read_request(d, o, ret);
    ret->method = arena_z(d->arena, STR("GET"));
    read_expect(d, o, ret);
}

static void
read_pool(definition_t *d, const json_t *o, command_t *ret)
{
    if (definition_text(d, o, "pool").len > 0) {
        ret->pool = definition_template(d, json_get(o, "pool"), TEMPLATE_TEXT);
    }
}

static void
read_allocate(definition_t *d, const json_t *o, command_t *ret)
{
    static const char *const members[] = {"pool", "as", NULL};

    if (!definition_members(d, o, "\"allocate\"", members)) {
        return;
    }
    read_pool(d, o, ret);
    ret->variable = definition_text(d, o, "as");
    if (ret->variable.len > 0 && !is_variable(ret->variable)) {
        definition_error(d, definition_line(d, json_get(o, "as")),
                         "\"%.*s\" cannot be a variable's name",
                         STR_FMT(ret->variable));
    }
}

static void
read_release(definition_t *d, const json_t *o, command_t *ret)
{
    static const char *const members[] = {"pool", NULL};

    if (definition_members(d, o, "\"release\"", members)) {
        read_pool(d, o, ret);
    }
}

static const struct {
    const char *name;
    command_reader_t read;
    command_kind_t kind;
} kinds[] = {
    {"call", read_call, COMMAND_CALL},
    {"observe", read_observe, COMMAND_OBSERVE},
    {"allocate", read_allocate, COMMAND_ALLOCATE},
    {"release", read_release, COMMAND_RELEASE},
};

const command_t *
definition_command(definition_t *d, const json_t *state)
{
    command_t *command = NULL;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const json_t *o = json_get(state, kinds[i].name);

        if (o == NULL) {
            continue;
        }
        if (command != NULL) {
            definition_error(d, definition_line(d, o),
                             "a state has at most one command");
            break;
        }
        command = arena_new(d->arena, command_t);
        command->kind = kinds[i].kind;
        command->line = definition_line(d, o);
        kinds[i].read(d, o, command);
    }
    return command;
}

const command_t *
definition_undo(definition_t *d, const json_t *undo)
{
    static const char *const members[] = {"call", "release", NULL};
    const command_t *command;

    if (undo == NULL || !definition_members(d, undo, "\"undo\"", members)) {
        return NULL;
    }
    command = definition_command(d, undo);
    if (command == NULL) {
        definition_error(d, definition_line(d, undo),
                         "\"undo\" is a call or a release");
    } else if (command->capture_count > 0) {
        definition_error(d, command->line, "an undo captures nothing");
    }
    return command;
}

static void
read_resources(definition_t *d, const json_t *v, inventory_change_t *ret)
{
    if (v == NULL) {
        return;
    }
    if (v->type != JSON_ARRAY) {
        definition_error(d, definition_line(d, v),
                         "\"supportingResource\" must be a list");
        return;
    }
    json_each(resource, v)
    {
        if (json_get(resource, "id") == NULL) {
            definition_error(d, definition_line(d, resource),
                             "a supporting resource needs an \"id\"");
        }
    }
    ret->clear_resources = v->count == 0;
    if (v->count > 0) {
        ret->resources = definition_template(d, v, TEMPLATE_JSON);
    }
}

const inventory_change_t *
definition_inventory(definition_t *d, const json_t *v)
{
    static const char *const members[] = {"state", "operatingStatus",
                                          "characteristic",
                                          "supportingResource", NULL};
    inventory_change_t *change;

    if (v == NULL || !definition_members(d, v, "\"inventory\"", members)) {
        return NULL;
    }
    change = arena_new(d->arena, inventory_change_t);
    if (json_get(v, "state") != NULL) {
        str_t state = definition_text(d, v, "state");

        change->has_state = true;
        if (state.len > 0 && !service_state_parse(state, &change->state)) {
            definition_error(d, definition_line(d, json_get(v, "state")),
                             "\"%.*s\" is not a service's state",
                             STR_FMT(state));
        }
    }
    if (json_get(v, "operatingStatus") != NULL) {
        str_t status = definition_text(d, v, "operatingStatus");

        change->operating_status = status;
        if (status.len > 0 && !operating_status_known(status)) {
            definition_error(
                d, definition_line(d, json_get(v, "operatingStatus")),
                "\"%.*s\" is not an operating status", STR_FMT(status));
        }
    }
    change->characteristics = definition_templates(
        d, json_get(v, "characteristic"), "\"characteristic\"", TEMPLATE_JSON,
        &change->characteristic_count);
    read_resources(d, json_get(v, "supportingResource"), change);
    return change;
}
