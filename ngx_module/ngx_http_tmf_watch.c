/*
 * The tick: once a second one pipelined look at heartbeats and queues.
 *
 * Replies come in the order of the commands; the heartbeats are asked for
 * last and complete the look. Until then the former one is what is known.
 */
#include "ngx_http_tmf_watch.h"

#define TICK_MS        1000
#define LOOK_POOL_SIZE 4096
#define KEY_MAX        256

static void watch_on_tick(ngx_event_t *ev);
static void watch_complete(ngx_http_tmf_watch_t *watch);

ngx_http_tmf_watch_t *
ngx_http_tmf_watch_create(ngx_http_tmf_edge_t *edge, ngx_pool_t *pool)
{
    ngx_http_tmf_watch_t *watch = ngx_pcalloc(pool, sizeof(*watch));

    if (watch == NULL) {
        return NULL;
    }
    watch->edge = edge;
    for (int api = 0; api < API_COUNT; api++) {
        ngx_http_tmf_queue_t *queue = &watch->queues[watch->queue_count++];
        (void) ngx_snprintf((u_char *) queue->name, sizeof(queue->name),
                            KEY_REQUEST "%s%Z", api_name((api_t) api));
        queue->group = KEY_REQUEST_GROUP;
    }
    watch->tick.data = watch;
    watch->tick.handler = watch_on_tick;
    watch->tick.log = edge->log;
    watch->tick.cancelable = 1;
    ngx_add_timer(&watch->tick, TICK_MS);
    return watch;
}

static void
look_free(ngx_http_tmf_look_t *look)
{
    if (look != NULL) {
        ngx_destroy_pool(look->pool);
    }
}

void
ngx_http_tmf_watch_free(ngx_http_tmf_watch_t *watch)
{
    if (watch->tick.timer_set) {
        ngx_del_timer(&watch->tick);
    }
    look_free(watch->last);
    look_free(watch->next);
}

void
ngx_http_tmf_watch_reset(ngx_http_tmf_watch_t *watch)
{
    look_free(watch->next);
    watch->next = NULL;
    watch->looking = 0;
}

static void
watch_on_tick(ngx_event_t *ev)
{
    ngx_http_tmf_watch_t *watch = ev->data;

    ngx_http_tmf_watch_look(watch);
    ngx_add_timer(&watch->tick, TICK_MS);
}

static void
watch_on_depth(ngx_http_tmf_link_t *link, const redisReply *reply,
               uint64_t index)
{
    ngx_http_tmf_edge_t *edge = link->owner;

    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
        edge->watch->queues[index].depth = reply->integer;
    }
}

/* One group of XINFO GROUPS: name, value, name, value ... */
static const redisReply *
group_value(const redisReply *group, const char *name)
{
    for (size_t i = 0; i + 1 < group->elements; i += 2) {
        if (group->element[i]->type == REDIS_REPLY_STRING &&
            ngx_strcmp(group->element[i]->str, name) == 0) {
            return group->element[i + 1];
        }
    }
    return NULL;
}

static long long
group_number(const redisReply *group, const char *name)
{
    const redisReply *value = group_value(group, name);

    return value != NULL && value->type == REDIS_REPLY_INTEGER ? value->integer
                                                               : -1;
}

static void
watch_on_groups(ngx_http_tmf_link_t *link, const redisReply *reply,
                uint64_t index)
{
    ngx_http_tmf_edge_t *edge = link->owner;
    ngx_http_tmf_queue_t *queue = &edge->watch->queues[index];

    if (reply == NULL) {
        return;
    }
    queue->pending = 0;
    /* Without a group all that lies there is still to be delivered. */
    queue->lag = queue->depth;
    if (reply->type != REDIS_REPLY_ARRAY) {
        return;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *group = reply->element[i];
        const redisReply *name = group->type == REDIS_REPLY_ARRAY
                                     ? group_value(group, "name")
                                     : NULL;
        if (name != NULL && name->type == REDIS_REPLY_STRING &&
            ngx_strcmp(name->str, queue->group) == 0) {
            queue->pending = ngx_max(group_number(group, "pending"), 0);
            queue->lag = group_number(group, "lag");
        }
    }
}

/* The first entry; its id begins with the time it came in. */
static void
watch_on_first(ngx_http_tmf_link_t *link, const redisReply *reply,
               uint64_t index)
{
    ngx_http_tmf_edge_t *edge = link->owner;
    ngx_http_tmf_queue_t *queue = &edge->watch->queues[index];

    queue->oldest_ms = 0;
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY ||
        reply->elements == 0) {
        return;
    }
    const redisReply *entry = reply->element[0];
    if (entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 &&
        entry->element[0]->type == REDIS_REPLY_STRING) {
        queue->oldest_ms = strtoull(entry->element[0]->str, NULL, 10);
    }
}

