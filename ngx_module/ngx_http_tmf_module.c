/*
 * Directives and life of the module; see README.md beside this file.
 */
#include "ngx_http_tmf_edge.h"

#define REDIS_PORT 6379
#define PREFIX_MAX 64
#define DB_DIGITS  5

static void *tmf_create_main_conf(ngx_conf_t *cf);
static char *tmf_init_main_conf(ngx_conf_t *cf, void *conf);
static void *tmf_create_loc_conf(ngx_conf_t *cf);
static char *tmf_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static ngx_int_t tmf_postconfiguration(ngx_conf_t *cf);
static ngx_int_t tmf_init_process(ngx_cycle_t *cycle);
static void tmf_exit_process(ngx_cycle_t *cycle);
static char *tmf_set_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *tmf_set_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *tmf_set_page(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *tmf_check_base(ngx_conf_t *cf, void *post, void *data);

static ngx_conf_post_t tmf_base_post = {tmf_check_base};

static ngx_conf_num_bounds_t tmf_pending_bounds = {
    ngx_conf_check_num_bounds, 1, NGX_HTTP_TMF_MAX_PENDING_MOST};

static ngx_conf_enum_t tmf_profiles[] = {
    {ngx_string("extended"), NGX_HTTP_TMF_PROFILE_EXTENDED},
    {ngx_string("strict"), NGX_HTTP_TMF_PROFILE_STRICT},
    {ngx_null_string, 0}};

static const struct {
    const char *name;
    ngx_uint_t apis;
} tmf_apis[] = {
    {"ordering", NGX_HTTP_TMF_SERVE_ORDERING},
    {"inventory", NGX_HTTP_TMF_SERVE_INVENTORY},
    {"catalog", NGX_HTTP_TMF_SERVE_CATALOG},
    {"all", NGX_HTTP_TMF_SERVE_ALL},
};

#define ANY_LEVEL (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)

static ngx_command_t tmf_commands[] = {
    {ngx_string("tmf_redis"), NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE,
     tmf_set_redis, NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("tmf_max_pending"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
     ngx_conf_set_num_slot, NGX_HTTP_MAIN_CONF_OFFSET,
     offsetof(ngx_http_tmf_main_conf_t, max_pending), &tmf_pending_bounds},
    {ngx_string("tmf_api"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, tmf_set_api,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("tmf_timeout"), ANY_LEVEL | NGX_CONF_TAKE1,
     ngx_conf_set_msec_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(ngx_http_tmf_loc_conf_t, timeout), NULL},
    {ngx_string("tmf_queue_max"), ANY_LEVEL | NGX_CONF_TAKE1,
     ngx_conf_set_num_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(ngx_http_tmf_loc_conf_t, queue_max), NULL},
    {ngx_string("tmf_public_base"), ANY_LEVEL | NGX_CONF_TAKE1,
     ngx_conf_set_str_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(ngx_http_tmf_loc_conf_t, public_base), &tmf_base_post},
    {ngx_string("tmf_trust_forwarded"), ANY_LEVEL | NGX_CONF_FLAG,
     ngx_conf_set_flag_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(ngx_http_tmf_loc_conf_t, trust_forwarded), NULL},
    {ngx_string("tmf_subject"), ANY_LEVEL | NGX_CONF_TAKE1,
     ngx_http_set_complex_value_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(ngx_http_tmf_loc_conf_t, subject), NULL},
    {ngx_string("tmf_state_profile"), ANY_LEVEL | NGX_CONF_TAKE1,
     ngx_conf_set_enum_slot, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(ngx_http_tmf_loc_conf_t, profile), &tmf_profiles},
    {ngx_string("tmf_health"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS,
     tmf_set_page, NGX_HTTP_LOC_CONF_OFFSET, 0,
     (void *) ngx_http_tmf_health_handler},
    {ngx_string("tmf_metrics"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS,
     tmf_set_page, NGX_HTTP_LOC_CONF_OFFSET, 0,
     (void *) ngx_http_tmf_metrics_handler},
    ngx_null_command};

static ngx_http_module_t tmf_module_ctx = {
    NULL,                  /* preconfiguration */
    tmf_postconfiguration, /* postconfiguration */
    tmf_create_main_conf,  /* create main configuration */
    tmf_init_main_conf,    /* init main configuration */
    NULL,                  /* create server configuration */
    NULL,                  /* merge server configuration */
    tmf_create_loc_conf,   /* create location configuration */
    tmf_merge_loc_conf     /* merge location configuration */
};

ngx_module_t ngx_http_tmf_module = {NGX_MODULE_V1,
                                    &tmf_module_ctx,  /* module context */
                                    tmf_commands,     /* module directives */
                                    NGX_HTTP_MODULE,  /* module type */
                                    NULL,             /* init master */
                                    NULL,             /* init module */
                                    tmf_init_process, /* init process */
                                    NULL,             /* init thread */
                                    NULL,             /* exit thread */
                                    tmf_exit_process, /* exit process */
                                    NULL,             /* exit master */
                                    NGX_MODULE_V1_PADDING};

static void *
tmf_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_tmf_main_conf_t *conf = ngx_pcalloc(cf->pool, sizeof(*conf));

    if (conf != NULL) {
        conf->max_pending = NGX_CONF_UNSET;
        conf->redis.prefix = STR(KEY_PREFIX);
    }
    return conf;
}

static char *
tmf_init_main_conf(ngx_conf_t *cf, void *data)
{
    ngx_http_tmf_main_conf_t *conf = data;

    ngx_conf_init_value(conf->max_pending, NGX_HTTP_TMF_MAX_PENDING);
    return NGX_CONF_OK;
}

static void *
tmf_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_tmf_loc_conf_t *conf = ngx_pcalloc(cf->pool, sizeof(*conf));

    if (conf != NULL) {
        conf->timeout = NGX_CONF_UNSET_MSEC;
        conf->queue_max = NGX_CONF_UNSET;
        conf->trust_forwarded = NGX_CONF_UNSET;
        conf->subject = NGX_CONF_UNSET_PTR;
        conf->profile = NGX_CONF_UNSET_UINT;
    }
    return conf;
}

static char *
tmf_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_tmf_loc_conf_t *prev = parent, *conf = child;
    ngx_http_core_loc_conf_t *core =
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_conf_merge_msec_value(conf->timeout, prev->timeout,
                              NGX_HTTP_TMF_TIMEOUT);
    ngx_conf_merge_value(conf->queue_max, prev->queue_max, REQUEST_STREAM_MAX);
    ngx_conf_merge_str_value(conf->public_base, prev->public_base, "");
    ngx_conf_merge_value(conf->trust_forwarded, prev->trust_forwarded, 0);
    ngx_conf_merge_ptr_value(conf->subject, prev->subject, NULL);
    ngx_conf_merge_uint_value(conf->profile, prev->profile,
                              NGX_HTTP_TMF_PROFILE_EXTENDED);

    /* limit_except and if are nameless locations within this one. */
    if (core->noname && core->handler == NULL && prev->apis != 0) {
        conf->apis = prev->apis;
        core->handler = ngx_http_tmf_handler;
    }
    return NGX_CONF_OK;
}

static ngx_int_t
set_address(ngx_conf_t *cf, ngx_http_tmf_redis_conf_t *redis, ngx_str_t *text)
{
    ngx_url_t url;

    ngx_memzero(&url, sizeof(url));
    url.url = *text;
    url.default_port = REDIS_PORT;
    if (ngx_parse_url(cf->pool, &url) != NGX_OK || url.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in the address of Redis \"%V\"",
                           url.err ? url.err : "an error", text);
        return NGX_ERROR;
    }
    redis->addrs = url.addrs;
    redis->naddrs = url.naddrs;
    return NGX_OK;
}

static ngx_uint_t
is_db(str_t db)
{
    for (size_t i = 0; i < db.len; i++) {
        if (db.data[i] < '0' || db.data[i] > '9') {
            return 0;
        }
    }
    return db.len > 0 && db.len <= DB_DIGITS;
}

/* One "name=value" of tmf_redis; NULL: fine, or what is wrong. */
static const char *
set_redis_option(ngx_http_tmf_redis_conf_t *redis, ngx_str_t *text)
{
    const struct {
        const char *name;
        str_t *place;
    } options[] = {{"password=", &redis->password},
                   {"user=", &redis->user},
                   {"db=", &redis->db},
                   {"prefix=", &redis->prefix}};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        size_t len = strlen(options[i].name);
        if (text->len > len &&
            ngx_strncmp(text->data, options[i].name, len) == 0) {
            *options[i].place =
                (str_t){(char *) text->data + len, text->len - len};
            if (redis->db.len > 0 && !is_db(redis->db)) {
                return "not a database number";
            }
            return redis->prefix.len > PREFIX_MAX ? "too long a prefix" : NULL;
        }
    }
    return "not password=, user=, db= or prefix= with a value";
}

