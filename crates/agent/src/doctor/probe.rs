//! The rights tried for real, with a disabled account of the doctor's own that is deleted again.

use std::collections::BTreeMap;

use rollcall_directory::ldap::LdapDirectory;
use rollcall_directory::{Add, Error as DirectoryError, Filter, Read as _, Scope, Search, Write as _, password};
use rollcall_model::observed::Entry;
use rollcall_model::plan::AttributeChange;
use rollcall_model::schema::{Schema, Syntax};
use rollcall_model::{Code, Dn, Random};

use super::needs::{Need, Needs, Target};
use super::rights::Usable;
use super::{Ground, Report};

/// What every probe account carries, so that one left by a doctor that was killed is known.
const DESCRIPTION: &str = "Probe of rollcall-agent doctor; may be deleted";
/// The same, once writing `description` was tried.
const WRITTEN_DESCRIPTION: &str = "Probe of rollcall-agent doctor, written; may be deleted";
const MARKS: [&str; 2] = [DESCRIPTION, WRITTEN_DESCRIPTION];
/// How its sAMAccountName begins.
const PREFIX: &str = "rcdoctor-";
/// Written by renaming.
const NAMES: &[&str] = &["cn", "name"];

/// Makes, changes, moves and deletes an account in each container.
pub(super) async fn try_out(
    report: &mut Report,
    ground: &Ground,
    needs: &Needs,
    usable: &[Usable],
    random: &dyn Random,
) {
    if !needs.has(&Need::CreateUser) {
        let found = "nothing was tried: the policy lets no account be made, so there is none to try it on";
        return report.warn("probe", found, "rely on the computed rights");
    }
    for place in usable.iter().filter(|place| !place.can_remove) {
        report.warn(
            format!("probe in {}", place.container),
            "nothing was tried: the account may not delete here, so the probe would stay",
            "rely on the computed rights, or try with an account that may delete",
        );
    }
    let places: Vec<&Dn> = usable.iter().filter(|place| place.can_remove).map(|place| &place.container).collect();
    for container in &places {
        sweep(report, &ground.directory, container).await;
    }
    for (at, container) in places.iter().enumerate() {
        let next = places.get((at + 1) % places.len()).copied().filter(|next| !next.same_as(container));
        let probe = Probe { report, ground, needs, container, unique: unique(random) };
        probe.run(next.filter(|_| needs.removes()), random).await;
    }
}

fn unique(random: &dyn Random) -> String {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes)
}

/// Deletes what an earlier doctor left.
async fn sweep(report: &mut Report, directory: &LdapDirectory, container: &Dn) {
    let equal = |name: &str, value: &str| Filter::Equal(name.to_owned(), value.to_owned());
    let marks = MARKS.map(|text| equal("description", text));
    let search = Search {
        base: container.clone(),
        scope: Scope::Subtree,
        filter: Filter::And(vec![equal("objectCategory", "person"), Filter::Or(marks.into())]),
        attributes: vec!["sAMAccountName".to_owned(), "userAccountControl".to_owned()],
    };
    for entry in directory.search(&search).await.unwrap_or_default() {
        let is_ours = entry.value("sAMAccountName").is_some_and(|name| name.starts_with(PREFIX)) && entry.is_disabled();
        if is_ours {
            match directory.delete(entry.guid).await {
                Ok(()) => report.ok("probe", format!("{}, left by an earlier doctor, was deleted", entry.dn)),
                Err(error) => report.fail("probe", format!("{} is left: {error}", entry.dn), "delete it by hand"),
            }
        }
    }
}

struct Probe<'a> {
    report: &'a mut Report,
    ground: &'a Ground,
    needs: &'a Needs,
    container: &'a Dn,
    unique: String,
}

