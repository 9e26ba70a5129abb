-- What a plane takes while it is being updated: everything, questions alone, or nothing that has to be written down.

ALTER TABLE plane_standing ADD COLUMN upkeep text NOT NULL DEFAULT 'open'
    CHECK (upkeep IN ('open', 'reading', 'frozen'));

-- As in 007, and nothing is begun while the plane is updated.
CREATE OR REPLACE FUNCTION may_begin(moment timestamptz) RETURNS boolean LANGUAGE plpgsql VOLATILE
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7263, 2);
    RETURN EXISTS (
        SELECT FROM plane_standing
        WHERE state = 'active' AND upkeep = 'open'
        AND (NOT needs_lease OR (lease_from <= moment AND moment < lease_until))
    );
END $$;

-- Who changes what is taken waits for those who are about to write something down, and they for the change. The lock is
-- another than the standing's: who writes into the log must not wait for a directive.
CREATE FUNCTION hold_upkeep() RETURNS void LANGUAGE sql VOLATILE
    AS $$ SELECT pg_advisory_xact_lock(7263, 3) $$;

-- From the moment in which a plane is frozen, its log and its receipts stand still, whoever asks. So a copy that is made
-- then can take its place without taking back a receipt or a checkpoint.
CREATE FUNCTION refuse_while_frozen() RETURNS trigger LANGUAGE plpgsql VOLATILE
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7263, 3);
    IF EXISTS (SELECT FROM plane_standing WHERE upkeep = 'frozen') THEN
        RAISE EXCEPTION 'the plane is being updated' USING ERRCODE = 'FB004';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER not_while_frozen BEFORE INSERT ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_while_frozen();
CREATE TRIGGER not_while_frozen BEFORE INSERT ON receipts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_while_frozen();
CREATE TRIGGER not_while_frozen BEFORE INSERT ON audit_cosignatures
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_while_frozen();
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER not_while_frozen;
ALTER TABLE receipts ENABLE ALWAYS TRIGGER not_while_frozen;
ALTER TABLE audit_cosignatures ENABLE ALWAYS TRIGGER not_while_frozen;
