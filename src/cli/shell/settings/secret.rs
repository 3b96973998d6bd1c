//! Secrets of a file of settings: never the secret itself, only where it is: `{env: NAME}` or `{file: PATH}`.

use super::Object;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// More than any token, certificate or key has.
const MAX_BYTES: u64 = 64 * 1024;

/// The secret that a reference leads to. Paths are relative to the folder of the file of settings.
pub(super) fn resolve(reference: &Value, folder: &Path) -> Result<String, String> {
    const FORM: &str = "must be `{env: NAME}` or `{file: PATH}`: a secret itself does not belong into the file";
    let fields = reference.as_object().filter(|fields| fields.len() == 1).ok_or(FORM)?;
    let (kind, place) = fields.iter().next().ok_or(FORM)?;
    let place = place.as_str().filter(|place| !place.is_empty()).ok_or(FORM)?;
    let found = match kind.as_str() {
        "env" => std::env::var(place).map_err(|_| format!("the variable {place} is not set"))?,
        "file" => read(&folder.join(place))?,
        _ => return Err(FORM.to_owned()),
    };
    let secret = found.trim_end_matches(['\r', '\n']);
    match secret.is_empty() {
        true => Err(format!("{place} is empty")),
        false => Ok(secret.to_owned()),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    match text.len() as u64 > MAX_BYTES {
        true => Err(format!("{} has more than {MAX_BYTES} bytes", path.display())),
        false => Ok(text),
    }
}

/// The variables of a file that stand for stored secrets, which nobody can read.
#[derive(Default)]
pub(super) struct Variables(HashSet<String>);

impl Variables {
    /// The reference to a secret: a variable that is named after the owner and is not one of another secret.
    pub(super) fn reference(&mut self, owner: &str, what: &str) -> Value {
        let words = format!("{owner}_{what}");
        let name: String =
            words.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        // A name of a variable does not begin with a digit.
        let name = if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name };
        let (mut free, mut number) = (name.clone(), 1);
        while !self.0.insert(free.clone()) {
            number += 1;
            free = format!("{name}_{number}");
        }
        json!({ "env": free })
    }
}

/// Makes a reference to a secret of a word for it.
pub(super) type Reference<'a> = dyn FnMut(&str) -> Value + 'a;

/// Writes the credential of a connection with references in place of what no answer has.
pub(super) fn of_connection(fields: &mut Object, reference: &mut Reference<'_>) {
    let credential = fields.get("credential").cloned().unwrap_or_default();
    let expires_at = &credential["expiresAt"];
    let written = match credential["kind"].as_str() {
        Some("clientSecret") if expires_at.is_null() => json!({"kind": "clientSecret", "secret": reference("SECRET")}),
        Some("clientSecret") => json!({"kind": "clientSecret", "secret": reference("SECRET"), "expiresAt": expires_at}),
        Some("certificate") => json!({
            "kind": "certificate", "certificate": reference("CERTIFICATE"), "privateKey": reference("PRIVATE_KEY"),
        }),
        kind => json!({ "kind": kind }),
    };
    fields.insert("credential".to_owned(), written);
}

/// Adds references to the tokens of a destination.
pub(super) fn of_destination(fields: &mut Object, reference: &mut Reference<'_>) {
    if fields.get("kind").is_some_and(|kind| kind == "assetsImport") {
        fields.insert("token".to_owned(), reference("TOKEN"));
    }
    if let Some(api) = fields.get_mut("api").and_then(Value::as_object_mut) {
        api.insert("apiToken".to_owned(), reference("API_TOKEN"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_leads_to_a_file_or_a_variable() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "abc\n").unwrap();
        assert_eq!(resolve(&json!({"file": "token"}), dir.path()).as_deref(), Ok("abc"));
        // Every process of these tests has it.
        assert!(resolve(&json!({"env": "PATH"}), dir.path()).is_ok());
        for wrong in [json!("abc"), json!({}), json!({"env": "A", "file": "b"}), json!({"env": 1}), json!({"url": "x"})]
        {
            assert!(resolve(&wrong, dir.path()).unwrap_err().contains("must be"), "{wrong}");
        }
        assert!(resolve(&json!({"file": "none"}), dir.path()).unwrap_err().contains("none"));
        assert!(resolve(&json!({"env": "ENTRA_ASSETS_NO_SUCH_SECRET"}), dir.path()).unwrap_err().contains("not set"));
    }

    #[test]
    fn a_variable_is_named_after_the_owner_of_the_secret() {
        let mut variables = Variables::default();
        for (owner, what, name) in [
            ("Contoso Ltd.", "SECRET", "CONTOSO_LTD__SECRET"),
            ("1st", "TOKEN", "_1ST_TOKEN"),
            ("contoso ltd!", "SECRET", "CONTOSO_LTD__SECRET_2"),
            ("Contoso-Ltd-", "SECRET", "CONTOSO_LTD__SECRET_3"),
            ("Contoso Ltd.", "TOKEN", "CONTOSO_LTD__TOKEN"),
            ("ÄÖ", "TOKEN", "___TOKEN"),
            ("日本", "TOKEN", "___TOKEN_2"),
        ] {
            assert_eq!(variables.reference(owner, what), json!({"env": name}), "{owner}");
        }
    }
}
