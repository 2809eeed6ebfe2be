/*
 * Frames: what is read and written again is what was there. The same bytes
 * are taken for a reply and, cut at newlines, for the fields of a request; and
 * for a list of entity tags with, in front of it, the tag that is there.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/etag.h"
#include "proto/frame.h"

#define FIELDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_reply(str_t text)
{
    reply_frame_t f;
    str_t name, value;
    buf_t b;
    int rc;

    if (reply_frame_read(&f, text) < 0) {
        return;
    }
    buf_init(&b, text.len);
    reply_frame_write(&b, &f);
    if (buf_failed(&b) || !str_eq(buf_view(&b), text)) {
        abort();
    }
    buf_free(&b);
    while ((rc = reply_header_next(&f.headers, &name, &value)) == 1) {
        if (name.len == 0 ||
            (value.len > 0 && memchr(value.data, '\n', value.len))) {
            abort();
        }
    }
    if (rc != 0) {
        abort();
    }
}

static void
check_request(str_t text)
{
    str_t in[FIELDS_MAX], out[2 * REQUEST_FIELD_COUNT];
    request_frame_t f, back;
    int n = 0;

    while (text.len > 0 && n < FIELDS_MAX) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t) (end - text.data) : text.len;
        in[n++] = (str_t){text.data, len};
        text.data += len + (end != NULL);
        text.len -= len + (end != NULL);
    }
    if (request_frame_read(&f, in, n) < 0) {
        return;
    }
    n = request_frame_args(&f, out);
    if (n < 4 || n > 2 * REQUEST_FIELD_COUNT ||
        request_frame_read(&back, out, n) < 0) {
        abort();
    }
#define F(member, name)                   \
    if (!str_eq(f.member, back.member)) { \
        abort();                          \
    }
    REQUEST_FIELDS(F)
#undef F
}

/* Who matches strongly matches weakly, and "no" is a verdict on both. */
static void
check_conditions(str_t text)
{
    const char *end = text.len ? memchr(text.data, '\n', text.len) : NULL;
    size_t len = end ? (size_t) (end - text.data) : 0;
    str_t tag = {text.data, len};
    str_t list = {text.data + len, text.len - len};
    etag_conditions_t match = {list, STR_NONE}, none = {STR_NONE, list};
    tmf_error_t e;

    if (end) {
        list = (str_t){end + 1, text.len - len - 1};
        match.match = none.none_match = list;
    }
    if (etag_check(&match, &e) != etag_check(&none, &e)) {
        abort();
    }
    if (etag_judge(&match, tag, true) == ETAG_PROCEED && list.data &&
        (etag_judge(&none, tag, true) != ETAG_NOT_MODIFIED ||
         etag_judge(&none, tag, false) != ETAG_FAILED)) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str_t text = {(const char *) data, size};

    check_reply(text);
    check_request(text);
    check_conditions(text);
    return 0;
}
