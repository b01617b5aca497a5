//! Add, modify, rename, delete. Checks come in the order in which Samba's modules make them, so that a request with
//! several faults is refused for the same one.

use std::collections::BTreeMap;

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

/// Written in ways of their own in an add, or checked against what they must be.
const SETTLED: &[&str] = &[
    "objectClass",
    "cn",
    "ou",
    "distinguishedName",
    "objectCategory",
    "unicodePwd",
    "userAccountControl",
    "pwdLastSet",
    "manager",
];

type Change = (ChangeOperation, &'static Attribute, Values);

fn refuse<T>(code: ResultCode, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(code, text))
}

/// Refuses with this code and text unless it holds.
macro_rules! check {
    ($holds:expr, $code:expr, $($text:tt)+) => { demand($holds, || Refusal::new($code, format!($($text)+)))? };
}

/// Refuses unless it holds.
fn demand(holds: bool, refusal: impl FnOnce() -> Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal()) }
}

/// Adds a user or an organizationalUnit.
pub(crate) fn add(tree: &mut Tree, name: &str, attributes: Vec<(String, Values)>) -> Result<(), Refusal> {
    check!(!name.is_empty(), NamingViolation, "00002037: rootdse_add: you cannot add a new rootdse entry!");
    let dn = read_dn(name).ok_or_else(|| refusal::bad_dn("ldb_add: invalid dn"))?;
    attributes.iter().try_for_each(|(name, values)| not_empty(name, values, &dn))?;
    let mut given: BTreeMap<String, (String, Values)> = BTreeMap::new();
    for (name, values) in attributes {
        let former = given.insert(name.to_lowercase(), (name, values));
        demand(former.is_none(), || outside("an attribute given twice"))?;
    }
    let first = |name: &str| given.get(name).and_then(|(_, values)| values.first());
    let text = |name: &str| first(name).map(|value| String::from_utf8_lossy(value).into_owned());
    let class = class_of(&given, &dn)?;
    let Some(parent) = place(tree, &dn)? else {
        return refuse(NoSuchObject, format!("00002030: objectclass: Cannot add {dn}, parent does not exist!"));
    };
    let leaf = naming_value(&dn, class, NamingViolation, "00002037")?;
    let naming = if class == Class::User { "cn" } else { "ou" };
    check!(
        text(naming).is_none_or(|value| fold(value.as_bytes()) == fold(leaf.as_bytes())),
        InvalidDnSyntax,
        "00002032: RDN mismatch on {dn}: ({leaf}) should match"
    );
    let mut entry = Entry::new(child(&tree.name_of(parent), &naming.to_uppercase(), &leaf), class, Some(parent));
    entry.manager = first("manager").map(|value| link(tree, value, Add)).transpose()?;
    if class == Class::User {
        let account_name = text("samaccountname").unwrap_or_else(|| tree.random_account_name());
        let own = tree.at(&dn);
        account_name_free(tree, &account_name, own)?;
        first("userprincipalname").map_or(Ok(()), |value| principal_name_free(tree, value, own))?;
        tree.furnish(&mut entry, &account_name);
        if let Some(bits) = text("useraccountcontrol") {
            entry.set("userAccountControl", &[&account_control(&bits)?]);
        }
        first("unicodepwd").map_or(Ok(()), |value| set_password(tree, &mut entry, value))?;
        match text("pwdlastset").as_deref() {
            None | Some("-1") => {}
            Some("0") => entry.set("pwdLastSet", &["0"]),
            Some(_) => return Err(outside("adding another pwdLastSet than 0 or -1")),
        }
    } else {
        entry.set("objectClass", &["top", "organizationalUnit"]);
        entry.set("objectCategory", &[&tree.category("Organizational-Unit")]);
    }
    given.iter().try_for_each(|(_, (name, values))| take(tree, &mut entry, name, values))?;
    demand(tree.at(&dn).is_none(), || refusal::dn_exists(tree.dialect, &dn.to_string()))?;
    name_fits(tree, &entry)?;
    usable(tree, &entry)?;
    tree.insert(entry);
    Ok(())
}

