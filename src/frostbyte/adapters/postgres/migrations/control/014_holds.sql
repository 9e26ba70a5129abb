-- How many legal holds a plane last said to have: one that answers no more must not be removed for that.

ALTER TABLE standings ADD COLUMN holds integer NOT NULL DEFAULT 0 CHECK (holds >= 0);
