//! The objects, their indexes, and the update sequence numbers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rollcall_model::{Clock, Dn, Random, Timestamp};
use secrecy::SecretString;
use uuid::Uuid;

use crate::schema::fold;
use crate::{Dialect, Error, Options, refusal, refusal::Refusal};

pub(crate) type Id = u64;
/// The values of one attribute.
pub(crate) type Values = Vec<Vec<u8>>;

/// Attributes whose equality is looked up, not searched for.
pub(crate) const INDEXED: &[&str] = &["sAMAccountName", "userPrincipalName", "employeeID", "cn"];
/// Attributes that are not stored but made when read.
pub(crate) const MADE: &[&str] = &[
    "distinguishedName",
    "objectGUID",
    "uSNChanged",
    "uSNCreated",
    "whenChanged",
    "whenCreated",
    "manager",
    "directReports",
];
/// userAccountControl (MS-ADTS 2.2.16).
pub(crate) const DISABLED: u32 = 0x2;
pub(crate) const NORMAL_ACCOUNT: u32 = 0x200;
/// accountExpires of an account that never does.
pub(crate) const NEVER: &str = "9223372036854775807";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    User,
    OrganizationalUnit,
    /// Made at start; not written to.
    BuiltIn,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) dn: Dn,
    pub(crate) class: Class,
    pub(crate) parent: Option<Id>,
    pub(crate) children: BTreeSet<Id>,
    pub(crate) attributes: BTreeMap<&'static str, Values>,
    pub(crate) manager: Option<Id>,
    pub(crate) reports: BTreeSet<Id>,
    pub(crate) password: Option<SecretString>,
    stamp: Stamp,
}

/// What the directory itself keeps of an object.
#[derive(Clone, Copy, Default)]
struct Stamp {
    guid: Uuid,
    usn_created: i64,
    usn_changed: i64,
    created: Timestamp,
    changed: Timestamp,
}

impl Entry {
    /// An object to be inserted.
    pub(crate) fn new(dn: Dn, class: Class, parent: Option<Id>) -> Self {
        let (children, reports, attributes) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        let stamp = Stamp::default();
        Self { dn, class, parent, children, attributes, manager: None, reports, password: None, stamp }
    }

    pub(crate) fn set(&mut self, name: &'static str, values: &[&str]) {
        self.attributes.insert(name, values.iter().map(|value| value.as_bytes().to_vec()).collect());
    }

    /// The only value of a stored attribute, as text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.attributes.get(name)?.first().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    pub(crate) fn account_control(&self) -> u32 {
        self.text("userAccountControl").and_then(|bits| bits.parse().ok()).unwrap_or(0)
    }
}

#[derive(Default)]
struct Index {
    dns: HashMap<String, Id>,
    guids: HashMap<Uuid, Id>,
    values: HashMap<(&'static str, String), BTreeSet<Id>>,
    usns: BTreeMap<i64, Id>,
}

pub(crate) struct Tree {
    pub(crate) dialect: Dialect,
    pub(crate) base: Dn,
    /// DNS name of the domain.
    pub(crate) domain: String,
    pub(crate) netbios: String,
    pub(crate) usn: i64,
    entries: BTreeMap<Id, Entry>,
    index: Index,
    last_id: Id,
    domain_sid: [u8; 12],
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Tree {
    /// The domain, its Users container with the accounts, and the NTDS settings that the rootDSE names.
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let base = Dn::parse(&options.base_dn)?;
        let domain = base.normalised().replace("dc=", "").replace(',', ".");
        let netbios = domain.split('.').next().unwrap_or_default().to_uppercase();
        let mut domain_sid = [0; 12];
        options.random.fill(&mut domain_sid);
        let mut tree = Self {
            dialect: options.dialect,
            base: base.clone(),
            domain,
            netbios,
            usn: 1_000,
            entries: BTreeMap::new(),
            index: Index::default(),
            last_id: 1_000,
            domain_sid,
            clock: Arc::clone(&options.clock),
            random: Arc::clone(&options.random),
        };
        let built_in = |dn: Dn, parent, classes: &[&str]| {
            let mut entry = Entry::new(dn, Class::BuiltIn, parent);
            entry.set("objectClass", classes);
            entry
        };
        let mut domain = built_in(base.clone(), None, &["top", "domain", "domainDNS"]);
        for (name, value) in [("minPwdLength", "7"), ("pwdProperties", "1"), ("lockoutThreshold", "0")] {
            domain.set(name, &[value]);
        }
        let root = tree.insert(domain);
        let users = tree.insert(built_in(base.child("CN", "Users"), Some(root), &["top", "container"]));
        let mut settings = built_in(tree.settings(), None, &["top", "applicationSettings", "nTDSDSA"]);
        let mut invocation = vec![0; 16];
        options.random.fill(&mut invocation);
        settings.attributes.insert("invocationId", vec![invocation]);
        tree.insert(settings);
        for account in &options.accounts {
            let dn = child(&tree.name_of(users), "CN", &account.name);
            let mut user = Entry::new(dn, Class::User, Some(users));
            tree.furnish(&mut user, &account.name);
            user.set("userAccountControl", &["512"]);
            let principal = format!("{}@{}", account.name, tree.domain);
            user.set("userPrincipalName", &[&principal]);
            user.password = Some(account.password.clone());
            user.set("pwdLastSet", &[&tree.file_time()]);
            tree.insert(user);
        }
        Ok(tree)
    }

