//! Which properties an object is written with: `$select`, `$expand`, and what the token may see.

use super::answer::Problem;
use super::permission::{self, AnyOf};
use super::property::{self, BASIC_GROUP, BASIC_USER, ELSEWHERE, Val, default_properties, is_known, write_member};
use super::query::Query;
use super::token::Token;
use crate::seed::{Directory, ObjectKind, Ref};
use std::borrow::Cow;

/// `$expand` gives no more than this, and no next link: docs/graph.md, «Expand».
pub const MAX_EXPAND: usize = 20;

#[derive(Clone, Debug)]
pub struct Shape {
    names: Vec<Cow<'static, str>>,
    /// Only these have values; the token has a `*.ReadBasic.All` permission.
    basic: Option<&'static [&'static str]>,
    /// The token may see custom security attributes; otherwise they are null.
    security_attributes: bool,
    expand: Option<Expand>,
}

#[derive(Clone, Debug)]
struct Expand {
    relation: &'static str,
    select: Option<Vec<String>>,
}

impl Shape {
    /// The shape of a collection or an object of one type.
    pub fn of(kind: ObjectKind, query: &Query, token: &Token, collection: bool) -> Result<Self, Problem> {
        let selected = query.select();
        if let Some(names) = &selected {
            check_names(kind, names, collection)?;
            if names.iter().any(|name| name == "signInActivity") {
                check_sign_ins(token)?;
            }
        }
        let names = match selected {
            Some(names) if names.iter().any(|name| name == "*") => defaults(kind),
            Some(names) => names.into_iter().map(Cow::Owned).collect(),
            None => defaults(kind),
        };
        let whole: AnyOf = match kind {
            ObjectKind::User => permission::USERS_WHOLE,
            ObjectKind::Group => permission::GROUPS_WHOLE,
            ObjectKind::Device | ObjectKind::ServicePrincipal | ObjectKind::OrgContact => &[],
        };
        let basic = match kind {
            ObjectKind::User if !token.has(whole) => Some(BASIC_USER),
            ObjectKind::Group if !token.has(whole) => Some(BASIC_GROUP),
            _ => None,
        };
        let expand = query.get("$expand").map(|text| Expand::parse(text, kind)).transpose()?;
        Ok(Self { names, basic, security_attributes: token.has(permission::SECURITY_ATTRIBUTES), expand })
    }

    /// Writes the members of one object, without its braces.
    pub fn write(&self, out: &mut Vec<u8>, directory: &Directory, object: Ref) {
        for name in &self.names {
            self.write_property(out, directory, object, name);
        }
        if let Some(expand) = &self.expand {
            expand.write(out, directory, object);
        }
    }

    pub fn write_property(&self, out: &mut Vec<u8>, directory: &Directory, object: Ref, name: &str) {
        match self.basic {
            _ if name == "customSecurityAttributes" && !self.security_attributes => write_member(out, name, &Val::Null),
            Some(basic) if !basic.contains(&name) => write_member(out, name, &Val::Null),
            Some(_) | None => write_member(out, name, &property::property(directory, object, name)),
        }
    }
}

pub fn defaults(kind: ObjectKind) -> Vec<Cow<'static, str>> {
    default_properties(kind).iter().map(|name| Cow::Borrowed(*name)).collect()
}

pub fn check_names(kind: ObjectKind, names: &[String], collection: bool) -> Result<(), Problem> {
    for name in names.iter().map(|name| name.split('/').next().unwrap_or(name)) {
        if collection && ELSEWHERE.contains(&name) {
            return Err(Problem::new(501, "NotImplemented", "This operation target is not yet supported."));
        }
        if name != "*" && !is_known(kind, name) {
            let message = format!(
                "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type '{}'.",
                kind.odata_type().trim_start_matches('#')
            );
            return Err(Problem::new(400, "BadRequest", message));
        }
    }
    Ok(())
}

