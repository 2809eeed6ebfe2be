/*
 * One pass over the pattern. Sizes are counted as it goes: a group is the sum
 * of what is in it, a bounded repetition multiplies the atom before it, so
 * that ((x{50}){50}){50} is known for what it would become.
 */
#include "proto/pattern.h"

#define REPEAT_MAX_DIGITS 3 /* PostgreSQL repeats at most 255 times */

#define TOO_LARGE "repeats too much"

typedef struct {
    long size; /* of all atoms so far */
    long last; /* of the atom that a repetition would repeat; 0: none */
} group_t;

typedef struct {
    const char *at, *end;
    group_t groups[PATTERN_MAX_DEPTH + 1]; /* [0]: the whole */
    int depth;
} scan_t;

static bool
is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
}

/* Multi-byte characters count by their bytes: no harm. */
static void
add_atom(scan_t *s, long size)
{
    group_t *g = &s->groups[s->depth];

    g->size += size;
    g->last = size;
}

/* Behind a "\"; letters and digits mean something, not everywhere the same. */
static const char *
take_escape(scan_t *s)
{
    if (s->at == s->end) {
        return "ends with a \"\\\"";
    }
    char c = *s->at++;
    if (c == '\0' || (is_letter_or_digit(c) && !strchr("dswDSW", c))) {
        return "has an escape other than \\d \\s \\w \\D \\S \\W and \\ "
               "before a sign";
    }
    return NULL;
}

/* Behind "[:": up to ":]". */
static bool
take_class(scan_t *s)
{
    while (s->end - s->at >= 2 && is_letter_or_digit(*s->at)) {
        s->at++;
    }
    if (s->end - s->at < 2 || s->at[0] != ':' || s->at[1] != ']') {
        return false;
    }
    s->at += 2;
    return true;
}

/* Behind a "[". A "]" that comes first stands for itself. */
static const char *
take_bracket(scan_t *s)
{
    static const char open[] = "has a \"[\" without its \"]\"";
    const char *first;

    if (s->at < s->end && *s->at == '^') {
        s->at++;
    }
    for (first = s->at; s->at < s->end;) {
        char c = *s->at++;
        const char *wrong = NULL;

        if (c == ']' && s->at - 1 > first) {
            add_atom(s, 1);
            return NULL;
        }
        if (c == '\\') {
            wrong = take_escape(s);
        } else if (c == '[' && s->at < s->end && strchr(":.=", *s->at)) {
            bool named = *s->at++ == ':' && take_class(s);
            wrong = named ? NULL : "has a class other than [:name:] in [ ]";
        }
        if (wrong) {
            return wrong;
        }
    }
    return open;
}

/* Up to three digits; -1: none. */
static int
take_number(scan_t *s)
{
    int n = 0, digits = 0;

    while (digits <= REPEAT_MAX_DIGITS && s->at < s->end && *s->at >= '0' &&
           *s->at <= '9') {
        n = n * 10 + (*s->at++ - '0');
        digits++;
    }
    return digits > 0 ? n : -1;
}

/* Behind a "{": m}, m,} or m,n}; how often the atom is written out. */
static int
take_bounds(scan_t *s)
{
    int least = take_number(s), most = least;

    if (least >= 0 && s->at < s->end && *s->at == ',') {
        s->at++;
        most = take_number(s);
        most = most < 0 ? least + 1 : most < least ? -1 : most;
    }
    if (least < 0 || most < 0 || s->at == s->end || *s->at != '}') {
        return -1;
    }
    s->at++;
    return most;
}

/* The repetition c; a "?" behind it makes it lazy. */
static const char *
take_repetition(scan_t *s, char c)
{
    group_t *g = &s->groups[s->depth];
    int times = c == '{' ? take_bounds(s) : 1;

    if (times < 0) {
        return "has a \"{\" that is no {m}, {m,} or {m,n}";
    }
    if (g->last == 0) {
        return "repeats nothing";
    }
    if (times > 1) {
        g->size += g->last * (times - 1);
    }
    if (g->size > PATTERN_MAX_SIZE) {
        return TOO_LARGE;
    }
    if (s->at < s->end && *s->at == '?') {
        s->at++;
    }
    g->last = 0;
    return NULL;
}

/* Behind a "(". */
static const char *
open_group(scan_t *s)
{
    if (s->depth == PATTERN_MAX_DEPTH) {
        return "has groups nested too deep";
    }
    if (s->at < s->end && *s->at == '?') {
        if (s->end - s->at < 2 || s->at[1] != ':') {
            return "has a \"(?\" other than \"(?:\"";
        }
        s->at += 2;
    }
    s->groups[++s->depth] = (group_t){0, 0};
    return NULL;
}

static const char *
close_group(scan_t *s)
{
    if (s->depth == 0) {
        return "has a \")\" without its \"(\"";
    }
    long size = s->groups[s->depth--].size;
    add_atom(s, size > 0 ? size : 1);
    return NULL;
}

static const char *
take_one(scan_t *s)
{
    const char *wrong = NULL;
    char c = *s->at++;

    switch (c) {
    case '\\':
        wrong = take_escape(s);
        add_atom(s, 1);
        return wrong;
    case '[':
        return take_bracket(s);
    case '(':
        return open_group(s);
    case ')':
        return close_group(s);
    case '*':
    case '+':
    case '?':
    case '{':
        return take_repetition(s, c);
    case '|':
    case '^':
    case '$':
        s->groups[s->depth].last = 0;
        return NULL;
    default:
        add_atom(s, 1);
        return NULL;
    }
}

const char *
pattern_check(str_t pattern)
{
    scan_t s = {.at = pattern.data, .end = pattern.data + pattern.len};

    if (pattern.len == 0) {
        return "is empty";
    }
    if (pattern.len > PATTERN_MAX_BYTES) {
        return "is longer than 256 bytes";
    }
    while (s.at < s.end) {
        const char *wrong = take_one(&s);
        if (wrong) {
            return wrong;
        }
    }
    if (s.depth > 0) {
        return "has a \"(\" without its \")\"";
    }
    return s.groups[0].size > PATTERN_MAX_SIZE ? TOO_LARGE : NULL;
}
