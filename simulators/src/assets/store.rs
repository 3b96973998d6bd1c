//! Object schemas, object types, attributes and objects, compact enough for some hundred thousand objects
//! with millions of references.

use super::strings::{Strings, Sym};
use chrono::{DateTime, Utc};

pub(super) type TypeIx = usize;
/// A place in [`Store::objects`]; the object's id is one more than [`FIRST_OBJECT_ID`] plus this.
pub(super) type ObjectIx = u32;

const FIRST_OBJECT_ID: u32 = 1;
const FIRST_TYPE_ID: u32 = 20;
const FIRST_ATTRIBUTE_ID: u32 = 130;

/// The type of an attribute, as the schema document names it. Source: docs/assets.md, «Schema and mapping document».
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AttributeKind {
    Text,
    Integer,
    Boolean,
    Double,
    Date,
    Time,
    DateTime,
    Url,
    Email,
    Textarea,
    Select,
    IpAddress,
    Reference,
    Status,
    /// A Jira account. An import neither sees nor fills it. Source: docs/assets.md, «Existing object types».
    User,
    /// A Jira group, like [`AttributeKind::User`].
    Group,
}

impl AttributeKind {
    const NAMES: [(AttributeKind, &str, i32, i32); 16] = [
        (AttributeKind::Text, "text", 0, 0),
        (AttributeKind::Integer, "integer", 0, 1),
        (AttributeKind::Boolean, "boolean", 0, 2),
        (AttributeKind::Double, "double", 0, 3),
        (AttributeKind::Date, "date", 0, 4),
        (AttributeKind::Time, "time", 0, 5),
        (AttributeKind::DateTime, "date_time", 0, 6),
        (AttributeKind::Url, "url", 0, 7),
        (AttributeKind::Email, "email", 0, 8),
        (AttributeKind::Textarea, "textarea", 0, 9),
        (AttributeKind::Select, "select", 0, 10),
        (AttributeKind::IpAddress, "ipaddress", 0, 11),
        (AttributeKind::Reference, "referenced_object", 1, -1),
        (AttributeKind::Status, "status", 7, -1),
        (AttributeKind::User, "user", 2, -1),
        (AttributeKind::Group, "group", 4, -1),
    ];

    /// What a document can name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::by_name(name).filter(|kind| kind.is_importable())
    }

    /// Whether imports see and fill attributes of this kind.
    pub(super) fn is_importable(self) -> bool {
        !matches!(self, Self::User | Self::Group)
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known, ..)| *known == name).map(|(kind, ..)| *kind)
    }

    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, ..)| *kind == self).map_or("text", |(_, name, ..)| name)
    }

    /// The kind with these numbers of the object API.
    pub(super) fn by_numbers(of: i64, default: Option<i64>) -> Option<Self> {
        let is_it = |(_, _, kind, number): &&(AttributeKind, &str, i32, i32)| {
            i64::from(*kind) == of && (*kind != 0 || Some(i64::from(*number)) == default)
        };
        Self::NAMES.iter().find(is_it).map(|(kind, ..)| *kind)
    }

    /// The object API's numbers: `type` and `defaultType.id`. Source: docs/assets.md, «Object API».
    pub(super) fn numbers(self) -> (i32, i32) {
        Self::NAMES.iter().find(|(kind, ..)| *kind == self).map_or((0, 0), |(_, _, of, default)| (*of, *default))
    }
}

pub(super) struct Schema {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) description: String,
    /// The prefix of object keys: `ENT` in `ENT-17`.
    pub(super) key: String,
    pub(super) statuses: Vec<Status>,
    pub(super) icons: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) category: String,
}

pub(super) struct ObjectType {
    pub(super) id: u32,
    pub(super) schema: usize,
    pub(super) parent: Option<TypeIx>,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) external_id: String,
    pub(super) icon_key: Option<String>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) objects: Vec<ObjectIx>,
}

impl ObjectType {
    pub(super) fn attribute(&self, name: &str) -> Option<u16> {
        self.attributes.iter().position(|a| a.name == name).map(|ix| ix as u16)
    }

    pub(super) fn label(&self) -> Option<u16> {
        self.attributes.iter().position(|a| a.label).map(|ix| ix as u16)
    }
}

pub(super) struct Attribute {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) external_id: String,
    pub(super) kind: AttributeKind,
    pub(super) label: bool,
    pub(super) minimum: i64,
    /// -1: no limit.
    pub(super) maximum: i64,
    pub(super) unique: bool,
    pub(super) target: Option<TypeIx>,
    /// What a status or select may hold.
    pub(super) type_values: Vec<String>,
    /// `Key`, `Created` and `Updated`, which Assets fills by itself.
    pub(super) system: bool,
}

pub(super) struct Object {
    pub(super) of: TypeIx,
    /// Sorted pairs of an attribute's place in its type and a value: an object's place for a reference,
    /// else the text of the value.
    pub(super) values: Vec<(u16, u32)>,
    pub(super) created: DateTime<Utc>,
    pub(super) updated: DateTime<Utc>,
    /// Executions in a row that left the object out.
    pub(super) missed: u32,
}

