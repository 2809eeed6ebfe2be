/*
 * Any JSON as a posted service: to the inventory's record, back to a client,
 * and once more as what a PATCH without effect has made of it. What comes back
 * must be JSON, and the same again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "backend/tmf/service.h"

#define MUST(condition)     \
    do {                    \
        if (!(condition)) { \
            abort();        \
        }                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const json_t *
show(arena_t *a, const service_record_t *s)
{
    tmf_view_t view = {STR("https://h"), STR("v4"), true, NULL};
    buf_t out;

    buf_init(&out, (size_t) 64 << 20);
    service_to_tmf(&out, a, s, &view);
    MUST(!buf_failed(&out));
    const json_t *shown = json_parse(a, arena_str(a, buf_view(&out)), NULL);
    MUST(shown && json_text(shown, "state").len > 0);
    buf_free(&out);
    return shown;
}

static void
check_service(arena_t *a, const service_record_t *s, const json_t *doc)
{
    const json_t *shown = show(a, s);
    service_record_t again;
    tmf_error_t err = {.status = 0};
    specification_error_t fault = {"/a~1b/c", "is wrong"};
    buf_t data;

    MUST(s->spec_id.len > 0);
    MUST(json_parse(a, s->characteristics, NULL));
    MUST(json_parse(a, s->doc, NULL));
    if (service_from_patch(a, s, shown, shown, &again, &err)) {
        MUST(json_equal(shown, show(a, &again)));
    } else {
        MUST(err.status == 400);
    }
    buf_init(&data, (size_t) 64 << 20);
    (void) service_patch_data(&data, s, shown, doc);
    MUST(json_parse(a, arena_str(a, buf_view(&data)), NULL));
    buf_free(&data);
    service_characteristic_error(doc, &fault, &err);
    MUST(err.status == 400);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena_t *a = arena_create();
    const json_t *doc =
        json_parse(a, (str_t){(const char *) data, size}, NULL);
    service_record_t s = {.key = STR("SVC-1"), .valid_to_us = NO_TIME};
    tmf_error_t err = {.status = 0};

    if (doc && service_from_tmf(a, doc, &s, &err)) {
        check_service(a, &s, doc);
    } else if (doc) {
        MUST((err.status == 400 || err.status == 413) &&
             err.message[0] != '\0');
    }
    arena_free(a);
    return 0;
}
