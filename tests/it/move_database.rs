//! From the embedded PostgreSQL to a separate one.

use crate::support::postgres::{TestDatabase, connect};
use crate::support::service::Plan;
use crate::support::world::World;
use entra_assets::seal::KeyRing;
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::seed::SeedOptions;
use rustix::process::Signal;
use secrecy::ExposeSecret;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use tokio::process::Command;

fn command(plan: &Plan, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entra-assets"));
    command.args(arguments).env_remove("DATABASE_URL").envs(plan.environment().iter().cloned());
    command.env_remove("ENTRA_ASSETS_ADMIN_KEY").stdin(Stdio::null());
    command
}

async fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().await.unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), text)
}

fn moving(plan: &Plan, target: &TestDatabase) -> Command {
    let mut command = command(plan, &["move-database"]);
    command.env("DATABASE_URL", &target.urls.runtime).env("ENTRA_ASSETS_MIGRATE_URL", &target.urls.migrate);
    command
}

async fn run(plan: &Plan, target: &TestDatabase) -> (bool, String) {
    said(&mut moving(plan, target)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_database_is_moved_whole_into_an_empty_one() {
    let seed = SeedOptions { users: 30, groups: 5, ..SeedOptions::default() };
    let outside = World::bare(seed, AssetsOptions::default()).await;
    let (embedded, target) = (Plan::new(&outside.graph, &outside.assets, &[]), TestDatabase::create_empty().await);
    let (content, said) = run(&embedded, &target).await;
    assert!(!content && said.contains("has no embedded database"), "{said}");

    let mut service = embedded.start().await;
    let job = service.add_job(&outside.graph, &outside.assets).await;
    let run_id = service.start_run(&job).await;
    assert_eq!(service.ended(&run_id).await["state"], "succeeded");
    let (content, said) = run(&embedded, &target).await;
    assert!(!content && said.contains("already uses the data directory"), "{said}");
    service.signal(Signal::TERM);
    service.exit().await;

    let mut with_another_key = moving(&embedded, &target);
    with_another_key.env("ENTRA_ASSETS_MASTER_KEY", KeyRing::generate().expose_secret());
    let (content, said) = self::said(&mut with_another_key).await;
    assert!(!content && said.contains("nothing was copied: not every secret can be decrypted"), "{said}");

    let (content, said) = run(&embedded, &target).await;
    assert!(content && said.contains("secrets, all of which can be decrypted"), "{said}");
    let key_file = embedded.data_dir().join("master-key");
    assert!(said.contains(&format!("ENTRA_ASSETS_MASTER_KEY_FILE={}", key_file.display())), "{said}");
    assert!(!said.contains("ENTRA_ASSETS_ADMIN_KEY_FILE"), "there is no such file\n{said}");
    let superuser = connect(&target.urls.superuser).await;
    let members: i64 = superuser.query_one("SELECT count(*) FROM mirror_members", &[]).await.unwrap().get(0);
    assert!(members > 0, "{said}");
    let unforced = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname <> '__diesel_schema_migrations' AND NOT (relrowsecurity AND relforcerowsecurity)";
    assert!(superuser.query(unforced, &[]).await.unwrap().is_empty(), "row-level security is forced again");
    let (content, said) = run(&embedded, &target).await;
    assert!(!content && said.contains("The target is not empty"), "{said}");

    // The service goes on where it stopped: with its secrets, its keys and its mirror.
    let key_file = key_file.to_str().unwrap();
    let settings = [
        ("DATABASE_URL", target.urls.runtime.as_str()),
        ("ENTRA_ASSETS_MIGRATE_URL", target.urls.migrate.as_str()),
        ("ENTRA_ASSETS_MASTER_KEY_FILE", key_file),
    ];
    let separate = Plan::new(&outside.graph, &outside.assets, &settings);
    let mut service = separate.start().await;
    assert_eq!(service.get(&format!("/v1/runs/{run_id}")).await.unwrap()["state"], "succeeded");
    let again = service.start_run(&job).await;
    let again = service.ended(&again).await;
    assert_eq!((&again["state"], &again["counts"]["users"]["created"]), (&"succeeded".into(), &0.into()), "{again}");
    service.signal(Signal::TERM);
    service.exit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_of_an_older_version_is_not_changed() {
    let outside =
        World::bare(SeedOptions { users: 1, groups: 1, ..SeedOptions::default() }, AssetsOptions::default()).await;
    let (embedded, target) = (Plan::new(&outside.graph, &outside.assets, &[]), TestDatabase::create_empty().await);
    for arguments in [["migrate"].as_slice(), &["migrate", "--down", "1", "--yes"]] {
        let (content, said) = self::said(&mut command(&embedded, arguments)).await;
        assert!(content, "{said}");
    }
    fs::write(embedded.data_dir().join("master-key"), KeyRing::generate().expose_secret()).unwrap();
    let admin_key = embedded.data_dir().join("admin-key");
    fs::write(&admin_key, "a-key-of-the-operator").unwrap();
    for path in ["master-key", "admin-key"].map(|name| embedded.data_dir().join(name)) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let (content, said) = run(&embedded, &target).await;
    assert!(!content && said.contains("the tables of an older version"), "{said}");
    let tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    let superuser = connect(&target.urls.superuser).await;
    assert_eq!(superuser.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), 0, "the target is as it was");

    let (content, said) = self::said(&mut command(&embedded, &["migrate"])).await;
    assert!(content && said.lines().filter(|line| line.starts_with("migration applied")).count() == 1, "{said}");
    let (content, said) = run(&embedded, &target).await;
    assert!(content && said.contains(&format!("ENTRA_ASSETS_ADMIN_KEY_FILE={}", admin_key.display())), "{said}");
}
