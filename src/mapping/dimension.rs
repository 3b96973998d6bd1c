//! The short form in which a job says which properties of users become objects.

use super::names::wrong_name;
use crate::directory::{ObjectType, UserValues};
use crate::error::Faults;
use serde::{Deserialize, Serialize};

/// A property of users whose distinct values become objects.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dimension {
    /// `department`, `companyName`, `officeLocation`, `city`, `country`, `costCenter` or `jobTitle`.
    #[schema(min_length = 1, max_length = 50)]
    pub attribute: String,
    /// The name of the object type in Assets; null: `Entra Department`, `Entra Company`, and so on.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub object_type: Option<String>,
}

/// Adds all faults; `pointer` is the place of the list.
pub(super) fn check(dimensions: &[Dimension], object_type: ObjectType, pointer: &str, faults: &mut Faults) {
    if object_type != ObjectType::Users {
        return faults.push(pointer, "only_users", "Only the values of users become objects.");
    }
    let keys: Vec<&str> = ObjectType::ALL.into_iter().filter_map(UserValues::of).map(|values| values.key()).collect();
    for (position, Dimension { attribute, object_type }) in dimensions.iter().enumerate() {
        let pointer = format!("{pointer}/{position}");
        if !keys.contains(&attribute.as_str()) {
            let detail =
                format!("The values of `{attribute}` cannot become objects; those of {} can.", keys.join(", "));
            faults.push(format!("{pointer}/attribute"), "unknown_attribute", detail);
        } else if dimensions[..position].iter().any(|other| other.attribute == *attribute) {
            faults.push(format!("{pointer}/attribute"), "duplicate", format!("`{attribute}` is already in the list."));
        }
        if let Some(detail) = object_type.as_deref().and_then(wrong_name) {
            faults.push(format!("{pointer}/objectType"), "invalid_name", detail);
        }
    }
}
