/*
 * The validator: never a crash, the same verdict whole and in pieces, and
 * error bodies that are JSON. The first byte of the input chooses resource
 * and method, the second one where to cut.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/schema.h"

#define PIECES_MAX 64
#define BODY_MAX   65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const object_schema_t *
choose(uint8_t n, bool *ret_create)
{
    const object_schema_t *schemas[32] = {NULL};
    size_t count = 0;

    for (const resource_t *r = tmf_resources; r->name; r++) {
        if (r->create) {
            schemas[count++] = r->create;
        }
    }
    *ret_create = n & 1;
    return schemas[(n >> 1) % count];
}

static int
validate(const object_schema_t *schema, bool create, str_t body, size_t piece,
         tmf_error_t *err)
{
    validator_t *v =
        validator_create(schema, create ? VALIDATE_CREATE : VALIDATE_MERGE);
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
    bool create;

    if (size < 2) {
        return 0;
    }
    const object_schema_t *schema = choose(data[0], &create);
    str_t body = {(const char *) data + 2, size - 2};
    size_t piece = 1 + data[1] + body.len / PIECES_MAX;
    int rc = validate(schema, create, body, body.len + 1, &err);
    if (validate(schema, create, body, piece, &other) != rc) {
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
