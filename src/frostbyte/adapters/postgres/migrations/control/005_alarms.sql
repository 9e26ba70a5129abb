-- What planes answered that could not be believed, with what shows it. An alarm is settled once and never removed.

CREATE TABLE alarms (
    alarm_id   uuid PRIMARY KEY,
    tenant_id  text NOT NULL REFERENCES tenants,
    code       text NOT NULL CHECK (code ~ '^[a-z][a-z0-9_]{0,63}$'),
    expected   text NOT NULL CHECK (length(expected) <= 512),
    came       text NOT NULL CHECK (length(came) <= 512),
    rung_at    timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE UNIQUE INDEX alarms_open ON alarms (tenant_id, code) WHERE settled_at IS NULL;
CREATE INDEX alarms_by_tenant ON alarms (tenant_id, alarm_id);

CREATE FUNCTION refuse_other_settling() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    IF OLD.settled_at IS NOT NULL OR NEW.settled_at IS NULL
        OR (NEW.alarm_id, NEW.tenant_id, NEW.code, NEW.expected, NEW.came, NEW.rung_at)
            IS DISTINCT FROM (OLD.alarm_id, OLD.tenant_id, OLD.code, OLD.expected, OLD.came, OLD.rung_at) THEN
        RAISE EXCEPTION 'an alarm is settled once and changes in nothing else' USING ERRCODE = 'FB002';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER settled_once BEFORE UPDATE ON alarms FOR EACH ROW EXECUTE FUNCTION refuse_other_settling();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON alarms
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE alarms ENABLE ALWAYS TRIGGER settled_once;
ALTER TABLE alarms ENABLE ALWAYS TRIGGER never_removed;

GRANT SELECT, INSERT, UPDATE ON alarms TO frostbyte_writer;
