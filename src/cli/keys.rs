//! `keys`: manages API keys directly in the database, and the master key that encrypts the stored secrets.

use super::output;
use crate::api::auth::{Scope, new_key};
use crate::audit::{Action, Actor};
use crate::clock::Clock;
use crate::config::Settings;
use crate::db::api_keys::{self, ApiKeyRow, NewApiKeyRow, Which};
use crate::db::audit_events::{self, AuditEventRow};
use crate::db::list::Part;
use crate::db::{Db, Transaction, organizations, secrets};
use crate::error::{Error, Result as OwnResult};
use crate::ids::{self, ApiKeyId, OrganizationId};
use crate::seal::KeyRing;
use crate::serve::{self, Database};
use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use secrecy::ExposeSecret;
use serde_json::json;

const CONNECTIONS: u16 = 4;
const MAX_KEYS: i64 = 1000;
const MAX_NAME_CHARACTERS: usize = 200;

#[derive(Subcommand)]
pub enum Keys {
    /// Print a new master key for ENTRA_ASSETS_MASTER_KEY.
    Master,
    /// Re-encrypt every stored secret with the first master key. The other master keys can then be removed.
    Rotate(Rotate),
    /// Create an API key. It is printed only once.
    Create(Create),
    /// List the API keys of an organization.
    List(Of),
    /// Revoke an API key.
    Revoke(Revoke),
}

#[derive(Args)]
pub struct Rotate {
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
pub struct Of {
    /// Id of the organization. Unset: `default`.
    #[arg(long)]
    organization: Option<OrganizationId>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
pub struct Create {
    /// Name of the key, of at most 200 characters.
    #[arg(long, value_parser = name)]
    name: String,
    /// Scopes of the key, separated by commas: read, write, run, admin.
    #[arg(long, value_delimiter = ',', required = true)]
    scopes: Vec<Scope>,
    /// When the key expires (RFC 3339). Unset: never.
    #[arg(long)]
    expires_at: Option<DateTime<Utc>>,
    #[command(flatten)]
    of: Of,
}

#[derive(Args)]
pub struct Revoke {
    id: ApiKeyId,
    #[command(flatten)]
    of: Of,
}

pub async fn run(command: Keys) -> Result<()> {
    match command {
        Keys::Master => {
            output::say(KeyRing::generate().expose_secret());
            Ok(())
        }
        Keys::Rotate(Rotate { settings }) => rotate(&settings).await,
        Keys::Create(arguments) => create(arguments).await,
        Keys::List(of) => list(of).await,
        Keys::Revoke(Revoke { id, of }) => revoke(id, of).await,
    }
}

async fn rotate(settings: &Settings) -> Result<()> {
    let database = Database::open_beside(settings, &Clock::system()).await?;
    let keys = serve::master_keys(settings, settings.database.database_url.is_none())?;
    let db = Db::new(&database.runtime, CONNECTIONS)?;
    let tally = secrets::rotate(&db, &keys).await;
    database.close().await?;
    let tally = tally?.into_result()?;
    output::say(&format!(
        "{} of {} stored secrets were re-encrypted; all now use the first master key",
        tally.stale, tally.values
    ));
    Ok(())
}

/// A name as the API takes it. Control characters would act on the terminals that show it.
fn name(text: &str) -> std::result::Result<String, String> {
    if text.trim().is_empty() || text.chars().count() > MAX_NAME_CHARACTERS || text.chars().any(char::is_control) {
        return Err(format!("must have 1 to {MAX_NAME_CHARACTERS} characters, and no control characters"));
    }
    Ok(text.to_owned())
}

/// An open database and an organization that exists in it, for one command.
struct Opened {
    database: Database,
    db: Db,
    organization: OrganizationId,
    clock: Clock,
}

impl Opened {
    async fn new(of: &Of) -> Result<Self> {
        let clock = Clock::system();
        let database = Database::open_beside(&of.settings, &clock).await?;
        let db = Db::new(&database.runtime, CONNECTIONS)?;
        let organization = of.organization.unwrap_or(OrganizationId::DEFAULT);
        let opened = Self { database, db, organization, clock };
        let found = opened.db.scoped(organization, async |tx| organizations::find(tx, organization).await).await;
        match found {
            Ok(Some(_)) => Ok(opened),
            Ok(None) => Err(opened.close(Error::not_found("organization", organization).into()).await),
            Err(error) => Err(opened.close(error.into()).await),
        }
    }

    /// Closes the database, and returns the error to report.
    async fn close(self, error: anyhow::Error) -> anyhow::Error {
        self.database.close().await.map_or_else(Into::into, |()| error)
    }

    async fn audit(&self, tx: &mut Transaction, action: Action, id: ApiKeyId) -> OwnResult<()> {
        let event = AuditEventRow {
            organization_id: self.organization.0,
            id: ids::new_v7(&self.clock),
            at: self.clock.now(),
            actor: Actor::CommandLine,
            action: action.into(),
            resource_kind: "api-keys".to_owned(),
            resource_id: Some(id.0),
            detail: json!({}),
            address: None,
        };
        audit_events::insert(tx, &event).await
    }
}

async fn create(arguments: Create) -> Result<()> {
    let opened = Opened::new(&arguments.of).await?;
    let id = ApiKeyId::new(&opened.clock);
    let (key, secret_hash) = new_key(id);
    let new =
        NewApiKeyRow { name: arguments.name, scopes: arguments.scopes, secret_hash, expires_at: arguments.expires_at };
    let created = opened
        .db
        .scoped(opened.organization, async |tx| {
            opened.audit(tx, Action::Create, id).await?;
            api_keys::insert(tx, opened.organization, id, &new, opened.clock.now()).await
        })
        .await;
    opened.database.close().await?;
    created?;
    output::say(&key);
    Ok(())
}

async fn list(of: Of) -> Result<()> {
    let opened = Opened::new(&of).await?;
    let organization = opened.organization;
    let rows = opened
        .db
        .scoped(organization, async |tx| {
            api_keys::list(tx, organization, &Which::default(), &Part::first(MAX_KEYS)).await
        })
        .await;
    opened.database.close().await?;
    output::say(&table(&rows?).to_string());
    Ok(())
}

fn table(rows: &[ApiKeyRow]) -> Table {
    let time = |at: Option<DateTime<Utc>>| at.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["id", "name", "scopes", "expires", "last used"]);
    for row in rows {
        let scopes = row.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",");
        let name = output::in_one_line(&row.name);
        table.add_row([row.id.to_string(), name, scopes, time(row.expires_at), time(row.last_used_at)]);
    }
    table
}

async fn revoke(id: ApiKeyId, of: Of) -> Result<()> {
    let opened = Opened::new(&of).await?;
    let organization = opened.organization;
    let revoked = opened
        .db
        .scoped(organization, async |tx| {
            api_keys::lock(tx, organization, id).await?.ok_or_else(|| Error::not_found("API key", id))?;
            opened.audit(tx, Action::Delete, id).await?;
            api_keys::revoke(tx, organization, id, opened.clock.now()).await
        })
        .await;
    opened.database.close().await?;
    revoked?;
    output::say(&format!("revoked {id}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_control_characters_is_refused() {
        assert_eq!(name("Nightly report"), Ok("Nightly report".to_owned()));
        for wrong in ["", " ", "a\u{1b}[31m", "a\nb", &"a".repeat(201)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }
}
