//! Add, modify, rename, delete. Checks come in the order in which Samba's modules make them, so that a request with
//! several faults is refused for the same one.

use std::collections::{BTreeMap, BTreeSet};

use rasn_ldap::{ChangeOperation, ModifyDnRequest, ResultCode};
use rollcall_model::Dn;

use crate::Dialect;
use crate::refusal::{self, Refusal, outside};
use crate::schema::{self, Attribute, fold};
use crate::tree::{Class, DISABLED, Entry, Id, NORMAL_ACCOUNT, Tree, Values, child, read_dn};

use ChangeOperation::{Add, Delete, Replace};
use ResultCode::{
    AttributeOrValueExists, ConstraintViolation, InvalidAttributeSyntax, InvalidDnSyntax, NamingViolation,
    NoSuchAttribute, NoSuchObject, NotAllowedOnNonLeaf, NotAllowedOnRdn, ObjectClassViolation, Other,
    UnwillingToPerform,
};

/// Written into a user in ways of their own in an add.
const SETTLED: &[&str] = &["unicodePwd", "userAccountControl", "pwdLastSet", "manager"];
/// Of a user, and written as they come once they are checked.
const CHECKED: &[&str] = &["sAMAccountName", "userPrincipalName", "userAccountControl", "accountExpires", "pwdLastSet"];

/// Operation, attribute, values.
type Change<A> = (ChangeOperation, A, Values);

/// What an add brings, by name in lower case: name and values.
type Given = BTreeMap<String, (String, Values)>;

/// Refuses with this code and text unless it holds.
macro_rules! check {
    ($holds:expr, $code:expr, $($text:tt)+) => { demand($holds, || Refusal::new($code, format!($($text)+)))? };
}

/// Refuses unless it holds.
fn demand(holds: bool, refusal: impl FnOnce() -> Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal()) }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn first<'a>(given: &'a Given, name: &str) -> Option<&'a Vec<u8>> {
    given.get(name)?.1.first()
}

/// Adds a user or an organizationalUnit.
pub(crate) fn add(tree: &mut Tree, name: &str, attributes: Vec<(String, Values)>) -> Result<(), Refusal> {
    let dn = read_dn(name).ok_or_else(|| refusal::bad_dn("ldb_add: invalid dn"))?;
    let mut given = Given::new();
    for (name, values) in attributes {
        check!(is_full(&values), InvalidAttributeSyntax, "Element {name} has empty attribute in ldb message!");
        let former = given.insert(name.to_lowercase(), (name, values));
        demand(former.is_none(), || outside("an attribute given twice"))?;
    }
    let class = class_of(&given, &dn)?;
    let missing = || Refusal::new(NoSuchObject, format!("00002030: objectclass: Cannot add {dn}, no parent!"));
    let parent = place(tree, &dn)?.ok_or_else(missing)?;
    let leaf = naming_value(&dn, class)?;
    let is_leaf = first(&given, class.naming()).is_none_or(|value| fold(value) == fold(leaf.as_bytes()));
    check!(is_leaf, InvalidDnSyntax, "00002032: RDN mismatch on {dn}: ({leaf}) should match");
    let mut entry = Entry::new(child(&tree.name_of(parent), class, &leaf), class, Some(parent));
    if class == Class::User {
        settle_user(tree, &mut entry, tree.at(&dn), &given)?;
    } else {
        entry.set("objectClass", &["top", "organizationalUnit"]);
        entry.set("objectCategory", &[&tree.category("Organizational-Unit")]);
    }
    given.values().try_for_each(|(name, values)| take(tree, &mut entry, name, values))?;
    demand(tree.at(&dn).is_none(), || refusal::dn_exists(tree.dialect, &dn.to_string()))?;
    microsoft_accepts(tree, &entry)?;
    tree.insert(entry);
    Ok(())
}

/// What makes a user: links, names that must be unique, account control, password. `own` has the user's DN already.
fn settle_user(tree: &Tree, user: &mut Entry, own: Option<Id>, given: &Given) -> Result<(), Refusal> {
    let given = |name| first(given, name);
    if let Some(value) = given("manager") {
        user.set("manager", &[&link(tree, value, Add)?.to_string()]);
    }
    let name = given("samaccountname").ok_or_else(|| outside("adding a user without sAMAccountName"))?;
    account_name_free(tree, &text(name), own)?;
    given("userprincipalname").map_or(Ok(()), |value| principal_name_free(tree, value, own))?;
    tree.furnish(user, &text(name));
    if let Some(bits) = given("useraccountcontrol") {
        user.set("userAccountControl", &[&account_control(&text(bits))?]);
    }
    given("unicodepwd").map_or(Ok(()), |value| set_password(tree, user, value))?;
    if let Some(time) = given("pwdlastset") {
        demand(time == b"0", || outside("adding another pwdLastSet than 0"))?;
        user.set("pwdLastSet", &["0"]);
    }
    Ok(())
}

