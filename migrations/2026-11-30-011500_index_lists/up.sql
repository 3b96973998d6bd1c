-- The conditions of lists that most rows do not fulfil.
CREATE INDEX runs_by_state ON runs (organization_id, state, id DESC);
CREATE INDEX runs_by_time ON runs (organization_id, queued_at);
CREATE INDEX runs_by_requester ON runs (organization_id, requested_by, id DESC);
CREATE INDEX audit_events_by_resource ON audit_events (organization_id, resource_id, id DESC);
CREATE INDEX audit_events_by_time ON audit_events (organization_id, at);
CREATE INDEX audit_events_by_actor ON audit_events (organization_id, actor, id DESC);
CREATE INDEX audit_events_by_action ON audit_events (organization_id, action, id DESC);
-- What happened to one object, in one run and in all.
CREATE INDEX run_changes_by_object ON run_changes (organization_id, object_id, run_id);
