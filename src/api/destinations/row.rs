//! The columns of a destination: its tokens are sealed here. A change never opens a stored token.

use super::body::{CreateDestination, ObjectApiBody, UpdateDestination, UpdateObjectApi};
use crate::api::patch::Change;
use crate::app::App;
use crate::db::destinations::{DestinationRow, LeadsTo, NewDestinationRow};
use crate::db::mirror::hash;
use crate::destination::{DestinationKind, site};
use crate::error::{Error, Fault, Faults, Result};
use crate::ids::{DestinationId, OrganizationId};
use crate::seal::Place;

/// The key of a destination's secrets.
#[derive(Clone, Copy)]
pub(super) struct Sealer<'a> {
    pub app: &'a App,
    pub organization: OrganizationId,
    pub id: DestinationId,
}

impl Sealer<'_> {
    fn token(&self, token: &str) -> Result<Vec<u8>> {
        self.seal("token_sealed", token)
    }

    fn api_token(&self, token: &str) -> Result<Vec<u8>> {
        self.seal("api_token_sealed", token)
    }

    fn seal(&self, column: &'static str, secret: &str) -> Result<Vec<u8>> {
        let place = Place { table: "destinations", column, organization: self.organization, row: self.id.0 };
        self.app.keys.seal(place, secret)
    }
}

/// Adds a fault if the token of the import source is a token of a person: «API token» is the better known kind.
pub(super) fn check_token(token: Option<&str>, faults: &mut Faults) {
    if token.is_some_and(|token| token.trim_start().starts_with("ATATT")) {
        let detail = "This is an API token of an Atlassian account. Here belongs the token of the import source: in Assets open \
                      the schema's settings, Import, the import source's menu, «Generate new token». API tokens belong in \
                      `api.apiToken`.";
        faults.push("/token", "not_an_import_token", detail);
    }
}

/// Adds a fault if tokens may not be sent to the site.
pub(super) fn check_site(app: &App, site_url: Option<&str>, faults: &mut Faults) {
    if let Some(fault) = site_url.and_then(|site_url| app.assets.site_url_fault(site_url)) {
        faults.push("/api/siteUrl", "invalid_site", fault);
    }
}

/// The import source of a new destination.
pub(super) fn leads_to(organization: OrganizationId, body: &CreateDestination) -> LeadsTo {
    match body {
        CreateDestination::AssetsImport { token, .. } => led_by_token(organization, token),
        CreateDestination::Forge { import_id, .. } => led_by_id(import_id),
    }
}

/// The import source that a change leads to; `None`: the same as before.
pub(super) fn leads_elsewhere(organization: OrganizationId, change: &UpdateDestination) -> Option<LeadsTo> {
    match (&change.token, &change.import_id) {
        (Some(token), _) => Some(led_by_token(organization, token)),
        (None, Some(import_id)) => Some(led_by_id(import_id)),
        (None, None) => None,
    }
}

fn led_by_token(organization: OrganizationId, token: &str) -> LeadsTo {
    let hash = hash(&[organization.0.as_bytes(), b"import token", token.as_bytes()]);
    LeadsTo { token_hash: Some(hash), import_source: None }
}

fn led_by_id(import_id: &str) -> LeadsTo {
    LeadsTo { token_hash: None, import_source: Some(import_id.to_owned()) }
}

/// The columns of a new destination.
pub(super) fn new(sealer: Sealer<'_>, body: CreateDestination) -> Result<NewDestinationRow> {
    let (row, api) = match body {
        CreateDestination::AssetsImport { name, token, missing_objects, empty_values, reference_template, api } => {
            let row = NewDestinationRow {
                name,
                kind: DestinationKind::AssetsImport,
                token_sealed: Some(sealer.token(&token)?),
                workspace_id: None,
                import_id: None,
                missing_objects,
                empty_values,
                reference_template,
                api_site_url: None,
                api_email: None,
                api_token_sealed: None,
            };
            (row, api)
        }
        CreateDestination::Forge {
            name,
            workspace_id,
            import_id,
            missing_objects,
            empty_values,
            reference_template,
            api,
        } => {
            let row = NewDestinationRow {
                name,
                kind: DestinationKind::Forge,
                token_sealed: None,
                workspace_id: Some(workspace_id),
                import_id: Some(import_id),
                missing_objects,
                empty_values,
                reference_template,
                api_site_url: None,
                api_email: None,
                api_token_sealed: None,
            };
            (row, api)
        }
    };
    with_api(sealer, row, api)
}

