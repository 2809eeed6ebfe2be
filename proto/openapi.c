/*
 * The tables as OpenAPI 3.0.3; see proto/openapi.h. What an operation takes
 * and answers is the same for all resources (TMF630), so it is one table here.
 */
#include "proto/openapi.h"

#include "proto/json_write.h"
#include "proto/openapi_parts.h"
#include "proto/patch_type.h"

#define DRAFT "https://json-schema.org/draft/2020-12/schema"

#define TMF_API "/tmf-api/"

static const schema_dialect_t openapi_dialects[TMF_VERSION_COUNT] = {
    [TMF_V4] = {TMF_V4, OPENAPI_SCHEMAS, "", true},
    [TMF_V5] = {TMF_V5, OPENAPI_SCHEMAS, "", true},
};
static const schema_dialect_t file_dialects[TMF_VERSION_COUNT] = {
    [TMF_V4] = {TMF_V4, "", ".json", false},
    [TMF_V5] = {TMF_V5, "", ".json", false},
};

typedef struct {
    unsigned method; /* METHOD_* */
    bool item;       /* on /resource/{id} */
    const char *verb;
    const char *name; /* of the operation, before that of the type */
    unsigned takes;   /* TAKES_* */
    shape_t shape;    /* of the body, SHAPE_PART: none */
    int statuses[16]; /* ends with 0 */
} operation_t;

static const operation_t operations[] = {
    {METHOD_GET,
     false,
     "get",
     "list",
     TAKES_FIELDS | TAKES_LIST,
     SHAPE_PART,
     {200, 206, 400, 406, 500, 503, 504}},
    {METHOD_POST,
     false,
     "post",
     "create",
     TAKES_FIELDS | TAKES_KEY,
     SHAPE_CREATE,
     {201, 400, 406, 409, 413, 415, 500, 503, 504}},
    {METHOD_GET,
     true,
     "get",
     "retrieve",
     TAKES_FIELDS | TAKES_CONDITION,
     SHAPE_PART,
     {200, 304, 400, 404, 406, 412, 500, 503, 504}},
    {METHOD_PATCH,
     true,
     "patch",
     "patch",
     TAKES_FIELDS | TAKES_CONDITION,
     SHAPE_UPDATE,
     {200, 400, 404, 406, 409, 412, 413, 415, 500, 503, 504}},
    {METHOD_DELETE,
     true,
     "delete",
     "delete",
     TAKES_CONDITION,
     SHAPE_PART,
     {204, 400, 404, 406, 409, 412, 500, 503, 504}},
};

const char *
openapi_name(api_t api)
{
    return api_path(api) + sizeof(TMF_API) - 1;
}

/* Resources that answer nothing but 501 are not part of the contract. */
static bool
is_served(const resource_t *r, api_t api)
{
    return r->api == api && (r->collection || r->item);
}

static unsigned
served(const resource_t *r, bool item)
{
    return item ? r->item : r->collection;
}

/* Only what can be read by its id has an ETag. */
static bool
is_conditional(const resource_t *r)
{
    return r->item & METHOD_GET;
}

/* TMF names the bodies after the type. */
static void
put_type_name(buf_t *out, const resource_t *r, shape_t shape)
{
    switch (shape) {
    case SHAPE_CREATE:
        if (r->input) {
            buf_puts(out, r->input);
        } else {
            buf_printf(out, "%s_Create", r->create->name);
        }
        break;
    case SHAPE_UPDATE:
        buf_printf(out, "%s_Update", r->patch->name);
        break;
    case SHAPE_PART:
    case SHAPE_SHOWN:
    case SHAPE_WHOLE:
        buf_puts(out, r->create->name);
        break;
    }
}

/* A media type and its schema. */
static void
put_content(buf_t *out, const char *media_type, const resource_t *r,
            shape_t shape)
{
    json_begin(out, media_type, '{');
    json_begin(out, "schema", '{');
    json_name(out, "$ref");
    buf_puts(out, "\"" OPENAPI_SCHEMAS);
    put_type_name(out, r, shape);
    buf_char(out, '"');
    json_end(out, '}');
    json_end(out, '}');
}

