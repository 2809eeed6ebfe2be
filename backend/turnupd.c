/*
 * turnupd: one binary, a supervisor and its pools.
 *
 * The supervisor forks a process for each place of each pool and starts those
 * again that die, with back-off. It holds no connection and no work: it can
 * be killed at any moment (the children then end by themselves).
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "backend/pools/catalog.h"
#include "backend/pools/migrate.h"
#include "backend/pools/worker.h"

#define CHILDREN_MAX     256
#define BACKOFF_FIRST_MS 50
#define BACKOFF_CAP_MS   5000
#define PROVEN_MS        10000 /* alive so long: the next death is a first */
#define STOP_MS          25000
#define FILE_MAX         1048576

typedef struct {
    char pool[128]; /* "intake", "family:voip", ... */
    int n;
    pid_t pid;
    int64_t started_ms;
    int64_t start_at_ms; /* when down: not before */
    int backoff_ms;
} child_t;

static child_t children[CHILDREN_MAX];
static int child_count;
static char *title_begin, *title_end;
static bool stopping;

/* The process's title ------------------------------------------------------ */

/* argv and the environment lie behind each other: room for a title, once the
 * environment was moved. */
static void
title_prepare(char **argv)
{
    char *end = argv[0] + strlen(argv[0]) + 1;

    for (int i = 1; argv[i]; i++) {
        end = argv[i] == end ? end + strlen(argv[i]) + 1 : end;
    }
    for (int i = 0; environ[i]; i++) {
        end = environ[i] == end ? end + strlen(environ[i]) + 1 : end;
        environ[i] = xstrdup(environ[i]);
    }
    title_begin = argv[0];
    title_end = end;
}

static void
title_set(const char *pool)
{
    size_t room = (size_t) (title_end - title_begin);

    memset(title_begin, 0, room);
    snprintf(title_begin, room, "turnupd: %s", pool);
    prctl(PR_SET_NAME, title_begin);
}

/* Children ----------------------------------------------------------------- */

static int
child_main(const settings_t *s, const child_t *c)
{
    if (!strncmp(c->pool, "family:", 7)) {
        return family_main(s, c->pool + 7, c->n);
    }
    if (!strcmp(c->pool, "intake")) {
        return intake_main(s, c->n);
    }
    if (!strcmp(c->pool, "notify")) {
        return notify_main(s, c->n);
    }
    return keeper_main(s, c->n);
}

static void
child_start(const settings_t *s, child_t *c, const sigset_t *normal)
{
    pid_t parent = getpid();

    c->started_ms = clock_mono_ms();
    c->pid = fork();
    if (c->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) {
            _exit(1); /* it died between */
        }
        sigprocmask(SIG_SETMASK, normal, NULL);
        title_set(c->pool);
        exit(child_main(s, c));
    }
    if (c->pid < 0) {
        c->pid = 0;
        c->start_at_ms = clock_mono_ms() + BACKOFF_CAP_MS;
        log_event(LOG_ERROR, "fork failed", "pool", c->pool, NULL);
    }
}

static bool
add_children(const settings_t *s, const char *pool)
{
    int n = settings_processes(s, pool);

    for (int i = 0; i < n; i++) {
        if (child_count == CHILDREN_MAX) {
            return false;
        }
        snprintf(children[child_count].pool, sizeof(children[0].pool), "%s",
                 pool);
        children[child_count++].n = i;
    }
    return true;
}

static bool
plan_children(const settings_t *s)
{
    catalog_t *c = catalog_create();
    char err[512];
    bool ok = catalog_read_families(c, s->families, err, sizeof(err));

    if (!ok) {
        fprintf(stderr, "turnupd: %s\n", err);
    }
    ok = ok && add_children(s, "intake") && add_children(s, "notify") &&
         add_children(s, "keeper");
    for (int i = 0; ok && i < catalog_family_count(c); i++) {
        char pool[128];

        snprintf(pool, sizeof(pool), "family:%.*s",
                 STR_FMT(catalog_family_at(c, i)->name));
        ok = add_children(s, pool);
    }
    catalog_free(c);
    return ok;
}

static void
child_ended(pid_t pid, int status)
{
    int64_t now = clock_mono_ms();

    for (int i = 0; i < child_count; i++) {
        child_t *c = &children[i];
        char how[64];

        if (c->pid != pid) {
            continue;
        }
        c->pid = 0;
        if (now - c->started_ms > PROVEN_MS || !c->backoff_ms) {
            c->backoff_ms = BACKOFF_FIRST_MS;
        }
        c->start_at_ms = now + c->backoff_ms;
        c->backoff_ms = 2 * c->backoff_ms > BACKOFF_CAP_MS ? BACKOFF_CAP_MS
                                                           : 2 * c->backoff_ms;
        snprintf(how, sizeof(how),
                 WIFSIGNALED(status) ? "signal %d" : "exit %d",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        log_event(stopping ? LOG_INFO : LOG_WARN, "worker ended", "worker",
                  c->pool, "how", how, NULL);
    }
}

static bool
reap(void)
{
    int status;
    pid_t pid;
    bool any = false;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        child_ended(pid, status);
    }
    for (int i = 0; i < child_count; i++) {
        any = any || children[i].pid > 0;
    }
    return any;
}

