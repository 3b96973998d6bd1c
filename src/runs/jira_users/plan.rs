//! For whom a run looks: users that are new or have another address, users whose object was created again or whose account
//! could not be written, and in a full run some who were looked for long ago.

use crate::db::jira_users::{self, Again, Due, DueRow, Looked};
use crate::directory::{ObjectType, Properties};
use crate::error::{Error, Result};
use crate::jira_user::{JiraUserOutcome, JiraUserReason, Verdict};
use crate::run_state::RunMode;
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use chrono::TimeDelta;
use futures_util::StreamExt;
use uuid::Uuid;

/// Users that are chosen for one run: more than it has the time for, with the pauses between searches alone.
const MAX_USERS: usize = 15_000;
/// Users for whom a full run looks again although nothing about them changed, those first who wait longest.
const MAX_USERS_AGAIN: usize = 1_000;
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
    /// The object may not have it.
    rewrite: bool,
    /// Nothing about the user changed.
    pub is_again: bool,
}

impl Wanted {
    fn of(run: &Run, row: DueRow, is_again: bool) -> Result<Self> {
        let properties: Properties = serde_json::from_str(&row.data).map_err(Error::internal)?;
        let text =
            |name: &str| properties.get(name).and_then(|value| value.as_str()).map(|text| text.replace('\0', ""));
        let mapping = &run.job.mapping;
        Ok(Self {
            id: row.id,
            mail: text("mail"),
            user_principal_name: text("userPrincipalName"),
            identity: mapping.value(ObjectType::Users, mapping.identity_key(ObjectType::Users), row.id, &properties),
            account: row.account,
            rewrite: row.rewrite,
            is_again,
        })
    }

    /// Whether the object in Assets has to be written. One that was looked for long ago is written again, because a person
    /// may have changed it.
    pub fn needs_write(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Account(account) => self.is_again || self.rewrite || self.account.as_ref() != Some(account),
            Verdict::None(..) => self.account.is_some(),
        }
    }

    /// What the object has now is what the search says.
    pub fn looked(&self, verdict: &Verdict) -> Looked {
        let (outcome, reason, account) = match verdict {
            Verdict::Account(account) => (JiraUserOutcome::Set, None, Some(account.clone())),
            Verdict::None(outcome, reason) => (*outcome, Some(*reason), None),
        };
        let changed = self.account != account || (self.rewrite && account.is_some());
        Looked { account, outcome, reason, changed, rewrite: false, ..self.as_before() }
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
            rewrite: self.rewrite,
        }
    }
}

/// Those who are due, then those who are due again.
pub(super) async fn plan(run: &Run, of: &Due<'_>) -> Result<Vec<Wanted>, Stop> {
    let users = run.tx("users without a Jira account", async |tx| {
        let mut users = Vec::new();
        let mut rows = jira_users::due(tx, of, MAX_USERS as i64).await?;
        while let Some(row) = rows.next().await {
            users.push(Wanted::of(run, row?, false)?);
        }
        drop(rows);
        if run.mode != RunMode::Full {
            return Ok(users);
        }
        let now = run.app.clock.now();
        let most = MAX_USERS.saturating_sub(users.len()).min(MAX_USERS_AGAIN) as i64;
        let again = Again { with_account_since: now - AGAIN_WITH, without_since: now - AGAIN_WITHOUT, most };
        let mut rows = jira_users::due_again(tx, of, again).await?;
        while let Some(row) = rows.next().await {
            users.push(Wanted::of(run, row?, true)?);
        }
        Ok(users)
    });
    let users: Result<Vec<Wanted>> = users.await;
    Ok(users?)
}