/// Checks an attribute of an add and puts it into the entry.
fn take(tree: &Tree, entry: &mut Entry, name: &str, values: &Values) -> Result<(), Refusal> {
    let known = known(name, "0000200A: objectclass_attrs")?;
    let (name, dn) = (known.name, entry.dn.to_string());
    let is_settled = name == entry.class.naming() || entry.class == Class::User && SETTLED.contains(&name);
    if is_settled && values.len() == 1 || name == "objectClass" {
        return Ok(());
    }
    demand(!known.is('x') || known.is('b'), || outside(format_args!("adding {name}")))?;
    permitted(tree, entry, known, values)?;
    check!(!known.is('s') || values.len() < 2, ConstraintViolation, "0000202F: SINGLE-VALUE attribute {name} on {dn}");
    let is_recorded = !values.is_empty() && (known.is_plain() || CHECKED.contains(&name));
    demand(is_recorded, || outside(format_args!("adding {name}")))?;
    apply(entry, Replace, known, values).map(|_| ())
}

/// Changes attributes: all of it or nothing.
pub(crate) fn modify(tree: &mut Tree, name: &str, given: Vec<Change<String>>) -> Result<(), Refusal> {
    let (id, mut entry) = target(tree, name, "ldb_modify: invalid dn", "No such Base DN")?;
    demand(!given.is_empty(), || outside("a modify without changes"))?;
    let mut changes: Vec<Change<&'static Attribute>> = Vec::with_capacity(given.len());
    for (operation, name, values) in given {
        check!(is_full(&values), InvalidAttributeSyntax, "Element {name} has empty attribute in ldb message!");
        changes.push((operation, known(&name, "acl_modify")?, values));
    }
    check_account(tree, id, &mut entry, &mut changes)?;
    for (operation, known, values) in &changes {
        let what = if known.name == entry.class.naming() { "RDN" } else { known.name };
        let is_name = what == "RDN" || what == "name";
        check!(!is_name, NotAllowedOnRdn, "00002016: Modify of {what} not permitted, must use 'rename'");
        permitted(tree, &entry, known, if *operation == Delete { &[] } else { values })?;
    }
    let mut differs = false;
    for (operation, known, values) in &changes {
        differs |= match known.name {
            "unicodePwd" => true,
            // As recorded, every change of a link counts as one, even to what it was.
            "manager" => apply(&mut entry, *operation, known, values).map(|_| true)?,
            name if CHECKED.contains(&name) || known.is_plain() => apply(&mut entry, *operation, known, values)?,
            other => return Err(outside(format_args!("changing {other}"))),
        };
    }
    for name in ["sAMAccountName", "userAccountControl", "accountExpires", "pwdLastSet"] {
        let is_kept = entry.class != Class::User || entry.attributes.contains_key(name);
        check!(
            is_kept,
            UnwillingToPerform,
            "00002035: objectclass_attrs: delete protected attribute '{name}' missing!"
        );
    }
    microsoft_accepts(tree, &entry)?;
    if differs {
        tree.replace(id, entry);
    }
    Ok(())
}

/// The object a write names, where it may be written; `argument` and `missing` are for the diagnostics.
fn target(tree: &Tree, name: &str, argument: &str, missing: &str) -> Result<(Id, Entry), Refusal> {
    let found = tree.resolve(name, argument)?.and_then(|id| Some((id, tree.entries.get(&id)?.clone())));
    let found = found.ok_or_else(|| Refusal::new(NoSuchObject, format!("00002030: {missing}: {name}")))?;
    demand(found.1.class != Class::BuiltIn, || outside("changing what was there at the start"))?;
    Ok(found)
}

