-- Keys of machines. Only a hash of each is kept: nothing in this table opens anything.

CREATE TABLE api_keys (
    key_id       text PRIMARY KEY CHECK (key_id ~ '^[0-9A-Za-z]{12}$'),
    name         text NOT NULL CHECK (name <> ''),
    sha256       bytea NOT NULL CHECK (octet_length(sha256) = 32),
    scopes       text[] NOT NULL CHECK (cardinality(scopes) > 0),
    created_at   timestamptz NOT NULL,
    created_by   text NOT NULL,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    revoked_by   text NOT NULL CHECK ((revoked_by = '') = (revoked_at IS NULL))
);

-- A key is used and it is revoked; what it is and may never changes, and what was revoked stays so, whoever asks.
CREATE FUNCTION refuse_another_api_key() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    IF (NEW.key_id, NEW.name, NEW.sha256, NEW.scopes, NEW.created_at, NEW.created_by)
        IS DISTINCT FROM (OLD.key_id, OLD.name, OLD.sha256, OLD.scopes, OLD.created_at, OLD.created_by)
        OR NEW.expires_at IS DISTINCT FROM OLD.expires_at
        OR (OLD.revoked_at IS NOT NULL
            AND (NEW.revoked_at, NEW.revoked_by) IS DISTINCT FROM (OLD.revoked_at, OLD.revoked_by))
    THEN
        RAISE EXCEPTION 'this change of api_keys is refused: a key stays what it is' USING ERRCODE = 'FB001';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER api_keys_stay BEFORE UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION refuse_another_api_key();
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER api_keys_stay;
CREATE TRIGGER api_keys_are_kept
    BEFORE DELETE OR TRUNCATE ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER api_keys_are_kept;

GRANT SELECT, INSERT, UPDATE (last_used_at, revoked_at, revoked_by) ON api_keys TO frostbyte_writer;
