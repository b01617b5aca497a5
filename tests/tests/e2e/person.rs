//! Records of people, as short as they can be.

use rollcall_tests::checker::Object;
use serde_json::{Value, json};

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A whole record of an active person, named after their id.
pub(crate) fn person(id: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": id, "userName": format!("{id}@acme.test"), "active": true, "displayName": format!("Person {id}"),
        "name": { "givenName": "Person", "familyName": id },
        "title": "Clerk",
        ENTERPRISE: { "department": "Records" },
    })
}

/// A partial record: the id, and what `change` holds.
pub(crate) fn partial(id: &str, mut change: Value) -> Value {
    change["schemas"] = json!([USER, ENTERPRISE]);
    change["externalId"] = id.into();
    change
}

/// The first value of an attribute.
pub(crate) fn value<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.attributes.get(name)?.first().map(String::as_str)
}

/// 0x2 of userAccountControl: disabled.
pub(crate) fn is_enabled(object: &Object) -> bool {
    value(object, "userAccountControl").and_then(|text| text.parse::<u32>().ok()).is_some_and(|bits| bits & 0x2 == 0)
}
