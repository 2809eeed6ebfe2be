/*
 * The resources that can be routed to. Their attributes are in
 * schema_<api>.c, the walk along them in validator.c.
 */
#include "proto/schema_tables.h"

static const struct {
    const char *name, *path;
    api_standard_t standard;
} apis[API_COUNT] = {
    [API_ORDERING] = {"ordering",
                      "/tmf-api/serviceOrdering",
                      {"TMF641 Service Ordering", "4.1.0"}},
    [API_INVENTORY] = {"inventory",
                       "/tmf-api/serviceInventory",
                       {"TMF638 Service Inventory", "4.0.0"}},
    [API_CATALOG] = {"catalog",
                     "/tmf-api/serviceCatalogManagement",
                     {"TMF633 Service Catalog", "4.0.0"}},
};

/* A resource of TMF633 that clients create, change and delete. */
#define MANAGED(resource, schema)                                 \
    {                                                             \
        .api = API_CATALOG, .name = resource, .create = &schema,  \
        .patch = &schema, .collection = METHOD_GET | METHOD_POST, \
        .item = METHOD_GET | METHOD_PATCH | METHOD_DELETE,        \
    }

#define JOB(resource, schema)                                    \
    {                                                            \
        .api = API_CATALOG, .name = resource, .create = &schema, \
        .collection = METHOD_GET | METHOD_POST,                  \
        .item = METHOD_GET | METHOD_DELETE,                      \
    }

/* Resources without a schema are not taken in yet. */
const resource_t tmf_resources[] = {
    {
        .api = API_ORDERING,
        .name = "serviceOrder",
        .create = &tmf_service_order,
        .patch = &tmf_service_order,
        .collection = METHOD_GET | METHOD_POST,
        .item = METHOD_GET | METHOD_PATCH | METHOD_DELETE,
        .post_fields = true,
    },
    {
        .api = API_ORDERING,
        .name = "cancelServiceOrder",
        .create = &tmf_cancel_service_order,
        .collection = METHOD_GET | METHOD_POST,
        .item = METHOD_GET,
    },
    {
        .api = API_ORDERING,
        .name = "hub",
        .input = "EventSubscriptionInput",
        .create = &tmf_hub,
        .collection = METHOD_POST,
        .item = METHOD_DELETE,
    },
    {
        .api = API_INVENTORY,
        .name = "service",
        .create = &tmf_service,
        .patch = &tmf_service,
        .collection = METHOD_GET | METHOD_POST,
        .item = METHOD_GET | METHOD_PATCH | METHOD_DELETE,
    },
    {
        .api = API_INVENTORY,
        .name = "hub",
        .input = "EventSubscriptionInput",
        .create = &tmf_hub,
        .collection = METHOD_POST,
        .item = METHOD_DELETE,
    },
    MANAGED("serviceCatalog", tmf_service_catalog),
    MANAGED("serviceCategory", tmf_service_category),
    MANAGED("serviceCandidate", tmf_service_candidate),
    MANAGED("serviceSpecification", tmf_service_specification),
    JOB("importJob", tmf_import_job),
    JOB("exportJob", tmf_export_job),
    {
        .api = API_CATALOG,
        .name = "hub",
        .input = "EventSubscriptionInput",
        .create = &tmf_hub,
        .collection = METHOD_POST,
        .item = METHOD_DELETE,
    },
    {.name = NULL},
};

const char *
api_name(api_t api)
{
    return apis[api].name;
}

const char *
api_path(api_t api)
{
    return apis[api].path;
}

const api_standard_t *
api_standard(api_t api)
{
    return &apis[api].standard;
}

const resource_t *
resource_find(api_t api, str_t name)
{
    for (const resource_t *r = tmf_resources; r->name; r++) {
        if (r->api == api && str_is(name, r->name)) {
            return r;
        }
    }
    return NULL;
}

attr_type_t
schema_type(const object_schema_t *schema, const str_t *names, int n)
{
    attr_type_t type = ATTR_OBJECT;

    for (int i = 0; i < n; i++) {
        const attr_schema_t *attr = schema ? schema->attrs : NULL;

        while (attr && attr->name && !str_is(names[i], attr->name)) {
            attr++;
        }
        if (!attr || !attr->name) {
            return ATTR_ANY;
        }
        type = attr->type;
        schema = type == ATTR_OBJECT ? attr->object : NULL;
    }
    return type;
}
