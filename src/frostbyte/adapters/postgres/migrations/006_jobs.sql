-- What workers of one stage take next, and what a list of jobs shows.

CREATE INDEX jobs_by_stage ON jobs (stage, not_before, job_id) WHERE NOT dead;
