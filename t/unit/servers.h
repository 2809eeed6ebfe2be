/*
 * Private servers for unit tests, and a loop that runs until something holds.
 *
 * Each server lives in a temporary folder, listens on a Unix socket there
 * only, dies with the test and is stopped by its pid. What cannot be started
 * fails the test.
 */
#ifndef TURNUP_T_UNIT_SERVERS_H
#define TURNUP_T_UNIT_SERVERS_H

#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

enum { SERVER_WAIT_S = 60, SERVER_POLL_MS = 5 };

typedef struct {
    char dir[64];     /* made by server_folder() */
    char socket[96];  /* of the server in it */
    pid_t pid;        /* 0: not running */
    bool as_postgres; /* its processes run as that user */
} server_t;

static inline void
server_die(const char *what)
{
    perror(what);
    abort();
}

static inline void
server_folder(server_t *s)
{
    (void) snprintf(s->dir, sizeof(s->dir), "/tmp/turnup-unit-XXXXXX");
    if (mkdtemp(s->dir) == NULL) {
        server_die("mkdtemp");
    }
}

/* root may not run PostgreSQL. */
static inline void
server_user(void)
{
    const struct passwd *pw = getuid() == 0 ? getpwnam("postgres") : NULL;

    if (pw != NULL && (setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0)) {
        _exit(126);
    }
}

/* Starts argv with its output in dir/log. */
static inline pid_t
server_spawn(const server_t *s, const char *const *argv)
{
    char log[128];
    pid_t parent = getpid();
    pid_t pid = fork();
    int fd;

    if (pid != 0) {
        return pid > 0 ? pid : (server_die("fork"), -1);
    }
    (void) snprintf(log, sizeof(log), "%s/log", s->dir);
    if (s->as_postgres) {
        server_user();
    }
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (getppid() != parent || fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 ||
        chdir(s->dir) != 0) {
        _exit(126);
    }
    (void) execvp(argv[0], (char *const *) (uintptr_t) argv);
    _exit(127);
}

static inline void
server_pause(void)
{
    const struct timespec ts = {0, SERVER_POLL_MS * 1000000};

    (void) nanosleep(&ts, NULL);
}

/* Until somebody accepts on the socket. */
static inline void
server_wait(const server_t *s)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    (void) snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", s->socket);
    for (int i = 0; i < SERVER_WAIT_S * 1000 / SERVER_POLL_MS; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        int rc = connect(fd, (const struct sockaddr *) &sun, sizeof(sun));

        (void) close(fd);
        if (rc == 0) {
            return;
        }
        if (waitpid(s->pid, NULL, WNOHANG) != 0) {
            break;
        }
        server_pause();
    }
    fprintf(stderr, "server in %s does not start\n", s->dir);
    abort();
}

