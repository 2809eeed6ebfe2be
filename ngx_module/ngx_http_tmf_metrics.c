/*
 * tmf_metrics: counters of all nginx workers, queues and workers as seen from
 * here, in Prometheus' text format 0.0.4.
 */
#include "ngx_http_tmf_watch.h"

#define METRICS_MAX  ((size_t) 4 * 1024 * 1024)
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

#define NAMES_MAX 1024 /* different counters of all workers */

typedef long long (*queue_value_pt)(const ngx_http_tmf_queue_t *queue);

static long long
queue_depth(const ngx_http_tmf_queue_t *queue)
{
    return queue->depth;
}

static long long
queue_lag(const ngx_http_tmf_queue_t *queue)
{
    return queue->lag;
}

static long long
queue_pending(const ngx_http_tmf_queue_t *queue)
{
    return queue->pending;
}

static long long
queue_age(const ngx_http_tmf_queue_t *queue)
{
    uint64_t now = ngx_http_tmf_now_ms();

    if (queue->oldest_ms == 0 || queue->oldest_ms >= now) {
        return 0;
    }
    return (long long) (now - queue->oldest_ms) / 1000;
}

static const struct {
    const char *name;
    const char *help;
    queue_value_pt value; /* -1: not known, left out */
} metrics_queues[] = {
    {"turnup_queue_depth", "Entries in the stream.", queue_depth},
    {"turnup_queue_lag", "Entries not yet delivered to a worker.", queue_lag},
    {"turnup_queue_pending", "Entries delivered and not yet done.",
     queue_pending},
    {"turnup_queue_oldest_age_seconds", "Age of the first entry.", queue_age},
};

static void
print_queues(buf_t *out, const ngx_http_tmf_watch_t *watch)
{
    size_t count = sizeof(metrics_queues) / sizeof(metrics_queues[0]);

    for (size_t i = 0; i < count; i++) {
        ngx_http_tmf_stats_head(out, metrics_queues[i].name, "gauge",
                                metrics_queues[i].help);
        for (ngx_uint_t k = 0; k < watch->queue_count; k++) {
            const ngx_http_tmf_queue_t *queue = &watch->queues[k];
            long long value = metrics_queues[i].value(queue);
            if (value >= 0) {
                buf_printf(out, "%s{stream=\"%s\"} %lld\n",
                           metrics_queues[i].name, queue->name, value);
            }
        }
    }
}

static ngx_uint_t
pool_seen_before(const ngx_http_tmf_look_t *look, ngx_uint_t index)
{
    for (ngx_uint_t i = 0; i < index; i++) {
        if (str_eq(look->workers[i].pool, look->workers[index].pool)) {
            return 1;
        }
    }
    return 0;
}

static void
print_pool(buf_t *out, str_t pool, ngx_uint_t live)
{
    buf_printf(out, "turnup_worker_up{pool=\"%.*s\"} %lu\n", STR_FMT(pool),
               live);
}

/* The pools that must be there are told even when nobody lives in them. */
static void
print_pools(buf_t *out, const ngx_http_tmf_watch_t *watch)
{
    static const char *const needed[] = {"intake", "notify", "keeper"};
    const ngx_http_tmf_look_t *look = watch->last;

    ngx_http_tmf_stats_head(out, "turnup_worker_up", "gauge",
                            "Live workers of the pool.");
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (ngx_http_tmf_watch_live(watch, needed[i], 0) == 0) {
            print_pool(out, str_of(needed[i]), 0);
        }
    }
    for (ngx_uint_t i = 0; look != NULL && i < look->worker_count; i++) {
        if (pool_seen_before(look, i)) {
            continue;
        }
        ngx_uint_t live = 1;
        for (ngx_uint_t k = i + 1; k < look->worker_count; k++) {
            live += str_eq(look->workers[i].pool, look->workers[k].pool);
        }
        print_pool(out, look->workers[i].pool, live);
    }
}

/* All workers' values of one counter: the format wants them together. */
static void
print_counter(buf_t *out, const ngx_http_tmf_look_t *look, str_t name)
{
    static const char total[] = "_total";
    size_t len = sizeof(total) - 1;
    ngx_uint_t counts =
        name.len > len && memcmp(name.data + name.len - len, total, len) == 0;

    buf_printf(out,
               "# HELP turnup_worker_%.*s As the worker counts it.\n"
               "# TYPE turnup_worker_%.*s %s\n",
               STR_FMT(name), STR_FMT(name), counts ? "counter" : "gauge");
    for (ngx_uint_t i = 0; i < look->worker_count; i++) {
        const ngx_http_tmf_worker_t *worker = &look->workers[i];
        for (ngx_uint_t k = 0; k < worker->counter_count; k++) {
            if (str_eq(worker->counters[k].name, name)) {
                buf_printf(out,
                           "turnup_worker_%.*s{pool=\"%.*s\",host=\"%.*s\","
                           "pid=\"%.*s\"} %.*s\n",
                           STR_FMT(name), STR_FMT(worker->pool),
                           STR_FMT(worker->host), STR_FMT(worker->pid),
                           STR_FMT(worker->counters[k].value));
            }
        }
    }
}

static void
print_counters(buf_t *out, const ngx_http_tmf_look_t *look)
{
    str_t names[NAMES_MAX];
    ngx_uint_t count = 0;

    for (ngx_uint_t i = 0; look != NULL && i < look->worker_count; i++) {
        const ngx_http_tmf_worker_t *worker = &look->workers[i];
        for (ngx_uint_t k = 0; k < worker->counter_count; k++) {
            str_t name = worker->counters[k].name;
            ngx_uint_t seen = 0;
            while (seen < count && !str_eq(names[seen], name)) {
                seen++;
            }
            /* "up" is a metric of our own. */
            if (seen == count && count < NAMES_MAX && !str_is(name, "up")) {
                names[count++] = name;
                print_counter(out, look, name);
            }
        }
    }
}

static void
print_edge(buf_t *out, const ngx_http_tmf_edge_t *edge)
{
    ngx_http_tmf_stats_head(out, "turnup_redis_up", "gauge",
                            "Does the answering nginx worker reach Redis?");
    buf_printf(out, "turnup_redis_up %d\n",
               edge->commands.state == NGX_HTTP_TMF_LINK_READY &&
                   edge->replies.state == NGX_HTTP_TMF_LINK_READY);
}

ngx_int_t
ngx_http_tmf_metrics_handler(ngx_http_request_t *r)
{
    ngx_http_tmf_main_conf_t *conf =
        ngx_http_get_module_main_conf(r, ngx_http_tmf_module);
    buf_t out;

    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }
    if (conf->edge == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    buf_init(&out, METRICS_MAX);
    ngx_http_tmf_stats_print(conf->edge->stats, &out);
    print_edge(&out, conf->edge);
    print_queues(&out, conf->edge->watch);
    print_pools(&out, conf->edge->watch);
    print_counters(&out, conf->edge->watch->last);
    rc = buf_failed(&out)
             ? NGX_HTTP_INTERNAL_SERVER_ERROR
             : ngx_http_tmf_send(r, NGX_HTTP_OK, METRICS_TYPE, buf_view(&out));
    buf_free(&out);
    return rc;
}