static void
watch_queue(ngx_http_tmf_watch_t *watch, ngx_uint_t index)
{
    ngx_http_tmf_link_t *link = &watch->edge->commands;
    str_t prefix = watch->edge->conf->redis.prefix;
    char text[KEY_MAX];
    u_char *end =
        ngx_snprintf((u_char *) text, sizeof(text), "%*s%s", prefix.len,
                     prefix.data, watch->queues[index].name);
    str_t key = {text, (size_t) (end - (u_char *) text)};
    str_t depth[] = {STR("XLEN"), key};
    str_t groups[] = {STR("XINFO"), STR("GROUPS"), key};
    str_t first[] = {STR("XRANGE"), key,          STR("-"),
                     STR("+"),      STR("COUNT"), STR("1")};

    (void) ngx_http_tmf_link_command(link, depth, 2, watch_on_depth, index);
    (void) ngx_http_tmf_link_command(link, groups, 3, watch_on_groups, index);
    (void) ngx_http_tmf_link_command(link, first, 6, watch_on_first, index);
}

/* A flushed Redis knows no heartbeat at all; the workers come back within a
 * second, so what was known holds until it runs out by itself. An index of
 * dead heartbeats only is certain news. */
static void
watch_intake_seen(ngx_http_tmf_watch_t *watch)
{
    for (ngx_uint_t i = 0; i < watch->next->worker_count; i++) {
        if (str_is(watch->next->workers[i].pool, "intake")) {
            watch->intake_until = ngx_current_msec + HEARTBEAT_TTL_MS;
            return;
        }
    }
    if (watch->known > 0) {
        watch->intake_until = 0;
    }
}

static void
watch_on_heartbeats(ngx_http_tmf_link_t *link, const redisReply *reply,
                    uint64_t data)
{
    ngx_http_tmf_edge_t *edge = link->owner;
    ngx_http_tmf_look_t *look = edge->watch->next;

    if (reply == NULL || look == NULL) {
        return;
    }
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY &&
                       i < reply->elements && i < look->worker_count;
         i++) {
        const redisReply *text = reply->element[i];
        if (text->type != REDIS_REPLY_STRING) {
            continue; /* it ran out between the two commands */
        }
        if (ngx_http_tmf_heartbeat_read(look, &look->workers[i],
                                        (str_t){text->str, text->len}) !=
            NGX_OK) {
            ngx_log_error(NGX_LOG_WARN, edge->log, 0,
                          "tmf: no readable heartbeat of worker \"%*s\"",
                          look->workers[i].member.len,
                          look->workers[i].member.data);
        }
    }
    watch_complete(edge->watch);
}

/* Asks for the heartbeats of all live workers at once. */
static ngx_int_t
watch_heartbeats(ngx_http_tmf_watch_t *watch)
{
    ngx_http_tmf_look_t *look = watch->next;
    str_t prefix = watch->edge->conf->redis.prefix;
    str_t argv[1 + NGX_HTTP_TMF_WATCH_WORKERS] = {STR("MGET")};

    for (ngx_uint_t i = 0; i < look->worker_count; i++) {
        str_t member = look->workers[i].member;
        size_t size = prefix.len + sizeof(KEY_WORKER) + member.len;
        u_char *key = ngx_pnalloc(look->pool, size);
        if (key == NULL) {
            return NGX_ERROR;
        }
        u_char *end =
            ngx_snprintf(key, size, "%*s" KEY_WORKER "%*s", prefix.len,
                         prefix.data, member.len, member.data);
        argv[1 + i] = (str_t){(char *) key, (size_t) (end - key)};
    }
    return ngx_http_tmf_link_command(&watch->edge->commands, argv,
                                     1 + (int) look->worker_count,
                                     watch_on_heartbeats, 0);
}

static void
look_add_worker(ngx_http_tmf_look_t *look, const redisReply *member)
{
    ngx_http_tmf_worker_t *worker = &look->workers[look->worker_count];

    if (member->type != REDIS_REPLY_STRING || member->len >= KEY_MAX) {
        return;
    }
    u_char *text = ngx_pnalloc(look->pool, member->len);
    if (text == NULL) {
        return;
    }
    ngx_memcpy(text, member->str, member->len);
    worker->member = (str_t){(char *) text, member->len};
    if (ngx_http_tmf_heartbeat_member(worker) == NGX_OK) {
        look->worker_count++;
    }
}

static ngx_http_tmf_look_t *
look_create(const redisReply *members, ngx_log_t *log)
{
    ngx_pool_t *pool = ngx_create_pool(LOOK_POOL_SIZE, log);

    if (pool == NULL) {
        return NULL;
    }
    ngx_http_tmf_look_t *look = ngx_pcalloc(pool, sizeof(*look));
    if (look != NULL) {
        look->pool = pool;
        look->workers = ngx_pcalloc(pool, NGX_HTTP_TMF_WATCH_WORKERS *
                                              sizeof(*look->workers));
    }
    if (look == NULL || look->workers == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }
    for (size_t i = 0; i < members->elements &&
                       look->worker_count < NGX_HTTP_TMF_WATCH_WORKERS;
         i++) {
        look_add_worker(look, members->element[i]);
    }
    return look;
}

