//! The Jira accounts of users, which no import can fill: after a delivery they are looked for by their addresses, and
//! written into the objects one by one. Source: docs/assets.md, «Jira accounts».
//!
//! Whatever goes wrong here, the import remains valid: the run ends `degraded`, and the next run goes on. Every batch stores what
//! was done for each user, so that an attempt after a crash does the rest.

mod plan;

use super::assets_objects::{AccountRefused, AssetsObjects};
use super::deliver::delivered::Delivered;
use super::diff::diffed::Diffed;
use super::run::Run;
use super::stop::Stop;
use crate::assets::jira::UserAttribute;
use crate::assets::lookup::{SeenObject, SeenObjects, fold};
use crate::codes::WarningCode;
use crate::db::jira_users::{self, Came, Due, Looked};
use crate::directory::ObjectType;
use crate::jira_user::{JiraUserCounts, JiraUserOutcome, JiraUserReason, Verdict, addresses, judge};
use crate::plural::counted;
use crate::run_state::RunWarning;
use chrono::{DateTime, TimeDelta, Utc};
use plan::{Wanted, plan};
use std::collections::{HashMap, HashSet};

/// Users that are looked for between two stores.
const BATCH: usize = 50;
/// How long a run looks, so that the next one is not held up. It ends with the users of whom it has the accounts then.
const MAX_TIME: TimeDelta = TimeDelta::minutes(30);
const DESCRIPTION: &str = "The Jira account of the user";

/// Looks for the accounts of users that are new or have another address, and writes them.
pub async fn set(run: &Run, diffed: &Diffed, delivered: &Delivered) -> Result<(), Stop> {
    let Some(name) = run.job.mapping.jira_user() else { return Ok(()) };
    let of_type = run.job.mapping.type_name(ObjectType::Users);
    let due = Due {
        organization: run.job.organization,
        job: run.job.id,
        run: run.lease.run,
        source: run.source(),
        attribute: &format!("{}\n{}", of_type.to_lowercase(), name.to_lowercase()),
    };
    let created = delivered.of(ObjectType::Users).map_or(0, |result| result.objects_created.max(0));
    let left = note(run, &due, Came { only_touched: diffed.basis.only_touched, created }).await?;
    match Box::pin(look(run, &due, name, left)).await {
        Err(Stop::Failed(error)) => {
            let advice = error.advice.as_deref().unwrap_or("Look at `api` of the destination.");
            let detail = format!("Looking for the Jira accounts of users stopped: {}", error.detail);
            stopped(run, WarningCode::JiraUsersStopped, detail, &format!("{advice} The next run looks for the rest."));
            Ok(())
        }
        Err(Stop::Cancelled) if delivered.result.is_some() => {
            let detail = "The run was cancelled before the Jira accounts of all users were looked for.".to_owned();
            stopped(run, WarningCode::JiraUsersStopped, detail, "The next run looks for the rest.");
            Ok(())
        }
        done => done,
    }
}

/// Stores who is due, so that what this run cannot do is left to the next. Returns how many.
async fn note(run: &Run, due: &Due<'_>, came: Came) -> Result<u64, Stop> {
    let (lease, now) = (run.lease, run.app.clock.now());
    let left = run.tx("due Jira accounts", async |tx| {
        jira_users::note(tx, &lease, due, came, now).await?;
        jira_users::waiting(tx, due).await
    });
    Ok(left.await?)
}

async fn begin_anew(run: &Run, due: &Due<'_>) -> Result<(), Stop> {
    let (lease, now) = (run.lease, run.app.clock.now());
    Ok(run.tx("due Jira accounts", async |tx| jira_users::begin_anew(tx, &lease, due, now).await).await?)
}

async fn waiting(run: &Run, due: &Due<'_>) -> Result<u64, Stop> {
    Ok(run.tx("due Jira accounts", async |tx| jira_users::waiting(tx, due).await).await?)
}

fn stopped(run: &Run, code: WarningCode, detail: String, advice: &str) {
    run.progress.degrade(RunWarning::new(code, detail).with_advice(advice));
}

