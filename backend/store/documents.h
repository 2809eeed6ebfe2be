/*
 * The whole resources that events speak of: a Create shows all of it, and so
 * does the AttributeValueChange of a patched order (TMF641, TMF638, TMF633 v4,
 * event payloads).
 */
#ifndef TURNUP_STORE_DOCUMENTS_H
#define TURNUP_STORE_DOCUMENTS_H

#include "backend/store/events.h"

#define EVENT_DOCUMENT_BYTES 8388608 /* of one kind; one is always given */

extern const char sql_event_orders[];
extern const char sql_event_orders_now[]; /* orders.c */
extern const char sql_event_order_items[];
extern const char sql_event_services[];

typedef enum {
    DOCUMENT_NONE,
    DOCUMENT_ORDER,     /* as it was created */
    DOCUMENT_ORDER_NOW, /* as it is */
    DOCUMENT_SERVICE,
    DOCUMENT_KINDS
} document_kind_t;

/* Which document that event is shown with. */
document_kind_t event_document_kind(const event_record_t *e);

/*
 * The documents of kind of those events of the page for which wanted[i] is
 * that kind; for DOCUMENT_ORDER followed by event_order_items() in the same
 * segment.
 * false: none is wanted, nothing was sent.
 */
bool event_documents(pg_t *pg, int stmt, arena_t *a, const event_page_t *page,
                     const document_kind_t *wanted, document_kind_t kind,
                     pg_result_fn fn, void *ctx);
/*
 * Puts a result into the page. Where the documents together are too large
 * for memory, the page is cut before the first that was left out.
 */
void event_take_documents(arena_t *a, const PGresult *res, event_page_t *page,
                          const document_kind_t *wanted, document_kind_t kind);
/* Of DOCUMENT_ORDER_NOW: orders are those of the result, each once. */
void event_take_orders_now(const PGresult *res, event_page_t *page,
                           const document_kind_t *wanted,
                           const order_record_t *orders, int n);
/* After DOCUMENT_ORDER's: the services that the items speak of. */
bool event_order_items(pg_t *pg, int stmt, arena_t *a,
                       const event_page_t *page, const document_kind_t *wanted,
                       pg_result_fn fn, void *ctx);
void event_take_order_items(arena_t *a, const PGresult *res,
                            event_page_t *page);

#endif
