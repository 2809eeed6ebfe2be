-- turnup's schema. PostgreSQL is the only truth: what is to be done can be
-- read from these tables alone (activation.owner, due_at, signals).
--
-- What changes at every step lives in narrow rows (service_order_state,
-- activation) apart from the documents, without an index on a column that
-- changes at a step, so that steps are HOT updates. Client documents are json
-- text: never read by a statement of the hot path, and half as dear as jsonb.

-- Domains, not CHECKs on the columns: a column's CHECK is parsed anew for each
-- statement that writes the table, a domain's is kept.
CREATE DOMAIN order_state AS text CHECK (VALUE IN
    ('acknowledged', 'rejected', 'pending', 'pendingExternal', 'held',
     'inProgress', 'cancelled', 'completed', 'failed', 'partial',
     'assessingCancellation', 'pendingCancellation'));
CREATE DOMAIN task_state AS text CHECK (VALUE IN
    ('inProgress', 'done', 'terminatedWithError'));
CREATE DOMAIN item_action AS text CHECK (VALUE IN
    ('add', 'modify', 'delete', 'noChange'));
CREATE DOMAIN service_state AS text CHECK (VALUE IN
    ('feasibilityChecked', 'designed', 'reserved', 'inactive', 'active',
     'suspended', 'terminated'));
CREATE DOMAIN timeline AS text CHECK (VALUE IN
    ('CURRENT', 'PENDING', 'HISTORY'));
CREATE DOMAIN definition_number AS integer CHECK (VALUE > 0);

