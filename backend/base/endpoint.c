/*
 * Names, addresses, sockets.
 */
#include "backend/base/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/base/arena.h"

enum {
    HOST_MAX = 256,
    USER_TIMEOUT_MS = 5000 /* unacknowledged bytes: the peer is gone */
};

static const char unix_prefix[] = "unix:";

struct endpoint {
    char *address;
    struct addrinfo *hosts;      /* resolved, or NULL */
    const struct addrinfo *next; /* of them, or NULL: begin again */
};

endpoint_t *
endpoint_create(const char *address)
{
    endpoint_t *e = xcalloc(1, sizeof(*e));

    e->address = xstrdup(address);
    return e;
}

void
endpoint_free(endpoint_t *e)
{
    if (e == NULL) {
        return;
    }
    if (e->hosts != NULL) {
        freeaddrinfo(e->hosts);
    }
    free(e->address);
    free(e);
}

const char *
endpoint_address(const endpoint_t *e)
{
    return e->address;
}

/* 0 with e->hosts, or -1 with *ret_error. */
static int
resolve(endpoint_t *e, const char **ret_error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const char *host = e->address;
    const char *colon = strrchr(host, ':');
    size_t len = colon != NULL ? (size_t) (colon - host) : 0;
    char name[HOST_MAX];
    int rc;

    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(name) || colon[1] == '\0') {
        *ret_error = "the address is neither unix:/path nor host:port";
        return -1;
    }
    memcpy(name, host, len);
    name[len] = '\0';
    rc = getaddrinfo(name, colon + 1, &hints, &e->hosts);
    if (rc != 0) {
        e->hosts = NULL;
        *ret_error = gai_strerror(rc);
        return -1;
    }
    return 0;
}

static void
set_tcp_options(int fd)
{
    int on = 1;
    unsigned timeout = USER_TIMEOUT_MS;

    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout,
                      sizeof(timeout));
}

static int
connect_to(const struct sockaddr *sa, socklen_t len, const char **ret_error)
{
    int fd =
        socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && sa->sa_family != AF_UNIX) {
        set_tcp_options(fd);
    }
    if (fd < 0 || (connect(fd, sa, len) != 0 && errno != EINPROGRESS)) {
        *ret_error = strerror(errno);
        if (fd >= 0) {
            (void) close(fd);
        }
        return -1;
    }
    return fd;
}

static int
connect_unix(const char *path, const char **ret_error)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(sun.sun_path)) {
        *ret_error = "the socket's path is empty or too long";
        return -1;
    }
    memcpy(sun.sun_path, path, len);
    return connect_to((const struct sockaddr *) &sun, sizeof(sun), ret_error);
}

int
endpoint_connect(endpoint_t *e, const char **ret_error)
{
    const struct addrinfo *host;

    if (strncmp(e->address, unix_prefix, sizeof(unix_prefix) - 1) == 0) {
        return connect_unix(e->address + sizeof(unix_prefix) - 1, ret_error);
    }
    if (e->hosts == NULL && resolve(e, ret_error) != 0) {
        return -1;
    }
    host = e->next != NULL ? e->next : e->hosts;
    e->next = host->ai_next;
    return connect_to(host->ai_addr, host->ai_addrlen, ret_error);
}
