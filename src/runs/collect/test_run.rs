//! A test: the first users with what belongs to them, in few requests on a tenant of any size.

use super::list::{self, parse, staged};
use super::{Read, Reader};
use crate::db::mirror::{Batch, StagedMembers};
use crate::directory::ObjectType;
use crate::graph::wire::{Content, Items};
use crate::graph::{ErrorKind, RequestOptions};
use crate::run_state::RunWarning;
use crate::runs::stop::Stop;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Users that a test reads unless it says how many.
const USERS: u32 = 100;

/// Reads the first `limit` users, their direct groups, and the licences.
pub(super) async fn read(reader: &Reader<'_>) -> Result<Read, Stop> {
    let mapping = &reader.run.job.mapping;
    let limit = reader.run.request.limit.unwrap_or(USERS);
    let mut read = Read::default();
    let mut users = Vec::new();
    if mapping.is_enabled(ObjectType::Users) {
        users = list::read_first(reader, ObjectType::Users, limit).await?;
        read.types.push(ObjectType::Users);
    }
    if mapping.is_enabled(ObjectType::Groups) {
        if !users.is_empty() {
            groups_of(reader, &users).await?;
        }
        read.types.push(ObjectType::Groups);
        read.memberships = true;
    }
    if mapping.is_enabled(ObjectType::Licenses) {
        list::read(reader, ObjectType::Licenses).await?;
        read.types.push(ObjectType::Licenses);
    }
    if mapping.is_enabled(ObjectType::Devices) {
        list::read_first(reader, ObjectType::Devices, limit).await?;
        read.types.push(ObjectType::Devices);
    }
    Ok(read)
}

/// The groups that these users are direct members of, twenty users to a request.
async fn groups_of(reader: &Reader<'_>, users: &[Uuid]) -> Result<(), Stop> {
    let select = reader.run.job.mapping.select(ObjectType::Groups).join(",");
    let mut members: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for part in users.chunks(crate::graph::batch::ITEMS_MOST) {
        let urls: Vec<_> = part
            .iter()
            .map(|id| reader.session.url(&format!("users/{id}/memberOf?$top=999&$select={select}")))
            .collect();
        let answers = match reader.session.batch(&urls, &RequestOptions::default()).await {
            Ok(answers) => answers,
            Err(error) if error.refuses_optional() => one_by_one(reader, &urls).await?,
            Err(error) => return Err(error.into()),
        };
        let mut batch = Batch::default();
        for (user, answer) in part.iter().zip(answers) {
            match answer {
                Ok(item) => take_groups(reader, *user, item.body, &mut members, &mut batch).await?,
                Err(error) if matches!(error.kind, ErrorKind::Forbidden) => {
                    warn_of_forbidden(reader, &error);
                    return Ok(());
                }
                Err(error) if matches!(error.kind, ErrorKind::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        reader.run.journal.used(reader.session.usage());
        reader.writer.write(batch).await?;
    }
    let members = members.into_iter().map(|(group, mut members)| {
        members.sort_unstable();
        StagedMembers { group, member_type: "user".to_owned(), part: 0, members }
    });
    reader.writer.write(Batch { members: members.collect(), ..Batch::default() }).await
}

/// The plain way for a server that has no `$batch`.
async fn one_by_one(
    reader: &Reader<'_>,
    urls: &[url::Url],
) -> Result<Vec<crate::graph::error::Result<crate::graph::batch::BatchItem>>, Stop> {
    let detail = "The server does not take JSON batches; the groups of each user are read one by one.";
    reader.run.journal.warn(RunWarning::new("batch_refused", detail));
    let mut answers = Vec::with_capacity(urls.len());
    for url in urls {
        let answer = reader.session.get(url, &RequestOptions::default()).await;
        answers.push(answer.map(|body| crate::graph::batch::BatchItem { status: body.status, body: body.text }));
    }
    Ok(answers)
}

fn warn_of_forbidden(reader: &Reader<'_>, error: &crate::graph::GraphError) {
    let detail = format!(
        "The groups of single users may not be read with these permissions ({error}); the test goes on without \
         groups. A full run reads groups another way."
    );
    reader.run.journal.warn(RunWarning::new("test_without_groups", detail));
}

/// The groups in one user's answer, to the last page.
async fn take_groups(
    reader: &Reader<'_>,
    user: Uuid,
    body: String,
    members: &mut BTreeMap<Uuid, Vec<Uuid>>,
    batch: &mut Batch,
) -> Result<(), Stop> {
    let read = |body: String| {
        Items::read(body).map_err(|e| {
            Stop::graph(&crate::graph::GraphError::new(ErrorKind::Malformed, format!("a list of groups: {e}")))
        })
    };
    let (mut links, mut items) = read(body)?;
    loop {
        for item in items.iter() {
            // memberOf also lists directory roles and administrative units.
            if !item.contains("#microsoft.graph.group") {
                continue;
            }
            let group = parse(item)?;
            if let Some(id) = group.uuid() {
                members.entry(id).or_default().push(user);
                batch.objects.extend(staged(ObjectType::Groups, &group)?);
            }
        }
        let Some(next) = links.next.take() else { return Ok(()) };
        let url = reader.session.link(&next)?;
        let page = reader.session.get(&url, &RequestOptions::default()).await?;
        (links, items) = read(page.text)?;
    }
}
