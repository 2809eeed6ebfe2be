/*
 * One nginx worker process as an edge: makes the links and keeps the reply
 * stream flowing.
 *
 * The reply stream is read from the last id seen, so a link that was lost and
 * came back misses nothing that the stream still holds. When the link for
 * commands is lost, whatever waits is refused at once: whether Redis took it
 * cannot be known. A lost link for replies gets one attempt to come back
 * first, since what was committed meanwhile stands in the stream.
 */
#include "ngx_http_tmf_edge.h"

#include <sys/random.h>
#include <time.h>

#include "ngx_http_tmf_watch.h"

#define COMMAND_TIMEOUT 1000   /* ms without a reply: the peer is dead */
#define REPLY_BLOCK     "1000" /* ms of XREAD, so that silence is noticed */
#define REPLY_TIMEOUT   2000
#define REPLY_TTL       "60000" /* ms the reply stream outlives us */
#define REPLY_COUNT     "100"
#define TICK_COMMANDS   1024 /* room for the tick beside the requests */
#define REPLY_COMMANDS  8    /* greeting and one XREAD */
#define INSTANCE_MAX    64

static void edge_read_replies(ngx_http_tmf_edge_t *edge);

uint64_t
ngx_http_tmf_now_ms(void)
{
    ngx_time_t *now = ngx_timeofday();

    return (uint64_t) now->sec * 1000 + now->msec;
}

uint64_t
ngx_http_tmf_monotonic_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t
ngx_http_tmf_edge_random(ngx_http_tmf_edge_t *edge)
{
    uint64_t z = (edge->random += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void
edge_on_commands_ready(ngx_http_tmf_link_t *link)
{
    ngx_http_tmf_edge_t *edge = link->owner;

    ngx_http_tmf_watch_look(edge->watch);
}

static void
edge_on_commands_lost(ngx_http_tmf_link_t *link)
{
    ngx_http_tmf_edge_t *edge = link->owner;

    if (link->failures == 1) {
        ngx_atomic_fetch_add(&edge->stats->links_lost, 1);
    }
    ngx_http_tmf_watch_reset(edge->watch);
    ngx_http_tmf_pending_refuse_all(edge, NGX_HTTP_TMF_REFUSE_LINK_LOST);
}

static void
edge_on_replies_ready(ngx_http_tmf_link_t *link)
{
    edge_read_replies(link->owner);
}

/* Has it gone without hope? The first failure of a link that was up is its
 * loss, and the attempt that follows may succeed. */
static ngx_uint_t
edge_replies_gone(const ngx_http_tmf_link_t *link)
{
    return link->failures > (link->was_ready ? 1 : 0);
}

static void
edge_on_replies_lost(ngx_http_tmf_link_t *link)
{
    ngx_http_tmf_edge_t *edge = link->owner;

    if (link->failures == 1) {
        ngx_atomic_fetch_add(&edge->stats->links_lost, 1);
    }
    if (edge_replies_gone(link)) {
        ngx_http_tmf_pending_refuse_all(edge, NGX_HTTP_TMF_REFUSE_LINK_LOST);
    }
}

static void
edge_deliver(ngx_http_tmf_edge_t *edge, str_t id, str_t text)
{
    ngx_http_tmf_slot_t *slot = ngx_http_tmf_pending_find(edge, id);

    if (slot == NULL) {
        /* Too late, or a worker repeats itself: harmless. */
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, edge->log, 0,
                       "tmf: nobody waits for \"%*s\"", id.len, id.data);
        return;
    }
    ngx_http_request_t *r = slot->request;
    ngx_http_set_log_request(r->connection->log, r);
    ngx_http_tmf_pending_remove(slot);
    ngx_http_tmf_finish(r, ngx_http_tmf_send_frame(r, text));
}

static ngx_uint_t
is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

static str_t
text_of(const redisReply *reply)
{
    return (str_t){reply->str, reply->len};
}

/* One entry: [id, [request id, reply, request id, reply ...]]. */
static void
edge_read_entry(ngx_http_tmf_edge_t *edge, const redisReply *entry)
{
    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
        !is_text(entry->element[0]) ||
        entry->element[0]->len >= NGX_HTTP_TMF_STREAM_ID_MAX) {
        return;
    }
    ngx_cpystrn((u_char *) edge->last_id, (u_char *) entry->element[0]->str,
                NGX_HTTP_TMF_STREAM_ID_MAX);

    const redisReply *pairs = entry->element[1];
    if (pairs->type != REDIS_REPLY_ARRAY) {
        return;
    }
    for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
        if (is_text(pairs->element[i]) && is_text(pairs->element[i + 1])) {
            edge_deliver(edge, text_of(pairs->element[i]),
                         text_of(pairs->element[i + 1]));
        }
    }
}

