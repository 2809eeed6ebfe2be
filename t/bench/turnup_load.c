/*
 * turnup-load: the load generator and listener of the benchmarks.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "t/bench/load.h"

#define PORT_MAX        65535
#define CONNECTIONS_MAX 4096
#define WINDOW_MAX      100000
#define SECONDS_MAX     86400
#define RATE_MAX        1000000

typedef enum { OPT_TEXT, OPT_LONG, OPT_DOUBLE, OPT_URL } opt_type_t;

typedef struct {
    const char *name;
    opt_type_t type;
    size_t offset;
    double least;
    double most;
} opt_row_t;

typedef struct {
    const char *name;
    int (*run)(const load_options_t *o);
    const char *options; /* those it takes, each between spaces */
    const char *needs;   /* those it cannot do without */
} command_t;

static const char help[] =
    "Usage: turnup-load post|get|life --url http://HOST:PORT [options]\n"
    "Load for turnup's service ordering API; prints one line of JSON.\n"
    "\n"
    "post   every connection posts an order as soon as it is answered\n"
    "get    every connection reads orders by id, at random\n"
    "life   posts orders and follows each to its completed notification\n"
    "\n"
    "  --url URL          http only; host: numeric address or localhost\n"
    "  --connections N    (64)\n"
    "  --seconds S        how long to send (4)\n"
    "  --body FILE        post, life: the order, {{n}} is a running number\n"
    "                     (default: about 1.2 KB for Bench.Service)\n"
    "  --ids FILE         post: ids are written there; get: read from there\n"
    "  --listen PORT      life: for notifications; 0 takes a free one (0)\n"
    "  --window N         life: orders open at most (1000)\n"
    "  --rate R           life: orders a second, whatever is open (open "
    "loop);\n"
    "                     latency counts from when an order was due\n"
    "  --drain S          life: wait so long for the last ones (30)\n"
    "  --help             this text\n"
    "\n"
    "life subscribes at the hub, and unsubscribes at the end. Its\n"
    "completedPerSecond, p50ms and p99ms leave out the first tenth of the\n"
    "posting time. An answer that is an error makes a caller wait 10 ms.\n"
    "\n"
    "Exit code: 0; 1: an accepted order did not complete; 2: nothing could\n"
    "be measured.\n";

#define AT(member) offsetof(load_options_t, member)

static const opt_row_t opt_rows[] = {
    {"url", OPT_URL, AT(url), 0, 0},
    {"connections", OPT_LONG, AT(connections), 1, CONNECTIONS_MAX},
    {"seconds", OPT_DOUBLE, AT(seconds), 0.01, SECONDS_MAX},
    {"body", OPT_TEXT, AT(body_file), 0, 0},
    {"ids", OPT_TEXT, AT(ids_file), 0, 0},
    {"listen", OPT_LONG, AT(listen), 0, PORT_MAX},
    {"window", OPT_LONG, AT(window), 1, WINDOW_MAX},
    {"rate", OPT_DOUBLE, AT(rate), 0.01, RATE_MAX},
    {"drain", OPT_DOUBLE, AT(drain), 0, SECONDS_MAX},
};
#define OPT_COUNT ((int) (sizeof opt_rows / sizeof opt_rows[0]))

static const command_t commands[] = {
    {"post", load_post, " url connections seconds body ids ", "url"},
    {"get", load_get, " url connections seconds ids ", "ids"},
    {"life", load_life,
     " url connections seconds body listen window rate drain ", "url"},
};

void
load_errors_add(load_errors_t *e, const http_message_t *reply)
{
    int status = reply ? reply->status : 0;

    e->count[status < LOAD_STATUSES ? status : 0]++;
}

void
load_errors_print(const load_errors_t *e)
{
    const char *comma = "";

    putchar('{');
    for (int i = 1; i < LOAD_STATUSES; i++) {
        if (e->count[i]) {
            printf("%s\"%d\":%lu", comma, i, e->count[i]);
            comma = ",";
        }
    }
    if (e->count[0]) {
        printf("%s\"connection\":%lu", comma, e->count[0]);
    }
    putchar('}');
}