/// Checks an attribute of an add and puts it into the entry.
fn take(tree: &Tree, entry: &mut Entry, name: &str, values: &Values) -> Result<(), Refusal> {
    let known = known(name, "0000200A: objectclass_attrs")?;
    let (name, dn) = (known.name, entry.dn.to_string());
    let is_one = |expected: &str| values.len() == 1 && values.iter().all(|v| fold(v) == expected.to_lowercase());
    match name {
        "distinguishedName" if !is_one(&dn) => return Err(outside("adding another distinguishedName")),
        "objectCategory" if !is_one(&entry.text(name).unwrap_or_default()) => {
            return Err(outside("adding another objectCategory"));
        }
        "cn" | "ou" if values.len() != 1 || known.is('u') && !known.is('o') && entry.class != Class::User => {
            return Err(outside("this naming attribute"));
        }
        _ if SETTLED.contains(&name) && values.len() == 1 || name == "objectClass" => return Ok(()),
        _ if known.is('x') && !known.is('b') => return Err(outside(format_args!("adding {name}"))),
        _ => permitted(tree, entry, known, values)?,
    }
    check!(!values.is_empty(), ConstraintViolation, "attribute '{name}' on '{dn}' specified with 0 values");
    check!(!(known.is('s') && values.len() > 1), ConstraintViolation, "0000202F: {}", single_valued(name, &dn));
    check!(!has_twins(values), AttributeOrValueExists, "attribute '{name}': value on '{dn}' provided more than once");
    demand(!(!known.is_plain() && !["sAMAccountName", "userPrincipalName", "accountExpires"].contains(&name)), || {
        outside(format_args!("adding {name}"))
    })?;
    entry.attributes.insert(name, values.clone());
    Ok(())
}

/// Changes attributes: all of it or nothing.
pub(crate) fn modify(
    tree: &mut Tree,
    name: &str,
    given: Vec<(ChangeOperation, String, Values)>,
) -> Result<(), Refusal> {
    let id = tree.resolve(name, "ldb_modify: invalid dn")?;
    let Some((id, mut entry)) = id.and_then(|id| Some((id, tree.get(id)?.clone()))) else {
        return refuse(NoSuchObject, format!("00002030: No such Base DN: {name}"));
    };
    demand(entry.class != Class::BuiltIn, || outside("changing what was there at the start"))?;
    check!(
        !given.is_empty(),
        UnwillingToPerform,
        "00002035: objectclass: modify message must have elements/attributes!"
    );
    let mut changes: Vec<Change> = Vec::with_capacity(given.len());
    for (operation, name, values) in given {
        not_empty(&name, &values, &entry.dn)?;
        changes.push((operation, known(&name, "acl_modify")?, values));
    }
    check_account(tree, id, &entry, &mut changes)?;
    change_password(tree, &mut entry, &changes)?;
    for (operation, known, values) in &changes {
        let naming = if entry.class == Class::User { "cn" } else { "ou" };
        let what = if known.name == naming { "RDN" } else { known.name };
        let is_name = known.name == naming || known.name == "name";
        check!(!is_name, NotAllowedOnRdn, "00002016: Modify of {what} not permitted, must use 'rename'");
        permitted(tree, &entry, known, if *operation == Delete { &[] } else { values })?;
    }
    let had_control = entry.account_control();
    let mut differs = false;
    for (operation, known, values) in &changes {
        differs |= match known.name {
            "manager" => change_manager(tree, &mut entry, *operation, values)?,
            "unicodePwd" => true,
            "pwdLastSet" => change_pwd_last_set(tree, &mut entry, *operation, values)?,
            "accountExpires" if *operation != Replace || values.len() != 1 => {
                return refuse(UnwillingToPerform, "00002035: delete protected attribute 'accountExpires' missing!");
            }
            "sAMAccountName" | "userPrincipalName" | "userAccountControl" | "accountExpires" => {
                apply(&mut entry, *operation, known, values)?
            }
            _ if known.is_plain() => apply(&mut entry, *operation, known, values)?,
            other => return Err(outside(format_args!("changing {other}"))),
        };
    }
    if entry.account_control() != had_control {
        usable(tree, &entry)?;
    }
    if differs {
        tree.replace(id, entry);
    }
    Ok(())
}

