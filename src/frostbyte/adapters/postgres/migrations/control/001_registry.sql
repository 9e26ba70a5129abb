-- The register of projects and tenants, and what is done to them. It is the control plane's own database: no document,
-- and no tenant's plane, ever sees it.
--
-- What the rules of the registry say, this file refuses once more, whoever asks: a move that the table of moves does
-- not hold, an id that is used again, a network that two tenants share, a change that nobody audited.

CREATE TABLE control_plane (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    environment text NOT NULL CHECK (environment ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    log_origin  text NOT NULL CHECK (log_origin <> ''),
    created_at  timestamptz NOT NULL
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

CREATE TABLE projects (
    project_id  text PRIMARY KEY CHECK (project_id ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    environment text NOT NULL CHECK (environment ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    created_at  timestamptz NOT NULL
);

-- The tenant's life as a table: where it stands and what failed, what is done, where it stands then.
CREATE TABLE legal_moves (
    state       text NOT NULL,
    failed      text NOT NULL,
    move        text NOT NULL,
    then_state  text NOT NULL,
    then_failed text NOT NULL,
    PRIMARY KEY (state, failed, move)
);
INSERT INTO legal_moves VALUES
    ('PENDING',        '',            'provision',          'PROVISIONING',   ''),
    ('PROVISIONING',   '',            'provisioned',        'ACTIVE',         ''),
    ('PROVISIONING',   '',            'provision_failed',   'FAILED',         'provision'),
    ('ACTIVE',         '',            'suspend',            'SUSPENDED',      ''),
    ('SUSPENDED',      '',            'resume',             'ACTIVE',         ''),
    ('ACTIVE',         '',            'deprovision',        'DEPROVISIONING', ''),
    ('SUSPENDED',      '',            'deprovision',        'DEPROVISIONING', ''),
    ('DEPROVISIONING', '',            'deprovisioned',      'DEPROVISIONED',  ''),
    ('DEPROVISIONING', '',            'deprovision_failed', 'FAILED',         'deprovision'),
    ('FAILED',         'provision',   'retry',              'PROVISIONING',   ''),
    ('FAILED',         'provision',   'abandon',            'DEPROVISIONING', ''),
    ('FAILED',         'deprovision', 'retry',              'DEPROVISIONING', '');

CREATE TABLE tenants (
    tenant_id        text PRIMARY KEY CHECK (
        tenant_id ~ '^[a-z0-9]{1,32}$'
        AND tenant_id NOT IN ('admin', 'api', 'www', 'control', 'edge', 'bastion', 'status', 'frostbyte')
    ),
    project_id       text NOT NULL REFERENCES projects,
    -- Of the network 10.{octet}.0.0/16; null once it was given back.
    octet            smallint CHECK (octet BETWEEN 1 AND 254),
    state            text NOT NULL,
    failed           text NOT NULL,
    version          bigint NOT NULL CHECK (version >= 1),
    config_version   bigint NOT NULL CHECK (config_version >= 1),
    standing_version bigint NOT NULL CHECK (standing_version >= 0),
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    last_event_id    uuid NOT NULL,
    CONSTRAINT tenants_network UNIQUE (project_id, octet),
    CONSTRAINT tenants_give_back CHECK ((state = 'DEPROVISIONED') = (octet IS NULL)),
    CONSTRAINT tenants_failed CHECK (
        (state = 'FAILED' AND failed IN ('provision', 'deprovision'))
        OR (state <> 'FAILED' AND failed = ''
            AND state IN ('PENDING', 'PROVISIONING', 'ACTIVE', 'SUSPENDED', 'DEPROVISIONING', 'DEPROVISIONED'))
    )
);
-- A page of a filtered list is read from one of these in order, without sorting.
CREATE INDEX tenants_by_state ON tenants (state, tenant_id);
CREATE INDEX tenants_by_project ON tenants (project_id, tenant_id);
CREATE INDEX tenants_by_project_and_state ON tenants (project_id, state, tenant_id);

CREATE FUNCTION refuse_illegal_tenant() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'PENDING' OR NEW.version <> 1 OR NEW.config_version <> 1 OR NEW.standing_version <> 0 THEN
            RAISE EXCEPTION 'a tenant begins as PENDING with its first versions' USING ERRCODE = 'FB002';
        END IF;
    ELSE
        IF NEW.tenant_id <> OLD.tenant_id OR NEW.project_id <> OLD.project_id OR NEW.created_at <> OLD.created_at THEN
            RAISE EXCEPTION 'a tenant keeps its id, its project and its beginning' USING ERRCODE = 'FB002';
        END IF;
        IF NEW.version <> OLD.version + 1
            OR NEW.config_version NOT IN (OLD.config_version, OLD.config_version + 1)
            OR NEW.standing_version NOT IN (OLD.standing_version, OLD.standing_version + 1) THEN
            RAISE EXCEPTION 'versions rise one by one' USING ERRCODE = 'FB002';
        END IF;
        IF (NEW.state, NEW.failed) IS DISTINCT FROM (OLD.state, OLD.failed) AND NOT EXISTS (
            SELECT FROM public.legal_moves
            WHERE (state, failed, then_state, then_failed) = (OLD.state, OLD.failed, NEW.state, NEW.failed)
        ) THEN
            RAISE EXCEPTION 'no move leads from % to %', OLD.state, NEW.state USING ERRCODE = 'FB002';
        END IF;
        IF OLD.state = 'DEPROVISIONED' THEN
            RAISE EXCEPTION 'nothing follows DEPROVISIONED' USING ERRCODE = 'FB002';
        END IF;
        IF NEW.octet IS DISTINCT FROM OLD.octet AND NEW.state <> 'DEPROVISIONED' THEN
            RAISE EXCEPTION 'a tenant keeps its network until it is DEPROVISIONED' USING ERRCODE = 'FB002';
        END IF;
        IF NEW.last_event_id = OLD.last_event_id THEN
            RAISE EXCEPTION 'each change of a tenant has an audit event of its own' USING ERRCODE = 'FB002';
        END IF;
    END IF;
    -- What cannot be audited does not happen: the event was written by this same transaction.
    IF NOT EXISTS (
        SELECT FROM public.audit_events
        WHERE event_id = NEW.last_event_id AND tenant_id = NEW.tenant_id AND written_by = pg_current_xact_id()
    ) THEN
        RAISE EXCEPTION 'a tenant does not change without its audit event' USING ERRCODE = 'FB002';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER legal_only BEFORE INSERT OR UPDATE ON tenants FOR EACH ROW EXECUTE FUNCTION refuse_illegal_tenant();
ALTER TABLE tenants ENABLE ALWAYS TRIGGER legal_only;

CREATE TABLE tenant_configs (
    tenant_id  text NOT NULL REFERENCES tenants,
    version    bigint NOT NULL CHECK (version >= 1),
    values     jsonb NOT NULL,
    actor      text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, version)
);

CREATE TABLE endpoints (
    tenant_id     text PRIMARY KEY REFERENCES tenants,
    gateway_url   text NOT NULL CHECK (gateway_url <> ''),
    channel_url   text NOT NULL CHECK (channel_url <> ''),
    ca_pem        text NOT NULL,
    log_key       text NOT NULL CHECK (log_key <> ''),
    registered_at timestamptz NOT NULL
);

CREATE TABLE standings (
    tenant_id            text PRIMARY KEY REFERENCES tenants,
    acknowledged_version bigint NOT NULL CHECK (acknowledged_version >= 0),
    acknowledged_at      timestamptz,
    code                 text NOT NULL
);

CREATE TABLE operations (
    operation_id uuid PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES tenants,
    kind         text NOT NULL CHECK (kind IN ('provision', 'suspend', 'resume', 'deprovision')),
    status       text NOT NULL CHECK (status IN ('running', 'succeeded', 'failed')),
    actor        text NOT NULL,
    reason       text NOT NULL,
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    code         text NOT NULL,
    CONSTRAINT operations_ended CHECK ((status = 'running') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX operations_running ON operations (tenant_id) WHERE status = 'running';
CREATE INDEX operations_by_tenant ON operations (tenant_id, operation_id);

CREATE FUNCTION refuse_other_ends() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    IF OLD.status <> 'running' OR NEW.status = 'running'
        OR (NEW.operation_id, NEW.tenant_id, NEW.kind, NEW.actor, NEW.reason, NEW.started_at)
            IS DISTINCT FROM (OLD.operation_id, OLD.tenant_id, OLD.kind, OLD.actor, OLD.reason, OLD.started_at) THEN
        RAISE EXCEPTION 'an operation ends once and changes in nothing else' USING ERRCODE = 'FB002';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER ends_once BEFORE UPDATE ON operations FOR EACH ROW EXECUTE FUNCTION refuse_other_ends();
ALTER TABLE operations ENABLE ALWAYS TRIGGER ends_once;

CREATE TABLE operation_steps (
    operation_id uuid NOT NULL REFERENCES operations,
    number       integer NOT NULL CHECK (number >= 1),
    step         text NOT NULL CHECK (step <> ''),
    status       text NOT NULL CHECK (status IN ('running', 'succeeded', 'failed')),
    code         text NOT NULL,
    at           timestamptz NOT NULL,
    PRIMARY KEY (operation_id, number)
);

-- What a request with an idempotency key was answered, so that its repetition is answered the same.
CREATE TABLE idempotency_keys (
    subject    text NOT NULL,
    key        text NOT NULL CHECK (key <> ''),
    digest     bytea NOT NULL CHECK (octet_length(digest) = 32),
    answer     jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (subject, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Never changed, whoever asks.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON control_plane
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON projects
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON legal_moves
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tenant_configs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON operation_steps
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- Never removed: a tenant's id is never given out again, and what was done stays known.
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON tenants
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON endpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON operations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE control_plane ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE projects ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE legal_moves ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE tenant_configs ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE operation_steps ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE tenants ENABLE ALWAYS TRIGGER never_removed;
ALTER TABLE endpoints ENABLE ALWAYS TRIGGER never_removed;
ALTER TABLE operations ENABLE ALWAYS TRIGGER never_removed;

GRANT SELECT ON control_plane, legal_moves TO frostbyte_writer;
GRANT SELECT, INSERT ON projects, tenant_configs, operation_steps TO frostbyte_writer;
GRANT SELECT, INSERT, UPDATE ON tenants, endpoints, standings, operations TO frostbyte_writer;
GRANT SELECT, INSERT, DELETE ON idempotency_keys TO frostbyte_writer;
