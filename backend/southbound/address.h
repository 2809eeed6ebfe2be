/*
 * Which addresses are inside: those that a URL from outside must not reach.
 */
#ifndef TURNUP_SOUTHBOUND_ADDRESS_H
#define TURNUP_SOUTHBOUND_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Loopback, private, link-local, shared, multicast, reserved, unspecified
 * (IANA special-purpose registries, RFC 6890), also when an IPv4 address of
 * this kind is wrapped in an IPv6 one. Any family but these two is inside.
 */
bool address_is_private(const struct sockaddr *sa);

#endif
