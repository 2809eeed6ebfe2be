/*
 * Requests that wait for a reply: an array of slots with a free list.
 *
 * A slot belongs to its request from _add until the reply, the timer, the
 * loss of Redis or the client's going (the request's cleanup) takes it away.
 * The reply timer is not cancelable: a graceful exit waits for the answer.
 */
#include "ngx_http_tmf_edge.h"

static void pending_on_timer(ngx_event_t *ev);

ngx_int_t
ngx_http_tmf_pending_init(ngx_http_tmf_edge_t *edge, ngx_pool_t *pool,
                          ngx_uint_t count)
{
    edge->slots = ngx_pcalloc(pool, count * sizeof(*edge->slots));
    if (edge->slots == NULL) {
        return NGX_ERROR;
    }
    for (ngx_uint_t i = 0; i < count; i++) {
        ngx_http_tmf_slot_t *slot = &edge->slots[i];
        slot->edge = edge;
        slot->next = i + 1;
        slot->timer.data = slot;
        slot->timer.handler = pending_on_timer;
        slot->timer.log = edge->log;
    }
    edge->slot_count = count;
    edge->free_slot = 0;
    return NGX_OK;
}

/* The request ends, whoever ended it. */
static void
pending_cleanup(void *data)
{
    ngx_http_tmf_ctx_t *ctx = data;

    if (ctx->slot != NULL) {
        ngx_http_tmf_pending_remove(ctx->slot);
    }
}

ngx_int_t
ngx_http_tmf_pending_add(ngx_http_request_t *r, ngx_msec_t timeout)
{
    ngx_http_tmf_ctx_t *ctx = ngx_http_get_module_ctx(r, ngx_http_tmf_module);
    ngx_http_tmf_edge_t *edge = ctx->edge;

    if (edge->free_slot == edge->slot_count) {
        return NGX_DECLINED;
    }
    ngx_http_cleanup_t *cleanup = ngx_http_cleanup_add(r, 0);
    if (cleanup == NULL) {
        return NGX_ERROR;
    }
    cleanup->handler = pending_cleanup;
    cleanup->data = ctx;

    ngx_http_tmf_slot_t *slot = &edge->slots[edge->free_slot];
    edge->free_slot = slot->next;
    slot->request = r;
    slot->ticket = ++edge->ticket;
    ctx->slot = slot;
    ngx_add_timer(&slot->timer, timeout);
    if (edge->process != NULL) {
        edge->process->pending++;
    }
    return NGX_OK;
}

void
ngx_http_tmf_pending_remove(ngx_http_tmf_slot_t *slot)
{
    ngx_http_tmf_edge_t *edge = slot->edge;
    ngx_http_tmf_ctx_t *ctx =
        ngx_http_get_module_ctx(slot->request, ngx_http_tmf_module);

    if (slot->timer.timer_set) {
        ngx_del_timer(&slot->timer);
    }
    ctx->slot = NULL;
    slot->request = NULL;
    slot->next = edge->free_slot;
    edge->free_slot = (ngx_uint_t) (slot - edge->slots);
    if (edge->process != NULL) {
        edge->process->pending--;
    }
}

str_t
ngx_http_tmf_pending_id(const ngx_http_tmf_slot_t *slot, char *buf,
                        size_t size)
{
    const ngx_http_tmf_edge_t *edge = slot->edge;
    u_char *end = ngx_snprintf(
        (u_char *) buf, size, "%*s-%ui-%uL", edge->instance.len,
        edge->instance.data, (ngx_uint_t) (slot - edge->slots), slot->ticket);

    return (str_t){buf, (size_t) (end - (u_char *) buf)};
}

/* Digits up to stop or the end; returns what follows, NULL when malformed. */
static const char *
parse_number(const char *p, const char *end, char stop, uint64_t *ret)
{
    uint64_t number = 0;
    const char *start = p;

    for (; p < end && *p != stop; p++) {
        if (*p < '0' || *p > '9' || p - start >= 19) {
            return NULL;
        }
        number = number * 10 + (uint64_t) (*p - '0');
    }
    if (p == start) {
        return NULL;
    }
    *ret = number;
    return p;
}

ngx_http_tmf_slot_t *
ngx_http_tmf_pending_find(ngx_http_tmf_edge_t *edge, str_t id)
{
    str_t instance = edge->instance;
    uint64_t index, ticket;

    if (id.len <= instance.len ||
        memcmp(id.data, instance.data, instance.len) != 0 ||
        id.data[instance.len] != '-') {
        return NULL;
    }
    const char *end = id.data + id.len;
    const char *p = parse_number(id.data + instance.len + 1, end, '-', &index);
    if (p == NULL || p == end) {
        return NULL;
    }
    p = parse_number(p + 1, end, '\0', &ticket);
    if (p != end) {
        return NULL;
    }
    return ngx_http_tmf_pending_at(edge, index, ticket);
}

ngx_http_tmf_slot_t *
ngx_http_tmf_pending_at(ngx_http_tmf_edge_t *edge, ngx_uint_t index,
                        uint64_t ticket)
{
    if (index >= edge->slot_count) {
        return NULL;
    }
    ngx_http_tmf_slot_t *slot = &edge->slots[index];
    if (slot->request == NULL || slot->ticket != ticket) {
        return NULL;
    }
    return slot;
}

void
ngx_http_tmf_pending_refuse(ngx_http_tmf_slot_t *slot,
                            ngx_http_tmf_refusal_t reason)
{
    ngx_http_request_t *r = slot->request;

    ngx_http_set_log_request(r->connection->log, r);
    ngx_http_tmf_pending_remove(slot);
    ngx_http_tmf_finish(r, ngx_http_tmf_send_refusal(r, reason));
}

void
ngx_http_tmf_pending_refuse_all(ngx_http_tmf_edge_t *edge,
                                ngx_http_tmf_refusal_t reason)
{
    for (ngx_uint_t i = 0; i < edge->slot_count; i++) {
        if (edge->slots[i].request != NULL) {
            ngx_http_tmf_pending_refuse(&edge->slots[i], reason);
        }
    }
}

static void
pending_on_timer(ngx_event_t *ev)
{
    ngx_http_tmf_pending_refuse(ev->data, NGX_HTTP_TMF_REFUSE_TIMEOUT);
}
