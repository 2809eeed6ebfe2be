/*
 * The tree over the strict reader of proto: build, look up, compare, write.
 *
 * A string without escapes is not copied: its text is the inside of its raw
 * slice. Recursion is bounded by the reader's depth.
 */
#include "backend/base/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Where the reader is in the tree being built. */
typedef struct {
    arena_t *arena;
    str_t source;
    size_t at;  /* end of the last token */
    str_t name; /* of the member whose value comes next */
    json_t *root;
    int depth;
    struct {
        json_t *node, *last;
    } open[JSON_MAX_DEPTH + 1];
} builder_t;

static bool
is_between_tokens(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' ||
           c == ':';
}

/* The source of the token that ends at end. */
static str_t
token(builder_t *b, size_t end)
{
    size_t start = b->at;

    while (start < end && is_between_tokens(b->source.data[start])) {
        start++;
    }
    b->at = end;
    return (str_t){b->source.data + start, end - start};
}

/* What a string token says; text is its value, soon gone. */
static str_t
keep_text(builder_t *b, str_t raw, str_t text)
{
    if (raw.len == text.len + 2) {
        return (str_t){raw.data + 1, text.len};
    }
    return arena_str(b->arena, text);
}

static json_t *
attach(builder_t *b, json_type_t type, str_t raw)
{
    json_t *node = arena_new(b->arena, json_t);

    node->type = type;
    node->raw = raw;
    node->name = b->name;
    b->name = STR_NONE;
    if (b->depth == 0) {
        b->root = node;
    } else {
        json_t *parent = b->open[b->depth - 1].node;
        json_t *last = b->open[b->depth - 1].last;

        if (last == NULL) {
            parent->child = node;
        } else {
            last->next = node;
        }
        b->open[b->depth - 1].last = node;
        parent->count++;
    }
    return node;
}

static const char *
on_value(void *ctx, json_type_t type, str_t text, size_t end)
{
    builder_t *b = ctx;
    json_t *node = attach(b, type, token(b, end));

    node->text =
        type == JSON_STRING ? keep_text(b, node->raw, text) : node->raw;
    return NULL;
}

static const char *
on_open(void *ctx, json_type_t type, size_t end)
{
    builder_t *b = ctx;
    json_t *node = attach(b, type, token(b, end));

    b->open[b->depth].node = node;
    b->open[b->depth].last = NULL;
    b->depth++;
    return NULL;
}

static const char *
on_close(void *ctx, json_type_t type, size_t end)
{
    builder_t *b = ctx;
    json_t *node = b->open[--b->depth].node;

    (void) type;
    node->raw.len = (size_t) (b->source.data + end - node->raw.data);
    b->at = end;
    return NULL;
}

static const char *
on_member(void *ctx, str_t name, size_t end)
{
    builder_t *b = ctx;

    b->name = keep_text(b, token(b, end), name);
    return NULL;
}

static const json_handler_t handler = {
    .value = on_value,
    .open = on_open,
    .close = on_close,
    .member = on_member,
};

/* One reader serves all documents of the process: it is large, and nothing
 * of ours parses inside a parse. */
static json_reader_t *
shared_reader(builder_t **ret_builder)
{
    static builder_t builder;
    static json_reader_t *reader;

    if (reader == NULL) {
        reader = json_reader_create(&handler, &builder);
        if (reader == NULL) {
            abort();
        }
    } else {
        json_reader_reset(reader);
    }
    *ret_builder = &builder;
    return reader;
}

json_t *
json_parse(arena_t *a, str_t text, json_error_t *err)
{
    json_error_t ignored = {.reason = NULL};
    builder_t *b;
    json_reader_t *reader = shared_reader(&b);

    err = err != NULL ? err : &ignored;
    b->arena = a;
    b->source = text;
    b->at = 0;
    b->name = STR_NONE;
    b->root = NULL;
    b->depth = 0;
    if (json_reader_feed(reader, text, err) != 0 ||
        json_reader_finish(reader, err) != 0) {
        return NULL;
    }
    return b->root;
}

/* Behind the string that begins at i; at the end when it is unfinished. */
static size_t
skip_string(str_t s, size_t i)
{
    for (i++; i < s.len && s.data[i] != '"'; i++) {
        if (s.data[i] == '\\') {
            i++;
        }
    }
    return i < s.len ? i + 1 : s.len;
}

