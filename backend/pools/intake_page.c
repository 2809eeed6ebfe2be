/*
 * Pages of a list, as TMF630 has them: the status, the counts, and where the
 * other pages are.
 */
#include "backend/pools/intake.h"

/* Of all links together: what proxies take as one header. One that does not
 * fit is left out, the next page last. */
#define LINKS_MAX 4096
/* A query is at most tripled by being encoded. */
#define LINK_MAX 32768

static bool
is_paged(const query_t *q, const page_t *p)
{
    return q->limit >= 0 || q->offset > 0 || p->more;
}

int
page_status(const page_t *p)
{
    return p->more && p->shown > 0 ? 206 : 200;
}

/* <https://.../serviceOrder?state.eq=held&offset=10&limit=10>; rel="next" */
static void
put_link(buf_t *links, const request_t *r, const page_t *p, const char *rel,
         long offset)
{
    tmf_view_t v = request_view(r);
    buf_t link;

    buf_init(&link, LINK_MAX);
    buf_puts(&link, links->len > 0 ? ", <" : "<");
    tmf_collection(&link, &v, r->api, r->frame.resource);
    buf_char(&link, '?');
    query_print(&link, r->query, offset, p->size);
    buf_printf(&link, ">; rel=\"%s\"", rel);
    if (!buf_failed(&link) && links->len + link.len <= LINKS_MAX) {
        buf_str(links, buf_view(&link));
    }
    buf_free(&link);
}

/* Pages are counted from the first row. */
static long
last_offset(const page_t *p)
{
    return p->total > 0 ? (p->total - 1) / p->size * p->size : 0;
}

static void
put_links(buf_t *out, const request_t *r, const page_t *p)
{
    long offset = r->query->offset;
    long before = offset > p->size ? offset - p->size : 0;
    buf_t links;

    if (p->size == 0) {
        return;
    }
    if (p->total >= 0 && before > last_offset(p)) {
        before = last_offset(p);
    }
    buf_init(&links, LINKS_MAX);
    if (p->more) {
        put_link(&links, r, p, "next", offset + p->size);
    }
    if (offset > 0) {
        put_link(&links, r, p, "prev", before);
    }
    put_link(&links, r, p, "first", 0);
    if (p->total >= 0) {
        put_link(&links, r, p, "last", last_offset(p));
    }
    if (links.len > 0) {
        buf_puts(out, "Link: ");
        buf_str(out, buf_view(&links));
        buf_char(out, '\n');
    }
    buf_free(&links);
}

/* Items are counted from 1, as in TMF630's example. */
static void
put_range(buf_t *out, const query_t *q, const page_t *p)
{
    if (p->shown == 0) {
        return;
    }
    buf_printf(out, "Content-Range: items %ld-%ld/", q->offset + 1,
               q->offset + p->shown);
    if (p->total >= 0) {
        buf_printf(out, "%ld\n", p->total);
    } else {
        buf_puts(out, "*\n");
    }
}

str_t
page_headers(arena_t *a, const request_t *r, const page_t *p)
{
    buf_t out;

    buf_init(&out, 2 * LINKS_MAX);
    if (p->total >= 0) {
        buf_printf(&out, "X-Total-Count: %ld\n", p->total);
    }
    buf_printf(&out, "X-Result-Count: %ld\n", p->shown);
    if (is_paged(r->query, p)) {
        put_range(&out, r->query, p);
        put_links(&out, r, p);
    }
    return arena_take(a, &out);
}
