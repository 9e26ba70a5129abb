-- What a reviewer needs to decide a document's class.
ALTER TABLE documents
    ADD COLUMN class_second text NOT NULL DEFAULT '',
    ADD COLUMN class_second_confidence double precision NOT NULL DEFAULT 0,
    ADD COLUMN class_reasons text[] NOT NULL DEFAULT '{}';
