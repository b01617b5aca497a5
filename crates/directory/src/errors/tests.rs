//! Cases by row. Samba's texts were recorded from Samba 4.22.6; Microsoft's follow the published form of its
//! diagnostics, with DSID numbers that mean nothing.

use super::Request::{Add, Bind, Delete, Modify, Rename, Search};
use super::*;
use Code::*;

struct Case(&'static str, Request, u32, &'static str, Code, Option<&'static str>);

const UPN: Code = HybridSynchronizationActiveDirectoryUserPrincipalNameNotUnique;
const RIGHTS: Code = HybridSynchronizationActiveDirectoryInsufficientAccessRights;
const UNKNOWN: Code = HybridSynchronizationActiveDirectoryCannotFindAttribute;
const INVALID: Code = HybridSynchronizationActiveDirectoryInvalidParameter;

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case("busy", Modify, 51, "0000200E: SvcErr: DSID-02050E3B, problem 5001 (BUSY), data 0", DirectoryBusy, None),
    Case("busy", Bind, 51, "", DirectoryBusy, None),
    Case("busy-hex", Add, 80, "0000200E: SvcErr: DSID-02050E3B, problem 5001 (BUSY), data 0", DirectoryBusy, None),
    Case("unavailable", Search, 52, "00002024: LdapErr: DSID-0C060000, comment: The server is shutting down", EndpointUnavailable, None),
    Case("time-limit", Search, 3, "", TimeOut, None),
    Case("bind", Bind, 49, "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563", BindRefused, None),
    Case("bind", Bind, 53, "", BindRefused, None),
    Case("bind", Bind, 50, "00002098: no", BindRefused, None),
    Case("credentials", Search, 49, "", BindRefused, None),
    Case("stronger-auth", Add, 8, "BindSimple: Transport encryption required.", BindRefused, None),
    Case("not-bound", Search, 1, "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful bind must be completed on the connection., data 0, v4563", BindRefused, None),
    Case("no-principal-samba", Add, 1, "00002020: setup_kerberos_keys: generation of a salting principal failed: Malformed representation of principal", INVALID, Some("userPrincipalName")),
    Case("not-bound-samba", Search, 1, "00002020: Operation unavailable without authentication", BindRefused, None),
    Case("rights", Add, 50, "acl: unable to get access to CN=q30,OU=users,DC=corp,DC=test\n", RIGHTS, None),
    Case("rights", Modify, 50, "00002098: Object CN=q30x,OU=users,DC=corp,DC=test has no write property access\n", RIGHTS, None),
    Case("rights", Rename, 50, "00002098: Object CN=q30x,OU=users,DC=corp,DC=test has no wp on name\n", RIGHTS, None),
    Case("rights", Modify, 50, "00002098: SecErr: DSID-03150F94, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0", RIGHTS, None),
    Case("rights-hex", Modify, 1, "00002098: SecErr: DSID-03150F94, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0", RIGHTS, None),
    Case("upn", Add, 19, "000021C8: AtrErr: DSID-03200EE6, #1:\n\t0: 000021C8: DSID-03200EE6, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 90290 (userPrincipalName)\n", UPN, Some("userPrincipalName")),
    Case("upn", Modify, 68, "000021C8: AtrErr: DSID-03200EE6", UPN, Some("userPrincipalName")),
    Case("upn-implied", Add, 68, "00002071: samldb: sAMAccountName 'mgr' is already in use (implied by userPrincipalName)", UPN, Some("userPrincipalName")),
    Case("upn-implied-by-name", Add, 19, "0000202F: samldb: userPrincipalName 'imp@corp.test' is already in use (implied by sAMAccountName)", UPN, Some("sAMAccountName")),
    Case("upn-samba", Add, 19, "0000202F: samldb: userPrincipalName 'ada@corp.test' is already in use ", UPN, Some("userPrincipalName")),
    Case("account-name", Add, 68, "00000524: UpdErr: DSID-031A11F3, problem 6005 (ENTRY_EXISTS), data 0", EntryConflict, Some("sAMAccountName")),
    Case("account-name-samba", Add, 68, "00002071: samldb: sAMAccountName 'ada' already in use!", EntryConflict, Some("sAMAccountName")),
    Case("account-name-samba", Add, 68, "00002071: samldb: sAMAccountName 'userPrincipalName 'x' already exists' already in use!", EntryConflict, Some("sAMAccountName")),
    Case("name", Add, 68, "00002071: UpdErr: DSID-0305038D, problem 6005 (ENTRY_EXISTS), data 0", EntryConflict, Some("cn")),
    Case("name-samba", Rename, 68, "Entry CN=ada,OU=users,DC=corp,DC=test already exists", EntryConflict, Some("cn")),
    Case("taken", Add, 68, "", EntryConflict, None),
    Case("password", Add, 53, "0000052D: SvcErr: DSID-031A1254, problem 5003 (WILL_NOT_PERFORM), data 0", PasswordRefused, Some("unicodePwd")),
    Case("password", Add, 19, "0000052D: Constraint violation - check_password_restrictions: the password is too short. It should be equal to or longer than 7 characters!", PasswordRefused, Some("unicodePwd")),
    Case("password", Modify, 53, "0000052D: SvcErr: DSID-031A1254, problem 5003 (WILL_NOT_PERFORM), data 0", PasswordRefused, Some("unicodePwd")),
    Case("password-link", Add, 53, "0000001F: SvcErr: DSID-031A1262, problem 5003 (WILL_NOT_PERFORM), data 0", DirectoryRefused, Some("unicodePwd")),
    Case("no-identifiers", Add, 53, "00002010: SvcErr: DSID-031A1254, problem 5003 (WILL_NOT_PERFORM), data 0", NoIdentifiersLeft, None),
    Case("no-identifiers-samba", Add, 53, "00002035: NO RID values available", NoIdentifiersLeft, None),
    Case("value-gone", Modify, 16, "00002085: AtrErr: DSID-03152804, #1:\n\t0: 00002085: DSID-03152804, problem 1001 (NO_ATTRIBUTE_OR_VAL), data 0, Att c (title):len 6\n", StalePlan, Some("title")),
    Case("value-gone", Modify, 16, "00002085: setup_last_set_field: old pwdLastSet value not found! at source4/dsdb/samdb/ldb_modules/password_hash.c:2380:setup_last_set_field", StalePlan, Some("pwdLastSet")),
    Case("attribute-gone", Modify, 16, "00002084: AtrErr: DSID-03152804, #1:\n\t0: 00002084: DSID-03152804, problem 1001 (NO_ATTRIBUTE_OR_VAL), data 0, Att 20 (manager)\n", StalePlan, Some("manager")),
    Case("unknown-attribute-samba", Add, 16, "0000200A: objectclass_attrs: attribute 'fooBar' on entry 'CN=q2,DC=corp,DC=test' was not found in the schema!", UNKNOWN, Some("fooBar")),
    Case("unknown-attribute-samba", Modify, 16, "acl_modify: attribute 'fooBar' on entry 'CN=ada,DC=corp,DC=test' was not found in the schema!", UNKNOWN, Some("fooBar")),
    Case("unknown-attribute", Modify, 16, "00000057: LdapErr: DSID-0C090FD6, comment: Error in attribute conversion operation, data 0, v4563", UNKNOWN, None),
    Case("value-gone-otherwise", Modify, 16, "attribute 'title': no matching attribute value while deleting attribute on 'CN=ada,DC=corp,DC=test'", StalePlan, Some("title")),
    Case("value-gone-otherwise", Modify, 16, "attribute 'title': no such attribute for delete on 'CN=ada,DC=corp,DC=test'", StalePlan, Some("title")),
    Case("value-gone-otherwise", Modify, 16, "Attribute manager already deleted for target GUID d04a85f7-10eb-4df5-84bd-a1916701a61b", StalePlan, Some("manager")),
    Case("no-such-attribute", Add, 16, "0000200A: objectclass nope is not a valid objectClass in schema", UNKNOWN, None),
    Case("undefined-attribute", Add, 17, "", UNKNOWN, None),
    Case("value-there", Modify, 20, "Attribute manager is single valued but more than one value has been supplied", StalePlan, Some("manager")),
    Case("value-there", Modify, 20, "Attribute manager already exists for target GUID d04a85f7-10eb-4df5-84bd-a1916701a61b", StalePlan, Some("manager")),
    Case("value-there", Modify, 20, "0000200D: SINGLE-VALUE attribute title on CN=ada,DC=corp,DC=test specified more than once", StalePlan, Some("title")),
    Case("value-there", Modify, 20, "attribute 'proxyAddresses': value #38 on 'CN=ada,DC=corp,DC=test' already exists", StalePlan, Some("proxyAddresses")),
    Case("value-there", Modify, 20, "00002081: AtrErr: DSID-03151ABC, #1:\n\t0: 00002081: DSID-03151ABC, problem 1006 (ATT_OR_VALUE_EXISTS), data 0, Att c (title)\n", StalePlan, Some("title")),
    Case("value-twice", Add, 20, "attribute 'proxyAddresses': value 'a' on 'CN=q26,DC=corp,DC=test' provided more than once in ADD object", INVALID, Some("proxyAddresses")),
    Case("reference", Modify, 19, "000020B5: Referenced object not found at source4/dsdb/samdb/ldb_modules/extended_dn_store.c:357:extended_replace_callback", StalePlan, None),
    Case("reference", Add, 19, "000020B5: AtrErr: DSID-03152395, #1:\n\t0: 000020B5: DSID-03152395, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 20 (manager)\n", StalePlan, Some("manager")),
    Case("target-gone", Modify, 32, "Base-DN '<GUID=00000000-1111-2222-3333-444444444444>' not found", StalePlan, None),
    Case("target-gone", Modify, 32, "00002030: Unable to find GUID for DN CN=nobody,DC=corp,DC=test\n", StalePlan, None),
    Case("target-gone", Modify, 32, "0000208D: NameErr: DSID-0310028C, problem 2001 (NO_OBJECT), data 0, best match of:\n\t''\n", StalePlan, None),
    Case("no-parent-samba", Add, 32, "00002030: objectclass: Cannot add CN=z1,OU=nix,DC=corp,DC=test, parent does not exist!", ContainerNotFound, None),
    Case("no-parent-samba", Rename, 80, "00002095: objectclass: Cannot rename CN=ada,OU=other,DC=corp,DC=test, parent does not exist!", ContainerNotFound, None),
    Case("no-superior", Add, 1, "00002089: OperationsError-SvcErr: DSID-0, problem 5012 (DIR_ERROR), No superior reference", ContainerNotFound, None),
    Case("moved-object-gone", Rename, 32, "Base-DN '<GUID=00000000-1111-2222-3333-444444444444>' not found", StalePlan, None),
    Case("no-object", Add, 32, "0000208D: NameErr: DSID-0310028C, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'DC=corp,DC=test'\n", ContainerNotFound, None),
    Case("no-object", Search, 32, "acl_read: Error retrieving instanceType for base. at source4/dsdb/samdb/ldb_modules/acl_read.c:975", ContainerNotFound, None),
    Case("referral", Add, 10, "0000202B: RefErr: DSID-0310078B, data 0, 1 access points\n\tref 1: 'else.test'\n", ContainerNotFound, None),
    Case("too-long", Add, 19, "00002082: AtrErr: DSID-03151D7E, #1:\n\t0: 00002082: DSID-03151D7E, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att c (title):len 258\n", INVALID, Some("title")),
    Case("constraint", Add, 19, "0000202F: samldb: sAMAccountName contains invalid '/' character\n", INVALID, Some("sAMAccountName")),
    Case("constraint", Add, 19, "0000202F: samldb: sAMAccountName ends with '.'", INVALID, Some("sAMAccountName")),
    Case("constraint", Add, 19, "0000202F: SINGLE-VALUE attribute title on CN=q10,DC=corp,DC=test specified more than once", INVALID, Some("title")),
    Case("constraint", Modify, 19, "0000202F: objectclass_attrs: attribute 'whenCreated' on entry 'CN=ada,DC=corp,DC=test' can only be modified as system", INVALID, Some("whenCreated")),
    Case("syntax", Modify, 21, "0000200B: objectclass_attrs: attribute 'title' on entry 'CN=ada,DC=corp,DC=test' contains at least one invalid value!", INVALID, Some("title")),
    Case("syntax", Add, 21, "Element title has empty attribute in ldb message (CN=z1,DC=corp,DC=test)!", INVALID, Some("title")),
    Case("syntax", Add, 21, "00000057: LdapErr: DSID-0C090D8A, comment: Error in attribute conversion operation, data 0, v3839", INVALID, None),
    Case("children", Delete, 66, "00002015: Unable to delete a non-leaf node!", DirectoryRefused, None),
    Case("target-gone", Delete, 32, "00002030: Cannot delete, entry does not exist", StalePlan, None),
    Case("bad-name", Add, 34, "could not parse not a dn as a 1.3.6.1.4.1.1466.115.121.1.12 DN", INVALID, None),
    Case("rdn", Modify, 67, "00002016: Modify of RDN 'CN' on CN=ada,DC=corp,DC=test not permitted, must use 'rename' operation instead", INVALID, Some("cn")),
    Case("rdn", Modify, 67, "00002016: UpdErr: DSID-030F0A1B, problem 6004 (CANT_ON_RDN), data 0", INVALID, Some("cn")),
    Case("bad-account-name", Add, 80, "00000523: SysErr: DSID-031A1269, problem 22 (Invalid argument), data 0", INVALID, Some("sAMAccountName")),
    Case("parameter", Modify, 80, "00000057: setup_last_set_field: pwdLastSet must be 0 or -1 only! at source4/dsdb/samdb/ldb_modules/password_hash.c:2439:setup_last_set_field", INVALID, Some("pwdLastSet")),
    Case("not-in-class", Add, 65, "00002014: objectclass_attrs: attribute 'printerName' on entry 'CN=q3,DC=corp,DC=test' does not exist in the specified objectclasses!", UNKNOWN, Some("printerName")),
    Case("not-in-class-microsoft", Add, 65, "00002014: UpdErr: DSID-03050D8E, problem 6002 (OBJ_CLASS_VIOLATION), data -2054643804", UNKNOWN, None),
    Case("undeletable", Modify, 53, "00002035: objectclass_attrs: delete protected attribute 'accountExpires' on entry 'CN=ada,DC=corp,DC=test' missing!", INVALID, Some("accountExpires")),
    Case("undeletable-account", Modify, 53, "00002077: samldb: 'userAccountControl' can't be deleted!", INVALID, Some("userAccountControl")),
    Case("back-link", Add, 53, "00002035: objectclass_attrs: attribute 'directReports' on entry 'CN=q6,DC=corp,DC=test' must not be modified directly, it is a linked attribute", INVALID, Some("directReports")),
    Case("unwilling", Modify, 53, "00002035: samldb: objectSid must not be specified!", DirectoryRefused, Some("objectSid")),
    Case("unwilling", Add, 53, "", DirectoryRefused, None),
    Case("other", Modify, 80, "00002095: something", DirectoryRefused, None),
    Case("operations", Search, 1, "", DirectoryInternalError, None),
    Case("otherwise", Rename, 64, "00002037: objectclass: structural objectClass user is not a valid child class for CN=Configuration,DC=corp,DC=test", DirectoryRefused, None),
    Case("otherwise", Add, 65, "0000217C: samldb: UF_SERVER_TRUST_ACCOUNT requires objectclass 'computer'!", DirectoryRefused, None),
    Case("otherwise", Search, 4, "", DirectoryRefused, None),
    Case("otherwise", Modify, 4_711, "\u{202e}\0", DirectoryRefused, None),
];