    /// DN of the NTDS settings, `dsServiceName` of the rootDSE.
    pub(crate) fn settings(&self) -> Dn {
        let names = ["Configuration", "Sites", "Default-First-Site-Name", "Servers", "DC1", "NTDS Settings"];
        names.iter().fold(self.base.clone(), |container, name| container.child("CN", name))
    }

    /// What a new user has before anything is asked for.
    pub(crate) fn furnish(&mut self, user: &mut Entry, account_name: &str) {
        const ZERO: &[&str] =
            &["badPasswordTime", "badPwdCount", "codePage", "countryCode", "lastLogoff", "lastLogon", "logonCount"];
        for name in ZERO {
            user.set(name, &["0"]);
        }
        user.set("objectClass", &["top", "person", "organizationalPerson", "user"]);
        user.set("objectCategory", &[&self.category("Person")]);
        user.set("accountExpires", &[NEVER]);
        user.set("primaryGroupID", &["513"]);
        user.set("pwdLastSet", &["0"]);
        user.set("sAMAccountType", &["805306368"]);
        user.set("sAMAccountName", &[account_name]);
        user.set("userAccountControl", &["546"]);
        // S-1-5-21-domain-rid (MS-DTYP 2.4.2.2).
        let mut sid = vec![1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0];
        sid.extend(self.domain_sid);
        sid.extend(u32::try_from(self.last_id + 1).unwrap_or(u32::MAX).to_le_bytes());
        user.attributes.insert("objectSid", vec![sid]);
    }

    pub(crate) fn category(&self, class: &str) -> String {
        format!("CN={class},CN=Schema,CN=Configuration,{}", self.base)
    }

    /// The object a request names: by DN or `<GUID=...>`.
    pub(crate) fn resolve(&self, name: &str, broken: &str) -> Result<Option<Id>, Refusal> {
        if let Some(guid) = name.strip_prefix("<GUID=").and_then(|rest| rest.strip_suffix('>')) {
            let guid = Uuid::parse_str(guid).map_err(|_| refusal::bad_dn(broken))?;
            return self.index.guids.get(&guid).copied().map(Some).ok_or_else(|| refusal::no_guid(name));
        }
        read_dn(name).map(|dn| self.at(&dn)).ok_or_else(|| refusal::bad_dn(broken))
    }

