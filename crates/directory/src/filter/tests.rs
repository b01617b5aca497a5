//! A mini parser of our own reads rendered filters back, and ldap3's parser must agree that they are filters.

use proptest::prelude::*;

use super::*;
use crate::account_filter;

/// What was read back: operator or name, and children or raw value.
#[derive(Debug, PartialEq)]
enum Read {
    List(char, Vec<Read>),
    Item(String, Vec<u8>),
    Present(String),
}

fn parse(text: &[u8]) -> (Read, &[u8]) {
    let rest = text.strip_prefix(b"(").expect("(");
    if let Some(&operator @ (b'&' | b'|')) = rest.first() {
        let (mut rest, mut parts) = (&rest[1..], Vec::new());
        while rest.first() == Some(&b'(') {
            let (part, after) = parse(rest);
            parts.push(part);
            rest = after;
        }
        return (Read::List(operator as char, parts), rest.strip_prefix(b")").expect(")"));
    }
    let end = rest.iter().position(|byte| *byte == b')').expect(")");
    let (item, after) = (&rest[..end], &rest[end + 1..]);
    let equals = item.iter().position(|byte| *byte == b'=').expect("=");
    let name = String::from_utf8(item[..equals].to_vec()).unwrap();
    if &item[equals + 1..] == b"*" {
        return (Read::Present(name), after);
    }
    let (mut value, mut bytes) = (Vec::new(), item[equals + 1..].iter());
    while let Some(byte) = bytes.next() {
        assert!(!matches!(byte, 0 | b'*' | b'('), "an unescaped byte {byte}");
        if *byte == b'\\' {
            let pair = [*bytes.next().unwrap(), *bytes.next().unwrap()];
            value.push(u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).unwrap());
        } else {
            value.push(*byte);
        }
    }
    (Read::Item(name, value), after)
}

fn shape(filter: &Filter) -> Read {
    match filter {
        Filter::And(parts) => Read::List('&', parts.iter().map(shape).collect()),
        Filter::Or(parts) => Read::List('|', parts.iter().map(shape).collect()),
        Filter::Equal(name, value) => Read::Item(name.clone(), value.clone().into_bytes()),
        Filter::AtLeast(name, number) => Read::Item(format!("{name}>"), number.to_string().into_bytes()),
        Filter::Guid(guid) => Read::Item("objectGUID".into(), guid.to_ldap().to_vec()),
        Filter::Present(name) => Read::Present(name.clone()),
    }
}

fn check(filter: &Filter) {
    let text = filter.render().unwrap();
    let (read, rest) = parse(text.as_bytes());
    assert_eq!(read, shape(filter), "{text}");
    assert!(rest.is_empty(), "{text}");
    assert!(ldap3::parse_filter(&text).is_ok(), "{text}");
}

#[test]
fn renders() {
    for (filter, text) in [
        (Filter::Present("cn".into()), "(cn=*)"),
        (Filter::Equal("cn".into(), "a*b(c)\\d\0é".into()), "(cn=a\\2ab\\28c\\29\\5cd\\00é)"),
        (Filter::Equal("cn".into(), String::new()), "(cn=)"),
        (Filter::AtLeast("uSNChanged".into(), 4_711), "(uSNChanged>=4711)"),
        (
            Filter::Guid("00112233-4455-6677-8899-aabbccddeeff".parse().unwrap()),
            "(objectGUID=\\33\\22\\11\\00\\55\\44\\77\\66\\88\\99\\aa\\bb\\cc\\dd\\ee\\ff)",
        ),
    ] {
        assert_eq!(filter.render().unwrap(), text);
    }
}

// semantics: match
#[test]
fn accounts_are_found_by_one_value_or_by_many() {
    for (values, text) in [
        (vec!["7"], "(&(objectCategory=person)(objectClass=user)(employeeID=7))"),
        (vec!["7", "8*"], "(&(objectCategory=person)(objectClass=user)(|(employeeID=7)(employeeID=8\\2a)))"),
    ] {
        assert_eq!(account_filter("employeeID", values).render().unwrap(), text);
    }
}

#[test]
fn what_has_no_text_form_is_an_error() {
    for filter in [
        Filter::Or(vec![]),
        Filter::And(vec![Filter::Or(vec![])]),
        account_filter("employeeID", Vec::<String>::new()),
        Filter::Present(String::new()),
        Filter::AtLeast("a)(b".into(), 1),
        Filter::Equal("a)(b".into(), "x".into()),
        Filter::Equal("a=b".into(), "x".into()),
        Filter::Equal("1a".into(), "x".into()),
        Filter::Equal("cn:dn:".into(), "x".into()),
    ] {
        assert!(filter.render().is_err(), "{filter:?}");
    }
}

proptest! {
    // semantics: match
    #[test]
    fn no_value_changes_a_filters_structure(values in prop::collection::vec(any::<String>(), 1..6)) {
        check(&account_filter("employeeID", values.clone()));
        check(&Filter::Or(values.into_iter().map(|v| Filter::Equal("title".into(), v)).collect()));
    }

    #[test]
    fn metacharacters_stay_values(value in "[()&|!*\\\\=<>~\\x00\\n:,a0-9]{0,24}") {
        check(&account_filter("employeeID", [value]));
    }

    #[test]
    fn no_name_changes_a_filters_structure(name in any::<String>()) {
        let filter = Filter::Equal(name, "x".into());
        if filter.render().is_ok() {
            check(&filter);
        }
    }
}
