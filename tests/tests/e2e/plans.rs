//! Plans on a real domain: the agent's own work makes a table of desired states so, and a hundred random ones. What was
//! asked for is there afterwards, nothing else has changed, and planned again there is nothing to do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use rollcall_agent::Connector;
use rollcall_agent::drill::Drill;
use rollcall_directory::ldap::{LdapDirectory, LdapOptions};
use rollcall_directory::{Add, Error as DirectoryError, Filter, Read as _, Scope, Search, Write};
use rollcall_model::config::{Apply, InitialPassword};
use rollcall_model::desired::{
    DesiredAccount, DesiredAttribute, DesiredContainer, DesiredManager, DesiredState, Extent, IfAbsent, MatchRule,
    MayWrite,
};
use rollcall_model::ids::{ObjectGuid, PersonId, Version};
use rollcall_model::observed::Entry;
use rollcall_model::outcome::Conclusion;
use rollcall_model::person::Link;
use rollcall_model::{Code, Dn};
use rollcall_tests::collect::LabInfo;

use super::lab::{Lab, Options};

const RANDOM_CASES: u32 = 100;
const SEED: u64 = 20_261_123;

#[tokio::test]
async fn samba() -> anyhow::Result<()> {
    let lab = Lab::up(Options { directory: "samba", store: "sqlite", agents: 1 }).await?;
    plans_reach_what_is_asked_for(&lab.info).await
}

async fn plans_reach_what_is_asked_for(lab: &LabInfo) -> anyhow::Result<()> {
    let site = Site::open(lab)?;
    let folder = tempfile::tempdir()?;
    let mut drill = Drill::start(&folder.path().join("journal"), Arc::new(site.clone()))?;
    let mut cases = table();
    let mut random = Random(SEED);
    cases.extend((0..RANDOM_CASES).map(|number| random.case(number)));
    let before = site.make(&cases).await?;
    let wanted: Vec<DesiredState> =
        cases.iter().zip(&before).map(|(case, entry)| site.desired(case, entry, &before, &cases)).collect();

    let outcomes = drill.carry_out(wanted.clone()).await;
    ensure!(outcomes.len() == cases.len(), "{} outcomes", outcomes.len());
    for outcome in &outcomes {
        let is_well = matches!(outcome.result, Conclusion::Done | Conclusion::Skipped(Code::RedundantExport));
        ensure!(is_well && outcome.refused.is_empty(), "{outcome:#?}");
    }
    let mut broken = Vec::new();
    for ((case, before), wanted) in cases.iter().zip(&before).zip(&wanted) {
        let after = site.read(before.guid).await?;
        broken
            .extend(site.judge(case, wanted, before, &after).into_iter().map(|what| format!("{}: {what}", case.name)));
    }
    ensure!(broken.is_empty(), "{}", broken.join("\n"));

    for outcome in drill.carry_out(wanted).await {
        let is_quiet = outcome.result == Conclusion::Skipped(Code::RedundantExport) && outcome.changes.is_empty();
        ensure!(is_quiet, "planned again: {outcome:#?}");
    }
    Ok(())
}

