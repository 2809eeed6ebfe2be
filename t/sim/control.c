/*
 * Requests to the simulator itself: what was counted, what is stored, and
 * the fault rules.
 */
#include <stdio.h>
#include <stdlib.h>

#include "t/common/json_text.h"
#include "t/sim/sim.h"

#define WHY_MAX 256

typedef struct {
    sim_t *sim;
    http_conn_t *conn;
    const http_message_t *req;
    str_t rest; /* of the path behind the route's name: "" or "/..." */
} control_t;

static void
answer(control_t *c, int status)
{
    buf_t *body = &c->sim->body;

    if (buf_failed(body)) {
        http_answer(c->conn, 413, STR_NONE,
                    sim_reason(c->sim, "tooLarge", "narrow the prefix"));
        return;
    }
    http_answer(c->conn, status, STR_NONE, buf_view(body));
}

static int
hex_digit(char x)
{
    if (x >= '0' && x <= '9') {
        return x - '0';
    }
    x |= 0x20;
    return x >= 'a' && x <= 'f' ? x - 'a' + 10 : -1;
}

static void
put_decoded(buf_t *out, str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        int high = i + 2 < s.len ? hex_digit(s.data[i + 1]) : -1;
        int low = i + 2 < s.len ? hex_digit(s.data[i + 2]) : -1;

        if (s.data[i] == '%' && high >= 0 && low >= 0) {
            buf_char(out, (char) (high * 16 + low));
            i += 2;
        } else {
            buf_char(out, s.data[i]);
        }
    }
}

/* A query parameter, percent-decoded into out; false: it is not there. */
static bool
parameter(const control_t *c, const char *name, buf_t *out)
{
    str_t query = c->req->query;
    const char *at = query.data;
    const char *end = query.data + query.len;
    size_t len = strlen(name);

    buf_init(out, HTTP_HEAD_MAX);
    while (at < end) {
        const char *stop = memchr(at, '&', (size_t) (end - at));

        stop = stop ? stop : end;
        if ((size_t) (stop - at) > len && at[len] == '=' &&
            memcmp(at, name, len) == 0) {
            at += len + 1;
            put_decoded(out, (str_t){at, (size_t) (stop - at)});
            return true;
        }
        at = stop + 1;
    }
    return false;
}

