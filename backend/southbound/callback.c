/*
 * The URL is taken apart by libcurl, so that its host is the one that will be
 * called, however it is written.
 */
#include "backend/southbound/callback.h"

#include <netdb.h>
#include <stdlib.h>
#include <strings.h>

#include <curl/curl.h>

#include "backend/base/arena.h"
#include "backend/southbound/resolve.h"

#define NO_URL  "must be an absolute http or https URL"
#define NO_USER "must not hold a user name or a password"
#define PRIVATE "must not be in a private network"

typedef struct {
    const networks_t *networks;
    callback_fn fn;
    void *ctx;
    resolve_t *resolving;
    struct event *timer;
} check_t;

static int names_under_way;

/* NULL with the host, without brackets, to be freed; else the problem. */
static const char *
read_url(CURLU *u, const char *url, char **ret_host)
{
    char *scheme = NULL, *user = NULL, *password = NULL, *host = NULL;
    const char *problem = NULL;
    size_t len;

    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        (strcasecmp(scheme, "http") != 0 &&
         strcasecmp(scheme, "https") != 0)) {
        problem = NO_URL;
    } else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK ||
               curl_url_get(u, CURLUPART_PASSWORD, &password, 0) ==
                   CURLUE_OK) {
        problem = NO_USER;
    } else {
        len = strlen(host);
        *ret_host = host[0] == '[' && len > 2 ? strndup(host + 1, len - 2)
                                              : strdup(host);
        if (*ret_host == NULL) {
            abort();
        }
    }
    curl_free(scheme);
    curl_free(user);
    curl_free(password);
    curl_free(host);
    return problem;
}

/* An address as it is, in any spelling that the C library knows. */
static bool
read_literal(const char *host, const networks_t *networks,
             const char **ret_problem)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *all;

    if (getaddrinfo(host, NULL, &hints, &all) != 0) {
        return false;
    }
    *ret_problem = address_is_allowed(networks, all->ai_addr) ? NULL : PRIVATE;
    freeaddrinfo(all);
    return true;
}

static void
end(check_t *c, const char *problem)
{
    callback_fn fn = c->fn;
    void *ctx = c->ctx;

    names_under_way--;
    event_free(c->timer);
    free(c);
    fn(ctx, problem);
}

static void
on_resolved(void *ctx, const resolve_address_t *list, int n, const char *error)
{
    check_t *c = ctx;
    const char *problem = n > 0 ? PRIVATE : NULL;

    (void) error;
    for (int i = 0; i < n; i++) {
        if (address_is_allowed(c->networks, &list[i].at.any)) {
            problem = NULL;
        }
    }
    end(c, problem);
}

static void
on_time(evutil_socket_t fd, short what, void *ctx)
{
    check_t *c = ctx;

    (void) fd;
    (void) what;
    resolve_cancel(c->resolving);
    end(c, NULL);
}

static void
look_up(struct event_base *base, const networks_t *networks, const char *host,
        callback_fn fn, void *ctx)
{
    static const struct timeval wait = {CALLBACK_WAIT_MS / 1000,
                                        CALLBACK_WAIT_MS % 1000 * 1000};
    check_t *c;

    if (names_under_way == CALLBACK_NAMES_MAX) {
        fn(ctx, NULL);
        return;
    }
    c = xcalloc(1, sizeof(*c));
    c->networks = networks;
    c->fn = fn;
    c->ctx = ctx;
    c->timer = evtimer_new(base, on_time, c);
    if (c->timer == NULL || event_add(c->timer, &wait) < 0) {
        abort();
    }
    names_under_way++;
    c->resolving = resolve_start(base, host, "80", on_resolved, c);
    if (c->resolving == NULL) {
        end(c, NULL);
    }
}

void
callback_check(struct event_base *base, const networks_t *networks, str_t url,
               callback_fn fn, void *ctx)
{
    CURLU *u = curl_url();
    char *z = strndup(url.len > 0 ? url.data : "", url.len);
    char *host = NULL;
    const char *problem;

    if (u == NULL || z == NULL) {
        abort();
    }
    problem = read_url(u, z, &host);
    curl_url_cleanup(u);
    free(z);
    if (problem != NULL || read_literal(host, networks, &problem)) {
        fn(ctx, problem);
    } else {
        look_up(base, networks, host, fn, ctx);
    }
    free(host);
}
