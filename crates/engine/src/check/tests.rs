use std::collections::BTreeMap;

use rollcall_model::schema::Class;

use super::*;

fn schema() -> Schema {
    let mut attributes = BTreeMap::new();
    for (name, syntax, single_valued, range_upper, system_only, link_id) in [
        ("title", Syntax::Text, true, Some(5), false, None),
        ("proxyAddresses", Syntax::Text, false, None, false, None),
        ("msExchHide", Syntax::Boolean, true, None, false, None),
        ("countryCode", Syntax::Integer, true, Some(65_535), false, None),
        ("accountExpires", Syntax::LargeInteger, true, None, false, None),
        ("secretary", Syntax::DistinguishedName, false, None, false, None),
        ("manager", Syntax::DistinguishedName, true, None, false, Some(42)),
        ("directReports", Syntax::DistinguishedName, false, None, true, Some(43)),
        ("badPwdCount", Syntax::Integer, true, None, true, None),
        ("canonicalName", Syntax::Text, false, None, false, None),
        ("thumbnailPhoto", Syntax::Octets, true, Some(102_400), false, None),
        ("birthday", Syntax::Time, true, None, false, None),
        ("groupType", Syntax::Integer, true, None, false, None),
    ] {
        let attribute = Attribute {
            name: name.to_owned(),
            syntax,
            single_valued,
            range_upper,
            system_only,
            search_flags: 0,
            link_id,
            id: None,
            property_set: None,
        };
        attributes.insert(name.to_lowercase(), attribute);
    }
    let own = attributes.values().map(|own| own.name.clone()).filter(|name| name != "groupType").collect();
    let user = Class { name: "user".to_owned(), id: None, superior: None, auxiliary: Vec::new(), attributes: own };
    Schema { attributes, classes: [("user".to_owned(), user)].into() }
}

fn check(mapping: Mapping, expected: Option<(&str, &str)>) {
    let shown = format!("{mapping:?}");
    let problems = check_target(&JobConfig::new(vec![mapping]), &schema());
    match (expected, problems.as_slice()) {
        (None, []) => {}
        (Some((message, hint)), [problem]) => {
            assert!(problem.message.contains(message), "{problem:?}");
            assert!(problem.hint.as_deref().unwrap_or_default().contains(hint), "{problem:?}");
            assert_eq!(problem.place, Place::Mapping(0));
        }
        (expected, problems) => panic!("{shown}: {expected:?}, found {problems:?}"),
    }
}

