/*
 * A family read from its definition: the frame of the file, targets with
 * their environment, and the states of each machine with their transitions.
 * Commands are read in command.c; the machine is proved in proof.c.
 */
#include "backend/domain/family.h"

#include <stdint.h>
#include <stdio.h>

#include "backend/domain/definition.h"

#define DAY_MS              (24LL * 60 * 60 * 1000)
#define MAX_DEADLINE_MS     (366 * DAY_MS)
#define MAX_TIMEOUT_MS      (10LL * 60 * 1000)
#define MAX_DELAY_MS        DAY_MS
#define MAX_ATTEMPTS        1000
#define MAX_FACTOR          100
#define MAX_CONCURRENCY     10000
#define MAX_URL             2048
#define DEFAULT_TIMEOUT_MS  5000
#define DEFAULT_CONCURRENCY 64
#define DEFAULT_RETRY           \
    {                           \
        5, 200, 2.0, 30000, 0.2 \
    }

#define FNV64_OFFSET 0xcbf29ce484222325ULL
#define FNV64_PRIME  0x100000001b3ULL

/* Which kinds of transitions an event may have, and how it is named. */
enum {
    LEADS_STATE = 1 << 0,
    LEADS_END = 1 << 1,
    LEADS_UNDO = 1 << 2,
    LEADS_RETRY = 1 << 3,
    LEADS_FAIL = 1 << 4,
    LEADS_WAIT = 1 << 5
};

#define LEADS_ON (LEADS_STATE | LEADS_END | LEADS_UNDO | LEADS_FAIL)

static const struct {
    const char *name;
    int to;
    unsigned bit;
} endings[] = {
    {"end", TO_END, LEADS_END},       {"undo", TO_UNDO, LEADS_UNDO},
    {"retry", TO_RETRY, LEADS_RETRY}, {"fail", TO_FAIL, LEADS_FAIL},
    {"wait", TO_WAIT, LEADS_WAIT},
};

#define ENDING_COUNT ((int) (sizeof(endings) / sizeof(endings[0])))

static const struct {
    const char *name;
    event_kind_t event;
    unsigned leads;
    int to; /* without "on"; done: the next state */
} transitions[] = {
    {"done", EVENT_DONE, LEADS_ON, TO_END},
    {"accepted", EVENT_ACCEPTED, LEADS_ON | LEADS_WAIT, TO_WAIT},
    {"failed", EVENT_FAILED, LEADS_ON | LEADS_RETRY, TO_RETRY},
    {"exhausted", EVENT_EXHAUSTED, LEADS_ON, TO_GIVE_UP},
    {"mismatch", EVENT_MISMATCH, LEADS_ON | LEADS_RETRY, TO_RETRY},
    {"deadline", EVENT_DEADLINE, LEADS_ON, TO_GIVE_UP},
    {"cancel", EVENT_CANCEL, LEADS_UNDO, TO_UNDO},
};

#define TRANSITION_COUNT ((int) (sizeof(transitions) / sizeof(transitions[0])))

/* The value of ${...}: what stands between the braces. */
static bool
put_variable(definition_t *d, int line, str_t inside, buf_t *out)
{
    char name[128];
    const char *value;
    str_t rest = STR_NONE;
    bool has_default = false;

    for (size_t i = 0; i + 1 < inside.len; i++) {
        if (inside.data[i] == ':' && inside.data[i + 1] == '-') {
            rest = (str_t){inside.data + i + 2, inside.len - i - 2};
            inside.len = i;
            has_default = true;
        }
    }
    if (inside.len == 0 || inside.len >= sizeof(name)) {
        definition_error(d, line, "\"${\" without an environment variable");
        return false;
    }
    (void) snprintf(name, sizeof(name), "%.*s", STR_FMT(inside));
    value = d->env ? d->env(name) : NULL;
    if (value != NULL && value[0] != '\0') {
        buf_puts(out, value);
        return true;
    }
    if (!has_default) {
        definition_error(d, line,
                         "the environment variable %s is not set and has no "
                         "default here",
                         name);
    }
    buf_str(out, rest);
    return has_default;
}

