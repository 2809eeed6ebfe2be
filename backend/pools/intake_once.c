/*
 * A request is carried out once (law 8), however often it is delivered or
 * sent: what was made by it stands in the table request, under the client's
 * Idempotency-Key or the request's own id. Orders have that in their own row.
 */
#include "backend/pools/intake.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/store/requests.h"

#define DIGEST_TEXT (2 * EVP_MAX_MD_SIZE + 1)

typedef struct {
    once_fn then;
    str_t key, digest;
    str_t known; /* what it made; empty: nothing yet */
    bool same;
} once_t;

str_t
request_key(arena_t *a, const request_t *r)
{
    if (!r->frame.idempotency_key.len) {
        return arena_printf(a, "r:%.*s", STR_FMT(r->frame.id));
    }
    return arena_printf(a, "k:%zu:%.*s:%.*s", r->frame.subject.len,
                        STR_FMT(r->frame.subject),
                        STR_FMT(r->frame.idempotency_key));
}

/* Of all that tells it from another request under the same key. */
static str_t
request_digest(arena_t *a, const request_t *r)
{
    const request_frame_t *f = &r->frame;
    str_t line =
        arena_printf(a, "%.*s %.*s/%.*s/%.*s\n", STR_FMT(f->method),
                     STR_FMT(f->api), STR_FMT(f->resource), STR_FMT(f->key));
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[DIGEST_TEXT];
    unsigned int n = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL) ||
        !EVP_DigestUpdate(md, line.data, line.len) ||
        !EVP_DigestUpdate(md, f->body.data, f->body.len) ||
        !EVP_DigestFinal_ex(md, hash, &n)) {
        abort(); /* out of memory */
    }
    EVP_MD_CTX_free(md);
    for (unsigned int i = 0; i < n; i++) {
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    }
    return arena_str(a, (str_t){hex, 2 * (size_t) n});
}

static void
on_found(void *ctx, const PGresult *res)
{
    group_t *g = ctx;
    once_t *o = g->once;

    if (PQntuples(res)) {
        o->known = arena_str(group_arena(g), pg_text(res, 0, 0));
        o->same = str_eq(o->digest, pg_text(res, 0, 1));
    }
}

static void
on_asked(void *ctx, pg_outcome_t outcome, const char *sqlstate,
         const char *message)
{
    group_t *g = ctx;
    once_t *o = g->once;

    if (!group_committed(g, outcome, sqlstate, message)) {
        return;
    }
    if (o->known.len && !o->same) {
        request_fail(g, g->requests[0], 409, TMF_CODE_CONFLICT,
                     "Idempotency-Key reused",
                     "The Idempotency-Key was used for another request");
        group_end(g);
        return;
    }
    o->then(g, o->known);
}

void
once_start(group_t *g, once_fn then)
{
    arena_t *a = group_arena(g);
    request_t *r = g->requests[0];
    once_t *o = g->once = arena_new(a, once_t);

    o->then = then;
    o->key = request_key(a, r);
    o->digest = request_digest(a, r);
    if (!g->careful && !r->redelivered && !r->frame.idempotency_key.len) {
        then(g, STR_NONE); /* nobody else can have carried it out */
        return;
    }
    request_find(g->pg, a, o->key, on_found, g);
    pg_commit(g->pg, on_asked, g);
}

void
once_insert(group_t *g, str_t resource_id)
{
    const once_t *o = g->once;

    request_insert(g->pg, group_arena(g), o->key, resource_id, o->digest);
}
