/* rooms: proto backend/base backend/southbound */
/*
 * Answers, whole and cut at every place: the verdict is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "backend/southbound/http_parse.h"

#define BODY_MAX 4096

typedef struct {
    const char *text;
    const char *error; /* a part of it; NULL: a good answer */
    int status;
    const char *body;
    bool keep;
} answer_t;

static http_parse_t parse;

static int
setup(void **state)
{
    (void) state;
    http_parse_init(&parse, BODY_MAX);
    return 0;
}

static int
teardown(void **state)
{
    (void) state;
    http_parse_free(&parse);
    return 0;
}

/* Pieces of that many bytes; all that is left over counts in *ret_left. */
static http_verdict_t
feed(const char *text, size_t len, size_t piece, size_t *ret_left)
{
    http_verdict_t v = HTTP_MORE;
    size_t at = 0;

    while (at < len && v == HTTP_MORE) {
        size_t n = len - at < piece ? len - at : piece, used;
        char *copy = malloc(n); /* ASan sees what is read behind it */

        assert_non_null(copy);
        memcpy(copy, text + at, n);
        v = http_parse_feed(&parse, copy, n, &used);
        free(copy);
        assert_true(used <= n);
        assert_true(used == n || v == HTTP_DONE);
        at += used;
    }
    *ret_left = len - at;
    return v;
}

static void
check(const answer_t *a)
{
    size_t len = strlen(a->text), left;

    for (size_t piece = len; piece > 0; piece = piece > 9 ? 9 : piece - 1) {
        http_verdict_t v;

        http_parse_begin(&parse, false);
        v = feed(a->text, len, piece, &left);
        if (v == HTTP_MORE) {
            v = http_parse_end(&parse);
        }
        if (a->error != NULL) {
            assert_int_equal(v, HTTP_BAD);
            assert_int_equal(parse.status, 0);
            assert_false(parse.keep);
            assert_non_null(parse.error);
            if (strstr(parse.error, a->error) == NULL) {
                fail_msg("'%s' for: %s", parse.error, a->text);
            }
            continue;
        }
        if (v != HTTP_DONE) {
            fail_msg("'%s' for: %s", parse.error, a->text);
        }
        assert_int_equal(left, 0);
        assert_int_equal(parse.status, a->status);
        assert_int_equal(parse.keep, a->keep);
        assert_int_equal(parse.body.len, strlen(a->body));
        if (parse.body.len > 0) {
            assert_string_equal(parse.body.data, a->body);
        }
    }
}

#define OK "HTTP/1.1 200 OK\r\n"

static void
good_answers(void **state)
{
    static const answer_t answers[] = {
        {OK "Content-Length: 5\r\n\r\nhello", NULL, 200, "hello", true},
        {OK "content-LENGTH:5\r\n\r\nhello", NULL, 200, "hello", true},
        {OK "Content-Length: \t 5 \t\r\n\r\nhello", NULL, 200, "hello", true},
        {OK "Content-Length: 000\r\n\r\n", NULL, 200, "", true},
        {OK "Content-Length: 2, 2\r\nContent-Length: 2\r\n\r\nab", NULL, 200,
         "ab", true},
        {"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", NULL, 404, "", true},
        {"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", NULL, 404, "", true},
        {"HTTP/1.1 200 OK\nContent-Length: 2\n\nab", NULL, 200, "ab", true},
        {"HTTP/1.1 500 K\xc3\xb6nnte\tsein\r\nContent-Length: 0\r\n\r\n", NULL,
         500, "", true},
        /* until the end */
        {OK "\r\nall the rest\r\n\r\n", NULL, 200, "all the rest\r\n\r\n",
         false},
        {OK "Connection: keep-alive\r\n\r\n", NULL, 200, "", false},
        /* the connection after it */
        {OK "Connection: close\r\nContent-Length: 1\r\n\r\na", NULL, 200, "a",
         false},
        {OK "Connection: x , CLOSE,\r\nContent-Length: 1\r\n\r\na", NULL, 200,
         "a", false},
        {OK "Connection: closed\r\nContent-Length: 1\r\n\r\na", NULL, 200, "a",
         true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", NULL, 200, "a",
         false},
        {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n"
         "Content-Length: 1\r\n\r\na",
         NULL, 200, "a", true},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n"
         "Content-Length: 1\r\n\r\na",
         NULL, 200, "a", false},
        /* no body */
        {"HTTP/1.1 204 No\r\n\r\n", NULL, 204, "", true},
        {"HTTP/1.1 304 No\r\nContent-Length: 70\r\n\r\n", NULL, 304, "", true},
        /* interim answers, whose headers do not count */
        {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\na", NULL,
         200, "a", true},
        {"HTTP/1.1 103 Early\r\nConnection: close\r\nContent-Length: 3\r\n\r\n"
         "HTTP/1.1 100 C\r\n\r\n" OK "Content-Length: 1\r\n\r\na",
         NULL, 200, "a", true},
        /* folded, where it does not matter */
        {OK "X-A: a\r\n b\r\n\t c: d\r\nContent-Length: 1\r\n\r\na", NULL, 200,
         "a", true},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        check(&answers[i]);
    }
}

