//! What a test or a demonstration may choose about the simulated Assets.

use entra_assets_kernel::clock::Clock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// How to start the simulator.
#[derive(Clone)]
pub struct AssetsOptions {
    /// Stamps objects and executions, and measures the object API's rate limit.
    pub clock: Clock,
    /// 0 takes a free one.
    pub port: u16,
    pub address: IpAddr,
    /// The name that the server is reached by, if not by its address.
    pub host: Option<String>,
    /// Threads that answer requests.
    pub workers: usize,
    pub behaviour: Behaviour,
}

impl Default for AssetsOptions {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            port: 0,
            address: Ipv4Addr::LOCALHOST.into(),
            host: None,
            workers: 2,
            behaviour: Behaviour::default(),
        }
    }
}

/// What Assets does where its administrator decides or its documentation is silent. It can be changed
/// while the simulator runs: `AssetsSim::configure`, or `PATCH /_sim/behaviour` with any of these in
/// camelCase.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Behaviour {
    /// How long an execution stays PROCESSING after `completed`.
    pub processing: Processing,
    /// Which placeholders of `objectMappingIQL` find objects.
    pub references: ReferenceBehaviour,
    /// «Missing objects» of every type that `missing_by_type` does not name.
    pub missing: Missing,
    /// «Missing objects» by the name of the object type.
    pub missing_by_type: BTreeMap<String, Missing>,
    /// Whether the objects of a mapped type are missing when an execution has no entry of that type.
    pub absent_types_are_missing: bool,
    /// What an explicit `null`, `""` or `[]` does. A key that is not there never changes anything.
    pub empty_values: EmptyValues,
    /// What happens to a select or status value that the attribute does not know.
    pub unknown_values: UnknownValues,
    /// What happens to values beyond `maximumCardinality`.
    pub extra_values: ExtraValues,
    /// What a chunk does that repeats a `clientGeneratedId` of the same execution.
    pub repeated_chunks: RepeatedChunks,
    /// Whether an execution can be cancelled after `completed`.
    pub cancel_after_completed: bool,
    /// Joins the values of several locators.
    pub concatenator: String,
    /// A larger data chunk is answered 413.
    pub max_chunk_bytes: Option<usize>,
    /// A data chunk with more entries is answered 413.
    pub max_chunk_entries: Option<usize>,
    /// Objects beyond this are not created; their entries are errors.
    pub max_objects: Option<usize>,
    /// Whether objects beyond `max_objects` are left out without an error or a counter.
    pub max_objects_is_silent: bool,
    /// Every so manieth entry of a type is an error.
    pub reject_every: Option<usize>,
    /// Calls per minute to the object API; more are answered 429.
    pub object_calls_per_minute: Option<u32>,
    /// Whether that 429 says `Retry-After`.
    pub rate_limit_says_retry_after: bool,
    /// Whether the account of the object API has the global permission «Browse users and groups».
    pub may_browse_users: bool,
    /// Whether a search finds accounts that are not active.
    pub finds_inactive_accounts: bool,
    /// Whether the account of the object API may add attributes to object types.
    pub may_add_attributes: bool,
    /// Calls per minute to Jira's own interface; more are answered 429.
    pub jira_calls_per_minute: Option<u32>,
    /// Whether answers have only what the published description shows, and more elsewhere: no links while RUNNING,
    /// no `executionId`, no `errorCount`, 200 for a mapping, fields that nobody knows.
    pub sparse: bool,
    /// Added to every answer, in milliseconds.
    pub latency_ms: u64,
    /// What the links begin with that an import token is given.
    pub links: LinkForm,
    /// Whether absolute links in answers below `/ex/jira/{cloudId}` keep that prefix. The real ones may lack it.
    pub forge_links_keep_prefix: bool,
    /// Whether PUT of a mapping with `?async=true` answers 303 as PATCH does, rather than 204.
    pub put_mapping_can_be_async: bool,
    /// Whether PATCH of a mapping is asynchronous even when not asked to be.
    pub patch_mapping_is_always_async: bool,
    /// Answers of the mapping progress that say it is not finished.
    pub mapping_progress_polls: u32,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            processing: Processing::Polls(1),
            references: ReferenceBehaviour::Arrays,
            missing: Missing::default(),
            missing_by_type: BTreeMap::new(),
            absent_types_are_missing: true,
            empty_values: EmptyValues::Ignore,
            unknown_values: UnknownValues::Ignore,
            extra_values: ExtraValues::Drop,
            repeated_chunks: RepeatedChunks::Once,
            cancel_after_completed: false,
            concatenator: ",".to_owned(),
            max_chunk_bytes: None,
            max_chunk_entries: None,
            max_objects: None,
            max_objects_is_silent: false,
            reject_every: None,
            object_calls_per_minute: None,
            rate_limit_says_retry_after: true,
            may_browse_users: true,
            finds_inactive_accounts: true,
            may_add_attributes: true,
            jira_calls_per_minute: None,
            sparse: false,
            latency_ms: 0,
            links: LinkForm::Assets,
            forge_links_keep_prefix: false,
            put_mapping_can_be_async: false,
            patch_mapping_is_always_async: false,
            mapping_progress_polls: 1,
        }
    }
}

impl Behaviour {
    pub(super) fn missing_of(&self, type_name: &str) -> &Missing {
        self.missing_by_type.get(type_name).unwrap_or(&self.missing)
    }
}

/// The families of links that Assets has been seen to give. All lead to the same. Source: docs/assets.md, «Addresses
/// and credentials».
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LinkForm {
    /// `/jsm/assets/…`
    Assets,
    /// `/ex/jira/{cloudId}/jsm/assets/…`
    BelowCloud,
    /// `/jsm/insight/…`, from when Assets was called Insight.
    Insight,
}

/// How long an execution is PROCESSING.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Processing {
    /// For so many answers about its status; the next one says DONE.
    Polls(u32),
    /// For so many milliseconds of the clock.
    Millis(u64),
}

/// docs/assets.md, «References»: whether the placeholder for several values works at this endpoint is not confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReferenceBehaviour {
    /// `${x${0}}` stands for every value; `${x}` for one quoted text, several values joined.
    Arrays,
    /// `${x${0}}` stands for nothing; `IN (${x})` is read as the parts of the joined text.
    JoinedStrings,
}

/// «Missing objects» of an object type mapping: what happens to objects that an execution left out,
/// whoever created them. Source: docs/assets.md, «Missing objects and empty values».
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Missing {
    pub action: MissingAction,
    /// Executions in a row that must have left an object out before something happens; 0 counts as 1.
    pub threshold: u32,
}

impl Missing {
    pub fn remove() -> Self {
        Self { action: MissingAction::Remove, threshold: 1 }
    }

    pub fn update(attribute: &str, value: &str) -> Self {
        let action = MissingAction::Update { attribute: attribute.to_owned(), value: value.to_owned() };
        Self { action, threshold: 1 }
    }

    pub fn after(mut self, threshold: u32) -> Self {
        self.threshold = threshold;
        self
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MissingAction {
    #[default]
    Ignore,
    /// Sets the attribute of this name.
    Update {
        attribute: String,
        value: String,
    },
    Remove,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EmptyValues {
    /// The old value stays.
    Ignore,
    /// The old value is cleared.
    Remove,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnknownValues {
    /// The value is left out.
    Ignore,
    /// The value becomes an option of the attribute.
    Add,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExtraValues {
    /// The first ones are kept.
    Drop,
    /// The entry is an error.
    Error,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RepeatedChunks {
    /// It is answered 200 and changes nothing.
    Once,
    /// Its entries are taken again, and counted as `duplicateEnries`.
    Again,
}