async fn look(run: &Run, due: &Due<'_>, name: &str, mut left: u64) -> Result<(), Stop> {
    let until = run.app.clock.now() + MAX_TIME;
    let mut users = plan(run, due).await?;
    let mut counts = store(run, due, Vec::new(), left).await?;
    if users.is_empty() {
        return Ok(());
    }
    run.log(&format!("Looking for the Jira accounts of {}.", ObjectType::Users.counted(users.len() as u64))).await?;
    let Some(mut search) = Search::begin(run, due, name, until).await? else { return Ok(()) };
    if search.has_added {
        (left, users) = (waiting(run, due).await?, plan(run, due).await?);
    }
    for batch in users.chunks(BATCH) {
        let mut looked = Vec::with_capacity(batch.len());
        let done = search.batch(batch, &mut looked).await;
        let is_over = looked.len() < batch.len();
        // What was written is stored also where the rest could not be.
        left = left.saturating_sub(batch[..looked.len()].iter().filter(|user| !user.is_again).count() as u64);
        counts = store(run, due, looked, left).await?;
        done?;
        if is_over {
            break;
        }
    }
    warn(run, counts, search.refusal.as_deref());
    Ok(())
}

async fn store(run: &Run, due: &Due<'_>, looked: Vec<Looked>, left: u64) -> Result<JiraUserCounts, Stop> {
    let (lease, now) = (run.lease, run.app.clock.now());
    let counts =
        run.tx("Jira accounts", async |tx| jira_users::store(tx, &lease, due.job, due.attribute, &looked, now).await);
    let counts = JiraUserCounts { left, ..counts.await? };
    run.progress.count(ObjectType::Users.as_str(), |count| count.jira_users = Some(counts));
    Ok(counts)
}

/// Says what an administrator may want to look at. That somebody has no account is nothing wrong.
fn warn(run: &Run, counts: JiraUserCounts, refusal: Option<&str>) {
    let JiraUserCounts { not_found, ambiguous, inactive, failed, left, .. } = counts;
    let without = not_found + ambiguous + inactive;
    let say = |code: WarningCode, number: u64, detail: String| {
        RunWarning::new(code, detail).with_count(number).with_advice(code.advice())
    };
    if without > 0 {
        let detail = format!(
            "{} no Jira account that is certain: none was found for {not_found}, several for {ambiguous}, and one that is \
             deactivated for {inactive}.",
            counted(without, "user has", "users have")
        );
        run.progress.warn(say(WarningCode::JiraUsersWithoutAccount, without, detail));
    }
    if failed > 0 {
        let why = refusal.map(|why| format!(" The first one: {why}")).unwrap_or_default();
        let users = ObjectType::Users.counted(failed);
        let detail = format!("The Jira accounts of {users} were not written.{why}");
        run.progress.degrade(say(WarningCode::JiraUsersFailed, failed, detail));
    }
    if left > 0 {
        let more = counted(left, "more user", "more users");
        let detail = format!("The run did not look for the Jira accounts of {more}.");
        run.progress.warn(say(WarningCode::JiraUsersLeft, left, detail));
    }
}

struct Search<'r> {
    run: &'r Run,
    assets: AssetsObjects,
    /// The id in Assets of the attribute for the account.
    attribute: String,
    /// The key of the attribute by which Assets recognises users.
    identity: &'r str,
    /// The object type did not have the attribute.
    has_added: bool,
    /// When the search ends.
    until: DateTime<Utc>,
    /// Why the first account was not written.
    refusal: Option<String>,
}

impl<'r> Search<'r> {
    /// `None`: nothing can be written, and the run says why.
    async fn begin(run: &'r Run, due: &Due<'_>, attribute: &str, until: DateTime<Utc>) -> Result<Option<Self>, Stop> {
        let mut assets = AssetsObjects::find(run).await?;
        if let Some(error) = assets.refusal.take() {
            return Err(Stop::Failed(error));
        }
        if assets.api.is_none() {
            let detail = "The Jira accounts of users were not looked for, because the destination has no `api`.";
            let advice = "Give the destination `api` with the site's URL, an email address and an API token.";
            stopped(run, WarningCode::JiraUsersStopped, detail.to_owned(), advice);
            return Ok(None);
        }
        if !assets.may_search_accounts().await? {
            let detail = "The person in `api.email` of the destination may not search for Jira accounts, so nobody would be \
                          found.";
            let code = WarningCode::JiraUsersForbidden;
            stopped(run, code, detail.to_owned(), code.advice());
            return Ok(None);
        }
        let unfit = |detail: String| {
            let code = WarningCode::JiraUserAttributeUnfit;
            stopped(run, code, detail, code.advice());
            Ok(None)
        };
        let (attribute, has_added) = match assets.account_attribute(ObjectType::Users, attribute).await? {
            UserAttribute::Found(id) => (id, false),
            UserAttribute::OtherType => {
                return unfit(format!("The attribute «{attribute}» of users in Assets does not have the type User."));
            }
            UserAttribute::Missing => {
                // Before it is added: what the rows say was in an attribute that somebody deleted. A run that dies here
                // finds it missing again.
                begin_anew(run, due).await?;
                match assets.add_account_attribute(ObjectType::Users, attribute, DESCRIPTION).await? {
                    Ok(id) => (id, true),
                    Err(why) => {
                        return unfit(format!(
                            "The attribute «{attribute}» of users could not be added in Assets: {why}."
                        ));
                    }
                }
            }
        };
        let identity = run.job.mapping.identity_key(ObjectType::Users);
        Ok(Some(Self { run, assets, attribute, identity, has_added, until, refusal: None }))
    }

