//! Examples: every request body and every response has one. If the code has none, it is generated from the schema, so
//! that it is always complete and valid.

use serde_json::{Map, Value, json};

/// The maximum depth of an example, because schemas may be recursive.
const MAX_DEPTH: usize = 14;

/// Examples of bodies that are not JSON.
const TEXTS: [(&str, &str); 4] = [
    ("text/event-stream", "id: 1\nevent: state\ndata: {\"state\":\"queued\"}\n\n"),
    ("application/x-ndjson", "{\"id\":\"01900000-0000-7000-8000-000000000001\"}\n"),
    (
        "text/csv",
        "record,objectType,objectId,label,action\nchange,users,01900000-0000-7000-8000-000000000001,Adele Vance,create\n",
    ),
    ("text/plain", "http_requests_total{method=\"GET\",path=\"/v1/jobs\",status=\"200\"} 7\n"),
];

/// Examples of texts, by the name of their field. The others have one in their schema, or get [`TEXT`].
const NAMED: [(&str, &str); 82] = [
    ("actor", "adminKey"),
    ("addedObjectTypes", "Entra License"),
    ("advice", "What to do next"),
    ("after", "AZAAAAAAcACAAAAAAAAAAQ"),
    ("apiPermissions", "https://entra.microsoft.com/"),
    ("appDisplayName", "entra-assets"),
    ("assetsCode", "409"),
    ("assetsType", "text"),
    ("attribute", "Department"),
    ("attributes", "department"),
    ("azCli", "az rest --method POST --url …"),
    ("capability", "managers"),
    ("certificatesAndSecrets", "https://entra.microsoft.com/"),
    ("code", "references_not_resolved"),
    ("conclusion", "The user is in scope, and Assets has it."),
    ("condition", "department eq 'Engineering'"),
    ("consentUrl", "https://login.microsoftonline.com/contoso.onmicrosoft.com/adminconsent"),
    ("correlationId", "01900000-0000-7000-8000-000000000003"),
    ("credentialKind", "clientSecret"),
    ("cron", "0 5 * * *"),
    ("current", "The department"),
    ("detail", "What happened, to what, and why"),
    ("displayName", "Microsoft Graph"),
    ("email", "importer@example.com"),
    ("enterpriseApplication", "https://entra.microsoft.com/"),
    ("expected", "a comparison"),
    ("field", "description"),
    ("found", "end of text"),
    ("fullCron", "0 3 * * SUN"),
    ("gives", "Users with their names and departments"),
    ("graphCode", "Authorization_RequestDenied"),
    ("hint", "abc"),
    ("importId", "01900000-0000-7000-8000-000000000004"),
    ("key", "eak_01900000-0000-7000-8000-000000000001_simulated"),
    ("kind", "Application"),
    ("label", "Adele Vance"),
    ("manifest", "https://entra.microsoft.com/"),
    ("memberType", "user"),
    ("message", "What happened, to what, and why"),
    ("microsoftMessage", "AADSTS7000215: Invalid client secret provided."),
    ("name", "Contoso"),
    ("nextAfter", "AZAAAAAAcACAAAAAAAAAAQ"),
    ("nextCursor", "AZAAAAAAcACAAAAAAAAAAQ"),
    ("notInDelta", "mail"),
    ("note", "What else is worth knowing"),
    ("objectType", "Entra User"),
    ("odata", "accountEnabled eq true"),
    ("overview", "https://entra.microsoft.com/"),
    ("pausedReason", "missing_objects_removed"),
    ("permission", "User.Read.All"),
    ("permissions", "User.Read.All"),
    ("pointer", "/name"),
    ("powershell", "Connect-MgGraph -Scopes …"),
    ("presence", "default"),
    ("problem", "Assets could not be asked"),
    ("properties", "accountEnabled"),
    ("references", "manager"),
    ("requestId", "01900000-0000-7000-8000-000000000005"),
    ("requestedBy", "schedule"),
    ("requests", "accountEnabled eq true"),
    ("rule", "Users whose account is enabled, who are no guests and have no manager."),
    ("sentence", "The job imports users."),
    ("servicePrincipalId", "01900000-0000-7000-8000-000000000002"),
    ("siteUrl", "https://example.atlassian.net"),
    ("tenantId", "contoso.onmicrosoft.com"),
    ("tenantOverview", "https://entra.microsoft.com/"),
    ("text", "accountEnabled eq true"),
    ("timezone", "Europe/Berlin"),
    ("title", "Users"),
    ("traceId", "01900000-0000-7000-8000-000000000006"),
    ("typeName", "Entra User"),
    ("unknownBecause", "The job does not import licenses."),
    ("url", "https://example.com/hooks/entra-assets"),
    ("userPrincipalName", "adele@contoso.com"),
    ("users", "Entra User"),
    ("value", "User.Read.All"),
    ("version", "0.1.0"),
    ("waitReason", "forgeToken"),
    ("wanted", "The department of the person"),
    ("warnings", "What is worth knowing"),
    ("without", "No users"),
    ("workspaceId", "01900000-0000-7000-8000-000000000007"),
];
const TEXT: &str = "text";

