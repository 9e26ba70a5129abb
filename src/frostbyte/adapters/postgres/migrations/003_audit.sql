-- The audit: events as they happened, their places in the log, the log's inner hashes and its signed states.
-- Everything here is only ever added to. Writers may INSERT and SELECT, and a trigger refuses the rest to everybody,
-- the owner included.

CREATE TABLE audit_events (
    event_id          uuid PRIMARY KEY,
    tenant_id         text NOT NULL,
    type              text NOT NULL,
    timestamp         timestamptz NOT NULL,
    actor             text NOT NULL,
    resource_type     text NOT NULL,
    resource_id       text NOT NULL,
    details           jsonb NOT NULL,
    previous_event_id uuid,
    -- The transaction that wrote it. The sequencer reads from the oldest transaction that may still have been open
    -- when it last looked, so a commit that comes late is found without reading the whole table again.
    written_by        xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX audit_events_by_writer ON audit_events (written_by, event_id);
CREATE INDEX audit_events_by_resource ON audit_events (resource_id);
CREATE INDEX audit_events_by_type ON audit_events (type);
CREATE INDEX audit_events_by_time ON audit_events USING brin (timestamp);

-- No foreign key to audit_events: it would lock, and so rewrite, every event that is numbered. extend() joins instead.
CREATE TABLE audit_sequence (
    sequence  bigint PRIMARY KEY CHECK (sequence >= 0),
    event_id  uuid NOT NULL UNIQUE,
    leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32)
);

CREATE TABLE audit_nodes (
    level smallint NOT NULL CHECK (level >= 1),
    index bigint NOT NULL CHECK (index >= 0),
    hash  bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, index)
);

CREATE TABLE audit_checkpoints (
    size       bigint PRIMARY KEY CHECK (size >= 0),
    root       bytea NOT NULL CHECK (octet_length(root) = 32),
    note       text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_sequence
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit_sequence ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit_nodes ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit_checkpoints ENABLE ALWAYS TRIGGER append_only;

GRANT SELECT, INSERT ON audit_events, audit_sequence, audit_nodes, audit_checkpoints TO frostbyte_writer;
