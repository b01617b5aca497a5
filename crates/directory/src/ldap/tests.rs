//! What a real directory cannot be made to show at will: broken connections, other controllers, half answers. The
//! rest is in [`crate::conformance`], which the test crate runs on real directories.

mod server;
mod transports;

use std::io::Write as _;

use super::*;
use rollcall_model::ids::ObjectGuid;
use rollcall_model::plan::AttributeChange;

use crate::{Filter, Read, RootDse, Scope, Search, Write};
use server::{Server, pages_then};

fn options(url: &str) -> LdapOptions {
    LdapOptions { timeout_ms: 300, ..LdapOptions::new(url, "CORP\\agent", SecretString::from("hunter2")) }
}

#[test]
fn only_tls_is_spoken() {
    for url in ["ldap://dc1", "ldapi://x", "dc1", ""] {
        let Err(error) = LdapDirectory::new(options(url)) else { panic!("{url} was taken") };
        assert!(error.to_string().contains("ldaps://"), "{error}");
    }
}

#[test]
fn a_ca_file_that_cannot_be_used_is_named() {
    let mut empty = tempfile::NamedTempFile::new().unwrap();
    empty.write_all(b"nothing").unwrap();
    for path in [empty.path().with_extension("missing"), empty.path().to_owned()] {
        let options = LdapOptions { ca_file: Some(path.clone()), ..options("ldaps://dc1") };
        let Err(error) = LdapDirectory::new(options) else { panic!("{} was taken", path.display()) };
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn no_secret_is_printed() {
    assert!(!format!("{:?}", options("ldaps://dc1")).contains("hunter2"));
}

async fn check(url: &str, expected: Code) {
    let found: Result<RootDse, Error> = LdapDirectory::new(options(url)).unwrap().root_dse().await;
    let Err(Error::Unreachable { code, .. }) = found else { panic!("{url}: {found:?}") };
    assert_eq!(code, expected, "{url}");
}

#[tokio::test]
async fn a_refused_connection_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    check(&format!("ldaps://127.0.0.1:{port}"), Code::EndpointUnavailable).await;
}

#[tokio::test]
async fn a_silent_server_meets_the_time_limit() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldaps://{}", listener.local_addr().unwrap());
    check(&url, Code::TimeOut).await;
}

#[tokio::test]
async fn a_server_without_tls_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ldaps://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    check(&url, Code::EndpointUnavailable).await;
    server.abort();
}

async fn search(directory: &LdapDirectory, base: &str) -> Result<usize, Error> {
    let question = Search {
        base: Dn::from_directory(base),
        scope: Scope::Subtree,
        filter: Filter::Present("objectClass".into()),
        attributes: vec![],
    };
    directory.search(&question).await.map(|found| found.len())
}

fn code_of<T>(outcome: Result<T, Error>) -> Option<Code> {
    outcome.err().map(|error| error.code())
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    let server = Server::start(&["dc1"]).await;
    let directory = server.directory(2_000);
    let found = tokio::join!(search(&directory, "DC=one"), search(&directory, "DC=one"), search(&directory, "DC=one"));
    assert_eq!((found.0.unwrap(), found.1.unwrap(), found.2.unwrap()), (1, 1, 1));
    assert_eq!(server.connections(), 1);
    assert_eq!(directory.controller().await.unwrap().dns_host_name, "dc1");
}

