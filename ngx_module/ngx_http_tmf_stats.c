/*
 * Counters in shared memory.
 *
 * All are plain atomics without a lock: a scrape may see one request in one
 * metric and not yet in another. What each nginx worker has pending stands
 * under its pid, so that one that died does not leave its share behind.
 */
#include "ngx_http_tmf_stats.h"

#include <signal.h>

#define ZONE_NAME "turnup"
#define ZONE_SLAB 65536 /* the slab allocator's own needs */

#define US_PER_SECOND 1000000

static const char *const stats_methods[NGX_HTTP_TMF_METHODS] = {
    "GET", "HEAD", "POST", "PATCH", "DELETE", "other"};

static const struct {
    uint64_t us;
    const char *text;
} stats_buckets[NGX_HTTP_TMF_BUCKET_COUNT] = {
#define B(us, text) {us, text},
    NGX_HTTP_TMF_BUCKETS(B)
#undef B
        {UINT64_MAX, "+Inf"}};

static const char *const stats_reasons[NGX_HTTP_TMF_REFUSAL_COUNT] = {
    NULL,
#define R(name, label, status, code, message) label,
    NGX_HTTP_TMF_REFUSALS(R)
#undef R
};

static ngx_int_t
stats_zone_init(ngx_shm_zone_t *zone, void *old)
{
    ngx_slab_pool_t *slab = (ngx_slab_pool_t *) zone->shm.addr;

    if (old != NULL) { /* a reload: count on */
        zone->data = old;
        return NGX_OK;
    }
    zone->data = ngx_slab_calloc(slab, sizeof(ngx_http_tmf_stats_t));
    return zone->data != NULL ? NGX_OK : NGX_ERROR;
}

ngx_shm_zone_t *
ngx_http_tmf_stats_zone(ngx_conf_t *cf, void *tag)
{
    static ngx_str_t name = ngx_string(ZONE_NAME);
    size_t size =
        ngx_align(sizeof(ngx_http_tmf_stats_t) + ZONE_SLAB, ngx_pagesize);
    ngx_shm_zone_t *zone = ngx_shared_memory_add(cf, &name, size, tag);

    if (zone != NULL) {
        zone->init = stats_zone_init;
    }
    return zone;
}

static ngx_uint_t
process_alive(ngx_atomic_uint_t pid)
{
    return kill((pid_t) pid, 0) == 0 || ngx_errno != ESRCH;
}

ngx_http_tmf_process_t *
ngx_http_tmf_stats_join(ngx_http_tmf_stats_t *stats)
{
    for (ngx_uint_t i = 0; i < NGX_HTTP_TMF_WORKERS_MAX; i++) {
        ngx_http_tmf_process_t *process = &stats->processes[i];
        ngx_atomic_uint_t pid = process->pid;
        if (pid != 0 && pid != (ngx_atomic_uint_t) ngx_pid &&
            process_alive(pid)) {
            continue;
        }
        if (ngx_atomic_cmp_set(&process->pid, pid,
                               (ngx_atomic_uint_t) ngx_pid)) {
            process->pending = 0;
            return process;
        }
    }
    return NULL;
}

void
ngx_http_tmf_stats_leave(ngx_http_tmf_process_t *process)
{
    if (process != NULL) {
        process->pending = 0;
        process->pid = 0;
    }
}

void
ngx_http_tmf_stats_count(ngx_http_tmf_stats_t *stats, ngx_uint_t label,
                         ngx_http_tmf_method_t method, ngx_uint_t status,
                         uint64_t duration_us)
{
    if (status < NGX_HTTP_TMF_STATUS_MIN || status > NGX_HTTP_TMF_STATUS_MAX) {
        return;
    }
    ngx_atomic_fetch_add(
        &stats->requests[label][method][status - NGX_HTTP_TMF_STATUS_MIN], 1);
    if (duration_us == 0) {
        return;
    }
    ngx_uint_t bucket = 0;
    while (duration_us > stats_buckets[bucket].us) {
        bucket++;
    }
    ngx_atomic_fetch_add(&stats->durations[label][method][bucket], 1);
    ngx_atomic_fetch_add(&stats->duration_us[label][method], duration_us);
}

