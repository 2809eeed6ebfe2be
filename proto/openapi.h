/*
 * The contract that the resource tables are, as documents: one OpenAPI 3.0.3
 * description an API, and one JSON Schema (draft 2020-12) a type. Exactly what
 * is served, nothing else; the same tables give the same bytes.
 */
#ifndef TURNUP_PROTO_OPENAPI_H
#define TURNUP_PROTO_OPENAPI_H

#include "proto/buf.h"
#include "proto/json_schema.h"
#include "proto/schema.h"

#define OPENAPI_MAX_BYTES ((size_t) 1024 * 1024)

/* The last part of api_path(): "serviceOrdering". */
const char *openapi_name(api_t api);

/*
 * The OpenAPI document of an API in a version that it is served in. Its server is given
 * relative to <base>/openapi/<name>/<version>.json, where it is served, so
 * that it holds behind any proxy.
 */
void openapi_print(buf_t *out, api_t api, tmf_version_t version);

/* The types of all that an API serves, Error with them. */
void openapi_types(object_set_t *set, api_t api, tmf_version_t version);
/* The schema of one of them as it is answered; other types are referred to as
 * <Type>.json, next to it. */
void openapi_print_type(buf_t *out, const object_schema_t *object, api_t api,
                        tmf_version_t version);
/* The schema of a type as any API has it in any version, as references to
 * <name>/<version>/<Type>.json: types of one name differ between them. Returns
 * the APIs that have it, 1 << api_t each. */
unsigned openapi_print_name(buf_t *out, const char *type);

#endif
