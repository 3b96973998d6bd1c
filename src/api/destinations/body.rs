//! Destinations in requests and responses. Tokens are never in a response.

use crate::api::patch::Change;
use crate::api::respond::Versioned;
use crate::db::destinations::DestinationRow;
use crate::destination::{DestinationKind, EmptyValues, MissingObjects};
use crate::ids::DestinationId;
use crate::mapping::ReferenceTemplate;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Access to the object API. Needed only for the removal policy `remove` and to clear values.
#[derive(Deserialize, ToSchema, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectApiBody {
    /// The address of the site. If the operator set ENTRA_ASSETS_ASSETS_URL, that origin is allowed too.
    #[schema(
        pattern = "^https?://[A-Za-z0-9.:\\[\\]-]+/?$",
        max_length = 300,
        example = "https://example.atlassian.net"
    )]
    pub site_url: String,
    /// The e-mail address of the account that the API token belongs to.
    #[schema(min_length = 3, max_length = 254, pattern = "^[^\\s@]+@[^\\s@]+$", example = "importer@example.com")]
    pub email: String,
    /// An API token of that account.
    #[schema(write_only, min_length = 1, max_length = 8192, pattern = "^[!-~]+$")]
    pub api_token: String,
}

/// A new destination.
#[derive(Deserialize, ToSchema, Clone)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Assets", "kind": "assetsImport", "token": "ATCTT3xFfGN0-simulated", "missingObjects": "unknown"}))]
pub enum CreateDestination {
    /// An import source of the type «External import», reached by its container token.
    #[serde(rename_all = "camelCase")]
    #[schema(title = "AssetsImport")]
    AssetsImport {
        #[schema(min_length = 1, max_length = 200)]
        name: String,
        /// The token that the import source generated for it.
        #[schema(write_only, min_length = 1, max_length = 8192, pattern = "^[!-~]+$")]
        token: String,
        #[serde(default)]
        missing_objects: MissingObjects,
        #[serde(default)]
        empty_values: EmptyValues,
        #[serde(default)]
        reference_template: ReferenceTemplate,
        api: Option<ObjectApiBody>,
    },
    /// An import type of a Forge app, reached by the app's own token.
    #[serde(rename_all = "camelCase")]
    #[schema(title = "Forge")]
    Forge {
        #[schema(min_length = 1, max_length = 200)]
        name: String,
        /// The id of the workspace in Assets, from the context of the app.
        #[schema(min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9:_-][A-Za-z0-9:._-]*$")]
        workspace_id: String,
        /// The id of the import source, from the context of the app.
        #[schema(min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9:_-][A-Za-z0-9:._-]*$")]
        import_id: String,
        #[serde(default)]
        missing_objects: MissingObjects,
        #[serde(default)]
        empty_values: EmptyValues,
        #[serde(default)]
        reference_template: ReferenceTemplate,
        api: Option<ObjectApiBody>,
    },
}

/// Changes to a destination: omitted fields keep their value, also tokens; null resets to the default.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"missingObjects": "ignore"}))]
pub struct UpdateDestination {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    pub(super) name: Option<String>,
    /// Must be the current kind: it cannot change.
    #[schema(nullable = false)]
    pub(super) kind: Option<DestinationKind>,
    /// Another token of the import source.
    #[schema(write_only, min_length = 1, max_length = 8192, pattern = "^[!-~]+$", nullable = false)]
    pub(super) token: Option<String>,
    /// Another workspace; of the kind `forge` only.
    #[schema(min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9:_-][A-Za-z0-9:._-]*$", nullable = false)]
    pub(super) workspace_id: Option<String>,
    /// Another import source; of the kind `forge` only.
    #[schema(min_length = 1, max_length = 200, pattern = "^[A-Za-z0-9:_-][A-Za-z0-9:._-]*$", nullable = false)]
    pub(super) import_id: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<MissingObjects>)]
    pub(super) missing_objects: Change<MissingObjects>,
    #[serde(default)]
    #[schema(value_type = Option<EmptyValues>)]
    pub(super) empty_values: Change<EmptyValues>,
    #[serde(default)]
    #[schema(value_type = Option<ReferenceTemplate>)]
    pub(super) reference_template: Change<ReferenceTemplate>,
    #[serde(default)]
    #[schema(value_type = Option<UpdateObjectApi>)]
    pub(super) api: Change<UpdateObjectApi>,
}

/// Changes to the access to the object API: omitted fields keep their value.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateObjectApi {
    /// The address of the site.
    #[schema(pattern = "^https?://[A-Za-z0-9.:\\[\\]-]+/?$", max_length = 300, nullable = false)]
    pub(super) site_url: Option<String>,
    /// The e-mail address of the account that the API token belongs to.
    #[schema(min_length = 3, max_length = 254, pattern = "^[^\\s@]+@[^\\s@]+$", nullable = false)]
    pub(super) email: Option<String>,
    /// An API token of that account.
    #[schema(write_only, min_length = 1, max_length = 8192, pattern = "^[!-~]+$", nullable = false)]
    pub(super) api_token: Option<String>,
}

/// A destination without its tokens.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct DestinationResponse {
    pub id: DestinationId,
    pub name: String,
    pub kind: DestinationKind,
    /// Only of a Forge destination.
    #[schema(required = true)]
    pub workspace_id: Option<String>,
    /// Only of a Forge destination.
    #[schema(required = true)]
    pub import_id: Option<String>,
    /// What Assets does with objects that an import leaves out, as the administrator declared or as a run observed.
    pub missing_objects: MissingObjects,
    pub empty_values: EmptyValues,
    pub reference_template: ReferenceTemplate,
    /// Access to the object API, without its token. Null: no access.
    #[schema(required = true)]
    pub api: Option<ObjectApiResponse>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Access to the object API, without its token.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ObjectApiResponse {
    /// The address of the site.
    pub site_url: String,
    /// The e-mail address of the account whose API token is stored.
    pub email: String,
}

impl Versioned for DestinationResponse {
    fn version(&self) -> i64 {
        self.version
    }
}

impl DestinationResponse {
    pub(super) fn from_row(row: DestinationRow) -> Self {
        Self {
            id: DestinationId(row.id),
            name: row.name,
            kind: row.kind,
            workspace_id: row.workspace_id,
            import_id: row.import_id,
            missing_objects: row.missing_objects,
            empty_values: row.empty_values,
            reference_template: row.reference_template,
            api: row.api_site_url.zip(row.api_email).map(|(site_url, email)| ObjectApiResponse { site_url, email }),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