/// One account, as it is found and as it is to be.
#[derive(Clone, Debug, Default)]
struct Case {
    name: String,
    held: Vec<(&'static str, Vec<String>)>,
    wanted: Vec<(&'static str, Apply, Vec<String>)>,
    /// What we wrote into proxyAddresses before.
    owned: Vec<String>,
    /// Name of the account; the case's own where it is `None`.
    cn: Option<String>,
    rename: Option<String>,
    moves: bool,
    disable: bool,
    /// Case that names the manager's account.
    manager: Option<String>,
}

fn list(text: &str) -> Vec<String> {
    text.split('|').filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

impl Case {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Values of one attribute: found, and asked for.
    fn of(mut self, attribute: &'static str, held: &str, wanted: &str) -> Self {
        self.held.push((attribute, list(held)));
        self.wanted.push((attribute, Apply::Always, list(wanted)));
        self
    }

    fn apply(mut self, apply: Apply) -> Self {
        if let Some(last) = self.wanted.last_mut() {
            last.1 = apply;
        }
        self
    }

    fn owned(self, values: &str) -> Self {
        Self { owned: list(values), ..self }
    }

    fn renamed(self, from: &str, to: &str) -> Self {
        Self { cn: Some(from.to_owned()), rename: Some(to.to_owned()), ..self }
    }

    fn managed_by(self, name: &str) -> Self {
        Self { manager: Some(name.to_owned()), ..self }
    }
}

/// What must work, case by case.
fn table() -> Vec<Case> {
    let mut all = vec![
        Case::new("title").of("title", "Miss", "Countess"),
        Case::new("spelling").of("title", "COUNTESS", "Countess"),
        Case::new("clear").of("title", "Miss", ""),
        Case::new("list").of("otherTelephone", "1|2|3", "3|4"),
        Case::new("list spelling").of("otherTelephone", "ext a|b", "EXT A|b|c"),
        Case::new("list only adds").of("otherTelephone", "a|b", "A|c").apply(Apply::MultiValueAddOnly),
        Case::new("fills").of("title", "", "Countess").apply(Apply::AttributeAddOnly),
        Case::new("fills nothing").of("title", "Miss", "Countess").apply(Apply::AttributeAddOnly),
        Case::new("never expires").of("accountExpires", "0", "9223372036854775807"),
        Case::new("expires").of("accountExpires", "0", "134000000000000000"),
        Case::new("primary").of("proxyAddresses", "SMTP:a@x.test|X500:/o=a|sip:a@x.test", "SMTP:b@x.test"),
        Case::new("promoted").of("proxyAddresses", "SMTP:c@x.test|smtp:d@x.test", "SMTP:d@x.test|smtp:c@x.test"),
        Case::new("address spelling").of("proxyAddresses", "SMTP:E@X.test", "SMTP:e@x.test"),
        Case::new("alias leaves")
            .of("proxyAddresses", "SMTP:f@x.test|smtp:g@x.test|smtp:h@x.test", "SMTP:f@x.test")
            .owned("SMTP:f@x.test|smtp:g@x.test"),
        Case::new("account name spelling").of("sAMAccountName", "plans-spelling", "Plans-Spelling"),
        Case::new("upn spelling").of("userPrincipalName", "plans-upn@x.test", "Plans-UPN@x.test"),
        Case::new("rename").renamed("plans before", "plans after"),
        Case::new("rename spelling").renamed("plans case", "Plans CASE"),
        Case::new("hostile name").renamed("plans plain", "Byron, \"Ada\" <x>+y;z\\=#"),
        Case::new("one").managed_by("two").of("department", "", "R&D"),
        Case::new("two").managed_by("one"),
    ];
    all.push(Case { moves: true, disable: true, ..Case::new("move").of("title", "a", "b") });
    all.push(Case { moves: true, ..Case::new("move and rename").renamed("plans here", "plans there") });
    // Two swap everything, three go in a circle, and one takes what is given up.
    for (name, from, to) in [("swap 1", 1, 2), ("swap 2", 2, 1), ("ring 1", 3, 4), ("ring 2", 4, 5), ("ring 3", 5, 3)] {
        let case = Case::new(name).renamed(&format!("plans name {from}"), &format!("plans name {to}"));
        let case = case.of("sAMAccountName", &format!("plans-name{from}"), &format!("plans-name{to}"));
        all.push(case.of("userPrincipalName", &format!("name{from}@x.test"), &format!("name{to}@x.test")));
    }
    all.push(Case::new("next").of("sAMAccountName", "plans-name6", "plans-name7"));
    all.push(Case::new("gives up").of("sAMAccountName", "plans-name7", "plans-name8"));
    all
}

/// The same numbers in each run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn some(&mut self, from: &[&str], most: u64) -> String {
        let count = self.below(most + 1);
        let mut all: Vec<&str> = Vec::new();
        for _ in 0..count {
            let value = from[usize::try_from(self.below(from.len() as u64)).unwrap_or(0)];
            if !all.iter().any(|held| held.to_lowercase() == value.to_lowercase()) {
                all.push(value);
            }
        }
        all.join("|")
    }

    fn case(&mut self, number: u32) -> Case {
        const APPLIES: [Apply; 4] =
            [Apply::Always, Apply::MultiValueAddOnly, Apply::ValueAddOnly, Apply::AttributeAddOnly];
        const WORDS: &[&str] =
            &["a", "A", "b", "B", "\u{e4}rger", "\u{c4}rger", "x (y) * \\ z", "\u{1f600}", "\u{65e5}"];
        const MAIL: &[&str] = &[
            "SMTP:a@x",
            "SMTP:b@x",
            "smtp:a@x",
            "smtp:b@x",
            "smtp:C@x",
            "smtp:c@x",
            "sip:a@x",
            "SIP:a@x",
            "X500:/o=a/cn=b",
            "x500:/O=A/cn=B",
            "eum:1",
        ];
        let mut case = Case::new(&format!("random {number}"));
        for attribute in ["title", "department"] {
            let (held, wanted) = (self.some(WORDS, 1), self.some(WORDS, 1));
            case = case.of(attribute, &held, &wanted);
        }
        for attribute in ["otherTelephone", "otherMobile", "url", "proxyAddresses"] {
            let words = if attribute == "proxyAddresses" { MAIL } else { WORDS };
            let (held, wanted) = (self.some(words, 4), self.some(words, 4));
            let apply = APPLIES[usize::try_from(self.below(4)).unwrap_or(0)];
            case = case.of(attribute, &held, &wanted).apply(apply);
        }
        case = case.owned(&self.some(MAIL, 4));
        (case.moves, case.disable) = (self.below(4) == 0, self.below(4) == 0);
        if self.below(2) == 0 {
            case = case.renamed(&format!("plans r {number}"), &format!("Plans R{} {number}", self.below(3)));
        }
        case
    }
}

/// The domain, as the agent's account sees it.
#[derive(Clone)]
struct Site {
    options: LdapOptions,
    directory: Arc<LdapDirectory>,
    base: Dn,
    here: Dn,
    there: Dn,
}

#[async_trait]
impl Connector for Site {
    async fn connect(&self) -> Result<Arc<dyn Write>, DirectoryError> {
        Ok(Arc::new(LdapDirectory::new(self.options.clone())?))
    }
}

impl Site {
    fn open(lab: &LabInfo) -> anyhow::Result<Self> {
        let password = std::fs::read_to_string(Path::new(&lab.dir).join("agents/1/bind.password"))?;
        let mut options = LdapOptions::new(lab.ldap.as_str(), lab.agent_bind_dn.as_str(), password.into());
        options.ca_file = Some(lab.ca.clone());
        let directory = Arc::new(LdapDirectory::new(options.clone())?);
        let (base, here, there) = (Dn::parse(&lab.base_dn)?, Dn::parse(&lab.users_ou)?, Dn::parse(&lab.other_ou)?);
        Ok(Self { options, directory, base, here, there })
    }

