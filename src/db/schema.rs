//! The tables as Diesel knows them. `tests/it/schema.rs` compares this with the migrated database.

diesel::table! {
    api_keys (organization_id, id) {
        organization_id -> Uuid,
        id -> Uuid,
        name -> Text,
        scopes -> Array<Text>,
        secret_hash -> Bytea,
        expires_at -> Nullable<Timestamptz>,
        last_used_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        version -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    audit_events (organization_id, id) {
        organization_id -> Uuid,
        id -> Uuid,
        at -> Timestamptz,
        actor -> Text,
        action -> Text,
        resource_kind -> Text,
        resource_id -> Nullable<Uuid>,
        detail -> Jsonb,
        address -> Nullable<Text>,
    }
}

diesel::table! {
    connection_checks (organization_id, id) {
        organization_id -> Uuid,
        id -> Uuid,
        connection_id -> Uuid,
        checked_at -> Timestamptz,
        overall -> Text,
        report -> Jsonb,
    }
}

diesel::table! {
    connections (organization_id, id) {
        organization_id -> Uuid,
        id -> Uuid,
        name -> Text,
        tenant_id -> Text,
        client_id -> Uuid,
        cloud -> Text,
        credential_kind -> Text,
        credential_sealed -> Nullable<Bytea>,
        certificate_pem -> Nullable<Text>,
        credential_hint -> Nullable<Text>,
        credential_expires_at -> Nullable<Timestamptz>,
        credential_version -> Int8,
        version -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        expiry_announced -> Nullable<Int4>,
    }
}

diesel::table! {
    destinations (organization_id, id) {
        organization_id -> Uuid,
        id -> Uuid,
        name -> Text,
        kind -> Text,
        token_sealed -> Nullable<Bytea>,
        workspace_id -> Nullable<Text>,
        import_id -> Nullable<Text>,
        missing_objects -> Text,
        empty_values -> Text,
        reference_template -> Text,
        api_site_url -> Nullable<Text>,
        api_email -> Nullable<Text>,
        api_token_sealed -> Nullable<Bytea>,
        version -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        delivered_at -> Nullable<Timestamptz>,
        delivered -> Jsonb,
        token_hash -> Nullable<Bytea>,
        import_source -> Nullable<Text>,
    }
}

diesel::table! {
    executions (organization_id, run_id, id) {
        organization_id -> Uuid,
        run_id -> Uuid,
        id -> Uuid,
        state -> Text,
        links_sealed -> Nullable<Bytea>,
        execution_id -> Nullable<Text>,
        acknowledged_seq -> Int8,
        sending_seq -> Nullable<Int8>,
        sending_id -> Nullable<Text>,
        chunks -> Int4,
        entries -> Jsonb,
        result -> Nullable<Jsonb>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        repeated -> Jsonb,
        destination_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    filters (organization_id, id) {
        organization_id -> Uuid,
        id -> Uuid,
        name -> Text,
        rule -> Jsonb,
        version -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    forge_tokens (organization_id, installation_id) {
        organization_id -> Uuid,
        installation_id -> Text,
        token_sealed -> Bytea,
        id -> Uuid,
        api_base_url -> Text,
        expires_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    handovers (organization_id, id) {
        organization_id -> Uuid,
        id -> Uuid,
        connection_id -> Uuid,
        secret_hash -> Bytea,
        expires_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
        attempts -> Int4,
        used_at -> Nullable<Timestamptz>,
        version -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    idempotency_keys (organization_id, key, method, path) {
        organization_id -> Uuid,
        key -> Text,
        method -> Text,
        path -> Text,
        body_hash -> Bytea,
        status -> Nullable<Int4>,
        resource_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    jira_users (organization_id, job_id, user_id) {
        organization_id -> Uuid,
        job_id -> Uuid,
        user_id -> Uuid,
        mail -> Nullable<Text>,
        user_principal_name -> Nullable<Text>,
        account -> Nullable<Text>,
        outcome -> Text,
        reason -> Nullable<Text>,
        changed -> Bool,
        run_id -> Uuid,
        looked_at -> Timestamptz,
        attribute -> Text,
        rewrite -> Bool,
    }
}

diesel::table! {
    jobs (organization_id, id) {
        organization_id -> Uuid,
        id -> Uuid,
        name -> Text,
        connection_id -> Nullable<Uuid>,
        filter_id -> Nullable<Uuid>,
        destination_id -> Nullable<Uuid>,
        objects -> Jsonb,
        memberships -> Text,
        deliver -> Text,
        removal_policy -> Text,
        removal_after_missing_runs -> Int4,
        brake_percent -> Int4,
        schedule_cron -> Nullable<Text>,
        schedule_timezone -> Nullable<Text>,
        schedule_enabled -> Bool,
        schedule_next_at -> Nullable<Timestamptz>,
        schedule_paused_reason -> Nullable<Text>,
        deleting_at -> Nullable<Timestamptz>,
        version -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        schedule_mode -> Text,
        schedule_full_cron -> Nullable<Text>,
        schedule_full_next_at -> Nullable<Timestamptz>,
        schedule_retry_attempts -> Int4,
        schedule_retry_minutes -> Int4,
    }
}

diesel::table! {
    mirror_delivered (organization_id, job_id, object_type, id) {
        organization_id -> Uuid,
        job_id -> Uuid,
        object_type -> Text,
        id -> Uuid,
        hash -> Bytea,
        payload -> Text,
        label -> Nullable<Text>,
        missing_runs -> Int4,
        missing_reason -> Nullable<Text>,
        marked -> Bool,
        delivered_at -> Timestamptz,
    }
}

diesel::table! {
    mirror_dropped (organization_id, job_id, object_type, id) {
        organization_id -> Uuid,
        job_id -> Uuid,
        object_type -> Text,
        id -> Uuid,
        number -> Int4,
    }
}

diesel::table! {
    mirror_left_out (organization_id, job_id, object_type, id) {
        organization_id -> Uuid,
        job_id -> Uuid,
        object_type -> Text,
        id -> Uuid,
    }
}

diesel::table! {
    mirror_links (organization_id, job_id, target_id, object_type, id) {
        organization_id -> Uuid,
        job_id -> Uuid,
        target_id -> Uuid,
        object_type -> Text,
        id -> Uuid,
    }
}

diesel::table! {
    mirror_members (organization_id, job_id, group_id, member_type, part) {
        organization_id -> Uuid,
        job_id -> Uuid,
        group_id -> Uuid,
        member_type -> Text,
        part -> Int4,
        member_ids -> Array<Uuid>,
        hash -> Bytea,
    }
}

diesel::table! {
    mirror_objects (organization_id, job_id, object_type, id) {
        organization_id -> Uuid,
        job_id -> Uuid,
        object_type -> Text,
        id -> Uuid,
        hash -> Bytea,
        data -> Text,
    }
}

diesel::table! {
    mirror_scope_members (organization_id, job_id, group_id, member_type, part) {
        organization_id -> Uuid,
        job_id -> Uuid,
        group_id -> Uuid,
        member_type -> Text,
        part -> Int4,
        member_ids -> Array<Uuid>,
    }
}

diesel::table! {
    mirror_touched (organization_id, job_id, object_type, id) {
        organization_id -> Uuid,
        job_id -> Uuid,
        object_type -> Text,
        id -> Uuid,
        arrived -> Bool,
        came -> Array<Uuid>,
        went -> Array<Uuid>,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    mirrors (organization_id, job_id) {
        organization_id -> Uuid,
        job_id -> Uuid,
        tenant_id -> Nullable<Uuid>,
        selection_hash -> Nullable<Bytea>,
        generation -> Int8,
        read_at -> Nullable<Timestamptz>,
        full_read_at -> Nullable<Timestamptz>,
        users_delta_sealed -> Nullable<Bytea>,
        groups_delta_sealed -> Nullable<Bytea>,
        delivered_to -> Nullable<Uuid>,
        delivered_at -> Nullable<Timestamptz>,
        updated_at -> Timestamptz,
        resend -> Array<Text>,
        import_source -> Nullable<Text>,
        destination_version -> Nullable<Int8>,
        compared_by -> Nullable<Bytea>,
        touched_generation -> Nullable<Int8>,
        links_generation -> Nullable<Int8>,
        counters -> Jsonb,
        left_out_generation -> Nullable<Int8>,
    }
}

diesel::table! {
    organizations (organization_id) {
        organization_id -> Uuid,
        name -> Text,
        external_id -> Nullable<Text>,
        version -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleting_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    removed_installations (external_id) {
        external_id -> Text,
        removed_at -> Timestamptz,
    }
}

diesel::table! {
    run_changes (organization_id, run_id, seq) {
        organization_id -> Uuid,
        run_id -> Uuid,
        seq -> Int8,
        object_type -> Text,
        object_id -> Uuid,
        label -> Nullable<Text>,
        action -> Text,
        reason -> Nullable<Text>,
        send -> Bool,
        hash -> Nullable<Bytea>,
        before -> Nullable<Text>,
        after -> Nullable<Text>,
        assets_keys -> Nullable<Array<Text>>,
        writes_identity -> Bool,
        missing_before -> Bool,
    }
}

diesel::table! {
    run_cursors (organization_id, run_id, collection, part) {
        organization_id -> Uuid,
        run_id -> Uuid,
        collection -> Text,
        part -> Text,
        next_link -> Nullable<Text>,
        done -> Bool,
        pages -> Int4,
    }
}

diesel::table! {
    run_events (organization_id, run_id, id) {
        organization_id -> Uuid,
        run_id -> Uuid,
        id -> Int8,
        event -> Text,
        data -> Jsonb,
        at -> Timestamptz,
    }
}

diesel::table! {
    runs (organization_id, id) {
        organization_id -> Uuid,
        id -> Uuid,
        job_id -> Uuid,
        mode -> Text,
        request -> Jsonb,
        requested_by -> Text,
        state -> Text,
        stage -> Nullable<Text>,
        wait_reason -> Nullable<Text>,
        run_after -> Timestamptz,
        lease_token -> Nullable<Uuid>,
        lease_expires_at -> Nullable<Timestamptz>,
        worker_id -> Nullable<Uuid>,
        attempt -> Int4,
        cancel_requested_at -> Nullable<Timestamptz>,
        approved_at -> Nullable<Timestamptz>,
        approval_expires_at -> Nullable<Timestamptz>,
        checkpoint -> Jsonb,
        progress -> Nullable<Jsonb>,
        counts -> Jsonb,
        warnings -> Jsonb,
        error -> Nullable<Jsonb>,
        last_event_id -> Int8,
        version -> Int8,
        queued_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
        updated_at -> Timestamptz,
        cleared_at -> Nullable<Timestamptz>,
        degraded -> Bool,
        attempts_in_vain -> Int4,
        reached -> Nullable<Text>,
    }
}

diesel::table! {
    staged_members (organization_id, run_id, group_id, member_type, part) {
        organization_id -> Uuid,
        run_id -> Uuid,
        group_id -> Uuid,
        member_type -> Text,
        part -> Int4,
        member_ids -> Nullable<Array<Uuid>>,
        hash -> Bytea,
    }
}

diesel::table! {
    staged_objects (organization_id, run_id, object_type, id) {
        organization_id -> Uuid,
        run_id -> Uuid,
        object_type -> Text,
        id -> Uuid,
        hash -> Bytea,
        data -> Nullable<Text>,
    }
}

diesel::table! {
    tickets (organization_id, hash) {
        organization_id -> Uuid,
        hash -> Bytea,
        path -> Text,
        expires_at -> Timestamptz,
        api_key_id -> Nullable<Uuid>,
        token_ends_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    webhook_deliveries (organization_id, id) {
        organization_id -> Uuid,
        id -> Uuid,
        webhook_id -> Uuid,
        body -> Jsonb,
        attempt -> Int4,
        run_after -> Timestamptz,
        delivered_at -> Nullable<Timestamptz>,
        failed_at -> Nullable<Timestamptz>,
        last_error -> Nullable<Text>,
        created_at -> Timestamptz,
        event -> Text,
        run_id -> Nullable<Uuid>,
        lease_token -> Nullable<Uuid>,
        last_status -> Nullable<Int4>,
    }
}

diesel::table! {
    webhooks (organization_id, id) {
        organization_id -> Uuid,
        id -> Uuid,
        name -> Text,
        url -> Text,
        events -> Array<Text>,
        secret_sealed -> Nullable<Bytea>,
        enabled -> Bool,
        version -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        previous_secret_sealed -> Nullable<Bytea>,
        previous_secret_until -> Nullable<Timestamptz>,
        job_ids -> Nullable<Array<Uuid>>,
    }
}

diesel::table! {
    graph_quotas (application_id, tenant_id, service) {
        application_id -> Uuid,
        tenant_id -> Text,
        service -> Text,
        state -> Nullable<Jsonb>,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    workers (id) {
        id -> Uuid,
        host -> Text,
        process_id -> Int4,
        version -> Text,
        capacity -> Int4,
        running -> Int4,
        started_at -> Timestamptz,
        seen_at -> Timestamptz,
        presence -> Nullable<Int8>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    api_keys,
    audit_events,
    connection_checks,
    connections,
    destinations,
    executions,
    filters,
    forge_tokens,
    graph_quotas,
    handovers,
    idempotency_keys,
    jira_users,
    jobs,
    mirror_delivered,
    mirror_dropped,
    mirror_left_out,
    mirror_links,
    mirror_members,
    mirror_objects,
    mirror_scope_members,
    mirror_touched,
    mirrors,
    organizations,
    removed_installations,
    run_changes,
    run_cursors,
    run_events,
    runs,
    staged_members,
    staged_objects,
    tickets,
    webhook_deliveries,
    webhooks,
    workers
);
