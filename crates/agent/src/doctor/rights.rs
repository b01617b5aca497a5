//! Rights: what is missing and what is too much, in each container and in the rest of the domain.

use std::collections::BTreeSet;

use rollcall_directory::Filter;
use rollcall_directory::ldap::{Inspected, LdapDirectory};
use rollcall_directory::security::{Descriptor, decide, known, right};
use rollcall_model::Dn;

use super::account::{Account, name_of};
use super::excess::{Excess, Holder, extended, privileged_group};
use super::needs::{Need, Needs};
use super::{Ground, Report};

/// Containers whose permissions are read at most when the rest of the domain is looked through.
const CONTAINERS_MAX: usize = 20_000;
/// Where `sDRightsEffective` says that the list may be written (MS-ADTS 3.1.1.4.5.4).
const MAY_WRITE_DACL: u32 = 0x4;

/// A container in which an account can be made and removed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Usable {
    pub(super) container: Dn,
    /// Whether what is created can be deleted.
    pub(super) can_remove: bool,
}

/// Looks at the account, each container and the rest of the domain.
pub(super) async fn look(report: &mut Report, ground: &Ground, needs: &Needs, containers: &[Dn]) -> Vec<Usable> {
    let account = match Account::bound(&ground.directory).await {
        Ok(account) => account,
        Err(why) => {
            let remedy = "look at the permissions by hand; they cannot be computed with this server";
            report.warn("rights", why, remedy);
            return Vec::new();
        }
    };
    groups(report, &account);
    if !needs.unknown.is_empty() {
        let found = format!("users have no attribute {}", needs.unknown.join(", "));
        report.warn("rights: attributes", found, "correct the mapping, or --attribute");
    }
    let holder = Holder { own: account.own(), token: &account.token, schema: &ground.schema };
    let look = Look { ground, needs, account: &account, holder: &holder };
    let mut usable = Vec::new();
    for container in containers {
        usable.extend(look.container(report, container).await);
    }
    look.root(report).await;
    look.elsewhere(report, containers).await;
    usable
}

fn groups(report: &mut Report, account: &Account) {
    let found: Vec<&str> = account.token.iter().filter_map(privileged_group).collect();
    let name = "rights: groups";
    if found.is_empty() {
        report.ok(name, format!("{} is in no privileged group", account.name));
    } else {
        let text =
            format!("{} is in {}: EXCESS, it may do far more than this product needs", account.name, found.join(", "));
        report.fail(name, text, "take it out of these groups, and delegate with `rollcall-agent rights script`");
    }
}

/// What every look needs.
struct Look<'a> {
    ground: &'a Ground,
    needs: &'a Needs,
    account: &'a Account,
    holder: &'a Holder<'a>,
}

