-- What of a tenant was destroyed, noted while it was, and the signed receipts of it. Only ever added to.

CREATE TABLE destroyed (
    destroyed_id uuid PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES tenants,
    operation_id uuid NOT NULL,
    part         text NOT NULL CHECK (part IN ('stores', 'keys', 'certificates', 'recovery')),
    what         text[] NOT NULL CHECK (cardinality(what) > 0),
    at           timestamptz NOT NULL
);
CREATE INDEX destroyed_by_operation ON destroyed (operation_id, destroyed_id);

CREATE TABLE receipts (
    receipt_id   uuid PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES tenants,
    operation_id uuid NOT NULL REFERENCES operations,
    kind         text NOT NULL CHECK (kind IN ('frostbyte/destruction-receipt/1', 'frostbyte/recovery-destroyed/1')),
    note         text NOT NULL CHECK (note <> ''),
    sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    actor        text NOT NULL CHECK (actor <> ''),
    issued_at    timestamptz NOT NULL,
    UNIQUE (operation_id, kind)
);
CREATE INDEX receipts_by_tenant ON receipts (tenant_id, receipt_id);

CREATE FUNCTION refuse_unaudited_receipt() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM public.audit_events
        WHERE written_by = pg_current_xact_id() AND resource_id = NEW.receipt_id::text AND tenant_id = NEW.tenant_id
    ) THEN
        RAISE EXCEPTION 'no receipt is issued without its audit event' USING ERRCODE = 'FB002';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER audited BEFORE INSERT ON receipts FOR EACH ROW EXECUTE FUNCTION refuse_unaudited_receipt();
ALTER TABLE receipts ENABLE ALWAYS TRIGGER audited;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON destroyed
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON receipts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE destroyed ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE receipts ENABLE ALWAYS TRIGGER append_only;

GRANT SELECT, INSERT ON destroyed, receipts TO frostbyte_writer;