#[test]
fn what_the_directory_would_refuse_for_everybody() {
    let direct = |to: &str, from: &str| Mapping::new(to, MappingSource::Direct(SourceName::new(from)));
    let constant = |to: &str, text: &str| Mapping::new(to, MappingSource::Constant(text.to_owned()));
    let computed = |to: &str, text: &str| Mapping::new(to, MappingSource::Expression(text.to_owned()));
    for (mapping, expected) in [
        (direct("title", "title"), None),
        (direct("TITLE", "title"), None),
        (direct("parentDistinguishedName", "title"), None),
        (direct("titel", "title"), Some(("no attribute titel", "did you mean title?"))),
        (direct("extensionName", "title"), Some(("no attribute extensionName", "extend the directory's schema"))),
        (constant("groupType", "2"), Some(("no attribute of user", "that users have"))),
        (direct("directReports", "title"), Some(("links of other objects", "leave it out"))),
        (direct("badPwdCount", "title"), Some(("by the directory alone", "remove"))),
        (direct("canonicalName", "title"), Some(("by the directory alone", "remove"))),
        (direct("thumbnailPhoto", "title"), Some(("binary", "holds text"))),
        (computed("title", "Split([title], \",\")"), Some(("one value", "Item("))),
        (computed("proxyAddresses", "Split([title], \",\")"), None),
        (computed("title", "Item(Split([title], \",\"), 1)"), None),
        (direct("title", "emails"), Some(("may yield several", "emails[type eq"))),
        (direct("title", "emails[type eq \"work\"].value"), None),
        (direct("manager", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"), None),
        (Mapping { apply: Apply::ValueAddOnly, ..direct("title", "title") }, Some(("only adds", "AttributeAddOnly"))),
        (Mapping { apply: Apply::AttributeAddOnly, ..direct("title", "title") }, None),
        (constant("title", "12345"), None),
        (constant("title", "123456"), Some(("holds 5 characters, and the value has 6", "shorten"))),
        (
            Mapping { default_value: Some("123456".to_owned()), ..direct("title", "title") },
            Some(("holds 5", "shorten")),
        ),
        (constant("msExchHide", "True"), Some(("no truth value", "TRUE or FALSE"))),
        (constant("msExchHide", "TRUE"), None),
        (constant("countryCode", "DE"), Some(("whole number of 32 bits", "276"))),
        (constant("countryCode", "70000"), Some(("up to 65535", "smaller"))),
        (constant("accountExpires", "never"), Some(("whole number of 64 bits", "NumFromDate"))),
        (constant("secretary", "Ada"), Some(("no distinguished name", "CN="))),
        (constant("secretary", "CN=Ada,DC=x"), None),
        (constant("birthday", "2026-01-31"), Some(("no time", "20260131120000.0Z"))),
        (constant("birthday", "20260131120000.0Z"), None),
    ] {
        check(mapping, expected);
    }
}

/// A list is found in whatever branch it comes through. semantics: one-value
#[test]
fn lists_in_branches_are_lists() {
    for (text, is_list) in [
        (r#"IIF([a] = "1", Split([title], ","), [title])"#, true),
        (r#"IIF(IsPresent(Split([title], ",")), "x", [title])"#, false),
        (r#"Switch([a], "x", "k", Split([title], ","))"#, true),
        (r#"Switch([a], Split([title], ","), "k", "x")"#, true),
        (r#"Switch([a], "x", "k", "y")"#, false),
        (r#"Redact(Split([title], ","))"#, true),
        ("Coalesce([title], RemoveDuplicates([title]))", true),
        (r#"IgnoreFlowIfNullOrEmpty(IIF([a] = "1", "x", Split([title], ",")))"#, true),
        (r#"Trim(Split([title], ","))"#, true),
        (r#"Coalesce([title], Item(Split([title], ","), 1))"#, false),
        (r#"With($l, Split([title], ","), $l)"#, true),
        (r#"With($l, Split([title], ","), Item($l, 1))"#, false),
        (r#"With($l, Split([title], ","), With($l, "x", $l))"#, false),
        (r#"IIF([a] = "1", [emails], [title])"#, true),
        (r#"IIF([a] = "1", [emails[type eq "work"].value], [title])"#, false),
        ("[codes]", true),
    ] {
        let mapping = Mapping::new("title", MappingSource::Expression(text.to_owned()));
        let mut config = JobConfig::new(vec![mapping]);
        let codes = rollcall_model::config::SourceAttribute::text("codes");
        config.source_attributes.push(rollcall_model::config::SourceAttribute { multivalued: true, ..codes });
        let found = check_target(&config, &schema());
        let told =
            found.iter().any(|problem| problem.message == "title has one value, and the source may yield several");
        assert_eq!((told, found.len()), (is_list, usize::from(is_list)), "{text}: {found:?}");
    }
}

/// Constants among which an expression chooses are values of somebody.
#[test]
fn what_a_function_chooses_among_is_checked() {
    let computed = |to: &str, text: &str| Mapping::new(to, MappingSource::Expression(text.to_owned()));
    let long = Some(("title holds 5 characters, and the value has 6", "shorten it"));
    check(computed("title", r#"Switch([a], "123456", "x", "y")"#), long);
    check(computed("title", r#"Switch([a], "z", "123456", "y")"#), None);
    check(computed("title", r#"Switch([a], "z", "x", "123456")"#), long);
    check(computed("title", r#"IIF([a] = "123456", "y", Coalesce([b], "123456"))"#), long);
    check(computed("title", r#"Left("123456", 5)"#), None);
    check(computed("msExchHide", r#"IIF([a] = "b", "TRUE", IgnoreAttributeFlow)"#), None);
    check(
        computed("countryCode", r#"Switch([a], "none", "DE", "276")"#),
        Some(("'none' is no whole number", "write one")),
    );
}
