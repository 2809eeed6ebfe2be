/*
 * TMF638 service, v4, from an instance and its configuration.
 */
#ifndef TURNUP_TMF_SERVICE_H
#define TURNUP_TMF_SERVICE_H

#include "backend/base/json.h"
#include "backend/domain/record.h"
#include "backend/tmf/view.h"

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
/* Sparse event data: state, operatingStatus, characteristics, spec; and, not
 * NULL, the attribute that changed (record.h). */
void service_change_data(buf_t *out, const service_record_t *s,
                         const char *field_path);

#endif