static void
start_due(const settings_t *s, const sigset_t *normal)
{
    for (int i = 0; i < child_count; i++) {
        if (!children[i].pid && children[i].start_at_ms <= clock_mono_ms()) {
            child_start(s, &children[i], normal);
        }
    }
}

static void
signal_children(int sig)
{
    for (int i = 0; i < child_count; i++) {
        if (children[i].pid > 0) {
            kill(children[i].pid, sig);
        }
    }
}

/* Wakes for a signal or for the next child to start. */
static int
wait_signal(const sigset_t *set, int64_t most_ms)
{
    int64_t wait = most_ms;
    struct timespec ts;

    for (int i = 0; i < child_count; i++) {
        int64_t left = children[i].start_at_ms - clock_mono_ms();

        if (!children[i].pid && left < wait) {
            wait = left < 0 ? 0 : left;
        }
    }
    ts = (struct timespec){wait / 1000, (wait % 1000) * 1000000};
    return sigtimedwait(set, NULL, &ts);
}

static void
stop_children(const sigset_t *set)
{
    int64_t until = clock_mono_ms() + STOP_MS;
    struct timespec ts = {0, 100000000};

    stopping = true;
    (void) sd_notify(0, "STOPPING=1");
    signal_children(SIGTERM);
    while (reap()) {
        if (clock_mono_ms() > until) {
            signal_children(SIGKILL);
        }
        (void) sigtimedwait(set, NULL, &ts);
    }
}

static int
supervise(const settings_t *s)
{
    sigset_t set, normal;
    int sig;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, &normal);
    log_init("supervisor", s->log_level);
    if (!plan_children(s)) {
        return 2;
    }
    start_due(s, &normal);
    (void) sd_notify(0, "READY=1");
    for (;;) {
        sig = wait_signal(&set, 1000);
        if (sig == SIGTERM || sig == SIGINT) {
            break;
        }
        (void) reap();
        start_due(s, &normal);
    }
    stop_children(&set);
    return 0;
}

/* Commands ----------------------------------------------------------------- */

static const char *
environment(const char *name)
{
    return getenv(name);
}

static int
check_files(char **files)
{
    int bad = 0;

    for (; *files; files++) {
        family_error_t errors[FAMILY_MAX_ERRORS];
        int n = 0;
        size_t len;
        char *text = file_read(*files, FILE_MAX, &len);
        family_t *f =
            text ? family_parse((str_t){text, len}, environment, errors, &n)
                 : NULL;

        if (!text) {
            printf("%s:1: cannot be read\n", *files);
        }
        for (int i = 0; i < n; i++) {
            printf("%s:%d: %s\n", *files, errors[i].line, errors[i].message);
        }
        if (f) {
            printf("%s: family %.*s version %.*s hash %s: fine\n", *files,
                   STR_FMT(f->name), STR_FMT(f->version), f->hash);
        }
        bad += !f;
        family_free(f);
        free(text);
    }
    return bad ? 1 : 0;
}

static int
usage(FILE *out, int rc)
{
    fputs("usage: turnupd -c FILE           run the pools in the foreground\n"
          "       turnupd -c FILE migrate   bring the database up to date\n"
          "       turnupd check FILE...     prove family definitions\n",
          out);
    return rc;
}

int
main(int argc, char **argv)
{
    settings_t settings;
    char err[512];
    int rc;

    if (argc >= 3 && !strcmp(argv[1], "check")) {
        return check_files(argv + 2);
    }
    if (argc == 2 && !strcmp(argv[1], "--help")) {
        return usage(stdout, 0);
    }
    if (argc < 3 || argc > 4 || strcmp(argv[1], "-c") ||
        (argc == 4 && strcmp(argv[3], "migrate"))) {
        return usage(stderr, 2);
    }
    if (!settings_read(&settings, argv[2], err, sizeof(err))) {
        fprintf(stderr, "turnupd: %s\n", err);
        settings_free(&settings);
        return 2;
    }
    if (argc == 4) {
        rc = migrate_main(&settings);
    } else {
        title_prepare(argv);
        rc = supervise(&settings);
    }
    settings_free(&settings);
    return rc;
}
