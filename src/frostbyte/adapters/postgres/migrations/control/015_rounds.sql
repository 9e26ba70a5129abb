-- One duty for many tenants: a canary first, then the others one by one, until one fails. What each tenant's part of it
-- came to is its operation; here is only in which order, and where it stopped.

CREATE TABLE rounds (
    round_id     uuid PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('refresh', 'update')),
    request      jsonb NOT NULL,
    tenants      text[] NOT NULL CHECK (cardinality(tenants) > 0),
    soak_seconds integer NOT NULL CHECK (soak_seconds >= 0),
    actor        text NOT NULL CHECK (actor <> ''),
    reason       text NOT NULL CHECK (reason ~ '^[a-z][a-z0-9_]{0,63}$'),
    status       text NOT NULL CHECK (status IN ('running', 'succeeded', 'failed')),
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    code         text NOT NULL,
    stopped_at   text NOT NULL,
    CHECK ((status = 'running') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX rounds_running ON rounds ((true)) WHERE status = 'running';
GRANT SELECT, INSERT, UPDATE ON rounds TO frostbyte_writer;
