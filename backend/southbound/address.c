/*
 * Two tables of prefixes, and one that is read.
 */
#include "backend/southbound/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define NETWORK_TEXT 64 /* more than the longest: 39 digits and colons, /128 */

typedef struct {
    uint8_t byte[16];
    int bits;
} prefix_t;

static const prefix_t private_v4[] = {
    {{0}, 8},                 /* this network */
    {{10}, 8},                /* private, RFC 1918 */
    {{100, 64}, 10},          /* shared by carriers, RFC 6598 */
    {{127}, 8},               /* loopback */
    {{168, 63, 129, 16}, 32}, /* Azure's host, seen from its machines */
    {{169, 254}, 16},         /* link-local; cloud metadata */
    {{172, 16}, 12},          /* private */
    {{192, 0, 0}, 24},        /* protocol assignments */
    {{192, 168}, 16},         /* private */
    {{198, 18}, 15},          /* benchmarking */
    {{224}, 4},               /* multicast */
    {{240}, 4},               /* reserved, broadcast */
};

static const prefix_t private_v6[] = {
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48}, /* local NAT64, RFC 8215 */
    {{0x01, 0x00}, 64},                         /* discard, RFC 6666 */
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
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96},       /* -translated */
    {{0, 0x64, 0xff, 0x9b}, 96},                      /* NAT64 */
    {{0x20, 0x02}, 16},                               /* 6to4 */
};

static bool
has_prefix(const uint8_t *address, const uint8_t *prefix, int bits)
{
    int whole = bits / 8;
    int rest = bits % 8;

    return memcmp(address, prefix, (size_t) whole) == 0 &&
           (rest == 0 || (address[whole] ^ prefix[whole]) >> (8 - rest) == 0);
}

static const prefix_t *
find(const uint8_t *address, const prefix_t *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (has_prefix(address, table[i].byte, table[i].bits)) {
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

/* Bits of the address behind the prefix are zero. */
static bool
ends_with_prefix(const network_t *n, int width)
{
    for (int i = n->bits; i < width; i++) {
        if (n->byte[i / 8] & 0x80 >> i % 8) {
            return false;
        }
    }
    return true;
}

/* "/24", or nothing: all of the width. */
static bool
read_bits(const char *text, int width, int *ret)
{
    size_t len = text ? strlen(text) : 0;

    *ret = width;
    if (!text) {
        return true;
    }
    if (len < 1 || len > 3 || strspn(text, "0123456789") != len) {
        return false;
    }
    *ret = 0;
    for (; *text != '\0'; text++) {
        *ret = *ret * 10 + (*text - '0');
    }
    return *ret <= width;
}

static bool
read_network(str_t text, network_t *ret)
{
    char z[NETWORK_TEXT];
    char *slash;
    int width;

    if (text.len >= sizeof(z) || memchr(text.data, '\0', text.len)) {
        return false;
    }
    memcpy(z, text.data, text.len);
    z[text.len] = '\0';
    slash = strchr(z, '/');
    if (slash) {
        *slash++ = '\0';
    }
    *ret = (network_t){.family = strchr(z, ':') ? AF_INET6 : AF_INET};
    width = ret->family == AF_INET ? 32 : 128;
    return inet_pton(ret->family, z, ret->byte) == 1 &&
           read_bits(slash, width, &ret->bits) && ends_with_prefix(ret, width);
}

static bool
is_between(char c)
{
    return c == ' ' || c == '\t' || c == ',';
}

bool
networks_parse(str_t text, networks_t *ret)
{
    size_t from = 0, to;

    ret->count = 0;
    for (; from < text.len; from = to + 1) {
        to = from;
        while (to < text.len && !is_between(text.data[to])) {
            to++;
        }
        if (to == from) {
            continue;
        }
        if (ret->count == NETWORKS_MAX ||
            !read_network((str_t){text.data + from, to - from},
                          &ret->list[ret->count])) {
            return false;
        }
        ret->count++;
    }
    return true;
}

static bool
holds(const networks_t *n, int family, const uint8_t *address)
{
    for (int i = 0; i < n->count; i++) {
        const network_t *at = &n->list[i];

        if (at->family == family && has_prefix(address, at->byte, at->bits)) {
            return true;
        }
    }
    return false;
}

bool
networks_hold(const networks_t *n, const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof(in));
        return holds(n, AF_INET, (const uint8_t *) &in.sin_addr);
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof(in6));
        return holds(n, AF_INET6, in6.sin6_addr.s6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) &&
                holds(n, AF_INET, in6.sin6_addr.s6_addr + 12));
    }
    return false;
}

bool
address_is_allowed(const networks_t *n, const struct sockaddr *sa)
{
    return !address_is_private(sa) || (n != NULL && networks_hold(n, sa));
}
