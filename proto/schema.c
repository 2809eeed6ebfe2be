/*
 * The resources that can be routed to. Their attributes are in
 * schema_<api>.c, the walk along them in validator.c.
 */
#include "proto/schema_tables.h"

static const struct {
    const char *name, *path, *title;
    const char *release[TMF_VERSION_COUNT];
} apis[API_COUNT] = {
    [API_ORDERING] = {"ordering",
                      "/tmf-api/serviceOrdering",
                      "TMF641 Service Ordering",
                      {"4.1.0", NULL}},
    [API_INVENTORY] = {"inventory",
                       "/tmf-api/serviceInventory",
                       "TMF638 Service Inventory",
                       {"4.0.0", "5.0.0"}},
    [API_CATALOG] = {"catalog",
                     "/tmf-api/serviceCatalogManagement",
                     "TMF633 Service Catalog",
                     {"4.0.0", NULL}},
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

const char *
api_title(api_t api)
{
    return apis[api].title;
}

const char *
api_release(api_t api, tmf_version_t version)
{
    return apis[api].release[version];
}

static const char *const version_names[TMF_VERSION_COUNT] = {
    [TMF_V4] = "v4",
    [TMF_V5] = "v5",
};

const char *
tmf_version_name(tmf_version_t version)
{
    return version_names[version];
}

bool
tmf_version_parse(str_t name, tmf_version_t *ret)
{
    for (int i = 0; i < TMF_VERSION_COUNT; i++) {
        if (str_is(name, version_names[i])) {
            *ret = (tmf_version_t) i;
            return true;
        }
    }
    return false;
}

bool
attr_is_of(const attr_schema_t *attr, tmf_version_t version)
{
    unsigned only = attr->flags & (ATTR_V4 | ATTR_V5);

    return only == 0 || (only & (version == TMF_V5 ? ATTR_V5 : ATTR_V4));
}

bool
attr_is_mandatory(const attr_schema_t *attr, tmf_version_t version)
{
    return attr->flags &
           (version == TMF_V5 ? ATTR_MANDATORY_V5 : ATTR_MANDATORY_V4);
}

const attr_schema_t *
attr_find(const object_schema_t *schema, str_t name, tmf_version_t version)
{
    for (const attr_schema_t *attr = schema->attrs; attr->name; attr++) {
        if (str_is(name, attr->name) && attr_is_of(attr, version)) {
            return attr;
        }
    }
    return NULL;
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
