//! How a run reads, and why: the one place where that is decided. Everything here is pure; the run's log and its
//! warnings quote the reasons.

use crate::db::mirror::MirrorRow;
use crate::directory::{Item, Link, ObjectType};
use crate::filter::{EntityKind, ScopeGroups, ScopeUsers};
use crate::graph::{is_cheaper_by_id, ranges_of_users};
use crate::run_state::RunMode;
use crate::runs::context::JobContext;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;

/// The property that Graph gives only in lists.
pub(super) const SIGN_IN: &str = "signInActivity";

/// How the run reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum How {
    /// The first objects, in few requests.
    Sample,
    /// What changed since the last read.
    Changes,
    /// Every collection that the job selects.
    Everything,
}

/// Why it reads so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Why {
    TestRequested,
    FullRequested,
    DryRunRequested,
    /// Nothing stands against reading only the changes.
    ChangesSuffice,
    NothingRead,
    SelectionChanged,
    NoDeltaToken,
    FullReadTooOld {
        days: u32,
    },
    /// The last read was by a version that did not note what the filter leaves out.
    LeftOutUnknown,
    /// The filter has a condition that only Graph can decide.
    OnlyGraphDecides(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::TestRequested => "a test was requested",
            Self::FullRequested => "a full run was requested",
            Self::DryRunRequested => "a dry run was requested",
            Self::ChangesSuffice => "the last read left a delta token for every type",
            Self::NothingRead => "nothing was read before",
            Self::SelectionChanged => "the selected attributes, types, memberships or filter changed",
            Self::NoDeltaToken => "the last full read left no delta token",
            Self::FullReadTooOld { days } => return write!(f, "the last full read is {days} days old"),
            Self::LeftOutUnknown => "the last read did not note what the filter leaves out",
            Self::OnlyGraphDecides(problem) => problem.trim_end_matches('.'),
        };
        f.write_str(text)
    }
}

/// What reading a type is for, and so what its loss would mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    /// Without it nobody can say what is in scope.
    Scope,
    /// The other types mean little without it: a job that never delivered it fails.
    FirstDelivery,
    /// The other types go on without it.
    Optional,
}

/// How users are read when only members of groups are in scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Users {
    ById,
    Listed(String),
}

/// The conditions of a filter that apply to a type: those on what its list has, which for credentials are applications.
/// `None`: no filter has any.
pub(super) fn entity(object_type: ObjectType) -> Option<EntityKind> {
    let collection = &object_type.spec().collection;
    let is_listed = !matches!(collection.item, Item::Values);
    EntityKind::ALL.into_iter().find(|kind| is_listed && kind.path() == collection.path)
}

/// The decision for one run.
#[derive(Clone)]
pub(super) struct ReadPlan<'a> {
    job: &'a JobContext,
    pub how: How,
    pub why: Why,
}

impl<'a> ReadPlan<'a> {
    /// `full_every_days`: an older full read is repeated.
    pub fn decide(
        job: &'a JobContext,
        mirror: &MirrorRow,
        mode: RunMode,
        full_every_days: u32,
        now: DateTime<Utc>,
    ) -> Self {
        let plan = |how, why| Self { job, how, why };
        match mode {
            RunMode::Test => plan(How::Sample, Why::TestRequested),
            RunMode::Full => plan(How::Everything, Why::FullRequested),
            RunMode::DryRun => plan(How::Everything, Why::DryRunRequested),
            RunMode::Incremental => match why_everything(job, mirror, full_every_days, now) {
                Some(why) => plan(How::Everything, why),
                None => plan(How::Changes, Why::ChangesSuffice),
            },
        }
    }

    /// Whether a type is read: it is imported, or the scope decides by it.
    pub fn reads(&self, object_type: ObjectType) -> bool {
        reads(self.job, object_type)
    }

    /// Whether the scope or the limits leave out anything that the conditions admit. That is decided after reading.
    pub fn narrows(&self) -> bool {
        narrows(self.job)
    }

    /// Whether stubs are made: they are wanted, and the filter leaves something out.
    pub fn wants_stubs(&self) -> bool {
        wants_stubs(self.job)
    }

    /// Whether stubs need the members of groups that the filter's condition leaves out.
    pub fn stubs_need_other_groups(&self) -> bool {
        self.wants_stubs() && refers_to_groups(self.job) && self.job.filter.rule(EntityKind::Groups).is_some()
    }

    /// Whether the members of groups tell which stubs there are.
    pub fn stubs_need_memberships(&self) -> bool {
        self.wants_stubs()
            && (refers_to_groups(self.job) || self.job.mapping.carries(ObjectType::Groups, Link::Members))
    }

    /// Whether the users in scope are the members of groups.
    pub fn is_by_membership(&self) -> bool {
        is_by_membership(self.job)
    }

    /// Whether the groups in scope are those that contain users in scope.
    pub fn takes_groups_of_users(&self) -> bool {
        self.job.filter.scope.groups == ScopeGroups::ContainingFilteredUsers
    }

    /// Whether the members of groups that are not imported are kept, because a later read of changes decides by them.
    pub fn keeps_scope_members(&self) -> bool {
        self.is_by_membership() || self.takes_groups_of_users() || self.stubs_need_memberships()
    }

    /// Whether a type is imported.
    pub fn imports(&self, object_type: ObjectType) -> bool {
        self.job.mapping.is_enabled(object_type)
    }

