/*
 * One connection to Redis: connect, greet, send, read, give up, come back.
 *
 * States: DOWN -> CONNECTING (socket made, AUTH, SELECT and PING on their way)
 * -> READY (PING answered) -> DOWN. The link owns its socket, its reader and
 * both buffers; any failure throws all four away, since a half-read reply
 * spoils what follows.
 */
#include "ngx_http_tmf_redis.h"

#include <sys/socket.h>

#define LINK_OUT_MAX     ((size_t) 64 * 1024 * 1024) /* bytes waiting to be sent */
#define LINK_KEEP        ((size_t) 1024 * 1024) /* memory kept when idle */
#define LINK_READ_SIZE   65536
#define LINK_READS_MAX   16 /* in one turn, then others get theirs */
#define LINK_RETRY_MIN   50
#define LINK_RETRY_MAX   1000
#define LINK_RETRY_STEPS 5  /* doublings from MIN beyond MAX */
#define RESP_HEAD_MAX    32 /* "$" or "*", a number, CRLF */

static void link_on_read(ngx_event_t *rev);
static void link_on_write(ngx_event_t *wev);
static void link_on_retry(ngx_event_t *ev);

static u_char link_input[LINK_READ_SIZE];

ngx_int_t
ngx_http_tmf_link_init(ngx_http_tmf_link_t *link, ngx_pool_t *pool,
                       ngx_uint_t waiter_max)
{
    link->waiters = ngx_pcalloc(pool, waiter_max * sizeof(*link->waiters));
    if (link->waiters == NULL) {
        return NGX_ERROR;
    }
    link->waiter_max = waiter_max;
    buf_init(&link->out, LINK_OUT_MAX);

    link->quiet_log = *link->log;
    link->quiet_log.log_level = NGX_LOG_ALERT;

    link->retry.data = link;
    link->retry.handler = link_on_retry;
    link->retry.log = link->log;
    link->retry.cancelable = 1;
    return NGX_OK;
}

/* Closes what belongs to this connection; keeps the waiters. */
static void
link_clear(ngx_http_tmf_link_t *link)
{
    if (link->connection != NULL) {
        ngx_close_connection(link->connection);
        link->connection = NULL;
    }
    if (link->reader != NULL) {
        redisReaderFree(link->reader);
        link->reader = NULL;
    }
    buf_free(&link->out);
    link->sent = 0;
    link->connected = 0;
    link->state = NGX_HTTP_TMF_LINK_DOWN;
}

void
ngx_http_tmf_link_close(ngx_http_tmf_link_t *link)
{
    link_clear(link);
    link->waiter_count = 0;
    if (link->retry.timer_set) {
        ngx_del_timer(&link->retry);
    }
}

static ngx_http_tmf_waiter_t
link_pop(ngx_http_tmf_link_t *link)
{
    ngx_http_tmf_waiter_t waiter = link->waiters[link->waiter_head];

    link->waiter_head = (link->waiter_head + 1) % link->waiter_max;
    link->waiter_count--;
    return waiter;
}

static void
link_retry_later(ngx_http_tmf_link_t *link)
{
    ngx_uint_t step = ngx_min(link->failures - 1, LINK_RETRY_STEPS);
    ngx_msec_t most = ngx_min(LINK_RETRY_MIN << step, LINK_RETRY_MAX);

    /* Jitter, so that all workers of all machines do not come at once. */
    ngx_add_timer(&link->retry,
                  most / 2 + (ngx_msec_t) ngx_random() % (most / 2 + 1));
}

void
ngx_http_tmf_link_drop(ngx_http_tmf_link_t *link, const char *why)
{
    ngx_uint_t closing = link->connection != NULL && link->connection->close;

    /* An outage is one line, not one a second. */
    ngx_uint_t level = link->failures == 0 ? NGX_LOG_ERR : NGX_LOG_INFO;
    ngx_log_error(level, link->log, 0,
                  "tmf: redis link \"%s\": %s, %ui commands unanswered",
                  link->name, why, link->waiter_count);
    link_clear(link);
    link->failures++;

    /* Handlers may try to send: the link is DOWN and refuses. */
    while (link->waiter_count > 0) {
        ngx_http_tmf_waiter_t waiter = link_pop(link);
        waiter.handler(link, NULL, waiter.data);
    }
    link->on_lost(link);
    if (!closing) {
        link_retry_later(link);
    }
}

static void
link_on_greeting(ngx_http_tmf_link_t *link, const redisReply *reply,
                 uint64_t last)
{
    if (reply == NULL) {
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_http_tmf_link_drop(link, reply->str);
        return;
    }
    if (!last) {
        return;
    }
    link->state = NGX_HTTP_TMF_LINK_READY;
    link->failures = 0;
    link->was_ready = 1;
    link->connection->log = link->log;
    link->connection->read->log = link->log;
    link->connection->write->log = link->log;
    ngx_log_error(NGX_LOG_NOTICE, link->log, 0, "tmf: redis link \"%s\" is up",
                  link->name);
    link->on_ready(link);
}

