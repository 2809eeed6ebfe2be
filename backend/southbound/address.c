/*
 * Two tables of prefixes.
 */
#include "backend/southbound/address.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t byte[16];
    int bits;
} prefix_t;

static const prefix_t private_v4[] = {
    {{0}, 8},          /* this network */
    {{10}, 8},         /* private, RFC 1918 */
    {{100, 64}, 10},   /* shared by carriers, RFC 6598 */
    {{127}, 8},        /* loopback */
    {{169, 254}, 16},  /* link-local; cloud metadata */
    {{172, 16}, 12},   /* private */
    {{192, 0, 0}, 24}, /* protocol assignments */
    {{192, 168}, 16},  /* private */
    {{198, 18}, 15},   /* benchmarking */
    {{224}, 4},        /* multicast */
    {{240}, 4},        /* reserved, broadcast */
};

static const prefix_t private_v6[] = {
    {{0x01, 0x00}, 64},       /* discard, RFC 6666 */
    {{0x20, 0x01, 0, 0}, 32}, /* Teredo: hides an IPv4 address */
    {{0xfc}, 7},              /* unique local */
    {{0xfe, 0x80}, 10},       /* link-local */
    {{0xfe, 0xc0}, 10},       /* site-local, of old */
    {{0xff}, 8},              /* multicast */
};

/* IPv6 prefixes behind which an IPv4 address stands. ::/96 holds also the
 * unspecified address and loopback, as 0.0.0.0 and 0.0.0.1. */
static const prefix_t wraps_v4[] = {
    {{0}, 96},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, /* IPv4-mapped */
    {{0, 0x64, 0xff, 0x9b}, 96},                      /* NAT64 */
    {{0x20, 0x02}, 16},                               /* 6to4 */
};

static bool
has_prefix(const uint8_t *address, const prefix_t *p)
{
    int whole = p->bits / 8;
    int rest = p->bits % 8;

    return memcmp(address, p->byte, (size_t) whole) == 0 &&
           (rest == 0 || (address[whole] ^ p->byte[whole]) >> (8 - rest) == 0);
}

static const prefix_t *
find(const uint8_t *address, const prefix_t *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (has_prefix(address, &table[i])) {
            return &table[i];
        }
    }
    return NULL;
}

#define FIND(address, table) \
    find((address), (table), sizeof(table) / sizeof((table)[0]))

static bool
v6_is_private(const uint8_t *address)
{
    const prefix_t *wrap = FIND(address, wraps_v4);

    if (wrap != NULL) {
        return FIND(address + wrap->bits / 8, private_v4) != NULL;
    }
    return FIND(address, private_v6) != NULL;
}

bool
address_is_private(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof(in));
        return FIND((const uint8_t *) &in.sin_addr, private_v4) != NULL;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof(in6));
        return v6_is_private(in6.sin6_addr.s6_addr);
    }
    return true;
}
