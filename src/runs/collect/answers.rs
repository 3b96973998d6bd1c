//! Positions of reads that are not lists: objects that are read by their ids, and questions that are asked one by one. An answer
//! is stored together with what was staged of it, so that an attempt after a crash does not ask again.

use super::read_error::Result;
use crate::db::mirror::{self, Cursor, QUESTION, SINGLE};
use crate::error::Error;
use crate::runs::run::Run;
use data_encoding::HEXLOWER;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Something that Graph is asked, told apart from everything else that a run asks.
pub(super) struct Question {
    /// The answers of a collection are forgotten with it.
    collection: Cow<'static, str>,
    part: String,
}

impl Question {
    /// `what`: what is asked about the words.
    pub fn new<'a>(
        collection: impl Into<Cow<'static, str>>,
        what: &str,
        words: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut text = Vec::new();
        for word in words {
            text.extend((word.len() as u64).to_le_bytes());
            text.extend(word);
        }
        Self {
            collection: collection.into(),
            part: format!("{}{}", parts(what), HEXLOWER.encode(&mirror::hash(&[&text]))),
        }
    }

    /// The same of objects.
    pub fn of(collection: impl Into<Cow<'static, str>>, what: &str, ids: &[Uuid]) -> Self {
        Self::new(collection, what, ids.iter().map(|id| &id.as_bytes()[..]))
    }

    /// The position that says what was asked of objects, and what was told of each.
    pub fn told(
        collection: impl Into<Cow<'static, str>>,
        what: &str,
        told: &BTreeMap<Uuid, impl Serialize>,
    ) -> Result<Cursor> {
        let ids: Vec<Uuid> = told.keys().copied().collect();
        Self::of(collection, what, &ids).answered(told)
    }

    /// The position that says that it was answered.
    pub fn answered(self, answer: &impl Serialize) -> Result<Cursor> {
        let answer = serde_json::to_string(answer).map_err(Error::internal)?;
        Ok(Cursor { collection: self.collection, part: self.part, next_link: Some(answer), done: true, pages: 1 })
    }
}

/// What the parts of all questions of one kind begin with.
fn parts(what: &str) -> String {
    format!("{QUESTION}{what}:")
}

/// What earlier attempts of a run were answered.
#[derive(Default)]
pub(super) struct Answers(OnceCell<Mutex<HashMap<(String, String), String>>>);

impl Answers {
    async fn known(&self, run: &Run) -> Result<MutexGuard<'_, HashMap<(String, String), String>>> {
        let load = async || -> crate::error::Result<_> {
            let (organization, id) = (run.job.organization, run.lease.run);
            let known = run.tx("answers", async move |tx| mirror::answers(tx, organization, id).await).await?;
            Ok(Mutex::new(known))
        };
        let known = self.0.get_or_try_init(load).await?;
        Ok(known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub async fn find<T: DeserializeOwned>(&self, run: &Run, question: &Question) -> Result<Option<T>> {
        let Question { collection, part } = question;
        let answer = match collection.as_ref() {
            SINGLE => {
                let (organization, id) = (run.job.organization, run.lease.run);
                run.tx("answer", async |tx| mirror::answer(tx, organization, id, collection, part).await).await?
            }
            _ => self.known(run).await?.get(&(collection.to_string(), part.clone())).cloned(),
        };
        Ok(answer.map(|text| serde_json::from_str(&text)).transpose().map_err(Error::internal)?)
    }

    /// The answers to all questions of one kind.
    pub async fn all<T: DeserializeOwned>(&self, run: &Run, collection: &str, what: &str) -> Result<Vec<T>> {
        let known = self.known(run).await?;
        let (start, kind) = (parts(what), known.iter());
        let of_kind = kind.filter(|((of, part), _)| of == collection && part.starts_with(&start));
        of_kind.map(|(_, text)| Ok(serde_json::from_str(text).map_err(Error::internal)?)).collect()
    }

    /// Forgets the answers of a collection that is read again; `None`: all.
    pub fn forget(&self, collection: Option<&str>) {
        if let Some(known) = self.0.get() {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|(of, _), _| collection.is_some_and(|collection| of != collection));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_told_apart_by_each_of_their_words() {
        let [one, two] = [1, 2].map(Uuid::from_u128);
        let part = |what: &str, ids: &[Uuid]| Question::of("users", what, ids).part;
        assert_eq!(part("by id", &[one, two]), part("by id", &[one, two]));
        assert!(part("by id", &[one, two]) != part("by id", &[two, one]) && part("a", &[one]) != part("b", &[one]));
        let words = |words: &[&str]| Question::new("users", "", words.iter().map(|word| word.as_bytes())).part;
        assert_ne!(words(&["ab", "c"]), words(&["a", "bc"]));
    }
}
