-- Which of the control plane's configurations the plane has taken. It never takes an older one again.

ALTER TABLE plane_standing ADD COLUMN config_version bigint NOT NULL DEFAULT 0 CHECK (config_version >= 0);
