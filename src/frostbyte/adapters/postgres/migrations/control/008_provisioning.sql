-- What was intended at a cloud, what came of it, and who may go on. Nothing that costs money exists without an entry here:
-- it is written before the cloud is asked, and it is there until the resource was seen to be gone.

CREATE TABLE provision_runs (
    run_id       uuid PRIMARY KEY,
    environment  text NOT NULL CHECK (environment ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    project_id   text NOT NULL REFERENCES projects,
    -- '' for the base that all tenants of the project share.
    tenant_id    text NOT NULL,
    direction    text NOT NULL CHECK (direction IN ('up', 'back', 'down')),
    state        text NOT NULL CHECK (state IN ('running', 'succeeded', 'failed')),
    request      jsonb NOT NULL,
    plan         jsonb NOT NULL,
    fence        bigint NOT NULL CHECK (fence >= 1),
    holder       text NOT NULL,
    leased_until timestamptz,
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    code         text NOT NULL,
    CONSTRAINT provision_runs_ended CHECK ((state = 'running') = (ended_at IS NULL)),
    CONSTRAINT provision_runs_held CHECK ((holder = '') = (leased_until IS NULL)),
    CONSTRAINT provision_runs_free CHECK (state = 'running' OR holder = ''),
    -- What was turned back did not succeed, whatever became of it.
    CONSTRAINT provision_runs_back CHECK (direction <> 'back' OR (state <> 'succeeded' AND code <> ''))
);
CREATE UNIQUE INDEX provision_runs_running ON provision_runs (environment, project_id, tenant_id)
    WHERE state = 'running';
CREATE INDEX provision_runs_by_owner ON provision_runs (environment, project_id, tenant_id, run_id);

CREATE FUNCTION refuse_illegal_run() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'running' OR NEW.direction = 'back' OR NEW.holder <> '' THEN
            RAISE EXCEPTION 'a run begins as running, up or down, held by nobody' USING ERRCODE = 'FB002';
        END IF;
        IF NEW.tenant_id <> '' AND NOT EXISTS (
            SELECT FROM public.tenants WHERE tenant_id = NEW.tenant_id AND project_id = NEW.project_id
        ) THEN
            RAISE EXCEPTION 'a run is for a tenant of its project' USING ERRCODE = 'FB002';
        END IF;
        IF EXISTS (
            SELECT FROM public.provision_runs
            WHERE (environment, project_id, tenant_id) = (NEW.environment, NEW.project_id, NEW.tenant_id)
                AND fence >= NEW.fence AND state <> 'running'
        ) THEN
            RAISE EXCEPTION 'a run has a higher fence than those before it' USING ERRCODE = 'FB002';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.run_id, NEW.environment, NEW.project_id, NEW.tenant_id, NEW.request, NEW.started_at)
        IS DISTINCT FROM (OLD.run_id, OLD.environment, OLD.project_id, OLD.tenant_id, OLD.request, OLD.started_at) THEN
        RAISE EXCEPTION 'a run keeps what it is for' USING ERRCODE = 'FB002';
    END IF;
    IF OLD.plan <> '{}'::jsonb AND NEW.plan <> OLD.plan THEN
        RAISE EXCEPTION 'a run keeps its plan' USING ERRCODE = 'FB002';
    END IF;
    IF NEW.direction <> OLD.direction AND (OLD.direction, NEW.direction) <> ('up', 'back') THEN
        RAISE EXCEPTION 'no run goes from % to %', OLD.direction, NEW.direction USING ERRCODE = 'FB002';
    END IF;
    IF OLD.state <> 'running' AND (OLD.direction, OLD.state, NEW.direction, NEW.state)
        <> ('up', 'succeeded', 'back', 'running') THEN
        RAISE EXCEPTION 'a run ends once' USING ERRCODE = 'FB002';
    END IF;
    IF NEW.fence NOT IN (OLD.fence, OLD.fence + 1) THEN
        RAISE EXCEPTION 'somebody else goes on with this run' USING ERRCODE = 'FB003';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER legal_only BEFORE INSERT OR UPDATE ON provision_runs
    FOR EACH ROW EXECUTE FUNCTION refuse_illegal_run();
ALTER TABLE provision_runs ENABLE ALWAYS TRIGGER legal_only;

