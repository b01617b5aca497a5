//! The table, and its printed form.

use std::fmt::Write as _;

use rollcall_model::Code;

use super::{Blame, Request};

/// Whose wording a row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Any,
    Microsoft,
    Samba,
}

/// One row: what it asks for, and what it says. An empty or absent condition fits everything.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Stable; named by the test's cases.
    pub id: &'static str,
    pub server: Server,
    pub requests: &'static [Request],
    pub result_code: Option<u32>,
    /// Win32 code at the start of the diagnostic text.
    pub hex: Option<u32>,
    /// Part of the diagnostic text, lower-cased.
    pub text: &'static str,
    pub code: Code,
    pub blame: Blame,
    pub meaning: &'static str,
}

impl Row {
    pub(super) fn fits(&self, request: Request, result_code: u32, hex: Option<u32>, text: &str) -> bool {
        (self.requests.is_empty() || self.requests.contains(&request))
            && self.result_code.is_none_or(|wanted| wanted == result_code)
            && (self.hex.is_none() || self.hex == hex)
            && text.contains(self.text)
    }

    const fn new(id: &'static str, code: Code, meaning: &'static str) -> Self {
        Self {
            id,
            server: Server::Any,
            requests: &[],
            result_code: None,
            hex: None,
            text: "",
            code,
            blame: Blame::Nothing,
            meaning,
        }
    }
    const fn rc(mut self, result_code: u32) -> Self {
        self.result_code = Some(result_code);
        self
    }
    const fn hex(mut self, hex: u32) -> Self {
        self.hex = Some(hex);
        self
    }
    const fn text(mut self, text: &'static str) -> Self {
        self.text = text;
        self
    }
    const fn on(mut self, requests: &'static [Request]) -> Self {
        self.requests = requests;
        self
    }
    const fn of(mut self, server: Server) -> Self {
        self.server = server;
        self
    }
    const fn blames(mut self, attribute: &'static str) -> Self {
        self.blame = Blame::Attribute(attribute);
        self
    }
    const fn named(mut self) -> Self {
        self.blame = Blame::Diagnostic;
        self
    }
}

use Code::{
    BindRefused, ContainerNotFound, DirectoryBusy, DirectoryInternalError, DirectoryRefused, EndpointUnavailable,
    EntryConflict, HybridSynchronizationActiveDirectoryCannotFindAttribute as CannotFindAttribute,
    HybridSynchronizationActiveDirectoryInsufficientAccessRights as InsufficientAccessRights,
    HybridSynchronizationActiveDirectoryInvalidParameter as InvalidParameter,
    HybridSynchronizationActiveDirectoryUserPrincipalNameNotUnique as UpnNotUnique, NoIdentifiersLeft, PasswordRefused,
    StalePlan, TimeOut,
};
use Request::{Add, Bind, Delete, Modify, Rename};
use Server::{Microsoft, Samba};

/// What is left when no row fits; last of [`ROWS`] too, so that it is printed and tested.
pub(super) const OTHERWISE: Row = Row::new("otherwise", DirectoryRefused, "any other refusal is permanent");

