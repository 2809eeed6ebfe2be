/*
 * The functions by which hiredis' reader builds replies. Each is told by its
 * task where in the parent the new part belongs; privdata is the arena.
 */
#include "backend/base/redis_reply.h"

static redisReply *
reply_new(const redisReadTask *task, int type)
{
    redisReply *reply = arena_new(task->privdata, redisReply);

    reply->type = type;
    if (task->parent != NULL) {
        redisReply *parent = task->parent->obj;

        parent->element[task->idx] = reply;
    }
    return reply;
}

static void *
create_string(const redisReadTask *task, char *data, size_t len)
{
    redisReply *reply = reply_new(task, task->type);

    reply->str = arena_z(task->privdata, (str_t){data, len});
    reply->len = len;
    return reply;
}

static void *
create_array(const redisReadTask *task, int elements)
{
    redisReply *reply;

    if (elements > REDIS_ELEMENTS_MAX) {
        return NULL; /* fails the reader */
    }
    reply = reply_new(task, REDIS_REPLY_ARRAY);
    if (elements > 0) {
        reply->elements = (size_t) elements;
        reply->element =
            arena_array(task->privdata, redisReply *, (size_t) elements);
    }
    return reply;
}

static void *
create_integer(const redisReadTask *task, long long value)
{
    redisReply *reply = reply_new(task, REDIS_REPLY_INTEGER);

    reply->integer = value;
    return reply;
}

static void *
create_nil(const redisReadTask *task)
{
    return reply_new(task, REDIS_REPLY_NIL);
}

static void
free_nothing(void *object)
{
    (void) object; /* the arena's */
}

static redisReplyObjectFunctions arena_functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_nothing,
};

redisReader *
redis_reader_create(arena_t *a)
{
    redisReader *reader = redisReaderCreateWithFunctions(&arena_functions);

    if (reader != NULL) {
        reader->privdata = a;
    }
    return reader;
}
