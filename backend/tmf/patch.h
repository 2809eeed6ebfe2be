/*
 * PATCH of any resource: a document, what a client wants of it, and the
 * document that comes out. Sources: RFC 7386, RFC 6902, TMF630 part 5.
 *
 * Where TMF630 departs from RFC 6902, TMF630 is followed, in both JSON Patch
 * types: "add" with a path that ends at a member that is an array appends the
 * value, unless the value is itself an array, which replaces it as RFC 6902
 * has it. No list attribute of TMF takes anything but a list in its place, so
 * nothing is lost that could have been right.
 *
 * In application/json-patch-query+json a path (and a from) may be followed by
 * "?" and conditions joined by "&", each attribute=value with the attribute's
 * dotted name from the document on and a percent-encoded value:
 *
 *   /note/text?note.author=John     the text of each note of John's
 *   /note?note.author=John&note.id=7    each note that both hold for
 *
 * The conditions that speak of an array on the path (or of what is within
 * its elements, where any element of a nested array will do) select its
 * elements, unless an index follows; the operation is done to each. A value is
 * compared as text: strings, numbers as spelt, true, false, null. Refused are a condition of an
 * array that is not on the path, an array that is walked through with neither
 * index nor condition, a selection of nothing, a from that selects several.
 */
#ifndef TURNUP_TMF_PATCH_H
#define TURNUP_TMF_PATCH_H

#include "backend/base/json.h"
#include "proto/error.h"
#include "proto/patch_type.h"
#include "proto/schema.h"

#define PATCH_MAX_OPERATIONS 1000
#define PATCH_MAX_CONDITIONS 16 /* of one path */

/* The dialect of a media type, its parameters left aside. false: none. */
bool patch_kind_of(str_t content_type, patch_kind_t *ret);

/*
 * The document after the patch, as JSON text, appended to out: members and
 * numbers that it does not touch keep their spelling and order. stored and
 * patch are not changed; out must have room for JSON_MAX_BYTES.
 *
 * false with *err, and nothing appended: a "test" that does not hold is 409
 * (RFC 5789, 2.2: conflicting state), a result larger than JSON_MAX_BYTES is
 * 413, everything else is 400; the pointer is that of the patch itself
 * ("/3/path"). The result may still not be a legal resource: patch_check().
 */
bool patch_apply(buf_t *out, arena_t *a, const json_t *stored,
                 const json_t *patch, patch_kind_t kind, tmf_error_t *err);

/*
 * What a PATCH may not do by the tables. false with *err 400 that names the
 * attribute: one of schema's that is flagged ATTR_FIXED is not what it is in
 * stored (an href that stored does not hold: not one that ends in the
 * stored id), or the result is not legal by the rules of a POST, mandatory
 * attributes of sub-objects too. States are only held against their
 * enumeration: who may go where is for the domain.
 */
bool patch_check(const object_schema_t *schema, tmf_version_t version,
                 const json_t *stored, str_t result, tmf_error_t *err);

#endif