/* XREAD's answer: nil, or [[key, [entry ...]]]. */
static void
edge_on_replies(ngx_http_tmf_link_t *link, const redisReply *reply,
                uint64_t data)
{
    ngx_http_tmf_edge_t *edge = link->owner;

    if (reply == NULL) {
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_http_tmf_link_drop(link, reply->str);
        return;
    }
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 &&
        reply->element[0]->type == REDIS_REPLY_ARRAY &&
        reply->element[0]->elements == 2) {
        const redisReply *entries = reply->element[0]->element[1];
        for (size_t i = 0;
             entries->type == REDIS_REPLY_ARRAY && i < entries->elements;
             i++) {
            edge_read_entry(edge, entries->element[i]);
        }
    }
    edge_read_replies(edge);
}

static void
edge_read_replies(ngx_http_tmf_edge_t *edge)
{
    str_t argv[] = {STR("XREAD"),    STR("COUNT"),         STR(REPLY_COUNT),
                    STR("BLOCK"),    STR(REPLY_BLOCK),     STR("STREAMS"),
                    edge->reply_key, str_of(edge->last_id)};

    if (ngx_http_tmf_link_command(&edge->replies, argv,
                                  sizeof(argv) / sizeof(argv[0]),
                                  edge_on_replies, 0) != NGX_OK &&
        edge->replies.connection != NULL) {
        ngx_http_tmf_link_drop(&edge->replies, "cannot read on");
    }
}

/* Trimming leaves at least the entry read last. Where nothing is left, the
 * stream began anew (a flush) with ids below that one, because Redis' clock
 * went back: it has to be read from its beginning. */
static void
edge_on_length(ngx_http_tmf_link_t *link, const redisReply *reply,
               uint64_t data)
{
    ngx_http_tmf_edge_t *edge = link->owner;

    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER &&
        reply->integer == 0) {
        ngx_cpystrn((u_char *) edge->last_id, (u_char *) "0-0",
                    NGX_HTTP_TMF_STREAM_ID_MAX);
    }
}

static void
edge_ignore(ngx_http_tmf_link_t *link, const redisReply *reply, uint64_t data)
{
}

void
ngx_http_tmf_edge_renew(ngx_http_tmf_edge_t *edge)
{
    str_t expire[] = {STR("PEXPIRE"), edge->reply_key, STR(REPLY_TTL)};
    str_t trim[] = {STR("XTRIM"), edge->reply_key, STR("MINID"),
                    str_of(edge->last_id)};
    str_t length[] = {STR("XLEN"), edge->reply_key};

    (void) ngx_http_tmf_link_command(&edge->commands, expire, 3, edge_ignore,
                                     0);
    /* What was read need not lie there: replies can be large. */
    (void) ngx_http_tmf_link_command(&edge->commands, trim, 4, edge_ignore, 0);
    (void) ngx_http_tmf_link_command(&edge->commands, length, 2,
                                     edge_on_length, 0);
}

ngx_http_tmf_refusal_t
ngx_http_tmf_edge_check(const ngx_http_tmf_edge_t *edge, api_t api,
                        ngx_int_t queue_max)
{
    const ngx_http_tmf_link_t *commands = &edge->commands;

    /* While the first connection is being made, requests may queue behind
     * the greeting: a reload must not refuse anything. */
    if (commands->state == NGX_HTTP_TMF_LINK_DOWN ||
        (commands->state == NGX_HTTP_TMF_LINK_CONNECTING &&
         commands->failures > 0) ||
        edge_replies_gone(&edge->replies)) {
        return NGX_HTTP_TMF_REFUSE_NO_REDIS;
    }
    if (!ngx_http_tmf_watch_intake(edge->watch)) {
        return NGX_HTTP_TMF_REFUSE_NO_WORKER;
    }
    if (ngx_http_tmf_watch_depth(edge->watch, api) >= queue_max) {
        return NGX_HTTP_TMF_REFUSE_QUEUE_FULL;
    }
    return NGX_HTTP_TMF_REFUSE_NONE;
}