/// What samldb and the password module check: names that must be unique, account control, and the password, which is
/// set here. A control that stays as it is falls away.
fn check_account(tree: &Tree, id: Id, entry: &mut Entry, changes: &mut Vec<Change<&Attribute>>) -> Result<(), Refusal> {
    const CONTROL: &str = "userAccountControl";
    const PWD_LAST_SET: &str = "00000057: setup_last_set_field: pwdLastSet must be 0 or -1 only!";
    for (operation, known, values) in changes.iter_mut() {
        match (known.name, *operation, values.last_mut()) {
            ("unicodePwd", Replace, Some(value)) => set_password(tree, entry, value)?,
            ("unicodePwd", ..) => return Err(outside("changing a password other than by replace")),
            ("manager", ..) => {
                let is_one = values.len() == 1 || values.is_empty() && *operation == Replace;
                demand(is_one, || outside("changing several managers"))?;
                for value in values.iter_mut() {
                    *value = link(tree, value, *operation)?.to_string().into_bytes();
                }
            }
            (_, Delete, _) => {}
            ("sAMAccountName", _, Some(value)) => account_name_free(tree, &text(value), Some(id))?,
            ("userPrincipalName", _, Some(value)) => principal_name_free(tree, value, Some(id))?,
            ("userPrincipalName", _, None) => return Err(outside("replacing userPrincipalName by nothing")),
            ("pwdLastSet", _, Some(value)) if value == b"-1" => *value = tree.file_time().into_bytes(),
            ("pwdLastSet", _, Some(value)) => check!(value == b"0", Other, "{PWD_LAST_SET}"),
            // What is no number is refused with the other values.
            (CONTROL, _, Some(value)) if text(value).parse::<u32>().is_ok() => {
                *value = account_control(&text(value))?.into_bytes();
            }
            _ => {}
        }
    }
    let stays = |(operation, known, values): &Change<&Attribute>| {
        known.name == CONTROL && *operation != Delete && entry.attributes.get(CONTROL) == Some(values)
    };
    if changes.iter().any(stays) {
        changes.retain(|(_, known, _)| known.name != CONTROL);
    }
    Ok(())
}

/// Changes the values of one attribute; whether that made a difference.
fn apply(entry: &mut Entry, operation: ChangeOperation, known: &Attribute, values: &Values) -> Result<bool, Refusal> {
    let (name, dn) = (known.name, entry.dn.to_string());
    let mut new = entry.attributes.get(name).cloned().unwrap_or_default();
    let mut changed = true;
    match operation {
        Add => new.extend(values.iter().cloned()),
        Delete => {
            let gone = if values.is_empty() { new.clone() } else { values.clone() };
            check!(!gone.is_empty(), NoSuchAttribute, "attribute '{name}': no such attribute for delete on '{dn}'");
            for value in gone {
                let at = new.iter().position(|old| fold(old) == fold(&value));
                let text = || format!("attribute '{name}': no matching attribute value while deleting on '{dn}'");
                new.remove(at.ok_or_else(|| Refusal::new(NoSuchAttribute, text()))?);
            }
        }
        Replace => {
            changed = new.len() != values.len() || !values.iter().all(|value| new.contains(value));
            new.clone_from(values);
        }
    }
    let hex = if name == "manager" { "" } else { "0000200D: " };
    check!(!known.is('s') || new.len() < 2, AttributeOrValueExists, "{hex}SINGLE-VALUE attribute {name} on {dn}");
    let mut seen = BTreeSet::new();
    let are_unequal = new.iter().all(|value| seen.insert(fold(value)));
    check!(are_unequal, AttributeOrValueExists, "attribute '{name}': value on '{dn}' already exists");
    entry.attributes.insert(name, new);
    entry.attributes.retain(|_, values| !values.is_empty());
    Ok(changed)
}

/// Gives a user another name or container.
pub(crate) fn rename(tree: &mut Tree, request: &ModifyDnRequest) -> Result<(), Refusal> {
    let old = request.entry.as_str();
    let (id, mut entry) = target(tree, old, "ldb_rename: invalid olddn", "Cannot rename, entry does not exist")?;
    let container = match request.new_superior.as_ref().map(|name| name.as_str()) {
        Some(name) if name.starts_with('<') => return Err(Refusal::new(Other, "00002095: Other")),
        Some(name) => read_dn(name).ok_or_else(|| refusal::bad_dn("ldb_rename: invalid newdn"))?,
        None => entry.dn.parent().unwrap_or_else(|| tree.base.clone()),
    };
    demand(entry.class == Class::User && request.delete_old_rdn, || outside("this rename"))?;
    let new = read_dn(&format!("{},{container}", request.new_rdn.as_str())).ok_or_else(|| outside("this new name"))?;
    let leaf = naming_value(&new, entry.class)?;
    let missing = || Refusal::new(Other, format!("00002095: objectclass: Cannot rename {old}, parent does not exist!"));
    let parent = place(tree, &new)?.ok_or_else(missing)?;
    demand(tree.at(&new).is_none_or(|other| other == id), || refusal::dn_exists(tree.dialect, new.as_str()))?;
    entry.parent = Some(parent);
    entry.dn = child(&tree.name_of(parent), entry.class, &leaf);
    microsoft_accepts(tree, &entry)?;
    tree.replace(id, entry);
    Ok(())
}

