//! Answers to questions about the directory, from the mirror. The data of an object is canonical JSON: sorted, without
//! white space and without nulls, so a property can be looked for in the text, without the names of the tenant
//! (`tenant_names.rs`). That is many times faster than reading it as JSON, and a text may hold U+0000, which `jsonb` does
//! not take.

use super::read::ObjectRow;
use super::tenant_names::without_tenant_names;
use crate::db::Transaction;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::{JobId, OrganizationId};
use crate::insight::Insight;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use std::collections::HashMap;
use uuid::Uuid;

/// What the conditions compare with.
#[derive(Clone, Default, Debug)]
pub struct Compared {
    /// Sign-ins before this time are too long ago, as Graph writes times.
    pub inactive_since: String,
    /// Pairs of SKU ids of which the first contains the second.
    pub overlapping: Vec<(Uuid, Uuid)>,
}

/// The last sign-in that is known, interactive or not. Times of Graph can be compared as texts.
const LAST_SIGN_IN: &str = r#"greatest(substring(own.data from '"lastSignInDateTime":"([^"]+)"'),
    substring(own.data from '"lastNonInteractiveSignInDateTime":"([^"]+)"'),
    substring(own.data from '"lastSuccessfulSignInDateTime":"([^"]+)"'))"#;

/// The condition on an object `o` and its text in `own`: $3 is the time since which a user is inactive, $4 and $5 are the
/// pairs of SKUs. `None`: the answer is not found row by row.
fn condition(insight: Insight) -> Option<String> {
    Some(match insight {
        Insight::LicensedDisabledUsers => {
            r#"own.data LIKE '%"accountEnabled":false%' AND own.data LIKE '%"assignedLicenses":[{%'"#.to_owned()
        }
        Insight::LicensedInactiveUsers => format!(
            r#"own.data LIKE '%"accountEnabled":true%' AND own.data LIKE '%"assignedLicenses":[{{%' AND {LAST_SIGN_IN} < $3"#
        ),
        Insight::OverlappingLicenses => r#"own.data LIKE '%"assignedLicenses":[{%' AND EXISTS (
            SELECT FROM unnest($4::uuid[], $5::uuid[]) AS pair(larger, smaller)
            WHERE own.data LIKE '%"skuId":"' || larger || '"%' AND own.data LIKE '%"skuId":"' || smaller || '"%')"#
            .to_owned(),
        Insight::UsersWithoutManager => {
            r#"own.data LIKE '%"accountEnabled":true%' AND own.data NOT LIKE '%"userType":"Guest"%'
            AND own.data NOT LIKE '%"managerId":"%'"#
                .to_owned()
        }
        Insight::GroupsWithoutOwner => r#"own.data NOT LIKE '%"ownerIds":["%'"#.to_owned(),
        Insight::GroupsWithoutMembers => r#"own.data NOT LIKE '%"visibility":"HiddenMembership"%' AND NOT EXISTS (
            SELECT FROM mirror_members m WHERE m.organization_id = $1 AND m.job_id = $2 AND m.group_id = o.id
                AND cardinality(m.member_ids) > 0)"#
            .to_owned(),
        Insight::InactiveGuests => format!(r#"own.data LIKE '%"userType":"Guest"%' AND {LAST_SIGN_IN} < $3"#),
        Insight::UnusedLicenses | Insight::ManagerLoops | Insight::ExpiringCredentials => return None,
    })
}

/// Makes the text of each object once, whatever number of conditions looks at it.
fn own() -> String {
    format!("CROSS JOIN LATERAL (SELECT {} AS data OFFSET 0) own", without_tenant_names("o.data"))
}

fn unzipped(pairs: &[(Uuid, Uuid)]) -> (Vec<Uuid>, Vec<Uuid>) {
    pairs.iter().copied().unzip()
}

/// How many objects each of these questions finds, of those that are answered row by row. One pass over the type.
pub async fn counts(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    object_type: ObjectType,
    insights: &[Insight],
    compared: &Compared,
) -> Result<HashMap<Insight, i64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Array<BigInt>)]
        counts: Vec<i64>,
    }
    let asked: Vec<(Insight, String)> =
        insights.iter().filter_map(|insight| Some((*insight, condition(*insight)?))).collect();
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let counted: Vec<String> =
        asked.iter().map(|(_, condition)| format!("count(*) FILTER (WHERE {condition})")).collect();
    // The parameters have a type even where no condition uses them.
    let query = format!(
        "SELECT ARRAY[{}] AS counts FROM mirror_objects o {}
         WHERE o.organization_id = $1 AND o.job_id = $2 AND o.object_type = $6
            AND ($3::text IS NOT NULL OR $4::uuid[] IS NULL OR $5::uuid[] IS NULL)",
        counted.join(", "),
        own()
    );
    let (larger, smaller) = unzipped(&compared.overlapping);
    let row: Row = diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(&compared.inactive_since)
        .bind::<Array<SqlUuid>, _>(larger)
        .bind::<Array<SqlUuid>, _>(smaller)
        .bind::<Text, _>(object_type.as_str())
        .get_result(tx)
        .await?;
    Ok(asked.into_iter().map(|(insight, _)| insight).zip(row.counts).collect())
}

/// The objects that a question finds, after `after`, by id. None for a question that is not answered row by row.
pub async fn found(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
    (insight, object_type): (Insight, ObjectType),
    compared: &Compared,
    (after, limit): (Option<Uuid>, i64),
) -> Result<Vec<ObjectRow>> {
    let Some(condition) = condition(insight) else { return Ok(Vec::new()) };
    let query = format!(
        "SELECT o.id, o.data FROM mirror_objects o {}
         WHERE o.organization_id = $1 AND o.job_id = $2 AND o.object_type = $6 AND o.id > $7
            AND ($3::text IS NOT NULL OR $4::uuid[] IS NULL OR $5::uuid[] IS NULL)
            AND {condition}
         ORDER BY o.id LIMIT $8",
        own()
    );
    let (larger, smaller) = unzipped(&compared.overlapping);
    Ok(diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(job.0)
        .bind::<Text, _>(&compared.inactive_since)
        .bind::<Array<SqlUuid>, _>(larger)
        .bind::<Array<SqlUuid>, _>(smaller)
        .bind::<Text, _>(object_type.as_str())
        .bind::<SqlUuid, _>(after.unwrap_or_default())
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}

/// User → manager.
pub async fn managers(tx: &mut Transaction, organization: OrganizationId, job: JobId) -> Result<HashMap<Uuid, Uuid>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
        #[diesel(sql_type = SqlUuid)]
        manager: Uuid,
    }
    let query = format!(
        r#"SELECT o.id, substring(own.data from '"managerId":"([0-9a-f-]{{36}})"')::uuid AS manager
        FROM mirror_objects o {}
        WHERE o.organization_id = $1 AND o.job_id = $2 AND o.object_type = 'users'
            AND own.data ~ '"managerId":"[0-9a-f-]{{36}}"'"#,
        own()
    );
    let query = diesel::sql_query(query).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(job.0);
    let rows: Vec<Row> = query.load(tx).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.manager)).collect())
}