/// The table, in the order in which it is read.
pub const ROWS: &[Row] = &[
    // Passing conditions first: they say nothing about the request.
    Row::new("busy", DirectoryBusy, "busy").rc(51),
    Row::new("busy-hex", DirectoryBusy, "busy, under another result code").hex(0x200E).of(Microsoft),
    Row::new("unavailable", EndpointUnavailable, "the directory is shutting down or not ready").rc(52),
    Row::new("time-limit", TimeOut, "the server's own time limit").rc(3),
    // Credentials: the domain waits, no record fails.
    Row::new("bind", BindRefused, "a bind that fails for whatever other reason").on(&[Bind]),
    Row::new("credentials", BindRefused, "the credentials are no longer good").rc(49),
    Row::new("stronger-auth", BindRefused, "the connection is not safe enough").rc(8),
    Row::new("not-bound", BindRefused, "nobody is bound on this connection").rc(1).hex(0x4DC).of(Microsoft),
    Row::new("not-bound-samba", BindRefused, "nobody is bound on this connection")
        .rc(1)
        .hex(0x2020)
        .text("without authentication")
        .of(Samba),
    Row::new("rights", InsufficientAccessRights, "the agent's account may not do this").rc(50),
    Row::new("rights-hex", InsufficientAccessRights, "the same under another result code").hex(0x2098),
    // Values that must be unique.
    Row::new("upn", UpnNotUnique, "the userPrincipalName is taken")
        .hex(0x21C8)
        .blames("userPrincipalName")
        .of(Microsoft),
    Row::new("upn-implied", UpnNotUnique, "the name the userPrincipalName implies is taken")
        .text("already in use (implied by userprincipalname)")
        .blames("userPrincipalName")
        .of(Samba),
    Row::new("upn-implied-by-name", UpnNotUnique, "the userPrincipalName that the sAMAccountName implies is taken")
        .text("already in use (implied by samaccountname)")
        .blames("sAMAccountName")
        .of(Samba),
    Row::new("upn-samba", UpnNotUnique, "the userPrincipalName is taken")
        .rc(19)
        .hex(0x202F)
        .text("samldb: userprincipalname '")
        .blames("userPrincipalName")
        .of(Samba),
    Row::new("account-name", EntryConflict, "the sAMAccountName is taken")
        .hex(0x524)
        .blames("sAMAccountName")
        .of(Microsoft),
    Row::new("account-name-samba", EntryConflict, "the sAMAccountName is taken")
        .rc(68)
        .hex(0x2071)
        .text("samldb: samaccountname '")
        .blames("sAMAccountName")
        .of(Samba),
    Row::new("name", EntryConflict, "the name is taken in its container")
        .rc(68)
        .hex(0x2071)
        .text("entry_exists")
        .blames("cn")
        .of(Microsoft),
    Row::new("name-samba", EntryConflict, "the name is taken in its container")
        .rc(68)
        .text("already exists")
        .blames("cn")
        .of(Samba),
    Row::new("taken", EntryConflict, "something is taken; a search says what").rc(68),
    // Passwords.
    Row::new("password", PasswordRefused, "weak password (53 at Microsoft's, 19 at Samba's), or enabled without one")
        .hex(0x52D)
        .blames("unicodePwd"),
    Row::new("password-link", DirectoryRefused, "a password over a connection that is not encrypted")
        .rc(53)
        .hex(0x1F)
        .blames("unicodePwd"),
    // What was observed is no longer so.
    Row::new("value-gone", StalePlan, "the value to be deleted is not there").on(&[Modify]).hex(0x2085).named(),
    Row::new("attribute-gone", StalePlan, "the attribute to be deleted has no value")
        .on(&[Modify])
        .hex(0x2084)
        .named()
        .of(Microsoft),
    Row::new("unknown-attribute-samba", CannotFindAttribute, "the schema does not know the attribute")
        .rc(16)
        .text("was not found in the schema")
        .named()
        .of(Samba),
    Row::new("unknown-attribute", CannotFindAttribute, "the schema does not know the attribute")
        .rc(16)
        .hex(0x57)
        .named()
        .of(Microsoft),
    Row::new("value-gone-otherwise", StalePlan, "the value or link to be deleted is not there")
        .on(&[Modify])
        .rc(16)
        .named(),
    Row::new("no-such-attribute", CannotFindAttribute, "the schema does not know the attribute").rc(16).named(),
    Row::new("undefined-attribute", CannotFindAttribute, "the schema does not know the attribute").rc(17).named(),
    Row::new("value-there", StalePlan, "the value is there already, or another in its single place")
        .on(&[Modify])
        .rc(20)
        .named(),
    Row::new("value-twice", InvalidParameter, "one value twice in an add").rc(20).named(),
    Row::new("reference", StalePlan, "the object referred to is gone since it was looked up").hex(0x20B5).named(),
    Row::new("target-gone", StalePlan, "the object, or one its old value names, is gone").on(&[Modify, Delete]).rc(32),
    // Containers.
    Row::new("no-parent-samba", ContainerNotFound, "the new container does not exist (32 in an add, 80 in a move)")
        .on(&[Add, Rename])
        .text("parent does not exist")
        .of(Samba),
    Row::new("no-superior", ContainerNotFound, "the new container does not exist")
        .on(&[Add, Rename])
        .text("no superior reference")
        .of(Microsoft),
    Row::new("moved-object-gone", StalePlan, "the object is gone; the adapter first looks whether it is the container")
        .on(&[Rename])
        .rc(32),
    Row::new("no-object", ContainerNotFound, "no such object").rc(32),
    Row::new("referral", ContainerNotFound, "the name lies outside this controller's domain").rc(10),
    // Values.
    Row::new("too-long", InvalidParameter, "too long, or out of range").rc(19).hex(0x2082).named().of(Microsoft),
    Row::new("constraint", InvalidParameter, "a value breaks a rule").rc(19).named(),
    Row::new("syntax", InvalidParameter, "a value of the wrong syntax; too long, at Samba's").rc(21).named(),
    Row::new("bad-name", InvalidParameter, "a value that should be a name is none").rc(34).named(),
    Row::new("rdn", InvalidParameter, "the name is changed by a move only").rc(67).blames("cn"),
    Row::new("bad-account-name", InvalidParameter, "a character that a sAMAccountName must not have")
        .hex(0x523)
        .blames("sAMAccountName")
        .of(Microsoft),
    Row::new("parameter", InvalidParameter, "a value breaks a rule").rc(80).hex(0x57).named(),
    Row::new("not-in-class", CannotFindAttribute, "accounts do not have this attribute")
        .rc(65)
        .text("does not exist in the specified objectclasses")
        .named()
        .of(Samba),
    Row::new("not-in-class-microsoft", CannotFindAttribute, "accounts do not have one of the attributes")
        .rc(65)
        .hex(0x2014)
        .text("obj_class_violation")
        .named()
        .of(Microsoft),
    Row::new("undeletable", InvalidParameter, "the attribute must have a value")
        .rc(53)
        .text("delete protected attribute")
        .named()
        .of(Samba),
    Row::new("undeletable-account", InvalidParameter, "the attribute must have a value").rc(53).hex(0x2077).named(),
    Row::new("back-link", InvalidParameter, "the directory keeps this attribute itself")
        .rc(53)
        .text("linked attribute")
        .named()
        .of(Samba),
    Row::new("children", DirectoryRefused, "other objects lie below this one, and a tree is never deleted")
        .on(&[Delete])
        .rc(66),
    Row::new(
        "no-identifiers",
        NoIdentifiersLeft,
        "the controller's pool of RIDs is spent, and the RID master is not there",
    )
    .on(&[Add])
    .hex(0x2010)
    .of(Microsoft),
    Row::new(
        "no-identifiers-samba",
        NoIdentifiersLeft,
        "the controller's pool of RIDs is spent, and the RID master is not there",
    )
    .on(&[Add])
    .rc(53)
    .text("no rid values available")
    .of(Samba),
    // Nothing known: 53 and 80 are not believed to pass.
    Row::new("unwilling", DirectoryRefused, "unwilling, without a reason known here").rc(53).named(),
    Row::new("other", DirectoryRefused, "an error without a reason known here").rc(80),
    Row::new("no-principal-samba", InvalidParameter, "no Kerberos principal can be made of the userPrincipalName")
        .rc(1)
        .text("salting principal")
        .blames("userPrincipalName")
        .of(Samba),
    Row::new("operations", DirectoryInternalError, "an internal error").rc(1),
    OTHERWISE,
];

