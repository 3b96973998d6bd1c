//! The word for each type of object. What the service knows of a type is its [`super::TypeSpec`].

use crate::text_enum::text_enum;

text_enum! {
    /// The kinds of objects that a job can import. The word is also the selector in the data sent to Assets.
    #[derive(PartialOrd, Ord)]
    ObjectType in "run_changes.object_type" {
        /// People and guests.
        Users = "users",
        /// Groups of any kind.
        Groups = "groups",
        /// The SKUs that the organization subscribed to; the id is the SKU id.
        Licenses = "licenses",
        /// Devices that are registered or joined.
        Devices = "devices",
        /// App registrations.
        Applications = "applications",
        /// The secrets, certificates and federated credentials of app registrations.
        AppCredentials = "appCredentials",
        /// Enterprise applications and managed identities.
        ServicePrincipals = "servicePrincipals",
        /// Directory roles.
        Roles = "roles",
        /// Parts of the directory with administrators of their own.
        AdministrativeUnits = "administrativeUnits",
        /// Devices that Intune manages.
        IntuneDevices = "intuneDevices",
        /// What licences consist of.
        ServicePlans = "servicePlans",
        /// The tenant itself.
        Tenants = "tenants",
        /// The departments of users. This type and those that follow are made of the distinct values that users have in a property.
        Departments = "departments",
        /// The companies of users.
        Companies = "companies",
        /// The offices of users.
        Offices = "offices",
        /// The cities of users.
        Cities = "cities",
        /// The countries of users.
        Countries = "countries",
        /// The cost centres of users.
        CostCenters = "costCenters",
        /// The job titles of users.
        JobTitles = "jobTitles",
    }
}

impl ObjectType {
    /// The position in [`ObjectType::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}
