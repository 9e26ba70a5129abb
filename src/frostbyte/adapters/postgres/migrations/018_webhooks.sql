-- Servers that are told when a batch has ended, and what each is owed. A delivery is written in the transaction of what it
-- tells. No secret is here: what signs is made of a key outside the database and the salt, and addresses lie sealed.

CREATE TABLE webhooks (
    webhook_id uuid PRIMARY KEY,
    sealed_url bytea NOT NULL CHECK (octet_length(sealed_url) > 28),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    salt       bytea NOT NULL CHECK (octet_length(salt) = 16),
    old_salt   bytea NOT NULL DEFAULT '',
    old_until  timestamptz,
    CHECK ((old_until IS NULL) = (octet_length(old_salt) = 0))
);

CREATE TABLE webhook_deliveries (
    delivery_id uuid PRIMARY KEY,
    webhook_id  uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    kind        text NOT NULL,
    body        bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    not_before  timestamptz NOT NULL,
    batch_id    uuid,
    state       text NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    attempts    integer NOT NULL CHECK (attempts >= 0),
    ended_at    timestamptz CHECK ((ended_at IS NULL) = (state = 'waiting')),
    status      integer NOT NULL,
    code        text NOT NULL,
    duration_ms integer NOT NULL
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (not_before) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (webhook_id, delivery_id DESC);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON webhooks, webhook_deliveries TO frostbyte_writer;
