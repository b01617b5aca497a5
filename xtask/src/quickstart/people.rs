//! A made-up HR file: the same people each time, with the troubles that real files have.

use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// People who share one name.
const NAMESAKES: usize = 10;

const GIVEN: &[&str] = &[
    "Ada",
    "Björn",
    "Chloé",
    "Dmitri",
    "Elif",
    "Farid",
    "Grażyna",
    "Henrik",
    "Inès",
    "João",
    "Katarzyna",
    "Lars",
    "Małgorzata",
    "Noor",
    "Ólafur",
    "Priya",
    "Quentin",
    "Rasmus",
    "Søren",
    "Tuğba",
    "Ursula",
    "Viktor",
    "Wanjiru",
    "Xiomara",
    "Yusuf",
    "Zoë",
    "Agnieszka",
    "Benedikt",
    "Camila",
    "Desmond",
    "Eilidh",
    "Fiona",
    "Gustav",
    "Hana",
    "Ignacio",
    "Jana",
];
const FAMILY: &[&str] = &[
    "Almeida",
    "Brandt",
    "Çelik",
    "Dvořák",
    "Eriksson",
    "Fournier",
    "García",
    "Håkansson",
    "Ivanova",
    "Jørgensen",
    "Kowalski",
    "Lindqvist",
    "Müller",
    "Nakamura",
    "O'Brien",
    "Petrović",
    "Quispe",
    "Rossi",
    "Sánchez",
    "Thorvaldsen",
    "Unger",
    "Vasquez",
    "Weiß",
    "Ximénez",
    "Yılmaz",
    "Zieliński",
    "Achterberg",
    "Bianchi",
    "Costa",
    "Duarte",
];
const TITLES: &[&str] = &["Buyer", "Engineer", "Nurse", "Accountant", "Clerk", "Foreman", "Analyst", "Driver"];
const DEPARTMENTS: &[&str] = &["Purchasing", "Production", "Finance", "Human Resources", "Logistics", "Research"];
/// Codes, names and a name that AD's `c` cannot hold.
const COUNTRIES: &[&str] = &["DE", "Germany", "FR", "United Kingdom", "PL", "Côte d'Ivoire", "SE"];

/// One person of the file.
pub(super) struct Person {
    pub(super) external_id: String,
    pub(super) user_name: String,
    pub(super) display_name: String,
    pub(super) active: bool,
    given: String,
    family: String,
    number: usize,
    manager: Option<String>,
}

/// The whole file.
pub(super) struct Feed {
    pub(super) people: Vec<Person>,
}

impl Feed {
    /// The file of `size` people; the same for the same size.
    pub(super) fn generate(size: usize) -> Self {
        Self { people: (0..size).map(|number| Person::generate(number, size)).collect() }
    }

    pub(super) fn active(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| person.active)
    }

    /// The file's contents: one bulk request of any length, which the client cuts.
    pub(super) fn upload(&self) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": self.people.iter().map(Person::operation).collect::<Vec<_>>(),
            "failOnErrors": null,
        })
    }
}

impl Person {
    fn generate(number: usize, size: usize) -> Self {
        let is_namesake = number < NAMESAKES;
        // Each pair of names once, in an order that looks like none: 7 and 36 have no common factor, nor have 11 and 30.
        let given = if is_namesake { "Maria" } else { GIVEN[number * 7 % GIVEN.len()] };
        let family =
            if is_namesake { "Schmidt" } else { FAMILY[(number / GIVEN.len() * 11 + number * 7) % FAMILY.len()] };
        let (mut given, mut family) = (given.to_owned(), family.to_owned());
        if number % 97 == 50 {
            // Longer than a cn may be: it is cut there, and kept whole in displayName.
            given.push_str(" Maximiliana Theodora Wilhelmina");
            family.push_str(" von und zu Hohenlohe-Waldenburg-Schillingsfürst");
        }
        let external_id = id(number);
        // Managers stand before and behind their people in the file; two in a hundred are nobody of this file.
        let manager = match number % 50 {
            0 => None,
            17 => Some(format!("X-{number:05}")),
            _ if number.is_multiple_of(3) => Some(id((number + 40) / 50 * 50 % size)),
            _ => Some(id(number / 50 * 50)),
        };
        Self {
            user_name: format!("{}.{number}@corp.example.test", plain(family.split(' ').next().unwrap_or("x"))),
            display_name: format!("{given} {family}"),
            // Nobody's manager is inactive: those are the multiples of 50.
            active: number % 16 != 7,
            manager: manager.filter(|manager| *manager != external_id),
            external_id,
            given,
            family,
            number,
        }
    }