    /// Whether the changes of a type are followed: it is imported, or the scope decides by it.
    pub fn follows(&self, object_type: ObjectType) -> bool {
        follows(self.job, object_type)
    }

    /// Whether members that moved between pages while a full read went on are looked for.
    pub fn rechecks_members(&self, memberships_read: bool) -> bool {
        memberships_read || self.is_by_membership()
    }

    /// What becomes of the run when a type may not be read.
    pub fn need(&self, object_type: ObjectType) -> Need {
        let scope = &self.job.filter.scope;
        let decides = match object_type {
            ObjectType::Users => scope.groups != ScopeGroups::All || self.wants_stubs(),
            ObjectType::Groups => scope.users != ScopeUsers::All || self.wants_stubs(),
            _ => false,
        };
        let gives_meaning = match object_type {
            ObjectType::Users | ObjectType::Groups => self.job.mapping.is_enabled(object_type),
            _ => false,
        };
        match (decides, gives_meaning) {
            (true, _) => Need::Scope,
            (false, true) => Need::FirstDelivery,
            (false, false) => Need::Optional,
        }
    }

    /// Whether only a list with the filter's condition tells which users fulfil it.
    pub fn needs_a_list_of_users(&self) -> bool {
        self.job.filter.rule(EntityKind::Users).is_some_and(|rule| rule.parsed.needs_a_list())
    }

    /// How `members` users are read when they alone are in scope; `matching`: how many users fulfil the condition, where
    /// the server counts.
    pub fn users(&self, members: usize, matching: Option<u64>) -> Users {
        if self.needs_a_list_of_users() {
            return Users::Listed("only Graph can decide by the filter's condition, in a list".to_owned());
        }
        if is_cheaper_by_id(members, matching) {
            return Users::ById;
        }
        let all = matching.unwrap_or(0);
        Users::Listed(format!("listing {all} users takes fewer requests than reading {members} members by id"))
    }

    /// In how many ranges so many users are read at once; `None`: in one chain of pages, because that is as fast, or
    /// because Graph takes no condition on `createdDateTime` beside one on sign-ins.
    pub fn ranges(&self, users: u64) -> Option<u64> {
        let is_about_sign_ins =
            self.job.filter.rule(EntityKind::Users).is_some_and(|rule| rule.parsed.is_about_sign_ins());
        ranges_of_users(users).filter(|_| !is_about_sign_ins)
    }
}

impl fmt::Display for ReadPlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            How::Sample => "Reading the first objects",
            How::Changes => "Reading what changed",
            How::Everything => "Reading everything",
        };
        write!(f, "{how}: {}.", self.why)
    }
}

fn wants_stubs(job: &JobContext) -> bool {
    job.filter.wants_stubs()
}

fn reads(job: &JobContext, object_type: ObjectType) -> bool {
    let scope = &job.filter.scope;
    let decides = match object_type {
        ObjectType::Users => scope.groups == ScopeGroups::ContainingFilteredUsers,
        ObjectType::Groups => scope.users == ScopeUsers::MembersOfFilteredGroups,
        _ => false,
    };
    decides || job.mapping.is_enabled(object_type)
}

fn narrows(job: &JobContext) -> bool {
    let filter = &job.filter;
    filter.scope.users != ScopeUsers::All
        || filter.scope.groups != ScopeGroups::All
        || filter.limits.max_users.is_some()
        || filter.limits.max_groups.is_some()
}

/// Whether users or groups carry the groups that they are members of.
fn refers_to_groups(job: &JobContext) -> bool {
    let mapping = &job.mapping;
    mapping.carries(ObjectType::Users, Link::Groups) || mapping.carries(ObjectType::Groups, Link::ParentGroups)
}

fn is_by_membership(job: &JobContext) -> bool {
    job.filter.scope.users != ScopeUsers::All && reads(job, ObjectType::Users)
}

fn follows(job: &JobContext, object_type: ObjectType) -> bool {
    reads(job, object_type) || (object_type == ObjectType::Groups && is_by_membership(job))
}

/// Why an incremental run has to read everything; `None`: the changes suffice.
fn why_everything(job: &JobContext, mirror: &MirrorRow, full_every_days: u32, now: DateTime<Utc>) -> Option<Why> {
    if mirror.read_at.is_none() {
        return Some(Why::NothingRead);
    }
    if mirror.selection_hash.as_deref() != Some(&job.selection_hash[..]) {
        return Some(Why::SelectionChanged);
    }
    let has_token = |object_type, token: &Option<Vec<u8>>| token.is_some() || !follows(job, object_type);
    if !has_token(ObjectType::Users, &mirror.users_delta_sealed)
        || !has_token(ObjectType::Groups, &mirror.groups_delta_sealed)
    {
        return Some(Why::NoDeltaToken);
    }
    let every = TimeDelta::days(i64::from(full_every_days));
    if mirror.full_read_at.is_none_or(|at| at + every <= now) {
        return Some(Why::FullReadTooOld { days: full_every_days });
    }
    if (narrows(job) || wants_stubs(job)) && mirror.left_out_generation != Some(mirror.generation) {
        return Some(Why::LeftOutUnknown);
    }
    job.filter.local_only_problems().into_iter().next().map(Why::OnlyGraphDecides)
}

#[cfg(test)]
mod tests;
