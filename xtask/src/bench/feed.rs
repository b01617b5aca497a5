//! A feed of made-up people: bodies of bulk requests whose numbers can be stamped over, so that a request costs its
//! sender a copy and no more.

use std::ops::Range;

/// Operations in one request, as the product allows.
pub(super) const OPERATIONS: usize = 50;

/// One operation of about a kilobyte, as a whole record of an HR system has. Twenty attributes of the directory come of
/// it. `!!!!!!!!` is the person's number, `%%%%` the version of what changes, `$$$$$` whether the person is active.
const OPERATION: &str = concat!(
    r#"{"method":"POST","bulkId":"!!!!!!!!","path":"/Users","data":{"#,
    r#""schemas":["urn:ietf:params:scim:schemas:core:2.0:User","#,
    r#""urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"#,
    r#""externalId":"B!!!!!!!!","userName":"b!!!!!!!!@corp.example.test","displayName":"Person Number !!!!!!!!","#,
    r#""active":$$$$$,"title":"Senior Clerk %%%%","name":{"givenName":"Given !!!!!!!!","familyName":"Family !!!!!!!!"},"#,
    r#""nickName":"!!!!!!!!","profileUrl":"https://people.example.test/b!!!!!!!!","locale":"en-GB","#,
    r#""timezone":"Europe/Berlin","#,
    r#""emails":[{"type":"work","value":"b!!!!!!!!@mail.example.test","primary":true}],"#,
    r#""phoneNumbers":[{"type":"work","value":"+49 431 !!!!!!!!"}],"#,
    r#""addresses":[{"type":"work","streetAddress":"Hafenstr. !!!!!!!!","locality":"Kiel","postalCode":"24103","#,
    r#""country":"DE"}],"#,
    r#""urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"#,
    r#""employeeNumber":"!!!!!!!!","department":"Department of Records","organization":"Example Works","#,
    r#""division":"Works","costCenter":"7710"}}}"#,
);
const HEAD: &str = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":["#;
const TAIL: &str = r#"],"failOnErrors":null}"#;

/// What stands where in [`OPERATION`], and how wide it is.
const NUMBER: &str = "!!!!!!!!";
const VERSION: &str = "%%%%";
const ACTIVE: &str = "$$$$$";

/// One person as the feed has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Below 100,000,000.
    pub(super) number: u32,
    /// Below 10,000; another one is a change of the title.
    pub(super) version: u32,
    pub(super) active: Active,
}

/// The record's `active`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Active {
    Yes,
    No,
}

/// People of these numbers, active, in their first version.
pub(super) fn people(numbers: Range<u32>) -> Vec<Record> {
    numbers.map(|number| Record { number, version: 0, active: Active::Yes }).collect()
}

/// The key of a person in the source.
pub(super) fn external_id(number: u32) -> String {
    format!("B{number:08}")
}

/// The operation's text and the places of what is stamped.
pub(super) struct Template {
    numbers: Vec<usize>,
    version: usize,
    active: usize,
}

impl Template {
    pub(super) fn new() -> Self {
        let at = |mark: &str| OPERATION.match_indices(mark).map(|(at, _)| at).collect::<Vec<_>>();
        Self {
            numbers: at(NUMBER),
            version: at(VERSION).first().copied().unwrap_or(0),
            active: at(ACTIVE).first().copied().unwrap_or(0),
        }
    }

    /// A bulk request of these records.
    pub(super) fn body(&self, records: &[Record]) -> Vec<u8> {
        let mut body = Vec::with_capacity(HEAD.len() + records.len() * (OPERATION.len() + 1) + TAIL.len());
        body.extend_from_slice(HEAD.as_bytes());
        for at in 0..records.len() {
            if at > 0 {
                body.push(b',');
            }
            body.extend_from_slice(OPERATION.as_bytes());
        }
        body.extend_from_slice(TAIL.as_bytes());
        for (at, record) in records.iter().enumerate() {
            self.stamp(&mut body, at, *record);
        }
        body
    }

    /// Bulk requests of [`OPERATIONS`] records each.
    pub(super) fn bodies(&self, records: &[Record]) -> Vec<Vec<u8>> {
        records.chunks(OPERATIONS).map(|records| self.body(records)).collect()
    }

    /// Makes the operation at `at` that of `record`.
    pub(super) fn stamp(&self, body: &mut [u8], at: usize, record: Record) {
        let Some(operation) = body.get_mut(HEAD.len() + at * (OPERATION.len() + 1)..) else { return };
        for place in &self.numbers {
            digits(&mut operation[*place..*place + NUMBER.len()], record.number);
        }
        digits(&mut operation[self.version..self.version + VERSION.len()], record.version);
        // A space behind a value is no part of it.
        let active = if record.active == Active::Yes { "true " } else { "false" };
        operation[self.active..self.active + ACTIVE.len()].copy_from_slice(active.as_bytes());
    }
}

/// Writes a number with leading zeros.
fn digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// A request that disables one person and says nothing else.
pub(super) fn disable(number: u32) -> Vec<u8> {
    let id = external_id(number);
    let data =
        format!(r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"externalId":"{id}","active":false}}"#);
    format!(r#"{HEAD}{{"method":"POST","bulkId":"{id}","path":"/Users","data":{data}}}{TAIL}"#).into_bytes()
}

/// Numbers without a pattern, the same for one seed (SplitMix64).
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which is not 0. The bias of the remainder is far below what is measured.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % (end as u64)).unwrap_or(0)
    }

    /// Puts the numbers into another order (Fisher and Yates).
    pub(super) fn shuffle(&mut self, numbers: &mut [u32]) {
        for at in (1..numbers.len()).rev() {
            numbers.swap(at, self.below(at + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_stamped_body_is_that_of_its_people() {
        let template = Template::new();
        let mut body = template.body(&people(0..50));
        let size = body.len() / OPERATIONS;
        assert!((900..1_150).contains(&size), "about a kilobyte a record: {size}");
        for at in 0..OPERATIONS {
            let number = 12_345_600 + u32::try_from(at).unwrap();
            let active = if at % 2 == 0 { Active::Yes } else { Active::No };
            template.stamp(&mut body, at, Record { number, version: 42, active });
        }
        let value: Value = serde_json::from_slice(&body).unwrap();
        let operations = value["Operations"].as_array().unwrap();
        assert_eq!(operations.len(), OPERATIONS);
        for (at, operation) in operations.iter().enumerate() {
            let data = &operation["data"];
            assert_eq!(data["externalId"], format!("B{}", 12_345_600 + at));
            assert_eq!((&data["active"], &data["title"]), (&Value::from(at % 2 == 0), &"Senior Clerk 0042".into()));
        }
        let text = String::from_utf8(body).unwrap();
        assert!(!text.contains(['!', '%', '$']), "nothing is left to stamp");
        assert_eq!(external_id(12_345_600), "B12345600");

        let value: Value = serde_json::from_slice(&disable(7)).unwrap();
        assert_eq!(value["Operations"][0]["data"]["active"], false);
        assert_eq!(value["Operations"][0]["data"]["externalId"], external_id(7));
    }

    #[test]
    fn a_shuffle_keeps_everybody() {
        let mut numbers: Vec<u32> = (0..1_000).collect();
        Draw(1).shuffle(&mut numbers);
        assert_ne!(numbers[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        numbers.sort_unstable();
        assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
    }
}
