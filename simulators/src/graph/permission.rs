//! The permissions that the simulator knows, with their ids, and what each path asks for.
//! Source: docs/graph.md, «Permission ids», «Permissions», Microsoft's permission reference of August 2026.

use uuid::{Uuid, uuid};

/// The application id of Microsoft Graph itself, in every tenant.
pub const GRAPH_APP_ID: Uuid = uuid!("00000003-0000-0000-c000-000000000000");
/// The application id of the retired Azure AD Graph: permissions picked there do not count.
pub const AZURE_AD_GRAPH_APP_ID: Uuid = uuid!("00000002-0000-0000-c000-000000000000");

/// The application id of SharePoint Online, whose permissions have the names and ids of some of Graph's.
pub const SHAREPOINT_APP_ID: Uuid = uuid!("00000003-0000-0ff1-ce00-000000000000");

/// One permission: name, id as an Application permission (app role), id as a Delegated one (scope).
#[derive(Debug)]
pub struct Permission {
    pub name: &'static str,
    pub role: Option<Uuid>,
    pub scope: Uuid,
}

macro_rules! permissions {
    ($($name:literal $role:literal $scope:literal;)*) => {
        pub const PERMISSIONS: &[Permission] = &[
            $(Permission { name: $name, role: Some(uuid!($role)), scope: uuid!($scope) },)*
            Permission { name: "User.Read", role: None, scope: uuid!("e1fe6dd8-ba31-4d61-89e7-88639da4683d") },
        ];
    };
}

permissions! {
    "User.Read.All" "df021288-bdef-4463-88db-98f22de89214" "a154be20-db9c-4678-8ab7-66f6cc099a59";
    "User.ReadBasic.All" "97235f07-e226-4f63-ace3-39588e11d3a1" "b340eb25-3456-403f-be2f-af7a0d370277";
    "Group.Read.All" "5b567255-7703-4780-807c-7be8301ae99b" "5f8c59db-677d-491f-a6b8-5f174b11ec1d";
    "Group.ReadBasic.All" "07d67222-3a10-4d3b-9ddc-b8aa43198a00" "ba1917bc-a64b-4c71-b66d-229d4a520e66";
    "GroupMember.Read.All" "98830695-27a2-44f7-8c18-0c3ebc9698f6" "bc024368-1153-4739-b217-4326f2e966d0";
    "GroupMember.ReadBasic.All" "8222c640-cae5-4860-8d11-b32cfad95e03" "28539367-358c-4ed9-b7f0-793eccb8fd34";
    "Member.Read.Hidden" "658aa5d8-239f-45c4-aa12-864f4fc7e490" "f6a3db3e-f7e8-4ed2-a414-557c8c9830be";
    "Directory.Read.All" "7ab1d382-f21e-4acd-a863-ba3e13f7da61" "06da0dbc-49e2-44d2-8312-53f166ab848a";
    "Organization.Read.All" "498476ce-e0fe-48b0-b801-37ba7e2685c6" "4908d5b9-3fb2-4b1e-9336-1888b7937185";
    "LicenseAssignment.Read.All" "e2f98668-2877-4f38-a2f4-8202e0717aa1" "f395577a-0960-456b-979f-7228de0c5996";
    "Device.Read.All" "7438b122-aefc-4978-80ed-43db9fcc7715" "951183d1-1a61-466f-a6d1-1fde911bfd95";
    "Application.Read.All" "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30" "c79f8feb-a9db-4090-85f9-90d820caa0eb";
    "AuditLog.Read.All" "b0afded3-3588-46d8-8b3d-9842eff778da" "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20";
    "AdministrativeUnit.Read.All" "134fd756-38ce-4afd-ba33-e9623dbe66c2" "3361d15d-be43-4de6-b441-3c746d05163d";
    "RoleManagement.Read.Directory" "483bed4a-2ad3-4361-a73b-c83ccdbdc53c" "741c54c3-0c1e-44a1-818b-3f97ab4e8c83";
    "OrgContact.Read.All" "e1a88a34-94c4-4418-be12-c87b00e26bea" "08432d1b-5911-483c-86df-7980af5cdee0";
    "Domain.Read.All" "dbb9058a-0e50-45d7-ae91-66909b5d4664" "2f9ee017-59c1-4f1d-9472-bd5529a7b311";
    "User-LifeCycleInfo.Read.All" "8556a004-db57-4d7a-8b82-97a13428e96f" "ed8d2a04-0374-41f1-aefe-da8ac87ccc87";
    "CustomSecAttributeAssignment.Read.All" "3b37c5a4-1226-493d-bec3-5d6c6b866f3f" "b46ffa80-fe3d-4822-9a1a-c200932d54d0";
    "DelegatedPermissionGrant.Read.All" "81b4724a-58aa-41c1-8a55-84ef97466587" "a197cdc4-a8e8-4d49-9d35-4ca7c83887b4";
    "Directory.ReadWrite.All" "19dbc75e-c2e2-444c-a770-ec69d8559fc7" "c5366453-9fb0-48a5-a156-24f0c49a4b84";
    "User.ReadWrite.All" "741f803b-c850-494e-b5df-cde7c675a1ca" "204e0828-b5ca-4ad8-b9f3-f32a958e7cc4";
    "Group.ReadWrite.All" "62a82d76-70ea-41e2-9197-370581804d09" "4e46008b-f24c-477d-8fff-7bb4ec7aafe0";
    "GroupMember.ReadWrite.All" "dbaae8cf-10b5-4b86-a4a1-f871c94c6695" "f81125ac-d3b7-4573-a3b2-7099cc39df9e";
    "Application.ReadWrite.All" "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9" "bdfbf15f-ee85-4955-8675-146e8e5296b5";
    "DeviceManagementManagedDevices.Read.All" "2f51be20-0bb4-4fed-bf7b-db946066c75e" "314874da-47d6-4978-88dc-cf0d37f0bb82";
    "AppRoleAssignment.ReadWrite.All" "06b708a9-e830-4db3-a914-8e69da51d44f" "84bccea3-f856-4a8a-967b-dbe0a3d53a64";
}

