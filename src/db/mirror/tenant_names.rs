//! Looking for a property in the text of an object. The text is canonical JSON, and a quotation mark inside a text is
//! escaped, so what looks like a name with its colon is one. It need not be the name of a property: custom security
//! attributes and the fields of schema extensions are named by the tenant, and stand in the same text.

/// A text in JSON.
const TEXT: &str = r#""(?:[^"\\]|\\.)*""#;

/// The text in this column, without what is in the holders of such names: objects of values, or objects of these.
pub(super) fn without_tenant_names(column: &str) -> String {
    let held = format!(
        r#"("(?:customSecurityAttributes|[A-Za-z0-9]+_\w+)":)\{{(?:{TEXT}|[^"{{}}]|\{{(?:{TEXT}|[^"{{}}])*\}})*\}}"#
    );
    // Few objects have any, and LIKE is many times faster than the pattern.
    format!(
        r#"(CASE WHEN {column} LIKE '%"customSecurityAttributes":{{%' OR {column} LIKE '%\_%":{{%'
            THEN regexp_replace({column}, '{held}', '\1{{}}', 'g') ELSE {column} END)"#
    )
}
