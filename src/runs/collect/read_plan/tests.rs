use super::*;
use crate::cloud::Cloud;
use crate::filter::Filter;
use crate::graph::token::{Credential, Identity};
use crate::ids::{ConnectionId, JobId, OrganizationId};
use crate::job::{Deliver, RemovalPolicy};
use crate::mapping::{Mapping, Memberships, ReferenceTemplate, Selection};
use serde_json::{Value, json};
use uuid::Uuid;

const DAYS: u32 = 7;
const GROUP: &str = "00000000-0000-0000-0000-000000000001";

fn at(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(day * 24 * 3600, 0).unwrap()
}

/// A job with this filter that imports everything but `without`.
fn job(filter: Value, without: &[&str]) -> JobContext {
    let mut objects = json!({"devices": {"enabled": true}});
    for object_type in without {
        objects[*object_type] = json!({"enabled": false});
    }
    let selection: Selection = serde_json::from_value(objects).unwrap();
    JobContext {
        organization: OrganizationId(Uuid::nil()),
        id: JobId(Uuid::nil()),
        version: 1,
        identity: Identity {
            organization: OrganizationId(Uuid::nil()),
            connection: ConnectionId(Uuid::nil()),
            credential_version: 1,
            tenant_id: String::new(),
            client_id: Uuid::nil(),
            cloud: Cloud::default(),
            credential: Credential::Federated,
        },
        filter: Filter::from_json(&filter).unwrap(),
        mapping: Mapping::new(&selection, Memberships::Both, ReferenceTemplate::default()),
        memberships: Memberships::Both,
        deliver: Deliver::Full,
        policy: RemovalPolicy::Keep,
        after_missing_runs: 1,
        brake_percent: 20,
        destination: None,
        selection_hash: vec![1],
    }
}

/// A mirror that was read on day 0, with what an incremental run needs.
fn mirror() -> MirrorRow {
    MirrorRow {
        organization_id: Uuid::nil(),
        job_id: Uuid::nil(),
        tenant_id: None,
        selection_hash: Some(vec![1]),
        generation: 1,
        read_at: Some(at(0)),
        full_read_at: Some(at(0)),
        users_delta_sealed: Some(Vec::new()),
        groups_delta_sealed: Some(Vec::new()),
        delivered_to: None,
        delivered_at: None,
        updated_at: at(0),
        resend: Vec::new(),
        import_source: None,
        destination_version: None,
        compared_by: None,
        touched_generation: None,
        links_generation: None,
        counters: serde_json::json!({}),
        left_out_generation: Some(1),
    }
}

fn decide(job: &JobContext, mirror: &MirrorRow, mode: RunMode, day: i64) -> (How, Why) {
    let plan = ReadPlan::decide(job, mirror, mode, DAYS, at(day));
    (plan.how, plan.why)
}

#[test]
fn the_mode_decides_unless_it_is_incremental() {
    let (job, mirror) = (job(json!({}), &[]), mirror());
    let table = [
        (RunMode::Test, How::Sample, Why::TestRequested),
        (RunMode::Full, How::Everything, Why::FullRequested),
        (RunMode::DryRun, How::Everything, Why::DryRunRequested),
        (RunMode::Incremental, How::Changes, Why::ChangesSuffice),
    ];
    for (mode, how, why) in table {
        assert_eq!(decide(&job, &mirror, mode, 1), (how, why), "{mode:?}");
    }
}