static bool
expand(definition_t *d, int line, str_t s, buf_t *out)
{
    for (size_t i = 0; i < s.len; i++) {
        const char *close;

        if (s.data[i] != '$' || i + 1 == s.len || s.data[i + 1] != '{') {
            buf_char(out, s.data[i]);
            continue;
        }
        close = memchr(s.data + i, '}', s.len - i);
        if (close == NULL) {
            definition_error(d, line, "\"${\" without \"}\"");
            return false;
        }
        if (!put_variable(
                d, line,
                (str_t){s.data + i + 2, (size_t) (close - s.data) - i - 2},
                out)) {
            return false;
        }
        i = (size_t) (close - s.data);
    }
    return !buf_failed(out);
}

/* http(s)://host..., no blank, query or fragment. */
static bool
is_base_url(str_t s)
{
    size_t scheme = 0;

    if (s.len > 7 && !memcmp(s.data, "http://", 7)) {
        scheme = 7;
    } else if (s.len > 8 && !memcmp(s.data, "https://", 8)) {
        scheme = 8;
    }
    if (scheme == 0 || s.data[scheme] == '/') {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];

        if (c <= 0x20 || c >= 0x7f || c == '?' || c == '#') {
            return false;
        }
    }
    return true;
}

static void
read_target(definition_t *d, const json_t *v, target_t *ret)
{
    static const char *const members[] = {"url", "timeout", "concurrency",
                                          NULL};
    long long timeout = DEFAULT_TIMEOUT_MS;
    buf_t url;
    int line = definition_line(d, v);
    str_t text;

    *ret = (target_t){.name = v->name, .concurrency = DEFAULT_CONCURRENCY};
    if (!definition_is_name(v->name)) {
        definition_error(d, line, "\"%.*s\" cannot be a target's name",
                         STR_FMT(v->name));
    }
    if (!definition_members(d, v, "a target", members)) {
        return;
    }
    definition_duration(d, v, "timeout", (range_t){1, MAX_TIMEOUT_MS},
                        &timeout);
    definition_integer(d, v, "concurrency", (range_t){1, MAX_CONCURRENCY},
                       &ret->concurrency);
    ret->timeout_ms = (int) timeout;
    text = definition_text(d, v, "url");
    buf_init(&url, MAX_URL);
    if (text.len > 0 && expand(d, line, text, &url)) {
        str_t s = buf_view(&url);

        while (s.len > 0 && s.data[s.len - 1] == '/') {
            s.len--;
        }
        if (!is_base_url(s)) {
            definition_error(d, line, "\"%.*s\" is not a URL of http or https",
                             STR_FMT(s));
        }
        ret->url = arena_z(d->arena, s);
    }
    buf_free(&url);
}

static void
read_targets(definition_t *d, const json_t *v)
{
    if (v == NULL) {
        return;
    }
    if (v->type != JSON_OBJECT || v->count > FAMILY_MAX_TARGETS) {
        definition_error(d, definition_line(d, v),
                         "\"targets\" must be an object of at most %d",
                         FAMILY_MAX_TARGETS);
        return;
    }
    d->targets = arena_array(d->arena, target_t, (size_t) v->count + 1);
    d->family->targets = d->targets;
    json_each(target, v)
    {
        read_target(d, target, &d->targets[d->family->target_count++]);
    }
}

static void
read_specs(definition_t *d, const json_t *root)
{
    static const char *const members[] = {"id", "version", NULL};
    const json_t *v = json_get(root, "specifications");
    spec_ref_t *specs;

    if (v == NULL || v->type != JSON_ARRAY || v->count == 0) {
        definition_error(d, definition_line(d, v ? v : root),
                         "\"specifications\" must list at least one");
        return;
    }
    specs = arena_array(d->arena, spec_ref_t, (size_t) v->count);
    d->family->specs = specs;
    json_each(spec, v)
    {
        spec_ref_t *s = &specs[d->family->spec_count++];

        if (definition_members(d, spec, "a specification", members)) {
            s->id = definition_text(d, spec, "id");
            s->version = json_get(spec, "version")
                             ? definition_text(d, spec, "version")
                             : STR_NONE;
        }
    }
}

static void
read_retry(definition_t *d, const json_t *o, retry_t *ret)
{
    static const char *const members[] = {"attempts", "first",  "factor",
                                          "cap",      "jitter", NULL};
    const json_t *v = json_get(o, "retry");
    long long first = ret->first_ms;
    long long cap = ret->cap_ms;

    if (v == NULL || !definition_members(d, v, "\"retry\"", members)) {
        return;
    }
    definition_integer(d, v, "attempts", (range_t){1, MAX_ATTEMPTS},
                       &ret->attempts);
    definition_duration(d, v, "first", (range_t){0, MAX_DELAY_MS}, &first);
    definition_number(d, v, "factor", (range_t){1, MAX_FACTOR}, &ret->factor);
    definition_duration(d, v, "cap", (range_t){0, MAX_DELAY_MS}, &cap);
    definition_number(d, v, "jitter", (range_t){0, 1}, &ret->jitter);
    ret->first_ms = (int) first;
    ret->cap_ms = (int) cap;
}

