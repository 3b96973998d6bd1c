//! How to set up an import source in Assets, step by step, and what its settings mean for this service.
//! Source: docs/assets.md, «Addresses and credentials»,
//! «Missing objects and empty values».

use crate::connection_check::setup::Step;
use serde::Serialize;
use utoipa::ToSchema;

/// What an administrator of Assets does, and which settings of the destination follow from it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DestinationSetup {
    /// What to do in Assets, in order.
    pub steps: Vec<Step>,
    /// Settings that only the pages of Assets show, and that the destination repeats.
    pub choices: Vec<Choice>,
}

/// One setting of Assets and the field of a destination that repeats it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// The field of a destination: `missingObjects`.
    pub field: String,
    /// Where it is set in Assets.
    pub place: String,
    /// What the field can be set to.
    pub values: Vec<ChoiceValue>,
}

/// A value of a field, and what it means.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChoiceValue {
    /// What the field is set to.
    pub value: String,
    /// What this service does then.
    pub meaning: String,
}

/// The steps and choices, the same for every destination.
pub fn setup() -> DestinationSetup {
    DestinationSetup { steps: steps(), choices: vec![missing_objects(), empty_values(), reference_template()] }
}

fn step(title: &str, text: &str, url: Option<&str>) -> Step {
    Step { title: title.to_owned(), text: text.to_owned(), url: url.map(str::to_owned) }
}

fn steps() -> Vec<Step> {
    vec![
        step(
            "Make an object schema",
            "In Jira open Assets and press «Create schema». An empty schema of its own is best: an import can then touch \
             nothing else. Assets comes with Jira Service Management Premium and Enterprise.",
            Some(
                "https://support.atlassian.com/jira-service-management-cloud/docs/recommended-data-structure-for-an-assets-schema",
            ),
        ),
        step(
            "Create the import source",
            "Open the schema, then Schema settings → Import → Create import → External import. Give it a name and save it.",
            Some("https://developer.atlassian.com/cloud/assets/imports-rest-api-guide/workflow"),
        ),
        step(
            "Generate its token",
            "In the import source's menu «…» choose «Generate new token» and copy it: it is shown once, and it ends the one \
             before it. POST /v1/destinations with {\"name\", \"kind\": \"assetsImport\", \"token\"}.",
            None,
        ),
        step(
            "Build object types and attributes",
            "Make a job with this destination, look at GET /v1/jobs/{id}/schema, and send it with POST /v1/jobs/{id}/schema. \
             The first run does it too.",
            None,
        ),
        step(
            "Choose what happens to missing objects",
            "In the import source's menu choose «Edit mapping», and open every object type: «Missing objects» says what Assets \
             does with objects that an import left out, even those that people made. No API shows it; set missingObjects of \
             the destination to the same.",
            Some(
                "https://support.atlassian.com/jira-service-management-cloud/docs/create-objects-from-data-using-object-type-mapping",
            ),
        ),
        step(
            "Choose what happens to empty values",
            "On the same page «Empty values» says whether a value that is now empty is cleared. Remove is right for an import \
             that owns its attributes; set emptyValues of the destination to the same.",
            Some(
                "https://support.atlassian.com/jira-service-management-cloud/docs/create-objects-from-data-using-object-type-mapping",
            ),
        ),
        step(
            "Check the destination",
            "POST /v1/destinations/{id}/check, then start a run with {\"mode\": \"dryRun\"} or {\"mode\": \"test\"}.",
            None,
        ),
    ]
}

fn choice(field: &str, place: &str, values: &[(&str, &str)]) -> Choice {
    let values = values
        .iter()
        .map(|(value, meaning)| ChoiceValue { value: (*value).to_owned(), meaning: (*meaning).to_owned() });
    Choice { field: field.to_owned(), place: place.to_owned(), values: values.collect() }
}

const MAPPING: &str = "Schema settings → Import → the import source's menu → Edit mapping → each object type";

fn missing_objects() -> Choice {
    choice(
        "missingObjects",
        &format!("{MAPPING} → Missing objects"),
        &[
            (
                "unknown",
                "Nothing is assumed: every delivery sends everything in scope, objects that are gone from the directory are \
                 sent as they were, and a test is delivered only before the first delivery. If Assets acts on objects all \
                 the same, the run says so and the job's schedule is paused.",
            ),
            (
                "ignore",
                "Assets leaves alone what an import does not mention: deliveries of changes only and tests are possible. What \
                 happens to objects that are gone is the job's `removal`.",
            ),
            (
                "update",
                "Assets marks objects that an import leaves out: every delivery sends everything in scope, and under the \
                 policy keep leaves out what is gone, so that Assets marks it. A test is delivered only before the first \
                 delivery.",
            ),
            (
                "remove",
                "Assets deletes objects that an import leaves out, even those made by hand: every delivery sends everything \
                 in scope, and under the policy keep leaves out what is gone, so that Assets deletes it. A test is delivered \
                 only before the first delivery.",
            ),
        ],
    )
}

fn empty_values() -> Choice {
    choice(
        "emptyValues",
        &format!("{MAPPING} → Empty values"),
        &[
            ("unknown", "As ignore."),
            (
                "ignore",
                "Assets keeps a value that is now empty, such as the manager of somebody who has none any more. Each is \
                 counted as notCleared and listed; where the destination has `api` it is cleared by the object API.",
            ),
            ("remove", "Assets clears what is empty; nothing more is done."),
        ],
    )
}

fn reference_template() -> Choice {
    choice(
        "referenceTemplate",
        "Not a setting of Assets: how lists of references are looked up",
        &[
            ("arrayPlaceholder", "The default: \"Object ID\" IN (${groups${0}})."),
            (
                "joinedString",
                "\"Object ID\" IN (${groups}): for when a run says references_not_resolved with the other one.",
            ),
        ],
    )
}