void
ngx_http_tmf_stats_head(buf_t *out, const char *name, const char *type,
                        const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static const char *
stats_label(ngx_uint_t label)
{
    if (label < API_COUNT) {
        return api_name((api_t) label);
    }
    return label == NGX_HTTP_TMF_LABEL_CALLBACK ? "callback" : "none";
}

static void
print_requests(const ngx_http_tmf_stats_t *stats, ngx_uint_t label,
               ngx_uint_t method, buf_t *out)
{
    for (ngx_uint_t i = 0; i < NGX_HTTP_TMF_STATUSES; i++) {
        ngx_atomic_uint_t count = stats->requests[label][method][i];
        if (count > 0) {
            buf_printf(out,
                       "turnup_requests_total{api=\"%s\",method=\"%s\","
                       "status=\"%d\"} %lu\n",
                       stats_label(label), stats_methods[method],
                       (int) (NGX_HTTP_TMF_STATUS_MIN + i), count);
        }
    }
}

static void
print_durations(const ngx_http_tmf_stats_t *stats, ngx_uint_t label,
                ngx_uint_t method, buf_t *out)
{
    const ngx_atomic_t *counts = stats->durations[label][method];
    ngx_atomic_uint_t sum = 0, us = stats->duration_us[label][method];
    char labels[64];

    snprintf(labels, sizeof(labels), "api=\"%s\",method=\"%s\"",
             stats_label(label), stats_methods[method]);
    for (ngx_uint_t i = 0; i < NGX_HTTP_TMF_BUCKET_COUNT; i++) {
        sum += counts[i];
    }
    if (sum == 0) {
        return;
    }
    sum = 0;
    for (ngx_uint_t i = 0; i < NGX_HTTP_TMF_BUCKET_COUNT; i++) {
        sum += counts[i];
        buf_printf(out,
                   "turnup_request_duration_seconds_bucket{%s,le=\"%s\"} "
                   "%lu\n",
                   labels, stats_buckets[i].text, sum);
    }
    buf_printf(out,
               "turnup_request_duration_seconds_sum{%s} %lu.%06lu\n"
               "turnup_request_duration_seconds_count{%s} %lu\n",
               labels, us / US_PER_SECOND, us % US_PER_SECOND, labels, sum);
}

typedef void (*stats_print_pt)(const ngx_http_tmf_stats_t *stats,
                               ngx_uint_t label, ngx_uint_t method,
                               buf_t *out);

static void
print_each(const ngx_http_tmf_stats_t *stats, stats_print_pt print, buf_t *out)
{
    for (ngx_uint_t label = 0; label < NGX_HTTP_TMF_LABELS; label++) {
        for (ngx_uint_t method = 0; method < NGX_HTTP_TMF_METHODS; method++) {
            print(stats, label, method, out);
        }
    }
}

void
ngx_http_tmf_stats_print(const ngx_http_tmf_stats_t *stats, buf_t *out)
{
    ngx_atomic_uint_t pending = 0;

    ngx_http_tmf_stats_head(out, "turnup_requests_total", "counter",
                            "API requests answered.");
    print_each(stats, print_requests, out);

    ngx_http_tmf_stats_head(out, "turnup_request_duration_seconds",
                            "histogram",
                            "From the request's headers to its answer.");
    print_each(stats, print_durations, out);

    ngx_http_tmf_stats_head(out, "turnup_refusals_total", "counter",
                            "Requests answered without a worker, by reason.");
    for (ngx_uint_t i = 1; i < NGX_HTTP_TMF_REFUSAL_COUNT; i++) {
        buf_printf(out, "turnup_refusals_total{reason=\"%s\"} %lu\n",
                   stats_reasons[i], (ngx_atomic_uint_t) stats->refusals[i]);
    }

    ngx_http_tmf_stats_head(out, "turnup_redis_links_lost_total", "counter",
                            "How often an nginx worker lost Redis.");
    buf_printf(out, "turnup_redis_links_lost_total %lu\n",
               (ngx_atomic_uint_t) stats->links_lost);

    for (ngx_uint_t i = 0; i < NGX_HTTP_TMF_WORKERS_MAX; i++) {
        const ngx_http_tmf_process_t *process = &stats->processes[i];
        if (process->pid != 0 && process_alive(process->pid)) {
            pending += process->pending;
        }
    }
    ngx_http_tmf_stats_head(out, "turnup_pending", "gauge",
                            "Requests that wait for a worker's answer.");
    buf_printf(out, "turnup_pending %lu\n", pending);
}