#[test]
fn an_incremental_run_reads_everything_where_the_last_read_leaves_no_other_way() {
    let job = job(json!({}), &[]);
    let why = |change: fn(&mut MirrorRow), day| {
        let mut mirror = mirror();
        change(&mut mirror);
        decide(&job, &mirror, RunMode::Incremental, day)
    };
    let everything = |why| (How::Everything, why);
    assert_eq!(why(|mirror| mirror.read_at = None, 1), everything(Why::NothingRead));
    assert_eq!(why(|mirror| mirror.selection_hash = Some(vec![2]), 1), everything(Why::SelectionChanged));
    assert_eq!(why(|mirror| mirror.selection_hash = None, 1), everything(Why::SelectionChanged));
    assert_eq!(why(|mirror| mirror.users_delta_sealed = None, 1), everything(Why::NoDeltaToken));
    assert_eq!(why(|mirror| mirror.groups_delta_sealed = None, 1), everything(Why::NoDeltaToken));
    assert_eq!(why(|_| {}, 6), (How::Changes, Why::ChangesSuffice));
    assert_eq!(why(|_| {}, 7), everything(Why::FullReadTooOld { days: DAYS }));
    assert_eq!(why(|mirror| mirror.full_read_at = None, 1), everything(Why::FullReadTooOld { days: DAYS }));
}

#[test]
fn an_incremental_run_follows_scopes_and_limits() {
    let table = [
        (json!({"limits": {"maxUsers": 5}}), &[][..], None),
        (json!({"limits": {"maxGroups": 5}}), &[], None),
        (json!({"scope": {"groups": "containingFilteredUsers"}}), &[], None),
        (json!({"scope": {"groups": "containingFilteredUsers"}}), &["users"], None),
        (json!({"scope": {"users": "membersOfFilteredGroups"}}), &["groups"], None),
        (json!({"scope": {"users": "membersOfFilteredGroups"}}), &[], None),
        (json!({"scope": {"users": "membersOf", "groupIds": [GROUP]}}), &["groups"], None),
        (json!({"users": {"odata": "accountEnabled eq true"}, "outside": "stub"}), &[], None),
        (json!({"outside": "stub"}), &[], None),
        (json!({"users": {"odata": "accountEnabled eq true"}}), &[], None),
    ];
    for (filter, without, why) in table {
        let text = filter.to_string();
        let expected = why.map_or((How::Changes, Why::ChangesSuffice), |why| (How::Everything, why));
        assert_eq!(decide(&job(filter, without), &mirror(), RunMode::Incremental, 1), expected, "{text}");
    }
}

#[test]
fn everything_is_read_where_an_older_version_did_not_note_what_the_filter_leaves_out() {
    let limited = job(json!({"limits": {"maxUsers": 5}}), &[]);
    for left_out_generation in [None, Some(0)] {
        let mirror = MirrorRow { left_out_generation, ..mirror() };
        let found = decide(&limited, &mirror, RunMode::Incremental, 1);
        assert_eq!(found, (How::Everything, Why::LeftOutUnknown));
        assert_eq!(
            decide(&job(json!({}), &[]), &mirror, RunMode::Incremental, 1).0,
            How::Changes,
            "nothing is left out"
        );
    }
}

#[test]
fn a_condition_that_only_graph_decides_is_named() {
    let filter = json!({"users": {"odata": "signInActivity/lastSignInDateTime le 2026-01-01T00:00:00Z"}});
    let (how, why) = decide(&job(filter, &[]), &mirror(), RunMode::Incremental, 1);
    assert_eq!(how, How::Everything);
    assert!(matches!(&why, Why::OnlyGraphDecides(problem) if problem.contains("signInActivity")), "{why}");
}

#[test]
fn the_token_of_a_type_that_is_not_followed_is_not_needed() {
    let without_groups = MirrorRow { groups_delta_sealed: None, ..mirror() };
    let (all, members) = (json!({}), json!({"scope": {"users": "membersOf", "groupIds": [GROUP]}}));
    let how = |filter| decide(&job(filter, &["groups"]), &without_groups, RunMode::Incremental, 1).0;
    assert_eq!(how(all), How::Changes);
    assert_eq!(how(members), How::Everything, "the scope decides by groups");
}

