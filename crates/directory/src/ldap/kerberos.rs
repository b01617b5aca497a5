//! Tickets, through MIT krb5. Its calls block, so they run on a thread of their own.
//!
//! krb5 takes the place of its keys and tickets from the environment only, and a Rust program cannot change its own
//! without `unsafe`: [`environment`] says what a process must have been started with. Tickets are kept in memory;
//! krb5 asks for new ones with the keytab when half of their life is over.

use std::ffi::OsString;
use std::path::Path;

use cross_krb5::{ClientCtx, Cred, InitiateFlags, K5Cred as _, PendingClientCtx};
use ldap3::{Ldap, LdapError, LdapResult};
use rollcall_model::{Code, limits};
use tokio::sync::{Semaphore, oneshot};

use super::keytab;
use super::{Kerberos, no_answer};
use crate::Error;

/// A KDC that does not answer holds its thread for half a minute, whatever limit the caller has: one such thread is
/// enough.
static TURN: Semaphore = Semaphore::const_new(1);

/// The variables that a process which binds as this account must have been started with.
#[must_use]
pub fn environment(account: &Kerberos) -> [(&'static str, OsString); 2] {
    let mut keytab = OsString::from("FILE:");
    keytab.push(&account.keytab);
    [("KRB5_CLIENT_KTNAME", keytab), ("KRB5CCNAME", "MEMORY:rollcall".into())]
}

/// A security context that has its first token. `service`: the principal of the controller.
pub(super) async fn begin(account: &Kerberos, service: &str) -> Result<(PendingClientCtx, Vec<u8>), Error> {
    let (account, service) = (account.clone(), service.to_owned());
    apart(move || {
        let credentials = acquire(&account, &service)?;
        let (context, token) = ClientCtx::new_with_cred(credentials, &service, None)
            .map_err(|error| explain(&format!("{error:#}"), &account, &service))?;
        Ok((context, token.to_vec()))
    })
    .await
}

/// Binds on a connection that TLS protects; ldap3 binds the ticket to the controller's certificate (RFC 5929 4).
pub(super) async fn bind_on_tls(mut ldap: Ldap, account: &Kerberos, service: &str) -> Result<LdapResult, Error> {
    let (account, service) = (account.clone(), service.to_owned());
    let runtime = tokio::runtime::Handle::current();
    apart(move || {
        let credentials = acquire(&account, &service)?;
        // ldap3 puts `ldap/` before the name.
        let host = service.strip_prefix("ldap/").unwrap_or(&service);
        match runtime.block_on(ldap.sasl_gssapi_cred_bind(credentials, host)) {
            Err(LdapError::GssapiOperationError(text)) => Err(explain(&text, &account, &service)),
            other => other.map_err(|error| no_answer(&error)),
        }
    })
    .await
}

/// Runs a blocking call. The thread is nobody's: a program that ends does not wait for it.
async fn apart<T: Send + 'static>(call: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let failed = || unavailable("the thread for Kerberos ended abnormally".to_owned());
    let turn = TURN.acquire().await.map_err(|_| failed())?;
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name("kerberos".to_owned()).spawn(move || {
        let _turn = turn;
        let _ = tell.send(call());
    });
    thread.map_err(|error| unavailable(format!("no thread for Kerberos: {error}")))?;
    told.await.unwrap_or_else(|_| Err(failed()))
}

fn acquire(account: &Kerberos, service: &str) -> Result<Cred, Error> {
    for (name, value) in environment(account) {
        if std::env::var_os(name).as_ref() != Some(&value) {
            let text = format!("this process was not started with {name}={}", value.display());
            return Err(refused(text));
        }
    }
    holds_key(&account.keytab, &account.principal)?;
    Cred::client_acquire(InitiateFlags::empty(), Some(&account.principal))
        .map_err(|error| explain(&format!("{error:#}"), account, service))
}

