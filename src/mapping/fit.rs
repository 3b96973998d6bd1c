//! Whether an object type that is there can take what a job writes into it, attribute by attribute.
//! Source: docs/assets.md, «Existing object types».

use super::current::{Current, list, text};
use super::existing::{ExistingType, attribute_of, can_identify};
use crate::directory::attributes::attribute;
use crate::directory::{Attribute, Link, ObjectType, ValueType};
use crate::error::pointer_part;
use crate::text_enum::explained;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What keeps a value from being written, or is worth knowing about it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FitProblem {
    pub code: FitCode,
    /// Whether a run ends because of it before anything is sent. Otherwise it is only worth knowing.
    pub blocks: bool,
    /// The place in the job: `/objects/users/existing/attributes/mail`.
    pub pointer: String,
    pub detail: String,
}

explained! {
    /// How an object type or attribute in Assets does not fit.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum FitCode {
        /// The object schema has no such object type, or the object type no such attribute. User and Group attributes are not
        /// shown to imports.
        NotFound,
        /// An import can only fill what has an external id.
        NoExternalId,
        /// The attribute holds values of another kind.
        WrongType,
        /// The attribute holds fewer values than ours can have.
        TooFewValues,
        /// The attribute refers to another object type than the one that the job fills.
        OtherObjectType,
        /// Assets cannot recognise objects by a value of this kind.
        NotAnIdentity,
        /// Two objects can have the same value of the identity.
        IdentityNotUnique,
        /// Two directory objects with the same value would be refused.
        Unique,
        /// Values of more than 255 characters would be refused.
        MayBeTooLong,
        /// The name of the object is not written, so that new objects would have none.
        LabelNotMapped,
        /// A required attribute is not written.
        RequiredNotMapped,
        /// The attribute does not have all the statuses Active, Disabled and Removed.
        StatusMissing,
        /// The import source already fills another object type with these objects.
        AlreadyFilled,
    }
}

impl FitCode {
    /// Whether a run ends because of it.
    pub(super) const fn blocks(self) -> bool {
        match self {
            Self::NotFound
            | Self::NoExternalId
            | Self::WrongType
            | Self::OtherObjectType
            | Self::NotAnIdentity
            | Self::LabelNotMapped
            | Self::AlreadyFilled => true,
            Self::TooFewValues
            | Self::IdentityNotUnique
            | Self::Unique
            | Self::MayBeTooLong
            | Self::RequiredNotMapped
            | Self::StatusMissing => false,
        }
    }
}

/// The external id of the object type that the objects of one of ours are written into.
pub(super) type TargetOf<'a> = &'a dyn Fn(ObjectType) -> Option<String>;

/// Everything that does not fit.
pub(super) struct Fitting<'a> {
    pub object_type: ObjectType,
    pub existing: &'a ExistingType,
    pub current: &'a Current,
    pub target_of: TargetOf<'a>,
    pub problems: Vec<FitProblem>,
}

