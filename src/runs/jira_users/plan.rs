//! For whom a run looks: users that are new or have another address, those whose account could not be written, and in a
//! full run some who were looked for long ago.

use crate::db::jira_users::{self, KnownRow, Looked};
use crate::directory::{ObjectType, Properties};
use crate::error::{Error, Result};
use crate::jira_user::{JiraUserOutcome, JiraUserReason, Verdict};
use crate::run_state::RunMode;
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Users for whom one run looks: about half an hour of searches and writes. The next run goes on.
const MOST: usize = 10_000;
/// Users for whom a full run looks again although nothing about them changed, those first who wait longest.
const MOST_AGAIN: usize = 1_000;
/// When a full run looks again: for who has no account, and for who has one, which may have been deactivated.
const AGAIN_WITHOUT: TimeDelta = TimeDelta::days(1);
const AGAIN_WITH: TimeDelta = TimeDelta::days(7);

/// A user for whom the run looks.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    id: Uuid,
    pub mail: Option<String>,
    pub user_principal_name: Option<String>,
    /// The value by which Assets recognises the object.
    pub identity: Option<String>,
    /// The account that an earlier search led to.
    pub account: Option<String>,
    /// Nothing about the user changed.
    is_again: bool,
}

pub(super) struct Plan {
    pub users: Vec<Wanted>,
    /// Users who are left to the next run.
    pub beyond: u64,
}

impl Wanted {
    /// Whether the object in Assets has to be written. One that was looked for long ago is written again, because a person
    /// may have changed it.
    pub fn needs_write(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Account(account) => self.is_again || self.account.as_ref() != Some(account),
            Verdict::None(..) => self.account.is_some(),
        }
    }

    pub fn looked(&self, verdict: &Verdict, changed: bool) -> Looked {
        let (outcome, reason, account) = match verdict {
            Verdict::Account(account) => (JiraUserOutcome::Set, None, Some(account.clone())),
            Verdict::None(outcome, reason) => (*outcome, Some(*reason), None),
        };
        Looked { account, outcome, reason, changed, ..self.as_before() }
    }

    /// The object keeps what it has.
    pub fn failed(&self, reason: JiraUserReason) -> Looked {
        Looked { reason: Some(reason), ..self.as_before() }
    }

    fn as_before(&self) -> Looked {
        Looked {
            user: self.id,
            mail: self.mail.clone(),
            user_principal_name: self.user_principal_name.clone(),
            account: self.account.clone(),
            outcome: JiraUserOutcome::Failed,
            reason: None,
            changed: false,
        }
    }
}

impl Plan {
    pub async fn make(run: &Run) -> Result<Self, Stop> {
        let (organization, job, id, source) = (run.job.organization, run.job.id, run.lease.run, run.source());
        let plan = run.tx("users without a Jira account", async move |tx| {
            let mut rows = jira_users::known(tx, organization, job, id, source).await?;
            let mut chosen = Chosen { now: run.app.clock.now(), ..Chosen::default() };
            while let Some(row) = rows.next().await {
                chosen.take(run, row?)?;
            }
            Ok(chosen.plan())
        });
        let plan: Result<Self> = plan.await;
        Ok(plan?)
    }
}

#[derive(Default)]
struct Chosen {
    now: DateTime<Utc>,
    users: Vec<Wanted>,
    beyond: u64,
    /// By the time of the last look.
    again: BTreeMap<(DateTime<Utc>, Uuid), Wanted>,
}

impl Chosen {
    fn take(&mut self, run: &Run, row: KnownRow) -> Result<()> {
        // An earlier attempt of this run looked.
        if row.run_id == Some(run.lease.run.0) {
            return Ok(());
        }
        let properties: Properties = serde_json::from_str(&row.data).map_err(Error::internal)?;
        let text =
            |name: &str| properties.get(name).and_then(|value| value.as_str()).map(|text| text.replace('\0', ""));
        let (mail, user_principal_name) = (text("mail"), text("userPrincipalName"));
        let is_same = row.mail == mail && row.user_principal_name == user_principal_name;
        let looked =
            row.outcome.zip(row.looked_at).filter(|(outcome, _)| is_same && *outcome != JiraUserOutcome::Failed);
        let again = match looked {
            None => None,
            Some((outcome, at)) if run.mode == RunMode::Full && at + after(outcome) <= self.now => Some(at),
            Some(_) => return Ok(()),
        };
        if again.is_none() && self.users.len() >= MOST {
            self.beyond += 1;
            return Ok(());
        }
        let mapping = &run.job.mapping;
        let wanted = Wanted {
            id: row.id,
            mail,
            user_principal_name,
            identity: mapping.value(ObjectType::Users, mapping.identity_key(ObjectType::Users), row.id, &properties),
            account: row.account,
            is_again: again.is_some(),
        };
        match again {
            None => self.users.push(wanted),
            Some(at) => {
                self.again.insert((at, row.id), wanted);
                if self.again.len() > MOST_AGAIN {
                    self.again.pop_last();
                }
            }
        }
        Ok(())
    }

    fn plan(mut self) -> Plan {
        let room = MOST.saturating_sub(self.users.len());
        self.users.extend(self.again.into_values().take(room));
        Plan { users: self.users, beyond: self.beyond }
    }
}

fn after(outcome: JiraUserOutcome) -> TimeDelta {
    match outcome {
        JiraUserOutcome::Set => AGAIN_WITH,
        JiraUserOutcome::NotFound | JiraUserOutcome::Ambiguous | JiraUserOutcome::Inactive => AGAIN_WITHOUT,
        JiraUserOutcome::Failed => TimeDelta::zero(),
    }
}