/// The table as a Markdown page (`docs/errors/ldap-result-codes.md`).
#[must_use]
pub fn table_markdown() -> String {
    let mut out = String::from(
        "# LDAP result codes\n\n\
         How a directory's refusal becomes a code. The table is read from the top and the first row that fits decides;\n\
         an empty cell fits everything. *Hex* is the code at the start of the diagnostic text, *text* a part of it\n\
         (compared without case). Made by `cargo xtask generate` from `crates/directory/src/errors/table.rs`; do not edit.\n\n\
         | row | server | request | result code | hex | text | code | attribute | meaning |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for row in ROWS {
        let server = if row.server == Server::Any { String::new() } else { format!("{:?}", row.server) };
        let requests: Vec<String> = row.requests.iter().map(|request| format!("{request:?}").to_lowercase()).collect();
        let blame = match row.blame {
            Blame::Nothing => String::new(),
            Blame::Attribute(name) => name.to_owned(),
            Blame::Diagnostic => "as named".to_owned(),
        };
        // Writing to a String does not fail.
        let _ = writeln!(
            out,
            "| {} | {server} | {} | {} | {} | {} | {} | {blame} | {} |",
            row.id,
            requests.join(", "),
            row.result_code.map(|number| number.to_string()).unwrap_or_default(),
            row.hex.map(|number| format!("{number:08X}")).unwrap_or_default(),
            row.text,
            row.code,
            row.meaning,
        );
    }
    out
}
