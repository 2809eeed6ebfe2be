/* Addresses at both ends of every range, and networks as they are given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sys/un.h>

#include "backend/southbound/address.h"

static bool
is_private(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        return address_is_private((const struct sockaddr *) &in);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return address_is_private((const struct sockaddr *) &in6);
}

static void
inside(void **state)
{
    static const char *const rows[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "168.63.129.16",
        "169.254.0.0",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.170",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::ffff:0.0.0.0",
        "::ffff:0:10.1.2.3",
        "64:ff9b:1::",
        "64:ff9b:1:ffff::8.8.8.8",
        "64:ff9b::169.254.169.254",
        "2002:7f00:1::1",
        "2002:c0a8:101::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "100::1",
        "fc00::",
        "fdff:ffff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!is_private(rows[i])) {
            fail_msg("%s is taken for public", rows[i]);
        }
    }
}

static void
outside(void **state)
{
    static const char *const rows[] = {
        "1.0.0.0",          "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",   "100.128.0.0",     "126.255.255.255",
        "168.63.129.15",    "168.63.129.17",   "64:ff9b:2::",
        "128.0.0.0",        "169.253.255.255", "169.255.0.0",
        "172.15.255.255",   "172.32.0.0",      "192.0.1.0",
        "192.167.255.255",  "192.169.0.0",     "198.17.255.255",
        "198.20.0.0",       "223.255.255.255", "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8", "2002:808:808::1", "2001:1::1",
        "2001:db8::1",      "2606:4700::1111", "fbff::1",
        "fe7f::1",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (is_private(rows[i])) {
            fail_msg("%s is taken for private", rows[i]);
        }
    }
}

static void
other_families_are_inside(void **state)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    (void) state;
    assert_true(address_is_private((const struct sockaddr *) &sun));
}

static networks_t networks;

static bool
parse(const char *text)
{
    memset(&networks, 0xff, sizeof(networks));
    return networks_parse(str_of(text), &networks);
}

static bool
hold(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        return networks_hold(&networks, (const struct sockaddr *) &in);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return networks_hold(&networks, (const struct sockaddr *) &in6);
}

static void
networks_as_given(void **state)
{
    static const struct {
        const char *text, *holds, *holds_not;
    } rows[] = {
        {"127.0.0.0/8", "127.0.0.0", "126.255.255.255"},
        {"127.0.0.0/8", "127.255.255.255", "128.0.0.0"},
        {"10.1.2.3", "10.1.2.3", "10.1.2.2"},
        {"10.1.2.3/32", "10.1.2.3", "10.1.2.4"},
        {"172.16.0.0/12", "172.31.255.255", "172.32.0.0"},
        {"192.168.1.128/25", "192.168.1.128", "192.168.1.127"},
        {"0.0.0.0/0", "255.255.255.255", "::1"},
        {"::/0", "::1", "127.0.0.1"},
        {"::1", "::1", "::2"},
        {"::1/128", "::1", "::"},
        {"fc00::/7", "fdff:ffff::1", "fe00::"},
        {"fd00:1:2::/47", "fd00:1:3:ffff::", "fd00:1:4::"},
        {"10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.1.2.3"},
        {"10.0.0.0/8", "10.0.0.0", "64:ff9b::10.1.2.3"},
        {"10.0.0.0/8", "10.0.0.0", "2002:a01:203::"},
        {"0.0.0.0/8", "0.0.0.1", "::1"}, /* ::/96 is no IPv4 here */
        {"::ffff:10.0.0.0/104", "::ffff:10.9.9.9", "10.9.9.9"},
        {"10.0.0.0/8 ::1", "::1", "127.0.0.1"},
        {" \t10.0.0.0/8,,  192.168.0.0/16, ", "192.168.9.9", "11.0.0.0"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!parse(rows[i].text)) {
            fail_msg("\"%s\" is refused", rows[i].text);
        }
        if (!hold(rows[i].holds) || hold(rows[i].holds_not)) {
            fail_msg("\"%s\" %d %d", rows[i].text, hold(rows[i].holds),
                     hold(rows[i].holds_not));
        }
    }
}

static void
no_networks(void **state)
{
    static const char *const rows[] = {"", " ", ",", " , "};
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(parse(rows[i]));
        assert_int_equal(networks.count, 0);
        assert_false(hold("127.0.0.1"));
        assert_false(hold("::1"));
    }
    assert_true(parse("0.0.0.0/0 ::/0"));
    assert_false(networks_hold(&networks, (const struct sockaddr *) &sun));
}

static void
what_is_no_network(void **state)
{
    static const char *const rows[] = {
        "localhost",
        "10",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/8x",
        "10.0.0.0/008 x",
        "10.0.0.0/0x8",
        "10.0.0.0/8/8",
        "10.1.0.0/8",
        "0.0.0.1/0",
        "10.0.0.0/4294967304",
        "10.0.0/8",
        "10.0.0.256",
        "0x7f000001",
        "127.1",
        "::/129",
        "::1/127",
        "fe80::1%lo",
        "[::1]",
        "1::2::3",
        "/8",
        "/",
        "10.0.0.0/8;::1",
        "yes",
        "10.0.0.0 /8",
        "1:2:3:4:5:6:7:8:9:0:1:2:3:4:5:6:7:8:9:0:1:2:3:4:5:6:7:8:9:0:1:2:3",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (parse(rows[i])) {
            fail_msg("\"%s\" is taken", rows[i]);
        }
    }
    assert_false(networks_parse((str_t){"::1\0", 4}, &networks));
    assert_false(networks_parse((str_t){"::1/1\0"
                                        "28",
                                        8},
                                &networks));
}

static void
as_many_networks_as_allowed(void **state)
{
    char text[24 * (NETWORKS_MAX + 1)] = "";

    (void) state;
    for (int i = 0; i < NETWORKS_MAX; i++) {
        snprintf(text + strlen(text), 24, "10.0.0.%d ", i);
    }
    assert_true(parse(text));
    assert_int_equal(networks.count, NETWORKS_MAX);
    assert_true(hold("10.0.0.31"));
    assert_false(hold("10.0.0.32"));
    strcat(text, "::1");
    assert_false(parse(text));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inside),
        cmocka_unit_test(outside),
        cmocka_unit_test(other_families_are_inside),
        cmocka_unit_test(networks_as_given),
        cmocka_unit_test(no_networks),
        cmocka_unit_test(what_is_no_network),
        cmocka_unit_test(as_many_networks_as_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
