/*
 * How a resource is to be shown to one client.
 */
#ifndef TURNUP_TMF_VIEW_H
#define TURNUP_TMF_VIEW_H

#include "proto/query.h"
#include "proto/schema.h"

typedef struct {
    str_t base;           /* "https://host", no trailing slash */
    str_t version;        /* "v4", "v5" */
    bool strict;          /* pendingExternal is shown as pending */
    const query_t *query; /* fields; NULL: everything */
} tmf_view_t;

/* What version says. */
tmf_version_t view_version(const tmf_view_t *v);
/* base + api path + "/" version "/" resource, as bytes (not JSON). */
void tmf_collection(buf_t *out, const tmf_view_t *v, api_t api,
                    str_t resource);
/* The same and "/" id. */
void tmf_href(buf_t *out, const tmf_view_t *v, api_t api, const char *resource,
              str_t id);

#endif
