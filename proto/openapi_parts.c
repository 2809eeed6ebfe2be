/*
 * Parameters, headers and responses as OpenAPI components; see
 * proto/openapi_parts.h.
 */
#include "proto/openapi_parts.h"

#include "proto/json_write.h"
#include "proto/schema.h"

static const struct {
    unsigned on; /* TAKES_* */
    const char *key;
    const char *name;
    const char *in;
    const char *more; /* schema and what else there is, as JSON */
    const char *description;
} parameters[] = {
    {TAKES_ID, "id", "id", "path",
     "\"required\":true,\"schema\":{\"type\":\"string\"}", "of the resource"},
    {TAKES_FIELDS, "fields", "fields", "query",
     "\"schema\":{\"type\":\"string\"}",
     "attributes to show, separated by commas; id and href always are"},
    {TAKES_LIST, "offset", "offset", "query",
     "\"schema\":{\"type\":\"integer\",\"minimum\":0,\"default\":0}",
     "how many resources to pass over"},
    {TAKES_LIST, "limit", "limit", "query",
     "\"schema\":{\"type\":\"integer\",\"minimum\":0}",
     "how many resources to show at most"},
    {TAKES_LIST, "sort", "sort", "query",
     "\"schema\":{\"type\":\"string\"},\"example\":\"state,-id\"",
     "attributes to sort by, separated by commas; - before one: descending"},
    {TAKES_LIST, "filter", "filter", "query",
     "\"style\":\"form\",\"explode\":true,\"schema\":{\"type\":\"object\","
     "\"additionalProperties\":{\"type\":\"string\"}},"
     "\"example\":{\"relatedParty.id\":\"p-1\"}",
     "any attribute, dotted where it is inner: what is equal; with .gt, .gte, "
     ".lt, .lte, .ne behind the name: what compares so; values separated by "
     "commas: any of them; several attributes: all of them"},
    {TAKES_KEY, "idempotencyKey", "Idempotency-Key", "header",
     "\"schema\":{\"type\":\"string\",\"pattern\":\"^[!-~]{1,255}$\"}",
     "the same key and body yield the same resource, however often sent"},
    {TAKES_CONDITION, "ifMatch", "If-Match", "header",
     "\"schema\":{\"type\":\"string\"}",
     "RFC 9110: only when the ETag is one of these, else 412"},
    {TAKES_CONDITION, "ifNoneMatch", "If-None-Match", "header",
     "\"schema\":{\"type\":\"string\"}",
     "RFC 9110: only when the ETag is none of these"},
};

enum {
    TELLS_LOCATION = 1 << 0,
    TELLS_COUNTS = 1 << 1,
    TELLS_ETAG = 1 << 2,
    TELLS_RETRY = 1 << 3
};

static const struct {
    unsigned on; /* TELLS_* */
    const char *name;
    const char *type;
    const char *description;
} headers[] = {
    {TELLS_LOCATION, "Location", "string", "where the new resource is"},
    {TELLS_COUNTS, "X-Total-Count", "integer", "how many resources match"},
    {TELLS_COUNTS, "X-Result-Count", "integer", "how many are shown here"},
    {TELLS_ETAG, "ETag", "string", "of the resource as it is shown here"},
    {TELLS_RETRY, "Retry-After", "integer", "seconds"},
};

typedef enum { BODY_NONE, BODY_ONE, BODY_LIST, BODY_ERROR } body_t;

/* Every status that is answered, 0 for all others. Those with a key stand
 * under components/responses. */
typedef struct {
    int status;
    body_t body;
    unsigned tells; /* TELLS_* */
    const char *key;
    const char *description;
} response_t;

static const response_t responses[] = {
    {200, BODY_ONE, TELLS_ETAG, NULL, "As it is now"},
    {200, BODY_LIST, TELLS_COUNTS, NULL, "All that matches"},
    {201, BODY_ONE, TELLS_LOCATION | TELLS_ETAG, NULL, "Created"},
    {204, BODY_NONE, 0, NULL, "Gone"},
    {206, BODY_LIST, TELLS_COUNTS, NULL, "Some of what matches"},
    {304, BODY_NONE, TELLS_ETAG, "NotModified",
     "As the client has it (If-None-Match)"},
    {400, BODY_ERROR, 0, "BadRequest", "The request is wrong"},
    {404, BODY_ERROR, 0, "NotFound", "No such resource"},
    {406, BODY_ERROR, 0, "NotAcceptable", "Accept excludes application/json"},
    {409, BODY_ERROR, 0, "Conflict", "Not in the state it is in now"},
    {412, BODY_ERROR, 0, "PreconditionFailed",
     "If-Match or If-None-Match does not hold"},
    {413, BODY_ERROR, 0, "TooLarge", "The body is too large"},
    {415, BODY_ERROR, 0, "UnsupportedMediaType",
     "The body is of another type or compressed"},
    {500, BODY_ERROR, 0, "InternalError", "The request could not be served"},
    {503, BODY_ERROR, TELLS_RETRY, "Unavailable",
     "For the moment nobody can serve it"},
    {504, BODY_ERROR, 0, "Timeout",
     "No answer in time; whether it is done is not known"},
    {0, BODY_ERROR, 0, "Other",
     "Any other refusal, of nginx or a proxy in front of it"},
};