    /// Adds what came of each user to `looked`, in their order; of fewer than all when the time is over.
    async fn batch(&mut self, users: &[Wanted], looked: &mut Vec<Looked>) -> Result<(), Stop> {
        let mut judged = Vec::with_capacity(users.len());
        for user in users {
            if self.run.app.clock.now() >= self.until {
                break;
            }
            judged.push((user, self.search(user).await?));
        }
        let to_write = judged.iter().filter(|(user, verdict)| user.needs_write(verdict));
        let identities: Vec<String> = to_write.filter_map(|(user, _)| user.identity.clone()).collect();
        let found = self.assets.find_values(ObjectType::Users, self.identity, &identities).await?;
        let by_identity = self.by_identity(&found);
        for (user, verdict) in judged {
            if !user.needs_write(&verdict) {
                looked.push(user.looked(&verdict));
                continue;
            }
            let objects = user.identity.as_deref().and_then(|identity| by_identity.get(&fold(identity)));
            looked.push(self.write(user, &verdict, objects.map_or(&[] as &[&SeenObject], Vec::as_slice)).await?);
        }
        Ok(())
    }

    /// By the mail address, and by the user principal name if nobody has the address.
    async fn search(&self, user: &Wanted) -> Result<Verdict, Stop> {
        let mut verdict = None;
        for address in addresses(user.mail.as_deref(), user.user_principal_name.as_deref()) {
            let found = judge(&self.assets.search_accounts(address).await?, address);
            let found = match verdict.take() {
                Some(first) => Verdict::or(first, found),
                None => found,
            };
            if !found.is_open() {
                return Ok(found);
            }
            verdict = Some(found);
        }
        Ok(verdict.unwrap_or(Verdict::None(JiraUserOutcome::NotFound, JiraUserReason::NoAddress)))
    }

    fn by_identity<'o>(&self, found: &'o SeenObjects) -> HashMap<String, Vec<&'o SeenObject>> {
        let mut by_identity: HashMap<String, Vec<&SeenObject>> = HashMap::new();
        let mut seen = HashSet::new();
        let Some(name) = self.assets.name(ObjectType::Users, self.identity) else { return by_identity };
        for object in found.objects.iter().filter(|object| seen.insert(object.id.as_str())) {
            for value in object.values.get(name).into_iter().flatten().take(1) {
                by_identity.entry(fold(value)).or_default().push(object);
            }
        }
        by_identity
    }

    async fn write(&mut self, user: &Wanted, verdict: &Verdict, objects: &[&SeenObject]) -> Result<Looked, Stop> {
        let account = match verdict {
            Verdict::Account(account) => Some(account.as_str()),
            Verdict::None(..) => None,
        };
        let object = match objects {
            [one] => one,
            // An object that is gone has no account any more.
            [] if account.is_none() => return Ok(user.looked(verdict)),
            [] => return Ok(user.failed(JiraUserReason::ObjectNotFound)),
            _ => return Ok(user.failed(JiraUserReason::SeveralObjects)),
        };
        match self.assets.write_account(ObjectType::Users, &object.id, &self.attribute, account).await {
            Ok(()) => Ok(user.looked(verdict)),
            Err(AccountRefused::Value(why)) => {
                self.refusal.get_or_insert_with(|| format!("{}: {why}", object.key));
                Ok(user.failed(JiraUserReason::WriteRefused))
            }
            Err(AccountRefused::Stopped(stop)) => Err(stop),
        }
    }
}
