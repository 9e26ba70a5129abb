-- A tenant's history is asked for from its newest event on.

CREATE INDEX audit_events_by_tenant ON audit_events (tenant_id, timestamp, event_id);