/// The permission whose Application id this is.
pub fn by_role(id: Uuid) -> Option<&'static Permission> {
    PERMISSIONS.iter().find(|permission| permission.role == Some(id))
}

/// The permission whose Delegated id this is.
pub fn by_scope(id: Uuid) -> Option<&'static Permission> {
    PERMISSIONS.iter().find(|permission| permission.scope == id)
}

pub fn by_name(name: &str) -> Option<&'static Permission> {
    PERMISSIONS.iter().find(|permission| permission.name == name)
}

/// Any one of these is enough.
pub type AnyOf = &'static [&'static str];

pub const USERS: AnyOf =
    &["User.ReadBasic.All", "User.Read.All", "Directory.Read.All", "User.ReadWrite.All", "Directory.ReadWrite.All"];
/// Every property of users, delta, managers.
pub const USERS_WHOLE: AnyOf =
    &["User.Read.All", "Directory.Read.All", "User.ReadWrite.All", "Directory.ReadWrite.All"];
pub const GROUPS: AnyOf = &[
    "Group.ReadBasic.All",
    "GroupMember.Read.All",
    "Group.Read.All",
    "Directory.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.ReadWrite.All",
    "Directory.ReadWrite.All",
];
pub const GROUPS_WHOLE: AnyOf = &[
    "GroupMember.Read.All",
    "Group.Read.All",
    "Directory.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.ReadWrite.All",
    "Directory.ReadWrite.All",
];
/// The recycle bin of groups. Source: learn.microsoft.com/graph/api/directory-deleteditems-list.
pub const GROUPS_DELETED: AnyOf =
    &["Group.Read.All", "Directory.Read.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"];
pub const MEMBERS: AnyOf = &[
    "GroupMember.ReadBasic.All",
    "Group.ReadBasic.All",
    "GroupMember.Read.All",
    "Group.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
pub const OWNERS: AnyOf = GROUPS_WHOLE;
pub const USER_MEMBER_OF: AnyOf = &[
    "Directory.Read.All",
    "GroupMember.ReadBasic.All",
    "Group.ReadBasic.All",
    "GroupMember.Read.All",
    "Group.Read.All",
    "User.Read.All",
    "Directory.ReadWrite.All",
];
pub const LICENSES: AnyOf =
    &["LicenseAssignment.Read.All", "Organization.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"];
pub const LICENSE_DETAILS: AnyOf = &[
    "LicenseAssignment.Read.All",
    "User.Read.All",
    "Directory.Read.All",
    "User.ReadWrite.All",
    "Directory.ReadWrite.All",
];
pub const ORGANIZATION: AnyOf =
    &["User.Read.All", "Organization.Read.All", "Directory.Read.All", "Directory.ReadWrite.All", "User.ReadWrite.All"];
pub const DEVICES: AnyOf = &["Device.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"];
pub const DEVICES_DELTA: AnyOf = &["Device.Read.All"];
pub const APPLICATIONS: AnyOf =
    &["Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
pub const GRANTS: AnyOf = &["Directory.Read.All", "Directory.ReadWrite.All"];
pub const CONTACTS: AnyOf = &["OrgContact.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"];
pub const DOMAINS: AnyOf = &["Domain.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"];
pub const GET_BY_IDS: AnyOf = &["Directory.Read.All", "Directory.ReadWrite.All"];
pub const ROLES: AnyOf = &["RoleManagement.Read.Directory", "Directory.Read.All", "Directory.ReadWrite.All"];
pub const UNITS: AnyOf = &["AdministrativeUnit.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"];
/// No permission for the directory includes this one.
pub const MANAGED_DEVICES: AnyOf = &["DeviceManagementManagedDevices.Read.All"];
pub const HIDDEN: AnyOf = &["Member.Read.Hidden"];
pub const SECURITY_ATTRIBUTES: AnyOf = &["CustomSecAttributeAssignment.Read.All"];
pub const SIGN_INS: AnyOf = &["AuditLog.Read.All"];
