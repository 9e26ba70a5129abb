-- What witnesses, the ledger first, added to checkpoints after they were signed.

-- No foreign key, as with the events: who adds one has looked the checkpoint up.
CREATE TABLE audit_cosignatures (
    size       bigint NOT NULL,
    witness    text NOT NULL,
    line       text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (size, witness)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_cosignatures
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_cosignatures ENABLE ALWAYS TRIGGER append_only;
GRANT SELECT, INSERT ON audit_cosignatures TO frostbyte_writer;
