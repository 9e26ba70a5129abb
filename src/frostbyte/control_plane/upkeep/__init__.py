"""The days after: a tenant that stands is scaled, updated, repaired, backed up, refreshed, given new keys."""