/// krb5 says of a keytab without the right key only that there are no credentials.
fn holds_key(path: &Path, principal: &str) -> Result<(), Error> {
    let shown = path.display();
    let held = keytab::principals(path, limits::KEYTAB_BYTES_MAX)
        .map_err(|error| refused(format!("the keytab {shown} cannot be read: {error}")))?;
    if held.iter().any(|held| held == principal) {
        return Ok(());
    }
    let held = if held.is_empty() { "none".to_owned() } else { held.join(", ") };
    Err(refused(format!("the keytab {shown} has no key of {principal}; it has keys of: {held}")))
}

/// What krb5's message means here, and what to do.
fn explain(text: &str, account: &Kerberos, service: &str) -> Error {
    let (principal, keytab) = (&account.principal, account.keytab.display());
    let realm = principal.split_once('@').map_or("", |(_, realm)| realm);
    let says = |what: &str| text.to_lowercase().contains(what);
    let no_kdc =
        ["contact any kdc", "find kdc for", "cannot resolve", "unable to reach any kdc", "communication with kdc"];
    if no_kdc.iter().any(|what| says(what)) {
        let remedy = "let this host find the domain's controllers (DNS, or /etc/krb5.conf) and reach them on port 88";
        return unavailable(format!("no KDC of {realm} answers: {remedy} ({text})"));
    }
    let meaning = if says("clock skew") || says("not yet valid") {
        "the clocks of this host and the controller differ too much: set both from one time server".to_owned()
    } else if says("preauthentication failed") || says("decrypt integrity check") {
        format!("the key in {keytab} is not {principal}'s current one: export the keytab again")
    } else if says("revoked") {
        format!("{principal} is disabled, locked or expired: enable the account")
    } else if says("password has expired") || says("key has expired") {
        format!("the password of {principal} has expired: set a new one, without expiry, and export the keytab again")
    } else if says("not found in kerberos database") && says("client") {
        format!("the domain has no account {principal}: correct the principal")
    } else if says("not found in kerberos database") || says("server not found") {
        format!("the domain has no service {service}: use the controller's own DNS name")
    } else if says("encryption type") || says("etype") {
        format!("the domain does not take this kind of key: export {keytab} with AES keys")
    } else {
        format!("no ticket for {principal} to {service}")
    };
    refused(format!("{meaning} ({text})"))
}

fn refused(text: String) -> Error {
    Error::Unreachable { code: Code::BindRefused, text }
}

fn unavailable(text: String) -> Error {
    Error::Unreachable { code: Code::EndpointUnavailable, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Kerberos {
        Kerberos { principal: "svc@CORP.TEST".to_owned(), keytab: "/k".into(), host: None }
    }

    #[test]
    fn messages_are_explained() {
        let check = |text: &str, code: Code, named: &str| {
            let error = explain(text, &account(), "ldap/dc1.corp.test@CORP.TEST");
            assert_eq!(error.code(), code, "{text}");
            let shown = error.to_string();
            assert!(shown.contains(named) && shown.contains(text), "{shown}");
        };
        check("Cannot contact any KDC for realm 'CORP.TEST'", Code::EndpointUnavailable, "port 88");
        check("Cannot find KDC for realm \"CORP.TEST\"", Code::EndpointUnavailable, "/etc/krb5.conf");
        check("Clock skew too great", Code::BindRefused, "time server");
        check("Preauthentication failed", Code::BindRefused, "export the keytab again");
        check("Client 'svc@CORP.TEST' not found in Kerberos database", Code::BindRefused, "no account svc@CORP.TEST");
        check("Server ldap/dc1.corp.test@CORP.TEST not found in Kerberos database", Code::BindRefused, "own DNS name");
        check("Client's credentials have been revoked", Code::BindRefused, "enable the account");
        check("KDC has no support for encryption type", Code::BindRefused, "AES");
        check("something else", Code::BindRefused, "no ticket");
    }

    #[tokio::test]
    async fn a_process_without_the_variables_says_so() {
        let Err(error) = begin(&account(), "ldap/dc1.corp.test@CORP.TEST").await else { panic!("a ticket") };
        assert!(error.to_string().contains("KRB5_CLIENT_KTNAME=FILE:/k"), "{error}");
    }
}