void
load_put_head(buf_t *out, const load_options_t *o, const char *method,
              const char *path, bool has_body)
{
    buf_printf(out, "%s %s%s HTTP/1.1\r\nHost: %s\r\n", method, o->url.path,
               path, o->url.host);
    buf_puts(out, has_body ? "Content-Type: application/json\r\n" : "\r\n");
}

unsigned long long
load_first_number(void)
{
    struct timeval now;

    /* Microseconds: a run uses fewer numbers than it takes microseconds. */
    gettimeofday(&now, NULL);
    return (unsigned long long) now.tv_sec * 1000000ULL +
           (unsigned long long) now.tv_usec;
}

/* The path of --url is what comes before /tmf-api. */
static const char *
read_url(http_url_t *u, const char *text)
{
    const char *why = http_url_parse(u, str_of(text));
    size_t len;

    if (why) {
        return why;
    }
    len = strlen(u->path);
    while (len > 0 && u->path[len - 1] == '/') {
        u->path[--len] = '\0';
    }
    return NULL;
}

/* NULL, or why not. */
static const char *
read_option(load_options_t *o, const opt_row_t *row, const char *text)
{
    void *at = (char *) o + row->offset;
    char *end;
    double number;

    if (row->type == OPT_TEXT) {
        *(const char **) at = text;
        return NULL;
    }
    if (row->type == OPT_URL) {
        return read_url(at, text);
    }
    errno = 0;
    number = strtod(text, &end);
    if (errno || end == text || *end || !isfinite(number) ||
        number < row->least || number > row->most) {
        return "out of range";
    }
    if (row->type == OPT_DOUBLE) {
        *(double *) at = number;
        return NULL;
    }
    if (number != floor(number)) {
        return "not a whole number";
    }
    *(long *) at = (long) number;
    return NULL;
}

static bool
takes(const command_t *c, const char *name)
{
    const char *at = strstr(c->options, name);

    return at && at[-1] == ' ' && at[strlen(name)] == ' ';
}

/* Leaves with a message where the options are wrong. */
static void
read_options(load_options_t *o, const command_t *c, int argc, char **argv)
{
    struct option known[OPT_COUNT + 2] = {0};
    bool given[OPT_COUNT] = {0};
    int row;

    for (int i = 0; i < OPT_COUNT; i++) {
        known[i] =
            (struct option){opt_rows[i].name, required_argument, NULL, i};
    }
    known[OPT_COUNT] = (struct option){"help", no_argument, NULL, OPT_COUNT};
    while ((row = getopt_long(argc, argv, "", known, NULL)) != -1) {
        const char *why;

        if (row == OPT_COUNT) {
            fputs(help, stdout);
            exit(LOAD_OK);
        }
        if (row < 0 || row > OPT_COUNT) {
            exit(LOAD_UNABLE);
        }
        why = takes(c, opt_rows[row].name)
                  ? read_option(o, &opt_rows[row], optarg)
                  : "is not an option of this command";
        if (why) {
            fprintf(stderr, "turnup-load: --%s %s: %s\n", opt_rows[row].name,
                    optarg, why);
            exit(LOAD_UNABLE);
        }
        given[row] = true;
    }
    for (int i = 0; i < OPT_COUNT; i++) {
        bool needed = strcmp(opt_rows[i].name, "url") == 0 ||
                      strcmp(opt_rows[i].name, c->needs) == 0;

        if (needed && !given[i]) {
            fprintf(stderr, "turnup-load: --%s is needed (see --help)\n",
                    opt_rows[i].name);
            exit(LOAD_UNABLE);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "turnup-load: what is %s? (see --help)\n",
                argv[optind]);
        exit(LOAD_UNABLE);
    }
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

int
main(int argc, char **argv)
{
    static load_options_t o = {
        .connections = 64, .seconds = 4, .window = 1000, .drain = 30};
    const char *name = argc > 1 ? argv[1] : "";

    if (strcmp(name, "--help") == 0) {
        fputs(help, stdout);
        return LOAD_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            read_options(&o, &commands[i], argc - 1, argv + 1);
            raise_descriptors();
            return commands[i].run(&o);
        }
    }
    fprintf(stderr, "turnup-load: post, get or life? (see --help)\n");
    return LOAD_UNABLE;
}