/// docs/graph.md, «Refusals»: the whole page fails.
pub fn check_sign_ins(token: &Token) -> Result<(), Problem> {
    if !token.has(permission::SIGN_INS) {
        let message = "The principal does not have required Microsoft Graph permission(s): AuditLog.Read.All to call \
                       this API. For more information about Microsoft Graph permissions, please visit \
                       https://learn.microsoft.com/graph/permissions-overview.";
        return Err(Problem::new(403, "Authentication_MSGraphPermissionMissing", message));
    }
    if !token.premium {
        let message = "Neither tenant is B2C or tenant doesn't have premium license";
        return Err(Problem::new(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", message));
    }
    Ok(())
}

impl Expand {
    /// One relationship, one level; a nested `$select` is the only nested option.
    fn parse(text: &str, kind: ObjectKind) -> Result<Self, Problem> {
        let unsupported = |why: &str| Problem::new(400, "ExpandNotSupported", format!("$expand={text}: {why}"));
        let (name, options) = match text.trim().split_once('(') {
            Some((name, rest)) => {
                let inner = rest.strip_suffix(')').ok_or_else(|| unsupported("a parenthesis is missing."))?;
                (name.trim(), Some(inner))
            }
            None => (text.trim(), None),
        };
        let known: &[&str] = match kind {
            ObjectKind::User => {
                &["manager", "memberOf", "directReports", "transitiveMemberOf", "ownedDevices", "registeredDevices"]
            }
            ObjectKind::Group => &["members", "owners", "memberOf", "transitiveMembers"],
            ObjectKind::Device => &["registeredOwners", "registeredUsers", "memberOf"],
            ObjectKind::ServicePrincipal | ObjectKind::OrgContact => &[],
        };
        let relation = known.iter().copied().find(|known| *known == name);
        let relation = relation.ok_or_else(|| unsupported("one relationship of the type is expected."))?;
        let select = match options {
            None => None,
            Some(options) => {
                let list = options.trim().strip_prefix("$select=").filter(|list| !list.contains([';', '(']));
                let list = list.ok_or_else(|| unsupported("only $select can stand within."))?;
                Some(list.split(',').map(|name| name.trim().to_owned()).collect())
            }
        };
        Ok(Self { relation, select })
    }

    fn write(&self, out: &mut Vec<u8>, directory: &Directory, object: Ref) {
        let related = related(directory, object, self.relation);
        if self.relation == "manager" {
            if let Some(manager) = related.first() {
                out.extend_from_slice(b",\"manager\":");
                self.write_one(out, directory, *manager);
            }
            return;
        }
        out.extend_from_slice(b",\"");
        out.extend_from_slice(self.relation.as_bytes());
        out.extend_from_slice(b"\":[");
        for (n, item) in related.iter().take(MAX_EXPAND).enumerate() {
            if n > 0 {
                out.push(b',');
            }
            self.write_one(out, directory, *item);
        }
        out.push(b']');
    }

    fn write_one(&self, out: &mut Vec<u8>, directory: &Directory, object: Ref) {
        out.push(b'{');
        write_member(out, "@odata.type", &Val::str(object.kind().odata_type()));
        match &self.select {
            Some(names) => {
                for name in names {
                    write_member(out, name, &property::property(directory, object, name));
                }
            }
            None => {
                for name in default_properties(object.kind()) {
                    write_member(out, name, &property::property(directory, object, name));
                }
            }
        }
        out.push(b'}');
    }
}

/// The first live objects that a relationship leads to; enough of them for `$expand`.
fn related(directory: &Directory, object: Ref, relation: &str) -> Vec<Ref> {
    let slot = object.slot() as usize;
    let live = |list: &[Ref]| list.iter().copied().filter(|r| directory.is_live(*r)).take(MAX_EXPAND).collect();
    match (object.kind(), relation) {
        (ObjectKind::User, "manager") => {
            let manager = directory.users.get(slot).and_then(|user| user.manager).map(Ref::user);
            manager.filter(|manager| directory.is_live(*manager)).into_iter().collect()
        }
        (ObjectKind::User, "directReports") => directory
            .live_users()
            .filter(|(_, user)| user.manager == Some(object.slot()))
            .map(|(slot, _)| Ref::user(slot))
            .take(MAX_EXPAND)
            .collect(),
        (ObjectKind::User, "ownedDevices" | "registeredDevices") => {
            let devices = directory.devices.iter().enumerate().filter(|(_, d)| d.owner == Some(object.slot()));
            let devices = devices.map(|(n, _)| Ref::new(ObjectKind::Device, n as u32));
            devices.filter(|d| directory.is_live(*d)).take(MAX_EXPAND).collect()
        }
        (ObjectKind::Group, "members" | "transitiveMembers") => {
            directory.groups.get(slot).map(|g| live(&g.members)).unwrap_or_default()
        }
        (ObjectKind::Group, "owners") => directory.groups.get(slot).map(|g| live(&g.owners)).unwrap_or_default(),
        (ObjectKind::Device, "registeredOwners" | "registeredUsers") => {
            let owner = directory.devices.get(slot).and_then(|device| device.owner).map(Ref::user);
            owner.filter(|owner| directory.is_live(*owner)).into_iter().collect()
        }
        _ => {
            let parents = directory.member_of(object).iter().map(|group| Ref::group(*group));
            parents.filter(|parent| directory.is_live(*parent)).take(MAX_EXPAND).collect()
        }
    }
}
