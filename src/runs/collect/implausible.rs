//! Lists that nearly all objects lost at once. Unless another request confirms it, they are not cleared: what was known
//! stays, and the run says so.

use super::fetch::get_many;
use super::pages::whole_of;
use super::read_error::Result;
use super::reader::{Read, Reader};
use crate::codes::WarningCode;
use crate::db::mirror::implausible::{self, Emptied};
use crate::directory::ObjectType;
use crate::graph::wire::{Items, Members};
use crate::run_state::{RunMode, RunWarning};
use uuid::Uuid;

/// Lists that are empty for some objects, and not all of a sudden for all.
const LISTS: [(ObjectType, &str); 2] =
    [(ObjectType::Users, "assignedLicenses"), (ObjectType::Users, "licenseAssignmentStates")];
/// A list that fewer objects lost, or less than this share of those that had it, was emptied by somebody.
const MIN_LOST: usize = 5;
const MIN_LOST_PERCENT: usize = 90;
/// Objects that are asked for in another way whether the list is really empty.
const ASKED: usize = 5;

fn is_suspicious(emptied: &Emptied) -> bool {
    emptied.lost.len() >= MIN_LOST
        && emptied.lost.len() * 100
            >= usize::try_from(emptied.had).unwrap_or(usize::MAX).saturating_mul(MIN_LOST_PERCENT)
}

/// A few of them, from the first to the last.
fn some(lost: &[Uuid]) -> Vec<Uuid> {
    lost.iter().copied().step_by(lost.len().div_ceil(ASKED).max(1)).collect()
}

/// The lists that nearly all objects lost, and that are not really empty as far as can be known.
pub(super) async fn emptied_lists(reader: &Reader<'_>, read: &Read) -> Result<Vec<(ObjectType, &'static str)>> {
    let run = reader.run;
    let mut emptied = Vec::new();
    reader.staging.stored().await?;
    for (object_type, name) in LISTS {
        let is_read = read.types.contains(&object_type) && run.job.mapping.select(object_type).contains(&name);
        if !is_read || run.mode == RunMode::Test {
            continue;
        }
        let (lease, job, is_patch) = (run.lease, run.job.id, read.is_patch);
        let found = run.tx("emptied lists", async move |tx| {
            implausible::emptied_lists(tx, &lease, job, (object_type.as_str(), name), is_patch, MIN_LOST as i64).await
        });
        let found = found.await?;
        if is_suspicious(&found) && !are_without_licenses(reader, &some(&found.lost)).await? {
            emptied.push((object_type, name));
        }
    }
    Ok(emptied)
}

/// Whether these users have no licences in another place either. Where that may not be read, it is not known.
async fn are_without_licenses(reader: &Reader<'_>, users: &[Uuid]) -> Result<bool> {
    let url = |id: &Uuid| reader.session.url(&format!("users/{id}/licenseDetails?$select=skuId"));
    let count = |items: &Items, found: &mut Vec<usize>| {
        found.push(items.iter().len());
        Ok(())
    };
    let mut is_known = false;
    for answer in get_many(reader, users.iter().map(url).collect()).await? {
        match answer {
            Ok(item) => {
                is_known = true;
                if whole_of(reader, item.body, "licences", count).await?.iter().sum::<usize>() > 0 {
                    return Ok(false);
                }
            }
            Err(error) if error.is_cancelled() => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(is_known)
}

/// The groups of which nearly all came without members, and that are not really empty as far as can be known: what was
/// known of them stays.
pub(super) async fn emptied_groups(reader: &Reader<'_>, read: &Read) -> Result<Vec<Uuid>> {
    if !read.memberships {
        return Ok(Vec::new());
    }
    reader.staging.stored().await?;
    let (run, lease, job) = (reader.run, reader.run.lease, reader.run.job.id);
    let mut emptied =
        run.tx("emptied groups", async move |tx| implausible::emptied_groups(tx, &lease, job).await).await?;
    let all = emptied.lost.len();
    emptied.lost.retain(|group| !read.members_unknown.contains(group));
    emptied.had -= i64::try_from(all - emptied.lost.len()).unwrap_or(0);
    if !is_suspicious(&emptied) || are_left(reader, &some(&emptied.lost)).await? {
        return Ok(Vec::new());
    }
    let number = emptied.lost.len();
    let detail = format!(
        "Graph returned no members for {number} of the {} groups that had some, and it cannot be confirmed that they are \
         empty. Their members stay as last known.",
        emptied.had
    );
    run.progress.degrade(RunWarning::new(WarningCode::ImplausibleValues, detail).with_count(number as u64));
    Ok(emptied.lost)
}

/// Whether former members of these groups say themselves that they are in none of them. Where nobody can be asked, it is not
/// known.
async fn are_left(reader: &Reader<'_>, groups: &[Uuid]) -> Result<bool> {
    let (run, lease, job) = (reader.run, reader.run.lease, reader.run.job.id);
    let former =
        run.tx("former members", async |tx| implausible::former_members(tx, &lease, job, groups).await).await?;
    let urls = former.iter().map(|pair| reader.session.url(&format!("users/{}/memberOf?$select=id", pair.user_id)));
    let each = |page: &Members, found: &mut Vec<Uuid>| {
        found.extend(page.0.iter().map(|group| group.id));
        Ok(())
    };
    let mut is_known = false;
    let answers = get_many(reader, urls.collect()).await?;
    for (pair, answer) in former.iter().zip(answers) {
        match answer {
            Ok(item) => {
                is_known = true;
                if whole_of(reader, item.body, "groups", each).await?.contains(&pair.group_id) {
                    return Ok(false);
                }
            }
            Err(error) if error.is_cancelled() => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(is_known)
}