#[tokio::test]
async fn a_connection_that_breaks_is_reopened_at_the_next_call() {
    let server = Server::start(&["dc1", "dc1"]).await;
    let directory = server.directory(2_000);
    assert_eq!(code_of(search(&directory, "DC=close").await), Some(Code::EndpointUnavailable));
    assert_eq!(search(&directory, "DC=one").await.unwrap(), 1);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_closed() {
    let server = Server::start(&["dc1", "dc1"]).await;
    let directory = server.directory(600);
    assert_eq!(code_of(search(&directory, "DC=silent").await), Some(Code::TimeOut));
    assert_eq!(search(&directory, "DC=one").await.unwrap(), 1);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn another_controller_is_refused_until_the_change_is_allowed() {
    let server = Server::start(&["dc1", "dc2", "dc2"]).await;
    let directory = server.directory(2_000);
    assert_eq!(directory.root_dse().await.unwrap().dns_host_name, "dc1");
    assert_eq!(code_of(search(&directory, "DC=close").await), Some(Code::EndpointUnavailable));
    let error = search(&directory, "DC=one").await.unwrap_err();
    assert_eq!(error.code(), Code::EndpointUnavailable);
    assert!(error.to_string().contains("dc2") && error.to_string().contains("dc1"), "{error}");
    assert_eq!(directory.controller().await.unwrap().dns_host_name, "dc1");
    directory.release_controller().await;
    assert_eq!(search(&directory, "DC=one").await.unwrap(), 1);
    assert_eq!(directory.controller().await.unwrap().dns_host_name, "dc2");
}

#[tokio::test]
async fn a_read_only_controller_says_so() {
    for (name, writable) in [("dc1", true), ("rodc1", false)] {
        let server = Server::start(&[name]).await;
        let root = server.directory(2_000).root_dse().await.unwrap();
        assert_eq!((root.writable, root.highest_committed_usn), (writable, 4_711));
        // This server has no NTDS settings to read, so its name stands in.
        assert_eq!(root.invocation_id, format!("CN=NTDS Settings,CN={name}"));
    }
}

#[tokio::test]
async fn a_base_that_is_not_the_domains_is_refused() {
    for (base, is_taken) in [("dc=Corp", true), ("OU=Branch,DC=corp", false)] {
        let server = Server::start(&["dc1"]).await;
        let options = LdapOptions { base_dn: Some(Dn::parse(base).unwrap()), ..server.options(2_000) };
        match LdapDirectory::new(options).unwrap().root_dse().await {
            Ok(root) => assert!(is_taken && root.default_naming_context.as_str() == "DC=corp", "{base}"),
            Err(error) => assert!(!is_taken && error.to_string().contains("directory.base_dn"), "{base}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_write_opens_no_connection() {
    let server = Server::start(&["dc1", "dc1"]).await;
    let directory = server.directory(2_000);
    let change = AttributeChange { name: "title".to_owned(), old: vec![], new: vec!["x".to_owned()] };
    let write = || {
        directory
            .modify(ObjectGuid("00112233-4455-6677-8899-aabbccddeeff".parse().unwrap()), std::slice::from_ref(&change))
    };
    assert!(matches!(write().await, Err(Error::NotSent { .. })));
    assert_eq!(server.connections(), 0);
    assert_eq!(code_of(search(&directory, "DC=close").await), Some(Code::EndpointUnavailable));
    assert!(matches!(write().await, Err(Error::NotSent { .. })));
    assert_eq!(server.connections(), 1);
    // The server ends the connection at any write: it was sent.
    assert_eq!(search(&directory, "DC=one").await.unwrap(), 1);
    assert!(matches!(write().await, Err(Error::Unreachable { .. })));
}

// semantics: ldap-errors
#[tokio::test]
async fn a_refused_bind_is_told_from_a_busy_directory() {
    for (name, expected) in [("refuses-bind", Code::BindRefused), ("busy-bind", Code::DirectoryBusy)] {
        let server = Server::start(&[name]).await;
        let outcome = server.directory(2_000).root_dse().await;
        let Err(Error::Refused { code, ldap, .. }) = outcome else { panic!("{name}: {outcome:?}") };
        assert_eq!((code, ldap.dn.as_str()), (expected, "CORP\\agent"));
        assert!(!ldap.diagnostic.contains("hunter2"));
    }
}

#[tokio::test]
async fn a_search_is_complete_or_an_error() {
    let server = Server::start(&["dc1"]).await;
    let directory = server.directory(2_000);
    assert_eq!(search(&directory, &pages_then(0)).await.unwrap(), 3);
    assert_eq!(code_of(search(&directory, &pages_then(51)).await), Some(Code::DirectoryBusy));
    assert_eq!(code_of(search(&directory, &pages_then(4)).await), Some(Code::DirectoryRefused));
    assert_eq!(search(&directory, "DC=referral").await.unwrap(), 1);
    assert_eq!(code_of(search(&directory, "DC=noguid").await), Some(Code::DirectoryInternalError));
    assert_eq!(code_of(search(&directory, "DC=range").await), Some(Code::DirectoryRefused));
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_filter_that_cannot_be_written_is_not_sent() {
    let server = Server::start(&["dc1"]).await;
    let filter = Filter::Equal("a)(b".into(), "x".into());
    let question = Search { base: Dn::from_directory("DC=one"), scope: Scope::Base, filter, attributes: vec![] };
    let error = server.directory(2_000).search(&question).await.unwrap_err();
    assert_eq!(
        (error.code(), error.attribute()),
        (Code::HybridSynchronizationActiveDirectoryCannotFindAttribute, Some("a)(b"))
    );
    assert_eq!(server.connections(), 0);
}
