//! Which Jira account a user of the directory is, by what a search for the address found.
//! Source: docs/assets.md, «Jira accounts».

use crate::text_enum::text_enum;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The name of the attribute unless the job names another.
pub const DEFAULT_ATTRIBUTE: &str = "Jira User";

text_enum! {
    /// What became of the search for the Jira account of a user.
    JiraUserOutcome in "jira_users.outcome" {
        /// The user is this account, and the object in Assets says so.
        Set = "set",
        /// No account of a person has the address.
        NotFound = "notFound",
        /// Several accounts could be the user.
        Ambiguous = "ambiguous",
        /// The account is deactivated.
        Inactive = "inactive",
        /// The account could not be written into the object. The next run tries again.
        Failed = "failed",
        /// No run has looked since the user, the address, the object or the attribute is new. The next run does.
        Waiting = "waiting",
    }
}

text_enum! {
    /// Why the object of a user has no Jira account.
    JiraUserReason in "jira_users.reason" {
        /// The user has neither a mail address nor a user principal name.
        NoAddress = "noAddress",
        /// No account has the address, or none that the person in `api.email` may see.
        NoAccount = "noAccount",
        /// What was found hides its address and has it in its name, which anybody can choose.
        OnlyByName = "onlyByName",
        /// What has the address is an app or a customer of the portal.
        NotAPerson = "notAPerson",
        /// Several active accounts of people have the address.
        SeveralAccounts = "severalAccounts",
        /// The account that has the address is deactivated.
        Deactivated = "deactivated",
        /// Assets has no object with the identity of the user.
        ObjectNotFound = "objectNotFound",
        /// Several objects in Assets have the identity of the user.
        SeveralObjects = "severalObjects",
        /// Assets did not take the account as a value.
        WriteRefused = "writeRefused",
    }
}

/// How many users a run looked for, by what came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JiraUserCounts {
    /// Objects into which this run wrote an account.
    pub set: u64,
    /// Users whose account is still the one that their object has.
    pub unchanged: u64,
    /// Users of whom no account of a person has the address.
    pub not_found: u64,
    /// Users of whom several accounts have the address.
    pub ambiguous: u64,
    /// Users whose account is deactivated.
    pub inactive: u64,
    /// Of `notFound`, `ambiguous` and `inactive`: objects that had an account, which this run took away.
    pub cleared: u64,
    /// Users whose account could not be written. The next run tries again.
    pub failed: u64,
    /// Users for whom this run did not look, because its time for it was over or something was in the way. The next run does.
    pub left: u64,
}

/// An account that a search found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    pub id: String,
    /// The name that the profile shows. Whoever has the account chooses it.
    pub name: String,
    /// Neither an app nor a customer of the portal.
    pub is_person: bool,
    pub is_active: bool,
    /// Unless the profile hides it.
    pub mail: Option<String>,
}

/// What a search says about a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The id of the account.
    Account(String),
    None(JiraUserOutcome, JiraUserReason),
}

impl Verdict {
    /// Whether another address of the user may lead to an account.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::None(JiraUserOutcome::NotFound, _))
    }

    /// What the searches for two addresses say together, where this one was the first and is open.
    #[must_use]
    pub fn or(self, second: Self) -> Self {
        match second {
            Self::None(_, JiraUserReason::NoAccount) => self,
            second => second,
        }
    }
}

/// The addresses to search for, most telling first.
pub fn addresses<'a>(mail: Option<&'a str>, user_principal_name: Option<&'a str>) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for address in [mail, user_principal_name].into_iter().flatten().map(str::trim) {
        if !address.is_empty() && !found.iter().any(|known| is_same(known, address)) {
            found.push(address);
        }
    }
    found
}

fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Judges what a search for an address found. A search also finds what only begins with the text, so an address that is
/// shown decides. One that is hidden is found by the whole address only, but its account may have been found by its name.
pub fn judge(found: &[Account], address: &str) -> Verdict {
    let shown = |of: &&Account| of.mail.as_deref().is_some_and(|mail| is_same(mail, address));
    let mut same: Vec<&Account> = found.iter().filter(shown).collect();
    if same.is_empty() {
        let hidden = found.iter().filter(|of| of.mail.is_none());
        let (by_name, by_address): (Vec<&Account>, Vec<&Account>) = hidden.partition(|of| has_words(&of.name, address));
        if by_address.is_empty() && !by_name.is_empty() {
            return Verdict::None(JiraUserOutcome::NotFound, JiraUserReason::OnlyByName);
        }
        same = by_address;
    }
    let people: Vec<&Account> = same.iter().copied().filter(|of| of.is_person).collect();
    let active: Vec<&Account> = people.iter().copied().filter(|of| of.is_active).collect();
    match (&same[..], &people[..], &active[..]) {
        (_, _, [one]) => Verdict::Account(one.id.clone()),
        (_, _, [_, _, ..]) => Verdict::None(JiraUserOutcome::Ambiguous, JiraUserReason::SeveralAccounts),
        (_, [_, ..], []) => Verdict::None(JiraUserOutcome::Inactive, JiraUserReason::Deactivated),
        ([_, ..], [], []) => Verdict::None(JiraUserOutcome::NotFound, JiraUserReason::NotAPerson),
        ([], [], []) => Verdict::None(JiraUserOutcome::NotFound, JiraUserReason::NoAccount),
    }
}