/// Deletes an object that has nothing below it.
pub(crate) fn delete(tree: &mut Tree, name: &str) -> Result<(), Refusal> {
    let (id, _) = target(tree, name, "ldb_delete: invalid dn", "Cannot delete, entry does not exist")?;
    let is_empty = tree.entries.values().all(|entry| entry.parent != Some(id));
    check!(is_empty, NotAllowedOnNonLeaf, "00002015: Unable to delete a non-leaf node!");
    tree.remove(id);
    Ok(())
}

fn class_of(given: &Given, dn: &Dn) -> Result<Class, Refusal> {
    let missing = || Refusal::new(ObjectClassViolation, format!("00002014: Cannot add {dn}, no objectclass!"));
    let (_, classes) = given.get("objectclass").ok_or_else(missing)?;
    let mut classes: Vec<String> = classes.iter().map(|class| fold(class)).collect();
    classes.sort();
    match classes.join(" ").as_str() {
        "user" | "organizationalperson person top user" => Ok(Class::User),
        "organizationalunit" | "organizationalunit top" => Ok(Class::OrganizationalUnit),
        _ => Err(outside("adding another class than user and organizationalUnit")),
    }
}

/// The container of an object of this name; `None` where there is none.
fn place(tree: &Tree, dn: &Dn) -> Result<Option<Id>, Refusal> {
    let found = dn.parent().and_then(|dn| tree.at(&dn)).and_then(|id| Some((id, tree.entries.get(&id)?)));
    let Some((id, parent)) = found else { return Ok(None) };
    check!(parent.class != Class::User, NamingViolation, "00002037: objectClass is no valid child class");
    demand(!parent.dn.same_as(&tree.settings()), || outside("a name below the NTDS settings"))?;
    Ok(Some(id))
}

/// The value of the first part of a name, where its type suits the class.
fn naming_value(dn: &Dn, class: Class) -> Result<String, Refusal> {
    let (kind, value) = dn.rdn().split_once('=').unwrap_or_default();
    let is_recorded = kind.trim().eq_ignore_ascii_case(class.naming()) && !value.replace("\\+", "").contains('+');
    demand(is_recorded, || outside("a name of this kind"))?;
    Ok(dn.leaf_value().unwrap_or_default())
}

/// Microsoft's only: a name has a greatest length, and an enabled account a password (PASSWD_NOTREQD, 0x20, aside).
fn microsoft_accepts(tree: &Tree, entry: &Entry) -> Result<(), Refusal> {
    let Some(naming) = schema::attribute(entry.class.naming()) else { return Ok(()) };
    let length = entry.dn.leaf_value().unwrap_or_default().encode_utf16().count();
    let fits = tree.dialect != Dialect::Microsoft || naming.upper.is_none_or(|most| length <= most);
    demand(fits, || refusal::too_long(tree.dialect, naming, entry.dn.as_str(), length))?;
    let is_off = entry.class != Class::User || entry.account_control() & (DISABLED | 0x20) != 0;
    let is_usable = tree.dialect != Dialect::Microsoft || is_off || entry.password.is_some();
    demand(is_usable, refusal::enabled_without_password)
}

