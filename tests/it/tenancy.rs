//! What belongs to an organization is kept, found and protected by it: every key of such a table begins with the
//! organization, every foreign key carries it, every query names it. So PostgreSQL can be spread by organization
//! (docs/SCALE.md), and no organization is looked for among the rows of all.

use crate::support::postgres::{TestDatabase, connect};
use regex_lite::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use tokio_postgres::Client;

const OF_NOBODY: &str = "__diesel_schema_migrations";

/// Tables without an organization, each with why.
const OF_ALL: [(&str, &str); 3] = [
    ("graph_quotas", "Graph counts by application and tenant, which organizations may share"),
    ("removed_installations", "their organizations are gone"),
    ("workers", "a process executes the runs of all organizations"),
];
/// Unique columns that do not begin with the organization, each with why.
const FOUND_FIRST: [(&str, &str); 4] = [
    ("api_keys_id_key", "a key tells whose caller it is"),
    ("handovers_id_key", "a link tells whose connection it is"),
    ("organizations_external_id_key", "a token names its organization by it"),
    ("tickets_hash_key", "a ticket tells whose caller it is"),
];
/// Other indexes that do not begin with the organization, each with what is found by them in all organizations.
const FOUND_IN_ALL: [(&str, &str); 6] = [
    ("connections_expiring", "credentials whose end is announced"),
    ("jobs_due", "jobs whose time has come"),
    ("jobs_full_due", "jobs whose second time has come"),
    ("runs_of_people", "runs that people started, who do not wait until a claim comes to their organization"),
    ("runs_open", "runs under way, for other workers and for the metrics"),
    ("runs_to_clear", "runs that are past their retention"),
];
/// Functions of `src/db` with a statement that has no condition on the organization, each with why.
const ACROSS: [(&str, &str); 13] = [
    ("abandoned", "runs of workers that died"),
    ("backlog", "a number for the operator"),
    ("clear_deleted_jobs", "jobs that were deleted"),
    ("clear_ended_runs", "runs that are past their retention"),
    ("due_jobs", "jobs whose time has come"),
    ("end_leases", "runs of workers that died"),
    ("expire_approvals", "runs that nobody approved in time"),
    ("find_api_key", "the key tells the organization"),
    ("find_handover", "the link tells the organization"),
    ("see_worker", "how many runs a process has"),
    ("take_ticket", "the ticket tells the organization"),
    ("valid_api_keys", "the keys tell their organizations"),
    ("wipe_organization", "row-level security limits the statements to the organization that is deleted"),
];

fn names<const N: usize>(list: [(&str, &str); N]) -> BTreeSet<String> {
    list.iter().map(|(name, _)| (*name).to_owned()).collect()
}

async fn texts(client: &Client, query: &str) -> BTreeSet<String> {
    client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// The unique indexes, or the others, whose first column is not the organization, of the tables that have one.
async fn without_organization(client: &Client, unique: bool) -> BTreeSet<String> {
    let query = format!(
        "SELECT index.relname::text FROM pg_index
         JOIN pg_class index ON index.oid = indexrelid JOIN pg_class of_table ON of_table.oid = indrelid
         LEFT JOIN pg_attribute first ON first.attrelid = indrelid AND first.attnum = indkey[0]
         WHERE of_table.relnamespace = 'public'::regnamespace AND indisunique = {unique}
            AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = indrelid AND attname = 'organization_id')
            AND first.attname IS DISTINCT FROM 'organization_id'"
    );
    texts(client, &query).await
}

/// The foreign keys that do not lead from the organization to the same one.
async fn foreign_keys_elsewhere(client: &Client) -> BTreeSet<String> {
    const ELSEWHERE: &str = "
        SELECT conname::text FROM pg_constraint
        JOIN pg_attribute here ON here.attrelid = conrelid AND here.attnum = conkey[1]
        JOIN pg_attribute there ON there.attrelid = confrelid AND there.attnum = confkey[1]
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace
            AND (here.attname, there.attname) <> ('organization_id', 'organization_id')";
    texts(client, ELSEWHERE).await
}

/// Every rule by which rows are seen and written, without the name of its table.
async fn rules(client: &Client) -> BTreeMap<String, BTreeSet<String>> {
    const RULES: &str = "
        SELECT tablename::text, format('%s %s %s USING %s CHECK %s', policyname, permissive, cmd, qual, with_check)
        FROM pg_policies WHERE schemaname = 'public'";
    let mut rules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in client.query(RULES, &[]).await.unwrap() {
        rules.entry(row.get(0)).or_default().insert(row.get(1));
    }
    rules
}

#[tokio::test]
async fn every_key_of_a_table_of_organizations_begins_with_the_organization() {
    let database = TestDatabase::create().await;
    let client = connect(&database.urls.superuser).await;
    let tables = format!(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND relname <> '{OF_NOBODY}' AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid
                AND attname = 'organization_id' AND attnotnull AND atttypid = 'uuid'::regtype)"
    );
    assert_eq!(texts(&client, &tables).await, names(OF_ALL), "tables without an organization");
    assert_eq!(without_organization(&client, true).await, names(FOUND_FIRST), "unique without the organization");
    assert_eq!(without_organization(&client, false).await, names(FOUND_IN_ALL), "indexes without the organization");
    assert_eq!(foreign_keys_elsewhere(&client).await, BTreeSet::new());

    // What is forgotten is found.
    let forgotten = "
        CREATE TABLE forgotten (organization_id uuid, id uuid PRIMARY KEY, job_id uuid UNIQUE,
            FOREIGN KEY (job_id, organization_id) REFERENCES jobs (id, organization_id));
        CREATE INDEX forgotten_by_job ON forgotten (job_id)";
    client.batch_execute("CREATE UNIQUE INDEX jobs_turned ON jobs (id, organization_id)").await.unwrap();
    client.batch_execute(forgotten).await.unwrap();
    let more = |known: BTreeSet<String>, found: BTreeSet<String>| -> Vec<String> {
        found.difference(&known).cloned().collect()
    };
    assert_eq!(more(names(OF_ALL), texts(&client, &tables).await), ["forgotten"], "it may be without one");
    assert_eq!(
        more(names(FOUND_FIRST), without_organization(&client, true).await),
        ["forgotten_job_id_key", "forgotten_pkey", "jobs_turned"]
    );
    assert_eq!(more(names(FOUND_IN_ALL), without_organization(&client, false).await), ["forgotten_by_job"]);
    assert_eq!(foreign_keys_elsewhere(&client).await.len(), 1);
}

