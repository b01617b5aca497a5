//! A job's mappings against the directory's own schema: what the directory would refuse of whoever is provisioned.

use rollcall_model::Dn;
use rollcall_model::config::{JobConfig, Mapping, MappingSource, target};
use rollcall_model::schema::{Attribute, Schema, Syntax};
use rollcall_syntax::nearest;

use crate::evaluate::{Place, Problem};
use crate::expression::{NodeKind, TreeNode, Type, functions, tree};

/// The class of the accounts that are made.
const CLASS: &str = "user";
/// Targets that are no attributes.
const PSEUDO: &[&str] = &[target::ACCOUNT_DISABLED, target::PARENT, target::OBJECT_FILTER];
/// Characters of a value that are shown.
const SHOWN_CHARS_MAX: usize = 40;

/// What the directory would refuse, whoever it is about. Values that only a record brings are judged when it comes.
#[must_use]
pub fn check_targets(config: &JobConfig, schema: &Schema) -> Vec<Problem> {
    let mut problems = Vec::new();
    let names = schema.attributes_of(CLASS);
    for (at, mapping) in config.mappings.iter().enumerate() {
        if PSEUDO.iter().any(|pseudo| pseudo.eq_ignore_ascii_case(&mapping.target)) {
            continue;
        }
        let mut refuse = |message: String, hint: String| {
            let (place, target) = (Place::Mapping(at), mapping.target.clone());
            problems.push(Problem { place, mapping: Some(at), target, at: None, message, hint: Some(hint) });
        };
        let name = &mapping.target;
        let Some(attribute) = schema.attribute(name) else {
            let near =
                nearest(name, names.iter().filter_map(|name| schema.attribute(name)).map(|own| own.name.as_str()));
            let hint = near.map_or_else(
                || "write the LDAP display name of an attribute of the directory".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            refuse(format!("the directory has no attribute {name}"), hint);
            continue;
        };
        if !names.contains(&name.to_lowercase()) {
            refuse(format!("users have no attribute {name}"), "map an attribute of the class user".to_owned());
        }
        if attribute.system_only || attribute.is_back_link() {
            refuse(format!("{name} is written by the directory alone"), "remove the mapping".to_owned());
            continue;
        }
        for (message, hint) in values(config, mapping, attribute) {
            refuse(message, hint);
        }
    }
    problems
}

/// What is wrong with the values that a mapping is known to yield.
fn values(config: &JobConfig, mapping: &Mapping, attribute: &Attribute) -> Vec<(String, String)> {
    let name = &attribute.name;
    let mut faults = Vec::new();
    let no_text = [Syntax::Octets, Syntax::Sid, Syntax::SecurityDescriptor, Syntax::NameWithValue, Syntax::Other];
    if no_text.contains(&attribute.syntax) {
        faults
            .push((format!("{name} holds no text, and mappings write nothing else"), "remove the mapping".to_owned()));
        return faults;
    }
    let tree = match &mapping.source {
        MappingSource::Expression(text) => tree(text).ok(),
        _ => None,
    };
    if attribute.single_valued && yields_list(config, &mapping.source, tree.as_ref()) {
        let hint = "take one value with Item, or join them with Join".to_owned();
        faults.push((format!("{name} holds one value, and the source yields a list"), hint));
    }
    let mut constants: Vec<&str> = mapping.default_value.as_deref().into_iter().collect();
    if let MappingSource::Constant(text) = &mapping.source {
        constants.push(text);
    }
    if let Some(tree) = &tree {
        results(tree, &mut constants);
    }
    // An empty constant is no value.
    for value in constants.into_iter().filter(|value| !value.is_empty()) {
        faults.extend(value_fault(attribute, value));
    }
    faults
}

/// Whether a source is a list for whoever has several values.
fn yields_list(config: &JobConfig, source: &MappingSource, tree: Option<&TreeNode>) -> bool {
    match source {
        MappingSource::Direct(name) => config.source_attribute(name).is_some_and(|own| own.multivalued),
        MappingSource::Expression(_) => tree.is_some_and(|node| {
            let function = functions().find(|function| node.kind == NodeKind::Function && function.name == node.name);
            function.is_some_and(|function| function.returns == Type::List)
        }),
        MappingSource::Constant(_) | MappingSource::None => false,
    }
}

/// Constants that may be the result, through functions that choose one of their arguments.
fn results<'t>(node: &'t TreeNode, found: &mut Vec<&'t str>) {
    // A keyword such as IgnoreAttributeFlow is a constant without quotes.
    if node.kind == NodeKind::Constant && node.expression.starts_with('"') {
        found.push(&node.name);
    }
    if node.kind != NodeKind::Function {
        return;
    }
    for (key, argument) in &node.parameters {
        let chosen = match node.name.as_str() {
            "Switch" => key == "defaultValue" || key.starts_with("value"),
            "IIF" => key.starts_with("valueIf"),
            "Coalesce" => true,
            _ => false,
        };
        if chosen {
            results(argument, found);
        }
    }
}