/// Whether requests may write this attribute of this object, and these values.
fn permitted(tree: &Tree, entry: &Entry, known: &Attribute, values: &[Vec<u8>]) -> Result<(), Refusal> {
    let (name, dn) = (known.name, entry.dn.as_str());
    let which = format!("objectclass_attrs: attribute '{name}' on entry '{dn}'");
    check!(!known.is('b'), UnwillingToPerform, "00002035: {which} is a linked attribute, not to be modified directly");
    check!(!known.is('x'), ConstraintViolation, "0000202F: {which} can only be modified as system");
    let has = known.is(if entry.class == Class::User { 'u' } else { 'o' });
    check!(has, ObjectClassViolation, "00002014: {which} does not exist in the specified objectclasses!");
    for value in values {
        let text = String::from_utf8_lossy(value);
        let (is_number, length) = (text.parse::<i64>().is_ok(), text.encode_utf16().count());
        demand(known.syntax != 'I' || is_number, || refusal::invalid_value(name, dn))?;
        let fits = known.syntax != 'T' || known.upper.is_none_or(|most| length <= most);
        demand(fits, || refusal::too_long(tree.dialect, known, dn, length))?;
    }
    Ok(())
}

fn is_full(values: &Values) -> bool {
    values.iter().all(|value| !value.is_empty())
}

fn known(name: &str, who: &str) -> Result<&'static Attribute, Refusal> {
    let unknown = || Refusal::new(NoSuchAttribute, format!("{who}: attribute '{name}' was not found in the schema!"));
    schema::attribute(name).ok_or_else(unknown)
}

/// The object a link value names.
fn link(tree: &Tree, value: &[u8], operation: ChangeOperation) -> Result<Id, Refusal> {
    let name = String::from_utf8_lossy(value);
    let unread = || Refusal::new(InvalidDnSyntax, format!("could not parse {name} as a DN"));
    let found = match tree.resolve(&name, "") {
        Err(refusal) if refusal.code != NoSuchObject => return Err(unread()),
        found => found.ok().flatten(),
    };
    found.ok_or_else(|| match operation {
        Delete => Refusal::new(NoSuchObject, format!("00002030: Unable to find GUID for DN {name}")),
        _ => Refusal::new(ConstraintViolation, "000020B5: Referenced object not found"),
    })
}

fn account_name_free(tree: &Tree, name: &str, own: Option<Id>) -> Result<(), Refusal> {
    let has_bad = name.contains(|c| "\"/\\[]:;|=+*?<>,".contains(c));
    let is_good = !has_bad && !name.ends_with('.');
    check!(is_good, ConstraintViolation, "0000202F: samldb: sAMAccountName contains invalid characters");
    let taken = tree.with_value("sAMAccountName", name.as_bytes()).into_iter().any(|id| Some(id) != own);
    demand(!taken, || refusal::account_name_taken(tree.dialect, name))
}

fn principal_name_free(tree: &Tree, name: &[u8], own: Option<Id>) -> Result<(), Refusal> {
    let taken = tree.with_value("userPrincipalName", name).into_iter().any(|id| Some(id) != own);
    demand(!taken, || refusal::principal_name_taken(tree.dialect, &text(name)))
}

/// The account control that is stored: always of a normal account.
fn account_control(bits: &str) -> Result<String, Refusal> {
    const RECORDED: u32 = DISABLED | 0x20 | NORMAL_ACCOUNT | 0x1_0000;
    match bits.parse::<u32>() {
        Ok(bits) if bits & !RECORDED == 0 => Ok((bits | NORMAL_ACCOUNT).to_string()),
        _ => Err(outside(format_args!("userAccountControl {bits}"))),
    }
}

/// Sets a password as `unicodePwd` brings it: in quotes, UTF-16.
fn set_password(tree: &Tree, entry: &mut Entry, value: &[u8]) -> Result<(), Refusal> {
    let unit = |pair: &[u8]| u16::from_le_bytes([pair[0], *pair.get(1).unwrap_or(&0)]);
    let units: Vec<u16> = value.chunks(2).map(unit).collect();
    let quoted = String::from_utf16_lossy(&units);
    let hash = "00002035: setup_io: it's not allowed to set the NT hash directly";
    let password = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let password = password.ok_or_else(|| Refusal::new(UnwillingToPerform, hash))?;
    demand(password.chars().count() >= 7, || refusal::weak_password(tree.dialect, "is too short"))?;
    let kinds: [fn(char) -> bool; 4] =
        [char::is_uppercase, char::is_lowercase, |c| c.is_ascii_digit(), |c| !c.is_alphanumeric()];
    let different = kinds.iter().filter(|kind| password.chars().any(kind)).count();
    demand(different >= 3, || refusal::weak_password(tree.dialect, "does not meet the complexity criteria"))?;
    entry.password = Some(password.into());
    entry.set("pwdLastSet", &[&tree.file_time()]);
    Ok(())
}
