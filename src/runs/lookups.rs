//! Whether the texts of this delivery lead to objects of others. Assets itself decides what is found, when it takes the entries.
//! If the object API can be used, the run counts the objects whose text leads to no object or to several. Nothing here changes
//! what is sent, and a text that leads to no object fails no run. Source: docs/assets.md, «References».

use super::assets_objects::AssetsObjects;
use super::diff::diffed::Diffed;
use super::run::Run;
use super::stop::Stop;
use crate::assets::lookup::fold;
use crate::codes::WarningCode;
use crate::db::mirror::delivered;
use crate::directory::ObjectType;
use crate::mapping::LookupTarget;
use crate::run_state::RunWarning;
use std::collections::{HashMap, HashSet};

/// Distinct texts of one attribute that are looked at, those of most objects first.
const MAX_TEXTS: i64 = 2_000;
/// Objects of others that are looked at for one attribute.
const MAX_OBJECTS: usize = 20_000;
/// Texts that a warning names.
const NAMED: usize = 5;

/// A text, and the number of objects that have it.
type Text = (String, u64);

/// Counts the texts that lead nowhere. Whether there were any to look for.
pub async fn check(run: &Run, diffed: &mut Diffed) -> Result<bool, Stop> {
    if run.job.destination.is_none() {
        return Ok(false);
    }
    let sent = |of: &ObjectType| diffed.sends.get(of).is_some_and(|rows| *rows > 0);
    let types: Vec<ObjectType> = ObjectType::ALL.into_iter().filter(sent).collect();
    let (organization, id) = (run.job.organization, run.lease.run);
    let mut wanted: Vec<(ObjectType, String, Vec<Text>)> = Vec::new();
    for object_type in types {
        for key in run.job.mapping.lookups(object_type) {
            let texts = run.tx("texts that are looked up", async move |tx| {
                delivered::texts(tx, organization, id, object_type, key, MAX_TEXTS).await
            });
            let texts = texts.await?;
            if !texts.is_empty() {
                wanted.push((object_type, key.to_owned(), texts));
            }
        }
    }
    if wanted.is_empty() {
        return Ok(false);
    }
    run.log("Looking for the objects of others that this delivery refers to.").await?;
    // It ends the run where the lookups do not fit what Assets has, a dry run too.
    let assets = AssetsObjects::find(run).await?;
    for (object_type, key, texts) in wanted {
        let Some(target) = assets.lookup(object_type, &key).cloned() else { continue };
        let refused = assets.refusal.as_ref().map(|error| error.detail.clone());
        let unknown = match (&assets.api, refused) {
            (Some(_), _) => match find(&assets, &target, &texts).await {
                Ok(Some(found)) => {
                    warn(run, object_type, &target, &texts, &found);
                    None
                }
                Ok(None) => Some(format!("More than {MAX_OBJECTS} objects have one of these texts.")),
                Err(Stop::Failed(error)) => Some(error.detail.clone()),
                Err(stop) => return Err(stop),
            },
            (None, Some(refused)) => Some(refused),
            (None, None) => Some("The destination has no `api`.".to_owned()),
        };
        if let Some(why) = unknown {
            let code = WarningCode::LookupsNotCompared;
            let LookupTarget { object_type: theirs, by, pointer, .. } = &target;
            let twins = match target.is_unique {
                true => String::new(),
                false => format!(" «{by}» is not unique, so several objects may have the same one ({pointer})."),
            };
            let detail = format!(
                "Whether «{theirs}» has the objects that {object_type} refer to by «{by}» is not known: {why}{twins}"
            );
            run.progress.warn(RunWarning::new(code, detail).with_advice(code.advice()));
        }
    }
    diffed.looked_up = true;
    Ok(true)
}

/// How many objects have each text. `None`: there are too many.
async fn find(
    assets: &AssetsObjects,
    target: &LookupTarget,
    texts: &[Text],
) -> Result<Option<HashMap<String, usize>>, Stop> {
    let values: Vec<String> = texts.iter().map(|(text, _)| text.clone()).collect();
    let seen = assets.find_others(target, &values, MAX_OBJECTS).await?;
    if !seen.is_last {
        return Ok(None);
    }
    let mut found: HashMap<String, usize> = HashMap::new();
    let mut ids = HashSet::new();
    for object in seen.objects.iter().filter(|object| ids.insert(object.id.as_str())) {
        for value in object.values.get(&target.by).into_iter().flatten() {
            *found.entry(fold(value)).or_default() += 1;
        }
    }
    Ok(Some(found))
}

fn warn(run: &Run, object_type: ObjectType, target: &LookupTarget, texts: &[Text], found: &HashMap<String, usize>) {
    let LookupTarget { object_type: theirs, by, pointer, .. } = target;
    let of = |is_it: &dyn Fn(usize) -> bool| -> Vec<Text> {
        let those = texts.iter().filter(|(text, _)| is_it(found.get(&fold(text)).copied().unwrap_or(0)));
        those.cloned().collect()
    };
    let say = |code: WarningCode, texts: &[Text], what: &str| {
        let number: u64 = texts.iter().map(|(_, objects)| objects).sum();
        if number > 0 {
            let detail = format!("{number} {object_type} {what}: {}.", named(texts));
            run.progress.warn(RunWarning::new(code, detail).with_count(number).with_advice(code.advice()));
        }
    };
    let none = of(&|number| number == 0);
    say(
        WarningCode::LookupsNotFound,
        &none,
        &format!("refer to no object of «{theirs}», because none has this «{by}»"),
    );
    let several = of(&|number| number > 1);
    say(
        WarningCode::LookupsAmbiguous,
        &several,
        &format!("could refer to several objects of «{theirs}» with this «{by}» ({pointer})"),
    );
}

fn named(texts: &[Text]) -> String {
    let first: Vec<String> = texts.iter().take(NAMED).map(|(text, _)| format!("«{text}»")).collect();
    match texts.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
