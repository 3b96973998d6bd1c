//! Secrets of a file of settings: never the secret itself, only where it is: `{env: NAME}` or `{file: PATH}`.

use serde_json::{Value, json};
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

/// The reference that stands for a stored secret, which nobody can read: a variable named after its owner.
pub(super) fn reference(owner: &str, what: &str) -> Value {
    let words = format!("{owner}_{what}");
    let name: String =
        words.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    // A name of a variable does not begin with a digit.
    let name = if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name };
    json!({ "env": name })
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
        assert_eq!(reference("Contoso Ltd.", "SECRET"), json!({"env": "CONTOSO_LTD__SECRET"}));
        assert_eq!(reference("1st", "TOKEN"), json!({"env": "_1ST_TOKEN"}));
    }
}
