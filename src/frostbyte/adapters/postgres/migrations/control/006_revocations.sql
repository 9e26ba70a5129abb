-- Tokens of operators that must no longer be accepted.

CREATE TABLE revocations (
    token_id   text PRIMARY KEY,
    revoked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    actor      text NOT NULL
);
GRANT SELECT, INSERT ON revocations TO frostbyte_writer;