#[test]
fn a_type_is_needed_for_the_scope_for_the_first_delivery_or_not_at_all() {
    use ObjectType::{Devices, Groups, Licenses, Users};
    let table = [
        (json!({}), [Need::FirstDelivery, Need::FirstDelivery, Need::Optional, Need::Optional]),
        (
            json!({"scope": {"users": "membersOf", "groupIds": [GROUP]}}),
            [Need::FirstDelivery, Need::Scope, Need::Optional, Need::Optional],
        ),
        (
            json!({"scope": {"groups": "containingFilteredUsers"}}),
            [Need::Scope, Need::FirstDelivery, Need::Optional, Need::Optional],
        ),
        (
            json!({"users": {"odata": "accountEnabled eq true"}, "outside": "stub"}),
            [Need::Scope, Need::Scope, Need::Optional, Need::Optional],
        ),
    ];
    for (filter, needs) in table {
        let text = filter.to_string();
        let job = job(filter, &[]);
        let plan = ReadPlan::decide(&job, &mirror(), RunMode::Full, DAYS, at(1));
        assert_eq!([Users, Groups, Licenses, Devices].map(|of| plan.need(of)), needs, "{text}");
    }
    let job = job(json!({}), &["groups"]);
    assert_eq!(ReadPlan::decide(&job, &mirror(), RunMode::Full, DAYS, at(1)).need(Groups), Need::Optional);
}

#[test]
fn members_are_read_by_id_where_that_takes_fewer_requests() {
    let plain = job(json!({}), &[]);
    let plan = ReadPlan::decide(&plain, &mirror(), RunMode::Full, DAYS, at(1));
    assert_eq!(plan.users(15, Some(500)), Users::ById);
    assert!(matches!(plan.users(16, Some(500)), Users::Listed(why) if why.contains("500 users")));
    assert_eq!(plan.users(100_000, None), Users::ById, "the server does not count");
    let by_manager = job(json!({"users": {"odata": "manager/id eq 'x'"}}), &[]);
    let plan = ReadPlan::decide(&by_manager, &mirror(), RunMode::Full, DAYS, at(1));
    assert!(matches!(plan.users(1, Some(500)), Users::Listed(why) if why.contains("only Graph")));
    let by_sign_in = job(json!({"users": {"odata": "signInActivity/lastSignInDateTime le 2026-01-01T00:00:00Z"}}), &[]);
    let plan = ReadPlan::decide(&by_sign_in, &mirror(), RunMode::Full, DAYS, at(1));
    assert!(matches!(plan.users(1, Some(500)), Users::Listed(why) if why.contains("only Graph")));
}

#[test]
fn many_users_are_read_in_ranges() {
    let job = job(json!({}), &[]);
    let plan = ReadPlan::decide(&job, &mirror(), RunMode::Full, DAYS, at(1));
    let ranges = [7_999, 8_000, 16_000, 24_000, 64_000, 1_000_000].map(|users| plan.ranges(users));
    assert_eq!(ranges, [None, Some(2), Some(2), Some(3), Some(8), Some(8)]);
}

/// The condition of a range would stand beside that on sign-ins, and Graph refuses the two together.
#[test]
fn users_are_never_read_in_ranges_where_the_filter_is_about_sign_ins() {
    let job = job(json!({"users": {"odata": "signInActivity/lastSignInDateTime le 2026-01-01"}}), &[]);
    let plan = ReadPlan::decide(&job, &mirror(), RunMode::Full, DAYS, at(1));
    assert_eq!(plan.ranges(1_000_000), None);
}

#[test]
fn members_are_looked_at_again_where_they_were_read_or_decide_the_scope() {
    let (plain, by_membership) =
        (job(json!({}), &[]), job(json!({"scope": {"users": "membersOf", "groupIds": [GROUP]}}), &[]));
    let plan = |job| ReadPlan::decide(job, &mirror(), RunMode::Full, DAYS, at(1));
    assert!(plan(&plain).rechecks_members(true) && !plan(&plain).rechecks_members(false));
    assert!(plan(&by_membership).rechecks_members(false));
}
