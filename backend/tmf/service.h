/*
 * TMF638 service from an instance and its configuration, and back.
 */
#ifndef TURNUP_TMF_SERVICE_H
#define TURNUP_TMF_SERVICE_H

#include "backend/base/json.h"
#include "backend/domain/record.h"
#include "backend/domain/specification.h"
#include "backend/tmf/patch.h"
#include "backend/tmf/view.h"
#include "proto/error.h"

/*
 * The service as JSON: what the order's service object held and the domain
 * does not use (place, relatedParty, note, ...), and ours: id, href, name,
 * category, serviceType, serviceDate, startDate, endDate, state,
 * operatingStatus (extension in v4), serviceSpecification, characteristics
 * (with the extra members the client gave each by name), supportingResource,
 * externalIdentifier with the key, serviceOrderItem reference. hasStarted,
 * isServiceEnabled and isBundle, isStateful have defaults. version (the
 * configuration's id), versionStateType, versionStartDate, versionEndDate say
 * which configuration is shown (seed 2, VersionedService).
 */
void service_to_tmf(buf_t *out, arena_t *a, const service_record_t *s,
                    const tmf_view_t *v);
/* The same in the form that documents are kept in (dialect.h), whatever the
 * view's version: only the hrefs are of that. */
void service_to_kept(buf_t *out, arena_t *a, const service_record_t *s,
                     const tmf_view_t *v);
/* Sparse event data: state, operatingStatus, characteristics, spec; and, not
 * NULL, the attribute that changed (record.h). */
void service_change_data(buf_t *out, const service_record_t *s,
                         const char *field_path);
/* The same without its braces, and without that attribute. */
void service_change_members(buf_t *out, const service_record_t *s);

/*
 * The service that a client's document is (service_read.c). What the inventory
 * has columns for goes to *ret: state, operating status, name, category,
 * service type, specification, characteristics, resources, and created_us
 * where there is a serviceDate (else NO_TIME); everything else to its doc. The
 * rest of *ret is left alone. Memory from a or of doc.
 *
 * false with *err 400: a state or an operating status that is none, no
 * specification, characteristics that are not such a list, a serviceDate that
 * is no date-time. All else was checked by the tables (proto/schema.h).
 */
bool service_from_tmf(arena_t *a, const json_t *doc, service_record_t *ret,
                      tmf_error_t *err);
/*
 * The same of what a PATCH has made of a service. shown: the service as it was
 * shown in full; what stands in doc as it was shown there stays as it was
 * stored: a default stays a default, what is derived from the state goes on
 * being derived. But startDate stays what it was, whatever is changed.
 * *ret begins as a copy of was. false with *err 400 also for a change of the
 * inventory's own key in externalIdentifier.
 */
bool service_from_patch(arena_t *a, const service_record_t *was,
                        const json_t *shown, const json_t *doc,
                        service_record_t *ret, tmf_error_t *err);
/*
 * A PATCH of any kind, done to the service as it was shown in that version:
 * shown is what service_to_kept() gives, and *ret_doc what the patch makes of
 * that. false with *err: patch_apply()'s; 400 for what the
 * tables do not allow in what it changes, and service_from_patch()'s.
 */
bool service_patch(arena_t *a, const service_record_t *was,
                   const json_t *shown, tmf_version_t version,
                   const json_t *patch, patch_kind_t kind,
                   service_record_t *ret, const json_t **ret_doc,
                   tmf_error_t *err);
/* Where what a specification finds wrong with the characteristics stands in
 * the document: "/serviceCharacteristic/2/value/..." */
void service_characteristic_error(const json_t *doc,
                                  const specification_error_t *fault,
                                  tmf_error_t *err);
/* Event data of a PATCH that has made after of before: what
 * service_change_data() has, what else it has changed (null: taken away),
 * and the names of all that has, "note,place", as fieldPath. false: nothing
 * but the state is another. */
bool service_patch_data(buf_t *out, const service_record_t *s,
                        const json_t *before, const json_t *after);

/* Entries that service_to_tmf() puts in by itself. */
bool service_is_key(const json_t *identifier);
bool service_is_order_item(const json_t *item, const service_record_t *s);

#endif
