/*
 * PATCH: never a crash; what comes out is JSON again or is refused with an
 * error that has a body; a patch that is carried out twice from the same
 * document gives the same. The first byte chooses the dialect, a NUL ends the
 * document and begins the patch.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "backend/tmf/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_error(const tmf_error_t *err)
{
    if ((err->status != 400 && err->status != 409 && err->status != 413) ||
        err->message[0] == '\0') {
        abort();
    }
}

/* What the limits of JSON refuse is for patch_check() to say. */
static void
check_result(arena_t *a, str_t text)
{
    json_error_t fault;

    if (!json_parse(a, text, &fault) &&
        strcmp(fault.reason, "too many members in an object") != 0 &&
        strcmp(fault.reason, "too many array elements") != 0) {
        abort();
    }
}

static void
check_tables(const json_t *stored, str_t result)
{
    for (const resource_t *r = tmf_resources; r->name; r++) {
        tmf_error_t err = {0};

        if (r->create &&
            !patch_check(r->create, TMF_V4, stored, result, &err)) {
            check_error(&err);
        }
    }
}

static void
check_patch(arena_t *a, const json_t *stored, const json_t *patch,
            patch_kind_t kind)
{
    tmf_error_t err = {0};
    buf_t once, twice;
    bool good;

    buf_init(&once, JSON_MAX_BYTES);
    buf_init(&twice, JSON_MAX_BYTES);
    good = patch_apply(&once, a, stored, patch, kind, &err);
    if (patch_apply(&twice, a, stored, patch, kind, &err) != good ||
        !str_eq(buf_view(&once), buf_view(&twice))) {
        abort();
    }
    if (good) {
        check_result(a, buf_view(&once));
        check_tables(stored, buf_view(&once));
    } else {
        check_error(&err);
        if (once.len > 0) {
            abort();
        }
    }
    buf_free(&once);
    buf_free(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    str_t text = {(const char *) data + 1, size - 1};
    const char *end = memchr(text.data, '\0', text.len);
    if (!end) {
        return 0;
    }
    str_t first = {text.data, (size_t) (end - text.data)};
    str_t second = {end + 1, text.len - first.len - 1};
    arena_t *a = arena_create();
    const json_t *stored = json_parse(a, first, NULL);
    const json_t *patch = json_parse(a, second, NULL);

    if (stored && patch) {
        check_patch(a, stored, patch, (patch_kind_t) (data[0] % 3));
    }
    arena_free(a);
    return 0;
}
