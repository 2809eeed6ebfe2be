/*
 * The proofs of one machine. Its states and transitions are a graph; when
 * that is free of cycles, one walk in topological order carries along what
 * holds on every way: the variables that are set, and whether the point of no
 * return is behind.
 */
#include "backend/domain/definition.h"

#include <stdint.h>

typedef struct {
    uint64_t set; /* bits of the variables that have a value */
    bool beyond;  /* the point of no return is done */
} facts_t;

typedef struct {
    definition_t *d;
    const machine_t *machine;
    state_t *states;
    str_t variables[FAMILY_MAX_VARIABLES];
    int variable_count;
    int order[FAMILY_MAX_STATES]; /* reached ones, the last first */
    int order_count;
    bool visited[FAMILY_MAX_STATES];
    bool entered[FAMILY_MAX_STATES]; /* on the way that is walked now */
    bool known[FAMILY_MAX_STATES];   /* facts[] has been met */
    facts_t facts[FAMILY_MAX_STATES];
} proof_t;

/* Who reads a template, and what it may look at. */
typedef struct {
    const state_t *state;
    int line;
    uint64_t set;
    bool callback;
    const char *what; /* "command", "undo", ... */
} reader_t;

static int
find_variable(const proof_t *p, str_t name)
{
    for (int i = 0; i < p->variable_count; i++) {
        if (str_eq(p->variables[i], name)) {
            return i;
        }
    }
    return -1;
}

static void
add_variable(proof_t *p, str_t name, int line)
{
    if (name.len == 0 || find_variable(p, name) >= 0) {
        return;
    }
    if (p->variable_count == FAMILY_MAX_VARIABLES) {
        definition_error(p->d, line, "more than %d variables in one machine",
                         FAMILY_MAX_VARIABLES);
        return;
    }
    p->variables[p->variable_count++] = name;
}

static void
collect_variables(proof_t *p)
{
    for (int i = 0; i < p->machine->state_count; i++) {
        const command_t *c = p->states[i].command;

        if (c == NULL) {
            continue;
        }
        add_variable(p, c->variable, c->line);
        for (int k = 0; k < c->capture_count; k++) {
            add_variable(p, c->captures[k].variable, c->line);
        }
    }
}

/* The variables a command has surely set when it is done. */
static uint64_t
sets(const proof_t *p, const command_t *c)
{
    uint64_t bits = 0;
    int v;

    if (c == NULL) {
        return 0;
    }
    v = find_variable(p, c->variable);
    if (c->variable.len > 0 && v >= 0) {
        bits |= 1ULL << v;
    }
    for (int k = 0; k < c->capture_count; k++) {
        v = find_variable(p, c->captures[k].variable);
        if (!c->captures[k].optional && v >= 0) {
            bits |= 1ULL << v;
        }
    }
    return bits;
}

/* Depth first; false: a cycle. At most FAMILY_MAX_STATES deep. */
static bool
walk(proof_t *p, int i)
{
    p->visited[i] = true;
    p->entered[i] = true;
    for (int e = 0; e < EVENT_COUNT; e++) {
        int to = p->states[i].on[e];

        if (to < 0) {
            continue;
        }
        if (p->entered[to]) {
            definition_error(p->d, p->states[i].line,
                             "state \"%.*s\" leads back to \"%.*s\": a cycle "
                             "is only possible by \"retry\"",
                             STR_FMT(p->states[i].name),
                             STR_FMT(p->states[to].name));
            return false;
        }
        if (!p->visited[to] && !walk(p, to)) {
            return false;
        }
    }
    p->entered[i] = false;
    p->order[p->order_count++] = i;
    return true;
}

static void
meet(proof_t *p, int to, facts_t facts)
{
    if (!p->known[to]) {
        p->known[to] = true;
        p->facts[to] = facts;
        return;
    }
    p->facts[to].set &= facts.set;
    p->facts[to].beyond = p->facts[to].beyond && facts.beyond;
}

static void
flow(proof_t *p)
{
    meet(p, 0, (facts_t){0, false});
    for (int k = p->order_count - 1; k >= 0; k--) {
        int i = p->order[k];
        const state_t *state = &p->states[i];

        for (int e = 0; e < EVENT_COUNT; e++) {
            facts_t facts = p->facts[i];

            if (state->on[e] < 0) {
                continue;
            }
            if (e == EVENT_DONE) {
                facts.set |= sets(p, state->command);
                facts.beyond = facts.beyond || state->point_of_no_return;
            }
            meet(p, state->on[e], facts);
        }
    }
}

static bool
begins_with(str_t s, const char *z)
{
    return s.len > strlen(z) && !memcmp(s.data, z, strlen(z));
}

static void
check_variable(proof_t *p, const reader_t *r, str_t path, bool optional)
{
    str_t name = {path.data + strlen("variable."),
                  path.len - strlen("variable.")};
    const char *dot = memchr(name.data, '.', name.len);
    int v;

    if (dot != NULL) {
        name.len = (size_t) (dot - name.data);
    }
    v = find_variable(p, name);
    if (v < 0) {
        definition_error(p->d, r->line,
                         "{{%.*s}} in the %s of \"%.*s\": no command sets it",
                         STR_FMT(path), r->what, STR_FMT(r->state->name));
    } else if (!optional && (r->set & (1ULL << v)) == 0) {
        definition_error(p->d, r->line,
                         "{{%.*s}} in the %s of \"%.*s\" may be unset there",
                         STR_FMT(path), r->what, STR_FMT(r->state->name));
    }
}