#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static void
chunks(void **state)
{
    static const answer_t answers[] = {
        {CHUNKED "0\r\n\r\n", NULL, 200, "", true},
        {CHUNKED "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", NULL, 200, "hello!",
         true},
        {CHUNKED "00A\r\n0123456789\r\n0000000000000000\r\n\r\n", NULL, 200,
         "0123456789", true},
        {CHUNKED "a;x=\"y\"\r\n0123456789\r\n0 ; z\r\n\r\n", NULL, 200,
         "0123456789", true},
        {CHUNKED "1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n", NULL,
         200, "a", true},
        {CHUNKED "1\na\n0\n\n", NULL, 200, "a", true},
        {OK "transfer-encoding: CHUNKED\r\nConnection: close\r\n\r\n"
            "1\r\na\r\n0\r\n\r\n",
         NULL, 200, "a", false},
        {CHUNKED "g\r\n", "chunk", 0, NULL, false},
        {CHUNKED "\r\n", "chunk", 0, NULL, false},
        {CHUNKED "-1\r\n", "chunk", 0, NULL, false},
        {CHUNKED "0x1\r\na\r\n0\r\n\r\n", "chunk", 0, NULL, false},
        {CHUNKED " 1\r\na\r\n0\r\n\r\n", "chunk", 0, NULL, false},
        {CHUNKED "1 a\r\n", "chunk", 0, NULL, false},
        {CHUNKED "1;\x01\r\n", "chunk", 0, NULL, false},
        {CHUNKED "00000000000000001\r\na\r\n0\r\n\r\n", "chunk", 0, NULL,
         false},
        {CHUNKED "1\r\nab\r\n0\r\n\r\n", "chunk", 0, NULL, false},
        {CHUNKED "1001\r\n", "too large", 0, NULL, false},
        {CHUNKED "ffffffffffffffff\r\n", "too large", 0, NULL, false},
        {CHUNKED "2\r\nab\r\nffffffffffffffff\r\n", "too large", 0, NULL,
         false},
        {CHUNKED "1\r\na\r\n0\r\nbroken\r\n\r\n", "header", 0, NULL, false},
        {CHUNKED "5\r\nhel", "within its body", 0, NULL, false},
        {CHUNKED "5", "within its body", 0, NULL, false},
        {CHUNKED "5\r\nhello\r\n0\r\n", "within its body", 0, NULL, false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        check(&answers[i]);
    }
}

static void
bad_answers(void **state)
{
    static const answer_t answers[] = {
        {"", "without an answer", 0, NULL, false},
        {"H", "within its headers", 0, NULL, false},
        {OK, "within its headers", 0, NULL, false},
        {OK "Content-Length: 5\r\n\r", "within its headers", 0, NULL, false},
        {OK "Content-Length: 5\r\n\r\nhell", "within its body", 0, NULL,
         false},
        {"\r\n" OK "\r\n", "not HTTP", 0, NULL, false},
        {"garbage\r\n\r\n", "not HTTP", 0, NULL, false},
        {"HTTP/2 200 OK\r\n\r\n", "not HTTP", 0, NULL, false},
        {"HTTP/2.0 200 OK\r\n\r\n", "not HTTP", 0, NULL, false},
        {"http/1.1 200 OK\r\n\r\n", "not HTTP", 0, NULL, false},
        {"HTTP/1.1  200 OK\r\n\r\n", "not HTTP", 0, NULL, false},
        {"HTTP/1.1 20 OK\r\n\r\n", "not HTTP", 0, NULL, false},
        {"HTTP/1.1 099 OK\r\n\r\n", "not HTTP", 0, NULL, false},
        {"HTTP/1.1 2000 OK\r\n\r\n", "not HTTP", 0, NULL, false},
        {"HTTP/1.1 2x0 OK\r\n\r\n", "not HTTP", 0, NULL, false},
        {"HTTP/1.1 200 O\x01K\r\n\r\n", "not HTTP", 0, NULL, false},
        {"HTTP/1.1 200 O\rK\r\n\r\n", "not HTTP", 0, NULL, false},
        {"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "protocol", 0, NULL,
         false},
        /* lengths */
        {OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         "ambiguous", 0, NULL, false},
        {OK "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
         "ambiguous", 0, NULL, false},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "ambiguous",
         0, NULL, false},
        {OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "two lengths", 0,
         NULL, false},
        {OK "Content-Length: 1, 2\r\n\r\n", "two lengths", 0, NULL, false},
        {OK "Content-Length:\r\n\r\n", "no number", 0, NULL, false},
        {OK "Content-Length: 1,\r\n\r\n", "no number", 0, NULL, false},
        {OK "Content-Length: -1\r\n\r\n", "no number", 0, NULL, false},
        {OK "Content-Length: +1\r\n\r\n", "no number", 0, NULL, false},
        {OK "Content-Length: 1 1\r\n\r\n", "no number", 0, NULL, false},
        {OK "Content-Length: 0x1\r\n\r\n", "no number", 0, NULL, false},
        {OK "Content-Length: 4097\r\n\r\n", "too large", 0, NULL, false},
        {OK "Content-Length: 18446744073709551616\r\n\r\n", "too large", 0,
         NULL, false},
        {OK "Content-Length: 99999999999999999999999999\r\n\r\n", "too large",
         0, NULL, false},
        {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "not understood", 0,
         NULL, false},
        {OK "Transfer-Encoding: xchunked\r\n\r\n", "not understood", 0, NULL,
         false},
        {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         "not understood", 0, NULL, false},
        {OK "Transfer-Encoding:\r\n\r\n", "not understood", 0, NULL, false},
        /* headers */
        {OK "no colon\r\n\r\n", "broken header", 0, NULL, false},
        {OK ": no name\r\n\r\n", "broken header", 0, NULL, false},
        {OK "Content-Length : 1\r\n\r\na", "broken header", 0, NULL, false},
        {OK "X A: 1\r\n\r\n", "broken header", 0, NULL, false},
        {OK "X-A: a\x01 b\r\n\r\n", "control", 0, NULL, false},
        {OK "X-A: a\rb\r\n\r\n", "control", 0, NULL, false},
        {OK "X-A: a\x7f\r\n\r\n", "control", 0, NULL, false},
        {OK "Location: /a\r\n b\r\n\r\n", "folded", 0, NULL, false},
        {OK "Content-Length:\r\n 1\r\n\r\na", "no number", 0, NULL, false},
        {OK "Content-Length: 1\r\n 1\r\n\r\na", "folded", 0, NULL, false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        check(&answers[i]);
    }
}

static void
a_nul_byte(void **state)
{
    static const char text[] = OK "X-A: a\0b\r\n\r\n";
    static const char name[] = OK "X\0A: b\r\n\r\n";
    size_t left;

    (void) state;
    http_parse_begin(&parse, false);
    assert_int_equal(feed(text, sizeof(text) - 1, 100, &left), HTTP_BAD);
    http_parse_begin(&parse, false);
    assert_int_equal(feed(name, sizeof(name) - 1, 100, &left), HTTP_BAD);
    http_parse_begin(&parse, false); /* in a body it is a byte like others */
    assert_int_equal(feed(OK "Content-Length: 3\r\n\r\na\0b",
                          sizeof(OK "Content-Length: 3\r\n\r\na\0b") - 1, 100,
                          &left),
                     HTTP_DONE);
    assert_memory_equal(parse.body.data, "a\0b", 3);
}

static void
headers_that_are_kept(void **state)
{
    static const char text[] = "HTTP/1.1 103 Early\r\nLocation: /wrong\r\n\r\n"
                               "HTTP/1.1 202 Later\r\n"
                               "LOCATION:  /a b \r\nRetry-After:7\r\n"
                               "Location: /second\r\nX-Location: /c\r\n"
                               "Content-Length: 0\r\n\r\n";
    static const char without[] = "HTTP/1.1 204 N\r\n\r\n";
    size_t left;

    (void) state;
    for (size_t piece = 1; piece < sizeof(text); piece++) {
        http_parse_begin(&parse, false);
        assert_int_equal(feed(text, sizeof(text) - 1, piece, &left),
                         HTTP_DONE);
        assert_string_equal(parse.location.data, "/a b");
        assert_string_equal(parse.retry_after.data, "7");
    }
    http_parse_begin(&parse, false); /* nothing of the last one stays */
    assert_int_equal(feed(without, sizeof(without) - 1, 100, &left),
                     HTTP_DONE);
    assert_int_equal(parse.location.len, 0);
    assert_int_equal(parse.retry_after.len, 0);
}

static void
what_follows_is_left(void **state)
{
    static const struct {
        const char *text;
        bool head;
        size_t left;
    } answers[] = {
        {OK "Content-Length: 1\r\n\r\naHTTP", false, 4},
        {CHUNKED "1\r\na\r\n0\r\n\r\n\r\n", false, 2},
        {"HTTP/1.1 204 N\r\nContent-Length: 1\r\n\r\na", false, 1},
        {OK "Content-Length: 5\r\n\r\nhello", true, 5},
        {CHUNKED "0\r\n\r\n", true, 5},
        {OK "\r\n", true, 0},
    };
    size_t left;

    (void) state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        size_t len = strlen(answers[i].text);

        for (size_t piece = 1; piece <= len; piece++) {
            http_parse_begin(&parse, answers[i].head);
            assert_int_equal(feed(answers[i].text, len, piece, &left),
                             HTTP_DONE);
            assert_int_equal(left, answers[i].left);
            assert_true(parse.keep);
            assert_int_equal(http_parse_end(&parse), HTTP_DONE);
        }
    }
}