pub(super) fn add(document: &mut Value) {
    let whole = document.clone();
    for section in ["paths", "webhooks"] {
        let Some(items) = document[section].as_object_mut() else { continue };
        let operations = items.values_mut().filter_map(Value::as_object_mut).flat_map(|item| item.values_mut());
        operations.for_each(|operation| add_to_operation(&whole, operation));
    }
}

fn add_to_operation(whole: &Value, operation: &mut Value) {
    if let Some(body) = operation.get_mut("requestBody") {
        add_to_media(whole, body, Side::Request);
    }
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    for (_, response) in responses.into_iter().flatten() {
        add_to_media(whole, response, Side::Response);
    }
}

/// Secrets are only in requests, and what the service generates is only in responses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

fn add_to_media(document: &Value, body: &mut Value, side: Side) {
    let content = body.get_mut("content").and_then(Value::as_object_mut);
    for (media_type, media) in content.into_iter().flatten() {
        let schema = media.get("schema").cloned().unwrap_or_default();
        let is_binary = schema.get("format").and_then(Value::as_str) == Some("binary");
        if media.get("example").is_some() || media.get("examples").is_some() || is_binary {
            continue;
        }
        let text = TEXTS.iter().find(|(known, _)| known == media_type).map(|(_, text)| json!(text));
        if let Some(example) = text.or_else(|| Example { document, side }.of(&schema, "", 0)) {
            media["example"] = example;
        }
    }
}

struct Example<'d> {
    document: &'d Value,
    side: Side,
}

impl Example<'_> {
    /// An example of `schema` for a field called `name`. `None`: it would be infinite.
    fn of(&self, schema: &Value, name: &str, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            return self.of(self.document.pointer(target.trim_start_matches('#'))?, name, depth + 1);
        }
        let given = schema.get("example").or_else(|| schema.pointer("/examples/0")).or_else(|| schema.get("const"));
        if let Some(given) = given.or_else(|| schema.pointer("/enum/0")) {
            return Some(given.clone());
        }
        if let Some(variants) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
            let mut examples = variants.iter().filter_map(|variant| self.of(variant, name, depth + 1));
            return examples.find(|example| !example.is_null()).or(Some(Value::Null));
        }
        let kind = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
            kind => kind.and_then(Value::as_str),
        };
        match kind {
            Some("object") => self.object(schema, depth),
            Some("array") => Some(self.of(schema.get("items")?, name, depth + 1).into_iter().collect()),
            Some("integer" | "number") => {
                Some(schema.get("default").or(schema.get("minimum")).cloned().unwrap_or(json!(1)))
            }
            Some("boolean") => Some(schema.get("default").cloned().unwrap_or(json!(false))),
            Some("null") => Some(Value::Null),
            _ => Some(json!(text(schema, name))),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Option<Value> {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|required| required == name));
        let elsewhere = if self.side == Side::Request { "readOnly" } else { "writeOnly" };
        let mut fields = Map::new();
        for (name, of) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if of.get(elsewhere) == Some(&Value::Bool(true)) {
                continue;
            }
            match self.of(of, name, depth + 1) {
                Some(example) => {
                    fields.insert(name.clone(), example);
                }
                None if is_required(name) => return None,
                None => {}
            }
        }
        if let Some(others @ Value::Object(_)) = schema.get("additionalProperties") {
            fields.insert("users".to_owned(), self.of(others, "", depth + 1)?);
        }
        Some(Value::Object(fields))
    }
}

fn text(schema: &Value, name: &str) -> &'static str {
    let known = NAMED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    match schema.get("format").and_then(Value::as_str) {
        Some("uuid") => "01900000-0000-7000-8000-000000000001",
        Some("date-time") => "2027-01-01T05:00:00Z",
        Some("uri") => known.unwrap_or("https://example.com/"),
        _ => known.unwrap_or(TEXT),
    }
}