static ngx_int_t
link_greet(ngx_http_tmf_link_t *link)
{
    const ngx_http_tmf_redis_conf_t *conf = link->conf;
    str_t auth[3] = {STR("AUTH")};
    str_t db[2] = {STR("SELECT"), conf->db};
    str_t ping[1] = {STR("PING")};
    int n = 1;

    if (conf->password.len > 0) {
        if (conf->user.len > 0) {
            auth[n++] = conf->user;
        }
        auth[n++] = conf->password;
        if (ngx_http_tmf_link_command(link, auth, n, link_on_greeting, 0) !=
            NGX_OK) {
            return NGX_ERROR;
        }
    }
    if (conf->db.len > 0 && ngx_http_tmf_link_command(
                                link, db, 2, link_on_greeting, 0) != NGX_OK) {
        return NGX_ERROR;
    }
    return ngx_http_tmf_link_command(link, ping, 1, link_on_greeting, 1);
}

/* The socket, connecting or connected; NGX_ERROR: neither. */
static ngx_int_t
link_connect(ngx_http_tmf_link_t *link)
{
    ngx_peer_connection_t *peer = &link->peer;
    ngx_addr_t *addr =
        &link->conf->addrs[link->attempts++ % link->conf->naddrs];

    ngx_memzero(peer, sizeof(*peer));
    peer->sockaddr = addr->sockaddr;
    peer->socklen = addr->socklen;
    peer->name = &addr->name;
    peer->get = ngx_event_get_peer;
    peer->log = link->failures == 0 ? link->log : &link->quiet_log;
    peer->log_error = NGX_ERROR_ERR;
    peer->so_keepalive = addr->sockaddr->sa_family != AF_UNIX;

    ngx_int_t rc = ngx_event_connect_peer(peer);
    if (rc != NGX_OK && rc != NGX_AGAIN) {
        if (peer->connection != NULL) {
            ngx_close_connection(peer->connection);
        }
        return NGX_ERROR;
    }
    ngx_connection_t *c = peer->connection;
    c->data = link;
    c->read->handler = link_on_read;
    c->write->handler = link_on_write;
    c->read->cancelable = 1;
    link->connection = c;
    link->connected = rc == NGX_OK;
    if (addr->sockaddr->sa_family != AF_UNIX) {
        (void) ngx_tcp_nodelay(c);
    }
    return NGX_OK;
}

void
ngx_http_tmf_link_open(ngx_http_tmf_link_t *link)
{
    link->reader = redisReaderCreate();
    if (link->reader == NULL || link_connect(link) != NGX_OK) {
        ngx_http_tmf_link_drop(link, "cannot connect");
        return;
    }
    link->reader->maxbuf = LINK_KEEP;
    link->state = NGX_HTTP_TMF_LINK_CONNECTING;
    link->progress = ngx_current_msec;
    ngx_add_timer(link->connection->read, link->timeout);
    if (link_greet(link) != NGX_OK) {
        ngx_http_tmf_link_drop(link, "cannot greet");
    }
}

static void
link_on_retry(ngx_event_t *ev)
{
    ngx_http_tmf_link_open(ev->data);
}

static size_t
command_size(const str_t *argv, int argc)
{
    size_t size = RESP_HEAD_MAX;

    for (int i = 0; i < argc; i++) {
        size += argv[i].len + RESP_HEAD_MAX;
    }
    return size;
}

/* One line of RESP: a mark and a number. */
static void
put_number(buf_t *out, char mark, size_t number)
{
    u_char line[RESP_HEAD_MAX];
    u_char *end = ngx_sprintf(line, "%c%uz" CRLF, mark, number);

    buf_put(out, line, (size_t) (end - line));
}

ngx_int_t
ngx_http_tmf_link_command(ngx_http_tmf_link_t *link, const str_t *argv,
                          int argc, ngx_http_tmf_command_pt handler,
                          uint64_t data)
{
    ngx_connection_t *c = link->connection;

    if (c == NULL || link->waiter_count == link->waiter_max ||
        buf_failed(&link->out) ||
        command_size(argv, argc) > LINK_OUT_MAX - link->out.len) {
        return NGX_ERROR;
    }
    size_t before = link->out.len;
    put_number(&link->out, '*', (size_t) argc);
    for (int i = 0; i < argc; i++) {
        put_number(&link->out, '$', argv[i].len);
        buf_str(&link->out, argv[i]);
        buf_put(&link->out, CRLF, 2);
    }
    if (buf_failed(&link->out)) {
        /* Out of memory: half a command must not stay. */
        link->out.len = before;
        link->out.failed = false;
        return NGX_ERROR;
    }
    if (link->waiter_count == 0) {
        link->progress = ngx_current_msec;
    }
    ngx_uint_t tail =
        (link->waiter_head + link->waiter_count) % link->waiter_max;
    link->waiters[tail] = (ngx_http_tmf_waiter_t){handler, data};
    link->waiter_count++;

    if (link->connected && c->write->ready) {
        /* Posted: all commands of this turn leave in one send. */
        ngx_post_event(c->write, &ngx_posted_events);
    }
    return NGX_OK;
}