static void
check_template(proof_t *p, const reader_t *r, const template_t *t)
{
    for (int i = 0; t != NULL && i < template_path_count(t); i++) {
        bool optional;
        str_t path = template_path(t, i, &optional);

        if (begins_with(path, "variable.")) {
            check_variable(p, r, path, optional);
        } else if (str_is(path, "callback.url") && !r->callback) {
            definition_error(p->d, r->line,
                             "{{callback.url}} in the %s of \"%.*s\": only a "
                             "call is answered by callback",
                             r->what, STR_FMT(r->state->name));
        } else if ((begins_with(path, "current.") ||
                    str_is(path, "current")) &&
                   p->machine->action == ACTION_ADD) {
            definition_error(p->d, r->line,
                             "{{%.*s}} in the %s of \"%.*s\": there is no "
                             "current configuration in \"add\"",
                             STR_FMT(path), r->what, STR_FMT(r->state->name));
        }
    }
}

static void
check_templates(proof_t *p, const reader_t *r, const named_template_t *list,
                int n)
{
    for (int i = 0; i < n; i++) {
        check_template(p, r, list[i].value);
    }
}

static void
check_command(proof_t *p, reader_t r, const command_t *c)
{
    if (c == NULL) {
        return;
    }
    r.line = c->line;
    r.callback = r.callback && c->kind == COMMAND_CALL;
    check_template(p, &r, c->path);
    check_template(p, &r, c->body);
    check_template(p, &r, c->pool);
    check_templates(p, &r, c->headers, c->header_count);
    check_templates(p, &r, c->expect, c->expect_count);
    r.callback = false;
    check_template(p, &r, c->party);
    check_template(p, &r, c->reason);
}

static void
check_reads(proof_t *p, int i)
{
    const state_t *state = &p->states[i];
    const inventory_change_t *change = state->inventory;
    reader_t r = {.state = state,
                  .line = state->line,
                  .set = p->facts[i].set,
                  .callback = true,
                  .what = "command"};

    check_command(p, r, state->command);
    r.callback = false;
    r.what = "undo";
    check_command(p, r, state->undo);
    if (change == NULL) {
        return;
    }
    r.what = "inventory";
    r.set |= sets(p, state->command);
    check_templates(p, &r, change->characteristics,
                    change->characteristic_count);
    check_template(p, &r, change->resources);
}

static bool
has_effect(const command_t *c)
{
    if (c == NULL) {
        return false;
    }
    return c->kind == COMMAND_ALLOCATE ||
           (c->kind == COMMAND_CALL && strcmp(c->method, "GET") != 0);
}

/* Whoever finds a later state in a path must know that this one was done. */
static void
check_return(proof_t *p, const state_t *state)
{
    for (int e = 0; e < EVENT_COUNT; e++) {
        if (e != EVENT_DONE && (state->on[e] >= 0 || state->on[e] == TO_END)) {
            definition_error(p->d, state->line,
                             "state \"%.*s\" is a point of no return: only "
                             "\"done\" may lead on from it",
                             STR_FMT(state->name));
            return;
        }
    }
}

static void
check_state(proof_t *p, int i)
{
    state_t *state = &p->states[i];
    int give_up = p->facts[i].beyond ? TO_FAIL : TO_UNDO;

    if (!p->visited[i]) {
        definition_error(p->d, state->line, "state \"%.*s\" is never reached",
                         STR_FMT(state->name));
        return;
    }
    for (int e = 0; e < EVENT_COUNT; e++) {
        if (state->on[e] == TO_GIVE_UP) {
            state->on[e] = give_up;
        }
    }
    if (has_effect(state->command) && state->undo == NULL &&
        !p->facts[i].beyond && !state->point_of_no_return) {
        definition_error(p->d, state->line,
                         "state \"%.*s\" has an effect before the point of "
                         "no return and no undo",
                         STR_FMT(state->name));
    }
    if (state->point_of_no_return) {
        check_return(p, state);
    }
    check_reads(p, i);
}

static bool
can_complete(const proof_t *p)
{
    for (int i = 0; i < p->machine->state_count; i++) {
        for (int e = 0; p->visited[i] && e < EVENT_COUNT; e++) {
            if (p->states[i].on[e] == TO_END) {
                return true;
            }
        }
    }
    return false;
}

void
definition_prove(definition_t *d, const machine_t *m, state_t *states)
{
    proof_t p = {.d = d, .machine = m, .states = states};

    collect_variables(&p);
    if (!walk(&p, 0)) {
        return;
    }
    flow(&p);
    for (int i = 0; i < m->state_count; i++) {
        check_state(&p, i);
    }
    if (!can_complete(&p)) {
        definition_error(d, states[0].line,
                         "no way through \"%s\" leads to \"end\"",
                         action_name(m->action));
    }
}
