//! Many customers and two processes of the service: nobody waits for another, and the database grows as reckoned.

use super::watch::{ask, deliveries, ended, stop, told, until_none, waits, watch};
use super::world::Customers;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Runs that two processes execute at the same time.
const WORKERS: i64 = 8;
/// Enough on a busy machine.
const SOON: Duration = Duration::from_secs(120);
const LATER: Duration = Duration::from_secs(540);

#[tokio::test(flavor = "multi_thread")]
async fn of_many_organizations_none_waits_for_one_with_many_jobs() {
    let customers = Customers::with([8].into_iter().chain([1; 20])).await;
    let many = format!("organization_id = '{}'", customers.organizations[0].id);
    customers.make_due("many", &many, 0, 0).await;
    customers.make_due("others", &format!("NOT {many}"), 0, 0).await;
    let plans = [customers.plan(), customers.plan()];
    let services = [plans[0].start().await, plans[1].start().await];
    let asked = CancellationToken::new();
    let asking = ask(&customers, &plans, asked.clone());
    for phase in ["others", "many"] {
        ended(&customers, phase, SOON).await;
    }
    told(&customers, SOON).await;
    asked.cancel();
    assert!(!asking.await.unwrap().is_empty());
    let (of_others, of_many) = (waits(&customers, "others", "true").await, waits(&customers, "many", "true").await);
    println!("others: {of_others}\nmany: {of_many}");
    assert_eq!((of_others.runs, of_others.not_succeeded, of_many.runs, of_many.not_succeeded), (20, 0, 8, 0));
    // Its first run, and what workers that had nothing else to do took.
    let before = format!(
        "SELECT count(*) FROM runs WHERE {many} AND started_at < (SELECT max(started_at) FROM runs WHERE NOT {many})"
    );
    let before = customers.number(&before).await;
    assert!(before <= WORKERS, "{before} of its runs went before those of others");
    let (told, untold, _) = deliveries(&customers).await;
    assert_eq!((told, untold), (28, 0));
    assert_eq!(customers.receiver.received_requests().await.unwrap().len(), 28);
    stop(services).await;
}

const ORGANIZATIONS: usize = 1_000;
const JOBS_OF_EACH: usize = 5;
/// Jobs that one organization has beside, and that are all due at the same moment.
const AT_ONCE: usize = 100;
/// Of the jobs of each organization, so many are due once an hour, and the others once a day.
const HOURLY: usize = 2;
/// An hour, compressed to so many seconds: what is due within an hour is due within these.
const HOUR: u32 = 300;
/// Seconds between two looks of a process at its schedules.
const LOOK: f64 = 15.0;
/// What is reckoned in bytes, with indexes (docs/SCALE.md): for a run, and for an object that is imported the first time.
const OF_A_RUN: i64 = 15_000;
const OF_AN_OBJECT: i64 = 2_700;

/// The jobs with their places among those of their organization.
const PLACED: &str = "SELECT id, row_number() OVER (PARTITION BY organization_id ORDER BY id) AS place FROM jobs";

/// The first jobs of each organization.
fn first_jobs(number: usize) -> String {
    format!("id IN (SELECT id FROM ({PLACED}) placed WHERE place <= {number})")
}