#define RESPONSES (sizeof(responses) / sizeof(responses[0]))

/* {"$ref":"#/components/<kind>/<key>"} */
static void
put_component(buf_t *out, const char *kind, const char *key)
{
    buf_printf(out, "{\"$ref\":\"#/components/%s/%s\"}", kind, key);
}

void
openapi_put_parameters(buf_t *out, unsigned takes)
{
    if (takes == 0) {
        return;
    }
    json_begin(out, "parameters", '[');
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        if (takes & parameters[i].on) {
            json_comma(out);
            put_component(out, "parameters", parameters[i].key);
        }
    }
    json_end(out, ']');
}

static void
put_headers(buf_t *out, unsigned tells)
{
    if (tells == 0) {
        return;
    }
    json_begin(out, "headers", '{');
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (headers[i].on & tells) {
            json_name(out, headers[i].name);
            put_component(out, "headers", headers[i].name);
        }
    }
    json_end(out, '}');
}

static void
put_content(buf_t *out, const char *type, bool list)
{
    json_begin(out, "content", '{');
    json_begin(out, JSON_TYPE, '{');
    json_begin(out, "schema", '{');
    if (list) {
        json_put_text(out, "type", STR("array"));
        json_begin(out, "items", '{');
    }
    json_name(out, "$ref");
    buf_printf(out, "\"" OPENAPI_SCHEMAS "%s\"", type);
    if (list) {
        json_end(out, '}');
    }
    json_end(out, '}');
    json_end(out, '}');
    json_end(out, '}');
}

static void
put_response(buf_t *out, const response_t *response, const char *type,
             unsigned tells)
{
    buf_char(out, '{');
    json_put_text(out, "description", str_of(response->description));
    put_headers(out, response->tells & tells);
    if (response->body != BODY_NONE) {
        put_content(out, type, response->body == BODY_LIST);
    }
    json_end(out, '}');
}

static const response_t *
find_response(int status, bool list)
{
    const response_t *found = &responses[RESPONSES - 1];

    for (size_t i = 0; i < RESPONSES; i++) {
        if (responses[i].status == status &&
            (status != 200 || (responses[i].body == BODY_LIST) == list)) {
            found = &responses[i];
        }
    }
    return found;
}

void
openapi_put_response(buf_t *out, int status, const char *type, bool list,
                     bool tagged)
{
    const response_t *response = find_response(status, list);

    json_comma(out);
    if (response->status) {
        buf_printf(out, "\"%d\":", response->status);
    } else {
        buf_puts(out, "\"default\":");
    }
    if (response->key) {
        put_component(out, "responses", response->key);
    } else {
        put_response(out, response, type,
                     tagged ? ~0u : ~(unsigned) TELLS_ETAG);
    }
}

static void
put_shared_parameters(buf_t *out)
{
    json_begin(out, "parameters", '{');
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        json_begin(out, parameters[i].key, '{');
        json_put_text(out, "name", str_of(parameters[i].name));
        json_put_text(out, "in", str_of(parameters[i].in));
        json_put_text(out, "description", str_of(parameters[i].description));
        json_comma(out);
        buf_puts(out, parameters[i].more);
        json_end(out, '}');
    }
    json_end(out, '}');
}

static void
put_shared_headers(buf_t *out)
{
    json_begin(out, "headers", '{');
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        json_begin(out, headers[i].name, '{');
        json_put_text(out, "description", str_of(headers[i].description));
        json_begin(out, "schema", '{');
        json_put_text(out, "type", str_of(headers[i].type));
        json_end(out, '}');
        json_end(out, '}');
    }
    json_end(out, '}');
}

static void
put_shared_responses(buf_t *out)
{
    json_begin(out, "responses", '{');
    for (size_t i = 0; i < RESPONSES; i++) {
        if (responses[i].key) {
            json_name(out, responses[i].key);
            put_response(out, &responses[i], tmf_error.name, ~0u);
        }
    }
    json_end(out, '}');
}

void
openapi_put_shared(buf_t *out)
{
    put_shared_parameters(out);
    put_shared_headers(out);
    put_shared_responses(out);
}
