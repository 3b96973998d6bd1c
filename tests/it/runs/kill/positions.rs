//! Runs of each kind that are killed while they read: what was stored before is not asked for again.

use super::{Outside, assert_succeeded, let_leases_run_out, moments, plan, settings};
use crate::support::postgres::TestDatabase;
use crate::support::service::{Plan, Service};
use entra_assets::sim::graph::{Action, Fault, RequestRecord};
use entra_assets::sim::seed::{Directory, SeedOptions};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

const SEED: SeedOptions = SeedOptions { seed: 2, users: 240, groups: 60, memberships: Some(1_000), devices: Some(4) };

/// So many users that the members of a group are read by their ids, and not listed with all others.
const LARGE: SeedOptions = SeedOptions { seed: 2, users: 12_000, groups: 20, memberships: Some(300), devices: Some(0) };

/// One page has whatever one request for objects by their ids names.
const PAGE: usize = 16;

/// The group whose members are in scope.
fn scope(directory: &Directory) -> Uuid {
    directory.live_groups().map(|(_, group)| (group.members.len(), group.id)).max().unwrap().1
}

/// What the run that is killed reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Everything,
    /// The members of a group, which are read by their ids, the groups that contain them, and stubs of the rest.
    Members,
    /// What advanced conditions take, with managers and other groups in passes of their own, and stubs.
    Conditions,
    /// The first members of a group and the first groups.
    Limits,
    /// As [`Kind::Conditions`], of which much has changed since a run that nobody killed.
    Changes,
    /// The same of [`Kind::Members`], with limits.
    ChangesInScope,
}

impl Kind {
    fn filter(self, outside: &Outside) -> Option<Value> {
        let group = outside.graph.read(scope);
        let members = json!({"users": "membersOf", "groupIds": [group]});
        let containers = json!({"users": "membersOf", "groupIds": [group], "groups": "containingFilteredUsers"});
        match self {
            Self::Everything => None,
            Self::Members => Some(json!({"name": "Members", "scope": containers, "outside": "stub"})),
            Self::Conditions | Self::Changes => Some(json!({
                "name": "Conditions", "users": {"odata": "department ne null"},
                "groups": {"odata": "mailEnabled eq false"}, "outside": "stub",
            })),
            Self::Limits => Some(json!({
                "name": "Limits", "scope": members, "limits": {"maxUsers": 30, "maxGroups": 12},
            })),
            Self::ChangesInScope => Some(json!({
                "name": "Limits", "scope": containers, "limits": {"maxUsers": 60, "maxGroups": 20}, "outside": "stub",
            })),
        }
    }

    fn is_of_changes(self) -> bool {
        matches!(self, Self::Changes | Self::ChangesInScope)
    }

    /// Starts the run that is killed, after what is done before it. What it takes counts from here on.
    pub(super) async fn start<'p>(
        self,
        outside: &Outside,
        plan: &'p Plan,
        service: &mut Service<'p>,
        prepare: impl FnOnce(&Outside),
    ) -> (String, String) {
        let job = service.add_job_with(&outside.graph, &outside.assets, self.filter(outside)).await;
        if !self.is_of_changes() {
            prepare(outside);
            let run = service.start_run(&job).await;
            return (job, run);
        }
        let run = service.start_run(&job).await;
        assert_succeeded(&service.ended(&run).await, "before anything changed");
        // Another process, which counts its own requests.
        service.signal(Signal::TERM);
        assert!(service.exit().await.success());
        outside.graph.change(|directory| directory.alter(160, 40));
        outside.graph.reset_counters();
        outside.assets.clear_log();
        *service = plan.start().await;
        prepare(outside);
        let run = service.start_run_as(&job, "incremental").await;
        (job, run)
    }
}

/// What Assets holds, by object type and the text of the values.
type Held = BTreeSet<(&'static str, String)>;

fn held(outside: &Outside) -> Held {
    let of = |name: &'static str| {
        outside.assets.objects(name).into_iter().map(move |object| (name, format!("{:?}", object.values)))
    };
    ["Entra User", "Entra Group", "Entra License"].into_iter().flat_map(of).collect()
}

/// What a run takes when nobody kills it.
pub(super) struct Undisturbed {
    pub kind: Kind,
    seed: SeedOptions,
    held: Held,
    graph_requests: usize,
    /// To Graph and to Assets.
    pub requests: usize,
    /// To Graph, by kind of request, in the order of [`PARTS`].
    parts: Vec<usize>,
    /// The most requests to Graph that were under way at a time, with those whose answers were not stored yet: the service
    /// says so when the run is over, so that nothing can change between the look and the end.
    pub in_flight: usize,
}