/* status line, then lines of that many bytes, then a blank one */
static http_verdict_t
feed_lines(const char *start, size_t line, size_t count)
{
    buf_t b;
    http_verdict_t v;
    size_t left;

    buf_init(&b, 1 << 20);
    buf_puts(&b, start);
    while (count-- > 0) {
        buf_puts(&b, "X: ");
        for (size_t i = 5; i < line; i++) {
            buf_char(&b, 'x');
        }
        buf_puts(&b, "\r\n");
    }
    buf_puts(&b, "\r\n");
    http_parse_begin(&parse, false);
    v = feed(b.data, b.len, 1000, &left);
    buf_free(&b);
    return v;
}

static void
headers_up_to_the_limit(void **state)
{
    static const char status[] = "HTTP/1.1 204 N\r\n"; /* 16 bytes, 2 behind */
    buf_t b;
    size_t left;

    (void) state;
    assert_int_equal(feed_lines(status, HTTP_MAX_HEADER_BYTES - 18, 1),
                     HTTP_DONE);
    assert_int_equal(feed_lines(status, HTTP_MAX_HEADER_BYTES - 17, 1),
                     HTTP_BAD);
    assert_non_null(strstr(parse.error, "headers are too large"));
    assert_int_equal(feed_lines(status, 100, 655), HTTP_DONE);
    assert_int_equal(feed_lines(status, 100, 656), HTTP_BAD);
    /* trailers count too */
    assert_int_equal(feed_lines(CHUNKED "0\r\n", 100, 600), HTTP_DONE);
    assert_int_equal(feed_lines(CHUNKED "0\r\n", 100, 700), HTTP_BAD);
    /* and endless interim answers */
    buf_init(&b, 1 << 20);
    while (b.len <= HTTP_MAX_HEADER_BYTES) {
        buf_puts(&b, "HTTP/1.1 100 C\r\n\r\n");
    }
    http_parse_begin(&parse, false);
    assert_int_equal(feed(b.data, b.len, 1000, &left), HTTP_BAD);
    buf_free(&b);
    /* and the extensions of a chunk */
    http_parse_begin(&parse, false);
    assert_int_equal(feed_lines(CHUNKED "1;", 2000, 1), HTTP_BAD);
}

static void
bodies_up_to_the_limit(void **state)
{
    static char text[BODY_MAX + 64];
    int n;
    size_t left;

    (void) state;
    for (int over = 0; over < 2; over++) {
        for (int rest = 0; rest < 2; rest++) {
            if (rest) {
                n = snprintf(text, sizeof(text), OK "\r\n");
            } else {
                n = snprintf(text, sizeof(text),
                             OK "Content-Length: %d\r\n\r\n", BODY_MAX + over);
            }
            memset(text + n, 'x', BODY_MAX + over);
            http_parse_begin(&parse, false);
            (void) feed(text, (size_t) (n + BODY_MAX + over), 100, &left);
            assert_int_equal(http_parse_end(&parse),
                             over ? HTTP_BAD : HTTP_DONE);
            if (over) {
                assert_string_equal(parse.error, "the answer is too large");
            } else {
                assert_int_equal(parse.body.len, BODY_MAX);
            }
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_answers),
        TEST(chunks),
        TEST(bad_answers),
        TEST(a_nul_byte),
        TEST(headers_that_are_kept),
        TEST(what_follows_is_left),
        TEST(headers_up_to_the_limit),
        TEST(bodies_up_to_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