static void
put_json_patch(buf_t *out, const char *media_type, tmf_version_t version)
{
    json_begin(out, media_type, '{');
    json_begin(out, "schema", '{');
    json_schema_list(out, &tmf_json_patch, &openapi_dialects[version]);
    json_end(out, '}');
    json_end(out, '}');
}

static void
put_patches(buf_t *out, const resource_t *r, tmf_version_t version)
{
    const patch_type_t *type;

    for (size_t i = 0; (type = patch_type_at(i)) != NULL; i++) {
        if (type->kind == PATCH_MERGE) {
            put_content(out, type->name.data, r, SHAPE_UPDATE);
        } else {
            put_json_patch(out, type->name.data, version);
        }
    }
}

static unsigned
taken(const operation_t *op, const resource_t *r, tmf_version_t version)
{
    unsigned takes = op->takes;

    if (!is_conditional(r)) {
        takes &= ~(unsigned) (TAKES_CONDITION | TAKES_FIELDS);
    }
    if (op->method != METHOD_GET && version == TMF_V4 &&
        !(op->method == METHOD_POST && r->post_fields)) {
        takes &= ~(unsigned) TAKES_FIELDS;
    }
    return takes;
}

static void
put_request(buf_t *out, const operation_t *op, const resource_t *r,
            tmf_version_t version)
{
    if (op->shape == SHAPE_PART) {
        return;
    }
    json_begin(out, "requestBody", '{');
    json_put_bool(out, "required", true);
    json_begin(out, "content", '{');
    if (op->shape == SHAPE_UPDATE) {
        put_patches(out, r, version);
    } else {
        put_content(out, JSON_TYPE, r, op->shape);
    }
    json_end(out, '}');
    json_end(out, '}');
}

static void
put_responses(buf_t *out, const operation_t *op, const resource_t *r)
{
    bool list = op->method == METHOD_GET && !op->item;

    json_begin(out, "responses", '{');
    for (const int *status = op->statuses; *status; status++) {
        if (is_conditional(r) || (*status != 304 && *status != 412)) {
            openapi_put_response(out, *status, r->create->name, list,
                                 is_conditional(r));
        }
    }
    openapi_put_response(out, 0, NULL, false, false);
    json_end(out, '}');
}

static void
put_operation(buf_t *out, const operation_t *op, const resource_t *r,
              tmf_version_t version)
{
    json_begin(out, op->verb, '{');
    json_name(out, "operationId");
    buf_printf(out, "\"%s", op->name);
    put_type_name(out, r, SHAPE_SHOWN);
    buf_char(out, '"');
    json_begin(out, "tags", '[');
    buf_json(out, str_of(r->name));
    json_end(out, ']');
    openapi_put_parameters(out, taken(op, r, version));
    put_request(out, op, r, version);
    put_responses(out, op, r);
    json_end(out, '}');
}

static void
put_path(buf_t *out, const resource_t *r, bool item, tmf_version_t version)
{
    json_comma(out);
    buf_printf(out, "\"/%s%s\":{", r->name, item ? "/{id}" : "");
    if (item) {
        openapi_put_parameters(out, TAKES_ID);
    }
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        const operation_t *op = &operations[i];
        if (op->item == item && (op->method & served(r, item))) {
            put_operation(out, op, r, version);
        }
    }
    json_end(out, '}');
}

static void
put_paths(buf_t *out, api_t api, tmf_version_t version)
{
    json_begin(out, "paths", '{');
    for (const resource_t *r = tmf_resources; r->name; r++) {
        if (!is_served(r, api)) {
            continue;
        }
        if (r->collection) {
            put_path(out, r, false, version);
        }
        if (r->item) {
            put_path(out, r, true, version);
        }
    }
    json_end(out, '}');
}

static shape_t
shape_of(const object_schema_t *object, api_t api)
{
    for (const resource_t *r = tmf_resources; r->name; r++) {
        if (is_served(r, api) && r->create == object) {
            return r->item & METHOD_GET ? SHAPE_SHOWN : SHAPE_WHOLE;
        }
    }
    return SHAPE_PART;
}

static void
put_body_schema(buf_t *out, const resource_t *r, shape_t shape,
                tmf_version_t version)
{
    json_comma(out);
    buf_char(out, '"');
    put_type_name(out, r, shape);
    buf_puts(out, "\":{");
    json_schema_members(out, shape == SHAPE_UPDATE ? r->patch : r->create,
                        shape, &openapi_dialects[version]);
    json_end(out, '}');
}

