/*
 * Which addresses are inside: those that a URL from outside must not reach,
 * and networks of them that an operator lets it reach all the same.
 */
#ifndef TURNUP_SOUTHBOUND_ADDRESS_H
#define TURNUP_SOUTHBOUND_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>

#include "proto/str.h"

#define NETWORKS_MAX 32

typedef struct {
    uint8_t byte[16]; /* IPv4: the first four */
    int bits;         /* of the prefix */
    int family;       /* AF_INET, AF_INET6 */
} network_t;

typedef struct {
    network_t list[NETWORKS_MAX];
    int count;
} networks_t;

/*
 * Loopback, private, link-local, shared, multicast, reserved, unspecified
 * (IANA special-purpose registries, RFC 6890), where clouds keep their
 * metadata, also when an IPv4 address of this kind is wrapped in an IPv6 one.
 * Any family but these two is inside.
 */
bool address_is_private(const struct sockaddr *sa);

/*
 * "127.0.0.0/8 ::1 10.0.0.0/8": CIDR blocks (RFC 4632, RFC 4291 2.3) and
 * single addresses, blanks or commas between them; maybe none. false: one of
 * them is none, has bits behind its prefix, or there are more than
 * NETWORKS_MAX; *ret is of no use then.
 */
bool networks_parse(str_t text, networks_t *ret);
/* Is the address in one of them? An IPv4-mapped IPv6 address is in an IPv4
 * network too; other IPv4 addresses in IPv6 ones are not looked at. */
bool networks_hold(const networks_t *n, const struct sockaddr *sa);
/* May a URL from outside reach it? It is not private, or in one of the
 * networks (NULL: none). */
bool address_is_allowed(const networks_t *n, const struct sockaddr *sa);

#endif