static inline void
server_stop(server_t *s, int signal_number)
{
    if (s->pid > 0) {
        (void) kill(s->pid, signal_number);
        (void) waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
}

static inline void
server_remove(server_t *s)
{
    const char *const argv[] = {"rm", "-rf", s->dir, NULL};
    pid_t pid = fork();

    if (pid == 0) {
        (void) execvp(argv[0], (char *const *) (uintptr_t) argv);
        _exit(127);
    }
    (void) waitpid(pid, NULL, 0);
}

/* Does its log hold this? */
static inline bool
server_has_logged(const server_t *s, const char *text)
{
    static char log[1 << 20];
    char path[128];
    ssize_t n;
    int fd;

    (void) snprintf(path, sizeof(path), "%s/log", s->dir);
    fd = open(path, O_RDONLY);
    n = read(fd, log, sizeof(log) - 1);
    (void) close(fd);
    log[n > 0 ? n : 0] = '\0';
    return strstr(log, text) != NULL;
}

/* Runs a command in the folder to its end; false: it failed. */
static inline bool
server_run(const server_t *s, const char *const *argv)
{
    int status = -1;

    (void) waitpid(server_spawn(s, argv), &status, 0);
    return status == 0;
}

/* s->dir is there; the data, if any, is in it. password may be NULL. */
static inline void
redis_server_start(server_t *s, const char *password)
{
    const char *const argv[] = {
        "redis-server",
        "--port",
        "0",
        "--unixsocket",
        s->socket,
        "--save",
        "",
        "--appendonly",
        "no",
        "--enable-debug-command",
        "local",
        "--requirepass",
        password ? password : "",
        NULL,
    };

    (void) snprintf(s->socket, sizeof(s->socket), "%s/redis.sock", s->dir);
    (void) unlink(s->socket);
    s->pid = server_spawn(s, argv);
    server_wait(s);
}

/* A program of PostgreSQL's, wherever Debian keeps it. */
static inline void
postgres_program(const char *name, char *ret, size_t size)
{
    char pattern[128];
    glob_t found;

    (void) snprintf(pattern, sizeof(pattern), "/usr/lib/postgresql/*/bin/%s",
                    name);
    if (glob(pattern, 0, NULL, &found) == 0) {
        (void) snprintf(ret, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
        globfree(&found);
    } else {
        (void) snprintf(ret, size, "%s", name);
    }
}

/* It takes connections before it takes orders. */
static inline void
postgres_server_wait(const server_t *s)
{
    char program[256];
    const char *const argv[] = {program, "-q", "-h", s->dir, NULL};

    postgres_program("pg_isready", program, sizeof(program));
    for (int i = 0; i < SERVER_WAIT_S * 1000 / SERVER_POLL_MS; i++) {
        if (server_run(s, argv)) {
            return;
        }
        server_pause();
    }
    fprintf(stderr, "server in %s is not ready\n", s->dir);
    abort();
}

static inline void
postgres_server_start(server_t *s)
{
    char program[256], data[96];
    const char *const argv[] = {
        program,
        "-D",
        data,
        "-k",
        s->dir,
        "-c",
        "listen_addresses=",
        "-c",
        "fsync=off",
        "-c",
        "max_connections=20",
        "-c",
        "shared_buffers=16MB",
        NULL,
    };

    postgres_program("postgres", program, sizeof(program));
    (void) snprintf(data, sizeof(data), "%s/data", s->dir);
    (void) snprintf(s->socket, sizeof(s->socket), "%s/.s.PGSQL.5432", s->dir);
    s->pid = server_spawn(s, argv);
    server_wait(s);
    postgres_server_wait(s);
}

/* A new cluster; superuser "postgres" without a password. */
static inline void
postgres_server_create(server_t *s)
{
    char program[256], data[96];
    const char *const argv[] = {
        program,
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "trust",
        "--no-sync",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        NULL,
    };
    const struct passwd *pw = getpwnam("postgres");

    server_folder(s);
    s->as_postgres = true;
    if (getuid() == 0 && pw != NULL &&
        chown(s->dir, pw->pw_uid, pw->pw_gid) != 0) {
        server_die("chown");
    }
    postgres_program("initdb", program, sizeof(program));
    (void) snprintf(data, sizeof(data), "%s/data", s->dir);
    if (!server_run(s, argv)) {
        fprintf(stderr, "initdb failed in %s\n", s->dir);
        abort();
    }
    postgres_server_start(s);
}

static inline void
loop_tick(evutil_socket_t fd, short what, void *ctx)
{
    (void) fd;
    (void) what;
    ++*(int *) ctx;
}

/* Runs the loop until the condition holds, which is asked at every event and
 * every few milliseconds; SERVER_WAIT_S is too long. */
#define LOOP_UNTIL(base, condition)                               \
    do {                                                          \
        int ticks_ = 0;                                           \
        struct timeval tick_ = {0, SERVER_POLL_MS * 1000};        \
        struct event *timer_ =                                    \
            event_new(base, -1, EV_PERSIST, loop_tick, &ticks_);  \
                                                                  \
        (void) event_add(timer_, &tick_);                         \
        while (!(condition)) {                                    \
            (void) event_base_loop(base, EVLOOP_ONCE);            \
            if (ticks_ > SERVER_WAIT_S * 1000 / SERVER_POLL_MS) { \
                fail_msg("never came true: %s", #condition);      \
            }                                                     \
        }                                                         \
        event_free(timer_);                                       \
    } while (0)

#endif
