//! From the embedded PostgreSQL to a separate one.

use crate::support::postgres::{TestDatabase, connect};
use crate::support::service::Plan;
use crate::support::world::World;
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::seed::SeedOptions;
use rustix::process::Signal;
use std::process::Stdio;
use tokio::process::Command;

async fn run(plan: &Plan, arguments: &[&str], target: &TestDatabase) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entra-assets"));
    command.args(arguments).env_remove("DATABASE_URL").envs(plan.environment().iter().cloned());
    command.env("DATABASE_URL", &target.urls.runtime).env("ENTRA_ASSETS_MIGRATE_URL", &target.urls.migrate);
    let output = command.stdin(Stdio::null()).output().await.unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_database_is_moved_whole_into_an_empty_one() {
    let seed = SeedOptions { users: 30, groups: 5, ..SeedOptions::default() };
    let outside = World::bare(seed, AssetsOptions::default()).await;
    let (embedded, target) = (Plan::new(&outside.graph, &outside.assets, &[]), TestDatabase::create_empty().await);
    let (content, said) = run(&embedded, &["move-database"], &target).await;
    assert!(!content && said.contains("has no embedded database"), "{said}");

    let mut service = embedded.start().await;
    let job = service.add_job(&outside.graph, &outside.assets).await;
    let run_id = service.start_run(&job).await;
    assert_eq!(service.ended(&run_id).await["state"], "succeeded");
    let (content, said) = run(&embedded, &["move-database"], &target).await;
    assert!(!content && said.contains("already uses the data directory"), "{said}");
    service.signal(Signal::TERM);
    service.exit().await;

    let (content, said) = run(&embedded, &["move-database"], &target).await;
    assert!(content && said.contains("secrets, all of which can be decrypted"), "{said}");
    let key_file = embedded.data_dir().join("master-key");
    assert!(said.contains(&format!("ENTRA_ASSETS_MASTER_KEY_FILE={}", key_file.display())), "{said}");
    let superuser = connect(&target.urls.superuser).await;
    let members: i64 = superuser.query_one("SELECT count(*) FROM mirror_members", &[]).await.unwrap().get(0);
    assert!(members > 0, "{said}");
    let unforced = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND relname <> '__diesel_schema_migrations' AND NOT (relrowsecurity AND relforcerowsecurity)";
    assert!(superuser.query(unforced, &[]).await.unwrap().is_empty(), "row-level security is forced again");
    let (content, said) = run(&embedded, &["move-database"], &target).await;
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
