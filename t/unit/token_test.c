/* Callback tokens: ours are read back, nothing else is.
 * rooms: proto backend/base backend/southbound */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/southbound/token.h"

enum { VISITS = 10000, TOKEN_MAX = 128 };

static const str_t secret = STR("secret");
static const char id_text[] = "01234567-89ab-7cde-8f01-23456789abcd";

static uuid_t
id_of(const char *text)
{
    uuid_t id;

    assert_true(uuid_parse(str_of(text), &id));
    return id;
}

static size_t
print(str_t key, uuid_t id, int visit, char out[TOKEN_MAX])
{
    size_t n;
    buf_t b;

    buf_init(&b, TOKEN_MAX - 1);
    token_print(key, id, visit, &b);
    assert_false(buf_failed(&b));
    n = b.len;
    memcpy(out, b.data, n);
    out[n] = '\0';
    buf_free(&b);
    return n;
}

/* Refused, and what the caller had is untouched. */
static bool
refused(str_t key, const char *text, size_t n)
{
    uuid_t nobody = {{0x77}}, id = nobody;
    char *exact = malloc(n ? n : 1); /* a sanitizer sees a read behind it */
    int visit = -7;
    bool ok;

    memcpy(exact, text, n);
    ok = token_read(key, (str_t){exact, n}, &id, &visit);
    free(exact);
    assert_true(ok || (uuid_eq(id, nobody) && visit == -7));
    return !ok;
}

/* Computed with openssl(1): vendors hold tokens over upgrades. */
static void
a_known_token(void **state)
{
    char text[TOKEN_MAX];

    (void) state;
    print(secret, id_of(id_text), 7, text);
    assert_string_equal(text, "01234567-89ab-7cde-8f01-23456789abcd.7."
                              "182faf4db12444412901d744d02a5e8d");
}

static void
every_visit_there_and_back(void **state)
{
    (void) state;
    for (int visit = 0; visit < VISITS; visit++) {
        uuid_t id = uuid_v7(visit), got;
        char text[TOKEN_MAX];
        size_t n = print(secret, id, visit, text);
        int back = -1;

        assert_true(token_read(secret, (str_t){text, n}, &got, &back));
        assert_true(uuid_eq(got, id));
        assert_int_equal(back, visit);
    }
}

/* Signed well, but of no visit there can be. */
static void
visits_out_of_range(void **state)
{
    static const int bad[] = {-1, -9999, 10000, 99999, INT32_MAX, INT32_MIN};
    char text[TOKEN_MAX];

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t n = print(secret, id_of(id_text), bad[i], text);

        assert_true(refused(secret, text, n));
    }
}

static void
altered_anywhere(void **state)
{
    char text[TOKEN_MAX];
    size_t n = print(secret, id_of(id_text), 4096, text);

    (void) state;
    for (size_t at = 0; at < n; at++) {
        char was = text[at];

        for (int c = 0; c < 256; c++) {
            text[at] = (char) c;
            assert_int_equal(refused(secret, text, n), text[at] != was);
        }
        text[at] = was;
    }
}

static void
cut_or_longer(void **state)
{
    char text[TOKEN_MAX + 1];
    size_t n = print(secret, id_of(id_text), 12, text);

    (void) state;
    for (size_t len = 0; len < n; len++) {
        assert_true(refused(secret, text, len));
        assert_true(refused(secret, text + n - len, len));
    }
    for (int c = 0; c < 256; c++) {
        text[n] = (char) c;
        assert_true(refused(secret, text, n + 1));
    }
}

static void
forged(void **state)
{
    static const char *const bad[] = {
        "",
        ".",
        "..",
        /* other spellings of what is signed */
        "01234567-89AB-7CDE-8F01-23456789ABCD.7."
        "182faf4db12444412901d744d02a5e8d",
        "01234567-89ab-7cde-8f01-23456789abcd.07."
        "182faf4db12444412901d744d02a5e8d",
        "01234567-89ab-7cde-8f01-23456789abcd.+7."
        "182faf4db12444412901d744d02a5e8d",
        "01234567-89ab-7cde-8f01-23456789abcd.7."
        "182FAF4DB12444412901D744D02A5E8D",
        /* no visit, no MAC, the whole of the MAC */
        "01234567-89ab-7cde-8f01-23456789abcd.."
        "182faf4db12444412901d744d02a5e8d",
        "01234567-89ab-7cde-8f01-23456789abcd.7.",
        "01234567-89ab-7cde-8f01-23456789abcd.7",
        "01234567-89ab-7cde-8f01-23456789abcd",
        "01234567-89ab-7cde-8f01-23456789abcd.7."
        "182faf4db12444412901d744d02a5e8d0fbca6548b7c48b878658024849127ab",
        "01234567-89ab-7cde-8f01-23456789abcd.7."
        "00000000000000000000000000000000",
        "01234567-89ab-7cde-8f01-23456789abcd."
        "99999999999999999999999999999999999999999999999999",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(refused(secret, bad[i], strlen(bad[i])));
    }
}

/* Two installations, or one before its secret was read. */
static void
under_another_secret(void **state)
{
    static const str_t others[] = {STR("secret "), STR("Secret"), STR("s"),
                                   STR("")};
    char text[TOKEN_MAX];
    size_t n = print(secret, id_of(id_text), 3, text);

    (void) state;
    assert_false(refused(secret, text, n));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_true(refused(others[i], text, n));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_token),
        cmocka_unit_test(every_visit_there_and_back),
        cmocka_unit_test(visits_out_of_range),
        cmocka_unit_test(altered_anywhere),
        cmocka_unit_test(cut_or_longer),
        cmocka_unit_test(forged),
        cmocka_unit_test(under_another_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
