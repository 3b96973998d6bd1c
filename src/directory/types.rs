//! The object types, one file each; the values of users share one. A new type is a file here, its word in [`ObjectType`], and a line in [`ObjectType::spec`].

mod administrative_unit;
mod app_credential;
mod application;
mod device;
mod group;
mod intune_device;
mod license;
mod role;
mod service_plan;
mod service_principal;
mod tenant;
mod user;
mod user_value;

use super::object_type::ObjectType;
use super::type_spec::TypeSpec;
use crate::plural::counted;

impl ObjectType {
    /// So many of them: `1 user`, `2 users`.
    pub fn counted(self, number: u64) -> String {
        counted(number, self.spec().singular, self.spec().plural)
    }

    /// What there is to know of the type.
    pub const fn spec(self) -> &'static TypeSpec {
        match self {
            Self::Users => &user::SPEC,
            Self::Groups => &group::SPEC,
            Self::Licenses => &license::SPEC,
            Self::Devices => &device::SPEC,
            Self::Applications => &application::SPEC,
            Self::AppCredentials => &app_credential::SPEC,
            Self::ServicePrincipals => &service_principal::SPEC,
            Self::Roles => &role::SPEC,
            Self::AdministrativeUnits => &administrative_unit::SPEC,
            Self::IntuneDevices => &intune_device::SPEC,
            Self::ServicePlans => &service_plan::SPEC,
            Self::Tenants => &tenant::SPEC,
            Self::Departments => &user_value::DEPARTMENT,
            Self::Companies => &user_value::COMPANY,
            Self::Offices => &user_value::OFFICE,
            Self::Cities => &user_value::CITY,
            Self::Countries => &user_value::COUNTRY,
            Self::CostCenters => &user_value::COST_CENTER,
            Self::JobTitles => &user_value::JOB_TITLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Attribute;
    use std::collections::HashSet;

    #[test]
    fn every_type_says_who_it_is() {
        let (mut names, mut ids) = (HashSet::new(), HashSet::new());
        for object_type in ObjectType::ALL {
            let spec = object_type.spec();
            assert_eq!(spec.object_type, object_type);
            assert!(names.insert(spec.type_name) && ids.insert(spec.external_id), "{object_type}");
            assert!(spec.external_id.bytes().all(|b| b.is_ascii_alphanumeric()), "{object_type}");
            assert!(spec.probe.starts_with(&format!("/{}?", spec.collection.path)), "{object_type}");
        }
    }

    #[test]
    fn what_is_related_is_kept_under_a_name_that_a_link_reads() {
        for object_type in ObjectType::ALL {
            for relation in object_type.spec().relations {
                let is_read = |attribute: &Attribute| {
                    attribute.link().is_some_and(|link| link.property() == Some(relation.property))
                };
                assert!(object_type.spec().attributes.iter().any(is_read), "{object_type} {}", relation.name);
            }
            let expanded = object_type.spec().relations.iter().filter(|relation| relation.expand().is_some());
            assert!(expanded.count() <= 1, "Graph expands one relation of a list");
        }
    }
}
