DROP INDEX runs_by_state, runs_by_time, runs_by_requester, audit_events_by_resource, audit_events_by_time,
    audit_events_by_actor, audit_events_by_action, run_changes_by_object;