/* Behind the comment that begins at i; i when there is none, or no end. */
static size_t
skip_comment(str_t s, size_t i)
{
    if (s.len - i < 2 || s.data[i] != '/') {
        return i;
    }
    if (s.data[i + 1] == '/') {
        const char *end = memchr(s.data + i, '\n', s.len - i);

        return end != NULL ? (size_t) (end - s.data) : s.len;
    }
    if (s.data[i + 1] != '*') {
        return i;
    }
    for (size_t end = i + 3; end < s.len; end++) {
        if (s.data[end] == '/' && s.data[end - 1] == '*') {
            return end + 1;
        }
    }
    return i;
}

static void
blank(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\n') {
            p[i] = ' ';
        }
    }
}

json_t *
json_parse_relaxed(arena_t *a, str_t text, json_error_t *err)
{
    char *copy = arena_z(a, text);
    str_t source = {copy, text.len};

    for (size_t i = 0; i < source.len;) {
        size_t end = skip_comment(source, i);

        if (copy[i] == '"') {
            i = skip_string(source, i);
        } else if (end != i) {
            blank(copy + i, end - i);
            i = end;
        } else {
            i++;
        }
    }
    return json_parse(a, source, err);
}

const json_t *
json_get_str(const json_t *o, str_t name)
{
    if (o == NULL || o->type != JSON_OBJECT) {
        return NULL;
    }
    json_each(member, o)
    {
        if (str_eq(member->name, name)) {
            return member;
        }
    }
    return NULL;
}

const json_t *
json_get(const json_t *o, const char *name)
{
    return json_get_str(o, str_of(name));
}

/* Does the pointer's step (with ~0 and ~1) name this member? */
static bool
step_is(str_t step, str_t name)
{
    size_t n = 0;

    for (size_t i = 0; i < step.len; i++, n++) {
        char c = step.data[i];

        if (c == '~') {
            if (++i == step.len || (step.data[i] & ~1) != '0') {
                return false;
            }
            c = step.data[i] == '0' ? '~' : '/';
        }
        if (n >= name.len || name.data[n] != c) {
            return false;
        }
    }
    return n == name.len;
}

bool
json_index(str_t step, int *ret)
{
    int index = 0;

    if (step.len == 0 || step.len > 6 ||
        (step.data[0] == '0' && step.len > 1)) {
        return false; /* six digits: more than an array may hold */
    }
    for (size_t i = 0; i < step.len; i++) {
        if (step.data[i] < '0' || step.data[i] > '9') {
            return false;
        }
        index = index * 10 + (step.data[i] - '0');
    }
    *ret = index;
    return true;
}

static const json_t *
element_at(const json_t *v, str_t step)
{
    int index;

    if (!json_index(step, &index)) {
        return NULL;
    }
    json_each(element, v)
    {
        if (index-- == 0) {
            return element;
        }
    }
    return NULL;
}

static const json_t *
member_at(const json_t *v, str_t step)
{
    json_each(member, v)
    {
        if (step_is(step, member->name)) {
            return member;
        }
    }
    return NULL;
}

const json_t *
json_at(const json_t *v, str_t pointer)
{
    while (v != NULL && pointer.len > 0) {
        const char *slash;
        str_t step = {pointer.data + 1, pointer.len - 1};

        if (pointer.data[0] != '/') {
            return NULL;
        }
        slash = memchr(step.data, '/', step.len);
        if (slash != NULL) {
            step.len = (size_t) (slash - step.data);
        }
        pointer.data += step.len + 1;
        pointer.len -= step.len + 1;
        if (v->type == JSON_OBJECT) {
            v = member_at(v, step);
        } else {
            v = v->type == JSON_ARRAY ? element_at(v, step) : NULL;
        }
    }
    return v;
}

str_t
json_text(const json_t *o, const char *name)
{
    const json_t *v = json_get(o, name);

    return v != NULL && v->type == JSON_STRING ? v->text : STR_NONE;
}

bool
json_is_true(const json_t *o, const char *name)
{
    const json_t *v = json_get(o, name);

    return v != NULL && v->type == JSON_BOOL && str_is(v->text, "true");
}