    fn operation(&self) -> Value {
        let number = self.number;
        let country = COUNTRIES[number % COUNTRIES.len()];
        // A few titles are longer than AD takes: that one value is refused, the account is made.
        let title = TITLES[number % TITLES.len()];
        let title = if number % 211 == 100 { format!("{title} and ").repeat(20) } else { title.to_owned() };
        let mut enterprise = json!({
            "employeeNumber": format!("{number}"),
            "department": DEPARTMENTS[number % DEPARTMENTS.len()],
            "organization": "Example Works",
            "division": if number % 9 == 4 { "Other" } else { "Works" },
        });
        if let Some(manager) = &self.manager {
            enterprise["manager"] = json!({ "value": manager });
        }
        let data = json!({
            "schemas": [USER, ENTERPRISE],
            "externalId": self.external_id,
            "userName": self.user_name,
            "displayName": self.display_name,
            "active": self.active,
            "title": title,
            "name": { "givenName": self.given, "familyName": self.family },
            "emails": [{ "type": "work", "value": self.user_name, "primary": true }],
            "phoneNumbers": [{ "type": "work", "value": format!("+49 30 5550 {number:04}") }],
            "addresses": [{
                "type": "work", "streetAddress": format!("Hafenstr. {}", number % 120 + 1), "locality": "Kiel",
                "postalCode": "24103", "country": country,
            }],
            ENTERPRISE: enterprise,
        });
        json!({ "method": "POST", "bulkId": format!("b{number}"), "path": "/Users", "data": data })
    }
}

fn id(number: usize) -> String {
    format!("E-{:05}", number + 1)
}

/// A family name as a login name: lower-case ASCII, at most 12 letters.
fn plain(name: &str) -> String {
    let folded = name.chars().map(|c| match c {
        'ř' => 'r',
        'á' | 'å' => 'a',
        'é' => 'e',
        'í' | 'ı' => 'i',
        'ø' => 'o',
        'ü' => 'u',
        'Ç' | 'ć' => 'c',
        'ń' => 'n',
        'ß' => 's',
        other => other.to_ascii_lowercase(),
    });
    folded.filter(char::is_ascii_lowercase).take(12).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn counted<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
        let mut counts = BTreeMap::new();
        values.for_each(|value| *counts.entry(value).or_default() += 1);
        counts
    }

    #[test]
    fn the_file_has_the_troubles_it_promises() {
        let feed = Feed::generate(1_000);
        let people = &feed.people;
        assert!(feed.active().count() > 900, "{} active", feed.active().count());
        assert!(feed.active().count() < 1_000, "somebody is inactive");

        // Ten namesakes, and no other two share a name.
        let names = counted(people.iter().map(|person| person.display_name.to_lowercase()));
        let shared: Vec<_> = names.iter().filter(|(_, number)| **number > 1).collect();
        assert_eq!(shared, [(&"maria schmidt".to_owned(), &NAMESAKES)]);

        // Everybody's account name is their own, also when cut to the 20 characters of sAMAccountName.
        let local = |person: &Person| person.user_name.split('@').next().unwrap().to_owned();
        let logins = counted(people.iter().map(|person| local(person).chars().take(20).collect::<String>()));
        assert!(logins.values().all(|number| *number == 1));
        assert!(people.iter().all(|person| local(person).len() <= 20 && local(person).is_ascii()));

        assert!(people.iter().filter(|person| person.display_name.chars().count() > 64).count() >= 5);
        assert!(people.iter().all(|person| person.given.chars().count() <= 64 && person.family.chars().count() <= 64));
        assert!(people.iter().all(|person| person.external_id.len() <= 16));

        let active = |id: &str| people.iter().find(|person| person.external_id == id).map(|person| person.active);
        let managers: Vec<_> = people.iter().filter_map(|person| person.manager.as_deref()).map(active).collect();
        assert!(managers.iter().filter(|state| state.is_none()).count() >= 10, "unresolved managers");
        assert!(!managers.contains(&Some(false)), "an inactive manager has no account to point at");
    }

    #[test]
    fn the_file_is_the_same_each_time() {
        assert_eq!(Feed::generate(60).upload(), Feed::generate(60).upload());
    }
}