impl Undisturbed {
    /// Of a directory of this size, unless the kind needs a larger one.
    pub(super) async fn new(kind: Kind, seed: SeedOptions) -> Self {
        let seed = if kind == Kind::Members { LARGE } else { seed };
        let mut undisturbed =
            Self { kind, seed, held: Held::new(), graph_requests: 0, requests: 0, parts: Vec::new(), in_flight: 0 };
        let (outside, database) = (undisturbed.outside(), TestDatabase::create().await);
        let plan = plan(&outside, &settings(&database));
        let mut service = plan.start().await;
        let (_, run) = kind.start(&outside, &plan, &mut service, |_| ()).await;
        let ended = service.ended(&run).await;
        assert_succeeded(&ended, "undisturbed");
        // What fits into Assets is no matter of these tests.
        let is_other = |of: &&Value| of["code"] != "many_references" && of["code"] != "not_cleared";
        let warnings: Vec<&Value> = ended["warnings"].as_array().unwrap().iter().filter(is_other).collect();
        assert!(warnings.is_empty(), "{kind:?}: {warnings:?}");
        if kind == Kind::Everything {
            outside.assert_exact("undisturbed");
        }
        undisturbed.in_flight = service.in_flight_most().await.unwrap();
        service.signal(Signal::TERM);
        assert!(service.exit().await.success());
        (undisturbed.graph_requests, undisturbed.requests) = (outside.graph_requests(), outside.requests());
        undisturbed.parts = PARTS.iter().map(|part| part.asked(&outside)).collect();
        undisturbed.held = held(&outside);
        undisturbed
    }

    pub(super) fn outside(&self) -> Outside {
        let outside = Outside::of(self.seed.clone());
        outside.graph.set_max_page_size(PAGE);
        outside.graph.change(|directory| {
            let group = scope(directory);
            let users: Vec<Uuid> = directory.live_users().map(|(_, user)| user.id).step_by(2).take(120).collect();
            for user in users {
                // Who is a member already stays one.
                let _ = directory.add_member(group, user);
            }
        });
        outside
    }

    /// What is so of a run that was killed so many times, whichever process ended it.
    /// `again`: how many requests to Graph were in flight when it was killed.
    pub(super) fn assert_ended(&self, outside: &Outside, ended: &Value, again: usize, why: &str) {
        let graph_requests = self.graph_requests;
        assert_succeeded(ended, why);
        assert!(held(outside) == self.held, "{why}: Assets holds something else");
        let done = outside.assets.executions().iter().filter(|execution| execution.status == "DONE").count();
        let imports = if self.kind.is_of_changes() { 2 } else { 1 };
        assert_eq!(done, imports, "{why}: one import");
        let asked = outside.graph_requests();
        assert!(
            asked <= graph_requests + again,
            "{why}: {asked} requests, {graph_requests} undisturbed, {again} in flight"
        );
    }
}

/// A part of what a run asks for: the requests whose path begins so, and whose path and query contain a text.
struct Part {
    kind: Kind,
    name: &'static str,
    path: &'static str,
    text: &'static str,
}

impl Part {
    fn asked(&self, outside: &Outside) -> usize {
        let is_of = |request: &RequestRecord| {
            let query = urlencoding::decode(&request.query).unwrap_or_default();
            request.path.starts_with(self.path) && format!("{}?{query}", request.path).contains(self.text)
        };
        outside.asked(is_of)
    }
}

const BY_ID: &str = "id in (";

const PARTS: [Part; 6] = [
    Part { kind: Kind::Members, name: "members by their ids", path: "/v1.0/users", text: BY_ID },
    Part { kind: Kind::Conditions, name: "managers", path: "/v1.0/users", text: "$expand=manager" },
    Part { kind: Kind::Conditions, name: "other groups", path: "/v1.0/groups", text: "$select=id,visibility" },
    Part { kind: Kind::Conditions, name: "stubs", path: "/v1.0/", text: BY_ID },
    Part { kind: Kind::Changes, name: "rounds of changes", path: "/v1.0/", text: "/delta" },
    Part { kind: Kind::Changes, name: "changed objects by their ids", path: "/v1.0/users", text: BY_ID },
];

/// Looks in a row that see the same.
const STUCK_LOOKS: usize = 10;

/// Kills the process, and starts another after what is done meanwhile.
async fn die<'p>(service: &mut Service<'p>, plan: &'p Plan, meanwhile: impl AsyncFnOnce()) {
    service.signal(Signal::KILL);
    service.exit().await;
    meanwhile().await;
    *service = plan.start().await;
}

