//! Objects that are kept as JSON, because there are few of them: applications, service principals, roles and their
//! assignments, administrative units, managed devices. One file each says what a tenant has of them.

mod administrative_unit;
mod application;
mod managed_device;
mod parts;
mod role;
mod service_principal;
mod tenant;

use super::directory::Directory;
use super::random::Random;
use super::record::{Record, Records};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Where deleted objects can be restored from, by their collection.
/// Source: <https://learn.microsoft.com/graph/api/directory-deleteditems-list>.
const RECYCLE_BINS: [(&str, &str); 3] = [
    ("applications", "directory/deletedItems/microsoft.graph.application"),
    ("servicePrincipals", "directory/deletedItems/microsoft.graph.servicePrincipal"),
    ("directory/administrativeUnits", "directory/deletedItems/microsoft.graph.administrativeUnit"),
];

pub(super) fn generate(directory: &Directory, seed: u64) -> Records {
    let mut random = Random::new(seed.wrapping_add(2));
    let applications = application::generate(directory, &mut random);
    let principals = service_principal::generate(directory, &applications, &mut random);
    let (roles, assignments) = role::generate(directory, &principals, &mut random);
    Records::from([
        ("directory/administrativeUnits", administrative_unit::generate(directory, &mut random)),
        ("deviceManagement/managedDevices", managed_device::generate(directory, &mut random)),
        ("roleManagement/directory/roleDefinitions", roles),
        ("roleManagement/directory/roleAssignments", assignments),
        ("applications", applications),
        ("servicePrincipals", principals),
        ("subscribedSkus", tenant::skus()),
        ("subscribedSkus/servicePlans", tenant::service_plans()),
        ("organization", tenant::organization()),
    ])
}

impl Directory {
    pub fn records(&self, path: &str) -> &[Record] {
        self.records.get(path).map_or(&[], Vec::as_slice)
    }

    /// Adds or changes properties of a record. False, if there is no such record.
    pub fn set_record(&mut self, path: &str, id: Uuid, properties: Map<String, Value>) -> bool {
        let found = self.records.get_mut(path).and_then(|of| of.iter_mut().find(|record| record.id == id));
        found.map(|record| record.properties.extend(properties)).is_some()
    }

    /// Deletes a record, into the recycle bin if its collection has one. False, if there is no such record.
    pub fn delete_record(&mut self, path: &str, id: Uuid) -> bool {
        let Some(records) = self.records.get_mut(path) else { return false };
        let Some(at) = records.iter().position(|record| record.id == id) else { return false };
        let gone = records.remove(at);
        if let Some((_, bin)) = RECYCLE_BINS.iter().find(|(of, _)| *of == path) {
            self.records.entry(bin).or_default().push(gone);
        }
        true
    }
}
