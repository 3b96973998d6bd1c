//! The word for each type of object. What the service knows of a type is its [`super::TypeSpec`].

use crate::text_enum::text_enum;

text_enum! {
    /// The kinds of objects that a job can import. The word is also the selector in the data sent to Assets.
    #[derive(PartialOrd, Ord)]
    ObjectType in "run_changes.object_type" {
        Users = "users",
        Groups = "groups",
        /// The SKUs that the organization subscribed to; the id is the SKU id.
        Licenses = "licenses",
        Devices = "devices",
        /// App registrations.
        Applications = "applications",
        /// The secrets, certificates and federated credentials of app registrations.
        AppCredentials = "appCredentials",
        /// Enterprise applications and managed identities.
        ServicePrincipals = "servicePrincipals",
        /// Directory roles.
        Roles = "roles",
        AdministrativeUnits = "administrativeUnits",
        /// Devices that Intune manages.
        IntuneDevices = "intuneDevices",
        /// What licences consist of.
        ServicePlans = "servicePlans",
        Tenants = "tenants",
        /// The distinct values that users have in a property, each as an object: their departments.
        Departments = "departments",
        Companies = "companies",
        Offices = "offices",
        Cities = "cities",
        Countries = "countries",
        CostCenters = "costCenters",
        JobTitles = "jobTitles",
    }
}

impl ObjectType {
    /// The position in [`ObjectType::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}
