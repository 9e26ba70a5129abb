-- A reviewer may decide that a withheld chunk stays withheld: it leaves the queue, and says so.

ALTER TABLE chunks ADD COLUMN kept boolean NOT NULL DEFAULT false;
DROP INDEX chunks_withheld;
CREATE INDEX chunks_withheld ON chunks (doc_id, generation, kept) WHERE withheld;