static char *
tmf_set_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_http_tmf_main_conf_t *conf = data;
    ngx_str_t *value = cf->args->elts;

    if (conf->redis.addrs != NULL) {
        return "is duplicate";
    }
    if (set_address(cf, &conf->redis, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
        const char *wrong = set_redis_option(&conf->redis, &value[i]);
        if (wrong != NULL) {
            /* The value is not shown: it may be a password. */
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "argument %ui of \"tmf_redis\" is %s", i,
                               wrong);
            return NGX_CONF_ERROR;
        }
    }
    if (conf->redis.user.len > 0 && conf->redis.password.len == 0) {
        return "has user= without password=";
    }
    return NGX_CONF_OK;
}

static char *
set_handler(ngx_conf_t *cf, ngx_http_handler_pt handler)
{
    ngx_http_tmf_main_conf_t *main_conf =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_tmf_module);
    ngx_http_core_loc_conf_t *core =
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (core->handler != NULL) {
        return "is not the only handler of this location";
    }
    core->handler = handler;
    main_conf->used = 1;
    return NGX_CONF_OK;
}

static char *
tmf_set_api(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_http_tmf_loc_conf_t *conf = data;
    ngx_str_t *value = cf->args->elts;

    if (conf->apis != 0) {
        return "is duplicate";
    }
    for (size_t i = 0; i < sizeof(tmf_apis) / sizeof(tmf_apis[0]); i++) {
        if (value[1].len == strlen(tmf_apis[i].name) &&
            ngx_strncmp(value[1].data, tmf_apis[i].name, value[1].len) == 0) {
            conf->apis = tmf_apis[i].apis;
            return set_handler(cf, ngx_http_tmf_handler);
        }
    }
    return "takes ordering, inventory, catalog or all";
}

