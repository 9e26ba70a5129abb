-- How the plane stands with its control plane.

CREATE TABLE plane_standing (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    version     bigint NOT NULL DEFAULT 0 CHECK (version >= 0),
    state       text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'closed')),
    keys        text[] NOT NULL DEFAULT '{}',
    witness_key text NOT NULL DEFAULT '',
    changed_at  timestamptz,
    needs_lease boolean NOT NULL DEFAULT false,
    -- By this server's clock. A lease holds from the one to the other, so a clock that is set back ends it too.
    lease_from  timestamptz,
    lease_until timestamptz
);
INSERT INTO plane_standing DEFAULT VALUES;
GRANT SELECT, UPDATE ON plane_standing TO frostbyte_writer;

-- Who changes the standing waits for those who are about to begin a job by it, and whoever comes later waits for the
-- change. The lock is fair, as a row's is not: many workers that share a row could keep a change out for ever.
CREATE FUNCTION hold_standing() RETURNS void LANGUAGE sql VOLATILE
    AS $$ SELECT pg_advisory_xact_lock(7263, 2) $$;

-- Whether a job may be begun at this moment. What was committed while it waited is seen: each statement of a volatile
-- function looks anew, which a statement that is under way does not.
CREATE FUNCTION may_begin(moment timestamptz) RETURNS boolean LANGUAGE plpgsql VOLATILE
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7263, 2);
    RETURN EXISTS (
        SELECT FROM plane_standing
        WHERE state = 'active' AND (NOT needs_lease OR (lease_from <= moment AND moment < lease_until))
    );
END $$;

-- A state that was once acted on is never acted on backwards, whoever asks; closed is for good.
CREATE FUNCTION refuse_older_standing() RETURNS trigger LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.version < OLD.version OR (OLD.state = 'closed' AND NEW.state <> 'closed') THEN
        RAISE EXCEPTION 'the standing of a plane never goes back' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER never_back BEFORE UPDATE ON plane_standing FOR EACH ROW EXECUTE FUNCTION refuse_older_standing();
ALTER TABLE plane_standing ENABLE ALWAYS TRIGGER never_back;
