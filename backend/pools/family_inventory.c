/*
 * The inventory follows step by step (TMF638): what a transition does to the
 * configuration its activation writes, and the events that tell of it.
 *
 * add writes CURRENT from the first inventory change on; modify a PENDING one
 * that becomes CURRENT or vanishes; delete goes through the states of the
 * CURRENT one.
 */
#include "backend/pools/family_batch.h"

#include "backend/tmf/member.h"
#include "backend/tmf/service.h"

#define TEXT_MAX ((size_t) JSON_MAX_BYTES)

static service_record_t
service_record(const batch_t *b, const work_t *w)
{
    return (service_record_t){
        .id = w->service_id,
        .created_us = b->now_us,
        .configuration_id = w->configuration_id,
        .timeline = STR("CURRENT"),
        .valid_from_us = b->now_us,
        .valid_to_us = NO_TIME,
        .state = w->service_state,
        .operating_status = w->operating_status,
        .name = w->name,
        .category = w->category,
        .service_type = w->service_type,
        .spec_id = w->spec_id,
        .spec_version = w->spec_version,
        .spec_name = json_text(w->context.spec, "name"),
        .characteristics = w->characteristics,
        .resources = w->resources,
        .order_id = w->order_id,
        .item_id = w->item_id,
    };
}

static void
tell_service(batch_t *b, work_t *w, const char *type, const char *field_path)
{
    service_record_t s = service_record(b, w);
    char id[UUID_TEXT + 1];
    buf_t data;

    uuid_print(w->service_id, id);
    buf_init(&data, TEXT_MAX);
    service_change_data(&data, &s, field_path);
    outbox_add(&b->rows.outbox, b->now_us, STR("inventory"), str_of(type),
               str_of(id), buf_view(&data), w->traceparent);
    buf_free(&data);
    w->told_state = w->service_state;
    w->told_operating = w->operating_status;
}

static void
tell_change(batch_t *b, work_t *w)
{
    bool operates_otherwise = w->operating_status.len > 0 &&
                              !str_eq(w->operating_status, w->told_operating);

    if (w->told_state != w->service_state) {
        tell_service(b, w, "ServiceStateChangeEvent", NULL);
    } else {
        tell_service(b, w, "ServiceAttributeValueChangeEvent",
                     "serviceCharacteristic");
    }
    if (operates_otherwise) {
        tell_service(b, w, "ServiceOperatingStatusChangeEvent", NULL);
    }
}

/* A text[] literal of whom the service is related to; empty: nobody. */
static str_t
party_list(arena_t *a, str_t doc)
{
    const str_t *ids;
    int n = member_parties(a, json_parse(a, doc, NULL), &ids);

    return rows_list(a, ids, n);
}

static void
insert_configuration(batch_t *b, work_t *w, const char *timeline)
{
    rows_t *r = &b->inventory.inserts;

    rows_uuid(r, w->configuration_id);
    rows_uuid(r, w->service_id);
    rows_text(r, str_of(timeline));
    rows_some(r, w->name.len ? w->name : json_text(w->context.spec, "name"));
    rows_some(r, w->category);
    rows_some(r, w->service_type);
    rows_text(r, w->spec_id);
    rows_text(r, w->spec_version);
    rows_text(r, str_of(service_state_name(w->service_state)));
    rows_some(r, w->operating_status);
    rows_text(r, w->characteristics);
    rows_some(r, w->resources);
    rows_some(r, w->service_doc);
    rows_uuid(r, w->order_id);
    rows_text(r, w->item_id);
    rows_time(r, PG_NO_TIME);
    rows_time(r, PG_NO_TIME);
    rows_some(r, party_list(b->arena, w->service_doc));
    w->in_inventory = true;
}

static void
update_configuration(batch_t *b, work_t *w)
{
    rows_t *r = &b->inventory.updates;

    rows_uuid(r, w->configuration_id);
    rows_text(r, str_of(service_state_name(w->service_state)));
    rows_some(r, w->operating_status);
    rows_text(r, w->characteristics);
    rows_some(r, w->resources);
}

/* add: the service comes to be with its first inventory change. */
static void
write_add(batch_t *b, member_t *m)
{
    work_t *w = m->work;
    bool ended_well = m->d.next.phase == RUN_COMPLETED;

    if (!w->in_inventory && (m->d.inventory || ended_well)) {
        if (ended_well) {
            w->service_state = SERVICE_ACTIVE;
        }
        rows_uuid(&b->inventory.instances, w->service_id);
        rows_text(&b->inventory.instances, STR("{}"));
        rows_text(&b->inventory.instances, STR_NONE);
        rows_time(&b->inventory.instances, PG_NO_TIME);
        insert_configuration(b, w, "CURRENT");
        tell_service(b, w, "ServiceCreateEvent", NULL);
        return;
    }
    if (m->d.finished && !ended_well && w->in_inventory) {
        w->service_state = SERVICE_TERMINATED;
        w->operating_status = STR("stopped");
        w->resources = STR("[]");
    } else if (!m->d.inventory) {
        return;
    }
    update_configuration(b, w);
    tell_change(b, w);
}

/* modify: a PENDING configuration that becomes CURRENT, or vanishes. */
static void
write_modify(batch_t *b, member_t *m)
{
    work_t *w = m->work;

    if (!w->in_inventory) {
        insert_configuration(b, w, "PENDING");
    } else if (m->d.inventory) {
        update_configuration(b, w);
    }
    if (!m->d.finished) {
        return;
    }
    if (m->d.next.phase == RUN_COMPLETED) {
        rows_uuid(&b->inventory.promotions, w->configuration_id);
        rows_uuid(&b->inventory.promotions, w->service_id);
        tell_change(b, w);
    } else {
        rows_uuid(&b->inventory.drops, w->configuration_id);
    }
}

/* delete: the CURRENT configuration goes through its states; put back when
 * everything was undone. */
static void
write_delete(batch_t *b, member_t *m)
{
    work_t *w = m->work;
    const json_t *before = json_get(w->context.variable, "before");
    bool undone = m->d.finished && m->d.next.phase != RUN_COMPLETED &&
                  !m->d.next.undo_failed &&
                  (w->run.phase == RUN_UNDOING || m->d.next.cancelling);

    if (undone && before) {
        (void) service_state_parse(json_text(before, "state"),
                                   &w->service_state);
        w->resources = json_get(before, "supportingResource")->raw;
    } else if (!m->d.inventory) {
        return;
    }
    update_configuration(b, w);
    tell_change(b, w);
}

void
write_inventory(batch_t *b, member_t *m)
{
    switch (m->work->action) {
    case ACTION_ADD:
        write_add(b, m);
        break;
    case ACTION_MODIFY:
        write_modify(b, m);
        break;
    default:
        write_delete(b, m);
        break;
    }
    if (m->d.finished && m->work->action != ACTION_ADD) {
        rows_uuid(&b->inventory.released, m->work->id);
    }
}
