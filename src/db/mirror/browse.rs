//! The mirror page by page, for the API.

use super::read::ObjectRow;
use super::tenant_names::without_tenant_names;
use crate::db::Transaction;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::{JobId, OrganizationId};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// Which objects to list; the default: all.
#[derive(Clone, Default, Debug)]
pub struct Only {
    pub id: Option<Uuid>,
    /// A part of the label.
    pub label: Option<String>,
    /// A part of a name: of what people know an object by.
    pub search: Option<String>,
}

/// The properties by which people know an object.
const NAMES: [&str; 8] = [
    "displayName",
    "userPrincipalName",
    "mail",
    "skuPartNumber",
    "label",
    "deviceName",
    "serialNumber",
    "servicePlanName",
];

/// The property that is the label of an object of a type, where it has several names.
fn label_of(object_type: &str) -> &'static [&'static str] {
    object_type.parse::<ObjectType>().map_or(&NAMES[..1], |object_type| &object_type.spec().label[..1])
}

/// A pattern that finds `text` in the values of these properties in the JSON of an object.
fn in_values(properties: &[&str], text: &str) -> String {
    format!(r#""({})":"([^"\\]|\\.)*{}"#, properties.join("|"), literal(text))
}

/// A pattern that finds an object with exactly this name.
pub(super) fn names_equal(text: &str) -> String {
    format!(r#""({})":"{}""#, NAMES.join("|"), literal(text))
}

/// A pattern for a text in JSON.
fn literal(text: &str) -> String {
    let text = serde_json::to_string(text).unwrap_or_default();
    let text = text.trim_start_matches('"').strip_suffix('"').unwrap_or_default();
    let mut literal = String::with_capacity(text.len());
    for letter in text.chars() {
        if !letter.is_alphanumeric() && !letter.is_whitespace() && letter.is_ascii() {
            literal.push('\\');
        }
        literal.push(letter);
    }
    literal
}

/// Objects of the mirror after `after`, by id.
pub async fn page(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: &str,
    only: &Only,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<ObjectRow>> {
    let own = without_tenant_names("data");
    let page = format!(
        "SELECT id, data FROM mirror_objects
         WHERE organization_id = $1 AND job_id = $2 AND object_type = $3 AND id > $4
            AND ($6 IS NULL OR id = $6) AND ($7 IS NULL OR {own} ~* $7) AND ($8 IS NULL OR {own} ~* $8)
         ORDER BY id LIMIT $5"
    );
    Ok(diesel::sql_query(page)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(object_type)
        .bind::<SqlUuid, _>(after.unwrap_or_default())
        .bind::<BigInt, _>(limit)
        .bind::<Nullable<SqlUuid>, _>(only.id)
        .bind::<Nullable<Text>, _>(only.label.as_deref().map(|text| in_values(label_of(object_type), text)))
        .bind::<Nullable<Text>, _>(only.search.as_deref().map(|text| in_values(&NAMES, text)))
        .load(tx)
        .await?)
}

/// Memberships of one group, by member, or of one member, by group; of both, the one that they have.
pub async fn memberships_of(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    (group, member): (Option<Uuid>, Option<Uuid>),
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<MembershipRow>> {
    const BY_GROUP: &str = "
        SELECT DISTINCT m.group_id, member AS member_id, m.member_type
        FROM mirror_members m, unnest(m.member_ids) AS member
        WHERE m.organization_id = $1 AND m.job_id = $2 AND m.group_id = $3 AND member > $5
            AND ($4 IS NULL OR member = $4)
        ORDER BY member_id LIMIT $6";
    const BY_MEMBER: &str = "
        SELECT DISTINCT m.group_id, $4 AS member_id, m.member_type FROM mirror_members m
        WHERE m.organization_id = $1 AND m.job_id = $2 AND ($3 IS NULL OR m.group_id = $3) AND m.group_id > $5
            AND m.member_ids @> ARRAY[$4]
        ORDER BY m.group_id LIMIT $6";
    Ok(diesel::sql_query(if group.is_some() { BY_GROUP } else { BY_MEMBER })
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Nullable<SqlUuid>, _>(group)
        .bind::<Nullable<SqlUuid>, _>(member)
        .bind::<SqlUuid, _>(after.unwrap_or_default())
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}

/// A membership.
#[derive(QueryableByName, Clone, Debug)]
pub struct MembershipRow {
    #[diesel(sql_type = SqlUuid)]
    pub group_id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    pub member_id: Uuid,
    #[diesel(sql_type = Text)]
    pub member_type: String,
}

/// Memberships of the mirror from the one at `skip`, by group and member.
pub async fn memberships_from(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    skip: i64,
    limit: i64,
) -> Result<Vec<MembershipRow>> {
    // Earlier groups are skipped by the number of their members, without reading the members.
    const PAGE: &str = "
        WITH sizes AS (
            SELECT group_id, sum(cardinality(member_ids)) AS size FROM mirror_members
            WHERE organization_id = $1 AND job_id = $2 GROUP BY group_id),
        placed AS (SELECT group_id, sum(size) OVER (ORDER BY group_id) - size AS before, size FROM sizes),
        wanted AS (SELECT * FROM placed WHERE before + size > $3 AND before < $3 + $4)
        SELECT group_id, member_id, member_type FROM (
            SELECT w.group_id, member AS member_id, m.member_type,
                w.before + row_number() OVER (PARTITION BY w.group_id ORDER BY member) AS place
            FROM wanted w JOIN mirror_members m
                ON m.organization_id = $1 AND m.job_id = $2 AND m.group_id = w.group_id,
            unnest(m.member_ids) AS member) numbered
        WHERE place > $3 AND place <= $3 + $4
        ORDER BY place";
    Ok(diesel::sql_query(PAGE)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<BigInt, _>(skip)
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}

/// Memberships of the mirror after the pair `after`, by group and member.
pub async fn memberships(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    after: Option<(Uuid, Uuid)>,
    limit: i64,
) -> Result<Vec<MembershipRow>> {
    // As many groups as a page can need: each of them has at least one member after the cursor.
    const PAGE: &str = "
        SELECT m.group_id, member AS member_id, m.member_type
        FROM (SELECT DISTINCT group_id FROM mirror_members
              WHERE organization_id = $1 AND job_id = $2 AND group_id >= $3
              ORDER BY group_id LIMIT $5 + 1) g
        JOIN mirror_members m ON m.organization_id = $1 AND m.job_id = $2 AND m.group_id = g.group_id,
        unnest(m.member_ids) AS member
        WHERE (m.group_id, member) > ($3, $4)
        GROUP BY m.group_id, member, m.member_type
        ORDER BY m.group_id, member LIMIT $5";
    let (group, member) = after.unwrap_or_default();
    Ok(diesel::sql_query(PAGE)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<SqlUuid, _>(group)
        .bind::<SqlUuid, _>(member)
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_every_sign_of_the_text_for_itself() {
        assert_eq!(in_values(&["mail"], "a.b+c@x"), r#""(mail)":"([^"\\]|\\.)*a\.b\+c\@x"#);
        assert_eq!(in_values(&["displayName"], r#"say "hi""#), r#""(displayName)":"([^"\\]|\\.)*say \\\"hi\\\""#);
    }
}
