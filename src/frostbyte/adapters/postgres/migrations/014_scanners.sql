-- What each scanner last said of its signatures. Workers scan and the gateway takes uploads, on other hosts: it learns here
-- how old signatures are. Nothing of it is worth keeping: what is not told anew is forgotten.

CREATE TABLE scanners (
    name    text PRIMARY KEY CHECK (name <> '' AND length(name) <= 200),
    made_at timestamptz,
    seen_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON scanners TO frostbyte_writer;