#[derive(Default)]
pub(super) struct Store {
    pub(super) strings: Strings,
    pub(super) schemas: Vec<Schema>,
    pub(super) types: Vec<ObjectType>,
    objects: Vec<Option<Object>>,
    alive: usize,
    attributes: u32,
}

impl Store {
    pub(super) fn next_type_id(&self) -> u32 {
        FIRST_TYPE_ID + self.types.len() as u32
    }

    pub(super) fn next_attribute_id(&mut self) -> u32 {
        self.attributes += 1;
        FIRST_ATTRIBUTE_ID + self.attributes
    }

    pub(super) fn object_count(&self) -> usize {
        self.alive
    }

    pub(super) fn add(&mut self, of: TypeIx, values: Vec<(u16, u32)>, now: DateTime<Utc>) -> ObjectIx {
        let ix = self.objects.len() as ObjectIx;
        self.objects.push(Some(Object { of, values, created: now, updated: now, missed: 0 }));
        self.types[of].objects.push(ix);
        self.alive += 1;
        ix
    }

    pub(super) fn get(&self, ix: ObjectIx) -> Option<&Object> {
        self.objects.get(ix as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, ix: ObjectIx) -> Option<&mut Object> {
        self.objects.get_mut(ix as usize)?.as_mut()
    }

    /// Deletes objects and every reference to them.
    pub(super) fn delete(&mut self, doomed: &[ObjectIx]) {
        if doomed.is_empty() {
            return;
        }
        let mut touched = Vec::new();
        for ix in doomed {
            if let Some(object) = self.objects.get_mut(*ix as usize).and_then(Option::take) {
                self.alive -= 1;
                touched.push(object.of);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        let objects = &self.objects;
        for of in &touched {
            self.types[*of].objects.retain(|ix| objects[*ix as usize].is_some());
        }
        self.drop_dangling(&touched);
    }

    fn drop_dangling(&mut self, lost_from: &[TypeIx]) {
        let gone: Vec<bool> = self.objects.iter().map(Option::is_none).collect();
        for object in self.objects.iter_mut().flatten() {
            let attributes = &self.types[object.of].attributes;
            let dangles = |(attribute, value): &(u16, u32)| {
                let target = attributes[*attribute as usize].target;
                target.is_some_and(|t| lost_from.contains(&t)) && gone[*value as usize]
            };
            if object.values.iter().any(dangles) {
                object.values.retain(|value| !dangles(value));
            }
        }
    }

    pub(super) fn id(ix: ObjectIx) -> String {
        (ix + FIRST_OBJECT_ID).to_string()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<ObjectIx> {
        let ix = id.parse::<u32>().ok()?.checked_sub(FIRST_OBJECT_ID)?;
        self.get(ix).map(|_| ix)
    }

    /// `ENT-17`.
    pub(super) fn key(&self, ix: ObjectIx) -> String {
        let schema = self.get(ix).map(|object| self.types[object.of].schema);
        let prefix = schema.map_or("", |schema| self.schemas[schema].key.as_str());
        format!("{prefix}-{}", ix + FIRST_OBJECT_ID)
    }

    pub(super) fn by_key(&self, key: &str) -> Option<ObjectIx> {
        let (prefix, number) = key.rsplit_once('-')?;
        let ix = self.by_id(number)?;
        self.key(ix).starts_with(prefix).then_some(ix)
    }

    /// The values of one attribute as they are stored.
    pub(super) fn values(&self, ix: ObjectIx, attribute: u16) -> impl Iterator<Item = u32> {
        let values: &[(u16, u32)] = self.get(ix).map_or(&[], |object| object.values.as_slice());
        values.iter().filter(move |(of, _)| *of == attribute).map(|(_, value)| *value)
    }

    pub(super) fn text(&self, ix: ObjectIx, attribute: u16) -> Option<&str> {
        self.values(ix, attribute).next().map(|sym: Sym| self.strings.get(sym))
    }

    pub(super) fn label(&self, ix: ObjectIx) -> &str {
        let label = self.get(ix).and_then(|object| self.types[object.of].label());
        label.and_then(|attribute| self.text(ix, attribute)).unwrap_or("")
    }

    /// Replaces the values of one attribute; says whether that changed anything.
    pub(super) fn set(&mut self, ix: ObjectIx, attribute: u16, values: &[u32], now: DateTime<Utc>) -> bool {
        let Some(object) = self.get_mut(ix) else { return false };
        let mut wanted: Vec<(u16, u32)> = object.values.iter().filter(|(of, _)| *of != attribute).copied().collect();
        wanted.extend(values.iter().map(|value| (attribute, *value)));
        wanted.sort_unstable();
        wanted.dedup();
        let changed = wanted != object.values;
        if changed {
            object.values = wanted;
            object.updated = now;
        }
        changed
    }
}