// semantics: ldap-errors
#[test]
fn every_case_is_decided_by_its_row() {
    for Case(id, request, result_code, diagnostic, expected, attribute) in CASES {
        let found = row(*request, *result_code, diagnostic);
        assert_eq!(found.id, *id, "{result_code} {diagnostic}");
        let (code, named) = code(*request, *result_code, diagnostic);
        assert_eq!((code, named.as_deref()), (*expected, *attribute), "{result_code} {diagnostic}");
    }
}

// semantics: ldap-errors
#[test]
fn every_row_has_a_case_and_an_id_of_its_own() {
    for (at, row) in ROWS.iter().enumerate() {
        assert!(CASES.iter().any(|case| case.0 == row.id), "no case for row {}", row.id);
        assert!(ROWS[at + 1..].iter().all(|other| other.id != row.id), "{} twice", row.id);
        assert_eq!(row.text, row.text.to_lowercase(), "{}: texts are compared lower-cased", row.id);
    }
}

// semantics: ldap-errors
#[test]
fn unwilling_and_other_are_never_blindly_transient() {
    for request in [Search, Add, Modify, Rename] {
        for result_code in [53, 80] {
            for diagnostic in ["", "garbage", "0000FFFF: x", "00002035: y", "00002095: z", "busy"] {
                let (code, _) = code(request, result_code, diagnostic);
                assert!(!code.is_transient(), "{request:?} {result_code} {diagnostic}: {code}");
            }
        }
    }
}

#[test]
fn a_name_in_a_value_or_dn_is_not_taken_for_the_attribute() {
    for (request, result_code, diagnostic) in [
        (Add, 32, "00002030: objectclass: Cannot add CN=attribute 'title' x,OU=nix, parent does not exist!"),
        (Modify, 50, "00002098: Object CN=attribute 'title',DC=corp has no write property access"),
        (Add, 65, "00002014: objectclass: Cannot add CN=z1c,DC=corp, no objectclass specified!"),
    ] {
        assert_eq!(code(request, result_code, diagnostic).1, None, "{diagnostic}");
    }
}

#[test]
fn the_page_has_a_line_for_each_row() {
    let page = table_markdown();
    for row in ROWS {
        assert!(page.contains(&format!("\n| {} |", row.id)), "{}", row.id);
    }
    assert!(page.contains("| upn | Microsoft |  |  | 000021C8 |  | HybridSynchronization"));
}

proptest::proptest! {
    #[test]
    fn any_diagnostic_is_survived(result_code: u32, diagnostic: String) {
        let _ = code(Modify, result_code, &diagnostic);
        let _ = attribute::named_in(&format!("00002082: x, Att {diagnostic} (title), Attribute {diagnostic}"));
    }
}
