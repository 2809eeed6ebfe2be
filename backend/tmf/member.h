/*
 * The members that resources and events are written with: the server's own,
 * and a client's as they were sent.
 */
#ifndef TURNUP_TMF_MEMBER_H
#define TURNUP_TMF_MEMBER_H

#include "backend/base/json.h"
#include "backend/base/uuid.h"
#include "backend/domain/state.h"
#include "backend/tmf/view.h"

/* Is the first-level attribute to be shown? id and href always are, in v5 also
 * @type. */
bool member_shown(const tmf_view_t *v, str_t name);
/* A member that is there; JSON null means the same as absent. */
const json_t *member_given(const json_t *o, str_t name);
/* What became of a stored member in the result of a patch; NULL: it is gone,
 * also where it is null now and was not. */
const json_t *member_kept(const json_t *stored, const json_t *result);
/* Is name one of names (ended by NULL)? */
bool member_among(str_t name, const char *const *names);

void member_href(buf_t *out, const char *name, const tmf_view_t *v, api_t api,
                 const char *resource, str_t id);
/* Is it such an href, below whatever base? */
bool member_href_leads(str_t href, const tmf_view_t *v, api_t api,
                       const char *resource, str_t id);
void member_uuid(buf_t *out, const char *name, uuid_t u);
/* Nothing for NO_TIME. */
void member_time(buf_t *out, const char *name, int64_t us);
/* Nothing for an empty raw. */
void member_some_raw(buf_t *out, const char *name, str_t raw);
/* A client's member: its name and its value's own text. */
void member_copy(buf_t *out, const json_t *member);
/* The wire's name of an order's or item's state. */
const char *member_order_state(order_state_t s, const tmf_view_t *v);

/* The entry of that name in a list of characteristics, or NULL. The search
 * goes on behind *last, the entry found before (NULL at first), because lists
 * that are compared are in the same order as a rule. */
const json_t *member_described(const json_t *described, str_t name,
                               const json_t **last);

/* The ids in a document's relatedParty[], in *ret, which lives in a; how
 * many. doc may be NULL. */
int member_parties(arena_t *a, const json_t *doc, const str_t **ret);

/*
 * "serviceCharacteristic":[{"name","value",...}] of an object name → value.
 * described: the client's list, or NULL: what it said about a characteristic
 * beside name and value is given back; of the others the valueType is told
 * from the value. Nothing when values is no object.
 */
void member_characteristics(buf_t *out, const json_t *values,
                            const json_t *described);

#endif
