//! The objects, their indexes, and the update sequence numbers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rasn_ldap::ResultCode;
use rollcall_model::{Clock, Dn, Random};
use secrecy::SecretString;
use uuid::Uuid;

use crate::schema::fold;
use crate::{Dialect, Error, Options, refusal, refusal::Refusal};

pub(crate) type Id = u64;
/// The values of one attribute.
pub(crate) type Values = Vec<Vec<u8>>;

/// Attributes whose equality is looked up, not searched for. A stored `manager` is the other object's [`Id`].
pub(crate) const INDEXED: &[&str] = &["sAMAccountName", "userPrincipalName", "employeeID", "cn", "manager"];
/// Attributes that are made when read, `manager` from what is stored.
pub(crate) const MADE: &[&str] = &["distinguishedName", "objectGUID", "uSNChanged", "manager", "directReports"];
/// userAccountControl (MS-ADTS 2.2.16).
pub(crate) const DISABLED: u32 = 0x2;
pub(crate) const NORMAL_ACCOUNT: u32 = 0x200;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    User,
    OrganizationalUnit,
    /// Made at start; not written to.
    BuiltIn,
}

impl Class {
    /// The attribute that names an object in its container.
    pub(crate) fn naming(self) -> &'static str {
        if self == Self::OrganizationalUnit { "ou" } else { "cn" }
    }
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) dn: Dn,
    pub(crate) class: Class,
    pub(crate) parent: Option<Id>,
    pub(crate) attributes: BTreeMap<&'static str, Values>,
    pub(crate) password: Option<SecretString>,
    guid: Uuid,
    usn_changed: Id,
}

