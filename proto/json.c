/*
 * The strict JSON reader. yajl cuts the text into tokens; everything that
 * yajl leaves open is decided here: the bytes of strings are looked at before
 * yajl sees them (proto/text_check.h), names are remembered per object, and
 * numbers are bounded.
 *
 * The verdict does not depend on where the chunks are cut: what is wrong with
 * the raw bytes at one place stops yajl at this place and not before, so the
 * first fault in the document is the one reported.
 */
#include "proto/json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

#include "proto/buf.h"
#include "proto/json_number.h"
#include "proto/set.h"
#include "proto/text_check.h"

/* yajl's own needs for a document of a few KB; more comes from malloc. */
#define ARENA_BYTES 8192
#define ARENA_ALIGN 16

/* yajl reads an unfinished token again with each chunk. From this size on
 * chunks are collected until they double it, so that the work stays linear. */
#define HOLD_MIN 65536

typedef struct {
    json_type_t type;
    int begun; /* members or elements */
    int name;  /* entry of the member now at, in names */
    int mark;  /* of its names */
} level_t;

struct json_reader {
    const json_handler_t *handler;
    void *ctx;
    yajl_handle yajl;
    const char *reason; /* why a callback stopped yajl */
    size_t total;       /* bytes fed */
    size_t base;        /* bytes given to yajl before the chunk it has now */
    size_t token_end;   /* of the last whole token */
    bool blank;         /* nothing but white space so far */
    bool begun;         /* the document's own value has */
    text_check_t check;
    buf_t hold; /* fed, not yet given to yajl */
    set_t names;
    int depth;
    level_t levels[JSON_MAX_DEPTH];
    char pointer[JSON_POINTER_MAX];
    size_t arena_used;
    size_t arena_last; /* start of the newest piece, to grow it in place */
    _Alignas(ARENA_ALIGN) char arena[ARENA_BYTES];
};

/* What yajl says, and what we say instead; the first that fits. */
static const struct {
    const char *part, *reason;
} syntax_reasons[] = {
    {"premature EOF", "document ends too early"},
    {"trailing garbage", "text after the end of the document"},
    {"occurs before a character", "unknown escape in a string"},
    {"occurs after '\\u'", "broken \\u escape in a string"},
    {"invalid character inside string", "control character in a string"},
    {"malformed number", "malformed number"},
    {"probable comment", "comments are not JSON"},
    {"separated by a colon", "a colon is expected after a member name"},
    {"inside map", "a comma or } is expected after a member"},
    {"after array element", "a comma or ] is expected after an element"},
    {"invalid object key", "a member name must be a string"},
    {"unallowed token", "unexpected token"},
};

static bool
in_arena(const json_reader_t *r, const void *p)
{
    uintptr_t at = (uintptr_t) p, from = (uintptr_t) r->arena;
    return at >= from && at < from + ARENA_BYTES;
}

/* Each piece is preceded by its size. */
static void *
arena_malloc(void *ctx, size_t size)
{
    json_reader_t *r = ctx;
    size_t start = r->arena_used + ARENA_ALIGN;

    if (size > ARENA_BYTES || start > ARENA_BYTES - size) {
        return malloc(size);
    }
    memcpy(r->arena + r->arena_used, &size, sizeof(size));
    r->arena_last = start;
    r->arena_used =
        (start + size + ARENA_ALIGN - 1) & ~(size_t) (ARENA_ALIGN - 1);
    return r->arena + start;
}

static void
arena_free(void *ctx, void *p)
{
    if (!in_arena(ctx, p)) {
        free(p);
    }
}

static void *
arena_realloc(void *ctx, void *p, size_t size)
{
    json_reader_t *r = ctx;
    size_t had;

    if (!p) {
        return arena_malloc(ctx, size);
    }
    if (!in_arena(r, p)) {
        return realloc(p, size);
    }
    memcpy(&had, (char *) p - ARENA_ALIGN, sizeof(had));
    if (p == r->arena + r->arena_last) {
        r->arena_used = r->arena_last - ARENA_ALIGN;
    }
    void *grown = arena_malloc(ctx, size);
    if (grown && grown != p) {
        memcpy(grown, p, had < size ? had : size);
    }
    return grown;
}

