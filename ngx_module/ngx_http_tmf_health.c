/*
 * tmf_health: can this installation take and finish orders? One JSON page for
 * load balancers and people.
 */
#include "ngx_http_tmf_watch.h"

#define HEALTH_MAX  ((size_t) 256 * 1024)
#define HEALTH_TYPE "application/health+json"

/* There must be a live worker in each of these. */
static const struct {
    const char *pool;
    ngx_uint_t prefix;
    const char *name;
} health_pools[] = {
    {"intake", 0, "intake"},
    {"notify", 0, "notify"},
    {"keeper", 0, "keeper"},
    {NGX_HTTP_TMF_FAMILY_POOL, 1, "family"},
};

static ngx_uint_t
links_up(const ngx_http_tmf_edge_t *edge)
{
    return edge->commands.state == NGX_HTTP_TMF_LINK_READY &&
           edge->replies.state == NGX_HTTP_TMF_LINK_READY;
}

static ngx_uint_t
pools_up(const ngx_http_tmf_watch_t *watch)
{
    size_t count = sizeof(health_pools) / sizeof(health_pools[0]);

    for (size_t i = 0; i < count; i++) {
        if (!ngx_http_tmf_watch_live(watch, health_pools[i].pool,
                                     health_pools[i].prefix)) {
            return 0;
        }
    }
    return 1;
}

/* As the workers see it; without workers nobody knows. */
static const char *
postgres_state(const ngx_http_tmf_look_t *look)
{
    if (look == NULL || look->worker_count == 0) {
        return "unknown";
    }
    for (ngx_uint_t i = 0; i < look->worker_count; i++) {
        if (!look->workers[i].postgres) {
            return "down";
        }
    }
    return "up";
}

static void
print_workers(buf_t *out, const ngx_http_tmf_look_t *look)
{
    buf_puts(out, ",\"workers\":[");
    for (ngx_uint_t i = 0; look != NULL && i < look->worker_count; i++) {
        const ngx_http_tmf_worker_t *worker = &look->workers[i];
        buf_puts(out, i > 0 ? ",{\"pool\":" : "{\"pool\":");
        buf_json(out, worker->pool);
        buf_puts(out, ",\"host\":");
        buf_json(out, worker->host);
        buf_puts(out, ",\"pid\":");
        buf_json(out, worker->pid);
        buf_puts(out, ",\"version\":");
        buf_json(out, worker->version);
        buf_printf(out, ",\"postgres\":%s}",
                   worker->postgres ? "true" : "false");
    }
    buf_char(out, ']');
}

static ngx_uint_t
print_health(buf_t *out, const ngx_http_tmf_edge_t *edge)
{
    const ngx_http_tmf_watch_t *watch = edge->watch;
    size_t count = sizeof(health_pools) / sizeof(health_pools[0]);
    ngx_uint_t redis = links_up(edge);
    const char *postgres = postgres_state(watch->last);
    ngx_uint_t pass = redis && pools_up(watch) && strcmp(postgres, "up") == 0;

    buf_printf(out,
               "{\"status\":\"%s\",\"redis\":\"%s\",\"postgres\":\"%s\","
               "\"pools\":{",
               pass ? "pass" : "fail", redis ? "up" : "down", postgres);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s\"%s\":%lu", i > 0 ? "," : "", health_pools[i].name,
                   ngx_http_tmf_watch_live(watch, health_pools[i].pool,
                                           health_pools[i].prefix));
    }
    buf_char(out, '}');
    print_workers(out, watch->last);
    buf_puts(out, "}\n");
    return pass;
}

ngx_int_t
ngx_http_tmf_health_handler(ngx_http_request_t *r)
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
    buf_init(&out, HEALTH_MAX);
    ngx_uint_t pass = print_health(&out, conf->edge);
    if (buf_failed(&out) ||
        ngx_http_tmf_add_header(r, STR("Cache-Control"), STR("no-store")) !=
            NGX_OK) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    } else {
        rc = ngx_http_tmf_send(
            r, pass ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE, HEALTH_TYPE,
            buf_view(&out));
    }
    buf_free(&out);
    return rc;
}