static void
watch_on_known(ngx_http_tmf_link_t *link, const redisReply *reply,
               uint64_t data)
{
    ngx_http_tmf_edge_t *edge = link->owner;

    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
        edge->watch->known = reply->integer;
    }
}

static void
watch_on_members(ngx_http_tmf_link_t *link, const redisReply *reply,
                 uint64_t data)
{
    ngx_http_tmf_edge_t *edge = link->owner;
    ngx_http_tmf_watch_t *watch = edge->watch;

    if (reply == NULL) {
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY) {
        watch->looking = 0;
        return;
    }
    watch->next = look_create(reply, edge->log);
    if (watch->next == NULL) {
        watch->looking = 0;
        return;
    }
    watch_intake_seen(watch);
    if (watch->next->worker_count == 0) {
        watch_complete(watch);
    } else if (watch_heartbeats(watch) != NGX_OK) {
        ngx_http_tmf_watch_reset(watch);
    }
}

/* The family queues are those of the families that live workers know; what is
 * known of a queue that stays is kept. */
static void
watch_family_queues(ngx_http_tmf_watch_t *watch)
{
    ngx_http_tmf_look_t *look = watch->last;
    ngx_http_tmf_queue_t queues[NGX_HTTP_TMF_WATCH_FAMILIES];

    ngx_memzero(queues, sizeof(queues));
    for (ngx_uint_t i = 0; i < look->family_count; i++) {
        (void) ngx_snprintf((u_char *) queues[i].name, sizeof(queues[i].name),
                            KEY_FAMILY "%*s%Z", look->families[i].len,
                            look->families[i].data);
        queues[i].group = KEY_FAMILY_GROUP;
        for (ngx_uint_t k = API_COUNT; k < watch->queue_count; k++) {
            if (ngx_strcmp(watch->queues[k].name, queues[i].name) == 0) {
                queues[i] = watch->queues[k];
            }
        }
    }
    ngx_memcpy(&watch->queues[API_COUNT], queues,
               look->family_count * sizeof(queues[0]));
    watch->queue_count = API_COUNT + look->family_count;
}

static void
watch_complete(ngx_http_tmf_watch_t *watch)
{
    ngx_http_tmf_look_t *look = watch->next;

    for (ngx_uint_t i = 0; i < look->worker_count; i++) {
        str_t pool = look->workers[i].pool;
        size_t len = sizeof(NGX_HTTP_TMF_FAMILY_POOL) - 1;
        if (pool.len > len &&
            memcmp(pool.data, NGX_HTTP_TMF_FAMILY_POOL, len) == 0) {
            ngx_http_tmf_look_family(look,
                                     (str_t){pool.data + len, pool.len - len});
        }
    }
    look_free(watch->last);
    watch->last = look;
    watch->next = NULL;
    watch->looking = 0;
    watch_family_queues(watch);
}

void
ngx_http_tmf_watch_look(ngx_http_tmf_watch_t *watch)
{
    ngx_http_tmf_link_t *link = &watch->edge->commands;
    str_t prefix = watch->edge->conf->redis.prefix;
    char text[KEY_MAX], now[NGX_INT64_LEN + 1];
    u_char *end;

    if (watch->looking || link->state != NGX_HTTP_TMF_LINK_READY) {
        return;
    }
    end = ngx_snprintf((u_char *) text, sizeof(text), "%*s" KEY_WORKERS,
                       prefix.len, prefix.data);
    str_t key = {text, (size_t) (end - (u_char *) text)};
    end = ngx_sprintf((u_char *) now, "%uL", ngx_http_tmf_now_ms());
    str_t from = {now, (size_t) (end - (u_char *) now)};
    str_t known[] = {STR("ZCARD"), key};
    str_t members[] = {STR("ZRANGEBYSCORE"), key, from, STR("+inf")};

    ngx_http_tmf_edge_renew(watch->edge);
    for (ngx_uint_t i = 0; i < watch->queue_count; i++) {
        watch_queue(watch, i);
    }
    (void) ngx_http_tmf_link_command(link, known, 2, watch_on_known, 0);
    watch->looking = ngx_http_tmf_link_command(link, members, 4,
                                               watch_on_members, 0) == NGX_OK;
}

ngx_uint_t
ngx_http_tmf_watch_intake(const ngx_http_tmf_watch_t *watch)
{
    return watch->last == NULL || ngx_current_msec < watch->intake_until;
}

ngx_int_t
ngx_http_tmf_watch_depth(const ngx_http_tmf_watch_t *watch, api_t api)
{
    return (ngx_int_t) watch->queues[api].depth;
}

ngx_uint_t
ngx_http_tmf_watch_live(const ngx_http_tmf_watch_t *watch, const char *pool,
                        ngx_uint_t prefix)
{
    size_t len = strlen(pool);
    ngx_uint_t live = 0;

    for (ngx_uint_t i = 0; watch->last && i < watch->last->worker_count; i++) {
        str_t name = watch->last->workers[i].pool;
        if (name.len >= len && (prefix || name.len == len) &&
            memcmp(name.data, pool, len) == 0) {
            live++;
        }
    }
    return live;
}