/* A value begins: counts it in the array it stands in. */
static const char *
value_begin(json_reader_t *r)
{
    if (r->depth > 0) {
        level_t *level = &r->levels[r->depth - 1];
        if (level->type == JSON_ARRAY && ++level->begun > JSON_MAX_ELEMENTS) {
            return "too many array elements";
        }
    }
    r->begun = true;
    return NULL;
}

static size_t
token_end(json_reader_t *r)
{
    r->token_end = r->base + yajl_get_bytes_consumed(r->yajl);
    return r->token_end;
}

/* What yajl wants of its callbacks: 0 to stop. */
static int
verdict(json_reader_t *r, const char *reason)
{
    r->reason = reason;
    return reason == NULL;
}

static int
scalar(json_reader_t *r, json_type_t type, str_t text)
{
    size_t end = token_end(r);
    const char *reason = value_begin(r);

    if (!reason && type == JSON_NUMBER) {
        reason = json_number_fault(text);
    }
    if (!reason && r->handler->value) {
        reason = r->handler->value(r->ctx, type, text, end);
    }
    return verdict(r, reason);
}

static int
on_null(void *ctx)
{
    return scalar(ctx, JSON_NULL, STR("null"));
}

static int
on_boolean(void *ctx, int value)
{
    return scalar(ctx, JSON_BOOL, value ? STR("true") : STR("false"));
}

static int
on_number(void *ctx, const char *data, size_t len)
{
    return scalar(ctx, JSON_NUMBER, (str_t){data, len});
}

static int
on_string(void *ctx, const unsigned char *data, size_t len)
{
    return scalar(ctx, JSON_STRING, (str_t){(const char *) data, len});
}

static int
open_level(json_reader_t *r, json_type_t type)
{
    size_t end = token_end(r);
    const char *reason = value_begin(r);

    if (!reason && r->depth == JSON_MAX_DEPTH) {
        reason = "nested too deeply";
    }
    if (reason) {
        return verdict(r, reason);
    }
    r->levels[r->depth++] =
        (level_t){.type = type, .name = -1, .mark = set_mark(&r->names)};
    if (r->handler->open) {
        reason = r->handler->open(r->ctx, type, end);
    }
    return verdict(r, reason);
}

static int
close_level(json_reader_t *r)
{
    level_t *level = &r->levels[r->depth - 1];
    const char *reason = NULL;
    size_t end = token_end(r);

    /* From here on the pointer is that of the container. */
    level->name = -1;
    level->begun = 0;
    set_drop(&r->names, level->mark);
    if (r->handler->close) {
        reason = r->handler->close(r->ctx, level->type, end);
    }
    r->depth--;
    return verdict(r, reason);
}

static int
on_open_object(void *ctx)
{
    return open_level(ctx, JSON_OBJECT);
}

static int
on_open_array(void *ctx)
{
    return open_level(ctx, JSON_ARRAY);
}

static int
on_close(void *ctx)
{
    return close_level(ctx);
}

static int
on_member(void *ctx, const unsigned char *data, size_t len)
{
    json_reader_t *r = ctx;
    level_t *level = &r->levels[r->depth - 1];
    str_t name = {(const char *) data, len};
    size_t end = token_end(r);
    bool is_new = false;

    if (++level->begun > JSON_MAX_MEMBERS) {
        return verdict(r, "too many members in an object");
    }
    int entry = set_add(&r->names, level->mark, name, &is_new);
    if (entry < 0) {
        return verdict(r, JSON_NO_MEMORY);
    }
    level->name = entry;
    if (!is_new) {
        return verdict(r, "duplicate member name");
    }
    return verdict(
        r, r->handler->member ? r->handler->member(r->ctx, name, end) : NULL);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_open_object,
    .yajl_map_key = on_member,
    .yajl_end_map = on_close,
    .yajl_start_array = on_open_array,
    .yajl_end_array = on_close,
};

