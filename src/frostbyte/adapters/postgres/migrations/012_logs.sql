-- A plane that was restored begins a new log beside the one that it came with. Logs are numbered from 0. All but the
-- newest have ended: they are read and proven, and nothing is added to them.

CREATE TABLE ended_logs (
    log        smallint PRIMARY KEY CHECK (log >= 0),
    origin     text NOT NULL CHECK (origin <> ''),
    public_key text NOT NULL CHECK (public_key <> ''),
    size       bigint NOT NULL CHECK (size > 0),
    root       bytea NOT NULL CHECK (octet_length(root) = 32),
    note       text NOT NULL,
    ended_at   timestamptz NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ended_logs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE ended_logs ENABLE ALWAYS TRIGGER append_only;
-- Only the owner ends a log, when a plane is restored.
GRANT SELECT ON ended_logs TO frostbyte_writer;

CREATE FUNCTION current_log() RETURNS smallint LANGUAGE sql STABLE
    AS $$ SELECT coalesce(max(log) + 1, 0)::smallint FROM ended_logs $$;

-- The default is for what is there; from now on a writer says which log it means.
ALTER TABLE audit_sequence ADD COLUMN log smallint NOT NULL DEFAULT 0;
ALTER TABLE audit_sequence ALTER COLUMN log DROP DEFAULT,
    DROP CONSTRAINT audit_sequence_pkey, ADD PRIMARY KEY (log, sequence);
ALTER TABLE audit_nodes ADD COLUMN log smallint NOT NULL DEFAULT 0;
ALTER TABLE audit_nodes ALTER COLUMN log DROP DEFAULT,
    DROP CONSTRAINT audit_nodes_pkey, ADD PRIMARY KEY (log, level, index);
ALTER TABLE audit_checkpoints ADD COLUMN log smallint NOT NULL DEFAULT 0;
ALTER TABLE audit_checkpoints ALTER COLUMN log DROP DEFAULT,
    DROP CONSTRAINT audit_checkpoints_pkey, ADD PRIMARY KEY (log, size);
ALTER TABLE audit_cosignatures ADD COLUMN log smallint NOT NULL DEFAULT 0;
ALTER TABLE audit_cosignatures ALTER COLUMN log DROP DEFAULT,
    DROP CONSTRAINT audit_cosignatures_pkey, ADD PRIMARY KEY (log, size, witness);

CREATE FUNCTION refuse_ended_log() RETURNS trigger LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM fresh JOIN ended_logs USING (log)) THEN
        RAISE EXCEPTION 'INSERT into % is refused: the log has ended', TG_TABLE_NAME USING ERRCODE = 'FB001';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ended_logs_stay AFTER INSERT ON audit_sequence
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION refuse_ended_log();
ALTER TABLE audit_sequence ENABLE ALWAYS TRIGGER ended_logs_stay;
CREATE TRIGGER ended_logs_stay AFTER INSERT ON audit_nodes
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION refuse_ended_log();
ALTER TABLE audit_nodes ENABLE ALWAYS TRIGGER ended_logs_stay;
CREATE TRIGGER ended_logs_stay AFTER INSERT ON audit_checkpoints
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION refuse_ended_log();
ALTER TABLE audit_checkpoints ENABLE ALWAYS TRIGGER ended_logs_stay;
CREATE TRIGGER ended_logs_stay AFTER INSERT ON audit_cosignatures
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION refuse_ended_log();
ALTER TABLE audit_cosignatures ENABLE ALWAYS TRIGGER ended_logs_stay;