/// The jobs that are due within an hour: the hourly ones, and a twenty-fourth of the daily ones.
fn jobs_of_an_hour() -> String {
    format!(
        "id IN (SELECT id FROM (
            SELECT id, place, row_number() OVER (PARTITION BY place BETWEEN {HOURLY} + 1 AND {JOBS_OF_EACH} ORDER BY id) AS turn
            FROM ({PLACED}) placed) turns
         WHERE place <= {HOURLY} OR (place <= {JOBS_OF_EACH} AND turn % 24 = 0))"
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes: make soak"]
async fn soak_an_hour_of_a_thousand_organizations() {
    let many = JOBS_OF_EACH + AT_ONCE;
    let customers = Customers::with([many].into_iter().chain(vec![JOBS_OF_EACH; ORGANIZATIONS - 1])).await;
    let empty = customers.bytes().await;
    println!(
        "| {ORGANIZATIONS} organizations, {} jobs: bytes | {empty} |",
        customers.number("SELECT count(*) FROM jobs").await
    );

    // Every organization has one job due, all at the same moment.
    customers.make_due("first", &first_jobs(1), 0, 0).await;
    let plans = [customers.plan(), customers.plan()];
    let begun = customers.clock.instant();
    let services = [plans[0].start().await, plans[1].start().await];
    let over = CancellationToken::new();
    let (asking, watching) = (ask(&customers, &plans, over.clone()), watch(&customers, over.clone()));
    ended(&customers, "first", LATER).await;
    let seconds = customers.clock.elapsed_since(begun).as_secs_f64();
    let first = waits(&customers, "first", "true").await;
    println!("| all due at once: runs a second | {:.1} |\n| {first} |", first.runs as f64 / seconds);
    assert_eq!((first.runs, first.not_succeeded), (ORGANIZATIONS as i64, 0));

    // An hour, and in its middle a hundred jobs of one organization at once.
    let (bytes, objects, runs) = (customers.bytes().await, objects(&customers).await, runs(&customers).await);
    customers.make_due("hour", &jobs_of_an_hour(), 0, HOUR).await;
    customers.make_due("at once", &format!("NOT {}", first_jobs(JOBS_OF_EACH)), HOUR / 2, 0).await;
    for phase in ["hour", "at once"] {
        ended(&customers, phase, LATER).await;
    }
    told(&customers, SOON).await;
    over.cancel();
    let (hour, at_once) = (waits(&customers, "hour", "true").await, waits(&customers, "at once", "true").await);
    let moment = "(SELECT min(at) FROM test.due WHERE phase = 'at once')";
    let before = format!("at BETWEEN {moment} - interval '1 minute' AND {moment}");
    let beside = format!("at BETWEEN {moment} AND {moment} + interval '1 minute'");
    let (before, beside) = (waits(&customers, "hour", &before).await, waits(&customers, "hour", &beside).await);
    for (what, waits) in [("hour", &hour), ("before", &before), ("beside", &beside), ("at once", &at_once)] {
        println!("| {what} | {waits} |");
    }
    let of_an_hour = ORGANIZATIONS * HOURLY + ORGANIZATIONS * (JOBS_OF_EACH - HOURLY) / 24;
    assert_eq!((hour.runs, hour.not_succeeded), (of_an_hour as i64, 0));
    assert_eq!((at_once.runs, at_once.not_succeeded), (AT_ONCE as i64, 0));
    let (told, untold, told_p99) = deliveries(&customers).await;
    println!("| webhooks told: number, p99 s | {told}, {told_p99:.2} |");
    let (took, (longest, statement)) = (asking.await.unwrap(), watching.await.unwrap());
    let list_p99 = took[took.len() * 99 / 100];
    println!("| lists: number, p99, longest | {}, {list_p99:?}, {:?} |", took.len(), took[took.len() - 1]);
    println!("| longest statement | {longest:.3} s | {statement}");
    for service in &services {
        let (seconds, peak) = service.used();
        println!("| a process: CPU s, peak MB | {seconds:.1}, {} |", peak / 1_000_000);
    }
    let sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename <> current_user";
    println!("| sessions of both processes | {} |", customers.number(sessions).await);
    let (asked, runs_now) = (customers.graph.counters(), self::runs(&customers).await);
    println!("| requests to Graph for a run | {:.1} |", asked.requests as f64 / runs_now as f64);

    let (more, objects, runs) =
        (customers.bytes().await - bytes, self::objects(&customers).await - objects, runs_now - runs);
    let reckoned = runs * OF_A_RUN + objects * OF_AN_OBJECT;
    println!("| bytes of {runs} runs and {objects} new objects: reckoned, grown | {reckoned}, {more} |");
    println!("{}", tables(&customers).await);

    // The runs of the first minute are past their retention.
    let past = "UPDATE runs SET finished_at = finished_at - interval '91 days' WHERE id IN (SELECT run.id FROM test.due
            JOIN runs run ON run.organization_id = due.organization_id AND run.job_id = due.job_id WHERE phase = 'first');
        UPDATE audit_events SET at = at - interval '91 days' WHERE at < (SELECT min(at) FROM test.due WHERE phase = 'hour');
        UPDATE webhook_deliveries SET created_at = created_at - interval '91 days'
            WHERE created_at < (SELECT min(at) FROM test.due WHERE phase = 'hour')";
    customers.superuser.batch_execute(past).await.unwrap();
    let left =
        "SELECT (SELECT count(*) FROM runs WHERE cleared_at IS NULL AND finished_at < now() - interval '90 days')
        + (SELECT count(*) FROM audit_events WHERE at < now() - interval '90 days')
        + (SELECT count(*) FROM webhook_deliveries WHERE created_at < now() - interval '90 days')";
    println!("| past retention | {} |", customers.number(left).await);
    let cleared = until_none(&customers, left, SOON).await;
    println!("| cleared within | {cleared:?} |");

    assert!(hour.p99 <= 2.0 * LOOK && hour.longest <= 4.0 * LOOK, "{hour:?}");
    assert!(beside.p99 <= before.p99 + 5.0, "{before:?} {beside:?}");
    assert!(untold == 0 && told_p99 <= 10.0, "{untold} of {told}, {told_p99}");
    assert!(list_p99 <= Duration::from_millis(250), "{list_p99:?}");
    assert!(longest <= 2.0, "{longest} s: {statement}");
    assert!(cleared <= Duration::from_secs(60), "{cleared:?}");
    assert!((more - reckoned).abs() * 4 <= reckoned, "{more} bytes more, {reckoned} reckoned");
    stop(services).await;
}

async fn runs(customers: &Customers) -> i64 {
    customers.number("SELECT count(*) FROM runs").await
}

async fn objects(customers: &Customers) -> i64 {
    customers.number("SELECT count(*) FROM mirror_delivered").await
}

/// Rows and bytes of each table that has some.
async fn tables(customers: &Customers) -> String {
    const TABLES: &str = "SELECT relname::text, n_live_tup, pg_table_size(relid), pg_indexes_size(relid)
        FROM pg_stat_user_tables WHERE schemaname = 'public' AND n_live_tup > 0 ORDER BY pg_total_relation_size(relid) DESC";
    let rows = customers.superuser.query(TABLES, &[]).await.unwrap();
    let described = rows.iter().map(|row| {
        let (name, rows): (&str, i64) = (row.get(0), row.get(1));
        let (table, indexes): (i64, i64) = (row.get(2), row.get(3));
        format!("| {name} | {rows} rows | {table} + {indexes} bytes | {} a row |\n", (table + indexes) / rows)
    });
    described.collect()
}