/// Whether a search for the address may find a name: the name has the address in it, or words that begin with all words
/// of the address. How Jira divides texts into words is not documented, so any character but letters and digits divides.
fn has_words(name: &str, address: &str) -> bool {
    let (name, address) = (name.to_lowercase(), address.to_lowercase());
    name.contains(&address) || words(&address).all(|word| words(&name).any(|named| named.starts_with(word)))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|of: char| !of.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, mail: &str) -> Account {
        let mail = (!mail.is_empty()).then(|| mail.to_owned());
        Account { id: id.to_owned(), name: "Ada Lovelace".to_owned(), is_person: true, is_active: true, mail }
    }

    fn named(id: &str, name: &str) -> Account {
        Account { name: name.to_owned(), ..account(id, "") }
    }

    #[test]
    fn one_active_person_with_the_address_is_the_user() {
        use JiraUserOutcome::{Ambiguous, Inactive, NotFound};
        use JiraUserReason::{Deactivated, NoAccount, NotAPerson, OnlyByName, SeveralAccounts};
        let ada = || account("1", "Ada@contoso.example");
        let app = |of: Account| Account { is_person: false, ..of };
        let off = |of: Account| Account { is_active: false, ..of };
        let one = |id: &str| Verdict::Account(id.to_owned());
        let cases = [
            (vec![], Verdict::None(NotFound, NoAccount)),
            (vec![ada()], one("1")),
            // A longer address that begins with the same text.
            (vec![account("2", "ada@contoso.example.org")], Verdict::None(NotFound, NoAccount)),
            (vec![account("2", "ada@contoso.example.org"), ada()], one("1")),
            (vec![account("3", "")], one("3")),
            (vec![account("3", ""), ada()], one("1")),
            (vec![account("3", ""), account("4", "")], Verdict::None(Ambiguous, SeveralAccounts)),
            (vec![ada(), account("2", "ada@contoso.example")], Verdict::None(Ambiguous, SeveralAccounts)),
            (vec![ada(), off(account("2", "ada@contoso.example"))], one("1")),
            (vec![ada(), app(account("2", "ada@contoso.example"))], one("1")),
            (vec![off(ada())], Verdict::None(Inactive, Deactivated)),
            (vec![off(ada()), off(account("2", "ada@contoso.example"))], Verdict::None(Inactive, Deactivated)),
            (vec![app(ada())], Verdict::None(NotFound, NotAPerson)),
            (vec![off(app(ada()))], Verdict::None(NotFound, NotAPerson)),
            // A stranger who has the address as a name, or in it: the search found the name, whoever's the address is.
            (vec![named("5", "ada@contoso.example")], Verdict::None(NotFound, OnlyByName)),
            (vec![named("5", "ADA@Contoso.Example")], Verdict::None(NotFound, OnlyByName)),
            (vec![named("5", "ada@contoso.example.org")], Verdict::None(NotFound, OnlyByName)),
            (vec![named("5", "Mrs ada@contoso.example (Board)")], Verdict::None(NotFound, OnlyByName)),
            (vec![named("5", "mailto:ada@contoso.example")], Verdict::None(NotFound, OnlyByName)),
            (vec![named("5", "nada@contoso.example")], Verdict::None(NotFound, OnlyByName)),
            (vec![named("5", "Ada Contoso Example")], Verdict::None(NotFound, OnlyByName)),
            (vec![named("5", "Examples, Contoso: Adamant")], Verdict::None(NotFound, OnlyByName)),
            // It is no rival of who was found by the address, and decides nothing where the address is shown.
            (vec![named("5", "ada@contoso.example"), account("3", "")], one("3")),
            (vec![named("5", "ada@contoso.example"), ada()], one("1")),
            (vec![named("5", "ada@contoso.example"), off(ada())], Verdict::None(Inactive, Deactivated)),
            (vec![Account { name: "ada@contoso.example".to_owned(), ..ada() }], one("1")),
            // A part of the address in the name says nothing.
            (vec![named("6", "Ada of Contoso")], one("6")),
            (vec![named("6", "")], one("6")),
        ];
        for (found, verdict) in cases {
            assert_eq!(judge(&found, "ada@contoso.example"), verdict, "{found:?}");
        }
    }

    #[test]
    fn the_second_search_says_no_less_than_the_first() {
        use JiraUserOutcome::{Ambiguous, NotFound};
        use JiraUserReason::{NoAccount, OnlyByName, SeveralAccounts};
        let by_name = || Verdict::None(NotFound, OnlyByName);
        assert_eq!(by_name().or(Verdict::None(NotFound, NoAccount)), by_name());
        for second in [Verdict::Account("1".to_owned()), Verdict::None(Ambiguous, SeveralAccounts), by_name()] {
            assert_eq!(Verdict::None(NotFound, NoAccount).or(second.clone()), second);
        }
    }

    #[test]
    fn each_address_is_searched_for_once() {
        assert_eq!(addresses(Some(" a@x "), Some("A@X")), ["a@x"]);
        assert_eq!(addresses(Some("a@x"), Some("b@x")), ["a@x", "b@x"]);
        assert_eq!(addresses(Some(""), Some("b@x")), ["b@x"]);
        assert_eq!(addresses(None, None), Vec::<&str>::new());
    }
}
