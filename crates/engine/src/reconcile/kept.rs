//! Attributes that the directory keeps by itself: constructed from others when they are read, or back links, which are
//! values of other objects. No mapping writes them, whatever it says.

use rollcall_model::Code;
use rollcall_model::desired::DesiredAttribute;
use rollcall_model::plan::Warning;

/// Constructed attributes (MS-ADTS 3.1.1.4.5) and back links (odd `linkID`, MS-ADA1 to MS-ADA3) that user objects
/// have, lower case, sorted.
const KEPT: &[&str] = &[
    "allowedattributes",
    "allowedattributeseffective",
    "allowedchildclasses",
    "allowedchildclasseseffective",
    "bridgeheadserverlistbl",
    "canonicalname",
    "createtimestamp",
    "directreports",
    "entryttl",
    "fromentry",
    "frscomputerreferencebl",
    "frsmemberreferencebl",
    "isprivilegeholder",
    "managedobjects",
    "masteredby",
    "memberof",
    "modifytimestamp",
    "msds-approx-immed-subordinates",
    "msds-assignedauthnpolicybl",
    "msds-assignedauthnpolicysilobl",
    "msds-authenticatedtoaccountlist",
    "msds-auxiliary-classes",
    "msds-isdomainfor",
    "msds-isprimarycomputerfor",
    "msds-keycredentiallink-bl",
    "msds-keyprincipalbl",
    "msds-localeffectivedeletiontime",
    "msds-localeffectiverecycletime",
    "msds-managedpassword",
    "msds-memberoftransitive",
    "msds-membertransitive",
    "msds-ncreplcursors",
    "msds-ncreplinboundneighbors",
    "msds-ncreploutboundneighbors",
    "msds-nonmembersbl",
    "msds-objectreferencebl",
    "msds-operationsforazrolebl",
    "msds-operationsforaztaskbl",
    "msds-parentdistname",
    "msds-principalname",
    "msds-psoapplied",
    "msds-quotaeffective",
    "msds-quotaused",
    "msds-replattributemetadata",
    "msds-replvaluemetadata",
    "msds-resultantpso",
    "msds-revealedlistbl",
    "msds-sitename",
    "msds-tasksforazrolebl",
    "msds-tasksforaztaskbl",
    "msds-topquotausage",
    "msds-user-account-control-computed",
    "msds-userpasswordexpirytimecomputed",
    "netbootscpbl",
    "nonsecuritymemberbl",
    "ownerbl",
    "parentguid",
    "primarygrouptoken",
    "querypolicybl",
    "sdrightseffective",
    "serverreferencebl",
    "siteobjectbl",
    "structuralobjectclass",
    "subschemasubentry",
    "tokengroups",
    "tokengroupsglobalanduniversal",
    "tokengroupsnogcacceptable",
];

/// Whether the directory itself keeps an attribute, whatever the name's case.
pub(crate) fn is_kept(name: &str) -> bool {
    KEPT.binary_search(&name.to_lowercase().as_str()).is_ok()
}

/// Why the attribute is not written; `None`: it may be.
pub(super) fn refusal(own: &DesiredAttribute) -> Option<Warning> {
    KEPT.binary_search(&own.name.to_lowercase().as_str()).ok()?;
    Some(Warning {
        code: Code::AttributeRefused,
        attribute: Some(own.name.clone()),
        text: format!("the directory itself keeps {}, which is never written; remove its mapping", own.name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_can_be_searched() {
        assert!(KEPT.is_sorted());
    }
}
