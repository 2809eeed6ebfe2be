/*
 * A worker's heartbeat: JSON that another program wrote. Known members are
 * taken, others skipped, names go nowhere unchecked.
 */
#include "ngx_http_tmf_watch.h"

#define HEARTBEAT_MAX 65536

#define POINTER_VERSION  "/version"
#define POINTER_POSTGRES "/postgres"
#define POINTER_COUNTERS "/counters/"
#define POINTER_FAMILIES "/families/"

typedef struct {
    ngx_http_tmf_look_t *look;
    ngx_http_tmf_worker_t *worker;
    json_reader_t *reader;
} heartbeat_t;

static str_t
copy(ngx_pool_t *pool, str_t s)
{
    u_char *p = ngx_pnalloc(pool, s.len + 1);

    if (p == NULL) {
        return STR_NONE;
    }
    ngx_memcpy(p, s.data, s.len);
    p[s.len] = '\0';
    return (str_t){(char *) p, s.len};
}

static ngx_uint_t
all_of(str_t s, const char *also, ngx_uint_t upper)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            (upper && c >= 'A' && c <= 'Z') || (c && strchr(also, c))) {
            continue;
        }
        return 0;
    }
    return s.len > 0;
}

/* What stands behind prefix; none when it is not one. */
static str_t
behind(str_t s, const char *prefix)
{
    size_t len = strlen(prefix);

    if (s.len <= len || memcmp(s.data, prefix, len) != 0) {
        return STR_NONE;
    }
    return (str_t){s.data + len, s.len - len};
}

void
ngx_http_tmf_look_family(ngx_http_tmf_look_t *look, str_t name)
{
    if (look->family_count == NGX_HTTP_TMF_WATCH_FAMILIES ||
        name.len + sizeof(KEY_FAMILY) > NGX_HTTP_TMF_NAME_MAX ||
        !all_of(name, "-_.", 1)) {
        return;
    }
    for (ngx_uint_t i = 0; i < look->family_count; i++) {
        if (str_eq(look->families[i], name)) {
            return;
        }
    }
    str_t kept = copy(look->pool, name);
    if (kept.data != NULL) {
        look->families[look->family_count++] = kept;
    }
}

static void
heartbeat_counter(heartbeat_t *beat, str_t name, str_t value)
{
    ngx_http_tmf_worker_t *worker = beat->worker;
    ngx_pool_t *pool = beat->look->pool;

    if (worker->counter_count == NGX_HTTP_TMF_WATCH_COUNTERS ||
        name.len > NGX_HTTP_TMF_NAME_MAX || !all_of(name, "_", 0)) {
        return;
    }
    if (worker->counters == NULL) {
        worker->counters = ngx_pcalloc(pool, NGX_HTTP_TMF_WATCH_COUNTERS *
                                                 sizeof(*worker->counters));
        if (worker->counters == NULL) {
            return;
        }
    }
    ngx_http_tmf_counter_t counter = {copy(pool, name), copy(pool, value)};
    if (counter.name.data != NULL && counter.value.data != NULL) {
        worker->counters[worker->counter_count++] = counter;
    }
}

static const char *
heartbeat_value(void *ctx, json_type_t type, str_t text, size_t end)
{
    heartbeat_t *beat = ctx;
    str_t at = json_reader_pointer(beat->reader);
    str_t counter = behind(at, POINTER_COUNTERS);
    str_t family = behind(at, POINTER_FAMILIES);

    if (type == JSON_STRING && str_is(at, POINTER_VERSION)) {
        beat->worker->version = copy(beat->look->pool, text);
    } else if (type == JSON_BOOL && str_is(at, POINTER_POSTGRES)) {
        beat->worker->postgres = str_is(text, "true");
    } else if (type == JSON_NUMBER && counter.len > 0) {
        heartbeat_counter(beat, counter, text);
    } else if (family.len > 0) {
        ngx_http_tmf_look_family(beat->look, family);
    }
    return NULL;
}

static const char *
heartbeat_nest(void *ctx, json_type_t type, size_t end)
{
    return NULL;
}

static const char *
heartbeat_name(void *ctx, str_t name, size_t end)
{
    return NULL;
}

ngx_int_t
ngx_http_tmf_heartbeat_read(ngx_http_tmf_look_t *look,
                            ngx_http_tmf_worker_t *worker, str_t text)
{
    static const json_handler_t handler = {
        .value = heartbeat_value,
        .open = heartbeat_nest,
        .close = heartbeat_nest,
        .member = heartbeat_name,
    };
    heartbeat_t beat = {look, worker, NULL};
    json_error_t err;

    if (text.len > HEARTBEAT_MAX) {
        return NGX_ERROR;
    }
    beat.reader = json_reader_create(&handler, &beat);
    if (beat.reader == NULL) {
        return NGX_ERROR;
    }
    int rc = json_reader_feed(beat.reader, text, &err);
    if (rc == 0) {
        rc = json_reader_finish(beat.reader, &err);
    }
    json_reader_free(beat.reader);
    return rc == 0 ? NGX_OK : NGX_ERROR;
}

ngx_int_t
ngx_http_tmf_heartbeat_member(ngx_http_tmf_worker_t *worker)
{
    str_t m = worker->member;
    size_t pid = m.len, host;

    while (pid > 0 && m.data[pid - 1] != ':') {
        pid--;
    }
    if (pid < 2 || pid == m.len) {
        return NGX_ERROR;
    }
    host = pid - 1;
    while (host > 0 && m.data[host - 1] != ':') {
        host--;
    }
    if (host < 2 || host == pid - 1) {
        return NGX_ERROR;
    }
    worker->pool = (str_t){m.data, host - 1};
    worker->host = (str_t){m.data + host, pid - 1 - host};
    worker->pid = (str_t){m.data + pid, m.len - pid};
    if (!all_of(worker->pool, ":-_.", 1) || !all_of(worker->host, "-_.", 1) ||
        !all_of(worker->pid, "", 0)) {
        return NGX_ERROR;
    }
    return NGX_OK;
}