CREATE TABLE installation (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    secret     bytea NOT NULL CHECK (octet_length(secret) >= 32), -- of callback tokens
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Catalog (TMF633) -----------------------------------------------------------

CREATE SEQUENCE catalog_change;

-- One shape for all of TMF633, and a table a resource: the client's document
-- with the server's attributes filled in.
CREATE TABLE catalog_entity (
    resource    text NOT NULL,
    id          text NOT NULL,
    version     text NOT NULL DEFAULT '', -- where versions stand side by side
    last_update timestamptz NOT NULL DEFAULT now(),
    change      bigint NOT NULL DEFAULT nextval('catalog_change'), -- workers reload what is newer
    deleted     boolean NOT NULL DEFAULT false, -- kept for running orders, not shown
    doc         json NOT NULL,
    PRIMARY KEY (id, version, resource)
) PARTITION BY LIST (resource);
CREATE TABLE service_catalog PARTITION OF catalog_entity
    FOR VALUES IN ('serviceCatalog');
CREATE TABLE service_category PARTITION OF catalog_entity
    FOR VALUES IN ('serviceCategory');
CREATE TABLE service_candidate PARTITION OF catalog_entity
    FOR VALUES IN ('serviceCandidate');
CREATE TABLE service_specification PARTITION OF catalog_entity
    (resource DEFAULT 'serviceSpecification')
    FOR VALUES IN ('serviceSpecification');
CREATE INDEX service_specification_change ON service_specification (change);
CREATE TABLE import_job PARTITION OF catalog_entity FOR VALUES IN ('importJob');
CREATE TABLE export_job PARTITION OF catalog_entity FOR VALUES IN ('exportJob');

-- Jobs that have not ended. Who has one in hand writes only over the number of
-- its run; after the lease, or when the same slot starts again, another run
-- begins from the start, which changes nothing that is as it should be.
CREATE TABLE catalog_job (
    resource    text NOT NULL, -- importJob, exportJob
    id          text NOT NULL,
    base        text NOT NULL, -- hrefs begin with it
    version     text NOT NULL, -- of the API
    correlation text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    since       bigint, -- catalog_change when it was first begun
    run         integer NOT NULL DEFAULT 0,
    owner       text,
    lease_until timestamptz,
    PRIMARY KEY (resource, id)
);

-- Every definition text ever run: a running activation keeps its own.
CREATE TABLE family_definition (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    family    text NOT NULL,
    version   text NOT NULL,
    hash      text NOT NULL,
    body      text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (family, version, hash)
);

-- Orders (TMF641) ------------------------------------------------------------

CREATE TABLE service_order (
    id                   uuid PRIMARY KEY, -- UUIDv7
    request_key          text NOT NULL UNIQUE, -- Idempotency-Key of the subject, or the request's id
    external_id          text COLLATE "C", -- what is searched is ordered by code point
    category             text COLLATE "C",
    priority             text COLLATE "C",
    parties              text[] COLLATE "C", -- ids of relatedParty
    order_date           timestamptz NOT NULL, -- in whole milliseconds
    requested_start      timestamptz,
    requested_completion timestamptz,
    subject              text,
    traceparent          text,
    doc                  json NOT NULL, -- the client's, as sent and as patched
    posted               json, -- as it was sent first, where doc was patched
    expected_completion  timestamptz -- set by PATCH only
);
-- What clients filter by. Each of these costs the POST of an order that has the
-- attribute one insertion; only a PATCH changes them. The id behind them
-- gives a page without sorting.
CREATE INDEX service_order_external_id ON service_order (external_id, id)
    WHERE external_id IS NOT NULL;
CREATE INDEX service_order_category ON service_order (category, id)
    WHERE category IS NOT NULL;
CREATE INDEX service_order_date ON service_order (order_date, id);
CREATE INDEX service_order_requested_completion
    ON service_order (requested_completion) WHERE requested_completion IS NOT NULL;
-- Without a list of pending entries, which one POST in many would pay for.
CREATE INDEX service_order_parties ON service_order USING gin (parties)
    WITH (fastupdate = off) WHERE parties IS NOT NULL;

-- No foreign key here nor on the items: both are inserted by the statement that
-- inserts the order and deleted by the one that deletes it, and the checks were
-- one part in twenty of the CPU time of an order's whole life.
CREATE TABLE service_order_state (
    id            uuid PRIMARY KEY, -- of the order
    version       integer NOT NULL DEFAULT 1, -- grows with its state, and with a PATCH
    state         order_state NOT NULL,
    item_count    integer NOT NULL,
    start_at      timestamptz,
    completion_at timestamptz, -- also of a cancellation
    error         json, -- ServiceOrderErrorMessage[]
    cancellation  uuid, -- the task that was accepted: in force until the end
    cancellation_reason text, -- of that task
    stage         text COLLATE "C" NOT NULL GENERATED ALWAYS AS (CASE WHEN
        state IN ('completed', 'failed', 'partial', 'cancelled', 'rejected')
        THEN state::text ELSE 'open' END) STORED,
    completed_at  timestamptz GENERATED ALWAYS AS (CASE WHEN
        state <> 'cancelled' THEN completion_at END) STORED
) WITH (fillfactor = 70);
-- Orders by state. An index on state itself would make every step's update a
-- cold one; stage changes once, when the order ends: that one update is cold,
-- all before it stay HOT. An open order is found among those that are open.
CREATE INDEX service_order_stage ON service_order_state (stage, id);
CREATE INDEX service_order_completion ON service_order_state (completed_at)
    WHERE completed_at IS NOT NULL;

CREATE TABLE service_order_item (
    order_id        uuid NOT NULL,
    item_id         text NOT NULL,
    position        integer NOT NULL, -- depth first
    parent_item     text,
    action          item_action NOT NULL,
    service_id      uuid,
    spec_id         text,
    spec_version    text,
    depends         text[], -- item ids to be completed before
    characteristics json,   -- name → value, as they are to be
    activation_id   uuid,
    state           order_state NOT NULL, -- where there is no activation
    error           json,
    PRIMARY KEY (order_id, item_id)
);
CREATE INDEX service_order_item_service ON service_order_item (service_id)
    WHERE action <> 'add';

-- Tasks: what was asked, and what became of it. A task is judged in the
-- transaction that inserts it.
CREATE TABLE cancel_service_order (
    id           uuid PRIMARY KEY, -- UUIDv7
    order_id     uuid NOT NULL,
    state        task_state NOT NULL,
    requested    timestamptz, -- requestedCancellationDate
    effective_at timestamptz, -- the order was cancelled
    message      text,
    error        json, -- ErrorMessage
    doc          json NOT NULL -- verbatim
);
CREATE INDEX cancel_service_order_order ON cancel_service_order (order_id);

CREATE TABLE activation (
    id               uuid PRIMARY KEY,
    order_id         uuid NOT NULL,
    item_id          text NOT NULL,
    service_id       uuid NOT NULL,
    configuration_id uuid NOT NULL, -- the one it writes
    family           text NOT NULL,
    definition_id    definition_number NOT NULL,
    action           item_action NOT NULL,
    seq              integer NOT NULL DEFAULT 0, -- guards every transition
    item_state       order_state NOT NULL DEFAULT 'acknowledged',
    committed        boolean NOT NULL DEFAULT false, -- past its point of no return
    run              json, -- place in the machine; null: not begun
    variables        json,
    pending          json, -- pendingExternal
    error            json, -- ServiceOrderItemErrorMessage[]
    signals          integer NOT NULL DEFAULT 0, -- ever received from outside
    owner            text, -- worker slot that has it in memory
    due_at           timestamptz -- nobody has it: when to look at it again
) WITH (fillfactor = 60);
CREATE INDEX activation_due ON activation (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX activation_owner ON activation (owner) WHERE owner IS NOT NULL;

-- Answers from outside (vendors' callbacks) until the machine has taken them.
CREATE TABLE activation_signal (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    activation_id uuid NOT NULL,
    visit         integer NOT NULL, -- of the state it answers
    body          json,
    received_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX activation_signal_activation ON activation_signal (activation_id);

CREATE TABLE activation_journal (
    activation_id uuid NOT NULL,
    seq           integer NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    event         text NOT NULL,
    state         text NOT NULL, -- "phase:state" after it
    attempt       integer NOT NULL,
    detail        text
) PARTITION BY RANGE (at);
CREATE INDEX activation_journal_activation ON activation_journal (activation_id);

-- Inventory (TMF638; seed 2: EntityInstance, EntityInstanceConfiguration) -----

CREATE SEQUENCE entity_key START 1000;

CREATE TABLE entity_instance (
    id         uuid PRIMARY KEY,
    type       text NOT NULL DEFAULT 'SERVICE',
    key        text NOT NULL UNIQUE DEFAULT 'SVC-' || nextval('entity_key'),
    data_tags  text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE entity_instance_configuration (
    id               uuid PRIMARY KEY,
    instance_id      uuid NOT NULL REFERENCES entity_instance ON DELETE CASCADE,
    timeline         timeline NOT NULL,
    valid_from       timestamptz NOT NULL DEFAULT now(),
    valid_to         timestamptz,
    name             text COLLATE "C", -- what is searched is ordered by code point
    category         text COLLATE "C",
    service_type     text COLLATE "C",
    parties          text[] COLLATE "C", -- ids of relatedParty
    spec_id          text NOT NULL,
    spec_version     text, -- null: of a specification that is not in the catalog
    state            service_state NOT NULL,
    operating_status text,
    characteristics  json NOT NULL,
    resources        json, -- supportingResource[]
    doc              json, -- of the client's service: what the domain does not use
    order_id         uuid, -- the last one that changed it; null: none ever did
    item_id          text
) WITH (fillfactor = 70);
CREATE INDEX entity_configuration_instance ON entity_instance_configuration
    (instance_id);
CREATE UNIQUE INDEX entity_configuration_current ON entity_instance_configuration
    (instance_id) WHERE timeline = 'CURRENT';
CREATE UNIQUE INDEX entity_configuration_pending ON entity_instance_configuration
    (instance_id) WHERE timeline = 'PENDING';
-- What clients filter by, but for the state: with an index that knows of it
-- the update that makes a service active would write all of these anew.
CREATE INDEX entity_configuration_name ON entity_instance_configuration
    (name, instance_id) WHERE timeline = 'CURRENT';
CREATE INDEX entity_configuration_spec ON entity_instance_configuration
    (spec_id COLLATE "C", instance_id) WHERE timeline = 'CURRENT';
CREATE INDEX entity_configuration_order ON entity_instance_configuration
    (order_id) WHERE timeline = 'CURRENT';
CREATE INDEX entity_configuration_parties ON entity_instance_configuration
    USING gin (parties) WITH (fastupdate = off)
    WHERE timeline = 'CURRENT' AND parties IS NOT NULL;

-- One change at a time: who is changing an existing service.
CREATE TABLE service_change (
    service_id    uuid PRIMARY KEY,
    activation_id uuid NOT NULL
);

CREATE TABLE resource_pool (
    name text PRIMARY KEY,
    kind text NOT NULL
);

-- One row a value; holder is the service that has it.
CREATE TABLE resource_allocation (
    pool       text NOT NULL REFERENCES resource_pool,
    value      text NOT NULL,
    holder     uuid,
    claim      text UNIQUE, -- idempotency key of the allocate command
    since      timestamptz,
    PRIMARY KEY (pool, value)
);
CREATE INDEX resource_allocation_free ON resource_allocation (pool, value)
    WHERE holder IS NULL;
CREATE INDEX resource_allocation_holder ON resource_allocation (holder)
    WHERE holder IS NOT NULL;

-- Events ---------------------------------------------------------------------

-- The outbox: a log in commit order. A reader takes only rows of transactions
-- older than the oldest one running, so none can appear behind its cursor.
CREATE TABLE event (
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq         bigint GENERATED BY DEFAULT AS IDENTITY,
    id          uuid NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    api         text NOT NULL,
    type        text NOT NULL,
    resource_id text NOT NULL,
    data        json, -- null: the whole resource
    correlation text
) PARTITION BY RANGE (at);
CREATE INDEX event_position ON event (xid, seq);

CREATE TABLE hub_subscription (
    id         uuid PRIMARY KEY,
    api        text NOT NULL,
    version    text NOT NULL,
    callback   text NOT NULL,
    query      text,
    event_types text[], -- of the query; null: all of the API
    base       text NOT NULL,
    profile    text NOT NULL,
    subject    text,
    cursor_xid xid8 NOT NULL DEFAULT pg_snapshot_xmin(pg_current_snapshot()),
    cursor_seq bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Is there room for one more of that API? Who asks is alone until the end of
-- its transaction, so that two cannot take the last place.
CREATE FUNCTION turnup_hub_room(of_api text, most integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(0, hashtext('hub_subscription'));
    IF (SELECT count(*) FROM hub_subscription WHERE api = of_api) >= most THEN
        RAISE EXCEPTION 'no room for another subscription'
            USING ERRCODE = 'TU409';
    END IF;
END $$;

-- Requests -------------------------------------------------------------------

-- What a POST (of anything but an order) has made, and which order a PATCH has
-- changed, so that the same request does nothing again; kept for some days.
CREATE TABLE request (
    key         text PRIMARY KEY, -- Idempotency-Key of the subject, or the request's id
    resource_id text NOT NULL,
    digest      text NOT NULL, -- of what was asked
    made_at     timestamptz NOT NULL DEFAULT now()
);

-- Workers --------------------------------------------------------------------

CREATE TABLE worker (
    slot    text PRIMARY KEY, -- "family:voip:<host>:0", stable over restarts
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- Partitions by month for what grows without bound; the keeper calls it each
-- hour. Old ones are archived by DETACH.
CREATE FUNCTION turnup_partitions(months integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    base text;
    first date;
BEGIN
    FOREACH base IN ARRAY ARRAY['event', 'activation_journal'] LOOP
        FOR i IN 0..months LOOP
            first := (date_trunc('month', now() AT TIME ZONE 'UTC')
                + make_interval(months => i))::date;
            EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I '
                'FOR VALUES FROM (%L) TO (%L)',
                base || to_char(first, '_YYYY_MM'), base,
                first::timestamp AT TIME ZONE 'UTC',
                (first + interval '1 month')::timestamp AT TIME ZONE 'UTC');
        END LOOP;
    END LOOP;
END $$;
SELECT turnup_partitions(2);