#[tokio::test]
async fn every_table_shows_an_organization_its_own_rows_and_nothing_else() {
    const OWN: &str = "own_organization PERMISSIVE ALL \
        USING (organization_id = ( SELECT entra_assets_organization() AS entra_assets_organization)) \
        CHECK (organization_id = ( SELECT entra_assets_organization() AS entra_assets_organization))";
    const SYSTEM: &str = "system PERMISSIVE ALL \
        USING ( SELECT entra_assets_is_system() AS entra_assets_is_system) \
        CHECK ( SELECT entra_assets_is_system() AS entra_assets_is_system)";
    let database = TestDatabase::create().await;
    let rules = rules(&connect(&database.urls.superuser).await).await;
    assert!(rules.len() > 30, "{rules:?}");
    for (table, mut rules) in rules {
        let is_of_all = OF_ALL.iter().any(|(name, _)| *name == table);
        assert_eq!(rules.remove(OWN), !is_of_all, "{table}: {rules:?}");
        rules.remove(SYSTEM);
        assert!(rules.is_empty(), "{table}: {rules:?}");
    }
}

/// The tables of `schema.rs` whose key begins with the organization, but for that of the organizations themselves, which
/// are found by it.
fn tables_of_organizations() -> Vec<String> {
    let schema = include_str!("../../src/db/schema.rs");
    let table = Regex::new(r"(\w+) \(organization_id, [^)]*\) \{").unwrap();
    table.captures_iter(schema).map(|found| found[1].to_owned()).collect()
}

/// The functions of a file with a statement over one of these tables that has no condition on the organization. What is
/// inserted need not be looked at: the database takes no row without one.
fn functions_across(source: &str, tables: &[String]) -> BTreeSet<String> {
    let regex = |pattern: &str| Regex::new(pattern).unwrap();
    let (code, _) = source.split_once("#[cfg(test)]").unwrap_or((source, ""));
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let shared = regex(r#"const (\w+): &str =\s*"([^"]*)";"#);
    let code = shared
        .captures_iter(&code)
        .fold(code.clone(), |code, found| code.replace(&format!("{{{}}}", &found[1]), &found[2]));
    let tables = tables.join("|");
    let over = regex(&format!(r"\b(?:(?:FROM|JOIN|UPDATE)\s+(?:{tables})\b|(?:{tables})::table\b)"));
    let types = regex(r"insert_into\(\w+::table\)|<\w+::table|\w+::table>|table = \w+|sql_query\(");
    let condition = regex(concat!(
        r"organization_id(?:,[^()]*\))?\s*(?:=|>|IN\b)|organization_id\s*\.eq\(|USING \(organization_id",
        r"|\.find\(\(?(?:[a-z]+\.)?organization(?:_id)?\b"
    ));
    let function = regex(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?(?:async )?fn (\w+)");
    let mut begins: Vec<(usize, &str)> = vec![(0, "")];
    begins.extend(
        function.captures_iter(&code).filter_map(|found| Some((found.get(0)?.start(), found.get(1)?.as_str()))),
    );
    let ends = begins.iter().skip(1).map(|(begin, _)| *begin).chain([code.len()]);
    let parts = begins.iter().zip(ends).map(|((begin, name), end)| (*name, &code[*begin..end]));
    let is_across = |part: &str| {
        part.split(';')
            .any(|statement| over.is_match(&types.replace_all(statement, "")) && !condition.is_match(statement))
    };
    parts.filter(|(_, part)| is_across(part)).map(|(name, _)| name.to_owned()).collect()
}

fn look(folder: &Path, tables: &[String], found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            look(&path, tables, found);
        } else {
            found.extend(functions_across(&fs::read_to_string(&path).unwrap(), tables));
        }
    }
}

#[test]
fn every_query_of_a_table_of_organizations_has_a_condition_on_the_organization() {
    let tables = tables_of_organizations();
    assert!(tables.len() > 25 && tables.contains(&"runs".to_owned()), "{tables:?}");
    let mut found = BTreeSet::new();
    look(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/db"), &tables, &mut found);
    assert_eq!(found, names(ACROSS));

    let across = |source: &str| functions_across(source, &tables).into_iter().collect::<Vec<_>>();
    assert_eq!(across("fn one() { runs::table.filter(runs::id.eq(id)).first(tx) }"), ["one"]);
    assert_eq!(across("fn two() { let a = 1; sql_query(\"SELECT 1 FROM jobs WHERE id = $1\") }"), ["two"]);
    assert_eq!(across("fn three() { sql_query(\"UPDATE  jobs SET a = 1 WHERE organization_id = $1\") }"), [""; 0]);
    assert_eq!(across("fn four() { runs::table.find((organization.0, id)).first(tx) }"), [""; 0]);
    assert_eq!(
        across("const ALL: &str = \"organization_id = $1\"; fn five() { format!(\"FROM jobs WHERE {ALL}\") }"),
        [""; 0]
    );
}