impl Look<'_> {
    fn directory(&self) -> &LdapDirectory {
        &self.ground.directory
    }

    async fn container(&self, report: &mut Report, container: &Dn) -> Option<Usable> {
        const NAMES: &[&str] =
            &["objectClass", "nTSecurityDescriptor", "allowedChildClassesEffective", "sDRightsEffective"];
        let name = format!("container {container}");
        let entry = match self.directory().inspect(container.as_str(), NAMES).await {
            Ok(Some(entry)) => entry,
            Ok(None) => {
                let remedy = "correct the DN, or let the account read the container";
                report.fail(name, "it is not there, or may not be seen", remedy);
                return None;
            }
            Err(error) => {
                report.fail(name, error.to_string(), "correct the DN");
                return None;
            }
        };
        report.ok(name.clone(), "it is there");
        let descriptor = match read(&entry) {
            Ok(descriptor) => descriptor,
            Err(why) => {
                let found = format!("MISSING: {} may not {} ({why})", self.account.name, Need::Read.text());
                let remedy = format!("add {}; nothing else can be computed before", Need::Read.ace(&self.account.sid));
                report.fail(format!("{name}: missing rights"), found, remedy);
                return None;
            }
        };
        let missing = self.needs.missing(&descriptor, &self.account.token);
        self.say_missing(report, &name, &missing);
        self.cross_check(report, &name, container, &entry, &missing).await;
        let excess = self.holder.excess(&descriptor, self.needs, &self.account.sid);
        self.say_excess(report, &name, excess, descriptor.passed_over).await;
        let token = &self.account.token;
        let can_remove = decide(descriptor.here(), token, right::DELETE_CHILD, &[known::USER]).is_granted()
            || decide(descriptor.below(known::USER), token, right::DELETE, &[]).is_granted();
        Some(Usable { container: container.clone(), can_remove })
    }

    fn say_missing(&self, report: &mut Report, name: &str, missing: &[&Need]) {
        let name = format!("{name}: missing rights");
        if missing.is_empty() {
            return report.ok(name, format!("none of the {} it needs", self.needs.list.len()));
        }
        for need in missing {
            let ace = need.ace(&self.account.sid);
            let found = format!("MISSING: {} may not {}", self.account.name, need.text());
            report.fail(name.clone(), found, format!("add {ace}; `rollcall-agent rights script` prints it"));
        }
    }

    async fn say_excess(&self, report: &mut Report, name: &str, found: Vec<Excess>, passed_over: usize) {
        let name = format!("{name}: excess rights");
        if passed_over > 0 {
            let text = format!("{passed_over} conditional entries of the list were not looked at");
            report.warn(name.clone(), text, "look at them by hand");
        }
        if found.is_empty() {
            return report.ok(name, "none");
        }
        for excess in found {
            let (whose, everybody) = match &excess.trustee {
                None => (self.account.name.clone(), false),
                Some(sid) if sid.is_everybody() => (name_of(self.directory(), sid).await, true),
                Some(sid) => (format!("{} through {}", self.account.name, name_of(self.directory(), sid).await), false),
            };
            let place = if excess.is_inherited { ", on the container above that it comes from" } else { "" };
            let text = format!("EXCESS of {whose}: {}, by {}", excess.text, excess.source);
            let remedy = format!("remove that entry{place}; `rollcall-agent rights script` prints what is enough");
            // What all accounts of the domain may do is not this account's delegation.
            if everybody {
                report.warn(name.clone(), text, remedy);
            } else {
                report.fail(name.clone(), text, remedy);
            }
        }
    }

    /// Holds what was computed against what the server computes itself, where it does.
    async fn cross_check(&self, report: &mut Report, name: &str, container: &Dn, entry: &Inspected, missing: &[&Need]) {
        let name = format!("{name}: the server's own view");
        let lacks = |need: &Need| missing.contains(&need);
        let mut differences = Vec::new();
        let classes: Vec<String> = entry.texts("allowedChildClassesEffective").collect();
        let says = classes.iter().any(|class| class.eq_ignore_ascii_case("user"));
        // No value at all may mean that the server does not compute it.
        if self.needs.has(&Need::CreateUser) && !classes.is_empty() && says == lacks(&Need::CreateUser) {
            differences.push(format!("it says that users may {}be created here", if says { "" } else { "not " }));
        }
        let rights = entry.text("sDRightsEffective").and_then(|bits| bits.parse::<u32>().ok()).unwrap_or(0);
        if rights & MAY_WRITE_DACL != 0 {
            differences.push("it says that the account may change the container's permissions".to_owned());
        }
        let sample = self.sample(container).await;
        if let Some(sample) = &sample {
            let written: BTreeSet<String> =
                sample.texts("allowedAttributesEffective").map(|name| name.to_lowercase()).collect();
            for need in &self.needs.list {
                let Need::Write(target) = need else { continue };
                // The directory writes `name` itself, and counts it among what nobody writes.
                let own = self.ground.schema.attribute(&target.name).is_some_and(|attribute| attribute.system_only);
                if !own && written.contains(&target.name.to_lowercase()) == lacks(need) {
                    let may = if lacks(need) { "may" } else { "may not" };
                    differences.push(format!("it says that {} {may} be written on {}", target.name, sample.dn));
                }
            }
        }
        if differences.is_empty() {
            let of =
                sample.map_or_else(|| "the container".to_owned(), |sample| format!("the container and {}", sample.dn));
            report.ok(name, format!("it agrees, of {of}"));
        } else {
            let remedy = "permissions set on the object itself, or by a group's nesting, differ; see its security tab";
            report.warn(name, differences.join("; "), remedy);
        }
    }

    /// Some account of the container that the server says something about.
    async fn sample(&self, container: &Dn) -> Option<Inspected> {
        let equal = |name: &str, value: &str| Filter::Equal(name.to_owned(), value.to_owned());
        let filter = Filter::And(vec![equal("objectCategory", "person"), equal("objectClass", "user")]);
        let names = ["allowedAttributesEffective"];
        let found = self.directory().inspect_below(container.as_str(), &filter, &names, 1).await.ok()?;
        found.into_iter().next().filter(|entry| !entry.values("allowedAttributesEffective").is_empty())
    }

    /// Rights on the domain itself: replication, and whatever else reaches everything below.
    async fn root(&self, report: &mut Report) {
        let name = format!("domain {}", self.ground.domain);
        let entry = self.directory().inspect(self.ground.domain.as_str(), &["nTSecurityDescriptor"]).await;
        let descriptor = match entry
            .map_err(|error| error.to_string())
            .and_then(|entry| read(&entry.unwrap_or_default()))
        {
            Ok(descriptor) => descriptor,
            Err(why) => {
                return report.warn(format!("{name}: excess rights"), why, "look at the domain's permissions by hand");
            }
        };
        for id in [known::GET_CHANGES, known::GET_CHANGES_ALL, known::GET_CHANGES_FILTERED] {
            let decision = decide(descriptor.here(), &self.account.token, right::CONTROL_ACCESS, &[id]);
            if decision.is_granted() {
                let found = format!("EXCESS: {} may {}", self.account.name, extended(id));
                let remedy = "remove it: with this right password hashes can be read; provisioning never replicates";
                report.fail(format!("{name}: replication"), found, remedy);
            }
        }
        let excess = self.holder.excess(&descriptor, &Needs::default(), &self.account.sid);
        self.say_excess(report, &name, excess, 0).await;
    }

    /// Entries for the account on other containers of the domain, set there and not inherited.
    async fn elsewhere(&self, report: &mut Report, containers: &[Dn]) {
        let name = "rights elsewhere";
        let class = |class: &str| Filter::Equal("objectClass".to_owned(), class.to_owned());
        let filter = Filter::Or(vec![class("organizationalUnit"), class("container"), class("builtinDomain")]);
        let base = self.ground.domain.as_str();
        let found = self.directory().inspect_below(base, &filter, &["nTSecurityDescriptor"], CONTAINERS_MAX).await;
        let entries = match found {
            Ok(entries) => entries,
            Err(error) => return report.warn(name, error.to_string(), "look at other containers by hand"),
        };
        let mut clean = true;
        for entry in &entries {
            let dn = Dn::from_directory(&entry.dn);
            if containers.iter().any(|container| container.same_as(&dn)) {
                continue;
            }
            let Ok(descriptor) = read(entry) else { continue };
            // Below a chosen container what it needs may be granted once more.
            let within = containers.iter().any(|container| dn.is_within(container));
            let needs = if within { self.needs.clone() } else { Needs::default() };
            let mut excess = self.holder.excess(&descriptor, &needs, &self.account.sid);
            excess.retain(|excess| {
                !excess.is_inherited && excess.trustee.as_ref().is_none_or(|trustee| !trustee.is_everybody())
            });
            if let Some(first) = excess.first() {
                clean = false;
                let more = excess.len() - 1;
                let found = format!("EXCESS on {dn}: {}, by {}; and {more} entries more", first.text, first.source);
                let remedy = "remove them, or look at it with --container if accounts of Rollcall live there";
                report.fail(name, found, remedy);
            }
        }
        if clean {
            report.ok(name, format!("none in {} other containers", entries.len()));
        }
    }
}

fn read(entry: &Inspected) -> Result<Descriptor, String> {
    let bytes = entry.values("nTSecurityDescriptor").first().ok_or("its permissions cannot be read")?;
    Descriptor::from_bytes(bytes).map_err(|error| error.to_string())
}
