-- Documents, uploads, work and chunks: ids, states and numbers. File names are sealed, text is elsewhere.

CREATE TABLE documents (
    doc_id            uuid PRIMARY KEY,
    incarnation       integer NOT NULL CHECK (incarnation >= 0),
    state             text NOT NULL
        CHECK (state IN ('received', 'waiting', 'indexed', 'quarantined', 'failed', 'erased')),
    mime              text NOT NULL,
    size              bigint NOT NULL CHECK (size >= 0),
    received_at       timestamptz NOT NULL,
    raw_object        text NOT NULL,
    key_object        text NOT NULL,
    sealed_name       bytea NOT NULL,
    config_version    integer NOT NULL,
    stage             text,
    code              text NOT NULL,
    message           text NOT NULL,
    remedy            text NOT NULL,
    generation        text NOT NULL,
    active_generation text NOT NULL,
    scan_verdict      text NOT NULL,
    classification    text NOT NULL,
    class_confidence  double precision NOT NULL,
    needs_review      boolean NOT NULL,
    pages             integer NOT NULL,
    chunks            integer NOT NULL,
    withheld          integer NOT NULL,
    account           jsonb,
    notes             text[] NOT NULL,
    embedding         text NOT NULL,
    finished_at       timestamptz,
    last_event_id     uuid,
    last_output       text NOT NULL
);
CREATE INDEX documents_by_state ON documents (state, doc_id);
CREATE INDEX documents_to_review ON documents (doc_id) WHERE needs_review;
CREATE INDEX documents_by_age ON documents (received_at, doc_id) INCLUDE (size) WHERE state <> 'erased';
CREATE INDEX documents_searchable ON documents (classification, received_at) WHERE active_generation <> '';

CREATE TABLE batches (
    batch_id        uuid PRIMARY KEY,
    subject         text NOT NULL,
    created_at      timestamptz NOT NULL,
    idempotency_key text NOT NULL,
    key_object      text NOT NULL,
    fingerprint     text NOT NULL,
    closed_at       timestamptz,
    completed_at    timestamptz
);
-- The same key of the same sender names one upload (promise 4).
CREATE UNIQUE INDEX batches_idempotency ON batches (subject, idempotency_key) WHERE idempotency_key <> '';

CREATE TABLE receipts (
    receipt_id  uuid PRIMARY KEY,
    batch_id    uuid NOT NULL REFERENCES batches,
    position    integer NOT NULL CHECK (position >= 0),
    outcome     text NOT NULL CHECK (outcome IN ('accepted', 'duplicate', 'rejected')),
    size        bigint NOT NULL,
    mime        text NOT NULL,
    created_at  timestamptz NOT NULL,
    doc_id      uuid,
    incarnation integer NOT NULL,
    file_id     text NOT NULL,
    sealed_name bytea NOT NULL,
    code        text NOT NULL,
    message     text NOT NULL,
    remedy      text NOT NULL,
    UNIQUE (batch_id, position)
);
CREATE INDEX receipts_of_document ON receipts (doc_id, batch_id) WHERE doc_id IS NOT NULL;

CREATE TABLE jobs (
    job_id       uuid PRIMARY KEY,
    doc_id       uuid NOT NULL UNIQUE,
    incarnation  integer NOT NULL,
    stage        text NOT NULL CHECK (stage IN ('scan', 'parse', 'policy', 'embed', 'index')),
    attempt      integer NOT NULL CHECK (attempt >= 0),
    fence        bigint NOT NULL CHECK (fence >= 0),
    not_before   timestamptz NOT NULL,
    leased_until timestamptz,
    worker       text NOT NULL,
    dead         boolean NOT NULL
);
CREATE INDEX jobs_by_urgency ON jobs (not_before, job_id) WHERE NOT dead;

CREATE TABLE chunks (
    doc_id          uuid NOT NULL,
    generation      text NOT NULL,
    ordinal         integer NOT NULL,
    chunk_id        uuid NOT NULL,
    page            integer NOT NULL,
    start           integer NOT NULL,
    "end"           integer NOT NULL,
    object_offset   bigint NOT NULL,
    object_length   bigint NOT NULL,
    withheld        boolean NOT NULL,
    injection_score double precision NOT NULL,
    pii             text[] NOT NULL,
    config_version  integer NOT NULL,
    PRIMARY KEY (doc_id, generation, ordinal)
);
CREATE UNIQUE INDEX chunks_by_id ON chunks (chunk_id);
CREATE INDEX chunks_withheld ON chunks (doc_id, generation) WHERE withheld;

CREATE TABLE configs (
    version    integer PRIMARY KEY,
    "values"   jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    actor      text NOT NULL
);

CREATE TABLE revocations (
    token_id   text PRIMARY KEY,
    revoked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    actor      text NOT NULL
);

CREATE TABLE erasures (
    erasure_id       uuid PRIMARY KEY,
    doc_id           uuid NOT NULL,
    incarnation      integer NOT NULL,
    requested_at     timestamptz NOT NULL,
    actor            text NOT NULL,
    reason           text NOT NULL,
    key_destroyed_at timestamptz,
    vectors_gone_at  timestamptz,
    event_id         uuid
);
CREATE INDEX erasures_of_document ON erasures (doc_id, requested_at);
CREATE INDEX erasures_unfinished ON erasures (requested_at) WHERE vectors_gone_at IS NULL;

CREATE TABLE handouts (
    export_id  uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    actor      text NOT NULL,
    kind       text NOT NULL,
    doc_ids    uuid[] NOT NULL
);
CREATE INDEX handouts_by_document ON handouts USING gin (doc_ids);

GRANT SELECT, INSERT, UPDATE, DELETE ON documents, batches, jobs, chunks, erasures TO frostbyte_writer;
-- What was answered, decided, revoked or handed out stays as it was.
GRANT SELECT, INSERT ON receipts, configs, revocations, handouts TO frostbyte_writer;