/* Drops what was sent from the front of the buffer. */
static void
link_compact(ngx_http_tmf_link_t *link)
{
    buf_t *out = &link->out;

    if (link->sent == out->len) {
        if (out->cap > LINK_KEEP) {
            buf_free(out);
        } else {
            buf_reset(out);
        }
        link->sent = 0;
    } else if (link->sent > out->len / 2) {
        out->len -= link->sent;
        ngx_memmove(out->data, out->data + link->sent, out->len);
        link->sent = 0;
    }
}

static void
link_flush(ngx_http_tmf_link_t *link)
{
    ngx_connection_t *c = link->connection;

    while (link->sent < link->out.len) {
        ssize_t n = c->send(c, (u_char *) link->out.data + link->sent,
                            link->out.len - link->sent);
        if (n == NGX_AGAIN) {
            break;
        }
        if (n <= 0) {
            ngx_http_tmf_link_drop(link, "cannot send");
            return;
        }
        link->sent += (size_t) n;
    }
    link_compact(link);
    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_http_tmf_link_drop(link, "cannot wait for events");
    }
}

static ngx_int_t
link_socket_error(ngx_connection_t *c)
{
    int err = 0;
    socklen_t len = sizeof(err);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
        return ngx_socket_errno;
    }
    return err;
}

static void
link_on_write(ngx_event_t *wev)
{
    ngx_connection_t *c = wev->data;
    ngx_http_tmf_link_t *link = c->data;

    if (!link->connected) {
        if (link_socket_error(c) != 0) {
            ngx_http_tmf_link_drop(link, "connection refused");
            return;
        }
        link->connected = 1;
    }
    link_flush(link);
}

/* Hands out the replies that are complete. NGX_ERROR: the link is lost. */
static ngx_int_t
link_drain(ngx_http_tmf_link_t *link)
{
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
            ngx_http_tmf_link_drop(link, "not the Redis protocol");
            return NGX_ERROR;
        }
        if (reply == NULL) {
            return NGX_OK;
        }
        if (link->waiter_count == 0) {
            freeReplyObject(reply);
            ngx_http_tmf_link_drop(link, "a reply that was not asked for");
            return NGX_ERROR;
        }
        ngx_http_tmf_waiter_t waiter = link_pop(link);
        waiter.handler(link, reply, waiter.data);
        freeReplyObject(reply);
        if (link->connection == NULL) {
            return NGX_ERROR;
        }
    }
}

/* The read timer runs all the time: cheaper than setting it per command. */
static void
link_on_timer(ngx_http_tmf_link_t *link)
{
    ngx_msec_t silent = ngx_current_msec - link->progress;
    ngx_msec_t rest = link->timeout;

    if (link->waiter_count > 0) {
        if (silent >= link->timeout) {
            ngx_http_tmf_link_drop(link, "no answer in time");
            return;
        }
        rest -= silent;
    }
    ngx_add_timer(link->connection->read, rest);
}

static void
link_on_read(ngx_event_t *rev)
{
    ngx_connection_t *c = rev->data;
    ngx_http_tmf_link_t *link = c->data;

    if (c->close) {
        ngx_http_tmf_link_drop(link, "the worker shuts down");
        return;
    }
    if (rev->timedout) {
        rev->timedout = 0;
        link_on_timer(link);
        return;
    }
    for (ngx_uint_t i = 0; rev->ready && i < LINK_READS_MAX; i++) {
        ssize_t n = c->recv(c, link_input, sizeof(link_input));
        if (n == NGX_AGAIN) {
            break;
        }
        if (n <= 0) {
            ngx_http_tmf_link_drop(link, "closed by Redis");
            return;
        }
        link->progress = ngx_current_msec;
        if (redisReaderFeed(link->reader, (char *) link_input, (size_t) n) !=
            REDIS_OK) {
            ngx_http_tmf_link_drop(link, "out of memory");
            return;
        }
        if (link_drain(link) != NGX_OK) {
            return;
        }
    }
    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_next_events);
    } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_tmf_link_drop(link, "cannot wait for events");
    }
}
