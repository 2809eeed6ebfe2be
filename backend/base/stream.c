/*
 * The consumer. One thing at a time goes over the reading connection, chosen
 * by step():
 *
 *   history  our own pending entries, stream by stream, from id 0 to the
 *            last; at each connect, because an answer may have been lost
 *   claim    one page of XAUTOCLAIM, when the timer has asked for a round
 *   read     XREADGROUP ... BLOCK for new entries of all streams
 *
 * Each holds one credit while it is under way and gives it back when it
 * brought nothing. The other connection carries everything that must not
 * wait behind BLOCK.
 */
#include "backend/base/stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/base/ack.h"
#include "backend/base/arena.h"
#include "backend/base/log.h"

enum {
    BLOCK_MS = 1000,
    BLOCK_MARGIN_MS = 2000, /* beyond it the answer is overdue */
    RETRY_MS = 200,         /* after an error Redis answered */
    ID_MAX = 48             /* two 64-bit numbers and a hyphen */
};

typedef struct {
    char *key;
    bool live;           /* its history has been read */
    char cursor[ID_MAX]; /* the last of the history, or XAUTOCLAIM's next */
} source_t;

struct stream {
    stream_options_t options;
    redis_address_t address;
    char *group;
    char *consumer;
    source_t sources[STREAM_MAX_SOURCES];
    redis_t *reader; /* NULL once paused */
    redis_t *writer;
    struct event *claim_timer;
    struct event *retry_timer;
    int credits;
    bool reading;   /* one command is under way */
    bool regrouped; /* the group was made since the last good answer */
    bool claiming;  /* a round is due or half done */
    int claim_at;   /* the source it has come to */
    ack_t *ack;
    arena_t *arena; /* of the batch being handed on */
    int busy;       /* depth of our frames that call the owner */
    bool closed;    /* free when they are left */
};

static void step(stream_t *s);

static void
destroy(stream_t *s)
{
    redis_close(s->reader);
    redis_close(s->writer);
    event_free(s->claim_timer);
    event_free(s->retry_timer);
    ack_free(s->ack);
    arena_free(s->arena);
    for (int i = 0; i < s->options.stream_count; i++) {
        free(s->sources[i].key);
    }
    free(s->group);
    free(s->consumer);
    free((char *) s->address.address);
    free((char *) s->address.password);
    free(s);
}

static void
arm(struct event *timer, int ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    (void) event_add(timer, &tv);
}

static bool
is_type(const redisReply *reply, int type)
{
    return reply != NULL && reply->type == type;
}

static const redisReply *
element(const redisReply *reply, size_t i)
{
    return is_type(reply, REDIS_REPLY_ARRAY) && i < reply->elements
               ? reply->element[i]
               : NULL;
}

static str_t
text_of(const redisReply *reply)
{
    return is_type(reply, REDIS_REPLY_STRING) ? (str_t){reply->str, reply->len}
                                              : STR_NONE;
}

static bool
starts_with(const redisReply *reply, const char *prefix)
{
    return strncmp(reply->str, prefix, strlen(prefix)) == 0;
}

static source_t *
source_of(stream_t *s, str_t key)
{
    for (int i = 0; i < s->options.stream_count; i++) {
        if (str_is(key, s->sources[i].key)) {
            return &s->sources[i];
        }
    }
    return NULL;
}

/* What is on its way to the owner. */
typedef struct {
    stream_entry_t *entries;
    int n;
    str_t *gone; /* ids whose entry has been deleted under them */
    int gone_count;
} batch_t;

static void
batch_entry(stream_t *s, batch_t *b, const source_t *source,
            const redisReply *reply, bool redelivered)
{
    const redisReply *fields = element(reply, 1);
    str_t id = text_of(element(reply, 0));
    str_t *slices;

    if (id.len == 0) {
        return;
    }
    if (!is_type(fields, REDIS_REPLY_ARRAY)) {
        b->gone[b->gone_count++] = id;
        return;
    }
    slices = arena_array(s->arena, str_t, fields->elements);
    for (size_t i = 0; i < fields->elements; i++) {
        slices[i] = text_of(fields->element[i]);
    }
    b->entries[b->n++] = (stream_entry_t){
        .stream = source->key,
        .id = id,
        .fields = slices,
        .field_count = (int) fields->elements,
        .redelivered = redelivered,
    };
}

