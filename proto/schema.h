/*
 * The resources as tables, and the validator that walks a body along them.
 *
 * One row an attribute: name, type, cardinality, mandatory on create,
 * settable on create and patch. Unknown attributes are legal (TMF's
 * extension pattern) and are kept by those behind us. Sources: the published
 * definitions TMF641 v4.1, TMF638 v4.0 and v5.0, TMF633 v4.0. The tables are
 * the contract: proto/openapi.h prints them.
 *
 * One table serves both versions: a row may be of one version only, and
 * mandatory in one only. Of two rows with one name that of v4 stands first:
 * v4 is the form in which documents are kept (backend/tmf/dialect.h).
 */
#ifndef TURNUP_PROTO_SCHEMA_H
#define TURNUP_PROTO_SCHEMA_H

#include "proto/error.h"
#include "proto/str.h"

typedef enum { TMF_V4, TMF_V5, TMF_VERSION_COUNT } tmf_version_t;

typedef enum {
    ATTR_ANY, /* any JSON */
    ATTR_STRING,
    ATTR_BOOLEAN,
    ATTR_INTEGER,
    ATTR_NUMBER,
    ATTR_DATE_TIME, /* RFC 3339; "+0000" is taken too */
    ATTR_URI,       /* absolute http(s) URL */
    ATTR_ENUM,      /* one of .values */
    ATTR_OBJECT     /* of .object's attributes */
} attr_type_t;

enum {
    ATTR_LIST = 1 << 0,         /* an array of the type */
    ATTR_MANDATORY_V4 = 1 << 1, /* when the object is created */
    ATTR_NON_EMPTY = 1 << 2,    /* where it is mandatory: a list with at least
                                   one, a text not blank */
    ATTR_SERVER = 1 << 3,       /* the server sets it: ignored on create ... */
    ATTR_FIXED = 1 << 4,        /* ... and a PATCH may not change it */
    ATTR_FORBIDDEN = 1 << 5,    /* refused on create but for "acknowledged" */
    ATTR_UNIQUE = 1 << 6,       /* a list of objects whose id differ */
    ATTR_SELECTS = 1 << 7,      /* an enum: its value makes others mandatory */
    ATTR_NULLABLE = 1 << 8,     /* answers may show it as null */
    ATTR_V4 = 1 << 9,           /* only in this version */
    ATTR_V5 = 1 << 10,
    ATTR_MANDATORY_V5 = 1 << 11,
    ATTR_NESTED = 1 << 12, /* holds what v4 has in the object around it, but
                              for the role */
    ATTR_TYPES = 1 << 13,  /* the kind of value is the first word of the
                              object's @type in v5 */
    ATTR_FILE = 1 << 14,   /* a URL that may also be a file's */
    ATTR_MANDATORY = ATTR_MANDATORY_V4 | ATTR_MANDATORY_V5
};

typedef struct object_schema object_schema_t;

typedef struct {
    const char *name;
    attr_type_t type;
    unsigned flags;
    const object_schema_t *object; /* ATTR_OBJECT */
    const char *const *values;     /* of ATTR_ENUM, NULL-terminated */
    const char *shown; /* ATTR_ENUM: one more, in answers only; or NULL */
    const char *note;  /* what it is, where no standard says so; or NULL */
    const char *const *selected; /* those of the object's ATTR_SELECTS that
                                    make this one mandatory, or NULL */
} attr_schema_t;

struct object_schema {
    const char *name;           /* the TMF type's name */
    const attr_schema_t *attrs; /* ends with name NULL */
};

typedef enum { API_ORDERING, API_INVENTORY, API_CATALOG, API_COUNT } api_t;

enum {
    METHOD_GET = 1 << 0,
    METHOD_POST = 1 << 1,
    METHOD_PATCH = 1 << 2,
    METHOD_DELETE = 1 << 3
};

/* One routable resource of an API. */
typedef struct {
    api_t api;
    const char *name;              /* "serviceOrder", "hub", ... */
    const char *input;             /* the type of POST's body where the
                                      standard does not call it X_Create */
    const object_schema_t *create; /* body of POST */
    const object_schema_t *patch;  /* body of PATCH, or NULL */
    unsigned collection;           /* METHOD_* served without an id */
    unsigned item;                 /* METHOD_* served with an id */
    unsigned standard; /* METHOD_* the standard has and we answer 501 */
    bool post_fields;  /* fields= shapes a POST's 201, too */
} resource_t;

extern const resource_t tmf_resources[]; /* ends with name NULL */
extern const object_schema_t tmf_error;  /* what error.h prints */
/* TMF638 v5 ServiceOperatingStatusType; ends with NULL. */
extern const char *const tmf_operating_statuses[];

/* "ordering", "inventory", "catalog": stream names and metrics. */
const char *api_name(api_t api);
/* "/tmf-api/serviceOrdering", ... without version */
const char *api_path(api_t api);
/* "TMF641 Service Ordering" */
const char *api_title(api_t api);
/* Of the published definition that the tables follow: "4.1.0". NULL: the API
 * is not served in that version. */
const char *api_release(api_t api, tmf_version_t version);
/* "v4" */
const char *tmf_version_name(tmf_version_t version);
/* false: no version of ours. */
bool tmf_version_parse(str_t name, tmf_version_t *ret);
/* Is the row one of this version? */
bool attr_is_of(const attr_schema_t *attr, tmf_version_t version);
/* Is it mandatory there, when the object is created? */
bool attr_is_mandatory(const attr_schema_t *attr, tmf_version_t version);
/* The row of an attribute in that version, or NULL. */
const attr_schema_t *attr_find(const object_schema_t *schema, str_t name,
                               tmf_version_t version);
/* The row for a resource name, or NULL. */
const resource_t *resource_find(api_t api, str_t name);
/* The type of the attribute that n names lead to, through lists and objects;
 * ATTR_ANY where the schema (NULL: none) does not know it. */
attr_type_t schema_type(const object_schema_t *schema, const str_t *names,
                        int n);

/* The body of a JSON Patch (RFC 6902), for validator_create_list(). */
extern const attr_schema_t tmf_json_patch;

typedef struct validator validator_t;

typedef enum {
    VALIDATE_MERGE,  /* a merge-patch: mandatory attributes may be absent, null
                        deletes */
    VALIDATE_CREATE, /* a POST */
    VALIDATE_RESULT  /* what a PATCH made of a resource: a POST's rules, but
                        its state may be any, what the server sets is looked at
                        too, what a PATCH may not change is not */
} validate_t;

/* Checks a body while it comes in, chunk by chunk. NULL when out of memory. */
validator_t *validator_create(const object_schema_t *schema, validate_t rules,
                              tmf_version_t version);
/* The body is an array, as the row says; its elements by a POST's rules. */
validator_t *validator_create_list(const attr_schema_t *list);
void validator_free(validator_t *v);
/* 0, or -1 with *err (a 400 or 413); then only free. */
int validator_feed(validator_t *v, str_t chunk, tmf_error_t *err);
int validator_finish(validator_t *v, tmf_error_t *err);
/* A whole body at once. false with *err (a 400, 413; 500: out of memory). */
bool validator_check(const object_schema_t *schema, validate_t rules,
                     tmf_version_t version, str_t body, tmf_error_t *err);

/* RFC 3339 to microseconds since the epoch; also with "+0000". false: not
 * one. */
bool rfc3339_parse(str_t s, long long *ret_us);
/* Writes "2030-01-01T00:00:00.000Z" (24 characters and NUL). */
void rfc3339_print(long long us, char out[32]);

#endif