static void
read_deadline(definition_t *d, const json_t *o, long long *ret)
{
    definition_duration(d, o, "deadline", (range_t){1, MAX_DEADLINE_MS}, ret);
}

static int
find_ending(str_t name)
{
    for (int i = 0; i < ENDING_COUNT; i++) {
        if (str_is(name, endings[i].name)) {
            return i;
        }
    }
    return -1;
}

static void
read_state(definition_t *d, const json_t *v, state_t *ret)
{
    static const char *const members[] = {
        "state", "call",     "observe",         "allocate",  "release", "undo",
        "retry", "deadline", "pointOfNoReturn", "inventory", "on",      NULL};

    ret->line = definition_line(d, v);
    ret->retry = d->retry;
    ret->deadline_ms = d->deadline_ms;
    if (!definition_members(d, v, "a state", members)) {
        return;
    }
    ret->name = definition_name(d, v, "state");
    if (find_ending(ret->name) >= 0) {
        definition_error(d, ret->line, "a state cannot be called \"%.*s\"",
                         STR_FMT(ret->name));
    }
    ret->command = definition_command(d, v);
    ret->undo = definition_undo(d, json_get(v, "undo"));
    read_retry(d, v, &ret->retry);
    read_deadline(d, v, &ret->deadline_ms);
    definition_flag(d, v, "pointOfNoReturn", &ret->point_of_no_return);
    ret->inventory = definition_inventory(d, json_get(v, "inventory"));
    if (ret->deadline_ms == 0) {
        definition_error(d, ret->line, "state \"%.*s\" has no deadline",
                         STR_FMT(ret->name));
    }
}

/* Where one entry of "on" leads. */
static void
read_transition(definition_t *d, const machine_t *m, const json_t *v, int t,
                int *ret)
{
    str_t name = v->type == JSON_STRING ? v->text : STR_NONE;
    int ending = find_ending(name);
    int state = machine_state(m, name);
    unsigned bit = ending >= 0 ? endings[ending].bit : LEADS_STATE;

    if (ending < 0 && state < 0) {
        definition_error(d, definition_line(d, v),
                         "\"%s\" leads to an unknown state %.*s",
                         transitions[t].name, STR_FMT(v->raw));
        return;
    }
    if ((transitions[t].leads & bit) == 0) {
        definition_error(d, definition_line(d, v),
                         "\"%s\" cannot lead to \"%.*s\"", transitions[t].name,
                         STR_FMT(name));
        return;
    }
    *ret = ending >= 0 ? endings[ending].to : state;
}

static void
read_transitions(definition_t *d, const machine_t *m, const json_t *v,
                 int index, state_t *state)
{
    static const char *const members[TRANSITION_COUNT + 1] = {
        "done",     "accepted", "failed", "exhausted",
        "mismatch", "deadline", "cancel", NULL};
    const json_t *on = json_get(v, "on");

    for (int t = 0; t < TRANSITION_COUNT; t++) {
        state->on[transitions[t].event] = transitions[t].to;
    }
    if (index + 1 < m->state_count) {
        state->on[EVENT_DONE] = index + 1;
    }
    state->on[EVENT_START] = TO_FAIL;
    if (on != NULL && !definition_members(d, on, "\"on\"", members)) {
        return;
    }
    for (int t = 0; t < TRANSITION_COUNT; t++) {
        const json_t *to = json_get(on, transitions[t].name);

        if (to != NULL) {
            read_transition(d, m, to, t, &state->on[transitions[t].event]);
        }
    }
    if (json_get(on, "deadline") == NULL) {
        state->on[EVENT_DEADLINE] = state->on[EVENT_EXHAUSTED];
    }
}

