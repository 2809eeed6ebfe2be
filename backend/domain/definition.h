/*
 * Reading a family's definition: what family.c, command.c and proof.c share.
 * Private to them.
 *
 * A reader goes on after an error, so that one run of `turnupd check` shows
 * all of them; what could not be read stays empty and a definition with an
 * error is never used.
 */
#ifndef TURNUP_DOMAIN_DEFINITION_H
#define TURNUP_DOMAIN_DEFINITION_H

#include "backend/domain/family.h"

typedef struct {
    arena_t *arena;
    str_t text;        /* the file */
    const char *start; /* where the tree's text starts, for lines */
    const char *(*env)(const char *name);
    family_error_t *errors;
    int error_count; /* also of those that found no room in errors */
    family_t *family;
    target_t *targets;     /* family->targets while they are filled */
    retry_t retry;         /* default of all states */
    long long deadline_ms; /* default of all states; 0: none */
} definition_t;

typedef struct {
    long long min, max;
} range_t;

/* definition.c */

int definition_line(const definition_t *d, const json_t *v);
void definition_error(definition_t *d, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A letter or digit, then letters, digits and - _ . (at most 64). */
bool definition_is_name(str_t s);
/* v is an object and has no member but these (NULL at the end). */
bool definition_members(definition_t *d, const json_t *v, const char *what,
                        const char *const *names);
/* A text that must be there; empty with an error when it is not. */
str_t definition_text(definition_t *d, const json_t *o, const char *name);
str_t definition_name(definition_t *d, const json_t *o, const char *name);
/* These leave *ret as it is when the member is absent. */
void definition_duration(definition_t *d, const json_t *o, const char *name,
                         range_t ms, long long *ret);
void definition_integer(definition_t *d, const json_t *o, const char *name,
                        range_t range, int *ret);
void definition_number(definition_t *d, const json_t *o, const char *name,
                       range_t range, double *ret);
void definition_flag(definition_t *d, const json_t *o, const char *name,
                     bool *ret);
/* NULL when v is NULL, or with an error. */
template_t *definition_template(definition_t *d, const json_t *v,
                                template_kind_t kind);
/* The object o as names and templates. */
const named_template_t *definition_templates(definition_t *d, const json_t *o,
                                             const char *what,
                                             template_kind_t kind,
                                             int *ret_count);
bool definition_is_pointer(str_t s);

/* command.c */

/* The command of a state, or NULL: it has none. */
const command_t *definition_command(definition_t *d, const json_t *state);
const command_t *definition_undo(definition_t *d, const json_t *undo);
const inventory_change_t *definition_inventory(definition_t *d,
                                               const json_t *v);

/* proof.c */

/* As a transition before it is proved: undo, or fail after the point of no
 * return. */
#define TO_GIVE_UP (-6)

/* Proves one machine, and replaces TO_GIVE_UP. states are m->states. */
void definition_prove(definition_t *d, const machine_t *m, state_t *states);

#endif