CREATE TABLE provision_entries (
    environment text NOT NULL,
    project_id  text NOT NULL,
    tenant_id   text NOT NULL,
    key         text NOT NULL CHECK (key ~ '^[a-z0-9][a-z0-9._-]{0,126}$'),
    run_id      uuid NOT NULL REFERENCES provision_runs,
    action      text NOT NULL CHECK (action <> ''),
    kind        text NOT NULL,
    name        text NOT NULL,
    spec_sha256 text NOT NULL CHECK (spec_sha256 ~ '^[0-9a-f]{64}$'),
    spec        jsonb NOT NULL,
    needs       text[] NOT NULL,
    position    integer NOT NULL CHECK (position >= 0),
    state       text NOT NULL CHECK (state IN ('intended', 'done', 'undoing', 'gone')),
    resource_id text NOT NULL,
    facts       jsonb NOT NULL,
    attempts    integer NOT NULL CHECK (attempts >= 0),
    code        text NOT NULL,
    fence       bigint NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (environment, project_id, tenant_id, key),
    CONSTRAINT provision_entries_named CHECK (kind = '' OR name <> ''),
    CONSTRAINT provision_entries_known CHECK (kind = '' OR state <> 'done' OR resource_id <> '')
);

-- Which state of an entry may follow which.
CREATE TABLE legal_entries (
    state      text NOT NULL,
    then_state text NOT NULL,
    PRIMARY KEY (state, then_state)
);
INSERT INTO legal_entries VALUES
    ('intended', 'intended'),  -- once more
    ('intended', 'done'),
    ('intended', 'undoing'),
    ('done', 'done'),          -- its facts
    ('done', 'intended'),      -- it is to be something else
    ('done', 'undoing'),
    ('undoing', 'undoing'),
    ('undoing', 'gone'),
    ('undoing', 'intended'),   -- what could not be taken away is wanted again
    ('gone', 'intended'),
    ('gone', 'undoing');       -- it came after all: a reply had been lost

CREATE FUNCTION refuse_illegal_entry() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
DECLARE
    newest bigint;
BEGIN
    -- Held until the transaction ends: whoever takes the run over waits for it, and comes after it.
    SELECT fence INTO newest FROM public.provision_runs
        WHERE (environment, project_id, tenant_id) = (NEW.environment, NEW.project_id, NEW.tenant_id)
            AND state = 'running'
        FOR SHARE;
    IF newest IS NULL OR NEW.fence <> newest THEN
        RAISE EXCEPTION 'somebody else goes on with this run' USING ERRCODE = 'FB003';
    END IF;
    IF TG_OP = 'INSERT' AND NEW.state <> 'intended' THEN
        RAISE EXCEPTION 'an entry begins as intended' USING ERRCODE = 'FB002';
    END IF;
    IF TG_OP = 'UPDATE' AND NOT EXISTS (
        SELECT FROM public.legal_entries WHERE (state, then_state) = (OLD.state, NEW.state)
    ) THEN
        RAISE EXCEPTION 'no entry goes from % to %', OLD.state, NEW.state USING ERRCODE = 'FB002';
    END IF;
    -- What cannot be audited does not happen: the event was written by this same transaction.
    IF TG_OP = 'UPDATE' AND NEW.kind <> '' AND NEW.state IN ('done', 'gone') AND NEW.state <> OLD.state
        AND NOT EXISTS (
            SELECT FROM public.audit_events
            WHERE written_by = pg_current_xact_id() AND resource_id = NEW.key AND resource_type = NEW.kind
                AND tenant_id = CASE NEW.tenant_id WHEN '' THEN 'control' ELSE NEW.tenant_id END
        ) THEN
        RAISE EXCEPTION 'no resource is made or gone without its audit event' USING ERRCODE = 'FB002';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER legal_only BEFORE INSERT OR UPDATE ON provision_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_illegal_entry();
ALTER TABLE provision_entries ENABLE ALWAYS TRIGGER legal_only;

CREATE TRIGGER append_only BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON legal_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON provision_runs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON provision_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE legal_entries ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE provision_runs ENABLE ALWAYS TRIGGER never_removed;
ALTER TABLE provision_entries ENABLE ALWAYS TRIGGER never_removed;

GRANT SELECT ON legal_entries TO frostbyte_writer;
GRANT SELECT, INSERT, UPDATE ON provision_runs, provision_entries TO frostbyte_writer;
