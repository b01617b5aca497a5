//! A directory in memory, and what else the tests of this crate share.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rollcall_directory::{Add, Error, Filter, Read, RootDse, Scope, Search, Write};
use rollcall_model::config::Apply;
use rollcall_model::desired::{
    DesiredAccount, DesiredAttribute, DesiredContainer, DesiredState, Extent, IfAbsent, MatchRule, MayWrite,
};
use rollcall_model::ids::{ObjectGuid, PersonId, Version};
use rollcall_model::observed::Entry;
use rollcall_model::plan::{AttributeChange, LdapFailure};
use rollcall_model::{Clock, Code, Dn, Random, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::controller::Connector;
use crate::fence::LeaseClock;

pub(crate) const BASE: &str = "DC=corp,DC=test";
pub(crate) const STAFF: &str = "OU=Staff,DC=corp,DC=test";
pub(crate) const OTHER: &str = "OU=Other,DC=corp,DC=test";

/// Both clocks, set by hand.
#[derive(Default)]
pub(crate) struct TestClock(pub(crate) AtomicI64);

impl LeaseClock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000_000 + self.0.load(Ordering::SeqCst) * 1_000)
    }
}

/// Different bytes at each call, the same in each run.
#[derive(Default)]
pub(crate) struct TestRandom(AtomicU64);

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let mut x = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
            x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = x.to_le_bytes()[5];
        }
    }
}

/// What the next write meets.
#[derive(Clone, Debug)]
pub(crate) enum Strike {
    Refuse(Code),
    LoseBefore,
    LoseAfter,
    /// No answer now, and the add is made just before the next one.
    LoseLate,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "a fake's switches, each for a test of its own")]
pub(crate) struct Inner {
    pub(crate) entries: Vec<Entry>,
    pub(crate) strikes: VecDeque<Strike>,
    /// Attributes that no write may hold, and whether the refusal names them.
    pub(crate) refused: BTreeMap<String, bool>,
    pub(crate) weak_passwords: u32,
    pub(crate) passwords: Vec<String>,
    /// Every write that was asked for.
    pub(crate) asked: Vec<String>,
    /// Every write that was made.
    pub(crate) made: Vec<String>,
    pub(crate) refuse_bind: bool,
    pub(crate) down: bool,
    pub(crate) delay_ms: u64,
    /// How long one write takes, where they are made one after the other.
    pub(crate) serial_ms: u64,
    /// Until when the writes take that were asked for.
    pub(crate) serial_until: Option<tokio::time::Instant>,
    /// Writes that have reached the directory, made or not.
    pub(crate) begun: u32,
    /// Accounts that appear just before the next add.
    pub(crate) late: Vec<(Dn, BTreeMap<String, Vec<String>>)>,
    /// What it has of the controller before, if it says.
    pub(crate) has_of: Option<i64>,
    /// Whether deleted objects can be seen.
    pub(crate) shows_deleted: bool,
    pub(crate) deleted: Vec<Entry>,
    /// The next search gets no answer.
    pub(crate) lost_next_search: bool,
    /// Searches so far.
    pub(crate) searches: u32,
    /// How long a search takes.
    pub(crate) search_ms: u64,
    /// Searches for new accounts that get no answer.
    pub(crate) lost_looks: u32,
    /// A value for which no search is answered in time.
    pub(crate) slow_value: Option<String>,
    /// A value whose search always ends the connection.
    pub(crate) deadly_value: Option<String>,
    /// The beginning of a name whose add always ends the connection, with all that is under way on it.
    pub(crate) deadly_add: Option<String>,
    /// How often the connection has ended so.
    ends: u32,
    is_late: bool,
    /// Values are compared as AD does, without diacritics.
    pub(crate) folds: bool,
    /// Searches for a cn find nothing.
    pub(crate) blind: bool,
    /// Another administrator's edit, just before the next write.
    pub(crate) meddling: VecDeque<(String, String)>,
    next: u128,
}

/// An AD-like directory: unique names, values deleted before they are added.
#[derive(Clone, Default)]
pub(crate) struct FakeDirectory(pub(crate) Arc<Mutex<Inner>>);

fn refused(code: Code, attribute: Option<&str>) -> Error {
    let ldap = LdapFailure { result_code: 19, diagnostic: format!("refused: {code}"), dn: String::new() };
    Error::Refused { code, attribute: attribute.map(str::to_owned), ldap }
}

fn lost() -> Error {
    Error::Unreachable { code: Code::EndpointUnavailable, text: "the connection broke".to_owned() }
}

