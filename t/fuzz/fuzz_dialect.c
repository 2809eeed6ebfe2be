/*
 * Any JSON as a document of each resource: between the forms of v4 and v5 it
 * stays JSON, and what v5 was shown comes back to it.
 */
#include <stdint.h>
#include <stdlib.h>

#include "backend/tmf/dialect.h"

#define TEXT_MAX ((size_t) 64 << 20)

#define MUST(condition)     \
    do {                    \
        if (!(condition)) { \
            abort();        \
        }                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const json_t *
taken(arena_t *a, buf_t *out)
{
    MUST(!buf_failed(out));
    const json_t *doc = json_parse(a, arena_str(a, buf_view(out)), NULL);
    buf_free(out);
    return doc;
}

static const json_t *
turn(arena_t *a, const object_schema_t *schema, const json_t *doc,
     tmf_version_t to)
{
    buf_t out;

    buf_init(&out, TEXT_MAX);
    if (to == TMF_V5) {
        dialect_show(&out, schema, doc);
    } else {
        dialect_take(&out, schema, doc);
    }
    return taken(a, &out);
}

static void
check(arena_t *a, const object_schema_t *schema, const json_t *doc)
{
    const json_t *v5 = turn(a, schema, doc, TMF_V5);
    buf_t out;

    if (!v5) {
        return; /* an object more around it is beyond JSON's limits here */
    }
    const json_t *kept = turn(a, schema, v5, TMF_V4);
    MUST(kept && json_equal(turn(a, schema, kept, TMF_V5), v5));
    buf_init(&out, TEXT_MAX);
    dialect_take_changed(&out, schema, doc, v5, v5);
    kept = taken(a, &out);
    MUST(kept && json_equal(turn(a, schema, kept, TMF_V5), v5));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena_t *a = arena_create();
    const json_t *doc =
        json_parse(a, (str_t){(const char *) data, size}, NULL);

    for (const resource_t *r = tmf_resources; doc && r->name; r++) {
        if (r->create) {
            check(a, r->create, doc);
        }
    }
    arena_free(a);
    return 0;
}
