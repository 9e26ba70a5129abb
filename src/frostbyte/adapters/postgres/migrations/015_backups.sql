-- Runs of the backup: a destruction receipt says from them since when a key is in no backup any more.

CREATE TABLE backup_runs (
    run_id       uuid PRIMARY KEY,
    repository   uuid NOT NULL,
    begun_at     timestamptz NOT NULL,
    keys_read_at timestamptz,
    mirrored_at  timestamptz,
    snapshot     text NOT NULL DEFAULT '',
    ended_at     timestamptz,
    verified_at  timestamptz,
    code         text NOT NULL DEFAULT ''
);
CREATE INDEX backup_runs_by_keys ON backup_runs (keys_read_at) WHERE keys_read_at IS NOT NULL;
CREATE INDEX backup_runs_by_snapshot ON backup_runs (snapshot) WHERE snapshot <> '';
GRANT SELECT, INSERT, UPDATE ON backup_runs TO frostbyte_writer;
