//! Objects that others made in Assets: which of the run's objects they are.
//!
//! An object type of others has objects that the service did not deliver. Before they are written for the first time, the
//! run looks for them by the object API, and its changes say which were found (`matched`), which are not there (`create`),
//! and which could be several (`ambiguous`). A dry run also lists what is only in Assets. Nothing here writes into Assets
//! but [`write_identities`], after an approval. Source: docs/assets.md, «Existing object types».

mod approval;
mod keys;

use super::assets_objects::AssetsObjects;
use super::collect::collected::Collected;
use super::diff::diffed::Diffed;
use super::run::Run;
use super::stop::Stop;
use crate::assets::lookup::{SeenObject, SeenObjects, VALUES_IN_A_QUERY};
use crate::codes::{RunErrorCode, WarningCode};
use crate::db::mirror::delivered;
use crate::db::mirror::delivered::adoption::{self, CandidateRow, Judgement, OnlyInAssets};
use crate::directory::ObjectType;
use crate::error::Error;
use crate::mapping::ExistingType;
use crate::run_state::{ChangeAction, ChangeReason, RunMode, RunStage, RunWarning};
use approval::Found;
use keys::{Keys, fold};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Compares what would be created in object types of others with the objects that are there. What an earlier attempt
/// found stays. Whether there was anything to compare.
pub async fn compare(run: &Run, collected: &Collected, diffed: &mut Diffed) -> Result<bool, Stop> {
    let counts = run.progress.counts();
    let creates = |of: &ObjectType| counts.get(of.as_str()).is_some_and(|count| count.created > 0);
    let is_looking = run.mode == RunMode::DryRun;
    let existing: Vec<(ObjectType, ExistingType)> = collected
        .types
        .iter()
        .filter(|of| is_looking || creates(of))
        .filter_map(|of| Some((*of, run.job.mapping.existing(*of)?.clone())))
        .collect();
    if existing.is_empty() || run.job.destination.is_none() {
        return Ok(false);
    }
    let mut assets = AssetsObjects::find(run).await?;
    if existing.iter().any(|(_, existing)| existing.match_by.is_some())
        && let Some(error) = assets.refusal.take()
    {
        return Err(Stop::Failed(error));
    }
    if assets.api.is_some() {
        run.log("Looking for the objects that are in Assets already.").await?;
    }
    for (object_type, existing) in &existing {
        let is_first = delivered_before(run, *object_type).await? == 0;
        let lists = assets.api.is_some() && (is_looking || (is_first && approval::acts_on_missing(run)));
        let of_type = AdoptionOfType { run, assets: &assets, object_type: *object_type, existing };
        let has_listed = match of_type.run(lists).await {
            Ok(()) => lists,
            // What cannot be looked at is said; only identities that are to be written need to be known.
            Err(Stop::Failed(error)) if existing.match_by.is_none() => {
                assets.warn(run, *object_type, Some(&error.detail));
                false
            }
            Err(stop) => return Err(stop),
        };
        let (lease, of) = (run.lease, object_type.as_str());
        let counts = run.tx("what was found", async move |tx| adoption::found(tx, &lease, of).await).await?;
        let found = Found { is_first, has_listed, counts };
        if assets.api.is_none() {
            assets.warn(run, *object_type, None);
        }
        count(run, *object_type, &found, diffed);
        approval::note(run, *object_type, found, diffed);
    }
    diffed.sends = run.outbox_counts().await?;
    diffed.sends.iter().for_each(|(of, rows)| run.progress.count(of.as_str(), |count| count.sent = *rows));
    approval::warn(run, diffed);
    diffed.compared = true;
    Ok(true)
}

async fn delivered_before(run: &Run, object_type: ObjectType) -> Result<u64, Stop> {
    let (organization, job) = (run.job.organization, run.job.id);
    let counts = run.tx("delivered objects", async move |tx| delivered::counts(tx, organization, job).await).await?;
    Ok(counts.get(&object_type).copied().unwrap_or(0))
}

/// What was planned for a type is now known better.
fn count(run: &Run, object_type: ObjectType, found: &Found, diffed: &mut Diffed) {
    let found = &found.counts;
    let unsent = found.ambiguous + found.unidentified;
    run.progress.count(object_type.as_str(), |count| {
        count.created = count.created.saturating_sub(found.matched + unsent);
        count.updated += found.matched;
        (count.matched, count.ambiguous, count.unidentified) = (found.matched, found.ambiguous, found.unidentified);
        count.only_in_assets = found.only_in_assets;
    });
    if let Some(planned) = diffed.planned.get_mut(&object_type) {
        planned.changed = planned.changed.saturating_sub(unsent);
    }
    let warn = |code: WarningCode, number: u64, one: &str, several: &str| {
        if number == 0 {
            return;
        }
        let what = if number == 1 { one } else { several };
        let detail = format!("{} {what}.", object_type.counted(number));
        let warning = RunWarning::new(code, detail).with_count(number);
        let warning = warning.with_advice(code.advice());
        if run.mode == RunMode::DryRun { run.progress.warn(warning) } else { run.progress.degrade(warning) }
    };
    let could = "could be several objects in Assets";
    warn(WarningCode::ObjectsAmbiguous, found.ambiguous, could, could);
    let (has, have) = ("has no value of the identity", "have no value of the identity");
    warn(WarningCode::ObjectsUnidentified, found.unidentified, has, have);
}

