/*
 * The order that is posted.
 */
#include <stdio.h>
#include <stdlib.h>

#include "t/bench/template.h"
#include "t/common/http_message.h"
#include "t/common/memory.h"

#define DIGITS_MAX 24

static const char mark[] = "{{n}}";

static const char default_order[] =
    "{\"externalId\":\"bench-{{n}}\",\n"
    " \"priority\":\"2\",\n"
    " \"description\":\"Benchmark order {{n}}: one service, added\",\n"
    " \"category\":\"Residential broadband\",\n"
    " \"requestedStartDate\":\"2026-01-01T08:00:00.000Z\",\n"
    " \"requestedCompletionDate\":\"2030-01-31T18:00:00.000Z\",\n"
    " \"relatedParty\":[{\"id\":\"customer-{{n}}\",\"role\":\"customer\",\n"
    "   \"name\":\"A. Subscriber\",\"@referredType\":\"Individual\"},\n"
    "  {\"id\":\"com\",\"role\":\"requester\",\"name\":\"Customer Order "
    "Management\",\n"
    "   \"@referredType\":\"Organization\"}],\n"
    " \"note\":[{\"id\":\"1\",\"author\":\"turnup-load\",\n"
    "   \"text\":\"Please call the customer half an hour before anybody "
    "enters the building; the key is with the neighbour.\"}],\n"
    " \"serviceOrderItem\":[{\"id\":\"1\",\"action\":\"add\",\n"
    "   \"@type\":\"ServiceOrderItem\",\n"
    "   \"service\":{\"name\":\"bench-{{n}}\",\"serviceType\":\"CFS\",\n"
    "    \"@type\":\"Service\",\n"
    "    \"serviceSpecification\":{\"id\":\"Bench.Service\","
    "\"version\":\"1.0\",\n"
    "     \"@type\":\"ServiceSpecificationRef\"},\n"
    "    \"serviceCharacteristic\":[\n"
    "     {\"name\":\"bandwidth\",\"valueType\":\"string\","
    "\"value\":\"1000\"}],\n"
    "    \"place\":[{\"id\":\"place-{{n}}\",\"role\":\"installationAddress\","
    "\n"
    "     \"name\":\"1 Long Street, Anytown\","
    "\"@referredType\":\"GeographicAddress\"}]}}]}\n";

static char *
read_file(const char *file, const char **ret_why)
{
    FILE *f = fopen(file, "rb");
    char *text = memory_new(TEMPLATE_MAX + 1);
    size_t len = f ? fread(text, 1, TEMPLATE_MAX, f) : 0;

    *ret_why = !f || ferror(f)       ? "cannot be read"
               : len == TEMPLATE_MAX ? "is too long"
               : len == 0            ? "is empty"
                                     : NULL;
    if (f) {
        fclose(f);
    }
    if (*ret_why) {
        free(text);
        return NULL;
    }
    return text;
}

int
template_open(template_t *t, const char *file, const char **ret_why)
{
    const char *at;

    *t = (template_t){0};
    t->text =
        file ? read_file(file, ret_why) : memory_copy(str_of(default_order));
    at = t->text;
    while (at) {
        const char *stop = strstr(at, mark);
        size_t len = stop ? (size_t) (stop - at) : strlen(at);

        if (t->count == TEMPLATE_PIECES) {
            *ret_why = "has too many {{n}}";
            template_close(t);
            return -1;
        }
        t->pieces[t->count++] = (str_t){at, len};
        t->fixed += len;
        at = stop ? stop + strlen(mark) : NULL;
    }
    return t->text ? 0 : -1;
}

void
template_close(template_t *t)
{
    free(t->text);
    *t = (template_t){0};
}

void
template_request(const template_t *t, buf_t *out, str_t head,
                 unsigned long long n)
{
    char digits[DIGITS_MAX];
    size_t len = (size_t) snprintf(digits, sizeof digits, "%llu", n);

    buf_str(out, head);
    http_put_length(out, t->fixed + (size_t) (t->count - 1) * len);
    for (int i = 0; i < t->count; i++) {
        if (i) {
            buf_put(out, digits, len);
        }
        buf_str(out, t->pieces[i]);
    }
}
