/*
 * UUIDs, clocks and random numbers.
 *
 * Random bytes are taken from the kernel a buffer at a time; a fork drops the
 * buffer, because two processes that shared it would make equal ids.
 */
#include "backend/base/uuid.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum {
    RANDOM_BUFFER = 256, /* getrandom() gives as much in one piece, always */
    COUNTER_MAX = 0xfff, /* rand_a of RFC 9562: 12 bits */
    COUNTER_SEED = 0x7ff /* leaves half of them to count in one ms */
};

static struct {
    uint8_t byte[RANDOM_BUFFER];
    size_t left;
    bool guarded; /* the fork handler is there */
} pool;

static void
forget_random(void)
{
    pool.left = 0;
}

static void
fill_random(void)
{
    ssize_t n;

    if (!pool.guarded) {
        if (pthread_atfork(NULL, NULL, forget_random) != 0) {
            abort();
        }
        pool.guarded = true;
    }
    do {
        n = getrandom(pool.byte, sizeof(pool.byte), 0);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t) sizeof(pool.byte)) {
        abort(); /* ids that are not random are worse than none */
    }
    pool.left = sizeof(pool.byte);
}

static uint64_t
random64(void)
{
    uint64_t ret;

    if (pool.left < sizeof(ret)) {
        fill_random();
    }
    pool.left -= sizeof(ret);
    memcpy(&ret, pool.byte + pool.left, sizeof(ret));
    return ret;
}

double
random_unit(void)
{
    return (double) (random64() >> 11) * 0x1p-53;
}

uuid_t
uuid_v7(int64_t now_ms)
{
    static int64_t last_ms;
    static unsigned counter;
    uint64_t tail = random64();
    uuid_t u;

    if (now_ms > last_ms) {
        last_ms = now_ms;
        counter = (unsigned) (random64() & COUNTER_SEED);
    } else if (++counter > COUNTER_MAX) {
        last_ms++; /* RFC 9562, 6.2: run ahead of the clock */
        counter = 0;
    }
    for (int i = 0; i < 6; i++) {
        u.byte[i] = (uint8_t) (last_ms >> (8 * (5 - i)));
    }
    u.byte[6] = (uint8_t) (0x70 | counter >> 8);
    u.byte[7] = (uint8_t) counter;
    memcpy(u.byte + 8, &tail, 8);
    u.byte[8] = (uint8_t) (0x80 | (u.byte[8] & 0x3f));
    return u;
}

static bool
hyphen_before(int byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void
uuid_print(uuid_t u, char out[UUID_TEXT + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < 16; i++) {
        if (hyphen_before(i)) {
            *out++ = '-';
        }
        *out++ = digits[u.byte[i] >> 4];
        *out++ = digits[u.byte[i] & 15];
    }
    *out = '\0';
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
uuid_parse(str_t s, uuid_t *ret)
{
    const char *p = s.data;
    uuid_t u;

    if (s.len != UUID_TEXT) {
        return false;
    }
    for (int i = 0; i < 16; i++) {
        int high, low;

        if (hyphen_before(i) && *p++ != '-') {
            return false;
        }
        high = hex_value(*p++);
        low = hex_value(*p++);
        if (high < 0 || low < 0) {
            return false;
        }
        u.byte[i] = (uint8_t) (high << 4 | low);
    }
    *ret = u;
    return true;
}

bool
uuid_eq(uuid_t a, uuid_t b)
{
    return memcmp(a.byte, b.byte, sizeof(a.byte)) == 0;
}

bool
uuid_is_nil(uuid_t u)
{
    static const uuid_t nil;

    return uuid_eq(u, nil);
}

/* The finaliser of MurmurHash3 over both halves: version 7 ids made in one
 * moment differ in few bits of the first. */
uint64_t
uuid_hash(uuid_t u)
{
    uint64_t a, b;

    memcpy(&a, u.byte, 8);
    memcpy(&b, u.byte + 8, 8);
    a ^= b * UINT64_C(0x9e3779b97f4a7c15);
    a = (a ^ a >> 33) * UINT64_C(0xff51afd7ed558ccd);
    a = (a ^ a >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return a ^ a >> 33;
}

int64_t
clock_us(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}
