/*
 * What an import is given: any text as an array and as documents, any text as
 * a file: URL. The first byte chooses the job's path. Where the text is JSON,
 * the elements are those of its tree; what is taken is JSON with an id; no
 * URL leads out of the directory.
 */
#include <stdint.h>
#include <stdlib.h>

#include "backend/base/file_url.h"
#include "backend/base/json_split.h"
#include "backend/tmf/job.h"

#define MUST(condition)     \
    do {                    \
        if (!(condition)) { \
            abort();        \
        }                   \
    } while (0)

#define NOW_US INT64_C(1893456000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_document(arena_t *a, str_t text, const entity_kind_t *path)
{
    tmf_error_t e = {0};
    import_t i;

    if (!import_read(&i, a, text, path, STR("new"), NOW_US, &e)) {
        MUST((e.status == 400 || e.status == 413) && e.message[0]);
        return;
    }
    const json_t *doc = json_parse(a, i.doc, NULL);
    MUST(i.kind && i.id.len > 0 && i.id.len <= 255);
    MUST(doc && str_eq(json_text(doc, "id"), i.id));
    MUST((i.version.len > 0) == i.kind->versions);
}

static void
check_array(arena_t *a, str_t text, const entity_kind_t *path)
{
    const json_t *tree = json_parse(a, text, NULL);
    const json_t *wanted =
        tree && tree->type == JSON_ARRAY ? tree->child : NULL;
    json_split_t s;
    str_t element;
    int rc;

    json_split_init(&s, text);
    while ((rc = json_split_next(&s, &element)) == 1) {
        MUST(element.len > 0 && element.data >= text.data &&
             element.data + element.len < text.data + text.len);
        check_document(a, element, path);
        if (tree) {
            MUST(wanted && str_eq(element, wanted->raw));
            wanted = wanted->next;
        }
    }
    if (tree) {
        MUST(rc == (tree->type == JSON_ARRAY ? 0 : -1) && !wanted);
    }
}

static void
check_url(arena_t *a, str_t url)
{
    const char *why = NULL;
    const char *path = file_url_path(a, url, "/srv/in", &why);

    if (!path) {
        MUST(why);
        return;
    }
    MUST(path[0] && path[0] != '/' && !strstr(path, "//"));
    for (const char *p = path; p;
         p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
        size_t n = strcspn(p, "/");

        MUST(n > 0 && !(n == 1 && p[0] == '.') &&
             !(n == 2 && p[0] == '.' && p[1] == '.'));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str_t text;
    arena_t *a;

    if (size < 1) {
        return 0;
    }
    a = arena_create();
    text = arena_str(a, (str_t){(const char *) data + 1, size - 1});
    check_array(a, text, entity_kind_at(data[0] % 8));
    check_url(a, text);
    arena_free(a);
    return 0;
}
