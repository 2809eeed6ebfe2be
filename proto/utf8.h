/*
 * UTF-8 byte by byte, for readers whose input comes in pieces; whole texts
 * take utf8_valid() of proto/json.h.
 */
#ifndef TURNUP_PROTO_UTF8_H
#define TURNUP_PROTO_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/* What is still to come of a character. */
typedef struct {
    uint8_t need;      /* bytes; 0 = between characters */
    uint8_t low, high; /* bounds of the next one */
} utf8_rest_t;

/* lead is a byte above 0x7f; false: no character begins so. */
bool utf8_begin(utf8_rest_t *rest, unsigned char lead);
/* With need > 0; false: the byte may not stand here. */
bool utf8_next(utf8_rest_t *rest, unsigned char c);

#endif