static bool
begin_document(json_reader_t *r)
{
    yajl_alloc_funcs funcs = {arena_malloc, arena_realloc, arena_free, r};

    r->arena_used = 0;
    r->arena_last = 0;
    r->reason = NULL;
    r->total = 0;
    r->base = 0;
    r->token_end = 0;
    r->blank = true;
    r->begun = false;
    r->depth = 0;
    r->check = (text_check_t){0};
    r->yajl = yajl_alloc(&callbacks, &funcs, r);
    /* Our own check of the bytes is stricter. */
    return r->yajl && yajl_config(r->yajl, yajl_dont_validate_strings, 1);
}

json_reader_t *
json_reader_create(const json_handler_t *h, void *ctx)
{
    json_reader_t *r = malloc(sizeof(*r));

    if (!r) {
        return NULL;
    }
    r->handler = h;
    r->ctx = ctx;
    set_init(&r->names);
    buf_init(&r->hold, JSON_MAX_BYTES);
    if (!begin_document(r)) {
        json_reader_free(r);
        return NULL;
    }
    return r;
}

void
json_reader_free(json_reader_t *r)
{
    if (!r) {
        return;
    }
    if (r->yajl) {
        yajl_free(r->yajl);
    }
    set_free(&r->names);
    buf_free(&r->hold);
    free(r);
}

void
json_reader_reset(json_reader_t *r)
{
    yajl_free(r->yajl);
    buf_reset(&r->hold);
    set_drop(&r->names, 0);
    /* What yajl asks for at birth always fits the arena. */
    (void) begin_document(r);
}

int
json_reader_depth(const json_reader_t *r)
{
    return r->depth;
}

/* Appends a reference token of RFC 6901; false when there is no room. */
static bool
pointer_append(char *out, size_t *len, str_t token)
{
    size_t at = *len;

    if (at + 1 >= JSON_POINTER_MAX) {
        return false;
    }
    out[at++] = '/';
    for (size_t i = 0; i < token.len; i++) {
        char c = token.data[i];
        if (at + 2 >= JSON_POINTER_MAX) {
            /* Cut before a character, not within one. */
            *len += utf8_valid((str_t){out + *len, at - *len});
            return false;
        }
        if (c == '~' || c == '/') {
            out[at++] = '~';
            c = c == '~' ? '0' : '1';
        }
        out[at++] = c;
    }
    *len = at;
    return true;
}

static size_t
pointer_build(const json_reader_t *r, char out[JSON_POINTER_MAX])
{
    size_t len = 0;
    bool more = true;

    for (int i = 0; i < r->depth && more; i++) {
        const level_t *level = &r->levels[i];
        if (level->type == JSON_OBJECT && level->name >= 0) {
            more = pointer_append(out, &len, set_text(&r->names, level->name));
        } else if (level->type == JSON_ARRAY && level->begun > 0) {
            char index[16];
            int n = snprintf(index, sizeof(index), "%d", level->begun - 1);
            more = pointer_append(out, &len, (str_t){index, (size_t) n});
        } else {
            break;
        }
    }
    out[len] = '\0';
    return len;
}

str_t
json_reader_pointer(const json_reader_t *r)
{
    /* A scratch pad: the reader seen by the caller does not change. */
    char *pad = ((json_reader_t *) r)->pointer;
    return (str_t){pad, pointer_build(r, pad)};
}

static const char *
syntax_reason(const json_reader_t *r)
{
    const char *reason = "malformed JSON";
    unsigned char *text = yajl_get_error(r->yajl, 0, NULL, 0);
    size_t rows = sizeof(syntax_reasons) / sizeof(syntax_reasons[0]);

    for (size_t i = 0; text && i < rows; i++) {
        if (strstr((char *) text, syntax_reasons[i].part)) {
            reason = syntax_reasons[i].reason;
            break;
        }
    }
    if (text) {
        yajl_free_error(r->yajl, text);
    }
    return reason;
}

