//! What a person confirms before a run changes objects of others: identities that are written into them, and objects
//! that Assets would act on because the directory does not have them.

use crate::codes::WarningCode;
use crate::db::mirror::delivered::adoption::FoundCounts;
use crate::destination::MissingObjects;
use crate::directory::ObjectType;
use crate::plural::counted;
use crate::run_state::RunWarning;
use crate::runs::diff::adoption::Adopted;
use crate::runs::diff::diffed::Diffed;
use crate::runs::run::Run;

/// What a comparison found of one type.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Nothing of the type was delivered before.
    pub is_first: bool,
    /// The objects that only Assets has were listed.
    pub has_listed: bool,
    pub counts: FoundCounts,
}

/// Whether Assets may act on what a delivery leaves out.
pub(super) fn acts_on_missing(run: &Run) -> bool {
    run.job.destination.as_ref().is_some_and(|to| to.missing_objects != MissingObjects::Ignore)
}

/// Notes what needs an approval.
pub(super) fn note(run: &Run, object_type: ObjectType, found: Found, diffed: &mut Diffed) {
    let endangered = match found.is_first && acts_on_missing(run) {
        true => found.has_listed.then_some(found.counts.only_in_assets),
        false => Some(0),
    };
    let to_write = found.counts.to_write;
    if to_write == 0 && endangered == Some(0) {
        return;
    }
    let adopted = Adopted { to_write, endangered };
    diffed.adoption.get_or_insert_default().types.insert(object_type, adopted);
}

/// Says what an approval would approve.
pub(super) fn warn(run: &Run, diffed: &Diffed) {
    let Some(adoption) = &diffed.adoption else { return };
    for (object_type, of) in &adoption.types {
        let mut said = Vec::new();
        if of.to_write > 0 {
            said.push(format!(
                "The identity is written into {}.",
                counted(
                    of.to_write,
                    "object in Assets that has none, or that writes it otherwise",
                    "objects in Assets that have none, or that write it otherwise"
                )
            ));
        }
        let acts = run.job.destination.as_ref().map_or("may act on", |to| match to.missing_objects {
            MissingObjects::Remove => "deletes",
            MissingObjects::Update => "changes",
            MissingObjects::Unknown | MissingObjects::Ignore => "may act on, because `missingObjects` is not known,",
        });
        match of.endangered {
            Some(0) => {}
            Some(number) => said.push(format!(
                "Assets {acts} {} that the directory does not have.",
                counted(number, "object", "objects")
            )),
            None => {
                said.push(format!("Assets {acts} objects that the directory does not have; how many is not known."))
            }
        }
        let advice = match of.endangered {
            Some(0) => "Look at GET /v1/runs/{id}/changes?action=matched. If the changes are right, approve the run.",
            _ => {
                "In Assets set «Missing objects» of the object type to Ignore and `missingObjects` of the destination too, \
                  and start again; or approve the run. A dry run lists the objects."
            }
        };
        let detail = format!("{object_type}: {}", said.join(" "));
        run.progress.warn(RunWarning::new(WarningCode::AdoptionNeedsApproval, detail).with_advice(advice));
    }
}
