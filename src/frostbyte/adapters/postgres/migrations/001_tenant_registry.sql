-- Who this data plane belongs to. One plane serves one tenant, and the plane knows it from here and from its
-- settings, never from a request. The register of all tenants lives with the control plane, not here.

CREATE TABLE plane (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    tenant_id  text NOT NULL CHECK (tenant_id ~ '^[a-z0-9]{1,32}$'),
    log_origin text NOT NULL CHECK (log_origin <> ''),
    created_at timestamptz NOT NULL
);

-- Refuses every change of the tables it is put on, whoever asks.
CREATE FUNCTION refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the table is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'FB001';
END
$$;

-- A plane never changes hands. ALWAYS: also in sessions that switch ordinary triggers off.
CREATE TRIGGER plane_never_changes
    BEFORE UPDATE OR DELETE OR TRUNCATE ON plane
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE plane ENABLE ALWAYS TRIGGER plane_never_changes;

GRANT SELECT ON plane TO frostbyte_writer;
