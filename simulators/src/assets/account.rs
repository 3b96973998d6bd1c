//! An account of the site as Jira sees it. Source: docs/assets.md, «Jira accounts».

use serde::Deserialize;
use serde_json::{Value, json};

/// An account of the site.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    pub id: String,
    /// `atlassian`: a person. `app`, `customer`: not.
    pub kind: String,
    pub name: String,
    pub mail: String,
    pub active: bool,
    /// The profile does not show the address.
    pub hides_mail: bool,
}

impl Default for Account {
    fn default() -> Self {
        let (id, name, mail) = Default::default();
        Self { id, kind: "atlassian".to_owned(), name, mail, active: true, hides_mail: false }
    }
}

impl Account {
    /// An active person whose profile shows the address.
    pub fn new(id: &str, name: &str, mail: &str) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), mail: mail.to_owned(), ..Self::default() }
    }

    #[must_use]
    pub fn hidden(self) -> Self {
        Self { hides_mail: true, ..self }
    }

    #[must_use]
    pub fn inactive(self) -> Self {
        Self { active: false, ..self }
    }

    #[must_use]
    pub fn of_kind(self, kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..self }
    }

    /// The text is the beginning of the name, of a word in it, or of the address. Of an address that is not shown it must
    /// be the whole.
    pub(super) fn is_found_by(&self, text: &str) -> bool {
        let (text, name, mail) = (text.to_lowercase(), self.name.to_lowercase(), self.mail.to_lowercase());
        let is_named = name.starts_with(&text) || name.split(' ').any(|word| word.starts_with(&text));
        let is_addressed = if self.hides_mail { mail == text } else { mail.starts_with(&text) };
        is_named || (!mail.is_empty() && is_addressed)
    }

    pub(super) fn described(&self, origin: &str) -> Value {
        let mut described = json!({
            "self": format!("{origin}/rest/api/3/user?accountId={}", self.id),
            "accountId": self.id,
            "accountType": self.kind,
            "displayName": self.name,
            "active": self.active,
            "timeZone": "Etc/UTC",
        });
        // Of a profile that does not show it, Jira has been seen to answer an empty text, and to leave the field out.
        if !self.hides_mail {
            described["emailAddress"] = json!(self.mail);
        } else if self.id.len().is_multiple_of(2) {
            described["emailAddress"] = json!("");
        }
        described
    }
}
