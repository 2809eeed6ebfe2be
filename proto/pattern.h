/*
 * Regular expressions of clients: what may reach PostgreSQL, which runs them.
 *
 * The dialect is the part of PostgreSQL's (and of PCRE's, and of POSIX's) that
 * means the same everywhere and that an automaton decides without going back:
 * characters, ".", bracket expressions with classes, groups, "|", "^", "$",
 * "*", "+", "?", "{m,n}", their lazy forms, \d \s \w \D \S \W, and "\" before a
 * sign. No back-references, no looking around, no options.
 */
#ifndef TURNUP_PROTO_PATTERN_H
#define TURNUP_PROTO_PATTERN_H

#include "proto/str.h"

#define PATTERN_MAX_BYTES 256
#define PATTERN_MAX_DEPTH 16 /* groups in groups */
/* Characters and classes when repetitions are written out: what an automaton
 * is built from. */
#define PATTERN_MAX_SIZE 1000

/* NULL: may be sent to PostgreSQL. Else what is wrong with it, as a
 * constant ("is longer than 256 bytes"). */
const char *pattern_check(str_t pattern);

#endif
