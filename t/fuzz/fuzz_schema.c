/*
 * The validator: never a crash, the same verdict whole and in pieces, and
 * error bodies that are JSON. The first byte of the input chooses resource,
 * rules and version, the second one where to cut.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/json.h"
#include "proto/schema.h"

#define PIECES_MAX 64
#define BODY_MAX   65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The resources with the rules of a POST and of a merge-patch, then of what
 * comes out of a PATCH, then a JSON Patch. */
static validator_t *
choose(uint8_t n)
{
    const object_schema_t *schemas[32] = {NULL};
    size_t count = 0;

    for (const resource_t *r = tmf_resources; r->name; r++) {
        if (r->create) {
            schemas[count++] = r->create;
        }
    }
    if (n == 255) {
        return validator_create_list(&tmf_json_patch);
    }
    if (n >= 128) {
        return validator_create(schemas[n % count], VALIDATE_RESULT,
                                n & 64 ? TMF_V5 : TMF_V4);
    }
    return validator_create(schemas[(n >> 1) % count],
                            n & 1 ? VALIDATE_CREATE : VALIDATE_MERGE,
                            n & 64 ? TMF_V5 : TMF_V4);
}

static int
validate(validator_t *v, str_t body, size_t piece, tmf_error_t *err)
{
    int rc = 0;

    while (rc == 0 && body.len > 0) {
        str_t chunk = {body.data, body.len < piece ? body.len : piece};
        rc = validator_feed(v, chunk, err);
        body.data += chunk.len;
        body.len -= chunk.len;
    }
    if (rc == 0) {
        rc = validator_finish(v, err);
    }
    validator_free(v);
    return rc;
}

static void
check_error(const tmf_error_t *err)
{
    static const json_handler_t nothing = {0};
    json_error_t fault;
    buf_t b;

    if (err->status != 400 && err->status != 413) {
        abort();
    }
    buf_init(&b, BODY_MAX);
    tmf_error_body(&b, err);
    json_reader_t *r = json_reader_create(&nothing, NULL);
    if (buf_failed(&b) || json_reader_feed(r, buf_view(&b), &fault) < 0 ||
        json_reader_finish(r, &fault) < 0) {
        abort();
    }
    json_reader_free(r);
    buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tmf_error_t err, other;

    if (size < 2) {
        return 0;
    }
    str_t body = {(const char *) data + 2, size - 2};
    size_t piece = 1 + data[1] + body.len / PIECES_MAX;
    int rc = validate(choose(data[0]), body, body.len + 1, &err);
    if (validate(choose(data[0]), body, piece, &other) != rc) {
        abort();
    }
    if (rc < 0) {
        if (err.code != other.code || strcmp(err.pointer, other.pointer)) {
            abort();
        }
        check_error(&err);
    }
    return 0;
}