impl FakeDirectory {
    pub(crate) fn set<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    pub(crate) fn made(&self) -> Vec<String> {
        self.set(|inner| inner.made.clone())
    }

    pub(crate) fn entry(&self, dn: &str) -> Entry {
        self.set(|inner| inner.entries.iter().find(|entry| entry.dn.as_str() == dn).cloned())
            .unwrap_or_else(|| panic!("no {dn}"))
    }

    /// An account that is there already.
    pub(crate) fn put(&self, dn: &str, attributes: &[(&str, &str)]) -> ObjectGuid {
        self.set(|inner| {
            let mut all: BTreeMap<String, Vec<String>> =
                attributes.iter().map(|(name, value)| (name.to_lowercase(), vec![(*value).to_owned()])).collect();
            all.entry("useraccountcontrol".to_owned()).or_insert_with(|| vec!["512".to_owned()]);
            inner.insert(&Dn::from_directory(dn), all)
        })
    }

    /// Before a write: delays, meddling, and what it meets. `Ok(true)`: the answer is lost after it is made.
    async fn begin(&self, text: String, names: &[String]) -> Result<bool, Error> {
        let delay = self.set(|inner| {
            inner.begun += 1;
            inner.delay_ms
        });
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let ends = self.set(|inner| inner.ends);
        let done = self.set(|inner| {
            let now = tokio::time::Instant::now();
            let done = inner.serial_until.map_or(now, |until| until.max(now)) + Duration::from_millis(inner.serial_ms);
            if inner.serial_ms > 0 {
                inner.serial_until = Some(done);
            }
            done
        });
        tokio::time::sleep_until(done).await;
        self.set(|inner| {
            if inner.down {
                return Err(lost());
            }
            if inner.ends > ends {
                return Err(lost());
            }
            if inner.deadly_add.as_ref().is_some_and(|name| text.starts_with(&format!("add {name}"))) {
                inner.ends += 1;
                return Err(lost());
            }
            inner.asked.push(text);
            if let Some((name, value)) = inner.meddling.pop_front() {
                for entry in &mut inner.entries {
                    entry.attributes.insert(name.clone(), vec![value.clone()]);
                }
            }
            if let Some((name, is_named)) =
                inner.refused.iter().find(|(name, _)| names.iter().any(|held| held.eq_ignore_ascii_case(name)))
            {
                let code = Code::HybridSynchronizationActiveDirectoryInvalidParameter;
                return Err(refused(code, is_named.then_some(name.as_str())));
            }
            match inner.strikes.pop_front() {
                None => Ok(false),
                Some(Strike::Refuse(code)) => Err(refused(code, None)),
                Some(Strike::LoseBefore) => Err(lost()),
                Some(Strike::LoseLate) => {
                    inner.is_late = true;
                    Err(lost())
                }
                Some(Strike::LoseAfter) => Ok(true),
            }
        })
    }
}

impl Inner {
    fn insert(&mut self, dn: &Dn, attributes: BTreeMap<String, Vec<String>>) -> ObjectGuid {
        self.next += 1;
        let guid = ObjectGuid(Uuid::from_u128(0xA000 + self.next));
        let usn_changed = Some(i64::try_from(self.next).unwrap());
        self.entries.push(Entry { dn: dn.clone(), guid, attributes, usn_changed });
        guid
    }
}

fn fits(filter: &Filter, entry: &Entry) -> bool {
    match filter {
        Filter::And(all) => all.iter().all(|one| fits(one, entry)),
        Filter::Or(any) => any.iter().any(|one| fits(one, entry)),
        Filter::Equal(name, _) if name == "objectCategory" || name == "objectClass" => true,
        Filter::Equal(name, value) => entry.values(name).iter().any(|held| held.eq_ignore_ascii_case(value)),
        Filter::AtLeast(_, number) => entry.usn_changed.is_some_and(|held| held >= *number),
        Filter::Guid(guid) => entry.guid == *guid,
        Filter::Present(_) => true,
    }
}

/// Whether an entry has one of the values if diacritics do not count.
fn folded(filter: &Filter, entry: &Entry) -> bool {
    match filter {
        Filter::Or(any) => any.iter().any(|one| folded(one, entry)),
        Filter::Equal(name, value) => {
            let value = rollcall_model::fold_taken(value);
            entry.values(name).iter().any(|held| rollcall_model::fold_taken(held) == value)
        }
        _ => false,
    }
}

fn asks_about(filter: &Filter, attribute: &str) -> bool {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().any(|one| asks_about(one, attribute)),
        Filter::Equal(name, _) => name.eq_ignore_ascii_case(attribute),
        Filter::AtLeast(..) | Filter::Guid(_) | Filter::Present(_) => false,
    }
}

