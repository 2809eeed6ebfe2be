/*
 * A JSON handler that writes down what it is told, and ways to give a reader
 * a document in pieces. Shared by the tests of the JSON reader; cmocka.h and
 * what it needs come first.
 */
#ifndef TURNUP_T_UNIT_JSON_RECORDER_H
#define TURNUP_T_UNIT_JSON_RECORDER_H

#include "proto/buf.h"
#include "proto/json.h"

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

/* Writes down what it is told: one line an event. */
typedef struct {
    buf_t trace;
    json_reader_t *reader;
    const char *refuse; /* a text on which to refuse */
} recorder_t;

static const char *
note_event(recorder_t *rec, char kind, str_t text, size_t end)
{
    str_t pointer = json_reader_pointer(rec->reader);

    assert_int_equal(strlen(pointer.data), pointer.len);
    buf_printf(&rec->trace, "%c%zu#%d %.*s = ", kind, end,
               json_reader_depth(rec->reader), STR_FMT(pointer));
    buf_str(&rec->trace, text);
    buf_char(&rec->trace, '\n');
    return rec->refuse && str_is(text, rec->refuse) ? "refused" : NULL;
}

static const char *
on_value(void *ctx, json_type_t type, str_t text, size_t end)
{
    return note_event(ctx, "zbns"[type], text, end);
}

static const char *
on_open(void *ctx, json_type_t type, size_t end)
{
    return note_event(ctx, type == JSON_OBJECT ? '{' : '[', STR_NONE, end);
}

static const char *
on_close(void *ctx, json_type_t type, size_t end)
{
    return note_event(ctx, type == JSON_OBJECT ? '}' : ']', STR_NONE, end);
}

static const char *
on_member(void *ctx, str_t name, size_t end)
{
    return note_event(ctx, 'm', name, end);
}

static const json_handler_t recording = {on_value, on_open, on_close,
                                         on_member};

static inline void
setup(recorder_t *rec)
{
    *rec = (recorder_t){0};
    buf_init(&rec->trace, 1 << 24);
    rec->reader = json_reader_create(&recording, rec);
    assert_non_null(rec->reader);
}

static inline void
teardown(recorder_t *rec)
{
    json_reader_free(rec->reader);
    buf_free(&rec->trace);
}

/* Reads doc in pieces that end at the offsets `cuts`. */
static inline int
read_cut(recorder_t *rec, str_t doc, const size_t *cuts, int n,
         json_error_t *err)
{
    size_t from = 0;

    json_reader_reset(rec->reader);
    buf_reset(&rec->trace);
    for (int i = 0; i <= n; i++) {
        size_t to = i < n ? cuts[i] : doc.len;
        /* A copy of its own size: reading beyond it would be seen. */
        char *piece = malloc(to - from + 1);
        assert_non_null(piece);
        if (to > from) {
            memcpy(piece, doc.data + from, to - from);
        }
        int rc = json_reader_feed(rec->reader, (str_t){piece, to - from}, err);
        free(piece);
        if (rc < 0) {
            return rc;
        }
        from = to;
    }
    return json_reader_finish(rec->reader, err);
}

static inline int
read_whole(recorder_t *rec, str_t doc, json_error_t *err)
{
    return read_cut(rec, doc, NULL, 0, err);
}

/* One byte at a time. */
static inline int
read_bytes(recorder_t *rec, str_t doc, json_error_t *err)
{
    size_t *cuts = calloc(doc.len + 1, sizeof(*cuts));

    assert_non_null(cuts);
    for (size_t i = 0; i < doc.len; i++) {
        cuts[i] = i;
    }
    int rc = read_cut(rec, doc, cuts, (int) doc.len, err);
    free(cuts);
    return rc;
}

/* The same verdict, reason, pointer and events for every cut. */
static inline int
read_every_way(str_t doc, json_error_t *err)
{
    recorder_t one, two;
    json_error_t other;

    setup(&one);
    setup(&two);
    int rc = read_whole(&one, doc, err);
    for (size_t i = 0; i <= doc.len + 1; i++) {
        int again = i <= doc.len ? read_cut(&two, doc, &i, 1, &other)
                                 : read_bytes(&two, doc, &other);
        if (again != rc || (rc < 0 && strcmp(err->reason, other.reason))) {
            fail_msg("%.*s: cut at %zu: %d %s, whole: %d %s", STR_FMT(doc), i,
                     again, again < 0 ? other.reason : "", rc,
                     rc < 0 ? err->reason : "");
        }
        assert_true(str_eq(buf_view(&one.trace), buf_view(&two.trace)));
        if (rc < 0) {
            assert_string_equal(err->pointer, other.pointer);
            assert_true(err->offset <= doc.len);
            assert_true(other.offset <= doc.len);
        }
    }
    teardown(&one);
    teardown(&two);
    return rc;
}

#endif
