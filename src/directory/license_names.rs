//! Product names of licences: Graph returns only part numbers such as `SPE_E3`.

use crate::error::{Code, Error, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use uuid::Uuid;

/// Microsoft's published product names (learn.microsoft.com/entra/identity/users/licensing-service-plan-reference).
const BUILTIN: &str = include_str!("license-names.csv");

/// Names by SKU id.
#[derive(Clone, Debug, Default)]
pub struct LicenseNames(HashMap<Uuid, String>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    sku_id: Uuid,
    name: String,
}

impl LicenseNames {
    /// The built-in names.
    pub fn builtin() -> Self {
        // Tests check the rows of the built-in table. An unreadable row would show the part number.
        let rows = csv::Reader::from_reader(BUILTIN.as_bytes()).into_deserialize::<Row>().flatten();
        Self(rows.map(|row| (row.sku_id, row.name)).collect())
    }

    /// The built-in names, replaced and completed by the rows of a CSV text with the columns `skuId,skuPartNumber,name`
    /// (the file of ENTRA_ASSETS_LICENSE_NAMES). The error names the line that is not valid.
    pub fn with_override(text: &str) -> Result<Self> {
        let mut names = Self::builtin();
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        for row in reader.deserialize::<Row>() {
            let row = row.map_err(|e| {
                Error::new(
                    Code::ConfigurationInvalid,
                    format!(
                        "ENTRA_ASSETS_LICENSE_NAMES: {e}. The file is CSV with the columns skuId,skuPartNumber,name."
                    ),
                )
            })?;
            if !row.name.is_empty() {
                names.0.insert(row.sku_id, row.name);
            }
        }
        Ok(names)
    }

    pub fn name(&self, sku: Uuid) -> Option<&str> {
        self.0.get(&sku).map(String::as_str)
    }

    /// Changes with any of the names.
    pub fn digest(&self) -> [u8; 32] {
        let mut names: Vec<(&Uuid, &String)> = self.0.iter().collect();
        names.sort();
        let mut hasher = Sha256::new();
        for (id, name) in names {
            hasher.update(id);
            hasher.update(name);
            hasher.update([0]);
        }
        hasher.finalize().into()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_can_be_read() {
        let lines = BUILTIN.lines().filter(|line| !line.trim().is_empty()).count();
        assert_eq!(LicenseNames::builtin().len(), lines - 1);
    }

    #[test]
    fn a_file_replaces_and_completes_names() {
        let text = "\u{feff}skuId,skuPartNumber,name\n05e9a617-0261-4cee-bb44-138d3ef5d965,SPE_E3,Our E3\n\
                    00000000-0000-0000-0000-000000000001,NEW, Brand new \n";
        let names = LicenseNames::with_override(text).unwrap();
        assert_eq!(names.name(Uuid::parse_str("05e9a617-0261-4cee-bb44-138d3ef5d965").unwrap()), Some("Our E3"));
        assert_eq!(names.name(Uuid::from_u128(1)), Some("Brand new"));
        let error = LicenseNames::with_override("skuId,name\nnot-a-guid,X\n").unwrap_err();
        assert!(error.detail.contains("line"), "{}", error.detail);
    }
}