/// Whether a search looks for what adds have made.
fn reads_back(filter: &Filter) -> bool {
    match filter {
        Filter::Or(any) => any.iter().any(reads_back),
        Filter::Equal(name, _) => name.eq_ignore_ascii_case("sAMAccountName"),
        _ => false,
    }
}

fn asks_for(filter: &Filter, value: &str) -> bool {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().any(|one| asks_for(one, value)),
        Filter::Equal(_, held) => held == value,
        Filter::AtLeast(..) | Filter::Guid(_) | Filter::Present(_) => false,
    }
}

#[async_trait]
impl Read for FakeDirectory {
    async fn root_dse(&self) -> Result<RootDse, Error> {
        if self.set(|inner| inner.down) {
            return Err(lost());
        }
        Ok(RootDse {
            dns_host_name: "dc1.corp.test".to_owned(),
            default_naming_context: Dn::from_directory(BASE),
            invocation_id: "invocation-1".to_owned(),
            highest_committed_usn: 1,
            writable: true,
        })
    }

    async fn search_with_deleted(&self, search: &Search) -> Result<Vec<Entry>, Error> {
        let (shown, deleted) = self.set(|inner| (inner.shows_deleted, inner.deleted.clone()));
        if !shown {
            return Ok(vec![]);
        }
        if search.base.as_str().starts_with("<WKGUID=18E2EA80684F11D2B9AA00C04F79F805,") {
            let (dn, attributes) = (search.base.clone(), BTreeMap::new());
            return Ok(vec![Entry { dn, guid: ObjectGuid(Uuid::nil()), attributes, usn_changed: Some(1) }]);
        }
        let mut found = self.search(search).await?;
        found.extend(deleted.into_iter().filter(|entry| fits(&search.filter, entry)));
        Ok(found)
    }

    async fn has_of(&self, _: &str) -> Result<Option<i64>, Error> {
        Ok(self.set(|inner| inner.has_of))
    }

    async fn search(&self, search: &Search) -> Result<Vec<Entry>, Error> {
        let ms = self.set(|inner| {
            inner.searches += 1;
            inner.search_ms
        });
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        self.set(|inner| {
            if inner.down {
                return Err(lost());
            }
            if std::mem::take(&mut inner.lost_next_search) {
                return Err(lost());
            }
            if reads_back(&search.filter) && inner.lost_looks > 0 {
                inner.lost_looks -= 1;
                return Err(lost());
            }
            if inner.deadly_value.as_ref().is_some_and(|value| asks_for(&search.filter, value)) {
                return Err(lost());
            }
            if inner.slow_value.as_ref().is_some_and(|value| asks_for(&search.filter, value)) {
                return Err(Error::Unreachable { code: Code::TimeOut, text: "too slow".to_owned() });
            }
            let within = |entry: &Entry| match search.scope {
                Scope::Base => entry.dn.same_as(&search.base),
                Scope::Subtree => entry.dn.is_within(&search.base),
            };
            if inner.blind && asks_about(&search.filter, "cn") {
                return Ok(vec![]);
            }
            let folds = inner.folds;
            let fits = |entry: &Entry| fits(&search.filter, entry) || (folds && folded(&search.filter, entry));
            let fits = |entry: &&Entry| within(entry) && fits(entry);
            Ok(inner.entries.iter().filter(fits).cloned().collect())
        })
    }
}

#[async_trait]
impl Write for FakeDirectory {
    async fn add(&self, add: &Add, password: Option<&SecretString>) -> Result<(), Error> {
        let names: Vec<String> = add.attributes.keys().cloned().collect();
        let all: BTreeMap<String, Vec<String>> =
            add.attributes.iter().map(|(name, values)| (name.to_lowercase(), values.clone())).collect();
        self.set(|inner| {
            for (dn, attributes) in std::mem::take(&mut inner.late) {
                inner.made.push(format!("add {dn}"));
                inner.insert(&dn, attributes);
            }
        });
        let begun = self.begin(format!("add {}", add.dn), &names).await;
        self.set(|inner| {
            if std::mem::take(&mut inner.is_late) {
                inner.late.push((add.dn.clone(), all.clone()));
            }
        });
        let is_lost = begun?;
        self.set(|inner| {
            inner.passwords.extend(password.map(|password| password.expose_secret().to_owned()));
            if inner.weak_passwords > 0 {
                inner.weak_passwords -= 1;
                return Err(refused(Code::PasswordRefused, None));
            }
            let sam = &add.attributes["sAMAccountName"][0];
            let taken = |entry: &Entry| entry.dn.same_as(&add.dn) || entry.value("sAMAccountName") == Some(sam);
            if inner.entries.iter().any(taken) {
                return Err(refused(Code::EntryConflict, None));
            }
            inner.insert(&add.dn, all);
            inner.made.push(format!("add {}", add.dn));
            if is_lost { Err(lost()) } else { Ok(()) }
        })
    }

