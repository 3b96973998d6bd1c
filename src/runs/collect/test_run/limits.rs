//! The limits of a filter in a test. A full run takes the objects with the smallest ids; so does a test, as far as it can
//! list all ids in a few requests.

use crate::codes::WarningCode;
use crate::db::mirror::Batch;
use crate::directory::ObjectType;
use crate::graph::wire::Items;
use crate::graph::{IDS_IN_A_QUERY, Next, Page};
use crate::run_state::RunWarning;
use crate::runs::collect::fetch::fetch;
use crate::runs::collect::object::{is_excluded, parse, staged};
use crate::runs::collect::pages::{Pages, Restart, Restartable, follow};
use crate::runs::collect::read_error::Result;
use crate::runs::collect::reader::Reader;
use crate::runs::collect::request::Request;
use crate::runs::progress::Work;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use uuid::Uuid;

/// Pages of ids that a test reads of one type.
const MAX_PAGES: usize = 10;

/// The ids of all objects of a type that fulfil the condition, ascending; `None`, with a warning: there are too many.
pub(super) async fn smallest(reader: &Reader<'_>, object_type: ObjectType) -> Result<Option<Vec<Uuid>>> {
    let mut all = Ids { ids: BTreeSet::new(), pages: 0, are_all: true };
    for request in reader.dialect.lists(&reader.run.job, object_type) {
        let only_ids = if request.select.is_empty() { Vec::new() } else { vec!["id".to_owned()] };
        let request = Request { select: only_ids, expand: None, ..request };
        follow::<Items>(reader, request, None, &mut all).await?;
    }
    if !all.are_all {
        warn(reader, object_type);
        return Ok(None);
    }
    Ok(Some(all.ids.into_iter().collect()))
}

pub(super) fn warn(reader: &Reader<'_>, object_type: ObjectType) {
    let detail = format!(
        "There are too many {object_type} for a test to find those that the filter's limit takes. A full run can leave out \
         some that this test brings."
    );
    reader.run.progress.warn(RunWarning::new(WarningCode::TestBeyondLimits, detail));
}

struct Ids {
    ids: BTreeSet<Uuid>,
    pages: usize,
    are_all: bool,
}

impl Pages<Items> for Ids {
    async fn take(&mut self, page: Page<Items>) -> Result<ControlFlow<()>> {
        for item in page.content.iter() {
            self.ids.extend(parse(item)?.uuid());
        }
        self.pages += 1;
        let is_last = matches!(page.next, Next::Complete(_));
        self.are_all &= is_last || self.pages < MAX_PAGES;
        Ok(if self.are_all { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }
}

impl Restartable for Ids {
    async fn restart(&mut self, _: Restart<'_>) -> Result<()> {
        Ok(())
    }
}

/// Reads the first of these users, which fulfil the condition, unless they are excluded. Returns their ids.
pub(super) async fn read_these(reader: &Reader<'_>, ids: &[Uuid], limit: u32) -> Result<Vec<Uuid>> {
    let mut found = Vec::new();
    for ids in ids.chunks(IDS_IN_A_QUERY) {
        if found.len() >= limit as usize {
            break;
        }
        let mut users = fetch(reader, ObjectType::Users, ids).await?;
        users.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let mut batch = Batch::default();
        for user in users {
            if !is_excluded(reader, ObjectType::Users, &user)? {
                batch.objects.extend(staged(ObjectType::Users, &user)?);
            }
        }
        batch.objects.truncate(limit as usize - found.len());
        found.extend(batch.objects.iter().map(|object| object.id));
        reader.run.progress.expect(Work::Objects, batch.objects.len() as u64);
        reader.run.progress.advance(Work::Objects, batch.objects.len() as u64);
        reader.staging.write(batch).await?;
    }
    Ok(found)
}
