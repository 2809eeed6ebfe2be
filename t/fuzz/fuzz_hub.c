/*
 * A subscription's query, held against an envelope; and networks as an
 * operator gives them. A filter that is accepted can be met by a type of its
 * API; what it trims is JSON and keeps what always stays. A network holds its
 * own first address.
 */
#include <stdint.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "backend/southbound/address.h"
#include "backend/tmf/event_filter.h"

#define MUST(condition)     \
    do {                    \
        if (!(condition)) { \
            abort();        \
        }                   \
    } while (0)

#define ENVELOPE                                                         \
    "{\"eventId\":\"e\",\"eventTime\":\"2030-01-01T00:00:00.000Z\","     \
    "\"eventType\":\"ServiceOrderStateChangeEvent\",\"event\":{"         \
    "\"serviceOrder\":{\"id\":\"42\",\"state\":\"completed\",\"x\":[[1," \
    "-2.5e3,\"7\"],{\"y\":null}],\"note\":[{\"text\":\"a\",\"date\":"    \
    "\"2030-01-01T00:00:00+01:00\"},{\"text\":\"\\u00e9\",\"ok\":true}]}}}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_types(const event_filter_t *f, arena_t *a, api_t api)
{
    const event_type_t *t;
    int count, matched = 0;
    const str_t *types = event_filter_types(f, a, &count);

    for (int i = 0; (t = event_type_at(i)) != NULL; i++) {
        bool match = event_filter_match(f, str_of(t->type));

        MUST(!match || t->api == api);
        matched += match;
    }
    MUST(matched > 0 && (types == NULL ? count == 0 : count == matched));
    for (int i = 0; i < count; i++) {
        MUST(event_filter_match(f, types[i]));
    }
}

static void
check_trimmed(const event_filter_t *f, arena_t *a, const json_t *envelope)
{
    const json_t *trimmed;
    buf_t out;

    buf_init(&out, 1 << 16);
    event_filter_trim(f, envelope, &out);
    MUST(!buf_failed(&out));
    trimmed = json_parse(a, arena_str(a, buf_view(&out)), NULL);
    buf_free(&out);
    MUST(trimmed && trimmed->count >= 3);
    MUST(json_equal(json_get(trimmed, "eventId"),
                    json_get(envelope, "eventId")));
    json_each(m, trimmed)
    {
        MUST(json_get_str(envelope, m->name) != NULL);
    }
}

static void
check_query(str_t query)
{
    arena_t *a = arena_create();
    const json_t *envelope = json_parse(a, STR(ENVELOPE), NULL);

    for (int api = 0; api < API_COUNT; api++) {
        tmf_error_t err = {0};
        event_filter_t *f =
            event_filter_parse(a, (api_t) api, TMF_V5, query, &err);

        if (!f) {
            MUST(err.status == 400 && err.message[0] != '\0' &&
                 strcmp(err.pointer, "/query") == 0);
            continue;
        }
        check_types(f, a, (api_t) api);
        MUST(event_filter_has_conditions(f) ||
             event_filter_passes(f, envelope));
        (void) event_filter_passes(f, envelope);
        check_trimmed(f, a, envelope);
    }
    arena_free(a);
}

static void
check_networks(str_t text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    networks_t n;

    if (!networks_parse(text, &n)) {
        return;
    }
    MUST(n.count >= 0 && n.count <= NETWORKS_MAX);
    for (int i = 0; i < n.count; i++) {
        const network_t *at = &n.list[i];
        const struct sockaddr *sa = (const struct sockaddr *) &in;

        MUST(at->bits >= 0 && at->bits <= (at->family == AF_INET ? 32 : 128));
        if (at->family == AF_INET) {
            memcpy(&in.sin_addr, at->byte, 4);
        } else {
            memcpy(&in6.sin6_addr, at->byte, 16);
            sa = (const struct sockaddr *) &in6;
        }
        MUST(networks_hold(&n, sa) && address_is_allowed(&n, sa));
        MUST(address_is_allowed(NULL, sa) == !address_is_private(sa));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str_t text = {(const char *) data, size};

    check_query(text);
    check_networks(text);
    return 0;
}
