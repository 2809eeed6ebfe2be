/*
 * UUIDs: 16 bytes inside, text outside; version 7 made here (RFC 9562).
 */
#ifndef TURNUP_BASE_UUID_H
#define TURNUP_BASE_UUID_H

#include <stdint.h>

#include "proto/str.h"

#define UUID_TEXT 36

typedef struct {
    uint8_t byte[16];
} uuid_t;

/*
 * Version 7: 48 bits of now_ms, then a counter that grows inside one
 * millisecond and random bits. Monotonic in one process, also when the clock
 * steps back.
 */
uuid_t uuid_v7(int64_t now_ms);
/* out: UUID_TEXT characters and NUL, lower case. */
void uuid_print(uuid_t u, char out[UUID_TEXT + 1]);
/* Any version, any case. false: not a UUID. */
bool uuid_parse(str_t s, uuid_t *ret);
bool uuid_eq(uuid_t a, uuid_t b);
bool uuid_is_nil(uuid_t u);
uint64_t uuid_hash(uuid_t u);

/* Microseconds since the epoch (CLOCK_REALTIME); milliseconds and
 * microseconds of a clock that never steps (CLOCK_MONOTONIC). */
int64_t clock_us(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* Uniform in [0, 1), from getrandom; for jitter. */
double random_unit(void);

#endif
