//! Lists that are read for something other than the objects of a type: managers, further groups, the recycle bin. What a page
//! brings is staged under a name of its own, together with the position.

use super::pages::{Pages, Restart, Restartable, follow};
use super::read_error::Result;
use super::reader::Reader;
use super::request::Request;
use crate::db::mirror::read::ObjectRow;
use crate::db::mirror::{Batch, Cursor, StagedObject, StoredAs};
use crate::graph::wire::Items;
use crate::graph::{Next, Page};
use std::ops::ControlFlow;
use uuid::Uuid;

/// The one part of such a list.
const PART: &str = "0";

/// What `each` finds on the pages of a list, by id. What an earlier attempt found is not asked for again.
pub(super) async fn through(
    reader: &Reader<'_>,
    request: Request,
    name: &'static str,
    what: &'static str,
    each: impl Fn(&Items, &mut Vec<(Uuid, String)>) -> Result<()> + Send,
) -> Result<Vec<ObjectRow>> {
    let cursor = reader.staging.cursors(name).await?.remove(PART);
    if !cursor.as_ref().is_some_and(|cursor| cursor.done) {
        let pages = cursor.as_ref().map_or(0, |cursor| cursor.pages);
        let mut pass = Pass { reader, name, what, pages, each };
        follow(reader, request, cursor.and_then(|cursor| cursor.next_link), &mut pass).await?;
    }
    reader.staging.rows(name).await
}

struct Pass<'a, F> {
    reader: &'a Reader<'a>,
    name: &'static str,
    what: &'static str,
    pages: i32,
    each: F,
}

impl<F: Fn(&Items, &mut Vec<(Uuid, String)>) -> Result<()> + Send> Pages<Items> for Pass<'_, F> {
    async fn take(&mut self, mut page: Page<Items>) -> Result<ControlFlow<()>> {
        let mut found = Vec::new();
        (self.each)(&page.content, &mut found)?;
        self.pages += 1;
        let (next_link, done) = match &page.next {
            Next::More(next) => (Some(next.to_string()), false),
            Next::Complete(_) => (None, true),
        };
        let (collection, part) = (self.name.into(), PART.to_owned());
        let cursor = Cursor { collection, part, next_link, done, pages: self.pages };
        // Without a hash: it is nothing that the mirror has.
        let stored_as = StoredAs::Apart(self.name);
        let row = |(id, text)| StagedObject { stored_as, id, hash: Vec::new(), data: Some(text) };
        let objects = found.into_iter().map(row).collect();
        let batch = Batch { objects, cursors: vec![cursor], ..Batch::default() };
        self.reader.staging.write_page(batch, page.permit.take()).await?;
        Ok(ControlFlow::Continue(()))
    }
}

impl<F: Send> Restartable for Pass<'_, F> {
    async fn restart(&mut self, why: Restart<'_>) -> Result<()> {
        self.pages = 0;
        why.warning(self.what).into_iter().for_each(|warning| self.reader.run.progress.warn(warning));
        self.reader.staging.restart_collection(self.name).await
    }
}