    async fn modify(&self, guid: ObjectGuid, changes: &[AttributeChange]) -> Result<(), Error> {
        let names: Vec<String> = changes.iter().map(|change| change.name.clone()).collect();
        let text = format!("modify {}", names.join(" "));
        let is_lost = self.begin(text.clone(), &names).await?;
        self.set(|inner| {
            let Some(entry) = inner.entries.iter_mut().find(|entry| entry.guid == guid) else {
                return Err(refused(Code::StalePlan, None));
            };
            for change in changes {
                let held = entry.values(&change.name).to_vec();
                if change.old.iter().any(|old| !held.contains(old)) || (change.old.is_empty() && !held.is_empty()) {
                    return Err(refused(Code::StalePlan, None));
                }
            }
            for change in changes {
                let values = entry.attributes.entry(change.name.to_lowercase()).or_default();
                values.retain(|value| !change.old.contains(value));
                values.extend(change.new.clone());
            }
            entry.usn_changed = entry.usn_changed.map(|usn| usn + 100);
            inner.made.push(text);
            if is_lost { Err(lost()) } else { Ok(()) }
        })
    }

    async fn rename(&self, guid: ObjectGuid, rdn: &str, container: &Dn) -> Result<(), Error> {
        let is_lost = self.begin(format!("move {rdn}"), &[]).await?;
        self.set(|inner| {
            let after = Dn::from_directory(&format!("{rdn},{container}"));
            if inner.entries.iter().any(|entry| entry.guid != guid && entry.dn.same_as(&after)) {
                return Err(refused(Code::EntryConflict, None));
            }
            if let Some(entry) = inner.entries.iter_mut().find(|entry| entry.guid == guid) {
                entry.dn = after;
            }
            inner.made.push(format!("move {rdn}"));
            if is_lost { Err(lost()) } else { Ok(()) }
        })
    }

    async fn delete(&self, guid: ObjectGuid) -> Result<(), Error> {
        let is_lost = self.begin("delete".to_owned(), &[]).await?;
        self.set(|inner| {
            let Some(at) = inner.entries.iter().position(|entry| entry.guid == guid) else {
                return Err(refused(Code::StalePlan, None));
            };
            let gone = inner.entries.remove(at);
            inner.made.push(format!("delete {}", gone.dn));
            if is_lost { Err(lost()) } else { Ok(()) }
        })
    }
}

#[async_trait]
impl Connector for FakeDirectory {
    async fn connect(&self) -> Result<Arc<dyn Write>, Error> {
        if self.set(|inner| inner.refuse_bind) {
            return Err(refused(Code::BindRefused, None));
        }
        Ok(Arc::new(self.clone()))
    }
}

/// A person with an account to be made in the staff container, with these further attributes.
pub(crate) fn person(number: u128, name: &str, attributes: &[(&str, &str)]) -> DesiredState {
    let attribute = |name: &str, value: &str, mandatory: bool| DesiredAttribute {
        name: name.to_owned(),
        values: vec![value.to_owned()],
        apply: Apply::Always,
        may_write: MayWrite::Yes,
        mandatory,
        redacted: false,
        owned: vec![],
    };
    let external_id = format!("E{number}");
    let mut all = vec![attribute("sAMAccountName", name, true), attribute("employeeID", &external_id, true)];
    all.extend(attributes.iter().map(|(name, value)| attribute(name, value, false)));
    DesiredState {
        person: PersonId(Uuid::from_u128(number)),
        external_id: external_id.clone(),
        version: Version(1),
        link: None,
        matching: vec![MatchRule { attribute: "employeeID".to_owned(), value: external_id }],
        account: DesiredAccount::EnabledIfNewOrFirstLink,
        delete: false,
        if_absent: IfAbsent::Create,
        extent: Extent::Everything,
        if_absent_code: None,
        leave_existing: false,
        out_of_scope: false,
        unique: Vec::new(),
        attributes: all,
        cn: Some(name.to_owned()),
        rename: None,
        container: DesiredContainer { mapped: None, default: Some(STAFF.to_owned()), may_move: false },
        manager: None,
        must_change_password: false,
        initial_password: rollcall_model::config::InitialPassword::Generated,
        enable_found_disabled: false,
        last_left_enabled: None,
        failure: None,
        warnings: vec![],
    }
}