/* Adds what one stream brought: an array of entries. */
static void
batch_add(stream_t *s, batch_t *b, const source_t *source,
          const redisReply *list, bool redelivered)
{
    size_t n = is_type(list, REDIS_REPLY_ARRAY) ? list->elements : 0;
    stream_entry_t *entries =
        arena_array(s->arena, stream_entry_t, (size_t) b->n + n);

    if (b->n > 0) {
        memcpy(entries, b->entries, sizeof(*entries) * (size_t) b->n);
    }
    b->entries = entries;
    b->gone = arena_array(s->arena, str_t, n);
    b->gone_count = 0;
    for (size_t i = 0; i < n; i++) {
        batch_entry(s, b, source, list->element[i], redelivered);
    }
    if (b->gone_count > 0) {
        log_event(LOG_ERROR, "pending entries were deleted unprocessed",
                  "stream", source->key, "first", b->gone[0].data, NULL);
        stream_done(s, source->key, b->gone, b->gone_count);
    }
}

static batch_t
batch_begin(stream_t *s)
{
    arena_reset(s->arena);
    return (batch_t){0};
}

/* Hands on what came, or takes the credit back; then goes on. */
static void
batch_end(stream_t *s, const batch_t *b)
{
    if (b->n == 0) {
        s->credits++;
    } else if (s->reader != NULL && !s->closed) {
        s->options.on_batch(s->options.ctx, b->entries, b->n);
    }
    step(s);
}

static void
enter(stream_t *s)
{
    s->busy++;
}

static void
leave(stream_t *s)
{
    if (--s->busy == 0 && s->closed) {
        destroy(s);
    }
}

static void
on_group(void *ctx, const redisReply *reply)
{
    stream_t *s = ctx;

    if (is_type(reply, REDIS_REPLY_ERROR) &&
        !starts_with(reply, "BUSYGROUP")) {
        log_event(LOG_ERROR, "no consumer group", "group", s->group, "reason",
                  reply->str, NULL);
    }
}

/* From 0: what was added before there was a group counts too. */
static void
create_groups(stream_t *s)
{
    for (int i = 0; i < s->options.stream_count; i++) {
        redis_call(s->reader, on_group, s, "XGROUP", "CREATE",
                   s->sources[i].key, s->group, "0", "MKSTREAM", NULL);
    }
}

/* Common to all that step() sends. True: reply is no error. */
static bool
came_back(stream_t *s, const redisReply *reply)
{
    int delay = RETRY_MS;

    s->reading = false;
    if (reply != NULL && reply->type != REDIS_REPLY_ERROR) {
        s->regrouped = false;
        return true;
    }
    s->credits++;
    if (reply == NULL) {
        return false; /* on_reader() goes on when it is up again */
    }
    if (starts_with(reply, "NOGROUP")) {
        log_event(LOG_WARN, "consumer group is gone, creating it", "group",
                  s->group, NULL);
        create_groups(s);
        delay = s->regrouped ? RETRY_MS : 0; /* at once, but once */
        s->regrouped = true;
    } else if (!starts_with(reply, "UNBLOCKED")) {
        log_event(LOG_ERROR, "stream cannot be read", "group", s->group,
                  "reason", reply->str, NULL);
    }
    arm(s->retry_timer, delay);
    return false;
}

/* Entries of XREADGROUP: [[key, [entry, ...]], ...], or nil. */
static void
on_new(void *ctx, const redisReply *reply)
{
    stream_t *s = ctx;
    batch_t b;

    if (!came_back(s, reply)) {
        return;
    }
    enter(s);
    b = batch_begin(s);
    for (size_t i = 0; element(reply, i) != NULL; i++) {
        const redisReply *pair = reply->element[i];
        source_t *source = source_of(s, text_of(element(pair, 0)));

        if (source != NULL) {
            batch_add(s, &b, source, element(pair, 1), false);
        }
    }
    batch_end(s, &b);
    leave(s);
}

