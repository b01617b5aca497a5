//! Result codes and diagnostics. Those of [`Dialect::Samba`] are recorded; those of [`Dialect::Microsoft`] follow its
//! published forms, with the DSID, which names a place in its source, left at zero.

use rasn_ldap::ResultCode;

use crate::Dialect;
use crate::schema::Attribute;

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

use ResultCode::{ConstraintViolation, EntryAlreadyExists, InvalidAttributeSyntax, UnwillingToPerform};

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

pub(crate) fn no_guid(dn: &str) -> Refusal {
    Refusal::new(ResultCode::NoSuchObject, format!("Base-DN '{dn}' not found"))
}

pub(crate) fn bad_credentials(data: &str) -> Refusal {
    let text = format!("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {data}, v1db1");
    Refusal::new(ResultCode::InvalidCredentials, text)
}

pub(crate) fn dn_exists(dialect: Dialect, dn: &str) -> Refusal {
    let text = match dialect {
        Dialect::Samba => format!("Entry {dn} already exists"),
        Dialect::Microsoft => update("00002071", "6005 (ENTRY_EXISTS)"),
    };
    Refusal::new(EntryAlreadyExists, text)
}

pub(crate) fn account_name_taken(dialect: Dialect, name: &str) -> Refusal {
    let text = match dialect {
        Dialect::Samba => format!("00002071: samldb: sAMAccountName '{name}' already in use!"),
        Dialect::Microsoft => update("00000524", "6005 (ENTRY_EXISTS)"),
    };
    Refusal::new(EntryAlreadyExists, text)
}

pub(crate) fn principal_name_taken(dialect: Dialect, name: &str) -> Refusal {
    let text = match dialect {
        Dialect::Samba => format!("0000202F: samldb: userPrincipalName '{name}' is already in use "),
        Dialect::Microsoft => attribute("000021C8", "90290", "userPrincipalName", ""),
    };
    Refusal::new(ConstraintViolation, text)
}

pub(crate) fn weak_password(dialect: Dialect, why: &str) -> Refusal {
    match dialect {
        Dialect::Samba => Refusal::new(
            ConstraintViolation,
            format!("0000052D: Constraint violation - check_password_restrictions: the password {why}!"),
        ),
        Dialect::Microsoft => enabled_without_password(),
    }
}

/// Microsoft's only: Samba accepts it.
pub(crate) fn enabled_without_password() -> Refusal {
    let text = "0000052D: SvcErr: DSID-00000000, problem 5003 (WILL_NOT_PERFORM), data 0\n";
    Refusal::new(UnwillingToPerform, text)
}

pub(crate) fn invalid_value(attribute: &str, dn: &str) -> Refusal {
    let text = format!(
        "0000200B: objectclass_attrs: attribute '{attribute}' on entry '{dn}' contains at least one invalid value!"
    );
    Refusal::new(InvalidAttributeSyntax, text)
}

/// `length` in UTF-16 units; Microsoft shows bytes.
pub(crate) fn too_long(dialect: Dialect, which: &Attribute, dn: &str, length: usize) -> Refusal {
    match dialect {
        Dialect::Samba => invalid_value(which.name, dn),
        Dialect::Microsoft => {
            let text = attribute("00002082", which.id, which.name, &format!(":len {}", 2 * length));
            Refusal::new(ConstraintViolation, text)
        }
    }
}

fn update(hex: &str, problem: &str) -> String {
    format!("{hex}: UpdErr: DSID-00000000, problem {problem}, data 0\n")
}

fn attribute(hex: &str, id: &str, name: &str, length: &str) -> String {
    format!(
        "{hex}: AtrErr: DSID-00000000, #1:\n\t0: {hex}: DSID-00000000, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, \
         Att {id} ({name}){length}\n"
    )
}