    /// Makes the accounts as they are found.
    async fn make(&self, cases: &[Case]) -> anyhow::Result<Vec<Entry>> {
        let mut made = Vec::new();
        // A write waits for no connection.
        self.directory.root_dse().await?;
        for (at, case) in cases.iter().enumerate() {
            let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (name, value) in [
                ("objectClass", "user".to_owned()),
                ("sAMAccountName", format!("plans{at}")),
                ("userPrincipalName", format!("plans{at}@x.test")),
                ("employeeID", format!("PLANS{at}")),
                // Enabled, its password never expires, and it need not have one.
                ("userAccountControl", (512 | 0x1_0000 | 0x20).to_string()),
                ("info", "by hand".to_owned()),
                ("extensionName", "Z".to_owned()),
            ] {
                attributes.insert(name.to_owned(), vec![value]);
            }
            for (name, values) in &case.held {
                attributes.insert((*name).to_owned(), values.clone());
            }
            let dn = self.here.child("CN", case.cn.as_ref().unwrap_or(&format!("plans {at}")));
            self.directory.add(&Add { dn: dn.clone(), attributes }, None).await.with_context(|| case.name.clone())?;
            made.push(self.one(&dn, Scope::Base, Filter::Present("objectClass".to_owned())).await?);
        }
        Ok(made)
    }

    async fn read(&self, guid: ObjectGuid) -> anyhow::Result<Entry> {
        self.one(&self.base, Scope::Subtree, Filter::Guid(guid)).await
    }

    async fn one(&self, base: &Dn, scope: Scope, filter: Filter) -> anyhow::Result<Entry> {
        let search = Search { base: base.clone(), scope, filter, attributes: vec!["*".to_owned()] };
        self.directory.search(&search).await?.pop().with_context(|| format!("nothing at {base}"))
    }

