//! References to objects of the directory, and the state of an object.

/// The kinds of directory objects that a group can hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ObjectKind {
    User,
    Group,
    Device,
    ServicePrincipal,
    OrgContact,
}

impl ObjectKind {
    /// The value of `@odata.type`.
    pub fn odata_type(self) -> &'static str {
        match self {
            Self::User => "#microsoft.graph.user",
            Self::Group => "#microsoft.graph.group",
            Self::Device => "#microsoft.graph.device",
            Self::ServicePrincipal => "#microsoft.graph.servicePrincipal",
            Self::OrgContact => "#microsoft.graph.orgContact",
        }
    }
}

/// A directory object in four bytes: its kind in the top three bits, its slot below.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Ref(u32);

impl Ref {
    const SLOT_BITS: u32 = 29;

    pub fn new(kind: ObjectKind, slot: u32) -> Self {
        Self(((kind as u32) << Self::SLOT_BITS) | slot)
    }

    pub fn user(slot: u32) -> Self {
        Self::new(ObjectKind::User, slot)
    }

    pub fn group(slot: u32) -> Self {
        Self::new(ObjectKind::Group, slot)
    }

    pub fn kind(self) -> ObjectKind {
        match self.0 >> Self::SLOT_BITS {
            0 => ObjectKind::User,
            1 => ObjectKind::Group,
            2 => ObjectKind::Device,
            3 => ObjectKind::ServicePrincipal,
            _ => ObjectKind::OrgContact,
        }
    }

    pub fn slot(self) -> u32 {
        self.0 & ((1 << Self::SLOT_BITS) - 1)
    }
}

/// Whether an object is live, in the recycle bin, or permanently deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Live,
    SoftDeleted,
    Gone,
}