static str_t
edge_name(ngx_pool_t *pool, str_t prefix, const char *middle, str_t tail)
{
    size_t len = prefix.len + strlen(middle) + tail.len;
    u_char *p = ngx_pnalloc(pool, len);

    if (p == NULL) {
        return STR_NONE;
    }
    u_char *end = ngx_cpymem(p, prefix.data, prefix.len);
    end = ngx_cpymem(end, middle, strlen(middle));
    ngx_memcpy(end, tail.data, tail.len);
    return (str_t){(char *) p, len};
}

static ngx_int_t
edge_names(ngx_http_tmf_edge_t *edge, ngx_pool_t *pool)
{
    str_t prefix = edge->conf->redis.prefix;
    u_char *name = ngx_pnalloc(pool, INSTANCE_MAX);
    uint64_t unique;

    if (name == NULL ||
        getrandom(&unique, sizeof(unique), 0) != sizeof(unique) ||
        getrandom(&edge->random, sizeof(edge->random), 0) !=
            sizeof(edge->random)) {
        return NGX_ERROR;
    }
    u_char *end =
        ngx_snprintf(name, INSTANCE_MAX, "%016xL.%P", unique, ngx_pid);
    edge->instance = (str_t){(char *) name, (size_t) (end - name)};
    edge->reply_key = edge_name(pool, prefix, KEY_REPLY, edge->instance);
    if (edge->reply_key.data == NULL) {
        return NGX_ERROR;
    }
    for (int api = 0; api < API_COUNT; api++) {
        edge->request_keys[api] = edge_name(pool, prefix, KEY_REQUEST,
                                            str_of(api_name((api_t) api)));
        if (edge->request_keys[api].data == NULL) {
            return NGX_ERROR;
        }
    }
    ngx_cpystrn((u_char *) edge->last_id, (u_char *) "0-0",
                NGX_HTTP_TMF_STREAM_ID_MAX);
    return NGX_OK;
}

static ngx_int_t
edge_links(ngx_http_tmf_edge_t *edge, ngx_pool_t *pool)
{
    ngx_http_tmf_link_t *link = &edge->commands;

    link->name = "commands";
    link->on_ready = edge_on_commands_ready;
    link->on_lost = edge_on_commands_lost;
    link->timeout = COMMAND_TIMEOUT;
    link->conf = &edge->conf->redis;
    link->owner = edge;
    link->log = edge->log;

    edge->replies = *link;
    edge->replies.name = "replies";
    edge->replies.on_ready = edge_on_replies_ready;
    edge->replies.on_lost = edge_on_replies_lost;
    edge->replies.timeout = REPLY_TIMEOUT;

    if (ngx_http_tmf_link_init(
            link, pool, edge->slot_count * 2 + TICK_COMMANDS) != NGX_OK) {
        return NGX_ERROR;
    }
    return ngx_http_tmf_link_init(&edge->replies, pool, REPLY_COMMANDS);
}

ngx_http_tmf_edge_t *
ngx_http_tmf_edge_create(ngx_cycle_t *cycle,
                         const ngx_http_tmf_main_conf_t *conf)
{
    ngx_http_tmf_edge_t *edge = ngx_pcalloc(cycle->pool, sizeof(*edge));

    if (edge == NULL) {
        return NULL;
    }
    edge->conf = conf;
    edge->log = cycle->log;
    edge->stats = conf->zone->data;
    edge->process = ngx_http_tmf_stats_join(edge->stats);
    if (edge_names(edge, cycle->pool) != NGX_OK ||
        ngx_http_tmf_pending_init(edge, cycle->pool,
                                  (ngx_uint_t) conf->max_pending) != NGX_OK ||
        edge_links(edge, cycle->pool) != NGX_OK) {
        return NULL;
    }
    edge->watch = ngx_http_tmf_watch_create(edge, cycle->pool);
    if (edge->watch == NULL) {
        return NULL;
    }
    ngx_http_tmf_link_open(&edge->commands);
    ngx_http_tmf_link_open(&edge->replies);
    return edge;
}

void
ngx_http_tmf_edge_close(ngx_http_tmf_edge_t *edge)
{
    ngx_http_tmf_link_close(&edge->commands);
    ngx_http_tmf_link_close(&edge->replies);
    ngx_http_tmf_watch_free(edge->watch);
    ngx_http_tmf_stats_leave(edge->process);
}
