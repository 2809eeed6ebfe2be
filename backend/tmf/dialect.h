/*
 * The versions in which a document is spoken (law 5).
 *
 * Documents are kept, filtered, planned by and changed in one form: v4's, with
 * what only v5 has passed through. A v5 document becomes that form when it
 * comes in and v5 again when it is shown, by one walk along the resource's
 * table. The walk puts in what v5 demands and is not there: @type, which is the
 * type's name in the table; of a characteristic "Integer", "StringArray" ...
 * before it, by the value; of an XRefOrValue "XRef" where it says no more than
 * id, href and name, or not what v5 demands of an X, else "X". It puts what
 * relates to a party, a place or an entity into an object of its own (ATTR_NESTED), or out of it.
 *
 * What a v5 client sent is shown to v5 as it was, as JSON values: what cannot
 * be brought back from v4's form (an extension beside partyOrPartyRole) stays
 * in v5's, and v4 is shown it so. Values that neither version speaks
 * differently of keep their spelling. Sources: TMF-FACTS 5 and 12.
 */
#ifndef TURNUP_TMF_DIALECT_H
#define TURNUP_TMF_DIALECT_H

#include "backend/base/json.h"
#include "backend/tmf/view.h"

/* A document as it is kept, appended to out in v5. schema: its table. */
void dialect_show(buf_t *out, const object_schema_t *schema,
                  const json_t *doc);
/* A v5 document, appended to out as it is kept. */
void dialect_take(buf_t *out, const object_schema_t *schema,
                  const json_t *doc);
/*
 * As dialect_take, for what a v5 PATCH made of a document. shown: it, as it is
 * kept; shown_v5: the same by dialect_show(). Attributes that are as they were
 * come out as they are kept, so that nobody takes them for changed.
 */
void dialect_take_changed(buf_t *out, const object_schema_t *schema,
                          const json_t *shown, const json_t *shown_v5,
                          const json_t *after);
/*
 * The names of a v5 path as a document that is kept has them: names[n] is
 * rewritten, what v4 does not nest falls away. Returns how many are left.
 */
int dialect_path(const object_schema_t *schema, str_t *names, int n);

#endif
