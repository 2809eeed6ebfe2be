/*
 * The simulated network's memory: what is stored under each path, which
 * answer each idempotency key got, and how often everything was asked for.
 *
 * It does no I/O. Both stores are bounded: beyond their limits the oldest
 * entries go, and how many went is counted, so that a test whose numbers are
 * no longer whole can see it.
 */
#ifndef TURNUP_T_SIM_NETWORK_H
#define TURNUP_T_SIM_NETWORK_H

#include "proto/buf.h"
#include "t/common/map.h"

#define NETWORK_PATHS_DEFAULT 500000 /* paths remembered */
#define NETWORK_KEYS_DEFAULT  500000 /* idempotency keys remembered */
#define NETWORK_LEAST         1000   /* smallest limit of either */
#define NETWORK_TARGETS       256    /* names in front of paths */

typedef enum { OP_GET, OP_PUT, OP_POST, OP_PATCH, OP_DELETE, OP_COUNT } op_t;

typedef struct {
    unsigned long calls;
    unsigned long applied;
} tally_t;

typedef struct resource {
    str_t path;            /* its key; the bytes follow the struct */
    struct resource *next; /* by age, oldest first */
    char *document;        /* JSON object; NULL: nothing is stored */
    size_t document_len;
    bool existed;          /* a document has ever been stored */
    unsigned long binding; /* 0: none yet */
    tally_t tally[OP_COUNT];
} resource_t;

/* What is known of an idempotency key at one target. */
typedef struct record {
    str_t key; /* "target key"; the bytes follow the struct */
    struct record *next;
    tally_t tally;
    op_t op;
    char *path; /* of the first call */
    int status; /* 0: not applied yet, nothing to repeat */
    char *headers;
    char *body;
    size_t body_len;
} record_t;

typedef struct {
    char name[64];
    unsigned long bindings; /* given out so far */
    unsigned long ids;
} target_t;

typedef struct {
    map_t resources;
    resource_t *oldest_resource;
    resource_t **newest_resource;
    size_t paths_max;
    map_t records;
    record_t *oldest_record;
    record_t **newest_record;
    size_t keys_max;
    target_t targets[NETWORK_TARGETS];
    int target_count;
    unsigned long calls;
    unsigned long reads;
    unsigned long applied;
    unsigned long duplicates; /* answered from a record */
    unsigned long conflicts;  /* a key came again for another request */
    unsigned long injected;   /* failures by rule, before applying */
    unsigned long refused;    /* our own 4xx */
    unsigned long evicted;    /* paths and keys forgotten */
    unsigned long serials;    /* SN-<n> given out */
} network_t;

extern const char *const op_names[OP_COUNT];
/* OP_COUNT: a method we do not take. */
op_t op_of(str_t method);

void network_init(network_t *n, size_t paths_max, size_t keys_max);
void network_free(network_t *n);
/* Forgets everything but its limits. */
void network_reset(network_t *n);
/* Drops what is beyond the limits. Only between requests: it frees. */
void network_trim(network_t *n);

/* The named target, made when new; NULL: too many, or the name too long. */
target_t *network_target(network_t *n, str_t name);
/* The path's entry, made when new; good until network_trim(). */
resource_t *network_resource(network_t *n, str_t path);
/* The same, or NULL when nothing was ever asked of the path. */
resource_t *network_find(const network_t *n, str_t path);
/* The key's entry at a target, made when new; good until network_trim(). */
record_t *network_record(network_t *n, str_t target, str_t key);
record_t *network_find_record(const network_t *n, str_t target, str_t key);

static inline str_t
resource_document(const resource_t *r)
{
    return (str_t){r->document, r->document_len};
}

/* Copies; STR_NONE removes. */
void resource_store(resource_t *r, str_t document);
/* Keeps the answer for repetition; copies. */
void record_answer(record_t *r, int status, str_t headers, str_t body);

#endif
