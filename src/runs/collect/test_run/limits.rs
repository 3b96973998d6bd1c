//! The limits of a filter in a test. A full run takes the objects with the smallest ids; so does a test, as far as it can
//! list all ids in a few requests.

use crate::codes::WarningCode;
use crate::directory::ObjectType;
use crate::graph::wire::Items;
use crate::graph::{Next, Page};
use crate::run_state::RunWarning;
use crate::runs::collect::object::parse;
use crate::runs::collect::pages::{Pages, Restart, Restartable, follow};
use crate::runs::collect::read_error::Result;
use crate::runs::collect::reader::Reader;
use crate::runs::collect::request::Request;
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
