/*
 * Files below a directory: opened step by step, so that no link is followed.
 */
#define _GNU_SOURCE
#include "backend/base/file_url.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0640

static int
hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char) (c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded, in a; NULL: not well-formed, or a NUL in it. */
static char *
decode(arena_t *a, str_t s)
{
    char *text = arena_z(a, s);
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (c == '%') {
            int high = i + 2 < s.len ? hex(s.data[i + 1]) : -1;
            int low = i + 2 < s.len ? hex(s.data[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return NULL;
            }
            c = (char) (high * 16 + low);
            i += 2;
        }
        if (c == '\0' || c == '?' || c == '#') {
            return NULL;
        }
        text[n++] = c;
    }
    text[n] = '\0';
    return text;
}

/* Names, one slash between two. */
static bool
is_path(const char *path)
{
    while (*path) {
        size_t n = strcspn(path, "/");

        if (n == 0 || (n == 1 && path[0] == '.') ||
            (n == 2 && path[0] == '.' && path[1] == '.')) {
            return false;
        }
        path += n;
        if (*path == '/' && *++path == '\0') {
            return false;
        }
    }
    return true;
}

/* What follows "file://" and this host's name, or "file:". */
static bool
cut_scheme(str_t *url)
{
    static const char *const begins[] = {"file://localhost/", "file:///",
                                         "file:/"};

    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        size_t n = strlen(begins[i]);

        if (url->len > n && !strncasecmp(url->data, begins[i], n)) {
            url->data += n - 1;
            url->len -= n - 1;
            return true;
        }
    }
    return false;
}

const char *
file_url_path(arena_t *a, str_t url, const char *directory,
              const char **ret_why)
{
    size_t n = strlen(directory);
    const char *path = NULL;

    if (n == 0) {
        *ret_why = "file: URLs are not taken here";
        return NULL;
    }
    if (cut_scheme(&url)) {
        path = decode(a, url);
    }
    if (!path) {
        *ret_why = "not a file: URL";
        return NULL;
    }
    n -= directory[n - 1] == '/';
    if (strncmp(path, directory, n) != 0 || path[n] != '/' ||
        path[n + 1] == '\0' || !is_path(path + n + 1)) {
        *ret_why = "not below the directory that files are taken from";
        return NULL;
    }
    return path + n + 1;
}

/* The directory that the file is in; *path is then its name there. */
static int
open_parent(const char *directory, const char **path)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int dir = open(directory, flags);
    const char *slash;

    while (dir >= 0 && (slash = strchr(*path, '/')) != NULL) {
        char name[NAME_MAX + 1];
        size_t n = (size_t) (slash - *path);
        int next = -1;

        if (n < sizeof(name)) {
            memcpy(name, *path, n);
            name[n] = '\0';
            next = openat(dir, name, flags | O_NOFOLLOW);
        } else {
            errno = ENAMETOOLONG;
        }
        close(dir);
        dir = next;
        *path = slash + 1;
    }
    return dir;
}

static char *
read_all(int fd, size_t max, size_t *ret_len, const char **ret_why)
{
    struct stat st;
    char *text;
    size_t n = 0;
    ssize_t got = 0;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *ret_why = "not a regular file";
        return NULL;
    }
    if ((size_t) st.st_size > max) {
        *ret_why = "the file is too large";
        return NULL;
    }
    text = xcalloc(1, (size_t) st.st_size + 1);
    while (n < (size_t) st.st_size &&
           (got = read(fd, text + n, (size_t) st.st_size - n)) > 0) {
        n += (size_t) got;
    }
    if (got < 0) {
        *ret_why = strerror(errno);
        free(text);
        return NULL;
    }
    *ret_len = n;
    return text;
}

char *
file_below_read(const char *directory, const char *path, size_t max,
                size_t *ret_len, const char **ret_why)
{
    int dir = open_parent(directory, &path);
    /* Not to wait for somebody at the other end of a pipe. */
    int fd = dir < 0 ? -1
                     : openat(dir, path,
                              O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char *text = NULL;

    if (fd < 0) {
        *ret_why = strerror(errno);
    } else {
        text = read_all(fd, max, ret_len, ret_why);
        close(fd);
    }
    if (dir >= 0) {
        close(dir);
    }
    return text;
}

static bool
write_all(int fd, str_t text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.data, text.len);

        if (n < 0) {
            return false;
        }
        text.data += n;
        text.len -= (size_t) n;
    }
    return fsync(fd) == 0;
}

static bool
write_in(int dir, const char *name, const char *temporary, str_t text)
{
    int fd = openat(dir, temporary,
                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                    FILE_MODE);
    bool good = fd >= 0 && write_all(fd, text);

    if (fd >= 0) {
        good = close(fd) == 0 && good;
    }
    if (good && renameat(dir, temporary, dir, name) == 0) {
        return fsync(dir) == 0;
    }
    if (fd >= 0) {
        int why = errno;

        (void) unlinkat(dir, temporary, 0);
        errno = why;
    }
    return false;
}

bool
file_below_write(const char *directory, const char *path,
                 const char *temporary, str_t text, const char **ret_why)
{
    int dir = open_parent(directory, &path);
    bool good = dir >= 0 && write_in(dir, path, temporary, text);

    if (!good) {
        *ret_why = strerror(errno);
    }
    if (dir >= 0) {
        close(dir);
    }
    return good;
}
