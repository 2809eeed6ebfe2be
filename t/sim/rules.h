/*
 * Fault rules: which requests of the simulated network go wrong, and how.
 */
#ifndef TURNUP_T_SIM_RULES_H
#define TURNUP_T_SIM_RULES_H

#include "proto/buf.h"
#include "t/sim/network.h"

#define RULES_MAX       256
#define RULE_STATUS_MIN 200
#define RULE_STATUS_MAX 599
#define RULE_DELAY_MAX  600000  /* ms */
#define RULE_TEXT_MAX   1048576 /* bytes of a text in a rule */

/* Texts are NUL-terminated and NULL where the rule does not say. */
typedef struct rule {
    struct rule *next;
    long id;
    long hits;
    char *text; /* the rule as it came */

    char *target;
    char *method;
    op_t op; /* of method; OP_COUNT: any */
    char *path_contains;
    char *body_contains;
    long times; /* -1: always */

    long status; /* 0: none */
    char *body;
    char *headers; /* a JSON object as it came, then header lines */
    long delay_ms;
    bool hang;
    bool drop;
    bool drop_after_apply;
    bool after_apply; /* status, hang and drop come after the change */
    char *tamper;

    char *async;         /* not NULL: accept, deliver later */
    long async_delay_ms; /* -1: the simulator's default */
    char *async_result;
    bool twice;
    bool never;
} rule_t;

typedef struct {
    rule_t *first;
    int count;
    long last_id;
} rules_t;

/* Adds the rule in a JSON object. Its id, or -1 with *why (NUL-terminated,
 * at most why_size bytes). */
long rules_add(rules_t *rules, str_t text, char *why, size_t why_size);
bool rules_remove(rules_t *rules, long id);
void rules_clear(rules_t *rules);

/* The first rule that applies, its hit counted; or NULL. */
const rule_t *rules_match(rules_t *rules, str_t target, op_t op, str_t path,
                          str_t body);
/* Is it one that keeps the request from being carried out? */
bool rule_prevents(const rule_t *r);
/* A JSON array: every rule as it came, with its id and hits. */
void rules_print(const rules_t *rules, buf_t *out);

#endif
