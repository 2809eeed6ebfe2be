/*
 * Where a server listens, "unix:/path", "host:port" or "[v6]:port", and
 * sockets under way to it.
 */
#ifndef TURNUP_BASE_ENDPOINT_H
#define TURNUP_BASE_ENDPOINT_H

typedef struct endpoint endpoint_t;

/* Never NULL; what is wrong with the address is told by connecting. */
endpoint_t *endpoint_create(const char *address);
/* NULL-safe. */
void endpoint_free(endpoint_t *e);
const char *endpoint_address(const endpoint_t *e);
/*
 * A non-blocking socket, connected or about to be (wait for writing, then ask
 * SO_ERROR); the caller's. -1 with *ret_error. Each call takes the next of
 * the name's addresses. A name is resolved, which blocks, at the first call
 * and again only while that has found nothing.
 */
int endpoint_connect(endpoint_t *e, const char **ret_error);

#endif
