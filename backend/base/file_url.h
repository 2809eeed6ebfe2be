/*
 * Files that others name by file: URLs (RFC 8089), all of them below one
 * directory. Neither ".." nor a symbolic link below it leads out of it. Calls
 * block: the files are local and bounded.
 */
#ifndef TURNUP_BASE_FILE_URL_H
#define TURNUP_BASE_FILE_URL_H

#include "backend/base/arena.h"

/*
 * The path that url names, below directory (absolute) and relative to it, in
 * a. NULL with *ret_why (constant): no file: URL, not below it, or directory
 * is empty.
 */
const char *file_url_path(arena_t *a, str_t url, const char *directory,
                          const char **ret_why);
/* A whole file of at most max bytes, malloc'ed; NULL with *ret_why
 * (constant, or strerror's). */
char *file_below_read(const char *directory, const char *path, size_t max,
                      size_t *ret_len, const char **ret_why);
/* Puts text in the file's place at once: it is written beside it, under the
 * name temporary, and renamed when it is on the disk. */
bool file_below_write(const char *directory, const char *path,
                      const char *temporary, str_t text, const char **ret_why);

#endif
