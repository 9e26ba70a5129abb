-- Rebuilds of the index, and which documents went through the newest.

CREATE TABLE rebuilds (
    rebuild_id  uuid PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    actor       text NOT NULL,
    collection  text NOT NULL,
    finished_at timestamptz
);
-- One at a time.
CREATE UNIQUE INDEX rebuilds_open ON rebuilds ((true)) WHERE finished_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON rebuilds TO frostbyte_writer;

ALTER TABLE documents ADD COLUMN rebuild uuid;
CREATE INDEX documents_to_rebuild ON documents (received_at DESC, doc_id) WHERE active_generation <> '';

-- Filters are kept by the vector store.
DROP INDEX documents_searchable;