impl Fitting<'_> {
    fn add(&mut self, code: FitCode, place: &str, detail: String) {
        let pointer = format!("/objects/{}/existing/{place}", self.object_type);
        self.problems.push(FitProblem { code, blocks: code.blocks(), pointer, detail });
    }

    pub fn check(mut self) -> Vec<FitProblem> {
        let Some(of) = self.existing.find(self.current) else {
            let found =
                self.current.types.iter().find(|of| text(of, "name").eq_ignore_ascii_case(&self.existing.object_type));
            let (code, why) = match found {
                Some(_) => (FitCode::NoExternalId, "has no external id, so that an import cannot fill it"),
                None => (FitCode::NotFound, "is not in the object schema of the import source"),
            };
            self.add(code, "objectType", format!("The object type «{}» {why}.", self.existing.object_type));
            return self.problems;
        };
        self.filled_already(of);
        for (key, name) in &self.existing.attributes {
            if let Some(ours) = attribute(self.object_type, key) {
                self.attribute(of, &ours, name);
            }
        }
        self.not_mapped(of);
        self.problems
    }

    /// An import source cannot unlearn a mapping: it would fill both object types.
    fn filled_already(&mut self, of: &Value) {
        let filled = self.current.mapped_type(self.object_type.as_str());
        let Some(other) = filled.filter(|other| text(other, "externalId") != text(of, "externalId")) else { return };
        let detail = format!(
            "The import source fills «{}» from {} already, and an import source cannot unlearn a mapping. Make another \
             import source in the same object schema, and store its token in the destination.",
            text(other, "name"),
            self.object_type
        );
        self.add(FitCode::AlreadyFilled, "objectType", detail);
    }

    fn attribute(&mut self, of: &Value, ours: &Attribute, name: &str) {
        let place = format!("attributes/{}", pointer_part(&ours.key));
        let type_name = text(of, "name");
        let Some(theirs) = attribute_of(of, name.trim()) else {
            let is_there = list(of, "attributes").any(|theirs| text(theirs, "name").eq_ignore_ascii_case(name.trim()));
            let (code, detail) = match is_there {
                true => (
                    FitCode::NoExternalId,
                    format!("«{name}» of «{type_name}» has no external id, so that an import cannot fill it."),
                ),
                false => (
                    FitCode::NotFound,
                    format!(
                        "«{type_name}» has no attribute «{name}» that an import can fill. Attributes of the types User and \
                             Group cannot be filled by an import."
                    ),
                ),
            };
            return self.add(code, &place, detail);
        };
        let is_identity = ours.key == self.existing.identity.as_str();
        let what = format!("«{}» of «{type_name}»", text(theirs, "name"));
        match ours.link() {
            Some(link) => self.reference(ours, link, theirs, (&what, &place)),
            None => self.value(ours, is_identity, theirs, (&what, &place)),
        }
        if is_identity {
            self.identity(ours, theirs, &what);
        }
    }

    fn value(&mut self, ours: &Attribute, is_identity: bool, theirs: &Value, (what, place): (&str, &str)) {
        let kind = text(theirs, "type");
        if !takes(ours, kind) {
            let detail = format!("{what} is {kind}, and `{}` is {}.", ours.key, ours.value_type.as_str());
            return self.add(FitCode::WrongType, place, detail);
        }
        if ours.value_type == ValueType::Textarea && kind == "text" {
            let detail = format!("{what} holds 255 characters, and values of `{}` can be longer.", ours.key);
            self.add(FitCode::MayBeTooLong, place, detail);
        }
        if theirs["unique"] == true && !is_identity && !can_identify(ours) {
            let detail =
                format!("{what} is unique, and several {} can have the same `{}`.", self.object_type, ours.key);
            self.add(FitCode::Unique, place, detail);
        }
        let lacks = |status: &&str| !list(theirs, "typeValues").any(|value| value.as_str() == Some(status));
        if kind == "status" && theirs["typeValues"].is_array() {
            let lacking: Vec<&str> = ["Active", "Disabled", "Removed"].into_iter().filter(lacks).collect();
            if !lacking.is_empty() {
                self.add(
                    FitCode::StatusMissing,
                    place,
                    format!("{what} does not have the statuses {}.", lacking.join(", ")),
                );
            }
        }
    }

    fn reference(&mut self, ours: &Attribute, link: Link, theirs: &Value, (what, place): (&str, &str)) {
        let kind = text(theirs, "type");
        if kind != "referenced_object" {
            let detail = format!("{what} is {kind}, and `{}` is a reference to other objects.", ours.key);
            return self.add(FitCode::WrongType, place, detail);
        }
        let (is, should) = (self.current.reference_target(theirs), (self.target_of)(link.target()));
        if is.map(str::to_owned) != should {
            let name =
                |id: &str| self.current.by_id.get(id).map_or_else(|| id.to_owned(), |of| text(of, "name").to_owned());
            let detail = format!(
                "{what} refers to «{}», and the job writes {} into «{}».",
                is.map_or_else(|| "an unknown object type".to_owned(), name),
                link.target(),
                should.as_deref().map_or_else(|| "an object type of its own".to_owned(), name),
            );
            return self.add(FitCode::OtherObjectType, place, detail);
        }
        let most = theirs["maximumCardinality"].as_i64().unwrap_or(-1);
        if link.is_many() && most >= 0 {
            let detail = format!("{what} holds up to {most} values, and `{}` can have more.", ours.key);
            self.add(FitCode::TooFewValues, place, detail);
        }
    }

    fn identity(&mut self, ours: &Attribute, theirs: &Value, what: &str) {
        let kind = text(theirs, "type");
        if !matches!(kind, "text" | "textarea" | "email") {
            let detail = format!("{what} is {kind}; Assets recognises objects by a text.");
            return self.add(FitCode::NotAnIdentity, "identity", detail);
        }
        if theirs["unique"] != true {
            let detail = format!(
                "{what} is not unique, so that two objects can have the same `{}`. With `api` in the destination, a dry run \
                 lists them as ambiguous.",
                ours.key
            );
            self.add(FitCode::IdentityNotUnique, "identity", detail);
        }
    }

    /// What new objects need and do not get.
    fn not_mapped(&mut self, of: &Value) {
        let mapped: Vec<&str> = self
            .existing
            .attributes
            .values()
            .filter_map(|name| attribute_of(of, name.trim()))
            .map(|theirs| text(theirs, "externalId"))
            .collect();
        let left_out: Vec<(&Value, bool)> = list(of, "attributes")
            .filter(|theirs| {
                !mapped.contains(&text(theirs, "externalId"))
                    && !matches!(text(theirs, "name"), "Key" | "Created" | "Updated")
            })
            .map(|theirs| (theirs, theirs["label"] == true))
            .collect();
        for (theirs, is_label) in left_out {
            let what = format!("«{}» of «{}»", text(theirs, "name"), text(of, "name"));
            if is_label {
                let detail =
                    format!("{what} is the label, and nothing is written into it: Assets takes no object without one.");
                self.add(FitCode::LabelNotMapped, "attributes", detail);
            } else if theirs["minimumCardinality"].as_i64().unwrap_or(0) > 0 {
                let detail = format!("{what} is required, and nothing is written into it.");
                self.add(FitCode::RequiredNotMapped, "attributes", detail);
            }
        }
    }
}

/// Whether an attribute of this kind takes our values as they are sent.
pub(super) fn takes(ours: &Attribute, kind: &str) -> bool {
    let is_address = matches!(ours.key.as_ref(), "mail" | "userPrincipalName" | "onPremisesUserPrincipalName");
    match (ours.value_type, kind) {
        (ValueType::Reference, kind) => kind == "referenced_object",
        (_, "text" | "textarea") => true,
        (ValueType::Text, "select") => true,
        (ValueType::Text, "email") => is_address,
        (ValueType::Boolean, "boolean" | "select") => true,
        (ValueType::Integer, "integer" | "double") => true,
        (ValueType::DateTime, "date_time") => true,
        (ValueType::Status, "status" | "select") => true,
        _ => false,
    }
}