impl Probe<'_> {
    fn name(&self) -> String {
        format!("probe in {}", self.container)
    }

    async fn run(mut self, next: Option<&Dn>, random: &dyn Random) {
        let leaf = format!("Rollcall doctor {}", self.unique);
        let dn = self.container.child("CN", &leaf);
        self.report.ok(self.name(), format!("{dn} is made, changed, moved and deleted again"));
        tracing::info!(%dn, "the doctor makes a disabled account of its own");
        let attributes: BTreeMap<String, Vec<String>> = [
            ("objectClass", "user"),
            ("sAMAccountName", &format!("{PREFIX}{}", self.unique)),
            ("userAccountControl", "514"),
            ("description", DESCRIPTION),
        ]
        .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
        .into();
        let first = password::generate(random, &[], 0);
        let added = self.ground.directory.add(&Add { dn: dn.clone(), attributes }, Some(&first)).await;
        let made = added.is_ok();
        self.judge("create users", added);
        // Whether an add without an answer was made has to be looked up.
        let Some(entry) = self.find(&dn).await else {
            if made {
                let remedy = "let the account read what it creates; delete the probe by hand";
                self.report.fail(self.name(), format!("{dn} was made and cannot be found"), remedy);
            }
            return;
        };
        self.change(&entry).await;
        let again = password::generate(random, &[], 0);
        let reset = self.ground.directory.reset_password(entry.guid, &again).await;
        self.judge("set passwords of users", reset);
        let rdn = format!("CN={leaf} renamed");
        if self.needs.targets().any(|target| NAMES.contains(&target.name.as_str())) {
            let renamed = self.ground.directory.rename(entry.guid, &rdn, self.container).await;
            self.judge("rename users", renamed);
        }
        if let Some(next) = next {
            let moved = self.ground.directory.rename(entry.guid, &rdn, next).await;
            self.judge(&format!("move users to {next}"), moved);
        }
        match self.ground.directory.delete(entry.guid).await {
            Ok(()) => self.report.ok(self.name(), "the probe was deleted"),
            Err(error) => {
                let found = format!("the probe {} is left, disabled: {error}", entry.guid);
                self.report.fail(self.name(), found, "delete it by hand");
            }
        }
    }

    async fn find(&self, dn: &Dn) -> Option<Entry> {
        let search = Search {
            base: dn.clone(),
            scope: Scope::Base,
            filter: Filter::Present("objectClass".to_owned()),
            attributes: self.needs.targets().map(|target| target.name.clone()).collect(),
        };
        self.ground.directory.search(&search).await.ok()?.into_iter().next()
    }

    /// Each attribute for itself, so that each right is tried.
    async fn change(&mut self, entry: &Entry) {
        let (mut written, mut untried) = (0, Vec::new());
        let needs = self.needs;
        for target in needs.targets().filter(|target| !NAMES.contains(&target.name.to_lowercase().as_str())) {
            let Some(new) = self.value(target, entry) else {
                untried.push(target.name.as_str());
                continue;
            };
            let change =
                AttributeChange { name: target.name.clone(), old: entry.values(&target.name).to_vec(), new: vec![new] };
            match self.ground.directory.modify(entry.guid, &[change]).await {
                Ok(()) => written += 1,
                refused => self.judge(&format!("write {} of users", target.name), refused),
            }
        }
        self.report.ok(self.name(), format!("{written} attributes were written, each for itself"));
        if !untried.is_empty() {
            let found = format!("not tried, for want of a value: {}", untried.join(", "));
            self.report.warn(self.name(), found, "rely on the computed rights for them");
        }
    }

    /// A value that nobody else has: a probe must not be found where a person is looked for.
    fn value(&self, target: &Target, entry: &Entry) -> Option<String> {
        value_for(&self.ground.schema, &target.name, &self.unique, &entry.dn)
    }

    fn judge(&mut self, what: &str, result: Result<(), DirectoryError>) {
        let name = self.name();
        match result {
            Ok(()) => self.report.ok(name, format!("may {what}")),
            Err(error) if error.code() == Code::HybridSynchronizationActiveDirectoryInsufficientAccessRights => {
                let remedy = "`rollcall-agent rights script` prints what grants it";
                self.report.fail(name, format!("MISSING: may not {what}: {error}"), remedy);
            }
            Err(error) => {
                let remedy = "this is no missing right; see what the text says";
                self.report.warn(name, format!("could not {what}: {error}"), remedy);
            }
        }
    }
}

/// A value that the attribute takes, or `None` where none is known.
fn value_for(schema: &Schema, name: &str, unique: &str, own: &Dn) -> Option<String> {
    match name.to_lowercase().as_str() {
        // Two letters of ISO 3166; NORMAL_ACCOUNT, disabled, password never expires; "now".
        "c" => return Some("DE".to_owned()),
        "useraccountcontrol" => return Some("66050".to_owned()),
        "pwdlastset" => return Some("-1".to_owned()),
        "description" => return Some(WRITTEN_DESCRIPTION.to_owned()),
        "samaccountname" => return Some(format!("{PREFIX}{unique}x")),
        "userprincipalname" => return Some(format!("{PREFIX}{unique}@invalid")),
        _ => {}
    }
    let attribute = schema.attribute(name)?;
    let room = attribute.range_upper.and_then(|chars| usize::try_from(chars).ok()).unwrap_or(usize::MAX);
    match attribute.syntax {
        Syntax::Text => Some(format!("rc{unique}").chars().take(room.max(1)).collect()),
        Syntax::DistinguishedName => Some(own.as_str().to_owned()),
        Syntax::Boolean => Some("TRUE".to_owned()),
        Syntax::Integer | Syntax::LargeInteger => Some("1".to_owned()),
        Syntax::Time => Some("20260101000000.0Z".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next doctor finds a probe by it, whatever was written before this one was killed.
    #[test]
    fn a_written_description_is_still_a_mark() {
        let written = value_for(&Schema::default(), "Description", "1f", &Dn::from_directory("CN=a"));
        assert!(written.is_some_and(|text| MARKS.contains(&text.as_str()) && text != DESCRIPTION));
    }
}
