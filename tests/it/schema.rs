//! `db/schema.rs` is the schema of the migrated database, and what is stored against it is not taken for something else.

use crate::support::postgres::{TestDatabase, connect};
use crate::support::test_app::TestApp;
use entra_assets::db::connect::Options;
use entra_assets::db::{migrate, runs};
use entra_assets::ids::{OrganizationId, RunId};
use entra_assets::postgres::RUNTIME_ROLE;
use serde_json::json;
use std::collections::BTreeSet;
use std::error::Error;

/// What Diesel calls a type of PostgreSQL.
fn diesel_type(name: &str) -> String {
    match name {
        "int4" => "Int4".to_owned(),
        "int8" => "Int8".to_owned(),
        "bool" | "bytea" | "jsonb" | "text" | "timestamptz" | "uuid" => {
            let (first, rest) = name.split_at(1);
            first.to_uppercase() + rest
        }
        array => match array.strip_prefix('_') {
            Some(element) => format!("Array<{}>", diesel_type(element)),
            None => panic!("the type {array} is new here"),
        },
    }
}

/// The lines of `schema.rs` in the form of [`database`].
fn declared(source: &str) -> BTreeSet<String> {
    let mut table = "";
    let mut found = BTreeSet::new();
    for line in source.lines().map(str::trim) {
        if let Some((name, key)) = line.strip_suffix(") {").and_then(|line| line.split_once(" (")) {
            table = name;
            found.insert(format!("{table} has the key {key}"));
        } else if let Some((column, kind)) = line.strip_suffix(',').and_then(|line| line.split_once(" -> ")) {
            found.insert(format!("{table}.{column} is {kind}"));
        }
    }
    found
}

/// Each column of the database with its type, and the key of each table.
async fn database(url: &str) -> BTreeSet<String> {
    const COLUMNS: &str = "
        SELECT relname::text, attname::text, typname::text, attnotnull
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_type ON pg_type.oid = atttypid
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
            AND relname <> '__diesel_schema_migrations'";
    const KEYS: &str = "
        SELECT relname::text, string_agg(attname::text, ', ' ORDER BY place)
        FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
        CROSS JOIN unnest(conkey) WITH ORDINALITY AS key(attnum, place)
        JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = key.attnum
        WHERE contype = 'p' AND relnamespace = 'public'::regnamespace AND relname <> '__diesel_schema_migrations'
        GROUP BY relname";
    let client = connect(url).await;
    let mut found = BTreeSet::new();
    for row in client.query(COLUMNS, &[]).await.unwrap() {
        let (table, column, kind): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let kind = diesel_type(kind);
        let kind = if row.get::<_, bool>(3) { kind } else { format!("Nullable<{kind}>") };
        found.insert(format!("{table}.{column} is {kind}"));
    }
    for row in client.query(KEYS, &[]).await.unwrap() {
        found.insert(format!("{} has the key {}", row.get::<_, &str>(0), row.get::<_, &str>(1)));
    }
    found
}

#[tokio::test]
async fn the_schema_in_the_code_is_that_of_the_migrated_database() {
    let app = TestApp::start().await;
    let urls = &app.world.database.urls;
    let in_code = declared(include_str!("../../src/db/schema.rs"));
    assert!(in_code.contains("runs.stage is Nullable<Text>") && in_code.len() > 200, "the code was not read");
    assert_eq!(in_code, database(&urls.superuser).await);

    let superuser = connect(&urls.superuser).await;
    superuser.batch_execute("ALTER TABLE runs ALTER COLUMN mode DROP NOT NULL").await.unwrap();
    let changed = database(&urls.superuser).await;
    let differing: Vec<&String> = changed.difference(&in_code).collect();
    assert_eq!(differing, ["runs.mode is Nullable<Text>"], "a difference would be found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_the_code_does_not_know_is_an_error_that_names_table_column_and_word() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    let run = app.queue(&job, &json!({"mode": "full"})).await;
    let superuser = connect(&app.world.database.urls.superuser).await;
    let change = "ALTER TABLE runs DROP CONSTRAINT runs_mode_check; UPDATE runs SET mode = 'sideways'";
    superuser.batch_execute(change).await.unwrap();
    let (organization, id) = (OrganizationId::DEFAULT, RunId(run.parse().unwrap()));
    let read = app.world.app.db.scoped(organization, async move |tx| runs::find(tx, organization, id).await).await;
    let error = read.unwrap_err();
    let (mut causes, mut next) = (String::new(), error.source());
    while let Some(cause) = next {
        causes.push_str(&format!("{cause}; "));
        next = cause.source();
    }
    assert!(causes.contains("runs.mode") && causes.contains("`sideways`") && causes.contains("dryRun"), "{causes}");
    app.get(&format!("/v1/runs/{run}")).await.problem(500, "internal");
}

/// Every column, index, rule and constraint of the database.
async fn everything(url: &str) -> BTreeSet<String> {
    const EVERYTHING: &str = "
        SELECT format('column %s.%s %s %s', table_name, column_name, data_type, coalesce(column_default, '-'))
            FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT format('policy %s.%s %s %s', tablename, policyname, qual, with_check) FROM pg_policies
        UNION ALL SELECT format('constraint %s.%s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace";
    let client = connect(url).await;
    client.query(EVERYTHING, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// What a migration leaves behind when it is reverted keeps it from being applied again, or stays for good.
#[tokio::test(flavor = "multi_thread")]
async fn every_migration_is_reverted_whole() {
    let database = TestDatabase::create().await;
    let options = Options::new(&database.urls.migrate.clone().into(), None).unwrap();
    let migrated = everything(&database.urls.superuser).await;
    let number = migrate::last(&options, usize::MAX).await.unwrap().len();
    assert!(number > 20, "only {number} migrations");
    for count in 1..=number {
        let reverted = migrate::down(&options, count).await.unwrap();
        let first = reverted.last().unwrap();
        assert_eq!(reverted.len(), count);
        migrate::up(&options, Some(RUNTIME_ROLE)).await.unwrap_or_else(|error| panic!("{first}: {error}"));
        assert_eq!(
            everything(&database.urls.superuser).await,
            migrated,
            "{first} changes something when it comes again"
        );
    }
}

/// A migration that is reverted changes the rows that the version before does not know, of every organization.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_an_older_version_does_not_know_are_gone_when_it_comes_back() {
    let app = TestApp::start().await;
    let job = app.create_job(&json!({})).await;
    assert_eq!(app.run(&job, &json!({"mode": "full"})).await["state"], "succeeded");
    let (superuser, options) = (
        connect(&app.world.database.urls.superuser).await,
        Options::new(&app.world.database.urls.migrate.clone().into(), None).unwrap(),
    );
    let changed = superuser.execute("UPDATE run_changes SET action = 'onlyInAssets', send = false", &[]).await.unwrap();
    assert!(changed > 0);
    superuser.execute("UPDATE connections SET credential_kind = 'awaited'", &[]).await.unwrap();
    while !migrate::down(&options, 1).await.unwrap()[0].contains("20261130004500") {}
    let row = superuser.query_one(
        "SELECT (SELECT count(*) FROM run_changes), (SELECT count(*) FROM connections WHERE credential_kind = 'federated')",
        &[],
    );
    let row = row.await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (0, 1));
}
