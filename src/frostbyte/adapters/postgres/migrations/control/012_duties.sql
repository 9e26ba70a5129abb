-- Work on tenants that stand: what was asked for, what each step came to, and its place beside what moves a tenant.

ALTER TABLE operations ADD COLUMN request jsonb NOT NULL DEFAULT '{}';
ALTER TABLE operation_steps ADD COLUMN facts jsonb NOT NULL DEFAULT '{}';

ALTER TABLE operations DROP CONSTRAINT operations_kind_check;
ALTER TABLE operations ADD CONSTRAINT operations_kind_check CHECK (
    kind IN ('provision', 'suspend', 'resume', 'deprovision',
        'rotate_age', 'rotate_certificates', 'rotate_credentials', 'rotate_keys',
        'scale', 'update', 'repair', 'backup', 'restore', 'refresh')
);

-- One that moves the tenant, and one duty: nothing keeps a tenant from being suspended.
DROP INDEX operations_running;
CREATE UNIQUE INDEX operations_running
    ON operations (tenant_id, (kind IN ('provision', 'suspend', 'resume', 'deprovision')))
    WHERE status = 'running';

CREATE OR REPLACE FUNCTION refuse_other_ends() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    IF OLD.status <> 'running' OR NEW.status = 'running'
        OR (NEW.operation_id, NEW.tenant_id, NEW.kind, NEW.actor, NEW.reason, NEW.started_at, NEW.request)
            IS DISTINCT FROM
            (OLD.operation_id, OLD.tenant_id, OLD.kind, OLD.actor, OLD.reason, OLD.started_at, OLD.request) THEN
        RAISE EXCEPTION 'an operation ends once and changes in nothing else' USING ERRCODE = 'FB002';
    END IF;
    RETURN NEW;
END
$$;
