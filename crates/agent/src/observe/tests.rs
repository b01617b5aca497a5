use async_trait::async_trait;
use rollcall_directory::RootDse;

use super::*;
use crate::testing::{BASE, FakeDirectory, STAFF, person};

/// Returns, beside what it finds, an entry that nobody asked for.
struct Confused(FakeDirectory);

#[async_trait]
impl Read for Confused {
    async fn root_dse(&self) -> Result<RootDse, DirectoryError> {
        self.0.root_dse().await
    }

    async fn search(&self, search: &Search) -> Result<Vec<Entry>, DirectoryError> {
        let mut found = self.0.search(search).await?;
        found.push(self.0.entry(&format!("CN=stranger,{STAFF}")));
        Ok(found)
    }
}

#[tokio::test]
async fn a_stranger_in_the_answer_is_an_error() {
    let directory = FakeDirectory::default();
    directory.put(&format!("CN=ada,{STAFF}"), &[("employeeID", "E1")]);
    directory.put(&format!("CN=stranger,{STAFF}"), &[("employeeID", "E9")]);
    let domain = Dn::from_directory(BASE);
    let (ada, bob) = (person(1, "ada", &[]), person(2, "bob", &[]));
    let seen = observe(&directory, &domain, &[&ada, &bob]).await.unwrap();
    assert!(matches!(seen[0].account, Found::Unclaimed(_)) && seen[1].account == Found::Absent);
    let error = observe(&Confused(directory), &domain, &[&ada, &bob]).await.unwrap_err();
    assert!(error.to_string().contains("belongs to no person"), "{error}");
}

#[tokio::test]
async fn rules_are_tried_in_order_and_the_first_hit_counts() {
    let directory = FakeDirectory::default();
    directory.put(&format!("CN=a,{STAFF}"), &[("employeeID", "E1"), ("mail", "second@corp.test")]);
    directory.put(&format!("CN=b,{STAFF}"), &[("mail", "ada@corp.test")]);
    let domain = Dn::from_directory(BASE);
    let check = async |id: &str, mail: &str| {
        let rule =
            |attribute: &str, value: &str| MatchRule { attribute: attribute.to_owned(), value: value.to_owned() };
        let mut desired = person(1, "ada", &[]);
        desired.matching = vec![rule("employeeID", id), rule("mail", mail)];
        match observe(&directory, &domain, &[&desired]).await.unwrap().remove(0).account {
            Found::Unclaimed(entry) => entry.dn.leaf_value().unwrap(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(check("E1", "ada@corp.test").await, "a");
    assert_eq!(check("e1", "nobody@corp.test").await, "a");
    assert_eq!(check("E404", "ada@corp.test").await, "b");
    assert_eq!(check("E404", "nobody@corp.test").await, "Absent");
}
