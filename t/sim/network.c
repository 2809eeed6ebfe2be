/*
 * The simulated network's memory: two maps with age order.
 */
#include <stdio.h>
#include <stdlib.h>

#include "t/common/memory.h"
#include "t/sim/network.h"

const char *const op_names[OP_COUNT] = {"GET", "PUT", "POST", "PATCH",
                                        "DELETE"};

op_t
op_of(str_t method)
{
    int op = 0;

    while (op < OP_COUNT && !str_is(method, op_names[op])) {
        op++;
    }
    return (op_t) op;
}

void
network_init(network_t *n, size_t paths_max, size_t keys_max)
{
    *n = (network_t){.paths_max = paths_max, .keys_max = keys_max};
    map_init(&n->resources);
    map_init(&n->records);
    n->newest_resource = &n->oldest_resource;
    n->newest_record = &n->oldest_record;
}

static void
drop_oldest_resource(network_t *n)
{
    resource_t *r = n->oldest_resource;

    (void) map_remove(&n->resources, r->path);
    n->oldest_resource = r->next;
    if (!r->next) {
        n->newest_resource = &n->oldest_resource;
    }
    free(r->document);
    free(r);
}

static void
drop_oldest_record(network_t *n)
{
    record_t *r = n->oldest_record;

    (void) map_remove(&n->records, r->key);
    n->oldest_record = r->next;
    if (!r->next) {
        n->newest_record = &n->oldest_record;
    }
    free(r->path);
    free(r->headers);
    free(r->body);
    free(r);
}

void
network_free(network_t *n)
{
    while (n->oldest_resource) {
        drop_oldest_resource(n);
    }
    while (n->oldest_record) {
        drop_oldest_record(n);
    }
    map_free(&n->resources);
    map_free(&n->records);
}

void
network_reset(network_t *n)
{
    network_free(n);
    network_init(n, n->paths_max, n->keys_max);
}

void
network_trim(network_t *n)
{
    while (n->resources.count > n->paths_max) {
        drop_oldest_resource(n);
        n->evicted++;
    }
    while (n->records.count > n->keys_max) {
        drop_oldest_record(n);
        n->evicted++;
    }
}

target_t *
network_target(network_t *n, str_t name)
{
    for (int i = 0; i < n->target_count; i++) {
        if (str_is(name, n->targets[i].name)) {
            return &n->targets[i];
        }
    }
    if (n->target_count == NETWORK_TARGETS ||
        name.len >= sizeof n->targets[0].name) {
        return NULL;
    }

    target_t *t = &n->targets[n->target_count++];

    snprintf(t->name, sizeof t->name, "%.*s", STR_FMT(name));
    return t;
}

resource_t *
network_find(const network_t *n, str_t path)
{
    return map_get(&n->resources, path);
}

resource_t *
network_resource(network_t *n, str_t path)
{
    resource_t *r = network_find(n, path);

    if (r) {
        return r;
    }
    r = memory_new(sizeof *r + path.len);
    memcpy(r + 1, path.data, path.len);
    r->path = (str_t){(char *) (r + 1), path.len};
    *n->newest_resource = r;
    n->newest_resource = &r->next;
    map_add(&n->resources, r);
    return r;
}

/* target and key into one, behind room bytes; the caller frees. */
static char *
record_key(str_t target, str_t key, size_t room, str_t *ret)
{
    char *p = memory_new(room + target.len + 1 + key.len);
    char *text = p + room;

    memcpy(text, target.data, target.len);
    text[target.len] = ' ';
    memcpy(text + target.len + 1, key.data, key.len);
    *ret = (str_t){text, target.len + 1 + key.len};
    return p;
}

record_t *
network_find_record(const network_t *n, str_t target, str_t key)
{
    str_t full;
    char *memory = record_key(target, key, 0, &full);
    record_t *r = map_get(&n->records, full);

    free(memory);
    return r;
}

record_t *
network_record(network_t *n, str_t target, str_t key)
{
    str_t full;
    record_t *new =
        (record_t *) (void *) record_key(target, key, sizeof *new, &full);
    record_t *r = map_get(&n->records, full);

    if (r) {
        free(new);
        return r;
    }
    new->key = full;
    *n->newest_record = new;
    n->newest_record = &new->next;
    map_add(&n->records, new);
    return new;
}

void
resource_store(resource_t *r, str_t document)
{
    free(r->document);
    r->document = document.data ? memory_copy(document) : NULL;
    r->document_len = document.len;
    r->existed = r->existed || document.data;
}

void
record_answer(record_t *r, int status, str_t headers, str_t body)
{
    r->status = status;
    r->headers = memory_copy(headers);
    r->body = memory_copy(body);
    r->body_len = body.len;
}