    fn desired(&self, case: &Case, entry: &Entry, all: &[Entry], cases: &[Case]) -> DesiredState {
        let number = entry.value("employeeID").unwrap_or_default().to_owned();
        let matching = vec![MatchRule { attribute: "employeeID".to_owned(), value: number.clone() }];
        let attribute = |(name, apply, values): &(&'static str, Apply, Vec<String>)| DesiredAttribute {
            name: (*name).to_owned(),
            values: values.clone(),
            apply: *apply,
            may_write: MayWrite::Yes,
            mandatory: false,
            redacted: false,
            owned: if *name == "proxyAddresses" { case.owned.clone() } else { vec![] },
        };
        let manager = case.manager.as_ref().and_then(|name| cases.iter().position(|case| case.name == *name));
        DesiredState {
            person: PersonId(entry.guid.0),
            external_id: number,
            version: Version(1),
            link: Some(Link { guid: entry.guid, confirmed: true, invocation_id: None, usn_changed: None }),
            matching,
            account: if case.disable { DesiredAccount::Disabled } else { DesiredAccount::EnabledIfNew },
            delete: false,
            if_absent: IfAbsent::Skip,
            extent: Extent::Everything,
            if_absent_code: None,
            leave_existing: false,
            out_of_scope: false,
            attributes: case.wanted.iter().map(attribute).collect(),
            unique: vec![],
            cn: case.rename.clone(),
            rename: case.rename.as_ref().map(|_| MayWrite::Yes),
            container: DesiredContainer {
                mapped: case.moves.then(|| self.there.as_str().to_owned()),
                default: None,
                may_move: true,
            },
            manager: manager.map(|at| DesiredManager {
                external_id: all[at].value("employeeID").unwrap_or_default().to_owned(),
                guid: Some(all[at].guid),
                matching: vec![],
                may_write: MayWrite::Yes,
            }),
            must_change_password: false,
            initial_password: InitialPassword::Generated,
            enable_found_disabled: false,
            last_left_enabled: None,
            failure: None,
            warnings: vec![],
        }
    }

    /// What is not as it should be; said without the code that plans.
    fn judge(&self, case: &Case, wanted: &DesiredState, before: &Entry, after: &Entry) -> Vec<String> {
        let mut broken = Vec::new();
        let mut expect = |what: &str, is_so: bool| {
            if !is_so {
                broken.push(format!("{what}: {wanted:?}\n  before {before:?}\n  after {after:?}"));
            }
        };
        for (name, apply, values) in &case.wanted {
            expect(name, is_reached(name, *apply, values, &case.owned, before.values(name), after.values(name)));
        }
        let container = if case.moves { &self.there } else { &self.here };
        expect("container", after.dn.parent().is_some_and(|dn| dn.same_as(container)));
        let name = case.rename.clone().or_else(|| before.dn.leaf_value());
        expect("name", after.dn.leaf_value() == name);
        let bits = |entry: &Entry| entry.account_control().unwrap_or(0);
        expect("bits", bits(after) == bits(before) | if case.disable { 2 } else { 0 });
        expect("manager", case.manager.is_some() == after.value("manager").is_some());
        // Ours, and what the directory itself keeps.
        let mut named: BTreeSet<String> = case.wanted.iter().map(|(name, ..)| name.to_lowercase()).collect();
        named.extend(["manager", "useraccountcontrol", "whenchanged", "usnchanged"].map(str::to_owned));
        // A list of who is managed, which the other's manager fills.
        named.extend(["directreports", "distinguishedname", "cn", "name"].map(str::to_owned));
        let others = |entry: &Entry| -> BTreeMap<String, Vec<String>> {
            let held = entry.attributes.clone().into_iter();
            held.filter(|(name, _)| !named.contains(name)).collect()
        };
        expect("the other attributes", others(before) == others(after));
        broken
    }
}

fn folded(values: &[String]) -> BTreeSet<String> {
    values.iter().map(|value| value.to_lowercase()).collect()
}

fn is_reached(
    name: &str,
    apply: Apply,
    wanted: &[String],
    owned: &[String],
    before: &[String],
    after: &[String],
) -> bool {
    let sorted = |values: &[String]| values.iter().cloned().collect::<BTreeSet<_>>();
    let (all_folded, was_folded) = (folded(after), folded(before));
    match apply {
        Apply::OnCreate => sorted(before) == sorted(after),
        Apply::AttributeAddOnly if !before.is_empty() => sorted(before) == sorted(after),
        _ if name == "proxyAddresses" => {
            let primaries: Vec<&String> = after.iter().filter(|value| value.starts_with("SMTP:")).collect();
            let named = wanted.iter().find(|value| value.starts_with("SMTP:"));
            let is_mail = |value: &String| value.starts_with("smtp:");
            let may_go = |value: &String| apply == Apply::Always && is_mail(value) && folded(owned).contains(value);
            folded(wanted).is_subset(&all_folded)
                && was_folded.iter().all(|value| all_folded.contains(value) || may_go(value))
                && all_folded.iter().all(|value| was_folded.contains(value) || folded(wanted).contains(value))
                && named.is_none_or(|named| primaries == [named])
        }
        Apply::MultiValueAddOnly | Apply::ValueAddOnly => {
            sorted(before).is_subset(&sorted(after)) && folded(wanted).is_subset(&all_folded)
        }
        // To an account 0 and the greatest number both mean never.
        Apply::Always if name == "accountExpires" && wanted == ["9223372036854775807"] => {
            sorted(before) == sorted(after)
        }
        Apply::Always | Apply::AttributeAddOnly => sorted(after) == sorted(wanted),
    }
}
