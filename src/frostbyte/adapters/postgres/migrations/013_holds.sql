-- Legal holds, and runs of retention. What a hold covers is not erased, whoever asks, until every hold on it is released.

CREATE TABLE holds (
    hold_id        uuid PRIMARY KEY,
    matter         text NOT NULL CHECK (matter ~ '^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$' AND matter ~ '[0-9]'),
    reason         text NOT NULL CHECK (reason ~ '^[a-z][a-z0-9_]{0,63}$'),
    everything     boolean NOT NULL,
    doc_ids        uuid[] NOT NULL CHECK (everything = (cardinality(doc_ids) = 0)),
    placed_at      timestamptz NOT NULL,
    placed_by      text NOT NULL CHECK (placed_by <> ''),
    released_at    timestamptz,
    released_by    text NOT NULL CHECK ((released_by = '') = (released_at IS NULL)),
    release_reason text NOT NULL CHECK ((release_reason = '') = (released_at IS NULL))
);
CREATE INDEX holds_in_force ON holds (hold_id) WHERE released_at IS NULL;
CREATE INDEX holds_on_everything ON holds (hold_id) WHERE released_at IS NULL AND everything;
CREATE INDEX holds_by_document ON holds USING gin (doc_ids) WHERE released_at IS NULL;

-- A hold is placed and it is released; what it covers never changes, and what was released stays so.
CREATE FUNCTION refuse_another_hold() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    IF OLD.released_at IS NOT NULL
        OR (NEW.hold_id, NEW.matter, NEW.reason, NEW.everything, NEW.doc_ids, NEW.placed_at, NEW.placed_by)
        IS DISTINCT FROM
        (OLD.hold_id, OLD.matter, OLD.reason, OLD.everything, OLD.doc_ids, OLD.placed_at, OLD.placed_by)
    THEN
        RAISE EXCEPTION 'this change of holds is refused: a hold stays what it is' USING ERRCODE = 'FB001';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER holds_stay BEFORE UPDATE ON holds FOR EACH ROW EXECUTE FUNCTION refuse_another_hold();
ALTER TABLE holds ENABLE ALWAYS TRIGGER holds_stay;
CREATE TRIGGER holds_are_kept BEFORE DELETE OR TRUNCATE ON holds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE holds ENABLE ALWAYS TRIGGER holds_are_kept;

-- Who places a hold waits for erasures that are being decided, and they for the hold: none slips through between the two.
CREATE FUNCTION wait_for_erasures() RETURNS trigger LANGUAGE plpgsql VOLATILE
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7263, 4);
    RETURN NULL;
END $$;
CREATE TRIGGER waits_for_erasures BEFORE INSERT ON holds
    FOR EACH STATEMENT EXECUTE FUNCTION wait_for_erasures();
ALTER TABLE holds ENABLE ALWAYS TRIGGER waits_for_erasures;

CREATE FUNCTION is_held(document uuid) RETURNS boolean LANGUAGE sql STABLE
    AS $$
    SELECT EXISTS (SELECT FROM holds WHERE released_at IS NULL AND everything)
        OR EXISTS (SELECT FROM holds WHERE released_at IS NULL AND doc_ids @> ARRAY[document])
$$;

-- An erasure whose key is destroyed already is only written down: a plane that is restored repeats what was done since.
CREATE FUNCTION refuse_held() RETURNS trigger LANGUAGE plpgsql VOLATILE
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7263, 4);
    IF is_held(OLD.doc_id) AND NOT EXISTS (
        SELECT FROM erasures
        WHERE doc_id = OLD.doc_id AND incarnation = OLD.incarnation AND key_destroyed_at IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'the document is under a legal hold' USING ERRCODE = 'FB005';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER not_while_held BEFORE UPDATE ON documents
    FOR EACH ROW WHEN (NEW.state = 'erased' AND OLD.state <> 'erased') EXECUTE FUNCTION refuse_held();
ALTER TABLE documents ENABLE ALWAYS TRIGGER not_while_held;

CREATE TABLE retention_runs (
    run_id         uuid PRIMARY KEY,
    began_at       timestamptz NOT NULL,
    cutoff         timestamptz NOT NULL CHECK (cutoff < began_at),
    retention_days integer NOT NULL CHECK (retention_days > 0),
    config_version integer NOT NULL,
    finished_at    timestamptz,
    erased         bigint NOT NULL CHECK (erased >= 0),
    held           bigint NOT NULL CHECK (held >= 0),
    remaining      bigint NOT NULL CHECK (remaining >= 0)
);
CREATE UNIQUE INDEX retention_runs_open ON retention_runs ((true)) WHERE finished_at IS NULL;

ALTER TABLE erasures ADD COLUMN run_id uuid REFERENCES retention_runs;
CREATE INDEX erasures_of_run ON erasures (run_id, erasure_id) WHERE run_id IS NOT NULL;

-- What the plane is sure of about the time. One row, from the first look on.
CREATE TABLE trusted_time (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    trusted_at timestamptz NOT NULL,
    doubt      text NOT NULL CHECK (doubt ~ '^[a-z_]*$')
);

GRANT SELECT, INSERT, UPDATE (released_at, released_by, release_reason) ON holds TO frostbyte_writer;
GRANT SELECT, INSERT, UPDATE ON retention_runs, trusted_time TO frostbyte_writer;
