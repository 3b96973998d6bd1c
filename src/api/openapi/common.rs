//! Descriptions of properties that mean the same wherever they occur. They are used where a property has no description of its
//! own.

use serde_json::{Value, json};

/// The properties, by name.
const COMMON: &[(&str, &str)] = &[
    ("id", "The id."),
    ("name", "The name, for people."),
    ("version", "Rises with every change. It is the `ETag` of the resource."),
    ("createdAt", "When it was created."),
    ("updatedAt", "When it was changed last."),
    ("jobId", "The id of the job."),
    ("runId", "The id of the run."),
    ("connectionId", "The id of the connection."),
    ("filterId", "The id of the filter; null: the whole directory."),
    ("destinationId", "The id of the destination; null: the job only keeps its mirror."),
    ("webhookId", "The id of the webhook."),
    ("objectId", "The object id in Entra; of a licence the SKU id."),
    ("groupId", "The object id of the group."),
    ("memberId", "The object id of the member."),
    ("tenantId", "The id (a GUID) or a verified domain of the tenant."),
    ("clientId", "Application (client) ID."),
    ("label", "The name of the object."),
    ("items", "The items of this page."),
    ("limit", "How many users a `test` reads; null otherwise."),
    ("queuedAt", "When the run was requested."),
    ("startedAt", "When a worker began with the run; null before."),
    ("finishedAt", "When the run ended; null before."),
    ("checkedAt", "When it was checked."),
    ("expiresAt", "When it expires; null: not known, or never."),
    ("deliveredAt", "When it was delivered; null: not yet."),
    ("failedAt", "When it was given up; null: it was not."),
    ("detail", "What happened, in words."),
    ("advice", "What to do next."),
    ("message", "One sentence for people."),
    ("summary", "The result in one or two sentences."),
    ("code", "A stable code for programs."),
    ("title", "A few words for people."),
    ("description", "What it is, in words."),
    ("at", "When it happened."),
    ("url", "The address."),
    ("enabled", "Whether it is on."),
    ("event", "Which event it is."),
    ("data", "What belongs to it."),
    ("events", "What the webhook is told of."),
    ("scopes", "What the key may do."),
    ("mode", "What the run reads and delivers."),
    ("state", "Where it is in its life."),
    ("stage", "What the run is busy with."),
    ("action", "What is done to the object."),
    ("reason", "Why the object changes."),
    ("objectType", "The type of the object."),
    ("counts", "Numbers of objects, by type."),
    ("warnings", "What may be unexpected or went wrong."),
    ("users", "What is said of users."),
    ("groups", "What is said of groups."),
    ("devices", "What is said of devices."),
    ("applications", "What is said of applications."),
    ("servicePrincipals", "What is said of service principals."),
    ("roles", "What is said of directory roles."),
    ("administrativeUnits", "What is said of administrative units."),
    ("licenses", "What is said of licences."),
    ("capability", "What an import reads with the permission."),
    ("permission", "The name of the permission in Microsoft Graph."),
    ("verdict", "Whether it works, and if not, why."),
    ("kind", "Which of the possible kinds it is."),
    ("value", "The value."),
    ("cloud", "The national cloud of the tenant."),
    ("credential", "How the application proves who it is."),
    ("secret", "The secret. It is stored encrypted and never shown."),
    ("requests", "How many requests to Microsoft Graph it takes."),
    ("resourceUnits", "How many resource units of Microsoft Graph it takes."),
    ("partial", "The time was over before everything was done."),
];

/// Adds the description of a common property where it has none.
pub(super) fn describe(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    for schema in schemas.values_mut() {
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (name, property) in properties.into_iter().flatten() {
            let Some((_, text)) = COMMON.iter().find(|(known, _)| known == name) else { continue };
            let Some(fields) = property.as_object_mut() else { continue };
            // Beside a reference, generators of clients take the one or the other.
            if !fields.contains_key("$ref") {
                fields.entry("description").or_insert_with(|| json!(text));
            }
        }
    }
}
