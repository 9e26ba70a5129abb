-- What people look through begins with the newest: uploads by their ids, which begin with a time, documents by theirs.

CREATE INDEX batches_by_subject ON batches (subject, batch_id);
CREATE INDEX batches_open ON batches (batch_id) WHERE completed_at IS NULL;
CREATE INDEX documents_newest ON documents (received_at, doc_id);
CREATE INDEX documents_newest_by_state ON documents (state, received_at, doc_id);
