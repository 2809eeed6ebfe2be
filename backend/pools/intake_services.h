/*
 * One service being written, between the files that do it.
 */
#ifndef TURNUP_POOLS_INTAKE_SERVICES_H
#define TURNUP_POOLS_INTAKE_SERVICES_H

#include "backend/pools/intake.h"
#include "backend/pools/loaded.h"
#include "backend/tmf/service.h"

#define EDIT_TEXT_MAX (4 * (size_t) JSON_MAX_BYTES) /* of one as shown */

typedef struct service_edit service_edit_t;
typedef void (*service_edit_fn)(service_edit_t *t);

struct service_edit {
    group_t *group;
    uuid_t id;
    service_now_t now;     /* a change: as it is, and who else changes it */
    loaded_t loaded;       /* the service as it was read last */
    str_t held;            /* "value of pool", one that it holds; or empty */
    const json_t *shown;   /* a PATCH: as it was */
    const json_t *doc;     /* as it is to be */
    service_record_t next; /* the same */
    const specification_t *spec; /* of next; NULL: not in the catalog */
    service_edit_fn specified;
    int status; /* of the answer to come */
};

/* Of a group of one request; it is the group's data. */
service_edit_t *edit_create(group_t *g);
/* For services_load(); ctx is the service_edit_t. */
void edit_on_service(void *ctx, const PGresult *res);
str_t edit_id(service_edit_t *t);
/* In full, as the client sees it. */
str_t edit_show(service_edit_t *t, const service_record_t *s);
/* Likewise, in the form that is kept (tmf/dialect.h). */
str_t edit_kept(service_edit_t *t, const service_record_t *s);

/* Each answers and ends the group. */
void edit_refuse(service_edit_t *t, const tmf_error_t *e);
void edit_conflict(service_edit_t *t, const char *reason, const char *pointer,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void edit_no_body(service_edit_t *t, const char *expected);
/* 204, or the service as it was read last. */
void edit_answer(service_edit_t *t, int status);
/* The answer to a request that was carried out before: the service that it
 * made (once_insert) as it is now. */
void edit_answer_made(service_edit_t *t, str_t made, int status);

/*
 * Finds the specification of the service as it is to be, and goes on:
 * next.spec_version is that of the newest where none is named, spec_name the
 * catalog's.
 */
void edit_specify(service_edit_t *t, service_edit_fn then);
/*
 * By the rules of an order's item: with the defaults where nothing is said.
 * What is stored is what was said: the inventory does not guess. Services of
 * specifications that are not in the catalog are let through; they were
 * activated elsewhere. false: answered, 400.
 */
bool edit_obeys(service_edit_t *t);

void edit_event(service_edit_t *t, outbox_t *o, const char *type, str_t data);
/* Ends the segment with these events, and answers. */
void edit_commit(service_edit_t *t, const outbox_t *o, int status);

#endif
