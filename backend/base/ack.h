/*
 * Stream entries that are dealt with: XACK and XDEL, told again until Redis
 * has confirmed them.
 */
#ifndef TURNUP_BASE_ACK_H
#define TURNUP_BASE_ACK_H

#include "backend/base/redis.h"

typedef struct ack ack_t;

ack_t *ack_create(redis_t *redis, const char *group);
/* To be called while or after its connection is closed. NULL-safe. */
void ack_free(ack_t *a);
/* key must outlive it; ids are copied. */
void ack_put(ack_t *a, const char *key, const str_t *ids, int n);
/* Tells again what was lost or answered with an error; nothing while the
 * connection is down. */
void ack_resend(ack_t *a);

#endif
