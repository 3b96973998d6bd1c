use super::*;

#[test]
fn a_name_is_found_whatever_its_case() {
    assert_eq!(find(EntityKind::Users, "DISPLAYNAME").unwrap().name, "displayName");
    let found = find(EntityKind::Users, "onpremisesextensionattributes/EXTENSIONATTRIBUTE7").unwrap();
    assert_eq!(found.name, "onPremisesExtensionAttributes/extensionAttribute7");
}

#[test]
fn a_misspelt_name_suggests_the_most_similar_one() {
    let suggestion = |name| match find(EntityKind::Users, name) {
        Err(NotFound::Unknown { suggestion }) => suggestion,
        other => panic!("{other:?}"),
    };
    assert_eq!(suggestion("departmnet").as_deref(), Some("department"));
    assert_eq!(suggestion("acountEnabled").as_deref(), Some("accountEnabled"));
    assert_eq!(suggestion("shoeSize"), None);
}

#[test]
fn extension_attributes_are_known_by_their_form() {
    let good = format!("extension_{}_costCentre", "0a".repeat(16));
    assert_eq!(find(EntityKind::Users, &good).unwrap().name, good);
    for bad in ["extension_short_x", "extension_", "onPremisesExtensionAttributes/extensionAttribute16"] {
        assert!(find(EntityKind::Users, bad).is_err(), "{bad}");
    }
    assert!(find(EntityKind::Users, "onPremisesExtensionAttributes/extensionAttribute0").is_err());
}

#[test]
fn names_are_unique_in_each_table() {
    for kind in EntityKind::ALL {
        let mut seen = std::collections::HashSet::new();
        for property in kind.properties() {
            assert!(seen.insert(property.name.to_lowercase()), "{} twice in {kind:?}", property.name);
        }
        for name in kind.unfilterable() {
            assert!(seen.insert(name.to_lowercase()), "{name} is both filterable and not in {kind:?}");
        }
    }
}

#[test]
fn an_open_name_has_the_form_that_its_kind_has() {
    let name = |name: &str| find(EntityKind::Users, name).map(|found| found.name).ok();
    for good in ["ext123abcd_custom/field", "contoso_courses/courseId", "customSecurityAttributes/Engineering/Project"]
    {
        assert_eq!(name(good).as_deref(), Some(good));
    }
    for bad in [
        "ext123abcd_custom",
        "ext123abcd_/field",
        "extension_short/field",
        "customSecurityAttributes/Engineering",
        "customSecurityAttributes/Engineering/Project/more",
        "custom.name/field",
    ] {
        assert_eq!(name(bad), None, "{bad}");
    }
    assert!(find(EntityKind::Groups, "customSecurityAttributes/Engineering/Project").is_err());
    assert!(find(EntityKind::Groups, "ext123abcd_custom/field").is_ok());
    assert_eq!(name("certificateUserIds").as_deref(), Some("authorizationInfo/certificateUserIds"));
}