/// What samldb checks: names that must be unique, account control. A control that stays as it is falls away.
fn check_account(tree: &Tree, id: Id, entry: &Entry, changes: &mut Vec<Change>) -> Result<(), Refusal> {
    let last = |name: &str, changes: &[Change]| {
        let own: Vec<_> = changes.iter().filter(|(_, known, _)| known.name == name).collect();
        own.first()?;
        let mut kept = own.iter().rev().filter(|(operation, ..)| *operation != Delete);
        let value = kept.find_map(|(_, _, values)| values.last());
        Some(value.map(|value| String::from_utf8_lossy(value).into_owned()))
    };
    match last("sAMAccountName", changes) {
        Some(None) => return refuse(UnwillingToPerform, "00002077: samldb: 'samAccountName' can't be deleted/empty!"),
        Some(Some(value)) => account_name_free(tree, &value, Some(id))?,
        None => {}
    }
    match last("userPrincipalName", changes) {
        Some(None) if changes.iter().any(|(op, known, _)| known.name == "userPrincipalName" && *op == Replace) => {
            return refuse(ObjectClassViolation, "00002014: samldb: new value for userPrincipalName not provided");
        }
        Some(Some(value)) => principal_name_free(tree, value.as_bytes(), Some(id))?,
        _ => {}
    }
    match last("userAccountControl", changes) {
        Some(None) => refuse(UnwillingToPerform, "00002077: samldb: 'userAccountControl' can't be deleted!"),
        // What is no number is refused with the other values.
        Some(Some(value)) if value.parse::<u32>().is_ok() => {
            let bits = account_control(&value)?;
            if entry.text("userAccountControl").as_ref() == Some(&bits) {
                changes.retain(|(_, known, _)| known.name != "userAccountControl");
            }
            for (operation, known, values) in changes {
                if known.name == "userAccountControl" && *operation != Delete {
                    *values = vec![bits.clone().into_bytes()];
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn change_password(tree: &Tree, entry: &mut Entry, changes: &[Change]) -> Result<(), Refusal> {
    let own: Vec<_> = changes.iter().filter(|(_, known, _)| known.name == "unicodePwd").collect();
    match own[..] {
        [] => Ok(()),
        [(Replace, _, values)] if values.len() == 1 => values.iter().try_for_each(|v| set_password(tree, entry, v)),
        [(Delete, ..)] => refuse(UnwillingToPerform, "00002035: setup_io: It's not possible to delete the password"),
        [(Add, ..)] => refuse(UnwillingToPerform, "00002035: Only the add action for a password change specified!"),
        _ => Err(outside("changing a password with the old one")),
    }
}

fn change_pwd_last_set(
    tree: &Tree,
    entry: &mut Entry,
    operation: ChangeOperation,
    values: &Values,
) -> Result<bool, Refusal> {
    let value = match values.iter().map(|value| &value[..]).collect::<Vec<_>>()[..] {
        [b"0"] => "0".to_owned(),
        [b"-1"] => tree.file_time(),
        _ => return refuse(Other, "00000057: setup_last_set_field: pwdLastSet must be 0 or -1 only!"),
    };
    demand(operation == Replace, || outside("changing pwdLastSet other than by replace"))?;
    entry.set("pwdLastSet", &[&value]);
    Ok(true)
}

/// As recorded, every change of a link counts as one, even to what it was.
fn change_manager(
    tree: &Tree,
    entry: &mut Entry,
    operation: ChangeOperation,
    values: &Values,
) -> Result<bool, Refusal> {
    let links = values.iter().map(|value| link(tree, value, operation)).collect::<Result<Vec<Id>, _>>()?;
    let one_only = "Attribute manager is single valued but more than one value has been supplied";
    entry.manager = match (operation, &links[..], entry.manager) {
        (Replace | Delete, [], _) => None,
        (Replace, [one], _) | (Add, [one], None) => Some(*one),
        (Replace, ..) => return refuse(ConstraintViolation, one_only),
        (Delete, [one], Some(current)) if *one == current => None,
        (Delete, ..) => return refuse(NoSuchAttribute, "Attribute manager already deleted for target GUID"),
        (Add, [one], Some(current)) if *one == current => {
            return refuse(AttributeOrValueExists, "Attribute manager already exists for target GUID");
        }
        (Add, ..) => return refuse(AttributeOrValueExists, one_only),
    };
    Ok(true)
}

/// Changes the values of one attribute; whether that made a difference.
fn apply(entry: &mut Entry, operation: ChangeOperation, known: &Attribute, values: &Values) -> Result<bool, Refusal> {
    let (name, dn) = (known.name, entry.dn.to_string());
    let mut new = entry.attributes.get(name).cloned().unwrap_or_default();
    let mut changed = true;
    match operation {
        Add => new.extend(values.iter().cloned()),
        Delete if values.is_empty() && new.is_empty() => {
            return refuse(NoSuchAttribute, format!("attribute '{name}': no such attribute for delete on '{dn}'"));
        }
        Delete if values.is_empty() => new.clear(),
        Delete => {
            for value in values {
                let Some(at) = new.iter().position(|old| fold(old) == fold(value)) else {
                    return refuse(
                        NoSuchAttribute,
                        format!("attribute '{name}': no matching value to delete on '{dn}'"),
                    );
                };
                new.remove(at);
            }
        }
        Replace => {
            changed = new.len() != values.len() || !values.iter().all(|value| new.contains(value));
            new.clone_from(values);
        }
    }
    check!(!(known.is('s') && new.len() > 1), AttributeOrValueExists, "0000200D: {}", single_valued(name, &dn));
    check!(!has_twins(&new), AttributeOrValueExists, "attribute '{name}': value on '{dn}' already exists");
    if new.is_empty() {
        entry.attributes.remove(name)
    } else {
        entry.attributes.insert(name, new)
    };
    Ok(changed)
}

/// Gives an object another name or container.
pub(crate) fn rename(tree: &mut Tree, request: &ModifyDnRequest) -> Result<(), Refusal> {
    let old = request.entry.as_str();
    let id = tree.resolve(old, "ldb_rename: invalid olddn")?;
    let superior = match request.new_superior.as_ref().map(|name| name.as_str()) {
        Some(name) if name.starts_with('<') => return refuse(Other, "00002095: Other"),
        Some(name) => Some(read_dn(name).ok_or_else(|| refusal::bad_dn("ldb_rename: invalid newdn"))?),
        None => None,
    };
    let Some((id, mut entry)) = id.and_then(|id| Some((id, tree.get(id)?.clone()))) else {
        return refuse(NoSuchObject, format!("00002030: Cannot rename {old}, entry does not exist!"));
    };
    demand(!(entry.class == Class::BuiltIn || !entry.children.is_empty() || !request.delete_old_rdn), || {
        outside("this rename")
    })?;
    let container = superior.or_else(|| entry.dn.parent()).unwrap_or_else(|| tree.base.clone());
    let new = read_dn(&format!("{},{container}", request.new_rdn.as_str())).ok_or_else(|| outside("this new name"))?;
    let leaf = naming_value(&new, entry.class, UnwillingToPerform, "00002035")?;
    let Some(parent) = place(tree, &new)? else {
        return refuse(Other, format!("00002095: objectclass: Cannot rename {old}, parent does not exist!"));
    };
    demand(tree.at(&new).is_none_or(|other| other == id), || refusal::dn_exists(tree.dialect, &new.to_string()))?;
    entry.parent = Some(parent);
    entry.dn = child(&tree.name_of(parent), if entry.class == Class::User { "CN" } else { "OU" }, &leaf);
    name_fits(tree, &entry)?;
    tree.replace(id, entry);
    Ok(())
}

/// Deletes an object that has nothing below it.
pub(crate) fn delete(tree: &mut Tree, name: &str) -> Result<(), Refusal> {
    let id = tree.resolve(name, "ldb_delete: invalid dn")?;
    let Some((id, entry)) = id.and_then(|id| Some((id, tree.get(id)?))) else {
        return refuse(NoSuchObject, format!("00002030: Cannot delete {name}, entry does not exist!"));
    };
    demand(entry.class != Class::BuiltIn, || outside("deleting what was there at the start"))?;
    check!(entry.children.is_empty(), NotAllowedOnNonLeaf, "00002015: Unable to delete a non-leaf node!");
    tree.remove(id);
    Ok(())
}

fn class_of(given: &BTreeMap<String, (String, Values)>, dn: &Dn) -> Result<Class, Refusal> {
    let Some((_, classes)) = given.get("objectclass") else {
        return refuse(ObjectClassViolation, format!("00002014: Cannot add {dn}, no objectclass specified!"));
    };
    let classes: Vec<String> = classes.iter().map(|class| fold(class)).collect();
    let all_in = |known: &[&str]| classes.iter().all(|class| known.contains(&class.as_str()));
    if classes.iter().any(|class| class == "user") && all_in(&["top", "person", "organizationalperson", "user"]) {
        Ok(Class::User)
    } else if classes.iter().any(|class| class == "organizationalunit") && all_in(&["top", "organizationalunit"]) {
        Ok(Class::OrganizationalUnit)
    } else {
        Err(outside("adding another class than user and organizationalUnit"))
    }
}

/// The container of an object of this name; `None` where there is none.
fn place(tree: &Tree, dn: &Dn) -> Result<Option<Id>, Refusal> {
    let Some((id, parent)) = dn.parent().and_then(|dn| tree.at(&dn)).and_then(|id| Some((id, tree.get(id)?))) else {
        return Ok(None);
    };
    let text = "00002037: structural objectClass is not a valid child class for";
    check!(parent.class != Class::User, NamingViolation, "{text} {}", parent.dn);
    demand(!parent.dn.same_as(&tree.settings()), || outside("a name below the NTDS settings"))?;
    Ok(Some(id))
}

/// The value of the first part of a name, where its type suits the class.
fn naming_value(dn: &Dn, class: Class, code: ResultCode, hex: &str) -> Result<String, Refusal> {
    let (rdn, leaf) = (dn.rdn(), dn.leaf_value().unwrap_or_default());
    let kind = rdn.split('=').next().unwrap_or_default().trim().to_uppercase();
    demand(!(rdn.replace("\\+", "").contains('+')), || outside("a name of several attributes"))?;
    match (class, kind.as_str()) {
        (Class::User, "CN") | (Class::OrganizationalUnit, "OU") => Ok(leaf),
        (Class::User, _) => refuse(code, format!("{hex}: objectclass: Invalid RDN '{kind}' for objectclass 'user'!")),
        (_, "CN") if code == NamingViolation => {
            refuse(ObjectClassViolation, format!("00002014: mandatory attribute 'OU' on '{dn}' wasn't specified!"))
        }
        _ => Err(outside("this kind of name")),
    }
}

/// Microsoft's only: Samba takes names of any length.
fn name_fits(tree: &Tree, entry: &Entry) -> Result<(), Refusal> {
    let naming = schema::attribute(if entry.class == Class::User { "cn" } else { "ou" });
    let length = entry.dn.leaf_value().unwrap_or_default().encode_utf16().count();
    match naming {
        Some(known) if tree.dialect == Dialect::Microsoft && known.upper.is_some_and(|most| length > most) => {
            Err(refusal::too_long(tree.dialect, known, entry.dn.as_str(), length))
        }
        _ => Ok(()),
    }
}

/// Microsoft's only: an enabled account needs a password (PASSWD_NOTREQD, 0x20, aside).
fn usable(tree: &Tree, entry: &Entry) -> Result<(), Refusal> {
    let without =
        entry.class == Class::User && entry.password.is_none() && entry.account_control() & (DISABLED | 0x20) == 0;
    if tree.dialect == Dialect::Microsoft && without { Err(refusal::enabled_without_password()) } else { Ok(()) }
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
        demand(!(known.syntax == 'I' && text.parse::<i64>().is_err()), || refusal::invalid_value(name, dn))?;
        let length = text.encode_utf16().count();
        demand(!(known.syntax == 'T' && known.upper.is_some_and(|most| length > most)), || {
            refusal::too_long(tree.dialect, known, dn, length)
        })?;
    }
    Ok(())
}

fn known(name: &str, who: &str) -> Result<&'static Attribute, Refusal> {
    let unknown = || Refusal::new(NoSuchAttribute, format!("{who}: attribute '{name}' was not found in the schema!"));
    schema::attribute(name).ok_or_else(unknown)
}

fn not_empty(name: &str, values: &Values, dn: &Dn) -> Result<(), Refusal> {
    let text = || format!("Element {name} has empty attribute in ldb message ({dn})!");
    if values.iter().any(Vec::is_empty) { refuse(InvalidAttributeSyntax, text()) } else { Ok(()) }
}

fn single_valued(name: &str, dn: &str) -> String {
    format!("SINGLE-VALUE attribute {name} on {dn} specified more than once")
}

fn has_twins(values: &Values) -> bool {
    values.iter().enumerate().any(|(at, value)| values.iter().take(at).any(|other| fold(other) == fold(value)))
}

/// The object a link value names.
fn link(tree: &Tree, value: &[u8], operation: ChangeOperation) -> Result<Id, Refusal> {
    let name = String::from_utf8_lossy(value);
    let unread =
        |_| Refusal::new(InvalidDnSyntax, format!("could not parse {name} as a 1.3.6.1.4.1.1466.115.121.1.12 DN"));
    let found = tree.resolve(&name, "").or_else(|refusal| match refusal.code {
        NoSuchObject => Ok(None),
        _ => Err(unread(refusal)),
    })?;
    found.ok_or_else(|| match operation {
        Delete => Refusal::new(NoSuchObject, format!("00002030: Unable to find GUID for DN {name}")),
        _ => Refusal::new(ConstraintViolation, "000020B5: Referenced object not found"),
    })
}

fn account_name_free(tree: &Tree, name: &str, own: Option<Id>) -> Result<(), Refusal> {
    if let Some(bad) = name.chars().find(|c| "\"/\\[]:;|=+*?<>,".contains(*c)) {
        return refuse(ConstraintViolation, format!("0000202F: samldb: sAMAccountName contains invalid '{bad}'"));
    }
    check!(!name.ends_with('.'), ConstraintViolation, "0000202F: samldb: sAMAccountName ends with '.'");
    let taken = tree.with_value("sAMAccountName", name.as_bytes()).into_iter().any(|id| Some(id) != own);
    if taken { Err(refusal::account_name_taken(tree.dialect, name)) } else { Ok(()) }
}

fn principal_name_free(tree: &Tree, name: &[u8], own: Option<Id>) -> Result<(), Refusal> {
    let taken = tree.with_value("userPrincipalName", name).into_iter().any(|id| Some(id) != own);
    let name = || String::from_utf8_lossy(name).into_owned();
    if taken { Err(refusal::principal_name_taken(tree.dialect, &name())) } else { Ok(()) }
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
    let units: Vec<u16> =
        value.chunks(2).map(|pair| u16::from_le_bytes([pair[0], *pair.get(1).unwrap_or(&0)])).collect();
    let text = String::from_utf16_lossy(&units);
    let Some(password) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return refuse(UnwillingToPerform, "00002035: setup_io: it's not allowed to set the NT hash directly");
    };
    demand(password.chars().count() >= 7, || refusal::weak_password(tree.dialect, "is too short"))?;
    let kinds: [fn(char) -> bool; 4] =
        [char::is_uppercase, char::is_lowercase, |c| c.is_ascii_digit(), |c| !c.is_alphanumeric()];
    let different = kinds.iter().filter(|kind| password.chars().any(kind)).count();
    demand(different >= 3, || refusal::weak_password(tree.dialect, "does not meet the complexity criteria"))?;
    entry.password = Some(password.into());
    entry.set("pwdLastSet", &[&tree.file_time()]);
    Ok(())
}
