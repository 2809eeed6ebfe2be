/*
 * hiredis' reader with its replies in an arena: one allocation less a field,
 * nothing to free.
 */
#ifndef TURNUP_BASE_REDIS_REPLY_H
#define TURNUP_BASE_REDIS_REPLY_H

#include <hiredis/hiredis.h>

#include "backend/base/arena.h"

#define REDIS_ELEMENTS_MAX (1 << 20) /* of one array in a reply */

/*
 * For redisReaderFeed() and redisReaderGetReply(). The arena must outlive it
 * and may be reset only when a reply has come out whole and is done with.
 * NULL when out of memory. Ended by redisReaderFree().
 */
redisReader *redis_reader_create(arena_t *a);

#endif
