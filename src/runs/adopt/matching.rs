//! Which objects of others the objects of a run are.

use super::keys::Keys;
use super::of_type::{AdoptionOfType, Candidate, unsent};
use crate::assets::lookup::{SeenObject, VALUES_IN_A_QUERY, fold};
use crate::db::mirror::delivered::adoption::{self, CandidateRow, Judgement, OnlyInAssets};
use crate::run_state::{ChangeAction, ChangeReason};
use crate::runs::stop::Stop;
use std::collections::HashSet;

impl AdoptionOfType<'_> {
    /// Stores which objects were found; `lists`: with those that only Assets has.
    pub async fn find(&self, lists: bool) -> Result<(), Stop> {
        let keys = Keys::load(self.run, self.object_type, self.existing).await?;
        let mut after = 0;
        loop {
            let rows = self.candidates(after).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            let judged = self.judge(&keys, rows).await?;
            let lease = self.run.lease;
            self.run.tx("what was found", async move |tx| adoption::judge(tx, &lease, &judged).await).await?;
        }
        if lists { self.list_only_in_assets(&keys).await } else { Ok(()) }
    }

    async fn candidates(&self, after: i64) -> Result<Vec<CandidateRow>, Stop> {
        let (organization, id, of) = (self.run.job.organization, self.run.lease.run, self.object_type.as_str());
        let most = VALUES_IN_A_QUERY as i64;
        let rows = self.run.tx("objects to look for", async move |tx| {
            adoption::candidates(tx, organization, id, of, after, most).await
        });
        Ok(rows.await?)
    }

    /// What becomes of objects that would be created. Those that are nowhere in Assets are not among the answer.
    async fn judge(&self, keys: &Keys, rows: Vec<CandidateRow>) -> Result<Vec<Judgement>, Stop> {
        let (mut judged, mut open) = (Vec::new(), Vec::new());
        for row in rows {
            let candidate = self.candidate(&row)?;
            if candidate.identity.trim().is_empty() {
                judged.push(unsent(row.seq, ChangeAction::Unidentified, ChangeReason::NoIdentity, &[]));
            } else if keys.identity.is_shared(&candidate.identity) {
                judged.push(unsent(row.seq, ChangeAction::Ambiguous, ChangeReason::SeveralInDirectory, &[]));
            } else {
                open.push(candidate);
            }
        }
        if self.assets.api.is_none() {
            return Ok(judged);
        }
        let left = self.judge_by_identity(open, &mut judged).await?;
        if let Some(match_by) = &self.existing.match_by {
            judged.extend(self.judge_by(keys, match_by, left).await?);
        }
        Ok(judged)
    }

    /// Looks for objects by their identities. Returns those that are not found.
    async fn judge_by_identity(
        &self,
        open: Vec<Candidate>,
        judged: &mut Vec<Judgement>,
    ) -> Result<Vec<Candidate>, Stop> {
        let identities: Vec<String> = open.iter().map(|candidate| candidate.identity.clone()).collect();
        let found = self.assets.find_values(self.object_type, &self.existing.identity, &identities).await?;
        let by_identity = self.by_value(&found, &self.existing.identity);
        let mut left = Vec::new();
        for candidate in open {
            match by_identity.get(&fold(&candidate.identity)).map(Vec::as_slice) {
                None | Some([]) => left.push(candidate),
                // Where Assets regards case, the import would not recognise it.
                Some([one]) => judged.push(Judgement {
                    writes_identity: self.value_of(one, &self.existing.identity) != Some(candidate.identity.as_str()),
                    ..self.matched(candidate.seq, one, ChangeReason::SameIdentity)
                }),
                Some(several) => {
                    judged.push(unsent(candidate.seq, ChangeAction::Ambiguous, ChangeReason::SeveralInAssets, several));
                }
            }
        }
        Ok(left)
    }

    /// The same by another property, for objects in Assets that have no identity yet.
    async fn judge_by(&self, keys: &Keys, match_by: &str, left: Vec<Candidate>) -> Result<Vec<Judgement>, Stop> {
        let left: Vec<(i64, String)> = left
            .into_iter()
            .filter_map(|one| Some((one.seq, one.match_by.filter(|value| !value.trim().is_empty())?)))
            .collect();
        let values: Vec<String> = left.iter().map(|(_, value)| value.clone()).collect();
        let found = self.assets.find_values(self.object_type, match_by, &values).await?;
        let by_value = self.by_value(&found, match_by);
        let mut judged = Vec::new();
        for (seq, value) in left {
            let found = by_value.get(&fold(&value)).map_or(&[] as &[&SeenObject], Vec::as_slice);
            if found.is_empty() {
                continue;
            }
            if keys.match_by.is_shared(&value) {
                judged.push(unsent(seq, ChangeAction::Ambiguous, ChangeReason::SeveralInDirectory, found));
            } else if let [one] = found {
                judged.push(match self.value_of(one, &self.existing.identity) {
                    None => Judgement { writes_identity: true, ..self.matched(seq, one, ChangeReason::SameProperty) },
                    Some(_) => unsent(seq, ChangeAction::Ambiguous, ChangeReason::OtherIdentity, found),
                });
            } else {
                judged.push(unsent(seq, ChangeAction::Ambiguous, ChangeReason::SeveralInAssets, found));
            }
        }
        Ok(judged)
    }

    fn matched(&self, seq: i64, object: &SeenObject, reason: ChangeReason) -> Judgement {
        Judgement {
            seq,
            action: ChangeAction::Matched,
            reason,
            send: true,
            before: Some(self.values(object)),
            assets_keys: vec![object.key.clone()],
            writes_identity: false,
        }
    }

    /// Lists the objects that no object of the directory is.
    async fn list_only_in_assets(&self, keys: &Keys) -> Result<(), Stop> {
        let (lease, of) = (self.run.lease, self.object_type.as_str());
        self.run.tx("list anew", async move |tx| adoption::forget_only_in_assets(tx, &lease, of).await).await?;
        let mut start = 0;
        let mut listed: HashSet<u64> = HashSet::new();
        loop {
            let page = self.assets.page(self.object_type, start).await?;
            let mut only = Vec::new();
            for object in &page.objects {
                let identity = self.value_of(object, &self.existing.identity);
                let by = self.existing.match_by.as_deref().filter(|_| identity.is_none());
                let is_known = identity.is_some_and(|identity| keys.identity.has(identity))
                    || by.and_then(|key| self.value_of(object, key)).is_some_and(|value| keys.match_by.has(value));
                let number = object.id.parse().unwrap_or(0);
                if !is_known && listed.insert(number) {
                    let values = self.values(object);
                    only.push(OnlyInAssets { number, key: object.key.clone(), label: object.label.clone(), values });
                }
            }
            self.run
                .tx("only in Assets", async move |tx| adoption::add_only_in_assets(tx, &lease, of, &only).await)
                .await?;
            start += page.length;
            if page.is_last {
                return Ok(());
            }
        }
    }
}