fn value_fault(attribute: &Attribute, value: &str) -> Option<(String, String)> {
    let name = &attribute.name;
    let shown: String = value.chars().take(SHOWN_CHARS_MAX).collect();
    let wrong =
        |what: &str, hint: &str| Some((format!("{name} holds {what}, and \"{shown}\" is none"), hint.to_owned()));
    match attribute.syntax {
        Syntax::Boolean if !["TRUE", "FALSE"].contains(&value) => wrong("TRUE or FALSE", "write TRUE or FALSE"),
        Syntax::Integer if value.parse::<i32>().is_err() => wrong("a number of 32 bits", "write digits"),
        Syntax::LargeInteger if value.parse::<i64>().is_err() => wrong("a number of 64 bits", "write digits"),
        Syntax::DistinguishedName if Dn::parse(value).is_err() => {
            wrong("the name of an object", "write it as in CN=Ada,OU=Staff,DC=corp,DC=example")
        }
        Syntax::Text => {
            let most = attribute.range_upper.and_then(|most| usize::try_from(most).ok())?;
            let units = value.encode_utf16().count();
            (units > most).then(|| {
                let message = format!("{name} holds {most} characters, and \"{shown}\" has {units}");
                (message, "shorten it, or cut it with Left".to_owned())
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::config::SourceAttribute;

    use super::*;

    fn schema() -> Schema {
        let attribute = |name: &str, syntax, single_valued, range_upper| Attribute {
            name: name.to_owned(),
            syntax,
            single_valued,
            range_upper,
            system_only: name == "lastLogoff",
            search_flags: 0,
            link_id: (name == "directReports").then_some(43),
            id: None,
            property_set: None,
        };
        let attributes = vec![
            attribute("title", Syntax::Text, true, Some(8)),
            attribute("proxyAddresses", Syntax::Text, false, None),
            attribute("countryCode", Syntax::Integer, true, None),
            attribute("accountExpires", Syntax::LargeInteger, true, None),
            attribute("msExchHide", Syntax::Boolean, true, None),
            attribute("assistant", Syntax::DistinguishedName, true, None),
            attribute("thumbnailPhoto", Syntax::Octets, true, Some(102_400)),
            attribute("lastLogoff", Syntax::LargeInteger, true, None),
            attribute("directReports", Syntax::DistinguishedName, false, None),
        ];
        let names = attributes.iter().map(|own| own.name.clone()).collect();
        let class = rollcall_model::schema::Class {
            name: "user".to_owned(),
            id: None,
            superior: None,
            auxiliary: Vec::new(),
            attributes: names,
        };
        let elsewhere = attribute("dnsRoot", Syntax::Text, true, None);
        let all = attributes.into_iter().chain([elsewhere]);
        Schema {
            attributes: all.map(|own| (own.name.to_lowercase(), own)).collect(),
            classes: [("user".to_owned(), class)].into(),
        }
    }

    fn problems(mapping: Mapping) -> Vec<String> {
        let mut config = JobConfig::new(vec![mapping]);
        config.source_attributes.push(SourceAttribute { multivalued: true, ..SourceAttribute::text("tags") });
        let told = |problem: Problem| {
            assert_eq!((problem.place, problem.mapping), (Place::Mapping(0), Some(0)));
            format!("{}; {}", problem.message, problem.hint.unwrap())
        };
        check_targets(&config, &schema()).into_iter().map(told).collect()
    }

    fn check(target: &str, source: MappingSource, expected: &[&str]) {
        let shown = format!("{target} {source:?}");
        assert_eq!(problems(Mapping::new(target, source)), expected, "{shown}");
    }

    #[test]
    fn targets_against_a_schema() {
        let constant = |text: &str| MappingSource::Constant(text.to_owned());
        let direct = |name: &str| MappingSource::Direct(rollcall_model::SourceName::new(name));
        let computed = |text: &str| MappingSource::Expression(text.to_owned());
        for pseudo in ["accountDisabled", "ParentDistinguishedName", "objectFilter"] {
            check(pseudo, direct("title"), &[]);
        }
        check("TITLE", direct("title"), &[]);
        check("titel", direct("title"), &["the directory has no attribute titel; did you mean title?"]);
        let no_near =
            "the directory has no attribute employeeId; write the LDAP display name of an attribute of the directory";
        check("employeeId", direct("title"), &[no_near]);
        check("dnsRoot", constant("x"), &["users have no attribute dnsRoot; map an attribute of the class user"]);
        check("lastLogoff", direct("title"), &["lastLogoff is written by the directory alone; remove the mapping"]);
        check(
            "directReports",
            direct("title"),
            &["directReports is written by the directory alone; remove the mapping"],
        );
        let photo = "thumbnailPhoto holds no text, and mappings write nothing else; remove the mapping";
        check("thumbnailPhoto", direct("title"), &[photo]);
        let list =
            "title holds one value, and the source yields a list; take one value with Item, or join them with Join";
        check("title", computed("Split([tags], \",\")"), &[list]);
        check("title", direct("tags"), &[list]);
        check("title", computed("Item(Split([tags], \",\"), 1)"), &[]);
        check("proxyAddresses", computed("Split([tags], \",\")"), &[]);
        check("title", constant("12345678"), &[]);
        let long = "title holds 8 characters, and \"123456789\" has 9; shorten it, or cut it with Left";
        check("title", constant("123456789"), &[long]);
        check("title", computed("Switch([a], \"123456789\", \"x\", \"y\")"), &[long]);
        check("title", computed("Switch([a], \"z\", \"123456789\", \"y\")"), &[]);
        check("title", computed("IIF([a] = \"123456789\", \"y\", Coalesce([b], \"123456789\"))"), &[long]);
        check(
            "countryCode",
            constant("DE"),
            &["countryCode holds a number of 32 bits, and \"DE\" is none; write digits"],
        );
        check("countryCode", constant("276"), &[]);
        check("accountExpires", constant("9223372036854775807"), &[]);
        check(
            "accountExpires",
            constant("never"),
            &["accountExpires holds a number of 64 bits, and \"never\" is none; write digits"],
        );
        check(
            "msExchHide",
            constant("True"),
            &["msExchHide holds TRUE or FALSE, and \"True\" is none; write TRUE or FALSE"],
        );
        check("msExchHide", computed("IIF([a] = \"b\", \"TRUE\", IgnoreAttributeFlow)"), &[]);
        let name = "assistant holds the name of an object, and \"Ada\" is none; write it as in CN=Ada,OU=Staff,DC=corp,DC=example";
        check("assistant", constant("Ada"), &[name]);
        check("assistant", constant("CN=Ada,DC=corp"), &[]);
        let default = Mapping { default_value: Some("123456789".to_owned()), ..Mapping::new("title", direct("title")) };
        assert_eq!(problems(default), [long]);
    }
}