static int
fail(const json_reader_t *r, json_error_t *err, const char *reason,
     size_t offset)
{
    err->reason = reason;
    /* To finish, yajl is fed a blank that the document does not have. */
    err->offset = offset < r->total ? offset : r->total;
    pointer_build(r, err->pointer);
    return -1;
}

static int
check_status(json_reader_t *r, yajl_status status, json_error_t *err)
{
    if (status == yajl_status_ok) {
        return 0;
    }
    const char *reason =
        status == yajl_status_client_canceled ? r->reason : syntax_reason(r);
    return fail(r, err, reason, r->base + yajl_get_bytes_consumed(r->yajl));
}

static int
parse(json_reader_t *r, str_t text, json_error_t *err)
{
    if (text.len == 0) {
        return 0;
    }
    yajl_status status =
        yajl_parse(r->yajl, (const unsigned char *) text.data, text.len);
    if (check_status(r, status, err) < 0) {
        return -1;
    }
    r->base += text.len;
    return 0;
}

/* Gives yajl what has been held back. */
static int
release(json_reader_t *r, json_error_t *err)
{
    if (buf_failed(&r->hold)) {
        return fail(r, err, JSON_NO_MEMORY, r->total);
    }
    int rc = parse(r, buf_view(&r->hold), err);
    buf_reset(&r->hold);
    return rc;
}

/* An unfinished token is long, and this chunk does not double it. */
static bool
hold_back(const json_reader_t *r, size_t len)
{
    size_t unfinished = r->base - r->token_end;
    return unfinished >= HOLD_MIN && r->hold.len + len < unfinished;
}

static void
look_for_text(json_reader_t *r, str_t chunk)
{
    for (size_t i = 0; i < chunk.len && r->blank; i++) {
        r->blank = chunk.data[i] != '\0' && strchr(" \t\r\n", chunk.data[i]);
    }
}

int
json_reader_feed(json_reader_t *r, str_t chunk, json_error_t *err)
{
    const char *reason = NULL;

    if (chunk.len > JSON_MAX_BYTES - r->total) {
        chunk.len = JSON_MAX_BYTES - r->total;
        reason = JSON_TOO_LARGE;
    }
    size_t good = text_check(&r->check, chunk, &reason);
    bool text_faulty = good < chunk.len;
    chunk.len = good;
    look_for_text(r, chunk);
    r->total += chunk.len;
    if (hold_back(r, chunk.len) && !reason) {
        buf_str(&r->hold, chunk);
        return 0;
    }
    if (r->hold.len > 0) {
        buf_str(&r->hold, chunk);
        chunk.len = 0;
    }
    if (release(r, err) < 0 || parse(r, chunk, err) < 0) {
        return -1;
    }
    if (!reason) {
        return 0;
    }
    if (text_faulty) {
        /* It is within a string: in an array, an element of its own. */
        (void) value_begin(r);
    }
    return fail(r, err, reason, r->total);
}

/*
 * yajl lets a string pass that begins behind the document and does not end.
 * A quote would end it, and it would be seen; without one, the quote itself
 * is what passes. Behind a backslash it would not end: an escape there can
 * only be in such a string.
 */
static int
check_end(json_reader_t *r, json_error_t *err)
{
    if (!r->begun || r->depth > 0) {
        return 0; /* the document itself has not ended */
    }
    if (r->check.escape > 0 || r->check.high || r->check.utf8.need > 0) {
        return fail(r, err, "text after the end of the document", r->total);
    }
    return check_status(
        r, yajl_parse(r->yajl, (const unsigned char *) "\"", 1), err);
}

int
json_reader_finish(json_reader_t *r, json_error_t *err)
{
    if (release(r, err) < 0 || check_end(r, err) < 0) {
        return -1;
    }
    if (r->blank) {
        return fail(r, err, JSON_EMPTY, r->total);
    }
    return check_status(r, yajl_complete_parse(r->yajl), err);
}