static void
read_machine(definition_t *d, const json_t *v, action_t action)
{
    int before = d->error_count;
    machine_t *m;
    state_t *states;
    int i = 0;

    if (v->type != JSON_ARRAY || v->count == 0 ||
        v->count > FAMILY_MAX_STATES) {
        definition_error(d, definition_line(d, v),
                         "\"%s\" must be a list of 1 to %d states",
                         action_name(action), FAMILY_MAX_STATES);
        return;
    }
    m = arena_new(d->arena, machine_t);
    states = arena_array(d->arena, state_t, (size_t) v->count);
    m->action = action;
    m->states = states;
    json_each(state, v)
    {
        read_state(d, state, &states[i]);
        if (states[i].name.len > 0 && machine_state(m, states[i].name) >= 0) {
            definition_error(d, states[i].line,
                             "a second state is called \"%.*s\"",
                             STR_FMT(states[i].name));
        }
        m->state_count = ++i;
    }
    i = 0;
    json_each(state, v)
    {
        read_transitions(d, m, state, i, &states[i]);
        i++;
    }
    /* What could not be read would only be blamed a second time. */
    if (d->error_count == before) {
        definition_prove(d, m, states);
    }
    d->family->machines[action] = m;
}

static void
read_machines(definition_t *d, const json_t *root)
{
    static const char *const members[] = {"add", "modify", "delete", NULL};
    const json_t *v = json_get(root, "machines");
    action_t action;

    if (v == NULL || v->type != JSON_OBJECT || v->count == 0) {
        definition_error(d, definition_line(d, v ? v : root),
                         "\"machines\" must offer at least one action");
        return;
    }
    (void) definition_members(d, v, "\"machines\"", members);
    json_each(machine, v)
    {
        if (action_parse(machine->name, &action) &&
            action != ACTION_NO_CHANGE) {
            read_machine(d, machine, action);
        }
    }
}

static void
read_family(definition_t *d, const json_t *root)
{
    static const char *const members[] = {
        "family", "version",  "specifications", "targets",
        "retry",  "deadline", "machines",       NULL};

    if (!definition_members(d, root, "a family", members)) {
        return;
    }
    d->family->name = definition_name(d, root, "family");
    d->family->version = definition_name(d, root, "version");
    read_specs(d, root);
    read_targets(d, json_get(root, "targets"));
    read_retry(d, root, &d->retry);
    read_deadline(d, root, &d->deadline_ms);
    read_machines(d, root);
}

static void
print_hash(str_t s, char out[17])
{
    uint64_t h = FNV64_OFFSET;

    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char) s.data[i]) * FNV64_PRIME;
    }
    (void) snprintf(out, 17, "%016llx", (unsigned long long) h);
}

static int
line_at(str_t s, size_t offset)
{
    int line = 1;

    for (size_t i = 0; i < offset && i < s.len; i++) {
        line += s.data[i] == '\n';
    }
    return line;
}

family_t *
family_parse(str_t text, const char *(*env)(const char *name),
             family_error_t *errors, int *ret_count)
{
    arena_t *a = arena_create();
    definition_t d = {.arena = a,
                      .env = env,
                      .errors = errors,
                      .family = arena_new(a, family_t),
                      .retry = DEFAULT_RETRY};
    json_error_t err;
    const json_t *root;

    d.family->arena = a;
    d.family->text = arena_str(a, text);
    d.text = d.family->text;
    print_hash(d.text, d.family->hash);
    root = json_parse_relaxed(a, d.text, &err);
    if (root == NULL) {
        definition_error(&d, line_at(d.text, err.offset), "not JSON: %s",
                         err.reason);
    } else {
        /* The tree may look into a copy: as long as the text, and ended by
         * NUL, which no JSON holds. */
        d.start = root->raw.data + strlen(root->raw.data) - d.text.len;
        read_family(&d, root);
    }
    *ret_count =
        d.error_count < FAMILY_MAX_ERRORS ? d.error_count : FAMILY_MAX_ERRORS;
    if (d.error_count > 0) {
        arena_free(a);
        return NULL;
    }
    return d.family;
}

void
family_free(family_t *f)
{
    if (f != NULL) {
        arena_free(f->arena);
    }
}

const machine_t *
family_machine(const family_t *f, action_t action)
{
    return f->machines[action];
}

bool
family_serves(const family_t *f, str_t spec_id, str_t spec_version)
{
    for (int i = 0; i < f->spec_count; i++) {
        if (str_eq(f->specs[i].id, spec_id) &&
            (spec_version.len == 0 || f->specs[i].version.len == 0 ||
             str_eq(f->specs[i].version, spec_version))) {
            return true;
        }
    }
    return false;
}

int
machine_state(const machine_t *m, str_t name)
{
    for (int i = 0; i < m->state_count; i++) {
        if (str_eq(m->states[i].name, name)) {
            return i;
        }
    }
    return -1;
}
