-- People who sign in. Nothing in these tables opens anything by itself: a password is a slow hash, an authenticator's
-- secret is sealed by a key that lies beside the other keys, a link and a session are hashes of random numbers.

CREATE TABLE accounts (
    name        text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9._@-]{0,99}$'),
    account_id  uuid NOT NULL UNIQUE,
    role        text NOT NULL CHECK (role <> ''),
    created_at  timestamptz NOT NULL,
    created_by  text NOT NULL,
    changed_at  timestamptz NOT NULL,
    disabled_at timestamptz
);
-- A name never becomes another person's: the audit would say that they did it.
CREATE TRIGGER accounts_are_kept
    BEFORE DELETE OR TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE accounts ENABLE ALWAYS TRIGGER accounts_are_kept;

-- What follows stays where it is: no export and no backup holds it.
CREATE TABLE account_credentials (
    name       text PRIMARY KEY REFERENCES accounts,
    password   text NOT NULL,
    totp       bytea NOT NULL,
    totp_step  bigint NOT NULL,
    set_at     timestamptz,
    link       bytea UNIQUE CHECK (octet_length(link) = 32),
    link_until timestamptz,
    link_totp  bytea NOT NULL,
    CHECK ((password = '') = (totp = '')),
    CHECK ((link IS NULL) = (link_until IS NULL))
);
CREATE TABLE sessions (
    session_id uuid PRIMARY KEY,
    digest     bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    subject    text NOT NULL CHECK (subject <> ''),
    role       text NOT NULL CHECK (role <> ''),
    by         text NOT NULL CHECK (by <> ''),
    begun_at   timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    device     text NOT NULL CHECK (length(device) <= 100)
);
CREATE INDEX sessions_by_subject ON sessions (subject);
CREATE TABLE sign_in_attempts (
    key     text PRIMARY KEY CHECK (length(key) <= 100),
    count   integer NOT NULL,
    last_at timestamptz,
    until   timestamptz
);

GRANT SELECT, INSERT, UPDATE (role, changed_at, disabled_at) ON accounts TO frostbyte_writer;
GRANT SELECT, INSERT, UPDATE ON account_credentials TO frostbyte_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, sign_in_attempts TO frostbyte_writer;