/// One run that is killed after so many requests each, and ends exact.
async fn killed_at(moments: &[usize], undisturbed: &Undisturbed, natural: bool) {
    let (outside, database) = (undisturbed.outside(), TestDatabase::create().await);
    let plan = plan(&outside, &settings(&database));
    let mut service = plan.start().await;
    let (job, run) = undisturbed.kind.start(&outside, &plan, &mut service, |_| ()).await;
    let path = format!("/v1/runs/{run}");
    let mut kills = 0;
    for moment in moments {
        let mut is_over = false;
        service
            .until("the moment to die", async |service: &mut Service<'_>| {
                is_over = service.get(&path).await.is_some_and(|run| !run["finishedAt"].is_null());
                is_over || outside.requests() >= *moment
            })
            .await;
        if is_over {
            break;
        }
        // One of them is left to be missed by the clock alone.
        let is_missed = natural && kills == 0;
        die(&mut service, &plan, async || {
            if !is_missed {
                let_leases_run_out(&database).await;
            }
        })
        .await;
        kills += 1;
    }
    let ended = service.ended(&run).await;
    let why = format!("{:?}, killed {kills} times, at {moments:?}", undisturbed.kind);
    undisturbed.assert_ended(&outside, &ended, kills * undisturbed.in_flight, &why);
    let next = service.start_run(&job).await;
    let next = service.ended(&next).await;
    assert_eq!((&next["state"], &next["counts"]["users"]["updated"]), (&json!("succeeded"), &json!(0)), "{why}");
    service.signal(Signal::TERM);
    assert!(service.exit().await.success());
}

/// Waits until all of a part was asked for and nothing moves any more. Returns how many requests to Graph are in flight, with
/// those whose answers are not stored.
async fn stuck(service: &mut Service<'_>, outside: &Outside, part: &Part, whole: usize) -> usize {
    let (mut last, mut times) = (None, 0);
    service
        .until_some("nothing moves", async |service: &mut Service<'_>| {
            let now = (service.in_flight().await?, outside.requests());
            times = if last == Some(now) { times + 1 } else { 0 };
            last = Some(now);
            (times >= STUCK_LOOKS && part.asked(outside) >= whole).then_some(now.0)
        })
        .await
}

/// A run whose process is killed while it waits for the last answer of a part asks again for what was in flight then, and for
/// nothing else.
async fn killed_at_the_end_of_each_part(kind: Kind) {
    let undisturbed = Undisturbed::new(kind, SEED).await;
    for (part, whole) in PARTS.iter().zip(&undisturbed.parts).filter(|(part, _)| part.kind == kind) {
        let (outside, database) = (undisturbed.outside(), TestDatabase::create().await);
        let plan = plan(&outside, &settings(&database));
        let mut service = plan.start().await;
        let (_, run) = kind
            .start(&outside, &plan, &mut service, |outside| {
                let never = Action::Slow { millis: 600_000 };
                let last = u32::try_from(*whole).unwrap();
                outside.graph.add_fault(Fault::on(part.path, never).containing(part.text).nth(last).times(0));
            })
            .await;
        let in_flight = stuck(&mut service, &outside, part, *whole).await;
        assert!(in_flight > 0, "{}: the run does not wait for the last of {whole}", part.name);
        die(&mut service, &plan, async || {
            outside.graph.clear_faults();
            let_leases_run_out(&database).await;
        })
        .await;
        let ended = service.ended(&run).await;
        undisturbed.assert_ended(&outside, &ended, in_flight, part.name);
        let asked = part.asked(&outside);
        assert!(*whole > in_flight, "{}: {whole} requests are no more than {in_flight} in flight", part.name);
        assert!(asked <= whole + in_flight, "{}: {asked} requests, {whole} undisturbed", part.name);
        service.signal(Signal::TERM);
        assert!(service.exit().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_five_times_ends_exact() {
    let undisturbed = Undisturbed::new(Kind::Everything, super::SEED).await;
    killed_at(&moments(1, 5, undisturbed.requests), &undisturbed, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_scope_that_were_read_before_a_death_are_not_asked_for_again() {
    killed_at_the_end_of_each_part(Kind::Members).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_and_stubs_that_were_read_before_a_death_are_not_asked_for_again() {
    killed_at_the_end_of_each_part(Kind::Conditions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_were_read_before_a_death_are_not_asked_for_again() {
    killed_at_the_end_of_each_part(Kind::Changes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_any_kind_that_is_killed_six_times_ends_exact() {
    for kind in [Kind::Members, Kind::Conditions, Kind::Limits, Kind::Changes, Kind::ChangesInScope] {
        let undisturbed = Undisturbed::new(kind, super::SEED).await;
        killed_at(&moments(1, 6, undisturbed.requests), &undisturbed, false).await;
    }
}
