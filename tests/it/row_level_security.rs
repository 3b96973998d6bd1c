//! Row-level security: for every table, code that does not say whose rows it works on sees and writes nothing.

use crate::support::postgres::connect;
use crate::support::test_app::TestApp;
use crate::support::world::ORGANIZATION;
use serde_json::json;
use tokio_postgres::Client;

/// Of migrations, not of an organization.
const OF_NOBODY: &str = "__diesel_schema_migrations";
const AUDIT_LOG: &str = "audit_events";

async fn texts(client: &Client, query: &str) -> Vec<String> {
    client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn tables(client: &Client) -> Vec<String> {
    let query = format!(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
            AND relkind IN ('r', 'p') AND relname <> '{OF_NOBODY}' ORDER BY relname"
    );
    texts(client, &query).await
}

/// Tables whose rule is missing or does not bind their owner.
async fn unprotected(client: &Client) -> Vec<String> {
    let query = format!(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
            AND relkind IN ('r', 'p') AND relname <> '{OF_NOBODY}'
            AND NOT (relrowsecurity AND relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid))
         ORDER BY relname"
    );
    texts(client, &query).await
}

async fn number(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.unwrap().get(0)
}

/// A service in which as many tables as possible have rows.
async fn filled() -> TestApp {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    app.create_filter(&json!({"name": "All"})).await;
    app.create("/v1/api-keys", &json!({"name": "Script", "scopes": ["read"]})).await;
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_that_works_cannot_change_what_the_audit_log_says() {
    let app = filled().await;
    let runtime = connect(&app.world.database.urls.runtime).await;
    runtime.batch_execute("BEGIN; SET LOCAL entra_assets.system = 'on'").await.unwrap();
    assert!(number(&runtime, "SELECT count(*) FROM audit_events").await > 0);
    let error = runtime.batch_execute("UPDATE audit_events SET actor = 'nobody'").await.unwrap_err();
    assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_organization_no_table_shows_or_takes_a_row() {
    let app = filled().await;
    let (all, runtime) =
        (connect(&app.world.database.urls.superuser).await, connect(&app.world.database.urls.runtime).await);
    let mut filled = 0;
    for table in tables(&all).await {
        filled += usize::from(number(&all, &format!("SELECT count(*) FROM {table}")).await > 0);
        for organization in [None, Some("01900000-0000-7000-8000-00000000ffff")] {
            runtime.batch_execute("BEGIN").await.unwrap();
            if let Some(other) = organization {
                runtime.batch_execute(&format!("SET LOCAL entra_assets.organization = '{other}'")).await.unwrap();
            }
            let what = format!("{table}, organization {organization:?}");
            assert_eq!(number(&runtime, &format!("SELECT count(*) FROM {table}")).await, 0, "{what}");
            let column = &texts(
                &all,
                &format!("SELECT attname::text FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum = 1"),
            )
            .await[0];
            // The audit log can be changed for no organization at all.
            if table != AUDIT_LOG {
                let update = format!("UPDATE {table} SET {column} = {column}");
                assert_eq!(runtime.execute(&update, &[]).await.unwrap(), 0, "{what}");
            }
            assert_eq!(runtime.execute(&format!("DELETE FROM {table}"), &[]).await.unwrap(), 0, "{what}");
            let row = json!({"organization_id": ORGANIZATION}).to_string();
            let insert =
                format!("INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, $1::text::jsonb)).*");
            let refused = runtime.execute(&insert, &[&row]).await.unwrap_err();
            let message = refused.as_db_error().map_or("", |error| error.message());
            assert!(message.contains("row-level security"), "{what}: {refused:?}");
            runtime.batch_execute("ROLLBACK").await.unwrap();
        }
    }
    assert!(filled >= 12, "only {filled} tables have rows, so little was shown");
}

#[tokio::test]
async fn a_table_without_a_rule_is_found() {
    let app = TestApp::start().await;
    let owner = connect(&app.world.database.urls.migrate).await;
    assert_eq!(unprotected(&owner).await, Vec::<String>::new());
    owner.batch_execute("CREATE TABLE forgotten (organization_id uuid PRIMARY KEY)").await.unwrap();
    assert_eq!(unprotected(&owner).await, ["forgotten"]);
    owner.batch_execute("ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY").await.unwrap();
    assert_eq!(unprotected(&owner).await, ["forgotten"], "it does not bind the owner");
}

#[tokio::test]
async fn the_role_that_works_cannot_bypass_the_rule() {
    let app = TestApp::start().await;
    let runtime = connect(&app.world.database.urls.runtime).await;
    let query = "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)";
    assert_eq!(number(&runtime, query).await, 0);
    let owned = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND pg_get_userbyid(relowner) = current_user";
    assert_eq!(number(&runtime, owned).await, 0);
    for statement in ["ALTER TABLE filters DISABLE ROW LEVEL SECURITY", "DROP POLICY own_organization ON filters"] {
        assert!(runtime.batch_execute(statement).await.is_err(), "{statement}");
    }
}