long long
json_int(const json_t *o, const char *name, long long dflt)
{
    const json_t *v = json_get(o, name);
    char text[JSON_MAX_NUMBER + 1];
    char *end;
    long long n;
    double d;

    if (v == NULL || v->type != JSON_NUMBER || v->text.len > JSON_MAX_NUMBER) {
        return dflt;
    }
    memcpy(text, v->text.data, v->text.len);
    text[v->text.len] = '\0';
    errno = 0;
    n = strtoll(text, &end, 10);
    if (*end == '\0') {
        return errno == 0 ? n : dflt;
    }
    d = strtod(text, NULL); /* 5.0, 1e3 */
    if (fabs(d) > 0x1p53 || d != (double) (long long) d) {
        return dflt;
    }
    return (long long) d;
}

/* A number as digits (no zeros at either end) times ten to the exponent. */
typedef struct {
    bool negative;
    int digits;
    int exponent;
    char digit[JSON_MAX_NUMBER];
} decimal_t;

/* What stands behind the "e". */
static int
read_exponent(str_t s, size_t i)
{
    int sign = i < s.len && s.data[i] == '-' ? -1 : 1;
    int n = 0;

    for (; i < s.len; i++) {
        if (s.data[i] >= '0' && s.data[i] <= '9' && n < 100000) {
            n = n * 10 + (s.data[i] - '0');
        }
    }
    return sign * n;
}

static void
decimal_read(decimal_t *ret, str_t s)
{
    bool fraction = false;

    *ret = (decimal_t){.negative = s.len > 0 && s.data[0] == '-'};
    for (size_t i = ret->negative; i < s.len; i++) {
        char c = s.data[i];

        if (c == '.') {
            fraction = true;
            continue;
        }
        if (c < '0' || c > '9') {
            ret->exponent += read_exponent(s, i + 1);
            break;
        }
        ret->exponent -= fraction;
        if (ret->digits > 0 || c != '0') {
            ret->digit[ret->digits++] = c;
        }
    }
    while (ret->digits > 0 && ret->digit[ret->digits - 1] == '0') {
        ret->digits--;
        ret->exponent++;
    }
    if (ret->digits == 0) {
        *ret = (decimal_t){0}; /* -0 is 0 */
    }
}

static bool
number_equal(str_t a, str_t b)
{
    decimal_t x, y;

    if (str_eq(a, b)) {
        return true;
    }
    decimal_read(&x, a);
    decimal_read(&y, b);
    return x.negative == y.negative && x.exponent == y.exponent &&
           x.digits == y.digits &&
           memcmp(x.digit, y.digit, (size_t) x.digits) == 0;
}

static bool
array_equal(const json_t *a, const json_t *b)
{
    const json_t *y = b->child;

    json_each(x, a)
    {
        if (!json_equal(x, y)) {
            return false;
        }
        y = y->next;
    }
    return true;
}

/* Members are mostly in the same order: look first where the last one was. */
static bool
object_equal(const json_t *a, const json_t *b)
{
    const json_t *y = b->child;

    json_each(x, a)
    {
        if (!str_eq(x->name, y->name)) {
            y = json_get_str(b, x->name);
        }
        if (y == NULL || !json_equal(x, y)) {
            return false;
        }
        y = y->next != NULL ? y->next : b->child;
    }
    return true;
}

bool
json_equal(const json_t *a, const json_t *b)
{
    if (a == NULL || b == NULL || a->type != b->type || a->count != b->count) {
        return a == b;
    }
    switch (a->type) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
    case JSON_STRING:
        return str_eq(a->text, b->text);
    case JSON_NUMBER:
        return number_equal(a->text, b->text);
    case JSON_ARRAY:
        return array_equal(a, b);
    case JSON_OBJECT:
        return object_equal(a, b);
    }
    return false;
}

static void
put_member(buf_t *out, str_t name)
{
    json_comma(out);
    buf_json(out, name);
    buf_char(out, ':');
}

void
json_merge_patch(buf_t *out, const json_t *target, const json_t *patch)
{
    if (patch->type != JSON_OBJECT) {
        buf_str(out, patch->raw);
        return;
    }
    if (target != NULL && target->type != JSON_OBJECT) {
        target = NULL;
    }
    buf_char(out, '{');
    json_each(was, target)
    {
        const json_t *change = json_get_str(patch, was->name);

        if (change == NULL) {
            put_member(out, was->name);
            buf_str(out, was->raw);
        } else if (change->type != JSON_NULL) {
            put_member(out, was->name);
            json_merge_patch(out, was, change);
        }
    }
    json_each(change, patch)
    {
        if (change->type != JSON_NULL &&
            json_get_str(target, change->name) == NULL) {
            put_member(out, change->name);
            json_merge_patch(out, NULL, change);
        }
    }
    buf_char(out, '}');
}
