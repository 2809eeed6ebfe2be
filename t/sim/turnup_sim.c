/*
 * turnup-sim: a simulated network for tests and benchmarks.
 *
 * Any number of targets that store what they are told, repeat an answer for
 * a repeated idempotency key, count every call, go wrong by rule, and one
 * (vendor) that works asynchronously and calls back.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "t/sim/sim.h"

#define PORT_MAX 65535

typedef struct {
    const char *bind;
    long port; /* -1: not given */
    long vendor_delay_ms;
    long paths_max;
    long keys_max;
} options_t;

static const char help[] =
    "Usage: turnup-sim --port N [options]\n"
    "A simulated network: every path /<target>/<anything> is a resource.\n"
    "\n"
    "  --port N          listen here; 0 takes a free port (it is printed)\n"
    "  --bind ADDRESS    numeric address to listen on (127.0.0.1)\n"
    "  --vendor-delay MS from acceptance to delivery (20)\n"
    "  --max-paths N     paths remembered, the oldest go first (500000)\n"
    "  --max-keys N      idempotency keys remembered, likewise (500000)\n"
    "  --help            this text\n"
    "\n"
    "PUT stores the JSON object sent and answers it with a \"bindingId\" of\n"
    "its own; POST to a collection creates <collection>/<id>; PATCH merges\n"
    "the first level; GET reads back; DELETE removes (404: never existed).\n"
    "A repeated Idempotency-Key (by target) gets the first answer again and\n"
    "changes nothing; for another method or path it is refused with 422.\n"
    "A body with \"callbackUrl\" sent to target \"vendor\" is answered 202; "
    "the\n"
    "result is POSTed there later, until it is taken.\n"
    "\n"
    "GET /_counts                 totals\n"
    "GET /_counts?path=P          calls and applied of one path\n"
    "GET /_counts?key=K[&target=] of one idempotency key\n"
    "GET /_counts?method=M&prefix=P  a list, one row a method and path\n"
    "GET /_state[?prefix=P]       stored documents by path\n"
    "DELETE /_state               forget state, counts, rules, callbacks\n"
    "GET /_rules                  fault rules with their hits\n"
    "POST /_rules                 {\"target\",\"method\",\"pathContains\",\n"
    "    \"bodyContains\",\"times\",\"action\":{...}}; the first match wins:\n"
    "    \"status\":N with \"body\":{} and \"headers\":{}; \"delayMs\":N;\n"
    "    \"hang\":true; \"drop\":true; each after the change where\n"
    "    \"afterApply\":true (\"dropAfterApply\":true for short);\n"
    "    \"async\":{\"delayMs\",\"result\":{},\"twice\",\"never\"};\n"
    "    \"tamper\":{members laid over what is stored}\n"
    "DELETE /_rules[/<id>]        all rules, or one\n";

/* A whole number within bounds, or the end with a message. */
static long
number_option(const char *name, const char *text, long least, long most)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(text, &end, 10);
    if (errno || end == text || *end || n < least || n > most) {
        fprintf(stderr, "turnup-sim: --%s takes a number from %ld to %ld\n",
                name, least, most);
        exit(2);
    }
    return n;
}

static void
read_options(options_t *o, int argc, char **argv)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},
        {"bind", required_argument, NULL, 'b'},
        {"vendor-delay", required_argument, NULL, 'v'},
        {"max-paths", required_argument, NULL, 'm'},
        {"max-keys", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const long most = 100000000;
    int c;

    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 'p':
            o->port = number_option("port", optarg, 0, PORT_MAX);
            break;
        case 'b':
            o->bind = optarg;
            break;
        case 'v':
            o->vendor_delay_ms =
                number_option("vendor-delay", optarg, 0, RULE_DELAY_MAX);
            break;
        case 'm':
            o->paths_max =
                number_option("max-paths", optarg, NETWORK_LEAST, most);
            break;
        case 'k':
            o->keys_max =
                number_option("max-keys", optarg, NETWORK_LEAST, most);
            break;
        case 'h':
            fputs(help, stdout);
            exit(0);
        default:
            exit(2);
        }
    }
    if (o->port < 0 || optind < argc) {
        fputs("turnup-sim: --port is needed, and no other arguments "
              "(see --help)\n",
              stderr);
        exit(2);
    }
}

static void
on_request(void *ctx, http_conn_t *conn, const http_message_t *req)
{
    if (req->path.len > 1 && req->path.data[1] == '_') {
        control_handle(ctx, conn, req);
    } else {
        target_handle(ctx, conn, req);
    }
}

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
    (void) fd;
    (void) what;
    event_base_loopbreak(arg);
}

/* Every connection is a descriptor: as many as we may have. */
static void
raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void
run(sim_t *sim)
{
    struct event *term = evsignal_new(sim->base, SIGTERM, on_stop, sim->base);
    struct event *intr = evsignal_new(sim->base, SIGINT, on_stop, sim->base);

    event_add(term, NULL);
    event_add(intr, NULL);
    event_base_dispatch(sim->base);
    event_free(term);
    event_free(intr);
}

int
main(int argc, char **argv)
{
    options_t o = {.bind = "127.0.0.1",
                   .port = -1,
                   .vendor_delay_ms = SIM_VENDOR_DELAY_MS,
                   .paths_max = NETWORK_PATHS_DEFAULT,
                   .keys_max = NETWORK_KEYS_DEFAULT};
    static sim_t sim;
    http_server_t *server;

    read_options(&o, argc, argv);
    raise_descriptors();
    sim.vendor_delay_ms = o.vendor_delay_ms;
    sim.base = event_base_new();
    network_init(&sim.network, (size_t) o.paths_max, (size_t) o.keys_max);
    sim.callbacks = callbacks_create(sim.base, &sim.network);
    buf_init(&sim.body, SIM_SCRATCH_MAX);
    buf_init(&sim.headers, SIM_SCRATCH_MAX);
    server =
        http_server_create(sim.base, o.bind, (int) o.port, on_request, &sim);
    if (server) {
        printf("listening on %s:%d\n", o.bind, http_server_port(server));
        fflush(stdout);
        run(&sim);
    } else {
        fprintf(stderr, "turnup-sim: cannot listen on %s:%ld: %s\n", o.bind,
                o.port, strerror(errno));
    }
    http_server_free(server);
    callbacks_free(sim.callbacks);
    rules_clear(&sim.rules);
    network_free(&sim.network);
    buf_free(&sim.body);
    buf_free(&sim.headers);
    event_base_free(sim.base);
    return server ? 0 : 1;
}