static char *
tmf_set_page(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    return set_handler(cf, (ngx_http_handler_pt) cmd->post);
}

/* "https://host[:port][/path]", kept without a slash at the end. */
static char *
tmf_check_base(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t *base = data;
    size_t scheme = 0;

    if (ngx_strncmp(base->data, "http://", 7) == 0) {
        scheme = 7;
    } else if (ngx_strncmp(base->data, "https://", 8) == 0) {
        scheme = 8;
    }
    while (base->len > scheme && base->data[base->len - 1] == '/') {
        base->len--;
    }
    if (scheme == 0 || base->len == scheme ||
        base->len > NGX_HTTP_TMF_BASE_MAX) {
        return "is not an http or https URL";
    }
    return NGX_CONF_OK;
}

static ngx_http_tmf_method_t
log_method(const ngx_http_request_t *r)
{
    switch (r->method) {
    case NGX_HTTP_GET:
        return NGX_HTTP_TMF_METHOD_GET;
    case NGX_HTTP_HEAD:
        return NGX_HTTP_TMF_METHOD_HEAD;
    case NGX_HTTP_POST:
        return NGX_HTTP_TMF_METHOD_POST;
    case NGX_HTTP_PATCH:
        return NGX_HTTP_TMF_METHOD_PATCH;
    case NGX_HTTP_DELETE:
        return NGX_HTTP_TMF_METHOD_DELETE;
    default:
        return NGX_HTTP_TMF_METHOD_OTHER;
    }
}

/* Counts every request of a tmf_api location once, whoever answered it; a
 * client that went away shows as 499. */
static ngx_int_t
tmf_log_handler(ngx_http_request_t *r)
{
    ngx_http_tmf_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_tmf_module);
    ngx_http_tmf_main_conf_t *main_conf =
        ngx_http_get_module_main_conf(r, ngx_http_tmf_module);
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);
    uint64_t duration = 0;

    if (conf->apis == 0 || main_conf->edge == NULL) {
        return NGX_OK;
    }
    if (ctx != NULL && ctx->started_us != 0) {
        duration = ngx_http_tmf_monotonic_us() - ctx->started_us + 1;
    }
    ngx_http_tmf_stats_count(
        main_conf->edge->stats,
        ctx != NULL ? ctx->label : (ngx_uint_t) NGX_HTTP_TMF_LABEL_NONE,
        log_method(r), r->err_status ? r->err_status : r->headers_out.status,
        duration);
    return NGX_OK;
}

static ngx_int_t
tmf_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_tmf_main_conf_t *conf =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_tmf_module);
    ngx_http_core_main_conf_t *core =
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (!conf->used) {
        return NGX_OK;
    }
    if (conf->redis.addrs == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"tmf_api\", \"tmf_health\" and \"tmf_metrics\" need "
                      "\"tmf_redis\" in the http block");
        return NGX_ERROR;
    }
    conf->zone = ngx_http_tmf_stats_zone(cf, &ngx_http_tmf_module);
    conf->documents = ngx_http_tmf_documents_create(cf);
    ngx_http_handler_pt *handler =
        ngx_array_push(&core->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (conf->zone == NULL || conf->documents == NULL || handler == NULL) {
        return NGX_ERROR;
    }
    *handler = tmf_log_handler;
    ngx_http_tmf_filter_init();
    return NGX_OK;
}

/* The hook runs in nginx's cache helpers too, which serve nobody. */
static ngx_int_t
tmf_init_process(ngx_cycle_t *cycle)
{
    ngx_http_tmf_main_conf_t *conf =
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_tmf_module);

    if (conf == NULL || !conf->used ||
        (ngx_process != NGX_PROCESS_WORKER &&
         ngx_process != NGX_PROCESS_SINGLE)) {
        return NGX_OK;
    }
    conf->edge = ngx_http_tmf_edge_create(cycle, conf);
    return conf->edge != NULL ? NGX_OK : NGX_ERROR;
}

static void
tmf_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_tmf_main_conf_t *conf =
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_tmf_module);

    if (conf != NULL && conf->edge != NULL) {
        ngx_http_tmf_edge_close(conf->edge);
        conf->edge = NULL;
    }
}