impl Entry {
    /// An object to be inserted.
    pub(crate) fn new(dn: Dn, class: Class, parent: Option<Id>) -> Self {
        let (guid, attributes) = (Uuid::nil(), BTreeMap::new());
        Self { dn, class, parent, attributes, password: None, guid, usn_changed: 0 }
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

pub(crate) struct Tree {
    pub(crate) dialect: Dialect,
    pub(crate) base: Dn,
    /// DNS name of the domain.
    pub(crate) domain: String,
    /// Number of the last change; an object's [`Id`] is that of its add.
    pub(crate) usn: Id,
    pub(crate) entries: BTreeMap<Id, Entry>,
    by_dn: HashMap<String, Id>,
    by_guid: HashMap<Uuid, Id>,
    by_value: HashMap<(&'static str, String), BTreeSet<Id>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Tree {
    /// The domain, its Users container with the accounts, and the NTDS settings that the rootDSE names.
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let base = Dn::parse(&options.base_dn)?;
        let domain = base.normalised().replace("dc=", "").replace(',', ".");
        let mut tree = Self {
            dialect: options.dialect,
            base: base.clone(),
            domain,
            usn: 1_000,
            entries: BTreeMap::new(),
            by_dn: HashMap::new(),
            by_guid: HashMap::new(),
            by_value: HashMap::new(),
            clock: Arc::clone(&options.clock),
            random: Arc::clone(&options.random),
        };
        let mut domain = Entry::new(base.clone(), Class::BuiltIn, None);
        domain.set("objectClass", &["top", "domain", "domainDNS"]);
        for (name, value) in [("minPwdLength", "7"), ("pwdProperties", "1"), ("lockoutThreshold", "0")] {
            domain.set(name, &[value]);
        }
        let root = tree.insert(domain);
        let mut users = Entry::new(base.child("CN", "Users"), Class::BuiltIn, Some(root));
        users.set("objectClass", &["top", "container"]);
        let users = tree.insert(users);
        let mut settings = Entry::new(tree.settings(), Class::BuiltIn, None);
        settings.set("objectClass", &["top", "applicationSettings", "nTDSDSA"]);
        settings.attributes.insert("invocationId", vec![options.random.uuid_v4().to_bytes_le().to_vec()]);
        tree.insert(settings);
        for account in &options.accounts {
            let dn = child(&tree.name_of(users), Class::User, &account.name);
            let mut user = Entry::new(dn, Class::User, Some(users));
            tree.furnish(&mut user, &account.name);
            user.set("userAccountControl", &["512"]);
            user.set("userPrincipalName", &[&format!("{}@{}", account.name, tree.domain)]);
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
    pub(crate) fn furnish(&self, user: &mut Entry, account_name: &str) {
        user.set("objectClass", &["top", "person", "organizationalPerson", "user"]);
        user.set("objectCategory", &[&self.category("Person")]);
        user.set("accountExpires", &["9223372036854775807"]);
        user.set("pwdLastSet", &["0"]);
        user.set("sAMAccountName", &[account_name]);
        user.set("userAccountControl", &["546"]);
    }

    pub(crate) fn category(&self, class: &str) -> String {
        format!("CN={class},CN=Schema,CN=Configuration,{}", self.base)
    }

    /// The object a request names: by DN or `<GUID=...>`.
    pub(crate) fn resolve(&self, name: &str, broken: &str) -> Result<Option<Id>, Refusal> {
        if let Some(guid) = name.strip_prefix("<GUID=").and_then(|rest| rest.strip_suffix('>')) {
            let guid = Uuid::parse_str(guid).map_err(|_| refusal::bad_dn(broken))?;
            let missing = || Refusal::new(ResultCode::NoSuchObject, format!("Base-DN '{name}' not found"));
            return self.by_guid.get(&guid).copied().map(Some).ok_or_else(missing);
        }
        read_dn(name).map(|dn| self.at(&dn)).ok_or_else(|| refusal::bad_dn(broken))
    }

    pub(crate) fn at(&self, dn: &Dn) -> Option<Id> {
        self.by_dn.get(&dn.normalised()).copied()
    }

    pub(crate) fn name_of(&self, id: Id) -> Dn {
        self.entries.get(&id).map_or_else(|| self.base.clone(), |entry| entry.dn.clone())
    }

    pub(crate) fn with_guid(&self, bytes: &[u8]) -> Option<Id> {
        self.by_guid.get(&Uuid::from_bytes_le(bytes.try_into().ok()?)).copied()
    }

    /// Those whose indexed attribute has this value.
    pub(crate) fn with_value(&self, name: &'static str, value: &[u8]) -> BTreeSet<Id> {
        self.by_value.get(&(name, fold(value))).cloned().unwrap_or_default()
    }

    /// An attribute as it is read.
    pub(crate) fn values(&self, entry: &Entry, name: &str) -> Values {
        let one = |text: String| vec![text.into_bytes()];
        let names = |ids: BTreeSet<Id>| ids.into_iter().map(|id| self.name_of(id).to_string().into_bytes()).collect();
        match name {
            "distinguishedName" => one(entry.dn.to_string()),
            "objectGUID" => vec![entry.guid.to_bytes_le().to_vec()],
            "uSNChanged" => one(entry.usn_changed.to_string()),
            "manager" => names(entry.text(name).and_then(|id| id.parse().ok()).into_iter().collect()),
            "directReports" => names(
                self.at(&entry.dn).map(|id| self.with_value("manager", id.to_string().as_bytes())).unwrap_or_default(),
            ),
            _ => entry.attributes.get(name).cloned().unwrap_or_default(),
        }
    }

    /// Takes a new object in and gives it its GUID and USN.
    pub(crate) fn insert(&mut self, mut entry: Entry) -> Id {
        let id = self.usn + 1;
        entry.guid = self.random.uuid_v4();
        self.by_guid.insert(entry.guid, id);
        self.put(id, entry);
        id
    }

    /// Puts a changed object in the place of what it was and raises its USN.
    pub(crate) fn replace(&mut self, id: Id, entry: Entry) {
        self.take(id);
        self.put(id, entry);
    }

    /// Removes an object; links to it go with it, and nobody's USN is raised.
    pub(crate) fn remove(&mut self, id: Id) {
        let Some(old) = self.take(id) else { return };
        self.by_guid.remove(&old.guid);
        for report in self.by_value.remove(&("manager", id.to_string())).unwrap_or_default() {
            if let Some(report) = self.entries.get_mut(&report) {
                report.attributes.remove("manager");
            }
        }
        self.usn += 1;
    }

    fn put(&mut self, id: Id, mut entry: Entry) {
        self.usn += 1;
        entry.usn_changed = self.usn;
        if let Some(value) = entry.dn.leaf_value() {
            entry.set("name", &[&value]);
            entry.set(entry.class.naming(), &[&value]);
        }
        self.by_dn.insert(entry.dn.normalised(), id);
        for key in keys(&entry) {
            self.by_value.entry(key).or_default().insert(id);
        }
        self.entries.insert(id, entry);
    }

    /// Takes an object out of the tree and of all indexes but that of its GUID.
    fn take(&mut self, id: Id) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.by_dn.remove(&entry.dn.normalised());
        for key in keys(&entry) {
            self.by_value.entry(key).or_default().remove(&id);
        }
        Some(entry)
    }

    /// Now, in 100 ns since 1601 (MS-DTYP 2.3.3).
    pub(crate) fn file_time(&self) -> String {
        ((self.clock.now().0 + 11_644_473_600_000_000) * 10).to_string()
    }
}

/// What an object is found by in [`Tree::by_value`].
fn keys(entry: &Entry) -> Vec<(&'static str, String)> {
    let values = |name: &&'static str| (*name, entry.attributes.get(name).into_iter().flatten());
    INDEXED.iter().map(values).flat_map(|(name, values)| values.map(move |value| (name, fold(value)))).collect()
}

/// A DN as Samba reads it: a bare `=` in a value is refused.
pub(crate) fn read_dn(text: &str) -> Option<Dn> {
    let plain = text.replace("\\\\", "").replace("\\,", "").replace("\\=", "");
    let has_bare_equals = plain.split(',').any(|part| part.matches('=').count() > 1);
    Dn::parse(text).ok().filter(|_| !has_bare_equals)
}

/// The name of a child as Samba spells it: `\3D` and `\3B` for `=` and `;`, and `#` escaped wherever it stands.
pub(crate) fn child(container: &Dn, class: Class, value: &str) -> Dn {
    let spell = |c: char| match c {
        ',' | '+' | '"' | '\\' | '<' | '>' | '#' => format!("\\{c}"),
        '=' | ';' | '\0'..='\x1F' => format!("\\{:02X}", u32::from(c)),
        c => c.to_string(),
    };
    let spelled: String = value.chars().map(spell).collect();
    Dn::from_directory(&format!("{}={spelled},{container}", class.naming().to_uppercase()))
}
