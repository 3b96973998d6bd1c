//! The members of one group, read to the last page.

use super::group::may_see_hidden;
use crate::codes::WarningCode;
use crate::db::mirror::{Batch, Cursor, CursorRow, MEMBERS, StagedMembers};
use crate::directory::{MemberType, Properties};
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::limiter::Permit;
use crate::graph::wire::Members;
use crate::graph::{Next, Page, RequestOptions};
use crate::run_state::RunWarning;
use crate::runs::collect::pages::{Pages, Restart, Restartable, follow};
use crate::runs::collect::read_error::{ReadError, Result};
use crate::runs::collect::reader::Reader;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use uuid::Uuid;

/// Whether the members of a group can be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Visible {
    Yes,
    /// `visibility: HiddenMembership`, and the permission for it is missing.
    Hidden,
    Gone,
}

/// Whether its members are shown, with the place of the request that told it.
pub async fn visible(reader: &Reader<'_>, group: Uuid) -> Result<(Visible, Option<Permit>)> {
    let url = |query: &str| reader.session.url(&format!("groups/{group}{query}"));
    let options = RequestOptions::default();
    let (body, permit) = match reader.session.get_held(&url("?$select=id,visibility"), &options).await {
        Ok(answer) => answer,
        Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => return Ok((Visible::Gone, None)),
        // A server that takes no $select.
        Err(error) if error.refuses_optional() => reader.session.get_held(&url(""), &options).await?,
        Err(error) => return Err(error.into()),
    };
    let map: Properties = body.json()?;
    let hides = map.get("visibility").and_then(Value::as_str) == Some("HiddenMembership");
    let visible = if hides && !may_see_hidden(reader) { Visible::Hidden } else { Visible::Yes };
    Ok((visible, Some(permit)))
}

/// Reads the members of one group to the last page; `false` when they are not found, which is reported.
pub async fn read(reader: &Reader<'_>, group: Uuid, cursor: Option<CursorRow>) -> Result<bool> {
    match follow_members(reader, group, cursor).await {
        Err(ReadError::Graph(error)) if matches!(error.kind, GraphErrorKind::NotFound) => {}
        outcome => return outcome.map(|()| true),
    }
    if visible(reader, group).await?.0 == Visible::Gone {
        let detail = format!("Group {group} was deleted while it was read; its members stay as last known.");
        reader.run.progress.warn(RunWarning::new(WarningCode::GroupGone, detail));
        return Ok(false);
    }
    // A replica that is behind does not find them for a moment.
    reader.staging.restart_members(group).await?;
    match follow_members(reader, group, None).await {
        Err(ReadError::Graph(error)) if matches!(error.kind, GraphErrorKind::NotFound) => {
            report_not_found(reader, group, &error);
            Ok(false)
        }
        outcome => outcome.map(|()| true),
    }
}

async fn follow_members(reader: &Reader<'_>, group: Uuid, cursor: Option<CursorRow>) -> Result<()> {
    let part = cursor.as_ref().map_or(0, |cursor| cursor.pages);
    let link = cursor.and_then(|cursor| cursor.next_link);
    let request = reader.dialect.links(format!("groups/{group}/members"));
    let mut pages = MemberPages { reader, group, part, before: HashSet::new() };
    follow(reader, request, link, &mut pages).await
}

/// Graph cannot read one of the members: the group exists.
fn report_not_found(reader: &Reader<'_>, group: Uuid, error: &GraphError) {
    let detail = format!(
        "Graph does not return the members of group {group}, although the group exists. They stay as last known. {error}"
    );
    let request = error.request_id.as_deref().unwrap_or("unknown");
    let advice = format!(
        "Look in the Entra admin center for a deleted member of the group, and remove it; or give the request id {request} \
         to Microsoft support."
    );
    reader.run.progress.degrade(RunWarning::new(WarningCode::MembersNotFound, detail).with_advice(advice));
}

/// The pages of one group's members on their way into staging.
struct MemberPages<'a> {
    reader: &'a Reader<'a>,
    group: Uuid,
    /// The number of the next page.
    part: i32,
    /// The members on the page before. While the directory changes, a member can move to the next page. One that comes
    /// again later is stored twice, and counts once wherever it is used: to know all members that came before would take
    /// the memory of the largest groups.
    before: HashSet<Uuid>,
}

impl Pages<Members> for MemberPages<'_> {
    async fn take(&mut self, mut page: Page<Members>) -> Result<ControlFlow<()>> {
        self.reader.dialect.links_are_understood();
        page.content.0.retain(|member| !self.before.contains(&member.id));
        self.before = match page.next {
            Next::More(_) => page.content.0.iter().map(|member| member.id).collect(),
            Next::Complete(_) => HashSet::new(),
        };
        self.reader.staging.write_page(batch_of(self.group, self.part, &page), page.permit.take()).await?;
        self.part += 1;
        Ok(ControlFlow::Continue(()))
    }
}

impl Restartable for MemberPages<'_> {
    async fn restart(&mut self, why: Restart<'_>) -> Result<()> {
        if let Some(error) = why.error() {
            let detail = format!("The members of group {} are read again from their first page: {error}", self.group);
            self.reader.run.progress.warn(RunWarning::new(WarningCode::MembersRestarted, detail));
        }
        (self.part, self.before) = (0, HashSet::new());
        self.reader.staging.restart_members(self.group).await
    }
}

fn batch_of(group: Uuid, part: i32, page: &Page<Members>) -> Batch {
    let mut by_type: BTreeMap<MemberType, Vec<Uuid>> = BTreeMap::new();
    for member in &page.content.0 {
        by_type.entry(member.kind).or_default().push(member.id);
    }
    let members =
        by_type.into_iter().map(|(member_type, members)| StagedMembers::new(group, member_type, part, members));
    let (next_link, done) = match &page.next {
        Next::More(next) => (Some(next.to_string()), false),
        Next::Complete(_) => (None, true),
    };
    let cursor = Cursor { collection: MEMBERS.into(), part: group.to_string(), next_link, done, pages: part + 1 };
    Batch { members: members.collect(), cursors: vec![cursor], ..Batch::default() }
}
