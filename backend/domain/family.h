/*
 * A service family: one file, conf/families/<family>.json (comments allowed),
 * with its version, the specifications it serves, its targets and one machine
 * for each action. Parsed once, never changed. See conf/families/README.md
 * for the file's form.
 */
#ifndef TURNUP_DOMAIN_FAMILY_H
#define TURNUP_DOMAIN_FAMILY_H

#include "backend/domain/state.h"
#include "backend/domain/template.h"

#define FAMILY_MAX_STATES    64
#define FAMILY_MAX_TARGETS   32
#define FAMILY_MAX_VARIABLES 64 /* of one machine */

typedef struct {
    str_t name;
    char *url;      /* base, without a trailing slash; environment filled in */
    int timeout_ms; /* one call; default 5000 */
    int concurrency; /* calls at once of one worker process; default 64 */
} target_t;

typedef enum {
    COMMAND_CALL,     /* HTTP request: 2xx done, 202 accepted */
    COMMAND_OBSERVE,  /* HTTP GET compared with what is expected */
    COMMAND_ALLOCATE, /* a value from a resource pool, into a variable */
    COMMAND_RELEASE   /* what this service holds in that pool, back */
} command_kind_t;

typedef struct {
    str_t name;
    template_t *value;
} named_template_t;

typedef struct {
    str_t variable; /* name it gets: {{variable.<name>}} */
    str_t pointer;  /* RFC 6901 into the answer's or callback's body */
    bool optional;  /* absent: no variable; else absent = failed */
} capture_t;

typedef struct {
    command_kind_t kind;
    int line; /* in the file, for messages */
    /* call, observe */
    const target_t *target;
    char *method;
    template_t *path; /* TEMPLATE_URL, begins with "/" */
    template_t *body; /* TEMPLATE_JSON or NULL */
    const named_template_t *headers;
    int header_count;
    const capture_t *captures; /* from the answer, or from the callback */
    int capture_count;
    const named_template_t *expect; /* name = RFC 6901 pointer; values
                                       TEMPLATE_JSON */
    int expect_count;
    template_t *party;  /* who works on it after 202; default target name;
                           TEMPLATE_TEXT, as reason and headers */
    template_t *reason; /* of pendingExternal; or NULL */
    /* allocate, release */
    template_t *pool; /* TEMPLATE_TEXT */
    str_t variable;   /* allocate: what the value is called */
} command_t;

typedef struct {
    int attempts; /* in all; 1: no retry */
    int first_ms; /* delay before the second attempt */
    double factor;
    int cap_ms;
    double jitter; /* 0..1: share of the delay that is random */
} retry_t;

/* What the inventory learns when a state is done. */
typedef struct {
    bool has_state;
    service_state_t state;
    str_t operating_status;                  /* empty: unchanged */
    const named_template_t *characteristics; /* values TEMPLATE_JSON */
    int characteristic_count;
    template_t *resources; /* TEMPLATE_JSON array: supportingResource; NULL:
                              unchanged. Entries are merged by id. */
    bool clear_resources;  /* "supportingResource": [] */
} inventory_change_t;

typedef enum {
    EVENT_START, /* the activation begins */
    EVENT_DONE,
    EVENT_ACCEPTED, /* the target works on it and will call back */
    EVENT_FAILED,
    EVENT_EXHAUSTED, /* derived: failed, and no attempt left */
    EVENT_MISMATCH,  /* observed something else than expected */
    EVENT_DEADLINE,
    EVENT_CANCEL,
    EVENT_COUNT
} event_kind_t;

/* Where a transition leads: a state's index, or one of these. */
enum {
    TO_END = -1,   /* completed */
    TO_UNDO = -2,  /* undo what was done, in reverse order, then failed */
    TO_RETRY = -3, /* the same state again, by its retry policy */
    TO_FAIL = -4,  /* failed, nothing undone */
    TO_WAIT = -5   /* stay, pendingExternal */
};

typedef struct {
    str_t name;
    int line;
    const command_t *command;            /* NULL: passes on at once */
    const command_t *undo;               /* NULL: nothing to undo */
    retry_t retry;                       /* of the command, and of the undo */
    long long deadline_ms;               /* from entering it; always > 0 */
    bool point_of_no_return;             /* once done, no undo and no cancel;
                                            without undo no cancel once begun */
    const inventory_change_t *inventory; /* when done; or NULL */
    int on[EVENT_COUNT];
} state_t;

typedef struct {
    action_t action;
    const state_t *states; /* the first is where it begins */
    int state_count;
} machine_t;

typedef struct {
    str_t id;
    str_t version; /* empty: every version */
} spec_ref_t;

typedef struct {
    arena_t *arena; /* everything here lives in it */
    str_t name;     /* "internet-access"; also the stream's and pool's name */
    str_t version;
    char hash[17]; /* of the text: a fingerprint, hexadecimal */
    str_t text;    /* the file as it is, environment not filled in */
    const spec_ref_t *specs;
    int spec_count;
    const target_t *targets;
    int target_count;
    const machine_t *machines[ACTION_COUNT]; /* NULL: not offered */
} family_t;

typedef struct {
    int line; /* 1-based */
    char message[256];
} family_error_t;

#define FAMILY_MAX_ERRORS 32

/*
 * Parses and proves a definition. text is copied. env: looks up ${NAME} and
 * ${NAME:-default} in target URLs (NULL: only defaults). NULL when it is
 * refused, with *ret_count errors (at most FAMILY_MAX_ERRORS). What is
 * proved: every state reachable, every state ends somewhere, no transition
 * to an unknown state, a deadline on each, an undo on every effect before
 * the point of no return (call with a method other than GET, allocate), no
 * cycle but by retry, known targets, template paths of known roots and
 * variables set on every way before they are read (an undo: before its
 * state), no member nobody knows, a way to the end, a point of no return
 * left forward by done only.
 */
family_t *family_parse(str_t text, const char *(*env)(const char *name),
                       family_error_t *errors, int *ret_count);
/* NULL-safe. */
void family_free(family_t *f);
/* NULL: not offered. */
const machine_t *family_machine(const family_t *f, action_t action);
/* An empty spec_version: any. */
bool family_serves(const family_t *f, str_t spec_id, str_t spec_version);
/* The index of a state by name, or -1. */
int machine_state(const machine_t *m, str_t name);

#endif