static void
set_cursor(source_t *source, const char *id)
{
    (void) snprintf(source->cursor, sizeof(source->cursor), "%s", id);
}

/* The source whose history is being read, or NULL. */
static source_t *
history_source(stream_t *s)
{
    for (int i = 0; i < s->options.stream_count; i++) {
        if (!s->sources[i].live) {
            return &s->sources[i];
        }
    }
    return NULL;
}

static void
on_history(void *ctx, const redisReply *reply)
{
    stream_t *s = ctx;
    source_t *source = history_source(s);
    const redisReply *list = element(element(reply, 0), 1);
    size_t n = is_type(list, REDIS_REPLY_ARRAY) ? list->elements : 0;
    str_t last = STR_NONE;
    batch_t b;

    if (!came_back(s, reply) || source == NULL) {
        return;
    }
    if (n > 0) {
        last = text_of(element(list->element[n - 1], 0));
    }
    source->live = last.len == 0;
    set_cursor(source, last.len > 0 ? last.data : "0-0");
    enter(s);
    b = batch_begin(s);
    batch_add(s, &b, source, list, true);
    batch_end(s, &b);
    leave(s);
}

/* XAUTOCLAIM: [next cursor, [entry, ...], [deleted id, ...]]. */
static void
on_claimed(void *ctx, const redisReply *reply)
{
    stream_t *s = ctx;
    source_t *source = &s->sources[s->claim_at];
    const redisReply *deleted = element(reply, 2);
    batch_t b;

    if (!came_back(s, reply)) {
        return;
    }
    set_cursor(source, is_type(element(reply, 0), REDIS_REPLY_STRING)
                           ? element(reply, 0)->str
                           : "0-0");
    if (strcmp(source->cursor, "0-0") == 0) {
        s->claim_at++;
        s->claiming = s->claim_at < s->options.stream_count;
    }
    if (element(deleted, 0) != NULL) {
        log_event(LOG_ERROR, "pending entries were deleted unprocessed",
                  "stream", source->key, "first", element(deleted, 0)->str,
                  NULL);
    }
    enter(s);
    b = batch_begin(s);
    batch_add(s, &b, source, element(reply, 1), true);
    batch_end(s, &b);
    leave(s);
}

/* XREADGROUP for all streams (new entries) or one (its history). */
static void
send_read(stream_t *s, const source_t *only)
{
    str_t argv[10 + 2 * STREAM_MAX_SOURCES];
    char count[16], block[16];
    int streams = only != NULL ? 1 : s->options.stream_count;
    int per_stream = s->options.batch / streams;
    int n = 0;

    (void) snprintf(count, sizeof(count), "%d",
                    per_stream > 0 ? per_stream : 1);
    (void) snprintf(block, sizeof(block), "%d", BLOCK_MS);
    argv[n++] = STR("XREADGROUP");
    argv[n++] = STR("GROUP");
    argv[n++] = str_of(s->group);
    argv[n++] = str_of(s->consumer);
    argv[n++] = STR("COUNT");
    argv[n++] = str_of(count);
    if (only == NULL) {
        argv[n++] = STR("BLOCK");
        argv[n++] = str_of(block);
    }
    argv[n++] = STR("STREAMS");
    for (int i = 0; i < streams; i++) {
        argv[n++] = str_of(only != NULL ? only->key : s->sources[i].key);
    }
    for (int i = 0; i < streams; i++) {
        argv[n++] = only != NULL ? str_of(only->cursor) : STR(">");
    }
    redis_command(s->reader, only != NULL ? on_history : on_new, s,
                  only != NULL ? 0 : BLOCK_MS + BLOCK_MARGIN_MS, argv, n);
}

static void
send_claim(stream_t *s)
{
    const source_t *source = &s->sources[s->claim_at];
    char idle[16], count[16];

    (void) snprintf(idle, sizeof(idle), "%d", s->options.claim_idle_ms);
    (void) snprintf(count, sizeof(count), "%d", s->options.batch);
    redis_call(s->reader, on_claimed, s, "XAUTOCLAIM", source->key, s->group,
               s->consumer, idle, source->cursor, "COUNT", count, NULL);
}