static void
put_schemas(buf_t *out, api_t api, tmf_version_t version)
{
    object_set_t types;

    openapi_types(&types, api, version);
    json_begin(out, "schemas", '{');
    for (int i = 0; i < types.count; i++) {
        json_begin(out, types.objects[i]->name, '{');
        json_schema_members(out, types.objects[i],
                            shape_of(types.objects[i], api),
                            &openapi_dialects[version]);
        json_end(out, '}');
    }
    for (const resource_t *r = tmf_resources; r->name; r++) {
        if (is_served(r, api) && (r->collection & METHOD_POST)) {
            put_body_schema(out, r, SHAPE_CREATE, version);
        }
        if (is_served(r, api) && (r->item & METHOD_PATCH)) {
            put_body_schema(out, r, SHAPE_UPDATE, version);
        }
    }
    json_end(out, '}');
}

static void
put_info(buf_t *out, api_t api, tmf_version_t version)
{
    json_begin(out, "info", '{');
    json_put_text(out, "title", str_of(api_title(api)));
    json_put_text(out, "version", str_of(api_release(api, version)));
    json_put_text(out, "description",
                  STR("What this installation of turnup serves. Attributes "
                      "with a description are its own; attributes that are "
                      "not named here are kept and given back."));
    json_end(out, '}');
}

void
openapi_print(buf_t *out, api_t api, tmf_version_t version)
{
    buf_char(out, '{');
    json_put_text(out, "openapi", STR("3.0.3"));
    put_info(out, api, version);
    json_begin(out, "servers", '[');
    buf_printf(out, "{\"url\":\"../..%s/%s\"}", api_path(api),
               tmf_version_name(version));
    json_end(out, ']');
    put_paths(out, api, version);
    json_begin(out, "components", '{');
    put_schemas(out, api, version);
    openapi_put_shared(out);
    json_end(out, '}');
    json_end(out, '}');
    buf_char(out, '\n');
}

void
openapi_types(object_set_t *set, api_t api, tmf_version_t version)
{
    set->count = 0;
    for (const resource_t *r = tmf_resources; r->name; r++) {
        if (is_served(r, api)) {
            /* t/unit: there is room */
            (void) object_set_add(set, r->create, version);
        }
        if (is_served(r, api) && (r->item & METHOD_PATCH)) {
            (void) object_set_add(set, tmf_json_patch.object, version);
        }
    }
    (void) object_set_add(set, &tmf_error, version);
}

static void
begin_schema(buf_t *out, const char *title)
{
    buf_char(out, '{');
    json_put_text(out, "$schema", STR(DRAFT));
    json_put_text(out, "title", str_of(title));
}

void
openapi_print_type(buf_t *out, const object_schema_t *object, api_t api,
                   tmf_version_t version)
{
    begin_schema(out, object->name);
    json_schema_members(out, object, shape_of(object, api),
                        &file_dialects[version]);
    json_end(out, '}');
    buf_char(out, '\n');
}

static bool
has_type(api_t api, tmf_version_t version, const char *type)
{
    object_set_t types;

    if (!api_release(api, version)) {
        return false;
    }
    openapi_types(&types, api, version);
    for (int i = 0; i < types.count; i++) {
        if (!strcmp(types.objects[i]->name, type)) {
            return true;
        }
    }
    return false;
}

static void
put_place(buf_t *out, api_t api, tmf_version_t version, const char *type)
{
    json_comma(out);
    buf_printf(out, "{\"$ref\":\"%s/%s/%s.json\"}", openapi_name(api),
               tmf_version_name(version), type);
}

unsigned
openapi_print_name(buf_t *out, const char *type)
{
    unsigned apis = 0;

    begin_schema(out, type);
    json_begin(out, "anyOf", '[');
    for (int api = 0; api < API_COUNT; api++) {
        for (int v = 0; v < TMF_VERSION_COUNT; v++) {
            if (has_type((api_t) api, (tmf_version_t) v, type)) {
                put_place(out, (api_t) api, (tmf_version_t) v, type);
                apis |= 1u << api;
            }
        }
    }
    json_end(out, ']');
    json_end(out, '}');
    buf_char(out, '\n');
    return apis;
}