    pub(crate) fn at(&self, dn: &Dn) -> Option<Id> {
        self.index.dns.get(&dn.normalised()).copied()
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(crate) fn all(&self) -> BTreeSet<Id> {
        self.entries.keys().copied().collect()
    }

    pub(crate) fn name_of(&self, id: Id) -> Dn {
        self.entries.get(&id).map_or_else(|| self.base.clone(), |entry| entry.dn.clone())
    }

    pub(crate) fn with_guid(&self, bytes: &[u8]) -> Option<Id> {
        self.index.guids.get(&Uuid::from_bytes_le(bytes.try_into().ok()?)).copied()
    }

    /// Those whose indexed attribute has this value.
    pub(crate) fn with_value(&self, name: &'static str, value: &[u8]) -> BTreeSet<Id> {
        self.index.values.get(&(name, fold(value))).cloned().unwrap_or_default()
    }

    pub(crate) fn changed_since(&self, usn: i64) -> BTreeSet<Id> {
        self.index.usns.range(usn..).map(|(_, id)| *id).collect()
    }

    /// An attribute as it is read.
    pub(crate) fn values(&self, entry: &Entry, name: &str) -> Values {
        let one = |text: String| vec![text.into_bytes()];
        match name {
            "distinguishedName" => one(entry.dn.to_string()),
            "objectGUID" => vec![entry.stamp.guid.to_bytes_le().to_vec()],
            "uSNChanged" => one(entry.stamp.usn_changed.to_string()),
            "uSNCreated" => one(entry.stamp.usn_created.to_string()),
            "whenChanged" => one(generalized_time(entry.stamp.changed)),
            "whenCreated" => one(generalized_time(entry.stamp.created)),
            "manager" => entry.manager.iter().map(|id| self.name_of(*id).to_string().into_bytes()).collect(),
            "directReports" => entry.reports.iter().map(|id| self.name_of(*id).to_string().into_bytes()).collect(),
            _ => entry.attributes.get(name).cloned().unwrap_or_default(),
        }
    }

    /// Takes a new object in and gives it its GUID, USN and times.
    pub(crate) fn insert(&mut self, mut entry: Entry) -> Id {
        self.last_id += 1;
        entry.stamp.guid = self.random.uuid_v4();
        entry.stamp.created = self.clock.now();
        entry.stamp.usn_created = self.usn + 1;
        entry.set("instanceType", &["4"]);
        if let Some(parent) = entry.parent.and_then(|parent| self.entries.get_mut(&parent)) {
            parent.children.insert(self.last_id);
        }
        self.index.guids.insert(entry.stamp.guid, self.last_id);
        self.put(self.last_id, entry);
        self.last_id
    }

    /// Puts a changed object in the place of what it was and raises its USN.
    pub(crate) fn replace(&mut self, id: Id, mut entry: Entry) {
        if let Some(old) = self.take(id) {
            // Links may have changed since the caller took its copy: an object can be its own manager.
            entry.reports = old.reports;
            if old.parent != entry.parent {
                for (parent, joins) in [(old.parent, false), (entry.parent, true)] {
                    let Some(parent) = parent.and_then(|parent| self.entries.get_mut(&parent)) else { continue };
                    if joins {
                        parent.children.insert(id)
                    } else {
                        parent.children.remove(&id)
                    };
                }
            }
        }
        self.put(id, entry);
    }

    /// Removes an object; links to it go with it, and nobody's USN is raised.
    pub(crate) fn remove(&mut self, id: Id) {
        let Some(old) = self.take(id) else { return };
        self.index.guids.remove(&old.stamp.guid);
        if let Some(parent) = old.parent.and_then(|parent| self.entries.get_mut(&parent)) {
            parent.children.remove(&id);
        }
        for report in old.reports {
            if let Some(report) = self.entries.get_mut(&report) {
                report.manager = None;
            }
        }
        self.usn += 1;
    }

    fn put(&mut self, id: Id, mut entry: Entry) {
        self.usn += 1;
        entry.stamp.usn_changed = self.usn;
        entry.stamp.changed = self.clock.now();
        if let Some(value) = entry.dn.leaf_value() {
            let naming =
                if entry.dn.rdn().get(..3).is_some_and(|t| t.eq_ignore_ascii_case("ou=")) { "ou" } else { "cn" };
            entry.set("name", &[&value]);
            entry.set(naming, &[&value]);
        }
        self.index.dns.insert(entry.dn.normalised(), id);
        self.index.usns.insert(entry.stamp.usn_changed, id);
        for name in INDEXED {
            for value in entry.attributes.get(name).into_iter().flatten() {
                self.index.values.entry((name, fold(value))).or_default().insert(id);
            }
        }
        let manager = entry.manager;
        self.entries.insert(id, entry);
        if let Some(manager) = manager.and_then(|manager| self.entries.get_mut(&manager)) {
            manager.reports.insert(id);
        }
    }

    /// Takes an object out of the tree and of all indexes but that of its GUID.
    fn take(&mut self, id: Id) -> Option<Entry> {
        let manager = self.entries.get(&id).and_then(|entry| entry.manager);
        if let Some(manager) = manager.and_then(|manager| self.entries.get_mut(&manager)) {
            manager.reports.remove(&id);
        }
        let entry = self.entries.remove(&id)?;
        self.index.dns.remove(&entry.dn.normalised());
        self.index.usns.remove(&entry.stamp.usn_changed);
        for name in INDEXED {
            for value in entry.attributes.get(name).into_iter().flatten() {
                let key = (*name, fold(value));
                if let Some(ids) = self.index.values.get_mut(&key) {
                    ids.remove(&id);
                    if ids.is_empty() {
                        self.index.values.remove(&key);
                    }
                }
            }
        }
        Some(entry)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Now, in 100 ns since 1601 (MS-DTYP 2.3.3).
    pub(crate) fn file_time(&self) -> String {
        ((self.clock.now().0 + 11_644_473_600_000_000) * 10).to_string()
    }

    /// The account name of a user for whom none is given.
    pub(crate) fn random_account_name(&self) -> String {
        format!("${:016X}", self.random.below(u64::MAX))
    }
}

/// A DN as Samba reads it: a bare `=` in a value is refused.
pub(crate) fn read_dn(text: &str) -> Option<Dn> {
    let (mut escaped, mut equals) = (false, 0);
    for c in text.chars() {
        match c {
            ',' if !escaped => equals = 0,
            '=' if !escaped => equals += 1,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        if equals > 1 {
            return None;
        }
    }
    Dn::parse(text).ok()
}

/// The name of a child as Samba spells it: `\3D` and `\3B` for `=` and `;`, and `#` escaped wherever it stands.
pub(crate) fn child(container: &Dn, naming: &str, value: &str) -> Dn {
    let mut spelled = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | '#' => spelled.extend(['\\', c]),
            '=' | ';' | '\0'..='\x1F' => spelled.extend(format!("\\{:02X}", u32::from(c)).chars()),
            c => spelled.push(c),
        }
    }
    Dn::from_directory(&format!("{naming}={spelled},{container}"))
}

/// Text of a time in GeneralizedTime (X.690), as AD prints it.
pub(crate) fn generalized_time(time: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(time.0).unwrap_or_default().strftime("%Y%m%d%H%M%S.0Z").to_string()
}