static void
step(stream_t *s)
{
    const source_t *history = history_source(s);

    if (s->closed || s->reader == NULL || !redis_up(s->reader) || s->reading ||
        s->credits <= 0 || event_pending(s->retry_timer, EV_TIMEOUT, NULL)) {
        return;
    }
    s->reading = true;
    s->credits--;
    if (history != NULL) {
        send_read(s, history);
    } else if (s->claiming) {
        send_claim(s);
    } else {
        send_read(s, NULL);
    }
}

static void
on_retry(evutil_socket_t fd, short what, void *ctx)
{
    stream_t *s = ctx;

    (void) fd;
    (void) what;
    step(s);
}

static void
on_claim_timer(evutil_socket_t fd, short what, void *ctx)
{
    stream_t *s = ctx;

    (void) fd;
    (void) what;
    arm(s->claim_timer, s->options.claim_idle_ms / 2 + 1);
    ack_resend(s->ack); /* what Redis has answered with an error */
    if (!s->claiming && history_source(s) == NULL) {
        s->claiming = true;
        s->claim_at = 0;
        for (int i = 0; i < s->options.stream_count; i++) {
            set_cursor(&s->sources[i], "0-0");
        }
    }
    step(s);
}

static void
on_reader(void *ctx, bool up)
{
    stream_t *s = ctx;

    s->claiming = false;
    for (int i = 0; i < s->options.stream_count; i++) {
        s->sources[i].live = false;
        set_cursor(&s->sources[i], "0-0");
    }
    if (up) {
        create_groups(s);
        step(s);
    }
}

static void
on_writer(void *ctx, bool up)
{
    stream_t *s = ctx;

    if (up) {
        ack_resend(s->ack);
    }
}

void
stream_done(stream_t *s, const char *stream, const str_t *ids, int n)
{
    const source_t *source = source_of(s, str_of(stream));

    if (source != NULL) {
        ack_put(s->ack, source->key, ids, n);
    }
}

static void
copy_options(stream_t *s, const stream_options_t *o)
{
    const redis_address_t *a = o->address;

    s->options = *o;
    s->address.address = xstrdup(a->address);
    s->address.password = a->password != NULL ? xstrdup(a->password) : NULL;
    s->address.db = a->db;
    s->group = xstrdup(o->group);
    s->consumer = xstrdup(o->consumer);
    if (s->options.stream_count > STREAM_MAX_SOURCES) {
        s->options.stream_count = STREAM_MAX_SOURCES;
    }
    for (int i = 0; i < s->options.stream_count; i++) {
        s->sources[i].key = xstrdup(o->streams[i]);
        set_cursor(&s->sources[i], "0-0");
    }
}

stream_t *
stream_open(struct event_base *base, const stream_options_t *o)
{
    stream_t *s = xcalloc(1, sizeof(*s));

    copy_options(s, o);
    s->arena = arena_create();
    s->claim_timer = event_new(base, -1, 0, on_claim_timer, s);
    s->retry_timer = event_new(base, -1, 0, on_retry, s);
    if (s->claim_timer == NULL || s->retry_timer == NULL) {
        abort();
    }
    if (o->claim_idle_ms > 0) {
        arm(s->claim_timer, o->claim_idle_ms / 2 + 1);
    }
    s->reader = redis_open(base, &s->address, on_reader, s);
    s->writer = redis_open(base, &s->address, on_writer, s);
    s->ack = ack_create(s->writer, s->group);
    return s;
}

void
stream_close(stream_t *s)
{
    if (s == NULL) {
        return;
    }
    s->closed = true;
    if (s->busy == 0) {
        destroy(s);
    }
}

void
stream_credit(stream_t *s, int n)
{
    s->credits += n;
    step(s);
}

/* Redis forgets a blocked reader that hangs up. What it sent in this very
 * moment stays pending under our name, first in line for our successor. */
void
stream_pause(stream_t *s)
{
    redis_close(s->reader);
    s->reader = NULL;
    (void) event_del(s->claim_timer);
    (void) event_del(s->retry_timer);
}

redis_t *
stream_redis(stream_t *s)
{
    return s->writer;
}

bool
stream_up(const stream_t *s)
{
    return redis_up(s->writer) && (s->reader == NULL || redis_up(s->reader));
}