static bool
has_prefix(str_t s, str_t prefix)
{
    return s.len >= prefix.len &&
           (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}

static void
put_tally(buf_t *out, tally_t t)
{
    buf_printf(out, "\"calls\":%lu,\"applied\":%lu", t.calls, t.applied);
}

static void
put_path_counts(buf_t *out, str_t path, const resource_t *r)
{
    tally_t sum = {0};
    bool first = true;

    for (int i = 0; r && i < OP_COUNT; i++) {
        sum.calls += r->tally[i].calls;
        sum.applied += r->tally[i].applied;
    }
    buf_puts(out, "{\"path\":");
    buf_json(out, path);
    buf_char(out, ',');
    put_tally(out, sum);
    buf_puts(out, ",\"methods\":{");
    for (int i = 0; r && i < OP_COUNT; i++) {
        if (r->tally[i].calls) {
            buf_printf(out, "%s\"%s\":{", first ? "" : ",", op_names[i]);
            put_tally(out, r->tally[i]);
            buf_char(out, '}');
            first = false;
        }
    }
    buf_puts(out, "}}");
}

static void
put_key_counts(buf_t *out, const network_t *n, str_t key, str_t target)
{
    tally_t sum = {0};

    for (int i = 0; i < n->target_count; i++) {
        str_t name = str_of(n->targets[i].name);
        const record_t *r = network_find_record(n, name, key);

        if (r && (target.len == 0 || str_eq(name, target))) {
            sum.calls += r->tally.calls;
            sum.applied += r->tally.applied;
        }
    }
    buf_puts(out, "{\"key\":");
    buf_json(out, key);
    buf_char(out, ',');
    put_tally(out, sum);
    buf_char(out, '}');
}

/* One row a method and path: [{"method":..,"path":..,"calls":..}, ...] */
static void
put_list(buf_t *out, const network_t *n, op_t op, str_t prefix)
{
    bool first = true;

    buf_char(out, '[');
    for (const resource_t *r = n->oldest_resource; r; r = r->next) {
        for (int i = 0; i < OP_COUNT && has_prefix(r->path, prefix); i++) {
            if (!r->tally[i].calls || (op != OP_COUNT && op != (op_t) i)) {
                continue;
            }
            buf_printf(out, "%s{\"method\":\"%s\",\"path\":", first ? "" : ",",
                       op_names[i]);
            buf_json(out, r->path);
            buf_char(out, ',');
            put_tally(out, r->tally[i]);
            buf_char(out, '}');
            first = false;
        }
    }
    buf_char(out, ']');
}

/* A POST's path is a collection: it may well be applied many times. */
static unsigned long
max_applied(const network_t *n)
{
    unsigned long most = 0;

    for (const resource_t *r = n->oldest_resource; r; r = r->next) {
        for (int i = 0; i < OP_COUNT; i++) {
            if (i != OP_POST && r->tally[i].applied > most) {
                most = r->tally[i].applied;
            }
        }
    }
    return most;
}

static void
put_totals(buf_t *out, const sim_t *sim)
{
    const network_t *n = &sim->network;
    callback_counts_t b = callbacks_counts(sim->callbacks);

    buf_printf(out,
               "{\"calls\":%lu,\"reads\":%lu,\"applied\":%lu,"
               "\"duplicates\":%lu,\"keyConflicts\":%lu,\"injected\":%lu,"
               "\"refused\":%lu,\"maxAppliedPerPath\":%lu,\"paths\":%zu,"
               "\"keys\":%zu,\"evicted\":%lu,",
               n->calls, n->reads, n->applied, n->duplicates, n->conflicts,
               n->injected, n->refused, max_applied(n), n->resources.count,
               n->records.count, n->evicted);
    buf_printf(out,
               "\"callbacks\":{\"accepted\":%lu,\"attempts\":%lu,"
               "\"delivered\":%lu,\"lost\":%lu,\"pending\":%lu}}",
               b.accepted, b.attempts, b.delivered, b.lost, b.pending);
}

static void
get_counts(control_t *c)
{
    const network_t *n = &c->sim->network;
    buf_t *out = &c->sim->body;
    buf_t path, key, target, method, prefix;
    bool by_path = parameter(c, "path", &path);
    bool by_key = parameter(c, "key", &key);
    bool by_method = parameter(c, "method", &method);
    bool by_prefix = parameter(c, "prefix", &prefix);
    op_t op = by_method ? op_of(buf_view(&method)) : OP_COUNT;

    (void) parameter(c, "target", &target);
    if (by_method && op == OP_COUNT) {
        (void) sim_reason(c->sim, "method", "no method of ours");
        answer(c, 400);
    } else {
        if (by_path) {
            put_path_counts(out, buf_view(&path),
                            network_find(n, buf_view(&path)));
        } else if (by_key) {
            put_key_counts(out, n, buf_view(&key), buf_view(&target));
        } else if (by_method || by_prefix) {
            put_list(out, n, op, buf_view(&prefix));
        } else {
            put_totals(out, c->sim);
        }
        answer(c, 200);
    }
    buf_free(&path);
    buf_free(&key);
    buf_free(&target);
    buf_free(&method);
    buf_free(&prefix);
}

static void
get_state(control_t *c)
{
    buf_t *out = &c->sim->body;
    buf_t prefix;
    bool first = true;

    (void) parameter(c, "prefix", &prefix);
    buf_char(out, '{');
    for (const resource_t *r = c->sim->network.oldest_resource; r;
         r = r->next) {
        if (r->document && has_prefix(r->path, buf_view(&prefix))) {
            buf_puts(out, first ? "" : ",");
            buf_json(out, r->path);
            buf_char(out, ':');
            buf_str(out, resource_document(r));
            first = false;
        }
    }
    buf_char(out, '}');
    buf_free(&prefix);
    answer(c, 200);
}

static void
delete_state(control_t *c)
{
    network_reset(&c->sim->network);
    callbacks_reset(c->sim->callbacks);
    rules_clear(&c->sim->rules);
    answer(c, 204);
}

static void
get_rules(control_t *c)
{
    rules_print(&c->sim->rules, &c->sim->body);
    answer(c, 200);
}

static void
post_rule(control_t *c)
{
    char why[WHY_MAX];
    long id = rules_add(&c->sim->rules, c->req->body, why, sizeof why);

    if (id < 0) {
        (void) sim_reason(c->sim, "rule", why);
        answer(c, 400);
        return;
    }
    buf_printf(&c->sim->body, "{\"id\":%ld}", id);
    answer(c, 201);
}

static void
delete_rules(control_t *c)
{
    long id;

    if (c->rest.len == 0) {
        rules_clear(&c->sim->rules);
        answer(c, 204);
        return;
    }
    if (!json_text_long((str_t){c->rest.data + 1, c->rest.len - 1}, &id) ||
        !rules_remove(&c->sim->rules, id)) {
        (void) sim_reason(c->sim, "notFound", "no such rule");
        answer(c, 404);
        return;
    }
    answer(c, 204);
}

void
control_handle(sim_t *sim, http_conn_t *conn, const http_message_t *req)
{
    static const struct {
        const char *method;
        const char *path;
        bool item; /* may have "/<id>" behind it */
        void (*handle)(control_t *c);
    } routes[] = {
        {"GET", "/_counts", false, get_counts},
        {"GET", "/_state", false, get_state},
        {"DELETE", "/_state", false, delete_state},
        {"GET", "/_rules", false, get_rules},
        {"POST", "/_rules", false, post_rule},
        {"DELETE", "/_rules", true, delete_rules},
    };
    control_t c = {.sim = sim, .conn = conn, .req = req};

    buf_reset(&sim->body);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        size_t len = strlen(routes[i].path);

        if (!str_is(req->method, routes[i].method) ||
            !has_prefix(req->path, str_of(routes[i].path))) {
            continue;
        }
        c.rest = (str_t){req->path.data + len, req->path.len - len};
        if (c.rest.len == 0 || (routes[i].item && c.rest.data[0] == '/')) {
            routes[i].handle(&c);
            return;
        }
    }
    (void) sim_reason(sim, "notFound",
                      "GET /_counts, GET|DELETE /_state, "
                      "GET|POST|DELETE /_rules");
    answer(&c, 404);
}
