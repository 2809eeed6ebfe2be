/*
 * Writing events.
 */
#include "backend/store/outbox.h"

#include "backend/store/statements.h"

const char sql_event_insert[] =
    "WITH " SQL_TOLD("$1", "$2", "$3", "$4", "$5", "$6", "$7") " SELECT 1";

const char sql_partitions[] = "SELECT turnup_partitions($1::int)";

void
outbox_init(outbox_t *o, arena_t *a)
{
    rows_init(&o->rows, a, "uzttttt");
}

void
outbox_add(outbox_t *o, int64_t now_us, str_t api, str_t type,
           str_t resource_id, str_t data, str_t correlation)
{
    rows_uuid(&o->rows, uuid_v7(now_us / 1000));
    rows_time(&o->rows, now_us);
    rows_text(&o->rows, api);
    rows_text(&o->rows, type);
    rows_text(&o->rows, resource_id);
    rows_some(&o->rows, data);
    rows_some(&o->rows, correlation);
}

void
outbox_insert(const outbox_t *o, pg_t *pg, arena_t *a)
{
    rows_exec(&o->rows, pg, STATEMENT_event_insert, a, NULL, NULL);
}