/// The objects of one type that others made.
struct AdoptionOfType<'a> {
    run: &'a Run,
    assets: &'a AssetsObjects,
    object_type: ObjectType,
    existing: &'a ExistingType,
}

impl AdoptionOfType<'_> {
    async fn run(&self, lists: bool) -> Result<(), Stop> {
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
        let mut judged = Vec::new();
        let mut open: Vec<(i64, String, Option<String>)> = Vec::new();
        for row in rows {
            let values: Map<String, Value> = serde_json::from_str(&row.after).map_err(Error::internal)?;
            let value = |key: &str| values.get(key).and_then(Value::as_str).map(str::to_owned);
            match value(&self.existing.identity).filter(|identity| !identity.trim().is_empty()) {
                None => judged.push(unsent(row.seq, ChangeAction::Unidentified, ChangeReason::NoIdentity, &[])),
                Some(identity) if keys.identity.is_shared(&identity) => {
                    judged.push(unsent(row.seq, ChangeAction::Ambiguous, ChangeReason::SeveralInDirectory, &[]));
                }
                Some(identity) => {
                    let other = self.existing.match_by.as_deref().and_then(value);
                    open.push((row.seq, identity, other));
                }
            }
        }
        if self.assets.api.is_none() {
            return Ok(judged);
        }
        let identities: Vec<String> = open.iter().map(|(_, identity, _)| identity.clone()).collect();
        let by_identity = self.assets.find_values(self.object_type, &self.existing.identity, &identities).await?;
        let by_identity = self.by_value(&by_identity, &self.existing.identity);
        let mut left = Vec::new();
        for (seq, identity, other) in open {
            match by_identity.get(&fold(&identity)).map(Vec::as_slice) {
                None | Some([]) => left.push((seq, identity, other)),
                // Where Assets regards case, the import would not recognise it.
                Some([one]) => judged.push(Judgement {
                    writes_identity: self.value_of(one, &self.existing.identity) != Some(identity.as_str()),
                    ..self.matched(seq, one, ChangeReason::SameIdentity)
                }),
                Some(several) => {
                    judged.push(unsent(seq, ChangeAction::Ambiguous, ChangeReason::SeveralInAssets, several));
                }
            }
        }
        if let Some(match_by) = &self.existing.match_by {
            judged.extend(self.judge_by(keys, match_by, left).await?);
        }
        Ok(judged)
    }

    /// The same by another property, for objects in Assets that have no identity yet.
    async fn judge_by(
        &self,
        keys: &Keys,
        match_by: &str,
        left: Vec<(i64, String, Option<String>)>,
    ) -> Result<Vec<Judgement>, Stop> {
        let left: Vec<(i64, String)> = left
            .into_iter()
            .filter_map(|(seq, _, value)| Some((seq, value.filter(|value| !value.trim().is_empty())?)))
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

    fn by_value<'o>(&self, found: &'o SeenObjects, key: &str) -> HashMap<String, Vec<&'o SeenObject>> {
        let mut by_value: HashMap<String, Vec<&SeenObject>> = HashMap::new();
        let mut seen = HashSet::new();
        for object in found.objects.iter().filter(|object| seen.insert(object.id.as_str())) {
            if let Some(value) = self.value_of(object, key) {
                by_value.entry(fold(value)).or_default().push(object);
            }
        }
        by_value
    }

    /// The first value of one of our attributes in an object of theirs, unless it is blank.
    fn value_of<'o>(&self, object: &'o SeenObject, key: &str) -> Option<&'o str> {
        let values = object.values.get(self.assets.name(self.object_type, key)?)?;
        values.first().map(String::as_str).filter(|value| !value.trim().is_empty())
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

    /// What an object of theirs has in the attributes that the job writes, by our keys.
    fn values(&self, object: &SeenObject) -> String {
        let names = self.assets.names(self.object_type);
        let value = |texts: &Vec<String>| match &texts[..] {
            [] => Value::Null,
            [one] => Value::from(one.as_str()),
            several => Value::from(several),
        };
        let values: BTreeMap<&String, Value> =
            names.map(|(key, name)| (key, object.values.get(name).map_or(Value::Null, value))).collect();
        serde_json::to_string(&values).unwrap_or_default()
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

fn unsent(seq: i64, action: ChangeAction, reason: ChangeReason, objects: &[&SeenObject]) -> Judgement {
    Judgement {
        seq,
        action,
        reason,
        send: false,
        before: None,
        assets_keys: objects.iter().map(|object| object.key.clone()).collect(),
        writes_identity: false,
    }
}

/// Writes the identity into the objects that have none or write it otherwise, so that the import recognises them. Each
/// is looked at once more: what is no longer one object without an identity is left alone, and nothing is sent of it.
pub async fn write_identities(run: &Run, diffed: &mut Diffed) -> Result<(), Stop> {
    let types: Vec<(ObjectType, ExistingType)> =
        ObjectType::ALL.into_iter().filter_map(|of| Some((of, run.job.mapping.existing(of)?.clone()))).collect();
    if types.is_empty() || diffed.adoption.as_ref().is_none_or(|adoption| adoption.to_write() == 0) {
        return Ok(());
    }
    run.progress.enter(&run.app, RunStage::Deliver, None);
    let mut assets = AssetsObjects::find(run).await?;
    if assets.api.is_none() {
        // What cannot be looked at must not count as gone: the import would make it once more.
        let detail = "The destination has no `api` any more, which writes the identities.";
        let gone = || Stop::failed(RunStage::Deliver, RunErrorCode::ApprovalOutdated, detail, "Start a new run.");
        return Err(assets.refusal.take().map_or_else(gone, Stop::Failed));
    }
    for (object_type, existing) in &types {
        let of_type = AdoptionOfType { run, assets: &assets, object_type: *object_type, existing };
        of_type.write_identities().await?;
    }
    diffed.sends = run.outbox_counts().await?;
    Ok(())
}

impl AdoptionOfType<'_> {
    async fn write_identities(&self) -> Result<(), Stop> {
        let (organization, id, of) = (self.run.job.organization, self.run.lease.run, self.object_type.as_str());
        let mut after = 0;
        loop {
            let rows = self.run.tx("identities to write", async move |tx| {
                adoption::identities_to_write(tx, organization, id, of, after, VALUES_IN_A_QUERY as i64).await
            });
            let rows = rows.await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.seq;
            self.write_some(rows).await?;
        }
    }

    async fn write_some(&self, rows: Vec<CandidateRow>) -> Result<(), Stop> {
        let identity_key = self.existing.identity.as_str();
        let mut wanted: Vec<(i64, String, Option<String>)> = Vec::new();
        for row in rows {
            let values: Map<String, Value> = serde_json::from_str(&row.after).map_err(Error::internal)?;
            let value = |key: &str| values.get(key).and_then(Value::as_str).map(str::to_owned);
            let other = self.existing.match_by.as_deref().and_then(value);
            wanted.push((row.seq, value(identity_key).unwrap_or_default(), other));
        }
        let identities: Vec<String> = wanted.iter().map(|(_, identity, _)| identity.clone()).collect();
        let found = self.assets.find_values(self.object_type, identity_key, &identities).await?;
        let by_identity = self.by_value(&found, identity_key);
        let match_by = self.existing.match_by.as_deref().unwrap_or(identity_key);
        let open = wanted.iter().filter(|(_, identity, _)| !by_identity.contains_key(&fold(identity)));
        let values: Vec<String> = open.filter_map(|(_, _, value)| value.clone()).collect();
        let others = self.assets.find_values(self.object_type, match_by, &values).await?;
        let by_other = self.by_value(&others, match_by);
        let (mut written, mut changed) = (Vec::new(), Vec::new());
        for (seq, identity, value) in &wanted {
            let by_other = || by_other.get(&fold(value.as_deref()?));
            let objects =
                by_identity.get(&fold(identity)).or_else(by_other).map_or(&[] as &[&SeenObject], Vec::as_slice);
            match objects {
                [one] => match self.value_of(one, identity_key) {
                    // An earlier attempt wrote it.
                    Some(is) if is == identity => written.push(*seq),
                    Some(is) if fold(is) != fold(identity) => {
                        changed.push(unsent(*seq, ChangeAction::Ambiguous, ChangeReason::OtherIdentity, objects));
                    }
                    _ => {
                        let ids = if found.attribute_ids.is_empty() { &others } else { &found };
                        self.assets.write(self.object_type, (ids, one), identity_key, identity).await?;
                        written.push(*seq);
                    }
                },
                // It is gone: the import makes another.
                [] => written.push(*seq),
                several => {
                    changed.push(unsent(*seq, ChangeAction::Ambiguous, ChangeReason::SeveralInAssets, several));
                }
            }
        }
        let left = changed.len() as u64;
        let lease = self.run.lease;
        self.run
            .tx("identities written", async move |tx| {
                adoption::identity_written(tx, &lease, &written).await?;
                adoption::judge(tx, &lease, &changed).await
            })
            .await?;
        if left > 0 {
            self.run.progress.count(self.object_type.as_str(), |count| {
                (count.matched, count.ambiguous) = (count.matched.saturating_sub(left), count.ambiguous + left);
            });
            let detail = format!("{} changed in Assets after the approval.", self.object_type.counted(left));
            self.run.progress.degrade(
                RunWarning::new(WarningCode::ObjectsAmbiguous, detail)
                    .with_count(left)
                    .with_advice(WarningCode::ObjectsAmbiguous.advice()),
            );
        }
        Ok(())
    }
}
