//! The section `webhooks` of the document: one entry for each kind of event, with the body that receivers are sent. The bodies
//! are described by the types that the service sends.

use crate::text_enum::Explained;
use crate::webhook::DeliveryEvent;
use serde_json::{Map, Value, json};

/// The tag of the requests that receivers get.
const TAG: &str = "Webhooks";

/// Headers of each delivery, with what they are and whether they are there without a secret too.
const HEADERS: [(&str, &str, bool); 6] = [
    ("webhook-id", "The id of the delivery. It stays the same when the delivery is sent again.", true),
    ("webhook-timestamp", "When this attempt was made, in seconds since 1970.", true),
    (
        "webhook-signature",
        "By the rules of Standard Webhooks: `v1,` and the Base64 of the HMAC-SHA256 of `<webhook-id>.<webhook-timestamp>.<body>`. \
         While a secret is rotated there are two, with a space between them.",
        false,
    ),
    ("X-Entra-Assets-Event", "`event` of the body.", true),
    ("X-Entra-Assets-Delivery", "`id` of the body.", true),
    ("X-Entra-Assets-Signature", "`t=<seconds>,v1=<hex>`: the HMAC-SHA256 of `<seconds>.<body>`.", false),
];

/// Adds a schema for the body of each event, one for all of them, and the requests that receivers get.
pub(super) fn add(document: &mut Value) {
    let (mut requests, mut mapping, mut bodies) = (Map::new(), Map::new(), Vec::new());
    for (event, meaning) in DeliveryEvent::ALL.into_iter().zip(DeliveryEvent::meanings()) {
        let (kind, name) = (event.kind(), schema_name(&event.kind()));
        document["components"]["schemas"][&name] = body(event, &kind, &meaning);
        let reference = format!("#/components/schemas/{name}");
        requests.insert(kind.clone(), json!({"post": request(&kind, &meaning, &reference)}));
        bodies.push(json!({"$ref": reference}));
        mapping.insert(kind, reference.into());
    }
    document["components"]["schemas"]["WebhookPayload"] = json!({
        "description": "The body of a delivery: `type` says what it is about.",
        "oneOf": bodies,
        "discriminator": {"propertyName": "type", "mapping": mapping},
    });
    document["webhooks"] = Value::Object(requests);
    if let Some(tags) = document["tags"].as_array_mut() {
        tags.push(json!({"name": TAG, "description": "What receivers of webhooks are sent"}));
    }
}

/// `connection.check_failed` is described by `WebhookConnectionCheckFailed`.
fn schema_name(kind: &str) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or_default();
        format!("{}{rest}", first.to_ascii_uppercase())
    };
    kind.split(['.', '_']).map(capital).fold("Webhook".to_owned(), |name, word| name + &word)
}

fn body(event: DeliveryEvent, kind: &str, meaning: &str) -> Value {
    let mut schema = json!({
        "type": "object",
        "description": meaning,
        "properties": {
            "id": {"type": "string", "format": "uuid", "description": "The id of the delivery. It stays the same when the delivery is sent again."},
            "type": {"type": "string", "enum": [kind], "description": "The kind of the event."},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            "organizationId": {"type": "string", "format": "uuid", "description": "The organization that it happened in."},
            "text": {"type": "string", "description": "One or two sentences that a chat shows as they are."},
            "data": {"type": "object", "description": "What the event is about.", "properties": {}},
            "event": {"type": "string", "enum": [event.as_str()], "description": "The event by the name that webhooks are set up with."},
            "createdAt": {"type": "string", "format": "date-time", "description": "The same as `timestamp`."},
        },
        "required": ["id", "type", "timestamp", "organizationId", "text", "data", "event", "createdAt"],
    });
    if let Some((field, subject)) = event.subject() {
        let subject = json!({"$ref": format!("#/components/schemas/{subject}")});
        schema["properties"]["data"]["properties"][field] = subject.clone();
        schema["properties"]["data"]["required"] = json!([field]);
        // The field of earlier versions, beside that of Standard Webhooks.
        schema["properties"][field] = subject;
        if let Some(required) = schema["required"].as_array_mut() {
            required.push(field.into());
        }
    }
    schema
}

fn request(kind: &str, meaning: &str, body: &str) -> Value {
    let headers = HEADERS.map(|(name, what, always)| {
        json!({"name": name, "in": "header", "required": always, "description": what, "schema": {"type": "string"}})
    });
    json!({
        "operationId": format!("on_{}", kind.replace('.', "_")),
        // Not one of operations: generators that make code of webhooks too would put it into the same file.
        "tags": [TAG],
        "summary": kind,
        "description": format!("{meaning} A delivery that is not answered with 200-299 is repeated up to seven times within a day; 410 ends it."),
        "parameters": headers,
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": body}}}},
        "responses": {"2XX": {"description": "The receiver has it"}, "4XX": {"description": "The delivery failed"}},
        "security": [{}],
        // For generators: a client does not call this. openapi-generator knows no types for Python of what a webhook gets, and
        // leaves out what is internal.
        "x-internal": true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        assert_eq!(schema_name("connection.check_failed"), "WebhookConnectionCheckFailed");
        let names: std::collections::HashSet<String> =
            DeliveryEvent::ALL.into_iter().map(|event| schema_name(&event.kind())).collect();
        assert_eq!(names.len(), DeliveryEvent::ALL.len());
    }
}
