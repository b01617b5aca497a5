//! Result codes and diagnostics. Those of [`Dialect::Samba`] are recorded; those of [`Dialect::Microsoft`] follow its
//! published forms, with the DSID, which names a place in its source, left at zero.

use rasn_ldap::ResultCode;

use crate::Dialect;
use crate::schema::Attribute;

use ResultCode::{ConstraintViolation, EntryAlreadyExists, InvalidAttributeSyntax, UnwillingToPerform};

/// A request refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: ResultCode,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn new(code: ResultCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// Beyond what was recorded.
pub(crate) fn outside(what: impl std::fmt::Display) -> Refusal {
    Refusal::new(UnwillingToPerform, format!("practice directory: {what} is in no transcript, so it is not guessed"))
}

pub(crate) fn anonymous() -> Refusal {
    Refusal::new(ResultCode::OperationsError, "00002020: Operation unavailable without authentication")
}

/// A DN that cannot be read; `what` is Samba's name for the argument.
pub(crate) fn bad_dn(what: &str) -> Refusal {
    Refusal::new(ResultCode::InvalidDnSyntax, format!("00002032: {what} '(null)'"))
}

pub(crate) fn bad_credentials(data: &str) -> Refusal {
    let text = "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data";
    Refusal::new(ResultCode::InvalidCredentials, format!("{text} {data}, v1db1"))
}

fn either(dialect: Dialect, code: ResultCode, samba: String, microsoft: String) -> Refusal {
    Refusal { code, text: if dialect == Dialect::Samba { samba } else { microsoft } }
}

pub(crate) fn dn_exists(dialect: Dialect, dn: &str) -> Refusal {
    either(dialect, EntryAlreadyExists, format!("Entry {dn} already exists"), entry_exists("00002071"))
}

pub(crate) fn account_name_taken(dialect: Dialect, name: &str) -> Refusal {
    let samba = format!("00002071: samldb: sAMAccountName '{name}' already in use!");
    either(dialect, EntryAlreadyExists, samba, entry_exists("00000524"))
}

pub(crate) fn principal_name_taken(dialect: Dialect, name: &str) -> Refusal {
    let samba = format!("0000202F: samldb: userPrincipalName '{name}' is already in use ");
    either(dialect, ConstraintViolation, samba, attribute("000021C8", "90290", "userPrincipalName", ""))
}

pub(crate) fn weak_password(dialect: Dialect, why: &str) -> Refusal {
    if dialect == Dialect::Microsoft {
        return enabled_without_password();
    }
    let text = format!("0000052D: Constraint violation - check_password_restrictions: the password {why}!");
    Refusal::new(ConstraintViolation, text)
}

/// Microsoft's only: Samba accepts it.
pub(crate) fn enabled_without_password() -> Refusal {
    let text = "0000052D: SvcErr: DSID-00000000, problem 5003 (WILL_NOT_PERFORM), data 0\n";
    Refusal::new(UnwillingToPerform, text)
}

pub(crate) fn invalid_value(name: &str, dn: &str) -> Refusal {
    let text = format!("0000200B: objectclass_attrs: attribute '{name}' on entry '{dn}' contains an invalid value!");
    Refusal::new(InvalidAttributeSyntax, text)
}

/// `length` in UTF-16 units; Microsoft shows bytes.
pub(crate) fn too_long(dialect: Dialect, which: &Attribute, dn: &str, length: usize) -> Refusal {
    if dialect == Dialect::Samba {
        return invalid_value(which.name, dn);
    }
    let text = attribute("00002082", which.id, which.name, &format!(":len {}", 2 * length));
    Refusal::new(ConstraintViolation, text)
}

fn entry_exists(hex: &str) -> String {
    format!("{hex}: UpdErr: DSID-00000000, problem 6005 (ENTRY_EXISTS), data 0\n")
}

fn attribute(hex: &str, id: &str, name: &str, length: &str) -> String {
    let head = format!("{hex}: AtrErr: DSID-00000000, #1:\n\t0: {hex}: DSID-00000000");
    format!("{head}, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att {id} ({name}){length}\n")
}
