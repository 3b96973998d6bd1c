//! The distinct values of properties of users as objects: departments, companies, offices, cities, countries, cost centres,
//! job titles. Graph has no list of them. They are made of the users that are in scope
//! (`runs/collect/values.rs`), and users refer to them (`Link::Value`).
//! `directory/user_values.rs` says which texts are one value.

use crate::directory::attribute::rows::{LIFECYCLE, REMOVED_ON, TENANT_ID, row};
use crate::directory::attribute::{Attribute, AttributeSource, Presence, ValueType};
use crate::directory::object_type::ObjectType;
use crate::directory::type_spec::{ById, Collection, Disabled, Item, TypeSpec};
use crate::permission::Capability;
use Presence::Always;
use ValueType::Text;

pub static DEPARTMENT: TypeSpec = TypeSpec {
    object_type: ObjectType::Departments,
    singular: "department",
    plural: "departments",
    external_id: "department",
    type_name: "Entra Department",
    description: "A department of users",
    probe: "/users?$top=1&$select=department",
    ..COMMON
};

pub static COMPANY: TypeSpec = TypeSpec {
    object_type: ObjectType::Companies,
    singular: "company",
    plural: "companies",
    external_id: "company",
    type_name: "Entra Company",
    description: "A company of users",
    probe: "/users?$top=1&$select=companyName",
    ..COMMON
};

pub static OFFICE: TypeSpec = TypeSpec {
    object_type: ObjectType::Offices,
    singular: "office",
    plural: "offices",
    external_id: "office",
    type_name: "Entra Office",
    description: "An office location of users",
    probe: "/users?$top=1&$select=officeLocation",
    ..COMMON
};

pub static CITY: TypeSpec = TypeSpec {
    object_type: ObjectType::Cities,
    singular: "city",
    plural: "cities",
    external_id: "city",
    type_name: "Entra City",
    description: "A city of users",
    probe: "/users?$top=1&$select=city",
    ..COMMON
};

pub static COUNTRY: TypeSpec = TypeSpec {
    object_type: ObjectType::Countries,
    singular: "country",
    plural: "countries",
    external_id: "country",
    type_name: "Entra Country",
    description: "A country of users",
    probe: "/users?$top=1&$select=country",
    ..COMMON
};

pub static COST_CENTER: TypeSpec = TypeSpec {
    object_type: ObjectType::CostCenters,
    singular: "cost centre",
    plural: "cost centres",
    external_id: "costCenter",
    type_name: "Entra Cost Center",
    description: "A cost centre of users",
    probe: "/users?$top=1&$select=employeeOrgData",
    ..COMMON
};

pub static JOB_TITLE: TypeSpec = TypeSpec {
    object_type: ObjectType::JobTitles,
    singular: "job title",
    plural: "job titles",
    external_id: "jobTitle",
    type_name: "Entra Job Title",
    description: "A job title of users",
    probe: "/users?$top=1&$select=jobTitle",
    ..COMMON
};

/// What all of them have in common; each says the rest.
const COMMON: TypeSpec = TypeSpec {
    object_type: ObjectType::Departments,
    singular: "",
    plural: "",
    external_id: "",
    type_name: "",
    // People keep these by name alone, and ours are recognised by an id.
    names: &[],
    description: "",
    is_default: false,
    rank: 5,
    has_stubs: false,
    capability: Capability::Users,
    probe: "",
    collection: Collection { path: "users", page: None, by_id: ById::Never, item: Item::Values },
    filter: None,
    relations: &[],
    label: &["name"],
    is_product: false,
    disabled: Disabled::NEVER,
    never_null: &[],
    hidden: None,
    attributes: ATTRIBUTES,
    has_extensions: false,
    recycle_bin: None,
};

static ATTRIBUTES: &[Attribute] = &[
    row(
        "valueId",
        "Value ID",
        Text,
        AttributeSource::Identity("id"),
        Always,
        "Made of the value itself: the same value always has the same. Assets recognises the object by it.",
    ),
    row("name", "Name", Text, AttributeSource::Label, Always, "The value, as most users have it."),
    TENANT_ID,
    LIFECYCLE,
    REMOVED_ON,
];
