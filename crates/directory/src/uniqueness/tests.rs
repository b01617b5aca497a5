use async_trait::async_trait;
use rollcall_model::Code;
use rollcall_model::ids::ObjectGuid;
use rollcall_model::observed::Entry;
use rollcall_model::plan::LdapFailure;

use super::*;
use crate::RootDse;

/// Knows one holder, by rendered filter and base.
struct OneHolder {
    filter: &'static str,
    base: &'static str,
}

#[async_trait]
impl Read for OneHolder {
    async fn root_dse(&self) -> Result<RootDse, Error> {
        Err(Error::Unreachable { code: Code::EndpointUnavailable, text: String::new() })
    }

    async fn search(&self, search: &Search) -> Result<Vec<Entry>, Error> {
        if search.filter.render().unwrap() == self.filter && search.base.as_str() == self.base {
            return Ok(vec![Entry {
                dn: Dn::from_directory("CN=Holder,DC=a"),
                guid: ObjectGuid("00112233-4455-6677-8899-aabbccddeeff".parse().unwrap()),
                attributes: std::collections::BTreeMap::new(),
                usn_changed: None,
            }]);
        }
        if search.scope == Scope::Base {
            let ldap = LdapFailure { result_code: 32, diagnostic: String::new(), dn: String::new() };
            return Err(Error::Refused { code: Code::ContainerNotFound, attribute: None, ldap });
        }
        Ok(vec![])
    }
}

async fn check(filter: &'static str, base: &'static str, expected: Option<&str>) {
    let candidates = Candidates {
        sam_account_name: Some("ada*".into()),
        user_principal_name: Some("ada@a".into()),
        dn: Some(Dn::parse("CN=Ada,DC=a").unwrap()),
    };
    let found = who_holds(&OneHolder { filter, base }, &Dn::parse("DC=a").unwrap(), &candidates).await.unwrap();
    assert_eq!(found.as_ref().map(|(attribute, _)| *attribute), expected, "{filter}");
    assert!(found.is_none_or(|(_, dn)| dn.as_str() == "CN=Holder,DC=a"));
}

// semantics: ldap-errors
#[tokio::test]
async fn the_taken_value_is_named() {
    check("(sAMAccountName=ada\\2a)", "DC=a", Some("sAMAccountName")).await;
    check("(userPrincipalName=ada@a)", "DC=a", Some("userPrincipalName")).await;
    check("(objectClass=*)", "CN=Ada,DC=a", Some("cn")).await;
    check("(cn=nothing)", "DC=a", None).await;
}

#[tokio::test]
async fn nothing_asked_nothing_found() {
    let read = OneHolder { filter: "(objectClass=*)", base: "DC=a" };
    assert_eq!(who_holds(&read, &Dn::parse("DC=a").unwrap(), &Candidates::default()).await.unwrap(), None);
}
