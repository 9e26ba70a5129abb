-- The ledger: the planes' audit events as they were verified, how far each log is verified, and what was found wrong.
-- Everything but ledger_standings is only ever added to: by grants, and a trigger refuses the rest to everybody.

CREATE TABLE ledger_logs (
    log_id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text NOT NULL CHECK (tenant_id ~ '^[a-z0-9]{1,32}$'),
    log_key   text NOT NULL CHECK (log_key <> ''),
    began_at  timestamptz NOT NULL,
    UNIQUE (tenant_id, log_key)
);

-- Hash partitions: as many tables whatever the number of tenants, each index a sixteenth (docs/adr/0083).
CREATE TABLE ledger_events (
    log_id      integer NOT NULL,
    sequence    bigint NOT NULL CHECK (sequence >= 0),
    type        text NOT NULL,
    timestamp   timestamptz NOT NULL,
    resource_id text NOT NULL,
    leaf        bytea NOT NULL CHECK (octet_length(leaf) = 32),
    event       bytea NOT NULL,
    PRIMARY KEY (log_id, sequence)
) PARTITION BY HASH (log_id);
CREATE INDEX ledger_events_by_resource ON ledger_events (resource_id, log_id, sequence);
CREATE INDEX ledger_events_by_type ON ledger_events (type, log_id, sequence);

CREATE TABLE ledger_steps (
    log_id         integer NOT NULL REFERENCES ledger_logs,
    size           bigint NOT NULL CHECK (size >= 1),
    edge           bytea NOT NULL CHECK (octet_length(edge) % 32 = 0 AND octet_length(edge) > 0),
    root           bytea NOT NULL CHECK (octet_length(root) = 32),
    note           text NOT NULL,
    last_timestamp timestamptz NOT NULL,
    stored_at      timestamptz NOT NULL,
    PRIMARY KEY (log_id, size)
);
CREATE INDEX ledger_steps_by_time ON ledger_steps (log_id, last_timestamp, size);

CREATE TABLE ledger_alerts (
    alert_id  uuid PRIMARY KEY,
    log_id    integer NOT NULL REFERENCES ledger_logs,
    tenant_id text NOT NULL,
    finding   text NOT NULL,
    size      bigint NOT NULL,
    position  bigint NOT NULL,
    message   text NOT NULL,
    evidence  bytea NOT NULL CHECK (octet_length(evidence) <= 16384),
    raised_at timestamptz NOT NULL
);
CREATE INDEX ledger_alerts_by_tenant ON ledger_alerts (tenant_id, alert_id);

CREATE TABLE ledger_endings (
    alert_id uuid PRIMARY KEY REFERENCES ledger_alerts,
    ended_at timestamptz NOT NULL,
    actor    text NOT NULL,
    reason   text NOT NULL
);

CREATE TABLE ledger_standings (
    log_id     integer PRIMARY KEY REFERENCES ledger_logs,
    heard_at   timestamptz,
    current_at timestamptz,
    plane_size bigint NOT NULL,
    code       text NOT NULL
);

-- A statement's trigger on a partitioned table does not hold for who names a partition: each has its own.
DO $$
BEGIN
    FOR part IN 0..15 LOOP
        EXECUTE format('CREATE TABLE ledger_events_%s PARTITION OF ledger_events '
                       'FOR VALUES WITH (MODULUS 16, REMAINDER %s)', part, part);
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_events_%s '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part);
        EXECUTE format('ALTER TABLE ledger_events_%s ENABLE ALWAYS TRIGGER append_only', part);
    END LOOP;
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_logs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_steps
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_alerts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_endings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE ledger_logs ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_steps ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_alerts ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger_endings ENABLE ALWAYS TRIGGER append_only;

GRANT SELECT, INSERT ON ledger_logs, ledger_events, ledger_steps, ledger_alerts, ledger_endings TO frostbyte_writer;
GRANT SELECT, INSERT, UPDATE ON ledger_standings TO frostbyte_writer;