fn with_api(sealer: Sealer<'_>, row: NewDestinationRow, api: Option<ObjectApiBody>) -> Result<NewDestinationRow> {
    let Some(api) = api else { return Ok(row) };
    let mut faults = Faults::default();
    check_site(sealer.app, Some(&api.site_url), &mut faults);
    faults.into_result()?;
    Ok(NewDestinationRow {
        api_site_url: Some(site(&api.site_url)),
        api_email: Some(api.email),
        api_token_sealed: Some(sealer.api_token(&api.api_token)?),
        ..row
    })
}

/// The columns of `row` with `change` applied.
pub(super) fn changed(sealer: Sealer<'_>, row: DestinationRow, change: UpdateDestination) -> Result<NewDestinationRow> {
    if change.kind.is_some_and(|kind| kind != row.kind) {
        let detail = format!("The kind is `{}` and cannot change; create another destination instead.", row.kind);
        return Err(Error::validation(vec![Fault::new("/kind", "cannot_change", detail)]));
    }
    let mut faults = Faults::default();
    refuse_other_kind(&row, &change, &mut faults);
    let mut new = NewDestinationRow {
        name: change.name.unwrap_or(row.name),
        kind: row.kind,
        token_sealed: row.token_sealed,
        workspace_id: change.workspace_id.or(row.workspace_id),
        import_id: change.import_id.or(row.import_id),
        missing_objects: change.missing_objects.of(row.missing_objects),
        empty_values: change.empty_values.of(row.empty_values),
        reference_template: change.reference_template.of(row.reference_template),
        api_site_url: row.api_site_url,
        api_email: row.api_email,
        api_token_sealed: row.api_token_sealed,
    };
    if let Some(token) = change.token {
        new.token_sealed = Some(sealer.token(&token)?);
    }
    match change.api {
        Change::Keep => {}
        Change::Reset => (new.api_site_url, new.api_email, new.api_token_sealed) = (None, None, None),
        Change::Set(api) => change_api(sealer, &mut new, api, &mut faults)?,
    }
    check_site(sealer.app, new.api_site_url.as_deref(), &mut faults);
    faults.into_result()?;
    Ok(new)
}

/// A token is for an Assets import, the ids are for a Forge app.
fn refuse_other_kind(row: &DestinationRow, change: &UpdateDestination, faults: &mut Faults) {
    let is_forge = row.kind == DestinationKind::Forge;
    for (field, is_given, is_its_own) in [
        ("token", change.token.is_some(), !is_forge),
        ("workspaceId", change.workspace_id.is_some(), is_forge),
        ("importId", change.import_id.is_some(), is_forge),
    ] {
        if is_given && !is_its_own {
            let detail = format!("`{field}` is not a field of a destination of the kind `{}`", row.kind);
            faults.push(format!("/{field}"), "unknown_field", detail);
        }
    }
}

/// Changes the access to the object API; without one so far, the change must be whole.
fn change_api(
    sealer: Sealer<'_>,
    row: &mut NewDestinationRow,
    change: UpdateObjectApi,
    faults: &mut Faults,
) -> Result<()> {
    let moves = change.site_url.is_some() || change.email.is_some();
    if row.api_token_sealed.is_some() && moves && change.api_token.is_none() {
        // A stored token is never sent to another place than the one it was given for.
        let detail = "Give the API token again: it was stored for another site or account.";
        faults.push("/api/apiToken", "required", detail);
        return Ok(());
    }
    let is_given = [
        ("siteUrl", change.site_url.is_some() || row.api_site_url.is_some()),
        ("email", change.email.is_some() || row.api_email.is_some()),
        ("apiToken", change.api_token.is_some() || row.api_token_sealed.is_some()),
    ];
    for (field, _) in is_given.into_iter().filter(|(_, is_given)| !is_given) {
        faults.push(format!("/api/{field}"), "required", format!("`{field}` is required"));
    }
    if let Some(site_url) = change.site_url {
        row.api_site_url = Some(site(&site_url));
    }
    if let Some(email) = change.email {
        row.api_email = Some(email);
    }
    if let Some(token) = change.api_token {
        row.api_token_sealed = Some(sealer.api_token(&token)?);
    }
    Ok(())
}
