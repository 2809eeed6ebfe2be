/*
 * The JSON reader must say the same of a document whole and in pieces: the
 * same verdict, reason, place and events. The first byte of the input says
 * where to cut.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/buf.h"
#include "proto/json.h"

#define PIECES_MAX 64 /* cuts at most: byte by byte for short documents */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    json_reader_t *reader;
    buf_t trace;
    str_t doc;
} session_t;

static const char *
note(session_t *s, char kind, str_t text, size_t end)
{
    str_t pointer = json_reader_pointer(s->reader);

    if (end > s->doc.len || utf8_valid(text) != text.len ||
        utf8_valid(pointer) != pointer.len) {
        abort();
    }
    buf_printf(&s->trace, "%c%zu %d ", kind, end,
               json_reader_depth(s->reader));
    buf_str(&s->trace, pointer);
    buf_char(&s->trace, ' ');
    buf_str(&s->trace, text);
    return NULL;
}

static const char *
on_value(void *ctx, json_type_t type, str_t text, size_t end)
{
    session_t *s = ctx;

    /* A number or a literal is spelt as it stands in the document. */
    if (type != JSON_STRING &&
        (end < text.len ||
         memcmp(s->doc.data + end - text.len, text.data, text.len) != 0)) {
        abort();
    }
    if (type == JSON_STRING && s->doc.data[end - 1] != '"') {
        abort();
    }
    return note(s, (char) ('0' + type), text, end);
}

static const char *
on_open(void *ctx, json_type_t type, size_t end)
{
    session_t *s = ctx;

    if (s->doc.data[end - 1] != (type == JSON_OBJECT ? '{' : '[')) {
        abort();
    }
    return note(s, '<', STR_NONE, end);
}

static const char *
on_close(void *ctx, json_type_t type, size_t end)
{
    session_t *s = ctx;

    if (s->doc.data[end - 1] != (type == JSON_OBJECT ? '}' : ']')) {
        abort();
    }
    return note(s, '>', STR_NONE, end);
}

static const char *
on_member(void *ctx, str_t name, size_t end)
{
    session_t *s = ctx;

    if (s->doc.data[end - 1] != '"') {
        abort();
    }
    return note(s, 'm', name, end);
}

static int
read_in_pieces(session_t *s, size_t piece, json_error_t *err)
{
    str_t rest = s->doc;

    while (rest.len > 0) {
        str_t chunk = {rest.data, rest.len < piece ? rest.len : piece};
        if (json_reader_feed(s->reader, chunk, err) < 0) {
            return -1;
        }
        rest.data += chunk.len;
        rest.len -= chunk.len;
    }
    return json_reader_finish(s->reader, err);
}

static void
begin(session_t *s, str_t doc)
{
    static const json_handler_t handler = {on_value, on_open, on_close,
                                           on_member};

    s->doc = doc;
    buf_init(&s->trace, 1 << 24);
    s->reader = json_reader_create(&handler, s);
}

static void
end(session_t *s)
{
    json_reader_free(s->reader);
    buf_free(&s->trace);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    session_t one, two;
    json_error_t err, other;

    if (size < 1) {
        return 0;
    }
    str_t doc = {(const char *) data + 1, size - 1};
    size_t piece = 1 + data[0] + doc.len / PIECES_MAX;
    begin(&one, doc);
    begin(&two, doc);
    int rc = read_in_pieces(&one, doc.len + 1, &err);
    if (read_in_pieces(&two, piece, &other) != rc ||
        !str_eq(buf_view(&one.trace), buf_view(&two.trace))) {
        abort();
    }
    if (rc < 0 && (strcmp(err.reason, other.reason) != 0 ||
                   strcmp(err.pointer, other.pointer) != 0 ||
                   err.offset > doc.len || other.offset > doc.len)) {
        abort();
    }
    end(&one);
    end(&two);
    return 0;
}
